//! Percent-encoding (RFC 3986) and the raw pairs of queries and forms.
//!
//! The canonical forms of all schemes here escape alike: everything but `A-Z a-z 0-9 - _ . ~`, in upper-case hex. What
//! arrives is read as leniently as clients write it: a `%` without two hex digits stays a `%`, empty pairs are skipped.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};

const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const ESCAPED_IN_PATH: &AsciiSet = &ESCAPED.remove(b'/');

/// Why escaped text was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The unescaped bytes are not UTF-8.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// The unescaped text holds U+0000, which no text column keeps.
    #[error("the text holds a NUL character")]
    Nul,
}

/// What to do about text that cannot be kept as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// Refuse bytes that are not UTF-8, and NUL.
    Strict,
    /// Replace bytes that are not UTF-8 by U+FFFD and keep NUL, for where only the other fields matter.
    Lossy,
}

/// Appends `bytes` in escaped form.
pub fn push_encoded(out: &mut String, bytes: &[u8]) {
    out.extend(percent_encode(bytes, ESCAPED));
}

/// Appends the escaped form of the escaped form of `bytes`, without building the inner one.
pub fn push_encoded_twice(out: &mut String, bytes: &[u8]) {
    for run in percent_encode(bytes, ESCAPED) {
        match run.strip_prefix('%') {
            Some(digits) => {
                out.push_str("%25");
                out.push_str(digits);
            }
            None => out.push_str(run),
        }
    }
}

/// Appends `bytes` in escaped form, `/` left bare.
pub fn push_encoded_path(out: &mut String, bytes: &[u8]) {
    out.extend(percent_encode(bytes, ESCAPED_IN_PATH));
}

/// `text` in escaped form.
pub fn encode(text: &str) -> Cow<'_, str> {
    percent_encode(text.as_bytes(), ESCAPED).into()
}

/// Unescapes a path or one of its segments: `+` is a plus sign. Borrows when there is nothing to unescape.
pub fn decode_path(raw: &[u8]) -> Cow<'_, [u8]> {
    percent_decode(raw).into()
}

/// Unescapes a name or value of a query or form: `+` is a space. Borrows when there is nothing to unescape.
pub fn decode_form(raw: &[u8]) -> Cow<'_, [u8]> {
    if !raw.contains(&b'+') {
        return percent_decode(raw).into();
    }
    let spaced: Vec<u8> = raw.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
    // A borrowed answer means that there was nothing to unescape, and the spaced copy is the answer itself.
    let unescaped = match Cow::from(percent_decode(&spaced)) {
        Cow::Owned(bytes) => Some(bytes),
        Cow::Borrowed(_) => None,
    };
    Cow::Owned(unescaped.unwrap_or(spaced))
}

/// Splits raw query or form text into raw pairs, in order; the value is `None` where there was no `=`.
pub fn split_pairs(raw: &[u8]) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
    raw.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        match pair.iter().position(|&byte| byte == b'=') {
            Some(at) => (&pair[..at], Some(&pair[at + 1..])),
            None => (pair, None),
        }
    })
}

/// Reads raw query or form text (`application/x-www-form-urlencoded`) into pairs, in order, repeated names included.
///
/// # Errors
///
/// With [`Text::Strict`], the first name or value that is not UTF-8 or holds NUL; with [`Text::Lossy`], never.
pub fn parse_pairs(raw: &[u8], text: Text) -> Result<Vec<(String, String)>, DecodeError> {
    split_pairs(raw)
        .map(|(name, value)| {
            Ok((to_text(decode_form(name), text)?, to_text(decode_form(value.unwrap_or_default()), text)?))
        })
        .collect()
}

fn to_text(bytes: Cow<'_, [u8]>, text: Text) -> Result<String, DecodeError> {
    match text {
        Text::Strict if bytes.contains(&0) => Err(DecodeError::Nul),
        Text::Strict => String::from_utf8(bytes.into_owned()).map_err(|_| DecodeError::NotUtf8),
        Text::Lossy => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(raw: &str) -> Vec<(String, String)> {
        parse_pairs(raw.as_bytes(), Text::Strict).unwrap()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn only_the_unreserved_characters_stay_bare() {
        assert_eq!(encode("azAZ09-_.~"), "azAZ09-_.~");
        assert_eq!(encode("a b+*/=&%'()!é"), "a%20b%2B%2A%2F%3D%26%25%27%28%29%21%C3%A9");
        assert!(matches!(encode("plain"), Cow::Borrowed("plain")));
    }

    #[test]
    fn a_path_keeps_its_slashes() {
        let mut out = String::new();
        push_encoded_path(&mut out, "/a b/ü".as_bytes());
        assert_eq!(out, "/a%20b/%C3%BC");
    }

    #[test]
    fn twice_is_once_of_once() {
        let mut out = String::new();
        push_encoded_twice(&mut out, "a b/~%é".as_bytes());
        assert_eq!(out, encode(&encode("a b/~%é")));
    }

    #[test]
    fn a_plus_is_a_space_in_forms_only() {
        assert_eq!(decode_form(b"a+b%2Bc").as_ref(), b"a b+c");
        assert_eq!(decode_form(b"a+b").as_ref(), b"a b");
        assert_eq!(decode_path(b"a+b%2Bc").as_ref(), b"a+b+c");
        assert!(matches!(decode_form(b"plain"), Cow::Borrowed(b"plain")));
    }

    #[test]
    fn a_stray_percent_sign_stays() {
        assert_eq!(decode_path(b"100%").as_ref(), b"100%");
        assert_eq!(decode_path(b"%zz%4").as_ref(), b"%zz%4");
        assert_eq!(decode_path(b"%4a%4A").as_ref(), b"JJ");
    }

    #[test]
    fn pairs_keep_their_order_and_repetitions() {
        assert_eq!(pairs("b=2&a=1&b=1"), [pair("b", "2"), pair("a", "1"), pair("b", "1")]);
    }

    #[test]
    fn empty_pairs_are_skipped_and_empty_sides_kept() {
        assert_eq!(pairs("&&a=1&&b&c=&=d&"), [pair("a", "1"), pair("b", ""), pair("c", ""), pair("", "d")]);
        assert_eq!(pairs("a=b=c"), [pair("a", "b=c")]);
        assert!(pairs("").is_empty());
    }

    #[test]
    fn strict_text_refuses_what_lossy_text_replaces() {
        assert_eq!(parse_pairs(b"a=%ff", Text::Strict), Err(DecodeError::NotUtf8));
        assert_eq!(parse_pairs(b"a=\xff", Text::Strict), Err(DecodeError::NotUtf8));
        assert_eq!(parse_pairs(b"a%00=1", Text::Strict), Err(DecodeError::Nul));
        assert_eq!(parse_pairs(b"a=%ff%00", Text::Lossy), Ok(vec![pair("a", "\u{fffd}\0")]));
    }
}
