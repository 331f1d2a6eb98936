//! The `Range` header: text in, byte ranges of a file of known size out (RFC 9110 section 14).

use std::ops::Range;

/// More ranges than this in one request are answered with the whole file (RFC 9110 section 14.2
/// allows to ignore the header).
pub const MAX_RANGES: usize = 16;

/// What a `Range` header asks of a file of known size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requested {
    /// The header is malformed, of another unit, or asks for more than is reasonable: it is
    /// ignored.
    Everything,
    /// One to [`MAX_RANGES`] non-empty ranges inside the file, in the order in which they were
    /// asked for.
    Parts(Vec<Range<u64>>),
    /// The header is well formed and no byte of it lies inside the file.
    Nothing,
}

/// One `range-spec` before the size of the file is known. Both ends are inclusive, as on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spec {
    FromTo(u64, u64),
    Last(u64),
}

impl Spec {
    /// `first-pos "-" [ last-pos ]` or `"-" suffix-length`; anything else is malformed.
    fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-')?;
        if first.is_empty() {
            return Some(Self::Last(number(last)?));
        }
        let first = number(first)?;
        if last.is_empty() {
            return Some(Self::FromTo(first, u64::MAX));
        }
        let last = number(last)?;
        (first <= last).then_some(Self::FromTo(first, last))
    }

    /// The part of this range that lies inside a file of `size_bytes`.
    fn within(self, size_bytes: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::FromTo(first, last) => first..last.saturating_add(1).min(size_bytes),
            Self::Last(length) => size_bytes.saturating_sub(length)..size_bytes,
        };
        (range.start < range.end).then_some(range)
    }
}

/// Reads a `Range` header for a file of `size_bytes`.
///
/// A malformed header is ignored, as RFC 9110 section 14.2 asks. So is one that would cost more
/// than the whole file: more than [`MAX_RANGES`] ranges, more than two ranges that overlap others,
/// or several ranges that add up to the whole file or more. A single range is always honoured,
/// `bytes=0-` too: devices that ask for it expect 206.
#[must_use]
pub fn parse_range(header: &str, size_bytes: u64) -> Requested {
    let Some(specs) = specs(header) else {
        return Requested::Everything;
    };
    let parts: Vec<_> = specs.iter().filter_map(|spec| spec.within(size_bytes)).collect();
    if parts.is_empty() {
        // A suffix of a file without bytes is satisfiable by RFC 9110 section 14.1.2, yet no
        // Content-Range can name it.
        let empty_suffix = size_bytes == 0 && specs.iter().any(|spec| matches!(spec, Spec::Last(1..)));
        return if empty_suffix { Requested::Everything } else { Requested::Nothing };
    }
    if parts.len() > 1 && is_wasteful(&parts, size_bytes) {
        return Requested::Everything;
    }
    Requested::Parts(parts)
}

/// The ranges of a well formed header with a reasonable number of them. Empty list elements are
/// skipped, as section 5.6.1 asks.
fn specs(header: &str) -> Option<Vec<Spec>> {
    let (unit, set) = header.split_once('=')?;
    if !unit.trim_matches([' ', '\t']).eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut specs = Vec::new();
    for element in set.split(',').map(|element| element.trim_matches([' ', '\t'])) {
        if element.is_empty() {
            continue;
        }
        if specs.len() == MAX_RANGES {
            return None;
        }
        specs.push(Spec::parse(element)?);
    }
    (!specs.is_empty()).then_some(specs)
}

