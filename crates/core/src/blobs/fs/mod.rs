//! Blobs in a directory of this machine.
//!
//! ```text
//! objects/ab/cd/abcd…   blobs, by the hex digits of their SHA-256
//! staging/<id>          uploads that somebody may continue
//! staging/.partial/…    uploads in one go, while they run
//! ```
//!
//! A blob appears by renaming a synced file; its directory is synced before that is acknowledged. Locks on files
//! (`flock`) tell what is in use, because they end with the process that held them.

mod collect;
mod complete;
mod read;
mod upload;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub use read::BlobReader;
pub use upload::{Appending, Staged};

use super::{BlobError, Digest, Space, off_runtime};

/// Uploads never use the last of a disk: whatever else lives on it (the database, above all) has to keep working. A twentieth
/// is kept free of a small one, 64 MiB of others.
fn reserve_bytes(total_bytes: u64) -> u64 {
    (total_bytes / 20).min(64 << 20)
}

pub(super) struct Fs {
    objects: PathBuf,
    /// Held open so that a blob is looked up from here and not from the root of the file system.
    objects_dir: File,
    staging: PathBuf,
    partial: PathBuf,
    /// Chosen at random when the store is opened: with it no two names of partial uploads are alike, whichever process,
    /// container or instance makes them.
    token: String,
    next_partial: AtomicU64,
    /// Taken for putting a blob in its place and for deleting one, so that a collector which saw an old blob cannot delete
    /// the new one of the same name.
    placing: Mutex<()>,
}

impl Fs {
    pub(super) async fn open(root: PathBuf) -> Result<Fs, BlobError> {
        off_runtime(move || Fs::open_blocking(&root)).await
    }

