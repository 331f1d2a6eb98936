//! Milestones along long lists of packages, laid in the background, so that any page number is near one.

use otaru_model::Id;

use super::{App, Error};
use crate::store::counts::{self, ListKey};
use crate::store::{milestones, package_lists};

/// Only records older than this are counted in; no transaction that adds one lasts as long.
const SETTLED_MS: i64 = 60_000;
/// How old a record's id may be when it is put on record: its transaction ends well before the record counts as settled.
const LATE_MS: i64 = 20_000;
/// Lists shorter than this are stepped through.
const LONG: u64 = 4 * milestones::APART;
/// So many deleted records between milestones are put up with.
const GAPS: u64 = 2 * milestones::APART;
const LISTS_AT_ONCE: u32 = 200;

/// A record whose id was made too long ago might be put below a milestone that does not count it.
pub(super) fn refuse_late(id: &Id, now_ms: i64) -> Result<(), Error> {
    if now_ms - id.created_ms() <= LATE_MS {
        return Ok(());
    }
    Err(Error::Unavailable("the store took too long; nothing was changed, please try again".to_owned()))
}

impl App {
    /// Lays milestones along every long list of packages that has grown. Returns how many.
    pub async fn lay_milestones(&self) -> Result<usize, Error> {
        let cutoff = Id::at(self.now_ms().saturating_sub(SETTLED_MS));
        let (mut after, mut laid) = (ListKey::first(), 0);
        loop {
            let from = after.clone();
            let lists = self
                .read("lay_milestones", |tx| {
                    Box::pin(async move { Ok(counts::long(tx, &from, LONG, LISTS_AT_ONCE).await?) })
                })
                .await?;
            let Some((last, _)) = lists.last().cloned() else { return Ok(laid) };
            for (list, _) in lists {
                let built_in = list.built_in();
                for list in std::iter::once(list).chain(built_in) {
                    laid += self.lay_along(list, cutoff).await?;
                }
            }
            after = last;
        }
    }

    async fn lay_along(&self, list: ListKey, cutoff: Id) -> Result<usize, Error> {
        let mut laid = 0;
        loop {
            let key = list.clone();
            let (end, total) = self
                .read("lay_along", |tx| {
                    Box::pin(
                        async move { Ok((milestones::laid(tx, &key).await?, counts::total_of_list(tx, &key).await?)) },
                    )
                })
                .await?;
            if end.is_some_and(|end| end.gaps > GAPS) {
                self.forget_milestones(&list).await?;
                continue;
            }
            let above = end.map_or(Some(total), |end| end.above(total));
            if above.is_some_and(|above| above < 2 * milestones::APART) {
                break;
            }
            let key = list.clone();
            let step = self
                .write_own("lay_along", move |tx| {
                    Box::pin(async move { Ok(package_lists::lay_milestones(tx, &key, cutoff).await?) })
                })
                .await?;
            laid += step;
            if step == 0 {
                break;
            }
        }
        self.check_milestones(&list).await?;
        Ok(laid)
    }

    /// Milestones that contradict the list's total, as after a clock that was set back, are laid anew next time.
    async fn check_milestones(&self, list: &ListKey) -> Result<(), Error> {
        let key = list.clone();
        let right = self
            .write_own("check_milestones", move |tx| {
                Box::pin(async move { Ok(package_lists::milestones_are_right(tx, &key).await?) })
            })
            .await?;
        if !right {
            tracing::warn!("the milestones of a list do not fit its total; they are laid anew");
            self.forget_milestones(list).await?;
        }
        Ok(())
    }

    async fn forget_milestones(&self, list: &ListKey) -> Result<(), Error> {
        let key = list.clone();
        let forget = self
            .write_own("forget_milestones", move |tx| Box::pin(async move { Ok(milestones::forget(tx, &key).await?) }));
        forget.await
    }
}
