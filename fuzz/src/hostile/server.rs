//! The server under fire: a process of its own, with the limits off that would answer instead of the parsers.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use crate::run::status_kib;

pub const KEY_ID: &str = "AKIDEXAMPLE0000000001";
pub const SECRET: &str = "sk-Example-Secret-Key-0000000000000001";

/// Counting calls would refuse most of them before they are read.
const LIMITS_OFF: [&str; 9] = [
    "--listen-max-connections-per-peer=0",
    "--listen-max-requests-per-peer=0",
    "--tenants-max-requests=0",
    "--native-failed-sign-ins-per-minute=0",
    "--oceanconnect-calls-per-minute=100000",
    "--oceanconnect-bad-calls-per-minute=100000",
    "--oceanconnect-overlapping-tokens=true",
    "--aliyun-max-packages=100000000",
    "--log-requests=failed",
];
const OPERATIONS: [&str; 14] = [
    "GenerateOTAUploadURL",
    "CreateOTAFirmware",
    "ModifyOTAFirmware",
    "DeleteOTAFirmware",
    "ListOTAFirmware",
    "QueryOTAFirmware",
    "CreateOTAModule",
    "UpdateOTAModule",
    "DeleteOTAModule",
    "ListOTAModuleByProduct",
    "CreateProduct",
    "QueryProduct",
    "QueryProductList",
    "DeleteProduct",
];

pub struct Server {
    child: Child,
    pub http: SocketAddr,
    pub objects: SocketAddr,
    loud: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts `binary` with its data in `folder`.
    pub fn start(binary: &Path, folder: &Path) -> Result<Server, Box<dyn Error>> {
        let rates: Vec<String> = OPERATIONS.iter().map(|operation| format!("{operation}=100000")).collect();
        let mut command = Command::new(binary);
        command.args(["serve", "--http", "127.0.0.1:0", "--objects", "127.0.0.1:0"]).args(LIMITS_OFF);
        command.arg(format!("--aliyun-qps={}", rates.join(","))).arg("--data").arg(folder.join("data"));
        command.env("OTARU_ACCESS_KEY_ID", KEY_ID).env("OTARU_ACCESS_KEY_SECRET", SECRET);
        command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("{}: {error}", binary.display()))?;
        let loud = Arc::new(Mutex::new(Vec::new()));
        let (ready, is_ready) = mpsc::channel();
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let streams = [out.map(|it| Box::new(it) as Box<dyn std::io::Read + Send>), err.map(|it| Box::new(it) as _)];
        for stream in streams.into_iter().flatten() {
            let (loud, ready) = (loud.clone(), ready.clone());
            std::thread::spawn(move || {
                for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                    let line = String::from_utf8_lossy(&line).into_owned();
                    if line.starts_with("ready http=") {
                        let _ = ready.send(line);
                    } else if line.contains(" ERROR ") || line.contains("panicked") || line.contains("error: ") {
                        loud.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                    }
                }
            });
        }
        drop(ready);
        let Ok(line) = is_ready.recv_timeout(Duration::from_secs(60)) else {
            let _ = child.kill();
            let said = loud.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
            return Err(format!("the server did not get ready: {said}").into());
        };
        let address = |name: &str| -> Result<SocketAddr, Box<dyn Error>> {
            let word = line.split(' ').find_map(|word| word.strip_prefix(name));
            Ok(word.ok_or("the ready line lacks an address")?.parse()?)
        };
        Ok(Server { http: address("http=")?, objects: address("objects=")?, child, loud })
    }

    /// The lines of the log that no request may cause.
    pub fn loud(&self) -> Vec<String> {
        self.loud.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    pub fn rss_kib(&self) -> u64 {
        status_kib(&self.child.id().to_string(), "VmRSS:")
    }

    /// Asks the server to end, and tells whether it did so in peace.
    pub fn stop(&mut self) -> bool {
        let asked = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        let deadline = Instant::now() + Duration::from_secs(15);
        while asked.is_ok() && Instant::now() < deadline {
            match self.child.try_wait() {
                Ok(Some(status)) => return status.success(),
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
