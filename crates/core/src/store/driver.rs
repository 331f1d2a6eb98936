//! Two databases behind one set of calls. A verb gets a [`Tx`] and does not know which it is.

use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, ready};

use super::counts::Changes;
use super::postgres::{PostgresStore, Session};
use super::sqlite::SqliteStore;
use super::work::Body;
use super::{MigrationStatus, Statement, StoreError, migrate};
use crate::telemetry;

/// Where the records are. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    driver: Driver,
}

#[derive(Clone, Debug)]
enum Driver {
    Sqlite(SqliteStore),
    Postgres(PostgresStore),
}

/// What the connections of a pool do at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    pub idle: usize,
    pub busy: usize,
    /// Verbs that wait for one.
    pub waiting: usize,
}

/// A transaction, or for reads at least one connection.
pub enum Tx<'a> {
    /// Every call is ready at once, so a verb runs to completion on the thread that holds the connection.
    Sqlite(&'a mut rusqlite::Connection),
    Postgres(&'a Session<'a>),
}

/// A parameter of a statement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    Null,
    Int(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// A row of an answer; columns are counted from zero.
pub enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

impl Store {
    /// Opens `sqlite:PATH` or `postgres://…` and brings its schema up to date.
    pub async fn open(url: &str) -> Result<Store, StoreError> {
        let store = Store::connect(url)?;
        store.migrate().await?;
        Ok(store)
    }

    /// Opens the store as it is, whatever its schema.
    pub fn connect(url: &str) -> Result<Store, StoreError> {
        let driver = if let Some(path) = url.strip_prefix("sqlite:") {
            Driver::Sqlite(SqliteStore::open(path.as_ref())?)
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Driver::Postgres(PostgresStore::open(url)?)
        } else {
            return Err(StoreError::Misconfigured(
                "a store is `sqlite:PATH` or `postgres://USER@HOST/DATABASE`".to_owned(),
            ));
        };
        Ok(Store { driver })
    }

    /// The pool's connections, where the database has a pool.
    pub fn connections(&self) -> Option<Connections> {
        match &self.driver {
            Driver::Sqlite(_) => None,
            Driver::Postgres(postgres) => Some(postgres.connections()),
        }
    }

    /// Whether several copies of the server can share this store.
    pub fn is_shared(&self) -> bool {
        matches!(self.driver, Driver::Postgres(_))
    }

    /// A number that is another one after each commit: what was read under the same number is what would be read now. None
    /// where commits of other copies of the server are not seen here.
    pub fn commits(&self) -> Option<u64> {
        match &self.driver {
            Driver::Sqlite(sqlite) => Some(sqlite.commits()),
            Driver::Postgres(_) => None,
        }
    }

    pub async fn migrate(&self) -> Result<(), StoreError> {
        match &self.driver {
            Driver::Sqlite(_) => self.on_sqlite(migrate::sqlite).await,
            Driver::Postgres(postgres) => postgres.migrate().await,
        }
    }

    /// What the schema is and what this program would make of it; changes nothing.
    pub async fn migration_status(&self) -> Result<MigrationStatus, StoreError> {
        match &self.driver {
            Driver::Sqlite(_) => self.on_sqlite(migrate::sqlite_status).await,
            Driver::Postgres(postgres) => postgres.migration_status().await,
        }
    }

    async fn on_sqlite<T: Send + 'static>(
        &self,
        work: fn(&rusqlite::Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.write(move |tx| {
            let done = match tx {
                Tx::Sqlite(connection) => work(connection),
                Tx::Postgres(_) => Err(StoreError::Unexpected("this is no SQLite".to_owned())),
            };
            Box::pin(ready(done))
        })
        .await
    }

    /// Runs `verb` in one transaction. It is durable when this returns; an error leaves nothing behind. On PostgreSQL it may
    /// run several times until one goes through, each time from the start, so it has to be cheap to clone.
    pub async fn write<T, E, F>(&self, verb: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t, 'c> FnOnce(&'t mut Tx<'c>) -> BoxFuture<'t, Result<T, E>> + Clone + Send + 'static,
    {
        self.write_as(None, verb).await
    }

    /// Runs `query`, which must not change anything.
    pub async fn read<T, E, F>(&self, query: F) -> Result<T, E>
    where
        T: Send,
        E: From<StoreError> + Send,
        F: for<'t, 'c> FnOnce(&'t mut Tx<'c>) -> BoxFuture<'t, Result<T, E>> + Clone + Send,
    {
        self.read_as(None, query).await
    }

    /// Like [`Store::write`]; `name` is the verb's, for metrics and log, if it is one.
    pub(crate) async fn write_as<T, E, F>(&self, name: Option<&'static str>, verb: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t, 'c> FnOnce(&'t mut Tx<'c>) -> BoxFuture<'t, Result<T, E>> + Clone + Send + 'static,
    {
        match &self.driver {
            Driver::Sqlite(_) => self.write_together_as(name, verb).await,
            Driver::Postgres(postgres) => {
                let mut body = Body::new("write", name, verb);
                let kept = postgres.write(&mut body).await;
                body.outcome(kept)
            }
        }
    }

    /// Like [`Store::write`], for what many do at once: a transaction is shared by those who wait for one. On PostgreSQL a verb
    /// must not wait for a row that another verb holds, or only by chance: whoever shares its transaction would wait with it.
    pub async fn write_together<T, E, F>(&self, verb: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t, 'c> FnOnce(&'t mut Tx<'c>) -> BoxFuture<'t, Result<T, E>> + Clone + Send + 'static,
    {
        self.write_together_as(None, verb).await
    }

    /// Like [`Store::write_together`]; `name` is the verb's, for metrics and log, if it is one.
    pub(crate) async fn write_together_as<T, E, F>(&self, name: Option<&'static str>, verb: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t, 'c> FnOnce(&'t mut Tx<'c>) -> BoxFuture<'t, Result<T, E>> + Clone + Send + 'static,
    {
        let (job, answer) = Body::new("write", name, verb).sent();
        match &self.driver {
            Driver::Sqlite(sqlite) => sqlite.write(job).await,
            Driver::Postgres(postgres) => postgres.write_together(job),
        }
        let gone = || StoreError::Unavailable("the store takes no writes now".to_owned());
        answer.await.unwrap_or_else(|_| Err(gone().into()))
    }

    /// Like [`Store::read`]; `name` is the verb's, for metrics and log, if it is one.
    pub(crate) async fn read_as<T, E, F>(&self, name: Option<&'static str>, query: F) -> Result<T, E>
    where
        T: Send,
        E: From<StoreError> + Send,
        F: for<'t, 'c> FnOnce(&'t mut Tx<'c>) -> BoxFuture<'t, Result<T, E>> + Clone + Send,
    {
        let mut body = Body::new("read", name, query);
        let ran = match &self.driver {
            Driver::Sqlite(sqlite) => sqlite.read(&mut body),
            Driver::Postgres(postgres) => postgres.read(&mut body).await,
        };
        body.outcome(ran)
    }

    /// Prepares statements: one that does not fit the schema shows before it is needed.
    pub async fn prepare(&self, statements: Vec<&'static Statement>) -> Result<(), StoreError> {
        self.read(move |tx| {
            Box::pin(async move {
                for statement in statements {
                    tx.prepare(statement)
                        .await
                        .map_err(|error| StoreError::Unexpected(format!("{error}, in: {}", statement.text())))?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Asks the database for a sign of life.
    pub async fn ping(&self, within: Duration) -> Result<(), StoreError> {
        static PING: Statement = Statement::named("PING", "SELECT 1");
        let ping = self.read(|tx| Box::pin(async move { tx.execute(&PING, &[]).await.map(drop) }));
        match tokio::time::timeout(within, ping).await {
            Ok(answer) => answer,
            Err(_) => Err(StoreError::Unavailable(format!("no answer within {within:?}"))),
        }
    }
}

impl Tx<'_> {
    /// Every row of the answer, each made into a `T`.
    pub async fn rows<T: Send>(
        &mut self,
        statement: &Statement,
        parameters: &[Value<'_>],
        mut make: impl FnMut(&Row<'_>) -> Result<T, StoreError> + Send,
    ) -> Result<Vec<T>, StoreError> {
        let started = Instant::now();
        let outcome = match self {
            Tx::Sqlite(connection) => super::sqlite::rows(connection, statement, parameters, &mut make),
            Tx::Postgres(client) => super::postgres::rows(client, statement, parameters, &mut make).await,
        };
        telemetry::statement(statement.name(), started.elapsed());
        outcome
    }

    /// The first row of the answer, if there is one.
    pub async fn row<T: Send>(
        &mut self,
        statement: &Statement,
        parameters: &[Value<'_>],
        make: impl FnMut(&Row<'_>) -> Result<T, StoreError> + Send,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.rows(statement, parameters, make).await?.into_iter().next())
    }

    /// How many rows the statement changed, or returned.
    pub async fn execute(&mut self, statement: &Statement, parameters: &[Value<'_>]) -> Result<u64, StoreError> {
        let started = Instant::now();
        let outcome = match self {
            Tx::Sqlite(connection) => super::sqlite::execute(connection, statement, parameters),
            Tx::Postgres(client) => super::postgres::execute(client, statement, parameters).await,
        };
        telemetry::statement(statement.name(), started.elapsed());
        outcome
    }

    /// Several statements in this order that need none of each other's answers: PostgreSQL gets all before it is waited for.
    /// The first one's failure is told that fails.
    pub async fn execute_all(&mut self, statements: &[(&Statement, &[Value<'_>])]) -> Result<(), StoreError> {
        let Tx::Postgres(session) = self else {
            for (statement, parameters) in statements {
                self.execute(statement, parameters).await?;
            }
            return Ok(());
        };
        let started = Instant::now();
        let outcome = super::postgres::execute_all(session, statements).await;
        // Each is told with the time that all took: that is how long it was waited for.
        let took = started.elapsed();
        statements.iter().for_each(|(statement, _)| telemetry::statement(statement.name(), took));
        outcome
    }

    async fn prepare(&mut self, statement: &Statement) -> Result<(), StoreError> {
        match self {
            Tx::Sqlite(connection) => super::sqlite::prepare(connection, statement),
            Tx::Postgres(client) => super::postgres::prepare(client, statement).await,
        }
    }

    /// Whether other transactions may run at the same time.
    pub fn is_concurrent(&self) -> bool {
        matches!(self, Tx::Postgres(_))
    }

    /// The changes of totals that are made when the transaction ends, where others run at the same time.
    pub(super) fn changes_at_end(&self) -> Option<MutexGuard<'_, Changes>> {
        match self {
            Tx::Sqlite(_) => None,
            Tx::Postgres(session) => Some(session.changes()),
        }
    }

    /// Which of the rows that share one total the transaction changes, so that those at the same time change others.
    pub(super) fn slot(&self) -> i64 {
        match self {
            Tx::Sqlite(_) => 0,
            Tx::Postgres(session) => session.slot(),
        }
    }
}

impl Row<'_> {
    pub fn int(&self, column: usize) -> Result<i64, StoreError> {
        match self {
            Row::Sqlite(row) => Ok(row.get(column)?),
            Row::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    pub fn int_opt(&self, column: usize) -> Result<Option<i64>, StoreError> {
        match self {
            Row::Sqlite(row) => Ok(row.get(column)?),
            Row::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    pub fn text(&self, column: usize) -> Result<&str, StoreError> {
        self.text_opt(column)?.ok_or_else(|| StoreError::Unexpected(format!("column {column} is null")))
    }

    pub fn text_opt(&self, column: usize) -> Result<Option<&str>, StoreError> {
        match self {
            Row::Sqlite(row) => row
                .get_ref(column)?
                .as_str_or_null()
                .map_err(|error| StoreError::Unexpected(format!("column {column}: {error}"))),
            Row::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    pub fn string(&self, column: usize) -> Result<String, StoreError> {
        self.text(column).map(str::to_owned)
    }

    pub fn string_opt(&self, column: usize) -> Result<Option<String>, StoreError> {
        Ok(self.text_opt(column)?.map(str::to_owned))
    }

    pub fn bytes(&self, column: usize) -> Result<&[u8], StoreError> {
        self.bytes_opt(column)?.ok_or_else(|| StoreError::Unexpected(format!("column {column} is null")))
    }

    pub fn bytes_opt(&self, column: usize) -> Result<Option<&[u8]>, StoreError> {
        match self {
            Row::Sqlite(row) => row
                .get_ref(column)?
                .as_blob_or_null()
                .map_err(|error| StoreError::Unexpected(format!("column {column}: {error}"))),
            Row::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    /// Bytes that are an id or a digest.
    pub fn fixed<T: for<'b> TryFrom<&'b [u8]>>(&self, column: usize) -> Result<T, StoreError> {
        T::try_from(self.bytes(column)?)
            .map_err(|_| StoreError::Unexpected(format!("column {column} has a wrong length")))
    }

    /// Text that is one of the model's words.
    pub fn word<T: std::str::FromStr<Err = String>>(&self, column: usize) -> Result<T, StoreError> {
        self.text(column)?.parse().map_err(|error| StoreError::Unexpected(format!("column {column}: {error}")))
    }

    /// Text that is a JSON list or object.
    pub fn json<T: serde::de::DeserializeOwned + Default>(&self, column: usize) -> Result<T, StoreError> {
        from_json(self.text(column)?)
    }
}

/// A JSON list or object that is stored as text.
pub(super) fn from_json<T: serde::de::DeserializeOwned + Default>(text: &str) -> Result<T, StoreError> {
    // Most are empty, and a page has many of them.
    if matches!(text, "[]" | "{}") {
        return Ok(T::default());
    }
    serde_json::from_str(text).map_err(|error| StoreError::Unexpected(format!("stored JSON: {error}")))
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Value<'a> {
        Value::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Value<'a> {
        Value::Text(text)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Int(number)
    }
}

impl From<bool> for Value<'_> {
    fn from(truth: bool) -> Self {
        Value::Int(i64::from(truth))
    }
}

impl<'a> From<&'a otaru_model::Id> for Value<'a> {
    fn from(id: &'a otaru_model::Id) -> Value<'a> {
        Value::Bytes(id.as_bytes())
    }
}

impl<'a> From<&'a otaru_model::Sha256> for Value<'a> {
    fn from(digest: &'a otaru_model::Sha256) -> Value<'a> {
        Value::Bytes(digest.as_bytes())
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Value<'a> {
        Value::Bytes(bytes)
    }
}

impl<'a> From<&'a Option<String>> for Value<'a> {
    fn from(option: &'a Option<String>) -> Value<'a> {
        option.as_deref().map_or(Value::Null, Value::Text)
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(option: Option<i64>) -> Self {
        option.map_or(Value::Null, Value::Int)
    }
}
