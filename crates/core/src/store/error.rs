//! What can go wrong with the store, by what a caller can do about it.

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached or does not take writes now; the same call may go through later.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// Another transaction took away what this one refers to, or began to refer to what this one takes away.
    #[error("something that this depends on was changed at the same time: {0}")]
    Conflict(String),
    /// The disk under the database is full.
    #[error("the disk under the database is full")]
    Full,
    /// The address of the database is none, or one that cannot work; the text says why.
    #[error("{0}")]
    Misconfigured(String),
    /// The database answered what this program does not understand: a fault of ours or of its schema.
    #[error("the database gave an unexpected answer: {0}")]
    Unexpected(String),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        use rusqlite::ErrorCode;
        use rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY;
        if error.sqlite_error().is_some_and(|error| error.extended_code == SQLITE_CONSTRAINT_FOREIGNKEY) {
            return StoreError::Conflict(error.to_string());
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full,
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::CannotOpen
                | ErrorCode::SystemIoFailure
                | ErrorCode::ReadOnly,
            ) => StoreError::Unavailable(error.to_string()),
            _ => StoreError::Unexpected(error.to_string()),
        }
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> StoreError {
        use tokio_postgres::error::SqlState;
        match error.code() {
            Some(&SqlState::DISK_FULL) => StoreError::Full,
            Some(&SqlState::FOREIGN_KEY_VIOLATION) => StoreError::Conflict(describe(&error)),
            // Connections, deadlocks and lost races, resources, and the server's own coming and going.
            Some(code) if ["08", "40", "53", "57"].iter().any(|class| code.code().starts_with(class)) => {
                StoreError::Unavailable(describe(&error))
            }
            Some(_) => StoreError::Unexpected(describe(&error)),
            None => StoreError::Unavailable(describe(&error)),
        }
    }
}

impl From<deadpool_postgres::PoolError> for StoreError {
    fn from(error: deadpool_postgres::PoolError) -> StoreError {
        match error {
            deadpool_postgres::PoolError::Backend(error) => error.into(),
            other => StoreError::Unavailable(other.to_string()),
        }
    }
}

/// The driver's own text leaves out what the database said.
fn describe(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => format!("{} ({})", db.message(), db.code().code()),
        None => error.to_string(),
    }
}
