//! The blob room as the verbs call it: each call is timed under its name. What is not listed here goes through untimed.

use std::ops::Deref;

use crate::blobs::{
    Appending, BlobError, BlobReader, Blobs, Collecting, Digest, Placed, Space, StageId, Staged, StagedUpload,
    StoredBlob,
};
use crate::telemetry::blob;

pub(super) struct TimedBlobs(pub(super) Blobs);

impl Deref for TimedBlobs {
    type Target = Blobs;

    fn deref(&self) -> &Blobs {
        &self.0
    }
}

macro_rules! timed {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)+) => {
        impl TimedBlobs {
            $(pub(super) async fn $name(&self, $($argument: $type),*) -> Result<$answer, BlobError> {
                blob(stringify!($name), self.0.$name($($argument),*)).await
            })+
        }
    };
}

timed! {
    stage(id: &StageId, limit_bytes: u64) -> Staged;
    append(id: &StageId, offset_bytes: u64, limit_bytes: u64) -> Appending;
    compose(parts: &[StageId], limit_bytes: u64) -> Placed;
    staged_len(id: &StageId) -> u64;
    list_staged() -> Vec<StagedUpload>;
    discard(id: &StageId) -> bool;
    open_blob(digest: &Digest) -> BlobReader;
    verify(digest: &Digest) -> bool;
    delete_unreferenced(collecting: Collecting, before_ms: i64) -> bool;
    list(after: Option<&Digest>, limit: usize) -> Vec<StoredBlob>;
    space() -> Space;
    probe() -> ();
}
