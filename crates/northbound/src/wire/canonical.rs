//! The pieces of a canonical request that several schemes build alike.

use std::borrow::Cow;

use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, Uri};

use super::error::SignatureError;
use super::percent::{decode_form, push_encoded, split_pairs};

/// How many headers a request may sign. Real clients sign a dozen; without a bound one small request could make us copy its
/// largest header thousands of times.
const SIGNED_HEADERS_MAX: usize = 64;

/// The head of a request as the client sent it: nothing decoded, nothing stripped by a router.
#[derive(Debug, Clone, Copy)]
pub struct RequestHead<'a> {
    /// The method, in upper case.
    pub method: &'a str,
    /// The path as sent, still escaped.
    pub path: &'a str,
    /// The query as sent, still escaped, without `?`; empty when there is none.
    pub query: &'a str,
    /// The `:authority` of HTTP/2, which stands in for `Host` where that header is absent.
    pub authority: Option<&'a str>,
    /// All headers.
    pub headers: &'a HeaderMap,
}

impl<'a> RequestHead<'a> {
    /// Takes the head apart. `uri` has to be the original one: a nested router shortens the path of the one it hands on.
    pub fn new(method: &'a Method, uri: &'a Uri, headers: &'a HeaderMap) -> Self {
        Self {
            method: method.as_str(),
            path: uri.path(),
            query: uri.query().unwrap_or_default(),
            authority: uri.authority().map(|authority| authority.as_str()),
            headers,
        }
    }

    /// The value of a header sent exactly once, as text.
    pub fn single(&self, name: &str) -> Option<&'a str> {
        let mut values = self.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => std::str::from_utf8(value.as_bytes()).ok().map(str::trim_ascii),
            _ => None,
        }
    }
}

/// The names after `SignedHeaders=`: lower-case header names joined with `;`, none of them twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedHeaders<'a>(&'a str);

impl<'a> SignedHeaders<'a> {
    /// Checks the list.
    ///
    /// # Errors
    ///
    /// [`SignatureError::Malformed`] for an empty list, more than 64 names, a name that no header can have or that is not in
    /// lower case, or a repeated name.
    pub fn parse(names: &'a str) -> Result<Self, SignatureError> {
        for (at, name) in names.split(';').enumerate() {
            if at >= SIGNED_HEADERS_MAX {
                return Err(SignatureError::Malformed("SignedHeaders names too many headers"));
            }
            if !is_header_name(name) {
                return Err(SignatureError::Malformed(
                    "SignedHeaders has to be lower-case header names joined with `;`",
                ));
            }
            if names.split(';').take(at).any(|earlier| earlier == name) {
                return Err(SignatureError::Malformed("SignedHeaders names a header twice"));
            }
        }
        Ok(Self(names))
    }

    /// The list as sent.
    pub fn as_str(&self) -> &'a str {
        self.0
    }

    /// Whether `name`, in lower case, is in the list.
    pub fn contains(&self, name: &str) -> bool {
        self.0.split(';').any(|signed| signed == name)
    }

    /// Appends `name:value\n` for each header, in the list's order. A header sent several times counts as its values joined
    /// with `,`, which is what it means by RFC 9110 §5.3.
    ///
    /// # Errors
    ///
    /// [`SignatureError::MissingHeader`] for a header that was not sent.
    pub fn push_canonical(&self, out: &mut Vec<u8>, request: &RequestHead<'_>) -> Result<(), SignatureError> {
        for name in self.0.split(';') {
            out.extend_from_slice(name.as_bytes());
            out.push(b':');
            if !push_header_values(out, request.headers, name) {
                match request.authority {
                    Some(authority) if name == "host" => out.extend_from_slice(authority.as_bytes()),
                    _ => return Err(SignatureError::MissingHeader(name.to_owned())),
                }
            }
            out.push(b'\n');
        }
        Ok(())
    }
}

/// Whether a text is a header's name (a token of RFC 9110 §5.6.2) in lower case.
fn is_header_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(fits)
}

/// Appends the trimmed values of a header, joined with `,`. Answers whether the header was sent.
pub fn push_header_values(out: &mut Vec<u8>, headers: &HeaderMap, name: &str) -> bool {
    let mut sent = false;
    for value in headers.get_all(name) {
        if sent {
            out.push(b',');
        }
        sent = true;
        out.extend_from_slice(value.as_bytes().trim_ascii());
    }
    sent
}

