//! What an object store's errors mean for package bytes. It depends on what was asked.

use std::io;

use opendal::{Error, ErrorKind};

use crate::blobs::BlobError;
use crate::blobs::remote::RemoteError;

/// Of writing, copying and deleting: there, what is missing is the bucket itself.
pub(super) fn writing(error: Error) -> BlobError {
    let text = error.to_string();
    let is_full = ["QuotaExceeded", "StorageFull", "InsufficientStorage", "InsufficientCapacity"];
    if error.kind() != ErrorKind::NotFound && is_full.iter().any(|word| text.contains(word)) {
        return BlobError::Full;
    }
    BlobError::Unavailable(io::Error::other(error))
}

/// Of listing: what is missing is the bucket itself.
pub(super) fn listing(error: Error) -> BlobError {
    BlobError::Unavailable(io::Error::other(error))
}

/// Of reading an object.
pub(super) fn reading(error: Error) -> BlobError {
    match error.kind() {
        ErrorKind::NotFound => BlobError::NotFound,
        // We ask for nothing behind the end that the listing told.
        ErrorKind::RangeNotSatisfied => BlobError::Corrupt,
        _ => BlobError::Unavailable(io::Error::other(error)),
    }
}

/// Streams of bytes wrap the library's errors in `io::Error`.
pub(super) fn streaming(error: io::Error) -> BlobError {
    match error.downcast::<Error>() {
        Ok(error) => reading(error),
        Err(error) => BlobError::Unavailable(io::Error::other(error)),
    }
}

pub(super) fn malformed(error: RemoteError) -> BlobError {
    BlobError::Malformed(error.to_string())
}
