//! Bytes on their way out: one request per range, and its answer as it comes.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::{self, Stream};
use opendal::{FuturesBytesStream, Operator};

use super::error::{reading, streaming};
use super::{Bucket, Place};
use crate::blobs::{BlobError, Digest};

/// Bytes per item of a stream, at most.
const CHUNK_BYTES: usize = 256 << 10;

/// A blob that was found.
#[derive(Clone)]
pub struct BlobReader {
    bucket: Arc<Bucket>,
    digest: Digest,
    place: Place,
}

impl BlobReader {
    pub fn size_bytes(&self) -> u64 {
        self.place.size_bytes
    }

    pub fn stream(&self, range: Range<u64>) -> impl Stream<Item = Result<Bytes, BlobError>> + Send + 'static + use<> {
        let end = range.end.min(self.place.size_bytes);
        let reading = Reading {
            bucket: Arc::clone(&self.bucket),
            digest: self.digest,
            place: self.place.clone(),
            next: range.start,
            end,
            answer: None,
            rest: Bytes::new(),
            may_have_moved: true,
        };
        stream::try_unfold(
            reading,
            |mut reading| async move { Ok(reading.chunk().await?.map(|bytes| (bytes, reading))) },
        )
    }
}

impl Bucket {
    pub(in crate::blobs) async fn open_blob(self: &Arc<Bucket>, digest: &Digest) -> Result<BlobReader, BlobError> {
        let place = self.find(digest).await?;
        Ok(BlobReader { bucket: Arc::clone(self), digest: *digest, place })
    }
}

impl Bucket {
    /// An address at the object store itself from which anybody may read a blob for a while.
    pub(in crate::blobs) async fn direct_link(
        &self,
        digest: &Digest,
        lifetime: Duration,
        file_name: &str,
    ) -> Result<String, BlobError> {
        let place = self.find(digest).await?;
        let link = self.operator.presign_read_with(&place.key, lifetime);
        let names_files = self.operator.info().capability().read_with_override_content_disposition;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let name: String = file_name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
        let disposition = format!("attachment; filename={name}");
        let link = if names_files { link.override_content_disposition(&disposition) } else { link };
        Ok(link.await.map_err(reading)?.uri().to_string())
    }
}

struct Reading {
    bucket: Arc<Bucket>,
    digest: Digest,
    place: Place,
    next: u64,
    end: u64,
    answer: Option<FuturesBytesStream>,
    /// What of the last bytes that came was too much for one item.
    rest: Bytes,
    /// Cleared once the blob was looked up again: storing the same content elsewhere takes the older object away.
    may_have_moved: bool,
}

impl Reading {
    async fn chunk(&mut self) -> Result<Option<Bytes>, BlobError> {
        if self.next >= self.end {
            return Ok(None);
        }
        while self.rest.is_empty() {
            match self.some().await {
                Ok(bytes) => self.rest = bytes,
                Err(BlobError::NotFound) if self.may_have_moved => {
                    self.may_have_moved = false;
                    self.answer = None;
                    self.place = self.bucket.find_anew(&self.digest).await?;
                }
                Err(error) => return Err(error),
            }
        }
        let wanted = (self.end - self.next).min(CHUNK_BYTES as u64).min(self.rest.len() as u64);
        let bytes = self.rest.split_to(wanted as usize);
        self.next += wanted;
        Ok(Some(bytes))
    }

    async fn some(&mut self) -> Result<Bytes, BlobError> {
        let answer = match &mut self.answer {
            Some(answer) => answer,
            None => self.answer.insert(bytes_of(&self.bucket.operator, &self.place.key, self.next..self.end).await?),
        };
        answer.try_next().await.map_err(streaming)?.ok_or(BlobError::Corrupt)
    }
}

/// The bytes of a range of an object, as they come.
pub(super) async fn bytes_of(
    operator: &Operator,
    key: &str,
    range: Range<u64>,
) -> Result<FuturesBytesStream, BlobError> {
    operator.reader(key).await.map_err(reading)?.into_bytes_stream(range).await.map_err(reading)
}
