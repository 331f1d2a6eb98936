//! What is there, and taking it away.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use super::{Fs, millis, off_runtime, remove};
use crate::blobs::{BlobError, Collecting, Digest, StageId, StagedUpload, StoredBlob};

impl Fs {
    pub(in crate::blobs) async fn discard(self: &Arc<Fs>, id: &StageId) -> Result<bool, BlobError> {
        let (fs, id) = (Arc::clone(self), id.clone());
        off_runtime(move || Ok(remove(&fs.staged_path(&id))?)).await
    }

    pub(in crate::blobs) async fn list_staged(self: &Arc<Fs>) -> Result<Vec<StagedUpload>, BlobError> {
        let fs = Arc::clone(self);
        off_runtime(move || {
            let mut uploads = Vec::new();
            for name in names(&fs.staging)? {
                // The directory of partial uploads is no upload: its name has a dot.
                let Ok(id) = StageId::new(name) else { continue };
                let Some(meta) = metadata(&fs.staged_path(&id))? else { continue };
                let modified_ms = millis(meta.mtime(), meta.mtime_nsec());
                uploads.push(StagedUpload { id, size_bytes: meta.len(), modified_ms });
            }
            Ok(uploads)
        })
        .await
    }

    pub(in crate::blobs) async fn delete_if_older(
        self: &Arc<Fs>,
        collecting: Collecting,
        before_ms: i64,
    ) -> Result<bool, BlobError> {
        let fs = Arc::clone(self);
        off_runtime(move || {
            let path = fs.object_path(collecting.digest());
            let _placing = fs.placing();
            match metadata(&path)? {
                Some(meta) if stored_ms(&meta) < before_ms && collecting.is_free() => Ok(remove(&path)?),
                _ => Ok(false),
            }
        })
        .await
    }

    pub(in crate::blobs) async fn list(
        self: &Arc<Fs>,
        after: Option<Digest>,
        limit: usize,
    ) -> Result<Vec<StoredBlob>, BlobError> {
        let fs = Arc::clone(self);
        off_runtime(move || fs.list_blocking(after, limit)).await
    }

    fn list_blocking(&self, after: Option<Digest>, limit: usize) -> Result<Vec<StoredBlob>, BlobError> {
        let after = after.map(|digest| digest.to_hex()).unwrap_or_default();
        let mut found = Vec::new();
        // Names in hex sort as the digests do, so whole directories before the cursor are passed by.
        for outer in hex_pairs(&self.objects)?.filter(|outer| outer.as_str() >= prefix(&after, 2)) {
            for inner in hex_pairs(&self.objects.join(&outer))? {
                if format!("{outer}{inner}").as_str() < prefix(&after, 4) {
                    continue;
                }
                let directory = self.objects.join(&outer).join(inner);
                for name in names(&directory)?.into_iter().filter(|name| *name > after) {
                    if found.len() == limit {
                        return Ok(found);
                    }
                    let Ok(digest) = name.parse::<Digest>() else { continue };
                    let Some(meta) = metadata(&directory.join(&name))? else { continue };
                    found.push(StoredBlob { digest, size_bytes: meta.len(), stored_ms: stored_ms(&meta) });
                }
            }
        }
        Ok(found)
    }
}

/// When a file got its name: the change time, because renaming and linking set it and the modification time only says when
/// the upload last grew.
fn stored_ms(meta: &fs::Metadata) -> i64 {
    millis(meta.ctime(), meta.ctime_nsec())
}

fn prefix(text: &str, length: usize) -> &str {
    text.get(..length).unwrap_or(text)
}

/// The names in a directory, sorted. Names that are not text are none of ours.
fn names(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        names.extend(entry?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

/// The directories that blobs are in, sorted.
fn hex_pairs(directory: &Path) -> io::Result<impl Iterator<Item = String>> {
    Ok(names(directory)?.into_iter().filter(|name| name.len() == 2 && name.bytes().all(|c| c.is_ascii_hexdigit())))
}

/// Of a file that may be gone since its name was read.
fn metadata(path: &Path) -> io::Result<Option<fs::Metadata>> {
    match fs::metadata(path) {
        Ok(meta) => Ok(Some(meta)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
