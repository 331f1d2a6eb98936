//! Milestones: where every 256th record of a long list stands, so that a page by number starts near its first record.
//!
//! A milestone says how many records had been put into its list up to and with one id. It is never changed: a record that
//! is deleted below it is noted as a *gap*, and what was really there is the ordinal less the gaps. When a list has many
//! gaps, its milestones are taken away from the first gap upwards and laid again.
//!
//! Only records that are older than any transaction can be are counted in ([`lay`] is told up to which id), so an insert
//! need not know of milestones. A deletion must: it calls [`note_gap`].

use otaru_model::Id;

use super::counts::ListKey;
use super::statement::statements;
use super::{Statement, StoreError, Tx, Value};

statements! {
    HOLD_SHARED = "SELECT 1 FROM settings WHERE name = 'milestones' FOR SHARE";
    HOLD_ALONE = "SELECT 1 FROM settings WHERE name = 'milestones' FOR NO KEY UPDATE";
    LAST = "SELECT m.ordinal, m.id, (SELECT COUNT(*) FROM milestone_gaps g WHERE g.list = $1)
        FROM milestones m WHERE m.list = $1 ORDER BY m.ordinal DESC LIMIT 1";
    NEAREST = "SELECT m.ordinal, m.id, (SELECT COUNT(*) FROM milestone_gaps g WHERE g.list = $1 AND g.id <= m.id)
        FROM milestones m WHERE m.list = $1 AND m.ordinal >= $2 ORDER BY m.ordinal LIMIT 1";
    ADD = "INSERT INTO milestones (list, ordinal, id) VALUES ($1, $2, $3)";
    ADD_GAP = "INSERT INTO milestone_gaps (list, id)
        SELECT $1, $2 WHERE (SELECT m.id FROM milestones m WHERE m.list = $1 ORDER BY m.ordinal DESC LIMIT 1) >= $2";
    FORGET = "DELETE FROM milestones WHERE list = $1
        AND id >= COALESCE((SELECT g.id FROM milestone_gaps g WHERE g.list = $1 ORDER BY g.id LIMIT 1), $2)";
    FORGET_GAPS = "DELETE FROM milestone_gaps WHERE list = $1";
}

/// Records between two milestones: few enough to step over on the way to a page.
pub const APART: u64 = 256;
/// How many milestones one transaction lays at most, so that it stays short.
const PER_TRANSACTION: usize = 64;

/// Where a list's milestones end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Laid {
    /// How many records, still there or not, are at or below the last milestone.
    pub ordinal: u64,
    pub last: Id,
    /// How many of them are gone.
    pub gaps: u64,
}

impl Laid {
    /// How many of the list's `total` records are above the last milestone; none if the two contradict each other.
    pub fn above(&self, total: u64) -> Option<u64> {
        total.checked_sub(self.ordinal.checked_sub(self.gaps)?)
    }
}

/// A place in a list to read a page from: pass over `skip` records of those with ids smaller than `before`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    pub before: Id,
    pub skip: u64,
}

/// Where to begin in order to pass over the newest `skip` of a list's `total` records. Nothing if no milestone is above
/// that place: then it is near the newest record.
pub async fn nearest(tx: &mut Tx<'_>, list: &ListKey, total: u64, skip: u64) -> Result<Option<Start>, StoreError> {
    let Some(wanted) = total.checked_sub(skip).filter(|&wanted| wanted > 0) else { return Ok(None) };
    let mut ordinal = wanted;
    loop {
        let parameters = [list.as_bytes().into(), number(ordinal).into()];
        let found =
            tx.row(&NEAREST, &parameters, |row| Ok((count(row.int(0)?), row.fixed::<Id>(1)?, count(row.int(2)?))));
        let Some((reached, id, gaps)) = found.await? else { return Ok(None) };
        let there = reached.saturating_sub(gaps);
        if there >= wanted {
            return Ok(Some(Start { before: id.following(), skip: there - wanted }));
        }
        // So many are gone below this one that the record is above it.
        ordinal = wanted.saturating_add(gaps).max(reached.saturating_add(1));
    }
}

/// Where the milestones of `list` end, if it has any.
pub async fn laid(tx: &mut Tx<'_>, list: &ListKey) -> Result<Option<Laid>, StoreError> {
    tx.row(&LAST, &[list.as_bytes().into()], |row| {
        Ok(Laid { ordinal: count(row.int(0)?), last: row.fixed(1)?, gaps: count(row.int(2)?) })
    })
    .await
}

/// Lays the next milestones of `list` below `cutoff`; `step` gives the id of the record [`APART`] further up than its first
/// parameters say, the last two being the id to start above and the cutoff. Returns how many it laid.
pub(super) async fn lay(
    tx: &mut Tx<'_>,
    list: &ListKey,
    cutoff: Id,
    step: &Statement,
    of: &Id,
) -> Result<usize, StoreError> {
    tx.execute(&HOLD_ALONE, &[]).await?;
    let end = laid(tx, list).await?;
    let (mut ordinal, mut last) = end.map_or((0, Id::MIN), |end| (end.ordinal, end.last));
    for done in 0..PER_TRANSACTION {
        let parameters = [of.into(), (&last).into(), (&cutoff).into(), number(APART - 1).into()];
        let Some(next) = tx.row(step, &parameters, |row| row.fixed::<Id>(0)).await? else { return Ok(done) };
        (ordinal, last) = (ordinal + APART, next);
        tx.execute(&ADD, &[list.as_bytes().into(), number(ordinal).into(), (&last).into()]).await?;
    }
    Ok(PER_TRANSACTION)
}

/// Has to be called before records of lists are deleted in a transaction, so that none is while milestones are laid.
pub async fn hold(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    tx.execute(&HOLD_SHARED, &[]).await.map(drop)
}

/// Notes that the record `id` is gone from `lists`.
pub async fn note_gap(tx: &mut Tx<'_>, lists: &[ListKey], id: &Id) -> Result<(), StoreError> {
    let gaps: Vec<[Value<'_>; 2]> = lists.iter().map(|list| [list.as_bytes().into(), id.into()]).collect();
    let statements: Vec<_> = gaps.iter().map(|gap| (&ADD_GAP, &gap[..])).collect();
    tx.execute_all(&statements).await
}

/// Takes the milestones of `list` away from its first gap upwards, all of them if it has none, to be laid again.
pub async fn forget(tx: &mut Tx<'_>, list: &ListKey) -> Result<(), StoreError> {
    tx.execute(&HOLD_ALONE, &[]).await?;
    tx.execute(&FORGET, &[list.as_bytes().into(), (&Id::MIN).into()]).await?;
    tx.execute(&FORGET_GAPS, &[list.as_bytes().into()]).await.map(drop)
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
