//! What the door itself looks at in an AWS signature of version 4.
//!
//! The S3 service computes the signature; it does not ask whether everything that steers the request was signed. Without
//! that, whoever holds a link to put one object could add `x-amz-copy-source` to it and read another.

use http::{HeaderMap, HeaderValue};

use crate::wire::time::TimeFormat;
use crate::wire::{RequestHead, SignatureError};

use super::limits;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The named parts of a signature in the header or in the URL.
#[derive(Debug, PartialEq, Eq)]
pub struct AwsV4Signature {
    pub access_key_id: String,
    signed_headers: String,
    /// `X-Amz-Date` and `X-Amz-Expires` of a signed URL.
    link: Option<(String, String)>,
}

impl AwsV4Signature {
    /// Finds the signature of a request; `None` when it is unsigned or signed in another way.
    pub fn of(request: &RequestHead<'_>) -> Result<Option<Self>, SignatureError> {
        match Self::of_query(request.query)? {
            Some(signature) => Ok(Some(signature)),
            None => Self::of_headers(request),
        }
    }

    fn of_query(query: &str) -> Result<Option<Self>, SignatureError> {
        let value = |wanted: &str| {
            let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == wanted);
            match (values.next(), values.next()) {
                (Some((_, value)), None) => Some(value.into_owned()),
                _ => None,
            }
        };
        if form_urlencoded::parse(query.as_bytes()).all(|(name, _)| name != "X-Amz-Signature") {
            return Ok(None);
        }
        let wanted = ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-SignedHeaders", "X-Amz-Date", "X-Amz-Expires"];
        let [Some(algorithm), Some(credential), Some(signed_headers), Some(date), Some(expires)] = wanted.map(value)
        else {
            return Err(SignatureError::Malformed(
                "X-Amz-Algorithm, X-Amz-Credential, X-Amz-Date, X-Amz-Expires, X-Amz-SignedHeaders and X-Amz-Signature \
                 have to be sent together, each once",
            ));
        };
        check_algorithm(&algorithm)?;
        let access_key_id = access_key_of(&credential)?;
        Ok(Some(Self { access_key_id, signed_headers, link: Some((date, expires)) }))
    }

    fn of_headers(request: &RequestHead<'_>) -> Result<Option<Self>, SignatureError> {
        let Some(value) = request.single("authorization") else { return Ok(None) };
        let Some((algorithm, fields)) = value.split_once(' ') else { return Ok(None) };
        if !algorithm.starts_with("AWS4-") {
            return Ok(None);
        }
        check_algorithm(algorithm)?;
        let field = |name: &str| fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
        let (Some(credential), Some(signed_headers), Some(_)) =
            (field("Credential"), field("SignedHeaders"), field("Signature"))
        else {
            return Err(SignatureError::Malformed("Authorization has to name Credential, SignedHeaders and Signature"));
        };
        let access_key_id = access_key_of(credential)?;
        Ok(Some(Self { access_key_id, signed_headers: signed_headers.to_owned(), link: None }))
    }

    /// When the request was signed, in epoch milliseconds, and for a signed URL how long it is good from then on.
    pub fn signed_at_ms(&self, request: &RequestHead<'_>) -> Result<(i64, Option<i64>), SignatureError> {
        match &self.link {
            Some((date, expires)) => {
                let signed_at_ms = TimeFormat::Compact.parse(date).ok_or(SignatureError::InvalidTime("X-Amz-Date"))?;
                let in_bounds = limits::problem("presigned.expires", expires).is_none();
                let seconds: i64 = expires.parse().ok().filter(|_| in_bounds).ok_or(SignatureError::Malformed(
                    "X-Amz-Expires has to be a whole number of seconds, at most a week",
                ))?;
                Ok((signed_at_ms, Some(seconds * 1000)))
            }
            None => {
                let at_ms = match request.single("x-amz-date") {
                    Some(date) => TimeFormat::Compact.parse(date),
                    None => request.single("date").and_then(|date| TimeFormat::Http.parse(date)),
                };
                Ok((at_ms.ok_or(SignatureError::InvalidTime("X-Amz-Date"))?, None))
            }
        }
    }

    /// Whether all that has to be signed is: the host and every `x-amz-` header that was sent. Signed headers that were not
    /// sent would count as if they had not been named.
    pub fn check_headers(&self, request: &RequestHead<'_>) -> Result<(), SignatureError> {
        let is_signed = |name: &str| self.signed_headers.split(';').any(|signed| signed == name);
        if !is_signed("host") {
            return Err(SignatureError::UnsignedHeader("host"));
        }
        for name in request.headers.keys() {
            let name = name.as_str();
            // A link is signed before its body is known; the digest is checked against the body either way.
            let is_free = self.link.is_some() && name == "x-amz-content-sha256";
            if name.starts_with("x-amz-") && !is_free && !is_signed(name) {
                return Err(SignatureError::UnsignedHeader("x-amz-*"));
            }
        }
        let is_sent =
            |name: &str| request.headers.contains_key(name) || (name == "host" && request.authority.is_some());
        match self.signed_headers.split(';').find(|name| !is_sent(name)) {
            Some(missing) => Err(SignatureError::MissingHeader(missing.to_owned())),
            None => Ok(()),
        }
    }
}

