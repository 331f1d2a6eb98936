//! Spaces.

use otaru_model::{Id, Space};

use super::statement::statements;
use super::{Row, StoreError, Tx};

/// What [`space`] reads.
macro_rules! columns {
    () => {
        "id, code, name, is_default, created_ms"
    };
}

statements! {
    INSERT = "INSERT INTO spaces (id, tenant_id, code, name, is_default, created_ms)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    BY_CODE = concat!("SELECT ", columns!(), " FROM spaces WHERE tenant_id = $1 AND code = $2");
    DEFAULT = concat!("SELECT ", columns!(), " FROM spaces WHERE tenant_id = $1 AND is_default = 1 ORDER BY id LIMIT 1");
    LIST = concat!("SELECT ", columns!(), " FROM spaces WHERE tenant_id = $1 ORDER BY id");
    HOLD = "SELECT 1 FROM spaces WHERE id = $1 FOR UPDATE";
    RENAME = "UPDATE spaces SET name = $3 WHERE tenant_id = $1 AND id = $2";
    DELETE = "DELETE FROM spaces WHERE tenant_id = $1 AND id = $2
        AND NOT EXISTS (SELECT 1 FROM products WHERE products.space_id = $2)";
}

fn space(row: &Row<'_>) -> Result<Space, StoreError> {
    Ok(Space {
        id: row.fixed(0)?,
        code: row.string(1)?,
        name: row.string(2)?,
        is_default: row.int(3)? != 0,
        created_ms: row.int(4)?,
    })
}

/// False if the code is taken.
pub async fn insert(tx: &mut Tx<'_>, tenant: &Id, new: &Space) -> Result<bool, StoreError> {
    let parameters = [
        (&new.id).into(),
        tenant.into(),
        (&new.code).into(),
        (&new.name).into(),
        new.is_default.into(),
        new.created_ms.into(),
    ];
    Ok(tx.execute(&INSERT, &parameters).await? == 1)
}

pub async fn by_code(tx: &mut Tx<'_>, tenant: &Id, code: &str) -> Result<Option<Space>, StoreError> {
    tx.row(&BY_CODE, &[tenant.into(), code.into()], space).await
}

pub async fn default(tx: &mut Tx<'_>, tenant: &Id) -> Result<Option<Space>, StoreError> {
    tx.row(&DEFAULT, &[tenant.into()], space).await
}

pub async fn list(tx: &mut Tx<'_>, tenant: &Id) -> Result<Vec<Space>, StoreError> {
    tx.rows(&LIST, &[tenant.into()], space).await
}

pub async fn rename(tx: &mut Tx<'_>, tenant: &Id, id: &Id, name: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(&RENAME, &[tenant.into(), id.into(), name.into()]).await? == 1)
}

/// False if the space still has products. Products that others are making in it are waited for.
pub async fn delete(tx: &mut Tx<'_>, tenant: &Id, id: &Id) -> Result<bool, StoreError> {
    tx.execute(&HOLD, &[id.into()]).await?;
    Ok(tx.execute(&DELETE, &[tenant.into(), id.into()]).await? == 1)
}