/// Appends the canonical query: unescaped, sorted by name and then value, escaped again, joined with `&`. A name without a
/// value gets its `=`.
pub fn push_canonical_query(out: &mut String, raw: &str) {
    type Unescaped<'a> = Cow<'a, [u8]>;
    let mut pairs: Vec<(Unescaped<'_>, Unescaped<'_>)> = split_pairs(raw.as_bytes())
        .map(|(name, value)| (decode_form(name), decode_form(value.unwrap_or_default())))
        .collect();
    pairs.sort_unstable();
    for (at, (name, value)) in pairs.iter().enumerate() {
        if at > 0 {
            out.push('&');
        }
        push_encoded(out, name);
        out.push('=');
        push_encoded(out, value);
    }
}

/// The one `Authorization` header of a request.
///
/// # Errors
///
/// [`SignatureError::Missing`] without one, [`SignatureError::Malformed`] for two or for one that is not text.
pub fn authorization(headers: &HeaderMap) -> Result<&str, SignatureError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(SignatureError::Missing)?;
    if values.next().is_some() {
        return Err(SignatureError::Malformed("Authorization was sent twice"));
    }
    value.to_str().map_err(|_| SignatureError::Malformed("Authorization is not plain text"))
}

/// The two halves of an `Authorization`: the algorithm, and the list of the signature's parts.
pub fn algorithm_and_parts(authorization: &str) -> (&str, &str) {
    authorization.trim_ascii().split_once(' ').unwrap_or((authorization, ""))
}

/// The part of a comma-separated `Name=value` list that belongs to `name`, which has to be there exactly once.
///
/// Parts with other names are passed over: signers differ in the order of the parts, and a part that is not used changes
/// nothing.
///
/// # Errors
///
/// [`SignatureError::Malformed`] with the name, for a part that is missing, repeated or empty.
pub fn part<'a>(list: &'a str, name: &'static str) -> Result<&'a str, SignatureError> {
    let mut values = list.split(',').filter_map(|part| part.trim_ascii().strip_prefix(name)?.strip_prefix('='));
    match (values.next(), values.next()) {
        (Some(value), None) if !value.is_empty() => Ok(value),
        _ => Err(SignatureError::Malformed(name)),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn query(raw: &str) -> String {
        let mut out = String::new();
        push_canonical_query(&mut out, raw);
        out
    }

    #[test]
    fn a_query_is_sorted_by_name_then_value() {
        assert_eq!(query("list=b&flag=true&list=a"), "flag=true&list=a&list=b");
        assert_eq!(query(""), "");
        assert_eq!(query("&b&a=+&"), "a=%20&b=");
        assert_eq!(query("n=a%20b%2f%2B%2A~%c3%a9"), "n=a%20b%2F%2B%2A~%C3%A9");
    }

    #[test]
    fn signed_headers_are_checked() {
        assert!(SignedHeaders::parse("host;x-sdk-date").is_ok());
        for wrong in ["", ";", "host;", "Host", "host;host", "ho st", "host,date"] {
            assert!(SignedHeaders::parse(wrong).is_err(), "{wrong}");
        }
        let names = |count: usize| (0..count).map(|at| format!("h{at}")).collect::<Vec<_>>().join(";");
        assert!(SignedHeaders::parse(&names(64)).is_ok());
        assert!(SignedHeaders::parse(&names(65)).is_err());
    }

    #[test]
    fn headers_are_trimmed_and_joined_and_host_may_be_the_authority() {
        let mut headers = HeaderMap::new();
        headers.append("a", HeaderValue::from_static(" 1 "));
        headers.append("a", HeaderValue::from_static("2"));
        let request = RequestHead { method: "GET", path: "/", query: "", authority: Some("h:1"), headers: &headers };
        let mut out = Vec::new();
        SignedHeaders::parse("a;host").unwrap().push_canonical(&mut out, &request).unwrap();
        assert_eq!(out, b"a:1,2\nhost:h:1\n");
        let missing = SignedHeaders::parse("b").unwrap().push_canonical(&mut out, &request);
        assert_eq!(missing, Err(SignatureError::MissingHeader("b".to_owned())));
        assert_eq!(request.single("a"), None, "sent twice");
    }

    #[test]
    fn parts_are_found_in_any_order_and_only_once() {
        assert_eq!(part("A=1, B=2/3,C=a=b", "B"), Ok("2/3"));
        assert_eq!(part("A=1, B=2/3,C=a=b", "C"), Ok("a=b"));
        for wrong in ["A=1,A=2", "A=,AB=1", ""] {
            assert_eq!(part(wrong, "A"), Err(SignatureError::Malformed("A")), "{wrong}");
        }
    }
}
