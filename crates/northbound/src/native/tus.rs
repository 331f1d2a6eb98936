//! Resumable uploads: tus 1.0.0 (tus.io), core protocol with creation, creation-with-upload, creation-defer-length, expiration,
//! checksum and termination. An upload that breaks off keeps what came, and goes on there.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use otaru_core::app::{Caller, Error};
use otaru_model::Upload;

use super::auth::Publisher;
use super::decode::Segments;
use super::error::{Kind, Problem};
use super::receive::{self, DEFAULT_FILE_NAME};
use super::tus_headers::{
    ALGORITHMS, Checksum, UPLOAD_LENGTH, UPLOAD_METADATA, UPLOAD_OFFSET, check_piece_type, length_to_be, metadata_name,
    number, told,
};
pub use super::tus_headers::{TUS_RESUMABLE, VERSION, is_spoken};
use super::uploads::{self, UploadView, settled};
use super::{Native, PREFIX};
use crate::wire::answer::Json as Answer;

const EXTENSIONS: &str = "creation,creation-with-upload,creation-defer-length,expiration,checksum,termination";

/// Tell what of the tus protocol is spoken here
#[utoipa::path(options, path = "/uploads", tag = "uploads",
    responses((status = 204, description = "The versions, extensions and limits", headers(
        ("Tus-Resumable" = String, description = "The version that is spoken"),
        ("Tus-Version" = String, description = "The versions that could be spoken"),
        ("Tus-Extension" = String, description = "The extensions"),
        ("Tus-Checksum-Algorithm" = String, description = "What pieces can be checked with"),
        ("Tus-Max-Size" = u64, description = "How long a file may be, in bytes"),
    ))))]
pub async fn describe_uploads(State(native): State<Native>) -> Response {
    let max_bytes = native.app().settings().max_file_bytes;
    let headers = [
        ("tus-resumable", VERSION.to_owned()),
        ("tus-version", VERSION.to_owned()),
        ("tus-extension", EXTENSIONS.to_owned()),
        ("tus-checksum-algorithm", ALGORITHMS.to_owned()),
        ("tus-max-size", max_bytes.to_string()),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// The creation request: makes the upload, and takes the first bytes if the request has any.
pub async fn create(
    native: &Native,
    caller: &Caller,
    file_name: Option<String>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let length = length_to_be(headers)?;
    let file_name = file_name.or(metadata_name(headers)?);
    let starts = !http_body::Body::is_end_stream(&body);
    if starts {
        check_piece_type(headers)?;
    }
    let file_name = file_name.unwrap_or_else(|| DEFAULT_FILE_NAME.to_owned());
    let upload = receive::begin(native.app(), caller, file_name, length).await?;
    let upload = if starts || length == Some(0) {
        append(native, upload, 0, Checksum::of(headers)?, body).await?
    } else {
        upload
    };
    let location = format!("{PREFIX}/uploads/{}", upload.locator);
    let received_bytes = native.app().received_bytes(&upload).await?;
    let told = told(&upload, received_bytes);
    let view = Answer(UploadView::new(upload, received_bytes));
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], told, view).into_response())
}

/// Ask how far an upload is
#[utoipa::path(head, path = "/uploads/{id}", tag = "uploads",
    params(
        ("id" = String, Path, description = "The upload's id"),
        ("Tus-Resumable" = Option<String>, Header, description = "`1.0.0`"),
    ),
    responses(
        (status = 200, description = "How many bytes are here", headers(
            ("Upload-Offset" = u64, description = "How many bytes are here for good"),
            ("Upload-Length" = u64, description = "How long the file is, if that is known"),
            ("Upload-Defer-Length" = u64, description = "`1` while that is not known"),
            ("Upload-Expires" = String, description = "Until when bytes are taken"),
        )),
        (status = 404, description = "There is no such upload"),
        (status = 412, description = "Another version of tus"),
    ))]
