//! Objects on their way out: what is said of them, and their bytes, whole or a range.

use axum::body::Body as AnyBody;
use http::{HeaderMap, HeaderValue};
use otaru_model::Object;
use s3s::dto::*;
use s3s::{Body, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::api::Api;
use super::buckets::timestamp;
use super::conditions::Conditions;
use super::digests;
use super::error::refusal;
use super::stored::{Kept, content_type_of, etag_of};

/// The bytes that are asked for and, if they are not all, how the answer says so.
struct Span {
    range: std::ops::Range<u64>,
    content_range: Option<String>,
}

fn span(range: Option<Range>, object: &Object) -> S3Result<Span> {
    let size = object.size_bytes;
    let Some(range) = range else { return Ok(Span { range: 0..size, content_range: None }) };
    match range.check(size) {
        Ok(range) if !range.is_empty() => {
            let content_range = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            Ok(Span { range, content_range: Some(content_range) })
        }
        _ => Err(outside(size)),
    }
}

fn outside(size_bytes: u64) -> S3Error {
    let mut error =
        refusal(S3ErrorCode::InvalidRange, format!("The object has {size_bytes} bytes and none of that range."));
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::try_from(format!("bytes */{size_bytes}")) {
        headers.insert(http::header::CONTENT_RANGE, value);
    }
    error.set_headers(headers);
    error
}

/// There is one version of everything, and parts are not kept apart once they are an object.
pub fn check_version(version_id: Option<&str>, part_number: Option<i32>) -> S3Result<()> {
    if version_id.is_some_and(|id| !matches!(id, "" | "null")) {
        return Err(refusal(S3ErrorCode::NoSuchVersion, "Buckets here keep no versions; the only one is `null`."));
    }
    match part_number {
        Some(_) => {
            Err(refusal(S3ErrorCode::NotImplemented, "An object cannot be read by parts here; ask for a range."))
        }
        None => Ok(()),
    }
}

pub async fn get(api: &Api, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
    let input = request.input;
    check_version(input.version_id.as_deref(), input.part_number)?;
    let opened = api.app.open_object(&api.caller, &input.bucket, &input.key).await;
    let opened = opened.map_err(|error| api.refuse(error))?;
    let object = opened.object;
    let conditions = Conditions {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
        if_modified_since: input.if_modified_since,
        if_unmodified_since: input.if_unmodified_since,
    };
    conditions.check(&object, S3ErrorCode::NotModified)?;
    let span = span(input.range, &object)?;

    let kept = Kept::of(&object);
    let length = span.range.end - span.range.start;
    let bytes = AnyBody::from_stream(opened.bytes.stream(span.range));
    let wants_checksums = input.checksum_mode.is_some() && span.content_range.is_none();
    let sum = |algorithm: &str| if wants_checksums { digests::text(&kept.checksums, algorithm) } else { None };
    Ok(S3Response::new(GetObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        body: Some(StreamingBlob::from(Body::http_body_unsync(bytes))),
        cache_control: kept.cache_control,
        checksum_crc32: sum("crc32"),
        checksum_crc32c: sum("crc32c"),
        checksum_crc64nvme: sum("crc64nvme"),
        checksum_sha1: sum("sha1"),
        checksum_sha256: sum("sha256"),
        content_disposition: kept.content_disposition,
        content_encoding: kept.content_encoding,
        content_language: kept.content_language,
        content_length: i64::try_from(length).ok(),
        content_range: span.content_range,
        content_type: Some(content_type_of(&object)),
        e_tag: Some(etag_of(&object)),
        expires: kept.expires,
        last_modified: Some(timestamp(object.modified_ms)),
        metadata: kept.metadata,
        ..Default::default()
    }))
}

pub async fn head(api: &Api, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
    let input = request.input;
    check_version(input.version_id.as_deref(), input.part_number)?;
    let found = api.app.show_object(&api.caller, &input.bucket, &input.key).await;
    let object = found.map_err(|error| api.refuse(error))?;
    let conditions = Conditions {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
        if_modified_since: input.if_modified_since,
        if_unmodified_since: input.if_unmodified_since,
    };
    conditions.check(&object, S3ErrorCode::NotModified)?;
    let span = span(input.range, &object)?;

    let kept = Kept::of(&object);
    let wants_checksums = input.checksum_mode.is_some() && span.content_range.is_none();
    let sum = |algorithm: &str| if wants_checksums { digests::text(&kept.checksums, algorithm) } else { None };
    Ok(S3Response::new(HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        cache_control: kept.cache_control,
        checksum_crc32: sum("crc32"),
        checksum_crc32c: sum("crc32c"),
        checksum_crc64nvme: sum("crc64nvme"),
        checksum_sha1: sum("sha1"),
        checksum_sha256: sum("sha256"),
        content_disposition: kept.content_disposition,
        content_encoding: kept.content_encoding,
        content_language: kept.content_language,
        content_length: i64::try_from(span.range.end - span.range.start).ok(),
        content_range: span.content_range,
        content_type: Some(content_type_of(&object)),
        e_tag: Some(etag_of(&object)),
        expires: kept.expires,
        last_modified: Some(timestamp(object.modified_ms)),
        metadata: kept.metadata,
        ..Default::default()
    }))
}
