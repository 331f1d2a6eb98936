//! What the store hands out: the same three things wherever the bytes are.

use std::ops::Range;

use bytes::Bytes;
use futures::{Stream, StreamExt};

use super::{BlobError, Finished, Placed, StandIns, bucket, fs};

/// An upload in one go, hashed while it streams. Dropped before its end it leaves nothing.
pub struct Staged(pub(super) StagedIn);

pub(super) enum StagedIn {
    Fs(fs::Staged),
    Bucket(bucket::Staged),
}

impl Staged {
    /// Takes the next bytes. They are written soon, and an error of that is reported by a later call; after an error
    /// nothing is left of the upload.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        match &mut self.0 {
            StagedIn::Fs(staged) => staged.write(bytes).await,
            StagedIn::Bucket(staged) => staged.write(bytes).await,
        }
    }

    /// Bytes taken so far.
    pub fn size_bytes(&self) -> u64 {
        match &self.0 {
            StagedIn::Fs(staged) => staged.size_bytes(),
            StagedIn::Bucket(staged) => staged.size_bytes(),
        }
    }

    /// Ends the upload: durable and in its place as a blob.
    pub async fn finish(self) -> Result<Placed, BlobError> {
        match self.0 {
            StagedIn::Fs(staged) => staged.finish().await,
            StagedIn::Bucket(staged) => staged.finish().await,
        }
    }

    /// Ends the upload but leaves it staged under its id, durable, for [`super::Blobs::compose`]. One of the same id is
    /// replaced.
    pub async fn keep(self) -> Result<Finished, BlobError> {
        match self.0 {
            StagedIn::Fs(staged) => staged.keep().await,
            StagedIn::Bucket(staged) => staged.keep().await,
        }
    }
}

/// A growing upload. Dropped before [`Appending::keep`] it keeps what had been written by then, which
/// [`super::Blobs::staged_len`] tells; call `keep` also after a broken request to keep the most.
pub struct Appending(pub(super) AppendingTo);

pub(super) enum AppendingTo {
    Fs(fs::Appending),
    Bucket(bucket::Appending),
}

impl Appending {
    /// Takes the next bytes. They are written soon, and an error of that is reported by a later call; after an error the
    /// upload is what it was before this append.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        match &mut self.0 {
            AppendingTo::Fs(appending) => appending.write(bytes).await,
            AppendingTo::Bucket(appending) => appending.write(bytes).await,
        }
    }

    /// Length of the whole upload, with the bytes taken so far.
    pub fn size_bytes(&self) -> u64 {
        match &self.0 {
            AppendingTo::Fs(appending) => appending.size_bytes(),
            AppendingTo::Bucket(appending) => appending.size_bytes(),
        }
    }

    /// Makes durable what was taken and tells how long the upload is now.
    pub async fn keep(self) -> Result<u64, BlobError> {
        match self.0 {
            AppendingTo::Fs(appending) => appending.keep().await,
            AppendingTo::Bucket(appending) => appending.keep().await,
        }
    }

    /// Takes the upload back to what it was before this append.
    pub async fn abandon(self) -> Result<(), BlobError> {
        match self.0 {
            AppendingTo::Fs(appending) => appending.abandon().await,
            AppendingTo::Bucket(appending) => appending.abandon().await,
        }
    }
}

/// A blob that is open for reading.
#[derive(Clone)]
pub struct BlobReader(pub(super) ReaderOf);

#[derive(Clone)]
pub(super) enum ReaderOf {
    Fs(fs::BlobReader),
    Bucket(bucket::BlobReader),
}

impl BlobReader {
    /// Length of the whole blob.
    pub fn size_bytes(&self) -> u64 {
        match &self.0 {
            ReaderOf::Fs(reader) => reader.size_bytes(),
            ReaderOf::Bucket(reader) => reader.size_bytes(),
        }
    }

    /// The bytes of a range, in chunks of at most 256 KiB. Nothing outside the range is read; what of it lies behind the end
    /// of the blob is left out. The stream ends after an error.
    pub fn stream(&self, range: Range<u64>) -> impl Stream<Item = Result<Bytes, BlobError>> + Send + 'static + use<> {
        self.stream_to(None, range)
    }

    /// The same for a connection that may have stand-ins for bytes that lie in a file of this machine. They have to go there
    /// as they come, at once and in this order.
    pub fn stream_to(
        &self,
        connection: Option<StandIns>,
        range: Range<u64>,
    ) -> impl Stream<Item = Result<Bytes, BlobError>> + Send + 'static + use<> {
        match &self.0 {
            ReaderOf::Fs(reader) => reader.stream(range, connection).left_stream(),
            ReaderOf::Bucket(reader) => reader.stream(range).right_stream(),
        }
    }
}
