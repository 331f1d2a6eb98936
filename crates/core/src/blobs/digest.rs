use std::fmt;
use std::str::FromStr;

use md5::Md5;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::BlobError;

/// The SHA-256 of some bytes: what a blob is called. Written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of bytes that are at hand.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }

    /// 64 lower-case hex digits.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = BlobError;

    fn from_str(text: &str) -> Result<Digest, BlobError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| BlobError::Malformed("a SHA-256 digest is 64 hex digits".to_owned()))?;
        Ok(Digest(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = BlobError;

    fn try_from(text: String) -> Result<Digest, BlobError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_hex()
    }
}

/// What is known about bytes once all of them have been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// SHA-256, the blob's name.
    pub digest: Digest,
    /// MD5: several dialects and object clients still ask for it.
    pub md5: [u8; 16],
    /// Length.
    pub size_bytes: u64,
}

/// Both digests in one pass.
#[derive(Default)]
pub(super) struct Pass {
    sha256: Sha256,
    md5: Md5,
    size_bytes: u64,
}

impl Pass {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.md5.update(bytes);
        self.size_bytes += bytes.len() as u64;
    }

    pub(super) fn finish(self) -> Finished {
        Finished {
            digest: Digest(self.sha256.finalize().into()),
            md5: self.md5.finalize().into(),
            size_bytes: self.size_bytes,
        }
    }
}

impl From<otaru_model::Sha256> for Digest {
    fn from(digest: otaru_model::Sha256) -> Digest {
        Digest(digest.0)
    }
}
