//! An upload: a file on its way into a package. It is kept for a while after it is complete, and then only as part of a package.

use crate::{Id, Md5, Sha256};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    pub id: Id,
    pub tenant: Id,
    /// The dialect that the upload came by.
    pub door: String,
    /// Where that dialect finds it: unique on the server, not guessable.
    pub locator: String,
    pub file_name: String,
    /// How long the whole file is, if that was said.
    pub declared_bytes: Option<u64>,
    pub max_bytes: u64,
    pub created_ms: i64,
    /// Bytes are taken until then.
    pub open_until_ms: i64,
    /// The upload must be part of a package by then.
    pub expires_ms: i64,
    /// Set once every byte is there.
    pub complete: Option<Complete>,
}

/// What is known of a complete upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Complete {
    pub size_bytes: u64,
    pub sha256: Sha256,
    pub md5: Md5,
}
