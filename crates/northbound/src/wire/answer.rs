//! Answers in JSON, each written into one buffer.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use otaru_core::app::StoreError;
use serde::Serialize;

/// What most answers fit into.
const USUAL_BYTES: usize = 1024;

/// A JSON body.
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let mut body = Vec::with_capacity(USUAL_BYTES);
        match serde_json::to_writer(&mut body, &self.0) {
            Ok(()) => as_json(body),
            Err(error) => no_json(&error),
        }
    }
}

/// A member of a list, written while what it shows is at hand.
pub fn written(view: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    let mut text = Vec::with_capacity(USUAL_BYTES);
    serde_json::to_writer(&mut text, view).map_err(|error| StoreError::Unexpected(error.to_string()))?;
    Ok(text)
}

/// An object whose first member is a list that is written already, before the members of `rest`, of which there is one at least.
pub struct Listing<'a, T> {
    pub name: &'static str,
    pub members: &'a [Vec<u8>],
    pub rest: T,
}

impl<T: Serialize> IntoResponse for Listing<'_, T> {
    fn into_response(self) -> Response {
        let members: usize = self.members.iter().map(|member| member.len() + 1).sum();
        let mut body = Vec::with_capacity(members + 256);
        body.extend_from_slice(b"{\"");
        body.extend_from_slice(self.name.as_bytes());
        body.extend_from_slice(b"\":[");
        for (at, member) in self.members.iter().enumerate() {
            if at > 0 {
                body.push(b',');
            }
            body.extend_from_slice(member);
        }
        body.push(b']');
        let rest = body.len();
        let written = serde_json::to_writer(&mut body, &self.rest);
        // The rest's own brace is where the next member begins.
        match (written, body.get_mut(rest)) {
            (Ok(()), Some(brace)) => *brace = b',',
            (Err(error), _) => return no_json(&error),
            (Ok(()), None) => {}
        }
        as_json(body)
    }
}

fn as_json(body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}

fn no_json(error: &serde_json::Error) -> Response {
    tracing::error!(%error, "an answer has no JSON");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_listing_is_one_object() {
        for count in [0, 1, 3] {
            let members: Vec<_> = (0..count).map(|at| written(&json!({ "at": at })).unwrap()).collect();
            let rest = json!({ "total": 7, "next": null });
            let answer = Listing { name: "items", members: &members, rest }.into_response();
            assert_eq!(answer.headers()["content-type"], "application/json");
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            let items: Vec<_> = (0..count).map(|at| json!({ "at": at })).collect();
            let expected = json!({ "items": items, "total": 7, "next": null }).to_string();
            assert_eq!(std::str::from_utf8(&body).unwrap(), expected);
        }
    }
}
