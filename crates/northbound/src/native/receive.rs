//! Files on their way in: a request's body is poured into an upload as it comes.

use std::time::Duration;

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderMap, header};
use otaru_core::app::{App, Caller, NewUpload, Receiving};
use otaru_core::clock::random_text;
use otaru_model::{Sha256, Upload};

use super::error::{Kind, Problem};
use super::{DOOR, Native};

/// How many letters and digits an upload is found by: nobody guesses it.
const LOCATOR_LETTERS: usize = 32;

pub const DEFAULT_FILE_NAME: &str = "upload.bin";

/// Makes the record of an upload that takes bytes for as long as the settings say.
pub async fn begin(
    app: &App,
    caller: &Caller,
    file_name: String,
    declared_bytes: Option<u64>,
) -> Result<Upload, Problem> {
    let settings = app.settings();
    let new = NewUpload {
        door: DOOR,
        locator: random_text(LOCATOR_LETTERS),
        file_name,
        declared_bytes,
        max_bytes: settings.max_file_bytes,
        open_ms: settings.upload_lifetime_ms,
        lifetime_ms: settings.upload_lifetime_ms,
    };
    Ok(app.create_upload(caller, new).await?)
}

/// Takes a whole file out of one request. If anything is wrong with it, nothing of it stays.
pub async fn whole(
    native: &Native,
    caller: &Caller,
    file_name: Option<String>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Upload, Problem> {
    let declared = declared_sha256(headers)?;
    let length = content_length(headers);
    if length == Some(0) || http_body::Body::is_end_stream(&body) {
        return Err(Problem::invalid("body", "the file is the request's body, and there is none"));
    }
    let file_name = file_name.unwrap_or_else(|| DEFAULT_FILE_NAME.to_owned());
    let upload = begin(native.app(), caller, file_name, length).await?;
    let locator = upload.locator.clone();
    match take_whole(native, upload, declared, body).await {
        Ok(upload) => Ok(upload),
        Err(problem) => {
            discard(native.app(), caller, &locator).await;
            Err(problem)
        }
    }
}

async fn take_whole(native: &Native, upload: Upload, declared: Option<Sha256>, body: Body) -> Result<Upload, Problem> {
    let mut receiving = native.app().receive_whole(upload).await?;
    pour(native, &mut receiving, body, |_| {}).await?;
    let upload = receiving.finish().await?;
    let Some(complete) = &upload.complete else {
        return Err(Problem::new(Kind::Internal, "the upload did not end"));
    };
    if complete.size_bytes == 0 {
        return Err(Problem::invalid("body", "the file is the request's body, and there is none"));
    }
    match declared.filter(|declared| *declared != complete.sha256) {
        None => Ok(upload),
        Some(declared) => Err(Problem::new(
            Kind::WrongBytes,
            format!("the declared SHA-256 is {declared}, that of the bytes that came is {}", complete.sha256),
        )
        .at("Content-Digest")),
    }
}

/// Gives up what a failed request left; what cannot be removed now expires.
pub async fn discard(app: &App, caller: &Caller, locator: &str) {
    if let Err(error) = app.delete_upload(caller, locator).await {
        tracing::warn!(%error, "the rest of a failed upload stays until it expires");
    }
}

/// Pours a body into an upload, showing each piece to `watch`.
pub async fn pour(
    native: &Native,
    receiving: &mut Receiving,
    body: Body,
    mut watch: impl FnMut(&Bytes) + Send,
) -> Result<(), Problem> {
    let idle = Duration::from_millis(native.0.settings.upload_idle_ms);
    let mut pieces = body.into_data_stream();
    let mut taken_bytes = 0u64;
    loop {
        match tokio::time::timeout(idle, pieces.next()).await {
            Ok(Some(Ok(piece))) => {
                taken_bytes += piece.len() as u64;
                watch(&piece);
                receiving.write(piece).await?;
            }
            Ok(None) => return Ok(()),
            Ok(Some(Err(_))) => {
                let detail = format!("the body broke off after {taken_bytes} bytes");
                return Err(Problem::new(Kind::Malformed, detail).at("body"));
            }
            Err(_) => {
                let detail = format!("no byte came for {} s, after {taken_bytes} bytes", idle.as_secs());
                return Err(Problem::new(Kind::Timeout, detail).at("body"));
            }
        }
    }
}

pub fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The SHA-256 that `Content-Digest` or `Repr-Digest` (RFC 9530) or `Digest` (RFC 3230) declares. Other algorithms pass.
fn declared_sha256(headers: &HeaderMap) -> Result<Option<Sha256>, Problem> {
    for name in ["content-digest", "repr-digest", "digest"] {
        for value in headers.get_all(name) {
            let entries = value.to_str().unwrap_or_default().split(',');
            let mut named = entries.filter_map(|entry| entry.trim().split_once('='));
            if let Some((_, digest)) = named.find(|(algorithm, _)| algorithm.eq_ignore_ascii_case("sha-256")) {
                let bytes = STANDARD.decode(digest.trim().trim_matches(':')).ok();
                let sha256 = bytes.and_then(|bytes| Sha256::try_from(bytes.as_slice()).ok());
                let right = "must be like sha-256=:BASE64:, with the 32 bytes of a SHA-256";
                return sha256.map(Some).ok_or_else(|| Problem::invalid(name, format!("{name} {right}")));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(name: &'static str, value: &'static str) -> Result<Option<String>, String> {
        let mut headers = HeaderMap::new();
        headers.insert(name, http::HeaderValue::from_static(value));
        declared_sha256(&headers).map(|sha256| sha256.map(|it| it.to_string())).map_err(|problem| problem.detail)
    }

    #[test]
    fn digests_are_read_in_the_form_of_both_standards() {
        let empty = Some("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".to_owned());
        let text = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
        assert_eq!(declared("content-digest", text), Ok(empty.clone()));
        assert_eq!(declared("digest", "SHA-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="), Ok(empty.clone()));
        let two = "sha-512=:AAAA:, sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
        assert_eq!(declared("repr-digest", two), Ok(empty));
        assert_eq!(declared("content-digest", "sha-512=:AAAA:"), Ok(None));
        assert!(declared("content-digest", "sha-256=:AAAA:").is_err());
        assert!(declared("digest", "sha-256=!").is_err());
    }
}
