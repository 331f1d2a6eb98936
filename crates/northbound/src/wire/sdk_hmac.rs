//! `SDK-HMAC-SHA256` and its derived form `V11-HMAC-SHA256` (IoTDA contract §8.2, §8.3, §16).
//!
//! The client chooses which headers it signs. Only `X-Sdk-Date` has to be among them: the Go SDK signs no `Host`, and its
//! look-up of projects signs nothing else.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::canonical::{RequestHead, SignedHeaders, algorithm_and_parts, authorization, part, push_canonical_query};
use super::digest::{BodyDigest, hex_of_32, hmac_sha256, same, sha256};
use super::error::SignatureError;
use super::percent::{decode_path, push_encoded_path};
use super::time::TimeFormat;

const PLAIN: &str = "SDK-HMAC-SHA256";
const DERIVED: &str = "V11-HMAC-SHA256";
const DATE_HEADER: &str = "x-sdk-date";
const BODY_DIGEST_HEADER: &str = "x-sdk-content-sha256";
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// Where the signing key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme<'a> {
    /// The key is the secret key itself.
    Plain,
    /// The key is derived from both keys for one day, region and service. The client chooses the region.
    Derived {
        /// `yyyyMMdd`, the day of `X-Sdk-Date`.
        date: &'a str,
        /// Any text of the client's choice.
        region: &'a str,
        /// The service's short name, `iotdm` for IoTDA.
        service: &'a str,
    },
}

/// The `Authorization` header, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// Which algorithm, and its scope.
    pub scheme: Scheme<'a>,
    /// The access key id, by which the door finds the secret.
    pub access_key_id: &'a str,
    /// The headers that the signature covers.
    pub signed_headers: SignedHeaders<'a>,
    /// The signature in lower-case hex, as sent.
    pub signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// Finds and parses the `Authorization` header of a request.
    ///
    /// # Errors
    ///
    /// [`SignatureError::Missing`] without the header, else as [`Self::parse`].
    pub fn of(headers: &'a HeaderMap) -> Result<Self, SignatureError> {
        Self::parse(authorization(headers)?)
    }

    /// Parses the value of an `Authorization` header.
    ///
    /// # Errors
    ///
    /// [`SignatureError::UnsupportedAlgorithm`] for any other scheme, [`SignatureError::Malformed`] for parts that are
    /// missing, repeated or empty.
    pub fn parse(value: &'a str) -> Result<Self, SignatureError> {
        let (algorithm, parts) = algorithm_and_parts(value);
        let (access_key_id, scheme) = match algorithm {
            PLAIN => (part(parts, "Access")?, Scheme::Plain),
            DERIVED => {
                let scope = parse_credential(part(parts, "Credential")?);
                scope.ok_or(SignatureError::Malformed("Credential has to be AK/yyyyMMdd/region/service"))?
            }
            other => return Err(SignatureError::UnsupportedAlgorithm(other.to_owned())),
        };
        let signed_headers = SignedHeaders::parse(part(parts, "SignedHeaders")?)?;
        Ok(Self { scheme, access_key_id, signed_headers, signature: part(parts, "Signature")? })
    }

    /// When the request was signed, by its `X-Sdk-Date`, in epoch milliseconds. The door compares it with its clock.
    ///
    /// # Errors
    ///
    /// [`SignatureError::UnsignedHeader`] or [`SignatureError::InvalidTime`].
    pub fn signed_at_ms(&self, request: &RequestHead<'_>) -> Result<i64, SignatureError> {
        let date = self.date(request)?;
        TimeFormat::Compact.parse(date).ok_or(SignatureError::InvalidTime("X-Sdk-Date"))
    }

    /// Whether the signature is the one that `secret` gives for this request and body.
    ///
    /// The time window is not checked here, see [`Self::signed_at_ms`].
    ///
    /// # Errors
    ///
    /// [`SignatureError::Mismatch`] when it is not; the other variants when it cannot be.
    pub fn verify(&self, request: &RequestHead<'_>, body: &BodyDigest, secret: &str) -> Result<(), SignatureError> {
        let string_to_sign = self.string_to_sign(request, body)?;
        let message = string_to_sign.as_bytes();
        let ours = match self.scheme {
            Scheme::Plain => hmac_sha256(secret.as_bytes(), message),
            Scheme::Derived { date, region, service } => {
                let key = derive_key(self.access_key_id, secret, date, region, service);
                hmac_sha256(&key, message)
            }
        };
        match same(&hex_of_32(&ours), self.signature.as_bytes()) {
            true => Ok(()),
            false => Err(SignatureError::Mismatch { string_to_sign }),
        }
    }

    /// The text whose keyed digest is the signature.
    ///
    /// # Errors
    ///
    /// As [`Self::verify`], apart from the mismatch.
    pub fn string_to_sign(&self, request: &RequestHead<'_>, body: &BodyDigest) -> Result<String, SignatureError> {
        let sent_date = self.date(request)?;
        let canonical_digest = hex_of_32(&sha256(&self.canonical_request(request, body)?));
        let canonical_digest = String::from_utf8_lossy(&canonical_digest);
        match self.scheme {
            Scheme::Plain => Ok(format!("{PLAIN}\n{sent_date}\n{canonical_digest}")),
            Scheme::Derived { date, region, service } => {
                if !sent_date.starts_with(date) {
                    return Err(SignatureError::ScopeDate);
                }
                Ok(format!("{DERIVED}\n{sent_date}\n{date}/{region}/{service}\n{canonical_digest}"))
            }
        }
    }

    /// The six items that the signature covers: method, path, query, headers, their names, body digest.
    ///
    /// # Errors
    ///
    /// As [`Self::verify`], apart from the mismatch.
    pub fn canonical_request(&self, request: &RequestHead<'_>, body: &BodyDigest) -> Result<Vec<u8>, SignatureError> {
        let mut out = String::with_capacity(512);
        out.push_str(request.method);
        out.push('\n');
        // The scheme decodes before it splits at `/`, so an escaped slash counts as a slash, and it ends every path in one.
        push_encoded_path(&mut out, &decode_path(request.path.as_bytes()));
        if !out.ends_with('/') {
            out.push('/');
        }
        out.push('\n');
        push_canonical_query(&mut out, request.query);
        out.push('\n');

        // Header values may be any bytes, so from here on the text is bytes.
        let mut out = out.into_bytes();
        self.signed_headers.push_canonical(&mut out, request)?;
        out.push(b'\n');
        out.extend_from_slice(self.signed_headers.as_str().as_bytes());
        out.push(b'\n');
        push_body_item(&mut out, request, body)?;
        Ok(out)
    }

    fn date<'r>(&self, request: &RequestHead<'r>) -> Result<&'r str, SignatureError> {
        if !self.signed_headers.contains(DATE_HEADER) {
            return Err(SignatureError::UnsignedHeader("X-Sdk-Date"));
        }
        request.single(DATE_HEADER).ok_or(SignatureError::InvalidTime("X-Sdk-Date"))
    }
}

