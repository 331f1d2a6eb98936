//! A running server: what it says of itself, and whether the addresses in its links lead to it.

use std::time::Duration;

use otaru_core::clock::Clock;
use reqwest::{Method, Response};
use serde_json::Value;

use super::Findings;
use crate::cli::client::{Client, Connection};
use crate::config::Config;

/// Longer than an answer of a few bytes takes anywhere.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether a server runs. That none does is no fault.
pub async fn ask(connection: &Connection, findings: &mut Findings) -> bool {
    let client = match connection.client() {
        Ok(client) => client,
        Err(failure) => {
            let advice = failure.advice.unwrap_or_else(|| "give an access key and ask again".to_owned());
            findings.warn("server", format!("not asked: {}", failure.text), advice);
            return false;
        }
    };
    let begun_ms = Clock::system().now_ms();
    let response = match client.answer(client.request(Method::GET, "/server").timeout(PATIENCE)).await {
        Ok(response) => response,
        Err(failure) => {
            let advice = failure.advice.unwrap_or_else(|| "look at the server's log".to_owned());
            findings.warn("server", failure.text, advice);
            return false;
        }
    };
    let ours_ms = (begun_ms + Clock::system().now_ms()) / 2;
    let date_ms = date_ms(&response);
    let server: Value = match response.bytes().await.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
        Some(server) => server,
        None => {
            let text = format!("{} answers, but not as an Otaru server does", client.server());
            findings.fail("server", text, "is --server (or OTARU_SERVER) the right address?");
            return false;
        }
    };
    describe(&client, &server, findings);
    let told_ms = server["time"].as_str().and_then(|time| time.parse::<jiff::Timestamp>().ok());
    let theirs_ms = told_ms.map(|time| time.as_millisecond()).or(date_ms);
    match theirs_ms {
        Some(theirs_ms) => findings.clock("clock", "the server's clock", theirs_ms - ours_ms),
        None => findings.warn("clock", "the server tells no time", "is there a proxy that takes `Date` away?"),
    }
    // A proxy may put its own date on an answer; then two clocks differ, and signatures of whoever trusts it fail.
    if let (Some(told), Some(date_ms)) = (told_ms, date_ms)
        && (told.as_millisecond() - date_ms).abs() > super::CLOCK_WARN_MS
    {
        let text = format!("the answer's Date is {} ms behind the server's clock", told.as_millisecond() - date_ms);
        findings.warn("date header", text, "set the clock of the proxy in front by NTP");
    }
    true
}

fn date_ms(response: &Response) -> Option<i64> {
    let date = response.headers().get("date")?.to_str().ok()?;
    jiff::fmt::rfc2822::parse(date).ok().map(|date| date.timestamp().as_millisecond())
}

fn describe(client: &Client, server: &Value, findings: &mut Findings) {
    let (ours, theirs) = (env!("CARGO_PKG_VERSION"), server["version"].as_str().unwrap_or_default());
    let text = format!("{} runs version {theirs}; this command is {ours}", client.server());
    if ours == theirs {
        findings.ok("server", text);
    } else {
        findings.warn("server", text, "use the same version for both");
    }
    match server["store"]["problem"].as_str() {
        None => findings.ok("server store", "answers"),
        Some(problem) => findings.fail("server store", problem, "look at the database's log"),
    }
    match (server["blobs"]["problem"].as_str(), server["blobs"]["free_bytes"].as_u64()) {
        (Some(problem), _) => findings.fail("server files", problem, "check the server's disk, or its object store"),
        (None, Some(free_bytes)) => findings.room("server files", free_bytes),
        (None, None) => findings.ok("server files", "can be written"),
    }
}

/// Follows the addresses that links carry.
pub async fn links(connection: &Connection, config: &Config, server_runs: bool, findings: &mut Findings) {
    let named = [("public url", &config.public_url), ("download url", &config.download_url)];
    for (what, url) in named.into_iter().filter_map(|(what, url)| Some((what, url.as_ref()?))) {
        let advice = "check the name in DNS, the firewall, the proxy and its certificate: devices go there";
        match follow(connection, &format!("{url}/healthz")).await {
            Ok(()) => findings.ok(what, format!("{url} leads to a server")),
            Err(problem) if server_runs => findings.fail(what, format!("{url}: {problem}"), advice),
            Err(problem) => findings.warn(what, format!("{url}: {problem}; no server was found running"), advice),
        }
    }
}

async fn follow(connection: &Connection, url: &str) -> Result<(), String> {
    let http = connection.http().map_err(|failure| failure.text)?;
    let response = http.get(url).timeout(PATIENCE).send().await.map_err(|error| innermost(&error))?;
    let status = response.status();
    match response.text().await.map_err(|error| innermost(&error))?.as_str() {
        "alive\n" => Ok(()),
        _ => Err(format!("something else answers there, with {status}")),
    }
}

/// The cause at the bottom says most.
fn innermost(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => innermost(source),
        None => error.to_string(),
    }
}
