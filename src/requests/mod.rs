//! What is around every request, whichever door it came in by: its id, its line in the log, its numbers in the metrics, and
//! how many of one peer and one tenant are taken at once.
//!
//! [`Desk::watch`] puts a door under watch. Below it the request has an [`otaru_core::request::Request`], and its `Peer` is the
//! client's address also where a trusted proxy stands between.

mod body;
mod forwarded;
mod record;
mod route;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::error::Error;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use futures::FutureExt;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use otaru_core::gate::{Gate, Inside};
use otaru_core::request::Request as Ours;
use otaru_core::telemetry;
use otaru_model::Id;
use otaru_model::peer::Peer;
use tower::Service;

pub use forwarded::{Network, Networks};
pub use route::Named;

use body::{AnswerBody, CountedBody};
use record::Record;

/// The door of what is nobody's: health, metrics, the welcome, unknown paths.
pub const OWN: &str = "own";

/// Which requests get a line in the log at level info; what fails because of us is told in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Told {
    /// Every request.
    All,
    /// Those that were refused or failed.
    Failed,
}

/// What all doors share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Desk {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    peers: Gate<IpAddr>,
    tenants: Gate<Id>,
    proxies: Networks,
    told: Told,
}

impl Desk {
    /// At most so many requests of one peer address, and of one tenant, at once; 0 for any number.
    pub fn new(per_peer: usize, per_tenant: usize, proxies: Networks, told: Told) -> Desk {
        let (peers, tenants) = (Gate::new(per_peer), Gate::new(per_tenant));
        Desk { inner: Arc::new(Inner { peers, tenants, proxies, told }) }
    }

    /// Puts the door of this name under watch.
    pub fn watch<S>(&self, door: &'static str, service: S) -> Watched<S> {
        Watched { service, desk: self.clone(), door }
    }
}

/// A door that is watched.
#[derive(Debug, Clone)]
pub struct Watched<S> {
    service: S,
    desk: Desk,
    door: &'static str,
}

impl<S, R> Watched<S>
where
    S: Service<Request<Body>, Response = Response<R>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    R: HttpBody<Data = Bytes> + Send + 'static,
    R::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// Has the door answer a request, and notes what comes of it.
    pub fn answer<B>(&self, request: Request<B>) -> impl Future<Output = Response<Body>> + Send + use<S, R, B>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (mut parts, body) = request.into_parts();
        let peer = self.desk.inner.proxies.peer(&parts.headers, &mut parts.extensions);
        let ours = Arc::new(Ours::new(self.door, peer, self.desk.inner.tenants.clone()));
        let place = self.desk.place_of(peer);
        let record = Record::begin(Arc::clone(&ours), &parts, self.desk.inner.told);
        let body = if body.is_end_stream() { Body::empty() } else { Body::new(CountedBody::new(body, &ours)) };
        let mut service = self.service.clone();
        let answering = async move { service.call(Request::from_parts(parts, body)).await };
        async move {
            let Some(place) = place else {
                telemetry::refused(ours.door(), "peer_requests");
                return finish(record, crowded(), None);
            };
            let answer = match Arc::clone(&ours).run(AssertUnwindSafe(answering).catch_unwind()).await {
                Ok(Ok(answer)) => answer.map(Body::new),
                Err(panic) => {
                    let text = message(&*panic);
                    ours.run_now(|| tracing::error!(panic = text, "a request handler panicked"));
                    plain(StatusCode::INTERNAL_SERVER_ERROR, "a fault of this server")
                }
            };
            finish(record, answer, Some(place))
        }
    }
}

impl Desk {
    /// A place among the requests of this peer; none if there is no more.
    fn place_of(&self, peer: Option<IpAddr>) -> Option<Place> {
        match peer {
            // A proxy that is trusted speaks for many, and those it speaks for are counted.
            Some(peer) if !self.inner.proxies.contain(peer) => self.inner.peers.enter(&whose(peer)).map(Some),
            _ => Some(None),
        }
    }
}

/// Held while a request is under way.
type Place = Option<Inside<IpAddr>>;

/// A household of IPv6 has a network of its own, and any address in it.
pub fn whose(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
    }
}

fn finish(mut record: Record, mut answer: Response<Body>, place: Option<Place>) -> Response<Body> {
    record.note(&answer);
    let refused_for_a_while =
        matches!(answer.status(), StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
    if refused_for_a_while && record.request().was_crowded() {
        answer.headers_mut().entry(header::RETRY_AFTER).or_insert(HeaderValue::from_static("1"));
    }
    let length = answer.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    answer.map(|body| Body::new(AnswerBody::new(body, record, place, length)))
}

/// Before a door is known there is no shape to answer in.
fn crowded() -> Response<Body> {
    let mut answer = plain(StatusCode::TOO_MANY_REQUESTS, "too many requests from your address at once");
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut answer = Response::new(Body::from(format!("{text}\n")));
    *answer.status_mut() = status;
    let media_type = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(header::CONTENT_TYPE, media_type);
    answer
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}

/// Whether a request came by way of something that says so.
pub fn is_forwarded(headers: &HeaderMap) -> bool {
    ["x-forwarded-for", "forwarded", "x-real-ip", "via"].iter().any(|name| headers.contains_key(*name))
}

/// The address that a request came from, for handlers below a desk.
pub fn address_of(extensions: &http::Extensions) -> Option<IpAddr> {
    extensions.get::<Peer>().map(|peer| peer.address.ip().to_canonical())
}
