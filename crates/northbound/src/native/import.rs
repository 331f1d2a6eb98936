//! Import: many packages at once, one line of JSON each.

use axum::Json as Answer;
use axum::extract::{Request, State};
use otaru_core::app::{Caller, NewPackage as Draft};
use serde::Serialize;
use utoipa::ToSchema;

use super::Native;
use super::auth::Publisher;
use super::decode;
use super::error::{Kind, Problem};
use super::packages::NewPackage;
use crate::wire::body;

/// How much one request brings at most; programs send long lists in pieces.
const MAX_BODY_BYTES: usize = 8 << 20;
const MAX_LINES: usize = 10_000;
/// The name of lines of JSON, others that programs give it, and none.
const MEDIA_TYPES: &[&str] = &["application/x-ndjson", "application/jsonl", "application/jsonlines", ""];
/// How many packages one transaction makes.
const AT_ONCE: usize = 500;

/// What became of the lines.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Imported {
    /// How many packages were made.
    pub made: usize,
    /// The lines that made none, in their order.
    pub refused: Vec<RefusedLine>,
}

/// A line that made no package, and why.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefusedLine {
    /// Counted from 1, empty lines too.
    pub line: usize,
    /// The kind of problem, as in a problem document's type.
    pub problem: &'static str,
    pub detail: String,
    /// The member that is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub field: Option<String>,
}

impl RefusedLine {
    fn new(line: usize, problem: Problem) -> RefusedLine {
        RefusedLine { line, problem: problem.kind.name(), detail: problem.detail, field: problem.field }
    }
}

/// Make many packages from files that are here
///
/// Each line of the body is what `POST /packages` takes, at most 10,000 lines and 8 MiB together. A line that is refused does not
/// stop the others. What is answered as made is durable.
#[utoipa::path(post, path = "/packages/import", tag = "packages",
    request_body(content = String, content_type = "application/x-ndjson", description = "JSON objects, one on each line"),
    responses(
        (status = 200, description = "What became of the lines", body = Imported),
    ))]
pub async fn import_packages(
    State(native): State<Native>,
    Publisher(caller): Publisher,
    request: Request,
) -> Result<Answer<Imported>, Problem> {
    decode::check_media_type(request.headers(), MEDIA_TYPES[0], MEDIA_TYPES)?;
    let text = body::collect(request.into_body(), MAX_BODY_BYTES).await.map_err(|error| match error {
        body::BodyError::TooLong(limit) => {
            Problem::new(Kind::TooLarge, format!("one import has at most {limit} bytes; send the lines in pieces"))
        }
        body::BodyError::Broken => Problem::new(Kind::Malformed, "the body broke off"),
    })?;
    let mut lines = text.split(|byte| *byte == b'\n').enumerate();
    if lines.clone().count() > MAX_LINES + 1 {
        let detail = format!("one import has at most {MAX_LINES} lines; send them in pieces");
        return Err(Problem::new(Kind::TooLarge, detail));
    }
    let mut imported = Imported::default();
    loop {
        let some: Vec<_> = lines.by_ref().take(AT_ONCE).collect();
        if some.is_empty() {
            break;
        }
        let mut drafts = Vec::with_capacity(some.len());
        for (at, line) in some.into_iter().filter(|(_, line)| !line.trim_ascii().is_empty()) {
            match decode::line::<NewPackage>(line).and_then(|new| new.draft(native.app().settings().max_file_bytes)) {
                Ok(draft) => drafts.push((at + 1, draft)),
                Err(problem) => imported.refused.push(RefusedLine::new(at + 1, problem)),
            }
        }
        make(&native, &caller, drafts, &mut imported).await?;
    }
    imported.refused.sort_by_key(|refused| refused.line);
    Ok(Answer(imported))
}

/// All in one transaction, or, if one of them is refused, each in its own.
async fn make(
    native: &Native,
    caller: &Caller,
    drafts: Vec<(usize, Draft)>,
    imported: &mut Imported,
) -> Result<(), Problem> {
    if drafts.is_empty() {
        return Ok(());
    }
    let together = drafts.iter().map(|(_, draft)| draft.clone()).collect();
    if let Ok(made) = native.app().create_packages(caller, together).await {
        imported.made += made.len();
        return Ok(());
    }
    for (line, draft) in drafts {
        match native.app().create_package(caller, draft).await.map_err(Problem::from) {
            Ok(_) => imported.made += 1,
            // What is no fault of the line's ends the import; the client knows from the status that not all was tried.
            Err(problem) if problem.kind.status().is_server_error() => return Err(problem),
            Err(problem) => imported.refused.push(RefusedLine::new(line, problem)),
        }
    }
    Ok(())
}
