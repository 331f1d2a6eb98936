//! A PostgreSQL server of the tests' own: made when the first test asks for it, gone when the test process is.
//!
//! It is made from the programs that the system has, on a free port of 127.0.0.1, with its data in a temporary folder and
//! without syncing to disk. A shell watches a pipe from the test process: however that process ends, the pipe closes, and
//! the shell stops the server and removes the folder.
//!
//! Test targets of several crates include this file by its path, so it needs nothing but the standard library.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long a server may take to begin; on a busy machine making its first files takes a while.
const PATIENCE: Duration = Duration::from_secs(120);
const SUPERUSER: &str = "otaru";

pub struct Postgres {
    programs: PathBuf,
    port: u16,
    databases: AtomicUsize,
    /// Its standard input is the pipe that ends the server with this process.
    _watcher: Child,
}

/// The server that all tests of this process share.
pub fn shared() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(|| Postgres::start(None))
}

/// A server that speaks TLS: its certificate and key, and the authority of client certificates, in PEM.
#[allow(dead_code, reason = "not every test target that includes this file needs it")]
pub fn with_tls(certificate: &str, key: &str, client_ca: &str) -> Postgres {
    Postgres::start(Some([certificate, key, client_ca]))
}

impl Postgres {
    fn start(tls: Option<[&str; 3]>) -> Postgres {
        let programs = programs().unwrap_or_else(|| {
            panic!("no PostgreSQL server on this machine: install the package `postgresql`, these tests run on it")
        });
        // Between finding a free port and taking it somebody else may be quicker.
        (0..5).find_map(|_| Postgres::try_start(&programs, tls)).expect("a PostgreSQL server starts on a free port")
    }

    fn try_start(programs: &Path, tls: Option<[&str; 3]>) -> Option<Postgres> {
        let free = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let port = free.local_addr().expect("it has an address").port();
        drop(free);
        // PostgreSQL refuses to run as root, so root becomes the user whom the system's package made for it.
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
        let become_user = if is_root { "setpriv --reuid=postgres --regid=postgres --init-groups" } else { "" };
        let watcher = Command::new("sh")
            .arg("-c")
            .arg(SCRIPT)
            .env("PROGRAMS", programs)
            .env("PORT", port.to_string())
            .env("SUPERUSER", SUPERUSER)
            .env("BECOME", become_user)
            .env("LC_ALL", "C")
            .env("CERTIFICATE", tls.map_or("", |[certificate, ..]| certificate))
            .env("KEY", tls.map_or("", |[_, key, _]| key))
            .env("CLIENT_CA", tls.map_or("", |[.., client_ca]| client_ca))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .current_dir("/")
            // A Ctrl-C at the terminal is for the tests; the watcher ends the server after them.
            .process_group(0)
            .spawn()
            .expect("a shell can be started");
        let mut server =
            Postgres { programs: programs.to_owned(), port, databases: AtomicUsize::new(0), _watcher: watcher };
        let deadline = Instant::now() + PATIENCE;
        while !server.answers() {
            if server._watcher.try_wait().expect("the watcher can be waited for").is_some() {
                return None;
            }
            assert!(Instant::now() < deadline, "the PostgreSQL server did not begin within {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(server)
    }

    /// The URL of a new, empty database.
    pub fn database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let made = self.client("createdb").arg(&name).output().expect("createdb can be run");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        format!("postgres://{SUPERUSER}@127.0.0.1:{}/{name}", self.port)
    }

    fn answers(&self) -> bool {
        // A server that is on its way up takes connections before it answers to them.
        self.client("pg_isready").arg("-q").status().is_ok_and(|status| status.success())
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.args(["-h", "127.0.0.1", "-U", SUPERUSER, "-p", &self.port.to_string()]);
        command.stdin(Stdio::null());
        command
    }
}

/// Makes a server, runs it until the pipe closes, stops it and removes its folder.
const SCRIPT: &str = r#"
folder=$(mktemp -d "${TMPDIR:-/tmp}/otaru-postgres.XXXXXX") || exit 1
trap 'rm -rf "$folder"' EXIT
exec 3<&0 </dev/null
if [ -n "$BECOME" ]; then chown postgres "$folder" || exit 1; fi
$BECOME "$PROGRAMS/initdb" -D "$folder/data" -U "$SUPERUSER" -A trust -E UTF8 --locale=C --no-sync >"$folder/log" 2>&1 \
    || { cat "$folder/log" >&2; exit 1; }
tls=
if [ -n "$CERTIFICATE" ]; then
    for name in CERTIFICATE KEY CLIENT_CA; do eval "printf '%s' \"\$$name\"" >"$folder/$name"; done
    chmod 600 "$folder/KEY"
    if [ -n "$BECOME" ]; then chown postgres "$folder/KEY"; fi
    tls="-c ssl=on -c ssl_cert_file=$folder/CERTIFICATE -c ssl_key_file=$folder/KEY -c ssl_ca_file=$folder/CLIENT_CA"
fi
$BECOME "$PROGRAMS/postgres" $tls -D "$folder/data" -p "$PORT" -k "$folder" \
    -c listen_addresses=127.0.0.1 -c max_connections=300 -c shared_buffers=32MB \
    -c fsync=off -c full_page_writes=off -c deadlock_timeout=100ms -c log_min_messages=fatal 3<&- >>"$folder/log" 2>&1 &
server=$!
( cat <&3 >/dev/null; while kill -INT "$server"; do sleep 0.1; done ) 2>/dev/null &
exec 3<&-
wait "$server"
"#;

/// The folder with the newest server's programs.
fn programs() -> Option<PathBuf> {
    let mut installed: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    installed.sort_by_key(|folder| {
        let version = folder.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        version.and_then(|version| version.parse::<u32>().ok())
    });
    let on_path = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    installed
        .into_iter()
        .rev()
        .chain(on_path.unwrap_or_default())
        .find(|folder| ["initdb", "postgres", "createdb", "pg_isready"].iter().all(|name| folder.join(name).exists()))
}
