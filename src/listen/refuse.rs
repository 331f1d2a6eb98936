//! Connections that cannot be taken: told so in plain HTTP, without reading what they ask for, and closed.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use otaru_core::telemetry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

/// So many are told at once; whoever comes on top of that is closed without a word.
const TOLD_AT_ONCE: usize = 256;
/// How long a refused client has to take the answer and close.
const PATIENCE: Duration = Duration::from_secs(3);
/// What it may go on sending meanwhile.
const UNREAD_BYTES: usize = 64 << 10;
/// A door that refuses says so in the log this often at most.
const WARNING_PAUSE: Duration = Duration::from_secs(30);

/// Why a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// All places are taken.
    Full,
    /// All places of this address are taken.
    Peer,
}

impl Reason {
    /// As the metrics have it.
    fn word(self) -> &'static str {
        match self {
            Reason::Full => "connections",
            Reason::Peer => "peer_connections",
        }
    }

    fn answer(self) -> String {
        let (status, text, after_s) = match self {
            Reason::Full => ("503 Service Unavailable", "too many connections, come back in a while", 5),
            Reason::Peer => ("429 Too Many Requests", "too many connections from your address", 5),
        };
        let length = text.len() + 1;
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\
             Retry-After: {after_s}\r\nConnection: close\r\n\r\n{text}\n"
        )
    }
}

/// The refusals of one door.
pub(super) struct Refusals {
    door: &'static str,
    /// A refusal in plain text is nothing that a TLS client could read, and a handshake is what a full server can spare least.
    is_encrypted: bool,
    tellers: Arc<Semaphore>,
    next_warning: Mutex<Instant>,
}

impl Refusals {
    pub(super) fn new(door: &'static str, is_encrypted: bool) -> Refusals {
        let tellers = Arc::new(Semaphore::new(TOLD_AT_ONCE));
        Refusals { door, is_encrypted, tellers, next_warning: Mutex::new(Instant::now()) }
    }

    /// Ends a connection, politely if there is time for it.
    pub(super) fn refuse(&self, stream: TcpStream, reason: Reason) {
        telemetry::refused(self.door, reason.word());
        self.warn(reason);
        if self.is_encrypted {
            return;
        }
        let Ok(teller) = Arc::clone(&self.tellers).try_acquire_owned() else { return };
        tokio::spawn(async move {
            let _ = timeout(PATIENCE, tell(stream, reason)).await;
            drop(teller);
        });
    }

    fn warn(&self, reason: Reason) {
        let mut next = self.next_warning.lock().unwrap_or_else(PoisonError::into_inner);
        if Instant::now() >= *next {
            tracing::warn!(door = self.door, limit = reason.word(), "connections are refused");
            *next = Instant::now() + WARNING_PAUSE;
        }
    }
}

/// A connection that is closed with bytes unread is reset, which can take the answer away from a client that has not read it
/// yet. So the rest is read for a while.
async fn tell(mut stream: TcpStream, reason: Reason) -> std::io::Result<()> {
    stream.write_all(reason.answer().as_bytes()).await?;
    stream.shutdown().await?;
    let (mut buffer, mut read) = ([0; 4096], 0);
    while read < UNREAD_BYTES {
        match stream.read(&mut buffer).await? {
            0 => break,
            some => read += some,
        }
    }
    Ok(())
}
