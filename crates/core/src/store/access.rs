//! Access keys and the nonces of requests that they signed.

use otaru_model::{AccessKey, Id};

use super::statement::statements;
use super::{Row, StoreError, Tx};

/// What [`key`] reads.
macro_rules! columns {
    () => {
        "id, tenant_id, role, label, created_ms, expires_ms, revoked_ms"
    };
}

statements! {
    INSERT = "INSERT INTO access_keys (id, tenant_id, role, label, secret, created_ms, expires_ms, revoked_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
    BY_ID = concat!("SELECT ", columns!(), ", secret FROM access_keys WHERE id = $1");
    LIST = concat!("SELECT ", columns!(), " FROM access_keys
        WHERE tenant_id = $1 ORDER BY created_ms, id");
    EXPIRE = "UPDATE access_keys SET expires_ms = $3
        WHERE tenant_id = $1 AND id = $2 AND (expires_ms IS NULL OR expires_ms > $3)";
    REVOKE = "UPDATE access_keys SET revoked_ms = $3 WHERE tenant_id = $1 AND id = $2 AND revoked_ms IS NULL";
    ANY = "SELECT 1 FROM access_keys LIMIT 1";
    USE_NONCE = "INSERT INTO used_nonces (key_id, nonce, expires_ms) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    FORGET_NONCES = "DELETE FROM used_nonces WHERE expires_ms < $1";
}

fn key(row: &Row<'_>) -> Result<AccessKey, StoreError> {
    Ok(AccessKey {
        id: row.string(0)?,
        tenant: row.fixed(1)?,
        role: row.word(2)?,
        label: row.string(3)?,
        created_ms: row.int(4)?,
        expires_ms: row.int_opt(5)?,
        revoked_ms: row.int_opt(6)?,
    })
}

/// False if the id is taken.
pub async fn insert(tx: &mut Tx<'_>, new: &AccessKey, sealed_secret: &[u8]) -> Result<bool, StoreError> {
    let parameters = [
        (&new.id).into(),
        (&new.tenant).into(),
        new.role.name().into(),
        (&new.label).into(),
        sealed_secret.into(),
        new.created_ms.into(),
        new.expires_ms.into(),
        new.revoked_ms.into(),
    ];
    Ok(tx.execute(&INSERT, &parameters).await? == 1)
}

/// A key and its sealed secret.
pub async fn by_id(tx: &mut Tx<'_>, id: &str) -> Result<Option<(AccessKey, Vec<u8>)>, StoreError> {
    tx.row(&BY_ID, &[id.into()], |row| Ok((key(row)?, row.bytes(7)?.to_vec()))).await
}

pub async fn list(tx: &mut Tx<'_>, tenant: &Id) -> Result<Vec<AccessKey>, StoreError> {
    tx.rows(&LIST, &[tenant.into()], key).await
}

/// Lets the key end at `at_ms`, unless it ends before that already.
pub async fn expire(tx: &mut Tx<'_>, tenant: &Id, id: &str, at_ms: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(&EXPIRE, &[tenant.into(), id.into(), at_ms.into()]).await? == 1)
}

pub async fn revoke(tx: &mut Tx<'_>, tenant: &Id, id: &str, now_ms: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(&REVOKE, &[tenant.into(), id.into(), now_ms.into()]).await? == 1)
}

/// Whether there is any key at all, which is how a first start is told from a later one.
pub async fn any(tx: &mut Tx<'_>) -> Result<bool, StoreError> {
    Ok(tx.row(&ANY, &[], |_| Ok(())).await?.is_some())
}

/// False if the key's nonce was used before.
pub async fn use_nonce(tx: &mut Tx<'_>, key_id: &str, nonce: &str, expires_ms: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(&USE_NONCE, &[key_id.into(), nonce.into(), expires_ms.into()]).await? == 1)
}

pub async fn forget_nonces(tx: &mut Tx<'_>, now_ms: i64) -> Result<u64, StoreError> {
    tx.execute(&FORGET_NONCES, &[now_ms.into()]).await
}
