//! From staged uploads to a blob, and from a blob to the proof that it is one: what reads whole files, off the runtime.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::{Fs, Partial, lock_error, off_runtime, sync_dir};
use crate::blobs::digest::Pass;
use crate::blobs::{BlobError, Digest, Placed, StageId};

const READ_BYTES: usize = 1 << 20;

impl Fs {
    pub(in crate::blobs) async fn compose(
        self: &Arc<Fs>,
        parts: &[StageId],
        limit_bytes: u64,
    ) -> Result<Placed, BlobError> {
        let (fs, parts) = (Arc::clone(self), parts.to_vec());
        off_runtime(move || fs.compose_blocking(&parts, limit_bytes)).await
    }

    fn compose_blocking(&self, parts: &[StageId], limit_bytes: u64) -> Result<Placed, BlobError> {
        let mut total_bytes = 0u64;
        for part in parts {
            total_bytes = total_bytes.saturating_add(fs::metadata(self.staged_path(part))?.len());
        }
        if total_bytes > limit_bytes {
            return Err(BlobError::TooLarge);
        }
        if let [part] = parts
            && let Some(placed) = self.link(part)?
        {
            return Ok(placed);
        }

        self.check_room(total_bytes)?;
        let (partial, mut whole) = self.create_partial("compose")?;
        let mut pass = Pass::default();
        for part in parts {
            let mut part = self.open_staged(part)?;
            read_all(&mut part, |bytes| {
                pass.update(bytes);
                whole.write_all(bytes)
            })?;
        }
        whole.sync_data()?;
        let finished = pass.finish();
        let hold = self.place(&partial.path, &finished.digest)?;
        Ok(Placed::new(finished, hold))
    }

    /// Makes a blob of one upload by giving its file a second name; `None` where the file system has no such thing.
    /// [`Fs::append`] leaves files with two names alone.
    fn link(&self, part: &StageId) -> Result<Option<Placed>, BlobError> {
        let mut file = self.open_staged(part)?;
        let path = self.partial_path("compose");
        match fs::hard_link(self.staged_path(part), &path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(BlobError::NotFound),
            Err(_) => return Ok(None),
        }
        let second_name = Partial { path };
        file.sync_data()?;
        let mut pass = Pass::default();
        read_all(&mut file, |bytes| {
            pass.update(bytes);
            Ok(())
        })?;
        let finished = pass.finish();
        // If this very file is the blob already, renaming does nothing, and the second name goes when it is dropped.
        let hold = self.place(&second_name.path, &finished.digest)?;
        Ok(Some(Placed::new(finished, hold)))
    }

    pub(in crate::blobs) async fn staged_len(self: &Arc<Fs>, id: &StageId) -> Result<u64, BlobError> {
        let (fs, id) = (Arc::clone(self), id.clone());
        off_runtime(move || {
            let file = File::open(fs.staged_path(&id))?;
            let len_bytes = file.metadata()?.len();
            file.sync_data()?;
            sync_dir(&fs.staging)?;
            Ok(len_bytes)
        })
        .await
    }

    /// A staged upload to read from. As long as it is open nobody appends to it.
    fn open_staged(&self, id: &StageId) -> Result<File, BlobError> {
        let file = File::open(self.staged_path(id))?;
        file.try_lock_shared().map_err(lock_error)?;
        Ok(file)
    }

    pub(in crate::blobs) async fn verify(self: &Arc<Fs>, digest: &Digest) -> Result<bool, BlobError> {
        let (fs, digest) = (Arc::clone(self), *digest);
        off_runtime(move || {
            let mut file = File::open(fs.object_path(&digest))?;
            // Its name is all a blob has to match, and the MD5 would take most of the time.
            let mut sha256 = Sha256::new();
            read_all(&mut file, |bytes| {
                sha256.update(bytes);
                Ok(())
            })?;
            Ok(Digest(sha256.finalize().into()) == digest)
        })
        .await
    }
}

fn read_all(file: &mut File, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> Result<(), BlobError> {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => each(&buffer[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}
