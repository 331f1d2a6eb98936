//! Objects that arrive in parts: begun, filled in any order, put together at the end.

use md5::{Digest, Md5 as Md5Hash};
use otaru_model::{Id, Md5, Object, ObjectPart, ObjectUpload, Right, Sha256};
use serde_json::{Map, Value};

use super::error::gone;
use super::objects::{MAX_OBJECT_BYTES, Writing, check_digests, check_key, too_large};
use super::{App, Caller, Error, Expected, NewObject, Noun, objects};
use crate::blobs::{BlobReader, Placed, StageId};
use crate::store::{self, Tx};
use crate::telemetry;

/// A part as the client lists it when it asks for the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletedPart {
    pub number: u32,
    /// The part's entity tag, without quotes: its MD5.
    pub etag: String,
}

impl Writing {
    /// Makes the bytes a part, in the place of any other of its number.
    pub async fn finish_part(
        self,
        upload: &Id,
        number: u32,
        md5: Option<Md5>,
        sha256: Option<Sha256>,
    ) -> Result<ObjectPart, Error> {
        let Writing { app, caller, stage, staged } = self;
        if !(1..=10_000).contains(&number) {
            return Err(Error::invalid("part", "parts are numbered from 1 to 10,000"));
        }
        let kept = telemetry::blob("keep", staged.keep()).await.map_err(too_large)?;
        let recorded = match check_digests(&kept, md5, sha256) {
            Ok(()) => {
                let part =
                    ObjectPart { number, size_bytes: kept.size_bytes, md5: Md5(kept.md5), modified_ms: app.now_ms() };
                app.record_part(&caller, upload, part, &stage).await
            }
            Err(error) => Err(error),
        };
        match recorded {
            Ok((part, Some(replaced))) => {
                app.inner.blobs.discard(&StageId::new(replaced)?).await?;
                Ok(part)
            }
            Ok((part, None)) => Ok(part),
            Err(error) => {
                app.inner.blobs.discard(&stage).await?;
                Err(error)
            }
        }
    }
}

/// Parts whose bytes were put together. Dropped before it is finished, it leaves the upload as it was.
pub struct Composed {
    app: App,
    caller: Caller,
    upload: ObjectUpload,
    parts: Vec<(ObjectPart, String)>,
    finished: Placed,
    etag: String,
}

impl Composed {
    /// The bytes, for a look at them before they are an object.
    pub async fn bytes(&self) -> Result<BlobReader, Error> {
        Ok(self.app.inner.blobs.open_blob(&self.finished.digest).await?)
    }

    /// Makes the bytes an object; the parts go.
    pub async fn finish(self, expected: Expected) -> Result<Object, Error> {
        let Composed { app, caller, upload, parts, finished, etag } = self;
        let new = NewObject {
            bucket: upload.bucket,
            key: upload.key,
            content_type: upload.content_type,
            extra: upload.extra,
            md5: None,
            sha256: None,
            expected,
        };
        let object = app.record_object(&caller, new, finished, etag).await?;
        app.end_object_upload(&upload.id, parts).await?;
        Ok(object)
    }
}

impl App {
    pub async fn begin_object_upload(
        &self,
        caller: &Caller,
        bucket: &str,
        key: &str,
        content_type: Option<String>,
        extra: Map<String, Value>,
    ) -> Result<ObjectUpload, Error> {
        caller.require(Right::Publish)?;
        check_key(key)?;
        let upload = ObjectUpload {
            id: self.new_id(),
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            content_type,
            extra,
            created_ms: self.now_ms(),
        };
        let (tenant, record) = (caller.tenant, upload.clone());
        self.write(caller, "begin_object_upload", move |tx| {
            Box::pin(async move {
                objects::bucket_of(tx, &tenant, &record.bucket).await?;
                let begun = store::objects::begin_upload(tx, &tenant, &record).await;
                begun.map_err(gone(Noun::Bucket, &record.bucket))
            })
        })
        .await?;
        Ok(upload)
    }

    /// The upload of that id, if it is the caller's and of that object.
    pub async fn show_object_upload(
        &self,
        caller: &Caller,
        id: &Id,
        bucket: &str,
        key: &str,
    ) -> Result<(ObjectUpload, Vec<ObjectPart>), Error> {
        caller.require(Right::Publish)?;
        let (tenant, id) = (caller.tenant, *id);
        let (upload, parts) =
            self.read("show_object_upload", |tx| Box::pin(async move { upload_of(tx, &tenant, &id).await })).await?;
        if upload.bucket != bucket || upload.key != key {
            return Err(Error::not_found(Noun::Upload, id));
        }
        Ok((upload, parts.into_iter().map(|(part, _)| part).collect()))
    }

    /// The uploads that are under way in a bucket, by key.
    pub async fn list_object_uploads(&self, caller: &Caller, bucket: &str) -> Result<Vec<ObjectUpload>, Error> {
        caller.require(Right::Read)?;
        let (tenant, bucket) = (caller.tenant, bucket.to_owned());
        self.read("list_object_uploads", |tx| {
            Box::pin(async move {
                objects::bucket_of(tx, &tenant, &bucket).await?;
                Ok(store::objects::uploads(tx, &tenant, &bucket).await?)
            })
        })
        .await
    }

