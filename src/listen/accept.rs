//! Opening a socket, and the loop that takes connections from it.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge};
use otaru_core::gate::Gate;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::connection::{self, Shared};
use super::refuse::{Reason, Refusals};
use super::tls::Tls;
use super::{Answering, Limits};
use crate::requests::whose;

/// Connections the kernel keeps for us while we are busy or full: a fleet that reconnects at once
/// should not be refused.
const BACKLOG: u32 = 4096;

/// How long to wait when the machine has no more file descriptors or memory for sockets.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(500);

/// An open socket, not yet served.
#[derive(Debug)]
pub struct Door {
    name: &'static str,
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<Tls>>,
    title_case: bool,
}

/// A door that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on {address} for `{name}`: {source}; set `{name}` to an address of this machine that is free, port 0 picks one"
)]
pub struct OpenError {
    name: &'static str,
    address: SocketAddr,
    source: io::Error,
}

impl Door {
    /// Opens `address`; port 0 picks a free port. `name` is the option that set the address. With
    /// `tls` the door speaks only TLS.
    ///
    /// # Errors
    /// When the address is taken, foreign or forbidden.
    pub fn open(name: &'static str, address: SocketAddr, tls: Option<Arc<Tls>>) -> Result<Self, OpenError> {
        let fail = |source| OpenError { name, address, source };
        let listener = Self::socket(address).map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        Ok(Self { name, listener, address, tls, title_case: true })
    }

    /// Writes header names in lower case: object clients take the end of a header's name, as it comes, for a name of the user's.
    #[must_use]
    pub fn with_lower_case_headers(self) -> Self {
        Self { title_case: false, ..self }
    }

    fn socket(address: SocketAddr) -> io::Result<TcpListener> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        // Accepted sockets inherit it; it finds peers that vanished while a handler works.
        socket.set_keepalive(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    }

    /// The option that opened this door; also its name in the ready line.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The address in use, with the real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Answers what comes to `door` until `drain` is cancelled and the open requests are done or out of
/// time.
///
/// A connection above one of the caps is told so at once, with a 503 or 429, and closed: a device that hears when to come back
/// does better than one that hangs. Each request carries an [`otaru_model::peer::Peer`] in its extensions. Returns within
/// `limits.drain_timeout` of the call to drain.
pub async fn serve(door: Door, answering: Answering, limits: Limits, drain: CancellationToken) {
    let Door { name, listener, tls, title_case, .. } = door;
    let all = u32::try_from(limits.max_connections.clamp(1, Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
    let slots = Arc::new(Semaphore::new(all as usize));
    let peers = Gate::new(limits.max_connections_per_peer);
    let refusals = Refusals::new(name, tls.is_some());
    let (drain_timeout, proxies) = (limits.drain_timeout, limits.proxies.clone());
    let http = connection::http(&limits, title_case);
    let shared = Arc::new(Shared { name, http, answering, limits, tls, drain: drain.clone() });

    let mut draining = pin!(drain.cancelled());
    loop {
        let (stream, address) = tokio::select! {
            biased;
            () = &mut draining => break,
            accepted = accept(&listener, name) => accepted,
        };
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            refusals.refuse(stream, Reason::Full);
            continue;
        };
        let peer = address.ip().to_canonical();
        let place = if proxies.contain(peer) { None } else { Some(peers.enter(&whose(peer))) };
        if matches!(place, Some(None)) {
            refusals.refuse(stream, Reason::Peer);
            continue;
        }
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let open = Open::new(name);
            connection::serve(stream, address, &shared).await;
            drop((slot, place, open));
        });
    }
    drop(listener);

    // Every connection holds a slot, so all slots free means all connections gone. They keep the
    // time themselves.
    let finished = timeout(drain_timeout, slots.acquire_many(all)).await;
    if finished.is_err() {
        let open = all as usize - slots.available_permits();
        tracing::warn!(door = name, open, "drain timeout: open connections are cut off");
    }
}

/// A connection as the metrics count it.
struct Open(&'static str);

impl Open {
    fn new(door: &'static str) -> Open {
        counter!("otaru_connections_total", "door" => door).increment(1);
        gauge!("otaru_connections_open", "door" => door).increment(1.0);
        Open(door)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        gauge!("otaru_connections_open", "door" => self.0).decrement(1.0);
    }
}

/// The next connection. A failed attempt concerns one peer or passes, so it never ends the loop.
async fn accept(listener: &TcpListener, name: &'static str) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_about_the_peer(&error) => {}
            Err(error) => {
                tracing::error!(door = name, %error, "cannot accept connections for the moment");
                sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
}

fn is_about_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}
