//! An upload that grows, maybe through another copy of the server each time.
//!
//! Each append puts numbered pieces behind those that are there; whoever continues lists them. Two copies that append at the
//! same place at the same time both succeed, and the longer piece counts: their client sends the same file twice. Within one
//! copy the second is refused as busy, which is what a client that comes back too early meets.

use std::mem;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use opendal::Buffer;
use tokio::task::JoinHandle;

use super::error::writing;
use super::upload::part_bytes;
use super::{Bucket, time_of};
use crate::blobs::{BlobError, StageId};

/// A growing upload. Dropped before [`Appending::keep`] it keeps the pieces that were sent by then.
pub struct Appending {
    bucket: Arc<Bucket>,
    growth: Arc<Growth>,
    /// Where its pieces go.
    folder: String,
    /// The pieces of this append.
    sent: Vec<String>,
    sending: Option<JoinHandle<Result<(), BlobError>>>,
    piece: Vec<Bytes>,
    gathered_bytes: u64,
    taken_bytes: u64,
    limit_bytes: u64,
    is_over: bool,
}

/// Somebody of this copy is appending. It ends with the last request to the store, not with the request from the client.
struct Growth {
    bucket: Arc<Bucket>,
    id: StageId,
}

impl Drop for Growth {
    fn drop(&mut self) {
        self.bucket.growing.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

impl Appending {
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        if self.is_over {
            return Err(failed_before());
        }
        if self.limit_bytes.saturating_sub(self.taken_bytes) < bytes.len() as u64 {
            self.take_back().await?;
            return Err(BlobError::TooLarge);
        }
        if bytes.is_empty() {
            return Ok(());
        }
        self.taken_bytes += bytes.len() as u64;
        self.gathered_bytes += bytes.len() as u64;
        self.piece.push(bytes);
        if self.gathered_bytes >= part_bytes(self.taken_bytes) as u64 {
            self.send().await?;
        }
        Ok(())
    }

    pub fn size_bytes(&self) -> u64 {
        self.taken_bytes
    }

    pub async fn keep(mut self) -> Result<u64, BlobError> {
        if self.is_over {
            return Err(failed_before());
        }
        if !self.piece.is_empty() {
            self.send().await?;
        }
        self.settle().await?;
        match self.bucket.staged(&self.growth.id).await? {
            Some(staged) if staged.folder == self.folder => Ok(staged.size_bytes()),
            _ => {
                // It was discarded meanwhile, or replaced.
                self.take_back().await?;
                Err(BlobError::NotFound)
            }
        }
    }

    pub async fn abandon(mut self) -> Result<(), BlobError> {
        self.take_back().await
    }

    /// Sends what was gathered once the piece before it is there.
    async fn send(&mut self) -> Result<(), BlobError> {
        self.settle().await?;
        let offset = self.taken_bytes - self.gathered_bytes;
        let key = format!("{}{offset:016x}-{}", self.folder, self.bucket.fresh_name());
        let piece = Buffer::from(mem::take(&mut self.piece));
        self.gathered_bytes = 0;
        self.sent.push(key.clone());
        let growth = Arc::clone(&self.growth);
        self.sending =
            Some(tokio::spawn(
                async move { growth.bucket.operator.write(&key, piece).await.map(drop).map_err(writing) },
            ));
        Ok(())
    }

    /// Waits for the piece that is on its way. After a failure the upload is what it was before this append.
    async fn settle(&mut self) -> Result<(), BlobError> {
        let Some(sending) = &mut self.sending else { return Ok(()) };
        let sent = sending.await.unwrap_or_else(|error| Err(BlobError::Unavailable(std::io::Error::other(error))));
        self.sending = None;
        if sent.is_err()
            && let Err(error) = self.take_back().await
        {
            tracing::warn!(%error, "a failed append could not be taken back");
        }
        sent
    }

    async fn take_back(&mut self) -> Result<(), BlobError> {
        self.is_over = true;
        self.piece.clear();
        if let Some(sending) = self.sending.take() {
            let _ = sending.await;
        }
        self.bucket.remove_all(mem::take(&mut self.sent)).await
    }
}

/// An upload that waits: its pieces in order, each with its length.
pub(super) struct Staging {
    /// Its folder, with a slash at the end.
    pub(super) folder: String,
    pub(super) pieces: Vec<(String, u64)>,
    pub(super) modified_ms: i64,
}

impl Staging {
    pub(super) fn size_bytes(&self) -> u64 {
        self.pieces.iter().map(|(_, size_bytes)| size_bytes).sum()
    }

