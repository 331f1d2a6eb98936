//! Alibaba Cloud RPC, signature version 1.0 (Alibaba contract §2.1): all parameters of query and form, sorted.
//!
//! The signature works on decoded parameters, so it does not matter where and how each was sent. The door merges query and
//! form once and uses the same list here and afterwards.

use super::digest::{base64, hmac_sha1, hmac_sha256, same};
use super::error::SignatureError;
use super::percent::{push_encoded, push_encoded_twice};

/// The value of `SignatureMethod`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureMethod {
    /// `HMAC-SHA1`, the one that clients send.
    HmacSha1,
    /// `HMAC-SHA256`: the same text and key with the longer digest. No client read offers it; it costs nothing to accept.
    HmacSha256,
}

impl SignatureMethod {
    /// Reads the parameter's value.
    ///
    /// # Errors
    ///
    /// [`SignatureError::UnsupportedAlgorithm`] for any other name.
    pub fn parse(name: &str) -> Result<Self, SignatureError> {
        match name {
            "HMAC-SHA1" => Ok(Self::HmacSha1),
            "HMAC-SHA256" => Ok(Self::HmacSha256),
            other => Err(SignatureError::UnsupportedAlgorithm(other.to_owned())),
        }
    }
}

/// Whether the parameter `Signature` is the one that `secret` gives for the other parameters.
///
/// `parameters` are the decoded ones of query and form, in any order; `http_method` is the real method, in upper case.
///
/// # Errors
///
/// [`SignatureError::Mismatch`] with the server's string to sign, which the contract wants back in the message;
/// [`SignatureError::Missing`] without `Signature`, [`SignatureError::UnsupportedAlgorithm`], or
/// [`SignatureError::Malformed`] when `Signature` or `SignatureMethod` is absent or repeated.
pub fn verify(http_method: &str, parameters: &[(String, String)], secret: &str) -> Result<(), SignatureError> {
    let theirs = single(parameters, "Signature")?.ok_or(SignatureError::Missing)?;
    let method =
        single(parameters, "SignatureMethod")?.ok_or(SignatureError::Malformed("SignatureMethod is missing"))?;
    let method = SignatureMethod::parse(method)?;
    let string_to_sign = string_to_sign(http_method, parameters);
    match same(sign(method, &string_to_sign, secret).as_bytes(), theirs.as_bytes()) {
        true => Ok(()),
        false => Err(SignatureError::Mismatch { string_to_sign }),
    }
}

/// The text whose keyed digest is the signature: method, `/`, and the sorted parameters without `Signature`, escaped again.
pub fn string_to_sign(http_method: &str, parameters: &[(String, String)]) -> String {
    let mut sorted: Vec<&(String, String)> = parameters.iter().filter(|(name, _)| name != "Signature").collect();
    sorted.sort_unstable();
    let size: usize = sorted.iter().map(|(name, value)| name.len() + value.len() + 6).sum();
    let mut out = String::with_capacity(http_method.len() + 5 + size + size / 4);
    push_encoded(&mut out, http_method.as_bytes());
    out.push_str("&%2F&");
    for (at, (name, value)) in sorted.into_iter().enumerate() {
        if at > 0 {
            out.push_str("%26");
        }
        push_encoded_twice(&mut out, name.as_bytes());
        out.push_str("%3D");
        push_encoded_twice(&mut out, value.as_bytes());
    }
    out
}

/// The signature in Base64. The key is the secret and an `&`.
pub fn sign(method: SignatureMethod, string_to_sign: &str, secret: &str) -> String {
    let mut key = Vec::with_capacity(secret.len() + 1);
    key.extend_from_slice(secret.as_bytes());
    key.push(b'&');
    match method {
        SignatureMethod::HmacSha1 => base64(&hmac_sha1(&key, string_to_sign.as_bytes())),
        SignatureMethod::HmacSha256 => base64(&hmac_sha256(&key, string_to_sign.as_bytes())),
    }
}

fn single<'a>(parameters: &'a [(String, String)], name: &str) -> Result<Option<&'a str>, SignatureError> {
    let mut values = parameters.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str());
    let first = values.next();
    match values.next() {
        None => Ok(first),
        Some(_) => Err(SignatureError::Malformed("a signature parameter was sent twice")),
    }
}
