//! Objects on their way in, whole, and their end.

use futures::{StreamExt, stream};
use http::HeaderMap;
use otaru_core::app::{NewObject, Writing};
use s3s::dto::*;
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::api::Api;
use super::bodies::{declared_length, incomplete, reading_failed};
use super::conditions::expected;
use super::digests::{self, Declared};
use super::error::refusal;
use super::limits;
use super::reading::check_version;
use super::stored::Kept;

/// How many objects of one request are deleted at the same time, so that one commit serves several.
const DELETED_AT_ONCE: usize = 16;

/// A key that an object may be put under.
pub fn check_key(key: &str) -> S3Result<()> {
    let Some(problem) = limits::key_problem(key) else { return Ok(()) };
    let code = match key.len() > 1024 {
        true => S3ErrorCode::KeyTooLongError,
        false => S3ErrorCode::InvalidArgument,
    };
    Err(refusal(code, format!("The key {problem}.")))
}

/// Streams a body into the store. Nothing of it stays if this fails, or if `writing` is not finished afterwards.
pub async fn transfer(
    api: &Api,
    body: Option<StreamingBlob>,
    headers: &HeaderMap,
    limit_bytes: u64,
    declared: &mut Declared,
    writing: &mut Writing,
) -> S3Result<()> {
    let length = declared_length(headers)?;
    let mut arrived_bytes = 0;
    if let Some(mut body) = body {
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(|error| reading_failed(&error))?;
            arrived_bytes += bytes.len() as u64;
            if arrived_bytes > limit_bytes {
                return Err(too_large(limit_bytes));
            }
            declared.update(&bytes);
            writing.write(bytes).await.map_err(|error| api.refuse(error))?;
        }
    }
    if length.is_some_and(|length| length != arrived_bytes) { Err(incomplete()) } else { Ok(()) }
}

/// Refuses a body before its first byte if it says that it is too long.
pub fn check_length(headers: &HeaderMap, limit_bytes: u64) -> S3Result<()> {
    match declared_length(headers)? {
        Some(length) if length > limit_bytes => Err(too_large(limit_bytes)),
        _ => Ok(()),
    }
}

fn too_large(limit_bytes: u64) -> s3s::S3Error {
    refusal(
        S3ErrorCode::EntityTooLarge,
        format!("One request brings at most {limit_bytes} bytes; larger objects are uploaded in parts."),
    )
}

pub async fn put(api: &Api, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
    check_key(&request.input.key)?;
    let limit_bytes = api.settings.max_put_bytes;
    check_length(&request.headers, limit_bytes)?;
    let mut declared = Declared::of(&request)?;
    let input = request.input;
    let expected = expected(input.if_match, input.if_none_match)?;
    let mut kept = Kept {
        cache_control: input.cache_control,
        content_disposition: input.content_disposition,
        content_encoding: input.content_encoding,
        content_language: input.content_language,
        expires: input.expires,
        metadata: input.metadata,
        ..Kept::default()
    };
    // Said before the body comes rather than after it.
    kept.check()?;

    let begun = api.app.begin_writing(&api.caller, &input.bucket).await;
    let mut writing = begun.map_err(|error| api.refuse(error))?;
    transfer(api, input.body, &request.headers, limit_bytes, &mut declared, &mut writing).await?;
    let md5 = declared.md5;
    let checksums = declared.check()?;
    kept.checksums = checksums.clone();
    let new = NewObject {
        bucket: input.bucket,
        key: input.key,
        content_type: input.content_type,
        extra: kept.into_extra(),
        md5,
        sha256: None,
        expected,
    };
    let object = writing.finish_object(new).await.map_err(|error| api.refuse(error))?;
    let sum = |algorithm: &str| digests::text(&checksums, algorithm);
    Ok(S3Response::new(PutObjectOutput {
        e_tag: Some(ETag::Strong(object.etag)),
        checksum_crc32: sum("crc32"),
        checksum_crc32c: sum("crc32c"),
        checksum_crc64nvme: sum("crc64nvme"),
        checksum_sha1: sum("sha1"),
        checksum_sha256: sum("sha256"),
        ..Default::default()
    }))
}

pub async fn delete(api: &Api, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
    let input = request.input;
    if input.if_match.is_some() || input.if_match_last_modified_time.is_some() || input.if_match_size.is_some() {
        return Err(refusal(S3ErrorCode::NotImplemented, "Deleting under a condition is not offered by this server."));
    }
    check_version(input.version_id.as_deref(), None)?;
    // Deleting what is not there succeeds, in S3 and in OBS.
    let deleted = api.app.delete_object(&api.caller, &input.bucket, &input.key).await;
    deleted.map_err(|error| api.refuse(error))?;
    Ok(S3Response::new(DeleteObjectOutput::default()))
}

pub async fn delete_many(
    api: &Api,
    request: S3Request<DeleteObjectsInput>,
) -> S3Result<S3Response<DeleteObjectsOutput>> {
    let DeleteObjectsInput { bucket, delete, .. } = request.input;
    if let Some(problem) = limits::problem("delete.objects", delete.objects.len()) {
        return Err(refusal(S3ErrorCode::MalformedXML, format!("The list of objects to delete {problem}.")));
    }
    let quiet = delete.quiet.unwrap_or(false);
    api.app.show_bucket(&api.caller, &bucket).await.map_err(|error| api.refuse(error))?;
    let one_by_one = delete.objects.into_iter().map(|object| delete_one(api, &bucket, object));
    let results: Vec<_> = stream::iter(one_by_one).buffered(DELETED_AT_ONCE).collect().await;
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(entry) => deleted.push(entry),
            Err(error) => errors.push(error),
        }
    }
    Ok(S3Response::new(DeleteObjectsOutput {
        deleted: (!quiet).then_some(deleted),
        errors: (!errors.is_empty()).then_some(errors),
        ..Default::default()
    }))
}

async fn delete_one(api: &Api, bucket: &str, object: ObjectIdentifier) -> Result<DeletedObject, Error> {
    let ObjectIdentifier { key, version_id, e_tag, last_modified_time, size } = object;
    let result = match (check_version(version_id.as_deref(), None), e_tag, last_modified_time, size) {
        (Err(error), ..) => Err(error),
        (Ok(()), None, None, None) => match api.app.delete_object(&api.caller, bucket, &key).await {
            Ok(_) => Ok(()),
            Err(error) => Err(api.refuse(error)),
        },
        _ => Err(refusal(S3ErrorCode::NotImplemented, "Deleting under a condition is not offered by this server.")),
    };
    match result {
        Ok(()) => Ok(DeletedObject { key: Some(key), version_id, ..Default::default() }),
        Err(error) => Err(Error {
            code: Some(error.code().as_str().to_owned()),
            message: error.message().map(str::to_owned),
            key: Some(key),
            version_id,
        }),
    }
}
