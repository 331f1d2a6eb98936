//! An upload in one go.
//!
//! What arrives is gathered into parts. An upload that ends within its first part is hashed and put under its content key by
//! one request. A longer one streams, part by part, into an object below `staging/`, which appears when its last part is
//! there; then the store copies it, within itself, to its content key.

use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use opendal::{Buffer, Writer};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::error::writing;
use super::{Bucket, Source};
use crate::blobs::digest::Pass;
use crate::blobs::{BlobError, Finished, StageId, off_runtime};

/// How much is gathered before it is sent, at `offset_bytes` of an upload: small, because each upload under way holds a few
/// of these in memory, and larger the longer the upload is, because an object has 10,000 parts at most. They suffice for two
/// terabytes.
pub(super) fn part_bytes(offset_bytes: u64) -> usize {
    let part = (8 << 20) + (offset_bytes / (16 << 30)) * (8 << 20);
    usize::try_from(part).unwrap_or(usize::MAX)
}

/// An upload in one go, hashed while it streams. Dropped before its end it leaves nothing.
pub struct Staged {
    bucket: Arc<Bucket>,
    id: StageId,
    /// Where it streams to, should it be long.
    key: String,
    state: State,
    part: Vec<Bytes>,
    gathered_bytes: usize,
    taken_bytes: u64,
    limit_bytes: u64,
}

enum State {
    Idle(Sink),
    Sending(JoinHandle<Result<Sink, BlobError>>),
    Over,
}

/// What travels to the task that sends a part, and back.
struct Sink {
    /// There is none before the second part begins.
    writer: Option<Writer>,
    pass: Box<Pass>,
}

