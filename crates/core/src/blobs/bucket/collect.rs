//! What is there, and taking it away.

use std::collections::BTreeMap;

use futures::TryStreamExt;

use super::append::Staging;
use super::error::{listing, reading, writing};
use super::{Bucket, place_of};
use crate::blobs::{BlobError, Digest, Space, StageId, StagedUpload, StoredBlob};

/// An object store is as large as one pays for. The number stays exact in every reader of JSON.
const ENDLESS_BYTES: u64 = 1 << 53;

impl Bucket {
    pub(in crate::blobs) async fn discard(&self, id: &StageId) -> Result<bool, BlobError> {
        let files = self.files(&format!("staging/{id}/")).await?;
        let keys: Vec<String> = files.into_iter().map(|(key, _)| key).collect();
        let was_there = !keys.is_empty();
        self.remove_all(keys).await?;
        Ok(was_there)
    }

    pub(in crate::blobs) async fn list_staged(&self) -> Result<Vec<StagedUpload>, BlobError> {
        let mut by_id: BTreeMap<StageId, Vec<(String, u64)>> = BTreeMap::new();
        for (key, meta) in self.files("staging/").await? {
            let id = key.strip_prefix("staging/").and_then(|rest| rest.split_once('/'));
            let Some(id) = id.and_then(|(id, _)| StageId::new(id).ok()) else { continue };
            by_id.entry(id).or_default().push((key, meta.content_length()));
        }
        let uploads = by_id.into_iter().map(|(id, files)| match Staging::read(&files) {
            Some(staging) => StagedUpload { id, size_bytes: staging.size_bytes(), modified_ms: staging.modified_ms },
            // Pieces that came in after their upload was discarded.
            None => StagedUpload { id, size_bytes: 0, modified_ms: 0 },
        });
        Ok(uploads.collect())
    }

    /// What is deleted is the objects that were found old, each by a key that nobody will ever write again.
    pub(in crate::blobs) async fn delete_if_older(&self, digest: &Digest, before_ms: i64) -> Result<bool, BlobError> {
        let places = self.places(digest).await?;
        if places.is_empty() || places.iter().any(|place| place.named_ms >= before_ms) {
            return Ok(false);
        }
        for place in &places {
            // Putting a very large upload together takes a while after its object was named.
            let meta = match self.operator.stat(&place.key).await.map_err(reading) {
                Err(BlobError::NotFound) => continue,
                other => other?,
            };
            let written_ms = meta.last_modified().map(|at| at.into_inner().as_millisecond());
            if before_ms != i64::MAX && written_ms.is_some_and(|written_ms| written_ms >= before_ms) {
                return Ok(false);
            }
        }
        self.known.remove(digest);
        self.remove_all(places.iter().map(|place| place.key.to_string()).collect()).await?;
        Ok(true)
    }

    pub(in crate::blobs) async fn list(
        &self,
        after: Option<Digest>,
        limit: usize,
    ) -> Result<Vec<StoredBlob>, BlobError> {
        let after = after.map(|digest| digest.to_hex()).unwrap_or_default();
        let can_skip = self.operator.info().capability().list_with_start_after;
        let mut found: Vec<StoredBlob> = Vec::new();
        for shard in self.names("objects/").await? {
            if shard.trim_end_matches('/') < after.get(..2).unwrap_or_default() {
                continue;
            }
            let prefix = format!("objects/{shard}");
            let lister = self.operator.lister_with(&prefix).recursive(true);
            // `0` is the character behind the slash: everything of that digest is passed by.
            let behind = format!("{prefix}{after}0");
            let lister = if can_skip && !after.is_empty() { lister.start_after(&behind) } else { lister };
            let mut lister = lister.await.map_err(listing)?;
            while let Some(entry) = lister.try_next().await.map_err(listing)? {
                let Some((digest, place)) = place_of(entry.path(), entry.metadata()) else { continue };
                if digest.to_hex() <= after {
                    continue;
                }
                let blob = StoredBlob { digest, size_bytes: place.size_bytes, stored_ms: place.named_ms };
                // The newest of several objects comes last.
                if found.last().is_some_and(|last| last.digest == digest) {
                    found.pop();
                }
                if found.len() == limit {
                    return Ok(found);
                }
                found.push(blob);
            }
        }
        Ok(found)
    }

    pub(in crate::blobs) async fn space(&self) -> Result<Space, BlobError> {
        Ok(Space { total_bytes: ENDLESS_BYTES, available_bytes: ENDLESS_BYTES })
    }

    pub(in crate::blobs) async fn probe(&self) -> Result<(), BlobError> {
        let key = format!("staging/probe/{}", self.fresh_name());
        let bytes: &[u8] = b"whether uploads can work";
        self.operator.write(&key, bytes).await.map_err(writing)?;
        let read = self.operator.read(&key).await.map_err(reading)?;
        self.operator.delete(&key).await.map_err(writing)?;
        if read.to_bytes() == bytes { Ok(()) } else { Err(BlobError::Corrupt) }
    }
}
