//! `multipart/byteranges`: several ranges in one body whose length is known before the first byte
//! (RFC 9110 section 14.6).

use std::ops::Range;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};

/// The pieces of text around the ranges, written once so that the promised length and the sent
/// bytes cannot differ.
pub(super) struct Multipart {
    /// Per range: the text in front of it.
    parts: Vec<(Bytes, Range<u64>)>,
    end: Bytes,
    boundary: String,
}

impl Multipart {
    /// `tag` is the text of the entity tag. It makes the boundary: a digest of the content, which
    /// the content cannot contain.
    pub(super) fn new(ranges: Vec<Range<u64>>, size_bytes: u64, content_type: &str, tag: &str) -> Self {
        let letters: String = tag.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
        // At most 70 characters are allowed (RFC 2046 section 5.1.1).
        let boundary = format!("otaru-{letters}");
        let parts = ranges
            .into_iter()
            .enumerate()
            .map(|(at, range)| {
                let line_break = if at == 0 { "" } else { "\r\n" };
                let head = format!(
                    "{line_break}--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: {}\r\n\r\n",
                    content_range(&range, size_bytes)
                );
                (Bytes::from(head), range)
            })
            .collect();
        let end = Bytes::from(format!("\r\n--{boundary}--\r\n"));
        Self { parts, end, boundary }
    }

    pub(super) fn content_type(&self) -> String {
        format!("multipart/byteranges; boundary={}", self.boundary)
    }

    /// The exact length of [`Multipart::into_stream`].
    pub(super) fn size_bytes(&self) -> u64 {
        let parts: u64 = self.parts.iter().map(|(head, range)| head.len() as u64 + (range.end - range.start)).sum();
        parts + self.end.len() as u64
    }

    /// Opens one range after the other, so only one is read at a time.
    pub(super) fn into_stream<F, S, E>(self, open: F) -> impl Stream<Item = Result<Bytes, E>>
    where
        F: Fn(Range<u64>) -> S,
        S: Stream<Item = Result<Bytes, E>>,
    {
        stream::iter(self.parts)
            .flat_map(move |(head, range)| stream::iter([Ok(head)]).chain(open(range)))
            .chain(stream::iter([Ok(self.end)]))
    }
}

/// `bytes first-last/size`, both ends inclusive.
pub(super) fn content_range(range: &Range<u64>, size_bytes: u64) -> String {
    format!("bytes {}-{}/{size_bytes}", range.start, range.end.saturating_sub(1))
}
