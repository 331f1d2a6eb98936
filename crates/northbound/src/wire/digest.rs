//! Digests, keyed digests and their spellings: the few forms that the schemes here use.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use sm3::Sm3;
use subtle::ConstantTimeEq;

/// The SHA-256 and the size of a request body, all that a signature needs to know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyDigest {
    sha256: [u8; 32],
    size_bytes: u64,
}

impl BodyDigest {
    /// Hashes a body that is already in memory.
    pub fn of(body: &[u8]) -> Self {
        Self { sha256: sha256(body), size_bytes: body.len() as u64 }
    }

    /// Takes the digest of a body that was hashed while it streamed by.
    pub fn from_parts(sha256: [u8; 32], size_bytes: u64) -> Self {
        Self { sha256, size_bytes }
    }

    /// The digest in lower-case hex, as 64 ASCII bytes.
    pub fn sha256_hex(&self) -> [u8; 64] {
        hex_of_32(&self.sha256)
    }

    /// Whether the body has no byte at all.
    pub fn is_empty(&self) -> bool {
        self.size_bytes == 0
    }
}

/// SHA-256 of `data`.
pub fn sha256(data: &[u8]) -> [u8; 32] {
    Sha256::digest(data).into()
}

/// SM3 (GB/T 32905) of `data`.
pub fn sm3(data: &[u8]) -> [u8; 32] {
    Sm3::digest(data).into()
}

/// HMAC-SHA1 (RFC 2104) of `message`.
pub fn hmac_sha1(key: &[u8], message: &[u8]) -> [u8; 20] {
    hmac::<Hmac<Sha1>>(key, message).into()
}

/// HMAC-SHA256 (RFC 2104) of `message`.
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    hmac::<Hmac<Sha256>>(key, message).into()
}

/// HMAC-SM3 (RFC 2104 over SM3) of `message`.
pub fn hmac_sm3(key: &[u8], message: &[u8]) -> [u8; 32] {
    hmac::<Hmac<Sm3>>(key, message).into()
}

#[expect(clippy::expect_used, reason = "no key makes it fail")]
fn hmac<M: KeyInit + Mac>(key: &[u8], message: &[u8]) -> hmac::digest::Output<M> {
    // The error type belongs to the general trait; RFC 2104 defines HMAC for keys of every length, the empty one included.
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC accepts keys of every length");
    mac.update(message);
    mac.finalize().into_bytes()
}

/// Lower-case hex of a 32-byte digest, on the stack.
pub fn hex_of_32(digest: &[u8; 32]) -> [u8; 64] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(digest) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

/// Standard Base64 with padding (RFC 4648 §4).
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Whether two byte strings are equal, in a time that depends only on their lengths.
///
/// Signatures are compared as text, in exactly the spelling that the scheme prescribes, so that no second spelling of a
/// signature passes as a new one.
pub fn same(ours: &[u8], theirs: &[u8]) -> bool {
    ours.ct_eq(theirs).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2202 case 2, RFC 4231 cases 2 and 6, and the SM3 example of GB/T 32905.
    #[test]
    fn published_digests() {
        let (key, message) = (b"Jefe".as_slice(), b"what do ya want for nothing?".as_slice());
        assert_eq!(hex::encode(hmac_sha1(key, message)), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        assert_eq!(
            hex::encode(hmac_sha256(key, message)),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex::encode(hmac_sha256(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
        assert_eq!(hex::encode(sm3(b"abc")), "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0");
        assert_eq!(
            BodyDigest::of(b"").sha256_hex().as_slice(),
            b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn spellings() {
        let digest = sha256(b"otaru");
        assert_eq!(hex_of_32(&digest).as_slice(), hex::encode(digest).as_bytes());
        assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
    }

    #[test]
    fn equality_needs_the_same_length() {
        assert!(same(b"abc", b"abc"));
        assert!(!same(b"abc", b"abd"));
        assert!(!same(b"abc", b"abcd"));
        assert!(!same(b"", b"a"));
    }
}
