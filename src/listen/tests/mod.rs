//! The listener over real sockets: what devices and clients see on the wire.

mod drain;
mod files;
mod limits;
mod pki;
mod reload;
mod tls;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use futures::FutureExt;
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::tls::Tls;
use super::{Answering, Door, Limits, RequestBody, serve};

/// Far longer than anything here takes, so a test that hangs fails instead.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running door.
struct Server {
    address: SocketAddr,
    drain: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    fn start(router: Router, limits: Limits, tls: Option<Arc<Tls>>) -> Self {
        let door = Door::open("http", ([127, 0, 0, 1], 0).into(), tls).expect("a free port");
        let address = door.address();
        let drain = CancellationToken::new();
        let task = tokio::spawn(serve(door, routed(router), limits, drain.clone()));
        Self { address, drain, task }
    }

    fn plain(router: Router) -> Self {
        Self::start(router, Limits::default(), None)
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("a connection")
    }

    /// Sends one request on a connection of its own and returns the answer as text.
    async fn ask(&self, request: &str) -> String {
        ask(&mut self.connect().await, request).await
    }
}

/// Sends one request and reads one answer with a Content-Length.
async fn ask(io: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &str) -> String {
    io.write_all(request.as_bytes()).await.expect("sent");
    read_answer(io).await
}

async fn read_answer(io: &mut (impl AsyncRead + Unpin)) -> String {
    let mut answer = Vec::new();
    let whole = |answer: &[u8]| {
        let text = String::from_utf8_lossy(answer);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap_or("0");
        Some(body.len() >= length.parse::<usize>().expect("a length"))
    };
    while whole(&answer) != Some(true) {
        let read = timeout(PATIENCE, io.read_buf(&mut answer)).await.expect("an answer in time").expect("read");
        assert_ne!(read, 0, "the connection ended inside an answer: {:?}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8(answer).expect("text")
}

/// Waits for the end of the connection and returns what came before it.
async fn read_to_end(io: &mut (impl AsyncRead + Unpin)) -> String {
    let mut rest = Vec::new();
    // A reset ends a connection as well as a proper end does.
    let _ = timeout(PATIENCE, io.read_to_end(&mut rest)).await.expect("the connection ends in time");
    String::from_utf8_lossy(&rest).into_owned()
}

const GET: &str = "GET / HTTP/1.1\r\nHost: here\r\n\r\n";

/// A router as what answers.
fn routed(router: Router) -> Answering {
    Arc::new(move |request| router.clone().oneshot(request).map(|Ok(answer)| answer).boxed())
}

/// What answers need not be a router.
fn hello() -> Answering {
    Arc::new(|_: Request<RequestBody>| async { Response::new(Body::from("hello")) }.boxed())
}
