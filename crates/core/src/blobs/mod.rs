//! The only room with package bytes.
//!
//! A *blob* is bytes under the name of their SHA-256: written once, never changed, stored once however often it is uploaded.
//! An *upload* becomes a blob in one of two ways:
//!
//! - in one go: [`Blobs::stage`], [`Staged::write`] …, [`Staged::finish`]; hashed while it streams;
//! - in pieces that survive a restart: parts ([`Staged::keep`]) or one growing file ([`Blobs::append`]), put together by
//!   [`Blobs::compose`], which hashes off the runtime.
//!
//! Bytes are durable before anything is acknowledged. Reading ([`Blobs::open_blob`]) is by range and streams.
//!
//! Nothing here knows packages: what refers to a blob stands in the database, and whoever collects unreferenced blobs calls
//! [`Blobs::delete_unreferenced`].

mod bucket;
mod digest;
mod error;
mod fs;
mod handles;
mod hands;
pub mod remote;
mod staging;
mod standin;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

pub use digest::{Digest, Finished};
pub use error::BlobError;
pub use handles::{Appending, BlobReader, Staged};
pub use hands::{Collecting, Placed};
pub use staging::{StageId, StagedUpload};
pub use standin::{StandIns, Turn};

use bucket::Bucket;
use fs::Fs;
use handles::{AppendingTo, ReaderOf, StagedIn};
use hands::Hands;
use remote::Credentials;

/// The blob store. Cloning is cheap, all clones are the same store.
#[derive(Clone)]
pub struct Blobs {
    backend: Backend,
    hands: Hands,
}

/// Where the bytes are. All methods of [`Blobs`] and of what it hands out are asynchronous and say nothing about files, so
/// that another kind of place is another variant here and nothing elsewhere.
#[derive(Clone)]
enum Backend {
    Fs(Arc<Fs>),
    Bucket(Arc<Bucket>),
}

/// A stored blob in a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredBlob {
    /// Its name.
    pub digest: Digest,
    /// Its length.
    pub size_bytes: u64,
    /// When it was stored, or last stored again with the same content: milliseconds since 1970 by the clock of the store.
    pub stored_ms: i64,
}

/// Room for blobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Size of the place.
    pub total_bytes: u64,
    /// What uploads may still use: the reserve that is kept for the rest of the machine is already taken off.
    pub available_bytes: u64,
}

impl Blobs {
    /// Opens the blob store at an address:
    ///
    /// - `fs:PATH`, a directory that is created if need be. What an earlier process left half-written and nobody can continue
    ///   is removed.
    /// - `s3://`, `obs://` or `oss://` and `[ID:SECRET@]BUCKET[/PREFIX]?OPTIONS`, a place in a bucket that has to exist. The
    ///   options are those of [`remote::Region::parse`]. Several copies of the server may share it.
    pub async fn open(url: &str) -> Result<Blobs, BlobError> {
        Blobs::open_with(url, None).await
    }

    /// Like [`Blobs::open`]; `credentials` are for a bucket whose address has none.
    pub async fn open_with(url: &str, credentials: Option<Credentials>) -> Result<Blobs, BlobError> {
        let hands = Hands::default();
        let backend = match url.split_once(':') {
            Some(("fs", path)) if !path.is_empty() => {
                Backend::Fs(Arc::new(Fs::open(path.into(), hands.clone()).await?))
            }
            Some(("s3" | "obs" | "oss", rest)) if rest.starts_with("//") => {
                Backend::Bucket(Arc::new(Bucket::open(url, credentials, hands.clone()).await?))
            }
            _ => {
                let text = "the address of a blob store is fs:PATH, s3://BUCKET?…, obs://BUCKET?… or oss://BUCKET?…";
                return Err(BlobError::Malformed(text.to_owned()));
            }
        };
        Ok(Blobs { backend, hands })
    }

    /// Whether several copies of the server can share this store.
    pub fn is_shared(&self) -> bool {
        matches!(self.backend, Backend::Bucket(_))
    }

    /// Starts an upload in one go of at most `limit_bytes`. `id` is the name under which [`Staged::keep`] would leave it.
    pub async fn stage(&self, id: &StageId, limit_bytes: u64) -> Result<Staged, BlobError> {
        match &self.backend {
            Backend::Fs(fs) => fs.stage(id, limit_bytes).await.map(|it| Staged(StagedIn::Fs(it))),
            Backend::Bucket(bucket) => bucket.stage(id, limit_bytes).await.map(|it| Staged(StagedIn::Bucket(it))),
        }
    }

    /// Continues a growing upload at `offset_bytes`, which has to be its length ([`BlobError::OutOfStep`] tells it);
    /// offset 0 starts one. The whole may grow to `limit_bytes`. A blob never changes with an upload that it was made of: on a
    /// file system an upload that [`Blobs::compose`] made a blob of alone grows no further. Only one request at a time may
    /// append ([`BlobError::Busy`]); of requests through several copies of the server the one that brings most counts.
    pub async fn append(&self, id: &StageId, offset_bytes: u64, limit_bytes: u64) -> Result<Appending, BlobError> {
        match &self.backend {
            Backend::Fs(fs) => fs.append(id, offset_bytes, limit_bytes).await.map(|it| Appending(AppendingTo::Fs(it))),
            Backend::Bucket(bucket) => {
                bucket.append(id, offset_bytes, limit_bytes).await.map(|it| Appending(AppendingTo::Bucket(it)))
            }
        }
    }