    /// Puts the listed parts together, in the place of any other object of that key.
    pub async fn complete_object_upload(
        &self,
        caller: &Caller,
        id: &Id,
        listed: Vec<CompletedPart>,
    ) -> Result<Object, Error> {
        self.compose_object_upload(caller, id, listed).await?.finish(Expected::Anything).await
    }

    /// Puts the bytes of the listed parts together, hashed off the runtime. Nothing is an object and no part goes before
    /// [`Composed::finish`].
    pub async fn compose_object_upload(
        &self,
        caller: &Caller,
        id: &Id,
        listed: Vec<CompletedPart>,
    ) -> Result<Composed, Error> {
        caller.require(Right::Publish)?;
        let (tenant, upload_id) = (caller.tenant, *id);
        let (upload, parts) = self
            .read("compose_object_upload", |tx| Box::pin(async move { upload_of(tx, &tenant, &upload_id).await }))
            .await?;
        let chosen = choose(&parts, &listed)?;
        let etag = etag_of(&chosen);
        let stages = chosen.iter().map(|(_, stage)| StageId::new(stage)).collect::<Result<Vec<_>, _>>()?;
        let finished = self.inner.blobs.compose(&stages, MAX_OBJECT_BYTES).await.map_err(too_large)?;
        Ok(Composed { app: self.clone(), caller: caller.clone(), upload, parts, finished, etag })
    }

    pub async fn abort_object_upload(&self, caller: &Caller, id: &Id) -> Result<(), Error> {
        caller.require(Right::Publish)?;
        let (tenant, upload_id) = (caller.tenant, *id);
        let (_, parts) = self
            .read("abort_object_upload", |tx| Box::pin(async move { upload_of(tx, &tenant, &upload_id).await }))
            .await?;
        self.end_object_upload(&upload_id, parts).await
    }

    pub(super) async fn end_object_upload(&self, id: &Id, parts: Vec<(ObjectPart, String)>) -> Result<(), Error> {
        let id = *id;
        self.write_own("end_object_upload", move |tx| {
            Box::pin(async move { Ok::<_, Error>(store::objects::end_upload(tx, &id).await?) })
        })
        .await?;
        for (_, stage) in parts {
            self.inner.blobs.discard(&StageId::new(stage)?).await?;
        }
        Ok(())
    }

    async fn record_part(
        &self,
        caller: &Caller,
        upload: &Id,
        part: ObjectPart,
        stage: &StageId,
    ) -> Result<(ObjectPart, Option<String>), Error> {
        let (tenant, upload, stage) = (caller.tenant, *upload, stage.as_str().to_owned());
        self.write(caller, "record_part", move |tx| {
            Box::pin(async move {
                let found = store::objects::upload(tx, &tenant, &upload).await?;
                found.ok_or_else(|| Error::not_found(Noun::Upload, upload))?;
                let replaced = store::objects::put_part(tx, &upload, &part, &stage).await;
                let replaced = replaced.map_err(gone(Noun::Upload, upload))?;
                Ok((part, replaced))
            })
        })
        .await
    }
}

async fn upload_of(tx: &mut Tx<'_>, tenant: &Id, id: &Id) -> Result<(ObjectUpload, Vec<(ObjectPart, String)>), Error> {
    let found = store::objects::upload(tx, tenant, id).await?;
    let upload = found.ok_or_else(|| Error::not_found(Noun::Upload, id))?;
    Ok((upload, store::objects::parts(tx, id).await?))
}

/// The listed parts as they are stored, in ascending order and each with its stage.
fn choose(parts: &[(ObjectPart, String)], listed: &[CompletedPart]) -> Result<Vec<(ObjectPart, String)>, Error> {
    if listed.is_empty() {
        return Err(Error::invalid("parts", "at least one part is listed"));
    }
    if !listed.windows(2).all(|pair| pair[0].number < pair[1].number) {
        return Err(Error::invalid("order", "parts are listed in ascending order"));
    }
    let stored = |wanted: &CompletedPart| {
        let found = parts.binary_search_by_key(&wanted.number, |(part, _)| part.number).ok().map(|at| &parts[at]);
        found
            .filter(|(part, _)| part.md5.to_string().eq_ignore_ascii_case(wanted.etag.trim_matches('"')))
            .cloned()
            .ok_or_else(|| Error::not_found(Noun::Part, wanted.number))
    };
    listed.iter().map(stored).collect()
}

/// The MD5 of the parts' MD5s, and how many they are.
fn etag_of(parts: &[(ObjectPart, String)]) -> String {
    let mut hash = Md5Hash::new();
    for (part, _) in parts {
        hash.update(part.md5.as_bytes());
    }
    format!("{}-{}", hex::encode(hash.finalize()), parts.len())
}
