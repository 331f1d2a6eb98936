//! The framing `aws-chunked`: chunks with their lengths, maybe with signatures, and trailers behind them.
//!
//! Bytes are passed on as they arrive, also before the signature of their chunk could be checked: some clients send an object
//! of gigabytes as one chunk. Nothing is kept of a body whose frames turn out wrong, so that gives nothing away.

use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

use crate::wire::aws_v4::ChunkSigner;

/// The longest line with the length of a chunk and its signature.
const LINE_MAX_BYTES: usize = 1024;
/// All that follows the last chunk.
const TRAILERS_MAX_BYTES: usize = 16 << 10;

/// Why a body is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    #[error("the chunks of the body are malformed")]
    Malformed,
    #[error("the body ends before its last chunk")]
    Incomplete,
    #[error("the signature of a chunk or of the trailers is not the right one")]
    Signature,
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
    Trailers(Vec<u8>),
}

/// One body's frames.
pub struct Frames {
    at: At,
    signing: Option<Signing>,
}

struct Signing {
    signer: ChunkSigner,
    /// Of the bytes of the chunk so far.
    hash: Sha256,
    /// What the chunk's line says.
    declared: Vec<u8>,
}

impl Signing {
    fn check_chunk(&mut self) -> Result<(), ChunkError> {
        let hash = self.hash.finalize_reset().into();
        if self.signer.accepts_chunk(&self.declared, &hash) { Ok(()) } else { Err(ChunkError::Signature) }
    }
}

impl Frames {
    /// With a signer every chunk, and trailers if there are any, have to carry a signature.
    pub fn new(signer: Option<ChunkSigner>) -> Frames {
        let signing = signer.map(|signer| Signing { signer, hash: Sha256::new(), declared: Vec::new() });
        Frames { at: At::Line(Vec::new()), signing }
    }

    /// Takes what arrived and answers the bytes of the object in it.
    pub fn pass(&mut self, mut arrived: Bytes) -> Result<Vec<Bytes>, ChunkError> {
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
                        let line = std::mem::take(line);
                        self.at = self.begin_chunk(&line)?;
                    }
                }
                At::Data(left) => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(arrived.len());
                    let piece = arrived.split_to(here);
                    if let Some(signing) = &mut self.signing {
                        signing.hash.update(&piece);
                    }
                    *left -= here as u64;
                    if *left == 0 {
                        self.at = At::Break(2);
                    }
                    out.push(piece);
                }
                At::Break(left) => {
                    if arrived[0] != b"\r\n"[2 - *left] {
                        return Err(ChunkError::Malformed);
                    }
                    arrived.advance(1);
                    *left -= 1;
                    if *left == 0 {
                        self.signing.as_mut().map_or(Ok(()), Signing::check_chunk)?;
                        self.at = At::Line(Vec::new());
                    }
                }
                At::Trailers(trailers) => {
                    trailers.extend_from_slice(&arrived.split_to(arrived.len()));
                    if trailers.len() > TRAILERS_MAX_BYTES {
                        return Err(ChunkError::Malformed);
                    }
                }
            }
        }
        Ok(out)
    }

    fn begin_chunk(&mut self, line: &[u8]) -> Result<At, ChunkError> {
        let (length, signature) = parse_line(line)?;
        if let Some(signing) = &mut self.signing {
            signing.declared = signature.ok_or(ChunkError::Malformed)?.to_vec();
        }
        if length > 0 {
            return Ok(At::Data(length));
        }
        self.signing.as_mut().map_or(Ok(()), Signing::check_chunk)?;
        Ok(At::Trailers(Vec::new()))
    }

    /// The trailers, when the body has ended.
    pub fn finish(mut self) -> Result<HeaderMap, ChunkError> {
        let At::Trailers(raw) = self.at else { return Err(ChunkError::Incomplete) };
        let text = std::str::from_utf8(&raw).map_err(|_| ChunkError::Malformed)?;
        let mut trailers: Vec<(String, &str)> = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').ok_or(ChunkError::Malformed)?;
            trailers.push((name.trim().to_ascii_lowercase(), value.trim()));
        }
        trailers.sort_unstable();
        let is_signature = |(name, _): &&(String, &str)| name == "x-amz-trailer-signature";
        let signature = trailers.iter().find(is_signature).map(|(_, value)| *value);
        trailers.retain(|(name, _)| name != "x-amz-trailer-signature");
        if let Some(signing) = self.signing.as_mut().filter(|_| !trailers.is_empty()) {
            let canonical: String = trailers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
            let signature = signature.ok_or(ChunkError::Malformed)?;
            if !signing.signer.accepts_trailers(signature.as_bytes(), &canonical) {
                return Err(ChunkError::Signature);
            }
        }
        let header = |(name, value): (String, &str)| {
            Some((HeaderName::try_from(name).ok()?, HeaderValue::from_str(value).ok()?))
        };
        trailers.into_iter().map(header).collect::<Option<_>>().ok_or(ChunkError::Malformed)
    }
}

