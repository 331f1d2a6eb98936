//! Buckets, their objects, and objects that arrive in parts.

use otaru_model::{Bucket, Id, Md5, Object, ObjectPart, ObjectUpload};

use super::statement::statements;
use super::{Row, StoreError, Tx};

/// What [`object`] reads.
macro_rules! object_columns {
    () => {
        "bucket, object_key, size_bytes, sha256, md5, etag, content_type, extra, modified_ms"
    };
}

/// What [`object_upload`] reads.
macro_rules! upload_columns {
    () => {
        "id, bucket, object_key, content_type, extra, created_ms"
    };
}

statements! {
    CREATE_BUCKET = "INSERT INTO buckets (tenant_id, name, region, created_ms) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    BUCKET = "SELECT name, region, created_ms FROM buckets WHERE tenant_id = $1 AND name = $2";
    HOLD_BUCKET = "SELECT 1 FROM buckets WHERE tenant_id = $1 AND name = $2 FOR UPDATE";
    BUCKETS = "SELECT name, region, created_ms FROM buckets WHERE tenant_id = $1 ORDER BY created_ms, name";
    DELETE_BUCKET = "DELETE FROM buckets WHERE tenant_id = $1 AND name = $2
        AND NOT EXISTS (SELECT 1 FROM objects o WHERE o.tenant_id = $1 AND o.bucket = $2)
        AND NOT EXISTS (SELECT 1 FROM object_uploads u WHERE u.tenant_id = $1 AND u.bucket = $2)";
    PUT = "INSERT INTO objects (tenant_id, bucket, object_key, size_bytes, sha256, md5, etag, content_type, extra, modified_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (tenant_id, bucket, object_key) DO UPDATE SET size_bytes = excluded.size_bytes, sha256 = excluded.sha256,
            md5 = excluded.md5, etag = excluded.etag, content_type = excluded.content_type, extra = excluded.extra,
            modified_ms = excluded.modified_ms";
    GET = concat!("SELECT ", object_columns!(), " FROM objects WHERE tenant_id = $1 AND bucket = $2 AND object_key = $3");
    GET_AND_HOLD = concat!("SELECT ", object_columns!(), " FROM objects WHERE tenant_id = $1 AND bucket = $2 AND object_key = $3 FOR SHARE");
    LIST = concat!("SELECT ", object_columns!(), " FROM objects WHERE tenant_id = $1 AND bucket = $2 AND object_key > $3 AND object_key < $4
        ORDER BY object_key LIMIT $5");
    LIST_FROM = concat!("SELECT ", object_columns!(), " FROM objects WHERE tenant_id = $1 AND bucket = $2 AND object_key >= $3 AND object_key < $4
        ORDER BY object_key LIMIT $5");
    DELETE = "DELETE FROM objects WHERE tenant_id = $1 AND bucket = $2 AND object_key = $3";
    BEGIN_UPLOAD = "INSERT INTO object_uploads (id, tenant_id, bucket, object_key, content_type, extra, created_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    UPLOAD = concat!("SELECT ", upload_columns!(), " FROM object_uploads WHERE tenant_id = $1 AND id = $2");
    UPLOADS = concat!("SELECT ", upload_columns!(), " FROM object_uploads WHERE tenant_id = $1 AND bucket = $2 ORDER BY object_key, id");
    OLD_UPLOADS = concat!("SELECT ", upload_columns!(), " FROM object_uploads WHERE created_ms < $1 ORDER BY id LIMIT 100");
    END_UPLOAD = "DELETE FROM object_uploads WHERE id = $1";
    OLD_PART = "SELECT stage FROM object_parts WHERE upload_id = $1 AND number = $2";
    PUT_PART = "INSERT INTO object_parts (upload_id, number, stage, size_bytes, md5, modified_ms) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (upload_id, number) DO UPDATE SET stage = excluded.stage, size_bytes = excluded.size_bytes,
            md5 = excluded.md5, modified_ms = excluded.modified_ms";
    PARTS = "SELECT number, size_bytes, md5, modified_ms, stage FROM object_parts WHERE upload_id = $1 ORDER BY number";
    STAGE_IN_USE = "SELECT 1 FROM object_parts WHERE stage = $1 LIMIT 1";
}

fn bucket(row: &Row<'_>) -> Result<Bucket, StoreError> {
    Ok(Bucket { name: row.string(0)?, region: row.string(1)?, created_ms: row.int(2)? })
}

fn key_text(row: &Row<'_>, column: usize) -> Result<String, StoreError> {
    String::from_utf8(row.bytes(column)?.to_vec())
        .map_err(|_| StoreError::Unexpected("an object's key is not UTF-8".to_owned()))
}

fn object(row: &Row<'_>) -> Result<Object, StoreError> {
    Ok(Object {
        bucket: row.string(0)?,
        key: key_text(row, 1)?,
        size_bytes: u64::try_from(row.int(2)?).unwrap_or(0),
        sha256: row.fixed(3)?,
        md5: row.fixed(4)?,
        etag: row.string(5)?,
        content_type: row.string_opt(6)?,
        extra: row.json(7)?,
        modified_ms: row.int(8)?,
    })
}

fn object_upload(row: &Row<'_>) -> Result<ObjectUpload, StoreError> {
    Ok(ObjectUpload {
        id: row.fixed(0)?,
        bucket: row.string(1)?,
        key: key_text(row, 2)?,
        content_type: row.string_opt(3)?,
        extra: row.json(4)?,
        created_ms: row.int(5)?,
    })
}

/// False if the bucket exists.
pub async fn create_bucket(tx: &mut Tx<'_>, tenant: &Id, new: &Bucket) -> Result<bool, StoreError> {
    let parameters = [tenant.into(), (&new.name).into(), (&new.region).into(), new.created_ms.into()];
    Ok(tx.execute(&CREATE_BUCKET, &parameters).await? == 1)
}

pub async fn bucket_by_name(tx: &mut Tx<'_>, tenant: &Id, name: &str) -> Result<Option<Bucket>, StoreError> {
    tx.row(&BUCKET, &[tenant.into(), name.into()], bucket).await
}

pub async fn buckets(tx: &mut Tx<'_>, tenant: &Id) -> Result<Vec<Bucket>, StoreError> {
    tx.rows(&BUCKETS, &[tenant.into()], bucket).await
}

/// Lets who puts new objects into the bucket wait until the transaction ends. False if the bucket is not there.
pub async fn hold_bucket(tx: &mut Tx<'_>, tenant: &Id, name: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(&HOLD_BUCKET, &[tenant.into(), name.into()]).await? == 1)
}

/// False if the bucket is not there or not empty. Objects that others are putting into it are waited for.
pub async fn delete_bucket(tx: &mut Tx<'_>, tenant: &Id, name: &str) -> Result<bool, StoreError> {
    hold_bucket(tx, tenant, name).await?;
    Ok(tx.execute(&DELETE_BUCKET, &[tenant.into(), name.into()]).await? == 1)
}

/// Puts an object in the place of any other of that key.
pub async fn put(tx: &mut Tx<'_>, tenant: &Id, new: &Object) -> Result<(), StoreError> {
    let extra = serde_json::Value::Object(new.extra.clone()).to_string();
    let parameters = [
        tenant.into(),
        (&new.bucket).into(),
        new.key.as_bytes().into(),
        i64::try_from(new.size_bytes).unwrap_or(i64::MAX).into(),
        (&new.sha256).into(),
        new.md5.as_bytes().as_slice().into(),
        (&new.etag).into(),
        (&new.content_type).into(),
        (&extra).into(),
        new.modified_ms.into(),
    ];
    tx.execute(&PUT, &parameters).await.map(drop)
}

pub async fn get(tx: &mut Tx<'_>, tenant: &Id, bucket: &str, key: &str) -> Result<Option<Object>, StoreError> {
    tx.row(&GET, &[tenant.into(), bucket.into(), key.as_bytes().into()], object).await
}

/// An object that stays as it is until the transaction ends: what refers to its bytes is on record before it can go.
pub async fn get_and_hold(tx: &mut Tx<'_>, tenant: &Id, bucket: &str, key: &str) -> Result<Option<Object>, StoreError> {
    tx.row(&GET_AND_HOLD, &[tenant.into(), bucket.into(), key.as_bytes().into()], object).await
}

/// Objects whose key begins with `prefix`, in the order of their keys' bytes: those after `after`, or from `from` on.
pub async fn list(
    tx: &mut Tx<'_>,
    tenant: &Id,
    bucket: &str,
    prefix: &str,
    start: KeyStart<'_>,
    limit: u32,
) -> Result<Vec<Object>, StoreError> {
    let end = after_prefix(prefix.as_bytes());
    let (statement, from) = match start {
        KeyStart::After(after) if after.as_bytes() >= prefix.as_bytes() => (&LIST, after.as_bytes()),
        KeyStart::From(from) if from >= prefix.as_bytes() => (&LIST_FROM, from),
        KeyStart::After(_) | KeyStart::From(_) => (&LIST_FROM, prefix.as_bytes()),
    };
    let parameters = [tenant.into(), bucket.into(), from.into(), end.as_slice().into(), i64::from(limit).into()];
    tx.rows(statement, &parameters, object).await
}

/// Where a listing of keys begins.
#[derive(Clone, Copy, Debug)]
pub enum KeyStart<'a> {
    After(&'a str),
    From(&'a [u8]),
}

/// The first byte string that is larger than every one that begins with `prefix`.
pub fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return end;
        }
    }
    // UTF-8 has no byte 0xff, so this is larger than every key.
    vec![0xff; 2]
}

