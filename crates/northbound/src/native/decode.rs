//! Strict decoding: bodies, queries and paths as the handlers take them. What is in them is read by [`Members`].

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use http::request::Parts;
use http::{HeaderMap, header};
use serde_json::{Map, Value};

use super::error::{Kind, Problem};
pub use super::members::Members;
use crate::wire::body;
use crate::wire::json::{JsonError, read_object};

/// No request of ours needs more; package files stream and are not counted here.
pub const MAX_BODY_BYTES: usize = 256 << 10;
const MAX_DEPTH: usize = 16;

/// A request's body or query as a door wants it.
pub trait Decode: Sized {
    /// The schema's name, or for queries the operation's; limits are found under it.
    const SCOPE: &'static str;
    /// Every member there is.
    const MEMBERS: &'static [&'static str];

    fn decode(given: &mut Members) -> Result<Self, Problem>;
}

/// A JSON body.
pub struct Json<T>(pub T);

impl<T: Decode, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        check_media_type(&parts.headers, "application/json", &["application/json", "application/merge-patch+json"])?;
        let map = parse(&read(body).await?)?;
        Members::check(T::SCOPE, T::MEMBERS, String::new(), map, false)
            .and_then(|mut given| T::decode(&mut given))
            .map(Json)
    }
}

/// One object of a body that has several.
pub fn line<T: Decode>(bytes: &[u8]) -> Result<T, Problem> {
    if bytes.len() > MAX_BODY_BYTES {
        return Err(Problem::new(Kind::TooLarge, format!("an object has at most {MAX_BODY_BYTES} bytes")));
    }
    Members::check(T::SCOPE, T::MEMBERS, String::new(), parse(bytes)?, false)
        .and_then(|mut given| T::decode(&mut given))
}

/// The parameters behind the `?`.
pub struct Query<T>(pub T);

impl<T: Decode, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut map = Map::new();
        for (name, value) in form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
            let value = Value::String(value.into_owned());
            match map.get_mut(name.as_ref()) {
                None => drop(map.insert(name.into_owned(), Value::Array(vec![value]))),
                Some(Value::Array(values)) => values.push(value),
                Some(_) => {}
            }
        }
        Members::check(T::SCOPE, T::MEMBERS, String::new(), map, true)
            .and_then(|mut given| T::decode(&mut given))
            .map(Query)
    }
}

/// Segments of the path. One that cannot even be text names nothing.
pub struct Segments<T>(pub T);

impl<T: serde::de::DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segments<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(segments)) => Ok(Segments(segments)),
            Err(_) => Err(Problem::new(Kind::NotFound, "the path is not UTF-8 text")),
        }
    }
}

/// Refuses a body that says it is in another form than one of `accepted`; one that says nothing is taken at its word.
pub fn check_media_type(headers: &HeaderMap, wanted: &str, accepted: &[&str]) -> Result<(), Problem> {
    let Some(given) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let essence = given.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if accepted.contains(&essence.as_str()) {
        return Ok(());
    }
    let detail = format!("the body must be {wanted}, not {essence}");
    Err(Problem::new(Kind::UnsupportedMediaType, detail).at("Content-Type"))
}

async fn read(body: Body) -> Result<bytes::Bytes, Problem> {
    body::collect(body, MAX_BODY_BYTES).await.map_err(|error| match error {
        body::BodyError::TooLong(limit) => {
            Problem::new(Kind::TooLarge, format!("a JSON body has at most {limit} bytes"))
        }
        body::BodyError::Broken => Problem::new(Kind::Malformed, "the body broke off"),
    })
}

/// Reads an object.
fn parse(bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    read_object(bytes, MAX_DEPTH).map_err(|error| match error {
        JsonError::Syntax(what) => Problem::new(Kind::Malformed, format!("the body is not JSON: {what}")),
        JsonError::NotAnObject(what) => {
            Problem::new(Kind::Malformed, format!("the body must be a JSON object, not {what}"))
        }
        JsonError::Twice { ref member, .. } => {
            Problem::new(Kind::Malformed, format!("the body is refused: {error}")).at(member.as_str())
        }
        JsonError::TooDeep { .. } => Problem::new(Kind::Malformed, format!("the body is refused: {error}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_refused_for_what_is_wrong_with_them() {
        let problem = |text: &str| parse(text.as_bytes()).err().map(|problem| problem.detail).unwrap_or_default();
        assert!(problem("").starts_with("the body is not JSON: EOF"));
        assert!(problem("{\"a\":1,}").contains("line 1 column 8"));
        assert!(problem("{} {}").starts_with("the body is not JSON: trailing"));
        assert!(problem("[]").contains("must be a JSON object, not a list"));
        assert!(problem("{\"a\":1,\"a\":1}").contains("two members `a`"));
        assert!(problem("{\"b\":{\"a\":1,\"a\":1}}").contains("two members `a`"));
        assert!(problem(&format!("{{\"a\":{}1{}}}", "[".repeat(15), "]".repeat(15))).is_empty());
        assert!(problem(&format!("{{\"a\":{}1{}}}", "[".repeat(16), "]".repeat(16))).contains("16 deep"));
        assert!(problem("{\"a\":\"\\ud800\"}").starts_with("the body is not JSON"));
        assert_eq!(parse(b"{\"a\":1,\"a\":2}").err().and_then(|problem| problem.field), Some("a".to_owned()));
    }
}
