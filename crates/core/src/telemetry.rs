//! What is measured below the doors: verbs, transactions, statements, calls of the blob room. Each is timed in one place.
//!
//! Labels are words of this program (verbs, calls, outcomes) and never names that somebody chose, so their number is bounded
//! and they tell nothing of tenants. Whoever installs a recorder of the `metrics` crate gets the numbers; without one they
//! cost next to nothing.

mod handles;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use metrics::{Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use tracing::Instrument;

pub use self::handles::Numbers;

use crate::app::Error;
use crate::blobs::BlobError;
use crate::store::Connections;

const VERB: &str = "otaru_verb_seconds";
const STORE: &str = "otaru_store_seconds";
const BLOB: &str = "otaru_blob_seconds";
const REFUSED: &str = "otaru_refused_total";
const GROUP: &str = "otaru_store_group_size";
const QUEUE: &str = "otaru_store_queue";

static VERBS: Numbers<Histogram, 2> = Numbers::histograms(VERB, ["verb", "outcome"]);
static TRANSACTIONS: Numbers<Histogram, 2> = Numbers::histograms(STORE, ["kind", "verb"]);
static BLOB_CALLS: Numbers<Histogram, 2> = Numbers::histograms(BLOB, ["call", "outcome"]);

/// From how many milliseconds on a verb, a statement or a call of the blob room is told as slow; 0 for never.
static SLOW_MS: AtomicU64 = AtomicU64::new(500);

/// Sets from when on something is told as slow.
pub fn set_slow_ms(slow_ms: u64) {
    SLOW_MS.store(slow_ms, Relaxed);
}

fn is_slow(took: Duration) -> bool {
    let slow_ms = SLOW_MS.load(Relaxed);
    slow_ms > 0 && took >= Duration::from_millis(slow_ms)
}

/// Says what each name means, for the recorder that is installed.
pub fn describe() {
    describe_histogram!(VERB, Unit::Seconds, "Time of a verb, from its call to its answer, waiting included.");
    describe_histogram!(
        STORE,
        Unit::Seconds,
        "Time of a verb's transaction alone, without waiting for it or for its commit."
    );
    describe_histogram!(BLOB, Unit::Seconds, "Time of a call of the blob room.");
    describe_counter!(REFUSED, "Requests and connections that were refused because of a limit.");
    describe_histogram!(GROUP, Unit::Count, "Verbs that shared one commit.");
    describe_gauge!(QUEUE, "Verbs that wait to share a commit.");
    describe_gauge!("otaru_store_connections", "Connections to PostgreSQL, by what they do.");
    describe_gauge!("otaru_store_waiting", "Verbs that wait for a connection to PostgreSQL.");
    describe_gauge!("otaru_tenants", "Tenants.");
    describe_gauge!("otaru_packages", "Packages of all tenants.");
    describe_gauge!("otaru_blobs", "Stored blobs, as last counted by housekeeping.");
    describe_gauge!("otaru_blobs_bytes", Unit::Bytes, "Their size.");
}

/// Times a verb from its call to its answer.
pub(crate) async fn verb<T>(name: &'static str, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let started = Instant::now();
    let outcome = work.await;
    answered(name, started.elapsed(), outcome.as_ref().map_or_else(Error::word, |_| "ok"));
    outcome
}

fn answered(verb: &'static str, took: Duration, outcome: &'static str) {
    VERBS.record([verb, outcome], took);
    if is_slow(took) {
        tracing::warn!(verb, outcome, duration_ms = millis(took), "a slow verb");
    }
}

/// Times a verb's transaction.
pub(crate) async fn transaction(kind: &'static str, name: &'static str, work: impl Future<Output = bool>) -> bool {
    let span = tracing::debug_span!("verb", verb = name);
    let started = Instant::now();
    let outcome = if span.is_disabled() { work.await } else { work.instrument(span).await };
    TRANSACTIONS.record([kind, name], started.elapsed());
    outcome
}

/// Tells of one SQL statement: at debug level of each, as a warning of a slow one.
pub(crate) fn statement(name: &'static str, took: Duration) {
    if is_slow(took) {
        tracing::warn!(statement = name, duration_ms = millis(took), "a slow statement");
    } else {
        tracing::debug!(statement = name, duration_us = micros(took), "statement");
    }
}

/// Times a call of the blob room.
pub(crate) async fn blob<T>(
    call: &'static str,
    work: impl Future<Output = Result<T, BlobError>>,
) -> Result<T, BlobError> {
    let started = Instant::now();
    let outcome = work.await;
    called(call, started.elapsed(), outcome.as_ref().map_or_else(BlobError::word, |_| "ok"));
    outcome
}

fn called(call: &'static str, took: Duration, outcome: &'static str) {
    BLOB_CALLS.record([call, outcome], took);
    if is_slow(took) {
        tracing::warn!(call, outcome, duration_ms = millis(took), "a slow call of the blob room");
    } else {
        tracing::debug!(call, outcome, duration_us = micros(took), "blobs");
    }
}

/// Counts a refusal: `door` is where, `reason` which limit.
pub fn refused(door: &'static str, reason: &'static str) {
    counter!(REFUSED, "door" => door, "reason" => reason).increment(1);
}

/// Counts a call that came after its caller's quota was used up, at the door of the request that this is part of.
pub fn over_quota() {
    refused(crate::request::door(), "quota");
}

/// One commit that verbs may share: how many did, and how many wait by now.
pub(crate) fn group(verbs: usize, waiting: usize) {
    histogram!(GROUP).record(verbs as f64);
    gauge!(QUEUE).set(waiting as f64);
}

/// The pool of connections, as it is.
pub(crate) fn connections(now: &Connections) {
    gauge!("otaru_store_connections", "state" => "idle").set(now.idle as f64);
    gauge!("otaru_store_connections", "state" => "busy").set(now.busy as f64);
    gauge!("otaru_store_waiting").set(now.waiting as f64);
}

/// What there is of all tenants together.
pub(crate) fn census(tenants: usize, packages: u64) {
    gauge!("otaru_tenants").set(tenants as f64);
    gauge!("otaru_packages").set(packages as f64);
}

/// What housekeeping found stored.
pub(crate) fn stored(blobs: u64, bytes: u64) {
    gauge!("otaru_blobs").set(blobs as f64);
    gauge!("otaru_blobs_bytes").set(bytes as f64);
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}