    /// The newest of what lies below the folder of one id; `None` if none of it was begun, or all of it is discarded.
    pub(super) fn read(files: &[(String, u64)]) -> Option<Staging> {
        let newest = files.iter().filter_map(|(key, _)| begun(key)).max()?;
        let of_it = || files.iter().filter_map(|(key, size)| Some((key, key.strip_prefix(newest)?, *size)));
        let mut modified_ms = time_of(newest.trim_end_matches('/').rsplit('/').next()?)?;
        let mut pieces = Vec::new();
        let mut length = 0;
        for (key, _, size_bytes) in of_it().filter(|(_, name, _)| *name == "whole") {
            pieces.push((key.clone(), size_bytes));
            length += size_bytes;
        }
        let mut behind: Vec<(u64, u64, i64, &String)> = of_it()
            .filter_map(|(key, name, size_bytes)| {
                let (offset, name) = name.split_once('-')?;
                Some((u64::from_str_radix(offset, 16).ok()?, size_bytes, time_of(name)?, key))
            })
            .collect();
        // Of pieces that begin at the same byte the longest is the last.
        behind.sort_unstable();
        while let Some((_, size_bytes, named_ms, key)) =
            behind.iter().rfind(|(offset, size_bytes, ..)| *offset == length && *size_bytes > 0)
        {
            pieces.push(((*key).clone(), *size_bytes));
            length += size_bytes;
            modified_ms = modified_ms.max(*named_ms);
        }
        Some(Staging { folder: newest.to_owned(), pieces, modified_ms })
    }
}

/// The folder of an upload that was begun in this way or kept whole.
fn begun(key: &str) -> Option<&str> {
    let folder = key.strip_suffix("begun").or_else(|| key.strip_suffix("whole"))?;
    folder.ends_with('/').then_some(folder)
}

impl Bucket {
    pub(in crate::blobs) async fn append(
        self: &Arc<Bucket>,
        id: &StageId,
        offset_bytes: u64,
        limit_bytes: u64,
    ) -> Result<Appending, BlobError> {
        if offset_bytes > limit_bytes {
            return Err(BlobError::TooLarge);
        }
        let growth = self.grow(id)?;
        let folder = match self.staged(id).await? {
            Some(staged) if staged.size_bytes() == offset_bytes => staged.folder,
            Some(staged) => return Err(BlobError::OutOfStep { len_bytes: staged.size_bytes() }),
            None if offset_bytes > 0 => return Err(BlobError::NotFound),
            None => {
                let folder = format!("staging/{id}/{}/", self.fresh_name());
                self.operator.write(&format!("{folder}begun"), Buffer::new()).await.map_err(writing)?;
                folder
            }
        };
        Ok(Appending {
            bucket: Arc::clone(self),
            growth,
            folder,
            sent: Vec::new(),
            sending: None,
            piece: Vec::new(),
            gathered_bytes: 0,
            taken_bytes: offset_bytes,
            limit_bytes,
            is_over: false,
        })
    }

    fn grow(self: &Arc<Bucket>, id: &StageId) -> Result<Arc<Growth>, BlobError> {
        if self.growing.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone()) {
            Ok(Arc::new(Growth { bucket: Arc::clone(self), id: id.clone() }))
        } else {
            Err(BlobError::Busy)
        }
    }

    pub(super) fn is_growing(&self, id: &StageId) -> bool {
        self.growing.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    /// What waits under an id.
    pub(super) async fn staged(&self, id: &StageId) -> Result<Option<Staging>, BlobError> {
        let files = self.files(&format!("staging/{id}/")).await?;
        let files: Vec<_> = files.into_iter().map(|(key, meta)| (key, meta.content_length())).collect();
        Ok(Staging::read(&files))
    }
}

fn failed_before() -> BlobError {
    BlobError::Unavailable(std::io::Error::other("this upload has failed before"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "staging/u/0000000003e8-AAAA/";
    const B: &str = "staging/u/0000000003e9-AAAA/";

    fn read(files: &[(&str, &str, u64)]) -> Option<(Vec<String>, u64, i64)> {
        let files: Vec<_> = files.iter().map(|(folder, name, size)| (format!("{folder}{name}"), *size)).collect();
        let staging = Staging::read(&files)?;
        let size_bytes = staging.size_bytes();
        let names = staging.pieces.into_iter().map(|(key, _)| key.strip_prefix(&staging.folder).unwrap().to_owned());
        Some((names.collect(), size_bytes, staging.modified_ms))
    }

    const P0: &str = "0000000000000000-0000000003e8-x";
    const P0_AGAIN: &str = "0000000000000000-0000000003ea-y";
    const P5: &str = "0000000000000005-0000000003eb-x";
    const P9: &str = "0000000000000009-0000000003ec-x";

    #[test]
    fn pieces_follow_one_another_from_the_first_byte() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(read(&[(A, "begun", 0)]), Some((names(&[]), 0, 1000)));
        assert_eq!(read(&[(A, "begun", 0), (A, P5, 4), (A, P0, 5)]), Some((names(&[P0, P5]), 9, 1003)));
        assert_eq!(read(&[(A, "begun", 0), (A, P0, 5), (A, P9, 1)]), Some((names(&[P0]), 5, 1000)), "a gap");
        assert_eq!(read(&[(A, "whole", 5), (A, P5, 4)]), Some((names(&["whole", P5]), 9, 1003)));
        assert_eq!(read(&[(A, "begun", 0), (B, "whole", 3), (A, P0, 5)]), Some((names(&["whole"]), 3, 1001)), "newer");
    }

    #[test]
    fn of_two_appends_at_the_same_byte_the_longer_counts() {
        for sizes in [(5, 9), (9, 5)] {
            let seen = read(&[(A, "begun", 0), (A, P0, sizes.0), (A, P0_AGAIN, sizes.1), (A, P9, 1)]);
            assert_eq!(seen.map(|(_, size_bytes, _)| size_bytes), Some(10), "{sizes:?}");
        }
    }

    #[test]
    fn what_comes_in_after_a_discard_is_no_upload() {
        assert_eq!(read(&[(A, P0, 5)]), None);
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[("staging/u/", "begun", 0)]), None, "not one of our names");
    }
}
