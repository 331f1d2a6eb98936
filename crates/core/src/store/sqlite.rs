//! SQLite: readers run where they are called, one thread writes.
//!
//! The writer takes what waits in its queue into one transaction, a savepoint for each verb, and answers after the
//! commit. So a commit's disk sync is shared by all who wait, and a verb that fails takes only itself back.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql};
use tokio::sync::mpsc;

use super::work::{self, Job, Work};
use super::{Row, Statement, StoreError, Tx, Value};
use crate::{request, telemetry};

/// How many verbs share one commit at most: enough to make the sync cheap, few enough to keep the first one's wait short.
const VERBS_PER_COMMIT: usize = 200;
/// How many verbs may wait for the writer before callers have to wait to hand theirs in.
const WRITER_QUEUE: usize = 1024;

#[derive(Clone)]
pub(super) struct SqliteStore {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    /// Read connections that nobody uses at the moment.
    readers: Mutex<Vec<Connection>>,
    writer: mpsc::Sender<Box<dyn Job>>,
    /// Commits of the writer, each counted before those hear of it whose verbs it has.
    commits: Arc<AtomicU64>,
}

impl SqliteStore {
    pub(super) fn open(path: &Path) -> Result<SqliteStore, StoreError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)
                .map_err(|error| StoreError::Unavailable(format!("{}: {error}", folder.display())))?;
        }
        let connection = Connection::open(path)?;
        prepare_connection(&connection)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
        connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
        let (writer, jobs) = mpsc::channel(WRITER_QUEUE);
        let commits = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&commits);
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || write_loop(connection, jobs, &counter))
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let inner = Inner { path: path.to_owned(), readers: Mutex::default(), writer, commits };
        Ok(SqliteStore { inner: Arc::new(inner) })
    }

    /// Hands a verb to the writer, which answers it after the commit.
    pub(super) async fn write(&self, job: Box<dyn Job>) {
        // A job that is not taken is dropped, which tells its caller.
        let _ = self.inner.writer.send(job).await;
    }

    pub(super) fn commits(&self) -> u64 {
        self.inner.commits.load(Ordering::Acquire)
    }

    pub(super) fn read(&self, query: &mut dyn Work) -> Result<(), StoreError> {
        let mut connection = self.reader()?;
        told(&connection, "BEGIN")?;
        let outcome = complete(work::run(query, &mut Tx::Sqlite(&mut connection)));
        let ended = told(&connection, "COMMIT");
        if ended.is_ok() {
            self.inner.readers.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        outcome.map(drop)
    }

    fn reader(&self) -> Result<Connection, StoreError> {
        let idle = self.inner.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(connection) => Ok(connection),
            None => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let connection = Connection::open_with_flags(&self.inner.path, flags)?;
                prepare_connection(&connection)?;
                Ok(connection)
            }
        }
    }
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sqlite:{}", self.inner.path.display())
    }
}

/// Says where a transaction begins or ends, by a statement that is prepared once for each connection: reading its text would
/// take as long as a look-up.
fn told(connection: &Connection, statement: &'static str) -> rusqlite::Result<()> {
    connection.prepare_cached(statement)?.execute([]).map(drop)
}

/// What every connection needs, reading or writing.
fn prepare_connection(connection: &Connection) -> Result<(), StoreError> {
    connection.set_prepared_statement_cache_capacity(256);
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    // Without this, statistics make SQLite plan a statement anew each time a parameter is bound.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.pragma_update(None, "cache_size", -8192)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // A disk fault under a memory map would end the process instead of the call.
    connection.pragma_update(None, "mmap_size", 0)?;
    Ok(())
}

fn write_loop(mut connection: Connection, mut jobs: mpsc::Receiver<Box<dyn Job>>, commits: &AtomicU64) {
    let mut batch = Vec::with_capacity(VERBS_PER_COMMIT);
    while jobs.blocking_recv_many(&mut batch, VERBS_PER_COMMIT) > 0 {
        let begun = told(&connection, "BEGIN IMMEDIATE").map_err(StoreError::from);
        let mut done: Vec<(Box<dyn Job>, Result<(), StoreError>)> = Vec::with_capacity(batch.len());
        if begun.is_ok() {
            for mut job in batch.drain(..) {
                // After a failure of the disk SQLite may take the whole group back by itself. What came after that would be
                // committed verb by verb, and be told that it was not.
                if connection.is_autocommit() {
                    break;
                }
                let ran = in_savepoint(&mut connection, &mut *job);
                done.push((job, ran));
            }
        }
        let verbs = done.len();
        let committed = begun.and_then(|()| told(&connection, "COMMIT").map_err(StoreError::from));
        if committed.is_err() && !connection.is_autocommit() {
            let _ = connection.execute_batch("ROLLBACK");
        }
        commits.fetch_add(1, Ordering::Release);
        // Jobs that never ran are dropped, which tells their callers.
        batch.clear();
        for (job, ran) in done {
            job.answer(match &committed {
                Ok(()) => ran,
                Err(StoreError::Full) => Err(StoreError::Full),
                Err(error) => Err(StoreError::Unavailable(error.to_string())),
            });
        }
        telemetry::group(verbs, jobs.len());
        if let Err(error) = committed {
            tracing::error!(%error, "a commit failed");
        }
    }
}

