//! Objects in buckets: where the clouds' tools put files before a package names them.

use serde_json::{Map, Value};

use crate::{Id, Md5, Sha256};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// 3 to 63 lower-case letters, digits, `-` and `.`; unique in the tenant.
    pub name: String,
    pub region: String,
    pub created_ms: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    pub bucket: String,
    /// 1 to 1,024 bytes of UTF-8.
    pub key: String,
    pub size_bytes: u64,
    pub sha256: Sha256,
    /// The entity tag: the MD5 of the bytes, or of the parts' MD5s with their count behind it.
    pub etag: String,
    pub md5: Md5,
    pub content_type: Option<String>,
    /// What the client wants back with the object: headers and user metadata.
    pub extra: Map<String, Value>,
    pub modified_ms: i64,
}

/// An object that arrives in parts.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectUpload {
    pub id: Id,
    pub bucket: String,
    pub key: String,
    pub content_type: Option<String>,
    pub extra: Map<String, Value>,
    pub created_ms: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectPart {
    /// 1 to 10,000.
    pub number: u32,
    pub size_bytes: u64,
    pub md5: Md5,
    pub modified_ms: i64,
}
