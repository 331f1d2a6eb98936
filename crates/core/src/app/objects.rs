//! Buckets and objects: where the clouds' tools put files before a package names them.

use bytes::Bytes;
use otaru_model::{Bucket, Id, Md5, Object, Right, Sha256};
use serde_json::{Map, Value};

use super::error::gone;
use super::{App, Caller, Error, Noun};
use crate::blobs::{BlobError, BlobReader, Finished, Placed, StageId, Staged};
use crate::clock::random_text;
use crate::store::objects::KeyStart;
use crate::store::{self, Tx};
use crate::telemetry;

/// The largest object: what the clouds take, and more than any package.
pub(super) const MAX_OBJECT_BYTES: u64 = 5 << 40;

/// What is said of an object when it is put.
#[derive(Clone, Debug, Default)]
pub struct NewObject {
    pub bucket: String,
    pub key: String,
    pub content_type: Option<String>,
    pub extra: Map<String, Value>,
    /// The MD5 or SHA-256 that the bytes must have.
    pub md5: Option<Md5>,
    pub sha256: Option<Sha256>,
    pub expected: Expected,
}

/// What a key must hold for an object to be put there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Expected {
    #[default]
    Anything,
    /// No object.
    Nothing,
    /// Any object.
    Something,
    /// The object with this entity tag.
    Etag(String),
}

/// Which objects a listing is of.
#[derive(Clone, Debug, Default)]
pub struct ObjectQuery {
    pub bucket: String,
    pub prefix: String,
    /// Only keys after this one.
    pub after: String,
    /// Keys that share what comes before the next delimiter are listed as one prefix.
    pub delimiter: Option<String>,
    pub limit: usize,
}

/// A listing: objects, prefixes, and the last key or prefix if there is more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    pub objects: Vec<Object>,
    pub prefixes: Vec<String>,
    pub next_after: Option<String>,
}

/// An object and what reads its bytes.
pub struct ObjectBytes {
    pub object: Object,
    pub bytes: BlobReader,
}

/// Bytes on their way into an object or a part. Dropped before it is finished, they leave nothing.
pub struct Writing {
    pub(super) app: App,
    pub(super) caller: Caller,
    pub(super) stage: StageId,
    pub(super) staged: Staged,
}

impl Writing {
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.staged.write(bytes).await.map_err(too_large)
    }

    /// Makes the bytes an object, in the place of any other of its key.
    pub async fn finish_object(self, new: NewObject) -> Result<Object, Error> {
        let finished = telemetry::blob("finish", self.staged.finish()).await.map_err(too_large)?;
        check_digests(&finished, new.md5, new.sha256)?;
        let etag = hex::encode(finished.md5);
        self.app.record_object(&self.caller, new, finished, etag).await
    }
}

impl App {
    /// False if the caller's tenant has that bucket already.
    pub async fn create_bucket(&self, caller: &Caller, name: &str, region: &str) -> Result<bool, Error> {
        caller.require(Right::Publish)?;
        check_bucket_name(name)?;
        let bucket = Bucket { name: name.to_owned(), region: region.to_owned(), created_ms: self.now_ms() };
        let tenant = caller.tenant;
        self.write(caller, "create_bucket", move |tx| {
            Box::pin(async move { Ok(store::objects::create_bucket(tx, &tenant, &bucket).await?) })
        })
        .await
    }

    pub async fn show_bucket(&self, caller: &Caller, name: &str) -> Result<Bucket, Error> {
        caller.require(Right::Read)?;
        let (tenant, owned) = (caller.tenant, name.to_owned());
        self.read("show_bucket", |tx| Box::pin(async move { bucket_of(tx, &tenant, &owned).await })).await
    }

    pub async fn list_buckets(&self, caller: &Caller) -> Result<Vec<Bucket>, Error> {
        caller.require(Right::Read)?;
        let tenant = caller.tenant;
        self.read("list_buckets", |tx| Box::pin(async move { Ok(store::objects::buckets(tx, &tenant).await?) })).await
    }

    /// Deletes a bucket that is empty.
    pub async fn delete_bucket(&self, caller: &Caller, name: &str) -> Result<(), Error> {
        caller.require(Right::Publish)?;
        let (tenant, name) = (caller.tenant, name.to_owned());
        self.write(caller, "delete_bucket", move |tx| {
            Box::pin(async move {
                bucket_of(tx, &tenant, &name).await?;
                if !store::objects::delete_bucket(tx, &tenant, &name).await? {
                    return Err(Error::InUse { noun: Noun::Bucket, name, by: "its objects" });
                }
                Ok(())
            })
        })
        .await
    }

