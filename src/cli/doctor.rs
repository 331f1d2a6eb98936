//! The doctor: one line for each thing that can be wrong, with what to do about it.

use std::net::TcpListener;
use std::path::Path;

use clap::ArgMatches;
use otaru_core::clock::Clock;
use serde_json::{Value, json};

use super::client::Connection;
use super::failure::{Failure, Kind};
use super::table;
use crate::config::{Config, Secrets};
use crate::house;
use crate::listen::tls::{Identity, Tls};

/// Below this much room uploads will soon be refused.
const LITTLE_BYTES: u64 = 1 << 30;
/// Signed requests are refused once two clocks differ by fifteen minutes.
const CLOCK_WARN_MS: i64 = 5_000;
const CLOCK_FAIL_MS: i64 = 15 * 60_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

struct Finding {
    what: &'static str,
    verdict: Verdict,
    text: String,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, what: &'static str, verdict: Verdict, text: impl Into<String>) {
        self.0.push(Finding { what, verdict, text: text.into() });
    }

    fn print(&self, as_json: bool) {
        let name = |verdict: Verdict| match verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        };
        if as_json {
            let line = |it: &Finding| json!({ "check": it.what, "verdict": name(it.verdict), "text": it.text });
            println!("{:#}", Value::Array(self.0.iter().map(line).collect()));
            return;
        }
        for finding in &self.0 {
            println!("{:<5} {:<14} {}", name(finding.verdict), finding.what, finding.text);
        }
    }
}

/// Looks at everything; fails if anything does.
pub async fn run(connection: &Connection, flags: &ArgMatches) -> Result<(), Failure> {
    let mut findings = Findings::default();
    let server = ask_server(connection, &mut findings).await;
    match Config::load(flags, std::env::vars_os()) {
        Ok((config, secrets)) => {
            findings.add("configuration", Verdict::Ok, "every option is understood");
            check_data(&config.data, &mut findings);
            check_store(&config, &secrets, &mut findings).await;
            check_certificate(&config, &mut findings);
            check_ports(&config, server.is_some(), &mut findings);
        }
        Err(error) => findings.add("configuration", Verdict::Fail, error.to_string()),
    }
    findings.print(connection.json);
    match findings.0.iter().filter(|finding| finding.verdict == Verdict::Fail).count() {
        0 => Ok(()),
        failed => Err(Failure::new(Kind::Check, format!("{failed} of {} checks failed", findings.0.len()))),
    }
}

/// What a running server says of itself. That none runs is no fault.
async fn ask_server(connection: &Connection, findings: &mut Findings) -> Option<Value> {
    let client = match connection.client() {
        Ok(client) => client,
        Err(failure) => {
            findings.add("server", Verdict::Warn, format!("not asked: {failure}"));
            return None;
        }
    };
    let server = match client.get("/server").await {
        Ok(server) => server,
        Err(failure) => {
            findings.add("server", Verdict::Warn, format!("{failure}"));
            return None;
        }
    };
    let ours = env!("CARGO_PKG_VERSION");
    let theirs = server["version"].as_str().unwrap_or_default();
    let verdict = if ours == theirs { Verdict::Ok } else { Verdict::Warn };
    findings.add("server", verdict, format!("{} runs version {theirs}; this command is {ours}", client.server()));
    let ahead_ms = match server["time"].as_str().and_then(|time| time.parse::<jiff::Timestamp>().ok()) {
        Some(time) => time.as_millisecond() - Clock::system().now_ms(),
        None => i64::MAX,
    };
    let (verdict, advice) = match ahead_ms.saturating_abs() {
        ..CLOCK_WARN_MS => (Verdict::Ok, ""),
        CLOCK_WARN_MS..CLOCK_FAIL_MS => (Verdict::Warn, ": set both clocks by NTP"),
        _ => (Verdict::Fail, ": signed requests are refused; set both clocks by NTP"),
    };
    findings.add("clock", verdict, format!("the server's is {ahead_ms} ms ahead of this machine's{advice}"));
    match server["store"]["problem"].as_str() {
        None => findings.add("server store", Verdict::Ok, "answers"),
        Some(problem) => findings.add("server store", Verdict::Fail, format!("{problem}: look at the database's log")),
    }
    match (server["blobs"]["problem"].as_str(), server["blobs"]["free_bytes"].as_u64()) {
        (Some(problem), _) => {
            findings.add("server files", Verdict::Fail, format!("{problem}: check its disk and permissions"));
        }
        (None, free) => add_room(findings, "server files", free.unwrap_or(0)),
    }
    Some(server)
}