/// The last item: the digest of the body, or what the client declared in its place.
///
/// A declaration counts only beside a body. `UNSIGNED-PAYLOAD` is for multipart alone, so that nobody can be talked into
/// accepting a JSON body that no signature covers; a declared digest has to be the body's, or it would cover nothing.
fn push_body_item(out: &mut Vec<u8>, request: &RequestHead<'_>, body: &BodyDigest) -> Result<(), SignatureError> {
    let ours = body.sha256_hex();
    if body.is_empty() || !request.headers.contains_key(BODY_DIGEST_HEADER) {
        out.extend_from_slice(&ours);
        return Ok(());
    }
    let error = SignatureError::BodyDigest("X-Sdk-Content-Sha256");
    let declared = request.single(BODY_DIGEST_HEADER).ok_or(error.clone())?;
    if declared == UNSIGNED_PAYLOAD {
        if !is_multipart(request.headers) {
            return Err(SignatureError::UnsignedPayload);
        }
    } else if !declared.as_bytes().eq_ignore_ascii_case(&ours) {
        return Err(error);
    }
    out.extend_from_slice(declared.as_bytes());
    Ok(())
}

fn is_multipart(headers: &HeaderMap) -> bool {
    const PREFIX: &[u8] = b"multipart/";
    let content_type = headers.get(CONTENT_TYPE).map(|value| value.as_bytes().trim_ascii());
    content_type.and_then(|value| value.get(..PREFIX.len())).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

fn parse_credential(credential: &str) -> Option<(&str, Scheme<'_>)> {
    let mut parts = credential.split('/');
    let (access_key_id, date, region, service) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_date = date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit());
    let complete = !access_key_id.is_empty() && !region.is_empty() && !service.is_empty() && parts.next().is_none();
    (is_date && complete).then_some((access_key_id, Scheme::Derived { date, region, service }))
}

/// The derived signing key (§8.3): one HKDF step whose result is used as hex text, not as bytes.
pub fn derive_key(access_key_id: &str, secret: &str, date: &str, region: &str, service: &str) -> [u8; 64] {
    let pseudo_random_key = hmac_sha256(access_key_id.as_bytes(), secret.as_bytes());
    hex_of_32(&hmac_sha256(&pseudo_random_key, format!("{date}/{region}/{service}\u{1}").as_bytes()))
}
