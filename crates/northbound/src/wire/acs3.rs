//! `ACS3-HMAC-SHA256` and `ACS3-HMAC-SM3` (Alibaba contract §1.2, §2.2, §16).

use http::HeaderMap;

use super::canonical::{RequestHead, SignedHeaders, algorithm_and_parts, authorization, part, push_canonical_query};
use super::digest::{hex_of_32, hmac_sha256, hmac_sm3, same, sha256, sm3};
use super::error::SignatureError;
use super::time::TimeFormat;

const BODY_DIGEST_HEADER: &str = "x-acs-content-sha256";

/// The headers that choose what is done and when: unsigned, somebody on the way could change them. Every SDK signs all of
/// its `x-acs-` headers.
const MUST_BE_SIGNED: [&str; 5] =
    ["x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-security-token"];

/// The digest that the algorithm is built on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// `ACS3-HMAC-SHA256`.
    HmacSha256,
    /// `ACS3-HMAC-SM3`.
    HmacSm3,
}

impl Algorithm {
    /// The name as it is written in the header.
    pub fn name(self) -> &'static str {
        match self {
            Self::HmacSha256 => "ACS3-HMAC-SHA256",
            Self::HmacSm3 => "ACS3-HMAC-SM3",
        }
    }

    fn digest(self, data: &[u8]) -> [u8; 64] {
        match self {
            Self::HmacSha256 => hex_of_32(&sha256(data)),
            Self::HmacSm3 => hex_of_32(&sm3(data)),
        }
    }

    fn keyed_digest(self, key: &[u8], data: &[u8]) -> [u8; 64] {
        match self {
            Self::HmacSha256 => hex_of_32(&hmac_sha256(key, data)),
            Self::HmacSm3 => hex_of_32(&hmac_sm3(key, data)),
        }
    }
}

/// The `Authorization` header, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// Which of the two algorithms.
    pub algorithm: Algorithm,
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

    /// Parses the value of an `Authorization` header, its parts in any order: the Java signer puts Signature second.
    ///
    /// # Errors
    ///
    /// [`SignatureError::UnsupportedAlgorithm`] for any other scheme, [`SignatureError::Malformed`] for parts that are
    /// missing, repeated or empty.
    pub fn parse(value: &'a str) -> Result<Self, SignatureError> {
        let (name, parts) = algorithm_and_parts(value);
        let algorithm = match name {
            "ACS3-HMAC-SHA256" => Algorithm::HmacSha256,
            "ACS3-HMAC-SM3" => Algorithm::HmacSm3,
            other => return Err(SignatureError::UnsupportedAlgorithm(other.to_owned())),
        };
        Ok(Self {
            algorithm,
            access_key_id: part(parts, "Credential")?,
            signed_headers: SignedHeaders::parse(part(parts, "SignedHeaders")?)?,
            signature: part(parts, "Signature")?,
        })
    }

    /// When the request was signed, by its `x-acs-date`, in epoch milliseconds. The door compares it with its clock.
    ///
    /// # Errors
    ///
    /// [`SignatureError::InvalidTime`].
    pub fn signed_at_ms(&self, request: &RequestHead<'_>) -> Result<i64, SignatureError> {
        let date = request.single("x-acs-date").and_then(|date| TimeFormat::Seconds.parse(date));
        date.ok_or(SignatureError::InvalidTime("x-acs-date"))
    }

    /// Whether the signature is the one that `secret` gives for this request, and the declared digest that of `body`.
    ///
    /// The time window and the nonce are not checked here.
    ///
    /// # Errors
    ///
    /// [`SignatureError::Mismatch`] with the server's string to sign, [`SignatureError::BodyDigest`] when the body is another
    /// than the signed one; the other variants when there is nothing to compare.
    pub fn verify(&self, request: &RequestHead<'_>, body: &[u8], secret: &str) -> Result<(), SignatureError> {
        let string_to_sign = self.string_to_sign(request)?;
        let ours = self.algorithm.keyed_digest(secret.as_bytes(), string_to_sign.as_bytes());
        if !same(&ours, self.signature.as_bytes()) {
            return Err(SignatureError::Mismatch { string_to_sign });
        }
        let declared = body_digest(request)?;
        match declared.as_bytes().eq_ignore_ascii_case(&self.algorithm.digest(body)) {
            true => Ok(()),
            false => Err(SignatureError::BodyDigest(BODY_DIGEST_HEADER)),
        }
    }

    /// The text whose keyed digest is the signature.
    ///
    /// # Errors
    ///
    /// As [`Self::canonical_request`].
    pub fn string_to_sign(&self, request: &RequestHead<'_>) -> Result<String, SignatureError> {
        let canonical_digest = self.algorithm.digest(&self.canonical_request(request)?);
        Ok(format!("{}\n{}", self.algorithm.name(), String::from_utf8_lossy(&canonical_digest)))
    }

    /// The items that the signature covers: method, path, query, headers, their names, the declared body digest.
    ///
    /// # Errors
    ///
    /// [`SignatureError::MissingHeader`] for a header that was signed or is needed and was not sent,
    /// [`SignatureError::UnsignedHeader`] for one that has to be signed and is not.
    pub fn canonical_request(&self, request: &RequestHead<'_>) -> Result<Vec<u8>, SignatureError> {
        let is_unsigned = |name: &&str| request.headers.contains_key(*name) && !self.signed_headers.contains(name);
        if let Some(name) = MUST_BE_SIGNED.into_iter().find(is_unsigned) {
            return Err(SignatureError::UnsignedHeader(name));
        }
        let mut out = String::with_capacity(512);
        out.push_str(request.method);
        out.push('\n');
        out.push_str(request.path);
        out.push('\n');
        push_canonical_query(&mut out, request.query);
        out.push('\n');

        // Header values may be any bytes, so from here on the text is bytes.
        let mut out = out.into_bytes();
        self.signed_headers.push_canonical(&mut out, request)?;
        out.push(b'\n');
        out.extend_from_slice(self.signed_headers.as_str().as_bytes());
        out.push(b'\n');
        out.extend_from_slice(body_digest(request)?.as_bytes());
        Ok(out)
    }
}

fn body_digest<'r>(request: &RequestHead<'r>) -> Result<&'r str, SignatureError> {
    let declared = request.single(BODY_DIGEST_HEADER);
    declared.ok_or_else(|| SignatureError::MissingHeader(BODY_DIGEST_HEADER.to_owned()))
}