pub async fn delete(tx: &mut Tx<'_>, tenant: &Id, bucket: &str, key: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(&DELETE, &[tenant.into(), bucket.into(), key.as_bytes().into()]).await? == 1)
}

pub async fn begin_upload(tx: &mut Tx<'_>, tenant: &Id, new: &ObjectUpload) -> Result<(), StoreError> {
    let extra = serde_json::Value::Object(new.extra.clone()).to_string();
    let parameters = [
        (&new.id).into(),
        tenant.into(),
        (&new.bucket).into(),
        new.key.as_bytes().into(),
        (&new.content_type).into(),
        (&extra).into(),
        new.created_ms.into(),
    ];
    tx.execute(&BEGIN_UPLOAD, &parameters).await.map(drop)
}

pub async fn upload(tx: &mut Tx<'_>, tenant: &Id, id: &Id) -> Result<Option<ObjectUpload>, StoreError> {
    tx.row(&UPLOAD, &[tenant.into(), id.into()], object_upload).await
}

pub async fn uploads(tx: &mut Tx<'_>, tenant: &Id, bucket: &str) -> Result<Vec<ObjectUpload>, StoreError> {
    tx.rows(&UPLOADS, &[tenant.into(), bucket.into()], object_upload).await
}

/// Some of the uploads that began before `before_ms`, of every tenant.
pub async fn old_uploads(tx: &mut Tx<'_>, before_ms: i64) -> Result<Vec<ObjectUpload>, StoreError> {
    tx.rows(&OLD_UPLOADS, &[before_ms.into()], object_upload).await
}

