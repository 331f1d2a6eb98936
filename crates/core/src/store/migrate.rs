//! Migrations: the same files for both databases, applied in order, each exactly once.

use deadpool_postgres::ClientWrapper;
use rusqlite::Connection;
use sha2::{Digest, Sha256};

use super::StoreError;

struct Migration {
    version: i64,
    name: &'static str,
    text: &'static str,
}

/// `{bytes}` stands for the type of binary columns, the only one that the two databases spell differently. A line that begins with
/// `{postgres}` tells PostgreSQL something that SQLite has no word for.
const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "registry", text: include_str!("../../../../migrations/0001_registry.sql") },
    Migration { version: 2, name: "milestones", text: include_str!("../../../../migrations/0002_milestones.sql") },
    Migration {
        version: 3,
        name: "product_labels",
        text: include_str!("../../../../migrations/0003_product_labels.sql"),
    },
    Migration {
        version: 4,
        name: "generic_plans",
        text: include_str!("../../../../migrations/0004_generic_plans.sql"),
    },
];

const LEDGER: &str =
    "CREATE TABLE IF NOT EXISTS migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL)";
const APPLIED: &str = "SELECT version, digest FROM migrations ORDER BY version";
/// Any number will do, as long as every copy of the server takes the same.
const ADVISORY_LOCK: &str = "SELECT pg_advisory_xact_lock(7305808869231650)";

/// How a database's schema stands to this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationStatus {
    /// The newest migration that the database has; 0 for an empty one.
    pub applied: i64,
    /// The names of those that would be applied now.
    pub pending: Vec<&'static str>,
}

impl Migration {
    fn sqlite_sql(&self) -> String {
        self.text.replace("{bytes}", "BLOB").replace("{postgres}", "-- ")
    }

    fn postgres_sql(&self) -> String {
        self.text.replace("{bytes}", "BYTEA").replace("{postgres}", "")
    }

    fn digest(&self) -> String {
        hex::encode(Sha256::digest(self.text))
    }

    fn record(&self) -> String {
        format!(
            "INSERT INTO migrations (version, name, digest) VALUES ({}, '{}', '{}')",
            self.version,
            self.name,
            self.digest()
        )
    }
}

/// What is still to do, or why it must not be done.
fn pending(applied: &[(i64, String)]) -> Result<Vec<&'static Migration>, StoreError> {
    for (version, digest) in applied {
        match MIGRATIONS.iter().find(|migration| migration.version == *version) {
            None => {
                return Err(StoreError::Unexpected(format!(
                    "the database has migration {version}, which is newer than this program: use the program that made it, or a later one"
                )));
            }
            Some(known) if known.digest() != *digest => {
                return Err(StoreError::Unexpected(format!(
                    "migration {version} of the database is not the one that this program has under that number"
                )));
            }
            Some(_) => {}
        }
    }
    let newest = applied.last().map_or(0, |(version, _)| *version);
    Ok(MIGRATIONS.iter().filter(|migration| migration.version > newest).collect())
}

fn status(applied: &[(i64, String)]) -> Result<MigrationStatus, StoreError> {
    let pending = pending(applied)?.into_iter().map(|migration| migration.name).collect();
    Ok(MigrationStatus { applied: applied.last().map_or(0, |(version, _)| *version), pending })
}

fn sqlite_applied(connection: &Connection) -> Result<Vec<(i64, String)>, StoreError> {
    let mut statement = connection.prepare(APPLIED)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Runs inside the writer's transaction.
pub(super) fn sqlite(connection: &Connection) -> Result<(), StoreError> {
    connection.execute_batch(LEDGER)?;
    for migration in pending(&sqlite_applied(connection)?)? {
        connection.execute_batch(&migration.sqlite_sql())?;
        connection.execute_batch(&migration.record())?;
        tracing::info!(version = migration.version, name = migration.name, "migrated the database");
    }
    Ok(())
}

pub(super) fn sqlite_status(connection: &Connection) -> Result<MigrationStatus, StoreError> {
    let exists: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'migrations')",
        [],
        |row| row.get(0),
    )?;
    status(&if exists { sqlite_applied(connection)? } else { Vec::new() })
}

async fn postgres_applied(client: &tokio_postgres::Client) -> Result<Vec<(i64, String)>, StoreError> {
    let rows = client.query(APPLIED, &[]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

pub(super) async fn postgres(client: &mut ClientWrapper) -> Result<(), StoreError> {
    client.batch_execute("BEGIN").await?;
    let outcome = postgres_in_transaction(client).await;
    client.batch_execute(if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
    outcome
}

async fn postgres_in_transaction(client: &tokio_postgres::Client) -> Result<(), StoreError> {
    // A migration of many rows takes as long as it takes, and so does waiting for it.
    client.batch_execute("SET LOCAL statement_timeout = 0").await?;
    // Copies that start together take turns.
    client.batch_execute(ADVISORY_LOCK).await?;
    client.batch_execute(LEDGER).await?;
    for migration in pending(&postgres_applied(client).await?)? {
        client.batch_execute(&migration.postgres_sql()).await?;
        client.batch_execute(&migration.record()).await?;
        tracing::info!(version = migration.version, name = migration.name, "migrated the database");
    }
    Ok(())
}

pub(super) async fn postgres_status(client: &tokio_postgres::Client) -> Result<MigrationStatus, StoreError> {
    let row = client.query_one("SELECT to_regclass('migrations') IS NOT NULL", &[]).await?;
    let exists: bool = row.try_get(0)?;
    status(&if exists { postgres_applied(client).await? } else { Vec::new() })
}
