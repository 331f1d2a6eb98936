//! AWS signature version 2 in the header, in the exact form in which the S3 service behind the object door verifies it.
//!
//! The S3 service knows no OBS signature. The door verifies that one itself (see `obs`) and hands the request on as the S3
//! request that it means, signed again with the same key: [`resign`].

use http::header::{AUTHORIZATION, DATE, HeaderName, HeaderValue};
use http::{HeaderMap, Uri, request};

use super::canonical::RequestHead;
use super::digest::{base64, hmac_sha1};
use super::percent::split_pairs;
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

/// Turns a verified OBS request into the S3 request that it means and signs it: `x-obs-` headers become `x-amz-` headers,
/// `x-amz-` headers that were there before are dropped, the signature leaves the URL, `Date` is added where there is none,
/// and `Authorization` is replaced.
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

/// The value of `Authorization` for a request: `AWS AK:signature`.
pub fn sign(request: &RequestHead<'_>, virtual_bucket: Option<&str>, access_key_id: &str, secret: &str) -> String {
    let string_to_sign = string_to_sign(request, virtual_bucket);
    let signature = base64(&hmac_sha1(secret.as_bytes(), string_to_sign.as_bytes()));
    format!("AWS {access_key_id}:{signature}")
}

/// The text whose keyed digest is the signature.
///
/// The S3 service passes over headers whose values are not UTF-8, counts a header or parameter that was sent twice as not
/// sent, and writes no `=` after a parameter without a value; so does this.
pub fn string_to_sign(request: &RequestHead<'_>, virtual_bucket: Option<&str>) -> String {
    let has_own_date = text_values(request.headers, "x-amz-date").count() == 1;
    let mut out = String::with_capacity(256);
    out.push_str(request.method);
    out.push('\n');
    out.push_str(single(request.headers, "content-md5"));
    out.push('\n');
    out.push_str(single(request.headers, "content-type"));
    out.push('\n');
    out.push_str(if has_own_date { "" } else { single(request.headers, "date") });
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
    let kept = query.split('&').filter(|pair| {
        split_pairs(pair.as_bytes()).all(|(name, _)| !matches!(name, b"AccessKeyId" | b"Expires" | b"Signature"))
    });
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
