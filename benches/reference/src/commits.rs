//! Rows committed one by one by many callers at once, each commit synced: what the database can do for such a load.

use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rusqlite::Connection;

use crate::{Database, handler};

/// A table of its own beside Otaru's, with as many indexes and about as many bytes in a row as one of packages.
const TABLE: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS reference_rows (id {bytes} PRIMARY KEY, tenant {bytes} NOT NULL, space {bytes} NOT NULL,
        product {bytes} NOT NULL, kind BIGINT NOT NULL, version TEXT NOT NULL, files TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS reference_1 ON reference_rows (tenant, id)",
    "CREATE INDEX IF NOT EXISTS reference_2 ON reference_rows (tenant, kind, id)",
    "CREATE INDEX IF NOT EXISTS reference_3 ON reference_rows (space, id)",
    "CREATE INDEX IF NOT EXISTS reference_4 ON reference_rows (space, kind, id)",
    "CREATE INDEX IF NOT EXISTS reference_5 ON reference_rows (product, id)",
    "CREATE INDEX IF NOT EXISTS reference_6 ON reference_rows (product, kind, id)",
    "CREATE INDEX IF NOT EXISTS reference_7 ON reference_rows (tenant, version, id)",
];
const INSERT: &str =
    "INSERT INTO reference_rows (id, tenant, space, product, kind, version, files) VALUES ($1, $2, $3, $4, $5, $6, $7)";
const ROWS_PER_COMMIT: usize = 200;

/// A row's id: larger for each later row, so that it goes to the index's end.
fn id(number: u64) -> [u8; 12] {
    let mut id = [0; 12];
    id[..8].copy_from_slice(&number.to_be_bytes());
    id
}

/// Larger than every row of an earlier run.
fn first() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_micros() as u64)
}

fn files() -> String {
    "{\"name\":\"firmware.bin\",\"size_bytes\":1048576,\"sha256\":\"".to_owned() + &"0".repeat(400)
}

pub fn run(database: &Database, callers: usize, seconds: u64) -> Result<(), Box<dyn Error>> {
    let within = Duration::from_secs(seconds);
    let rate = match (&database.sqlite, &database.postgres) {
        (Some(path), _) => sqlite(path, callers, within)?,
        (None, Some(url)) => postgres(url, callers, within)?,
        (None, None) => return Err("name a database".into()),
    };
    println!("{rate:.1}");
    Ok(())
}

/// One writer commits what waits; each caller waits for its commit.
fn sqlite(path: &Path, callers: usize, within: Duration) -> Result<f64, Box<dyn Error>> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    for statement in TABLE {
        connection.execute_batch(&statement.replace("{bytes}", "BLOB"))?;
    }
    let (sender, jobs) = mpsc::channel::<(u64, mpsc::Sender<()>)>();
    let writer = std::thread::spawn(move || write(&connection, &jobs));
    let (next, over) = (Arc::new(AtomicU64::new(first())), Arc::new(AtomicBool::new(false)));
    let began = Instant::now();
    let callers: Vec<_> = (0..callers)
        .map(|_| {
            let (sender, next, over) = (sender.clone(), Arc::clone(&next), Arc::clone(&over));
            std::thread::spawn(move || {
                let mut count = 0u64;
                while !over.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let (done, committed) = mpsc::channel();
                    if sender.send((number, done)).is_err() || committed.recv().is_err() {
                        break;
                    }
                    count += 1;
                }
                count
            })
        })
        .collect();
    drop(sender);
    std::thread::sleep(within);
    over.store(true, Ordering::Relaxed);
    let mut count = 0;
    for caller in callers {
        count += caller.join().map_err(|_| "a caller failed")?;
    }
    let took = began.elapsed().as_secs_f64();
    writer.join().map_err(|_| "the writer failed")??;
    Ok(count as f64 / took)
}

fn write(connection: &Connection, jobs: &mpsc::Receiver<(u64, mpsc::Sender<()>)>) -> Result<(), rusqlite::Error> {
    let insert = INSERT.replace('$', "?");
    let (files, owner) = (files(), id(7));
    while let Ok(first) = jobs.recv() {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let mut waiting = Vec::with_capacity(ROWS_PER_COMMIT);
        let mut job = Some(first);
        while let Some((number, done)) = job {
            let id = id(number);
            let version = number.to_string();
            connection.prepare_cached(&insert)?.execute(rusqlite::params![
                &id[..],
                &owner[..],
                &owner[..],
                &owner[..],
                0,
                version,
                files
            ])?;
            waiting.push(done);
            job = if waiting.len() < ROWS_PER_COMMIT { jobs.try_recv().ok() } else { None };
        }
        connection.execute_batch("COMMIT")?;
        for done in waiting {
            // A caller that stopped waiting does not need to know.
            let _ = done.send(());
        }
    }
    Ok(())
}

/// Each caller has a connection and commits for itself; the database puts commits that wait together.
fn postgres(url: &str, callers: usize, within: Duration) -> Result<f64, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let pool = handler::pool(url, callers)?;
        let client = pool.get().await?;
        for statement in TABLE {
            client.batch_execute(&statement.replace("{bytes}", "BYTEA")).await?;
        }
        drop(client);
        let next = Arc::new(AtomicU64::new(first()));
        let began = Instant::now();
        let end = began + within;
        let callers: Vec<_> = (0..callers)
            .map(|_| {
                let (pool, next) = (pool.clone(), Arc::clone(&next));
                tokio::spawn(async move {
                    let client = pool.get().await.ok()?;
                    let insert = client.prepare(INSERT).await.ok()?;
                    let (files, owner) = (files(), id(7).to_vec());
                    let mut count = 0u64;
                    while Instant::now() < end {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let (id, version) = (id(number).to_vec(), number.to_string());
                        client.execute(&insert, &[&id, &owner, &owner, &owner, &0i64, &version, &files]).await.ok()?;
                        count += 1;
                    }
                    Some(count)
                })
            })
            .collect();
        let mut count = 0;
        for caller in callers {
            count += caller.await?.ok_or("a row could not be put on record")?;
        }
        Ok(count as f64 / began.elapsed().as_secs_f64())
    })
}
