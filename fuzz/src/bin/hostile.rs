//! `tests/hostile`: so many mutated requests over so many connections, and what has to hold at the end.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Parser;
use otaru_core::clock::Clock;
use otaru_fuzz::corpus::{self, Place};
use otaru_fuzz::hostile::connection::Connection;
use otaru_fuzz::hostile::control::Control;
use otaru_fuzz::hostile::server::{KEY_ID, SECRET, Server};
use otaru_fuzz::house::prepare;
use otaru_fuzz::random::Random;
use otaru_fuzz::request::{DOOR, Request, SIGN};
use otaru_fuzz::sign::{Keys, sign};

/// Sends mutated requests to a server of its own
#[derive(Parser)]
#[command(name = "tests/hostile")]
struct Options {
    /// How many requests
    #[arg(long, default_value_t = 1_000_000)]
    count: u64,
    /// On how many connections at once
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Where the randomness begins; another one each time unless given
    #[arg(long)]
    seed: Option<u64>,
    /// Only requests whose target contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// The server
    #[arg(long, value_name = "FILE", env = "OTARU_BINARY", default_value = "target/debug/otaru")]
    binary: PathBuf,
}

/// What all connections share.
struct Fire<'a> {
    server: &'a Server,
    corpus: Vec<Request>,
    keys: Keys,
    left: AtomicU64,
    sent: AtomicU64,
    gone: AtomicBool,
    statuses: Mutex<BTreeMap<u16, u64>>,
    faults: Mutex<Vec<String>>,
}

