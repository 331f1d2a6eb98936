//! Facts about the store itself, such as which master key its secrets are sealed with.

use otaru_model::Id;

use super::statement::statements;
use super::{StoreError, Tx};

statements! {
    GET = "SELECT value FROM settings WHERE name = $1";
    PUT_ONCE = "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    NEWEST_PACKAGE = "SELECT id FROM packages ORDER BY id DESC LIMIT 1";
    NEWEST_PRODUCT = "SELECT id FROM products ORDER BY id DESC LIMIT 1";
}

/// Stores `value` under `name` unless something is there already; answers with what is there.
pub async fn get_or_put(tx: &mut Tx<'_>, name: &str, value: &str) -> Result<String, StoreError> {
    tx.execute(&PUT_ONCE, &[name.into(), value.into()]).await?;
    let stored = tx.row(&GET, &[name.into()], |row| row.string(0)).await?;
    stored.ok_or_else(|| StoreError::Unexpected(format!("the setting {name} vanished")))
}

pub async fn get(tx: &mut Tx<'_>, name: &str) -> Result<Option<String>, StoreError> {
    tx.row(&GET, &[name.into()], |row| row.string(0)).await
}

/// The largest id on record, after which new ones must come.
pub async fn newest_id(tx: &mut Tx<'_>) -> Result<Id, StoreError> {
    let mut newest = Id::MIN;
    for statement in [&NEWEST_PACKAGE, &NEWEST_PRODUCT] {
        newest = newest.max(tx.row(statement, &[], |row| row.fixed(0)).await?.unwrap_or(Id::MIN));
    }
    Ok(newest)
}
