//! The headers of the tus protocol: what requests say in them, and what answers do.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use otaru_model::Upload;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::error::{Kind, Problem};
use super::limits::limit_of;
use crate::wire::time::TimeFormat;

pub const VERSION: &str = "1.0.0";
pub const ALGORITHMS: &str = "sha1,sha256";
const PIECE: &str = "application/offset+octet-stream";

pub const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
pub const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
pub const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
pub const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const UPLOAD_DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");

/// Whether the client speaks tus; another version than ours is refused with the one that would be right.
pub fn is_spoken(headers: &HeaderMap) -> Result<bool, Problem> {
    match headers.get(TUS_RESUMABLE) {
        None => Ok(false),
        Some(version) if version == VERSION => Ok(true),
        Some(_) => Err(Problem::new(Kind::UnsupportedProtocol, format!("Tus-Resumable must be {VERSION}"))
            .at("Tus-Resumable")
            .with(TUS_VERSION, HeaderValue::from_static(VERSION))),
    }
}

/// What every answer about an upload's progress tells.
pub fn told(upload: &Upload, received_bytes: u64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(TUS_RESUMABLE, HeaderValue::from_static(VERSION));
    headers.insert(UPLOAD_OFFSET, HeaderValue::from(received_bytes));
    let length = upload.complete.map(|bytes| bytes.size_bytes).or(upload.declared_bytes);
    match length {
        Some(length) => headers.insert(UPLOAD_LENGTH, HeaderValue::from(length)),
        None => headers.insert(UPLOAD_DEFER_LENGTH, HeaderValue::from_static("1")),
    };
    if let Ok(expires) = HeaderValue::from_str(&TimeFormat::Http.format(upload.open_until_ms)) {
        headers.insert(UPLOAD_EXPIRES, expires);
    }
    headers
}

/// A number of bytes from a header that has to be there.
pub fn number(headers: &HeaderMap, name: &HeaderName, shown: &'static str) -> Result<u64, Problem> {
    let text = headers.get(name).and_then(|value| value.to_str().ok());
    let digits = text.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits.and_then(|digits| digits.parse().ok()).filter(|&number: &u64| i64::try_from(number).is_ok());
    number.ok_or_else(|| Problem::invalid(shown, format!("{shown} must be a number of bytes")))
}

/// How long the file will be, if the creation request knows it: `Upload-Length`, or `Upload-Defer-Length: 1` in its place.
pub fn length_to_be(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(deferred) = headers.get(UPLOAD_DEFER_LENGTH) else {
        return number(headers, &UPLOAD_LENGTH, "Upload-Length").map(Some);
    };
    let refused = |detail: &str| Err(Problem::invalid("Upload-Defer-Length", detail));
    if deferred != "1" {
        return refused("Upload-Defer-Length must be 1, or not be there");
    }
    if headers.contains_key(UPLOAD_LENGTH) {
        return refused("Upload-Defer-Length cannot stand beside Upload-Length: the length is known or it is not");
    }
    Ok(None)
}

pub fn check_piece_type(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get(header::CONTENT_TYPE) {
        Some(given) if given == PIECE => Ok(()),
        _ => Err(Problem::new(Kind::UnsupportedMediaType, format!("the bytes come with Content-Type: {PIECE}"))
            .at("Content-Type")),
    }
}

/// The file's name out of `Upload-Metadata`, if it is there. What else there is means nothing here, and has to be well-formed:
/// keys once each, each with a value in base64 or none.
pub fn metadata_name(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(UPLOAD_METADATA) else { return Ok(None) };
    let refused = |problem: &str| Problem::invalid("Upload-Metadata", format!("Upload-Metadata {problem}"));
    let text = value.to_str().map_err(|_| refused("must be ASCII"))?;
    let (mut keys, mut name) = (BTreeSet::new(), None);
    for pair in text.split(',').filter(|_| !text.trim().is_empty()) {
        let (key, encoded) = pair.trim().split_once(' ').unwrap_or((pair.trim(), ""));
        if key.is_empty() {
            return Err(refused("has a value without a key"));
        }
        if !keys.insert(key) {
            return Err(refused(&format!("has the key {key} twice")));
        }
        let bytes = STANDARD.decode(encoded.trim()).map_err(|_| refused(&format!("has a {key} that is not base64")))?;
        if key == "filename" {
            name = Some(String::from_utf8(bytes).map_err(|_| refused("has a filename that is not UTF-8"))?);
        }
    }
    match name.as_deref().and_then(|name| limit_of("query", "file_name").problem(name)) {
        None => Ok(name),
        Some(problem) => Err(refused(&format!("has a filename that {problem}"))),
    }
}

/// The checksum that a piece must have.
pub struct Checksum {
    running: Running,
    declared: Vec<u8>,
}

enum Running {
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Checksum {
    pub fn of(headers: &HeaderMap) -> Result<Option<Checksum>, Problem> {
        let Some(value) = headers.get("upload-checksum") else { return Ok(None) };
        let refused = |problem: String| Problem::invalid("Upload-Checksum", format!("Upload-Checksum {problem}"));
        let form = || refused("must be an algorithm, a space and the base64 of the checksum".to_owned());
        let (algorithm, encoded) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(form)?;
        let running = match algorithm {
            "sha1" => Running::Sha1(Sha1::new()),
            "sha256" => Running::Sha256(Sha256::new()),
            other => return Err(refused(format!("names {other}, which is none of: {ALGORITHMS}"))),
        };
        let declared = STANDARD.decode(encoded.trim()).map_err(|_| form())?;
        Ok(Some(Checksum { running, declared }))
    }

    pub fn update(&mut self, piece: &Bytes) {
        match &mut self.running {
            Running::Sha1(hash) => hash.update(piece),
            Running::Sha256(hash) => hash.update(piece),
        }
    }

    pub fn check(self) -> Result<(), Problem> {
        let found = match self.running {
            Running::Sha1(hash) => hash.finalize().to_vec(),
            Running::Sha256(hash) => hash.finalize().to_vec(),
        };
        if found == self.declared {
            return Ok(());
        }
        let detail =
            format!("the bytes that came have the checksum {}; nothing of them is kept", STANDARD.encode(found));
        Err(Problem::new(Kind::WrongChecksum, detail).at("Upload-Checksum"))
    }
}
