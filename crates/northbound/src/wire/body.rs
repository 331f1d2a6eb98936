//! Reading a request's body whole, for doors whose signatures cover it. Package bytes never come this way: they stream.

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};

/// Why a body could not be read.
#[derive(Debug, PartialEq, Eq)]
pub enum BodyError {
    /// Longer than the limit, in bytes.
    TooLong(usize),
    /// The client went away, or sent it against the protocol.
    Broken,
}

/// Takes the request apart and reads its body, which may have up to `limit_bytes`.
pub async fn read(request: Request, limit_bytes: usize) -> Result<(axum::http::request::Parts, Bytes), BodyError> {
    let (parts, body) = request.into_parts();
    Ok((parts, collect(body, limit_bytes).await?))
}

/// Reads a body of up to `limit_bytes`.
pub async fn collect(body: Body, limit_bytes: usize) -> Result<Bytes, BodyError> {
    match Limited::new(body, limit_bytes).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => Err(BodyError::TooLong(limit_bytes)),
        Err(_) => Err(BodyError::Broken),
    }
}
