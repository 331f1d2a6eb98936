//! How the database itself is: its clock, and whether its pages are sound. Asked by the doctor, never by a request.

use super::{Statement, StoreError, Tx};

static SQLITE_CLOCK: Statement = Statement::named("SQLITE_CLOCK", "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)");
static POSTGRES_CLOCK: Statement =
    Statement::named("POSTGRES_CLOCK", "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)");
static QUICK_CHECK: Statement = Statement::named("QUICK_CHECK", "PRAGMA quick_check(5)");
static FOREIGN_KEYS: Statement = Statement::named("FOREIGN_KEYS", "PRAGMA foreign_key_check");

/// The database's own time, in milliseconds since 1970.
pub async fn clock_ms(tx: &mut Tx<'_>) -> Result<i64, StoreError> {
    let statement = if tx.is_concurrent() { &POSTGRES_CLOCK } else { &SQLITE_CLOCK };
    let time = tx.row(statement, &[], |row| row.int(0)).await?;
    time.ok_or_else(|| StoreError::Unexpected("the database tells no time".to_owned()))
}

/// What is wrong with the database's file, in its own words; nothing if it is sound. PostgreSQL watches over its files
/// itself, so there nothing is read.
pub async fn damage(tx: &mut Tx<'_>) -> Result<Vec<String>, StoreError> {
    if tx.is_concurrent() {
        return Ok(Vec::new());
    }
    let mut damage = tx.rows(&QUICK_CHECK, &[], |row| row.string(0)).await?;
    damage.retain(|line| line != "ok");
    let orphans = tx.rows(&FOREIGN_KEYS, &[], |row| row.string(0)).await?;
    damage.extend(orphans.into_iter().take(5).map(|table| format!("a row of {table} refers to one that is gone")));
    Ok(damage)
}