impl Staged {
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        if matches!(self.state, State::Over) {
            return Err(failed_before());
        }
        if self.limit_bytes.saturating_sub(self.taken_bytes) < bytes.len() as u64 {
            self.give_up();
            return Err(BlobError::TooLarge);
        }
        if bytes.is_empty() {
            return Ok(());
        }
        if self.gathered_bytes >= part_bytes(self.taken_bytes) {
            self.send().await?;
        }
        self.taken_bytes += bytes.len() as u64;
        self.gathered_bytes += bytes.len();
        self.part.push(bytes);
        Ok(())
    }

    pub fn size_bytes(&self) -> u64 {
        self.taken_bytes
    }

    pub async fn finish(mut self) -> Result<Finished, BlobError> {
        let Sink { writer, pass } = self.idle().await?;
        let part = mem::take(&mut self.part);
        match writer {
            None => {
                let (pass, part) = hash(pass, part).await?;
                let finished = pass.finish();
                let bytes = Source::Bytes(Buffer::from(part));
                self.bucket.place(&finished.digest, finished.size_bytes, bytes).await?;
                Ok(finished)
            }
            Some(writer) => {
                let pass = send_last(writer, pass, part).await?;
                let finished = pass.finish();
                let staged = [(self.key.clone(), finished.size_bytes)];
                let placed = self.bucket.place(&finished.digest, finished.size_bytes, Source::Objects(&staged)).await;
                self.bucket.remove_all(vec![self.key.clone()]).await?;
                placed.map(|()| finished)
            }
        }
    }

    pub async fn keep(mut self) -> Result<Finished, BlobError> {
        let Sink { writer, pass } = self.idle().await?;
        let part = mem::take(&mut self.part);
        // What was there before this appears is what it replaces.
        let older = self.bucket.files(&format!("staging/{}/", self.id)).await?;
        let pass = match writer {
            Some(writer) => send_last(writer, pass, part).await?,
            None => {
                let (pass, part) = hash(pass, part).await?;
                self.bucket.operator.write(&self.key, Buffer::from(part)).await.map_err(writing)?;
                pass
            }
        };
        self.bucket.remove_all(older.into_iter().map(|(key, _)| key).collect()).await?;
        Ok(pass.finish())
    }

    /// Sends the gathered part once the one before it is there.
    async fn send(&mut self) -> Result<(), BlobError> {
        let Sink { writer, pass } = self.idle().await?;
        let part = mem::take(&mut self.part);
        self.gathered_bytes = 0;
        let (bucket, key) = (Arc::clone(&self.bucket), self.key.clone());
        self.state = State::Sending(tokio::spawn(async move {
            let (pass, part) = hash(pass, part).await?;
            let mut writer = match writer {
                Some(writer) => writer,
                None => bucket.operator.writer(&key).await.map_err(writing)?,
            };
            match writer.write(Buffer::from(part)).await {
                Ok(()) => Ok(Sink { writer: Some(writer), pass }),
                Err(error) => {
                    abort(writer).await;
                    Err(writing(error))
                }
            }
        }));
        Ok(())
    }

    /// The sink, when it is back. A caller that gives up waiting loses nothing: the handle stays where it is.
    async fn idle(&mut self) -> Result<Sink, BlobError> {
        if let State::Sending(handle) = &mut self.state {
            let returned = handle.await;
            self.state = State::Over;
            return returned.unwrap_or_else(|error| Err(BlobError::Unavailable(std::io::Error::other(error))));
        }
        match mem::replace(&mut self.state, State::Over) {
            State::Idle(sink) => Ok(sink),
            State::Sending(_) | State::Over => Err(failed_before()),
        }
    }

    /// Takes back what the store has of the upload. Nobody waits for that.
    fn give_up(&mut self) {
        self.part.clear();
        let state = mem::replace(&mut self.state, State::Over);
        let Ok(runtime) = Handle::try_current() else { return };
        match state {
            State::Idle(Sink { writer: Some(writer), .. }) => drop(runtime.spawn(abort(writer))),
            State::Sending(handle) => {
                runtime.spawn(async move {
                    if let Ok(Ok(Sink { writer: Some(writer), .. })) = handle.await {
                        abort(writer).await;
                    }
                });
            }
            State::Idle(_) | State::Over => {}
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl Bucket {
    pub(in crate::blobs) async fn stage(
        self: &Arc<Bucket>,
        id: &StageId,
        limit_bytes: u64,
    ) -> Result<Staged, BlobError> {
        Ok(Staged {
            bucket: Arc::clone(self),
            id: id.clone(),
            key: format!("staging/{id}/{}/whole", self.fresh_name()),
            state: State::Idle(Sink { writer: None, pass: Box::default() }),
            part: Vec::new(),
            gathered_bytes: 0,
            taken_bytes: 0,
            limit_bytes,
        })
    }
}

/// Hashing takes milliseconds per part, so it happens off the runtime.
async fn hash(mut pass: Box<Pass>, part: Vec<Bytes>) -> Result<(Box<Pass>, Vec<Bytes>), BlobError> {
    off_runtime(move || {
        for bytes in &part {
            pass.update(bytes);
        }
        Ok((pass, part))
    })
    .await
}

async fn send_last(mut writer: Writer, pass: Box<Pass>, part: Vec<Bytes>) -> Result<Box<Pass>, BlobError> {
    let (pass, part) = hash(pass, part).await?;
    let sent = match writer.write(Buffer::from(part)).await {
        Ok(()) => writer.close().await.map(drop),
        Err(error) => Err(error),
    };
    match sent {
        Ok(()) => Ok(pass),
        Err(error) => {
            abort(writer).await;
            Err(writing(error))
        }
    }
}

/// What the store has of the upload goes; if it cannot be asked now, the bucket's rule for unfinished uploads ends it.
async fn abort(mut writer: Writer) {
    if let Err(error) = writer.abort().await {
        tracing::debug!(%error, "an unfinished upload stays in the bucket until its rule removes it");
    }
}

fn failed_before() -> BlobError {
    BlobError::Unavailable(std::io::Error::other("this upload has failed before"))
}