/// As many are told; more would be the same ones.
const FAULTS_MAX: usize = 20;
/// How much the server may grow from the first half of a long run to its second: then all that is bounded is full.
const GROWTH_MAX: f64 = 1.1;
/// What it may grow by from the first tenth on beside that, in KiB, because it is bounded and filled little by little: the page
/// caches of SQLite (8 MiB for each of a handful of connections), the nonces that are remembered (200,000 for each key).
const BOUNDED_KIB: u64 = 40 << 10;
/// From so many requests on a run is long enough for that.
const LONG: u64 = 1_000_000;

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(faults) if faults.is_empty() => {
            println!("1 passed, 0 failed");
            ExitCode::SUCCESS
        }
        Ok(faults) => {
            faults.iter().for_each(|fault| println!("FAILED: {fault}"));
            println!("0 passed, 1 failed");
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("FAILED: {error}\n0 passed, 1 failed");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<Vec<String>, Box<dyn Error>> {
    let seed = options.seed.unwrap_or_else(|| u64::from_le_bytes(otaru_core::clock::random()));
    let folder = tempfile::tempdir()?;
    let binary = options.binary.canonicalize().map_err(|error| format!("{}: {error}", options.binary.display()))?;
    let mut server = Server::start(&binary, folder.path())?;
    let (mut keys, mut place) = whose(folder.path())?;
    prepare(&mut keys, &mut place, |request, keys| plainly(&server, keys, request))?;
    let control = Control::make(&server)?;

    let mut corpus = corpus::requests(&place);
    if let Some(only) = &options.only {
        corpus.retain(|request| String::from_utf8_lossy(&request.target).contains(only));
    }
    let fire = Fire {
        server: &server,
        corpus,
        keys,
        left: AtomicU64::new(options.count),
        sent: AtomicU64::new(0),
        gone: AtomicBool::new(false),
        statuses: Mutex::default(),
        faults: Mutex::default(),
    };
    let began = Instant::now();
    let tenths_kib = std::thread::scope(|scope| {
        for at in 0..options.connections.max(1) {
            let (fire, seed) = (&fire, seed.wrapping_add(at as u64));
            scope.spawn(move || fire.shoot(seed));
        }
        watch(&fire, options.count)
    });
    let took = began.elapsed();
    let (sent, statuses) = (fire.sent.load(Ordering::Relaxed), take(&fire.statuses));
    let mut faults = take(&fire.faults);
    drop(fire);

    let (early_kib, late_kib) = (tenths_kib.first().copied().unwrap_or_default(), server.rss_kib());
    if !server.is_alive() {
        faults.push("the server ended".to_owned());
    }
    // Single values swing with the allocator, so the halves are compared by their highest.
    let highest = |tenths: &[u64]| tenths.iter().copied().max().unwrap_or_default();
    let (before_kib, after_kib) = tenths_kib.split_at(tenths_kib.len() / 2);
    let (before_kib, after_kib) = (highest(before_kib), highest(after_kib));
    let may = |from_kib: u64, more_kib: u64| (from_kib as f64 * GROWTH_MAX) as u64 + more_kib;
    // A short run ends before anything is full.
    let is_long = options.count >= LONG;
    if late_kib > may(early_kib, BOUNDED_KIB) || (is_long && after_kib > may(before_kib, 0)) {
        faults.push(format!(
            "the server grew: {early_kib} KiB after a tenth, {before_kib} and {after_kib} at most in the halves, {late_kib} at the end"
        ));
    }
    faults.extend(control.changes(&server)?);
    if !server.stop() {
        faults.push("the server did not end in peace".to_owned());
    }
    faults.extend(server.loud().into_iter().take(FAULTS_MAX).map(|line| format!("in the log: {line}")));
    let rate = sent as f64 / took.as_secs_f64();
    println!("{sent} requests in {:.1} s, {rate:.0} a second, seed {seed}", took.as_secs_f64());
    let told: Vec<String> = tenths_kib.iter().map(|kib| (kib >> 10).to_string()).collect();
    println!("memory: {} MiB after each tenth, {} MiB at the end", told.join(", "), late_kib >> 10);
    let told = statuses.iter().map(|(status, count)| match status {
        0 => format!("closed without one: {count}"),
        _ => format!("{status}: {count}"),
    });
    println!("answers: {}", told.collect::<Vec<_>>().join(", "));
    Ok(faults)
}

/// The key pair of the first start, and the ids that go with it.
fn whose(folder: &Path) -> Result<(Keys, Place), Box<dyn Error>> {
    let credentials = std::fs::read(folder.join("data/credentials.json"))?;
    let credentials: serde_json::Value = serde_json::from_slice(&credentials)?;
    let text = |name: &str| credentials[name].as_str().unwrap_or_default().to_owned();
    let keys = Keys { id: KEY_ID.to_owned(), secret: SECRET.to_owned(), ..Keys::default() };
    Ok((keys, Place { project: text("project_id"), tenant: text("tenant"), ..Place::default() }))
}

fn take<T: Default>(from: &Mutex<T>) -> T {
    std::mem::take(&mut *from.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Waits for the end; the server's memory after each tenth of the requests.
fn watch(fire: &Fire<'_>, count: u64) -> Vec<u64> {
    let mut tenths_kib = Vec::new();
    loop {
        std::thread::sleep(Duration::from_millis(20));
        let sent = fire.sent.load(Ordering::Relaxed);
        if sent * 10 >= count * (tenths_kib.len() as u64 + 1) {
            tenths_kib.push(fire.server.rss_kib());
        }
        if sent >= count || fire.gone.load(Ordering::Relaxed) {
            return tenths_kib;
        }
    }
}

/// Sends one request as it is meant to be.
fn plainly(server: &Server, keys: &Keys, mut request: Request) -> Option<otaru_fuzz::house::Came> {
    let to = if request.take(DOOR)? == "objects" { server.objects } else { server.http };
    let scheme = request.take(SIGN)?;
    request.set("Host", to.to_string());
    sign(&mut request, &scheme, keys, Clock::system().now_ms(), Random::new(1).number());
    request.tell_length();
    let mut connection = Connection::new(to);
    connection.send(&request.write()).ok()?;
    let answer = connection.answer(request.method == b"HEAD").ok()?;
    Some((answer.status, answer.headers, answer.body))
}

impl Fire<'_> {
    /// One connection's share, or two: one for each listener.
    fn shoot(&self, seed: u64) {
        let (mut random, clock) = (Random::new(seed), Clock::system());
        let mut http = Connection::new(self.server.http);
        let mut objects = Connection::new(self.server.objects);
        let taken = |left: u64| left.checked_sub(1);
        while self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok() {
            let Some((door, request)) = self.next(&mut random, &clock) else { break };
            let connection = if door == "objects" { &mut objects } else { &mut http };
            self.send(&mut random, connection, &request);
            self.sent.fetch_add(1, Ordering::Relaxed);
            if self.gone.load(Ordering::Relaxed) {
                break;
            }
        }
    }

    /// A request of the corpus, mutated; three of four are signed after that, the others before.
    fn next(&self, random: &mut Random, clock: &Clock) -> Option<(String, Request)> {
        let mut request = random.pick(&self.corpus)?.clone();
        let other = random.pick(&self.corpus)?;
        let door = request.take(DOOR).unwrap_or_default();
        let scheme = request.take(SIGN).unwrap_or_default();
        let once = random.number();
        if random.one_in(4) {
            sign(&mut request, &scheme, &self.keys, clock.now_ms(), once);
            request.mutate(random, other);
        } else {
            request.mutate(random, other);
            sign(&mut request, &scheme, &self.keys, clock.now_ms(), once);
        }
        Some((door, request))
    }

    fn send(&self, random: &mut Random, connection: &mut Connection, request: &Request) {
        let mut request = request.clone();
        let is_head = request.method == b"HEAD";
        let way = random.below(64);
        match way {
            // A length that is not the body's.
            0 => request.set("Content-Length", random.below(2 * request.body.len() + 3).to_string()),
            // A body in chunks that are none.
            1 => request.set("Transfer-Encoding", "chunked"),
            // A body in chunks, as it may come.
            2 | 3 => {
                let body = chunked(random, &request.body);
                request.body = body;
                request.set("Transfer-Encoding", "chunked");
            }
            4 => request.set("Expect", "100-continue"),
            _ => {}
        }
        request.tell_length();
        let mut bytes = request.write();
        let mut answers = 1;
        match way {
            // Several at once.
            5 => {
                bytes = bytes.repeat(3);
                answers = 3;
            }
            // The end is missing.
            6 => bytes.truncate(random.below(bytes.len() + 1)),
            // No HTTP any more.
            7 => otaru_fuzz::mutate::mutate(random, &mut bytes, b"GET / HTTP/2.0\r\n"),
            _ => {}
        }
        let is_whole = way > 7
            && request.find("content-length").is_none_or(|told| told == request.body.len().to_string().as_bytes());
        let sent = connection.send(&bytes);
        if sent.is_err() {
            // A server may refuse before it has read all; what it said is there nevertheless.
            connection.finish();
        } else if !is_whole {
            connection.finish();
        }
        for _ in 0..answers {
            match connection.answer(is_head) {
                Ok(answer) => self.judge(&bytes, answer.status, &answer.body),
                Err(error) => {
                    self.missing(&bytes, is_whole && sent.is_ok(), &error);
                    connection.close();
                    break;
                }
            }
        }
        if !is_whole {
            connection.close();
        }
    }

    fn judge(&self, bytes: &[u8], status: u16, body: &[u8]) {
        *self.statuses.lock().unwrap_or_else(PoisonError::into_inner).entry(status).or_default() += 1;
        // 501 is how S3 says that something is not offered; no limit that would answer 503 is on.
        if status >= 500 && status != 501 {
            self.fault(format!("{status} {:?} for {:?}", excerpt(body), excerpt(bytes)));
        }
    }

    /// No answer: meant for what is no HTTP, and otherwise a fault if the server is gone or takes for ever.
    fn missing(&self, bytes: &[u8], is_whole: bool, error: &std::io::Error) {
        use std::io::ErrorKind::{ConnectionRefused, InvalidData, TimedOut, WouldBlock};
        *self.statuses.lock().unwrap_or_else(PoisonError::into_inner).entry(0).or_default() += 1;
        match error.kind() {
            ConnectionRefused => {
                self.gone.store(true, Ordering::Relaxed);
                self.fault(format!("the server takes no connections after {:?}", excerpt(bytes)));
            }
            TimedOut | WouldBlock if is_whole => self.fault(format!("no answer in time for {:?}", excerpt(bytes))),
            InvalidData => self.fault(format!("{error} for {:?}", excerpt(bytes))),
            _ => {}
        }
    }

    fn fault(&self, what: String) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        if faults.len() < FAULTS_MAX {
            faults.push(what);
        }
    }
}

fn excerpt(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(1500)]).into_owned()
}

/// A body in chunks of HTTP, now and then with one that is wrong.
fn chunked(random: &mut Random, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(1 + random.below(rest.len()));
        let told = if random.one_in(20) { random.below(1 << 20) } else { chunk.len() };
        out.extend_from_slice(format!("{told:x};a=b\r\n").as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
        rest = after;
    }
    out.extend_from_slice(if random.one_in(20) { b"0\r\nx-trailer: a\r\n\r\n" } else { b"0\r\n\r\n" });
    out
}
