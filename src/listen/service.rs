//! From hyper's service to a door's: adds the peer, counts the request as open, and turns a
//! panic into a 500.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use otaru_core::blobs::StandIns;
use otaru_model::peer::Peer;

use super::Answering;
use super::activity::{Activity, InFlight};
use super::body::{Pace, RequestBody, ResponseBody};

/// What answers the requests of one connection.
pub(super) struct Handler {
    pub(super) answering: Answering,
    pub(super) peer: Peer,
    pub(super) activity: Arc<Activity>,
    pub(super) pace: Pace,
    /// Of a socket that can send files. HTTP/2 has frames of its own, so its answers have to come as bytes.
    pub(super) stand_ins: Option<StandIns>,
}

impl hyper::service::Service<Request<Incoming>> for Handler {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let is_multiplexed = request.version() == Version::HTTP_2;
        let in_flight = self.activity.begin_request(is_multiplexed);
        let mut request = request.map(|body| RequestBody::new(body, self.pace));
        request.extensions_mut().insert(self.peer.clone());
        if let Some(stand_ins) = self.stand_ins.as_ref().filter(|_| !is_multiplexed) {
            request.extensions_mut().insert(stand_ins.clone());
        }
        Answer { handling: Some((self.answering)(request)), in_flight: Some(in_flight) }
    }
}

/// A handler at work. A panic in it costs this one request an error 500; connection and process
/// go on.
pub(super) struct Answer {
    handling: Option<BoxFuture<'static, Response<Body>>>,
    in_flight: Option<InFlight>,
}

impl Future for Answer {
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some(handling) = &mut this.handling else {
            return Poll::Pending;
        };
        // A panicked future is dropped below and never polled again, so no half-changed state is
        // seen.
        let response = match catch_unwind(AssertUnwindSafe(|| handling.as_mut().poll(cx))) {
            Ok(outcome) => Some(ready!(outcome)),
            Err(panic) => {
                tracing::error!(panic = message(&*panic), "a request handler panicked");
                None
            }
        };
        this.handling = None;
        let Some(in_flight) = this.in_flight.take() else {
            return Poll::Pending;
        };
        Poll::Ready(Ok(match response {
            Some(response) => response.map(|body| ResponseBody::new(body, in_flight)),
            None => {
                let mut response = Response::new(ResponseBody::new(Body::empty(), in_flight));
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            }
        }))
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text")
}
