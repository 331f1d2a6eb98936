//! Exact totals of package lists, kept in the transaction that changes them.
//!
//! A scope is what a dialect can filter by: the tenant, a space or a product, each for all kinds of module and for one.
//! Totals for other filters are counted by index, which is cheap because few packages share a version.

use std::collections::BTreeMap;

use otaru_model::{Id, Kinds, ModuleKind, Package};

use super::statement::statements;
use super::{Statement, StoreError, Tx, Value};

/// The beginning of what adds up totals; which scopes follows.
macro_rules! counted {
    () => {
        "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM package_counts WHERE scope"
    };
}
pub(super) const COUNTED: &str = counted!();

statements! {
    ADD = "INSERT INTO package_counts (slot, scope, n) VALUES ($1, $2, $3)
        ON CONFLICT (scope, slot) DO UPDATE SET n = package_counts.n + excluded.n";
    /// As many as one package is part of: on PostgreSQL each would be waited for, and this is planned once.
    ADD_SEVEN = "INSERT INTO package_counts (slot, scope, n) VALUES ($1, $2, $3), ($1, $4, $5), ($1, $6, $7), ($1, $8, $9),
            ($1, $10, $11), ($1, $12, $13), ($1, $14, $15)
        ON CONFLICT (scope, slot) DO UPDATE SET n = package_counts.n + excluded.n";
    HOLD = "INSERT INTO package_counts (scope, slot, n) VALUES ($1, $2, 0)
        ON CONFLICT (scope, slot) DO UPDATE SET n = package_counts.n";
    SUM = concat!(counted!(), " IN ($1, $2)");
    LONG = "SELECT scope, CAST(SUM(n) AS BIGINT) FROM package_counts WHERE scope > $1
        GROUP BY scope HAVING SUM(n) >= CAST($2 AS BIGINT) ORDER BY scope LIMIT $3";
}

/// The row that those take turns at who check a cap. Nothing is counted in it, so nobody else waits for them.
const TURNS: i64 = -1;

/// What a total is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    Tenant(&'a Id),
    Space(&'a Id),
    Product(&'a Id),
    /// The packages of a tenant that came by one door.
    Door(&'a Id, &'a str),
}

/// The name of a list in the tables of totals and of milestones: what it is a list of, whose, and of which kinds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListKey(Vec<u8>);

const ALL_KINDS: u8 = 0xff;
const BUILT_IN_KINDS: u8 = 0xfe;

impl ListKey {
    /// Smaller than every list's key.
    pub fn first() -> ListKey {
        ListKey(Vec::new())
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What the list is of, unless the key is of something that is counted and not listed.
    pub(super) fn parts(&self) -> Option<(u8, Id, Kinds)> {
        let [tag @ (b't' | b's' | b'p'), id @ .., kinds] = self.0.as_slice() else { return None };
        let kinds = match *kinds {
            ALL_KINDS => Kinds::All,
            BUILT_IN_KINDS => Kinds::BuiltIn,
            number => Kinds::One(ModuleKind::numbered(i64::from(number))?),
        };
        Some((*tag, Id::try_from(id).ok()?, kinds))
    }

    /// The keys whose totals add up to this list's: one, given twice, except for that of the built-in kinds.
    pub(super) fn counted(&self) -> [ListKey; 2] {
        let of_kind = |kind: u8| match self.0.as_slice() {
            [before @ .., BUILT_IN_KINDS] => ListKey([before, &[kind]].concat()),
            _ => self.clone(),
        };
        [ModuleKind::Firmware, ModuleKind::Software].map(|kind| of_kind(kind.number() as u8))
    }

    /// The same list, of the built-in kinds only, if this one is of all.
    pub fn built_in(&self) -> Option<ListKey> {
        let mut key = self.0.clone();
        let last = key.last_mut().filter(|kinds| **kinds == ALL_KINDS)?;
        *last = BUILT_IN_KINDS;
        Some(ListKey(key))
    }
}

impl Scope<'_> {
    pub fn list(self, kinds: Kinds) -> ListKey {
        let (tag, id, door) = match self {
            Scope::Tenant(id) => (b't', id, ""),
            Scope::Space(id) => (b's', id, ""),
            Scope::Product(id) => (b'p', id, ""),
            Scope::Door(id, door) => (b'd', id, door),
        };
        let mut key = Vec::with_capacity(14 + door.len());
        key.push(tag);
        key.extend_from_slice(id.as_bytes());
        key.extend_from_slice(door.as_bytes());
        key.push(match kinds {
            Kinds::All => ALL_KINDS,
            Kinds::BuiltIn => BUILT_IN_KINDS,
            Kinds::One(kind) => kind.number() as u8,
        });
        ListKey(key)
    }
}

fn scopes<'a>(package: &'a Package, space: &'a Id) -> [Scope<'a>; 3] {
    [Scope::Tenant(&package.tenant), Scope::Space(space), Scope::Product(&package.product)]
}

