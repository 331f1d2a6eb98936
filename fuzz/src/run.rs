//! Runs one target for a while: mutates, checks, keeps what it fails on. A watch beside it ends the run when one input takes
//! too long or the process grows too large.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::mutate::{MAX_BYTES, mutate};
use crate::random::Random;
use crate::request::Request;
use crate::targets::{Ground, Kind, Target};

/// How long one input may take. Generous: debug builds, and machines that do other work.
const HANG: Duration = Duration::from_secs(10);
/// How large the process may become.
const MAX_RSS_KIB: u64 = 1 << 20;
/// How many inputs with new outcomes join a corpus.
const MAX_NEW_SEEDS: usize = 2000;

/// What a run came to.
#[derive(Debug, Default)]
pub struct Figures {
    pub inputs: u64,
    pub outcomes: usize,
    pub slowest: Duration,
    pub grown_kib: u64,
}

/// What an input did, and where it is kept.
#[derive(Debug)]
pub struct Failure {
    pub what: String,
    pub kept: PathBuf,
}

type Watched = Arc<Mutex<Option<(Instant, &'static str, Vec<u8>)>>>;

/// Looks after the input that is being checked.
#[derive(Clone, Default)]
pub struct Watch(Watched);

impl Watch {
    /// Begins to look. The process ends with status 1 when an input hangs or the memory runs away.
    pub fn begin() -> Watch {
        let watch = Watch::default();
        let seen = watch.0.clone();
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(250));
                let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                let Some((since, target, input)) = &*seen else { continue };
                let what = if since.elapsed() > HANG {
                    format!("an input takes more than {} s", HANG.as_secs())
                } else if rss_kib() > MAX_RSS_KIB {
                    format!("the process has {} MiB", rss_kib() >> 10)
                } else {
                    continue;
                };
                println!("{target}: FAILED: {what}; the input is {}", keep(target, input).display());
                std::process::exit(1);
            }
        });
        watch
    }

    fn set(&self, now: Option<(Instant, &'static str, Vec<u8>)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

/// Memory of this process that is in use, in KiB.
pub fn rss_kib() -> u64 {
    status_kib("self", "VmRSS:")
}

/// A line of a process' status.
pub fn status_kib(process: &str, line: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let value = text.lines().find_map(|found| found.strip_prefix(line)?.split_whitespace().next()?.parse().ok());
    value.unwrap_or(0)
}

fn keep(target: &str, input: &[u8]) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts");
    let name = input
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let path = folder.join(format!("{target}-{name:016x}"));
    if let Err(error) = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, input)) {
        println!("{} cannot be written: {error}", path.display());
    }
    path
}

/// Checks one input.
pub fn once(target: &Target, ground: &mut Ground, watch: &Watch, input: &[u8]) -> Result<String, Failure> {
    watch.set(Some((Instant::now(), target.name, input.to_vec())));
    let verdict = catch_unwind(AssertUnwindSafe(|| (target.check)(ground, input)));
    watch.set(None);
    let verdict = verdict.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Err(format!("panicked: {}", text.unwrap_or("without a text")))
    });
    verdict.map_err(|what| Failure { what, kept: keep(target.name, input) })
}

/// Runs a target for so long.
///
/// # Errors
///
/// The first failure.
pub fn run(target: &Target, ground: &mut Ground, watch: &Watch, seed: u64, time: Duration) -> Result<Figures, Failure> {
    let nowhere = |error: &dyn std::fmt::Display| Failure { what: error.to_string(), kept: PathBuf::new() };
    let mut corpus = (target.seeds)(ground).map_err(|error| nowhere(&error))?;
    if corpus.is_empty() {
        return Err(nowhere(&"the corpus is empty"));
    }
    let (mut random, mut seen, mut figures) = (Random::new(seed), HashSet::new(), Figures::default());
    let most = corpus.len() + MAX_NEW_SEEDS;
    // First as they are: a seed that fails is a failure as well.
    for input in &corpus {
        seen.insert(once(target, ground, watch, input)?);
    }
    let (start, before_kib) = (Instant::now(), rss_kib());
    while start.elapsed() < time {
        let input = mutated(target.kind, &mut random, &corpus);
        let began = Instant::now();
        let outcome = once(target, ground, watch, &input)?;
        figures.slowest = figures.slowest.max(began.elapsed());
        figures.inputs += 1;
        if seen.insert(outcome) && corpus.len() < most {
            corpus.push(input);
        }
    }
    figures.outcomes = seen.len();
    figures.grown_kib = rss_kib().saturating_sub(before_kib);
    Ok(figures)
}

fn mutated(kind: Kind, random: &mut Random, corpus: &[Vec<u8>]) -> Vec<u8> {
    let empty = Vec::new();
    let mut input = random.pick(corpus).unwrap_or(&empty).clone();
    let other = random.pick(corpus).unwrap_or(&empty);
    match kind {
        Kind::Request if !random.one_in(8) => {
            let mut request = Request::read(&input);
            request.mutate(random, &Request::read(other));
            input = request.write();
            input.truncate(2 * MAX_BYTES);
        }
        _ => mutate(random, &mut input, other),
    }
    input
}
