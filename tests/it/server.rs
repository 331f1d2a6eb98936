//! A server of the test's own: the real binary on free ports, with its data in a folder that goes with the test.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::http::{Answer, Request};

pub const ACCESS_KEY_ID: &str = "AKIDEXAMPLE0000000001";
pub const ACCESS_KEY_SECRET: &str = "sk-Example-Secret-Key-0000000000000001";

pub struct Server {
    child: Child,
    pub http: SocketAddr,
    pub objects: SocketAddr,
    pub https: Option<SocketAddr>,
    pub folder: tempfile::TempDir,
    log: Arc<Mutex<String>>,
    arguments: Vec<String>,
}

impl Server {
    pub fn start() -> Server {
        Server::with(&[])
    }

    /// A server with more options, which win over the harness's own.
    pub fn with(arguments: &[&str]) -> Server {
        let folder = tempfile::tempdir().expect("a folder for the server's data");
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Server::start_in(folder, arguments)
    }

    fn start_in(folder: tempfile::TempDir, arguments: Vec<String>) -> Server {
        let mut command = Command::new(binary());
        command.arg("serve").args(["--http", "127.0.0.1:0", "--objects", "127.0.0.1:0"]);
        command.arg("--data").arg(folder.path().join("data")).args(&arguments);
        command.env("OTARU_ACCESS_KEY_ID", ACCESS_KEY_ID).env("OTARU_ACCESS_KEY_SECRET", ACCESS_KEY_SECRET);
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the server can be started");

        let log = Arc::new(Mutex::new(String::new()));
        let (ready, is_ready) = std::sync::mpsc::channel();
        for stream in [
            Box::new(child.stdout.take().expect("stdout is piped")) as Box<dyn std::io::Read + Send>,
            Box::new(child.stderr.take().expect("stderr is piped")),
        ] {
            let (log, ready) = (log.clone(), ready.clone());
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if let Some(at) = line.find("ready http=") {
                        let _ = ready.send(line[at..].to_owned());
                    }
                    let mut log = log.lock().expect("the log is whole");
                    log.push_str(&line);
                    log.push('\n');
                }
            });
        }
        drop(ready);
        let line = is_ready.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| {
            let _ = child.kill();
            panic!("the server did not get ready:\n{}", log.lock().expect("the log is whole"))
        });
        let address = |name: &str| {
            let word = line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            word.and_then(|address| address.parse().ok())
        };
        Server {
            child,
            http: address("http").expect("the ready line names the HTTP address"),
            objects: address("objects").expect("the ready line names the object door's address"),
            https: address("https"),
            folder,
            log,
            arguments,
        }
    }

    pub fn send(&self, request: &Request) -> Answer {
        request.send(self.http)
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn log(&self) -> String {
        self.log.lock().expect("the log is whole").clone()
    }

    /// Sends a signal and waits for the process to end.
    pub fn stop(&mut self, signal: &str) -> std::process::ExitStatus {
        let sent = Command::new("kill").arg(format!("-{signal}")).arg(self.child.id().to_string()).status();
        assert!(sent.expect("kill can be run").success());
        let deadline = Instant::now() + Duration::from_secs(15);
        loop {
            if let Some(status) = self.child.try_wait().expect("the server can be waited for") {
                return status;
            }
            assert!(Instant::now() < deadline, "the server did not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends the server without warning and starts it again on the same data.
    pub fn restart(mut self) -> Server {
        self.stop("KILL");
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().expect("a folder"));
        let arguments = std::mem::take(&mut self.arguments);
        Server::start_in(folder, arguments)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the server ---\n{}", self.log());
        }
    }
}

pub fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_otaru"))
}
