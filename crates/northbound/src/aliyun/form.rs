//! The door that form uploads go to: one POST of `multipart/form-data` whose signed policy says where the file may go
//! (contract §9). The file streams into the blob room; whatever ends before the form does leaves nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, EXPECT};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use futures::StreamExt;
use multer::{Field, Multipart};
use otaru_core::app::{App, Receiving};
use otaru_core::request;
use otaru_model::Upload;

use super::answer::Record;
use super::door::host_of;
use super::form_error::{FormFailure, response};
use super::form_stream::{Paced, Room};
use super::policy::Policy;
use super::uploads::FORM_KEY;
use super::{Door, FORM_PATH, Settings};
use crate::wire::oss_v1;

/// The fields that are read; all others may be there and mean nothing.
const FIELDS: [&str; 5] = ["key", "OSSAccessKeyId", "policy", "Signature", "success_action_status"];
const FILE: &str = "file";
const MAX_FIELDS: usize = 100;
const MAX_FIELD_BYTES: usize = 64 << 10;
/// What a form may be longer than its file.
const MAX_AROUND_FILE_BYTES: u64 = 1 << 20;
/// How much of a refused form is read at least, so that its sender reads why.
const DRAINED_BYTES: u64 = 64 << 20;
/// How long the rest of a refused form may pause.
const DRAIN_PAUSE: Duration = Duration::from_secs(2);

pub async fn answer(State(door): State<Arc<Door>>, request: Request) -> Response<Body> {
    // As many digits as the vendor's object store has, from the front of the id that the log has.
    let request_id: String = request::id().iter().take(12).map(|byte| format!("{byte:02X}")).collect();
    let (parts, body) = request.into_parts();
    let host_id = host_of(&parts, &door.settings.public_url);
    let mut body = body.into_data_stream();
    let received = match parts.method {
        Method::POST => receive(&door.app, &door.settings, &parts.headers, &mut body).await,
        _ => Err(FormFailure::method()),
    };
    match received {
        Ok(received) => received.into_response(&door.settings, &request_id),
        Err(failure) => {
            if !waits_for_leave(&parts.headers) {
                drain(&mut body, &door.settings).await;
            }
            failure.into_response(&request_id, &host_id)
        }
    }
}

/// Whether the client sends its form only when it is told to; one that is refused first need not send it.
fn waits_for_leave(headers: &HeaderMap) -> bool {
    headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Lets a client that sends its whole form before it reads send it, so that it reads the refusal: closing a connection with
/// bytes unread would reset it, and the answer would be lost. It ends beyond what any form may have, and when nothing comes.
async fn drain(body: &mut BodyDataStream, settings: &Settings) {
    let mut room = settings.max_file_bytes.saturating_add(MAX_AROUND_FILE_BYTES).max(DRAINED_BYTES);
    while let Ok(Some(Ok(bytes))) = tokio::time::timeout(DRAIN_PAUSE, body.next()).await {
        let Some(rest) = room.checked_sub(bytes.len() as u64) else { return };
        room = rest;
    }
}

/// A file that is here.
struct Received {
    upload: Upload,
    status: StatusCode,
}

async fn receive(
    app: &App,
    settings: &Settings,
    headers: &HeaderMap,
    body: &mut BodyDataStream,
) -> Result<Received, FormFailure> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|bytes| bytes > settings.max_file_bytes.saturating_add(MAX_AROUND_FILE_BYTES)) {
        return Err(FormFailure::too_large(settings.max_file_bytes));
    }
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let boundary = multer::parse_boundary(content_type)
        .map_err(|_| FormFailure::malformed("The body must be multipart/form-data with a boundary."))?;
    let (body, room) = Paced::new(body);
    let mut form = Multipart::new(body, boundary);

    let mut fields = Fields::default();
    for _ in 0..MAX_FIELDS {
        room.renew();
        let Some(field) = form.next_field().await.map_err(broken)? else {
            return Err(FormFailure::malformed("The form has no field file."));
        };
        if field.name() == Some(FILE) {
            let upload = fields.check(app).await?;
            let receiving = write(app.receive_whole(upload).await?, field, &room).await?;
            // Browsers may send their button after the file. The form has to be complete, whatever it says there.
            pass_over(&mut form, &room).await?;
            return Ok(Received { upload: receiving.finish().await?, status: fields.status() });
        }
        fields.read(field).await?;
    }
    Err(FormFailure::malformed(format!("The form has more than {MAX_FIELDS} fields before the field file.")))
}

async fn write(mut receiving: Receiving, mut file: Field<'_>, room: &Room) -> Result<Receiving, FormFailure> {
    while let Some(bytes) = file.chunk().await.map_err(broken)? {
        room.renew();
        receiving.write(bytes).await?;
    }
    Ok(receiving)
}

