//! An S3 server of the tests' own, which is not ours: started when the first test asks for it, gone when the test process is.
//!
//! `tests/cluster/setup` installs it. A shell watches a pipe from the test process: however that process ends, the pipe
//! closes, and the shell stops the server. Its objects live in its memory.
//!
//! Test targets of several crates include this file by its path, so it needs nothing but the standard library.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);
const BUCKET: &str = "otaru-tests";

pub struct S3 {
    port: u16,
    prefixes: AtomicUsize,
    /// Its standard input is the pipe that ends the server with this process.
    _watcher: Child,
}

/// The server that all tests of this process share.
pub fn shared() -> &'static S3 {
    static SERVER: OnceLock<S3> = OnceLock::new();
    SERVER.get_or_init(S3::start)
}

impl S3 {
    fn start() -> S3 {
        let program = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .map(|folder| folder.join("target/cluster/venv/bin/moto_server"))
            .find(|program| program.exists());
        let program =
            program.unwrap_or_else(|| panic!("no S3 server: run tests/cluster/setup (./setup does), it installs one"));
        // Between finding a free port and taking it somebody else may be quicker.
        (0..5).find_map(|_| S3::try_start(&program)).expect("an S3 server starts on a free port")
    }

    fn try_start(program: &PathBuf) -> Option<S3> {
        let free = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let port = free.local_addr().expect("it has an address").port();
        drop(free);
        let watcher = Command::new("sh")
            .arg("-c")
            .arg(SCRIPT)
            .env("PROGRAM", program)
            .env("PORT", port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("a shell can be started");
        let mut server = S3 { port, prefixes: AtomicUsize::new(0), _watcher: watcher };
        let deadline = Instant::now() + PATIENCE;
        while server.ask("PUT", &format!("/{BUCKET}")).is_none_or(|answer| !answer.starts_with("HTTP/1.1 200")) {
            if server._watcher.try_wait().expect("the watcher can be waited for").is_some() {
                return None;
            }
            assert!(Instant::now() < deadline, "the S3 server did not begin within {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(server)
    }

    /// The address of an empty place in the bucket.
    pub fn place(&self) -> String {
        let number = self.prefixes.fetch_add(1, Ordering::Relaxed);
        format!("s3://AKTESTS:SKTESTS@{BUCKET}/place-{number}/blobs?endpoint=http://127.0.0.1:{}", self.port)
    }

    /// How many uploads in parts the bucket holds that were neither completed nor aborted, below a place.
    pub fn unfinished(&self, place: &str) -> usize {
        let prefix = place.split(['@', '?']).nth(1).and_then(|path| path.split_once('/')).expect("a place of ours").1;
        let answer = self.ask("GET", &format!("/{BUCKET}?uploads")).expect("the S3 server answers");
        answer.matches(&format!("<Key>{prefix}/")).count()
    }

    /// What a link gives to anybody: status, headers and body.
    pub fn get(&self, link: &str) -> (u16, String, String) {
        let path = link.split_once(&format!(":{}", self.port)).expect("a link to this server").1;
        let answer = self.ask("GET", path).expect("the S3 server answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, head.to_owned(), body.to_owned())
    }

    /// One bare request; the server does not ask who we are.
    fn ask(&self, method: &str, path: &str) -> Option<String> {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            self.port
        );
        socket.write_all(head.as_bytes()).ok()?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).ok()?;
        Some(answer)
    }
}

/// Runs the server until the pipe closes.
const SCRIPT: &str = r#"
exec 3<&0 </dev/null
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY
"$PROGRAM" -H 127.0.0.1 -p "$PORT" 3<&- &
server=$!
( cat <&3 >/dev/null; kill "$server" ) 2>/dev/null &
exec 3<&-
wait "$server"
"#;
