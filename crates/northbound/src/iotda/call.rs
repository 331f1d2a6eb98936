//! A request that has been let in: read, authenticated, of the right project, and ready to be decoded.

use axum::extract::{FromRequest, FromRequestParts, OriginalUri, RawPathParams, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use otaru_core::app::{App, Caller};
use otaru_model::Id;
use serde_json::{Map, Value};

use super::error::{BAD_FORMAT, Code, INVALID_INPUT, NOT_ALLOWED, OTHER_PROJECT, Refusal, THROTTLED};
use super::limits::LIMITS;
use super::query::Query;
use super::{Door, auth, json};
use crate::wire::body::{self, BodyError};
use crate::wire::limits::limit_of;

/// What a client sends in the project's place when nobody has told it which project (contract §8.4).
const PLACEHOLDER: &str = "{project_id}";

pub struct Call {
    pub app: App,
    pub door: Door,
    pub caller: Caller,
    pub query: Query,
    path: RawPathParams,
    headers: HeaderMap,
    body: Bytes,
}

impl Call {
    /// A segment of the path, within its limit.
    pub fn path(&self, name: &str) -> Result<&str, Refusal> {
        let found = self.path.iter().find(|(known, _)| *known == name);
        let text = found.map(|(_, value)| value).unwrap_or_default();
        match limit_of(LIMITS, "path", name).problem(text) {
            Some(problem) => Err(Refusal::invalid(name, format!("{problem}."))),
            None => Ok(text),
        }
    }

    /// The id of a record in the path. A well-formed id that cannot be ours is one that does not exist.
    pub fn id(&self, name: &str, missing: &'static Code) -> Result<Id, Refusal> {
        let text = self.path(name)?;
        text.parse().map_err(|_| Refusal::new(missing, format!("There is none with the {name} {text}.")))
    }

    /// The members of the body.
    pub fn body(&self) -> Result<Map<String, Value>, Refusal> {
        parse_body(&self.headers, &self.body)
    }
}

/// Reads a body as JSON. Multipart is refused: its signature may not cover it.
pub fn parse_body(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let content_type = headers.get(CONTENT_TYPE).map(|value| value.as_bytes().to_ascii_lowercase());
    if content_type.is_some_and(|value| value.trim_ascii().starts_with(b"multipart/")) {
        return Err(Refusal::new(&BAD_FORMAT, "The Content-Type must be application/json."));
    }
    json::parse_object(body)
}

pub fn refuse_body(error: BodyError) -> Refusal {
    Refusal::new(
        &BAD_FORMAT,
        match error {
            BodyError::TooLong(limit_bytes) => format!("The body has over {limit_bytes} bytes."),
            BodyError::Broken => "The body did not arrive whole.".to_owned(),
        },
    )
}

impl FromRequest<Door> for Call {
    type Rejection = Refusal;

    async fn from_request(request: Request, door: &Door) -> Result<Call, Refusal> {
        let (mut parts, body) = body::read(request, door.settings.max_body_bytes).await.map_err(refuse_body)?;
        let path = RawPathParams::from_request_parts(&mut parts, door).await;
        let path = path.map_err(|_| Refusal::new(&BAD_FORMAT, "The path is not UTF-8."))?;
        // A nested router shortens the path, and the signature is of the whole one.
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
        let caller = auth::caller(&door.app, &door.settings, uri, &parts, &body).await?;
        if door.quota.take(&caller.key_id, door.app.now_ms()).is_err() {
            return Err(Refusal::new(&THROTTLED, "Try again in a moment."));
        }
        if let Some((_, project)) = path.iter().find(|(name, _)| *name == "project_id") {
            check_project(door, &caller, project).await?;
            check_instance(door, &parts.headers)?;
        }
        let query = Query::parse(uri.query());
        Ok(Call { app: door.app.clone(), door: door.clone(), caller, query, path, headers: parts.headers, body })
    }
}

async fn check_project(door: &Door, caller: &Caller, project: &str) -> Result<(), Refusal> {
    if project == PLACEHOLDER {
        let why = "project_id is still the placeholder {project_id}: give the client a project id, \
                   or a region, so that it asks GET /v3/projects.";
        return Err(Refusal::new(&INVALID_INPUT, why));
    }
    if auth::is_own_project(&door.app, &door.settings, caller, project).await? {
        return Ok(());
    }
    Err(Refusal::new(&OTHER_PROJECT, "The token or access key is not of the project in the path."))
}

fn check_instance(door: &Door, headers: &HeaderMap) -> Result<(), Refusal> {
    let (Some(ours), Some(theirs)) = (&door.settings.instance_id, headers.get("instance-id")) else { return Ok(()) };
    if theirs.as_bytes().trim_ascii() == ours.as_bytes() {
        return Ok(());
    }
    Err(Refusal::new(&NOT_ALLOWED, "Instance-Id names another instance."))
}
