//! Housekeeping: what nobody can use any more goes away.

use std::sync::atomic::Ordering;

use otaru_model::Sha256;

use super::{App, Error, uploads};
use crate::{store, telemetry};

/// How long an object that arrives in parts may take.
const PARTS_LIFETIME_MS: i64 = 7 * 24 * 3_600_000;
/// Bytes that nothing refers to stay for a while: the request that stored them may be about to say what they are.
const UNREFERENCED_MS: i64 = 3_600_000;
const BLOBS_PER_STEP: usize = 500;
/// Listing a bucket takes a paid request for each thousand objects, so it is not done in every round.
const BETWEEN_BUCKET_SWEEPS_MS: i64 = 3_600_000;

/// What a round of housekeeping removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub uploads: usize,
    pub object_uploads: usize,
    pub staged: usize,
    pub blobs: usize,
}

impl App {
    /// One round: expired uploads, nonces and sessions, abandoned parts, and bytes that nothing refers to.
    pub async fn sweep(&self) -> Result<Swept, Error> {
        let now_ms = self.now_ms();
        self.write_own("sweep", move |tx| {
            Box::pin(async move {
                store::access::forget_nonces(tx, now_ms).await?;
                store::sessions::forget(tx, now_ms).await?;
                Ok::<_, Error>(())
            })
        })
        .await?;
        let uploads = self.sweep_uploads(now_ms).await?;
        let object_uploads = self.sweep_object_uploads(now_ms).await?;
        let mut swept = Swept { uploads, object_uploads, ..Swept::default() };
        if self.may_list_bytes(now_ms) {
            swept.staged = self.sweep_staged(now_ms).await?;
            swept.blobs = self.sweep_blobs(now_ms).await?;
        }
        Ok(swept)
    }

    /// Whether it is time to look through all stored bytes: on a file system always, in a bucket once in a while.
    fn may_list_bytes(&self, now_ms: i64) -> bool {
        let swept_ms = self.inner.bytes_swept_ms.load(Ordering::Relaxed);
        let is_time = !self.inner.blobs.is_shared() || now_ms.saturating_sub(swept_ms) >= BETWEEN_BUCKET_SWEEPS_MS;
        if is_time {
            self.inner.bytes_swept_ms.store(now_ms, Ordering::Relaxed);
        }
        is_time
    }

    async fn sweep_uploads(&self, now_ms: i64) -> Result<usize, Error> {
        let expired = self
            .read("sweep_uploads", |tx| Box::pin(async move { Ok(store::uploads::expired(tx, now_ms).await?) }))
            .await?;
        let count = expired.len();
        for upload in expired {
            let id = upload.id;
            self.write_own("sweep_uploads", move |tx| {
                Box::pin(async move { Ok::<_, Error>(store::uploads::delete(tx, &id).await?) })
            })
            .await?;
            self.inner.blobs.discard(&uploads::stage_of(&upload)?).await?;
        }
        Ok(count)
    }

    async fn sweep_object_uploads(&self, now_ms: i64) -> Result<usize, Error> {
        let before_ms = now_ms - PARTS_LIFETIME_MS;
        let old = self
            .read("sweep_object_uploads", |tx| {
                Box::pin(async move {
                    let mut old = Vec::new();
                    for upload in store::objects::old_uploads(tx, before_ms).await? {
                        old.push((upload.id, store::objects::parts(tx, &upload.id).await?));
                    }
                    Ok(old)
                })
            })
            .await?;
        let count = old.len();
        for (id, parts) in old {
            self.end_object_upload(&id, parts).await?;
        }
        Ok(count)
    }

    /// Stages whose records are gone: their request or their process ended half way.
    async fn sweep_staged(&self, now_ms: i64) -> Result<usize, Error> {
        let mut count = 0;
        for staged in self.inner.blobs.list_staged().await? {
            if staged.modified_ms > now_ms - PARTS_LIFETIME_MS {
                continue;
            }
            let name = staged.id.as_str().to_owned();
            let in_use = self
                .read("sweep_staged", |tx| Box::pin(async move { Ok(store::objects::stage_in_use(tx, &name).await?) }))
                .await?;
            if !in_use {
                count += usize::from(self.inner.blobs.discard(&staged.id).await?);
            }
        }
        Ok(count)
    }

    async fn sweep_blobs(&self, now_ms: i64) -> Result<usize, Error> {
        let before_ms = now_ms - UNREFERENCED_MS;
        let (mut count, mut after) = (0, None);
        let (mut stored, mut stored_bytes) = (0, 0);
        loop {
            let blobs = self.inner.blobs.list(after.as_ref(), BLOBS_PER_STEP).await?;
            let Some(last) = blobs.last() else {
                telemetry::stored(stored, stored_bytes);
                return Ok(count);
            };
            after = Some(last.digest);
            stored += blobs.len() as u64;
            stored_bytes += blobs.iter().map(|blob| blob.size_bytes).sum::<u64>();
            for blob in blobs.into_iter().filter(|blob| blob.stored_ms < before_ms) {
                let digest = Sha256(blob.digest.0);
                let in_use = self
                    .read("sweep_blobs", |tx| {
                        Box::pin(async move { Ok(store::packages::blob_in_use(tx, &digest).await?) })
                    })
                    .await?;
                if !in_use {
                    count += usize::from(self.inner.blobs.delete_if_older(&blob.digest, before_ms).await?);
                }
            }
        }
    }
}
