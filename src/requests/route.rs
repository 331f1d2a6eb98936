//! Which route a request is of: a method and the pattern of a path, as metrics and log name it.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};
use std::task::{Context, Poll};

use axum::extract::{MatchedPath, Request};
use http::Method;
use otaru_core::request;
use tower::{Layer, Service};

/// What a path is called that no route is for.
const UNKNOWN: &str = "(unknown)";
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER"];

/// A layer for the routes of a door: it tells the request which of them it came to.
#[derive(Debug, Clone, Copy)]
pub struct Named;

impl<S> Layer<S> for Named {
    type Service = NamedRoute<S>;

    fn layer(&self, route: S) -> NamedRoute<S> {
        NamedRoute { route }
    }
}

/// A route that tells its name.
#[derive(Debug, Clone)]
pub struct NamedRoute<S> {
    route: S,
}

impl<S: Service<Request>> Service<Request> for NamedRoute<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.route.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> S::Future {
        if let Some(pattern) = request.extensions().get::<MatchedPath>() {
            request::route(name(request.method(), Some(pattern.as_str())));
        }
        self.route.call(request)
    }
}

/// The name of a route. There is a bounded number of them, whatever is asked for: patterns are written in the code.
pub fn name(method: &Method, pattern: Option<&str>) -> &'static str {
    type Names = RwLock<BTreeMap<String, &'static str>>;
    static NAMES: [Names; METHODS.len()] = [const { RwLock::new(BTreeMap::new()) }; METHODS.len()];
    let at = METHODS.iter().position(|known| *known == method.as_str()).unwrap_or(METHODS.len() - 1);
    let pattern = pattern.filter(|pattern| !pattern.contains("__private")).unwrap_or(UNKNOWN);
    if let Some(name) = NAMES[at].read().unwrap_or_else(PoisonError::into_inner).get(pattern) {
        return name;
    }
    let mut names = NAMES[at].write().unwrap_or_else(PoisonError::into_inner);
    // One that came first has put it there.
    names.entry(pattern.to_owned()).or_insert_with(|| format!("{} {pattern}", METHODS[at]).leak())
}