/// Ends an upload and forgets its parts. False if it was gone.
pub async fn end_upload(tx: &mut Tx<'_>, id: &Id) -> Result<bool, StoreError> {
    Ok(tx.execute(&END_UPLOAD, &[id.into()]).await? == 1)
}

/// Notes a part and answers with the stage that it replaces, if it does.
pub async fn put_part(
    tx: &mut Tx<'_>,
    upload: &Id,
    part: &ObjectPart,
    stage: &str,
) -> Result<Option<String>, StoreError> {
    let number = i64::from(part.number);
    let old = tx.row(&OLD_PART, &[upload.into(), number.into()], |row| row.string(0)).await?;
    let parameters = [
        upload.into(),
        number.into(),
        stage.into(),
        i64::try_from(part.size_bytes).unwrap_or(i64::MAX).into(),
        part.md5.as_bytes().as_slice().into(),
        part.modified_ms.into(),
    ];
    tx.execute(&PUT_PART, &parameters).await?;
    Ok(old)
}

/// The parts of an upload, in order, each with its stage.
pub async fn parts(tx: &mut Tx<'_>, upload: &Id) -> Result<Vec<(ObjectPart, String)>, StoreError> {
    tx.rows(&PARTS, &[upload.into()], |row| {
        let part = ObjectPart {
            number: u32::try_from(row.int(0)?).unwrap_or(0),
            size_bytes: u64::try_from(row.int(1)?).unwrap_or(0),
            md5: row.fixed::<Md5>(2)?,
            modified_ms: row.int(3)?,
        };
        Ok((part, row.string(4)?))
    })
    .await
}

pub async fn stage_in_use(tx: &mut Tx<'_>, stage: &str) -> Result<bool, StoreError> {
    Ok(tx.row(&STAGE_IN_USE, &[stage.into()], |_| Ok(())).await?.is_some())
}
