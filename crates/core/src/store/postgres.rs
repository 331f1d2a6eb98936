//! PostgreSQL: a pool of connections, each with its prepared statements.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts,
};
use futures::future::{join, join_all};
use tokio_postgres::types::ToSql;

use super::counts::Changes;
use super::postgres_address::Address;
use super::postgres_groups::Groups;
use super::postgres_transaction::OpenTransaction;
use super::postgres_values::as_parameters;
use super::work::{self, Job, Work};
use super::{Connections, MigrationStatus, Row, Statement, StoreError, Tx, Value, migrate};

/// How long a verb waits for a connection while all of them are busy.
const WAIT: Duration = Duration::from_secs(10);
/// What every connection is told: a statement or a transaction that hangs ends, and with it what it locks. And a statement is
/// planned once and not for each of its values: every list has an index to go along.
const SESSION: &str = "SET statement_timeout = '20s'; SET idle_in_transaction_session_timeout = '20s';
    SET plan_cache_mode = force_generic_plan";
/// How often a verb is tried that lost a race or its connection.
const ATTEMPTS: u32 = 4;
/// How many rows share the writes of one total. Whoever reads it adds up as many.
const SLOTS: usize = 16;

#[derive(Clone, Debug)]
pub(super) struct PostgresStore {
    pub(super) pool: Pool,
    pub(super) groups: Arc<Groups>,
    /// Where this copy's transactions begin with the slots, and how many have taken one: copies that run side by side and
    /// transactions of one copy rarely have the same.
    first_slot: usize,
    slots_taken: Arc<AtomicUsize>,
}

/// A connection while a verb runs on it.
pub struct Session<'c> {
    client: &'c ClientWrapper,
    /// What still has to be said before the first statement. It goes out together with that, without waiting in between.
    begin: Option<&'static str>,
    slot: i64,
    /// What the totals are to be changed by before the commit.
    changes: Mutex<Changes>,
    has_begun: AtomicBool,
    failed: AtomicBool,
    /// A statement failed in a way that a new attempt may not meet: a deadlock, a lost race, a connection that broke.
    may_try_again: AtomicBool,
}

impl PostgresStore {
    pub(super) fn open(url: &str) -> Result<PostgresStore, StoreError> {
        let Address { config, tls, max_connections } = Address::parse(url)?;
        let create = config.get_connect_timeout().copied();
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let pool = Pool::builder(Manager::from_config(config, tls, manager))
            .max_size(max_connections)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts { wait: Some(WAIT), create, recycle: create })
            .post_create(Hook::async_fn(|client, _| {
                Box::pin(async move { client.batch_execute(SESSION).await.map_err(HookError::Backend) })
            }))
            .build()
            .map_err(|error| StoreError::Unexpected(error.to_string()))?;
        let [first_slot] = crate::clock::random::<1>();
        Ok(PostgresStore {
            groups: Arc::new(Groups::new(max_connections)),
            pool,
            first_slot: usize::from(first_slot),
            slots_taken: Arc::default(),
        })
    }

    /// Hands a verb to those who share transactions.
    pub(super) fn write_together(&self, job: Box<dyn Job>) {
        super::postgres_groups::take_in(self, job);
    }

    /// The slot of a transaction: a group's own, or one of the others in turn.
    pub(super) fn slot(&self, group: Option<usize>) -> i64 {
        let others = SLOTS - super::postgres_groups::AT_ONCE;
        let turn = || super::postgres_groups::AT_ONCE + self.slots_taken.fetch_add(1, Ordering::Relaxed) % others;
        i64::try_from((self.first_slot + group.unwrap_or_else(turn)) % SLOTS).unwrap_or(0)
    }

    pub(super) fn connections(&self) -> Connections {
        let status = self.pool.status();
        let busy = status.size.saturating_sub(status.available);
        Connections { idle: status.available, busy, waiting: status.waiting }
    }

    pub(super) async fn migrate(&self) -> Result<(), StoreError> {
        let mut client = self.pool.get().await?;
        migrate::postgres(&mut client).await
    }

    pub(super) async fn migration_status(&self) -> Result<MigrationStatus, StoreError> {
        let client = self.pool.get().await?;
        migrate::postgres_status(&client).await
    }

    /// A verb that a deadlock ended, or that found its connection broken, is tried again: nothing of it was committed. Whether
    /// a commit went through whose answer never came is not known, so that is reported.
    pub(super) async fn write(&self, verb: &mut dyn Work) -> Result<(), StoreError> {
        let mut attempt = 1;
        loop {
            let open = OpenTransaction::on(self.pool.get().await?);
            let slot = self.slot(None);
            let session = Session::new(open.client(), Some("BEGIN"), slot);
            let went_well = work::run(verb, &mut Tx::Postgres(&session)).await;
            let Ended { has_begun, may_try_again, failed, changes } = session.end();
            if went_well && failed {
                // The database would take the whole transaction back and call that a commit.
                open.roll_back(has_begun).await;
                return Err(passed_over());
            }
            if went_well {
                let before = (!has_begun).then_some("BEGIN");
                match open.commit(before, has_begun, &changes, slot).await {
                    Ok(()) => return Ok(()),
                    Err(error) if attempt < ATTEMPTS && lost_a_race(&error) => {}
                    Err(error) => return Err(error.into()),
                }
            } else {
                open.roll_back(has_begun).await;
                if !may_try_again || attempt == ATTEMPTS {
                    return Ok(());
                }
            }
            tracing::debug!(attempt, "a transaction is tried again");
            tokio::time::sleep(pause(attempt)).await;
            attempt += 1;
        }
    }

    pub(super) async fn read(&self, query: &mut dyn Work) -> Result<(), StoreError> {
        let mut attempt = 1;
        loop {
            let client = self.pool.get().await?;
            let session = Session::new(&client, None, 0);
            let went_well = work::run(query, &mut Tx::Postgres(&session)).await;
            let may_try_again = session.end().may_try_again;
            if went_well || !may_try_again || attempt == ATTEMPTS {
                return Ok(());
            }
            drop(client);
            tokio::time::sleep(pause(attempt)).await;
            attempt += 1;
        }
    }
}

