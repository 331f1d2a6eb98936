//! Uploads: files on their way into a package.

use otaru_model::{Complete, Id, Upload};

use super::statement::statements;
use super::{Row, StoreError, Tx};

/// What [`upload`] reads.
macro_rules! columns {
    () => {
        "id, tenant_id, door, locator, file_name, declared_bytes, max_bytes, created_ms, open_until_ms, expires_ms, size_bytes, sha256, md5"
    };
}

statements! {
    INSERT = "INSERT INTO uploads (id, tenant_id, door, locator, file_name, declared_bytes, max_bytes, created_ms, open_until_ms,
            expires_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    BY_LOCATOR = concat!("SELECT ", columns!(), " FROM uploads WHERE locator = $1");
    DECLARE = "UPDATE uploads SET declared_bytes = $2
        WHERE id = $1 AND size_bytes IS NULL AND (declared_bytes IS NULL OR declared_bytes = $2)";
    COMPLETE = "UPDATE uploads SET size_bytes = $2, sha256 = $3, md5 = $4 WHERE id = $1";
    DELETE = "DELETE FROM uploads WHERE id = $1";
    EXPIRED = concat!("SELECT ", columns!(), " FROM uploads WHERE expires_ms < $1 ORDER BY expires_ms LIMIT 100");
}

fn upload(row: &Row<'_>) -> Result<Upload, StoreError> {
    let size = row.int_opt(10)?;
    Ok(Upload {
        id: row.fixed(0)?,
        tenant: row.fixed(1)?,
        door: row.string(2)?,
        locator: row.string(3)?,
        file_name: row.string(4)?,
        declared_bytes: row.int_opt(5)?.and_then(|bytes| u64::try_from(bytes).ok()),
        max_bytes: u64::try_from(row.int(6)?).unwrap_or(0),
        created_ms: row.int(7)?,
        open_until_ms: row.int(8)?,
        expires_ms: row.int(9)?,
        complete: match size {
            None => None,
            Some(size) => Some(Complete {
                size_bytes: u64::try_from(size).unwrap_or(0),
                sha256: row.fixed(11)?,
                md5: row.fixed(12)?,
            }),
        },
    })
}

pub async fn insert(tx: &mut Tx<'_>, new: &Upload) -> Result<(), StoreError> {
    let parameters = [
        (&new.id).into(),
        (&new.tenant).into(),
        (&new.door).into(),
        (&new.locator).into(),
        (&new.file_name).into(),
        new.declared_bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX)).into(),
        i64::try_from(new.max_bytes).unwrap_or(i64::MAX).into(),
        new.created_ms.into(),
        new.open_until_ms.into(),
        new.expires_ms.into(),
    ];
    tx.execute(&INSERT, &parameters).await.map(drop)
}

pub async fn by_locator(tx: &mut Tx<'_>, locator: &str) -> Result<Option<Upload>, StoreError> {
    tx.row(&BY_LOCATOR, &[locator.into()], upload).await
}

/// Says how long the whole will be. False if the upload is gone or complete, or another length was said before.
pub async fn declare(tx: &mut Tx<'_>, id: &Id, bytes: u64) -> Result<bool, StoreError> {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    Ok(tx.execute(&DECLARE, &[id.into(), bytes.into()]).await? == 1)
}

/// False if the upload is gone.
pub async fn complete(tx: &mut Tx<'_>, id: &Id, bytes: &Complete) -> Result<bool, StoreError> {
    let size = i64::try_from(bytes.size_bytes).unwrap_or(i64::MAX);
    let parameters = [id.into(), size.into(), (&bytes.sha256).into(), bytes.md5.as_bytes().as_slice().into()];
    Ok(tx.execute(&COMPLETE, &parameters).await? == 1)
}

pub async fn delete(tx: &mut Tx<'_>, id: &Id) -> Result<bool, StoreError> {
    Ok(tx.execute(&DELETE, &[id.into()]).await? == 1)
}

/// Some of the uploads whose time is over.
pub async fn expired(tx: &mut Tx<'_>, now_ms: i64) -> Result<Vec<Upload>, StoreError> {
    tx.rows(&EXPIRED, &[now_ms.into()], upload).await
}
