//! Conditional requests: which of 200, 206, 304, 412 and 416 a request earns (RFC 9110 section 13).

use std::ops::Range;

use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE};
use http::{HeaderMap, HeaderName, Method, StatusCode};

use super::range::{Requested, parse_range};

/// What is sent back, before any header is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// 200: the whole file.
    Whole,
    /// 206: one range, or several as `multipart/byteranges`. Never empty, each range inside the
    /// file.
    Parts(Vec<Range<u64>>),
    /// 304: the caller has these bytes already.
    NotModified,
    /// 412: the caller wants other bytes than these.
    PreconditionFailed,
    /// 416: no byte of the wanted ranges exists.
    NotSatisfiable,
}

impl Plan {
    /// The status line this plan is sent with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Whole => StatusCode::OK,
            Self::Parts(_) => StatusCode::PARTIAL_CONTENT,
            Self::NotModified => StatusCode::NOT_MODIFIED,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::NotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
        }
    }
}

/// Weighs the conditions of a GET or HEAD in the order of RFC 9110 section 13.2.2.
///
/// `etag` is the strong entity tag with its quotes, `last_modified` the text of that header; both
/// as the answer will carry them. Dates are compared as text: a client sends back the date it was
/// given, and a miss only costs a transfer that is correct anyway. `Range` counts on GET alone
/// (section 14.2), so HEAD always names the full length.
#[must_use]
pub fn plan(method: &Method, headers: &HeaderMap, size_bytes: u64, etag: &str, last_modified: Option<&str>) -> Plan {
    let same_date =
        |name: &HeaderName| headers.get(name).map(|sent| Some(sent.as_bytes()) == last_modified.map(str::as_bytes));

    if let Some(matches) = lists_tag(headers, &IF_MATCH, etag, Comparison::Strong) {
        if !matches {
            return Plan::PreconditionFailed;
        }
    } else if last_modified.is_some() && same_date(&IF_UNMODIFIED_SINCE) == Some(false) {
        return Plan::PreconditionFailed;
    }

    if let Some(matches) = lists_tag(headers, &IF_NONE_MATCH, etag, Comparison::Weak) {
        if matches {
            return Plan::NotModified;
        }
    } else if same_date(&IF_MODIFIED_SINCE) == Some(true) {
        return Plan::NotModified;
    }

    let Some(range) = single_value(headers, &RANGE) else {
        return Plan::Whole;
    };
    let unchanged = match headers.get(IF_RANGE) {
        None => true,
        Some(sent) => sent.as_bytes() == etag.as_bytes() || same_date(&IF_RANGE) == Some(true),
    };
    if method != Method::GET || !unchanged {
        return Plan::Whole;
    }
    match parse_range(range, size_bytes) {
        Requested::Everything => Plan::Whole,
        Requested::Parts(parts) => Plan::Parts(parts),
        Requested::Nothing => Plan::NotSatisfiable,
    }
}

/// The header's text if it is there exactly once; a range set that comes in two lines is no valid
/// header.
fn single_value<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

#[derive(Clone, Copy, PartialEq)]
enum Comparison {
    Strong,
    Weak,
}

/// Whether the header lists `etag` or `*`; `None` without the header.
fn lists_tag(headers: &HeaderMap, name: &HeaderName, etag: &str, comparison: Comparison) -> Option<bool> {
    let mut lines = headers.get_all(name).iter().peekable();
    lines.peek()?;
    Some(lines.filter_map(|line| line.to_str().ok()).any(|line| {
        line.trim() == "*"
            || entity_tags(line).any(|(weak, tag)| tag == etag && (!weak || comparison == Comparison::Weak))
    }))
}

/// The entity tags of a list, each with its quotes, and whether it is weak. A comma may stand
/// inside a tag.
fn entity_tags(line: &str) -> impl Iterator<Item = (bool, &str)> {
    let mut rest = line;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let weak = rest.starts_with("W/");
        let tag = rest.strip_prefix("W/").unwrap_or(rest);
        let end = tag.strip_prefix('"')?.find('"')? + 2;
        rest = &tag[end..];
        Some((weak, &tag[..end]))
    })
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "one range is meant, not a list of numbers")]
mod tests {
    use super::*;

    const ETAG: &str = "\"abc\"";
    const DATE: &str = "Sat, 22 Nov 2025 10:00:00 GMT";

