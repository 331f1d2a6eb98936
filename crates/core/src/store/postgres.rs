//! PostgreSQL: a pool of connections, each with its prepared statements.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts,
};
use futures::future::join;
use tokio_postgres::types::{Format, IsNull, ToSql, Type};

use super::postgres_address::Address;
use super::work::{self, Work};
use super::{Connections, MigrationStatus, Row, Statement, StoreError, Tx, Value, migrate};

/// How long a verb waits for a connection while all of them are busy.
const WAIT: Duration = Duration::from_secs(10);
/// What every connection is told: a statement or a transaction that hangs ends, and with it what it locks.
const SESSION: &str = "SET statement_timeout = '20s'; SET idle_in_transaction_session_timeout = '20s'";
/// How often a verb is tried that lost a race or its connection.
const ATTEMPTS: u32 = 4;

#[derive(Clone, Debug)]
pub(super) struct PostgresStore {
    pool: Pool,
}

/// A connection while a verb runs on it.
pub struct Session<'c> {
    client: &'c ClientWrapper,
    /// What still has to be said before the first statement. It goes out together with that, without waiting in between.
    begin: Option<&'static str>,
    has_begun: AtomicBool,
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
        Ok(PostgresStore { pool })
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
            let open = OpenTransaction { client: Some(self.pool.get().await?) };
            let session = Session::new(open.client(), Some("BEGIN"));
            let went_well = work::run(verb, &mut Tx::Postgres(&session)).await;
            let (has_begun, may_try_again) = session.end();
            if went_well {
                match open.commit(has_begun).await {
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
            let session = Session::new(&client, None);
            let went_well = work::run(query, &mut Tx::Postgres(&session)).await;
            let (_, may_try_again) = session.end();
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

/// Deadlocks and serialization failures: the database has rolled the transaction back.
fn lost_a_race(error: &tokio_postgres::Error) -> bool {
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
    fn new(client: &'c ClientWrapper, begin: Option<&'static str>) -> Session<'c> {
        Session { client, begin, has_begun: AtomicBool::new(false), may_try_again: AtomicBool::new(false) }
    }

    fn end(self) -> (bool, bool) {
        (self.has_begun.into_inner(), self.may_try_again.into_inner())
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
            if lost_a_race(&error) || lost_its_connection(&error) {
                self.may_try_again.store(true, Ordering::Relaxed);
            }
            error.into()
        })
    }
}

/// A transaction that cannot leak back into the pool: if its verb is abandoned half way, the connection is closed.
struct OpenTransaction {
    client: Option<Object>,
}

impl OpenTransaction {
    fn client(&self) -> &ClientWrapper {
        match &self.client {
            Some(client) => client,
            None => unreachable!("the connection is given back only when the transaction ends"),
        }
    }

    async fn commit(mut self, has_begun: bool) -> Result<(), tokio_postgres::Error> {
        if has_begun {
            self.client().batch_execute("COMMIT").await?;
        }
        drop(self.client.take());
        Ok(())
    }

    async fn roll_back(mut self, has_begun: bool) {
        if !has_begun || self.client().batch_execute("ROLLBACK").await.is_ok() {
            drop(self.client.take());
        }
    }
}

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            drop(Object::take(client));
        }
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(number) => number.to_sql(ty, out),
            Value::Text(text) => text.to_sql(ty, out),
            Value::Bytes(bytes) => bytes.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8 | Type::TEXT | Type::BYTEA)
    }

    fn to_sql_checked(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        let fits = match self {
            Value::Null => Value::accepts(ty),
            Value::Int(_) => *ty == Type::INT8,
            Value::Text(_) => *ty == Type::TEXT,
            Value::Bytes(_) => *ty == Type::BYTEA,
        };
        if !fits {
            return Err(format!("{self:?} does not fit a parameter of type {ty}").into());
        }
        self.to_sql(ty, out)
    }

    fn encode_format(&self, _ty: &Type) -> Format {
        Format::Binary
    }
}

fn as_parameters<'v>(parameters: &'v [Value<'_>]) -> Vec<&'v (dyn ToSql + Sync)> {
    parameters.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
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
