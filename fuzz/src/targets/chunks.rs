//! The framing `aws-chunked`: however a body is cut on its way, it comes to the same.

use bytes::Bytes;
use otaru_northbound::objects::fuzzing::{ChunkError, Frames};

use super::{Ground, Kind, Target, Verdict, holds, lines};
use crate::random::Random;

pub const TARGETS: &[Target] = &[Target {
    name: "chunks",
    about: "bodies in chunks with trailers",
    kind: Kind::Bytes,
    seeds: |_| {
        Ok(lines(&[
            "5\r\nhello\r\n6;chunk-signature=00\r\n world\r\n0\r\n\r\n",
            "3;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\nabc\r\n0;chunk-signature=b6\r\n\r\n",
            "1\r\na\r\n0\r\nx-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d8\r\n\r\n",
            "0\r\n\r\n",
        ]))
    },
    check,
}];

type Decoded = Result<(Vec<u8>, Vec<String>), ChunkError>;

fn decode(pieces: impl Iterator<Item = Bytes>) -> Decoded {
    let (mut frames, mut out) = (Frames::new(None), Vec::new());
    for piece in pieces {
        for bytes in frames.pass(piece)? {
            out.extend_from_slice(&bytes);
        }
    }
    let trailers = frames.finish()?;
    Ok((out, trailers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect()))
}

fn check(_: &mut Ground, input: &[u8]) -> Verdict {
    let whole = decode(std::iter::once(Bytes::copy_from_slice(input)));
    let byte_by_byte = decode(input.chunks(1).map(Bytes::copy_from_slice));
    holds(whole == byte_by_byte, || format!("whole {whole:?}, byte by byte {byte_by_byte:?}"))?;
    if let Ok((out, _)) = &whole {
        holds(out.len() < input.len(), || "more came out than went in".to_owned())?;
    }
    // The input as content: framed and cut somewhere it comes back.
    let mut random = Random::new(input.len() as u64);
    let mut framed = Vec::new();
    let mut rest = input;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(1 + random.below(rest.len()));
        framed.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        framed.extend_from_slice(chunk);
        framed.extend_from_slice(b"\r\n");
        rest = after;
    }
    framed.extend_from_slice(b"0\r\n\r\n");
    let cut = 1 + random.below(framed.len());
    let back = decode(framed.chunks(cut).map(Bytes::copy_from_slice));
    holds(back.as_ref().is_ok_and(|(out, _)| out == input), || "what was framed did not come back".to_owned())?;
    Ok(whole.map_or_else(|error| error.to_string(), |(_, trailers)| format!("{} trailers", trailers.len().min(9))))
}
