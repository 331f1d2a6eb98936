//! One connection from the TLS handshake to its last byte: its deadlines, and its end when the
//! server drains.

use std::error::Error;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use metrics::counter;
use otaru_core::blobs::StandIns;
use otaru_model::peer::{Peer, PeerCertificate};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;

use super::activity::{Activity, Watched};
use super::body::Pace;
use super::plain::{CAN_SEND_FILES, Plain};
use super::service::Handler;
use super::tls::{ALPN_HTTP2, Tls};
use super::{Answering, Limits};

/// How often an HTTP/2 peer with open streams is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(60);

/// What all connections of a door share.
pub(super) struct Shared {
    pub(super) name: &'static str,
    pub(super) http: auto::Builder<TokioExecutor>,
    pub(super) answering: Answering,
    pub(super) limits: Limits,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) drain: CancellationToken,
}

/// HTTP as this server speaks it.
pub(super) fn http(limits: &Limits, title_case: bool) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        // Device SDKs look for `Content-Length:` in exactly this spelling.
        .title_case_headers(title_case)
        .max_buf_size(limits.max_header_bytes.max(8192))
        // Hyper's own timer is set anew for every request; the connection's task keeps the time
        // instead.
        .header_read_timeout(None);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(128)
        .adaptive_window(true)
        // Finds peers that vanished without a word while a stream is open.
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(limits.write_timeout);
    builder
}

/// Serves one accepted socket to its end. Errors of a peer are its own affair and logged at debug
/// level.
pub(super) async fn serve(stream: TcpStream, address: SocketAddr, shared: &Shared) {
    // An answer is often one small segment, which would otherwise wait for the acknowledgement of
    // the one before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%address, %error, "TCP_NODELAY refused");
    }
    let Some(tls) = &shared.tls else {
        let peer = Peer { address, encrypted: false, certificate: None };
        let stand_ins = StandIns::default();
        let socket = Either::Left(Plain::new(stream, stand_ins.clone()));
        return drive(socket, CAN_SEND_FILES.then_some(stand_ins), peer, false, shared).await;
    };
    let handshake = timeout(shared.limits.header_timeout, TlsAcceptor::from(tls.http()).accept(stream));
    let stream = tokio::select! {
        () = shared.drain.cancelled() => return,
        outcome = handshake => match outcome {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                closed(shared.name, "tls_failed");
                return tracing::debug!(%address, %error, "TLS handshake failed");
            }
            Err(_) => {
                closed(shared.name, "tls_slow");
                return tracing::debug!(%address, "TLS handshake took too long");
            }
        },
    };
    let session = stream.get_ref().1;
    let multiplexed = session.alpn_protocol() == Some(ALPN_HTTP2);
    let certificate = session
        .peer_certificates()
        .map(|chain| Arc::new(PeerCertificate { chain: chain.iter().map(|one| one.to_vec()).collect() }));
    let peer = Peer { address, encrypted: true, certificate };
    drive(Either::Right(Box::new(stream)), None, peer, multiplexed, shared).await;
}

/// A connection with or without TLS. HTTP is compiled once for both.
type Socket = Either<Plain, Box<TlsStream<TcpStream>>>;

/// Runs HTTP over `io` and watches the clock beside it.
async fn drive(io: Socket, stand_ins: Option<StandIns>, peer: Peer, multiplexed: bool, shared: &Shared) {
    let limits = &shared.limits;
    let address = peer.address;
    let activity = Arc::new(Activity::new(multiplexed));
    let handler = Handler {
        answering: Arc::clone(&shared.answering),
        peer,
        activity: Arc::clone(&activity),
        pace: Pace { timeout: limits.body_timeout, min_bytes_per_second: limits.body_min_bytes_per_second },
        stand_ins,
    };
    let io = TokioIo::new(Watched::new(io, Arc::clone(&activity)));
    let mut connection = pin!(shared.http.serve_connection(io, handler));
    let mut draining = pin!(shared.drain.cancelled());

    let mut seen = activity.moment();
    let mut since = Instant::now();
    let mut timer = pin!(sleep_until(since + limits.header_timeout));
    // Set once the connection was asked to end; then it has until this moment, whatever it does.
    let mut last_call: Option<Instant> = None;

    poll_fn(|cx| {
        loop {
            if let Poll::Ready(outcome) = connection.as_mut().poll(cx) {
                if let Err(error) = outcome {
                    if is_bad_head(&*error) {
                        closed(shared.name, "bad_head");
                    }
                    tracing::debug!(%address, %error, "connection ended");
                }
                return Poll::Ready(());
            }
            if last_call.is_none() && draining.as_mut().poll(cx).is_ready() {
                last_call = Some(Instant::now() + limits.drain_timeout);
                connection.as_mut().graceful_shutdown();
                continue;
            }

            let moment = activity.moment();
            if moment != seen {
                seen = moment;
                since = Instant::now();
            }
            let due = match (moment.allowance(limits).map(|allowance| since + allowance), last_call) {
                (Some(stuck), Some(last)) => stuck.min(last),
                (Some(only), None) | (None, Some(only)) => only,
                (None, None) => return Poll::Pending,
            };
            // A later moment is set when the timer fires, not before: a busy connection does not
            // touch it.
            if due < timer.deadline() {
                timer.as_mut().reset(due);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if Instant::now() < due {
                timer.as_mut().reset(due);
                continue;
            }
            if last_call.is_some() || !moment.is_waiting() {
                closed(shared.name, moment.what_was_slow());
                tracing::debug!(%address, ?moment, "connection closed: too slow");
                return Poll::Ready(());
            }
            // Waited long enough for another request: HTTP/2 still has to say goodbye, HTTP/1 ends
            // at once.
            since = Instant::now();
            last_call = Some(since + limits.header_timeout);
            connection.as_mut().graceful_shutdown();
        }
    })
    .await;
}

fn closed(door: &'static str, reason: &'static str) {
    counter!("otaru_connections_closed_total", "door" => door, "reason" => reason).increment(1);
}

/// Whether hyper gave up on a request before it was one: a head that is too long, or nothing that is HTTP.
fn is_bad_head(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse)
}
