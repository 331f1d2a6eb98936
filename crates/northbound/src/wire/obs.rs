//! OBS signatures in the header (`Authorization: OBS AK:signature`) and in the URL (`AccessKeyId`, `Expires`, `Signature`).
//!
//! The rule is that of the OBS SDKs (esdk-obs-python 3.26.6, `Authentication`): method, Content-MD5, Content-Type and date,
//! the `x-obs-` headers, then the resource. Path-style clients sign `AWS AK:signature` instead, which the S3 service
//! verifies itself; this form comes from clients that address a bucket by host name.

use std::borrow::Cow;

use super::canonical::{RequestHead, push_header_values};
use super::error::SignatureError;
use super::key_signature::{KeySignature, Spelling};
use super::percent::{decode_form, split_pairs};
use super::time::TimeFormat;

const HEADER_PREFIX: &str = "x-obs-";

/// The query parameters that are part of the resource, sorted; names are compared in lower case. Parameters that begin with
/// `x-obs-` belong to it as well.
const SUB_RESOURCES: [&str; 66] = [
    "acl",
    "append",
    "backtosource",
    "bucketstatus",
    "cors",
    "delete",
    "deletebucket",
    "directcoldaccess",
    "dispolicy",
    "encryption",
    "fileinterface",
    "inventory",
    "length",
    "lifecycle",
    "location",
    "logging",
    "metadata",
    "modify",
    "name",
    "notification",
    "object-lock",
    "obsalias",
    "obsbucketalias",
    "obscompresspolicy",
    "obsworkflowtriggerpolicy",
    "partnumber",
    "policy",
    "policystatus",
    "position",
    "publicaccessblock",
    "quota",
    "rename",
    "replication",
    "requestpayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "retention",
    "storageclass",
    "storageinfo",
    "storagepolicy",
    "tagging",
    "torrent",
    "truncate",
    "uploadid",
    "uploads",
    "versionid",
    "versioning",
    "versions",
    "website",
    "x-image-process",
    "x-image-save-bucket",
    "x-image-save-object",
    "x-oss-process",
    "x-workflow-execution-state",
    "x-workflow-execution-type",
    "x-workflow-graph-name",
    "x-workflow-limit",
    "x-workflow-next-marker",
    "x-workflow-prefix",
    "x-workflow-start",
    "x-workflow-template-name",
];

const SPELLING: Spelling = Spelling {
    prefix: "OBS ",
    key_parameter: "AccessKeyId",
    wrong_header: "Authorization has to be OBS AccessKeyId:Signature",
    twice: "AccessKeyId, Expires or Signature was sent twice",
    apart: "AccessKeyId, Expires and Signature have to be sent together",
};

/// Finds the OBS signature of a request, if it has one.
///
/// # Errors
///
/// As [`KeySignature::find`].
pub fn find<'a>(request: &RequestHead<'a>) -> Result<Option<KeySignature<'a>>, SignatureError> {
    KeySignature::find(request, &SPELLING)
}

/// When a request with a signature in the header was signed, by its `x-obs-date` or else `Date`, in epoch milliseconds.
///
/// # Errors
///
/// [`SignatureError::InvalidTime`] when neither was sent or the one that counts is no HTTP date.
pub fn signed_at_ms(request: &RequestHead<'_>) -> Result<i64, SignatureError> {
    let name = if request.headers.contains_key("x-obs-date") { "x-obs-date" } else { "date" };
    let at_ms = request.single(name).and_then(|date| TimeFormat::Http.parse(date));
    at_ms.ok_or(SignatureError::InvalidTime("Date"))
}

/// Whether the signature is the one that `secret` gives for this request.
///
/// `virtual_bucket` is the bucket that the host name stands for; `None` when the path begins with the bucket. Neither the
/// time of a header signature nor the end of a URL is checked here.
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
    found.verify(&string_to_sign(request, virtual_bucket, found.expires.as_deref()), secret)
}

/// The text whose keyed digest is the signature; in a URL its end takes the place of the date. Header values may be any bytes,
/// so it is bytes.
pub fn string_to_sign(request: &RequestHead<'_>, virtual_bucket: Option<&str>, expires: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(request.method.as_bytes());
    out.push(b'\n');
    push_header_values(&mut out, request.headers, "content-md5");
    out.push(b'\n');
    push_header_values(&mut out, request.headers, "content-type");
    out.push(b'\n');
    match expires {
        Some(expires) => out.extend_from_slice(expires.as_bytes()),
        // An x-obs-date among the headers below takes the place of Date.
        None if request.headers.contains_key("x-obs-date") => {}
        None => {
            push_header_values(&mut out, request.headers, "date");
        }
    }
    out.push(b'\n');

    let mut names: Vec<&str> = request.headers.keys().map(|name| name.as_str()).collect();
    names.retain(|name| name.starts_with(HEADER_PREFIX));
    names.sort_unstable();
    for name in names {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        push_header_values(&mut out, request.headers, name);
        out.push(b'\n');
    }
    push_resource(&mut out, request, virtual_bucket);
    out
}

/// The bucket, the path as sent, and the sub-resources: sorted by name, unescaped, with `=` only where the client sent one.
fn push_resource(out: &mut Vec<u8>, request: &RequestHead<'_>, virtual_bucket: Option<&str>) {
    if let Some(bucket) = virtual_bucket {
        out.push(b'/');
        out.extend_from_slice(bucket.as_bytes());
    }
    out.extend_from_slice(request.path.as_bytes());

    type Unescaped<'a> = Cow<'a, [u8]>;
    let mut parameters: Vec<(Unescaped<'_>, Option<Unescaped<'_>>)> = split_pairs(request.query.as_bytes())
        .map(|(name, value)| (decode_form(name), value.map(decode_form)))
        .filter(|(name, _)| is_sub_resource(name))
        .collect();
    parameters.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (at, (name, value)) in parameters.iter().enumerate() {
        out.push(if at == 0 { b'?' } else { b'&' });
        out.extend_from_slice(name);
        if let Some(value) = value {
            out.push(b'=');
            out.extend_from_slice(value);
        }
    }
}

fn is_sub_resource(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with(HEADER_PREFIX.as_bytes())
        || SUB_RESOURCES.binary_search_by(|other| other.as_bytes().cmp(&name)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sub_resources_are_sorted_for_the_search() {
        assert!(SUB_RESOURCES.is_sorted());
        for name in ["partNumber", "uploadId", "ACL", "x-obs-security-token", "response-content-type"] {
            assert!(is_sub_resource(name.as_bytes()), "{name}");
        }
        for name in ["prefix", "max-keys", "marker", "AccessKeyId", "Expires", "Signature", ""] {
            assert!(!is_sub_resource(name.as_bytes()), "{name}");
        }
    }
}
