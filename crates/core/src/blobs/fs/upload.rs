//! Bytes on their way in.
//!
//! An upload gathers what arrives and hands it to the blocking pool in batches, one at a time: there it is written and
//! hashed while the next batch gathers. A slow client thus holds a little memory and no thread, and a fast one is held back
//! by the disk.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::{io, mem};

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::{Fs, Partial, off_runtime, sync_dir, try_lock};
use crate::blobs::digest::Pass;
use crate::blobs::{BlobError, Finished, StageId};

/// Small enough to gather for many uploads at once, large enough that a trip to the blocking pool is nothing beside hashing.
const BATCH_BYTES: usize = 256 << 10;

/// An upload in one go, hashed while it streams. Dropped before its end it leaves nothing.
pub struct Staged {
    // First of all, so that on drop the name goes before the file is closed.
    partial: Partial,
    upload: Upload,
    id: StageId,
    fs: Arc<Fs>,
}

impl Staged {
    /// Takes the next bytes. They are written soon, and an error of that is reported by a later call; after an error
    /// nothing is left of the upload.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        let taken = self.upload.write(bytes).await;
        if taken.is_err() {
            self.partial.remove();
        }
        taken
    }

    /// Bytes taken so far.
    pub fn size_bytes(&self) -> u64 {
        self.upload.taken_bytes
    }

    /// Ends the upload: synced and in its place as a blob.
    pub async fn finish(self) -> Result<Finished, BlobError> {
        self.end(|fs, partial, _, finished| fs.place(&partial.path, &finished.digest)).await
    }

    /// Ends the upload but leaves it staged under its id, synced, for [`crate::blobs::Blobs::compose`]. One of the same id
    /// is replaced.
    pub async fn keep(self) -> Result<Finished, BlobError> {
        self.end(|fs, partial, id, _| {
            std::fs::rename(&partial.path, fs.staged_path(id))?;
            Ok(sync_dir(&fs.staging)?)
        })
        .await
    }

    async fn end(
        mut self,
        settle: impl FnOnce(&Fs, &Partial, &StageId, &Finished) -> Result<(), BlobError> + Send + 'static,
    ) -> Result<Finished, BlobError> {
        let mut sink = self.upload.settle().await?;
        let (fs, id, partial) = (self.fs, self.id, self.partial);
        off_runtime(move || {
            sink.file.sync_data()?;
            let finished = sink.pass.take().unwrap_or_default().finish();
            settle(&fs, &partial, &id, &finished)?;
            Ok(finished)
        })
        .await
    }
}

/// A growing upload. Dropped before [`Appending::keep`] it keeps what had been written by then, which
/// [`crate::blobs::Blobs::staged_len`] tells; call `keep` also after a broken request to keep the most.
pub struct Appending {
    upload: Upload,
}

impl Appending {
    /// Takes the next bytes. They are written soon, and an error of that is reported by a later call; after an error
    /// the upload is what it was before this append.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        self.upload.write(bytes).await
    }

    /// Length of the whole upload, with the bytes taken so far.
    pub fn size_bytes(&self) -> u64 {
        self.upload.taken_bytes
    }

    /// Syncs what was taken and tells how long the upload is now.
    pub async fn keep(mut self) -> Result<u64, BlobError> {
        let sink = self.upload.settle().await?;
        off_runtime(move || match sink.file.sync_data() {
            Ok(()) => {
                let meta = sink.file.metadata()?;
                sink.unlock();
                if meta.nlink() == 0 { Err(BlobError::NotFound) } else { Ok(meta.len()) }
            }
            // After a failed sync nobody knows which of the new bytes are safe, and a second sync would not tell.
            Err(error) => Err(sink.fail(error.into())),
        })
        .await
    }
}

impl Appending {
    /// Takes the upload back to what it was before this append.
    pub async fn abandon(mut self) -> Result<(), BlobError> {
        self.upload.batch.clear();
        let sink = self.upload.idle().await?;
        let cut_to_bytes = sink.cut_to_bytes.unwrap_or(0);
        off_runtime(move || {
            sink.file.set_len(cut_to_bytes)?;
            sink.unlock();
            Ok(())
        })
        .await
    }
}

impl Fs {
    pub(in crate::blobs) async fn stage(self: &Arc<Fs>, id: &StageId, limit_bytes: u64) -> Result<Staged, BlobError> {
        let (fs, label) = (Arc::clone(self), id.clone());
        let (partial, file) = off_runtime(move || {
            fs.check_room(1)?;
            fs.create_partial(label.as_str())
        })
        .await?;
        let sink = Sink { fs: Arc::clone(self), file, pass: Some(Box::default()), cut_to_bytes: None };
        Ok(Staged { partial, upload: Upload::new(sink, 0, limit_bytes), id: id.clone(), fs: Arc::clone(self) })
    }

