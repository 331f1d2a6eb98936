//! What a connection is doing right now, so that its task can tell waiting from working and slow
//! from stuck.
//!
//! The counters are touched on every request and every write, so they are plain relaxed atomics: no
//! clock is read and no timer is set there. The connection's task looks at them when it wakes and
//! keeps the time.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Limits;

/// Shared by the socket, the requests and the task of one connection.
#[derive(Debug)]
pub(super) struct Activity {
    /// HTTP/2 frames arrive at any time, so bytes do not mean that a request head has begun.
    multiplexed: AtomicBool,
    /// Bytes came in while no request was open.
    head_begun: AtomicBool,
    requests: AtomicU64,
    in_flight: AtomicUsize,
    writes: AtomicU64,
    write_blocked: AtomicBool,
    /// Pieces of answers that were handed on.
    pieces: AtomicU64,
    /// Answers of which a piece was handed on and no further one asked for since: over HTTP/2 their client lets them wait, and
    /// the socket does not show it.
    held_back: AtomicUsize,
}

/// A moment of [`Activity`]. While two are equal, nothing has moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    head_begun: bool,
    requests: u64,
    answering: bool,
    writes: u64,
    write_blocked: bool,
    pieces: u64,
    held_back: bool,
}

impl Activity {
    /// A connection has to send its first request as quickly as any other head, so it starts as if
    /// one had begun.
    pub(super) fn new(multiplexed: bool) -> Self {
        Self {
            multiplexed: AtomicBool::new(multiplexed),
            head_begun: AtomicBool::new(true),
            requests: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            writes: AtomicU64::new(0),
            write_blocked: AtomicBool::new(false),
            pieces: AtomicU64::new(0),
            held_back: AtomicUsize::new(0),
        }
    }

    pub(super) fn moment(&self) -> Moment {
        Moment {
            head_begun: self.head_begun.load(Relaxed),
            requests: self.requests.load(Relaxed),
            answering: self.in_flight.load(Relaxed) > 0,
            writes: self.writes.load(Relaxed),
            write_blocked: self.write_blocked.load(Relaxed),
            pieces: self.pieces.load(Relaxed),
            held_back: self.multiplexed.load(Relaxed) && self.held_back.load(Relaxed) > 0,
        }
    }

    /// Opens a request; it is over when the returned guard is dropped, which is after the last byte
    /// of its answer was handed on.
    pub(super) fn begin_request(self: &Arc<Self>, multiplexed: bool) -> InFlight {
        if multiplexed {
            self.multiplexed.store(true, Relaxed);
        }
        self.head_begun.store(false, Relaxed);
        self.requests.fetch_add(1, Relaxed);
        self.in_flight.fetch_add(1, Relaxed);
        InFlight(Arc::clone(self))
    }

    fn read(&self) {
        if self.in_flight.load(Relaxed) == 0 && !self.multiplexed.load(Relaxed) {
            self.head_begun.store(true, Relaxed);
        }
    }

    fn wrote<T>(&self, outcome: Poll<T>) -> Poll<T> {
        if outcome.is_ready() {
            self.writes.fetch_add(1, Relaxed);
        }
        self.flushed(outcome)
    }

    /// A flush moves nothing that a write has not counted, and happens on every wake.
    fn flushed<T>(&self, outcome: Poll<T>) -> Poll<T> {
        self.write_blocked.store(outcome.is_pending(), Relaxed);
        outcome
    }
}

impl Moment {
    /// How long this moment may last; `None` while a handler works, which may take its time.
    pub(super) fn allowance(&self, limits: &Limits) -> Option<Duration> {
        if self.write_blocked || self.held_back {
            Some(limits.write_timeout)
        } else if self.answering {
            None
        } else if self.head_begun {
            Some(limits.header_timeout)
        } else {
            Some(limits.keep_alive_timeout)
        }
    }

    /// What a connection did not get on with, in a word.
    pub(super) fn what_was_slow(&self) -> &'static str {
        if self.write_blocked || self.held_back {
            "slow_reader"
        } else if self.answering {
            "drained"
        } else if self.head_begun {
            "slow_head"
        } else {
            "idle"
        }
    }

    /// Between two requests, so the connection can be ended in good order.
    pub(super) fn is_waiting(&self) -> bool {
        !self.write_blocked && !self.answering && !self.head_begun
    }
}

/// An open request.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Activity>);

impl InFlight {
    /// A piece of its answer was handed on.
    pub(super) fn hold_back(&self) {
        self.0.pieces.fetch_add(1, Relaxed);
        self.0.held_back.fetch_add(1, Relaxed);
    }

    /// The next piece was asked for.
    pub(super) fn go_on(&self) {
        self.0.held_back.fetch_sub(1, Relaxed);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

pin_project! {
    /// A socket that tells its [`Activity`] what moves.
    pub(super) struct Watched<I> {
        #[pin]
        io: I,
        activity: Arc<Activity>,
    }
}

impl<I> Watched<I> {
    pub(super) fn new(io: I, activity: Arc<Activity>) -> Self {
        Self { io, activity }
    }
}

impl<I: AsyncRead> AsyncRead for Watched<I> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        let before = buffer.filled().len();
        let outcome = this.io.poll_read(cx, buffer);
        if buffer.filled().len() > before {
            this.activity.read();
        }
        outcome
    }
}

impl<I: AsyncWrite> AsyncWrite for Watched<I> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.project();
        this.activity.wrote(this.io.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        this.activity.wrote(this.io.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        this.activity.flushed(this.io.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        this.activity.flushed(this.io.poll_shutdown(cx))
    }
}
