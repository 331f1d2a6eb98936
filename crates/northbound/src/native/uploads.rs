//! Uploads: files that are here and not yet part of a package.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use otaru_core::app::{App, Error};
use otaru_model::Upload;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::auth::Publisher;
use super::decode::{Decode, Members, Query, Segments};
use super::error::Problem;
use super::page::time;
use super::{Native, PREFIX, receive, tus};
use crate::wire::answer::Json as Answer;

/// An upload.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Upload)]
pub struct UploadView {
    /// What packages and later requests name it by. Who knows it and may publish can use it.
    pub id: String,
    pub file_name: String,
    /// How long the whole file is, if that is known.
    #[schema(required = true)]
    pub size_bytes: Option<u64>,
    /// How many bytes are here for good.
    pub received_bytes: u64,
    pub is_complete: bool,
    /// Of the complete file.
    #[schema(required = true)]
    pub sha256: Option<String>,
    /// Of the complete file.
    #[schema(required = true)]
    pub md5: Option<String>,
    #[schema(format = DateTime)]
    pub created: String,
    /// When the upload goes away unless it is part of a package.
    #[schema(format = DateTime)]
    pub expires: String,
}

impl UploadView {
    pub fn new(upload: Upload, received_bytes: u64) -> UploadView {
        UploadView {
            id: upload.locator,
            file_name: upload.file_name,
            size_bytes: upload.complete.map(|bytes| bytes.size_bytes).or(upload.declared_bytes),
            received_bytes,
            is_complete: upload.complete.is_some(),
            sha256: upload.complete.map(|bytes| bytes.sha256.to_string()),
            md5: upload.complete.map(|bytes| bytes.md5.to_string()),
            created: time(upload.created_ms),
            expires: time(upload.expires_ms),
        }
    }
}

/// How far an upload is. One whose last byte came just before the server stopped is completed here.
pub async fn settled(app: &App, mut upload: Upload) -> Result<(Upload, u64), Problem> {
    let received_bytes = app.received_bytes(&upload).await?;
    if upload.complete.is_none() && upload.declared_bytes == Some(received_bytes) {
        match app.complete_upload(&upload).await {
            Ok(complete) => upload.complete = Some(complete),
            // Another request is about to complete it, or has.
            Err(Error::NotFound { .. } | Error::Busy { .. }) => {
                upload = app.upload_by_locator(&upload.locator).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok((upload, received_bytes))
}

/// What the query says of a new upload.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UploadQuery {
    /// The file's name, as devices will see it.
    pub file_name: Option<String>,
}

impl Decode for UploadQuery {
    const SCOPE: &'static str = "create_upload";
    const MEMBERS: &'static [&'static str] = &["file_name"];

    fn decode(given: &mut Members) -> Result<UploadQuery, Problem> {
        Ok(UploadQuery { file_name: given.text("file_name")? })
    }
}

/// Upload a file, whole or to be resumed
///
/// Without `Tus-Resumable` the body is the whole file; if it breaks off, nothing of it stays. With `Tus-Resumable: 1.0.0`
/// this is the creation request of the tus protocol: `Upload-Length` says how long the file will be, or
/// `Upload-Defer-Length: 1` that a later request will say it; the bytes follow with PATCH or begin with this request.
#[utoipa::path(post, path = "/uploads", tag = "uploads",
    params(
        UploadQuery,
        ("Content-Digest" = Option<String>, Header, description = "`sha-256=:BASE64:` (RFC 9530) is compared with the bytes that come"),
        ("Tus-Resumable" = Option<String>, Header, description = "`1.0.0` for an upload that can be resumed"),
        ("Upload-Length" = Option<u64>, Header, description = "tus: the file's length in bytes"),
        ("Upload-Defer-Length" = Option<u64>, Header, description = "tus: `1` if the length is not known yet"),
        ("Upload-Metadata" = Option<String>, Header, description = "tus: pairs of a key and the base64 of its value; only `filename` means something here"),
        ("Upload-Checksum" = Option<String>, Header, description = "tus: algorithm and base64 of the checksum of these bytes"),
    ),
    request_body(content((Vec<u8> = "application/octet-stream"), (Vec<u8> = "application/offset+octet-stream")),
        description = "The file, or with tus its first bytes or none"),
    responses(
        (status = 201, description = "The upload", body = UploadView, headers(
            ("Location" = String, description = "Where the upload is"),
            ("Upload-Offset" = u64, description = "tus: how many bytes are here"),
            ("Upload-Expires" = String, description = "tus: until when bytes are taken"),
        )),
        (status = 400, description = "The body broke off or is empty, or a header is wrong"),
        (status = 408, description = "No more bytes came"),
        (status = 412, description = "Another version of tus"),
        (status = 413, description = "The file is larger than allowed"),
        (status = 415, description = "tus: bytes in this request come as application/offset+octet-stream"),
        (status = 422, description = "The bytes have another digest than was declared"),
        (status = 460, description = "tus: the bytes have another checksum than was declared"),
        (status = 507, description = "No space left for uploads"),
    ))]
pub async fn create_upload(
    State(native): State<Native>,
    Publisher(caller): Publisher,
    Query(query): Query<UploadQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    if tus::is_spoken(&headers)? {
        return tus::create(&native, &caller, query.file_name, &headers, body).await;
    }
    let upload = receive::whole(&native, &caller, query.file_name, &headers, body).await?;
    let received_bytes = upload.complete.map_or(0, |bytes| bytes.size_bytes);
    let location = format!("{PREFIX}/uploads/{}", upload.locator);
    let view = UploadView::new(upload, received_bytes);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Answer(view)).into_response())
}

/// Show an upload
#[utoipa::path(get, path = "/uploads/{id}", tag = "uploads", params(("id" = String, Path, description = "The upload's id")),
    responses((status = 200, description = "The upload", body = UploadView), (status = 404, description = "There is no such upload")))]
pub async fn show_upload(
    State(native): State<Native>,
    Publisher(caller): Publisher,
    Segments(id): Segments<String>,
) -> Result<Answer<UploadView>, Problem> {
    let upload = native.app().show_upload(&caller, &id).await?;
    let (upload, received_bytes) = settled(native.app(), upload).await?;
    Ok(Answer(UploadView::new(upload, received_bytes)))
}

/// Give an upload up
#[utoipa::path(delete, path = "/uploads/{id}", tag = "uploads",
    params(
        ("id" = String, Path, description = "The upload's id"),
        ("Tus-Resumable" = Option<String>, Header, description = "`1.0.0`, if tus is spoken"),
    ),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "There is no such upload"),
        (status = 412, description = "Another version of tus"),
    ))]
pub async fn delete_upload(
    State(native): State<Native>,
    Publisher(caller): Publisher,
    Segments(id): Segments<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    tus::is_spoken(&headers)?;
    native.app().delete_upload(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