async fn pass_over(form: &mut Multipart<'_>, room: &Room) -> Result<(), FormFailure> {
    let mut passed = 0;
    while let Some(mut field) = form.next_field().await.map_err(broken)? {
        room.renew();
        while let Some(bytes) = field.chunk().await.map_err(broken)? {
            passed += bytes.len();
            if passed > MAX_FIELD_BYTES {
                return Err(FormFailure::malformed("The field file has to be the last one."));
            }
        }
    }
    Ok(())
}

fn broken(error: multer::Error) -> FormFailure {
    FormFailure::malformed(format!("The body is not a complete form: {error}."))
}

/// The fields before the file.
#[derive(Default)]
struct Fields {
    texts: HashMap<&'static str, String>,
}

impl Fields {
    async fn read(&mut self, mut field: Field<'_>) -> Result<(), FormFailure> {
        // One client of the object storage writes `signature`.
        let given = field.name().unwrap_or_default();
        let name = if given == "signature" { "Signature" } else { given };
        let known = FIELDS.into_iter().find(|known| *known == name);
        let mut bytes = Vec::new();
        let shown = given.to_owned();
        while let Some(chunk) = field.chunk().await.map_err(broken)? {
            if bytes.len() + chunk.len() > MAX_FIELD_BYTES {
                return Err(FormFailure::malformed(format!(
                    "The field {shown} is longer than {MAX_FIELD_BYTES} bytes."
                )));
            }
            bytes.extend_from_slice(&chunk);
        }
        let Some(known) = known else { return Ok(()) };
        let text = String::from_utf8(bytes)
            .map_err(|_| FormFailure::malformed(format!("The field {shown} is not UTF-8 text.")))?;
        match self.texts.insert(known, text) {
            None => Ok(()),
            Some(_) => Err(FormFailure::malformed(format!("The field {shown} was sent more than once."))),
        }
    }

    fn needed(&self, name: &'static str) -> Result<&str, FormFailure> {
        let missing = || FormFailure::malformed(format!("The field {name} must come before the field file."));
        self.texts.get(name).map(String::as_str).filter(|text| !text.is_empty()).ok_or_else(missing)
    }

    /// The upload that the form may write to.
    async fn check(&self, app: &App) -> Result<Upload, FormFailure> {
        let key = self.needed("key")?;
        let (key_id, policy_text) = (self.needed("OSSAccessKeyId")?, self.needed("policy")?);
        let signature = self.needed("Signature")?;
        let policy = Policy::read(policy_text).ok_or_else(FormFailure::policy)?;
        let (our_key_id, secret) = app.service_key(FORM_KEY);
        if key_id != our_key_id {
            return Err(FormFailure::key_id());
        }
        if !oss_v1::verify_post(secret.expose(), policy_text, signature) {
            return Err(FormFailure::signature());
        }
        if policy.expires_ms <= app.now_ms() {
            return Err(FormFailure::denied("Invalid according to Policy: Policy expired."));
        }
        if policy.key != key {
            return Err(FormFailure::denied(
                "Invalid according to Policy: Policy Condition failed: [\"eq\", \"$key\"].",
            ));
        }
        let upload = app.upload_by_locator(key).await?;
        Ok(Upload { max_bytes: upload.max_bytes.min(policy.max_bytes), ..upload })
    }

    /// The status that the client wishes for; any other than the three is as good as none.
    fn status(&self) -> StatusCode {
        match self.texts.get("success_action_status").map(String::as_str) {
            Some("200") => StatusCode::OK,
            Some("201") => StatusCode::CREATED,
            _ => StatusCode::NO_CONTENT,
        }
    }
}

impl Received {
    fn into_response(self, settings: &Settings, request_id: &str) -> Response<Body> {
        let md5 = self.upload.complete.map(|bytes| bytes.md5.to_string().to_ascii_uppercase()).unwrap_or_default();
        let etag = format!("\"{md5}\"");
        let xml = (self.status == StatusCode::CREATED).then(|| {
            let record = Record::new()
                .with("Bucket", FORM_PATH.trim_start_matches('/'))
                .with("Location", format!("{}{FORM_PATH}/{}", settings.public_url, self.upload.locator))
                .with("Key", self.upload.locator.as_str())
                .with("ETag", etag.as_str());
            format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{}", record.xml("PostResponse"))
        });
        let mut response = response(self.status, xml, request_id);
        if let Ok(etag) = HeaderValue::from_str(&etag) {
            response.headers_mut().insert(ETAG, etag);
        }
        response
    }
}
