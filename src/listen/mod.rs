//! The network end of the server: sockets, TLS and HTTP framing, under whatever router is handed
//! in.
//!
//! Nothing here knows what a request means. A [`Door`] is an open socket; [`serve`] has its
//! requests answered until it is told to drain. Own loop instead of `axum::serve`, because devices
//! in the field need title-case header names, fleets need caps and timeouts, and mutual TLS needs
//! the peer's certificate beside the request.

mod accept;
mod activity;
mod body;
mod connection;
pub mod descriptors;
mod plain;
pub mod ready;
mod refuse;
mod self_signed;
mod service;
pub mod signals;
#[cfg(test)]
mod tests;
pub mod tls;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures::future::BoxFuture;
use http::{Request, Response};

pub use accept::{Door, serve};

use crate::requests::Networks;
pub use body::RequestBody;
pub use self_signed::SelfSigned;

/// What answers the requests of a door. It is one type for all doors, so that HTTP is compiled once.
pub type Answering = Arc<dyn Fn(Request<RequestBody>) -> BoxFuture<'static, Response<Body>> + Send + Sync>;

/// What one door grants its connections.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Open connections at once. Further ones are told to come back in a while, and closed.
    pub max_connections: usize,
    /// Open connections of one address at once, likewise; 0 for any number.
    pub max_connections_per_peer: usize,
    /// Whose connections are many because they speak for others.
    pub proxies: Networks,
    /// The whole request head, 8 KiB at least. More is answered with 431.
    pub max_header_bytes: usize,
    /// From the first byte of a request head to its last, also for the TLS handshake. Then the
    /// connection is closed.
    pub header_timeout: Duration,
    /// How long a connection may wait for its next request.
    pub keep_alive_timeout: Duration,
    /// How long a request body may pause. Then reading it fails.
    pub body_timeout: Duration,
    /// How fast a request body has to be on the whole once it took longer than `body_timeout`; 0 for any.
    pub body_min_bytes_per_second: u64,
    /// How long a client may take nothing of an answer. Then the connection is closed. The kernel
    /// reports what a client takes in steps of a third of its send buffer, so this has to be long
    /// for devices on slow links.
    pub write_timeout: Duration,
    /// How long open requests may go on once the server drains.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            max_connections_per_peer: 2_000,
            proxies: Networks::default(),
            max_header_bytes: 64 * 1024,
            header_timeout: Duration::from_secs(10),
            keep_alive_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(60),
            body_min_bytes_per_second: 100,
            write_timeout: Duration::from_secs(300),
            drain_timeout: Duration::from_secs(8),
        }
    }
}
