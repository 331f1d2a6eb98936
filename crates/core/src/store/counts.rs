//! Exact totals of package lists, kept in the transaction that changes them.
//!
//! A scope is what a dialect can filter by: the tenant, a space or a product, each for all kinds of module and for one.
//! Totals for other filters are counted by index, which is cheap because few packages share a version.

use otaru_model::{Id, Kinds, ModuleKind, Package};

use super::statement::statements;
use super::{StoreError, Tx};

statements! {
    ADD = "INSERT INTO package_counts (scope, slot, n) VALUES ($1, $2, $3)
        ON CONFLICT (scope, slot) DO UPDATE SET n = package_counts.n + excluded.n";
    SUM = "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM package_counts WHERE scope = $1";
}

/// How many rows share the writes of one total where writers run at the same time.
const SLOTS: i64 = 16;

/// What a total is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    Tenant(&'a Id),
    Space(&'a Id),
    Product(&'a Id),
    /// The packages of a tenant that came by one door.
    Door(&'a Id, &'a str),
}

impl Scope<'_> {
    fn key(self, kind: Option<ModuleKind>) -> Vec<u8> {
        let (tag, id, door) = match self {
            Scope::Tenant(id) => (b't', id, ""),
            Scope::Space(id) => (b's', id, ""),
            Scope::Product(id) => (b'p', id, ""),
            Scope::Door(id, door) => (b'd', id, door),
        };
        let mut key = Vec::with_capacity(14 + door.len());
        key.push(tag);
        key.extend_from_slice(id.as_bytes());
        key.push(kind.map_or(0xff, |kind| kind.number() as u8));
        key.extend_from_slice(door.as_bytes());
        key
    }
}

/// Adds `by` (1 or -1) to every total that `package` is part of.
pub async fn add(tx: &mut Tx<'_>, package: &Package, space: &Id, by: i64) -> Result<(), StoreError> {
    let slot = if tx.is_concurrent() { i64::from(package.id.as_bytes()[11]) % SLOTS } else { 0 };
    let kind = Some(package.module.kind());
    let mut keys = Vec::with_capacity(7);
    for scope in [Scope::Tenant(&package.tenant), Scope::Space(space), Scope::Product(&package.product)] {
        keys.push((scope.key(None), slot));
        keys.push((scope.key(kind), slot));
    }
    // One row only: who adds to it waits for the others, so a cap that is checked afterwards holds.
    keys.push((Scope::Door(&package.tenant, &package.door).key(None), 0));
    // Every transaction locks its rows in the same order, so none waits for one that waits for it.
    keys.sort();
    for (key, slot) in keys {
        tx.execute(&ADD, &[key.as_slice().into(), slot.into(), by.into()]).await?;
    }
    Ok(())
}

/// The exact number of packages in `scope`.
pub async fn total(tx: &mut Tx<'_>, scope: Scope<'_>, kinds: Kinds) -> Result<u64, StoreError> {
    match kinds {
        Kinds::All => sum(tx, &scope.key(None)).await,
        Kinds::One(kind) => sum(tx, &scope.key(Some(kind))).await,
        Kinds::BuiltIn => Ok(sum(tx, &scope.key(Some(ModuleKind::Firmware))).await?
            + sum(tx, &scope.key(Some(ModuleKind::Software))).await?),
    }
}

async fn sum(tx: &mut Tx<'_>, key: &[u8]) -> Result<u64, StoreError> {
    let total = tx.row(&SUM, &[key.into()], |row| row.int(0)).await?.unwrap_or(0);
    u64::try_from(total).map_err(|_| StoreError::Unexpected("a total of packages is below zero".to_owned()))
}
