//! Tenants.

use otaru_model::{Id, Tenant};

use super::statement::statements;
use super::{Row, StoreError, Tx};

statements! {
    INSERT = "INSERT INTO tenants (id, name, name_folded, created_ms) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    BY_ID = "SELECT id, name, created_ms FROM tenants WHERE id = $1";
    BY_NAME = "SELECT id, name, created_ms FROM tenants WHERE name_folded = $1";
    HOLD = "SELECT 1 FROM tenants WHERE id = $1 FOR NO KEY UPDATE";
    LIST = "SELECT id, name, created_ms FROM tenants ORDER BY id";
}

fn tenant(row: &Row<'_>) -> Result<Tenant, StoreError> {
    Ok(Tenant { id: row.fixed(0)?, name: row.string(1)?, created_ms: row.int(2)? })
}

/// Names are the same tenant in any letter case.
pub fn folded(name: &str) -> String {
    name.to_lowercase()
}

/// False if the name is taken.
pub async fn insert(tx: &mut Tx<'_>, new: &Tenant) -> Result<bool, StoreError> {
    let folded = folded(&new.name);
    let parameters = [(&new.id).into(), (&new.name).into(), (&folded).into(), new.created_ms.into()];
    Ok(tx.execute(&INSERT, &parameters).await? == 1)
}

pub async fn by_id(tx: &mut Tx<'_>, id: &Id) -> Result<Option<Tenant>, StoreError> {
    tx.row(&BY_ID, &[id.into()], tenant).await
}

pub async fn by_name(tx: &mut Tx<'_>, name: &str) -> Result<Option<Tenant>, StoreError> {
    tx.row(&BY_NAME, &[(&folded(name)).into()], tenant).await
}

/// Lets others who hold the tenant wait until the transaction ends. False if it is not there.
pub async fn hold(tx: &mut Tx<'_>, id: &Id) -> Result<bool, StoreError> {
    Ok(tx.execute(&HOLD, &[id.into()]).await? == 1)
}

pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<Tenant>, StoreError> {
    tx.rows(&LIST, &[], tenant).await
}
