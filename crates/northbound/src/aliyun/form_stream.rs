//! A form's bytes on their way to the parser, a piece at a time. The parser takes all that there is, and keeps it until it has
//! found what it looks for: without a bound somebody could fill the memory with a form that never begins.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::BodyDataStream;
use bytes::Bytes;
use futures::Stream;

/// How many bytes the parser may take before something comes of them: a field's head, or a piece of its text.
const ROOM_BYTES: usize = 1 << 20;

/// The stream that the parser reads.
pub struct Paced<'b> {
    body: &'b mut BodyDataStream,
    room: Room,
    /// Whether the parser was sent to look at what it has since it got the last piece.
    has_looked: bool,
}

/// How much more the parser may take.
#[derive(Clone)]
pub struct Room(Arc<AtomicUsize>);

#[derive(Debug, thiserror::Error)]
pub enum PaceError {
    #[error("over {ROOM_BYTES} bytes are no part of any field")]
    NoForm,
    #[error(transparent)]
    Body(#[from] axum::Error),
}

impl Room {
    /// Something came of what was taken.
    pub fn renew(&self) {
        self.0.store(ROOM_BYTES, Ordering::Relaxed);
    }
}

impl<'b> Paced<'b> {
    pub fn new(body: &'b mut BodyDataStream) -> (Paced<'b>, Room) {
        let room = Room(Arc::new(AtomicUsize::new(ROOM_BYTES)));
        (Paced { body, room: room.clone(), has_looked: true }, room)
    }
}

impl Stream for Paced<'_> {
    type Item = Result<Bytes, PaceError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !self.has_looked {
            self.has_looked = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some(piece) = ready!(Pin::new(&mut *self.body).poll_next(context)) else { return Poll::Ready(None) };
        let piece = piece?;
        let room = self.room.0.load(Ordering::Relaxed);
        let Some(rest) = room.checked_sub(piece.len()) else { return Poll::Ready(Some(Err(PaceError::NoForm))) };
        self.room.0.store(rest, Ordering::Relaxed);
        self.has_looked = false;
        Poll::Ready(Some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures::{StreamExt, stream};

    use super::*;

    /// A body of so many pieces of 100,000 bytes each, all of them there already.
    fn body(pieces: usize) -> BodyDataStream {
        let piece = Bytes::from(vec![b'x'; 100_000]);
        Body::from_stream(stream::iter(vec![Ok::<_, std::convert::Infallible>(piece); pieces])).into_data_stream()
    }

    #[tokio::test]
    async fn what_nothing_comes_of_has_an_end() {
        let mut body = body(30);
        let (mut paced, _) = Paced::new(&mut body);
        let mut taken = 0;
        let error = loop {
            match paced.next().await {
                Some(Ok(piece)) => taken += piece.len(),
                Some(Err(error)) => break error,
                None => panic!("all of it was taken"),
            }
        };
        assert!(matches!(error, PaceError::NoForm));
        assert_eq!(taken, 1_000_000);
    }

    #[tokio::test]
    async fn what_something_comes_of_has_none() {
        let mut body = body(30);
        let (mut paced, room) = Paced::new(&mut body);
        let mut taken = 0;
        while let Some(piece) = paced.next().await {
            taken += piece.unwrap().len();
            room.renew();
        }
        assert_eq!(taken, 3_000_000);
    }

    #[tokio::test]
    async fn the_parser_looks_at_each_piece_before_it_gets_another() {
        let mut body = body(2);
        let (mut paced, _) = Paced::new(&mut body);
        let mut polls = Vec::new();
        for _ in 0..4 {
            polls.push(futures::poll!(paced.next()).is_ready());
        }
        assert_eq!(polls, [true, false, true, false]);
    }
}