    pub(in crate::blobs) async fn append(
        self: &Arc<Fs>,
        id: &StageId,
        offset_bytes: u64,
        limit_bytes: u64,
    ) -> Result<Appending, BlobError> {
        if offset_bytes > limit_bytes {
            return Err(BlobError::TooLarge);
        }
        let (fs, id) = (Arc::clone(self), id.clone());
        let (sink, limit_bytes) = off_runtime(move || {
            let path = fs.staged_path(&id);
            let file = OpenOptions::new().append(true).create(offset_bytes == 0).open(path)?;
            try_lock(&file)?;
            let meta = file.metadata()?;
            // Without a name it was discarded just now.
            if meta.nlink() == 0 {
                return Err(BlobError::Busy);
            }
            if meta.len() != offset_bytes {
                return Err(BlobError::OutOfStep { len_bytes: meta.len() });
            }
            // With a second name it is a blob as well, and blobs never change: not a byte more is taken. Somebody who
            // missed our answer can still end the upload again.
            let limit_bytes = if meta.nlink() == 1 { limit_bytes } else { offset_bytes };
            if offset_bytes == 0 {
                sync_dir(&fs.staging)?;
            }
            Ok((Sink { fs, file, pass: None, cut_to_bytes: Some(offset_bytes) }, limit_bytes))
        })
        .await?;
        Ok(Appending { upload: Upload::new(sink, offset_bytes, limit_bytes) })
    }

    pub(super) fn staged_path(&self, id: &StageId) -> PathBuf {
        self.staging.join(id.as_str())
    }
}

/// What travels to the blocking pool and back with each batch.
struct Sink {
    fs: Arc<Fs>,
    file: File,
    /// Set for uploads that are hashed on the way.
    pass: Option<Box<Pass>>,
    /// Set for uploads that lived before this request: their length then, to which a failure takes them back.
    cut_to_bytes: Option<u64>,
}

impl Sink {
    fn write(mut self, batch: &[Bytes]) -> Result<Sink, BlobError> {
        match self.write_all(batch) {
            Ok(()) => Ok(self),
            Err(error) => Err(self.fail(error)),
        }
    }

    fn write_all(&mut self, batch: &[Bytes]) -> Result<(), BlobError> {
        self.fs.check_room(batch.iter().map(|bytes| bytes.len() as u64).sum())?;
        for bytes in batch {
            self.file.write_all(bytes)?;
            if let Some(pass) = &mut self.pass {
                pass.update(bytes);
            }
        }
        Ok(())
    }

    /// Says that whoever comes next may append. Closing the file would do, were it not for children: one that this process
    /// begins at this moment has the file open, too, until it becomes another program.
    fn unlock(&self) {
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "an upload stays locked until its file is closed");
        }
    }

    /// Takes back what was written and closes the file. The name of an upload in one go is for [`Staged`] to remove.
    fn fail(self, error: BlobError) -> BlobError {
        if let Err(error) = self.file.set_len(self.cut_to_bytes.unwrap_or(0)) {
            tracing::warn!(%error, "a failed upload could not be cut back");
        }
        error
    }
}

/// The end of an upload that lives on the runtime.
struct Upload {
    state: State,
    batch: Vec<Bytes>,
    batch_bytes: usize,
    taken_bytes: u64,
    limit_bytes: u64,
}

enum State {
    Idle(Sink),
    Writing(JoinHandle<Result<Sink, BlobError>>),
    Over,
}

impl Upload {
    fn new(sink: Sink, taken_bytes: u64, limit_bytes: u64) -> Upload {
        Upload { state: State::Idle(sink), batch: Vec::new(), batch_bytes: 0, taken_bytes, limit_bytes }
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        if matches!(self.state, State::Over) {
            return Err(failed_before());
        }
        if self.limit_bytes.saturating_sub(self.taken_bytes) < bytes.len() as u64 {
            let sink = self.idle().await?;
            return off_runtime(move || Err(sink.fail(BlobError::TooLarge))).await;
        }
        if bytes.is_empty() {
            return Ok(());
        }
        self.taken_bytes += bytes.len() as u64;
        self.batch_bytes += bytes.len();
        self.batch.push(bytes);
        if self.batch_bytes >= BATCH_BYTES {
            self.send().await?;
        }
        Ok(())
    }

    /// Hands the batch over once the one before it is written.
    async fn send(&mut self) -> Result<(), BlobError> {
        let sink = self.idle().await?;
        let batch = mem::take(&mut self.batch);
        self.batch_bytes = 0;
        self.state = State::Writing(tokio::task::spawn_blocking(move || sink.write(&batch)));
        Ok(())
    }

    /// Writes all that was taken and gives the sink out.
    async fn settle(&mut self) -> Result<Sink, BlobError> {
        if !self.batch.is_empty() {
            self.send().await?;
        }
        self.idle().await
    }

    /// The sink, when it is back. A caller that gives up waiting loses nothing: the handle stays where it is.
    async fn idle(&mut self) -> Result<Sink, BlobError> {
        if let State::Writing(handle) = &mut self.state {
            let returned = handle.await;
            self.state = State::Over;
            return returned.unwrap_or_else(|error| Err(BlobError::Unavailable(io::Error::other(error))));
        }
        match mem::replace(&mut self.state, State::Over) {
            State::Idle(sink) => Ok(sink),
            State::Writing(_) | State::Over => Err(failed_before()),
        }
    }
}