/// The hexadecimal length at the beginning of a line, and the signature behind it.
fn parse_line(line: &[u8]) -> Result<(u64, Option<&[u8]>), ChunkError> {
    let text = line.strip_suffix(b"\r\n").ok_or(ChunkError::Malformed)?;
    let mut parts = text.split(|&byte| byte == b';');
    let digits = parts.next().unwrap_or_default();
    let only_digits = (1..=16).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
    let digits = std::str::from_utf8(digits).map_err(|_| ChunkError::Malformed)?;
    let length = u64::from_str_radix(digits, 16).ok().filter(|_| only_digits).ok_or(ChunkError::Malformed)?;
    Ok((length, parts.find_map(|part| part.strip_prefix(b"chunk-signature="))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
        fn frames_come_off_however_they_are_cut(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..2000), 0..5),
            cut in 1usize..700,
        ) {
            let mut sent = Vec::new();
            for chunk in &chunks {
                sent.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
                sent.extend_from_slice(chunk);
                sent.extend_from_slice(b"\r\n");
            }
            sent.extend_from_slice(b"0\r\nX-Amz-Checksum-Crc32: AAAAAA==\r\n\r\n");
            let pieces: Vec<&[u8]> = sent.chunks(cut).collect();
            let mut frames = Frames::new(None);
            prop_assert_eq!(pass_all(&mut frames, &pieces).unwrap(), chunks.concat());
            prop_assert_eq!(&frames.finish().unwrap()["x-amz-checksum-crc32"], "AAAAAA==");
        }

        #[test]
        fn no_bytes_make_it_panic(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20)) {
            let mut frames = Frames::new(None);
            if pieces.into_iter().all(|piece| frames.pass(Bytes::from(piece)).is_ok()) {
                let _ = frames.finish();
            }
        }
    }

    #[test]
    fn a_chunk_of_gigabytes_is_held_nowhere() {
        let mut frames = Frames::new(None);
        assert_eq!(pass_all(&mut frames, &[b"140000000\r\n", b"abc"]).unwrap(), b"abc");
        assert_eq!(frames.finish().unwrap_err(), ChunkError::Incomplete);
    }

    #[test]
    fn malformed_frames_are_refused() {
        for wrong in ["\r\n", "g\r\n", "1\n", "1\r\nab\r\n", "11111111111111111\r\n", "-1\r\n", "+1\r\n"] {
            assert_eq!(pass_all(&mut Frames::new(None), &[wrong.as_bytes()]), Err(ChunkError::Malformed), "{wrong:?}");
        }
        let endless = "1".repeat(LINE_MAX_BYTES + 1);
        assert_eq!(pass_all(&mut Frames::new(None), &[endless.as_bytes()]), Err(ChunkError::Malformed));
        let trailers = format!("0\r\n{}", "a".repeat(TRAILERS_MAX_BYTES + 1));
        assert_eq!(pass_all(&mut Frames::new(None), &[trailers.as_bytes()]), Err(ChunkError::Malformed));
        for (sent, expected) in [
            ("", ChunkError::Incomplete),
            ("1\r\na\r\n", ChunkError::Incomplete),
            ("1\r\na\r\n0", ChunkError::Incomplete),
            ("0\r\nno colon\r\n", ChunkError::Malformed),
            ("0\r\nbad name:1\r\n", ChunkError::Malformed),
        ] {
            let mut frames = Frames::new(None);
            pass_all(&mut frames, &[sent.as_bytes()]).unwrap();
            assert_eq!(frames.finish().unwrap_err(), expected, "{sent:?}");
        }
    }
}
