//! From staged uploads to a blob, and from a blob to the proof that it is one: what reads whole objects, hashing off the
//! runtime.

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use opendal::Buffer;
use sha2::{Digest as _, Sha256};

use super::error::streaming;
use super::read::bytes_of;
use super::upload::part_bytes;
use super::{Bucket, Source};
use crate::blobs::digest::Pass;
use crate::blobs::{BlobError, Digest, Finished, StageId, off_runtime};

/// How much is gathered for one trip to the blocking pool.
const BATCH_BYTES: usize = 1 << 20;

impl Bucket {
    /// Hashes the pieces and then has the store put them together within itself. Bytes that fit into one part are put by us.
    pub(in crate::blobs) async fn compose(&self, parts: &[StageId], limit_bytes: u64) -> Result<Finished, BlobError> {
        let mut pieces = Vec::new();
        for part in parts {
            if self.is_growing(part) {
                return Err(BlobError::Busy);
            }
            pieces.extend(self.staged(part).await?.ok_or(BlobError::NotFound)?.pieces);
        }
        let total_bytes = pieces.iter().fold(0u64, |sum, (_, size_bytes)| sum.saturating_add(*size_bytes));
        if total_bytes > limit_bytes {
            return Err(BlobError::TooLarge);
        }
        let is_small = total_bytes <= part_bytes(0) as u64;
        let mut pass = Pass::default();
        let mut whole = Vec::new();
        for (key, size_bytes) in &pieces {
            let read;
            (pass, read) = self
                .read_all(
                    key,
                    *size_bytes,
                    pass,
                    move |pass, bytes| pass.update(bytes),
                    |batch| {
                        if is_small {
                            whole.extend_from_slice(batch);
                        }
                    },
                )
                .await?;
            if read != *size_bytes {
                return Err(BlobError::Corrupt);
            }
        }
        let finished = pass.finish();
        let source = if is_small { Source::Bytes(Buffer::from(whole)) } else { Source::Objects(&pieces) };
        self.place(&finished.digest, finished.size_bytes, source).await?;
        Ok(finished)
    }

    pub(in crate::blobs) async fn staged_len(&self, id: &StageId) -> Result<u64, BlobError> {
        Ok(self.staged(id).await?.ok_or(BlobError::NotFound)?.size_bytes())
    }

    pub(in crate::blobs) async fn verify(self: &Arc<Bucket>, digest: &Digest) -> Result<bool, BlobError> {
        let place = self.find_anew(digest).await?;
        let hash = |sha256: &mut Sha256, bytes: &Bytes| sha256.update(bytes);
        let (sha256, _) = self.read_all(&place.key, place.size_bytes, Sha256::new(), hash, |_| ()).await?;
        Ok(Digest(sha256.finalize().into()) == *digest)
    }

    /// Reads an object from end to end; what `hash` makes of it, and how many bytes there were.
    async fn read_all<H: Send + 'static>(
        &self,
        key: &str,
        size_bytes: u64,
        mut state: H,
        hash: impl Fn(&mut H, &Bytes) + Send + Copy + 'static,
        mut see: impl FnMut(&Bytes),
    ) -> Result<(H, u64), BlobError> {
        let mut read = 0;
        if size_bytes == 0 {
            return Ok((state, read));
        }
        let mut stream = bytes_of(&self.operator, key, 0..size_bytes).await?;
        loop {
            let (mut batch, mut gathered) = (Vec::new(), 0);
            while gathered < BATCH_BYTES
                && let Some(bytes) = stream.try_next().await.map_err(streaming)?
            {
                see(&bytes);
                gathered += bytes.len();
                batch.push(bytes);
            }
            if batch.is_empty() {
                return Ok((state, read));
            }
            read += gathered as u64;
            state = off_runtime(move || {
                for bytes in &batch {
                    hash(&mut state, bytes);
                }
                Ok(state)
            })
            .await?;
        }
    }
}
