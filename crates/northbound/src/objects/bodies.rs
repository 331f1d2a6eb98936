//! Bodies on their way in: what steers an operation is small and read whole, an object is a stream.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, OnceLock};

use axum::body::Body as AnyBody;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use http::header::{CONTENT_LENGTH, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use md5::{Digest, Md5};
use s3s::{Body, S3Error, S3ErrorCode, S3Result};

use crate::wire::aws_v4::ChunkSigner;
use crate::wire::digest::sha256;
use crate::wire::percent::decode_path;

use super::auth::Dialect;
use super::chunks::{ChunkError, Frames};
use super::error::{named, refusal};

/// The longest body that is no object: a thousand keys to delete, ten thousand parts to put together.
const SMALL_MAX_BYTES: usize = 8 << 20;

/// Why a stream ended early.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum StreamError {
    #[error("the connection ended before the body did")]
    Broken,
    #[error(transparent)]
    Chunk(#[from] ChunkError),
}

/// What came behind the body, once all of it is there.
#[derive(Clone, Default)]
pub struct Trailers(Arc<OnceLock<HeaderMap>>);

impl Trailers {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get()?.get(name)?.to_str().ok()
    }
}

/// How the payload of a request was declared in `x-amz-content-sha256`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Not at all, or as unsigned.
    Unsigned,
    /// With its SHA-256.
    Hash([u8; 32]),
    /// In `aws-chunked` frames, each with a signature or without.
    Chunked { are_signed: bool },
}

impl Payload {
    pub fn of(headers: &HeaderMap) -> S3Result<Payload> {
        let Some(declared) = headers.get("x-amz-content-sha256") else { return Ok(Payload::Unsigned) };
        match declared.as_bytes() {
            b"UNSIGNED-PAYLOAD" => return Ok(Payload::Unsigned),
            b"STREAMING-UNSIGNED-PAYLOAD-TRAILER" => return Ok(Payload::Chunked { are_signed: false }),
            b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD" | b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => {
                return Ok(Payload::Chunked { are_signed: true });
            }
            _ => {}
        }
        let hash = declared.to_str().ok().and_then(|text| text.parse::<otaru_model::Sha256>().ok());
        let wrong = "x-amz-content-sha256 is the SHA-256 of the body in hexadecimal, UNSIGNED-PAYLOAD, or one of \
                     STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD and the same with -TRAILER.";
        hash.map(|hash| Payload::Hash(hash.0)).ok_or_else(|| refusal(S3ErrorCode::InvalidArgument, wrong))
    }
}

/// Takes the frames off the body and prepares it for the S3 service. `signer` signs its chunks.
pub async fn take(
    parts: &mut Parts,
    virtual_bucket: Option<&str>,
    dialect: Dialect,
    signer: Option<ChunkSigner>,
    body: AnyBody,
) -> S3Result<Body> {
    let payload = Payload::of(&parts.headers)?;
    let body = body.into_data_stream().map_err(|_| StreamError::Broken);
    let body = match payload {
        Payload::Unsigned | Payload::Hash(_) => body.left_stream(),
        Payload::Chunked { are_signed } => {
            if are_signed && signer.is_none() {
                let text = "Chunks are signed under signature version 4 only.";
                return Err(refusal(S3ErrorCode::InvalidRequest, text));
            }
            let trailers = Trailers::default();
            parts.extensions.insert(trailers.clone());
            unframed(body, Frames::new(signer.filter(|_| are_signed)), trailers).right_stream()
        }
    };
    if is_object(parts, virtual_bucket) {
        return Ok(Body::http_body_unsync(AnyBody::from_stream(body)));
    }
    let bytes = collect(body).await?;
    check_md5(&parts.headers, &bytes)?;
    if let Payload::Hash(declared) = payload
        && declared != sha256(&bytes)
    {
        return Err(wrong_sha256());
    }
    let bytes = match dialect {
        Dialect::S3 => bytes,
        Dialect::Obs => name_the_region(parts, bytes),
    };
    if !bytes.is_empty() {
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    }
    Ok(Body::from(bytes))
}

/// The body without its frames; the trailers are set when it ends.
fn unframed(
    body: impl Stream<Item = Result<Bytes, StreamError>> + Send + 'static,
    frames: Frames,
    trailers: Trailers,
) -> impl Stream<Item = Result<Bytes, StreamError>> + Send + 'static {
    let reading = (Box::pin(body), Some(frames), VecDeque::new());
    stream::try_unfold(reading, move |(mut body, mut frames, mut ready)| {
        let trailers = trailers.clone();
        async move {
            loop {
                if let Some(bytes) = ready.pop_front() {
                    return Ok(Some((bytes, (body, frames, ready))));
                }
                match (body.next().await.transpose()?, frames.as_mut()) {
                    (Some(arrived), Some(frames)) => ready.extend(frames.pass(arrived)?),
                    _ => {
                        if let Some(frames) = frames.take() {
                            let _ = trailers.0.set(frames.finish()?);
                        }
                        return Ok(None);
                    }
                }
            }
        }
    })
}