/// Every list that a package is in.
pub fn lists(package: &Package, space: &Id) -> Vec<ListKey> {
    let kind = package.module.kind();
    let mut kinds = vec![Kinds::All, Kinds::One(kind)];
    if kind != ModuleKind::Other {
        kinds.push(Kinds::BuiltIn);
    }
    scopes(package, space).iter().flat_map(|scope| kinds.iter().map(|kinds| scope.list(*kinds))).collect()
}

/// Changes of totals, put together: however many packages a transaction adds, it changes each total once.
#[derive(Debug, Default)]
pub(super) struct Changes(BTreeMap<ListKey, i64>);

impl Changes {
    fn add(&mut self, package: &Package, space: &Id, by: i64) {
        let kind = Kinds::One(package.module.kind());
        for scope in scopes(package, space) {
            *self.0.entry(scope.list(Kinds::All)).or_default() += by;
            *self.0.entry(scope.list(kind)).or_default() += by;
        }
        *self.0.entry(Scope::Door(&package.tenant, &package.door).list(Kinds::All)).or_default() += by;
    }

    pub(super) fn append(&mut self, others: Changes) {
        others.0.into_iter().for_each(|(key, by)| *self.0.entry(key).or_default() += by);
    }

    /// The statements that make them, as few as can be. Every transaction locks its rows in the same order, that of the keys,
    /// so none waits for one that waits for it.
    pub(super) fn statements(&self, slot: i64) -> Vec<(&'static Statement, Vec<Value<'_>>)> {
        let changed: Vec<_> = self.0.iter().filter(|(_, by)| **by != 0).collect();
        let (sevens, others) = changed.as_chunks::<7>();
        let seven = sevens.iter().map(|changed| (&ADD_SEVEN, rows(slot, changed)));
        seven.chain(others.iter().map(|changed| (&ADD, rows(slot, &[*changed])))).collect()
    }

    async fn make(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let statements = self.statements(tx.slot());
        let statements: Vec<_> = statements.iter().map(|(statement, values)| (*statement, values.as_slice())).collect();
        tx.execute_all(&statements).await
    }
}

fn rows<'k>(slot: i64, changed: &[(&'k ListKey, &i64)]) -> Vec<Value<'k>> {
    let pairs = changed.iter().flat_map(|(key, by)| [Value::Bytes(key.as_bytes()), Value::Int(**by)]);
    std::iter::once(slot.into()).chain(pairs).collect()
}

/// Adds `by` (1 or -1) to every total that `package` is part of. Where transactions run side by side that is done when this one
/// ends: others that change the same rows wait for no more than its commit.
pub async fn add(tx: &mut Tx<'_>, package: &Package, space: &Id, by: i64) -> Result<(), StoreError> {
    if let Some(mut changes) = tx.changes_at_end() {
        changes.add(package, space, by);
        return Ok(());
    }
    let mut changes = Changes::default();
    changes.add(package, space, by);
    changes.make(tx).await
}

/// Makes the changes that wait for the transaction's end, for who reads totals in it.
pub(super) async fn settle(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let changes = tx.changes_at_end().map(|mut changes| std::mem::take(&mut *changes));
    match changes {
        Some(changes) if !changes.0.is_empty() => changes.make(tx).await,
        _ => Ok(()),
    }
}

/// The exact number of packages in `scope`, for who has added to it and checks a cap: others who do the same wait until the
/// transaction ends, so the cap holds.
pub async fn total_in_turn(tx: &mut Tx<'_>, scope: Scope<'_>) -> Result<u64, StoreError> {
    let list = scope.list(Kinds::All);
    settle(tx).await?;
    // One writer is always in turn.
    if tx.is_concurrent() {
        tx.execute(&HOLD, &[list.as_bytes().into(), TURNS.into()]).await?;
    }
    total_of_list(tx, &list).await
}

/// The exact number of packages in `scope`.
pub async fn total(tx: &mut Tx<'_>, scope: Scope<'_>, kinds: Kinds) -> Result<u64, StoreError> {
    total_of_list(tx, &scope.list(kinds)).await
}

/// The exact length of a list.
pub async fn total_of_list(tx: &mut Tx<'_>, list: &ListKey) -> Result<u64, StoreError> {
    settle(tx).await?;
    let [one, other] = list.counted();
    let total = tx.row(&SUM, &[one.as_bytes().into(), other.as_bytes().into()], |row| row.int(0)).await?.unwrap_or(0);
    u64::try_from(total).map_err(|_| StoreError::Unexpected("a total of packages is below zero".to_owned()))
}

/// At most `limit` keys behind `after` of what has `least` packages or more, with their totals.
pub async fn long(tx: &mut Tx<'_>, after: &ListKey, least: u64, limit: u32) -> Result<Vec<(ListKey, u64)>, StoreError> {
    settle(tx).await?;
    let least = i64::try_from(least).unwrap_or(i64::MAX);
    let parameters = [after.as_bytes().into(), least.into(), i64::from(limit).into()];
    tx.rows(&LONG, &parameters, |row| Ok((ListKey(row.bytes(0)?.to_vec()), u64::try_from(row.int(1)?).unwrap_or(0))))
        .await
}
