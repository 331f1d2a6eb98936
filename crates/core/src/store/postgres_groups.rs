//! Verbs that share a transaction on PostgreSQL, as all do on SQLite: a savepoint for each, one commit for all, and the answers
//! after it.
//!
//! A few groups run at once. Each takes what waits until nothing does, and commits. So the more callers there are, the more of
//! them share a commit's sync and what else a transaction costs, and a single one is not made to wait for others.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt;

use super::counts::Changes;
use super::postgres::{self, Ended, PostgresStore, Session};
use super::postgres_transaction::OpenTransaction;
use super::work::{self, Job};
use super::{StoreError, Tx};
use crate::{request, telemetry};

/// How many groups of one copy run at the same time. Each has a slot of the totals to itself.
pub(super) const AT_ONCE: usize = 4;
/// How many verbs share one transaction at most. The database remembers up to 64 savepoints of a transaction in a cheap way.
const VERBS_PER_COMMIT: usize = 32;
/// From when on a transaction takes in no more verbs, so that the first one's wait, and what it locks, stay short.
const LONGEST: Duration = Duration::from_millis(50);
/// How long a verb may wait to be taken in.
const WAIT: Duration = Duration::from_secs(10);

/// Verbs that wait for a group, and the groups that run.
#[derive(Debug)]
pub(super) struct Groups {
    queue: Mutex<Queue>,
}

struct Queue {
    waiting: VecDeque<(Instant, Box<dyn Job>)>,
    /// The numbers of groups that do not run.
    idle: Vec<usize>,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} waiting, {} groups idle", self.waiting.len(), self.idle.len())
    }
}

impl Groups {
    /// At most half of the connections are for groups.
    pub(super) fn new(max_connections: usize) -> Groups {
        let idle = (0..AT_ONCE.min(max_connections / 2).max(1)).rev().collect();
        Groups { queue: Mutex::new(Queue { waiting: VecDeque::new(), idle }) }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next verb that has not waited too long.
    fn next(&self) -> Option<Box<dyn Job>> {
        loop {
            let (since, job) = self.queue().waiting.pop_front()?;
            if since.elapsed() < WAIT {
                return Some(job);
            }
            job.answer(Err(StoreError::Unavailable("too many writes wait".to_owned())));
        }
    }

    /// Ends a group unless something waits: what comes later finds it idle.
    fn rest(&self, group: usize) -> bool {
        let mut queue = self.queue();
        let done = queue.waiting.is_empty();
        if done {
            queue.idle.push(group);
        }
        done
    }

    /// Answers all who wait: there is no connection, and each would find that out after as long a time.
    fn give_up(&self, error: &StoreError) {
        let waiting = std::mem::take(&mut self.queue().waiting);
        waiting.into_iter().for_each(|(_, job)| job.answer(Err(told_to_all(error))));
    }
}

/// Takes a verb in, and begins a group if there are not enough.
pub(super) fn take_in(store: &PostgresStore, job: Box<dyn Job>) {
    let group = {
        let mut queue = store.groups.queue();
        queue.waiting.push_back((Instant::now(), job));
        queue.idle.pop()
    };
    if let Some(group) = group {
        let store = store.clone();
        tokio::spawn(async move {
            while !store.groups.rest(group) {
                run_group(&store, group).await;
            }
        });
    }
}

/// How far a group's transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// There is none yet.
    Unbegun,
    /// One verb is in it. Nobody was before it, so it needed no savepoint.
    Begun,
    /// The last verb is behind a savepoint and stays.
    Kept,
    /// The last verb is behind a savepoint and is taken back.
    Spoilt,
}

impl Stage {
    /// What has to be said before the next verb's first statement.
    fn before_verb(self) -> &'static str {
        match self {
            Stage::Unbegun => "BEGIN",
            Stage::Begun => "SAVEPOINT verb",
            Stage::Kept => "RELEASE SAVEPOINT verb; SAVEPOINT verb",
            Stage::Spoilt => "ROLLBACK TO SAVEPOINT verb",
        }
    }

    /// What has to be said before the commit.
    fn before_end(self) -> Option<&'static str> {
        match self {
            Stage::Unbegun => Some("BEGIN"),
            Stage::Begun | Stage::Kept => None,
            Stage::Spoilt => Some("ROLLBACK TO SAVEPOINT verb"),
        }
    }

    fn after_verb(self, kept: bool) -> Stage {
        match (self, kept) {
            (Stage::Unbegun, true) => Stage::Begun,
            (Stage::Unbegun, false) => Stage::Unbegun,
            (_, true) => Stage::Kept,
            (_, false) => Stage::Spoilt,
        }
    }
}

/// Runs what waits in one transaction, and answers.
async fn run_group(store: &PostgresStore, group: usize) {
    let client = match store.pool.get().await {
        Ok(client) => client,
        Err(error) => return store.groups.give_up(&error.into()),
    };
    let slot = store.slot(Some(group));
    let open = OpenTransaction::on(client);
    let (began, mut stage) = (Instant::now(), Stage::Unbegun);
    let mut done: Vec<(Box<dyn Job>, Result<(), StoreError>)> = Vec::new();
    let (mut changes, mut lost) = (Changes::default(), false);
    while !lost && done.len() < VERBS_PER_COMMIT && began.elapsed() < LONGEST {
        let Some(mut job) = store.groups.next() else { break };
        let session = Session::new(open.client(), Some(stage.before_verb()), slot);
        let mut tx = Tx::Postgres(&session);
        let work = request::wait_for_the_same(job.request(), work::run(&mut *job, &mut tx));
        let ran = AssertUnwindSafe(work).catch_unwind().await;
        let Ended { has_begun, failed, may_try_again, changes: changed } = session.end();
        let keeps = matches!(ran, Ok(true)) && !failed;
        let outcome = match ran {
            Ok(true) if failed => Err(postgres::passed_over()),
            Ok(_) => Ok(()),
            Err(_) => Err(StoreError::Unexpected("a verb panicked".to_owned())),
        };
        if keeps {
            changes.append(changed);
        }
        done.push((job, outcome));
        lost = may_try_again;
        if has_begun {
            if stage == Stage::Unbegun && !keeps && !lost {
                lost = open.client().batch_execute("ROLLBACK").await.is_err();
            }
            stage = stage.after_verb(keeps);
        }
    }
    let committed = if lost {
        open.roll_back(true).await;
        None
    } else {
        match open.commit(stage.before_end(), stage != Stage::Unbegun, &changes, slot).await {
            Err(error) if postgres::lost_a_race(&error) => None,
            outcome => Some(outcome.map_err(StoreError::from)),
        }
    };
    telemetry::group(done.len(), store.groups.queue().waiting.len());
    match committed {
        Some(committed) => {
            for (job, outcome) in done {
                job.answer(committed.as_ref().map_err(told_to_all).copied().and(outcome));
            }
        }
        // Nothing of it was committed. Each begins again by itself, and so gets in nobody's way but its own.
        None => {
            for (job, _) in done {
                alone(store, job).await;
            }
        }
    }
}

async fn alone(store: &PostgresStore, mut job: Box<dyn Job>) {
    let work = request::wait_for_the_same(job.request(), store.write(&mut *job));
    let ran = AssertUnwindSafe(work).catch_unwind().await;
    job.answer(ran.unwrap_or_else(|_| Err(StoreError::Unexpected("a verb panicked".to_owned()))));
}

/// An error that several callers get.
fn told_to_all(error: &StoreError) -> StoreError {
    match error {
        StoreError::Full => StoreError::Full,
        error => StoreError::Unavailable(error.to_string()),
    }
}
