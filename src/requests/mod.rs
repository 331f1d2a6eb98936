//! What is around every request, whichever door it came in by: its id, its line in the log, its numbers in the metrics, and
//! how many of one peer and one tenant are taken at once.
//!
//! [`Desk::watch`] makes a layer for a door. Below it the request has an [`otaru_core::request::Request`], and its `Peer` is the
//! client's address also where a trusted proxy stands between.

mod body;
mod forwarded;
mod record;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::convert::Infallible;
use std::error::Error;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::extract::MatchedPath;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use otaru_core::gate::{Gate, Inside};
use otaru_core::request::{self, Request as Ours};
use otaru_core::telemetry;
use otaru_model::Id;
use otaru_model::peer::Peer;
use tower::{Layer, Service};

pub use forwarded::{Network, Networks};

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
    peers: Gate<IpAddr>,
    tenants: Gate<Id>,
    proxies: Networks,
    told: Told,
}

impl Desk {
    /// At most so many requests of one peer address, and of one tenant, at once; 0 for any number.
    pub fn new(per_peer: usize, per_tenant: usize, proxies: Networks, told: Told) -> Desk {
        Desk { peers: Gate::new(per_peer), tenants: Gate::new(per_tenant), proxies, told }
    }

    /// A layer for the door of this name.
    pub fn watch(&self, door: &'static str) -> Watch {
        Watch { desk: self.clone(), door }
    }
}

/// The layer of one door.
#[derive(Debug, Clone)]
pub struct Watch {
    desk: Desk,
    door: &'static str,
}

impl<S> Layer<S> for Watch {
    type Service = Watched<S>;

    fn layer(&self, service: S) -> Watched<S> {
        Watched { service, watch: self.clone() }
    }
}

/// A door that is watched.
#[derive(Debug, Clone)]
pub struct Watched<S> {
    service: S,
    watch: Watch,
}

impl<S, B, R> Service<Request<B>> for Watched<S>
where
    S: Service<Request<Body>, Response = Response<R>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    R: HttpBody<Data = Bytes> + Send + 'static,
    R::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that said it is ready is the one to call.
        let ready = self.service.clone();
        let mut service = std::mem::replace(&mut self.service, ready);
        let door = Box::new(move |request| {
            service.call(request).map(|Ok(answer): Result<Response<R>, Infallible>| answer.map(Body::new)).boxed()
        });
        self.watch.clone().answer(request.map(Body::new), door).map(Ok).boxed()
    }
}

/// A door that takes one request.
type Once = Box<dyn FnOnce(Request<Body>) -> BoxFuture<'static, Response<Body>> + Send>;

impl Watch {
    async fn answer(self, request: Request<Body>, door: Once) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        let peer = self.desk.proxies.peer(&parts.headers, &mut parts.extensions);
        let pattern = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
        let operation = operation(&parts.method, pattern);
        let id = request::new_id();
        let span = tracing::error_span!(
            "request",
            id = %request::id_text(id),
            door = self.door,
            operation = %operation,
            peer = peer.map(tracing::field::display),
            tenant = tracing::field::Empty,
            key = tracing::field::Empty,
        );
        let ours = Arc::new(Ours::new(id, self.door, span, self.desk.tenants.clone()));
        let record = Record::begin(Arc::clone(&ours), operation, &parts, self.desk.told);

        let Some(place) = self.desk.place_of(peer) else {
            telemetry::refused(self.door, "peer_requests");
            return finish(record, crowded(), None, &parts.method);
        };
        let method = parts.method.clone();
        let body = Body::new(CountedBody::new(body, record.bytes_in()));
        let answering = AssertUnwindSafe(door(Request::from_parts(parts, body))).catch_unwind();
        let answer = tracing::Instrument::instrument(Arc::clone(&ours).run(answering), ours.span().clone()).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(panic) => {
                let text = message(&*panic);
                ours.span().in_scope(|| tracing::error!(panic = text, "a request handler panicked"));
                plain(StatusCode::INTERNAL_SERVER_ERROR, "a fault of this server")
            }
        };
        finish(record, answer, Some(place), &method)
    }
}

impl Desk {
    /// A place among the requests of this peer; none if there is no more.
    fn place_of(&self, peer: Option<IpAddr>) -> Option<Place> {
        match peer {
            // A proxy that is trusted speaks for many, and those it speaks for are counted.
            Some(peer) if !self.proxies.contain(peer) => self.peers.enter(&whose(peer)).map(Some),
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

/// The pattern of the route, with the method in front: a bounded number of names, whatever is asked for.
fn operation(method: &Method, pattern: Option<&str>) -> Cow<'static, str> {
    const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let method = METHODS.into_iter().find(|known| *known == method.as_str()).unwrap_or("OTHER");
    match pattern {
        Some(pattern) if !pattern.contains("__private") => format!("{method} {pattern}").into(),
        _ => format!("{method} (unknown)").into(),
    }
}

fn finish(mut record: Record, mut answer: Response<Body>, place: Option<Place>, method: &Method) -> Response<Body> {
    record.note(&answer);
    let refused_for_a_while =
        matches!(answer.status(), StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
    if refused_for_a_while && record.request().was_crowded() {
        answer.headers_mut().entry(header::RETRY_AFTER).or_insert(HeaderValue::from_static("1"));
    }
    let is_head = *method == Method::HEAD;
    let length = answer.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    answer.map(|body| Body::new(AnswerBody::new(body, record, place, is_head, length)))
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
