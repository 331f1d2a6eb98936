//! This machine: its data folder, its store and master key, its ports.

use std::net::TcpListener;
use std::path::Path;

use otaru_core::clock::Clock;
use otaru_core::store::{Store, StoreError, health};

use super::Findings;
use crate::config::{Config, Secrets};
use crate::house;

pub fn data(data: &Path, findings: &mut Findings) {
    if !data.exists() {
        let text = format!("{} does not exist yet", data.display());
        findings.warn("data folder", text, "it is made at the first start; is `data` the folder that you mean?");
        return;
    }
    let probe = data.join(".doctor");
    match std::fs::write(&probe, b"x").and_then(|()| std::fs::remove_file(&probe)) {
        Ok(()) => findings.ok("data folder", format!("{} can be written", data.display())),
        Err(error) => {
            let text = format!("{} cannot be written: {error}", data.display());
            findings.fail("data folder", text, "give it to the user that the server runs as");
        }
    }
    match rustix::fs::statvfs(data) {
        Ok(room) => findings.room("disk", room.f_bavail.saturating_mul(room.f_frsize)),
        Err(error) => findings.warn("disk", format!("its room is not known: {error}"), "look with `df`"),
    }
}

/// The schema first; the master key only fits a store that has one. Nothing here makes what is not there.
pub async fn store(config: &Config, secrets: &Secrets, findings: &mut Findings) {
    let url = config.store();
    if url.strip_prefix("sqlite:").is_some_and(|path| !Path::new(path).exists()) {
        findings.warn("store", "there is none yet", "it is made at the first start; is `store` the one that you mean?");
        return;
    }
    let opened = match house::store(config) {
        Ok(store) => store.migration_status().await.map(|status| (store, status)).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let (store, status) = match opened {
        Ok(opened) => opened,
        Err(problem) => {
            return findings.fail("store", problem, "check `store`, that the database runs, and its user's rights");
        }
    };
    let begun_ms = Clock::system().now_ms();
    match clock_ms(&store).await {
        // On the way there and back time goes on; half of it is the best guess.
        Ok(theirs_ms) => {
            let ours_ms = (begun_ms + Clock::system().now_ms()) / 2;
            findings.clock("store clock", "the database's clock", theirs_ms - ours_ms);
        }
        Err(error) => findings.fail("store clock", error.to_string(), "look at the database's log"),
    }
    match damage(&store).await {
        Ok(damage) if damage.is_empty() => findings.ok("store pages", "no damage was found"),
        Ok(damage) => {
            let advice = "stop the server and restore a backup; keep a copy of the damaged file";
            findings.fail("store pages", damage.join("; "), advice);
        }
        Err(error) => findings.fail("store pages", error.to_string(), "look at the disk and at the database's log"),
    }
    if status.pending.is_empty() {
        findings.ok("store", format!("up to date at migration {}", status.applied));
        master_key(config, secrets, findings).await;
    } else {
        let text = format!("to be migrated: {}", status.pending.join(", "));
        findings.warn("store", text, "`otaru migrate`, or start the server");
    }
}

async fn clock_ms(store: &Store) -> Result<i64, StoreError> {
    store.read(|tx| Box::pin(health::clock_ms(tx))).await
}

async fn damage(store: &Store) -> Result<Vec<String>, StoreError> {
    store.read(|tx| Box::pin(health::damage(tx))).await
}

async fn master_key(config: &Config, secrets: &Secrets, findings: &mut Findings) {
    match house::check_key(config, secrets).await {
        Ok(()) => findings.ok("master key", "fits the store"),
        Err(error) => {
            findings.fail(
                "master key",
                error.to_string(),
                "give the key that the store was made with, from its backup",
            );
        }
    }
}

pub fn ports(config: &Config, server_runs: bool, findings: &mut Findings) {
    let doors = [
        ("http port", Some(config.http)),
        ("objects port", Some(config.objects)),
        ("https port", config.https()),
        ("objects_https port", config.objects_https),
    ];
    for (what, address) in doors {
        let Some(address) = address else { continue };
        match TcpListener::bind(address) {
            Ok(_) => findings.ok(what, format!("{address} is free")),
            Err(_) if server_runs => findings.ok(what, format!("{address} is taken, as by a running server")),
            Err(error) => {
                findings.fail(what, format!("{address}: {error}"), "end what listens there, or set another address");
            }
        }
    }
}
