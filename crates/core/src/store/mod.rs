//! The only room with SQL.
//!
//! Each file below holds the statements of one noun, written once for both databases, as functions over a [`Tx`].
//! The drivers are in [`sqlite`] and [`postgres`]; a test prepares every statement on both.

pub mod access;
pub mod counts;
mod driver;
mod error;
pub mod health;
mod migrate;
pub mod milestones;
pub mod modules;
pub mod objects;
pub mod package_lists;
pub mod packages;
mod postgres;
mod postgres_address;
mod postgres_groups;
mod postgres_transaction;
mod postgres_values;
pub mod products;
pub mod sessions;
pub mod settings;
pub mod spaces;
mod sqlite;
pub mod statement;
pub mod tenants;
pub mod uploads;
mod work;

pub use driver::{Connections, Row, Store, Tx, Value};
pub use error::StoreError;
pub use migrate::MigrationStatus;
pub use statement::Statement;
