//! The doctor: one line for each thing that can be wrong, with what to do about it.
//!
//! It looks at this machine's configuration ([`here`], [`certificate`], [`places`]) and at a running server ([`server`]), and
//! leaves nothing behind.

mod certificate;
mod here;
mod places;
mod server;

use clap::ArgMatches;
use serde_json::{Value, json};

use super::client::Connection;
use super::failure::{Failure, Kind};
use super::table;
use crate::config::Config;

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

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        }
    }
}

struct Finding {
    what: String,
    verdict: Verdict,
    /// What is.
    text: String,
    /// What to do about it.
    advice: Option<String>,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, what: impl Into<String>, text: impl Into<String>) {
        self.0.push(Finding { what: what.into(), verdict: Verdict::Ok, text: text.into(), advice: None });
    }

    fn warn(&mut self, what: impl Into<String>, text: impl Into<String>, advice: impl Into<String>) {
        self.add(what, Verdict::Warn, text, advice);
    }

    fn fail(&mut self, what: impl Into<String>, text: impl Into<String>, advice: impl Into<String>) {
        self.add(what, Verdict::Fail, text, advice);
    }

    fn add(&mut self, what: impl Into<String>, verdict: Verdict, text: impl Into<String>, advice: impl Into<String>) {
        self.0.push(Finding { what: what.into(), verdict, text: text.into(), advice: Some(advice.into()) });
    }

    fn room(&mut self, what: &str, free_bytes: u64) {
        let text = format!("{} are left", table::size(free_bytes));
        if free_bytes < LITTLE_BYTES {
            self.warn(what, text, "delete packages or enlarge the disk: uploads will be refused, all else goes on");
        } else {
            self.ok(what, text);
        }
    }

    /// Judges by how much another clock is ahead of ours.
    fn clock(&mut self, what: &str, whose: &str, ahead_ms: i64) {
        let text = format!("{whose} is {ahead_ms} ms ahead of this machine's clock");
        match ahead_ms.saturating_abs() {
            ..CLOCK_WARN_MS => self.ok(what, text),
            CLOCK_WARN_MS..CLOCK_FAIL_MS => self.warn(what, text, "set both clocks by NTP"),
            _ => self.fail(what, text, "signed requests are refused: set both clocks by NTP"),
        }
    }

    fn failed(&self) -> usize {
        self.0.iter().filter(|finding| finding.verdict == Verdict::Fail).count()
    }

    fn print(&self, as_json: bool) {
        if as_json {
            let line = |it: &Finding| json!({ "check": it.what, "verdict": it.verdict.name(), "text": it.text, "advice": it.advice });
            println!("{:#}", Value::Array(self.0.iter().map(line).collect()));
            return;
        }
        for Finding { what, verdict, text, advice } in &self.0 {
            println!("{:<5} {what:<18} {text}", verdict.name());
            if let Some(advice) = advice {
                println!("{:24} {advice}", "");
            }
        }
    }
}

/// Looks at everything; fails if anything does.
pub async fn run(connection: &Connection, flags: &ArgMatches) -> Result<(), Failure> {
    let mut findings = Findings::default();
    let runs = server::ask(connection, &mut findings).await;
    match Config::load(flags, std::env::vars_os()) {
        Ok((config, secrets)) => {
            findings.ok("configuration", "every option is understood");
            here::data(&config.data, &mut findings);
            here::store(&config, &secrets, &mut findings).await;
            places::blobs(&config, &mut findings).await;
            places::regions(&config, &mut findings).await;
            certificate::check(&config, &mut findings);
            server::links(connection, &config, runs, &mut findings).await;
            here::ports(&config, runs, &mut findings);
        }
        Err(error) => findings.fail("configuration", error.to_string(), "`otaru serve --help` lists every option"),
    }
    findings.print(connection.json);
    match findings.failed() {
        0 => Ok(()),
        failed => Err(Failure::new(Kind::Check, format!("{failed} of {} checks failed", findings.0.len()))),
    }
}
