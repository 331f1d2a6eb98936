//! AWS signature version 2, in the exact form in which the S3 service behind the object door verifies it.
//!
//! [`find`] and [`verify`] check it: in the header (`Authorization: AWS AK:signature`) and in the URL (`AWSAccessKeyId`,
//! `Expires`, `Signature`).
//!
//! The S3 service knows no OBS signature. The door verifies that one itself (see `obs`) and hands the request on as the S3
//! request that it means, signed again with the same key: [`resign`].

use http::header::{AUTHORIZATION, DATE, HeaderName, HeaderValue};
use http::{HeaderMap, Uri, request};

use super::canonical::RequestHead;
use super::error::SignatureError;
use super::key_signature::{self, KeySignature, Spelling};
use super::percent::{decode_form, split_pairs};
use super::time::TimeFormat;

/// The query parameters that are part of the resource, sorted; compared with their case. The list is that of s3s 0.14.
const SUB_RESOURCES: [&str; 35] = [
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "defaultObjectAcl",
    "delete",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "partNumber",
    "policy",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "select",
    "select-type",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

/// The parameters of signed URLs: of OBS and of versions 2 and 4 of AWS.
const SIGNATURES: [&[u8]; 10] = [
    b"AccessKeyId",
    b"AWSAccessKeyId",
    b"Expires",
    b"Signature",
    b"X-Amz-Algorithm",
    b"X-Amz-Credential",
    b"X-Amz-Date",
    b"X-Amz-Expires",
    b"X-Amz-SignedHeaders",
    b"X-Amz-Signature",
];

/// Why a request cannot be turned into a signed S3 request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResignError {
    /// The access key id cannot stand in a header.
    #[error("the access key id cannot be written into a header")]
    AccessKeyId,
    /// The URI without its signature does not parse.
    #[error("the address without its signature is not valid")]
    Uri,
}

/// Turns a verified OBS request into the S3 request that it means: `x-obs-` headers become `x-amz-` headers, and `x-amz-`
/// headers that were there before are dropped; then signs it as [`sign_again`] does.
///
/// `virtual_bucket` is the bucket that the host name stands for; `None` when the path begins with the bucket.
///
/// # Errors
///
/// [`ResignError`]; the request is then not fit to be handed on.
pub fn resign(
    parts: &mut request::Parts,
    virtual_bucket: Option<&str>,
    access_key_id: &str,
    secret: &str,
    now_ms: i64,
) -> Result<(), ResignError> {
    rename_headers(&mut parts.headers);
    sign_again(parts, virtual_bucket, access_key_id, secret, now_ms)
}

/// Gives a verified request a signature in the header: the one in the URL leaves, `Date` is added where there is none, and
/// `Authorization` is replaced.
///
/// # Errors
///
/// [`ResignError`]; the request is then not fit to be handed on.
pub fn sign_again(
    parts: &mut request::Parts,
    virtual_bucket: Option<&str>,
    access_key_id: &str,
    secret: &str,
    now_ms: i64,
) -> Result<(), ResignError> {
    parts.uri = without_signature(&parts.uri).ok_or(ResignError::Uri)?;
    if !parts.headers.contains_key(DATE) && !parts.headers.contains_key("x-amz-date") {
        let date = HeaderValue::try_from(TimeFormat::Http.format(now_ms)).unwrap_or(HeaderValue::from_static(""));
        parts.headers.insert(DATE, date);
    }
    let request = RequestHead::new(&parts.method, &parts.uri, &parts.headers);
    let authorization = sign(&request, virtual_bucket, access_key_id, secret);
    let mut authorization = HeaderValue::try_from(authorization).map_err(|_| ResignError::AccessKeyId)?;
    authorization.set_sensitive(true);
    parts.headers.insert(AUTHORIZATION, authorization);
    Ok(())
}

const SPELLING: Spelling = Spelling {
    prefix: "AWS ",
    key_parameter: "AWSAccessKeyId",
    wrong_header: "Authorization has to be AWS AccessKeyId:Signature",
    twice: "AWSAccessKeyId, Expires or Signature was sent twice",
    apart: "AWSAccessKeyId, Expires and Signature have to be sent together",
};

