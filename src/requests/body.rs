//! The two bodies of a watched request: both count their bytes, and the outgoing one ends the request.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use otaru_core::request::Request;
use pin_project_lite::pin_project;

use super::Place;
use super::record::Record;

pin_project! {
    /// The body of a request.
    pub struct CountedBody<B> {
        #[pin]
        inner: B,
        request: Arc<Request>,
    }
}

impl<B> CountedBody<B> {
    pub fn new(inner: B, request: &Arc<Request>) -> CountedBody<B> {
        CountedBody { inner, request: Arc::clone(request) }
    }
}

impl<B> HttpBody for CountedBody<B>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let frame = this.inner.poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(data) = frame.data_ref()
        {
            this.request.took(data.len());
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

/// The body of an answer. Its request is over when it is dropped.
pub struct AnswerBody {
    inner: Body,
    record: Record,
    /// How long its head says it is.
    length: Option<u64>,
    /// Its place among its peer's requests.
    _place: Option<Place>,
}

impl AnswerBody {
    pub fn new(inner: Body, mut record: Record, place: Option<Place>, length: Option<u64>) -> AnswerBody {
        // Nobody asks a body for its end that has none.
        if record.is_head() || inner.is_end_stream() {
            record.complete();
        }
        AnswerBody { inner, record, length, _place: place }
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let request = Arc::clone(this.record.request());
        let frame = request.run_now(|| Pin::new(&mut this.inner).poll_frame(context));
        match &frame {
            Poll::Ready(Some(Ok(frame))) => {
                this.record.sent(frame.data_ref().map_or(0, Bytes::len));
                // Nor one of which everything has come that was promised.
                if this.inner.is_end_stream() || this.length == Some(this.record.bytes_out()) {
                    this.record.complete();
                }
            }
            Poll::Ready(Some(Err(error))) => {
                request.run_now(|| tracing::warn!(%error, sent = this.record.bytes_out(), "an answer broke off"));
            }
            Poll::Ready(None) => this.record.complete(),
            Poll::Pending => {}
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