    fn planned(method: Method, headers: &[(HeaderName, &str)]) -> Plan {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value.parse().expect("a header value"));
        }
        plan(&method, &map, 1000, ETAG, Some(DATE))
    }

    #[test]
    fn without_conditions_the_whole_file_is_sent() {
        assert_eq!(planned(Method::GET, &[]), Plan::Whole);
        assert_eq!(planned(Method::HEAD, &[]), Plan::Whole);
    }

    #[test]
    fn ranges_count_on_get_only() {
        assert_eq!(planned(Method::GET, &[(RANGE, "bytes=10-")]), Plan::Parts(vec![10..1000]));
        assert_eq!(planned(Method::HEAD, &[(RANGE, "bytes=10-")]), Plan::Whole);
        assert_eq!(planned(Method::GET, &[(RANGE, "bytes=1000-")]), Plan::NotSatisfiable);
        assert_eq!(planned(Method::GET, &[(RANGE, "bytes=9-1")]), Plan::Whole);
        assert_eq!(planned(Method::GET, &[(RANGE, "bytes=0-1"), (RANGE, "bytes=4-5")]), Plan::Whole);
    }

    #[test]
    fn if_range_resumes_only_the_same_bytes() {
        let resumed = Plan::Parts(vec![10..1000]);
        for (validator, expected) in [
            (ETAG, resumed.clone()),
            (DATE, resumed),
            ("\"other\"", Plan::Whole),
            // A weak tag never matches strongly (section 13.1.5).
            ("W/\"abc\"", Plan::Whole),
            ("Sat, 22 Nov 2025 10:00:01 GMT", Plan::Whole),
            ("", Plan::Whole),
        ] {
            assert_eq!(planned(Method::GET, &[(RANGE, "bytes=10-"), (IF_RANGE, validator)]), expected, "{validator}");
        }
        assert_eq!(planned(Method::GET, &[(IF_RANGE, ETAG)]), Plan::Whole);
    }

    #[test]
    fn if_none_match_spares_the_transfer() {
        for (tags, expected) in [
            (ETAG, Plan::NotModified),
            ("*", Plan::NotModified),
            ("W/\"abc\"", Plan::NotModified),
            ("\"x\", \"a,b\" ,W/\"y\",\"abc\"", Plan::NotModified),
            ("\"abcd\"", Plan::Whole),
            ("abc", Plan::Whole),
            ("\"x,\"abc\"", Plan::Whole),
        ] {
            assert_eq!(planned(Method::GET, &[(IF_NONE_MATCH, tags)]), expected, "{tags}");
            assert_eq!(planned(Method::HEAD, &[(IF_NONE_MATCH, tags)]), expected, "{tags}");
        }
        assert_eq!(planned(Method::GET, &[(IF_NONE_MATCH, "\"x\""), (IF_NONE_MATCH, ETAG)]), Plan::NotModified);
        assert_eq!(planned(Method::GET, &[(IF_NONE_MATCH, ETAG), (RANGE, "bytes=1-2")]), Plan::NotModified);
    }

    #[test]
    fn if_match_refuses_other_bytes() {
        assert_eq!(planned(Method::GET, &[(IF_MATCH, ETAG)]), Plan::Whole);
        assert_eq!(planned(Method::GET, &[(IF_MATCH, "*")]), Plan::Whole);
        assert_eq!(planned(Method::GET, &[(IF_MATCH, "\"other\"")]), Plan::PreconditionFailed);
        assert_eq!(planned(Method::GET, &[(IF_MATCH, "W/\"abc\"")]), Plan::PreconditionFailed);
        assert_eq!(planned(Method::GET, &[(IF_MATCH, ETAG), (RANGE, "bytes=1-2")]), Plan::Parts(vec![1..3]));
    }

    #[test]
    fn dates_stand_in_for_tags() {
        assert_eq!(planned(Method::GET, &[(IF_MODIFIED_SINCE, DATE)]), Plan::NotModified);
        assert_eq!(planned(Method::GET, &[(IF_MODIFIED_SINCE, "Sat, 22 Nov 2025 09:00:00 GMT")]), Plan::Whole);
        // The tag has the last word where both are sent (section 13.1.3).
        assert_eq!(planned(Method::GET, &[(IF_NONE_MATCH, "\"x\""), (IF_MODIFIED_SINCE, DATE)]), Plan::Whole);
        assert_eq!(planned(Method::GET, &[(IF_UNMODIFIED_SINCE, DATE)]), Plan::Whole);
        assert_eq!(
            planned(Method::GET, &[(IF_UNMODIFIED_SINCE, "Sat, 22 Nov 2025 09:00:00 GMT")]),
            Plan::PreconditionFailed
        );
    }
}