/// Runs a verb so that an error, or a panic in it, takes back only what the verb did.
fn in_savepoint(connection: &mut Connection, verb: &mut dyn Job) -> Result<(), StoreError> {
    told(connection, "SAVEPOINT verb")?;
    let request = verb.request();
    let work = || request::for_the_same(request, || complete(work::run(verb, &mut Tx::Sqlite(connection))));
    let outcome = catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(StoreError::Unexpected("a verb panicked".to_owned())));
    if !matches!(outcome, Ok(true)) {
        told(connection, "ROLLBACK TO verb")?;
    }
    told(connection, "RELEASE verb")?;
    outcome.map(drop)
}

/// Completes a future that has nothing to wait for: on SQLite every call of a [`Tx`] is ready at once.
fn complete(future: impl Future<Output = bool>) -> Result<bool, StoreError> {
    let mut context = Context::from_waker(Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        Poll::Ready(outcome) => Ok(outcome),
        Poll::Pending => Err(StoreError::Unexpected("a verb waited for something else than the store".to_owned())),
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

pub(super) fn prepare(connection: &Connection, statement: &Statement) -> Result<(), StoreError> {
    connection.prepare_cached(statement.sqlite_text())?;
    Ok(())
}

pub(super) fn rows<T>(
    connection: &Connection,
    statement: &Statement,
    parameters: &[Value<'_>],
    make: &mut impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut prepared = connection.prepare_cached(statement.sqlite_text())?;
    let mut found = prepared.query(rusqlite::params_from_iter(parameters))?;
    let mut made = Vec::new();
    while let Some(row) = found.next()? {
        made.push(make(&Row::Sqlite(row))?);
    }
    Ok(made)
}

pub(super) fn execute(
    connection: &Connection,
    statement: &Statement,
    parameters: &[Value<'_>],
) -> Result<u64, StoreError> {
    let mut prepared = connection.prepare_cached(statement.sqlite_text())?;
    if prepared.column_count() > 0 {
        let mut found = prepared.query(rusqlite::params_from_iter(parameters))?;
        let mut count = 0;
        while found.next()?.is_some() {
            count += 1;
        }
        return Ok(count);
    }
    let changed = prepared.execute(rusqlite::params_from_iter(parameters))?;
    Ok(u64::try_from(changed).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    /// What SQLite does by itself when the disk fails under a statement.
    async fn lose_the_transaction(store: Store) -> Result<(), StoreError> {
        store
            .write(|tx| {
                let Tx::Sqlite(connection) = tx else { panic!("this is SQLite") };
                let lost = connection.execute_batch("ROLLBACK").map_err(StoreError::from);
                Box::pin(std::future::ready(lost))
            })
            .await
    }

    async fn put(store: Store, name: &'static str) -> Result<(), StoreError> {
        store
            .write(move |tx| {
                let Tx::Sqlite(connection) = tx else { panic!("this is SQLite") };
                let done = connection.execute("INSERT INTO settings (name, value) VALUES (?1, 'x')", [name]);
                Box::pin(std::future::ready(done.map(drop).map_err(StoreError::from)))
            })
            .await
    }

    #[tokio::test]
    async fn who_hears_of_a_commit_finds_it_counted() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite:{}", folder.path().join("a.db").display())).await.unwrap();
        let mut known = store.commits();
        for name in ["a", "b", "c"] {
            put(store.clone(), name).await.unwrap();
            assert!(store.commits() > known);
            known = store.commits();
        }
        store.read(|tx| Box::pin(crate::store::settings::get(tx, "a"))).await.unwrap();
        assert_eq!(store.commits(), known, "reading changes nothing");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn when_the_disk_takes_a_group_of_verbs_back_none_of_it_stays() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite:{}", folder.path().join("a.db").display())).await.unwrap();
        // The writer waits in a verb until the others are in its queue: they become one group.
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let (blocked, is_blocked) = std::sync::mpsc::channel::<()>();
        let first = tokio::spawn({
            let (store, wait) = (store.clone(), std::sync::Arc::new(std::sync::Mutex::new(wait)));
            async move {
                store
                    .write(move |_| {
                        blocked.send(()).unwrap();
                        wait.lock().unwrap().recv().unwrap();
                        Box::pin(std::future::ready(Ok::<_, StoreError>(())))
                    })
                    .await
            }
        });
        tokio::task::spawn_blocking(move || is_blocked.recv().unwrap()).await.unwrap();
        let group = futures::future::join3(
            put(store.clone(), "before"),
            lose_the_transaction(store.clone()),
            put(store.clone(), "after"),
        );
        let (outcomes, ()) = futures::future::join(group, async {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            go.send(()).unwrap();
        })
        .await;
        first.await.unwrap().unwrap();
        assert!(outcomes.0.is_err() && outcomes.1.is_err() && outcomes.2.is_err(), "{outcomes:?}");
        for name in ["before", "after"] {
            let there =
                store.read(move |tx| Box::pin(async move { crate::store::settings::get(tx, name).await })).await;
            assert_eq!(there.unwrap(), None, "{name} was told to have failed");
        }
        put(store.clone(), "after").await.expect("the next group is well");
    }
}