/// Finds the version 2 signature of a request, if it has one.
///
/// # Errors
///
/// As [`KeySignature::find`].
pub fn find<'a>(request: &RequestHead<'a>) -> Result<Option<KeySignature<'a>>, SignatureError> {
    KeySignature::find(request, &SPELLING)
}

/// When a request with a signature in the header was signed, by its `x-amz-date` or else `Date`, in epoch milliseconds.
///
/// Some clients write the zone as `+0000`, and some write `x-amz-date` in the form of version 4.
///
/// # Errors
///
/// [`SignatureError::InvalidTime`] when neither was sent or the one that counts is no such time.
pub fn signed_at_ms(request: &RequestHead<'_>) -> Result<i64, SignatureError> {
    let name = if request.headers.contains_key("x-amz-date") { "x-amz-date" } else { "date" };
    let at_ms = request.single(name).and_then(|date| match date.strip_suffix("+0000") {
        Some(start) => TimeFormat::Http.parse(&format!("{start}GMT")),
        None => TimeFormat::Http.parse(date).or_else(|| TimeFormat::Compact.parse(date)),
    });
    at_ms.ok_or(SignatureError::InvalidTime("Date"))
}

/// Whether the signature is the one that `secret` gives for this request. Neither the time of a header signature nor the end of
/// a URL is checked here.
///
/// # Errors
///
/// [`SignatureError::Mismatch`].
pub fn verify(
    found: &KeySignature<'_>,
    request: &RequestHead<'_>,
    virtual_bucket: Option<&str>,
    secret: &str,
) -> Result<(), SignatureError> {
    found.verify(build_string_to_sign(request, virtual_bucket, found.expires.as_deref()).as_bytes(), secret)
}

/// The value of `Authorization` for a request: `AWS AK:signature`.
pub fn sign(request: &RequestHead<'_>, virtual_bucket: Option<&str>, access_key_id: &str, secret: &str) -> String {
    let signature = key_signature::sign(string_to_sign(request, virtual_bucket).as_bytes(), secret);
    format!("AWS {access_key_id}:{signature}")
}

/// The text whose keyed digest is the signature in the header.
pub fn string_to_sign(request: &RequestHead<'_>, virtual_bucket: Option<&str>) -> String {
    build_string_to_sign(request, virtual_bucket, None)
}

/// In a URL its end takes the place of the date.
///
/// The S3 service passes over headers whose values are not UTF-8, counts a header or parameter that was sent twice as not
/// sent, and writes no `=` after a parameter without a value; so does this.
fn build_string_to_sign(request: &RequestHead<'_>, virtual_bucket: Option<&str>, expires: Option<&str>) -> String {
    let has_own_date = text_values(request.headers, "x-amz-date").count() == 1;
    let mut out = String::with_capacity(256);
    out.push_str(request.method);
    out.push('\n');
    out.push_str(single(request.headers, "content-md5"));
    out.push('\n');
    out.push_str(single(request.headers, "content-type"));
    out.push('\n');
    out.push_str(match expires {
        Some(expires) => expires,
        None if has_own_date => "",
        None => single(request.headers, "date"),
    });
    out.push('\n');

    let mut names: Vec<&str> = request.headers.keys().map(HeaderName::as_str).collect();
    names.retain(|name| name.starts_with("x-amz-"));
    names.sort_unstable();
    for name in names {
        for (at, value) in text_values(request.headers, name).enumerate() {
            out.push_str(if at == 0 { name } else { "," });
            out.push_str(if at == 0 { ":" } else { "" });
            out.push_str(value.trim());
        }
        if text_values(request.headers, name).next().is_some() {
            out.push('\n');
        }
    }

    if let Some(bucket) = virtual_bucket {
        out.push('/');
        out.push_str(bucket);
    }
    out.push_str(request.path);
    let parameters: Vec<_> = form_urlencoded::parse(request.query.as_bytes()).collect();
    let mut separator = '?';
    for name in SUB_RESOURCES {
        let mut values = parameters.iter().filter(|(other, _)| other == name).map(|(_, value)| value);
        if let (Some(value), None) = (values.next(), values.next()) {
            out.push(separator);
            separator = '&';
            out.push_str(name);
            if !value.is_empty() {
                out.push('=');
                out.push_str(value);
            }
        }
    }
    out
}

