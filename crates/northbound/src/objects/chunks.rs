//! The framing `aws-chunked`, looked at while it passes.
//!
//! The S3 service takes the frames apart, and keeps each chunk whole in memory until it has all of it. Some clients send an
//! object of gigabytes as one chunk. Chunks without a signature are cut here into the pieces in which they arrive, which
//! means the same; signed ones have to stay whole and are refused above a limit.

use bytes::{Buf, Bytes};

/// The longest signed chunk. Clients send 64 KiB to 1 MiB.
const SIGNED_CHUNK_MAX_BYTES: u64 = 16 << 20;
/// The longest line with the length of a chunk and its signature.
const LINE_MAX_BYTES: usize = 1024;

/// Why a body is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    #[error("a signed chunk has at most 16 MiB")]
    TooLong,
    #[error("the chunks of the body are malformed")]
    Malformed,
}

/// Where in the frames the body is.
enum At {
    /// In the line with the length of the next chunk.
    Line(Vec<u8>),
    /// In a chunk, with so many bytes to come.
    Data(u64),
    /// In the line break behind a chunk, with so many bytes to come.
    Break(usize),
    /// In what follows the last chunk.
    Trailers,
}

/// One body's frames.
pub struct Frames {
    at: At,
    are_signed: bool,
}

impl Frames {
    pub fn new(are_signed: bool) -> Frames {
        Frames { at: At::Line(Vec::new()), are_signed }
    }

    /// Takes what arrived and answers what is passed on.
    pub fn pass(&mut self, mut arrived: Bytes) -> Result<Vec<Bytes>, ChunkError> {
        let whole = arrived.clone();
        let mut out = Vec::new();
        while !arrived.is_empty() {
            match &mut self.at {
                At::Line(line) => {
                    let end = arrived.iter().position(|&byte| byte == b'\n').map(|at| at + 1);
                    line.extend_from_slice(&arrived.split_to(end.unwrap_or(arrived.len())));
                    if line.len() > LINE_MAX_BYTES {
                        return Err(ChunkError::Malformed);
                    }
                    if end.is_some() {
                        let length = length_in(line)?;
                        if self.are_signed && length > SIGNED_CHUNK_MAX_BYTES {
                            return Err(ChunkError::TooLong);
                        }
                        if length == 0 {
                            out.push(Bytes::from_static(b"0\r\n"));
                        }
                        self.at = if length == 0 { At::Trailers } else { At::Data(length) };
                    }
                }
                At::Data(left) => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(arrived.len());
                    let piece = arrived.split_to(here);
                    *left -= here as u64;
                    if *left == 0 {
                        self.at = At::Break(2);
                    }
                    out.extend([Bytes::from(format!("{here:x}\r\n")), piece, Bytes::from_static(b"\r\n")]);
                }
                At::Break(left) => {
                    if arrived[0] != b"\r\n"[2 - *left] {
                        return Err(ChunkError::Malformed);
                    }
                    arrived.advance(1);
                    *left -= 1;
                    if *left == 0 {
                        self.at = At::Line(Vec::new());
                    }
                }
                At::Trailers => out.push(arrived.split_to(arrived.len())),
            }
        }
        Ok(if self.are_signed { vec![whole] } else { out })
    }
}

/// The hexadecimal length at the beginning of a line, up to `;` or the line break.
fn length_in(line: &[u8]) -> Result<u64, ChunkError> {
    let text = line.strip_suffix(b"\r\n").ok_or(ChunkError::Malformed)?;
    let digits = text.split(|&byte| byte == b';').next().unwrap_or_default();
    let only_digits = (1..=16).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(digits).map_err(|_| ChunkError::Malformed)?;
    u64::from_str_radix(text, 16).ok().filter(|_| only_digits).ok_or(ChunkError::Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the frames mean: the bytes in the chunks and what follows them.
    fn read(mut frames: &[u8]) -> (Vec<u8>, Vec<u8>, usize) {
        let (mut content, mut longest) = (Vec::new(), 0);
        loop {
            let end = frames.iter().position(|&byte| byte == b'\n').unwrap() + 1;
            let length = length_in(&frames[..end]).unwrap() as usize;
            frames = &frames[end..];
            if length == 0 {
                return (content, frames.to_vec(), longest);
            }
            longest = longest.max(length);
            content.extend_from_slice(&frames[..length]);
            assert_eq!(&frames[length..length + 2], b"\r\n");
            frames = &frames[length + 2..];
        }
    }

    fn pass_all(frames: &mut Frames, pieces: &[&[u8]]) -> Result<Vec<u8>, ChunkError> {
        let mut out = Vec::new();
        for piece in pieces {
            for bytes in frames.pass(Bytes::copy_from_slice(piece))? {
                out.extend_from_slice(&bytes);
            }
        }
        Ok(out)
    }

    proptest! {
        #[test]
        fn cutting_chunks_changes_nothing_but_their_length(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..2000), 0..5),
            cut in 1usize..700,
        ) {
            let mut sent = Vec::new();
            for chunk in &chunks {
                sent.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
                sent.extend_from_slice(chunk);
                sent.extend_from_slice(b"\r\n");
            }
            sent.extend_from_slice(b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n");
            let pieces: Vec<&[u8]> = sent.chunks(cut).collect();
            let (content, trailers, longest) = read(&pass_all(&mut Frames::new(false), &pieces).unwrap());
            prop_assert_eq!(content, chunks.concat());
            prop_assert_eq!(trailers, b"x-amz-checksum-crc32:AAAAAA==\r\n\r\n");
            prop_assert!(longest <= cut);
            prop_assert_eq!(pass_all(&mut Frames::new(true), &pieces).unwrap(), sent);
        }

        #[test]
        fn no_bytes_make_it_panic(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20), signed: bool) {
            let mut frames = Frames::new(signed);
            for piece in pieces {
                if frames.pass(Bytes::from(piece)).is_err() {
                    break;
                }
            }
        }
    }

    #[test]
    fn a_chunk_of_gigabytes_is_held_nowhere() {
        let mut frames = Frames::new(false);
        let first = pass_all(&mut frames, &[b"140000000\r\n", b"abc"]).unwrap();
        assert_eq!(first, b"3\r\nabc\r\n");
        let mut signed = Frames::new(true);
        let line = format!("{:x};chunk-signature={}\r\n", SIGNED_CHUNK_MAX_BYTES + 1, "0".repeat(64));
        assert_eq!(signed.pass(Bytes::from(line)), Err(ChunkError::TooLong));
        let line = format!("{SIGNED_CHUNK_MAX_BYTES:x};chunk-signature={}\r\n", "0".repeat(64));
        assert!(Frames::new(true).pass(Bytes::from(line)).is_ok());
    }

    #[test]
    fn malformed_frames_are_refused() {
        for wrong in ["\r\n", "g\r\n", "1\n", "1\r\nab\r\n", "11111111111111111\r\n", "-1\r\n", "+1\r\n"] {
            assert_eq!(pass_all(&mut Frames::new(false), &[wrong.as_bytes()]), Err(ChunkError::Malformed), "{wrong:?}");
        }
        let endless = "1".repeat(LINE_MAX_BYTES + 1);
        assert_eq!(pass_all(&mut Frames::new(true), &[endless.as_bytes()]), Err(ChunkError::Malformed));
    }
}
