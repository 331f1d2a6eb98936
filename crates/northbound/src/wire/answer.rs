//! Answers in JSON, each written into one buffer.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use otaru_core::app::StoreError;
use serde::Serialize;
use serde_json::value::RawValue;

/// What most answers fit into.
const USUAL_BYTES: usize = 1024;

/// A JSON body.
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let mut body = Vec::with_capacity(USUAL_BYTES);
        if let Err(error) = serde_json::to_writer(&mut body, &self.0) {
            tracing::error!(%error, "an answer has no JSON");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        let media_type = HeaderValue::from_static("application/json");
        ([(header::CONTENT_TYPE, media_type)], body).into_response()
    }
}

/// A member of a list, written while what it shows is at hand.
pub fn written(view: &impl Serialize) -> Result<Box<RawValue>, StoreError> {
    serde_json::value::to_raw_value(view).map_err(|error| StoreError::Unexpected(error.to_string()))
}
