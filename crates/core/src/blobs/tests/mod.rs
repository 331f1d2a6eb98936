//! The store as its callers see it.

mod bucket;
mod everywhere;
mod model;
mod remote;
mod resume;
#[path = "../../../../../tests/support/s3.rs"]
mod s3;
mod store;

use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use futures::TryStreamExt;
use tempfile::TempDir;

use super::*;

const NO_LIMIT: u64 = u64::MAX;

/// Where a store of a test's own is: the tests in [`everywhere`] run on both kinds.
enum Place {
    Folder(TempDir),
    Bucket(String),
}

impl Place {
    fn folder() -> Place {
        Place::Folder(tempfile::tempdir().unwrap())
    }

    fn bucket() -> Place {
        provide_crypto();
        Place::Bucket(s3::shared().place())
    }

    /// As another copy of the server would open it.
    async fn open(&self) -> Blobs {
        match self {
            Place::Folder(home) => open(home.path()).await,
            Place::Bucket(url) => Blobs::open(url).await.unwrap(),
        }
    }

    fn is_bucket(&self) -> bool {
        matches!(self, Place::Bucket(_))
    }

    /// Every file or object, by its path.
    async fn files(&self) -> Vec<String> {
        match self {
            Place::Folder(home) => files(home.path()),
            Place::Bucket(url) => {
                let entries = raw(url).list_with("/").recursive(true).await.unwrap();
                let files = entries.into_iter().filter(|entry| entry.metadata().is_file());
                files.map(|entry| entry.path().to_owned()).collect()
            }
        }
    }
}

/// The binary does this first thing in main; here whichever test comes first does.
fn provide_crypto() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// The place in a bucket as anybody else sees it.
fn raw(url: &str) -> opendal::Operator {
    let (bucket, rest) = url.split_once('@').unwrap().1.split_once('/').unwrap();
    let root = format!("/{}/", rest.split_once('?').unwrap().0);
    let url = format!("{url}&access_key_id=AKTESTS&secret_access_key=SKTESTS");
    crate::blobs::remote::Region::parse(&url).unwrap().operator(bucket, &root, crate::blobs::remote::PATIENCE).unwrap()
}

async fn store() -> (TempDir, Blobs) {
    let home = tempfile::tempdir().unwrap();
    let blobs = open(home.path()).await;
    (home, blobs)
}

async fn open(home: &Path) -> Blobs {
    Blobs::open(&format!("fs:{}", home.display())).await.unwrap()
}

fn id(name: &str) -> StageId {
    StageId::new(name).unwrap()
}

/// Bytes that differ from their neighbours, so that a shift would show.
fn content(length: usize) -> Vec<u8> {
    (0..length as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// Stores bytes in one go, in pieces of 100,000.
async fn put(blobs: &Blobs, name: &str, bytes: &[u8]) -> Result<Finished, BlobError> {
    let mut staged = blobs.stage(&id(name), NO_LIMIT).await?;
    for piece in bytes.chunks(100_000) {
        staged.write(Bytes::copy_from_slice(piece)).await?;
    }
    staged.finish().await
}

/// Appends bytes to a growing upload.
async fn grow(blobs: &Blobs, name: &str, offset: u64, bytes: &[u8], limit: u64) -> Result<u64, BlobError> {
    let mut appending = blobs.append(&id(name), offset, limit).await?;
    for piece in bytes.chunks(100_000) {
        appending.write(Bytes::copy_from_slice(piece)).await?;
    }
    appending.keep().await
}

/// Keeps bytes as a part.
async fn keep_part(blobs: &Blobs, name: &str, bytes: &[u8]) -> Finished {
    let mut staged = blobs.stage(&id(name), NO_LIMIT).await.unwrap();
    staged.write(Bytes::copy_from_slice(bytes)).await.unwrap();
    staged.keep().await.unwrap()
}

async fn read(blobs: &Blobs, digest: &Digest, range: Range<u64>) -> Result<Vec<u8>, BlobError> {
    let reader = blobs.open_blob(digest).await?;
    let chunks: Vec<Bytes> = reader.stream(range).try_collect().await?;
    Ok(chunks.concat())
}

/// Every file below a directory, by its path from there, sorted.
fn files(root: &Path) -> Vec<String> {
    fn walk(directory: &Path, root: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else {
                found.push(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
    }
    let mut found = Vec::new();
    walk(root, root, &mut found);
    found.sort();
    found
}
