//! Housekeeping: what nobody can use any more goes away.

use std::sync::atomic::Ordering;

use otaru_model::Sha256;

use super::{App, Error, uploads};
use crate::{store, telemetry};

const BLOBS_PER_STEP: usize = 500;

/// What a round of housekeeping removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub uploads: usize,
    pub object_uploads: usize,
    pub staged: usize,
    pub blobs: usize,
}

impl App {
    /// One round: expired uploads, nonces and sessions, abandoned parts, and bytes that nothing refers to. What fails keeps
    /// nothing else from being done: on a full disk the records may have to stay, and taking bytes away is what helps.
    pub async fn sweep(&self) -> Result<Swept, Error> {
        let now_ms = self.now_ms();
        let forgotten = self
            .write_own("sweep", move |tx| {
                Box::pin(async move {
                    store::access::forget_nonces(tx, now_ms).await?;
                    store::sessions::forget(tx, now_ms).await?;
                    Ok::<_, Error>(())
                })
            })
            .await;
        let uploads = self.sweep_uploads(now_ms).await;
        let object_uploads = self.sweep_object_uploads(now_ms).await;
        let (mut staged, mut blobs) = (Ok(0), Ok(0));
        if self.may_list_bytes(now_ms) {
            staged = self.sweep_staged(now_ms).await;
            blobs = self.sweep_blobs(now_ms).await;
        }
        forgotten?;
        Ok(Swept { uploads: uploads?, object_uploads: object_uploads?, staged: staged?, blobs: blobs? })
    }

    /// Whether it is time to look through all stored bytes: on a file system always, in a bucket once in a while, because
    /// listing one takes a paid request for each thousand objects. A clock that was set back does not put it off.
    fn may_list_bytes(&self, now_ms: i64) -> bool {
        let swept_ms = self.inner.bytes_swept_ms.load(Ordering::Relaxed);
        let is_just_done = (0..self.inner.settings.unreferenced_ms).contains(&now_ms.saturating_sub(swept_ms));
        let is_time = !self.inner.blobs.is_shared() || !is_just_done;
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
        let before_ms = now_ms - self.inner.settings.unfinished_ms;
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
            if staged.modified_ms > now_ms - self.inner.settings.unfinished_ms {
                continue;
            }
            let name = staged.id.as_str().to_owned();
            let upload = uploads::upload_of_stage(&staged.id);
            let in_use = self
                .read("sweep_staged", |tx| {
                    Box::pin(async move {
                        match upload {
                            Some(id) => Ok(store::uploads::is_there(tx, &id).await?),
                            None => Ok(store::objects::stage_in_use(tx, &name).await?),
                        }
                    })
                })
                .await?;
            if !in_use {
                count += usize::from(self.inner.blobs.discard(&staged.id).await?);
            }
        }
        Ok(count)
    }

    async fn sweep_blobs(&self, now_ms: i64) -> Result<usize, Error> {
        let before_ms = now_ms - self.inner.settings.unreferenced_ms;
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
                let collecting = self.inner.blobs.collect(&blob.digest);
                let in_use = self
                    .read("sweep_blobs", |tx| {
                        Box::pin(async move { Ok(store::packages::blob_in_use(tx, &digest).await?) })
                    })
                    .await?;
                if !in_use {
                    count += usize::from(self.inner.blobs.delete_unreferenced(collecting, before_ms).await?);
                }
            }
        }
    }
}