    /// Makes one blob of staged uploads, in the order given. They stay staged, so that the caller can record the blob first
    /// and may repeat the call after a failure; [`Blobs::discard`] removes them. A single upload is not copied.
    pub async fn compose(&self, parts: &[StageId], limit_bytes: u64) -> Result<Placed, BlobError> {
        match &self.backend {
            Backend::Fs(fs) => fs.compose(parts, limit_bytes).await,
            Backend::Bucket(bucket) => bucket.compose(parts, limit_bytes).await,
        }
    }

    /// How many bytes of a staged upload are safe: they are synced before this answers.
    pub async fn staged_len(&self, id: &StageId) -> Result<u64, BlobError> {
        match &self.backend {
            Backend::Fs(fs) => fs.staged_len(id).await,
            Backend::Bucket(bucket) => bucket.staged_len(id).await,
        }
    }

    /// Every upload that [`Staged::keep`] or [`Blobs::append`] left, in no particular order.
    pub async fn list_staged(&self) -> Result<Vec<StagedUpload>, BlobError> {
        match &self.backend {
            Backend::Fs(fs) => fs.list_staged().await,
            Backend::Bucket(bucket) => bucket.list_staged().await,
        }
    }

    /// Removes a staged upload; false if there is none. A blob made of it is not touched.
    pub async fn discard(&self, id: &StageId) -> Result<bool, BlobError> {
        match &self.backend {
            Backend::Fs(fs) => fs.discard(id).await,
            Backend::Bucket(bucket) => bucket.discard(id).await,
        }
    }

    /// Opens a blob for reading. On a file system it can be read to its end even if it is deleted meanwhile; of an object
    /// store's that holds for what is being answered.
    pub async fn open_blob(&self, digest: &Digest) -> Result<BlobReader, BlobError> {
        match &self.backend {
            Backend::Fs(fs) => fs.open_blob(digest).await.map(|it| BlobReader(ReaderOf::Fs(it))),
            Backend::Bucket(bucket) => bucket.open_blob(digest).await.map(|it| BlobReader(ReaderOf::Bucket(it))),
        }
    }

    /// An address at the object store itself from which anybody may read a blob for `lifetime`; none on a file system.
    pub async fn direct_link(
        &self,
        digest: &Digest,
        lifetime: Duration,
        file_name: &str,
    ) -> Result<Option<String>, BlobError> {
        match &self.backend {
            Backend::Fs(_) => Ok(None),
            Backend::Bucket(bucket) => bucket.direct_link(digest, lifetime, file_name).await.map(Some),
        }
    }

    /// Reads a whole blob, off the runtime, and says whether its bytes are still those of its name.
    pub async fn verify(&self, digest: &Digest) -> Result<bool, BlobError> {
        match &self.backend {
            Backend::Fs(fs) => fs.verify(digest).await,
            Backend::Bucket(bucket) => bucket.verify(digest).await,
        }
    }

    /// Removes a blob; false if there is none.
    pub async fn delete(&self, digest: &Digest) -> Result<bool, BlobError> {
        self.delete_unreferenced(self.collect(digest), i64::MAX).await
    }

    /// What a collector says before it looks whether anything refers to a blob.
    pub fn collect(&self, digest: &Digest) -> Collecting {
        self.hands.collect(digest)
    }

    /// Removes a blob to which nothing referred after [`Blobs::collect`], if it was stored before `before_ms`; false if there
    /// is none, if it was stored (again) since, or if somebody is about to record it: an upload of the same content that
    /// finishes in between is not lost.
    pub async fn delete_unreferenced(&self, collecting: Collecting, before_ms: i64) -> Result<bool, BlobError> {
        match &self.backend {
            Backend::Fs(fs) => fs.delete_if_older(collecting, before_ms).await,
            Backend::Bucket(bucket) => bucket.delete_if_older(collecting, before_ms).await,
        }
    }

    /// At most `limit` blobs in the order of their digests, starting behind `after`.
    pub async fn list(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<StoredBlob>, BlobError> {
        match &self.backend {
            Backend::Fs(fs) => fs.list(after.copied(), limit).await,
            Backend::Bucket(bucket) => bucket.list(after.copied(), limit).await,
        }
    }

    /// How much room there is. In a bucket it has no end.
    pub async fn space(&self) -> Result<Space, BlobError> {
        match &self.backend {
            Backend::Fs(fs) => fs.space().await,
            Backend::Bucket(bucket) => bucket.space().await,
        }
    }

    /// Writes a few bytes, syncs them, reads them back and removes them: whether uploads can work at all.
    pub async fn probe(&self) -> Result<(), BlobError> {
        match &self.backend {
            Backend::Fs(fs) => fs.probe().await,
            Backend::Bucket(bucket) => bucket.probe().await,
        }
    }
}

/// Runs work that waits for the disk or computes for long where it keeps no other task waiting.
async fn off_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(BlobError::Unavailable(io::Error::other(error))),
    }
}
