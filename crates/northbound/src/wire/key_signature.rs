//! A key id and a signature, in the header (`Authorization: OBS id:signature`) or in the URL: how OBS and version 2 of AWS send
//! them. What is signed differs, and is theirs (see `obs`, `aws_v2`).

use std::borrow::Cow;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::canonical::RequestHead;
use super::digest::{base64, hmac_sha1, same};
use super::error::SignatureError;

/// How one scheme spells it.
pub struct Spelling {
    /// What `Authorization` begins with, with its space.
    pub prefix: &'static str,
    /// The key id's parameter in a URL; those of signature and end have the same names in all of them.
    pub key_parameter: &'static str,
    /// What to say of a header that is not `id:signature`.
    pub wrong_header: &'static str,
    /// What to say of a URL with one of the parameters twice.
    pub twice: &'static str,
    /// What to say of a URL without one of the parameters.
    pub apart: &'static str,
}

/// The signature of a request, from its header or its URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySignature<'a> {
    /// The access key id, by which the door finds the secret.
    pub access_key_id: Cow<'a, str>,
    /// The signature in Base64.
    pub signature: Cow<'a, str>,
    /// `Expires` in epoch seconds, as sent; only in a URL.
    pub expires: Option<Cow<'a, str>>,
}

impl<'a> KeySignature<'a> {
    /// Finds the signature of a request: that of the URL, if it has one, else that of the header. `None` when the request is
    /// unsigned or signed in another way, so that the door can try the next scheme.
    ///
    /// # Errors
    ///
    /// [`SignatureError::Malformed`] for a signature that is one of these and is incomplete.
    pub fn find(request: &RequestHead<'a>, spelling: &Spelling) -> Result<Option<Self>, SignatureError> {
        match Self::in_query(request.query, spelling)? {
            Some(signature) => Ok(Some(signature)),
            None => Self::in_headers(request.headers, spelling),
        }
    }

    fn in_headers(headers: &'a HeaderMap, spelling: &Spelling) -> Result<Option<Self>, SignatureError> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(rest) = values.next().and_then(|value| value.to_str().ok()?.strip_prefix(spelling.prefix)) else {
            return Ok(None);
        };
        match (rest.trim_ascii().split_once(':'), values.next()) {
            (Some((access_key_id, signature)), None) if !access_key_id.is_empty() && !signature.is_empty() => {
                Ok(Some(Self { access_key_id: access_key_id.into(), signature: signature.into(), expires: None }))
            }
            _ => Err(SignatureError::Malformed(spelling.wrong_header)),
        }
    }

    fn in_query(query: &'a str, spelling: &Spelling) -> Result<Option<Self>, SignatureError> {
        let (mut access_key_id, mut signature, mut expires) = (None, None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let slot = match name.as_ref() {
                name if name == spelling.key_parameter => &mut access_key_id,
                "Signature" => &mut signature,
                "Expires" => &mut expires,
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(SignatureError::Malformed(spelling.twice));
            }
        }
        match (access_key_id, signature, expires) {
            (None, _, _) => Ok(None),
            (Some(access_key_id), Some(signature), Some(expires)) => {
                Ok(Some(Self { access_key_id, signature, expires: Some(expires) }))
            }
            _ => Err(SignatureError::Malformed(spelling.apart)),
        }
    }

    /// The same, borrowing nothing of the request.
    pub fn into_owned(self) -> KeySignature<'static> {
        KeySignature {
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
        let Some(expires) = self.expires.as_deref() else { return Ok(None) };
        let only_digits = !expires.is_empty() && expires.bytes().all(|byte| byte.is_ascii_digit());
        let at_ms = expires.parse().ok().and_then(|seconds: i64| seconds.checked_mul(1000)).filter(|_| only_digits);
        at_ms.map(Some).ok_or(SignatureError::InvalidTime("Expires"))
    }

    /// Whether the signature is the one that `secret` gives for this text. No time is checked here.
    ///
    /// # Errors
    ///
    /// [`SignatureError::Mismatch`].
    pub fn verify(&self, string_to_sign: &[u8], secret: &str) -> Result<(), SignatureError> {
        match same(sign(string_to_sign, secret).as_bytes(), self.signature.as_bytes()) {
            true => Ok(()),
            false => {
                Err(SignatureError::Mismatch { string_to_sign: String::from_utf8_lossy(string_to_sign).into_owned() })
            }
        }
    }
}

/// The signature of a text, in Base64.
pub fn sign(string_to_sign: &[u8], secret: &str) -> String {
    base64(&hmac_sha1(secret.as_bytes(), string_to_sign))
}
