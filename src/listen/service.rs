//! From hyper's service to a tower service: adds the peer, counts the request as open, and turns a
//! panic into a 500.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use otaru_model::peer::Peer;
use pin_project_lite::pin_project;
use tower::util::Oneshot;
use tower::{Service, ServiceExt};

use super::activity::{Activity, InFlight};
use super::body::{Pace, RequestBody, ResponseBody};

/// What answers the requests of one connection.
pub(super) struct Handler<S> {
    pub(super) service: S,
    pub(super) peer: Peer,
    pub(super) activity: Arc<Activity>,
    pub(super) pace: Pace,
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Handler<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone,
{
    type Response = Response<ResponseBody<B>>;
    type Error = Infallible;
    type Future = Answer<Oneshot<S, Request<RequestBody>>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let in_flight = self.activity.begin_request(request.version() == Version::HTTP_2);
        let mut request = request.map(|body| RequestBody::new(body, self.pace));
        request.extensions_mut().insert(self.peer.clone());
        Answer { handling: Some(self.service.clone().oneshot(request)), in_flight: Some(in_flight) }
    }
}

pin_project! {
    /// A handler at work. A panic in it costs this one request an error 500; connection and process
    /// go on.
    pub(super) struct Answer<F> {
        #[pin]
        handling: Option<F>,
        in_flight: Option<InFlight>,
    }
}

impl<F, B> Future for Answer<F>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
{
    type Output = Result<Response<ResponseBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(handling) = this.handling.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        // A panicked future is dropped below and never polled again, so no half-changed state is
        // seen.
        let response = match catch_unwind(AssertUnwindSafe(|| handling.poll(cx))) {
            Ok(outcome) => {
                let Ok(response) = ready!(outcome);
                Some(response)
            }
            Err(panic) => {
                tracing::error!(panic = message(&*panic), "a request handler panicked");
                None
            }
        };
        this.handling.set(None);
        let Some(in_flight) = this.in_flight.take() else {
            return Poll::Pending;
        };
        Poll::Ready(Ok(match response {
            Some(response) => response.map(|body| ResponseBody::new(Some(body), in_flight)),
            None => {
                let mut response = Response::new(ResponseBody::new(None, in_flight));
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