/// Digits only; a number beyond 64 bits lies past the end of any file, so the largest value stands
/// for it.
fn number(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

fn is_wasteful(parts: &[Range<u64>], size_bytes: u64) -> bool {
    let total = parts.iter().fold(0u64, |sum, part| sum.saturating_add(part.end - part.start));
    if total >= size_bytes {
        return true;
    }
    let overlapping = parts
        .iter()
        .enumerate()
        .filter(|(at, part)| {
            parts
                .iter()
                .enumerate()
                .any(|(other, range)| other != *at && range.start < part.end && part.start < range.end)
        })
        .count();
    overlapping > 2
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "one range is meant, not a list of numbers")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(ranges: &[Range<u64>]) -> Requested {
        Requested::Parts(ranges.to_vec())
    }

    #[test]
    fn single_ranges_of_a_thousand_bytes() {
        for (header, expected) in [
            ("bytes=0-", parts(&[0..1000])),
            ("bytes=0-0", parts(&[0..1])),
            ("bytes=0-499", parts(&[0..500])),
            ("bytes=500-999", parts(&[500..1000])),
            ("bytes=999-", parts(&[999..1000])),
            ("bytes=10-99999", parts(&[10..1000])),
            ("bytes=-1", parts(&[999..1000])),
            ("bytes=-5000", parts(&[0..1000])),
            ("Bytes= 7-7 ", parts(&[7..8])),
            ("bytes=1-99999999999999999999999999", parts(&[1..1000])),
            ("bytes=18446744073709551615-", Requested::Nothing),
            ("bytes=99999999999999999999999999-", Requested::Nothing),
            // What an agent asks that already has the whole file.
            ("bytes=1000-", Requested::Nothing),
            ("bytes=-0", Requested::Nothing),
        ] {
            assert_eq!(parse_range(header, 1000), expected, "{header}");
        }
    }

    #[test]
    fn several_ranges_keep_the_order_of_the_request() {
        for (header, expected) in [
            ("bytes=0-0,-1", parts(&[0..1, 999..1000])),
            ("bytes=500-600, 0-9", parts(&[500..601, 0..10])),
            ("bytes=, ,5-5,,\t7-7,", parts(&[5..6, 7..8])),
            ("bytes=5-5,4000-,-0", parts(&[5..6])),
            ("bytes=4000-,5000-", Requested::Nothing),
            // Two that overlap are served, a third makes it abuse.
            ("bytes=0-99,50-149", parts(&[0..100, 50..150])),
            ("bytes=0-99,50-149,140-200", Requested::Everything),
            ("bytes=0-,0-", Requested::Everything),
            ("bytes=0-499,500-999", Requested::Everything),
        ] {
            assert_eq!(parse_range(header, 1000), expected, "{header}");
        }
    }

    #[test]
    fn malformed_headers_are_ignored() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=5",
            "bytes=9-5",
            "bytes=a-b",
            "bytes=1-2x",
            "bytes=+1-2",
            "bytes=1--2",
            "bytes=--5",
            "bytes 0-5",
            "bytes:0-5",
            "items=0-5",
            "bytes=0-5,nonsense",
            "bytes=0-5,9-5",
            "bytes=١-٢",
            "bytes=1 -2",
            "bytes=0-5;6-7",
        ] {
            assert_eq!(parse_range(header, 1000), Requested::Everything, "{header}");
        }
    }

    #[test]
    fn the_number_of_ranges_is_bounded() {
        let header = |count: usize| {
            let specs: Vec<_> = (0..count).map(|at| format!("{}-{}", at * 10, at * 10)).collect();
            format!("bytes={}", specs.join(","))
        };
        assert!(matches!(parse_range(&header(MAX_RANGES), 1000), Requested::Parts(parts) if parts.len() == MAX_RANGES));
        assert_eq!(parse_range(&header(MAX_RANGES + 1), 1000), Requested::Everything);
    }

    #[test]
    fn a_file_without_bytes_has_no_ranges() {
        assert_eq!(parse_range("bytes=0-", 0), Requested::Nothing);
        assert_eq!(parse_range("bytes=-0", 0), Requested::Nothing);
        assert_eq!(parse_range("bytes=-5", 0), Requested::Everything);
    }

    /// A range as a client means it, drawn around the borders of a small file.
    fn wanted() -> impl Strategy<Value = (Option<u64>, Option<u64>)> {
        prop_oneof![
            (0u64..40, 0u64..40).prop_map(|(first, more)| (Some(first), Some(first + more))),
            (0u64..40).prop_map(|first| (Some(first), None)),
            (0u64..40).prop_map(|length| (None, Some(length))),
        ]
    }

    /// The model: go through the file byte by byte and ask of each whether the range means it.
    fn bytes_meant((first, last): (Option<u64>, Option<u64>), size: u64) -> Vec<u64> {
        (0..size)
            .filter(|at| match (first, last) {
                (Some(first), Some(last)) => *at >= first && *at <= last,
                (Some(first), None) => *at >= first,
                (None, length) => size - at <= length.unwrap_or(0),
            })
            .collect()
    }

    proptest! {
        #[test]
        fn agrees_with_reading_byte_by_byte(
            wants in prop::collection::vec(wanted(), 1..20),
            size in 1u64..32,
            gap in prop::sample::select(vec![",", ", ", " ,\t", ",,"]),
        ) {
            let text = |end: Option<u64>| end.map(|end| end.to_string()).unwrap_or_default();
            let specs: Vec<_> = wants.iter().map(|(first, last)| format!("{}-{}", text(*first), text(*last))).collect();
            let answered = parse_range(&format!("bytes={}", specs.join(gap)), size);

            let meant: Vec<Vec<u64>> =
                wants.iter().map(|want| bytes_meant(*want, size)).filter(|bytes| !bytes.is_empty()).collect();
            let shared = (0..meant.len())
                .filter(|at| (0..meant.len()).any(|other| other != *at && meant[*at].iter().any(|byte| meant[other].contains(byte))))
                .count();
            let expected = if wants.len() > MAX_RANGES {
                Requested::Everything
            } else if meant.is_empty() {
                Requested::Nothing
            } else if meant.len() > 1 && (shared > 2 || meant.concat().len() as u64 >= size) {
                Requested::Everything
            } else {
                Requested::Parts(meant.iter().map(|bytes| bytes[0]..bytes[0] + bytes.len() as u64).collect())
            };
            prop_assert_eq!(answered, expected);
        }

        #[test]
        fn any_text_is_survived(header in "(bytes=)?[0-9,\\- a=]{0,40}", size in any::<u64>()) {
            if let Requested::Parts(parts) = parse_range(&header, size) {
                prop_assert!(parts.len() <= MAX_RANGES);
                prop_assert!(parts.iter().all(|part| part.start < part.end && part.end <= size));
            }
        }
    }
}