async fn collect(body: impl Stream<Item = Result<Bytes, StreamError>>) -> S3Result<Bytes> {
    let mut body = pin!(body);
    let mut all = BytesMut::new();
    while let Some(bytes) = body.next().await {
        all.extend_from_slice(&bytes.map_err(stream_failed)?);
        if all.len() > SMALL_MAX_BYTES {
            let text = format!("The body of this operation has at most {SMALL_MAX_BYTES} bytes.");
            return Err(refusal(S3ErrorCode::MaxMessageLengthExceeded, text));
        }
    }
    Ok(all.freeze())
}

/// A bucket is created in a `Location` by OBS and in a `LocationConstraint` by S3.
fn name_the_region(parts: &Parts, bytes: Bytes) -> Bytes {
    match std::str::from_utf8(&bytes) {
        Ok(text) if parts.method == Method::PUT && text.contains("<Location>") => {
            let renamed = text.replace("<Location>", "<LocationConstraint>");
            Bytes::from(renamed.replace("</Location>", "</LocationConstraint>"))
        }
        _ => bytes,
    }
}

/// Whether the request carries the bytes of an object or a part.
fn is_object(parts: &Parts, virtual_bucket: Option<&str>) -> bool {
    // The S3 service unescapes the path before it looks for the bucket.
    let path = decode_path(parts.uri.path().as_bytes());
    let path = path.strip_prefix(b"/").unwrap_or_default();
    let names_a_key = match virtual_bucket {
        Some(_) => !path.is_empty(),
        None => path.iter().position(|&byte| byte == b'/').is_some_and(|at| at + 1 < path.len()),
    };
    parts.method == Method::PUT && names_a_key
}

/// What was signed of such a body in versions 2 and OBS is only its MD5.
fn check_md5(headers: &HeaderMap, bytes: &[u8]) -> S3Result<()> {
    match md5_in(headers)? {
        Some(declared) if declared != <[u8; 16]>::from(Md5::digest(bytes)) => {
            Err(refusal(S3ErrorCode::BadDigest, "The body has another MD5 than Content-MD5 declares."))
        }
        _ => Ok(()),
    }
}

pub fn wrong_sha256() -> S3Error {
    named(
        "XAmzContentSHA256Mismatch",
        StatusCode::BAD_REQUEST,
        "The body has another SHA-256 than x-amz-content-sha256 declares.",
    )
}

/// The declared MD5 of the body.
pub fn md5_in(headers: &HeaderMap) -> S3Result<Option<[u8; 16]>> {
    let Some(value) = headers.get("content-md5") else { return Ok(None) };
    let decoded = STANDARD.decode(value.as_bytes()).ok().and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
    let wrong = || refusal(S3ErrorCode::InvalidDigest, "Content-MD5 has to be the Base64 form of 16 bytes.");
    decoded.map(Some).ok_or_else(wrong)
}

/// How many bytes the object will have, if the client said so.
pub fn declared_length(headers: &HeaderMap) -> S3Result<Option<u64>> {
    let name = match Payload::of(headers)? {
        Payload::Chunked { .. } => "x-amz-decoded-content-length",
        Payload::Unsigned | Payload::Hash(_) => "content-length",
    };
    let Some(value) = headers.get(name) else { return Ok(None) };
    let length = value.to_str().ok().and_then(|text| text.parse().ok());
    let wrong = || refusal(S3ErrorCode::InvalidArgument, format!("{name} has to be a number of bytes."));
    length.map(Some).ok_or_else(wrong)
}

pub fn incomplete() -> S3Error {
    refusal(S3ErrorCode::IncompleteBody, "The body ended before the number of bytes that was declared.")
}

/// Why the body could not be read to its end.
pub fn reading_failed(error: &s3s::StdError) -> S3Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error.as_ref());
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<StreamError>() {
            return stream_failed(*error);
        }
        cause = error.source();
    }
    incomplete()
}

fn stream_failed(error: StreamError) -> S3Error {
    match error {
        StreamError::Broken | StreamError::Chunk(ChunkError::Incomplete) => incomplete(),
        StreamError::Chunk(ChunkError::Malformed) => {
            refusal(S3ErrorCode::InvalidRequest, "The chunks of the body are malformed.")
        }
        StreamError::Chunk(ChunkError::Signature) => refusal(
            S3ErrorCode::SignatureDoesNotMatch,
            "The signature of a chunk, or of what follows the last one, is not the right one.",
        ),
    }
}
