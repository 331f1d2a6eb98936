//! Bodies on their way in: what steers an operation is small and read whole, an object is a stream.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body as AnyBody;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use http::header::{CONTENT_LENGTH, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use md5::{Digest, Md5};
use s3s::stream::{ByteStream, DynByteStream, RemainingLength};
use s3s::{Body, S3Error, S3ErrorCode, S3Result};

use crate::wire::body::{BodyError, collect};
use crate::wire::digest::{hex_of_32, sha256};
use crate::wire::percent::decode_path;

use super::auth::Dialect;
use super::chunks::{ChunkError, Frames};
use super::error::{named, refusal};

/// The longest body that is no object: a thousand keys to delete, ten thousand parts to put together.
const SMALL_MAX_BYTES: usize = 8 << 20;

/// Why a stream ended early. The S3 service wraps errors in types of its own that show only their text.
#[derive(Debug, thiserror::Error)]
enum StreamError {
    #[error("{BROKEN}")]
    Broken,
    #[error("{0}")]
    Chunk(#[from] ChunkError),
}

const BROKEN: &str = "the connection ended before the body did";

/// How the payload of a request was declared in `x-amz-content-sha256`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    Plain,
    /// In `aws-chunked` frames, each with a signature or without.
    Chunked {
        are_signed: bool,
    },
}

impl Payload {
    pub fn of(headers: &HeaderMap) -> Payload {
        let declared = headers.get("x-amz-content-sha256").map_or(&b""[..], HeaderValue::as_bytes);
        if !declared.starts_with(b"STREAMING-") {
            return Payload::Plain;
        }
        Payload::Chunked { are_signed: !declared.starts_with(b"STREAMING-UNSIGNED-") }
    }
}

/// Prepares the body for the S3 service.
pub async fn take(parts: &mut Parts, virtual_bucket: Option<&str>, dialect: Dialect, body: AnyBody) -> S3Result<Body> {
    let payload = Payload::of(&parts.headers);
    if is_object(parts, virtual_bucket) {
        return Ok(match payload {
            Payload::Plain => {
                let body = AnyBody::from_stream(body.into_data_stream().map_err(|_| StreamError::Broken));
                let body = Body::http_body_unsync(body);
                match parts.headers.contains_key(CONTENT_LENGTH) {
                    true => body,
                    false => Body::from(Box::pin(Lengthless(body)) as DynByteStream),
                }
            }
            Payload::Chunked { are_signed } => Body::http_body_unsync(reframed(body, Frames::new(are_signed))),
        });
    }
    let bytes = collect(body, SMALL_MAX_BYTES).await.map_err(|error| match error {
        BodyError::TooLong(limit) => refusal(
            S3ErrorCode::MaxMessageLengthExceeded,
            format!("The body of this operation has at most {limit} bytes."),
        ),
        BodyError::Broken => incomplete(),
    })?;
    if payload == Payload::Plain {
        check_md5(&parts.headers, &bytes)?;
        check_sha256(&parts.headers, &bytes)?;
    }
    let bytes = match dialect {
        Dialect::S3 => bytes,
        Dialect::Obs => name_the_region(parts, bytes),
    };
    if payload == Payload::Plain && !bytes.is_empty() {
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    }
    Ok(Body::from(bytes))
}

/// A body that does not say how long it is. The S3 service refuses one under signature version 4, as AWS does; OBS takes
/// it, and its clients send it. Where its hash was signed, the length has to be known all the same.
struct Lengthless(Body);

impl Stream for Lengthless {
    type Item = Result<Bytes, s3s::StdError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0).poll_next(context)
    }
}

impl ByteStream for Lengthless {
    fn remaining_length(&self) -> RemainingLength {
        RemainingLength::new_exact(usize::MAX)
    }
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

fn reframed(body: AnyBody, mut frames: Frames) -> AnyBody {
    let pieces = body.into_data_stream().map(move |arrived| {
        let arrived = arrived.map_err(|_| StreamError::Broken)?;
        Ok::<_, StreamError>(frames.pass(arrived)?)
    });
    AnyBody::from_stream(
        pieces.map_ok(|pieces| stream::iter(pieces.into_iter().map(Ok::<_, StreamError>))).try_flatten(),
    )
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

fn check_sha256(headers: &HeaderMap, bytes: &[u8]) -> S3Result<()> {
    let declared = headers.get("x-amz-content-sha256").map_or(&b""[..], HeaderValue::as_bytes);
    if declared.len() == 64 && declared != hex_of_32(&sha256(bytes)) { Err(wrong_sha256()) } else { Ok(()) }
}

fn wrong_sha256() -> S3Error {
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
    let name = match Payload::of(headers) {
        Payload::Chunked { .. } => "x-amz-decoded-content-length",
        Payload::Plain => "content-length",
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
pub fn reading_failed(error: &s3s::StdError, headers: &HeaderMap) -> S3Error {
    let text = error.to_string();
    let says = |part: &str| text.contains(part);
    if says(BROKEN) || says("Incomplete") {
        return incomplete();
    }
    if says(&ChunkError::TooLong.to_string()) {
        return refusal(S3ErrorCode::EntityTooLarge, "A signed chunk of a body has at most 16 MiB.");
    }
    match Payload::of(headers) {
        Payload::Plain => wrong_sha256(),
        Payload::Chunked { .. } if says("SignatureMismatch") => {
            refusal(S3ErrorCode::SignatureDoesNotMatch, "The signature of a chunk is not the right one.")
        }
        Payload::Chunked { .. } => refusal(S3ErrorCode::InvalidRequest, "The chunks of the body are malformed."),
    }
}