pub async fn find_upload_offset(
    State(native): State<Native>,
    Publisher(caller): Publisher,
    Segments(id): Segments<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    is_spoken(&headers)?;
    let upload = native.app().show_upload(&caller, &id).await?;
    let (upload, received_bytes) = settled(native.app(), upload).await?;
    let metadata = format!("filename {}", STANDARD.encode(&upload.file_name));
    Ok((told(&upload, received_bytes), [(UPLOAD_METADATA, metadata)]).into_response())
}

/// Send the next bytes of an upload
///
/// If the connection breaks, what came stays: ask with HEAD where to go on. With `Upload-Checksum` the bytes of a request
/// count only together.
#[utoipa::path(patch, path = "/uploads/{id}", tag = "uploads",
    params(
        ("id" = String, Path, description = "The upload's id"),
        ("Tus-Resumable" = Option<String>, Header, description = "`1.0.0`"),
        ("Upload-Offset" = u64, Header, description = "Which byte of the file the first of these is"),
        ("Upload-Length" = Option<u64>, Header, description = "The file's length, if the upload began without one"),
        ("Upload-Checksum" = Option<String>, Header, description = "Algorithm (sha1, sha256) and base64 of the checksum of these bytes"),
    ),
    request_body(content((Vec<u8> = "application/offset+octet-stream")), description = "The next bytes of the file"),
    responses(
        (status = 204, description = "The bytes are here for good", headers(
            ("Upload-Offset" = u64, description = "Which byte comes next"),
            ("Upload-Expires" = String, description = "Until when bytes are taken"),
        )),
        (status = 400, description = "The body broke off, or a header is wrong"),
        (status = 404, description = "There is no such upload"),
        (status = 408, description = "No more bytes came"),
        (status = 409, description = "The upload goes on at another byte", headers(
            ("Upload-Offset" = u64, description = "The byte at which it goes on"),
        )),
        (status = 410, description = "Its time is over"),
        (status = 412, description = "Another version of tus"),
        (status = 413, description = "More bytes than the file was declared to have"),
        (status = 415, description = "The bytes come as application/offset+octet-stream"),
        (status = 423, description = "Another request is sending bytes of it"),
        (status = 460, description = "The bytes have another checksum than was declared"),
        (status = 507, description = "No space left for uploads"),
    ))]
pub async fn append_upload(
    State(native): State<Native>,
    Publisher(caller): Publisher,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    is_spoken(&headers)?;
    check_piece_type(&headers)?;
    let offset_bytes = number(&headers, &UPLOAD_OFFSET, "Upload-Offset")?;
    let checksum = Checksum::of(&headers)?;
    let upload = native.app().show_upload(&caller, &id).await?;
    let upload = match headers.contains_key(UPLOAD_LENGTH) {
        true => declare(&native, upload, number(&headers, &UPLOAD_LENGTH, "Upload-Length")?).await?,
        false => upload,
    };
    let upload = append(&native, upload, offset_bytes, checksum, body).await?;
    let received_bytes = native.app().received_bytes(&upload).await?;
    Ok((StatusCode::NO_CONTENT, told(&upload, received_bytes)).into_response())
}

/// Do what `X-HTTP-Method-Override` says, for clients that cannot send PATCH, DELETE or HEAD
#[utoipa::path(post, path = "/uploads/{id}", tag = "uploads",
    params(
        ("id" = String, Path, description = "The upload's id"),
        ("X-HTTP-Method-Override" = String, Header, description = "PATCH, DELETE or HEAD"),
    ),
    request_body(content((Vec<u8> = "application/offset+octet-stream")), description = "For PATCH, the next bytes of the file"),
    responses(
        (status = 200, description = "What HEAD answers"),
        (status = 204, description = "What PATCH or DELETE answers"),
        (status = 400, description = "What PATCH answers"),
        (status = 404, description = "There is no such upload"),
        (status = 405, description = "The header names none of the three"),
        (status = 408, description = "What PATCH answers"),
        (status = 409, description = "What PATCH answers"),
        (status = 410, description = "What PATCH answers"),
        (status = 412, description = "Another version of tus"),
        (status = 413, description = "What PATCH answers"),
        (status = 415, description = "What PATCH answers"),
        (status = 423, description = "What PATCH answers"),
        (status = 460, description = "What PATCH answers"),
        (status = 507, description = "What PATCH answers"),
    ))]