    fn open_blocking(root: &Path) -> Result<Fs, BlobError> {
        let objects = root.join("objects");
        let staging = root.join("staging");
        let partial = staging.join(".partial");
        let created: Vec<&Path> = root.ancestors().take_while(|path| !path.exists()).collect();
        fs::create_dir_all(&objects)?;
        fs::create_dir_all(&partial)?;
        sync_dir(&staging)?;
        sync_dir(root)?;
        for parent in created.into_iter().filter_map(Path::parent) {
            sync_dir(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })?;
        }
        let mut token = [0; 8];
        getrandom::fill(&mut token).map_err(io::Error::from)?;
        let store = Fs {
            objects_dir: File::open(&objects)?,
            objects,
            staging,
            partial,
            token: hex::encode(token),
            next_partial: AtomicU64::new(0),
            placing: Mutex::new(()),
        };
        store.sweep()?;
        Ok(store)
    }

    /// Removes what uploads in one go left behind when their process was killed. Those of a living process are locked.
    fn sweep(&self) -> Result<(), BlobError> {
        for entry in fs::read_dir(&self.partial)? {
            let path = entry?.path();
            let leftover = match OpenOptions::new().write(true).open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error.into()),
            };
            if leftover.try_lock().is_ok() {
                remove(&path)?;
            }
        }
        Ok(())
    }

    /// A new locked file for an upload in one go.
    fn create_partial(&self, label: &str) -> Result<(Partial, File), BlobError> {
        loop {
            let path = self.partial_path(label);
            let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).map_err(|error| {
                // What is missing is a directory of the store itself.
                if error.kind() == io::ErrorKind::NotFound { BlobError::Unavailable(error) } else { error.into() }
            })?;
            let partial = Partial { path };
            match try_lock(&file) {
                Ok(()) if file.metadata()?.nlink() == 1 => return Ok((partial, file)),
                // A process that opens the same store just now took it for a leftover.
                Ok(()) | Err(BlobError::Busy) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A path that was never used before.
    fn partial_path(&self, label: &str) -> PathBuf {
        let number = self.next_partial.fetch_add(1, Ordering::Relaxed);
        self.partial.join(format!("{label}.{}-{number}", self.token))
    }

    fn object_path(&self, digest: &Digest) -> PathBuf {
        self.objects.join(object_name(digest))
    }

    /// Makes a synced file the blob of this name. A blob that is there already is replaced by its equal: that mends a
    /// damaged one, and its new change time keeps collectors away from it.
    fn place(&self, from: &Path, digest: &Digest) -> Result<(), BlobError> {
        let [first, second, ..] = digest.0;
        let outer = self.objects.join(hex::encode([first]));
        let inner = outer.join(hex::encode([second]));
        {
            // Directories are made and synced under the lock as well: whoever finds one made may rely on it.
            let _placing = self.placing.lock().unwrap_or_else(PoisonError::into_inner);
            make_dir(&outer, &self.objects)?;
            make_dir(&inner, &outer)?;
            fs::rename(from, self.object_path(digest))?;
        }
        sync_dir(&inner)?;
        Ok(())
    }

    /// Refuses `more_bytes` that would use up the reserve.
    fn check_room(&self, more_bytes: u64) -> Result<(), BlobError> {
        let space = self.space_blocking()?;
        if space.total_bytes != 0 && more_bytes > space.available_bytes { Err(BlobError::Full) } else { Ok(()) }
    }

    fn space_blocking(&self) -> Result<Space, BlobError> {
        let stat = rustix::fs::fstatvfs(&self.objects_dir).map_err(io::Error::from)?;
        let total_bytes = stat.f_blocks.saturating_mul(stat.f_frsize);
        let free_bytes = stat.f_bavail.saturating_mul(stat.f_frsize);
        Ok(Space { total_bytes, available_bytes: free_bytes.saturating_sub(reserve_bytes(total_bytes)) })
    }

    pub(super) async fn space(self: &Arc<Fs>) -> Result<Space, BlobError> {
        let fs = Arc::clone(self);
        off_runtime(move || fs.space_blocking()).await
    }

    pub(super) async fn probe(self: &Arc<Fs>) -> Result<(), BlobError> {
        const WRITTEN: &[u8] = b"can bytes be written here?";
        let fs = Arc::clone(self);
        off_runtime(move || {
            fs.check_room(WRITTEN.len() as u64)?;
            let (_partial, mut file) = fs.create_partial("probe")?;
            file.write_all(WRITTEN)?;
            file.sync_data()?;
            file.rewind()?;
            let mut read = Vec::new();
            file.read_to_end(&mut read)?;
            if read == WRITTEN { Ok(()) } else { Err(BlobError::Corrupt) }
        })
        .await
    }
}

/// The name of a file that goes away unless it was renamed to something lasting. Its names are never used twice, so that
/// removing one that is gone already cannot hit another upload.
struct Partial {
    path: PathBuf,
}

impl Partial {
    fn remove(&self) {
        if let Err(error) = remove(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a partial upload could not be removed");
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Where a blob is, below `objects`.
fn object_name(digest: &Digest) -> String {
    let hex = digest.to_hex();
    format!("{}/{}/{hex}", &hex[..2], &hex[2..4])
}

fn make_dir(path: &Path, parent: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Ok(()) => sync_dir(parent),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// A name is durable once its directory is synced.
fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Removes a file; false if there is none.
fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn try_lock(file: &File) -> Result<(), BlobError> {
    file.try_lock().map_err(lock_error)
}

fn lock_error(error: TryLockError) -> BlobError {
    match error {
        TryLockError::WouldBlock => BlobError::Busy,
        TryLockError::Error(error) => BlobError::Unavailable(error),
    }
}

fn millis(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1000).saturating_add(nanoseconds / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_suits_the_disk() {
        assert_eq!(reserve_bytes(0), 0);
        assert_eq!(reserve_bytes(64 << 10), 3276);
        assert_eq!(reserve_bytes(1 << 30), (1 << 30) / 20);
        assert_eq!(reserve_bytes(1 << 40), 64 << 20);
    }

    #[tokio::test]
    async fn what_would_use_up_the_disk_is_refused_before_it_is_written() {
        let home = tempfile::tempdir().unwrap();
        let fs = Fs::open(home.path().to_owned()).await.unwrap();
        let space = fs.space_blocking().unwrap();
        assert!(space.available_bytes < space.total_bytes);
        fs.check_room(space.available_bytes / 2).unwrap();
        assert!(matches!(fs.check_room(space.total_bytes), Err(BlobError::Full)));
    }
}