fn add_room(findings: &mut Findings, what: &'static str, free_bytes: u64) {
    let room = table::size(free_bytes);
    if free_bytes < LITTLE_BYTES {
        findings.add(what, Verdict::Warn, format!("{room} are left: delete packages or enlarge the disk"));
    } else {
        findings.add(what, Verdict::Ok, format!("{room} are left"));
    }
}

fn check_data(data: &Path, findings: &mut Findings) {
    if !data.exists() {
        findings.add("data folder", Verdict::Warn, format!("{} is made at the first start", data.display()));
        return;
    }
    let probe = data.join(".doctor");
    match std::fs::write(&probe, b"x").and_then(|()| std::fs::remove_file(&probe)) {
        Ok(()) => findings.add("data folder", Verdict::Ok, format!("{} can be written", data.display())),
        Err(error) => {
            let text = format!("{} cannot be written ({error}): give it to the server's user", data.display());
            findings.add("data folder", Verdict::Fail, text);
        }
    }
    match rustix::fs::statvfs(data) {
        Ok(room) => add_room(findings, "disk", room.f_bavail.saturating_mul(room.f_frsize)),
        Err(error) => findings.add("disk", Verdict::Warn, format!("its room is not known: {error}")),
    }
}

/// The schema first; the master key only fits a store that has one. Nothing here makes what is not there.
async fn check_store(config: &Config, secrets: &Secrets, findings: &mut Findings) {
    let url = config.store();
    if url.strip_prefix("sqlite:").is_some_and(|path| !Path::new(path).exists()) {
        findings.add("store", Verdict::Warn, "there is none yet; it is made at the first start");
        return;
    }
    let status = match house::store(config) {
        Ok(store) => store.migration_status().await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match status {
        Err(problem) => {
            findings.add("store", Verdict::Fail, format!("{problem}: check `store` and that the database runs"));
        }
        Ok(status) if status.pending.is_empty() => {
            findings.add("store", Verdict::Ok, format!("up to date at migration {}", status.applied));
            check_master_key(config, secrets, findings).await;
        }
        Ok(status) => {
            let names = status.pending.join(", ");
            findings.add(
                "store",
                Verdict::Warn,
                format!("to be migrated ({names}): `otaru migrate`, or start the server"),
            );
        }
    }
}

async fn check_master_key(config: &Config, secrets: &Secrets, findings: &mut Findings) {
    match house::check_key(config, secrets).await {
        Ok(()) => findings.add("master key", Verdict::Ok, "fits the store"),
        Err(error) => findings.add("master key", Verdict::Fail, error.to_string()),
    }
}

fn check_certificate(config: &Config, findings: &mut Findings) {
    let Some(source) = config.tls_source() else {
        findings.add("certificate", Verdict::Ok, "none is configured; HTTPS is off");
        return;
    };
    if let Identity::SelfSigned(_) = &source.identity {
        findings.add("certificate", Verdict::Ok, "self-signed; clients need its authority");
        return;
    }
    let now = std::time::UNIX_EPOCH + std::time::Duration::from_millis(Clock::system().now_ms().unsigned_abs());
    match Tls::load(source, now) {
        Ok(_) => findings.add("certificate", Verdict::Ok, "it and its key fit, and it is valid"),
        Err(error) => findings.add("certificate", Verdict::Fail, error.to_string()),
    }
}

fn check_ports(config: &Config, server_runs: bool, findings: &mut Findings) {
    let doors =
        [("http port", Some(config.http)), ("objects port", Some(config.objects)), ("https port", config.https())];
    for (what, address) in doors {
        let Some(address) = address else { continue };
        match TcpListener::bind(address) {
            Ok(_) => findings.add(what, Verdict::Ok, format!("{address} is free")),
            Err(_) if server_runs => {
                findings.add(what, Verdict::Ok, format!("{address} is taken, as by a running server"))
            }
            Err(error) => {
                findings.add(
                    what,
                    Verdict::Fail,
                    format!("{address}: {error}: end what listens there, or set another"),
                );
            }
        }
    }
}
