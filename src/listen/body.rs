//! The two bodies of a request: the incoming one fails when it stalls, the outgoing one keeps its
//! request open until it is sent.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body as AnyBody;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::activity::InFlight;

/// How quickly a request body has to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// How long it may pause.
    pub(super) timeout: Duration,
    /// How fast it has to be on the whole once it took longer than that; 0 for any.
    pub(super) min_bytes_per_second: u64,
}

/// The body of a request as handlers get it.
#[derive(Debug)]
pub struct RequestBody {
    incoming: Incoming,
    pace: Pace,
    /// When the first byte was asked for, and how many came since; asked for, because a handler may let a client wait.
    begun: Option<Instant>,
    bytes: u64,
    /// Made when the client first lets us wait; most bodies arrive together with their head.
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

/// Why the rest of a request body is missing.
#[derive(Debug, thiserror::Error)]
pub enum RequestBodyError {
    /// The connection failed or the framing is wrong.
    #[error("the request body could not be read: {0}")]
    Connection(#[from] hyper::Error),
    /// The client went silent.
    #[error("the request body stopped for {} s", .0.as_secs())]
    Stalled(Duration),
    /// The client drips.
    #[error("the request body is slower than {0} bytes per second")]
    Slow(u64),
}

impl RequestBody {
    pub(super) fn new(incoming: Incoming, pace: Pace) -> Self {
        Self { incoming, pace, begun: None, bytes: 0, timer: None, waiting: false }
    }

    /// Whether the client has had its time and did too little with it.
    fn is_too_slow(&mut self, came: usize) -> bool {
        self.bytes += came as u64;
        let begun = *self.begun.get_or_insert_with(Instant::now);
        let least = self.pace.min_bytes_per_second;
        if least == 0 || came == 0 {
            return false;
        }
        let took = begun.elapsed();
        took > self.pace.timeout && self.bytes < least.saturating_mul(took.as_secs())
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) {
            self.waiting = false;
            let came = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()).map_or(0, Bytes::len);
            if self.is_too_slow(came) {
                return Poll::Ready(Some(Err(RequestBodyError::Slow(self.pace.min_bytes_per_second))));
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(RequestBodyError::Connection)));
        }
        let timeout = self.pace.timeout;
        self.begun.get_or_insert_with(Instant::now);
        let restart = !std::mem::replace(&mut self.waiting, true);
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        if restart {
            timer.as_mut().reset(Instant::now() + timeout);
        }
        ready!(timer.as_mut().poll(cx));
        self.waiting = false;
        Poll::Ready(Some(Err(RequestBodyError::Stalled(timeout))))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// The body of an answer.
pub(super) struct ResponseBody {
    inner: AnyBody,
    held_back: HeldBack,
}

/// Whether a piece of this answer was handed on and no further one asked for since.
struct HeldBack {
    is_so: bool,
    in_flight: InFlight,
}

impl HeldBack {
    fn begin(&mut self) {
        self.in_flight.hold_back();
        self.is_so = true;
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.is_so) {
            self.in_flight.go_on();
        }
    }
}

impl Drop for HeldBack {
    fn drop(&mut self) {
        self.end();
    }
}

impl ResponseBody {
    pub(super) fn new(inner: AnyBody, in_flight: InFlight) -> Self {
        Self { inner, held_back: HeldBack { is_so: false, in_flight } }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        this.held_back.end();
        let frame = Pin::new(&mut this.inner).poll_frame(cx);
        if matches!(frame, Poll::Ready(Some(Ok(_)))) {
            this.held_back.begin();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