    /// Begins to take the bytes of an object or a part.
    pub async fn begin_writing(&self, caller: &Caller, bucket: &str) -> Result<Writing, Error> {
        caller.require(Right::Publish)?;
        self.show_bucket(caller, bucket).await?;
        let stage = StageId::new(format!("object-{}", random_text(24)))?;
        let staged = self.inner.blobs.stage(&stage, MAX_OBJECT_BYTES).await?;
        Ok(Writing { app: self.clone(), caller: caller.clone(), stage, staged })
    }

    pub async fn show_object(&self, caller: &Caller, bucket: &str, key: &str) -> Result<Object, Error> {
        caller.require(Right::Read)?;
        let (tenant, bucket, key) = (caller.tenant, bucket.to_owned(), key.to_owned());
        self.read("show_object", |tx| Box::pin(async move { object_of(tx, &tenant, &bucket, &key).await })).await
    }

    pub async fn open_object(&self, caller: &Caller, bucket: &str, key: &str) -> Result<ObjectBytes, Error> {
        let object = self.show_object(caller, bucket, key).await?;
        let bytes = self.inner.blobs.open_blob(&object.sha256.into()).await?;
        Ok(ObjectBytes { object, bytes })
    }

    /// Puts the bytes of one object under another key; what is said of it is new or the same.
    pub async fn copy_object(
        &self,
        caller: &Caller,
        from: (&str, &str),
        to: (&str, &str),
        new: Option<(Option<String>, Map<String, Value>)>,
    ) -> Result<Object, Error> {
        caller.require(Right::Publish)?;
        check_key(to.1)?;
        let (tenant, now_ms) = (caller.tenant, self.now_ms());
        let [from_bucket, from_key, bucket, key] = [from.0, from.1, to.0, to.1].map(str::to_owned);
        self.write(caller, "copy_object", move |tx| {
            Box::pin(async move {
                bucket_of(tx, &tenant, &bucket).await?;
                bucket_of(tx, &tenant, &from_bucket).await?;
                let found = store::objects::get_and_hold(tx, &tenant, &from_bucket, &from_key).await?;
                let mut object = found.ok_or_else(|| Error::not_found(Noun::Object, &from_key))?;
                (object.bucket, object.key, object.modified_ms) = (bucket, key, now_ms);
                if let Some((content_type, extra)) = new {
                    (object.content_type, object.extra) = (content_type, extra);
                }
                let put = store::objects::put(tx, &tenant, &object).await;
                put.map_err(gone(Noun::Bucket, &object.bucket))?;
                Ok(object)
            })
        })
        .await
    }

    /// False if there was none.
    pub async fn delete_object(&self, caller: &Caller, bucket: &str, key: &str) -> Result<bool, Error> {
        caller.require(Right::Publish)?;
        let (tenant, bucket, key) = (caller.tenant, bucket.to_owned(), key.to_owned());
        self.write(caller, "delete_object", move |tx| {
            Box::pin(async move {
                bucket_of(tx, &tenant, &bucket).await?;
                Ok(store::objects::delete(tx, &tenant, &bucket, &key).await?)
            })
        })
        .await
    }

    pub async fn list_objects(&self, caller: &Caller, query: ObjectQuery) -> Result<Listing, Error> {
        caller.require(Right::Read)?;
        let tenant = caller.tenant;
        self.read("list_objects", |tx| {
            Box::pin(async move {
                bucket_of(tx, &tenant, &query.bucket).await?;
                list(tx, &tenant, &query).await
            })
        })
        .await
    }

    pub(super) async fn record_object(
        &self,
        caller: &Caller,
        new: NewObject,
        finished: Placed,
        etag: String,
    ) -> Result<Object, Error> {
        check_key(&new.key)?;
        let object = Object {
            bucket: new.bucket,
            key: new.key,
            size_bytes: finished.size_bytes,
            sha256: Sha256(finished.digest.0),
            etag,
            md5: Md5(finished.md5),
            content_type: new.content_type,
            extra: new.extra,
            modified_ms: self.now_ms(),
        };
        let (tenant, record, expected) = (caller.tenant, object.clone(), new.expected);
        self.write(caller, "record_object", move |tx| {
            Box::pin(async move {
                bucket_of(tx, &tenant, &record.bucket).await?;
                if expected != Expected::Anything {
                    // Neither can the object change nor another of its key come until this one is there.
                    store::objects::hold_bucket(tx, &tenant, &record.bucket).await?;
                    let present = store::objects::get_and_hold(tx, &tenant, &record.bucket, &record.key).await?;
                    check_expected(&record.key, &expected, present.as_ref())?;
                }
                store::objects::put(tx, &tenant, &record).await.map_err(gone(Noun::Bucket, &record.bucket))
            })
        })
        .await?;
        Ok(object)
    }
}