/// Some clients sign `Date` in the place of `x-amz-date`, which is where the S3 service looks.
pub fn name_the_date(headers: &mut HeaderMap, signed_at_ms: i64) {
    if !headers.contains_key("x-amz-date")
        && let Ok(date) = HeaderValue::try_from(TimeFormat::Compact.format(signed_at_ms))
    {
        headers.insert("x-amz-date", date);
    }
}

fn check_algorithm(algorithm: &str) -> Result<(), SignatureError> {
    match algorithm {
        ALGORITHM => Ok(()),
        other => Err(SignatureError::UnsupportedAlgorithm(other.to_owned())),
    }
}

/// `AK/20260102/region/s3/aws4_request`: any region, because this server is the only one there is.
fn access_key_of(credential: &str) -> Result<String, SignatureError> {
    let mut scope = credential.rsplitn(5, '/');
    match (scope.next(), scope.next(), scope.next(), scope.next(), scope.next()) {
        (Some("aws4_request"), Some("s3"), Some(_), Some(_), Some(key)) if !key.is_empty() => Ok(key.to_owned()),
        _ => Err(SignatureError::Malformed("Credential has to be AccessKeyId/Date/Region/s3/aws4_request")),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn request<'a>(headers: &'a HeaderMap, query: &'a str) -> RequestHead<'a> {
        RequestHead { method: "PUT", path: "/b/k", query, authority: None, headers }
    }

    const HEADER: &str =
        "AWS4-HMAC-SHA256 Credential=AK/20260102/r/s3/aws4_request,SignedHeaders=host;x-amz-date, Signature=0";

    #[test]
    fn what_steers_the_request_has_to_be_signed() {
        let check = |extra: &[(&'static str, &str)]| {
            let mut all = vec![("authorization", HEADER), ("host", "h"), ("x-amz-date", "20260102T030405Z")];
            all.extend(extra);
            let headers = headers(&all);
            let request = request(&headers, "");
            AwsV4Signature::of(&request).unwrap().unwrap().check_headers(&request)
        };
        assert_eq!(check(&[("content-type", "a/b")]), Ok(()));
        assert_eq!(check(&[("x-amz-copy-source", "/b/other")]), Err(SignatureError::UnsignedHeader("x-amz-*")));
        let without_date = headers(&[("authorization", HEADER), ("host", "h")]);
        let request = request(&without_date, "");
        let signature = AwsV4Signature::of(&request).unwrap().unwrap();
        assert_eq!(signature.check_headers(&request), Err(SignatureError::MissingHeader("x-amz-date".to_owned())));
    }

    #[test]
    fn either_date_counts() {
        let times = |pairs: &[(&'static str, &str)]| {
            let mut all = vec![("authorization", HEADER)];
            all.extend(pairs);
            let headers = headers(&all);
            let request = request(&headers, "");
            AwsV4Signature::of(&request).unwrap().unwrap().signed_at_ms(&request)
        };
        assert_eq!(times(&[("x-amz-date", "20260102T030405Z")]), Ok((1_767_323_045_000, None)));
        assert_eq!(times(&[("date", "Fri, 02 Jan 2026 03:04:05 GMT")]), Ok((1_767_323_045_000, None)));
        assert_eq!(times(&[]), Err(SignatureError::InvalidTime("X-Amz-Date")));
    }

    #[test]
    fn incomplete_signatures_say_what_is_missing() {
        let of = |authorization: &str, query: &str| {
            let headers = headers(&[("authorization", authorization)]);
            AwsV4Signature::of(&request(&headers, query)).map(|found| found.is_some())
        };
        assert_eq!(of(HEADER, ""), Ok(true));
        assert_eq!(of("AWS AK:signature", ""), Ok(false));
        assert!(matches!(of("AWS4-HMAC-SHA512 Credential=x", ""), Err(SignatureError::UnsupportedAlgorithm(_))));
        for wrong in [
            "AWS4-HMAC-SHA256 Credential=AK/20260102/r/s3/aws4_request,SignedHeaders=host",
            "AWS4-HMAC-SHA256 Credential=AK/20260102/r/sts/aws4_request,SignedHeaders=host,Signature=0",
            "AWS4-HMAC-SHA256 Credential=/20260102/r/s3/aws4_request,SignedHeaders=host,Signature=0",
        ] {
            assert!(matches!(of(wrong, ""), Err(SignatureError::Malformed(_))), "{wrong}");
        }
        assert!(matches!(of("Basic x", "X-Amz-Signature=0&X-Amz-Date=1"), Err(SignatureError::Malformed(_))));
    }
}