pub async fn override_method(
    state: State<Native>,
    caller: Publisher,
    id: Segments<String>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let wanted = parts.headers.get("x-http-method-override").and_then(|name| name.to_str().ok()).unwrap_or_default();
    match wanted.to_ascii_uppercase().as_str() {
        "PATCH" => append_upload(state, caller, id, parts.headers, body).await,
        "HEAD" => find_upload_offset(state, caller, id, parts.headers).await,
        "DELETE" => uploads::delete_upload(state, caller, id, parts.headers).await.map(IntoResponse::into_response),
        _ => {
            let detail = "POST to an upload needs X-HTTP-Method-Override: PATCH, DELETE or HEAD";
            let allow = HeaderValue::from_static("GET, HEAD, PATCH, DELETE");
            Err(Problem::new(Kind::MethodNotAllowed, detail).at("X-HTTP-Method-Override").with(header::ALLOW, allow))
        }
    }
}

/// Says how long a file is whose upload began without a length; the same length as before may be said again.
async fn declare(native: &Native, upload: Upload, length: u64) -> Result<Upload, Problem> {
    if upload.complete.is_some() {
        return Ok(upload);
    }
    native.app().declare_length(upload, length).await.map_err(|error| match error {
        Error::Invalid { problem, .. } => Problem::invalid("Upload-Length", format!("Upload-Length must be {problem}")),
        other => other.into(),
    })
}

/// Takes the bytes in a task of its own, which outlives the request: a client that goes away ends the body, and what came
/// until then is kept.
async fn append(
    native: &Native,
    upload: Upload,
    offset_bytes: u64,
    checksum: Option<Checksum>,
    body: Body,
) -> Result<Upload, Problem> {
    let native = native.clone();
    let task = tokio::spawn(async move { take_piece(&native, upload, offset_bytes, checksum, body).await });
    match task.await {
        Ok(outcome) => outcome,
        Err(error) => {
            let told = Problem::new(Kind::Internal, "the server failed; its log says more under this request's id");
            Err(Problem { internal: Some(error.to_string()), ..told })
        }
    }
}

async fn take_piece(
    native: &Native,
    upload: Upload,
    offset_bytes: u64,
    checksum: Option<Checksum>,
    body: Body,
) -> Result<Upload, Problem> {
    let limit_bytes = upload.declared_bytes.unwrap_or(upload.max_bytes);
    let mut receiving = native.app().receive_piece(upload, offset_bytes).await.map_err(|error| match error {
        Error::TooLarge { .. } => Problem::from(Error::TooLarge { limit_bytes }),
        Error::OutOfStep { next_byte } => Problem::from(error).with(UPLOAD_OFFSET, HeaderValue::from(next_byte)),
        other => other.into(),
    })?;
    let Some(mut checksum) = checksum else {
        return match receive::pour(native, &mut receiving, body, |_| {}).await {
            Ok(()) => Ok(receiving.finish().await?),
            Err(problem) if matches!(problem.kind, Kind::Malformed | Kind::Timeout) => {
                receiving.finish().await?;
                Err(problem)
            }
            Err(problem) => Err(problem),
        };
    };
    let poured = receive::pour(native, &mut receiving, body, |piece| checksum.update(piece)).await;
    match poured.and_then(|()| checksum.check()) {
        Ok(()) => Ok(receiving.finish().await?),
        Err(problem) => {
            if let Err(error) = receiving.abandon().await {
                tracing::debug!(%error, "a refused piece was taken back already");
            }
            Err(problem)
        }
    }
}
