//! Copies: of an object to another key, and of a range of one into a part.

use otaru_model::{Id, Object};
use s3s::dto::*;
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use futures::StreamExt;

use super::api::Api;
use super::buckets::timestamp;
use super::conditions::Conditions;
use super::error::refusal;
use super::parts::{check_number, upload_id};
use super::reading::check_version;
use super::stored::{Kept, etag_of};
use super::writing::check_key;

/// The bucket and the key that are copied from.
fn source(copy_source: CopySource) -> S3Result<(String, String)> {
    match copy_source {
        CopySource::Bucket { bucket, key, version_id } => {
            check_version(version_id.as_deref(), None)?;
            Ok((bucket.into(), key.into()))
        }
        CopySource::AccessPoint { .. } | CopySource::Outpost { .. } => {
            Err(refusal(S3ErrorCode::NotImplemented, "There are no access points here; copy from `bucket/key`."))
        }
    }
}

pub async fn copy(api: &Api, request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
    let input = request.input;
    check_key(&input.key)?;
    let from = source(input.copy_source)?;
    let conditions = Conditions {
        if_match: input.copy_source_if_match,
        if_none_match: input.copy_source_if_none_match,
        if_modified_since: input.copy_source_if_modified_since,
        if_unmodified_since: input.copy_source_if_unmodified_since,
    };
    let found = api.app.show_object(&api.caller, &from.0, &from.1).await;
    conditions.check(&found.map_err(|error| api.refuse(error))?, S3ErrorCode::PreconditionFailed)?;

    let replaces = match input.metadata_directive.as_ref().map(MetadataDirective::as_str) {
        None | Some("COPY") => false,
        Some("REPLACE") => true,
        Some(_) => {
            return Err(refusal(S3ErrorCode::InvalidArgument, "The metadata directive is COPY or REPLACE."));
        }
    };
    if !replaces && from.0 == input.bucket && from.1 == input.key {
        return Err(refusal(
            S3ErrorCode::InvalidRequest,
            "Copying an object to itself changes nothing, unless its metadata is replaced.",
        ));
    }
    let new = if replaces {
        let kept = Kept {
            cache_control: input.cache_control,
            content_disposition: input.content_disposition,
            content_encoding: input.content_encoding,
            content_language: input.content_language,
            expires: input.expires,
            metadata: input.metadata,
            ..Kept::default()
        };
        kept.check()?;
        Some((input.content_type, kept.into_extra()))
    } else {
        None
    };
    let copied = api.app.copy_object(&api.caller, (&from.0, &from.1), (&input.bucket, &input.key), new).await;
    let object = copied.map_err(|error| api.refuse(error))?;
    Ok(S3Response::new(CopyObjectOutput {
        copy_object_result: Some(CopyObjectResult {
            e_tag: Some(etag_of(&object)),
            last_modified: Some(timestamp(object.modified_ms)),
            ..Default::default()
        }),
        ..Default::default()
    }))
}

pub async fn copy_part(
    api: &Api,
    request: S3Request<UploadPartCopyInput>,
) -> S3Result<S3Response<UploadPartCopyOutput>> {
    let input = request.input;
    let number = check_number(input.part_number)?;
    let upload: Id = upload_id(&input.upload_id)?;
    let shown = api.app.show_object_upload(&api.caller, &upload, &input.bucket, &input.key).await;
    shown.map_err(|error| api.refuse(error))?;
    let from = source(input.copy_source)?;
    let opened = api.app.open_object(&api.caller, &from.0, &from.1).await;
    let opened = opened.map_err(|error| api.refuse(error))?;
    let conditions = Conditions {
        if_match: input.copy_source_if_match,
        if_none_match: input.copy_source_if_none_match,
        if_modified_since: input.copy_source_if_modified_since,
        if_unmodified_since: input.copy_source_if_unmodified_since,
    };
    conditions.check(&opened.object, S3ErrorCode::PreconditionFailed)?;
    let range = range_of(input.copy_source_range.as_deref(), &opened.object)?;
    if range.end - range.start > api.settings.max_part_bytes {
        let limit = api.settings.max_part_bytes;
        return Err(refusal(S3ErrorCode::EntityTooLarge, format!("A part has at most {limit} bytes; copy a range.")));
    }

    let begun = api.app.begin_writing(&api.caller, &input.bucket).await;
    let mut writing = begun.map_err(|error| api.refuse(error))?;
    let mut bytes = std::pin::pin!(opened.bytes.stream(range));
    while let Some(bytes) = bytes.next().await {
        let bytes = bytes.map_err(|error| api.refuse(error.into()))?;
        writing.write(bytes).await.map_err(|error| api.refuse(error))?;
    }
    let finished = writing.finish_part(&upload, number, None, None).await;
    let part = finished.map_err(|error| api.refuse(error))?;
    Ok(S3Response::new(UploadPartCopyOutput {
        copy_part_result: Some(CopyPartResult {
            e_tag: Some(ETag::Strong(part.md5.to_string())),
            last_modified: Some(timestamp(part.modified_ms)),
            ..Default::default()
        }),
        ..Default::default()
    }))
}

/// `bytes=first-last`, both of which the object has to have.
fn range_of(text: Option<&str>, object: &Object) -> S3Result<std::ops::Range<u64>> {
    let Some(text) = text else { return Ok(0..object.size_bytes) };
    match Range::parse(text) {
        Ok(Range::Int { first, last: Some(last) }) if first <= last && last < object.size_bytes => Ok(first..last + 1),
        Ok(_) => Err(refusal(
            S3ErrorCode::InvalidRange,
            format!("The source has {} bytes; a range of it is bytes=first-last.", object.size_bytes),
        )),
        Err(_) => Err(refusal(S3ErrorCode::InvalidArgument, "The range of a source is bytes=first-last.")),
    }
}
