//! OSS signature version 1 (Alibaba contract §9): form uploads (PostObject) and signed URLs.

use super::digest::{base64, hmac_sha1, same};
use super::percent::encode;

/// The signature of a form upload: over the policy as it stands in the form, in Base64.
pub fn post_signature(secret: &str, policy_base64: &str) -> String {
    base64(&hmac_sha1(secret.as_bytes(), policy_base64.as_bytes()))
}

/// Whether `signature` is that of the form's `policy`. What the policy allows is for the door to check.
pub fn verify_post(secret: &str, policy_base64: &str, signature: &str) -> bool {
    same(post_signature(secret, policy_base64).as_bytes(), signature.as_bytes())
}

/// The signature of a URL without content headers and sub-resources, as a download has.
///
/// `expires_s` is in epoch seconds; `key` is the object's name, not escaped.
pub fn url_signature(secret: &str, method: &str, expires_s: &str, bucket: &str, key: &str) -> String {
    let string_to_sign = format!("{method}\n\n\n{expires_s}\n/{bucket}/{key}");
    base64(&hmac_sha1(secret.as_bytes(), string_to_sign.as_bytes()))
}

/// Whether `signature` is that of the URL. `expires_s` is the parameter's text as sent, so that one moment has one
/// spelling; the door compares the moment with its clock.
pub fn verify_url(secret: &str, method: &str, expires_s: &str, bucket: &str, key: &str, signature: &str) -> bool {
    same(url_signature(secret, method, expires_s, bucket, key).as_bytes(), signature.as_bytes())
}

/// The query of a signed download URL, `Expires=…&OSSAccessKeyId=…&Signature=…`.
pub fn signed_query(access_key_id: &str, secret: &str, expires_s: i64, bucket: &str, key: &str) -> String {
    let expires = expires_s.to_string();
    let signature = url_signature(secret, "GET", &expires, bucket, key);
    format!("Expires={expires}&OSSAccessKeyId={}&Signature={}", encode(access_key_id), encode(&signature))
}