pub(super) async fn bucket_of(tx: &mut Tx<'_>, tenant: &Id, name: &str) -> Result<Bucket, Error> {
    let found = store::objects::bucket_by_name(tx, tenant, name).await?;
    found.ok_or_else(|| Error::not_found(Noun::Bucket, name))
}

async fn object_of(tx: &mut Tx<'_>, tenant: &Id, bucket: &str, key: &str) -> Result<Object, Error> {
    bucket_of(tx, tenant, bucket).await?;
    store::objects::get(tx, tenant, bucket, key).await?.ok_or_else(|| Error::not_found(Noun::Object, key))
}

fn check_expected(key: &str, expected: &Expected, present: Option<&Object>) -> Result<(), Error> {
    match (expected, present) {
        (Expected::Anything, _) | (Expected::Nothing, None) | (Expected::Something, Some(_)) => Ok(()),
        (Expected::Etag(etag), Some(object)) if object.etag == *etag => Ok(()),
        (Expected::Nothing | Expected::Etag(_), Some(_)) => Err(Error::exists(Noun::Object, key)),
        (Expected::Something | Expected::Etag(_), None) => Err(Error::not_found(Noun::Object, key)),
    }
}

/// How many rows are read at a time while prefixes are rolled up.
const LIST_STEP: u32 = 1000;

async fn list(tx: &mut Tx<'_>, tenant: &Id, query: &ObjectQuery) -> Result<Listing, Error> {
    let mut listing = Listing::default();
    let mut after = query.after.clone();
    // A prefix that was rolled up is left behind by going on after everything that begins with it.
    let mut from: Option<Vec<u8>> = rolled_up(&after, query)
        .filter(|prefix| *prefix == after)
        .map(|prefix| store::objects::after_prefix(prefix.as_bytes()));
    loop {
        let start = match &from {
            Some(from) => KeyStart::From(from),
            None => KeyStart::After(&after),
        };
        let wanted = u32::try_from(query.limit).unwrap_or(LIST_STEP).min(LIST_STEP) + 1;
        let rows = store::objects::list(tx, tenant, &query.bucket, &query.prefix, start, wanted).await?;
        let is_last = rows.len() < wanted as usize;
        for object in rows {
            if listing.prefixes.last().is_some_and(|prefix| object.key.starts_with(prefix.as_str())) {
                continue;
            }
            if listing.objects.len() + listing.prefixes.len() == query.limit {
                listing.next_after = Some(after);
                return Ok(listing);
            }
            match rolled_up(&object.key, query) {
                Some(prefix) => {
                    from = Some(store::objects::after_prefix(prefix.as_bytes()));
                    after.clone_from(&prefix);
                    listing.prefixes.push(prefix);
                }
                None => {
                    after.clone_from(&object.key);
                    from = None;
                    listing.objects.push(object);
                }
            }
        }
        if is_last {
            return Ok(listing);
        }
    }
}

fn rolled_up(key: &str, query: &ObjectQuery) -> Option<String> {
    let delimiter = query.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty())?;
    let rest = key.strip_prefix(query.prefix.as_str())?;
    let end = rest.find(delimiter)? + delimiter.len();
    Some(key[..query.prefix.len() + end].to_owned())
}

pub(super) fn check_digests(finished: &Finished, md5: Option<Md5>, sha256: Option<Sha256>) -> Result<(), Error> {
    if md5.is_some_and(|md5| md5.0 != finished.md5) {
        return Err(Error::WrongBytes("the bytes have another MD5 than was declared".to_owned()));
    }
    if sha256.is_some_and(|sha256| sha256.0 != finished.digest.0) {
        return Err(Error::WrongBytes("the bytes have another SHA-256 than was declared".to_owned()));
    }
    Ok(())
}

pub(super) fn too_large(error: BlobError) -> Error {
    match error {
        BlobError::TooLarge => Error::TooLarge { limit_bytes: MAX_OBJECT_BYTES },
        other => other.into(),
    }
}

fn check_bucket_name(name: &str) -> Result<(), Error> {
    let right = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    if (3..=63).contains(&name.len()) && name.bytes().all(right) {
        Ok(())
    } else {
        Err(Error::invalid("bucket", "3 to 63 lower-case letters, digits, `-` and `.`"))
    }
}

/// A key is a name, not a path: it reaches no file system. It only has to be storable.
pub(super) fn check_key(key: &str) -> Result<(), Error> {
    if (1..=1024).contains(&key.len()) && !key.contains('\0') {
        Ok(())
    } else {
        Err(Error::invalid("key", "1 to 1,024 bytes of UTF-8 without NUL"))
    }
}
