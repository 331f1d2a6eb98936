//! Parts of objects.

use otaru_model::Id;
use s3s::dto::*;
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::api::Api;
use super::buckets::{page_size, timestamp};
use super::digests::{self, Declared};
use super::error::refusal;
use super::limits;
use super::writing::{check_length, transfer};

pub fn check_number(number: i32) -> S3Result<u32> {
    match limits::problem("part.number", number) {
        Some(problem) => Err(refusal(S3ErrorCode::InvalidArgument, format!("The number of a part {problem}."))),
        None => Ok(number.unsigned_abs()),
    }
}

/// An id that is none of ours belongs to no upload.
pub fn upload_id(text: &str) -> S3Result<Id> {
    text.parse().map_err(|_| refusal(S3ErrorCode::NoSuchUpload, "There is no upload of this id; it may be over."))
}

pub async fn upload(api: &Api, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
    let limit_bytes = api.settings.max_part_bytes;
    check_length(&request.headers, limit_bytes)?;
    let mut declared = Declared::of(&request)?;
    let input = request.input;
    let number = check_number(input.part_number)?;
    let id = upload_id(&input.upload_id)?;
    let shown = api.app.show_object_upload(&api.caller, &id, &input.bucket, &input.key).await;
    shown.map_err(|error| api.refuse(error))?;

    let begun = api.app.begin_writing(&api.caller, &input.bucket).await;
    let mut writing = begun.map_err(|error| api.refuse(error))?;
    transfer(api, input.body, &request.headers, limit_bytes, &mut declared, &mut writing).await?;
    let md5 = declared.md5;
    let checksums = declared.check()?;
    let part = writing.finish_part(&id, number, md5, None).await.map_err(|error| api.refuse(error))?;
    let sum = |algorithm: &str| digests::text(&checksums, algorithm);
    Ok(S3Response::new(UploadPartOutput {
        e_tag: Some(ETag::Strong(part.md5.to_string())),
        checksum_crc32: sum("crc32"),
        checksum_crc32c: sum("crc32c"),
        checksum_crc64nvme: sum("crc64nvme"),
        checksum_sha1: sum("sha1"),
        checksum_sha256: sum("sha256"),
        ..Default::default()
    }))
}

pub async fn list(api: &Api, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
    let ListPartsInput { bucket, key, max_parts, part_number_marker, upload_id: id_text, .. } = request.input;
    let id = upload_id(&id_text)?;
    let shown = api.app.show_object_upload(&api.caller, &id, &bucket, &key).await;
    let (_, mut parts) = shown.map_err(|error| api.refuse(error))?;
    let after = part_number_marker.unwrap_or(0);
    parts.retain(|part| i64::from(part.number) > i64::from(after));
    let page = page_size(max_parts)?;
    let is_truncated = parts.len() > page && page > 0;
    parts.truncate(page);
    let owner = api.owner();
    let last = parts.last().and_then(|part| i32::try_from(part.number).ok());
    let entry = |part: otaru_model::ObjectPart| Part {
        e_tag: Some(ETag::Strong(part.md5.to_string())),
        last_modified: Some(timestamp(part.modified_ms)),
        part_number: i32::try_from(part.number).ok(),
        size: i64::try_from(part.size_bytes).ok(),
        ..Default::default()
    };
    Ok(S3Response::new(ListPartsOutput {
        bucket: Some(bucket),
        key: Some(key),
        upload_id: Some(id_text),
        initiator: Some(Initiator { id: owner.id.clone(), display_name: owner.display_name.clone() }),
        owner: Some(owner),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        part_number_marker: Some(after),
        next_part_number_marker: Some(last.unwrap_or(0)),
        max_parts: Some(max_parts.unwrap_or(1000)),
        is_truncated: Some(is_truncated),
        parts: Some(parts.into_iter().map(entry).collect()),
        ..Default::default()
    }))
}
