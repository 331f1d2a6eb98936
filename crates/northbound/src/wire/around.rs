//! What a door does around each of its routes: something is learnt from the request, and used on its answer.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::extract::Request;
use axum::response::Response;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

/// A layer that calls `before` with each request and `after` with its answer and what `before` made.
#[derive(Debug)]
pub struct Around<C> {
    pub before: fn(&Request) -> C,
    pub after: fn(C, Response) -> Response,
}

impl<C> Clone for Around<C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for Around<C> {}

impl<S, C> Layer<S> for Around<C> {
    type Service = Surrounded<S, C>;

    fn layer(&self, route: S) -> Surrounded<S, C> {
        Surrounded { route, around: *self }
    }
}

/// A route with something around it.
#[derive(Debug)]
pub struct Surrounded<S, C> {
    route: S,
    around: Around<C>,
}

impl<S: Clone, C> Clone for Surrounded<S, C> {
    fn clone(&self) -> Self {
        Surrounded { route: self.route.clone(), around: self.around }
    }
}

impl<S, C> Service<Request> for Surrounded<S, C>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answering<S::Future, C>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.route.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let seen = Some((self.around.before)(&request));
        Answering { answer: self.route.call(request), seen, after: self.around.after }
    }
}

pin_project! {
    /// The answer that a route is working at.
    pub struct Answering<F, C> {
        #[pin]
        answer: F,
        seen: Option<C>,
        after: fn(C, Response) -> Response,
    }
}

impl<F, C> Future for Answering<F, C>
where
    F: Future<Output = Result<Response, Infallible>>,
{
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(answer) = ready!(this.answer.poll(context));
        Poll::Ready(Ok(match this.seen.take() {
            Some(seen) => (this.after)(seen, answer),
            None => answer,
        }))
    }
}