fn failed_before() -> BlobError {
    BlobError::Unavailable(io::Error::other("this upload has failed before"))
}

impl Drop for Upload {
    /// Closing a file that has lost its name gives its blocks back, which takes a while if they are many.
    fn drop(&mut self) {
        if let (State::Idle(sink), Ok(runtime)) = (mem::replace(&mut self.state, State::Over), Handle::try_current()) {
            runtime.spawn_blocking(move || drop(sink));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn store() -> (tempfile::TempDir, Arc<Fs>) {
        let home = tempfile::tempdir().unwrap();
        let fs = Arc::new(Fs::open(home.path().to_owned()).await.unwrap());
        (home, fs)
    }

    /// `/dev/full` answers every write the way a full disk does.
    fn full_disk() -> File {
        OpenOptions::new().write(true).open("/dev/full").unwrap()
    }

    #[tokio::test]
    async fn a_full_disk_ends_an_upload_in_one_go_and_leaves_nothing_of_it() {
        let (_home, fs) = store().await;
        let mut staged = fs.stage(&StageId::new("a").unwrap(), u64::MAX).await.unwrap();
        staged.write(Bytes::from_static(b"landed before the disk was full")).await.unwrap();
        let State::Idle(sink) = &mut staged.upload.state else { panic!("nothing is being written yet") };
        sink.file = full_disk();

        assert!(matches!(staged.finish().await, Err(BlobError::Full)));
        assert_eq!(std::fs::read_dir(&fs.partial).unwrap().count(), 0);
        assert_eq!(std::fs::read_dir(&fs.objects).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_full_disk_is_told_while_the_upload_runs_and_the_upload_stays_failed() {
        let (_home, fs) = store().await;
        let mut staged = fs.stage(&StageId::new("a").unwrap(), u64::MAX).await.unwrap();
        let State::Idle(sink) = &mut staged.upload.state else { panic!("nothing is being written yet") };
        sink.file = full_disk();

        let chunk = Bytes::from(vec![7; BATCH_BYTES]);
        staged.write(chunk.clone()).await.unwrap();
        assert!(matches!(staged.write(chunk.clone()).await, Err(BlobError::Full)));
        assert!(matches!(staged.write(chunk).await, Err(BlobError::Unavailable(_))));
        assert!(matches!(staged.finish().await, Err(BlobError::Unavailable(_))));
        assert_eq!(std::fs::read_dir(&fs.partial).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_failed_append_takes_the_upload_back_to_where_it_was() {
        let (_home, fs) = store().await;
        let id = StageId::new("grows").unwrap();
        let mut first = fs.append(&id, 0, 100).await.unwrap();
        first.write(Bytes::from_static(b"12345")).await.unwrap();
        assert_eq!(first.keep().await.unwrap(), 5);

        let Appending { mut upload } = fs.append(&id, 5, 100).await.unwrap();
        let mut sink = upload.idle().await.unwrap();
        sink.file.write_all(b"678").unwrap();
        assert_eq!(std::fs::metadata(fs.staged_path(&id)).unwrap().len(), 8);
        assert!(matches!(sink.fail(BlobError::Full), BlobError::Full));
        assert_eq!(std::fs::read(fs.staged_path(&id)).unwrap(), b"12345");
    }

    #[tokio::test]
    async fn an_abandoned_append_takes_the_upload_back_to_where_it_was() {
        let (_home, fs) = store().await;
        let id = StageId::new("grows").unwrap();
        let mut first = fs.append(&id, 0, u64::MAX).await.unwrap();
        first.write(Bytes::from_static(b"12345")).await.unwrap();
        assert_eq!(first.keep().await.unwrap(), 5);

        let mut second = fs.append(&id, 5, u64::MAX).await.unwrap();
        second.write(Bytes::from(vec![1; BATCH_BYTES])).await.unwrap();
        second.write(Bytes::from_static(b"678")).await.unwrap();
        second.abandon().await.unwrap();
        assert_eq!(std::fs::read(fs.staged_path(&id)).unwrap(), b"12345");
    }

    #[tokio::test]
    async fn a_slow_upload_holds_neither_a_thread_nor_more_than_two_batches() {
        let (_home, fs) = store().await;
        let mut staged = fs.stage(&StageId::new("slow").unwrap(), u64::MAX).await.unwrap();
        for _ in 0..BATCH_BYTES / 1000 {
            staged.write(Bytes::from(vec![1; 1000])).await.unwrap();
            assert!(matches!(staged.upload.state, State::Idle(_)));
        }
        staged.write(Bytes::from(vec![1; 1000])).await.unwrap();
        assert!(matches!(staged.upload.state, State::Writing(_)));
        assert_eq!((staged.upload.batch.len(), staged.upload.batch_bytes), (0, 0));
    }
}
