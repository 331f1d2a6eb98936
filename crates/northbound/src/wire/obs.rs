//! OBS signatures in the header (`Authorization: OBS AK:signature`) and in the URL (`AccessKeyId`, `Expires`, `Signature`).
//!
//! The rule is that of the OBS SDKs (esdk-obs-python 3.26.6, `Authentication`): method, Content-MD5, Content-Type and date,
//! the `x-obs-` headers, then the resource. Path-style clients sign `AWS AK:signature` instead, which the S3 service
//! verifies itself; this form comes from clients that address a bucket by host name.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::canonical::{RequestHead, push_header_values};
use super::digest::{base64, hmac_sha1, same};
use super::error::SignatureError;
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

/// The signature of a request, from its header or its URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObsSignature<'a> {
    /// The access key id, by which the door finds the secret.
    pub access_key_id: Cow<'a, str>,
    /// The signature in Base64.
    pub signature: Cow<'a, str>,
    /// `Expires` in epoch seconds, as sent; only in a URL.
    pub expires: Option<Cow<'a, str>>,
}

impl<'a> ObsSignature<'a> {
    /// Finds the OBS signature of a request: that of the URL, if it has one, else that of the header. `None` when the request
    /// is unsigned or signed in another way, so that the door can try the next scheme.
    ///
    /// # Errors
    ///
    /// [`SignatureError::Malformed`] for a signature that is one of these and is incomplete.
    pub fn of(request: &RequestHead<'a>) -> Result<Option<Self>, SignatureError> {
        match Self::of_query(request.query)? {
            Some(signature) => Ok(Some(signature)),
            None => Self::of_headers(request.headers),
        }
    }

    fn of_headers(headers: &'a HeaderMap) -> Result<Option<Self>, SignatureError> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(rest) = values.next().and_then(|value| value.to_str().ok()?.strip_prefix("OBS ")) else {
            return Ok(None);
        };
        match (rest.trim_ascii().split_once(':'), values.next()) {
            (Some((access_key_id, signature)), None) if !access_key_id.is_empty() && !signature.is_empty() => {
                Ok(Some(Self { access_key_id: access_key_id.into(), signature: signature.into(), expires: None }))
            }
            _ => Err(SignatureError::Malformed("Authorization has to be OBS AccessKeyId:Signature")),
        }
    }

    fn of_query(query: &'a str) -> Result<Option<Self>, SignatureError> {
        let (mut access_key_id, mut signature, mut expires) = (None, None, None);
        for (name, value) in split_pairs(query.as_bytes()) {
            let slot = match name {
                b"AccessKeyId" => &mut access_key_id,
                b"Signature" => &mut signature,
                b"Expires" => &mut expires,
                _ => continue,
            };
            let value = to_text(decode_form(value.unwrap_or_default()));
            if slot.replace(value).is_some() {
                return Err(SignatureError::Malformed("AccessKeyId, Expires or Signature was sent twice"));
            }
        }
        match (access_key_id, signature, expires) {
            (None, _, _) => Ok(None),
            (Some(access_key_id), Some(signature), Some(expires)) => {
                Ok(Some(Self { access_key_id, signature, expires: Some(expires) }))
            }
            _ => Err(SignatureError::Malformed("AccessKeyId, Expires and Signature have to be sent together")),
        }
    }

    /// The same, borrowing nothing of the request.
    pub fn into_owned(self) -> ObsSignature<'static> {
        ObsSignature {
            access_key_id: self.access_key_id.into_owned().into(),
            signature: self.signature.into_owned().into(),
            expires: self.expires.map(|expires| expires.into_owned().into()),
        }
    }

    /// When a signed URL stops being valid, in epoch milliseconds; `None` for a signature in the header.
    ///
    /// # Errors
    ///
    /// [`SignatureError::InvalidTime`] when `Expires` is not a whole number of seconds.
    pub fn expires_at_ms(&self) -> Result<Option<i64>, SignatureError> {
        let Some(expires) = self.expires.as_deref() else {
            return Ok(None);
        };
        let only_digits = !expires.is_empty() && expires.bytes().all(|byte| byte.is_ascii_digit());
        let at_ms = expires.parse().ok().and_then(|seconds: i64| seconds.checked_mul(1000)).filter(|_| only_digits);
        at_ms.map(Some).ok_or(SignatureError::InvalidTime("Expires"))
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
        &self,
        request: &RequestHead<'_>,
        virtual_bucket: Option<&str>,
        secret: &str,
    ) -> Result<(), SignatureError> {
        let string_to_sign = self.string_to_sign(request, virtual_bucket);
        let ours = base64(&hmac_sha1(secret.as_bytes(), &string_to_sign));
        match same(ours.as_bytes(), self.signature.as_bytes()) {
            true => Ok(()),
            false => {
                Err(SignatureError::Mismatch { string_to_sign: String::from_utf8_lossy(&string_to_sign).into_owned() })
            }
        }
    }

    /// The text whose keyed digest is the signature. Header values may be any bytes, so it is bytes.
    pub fn string_to_sign(&self, request: &RequestHead<'_>, virtual_bucket: Option<&str>) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(request.method.as_bytes());
        out.push(b'\n');
        push_header_values(&mut out, request.headers, "content-md5");
        out.push(b'\n');
        push_header_values(&mut out, request.headers, "content-type");
        out.push(b'\n');
        match self.expires.as_deref() {
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

fn to_text(bytes: Cow<'_, [u8]>) -> Cow<'_, str> {
    match bytes {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => String::from_utf8_lossy(&bytes).into_owned().into(),
    }
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
