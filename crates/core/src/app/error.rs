//! What can go wrong, by what the caller can do about it. Each door maps this to its own words in one exhaustive match.

use std::fmt;

use otaru_model::Right;

use crate::blobs::BlobError;
use crate::store::StoreError;

/// What an error speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Noun {
    Tenant,
    Key,
    Space,
    Product,
    Module,
    Package,
    File,
    Upload,
    Bucket,
    Object,
    Part,
}

impl fmt::Display for Noun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Noun::Tenant => "tenant",
            Noun::Key => "access key",
            Noun::Space => "space",
            Noun::Product => "product",
            Noun::Module => "module",
            Noun::Package => "package",
            Noun::File => "file",
            Noun::Upload => "upload",
            Noun::Bucket => "bucket",
            Noun::Object => "object",
            Noun::Part => "part",
        })
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing, or it is another tenant's.
    #[error("there is no {noun} {name}")]
    NotFound { noun: Noun, name: String },
    /// The name is taken.
    #[error("the {noun} {name} exists already")]
    Exists { noun: Noun, name: String },
    /// A dialect wants `field` to be unique among its packages, and it is not.
    #[error("another package has the {field} {value}")]
    Taken { field: &'static str, value: String },
    /// A value that the verb cannot take; `field` is the model's name for it.
    #[error("{field}: {problem}")]
    Invalid { field: &'static str, problem: String },
    /// It cannot go or change while something else needs it.
    #[error("the {noun} {name} is in use by {by}")]
    InUse { noun: Noun, name: String, by: &'static str },
    /// There are as many as there may be.
    #[error("there are {limit} {noun}s already, which is the limit")]
    LimitReached { noun: Noun, limit: u64 },
    #[error("the file is larger than {limit_bytes} bytes")]
    TooLarge { limit_bytes: u64 },
    /// The bytes that came are not those that were declared.
    #[error("{0}")]
    WrongBytes(String),
    /// The upload goes on at another byte.
    #[error("the next byte of this upload is byte {next_byte}")]
    OutOfStep { next_byte: u64 },
    /// Somebody else is at it; trying again may help.
    #[error("the {noun} is being written by another request")]
    Busy { noun: Noun },
    /// The time for it is over.
    #[error("the time of the {noun} is over")]
    Expired { noun: Noun },
    /// The key's role lacks the right.
    #[error("this key may not {}", right.name())]
    Forbidden { right: Right },
    /// The signed request was used before.
    #[error("this request was used before")]
    Replayed,
    /// The disk is full: no upload now, all else works.
    #[error("there is no space left for uploads")]
    Full,
    /// Trying again later may help.
    #[error("{0}")]
    Unavailable(String),
    /// A fault of ours.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// One word for the kind of error, as metrics have it.
    pub fn word(&self) -> &'static str {
        match self {
            Error::NotFound { .. } => "not_found",
            Error::Exists { .. } => "exists",
            Error::Taken { .. } => "taken",
            Error::Invalid { .. } => "invalid",
            Error::InUse { .. } => "in_use",
            Error::LimitReached { .. } => "limit_reached",
            Error::TooLarge { .. } => "too_large",
            Error::WrongBytes(_) => "wrong_bytes",
            Error::OutOfStep { .. } => "out_of_step",
            Error::Busy { .. } => "busy",
            Error::Expired { .. } => "expired",
            Error::Forbidden { .. } => "forbidden",
            Error::Replayed => "replayed",
            Error::Full => "full",
            Error::Unavailable(_) => "unavailable",
            Error::Internal(_) => "internal",
        }
    }

    pub fn not_found(noun: Noun, name: impl fmt::Display) -> Error {
        Error::NotFound { noun, name: name.to_string() }
    }

    pub fn exists(noun: Noun, name: impl fmt::Display) -> Error {
        Error::Exists { noun, name: name.to_string() }
    }

    pub fn invalid(field: &'static str, problem: impl Into<String>) -> Error {
        Error::Invalid { field, problem: problem.into() }
    }
}

/// What to answer when a record refers to something that went away a moment ago.
pub(super) fn gone(noun: Noun, name: impl fmt::Display) -> impl FnOnce(StoreError) -> Error {
    move |error| match error {
        StoreError::Conflict(_) => Error::not_found(noun, name),
        other => other.into(),
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Error {
        match error {
            StoreError::Full => Error::Full,
            StoreError::Unavailable(_) | StoreError::Conflict(_) => Error::Unavailable(error.to_string()),
            StoreError::Unexpected(_) | StoreError::Misconfigured(_) => Error::Internal(error.to_string()),
        }
    }
}

impl From<BlobError> for Error {
    fn from(error: BlobError) -> Error {
        match error {
            BlobError::NotFound => Error::not_found(Noun::File, "in the blob store"),
            BlobError::TooLarge => Error::TooLarge { limit_bytes: 0 },
            BlobError::Full => Error::Full,
            BlobError::OutOfStep { len_bytes } => Error::OutOfStep { next_byte: len_bytes },
            BlobError::Busy => Error::Busy { noun: Noun::Upload },
            BlobError::Corrupt => Error::Internal(error.to_string()),
            BlobError::Malformed(_) => Error::Internal(error.to_string()),
            BlobError::Unavailable(_) => Error::Unavailable(error.to_string()),
        }
    }
}