/// Transactions that got into each other's way do not start again in step.
fn pause(attempt: u32) -> Duration {
    let [jitter] = crate::clock::random::<1>();
    Duration::from_millis(u64::from(attempt) * (5 + u64::from(jitter) / 8))
}

/// What becomes of a verb that goes on after one of its statements failed.
pub(super) fn passed_over() -> StoreError {
    StoreError::Unexpected("a verb passed over a statement that failed".to_owned())
}

/// Deadlocks and serialization failures: the database has rolled the transaction back.
pub(super) fn lost_a_race(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| code.code().starts_with("40"))
}

/// The server went away, or told us to.
fn lost_its_connection(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        Some(code) => code.code().starts_with("08") || code.code().starts_with("57P"),
        None => {
            error.is_closed() || std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>())
        }
    }
}

impl<'c> Session<'c> {
    pub(super) fn new(client: &'c ClientWrapper, begin: Option<&'static str>, slot: i64) -> Session<'c> {
        let [has_begun, failed, may_try_again] = [const { AtomicBool::new(false) }; 3];
        Session { client, begin, slot, changes: Mutex::default(), has_begun, failed, may_try_again }
    }

    pub(super) fn end(self) -> Ended {
        Ended {
            has_begun: self.has_begun.into_inner(),
            failed: self.failed.into_inner(),
            may_try_again: self.may_try_again.into_inner(),
            changes: self.changes.into_inner().unwrap_or_else(PoisonError::into_inner),
        }
    }

    pub(super) fn slot(&self) -> i64 {
        self.slot
    }

    pub(super) fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn prepared(&self, statement: &Statement) -> Result<tokio_postgres::Statement, StoreError> {
        self.heed(self.client.prepare_cached(statement.text()).await)
    }

    /// Runs a statement, and with the first one begins the transaction.
    async fn run<T>(&self, statement: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, StoreError> {
        match self.begin {
            Some(begin) if !self.has_begun.swap(true, Ordering::Relaxed) => {
                // Both are sent in this order before either answer is waited for.
                let (begun, done) = join(self.client.batch_execute(begin), statement).await;
                self.heed(begun)?;
                self.heed(done)
            }
            _ => self.heed(statement.await),
        }
    }

    fn heed<T>(&self, result: Result<T, tokio_postgres::Error>) -> Result<T, StoreError> {
        result.map_err(|error| {
            self.failed.store(true, Ordering::Relaxed);
            if lost_a_race(&error) || lost_its_connection(&error) {
                self.may_try_again.store(true, Ordering::Relaxed);
            }
            error.into()
        })
    }
}

/// What a session came to.
pub(super) struct Ended {
    /// What had to be said before the first statement was said.
    pub(super) has_begun: bool,
    pub(super) failed: bool,
    pub(super) may_try_again: bool,
    pub(super) changes: Changes,
}

/// Also refuses a statement with a parameter that no [`Value`] fits.
pub(super) async fn prepare(session: &Session<'_>, statement: &Statement) -> Result<(), StoreError> {
    let prepared = session.prepared(statement).await?;
    match prepared.params().iter().find(|ty| !Value::accepts(ty)) {
        Some(ty) => Err(StoreError::Unexpected(format!("a parameter of type {ty}"))),
        None => Ok(()),
    }
}

pub(super) async fn rows<T>(
    session: &Session<'_>,
    statement: &Statement,
    parameters: &[Value<'_>],
    make: &mut (impl FnMut(&Row<'_>) -> Result<T, StoreError> + Send),
) -> Result<Vec<T>, StoreError> {
    let prepared = session.prepared(statement).await?;
    let parameters = as_parameters(parameters);
    let found = session.run(session.client.query(&prepared, &parameters)).await?;
    found.iter().map(|row| make(&Row::Postgres(row))).collect()
}

pub(super) async fn execute(
    session: &Session<'_>,
    statement: &Statement,
    parameters: &[Value<'_>],
) -> Result<u64, StoreError> {
    let prepared = session.prepared(statement).await?;
    let parameters = as_parameters(parameters);
    session.run(session.client.execute(&prepared, &parameters)).await
}

pub(super) async fn execute_all(
    session: &Session<'_>,
    statements: &[(&Statement, &[Value<'_>])],
) -> Result<(), StoreError> {
    // Who waits for one to be prepared would be overtaken by those behind it.
    let mut prepared = Vec::with_capacity(statements.len());
    for (statement, parameters) in statements {
        prepared.push((session.prepared(statement).await?, as_parameters(parameters)));
    }
    // They are sent in the order in which they are polled first.
    let sent =
        prepared.iter().map(|(statement, parameters)| session.run(session.client.execute(statement, parameters)));
    join_all(sent).await.into_iter().collect::<Result<Vec<_>, _>>().map(drop)
}
