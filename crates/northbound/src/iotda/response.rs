//! The last step of every answer: its request id, and errors in the shape that the client reads (contract §2, §7, §8.1).

use axum::extract::{OriginalUri, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use otaru_core::request;
use serde::Serialize;
use serde_json::json;

use super::error::Refusal;
use crate::wire::answer::Json;
use crate::wire::around::Around;

/// What a handler ends in.
pub type Answer = Result<Response, Refusal>;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// 200 with a body.
pub fn ok(view: impl Serialize) -> Response {
    Json(view).into_response()
}

/// 201 with a body.
pub fn created(view: impl Serialize) -> Response {
    (StatusCode::CREATED, Json(view)).into_response()
}

/// 204, for what was deleted.
pub fn gone() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// Around every route: spells a refusal, and puts the request's id on the answer.
pub const FINISH: Around<bool> = Around { before: is_iam, after: finish };

fn is_iam(request: &Request) -> bool {
    let original = request.extensions().get::<OriginalUri>().map_or(request.uri(), |original| &original.0);
    original.path().starts_with("/v3/")
}

fn finish(is_iam: bool, mut response: Response) -> Response {
    let request_id = new_request_id();
    if let Some(refusal) = response.extensions_mut().remove::<Refusal>() {
        response = spell(&refusal, is_iam, &request_id);
    }
    if let Ok(value) = HeaderValue::try_from(request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

fn spell(refusal: &Refusal, is_iam: bool, request_id: &str) -> Response {
    let mut message = refusal.message();
    if let Some(fault) = &refusal.fault {
        tracing::error!(request_id, fault, "a request failed");
        message.push_str(&format!(" The request id is {request_id}."));
    }
    let status = refusal.code.status;
    let body = if is_iam {
        // IAM speaks as Keystone does.
        let title = status.canonical_reason().unwrap_or("Error");
        json!({ "error": { "code": status.as_u16(), "message": message, "title": title } })
    } else {
        json!({ "error_code": refusal.code.code, "error_msg": message })
    };
    (status, Json(body)).into_response()
}

/// The request's id, as the log has it; lower case.
fn new_request_id() -> String {
    request::id_text(request::id())
}

#[cfg(test)]
mod tests {
    use super::new_request_id;

    #[test]
    fn a_request_id_is_a_random_uuid() {
        let id = new_request_id();
        assert_eq!(id.len(), 36);
        assert_eq!(id.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert_eq!(&id[14..15], "4");
        assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"));
        assert_ne!(id, new_request_id());
    }
}