fn text_values<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).into_iter().filter_map(|value| std::str::from_utf8(value.as_bytes()).ok())
}

fn single<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let mut values = text_values(headers, name);
    match (values.next(), values.next()) {
        (Some(value), None) => value,
        _ => "",
    }
}

fn rename_headers(headers: &mut HeaderMap) {
    let with_prefix = |headers: &HeaderMap, prefix: &str| -> Vec<HeaderName> {
        headers.keys().filter(|name| name.as_str().starts_with(prefix)).cloned().collect()
    };
    // An OBS signature covers no x-amz- header. Kept, one that somebody slipped in would get a signature here.
    for name in with_prefix(headers, "x-amz-") {
        headers.remove(&name);
    }
    for name in with_prefix(headers, "x-obs-") {
        let renamed = HeaderName::try_from(format!("x-amz-{}", &name.as_str()["x-obs-".len()..]));
        let values: Vec<HeaderValue> = headers.get_all(&name).iter().cloned().collect();
        headers.remove(&name);
        if let Ok(renamed) = renamed {
            for value in values {
                headers.append(renamed.clone(), value);
            }
        }
    }
}

/// The URI without the parameters of a signed URL; the others stay as they were sent.
fn without_signature(uri: &Uri) -> Option<Uri> {
    let Some(query) = uri.query() else {
        return Some(uri.clone());
    };
    let mut out = String::with_capacity(uri.path().len() + 1 + query.len());
    out.push_str(uri.path());
    let mut separator = '?';
    let kept = query
        .split('&')
        .filter(|pair| split_pairs(pair.as_bytes()).all(|(name, _)| !SIGNATURES.contains(&decode_form(name).as_ref())));
    for pair in kept {
        out.push(separator);
        separator = '&';
        out.push_str(pair);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(out.parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the signature's documents.
    #[test]
    fn published_signatures() {
        const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let verify = |method: &str, path: &str, query: &str, headers: &[(&'static str, &'static str)]| {
            let pair = |(name, value): &(&'static str, &'static str)| {
                (HeaderName::from_static(name), HeaderValue::from_static(value))
            };
            let headers: HeaderMap = headers.iter().map(pair).collect();
            let request = RequestHead { method, path, query, authority: None, headers: &headers };
            let signature = find(&request).unwrap().unwrap();
            assert_eq!(signature.access_key_id, "AKIAIOSFODNN7EXAMPLE");
            let at_ms = match signature.expires_at_ms().unwrap() {
                Some(at_ms) => at_ms,
                None => signed_at_ms(&request).unwrap(),
            };
            (super::verify(&signature, &request, Some("johnsmith"), SECRET).is_ok(), at_ms / 1000)
        };
        let get = [
            ("date", "Tue, 27 Mar 2007 19:36:42 +0000"),
            ("authorization", "AWS AKIAIOSFODNN7EXAMPLE:bWq2s1WEIj+Ydj0vQ697zp+IXMU="),
        ];
        assert_eq!(verify("GET", "/photos/puppy.jpg", "", &get), (true, 1_175_024_202));
        assert_eq!(verify("GET", "/photos/kitten.jpg", "", &get), (false, 1_175_024_202));
        let put = [
            ("content-type", "image/jpeg"),
            ("date", "Tue, 27 Mar 2007 21:15:45 +0000"),
            ("authorization", "AWS AKIAIOSFODNN7EXAMPLE:MyyxeRY7whkBe+bq8fHCL/2kKUg="),
        ];
        assert_eq!(verify("PUT", "/photos/puppy.jpg", "", &put), (true, 1_175_030_145));
        let link = "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620";
        assert_eq!(verify("GET", "/photos/puppy.jpg", link, &[]), (true, 1_175_139_620));
    }

    #[test]
    fn sub_resources_are_written_in_their_order() {
        assert!(SUB_RESOURCES.is_sorted());
        let request = RequestHead {
            method: "GET",
            path: "/b/k",
            query: "versionId=&partNumber=2&partNumber=3&acl&prefix=p&response-expires=a+b%2B",
            authority: None,
            headers: &HeaderMap::new(),
        };
        assert_eq!(string_to_sign(&request, None), "GET\n\n\n\n/b/k?acl&response-expires=a b+&versionId");
    }
}
