//! Buckets. Their names are each tenant's own.

use std::time::{Duration, UNIX_EPOCH};

use otaru_model::Bucket;
use s3s::dto::*;
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::api::Api;
use super::error::refusal;
use super::limits::{self, PAGE_MAX};

/// A moment as the S3 service spells it.
pub fn timestamp(at_ms: i64) -> Timestamp {
    Timestamp::from(UNIX_EPOCH + Duration::from_millis(u64::try_from(at_ms).unwrap_or(0)))
}

pub async fn list(api: &Api, request: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
    let ListBucketsInput { bucket_region, continuation_token, max_buckets, prefix } = request.input;
    let mut buckets = api.app.list_buckets(&api.caller).await.map_err(|error| api.refuse(error))?;
    let is_wanted = |bucket: &Bucket| {
        bucket.name.starts_with(prefix.as_deref().unwrap_or_default())
            && bucket_region.as_ref().is_none_or(|region| *region == bucket.region)
            && continuation_token.as_ref().is_none_or(|after| bucket.name > *after)
    };
    buckets.retain(is_wanted);
    buckets.sort_by(|one, other| one.name.cmp(&other.name));
    let page = match max_buckets {
        Some(max) => page_size(Some(max))?.max(1),
        None => buckets.len(),
    };
    let next = (buckets.len() > page).then(|| buckets[page - 1].name.clone());
    buckets.truncate(page);
    let entry = |bucket: Bucket| s3s::dto::Bucket {
        bucket_region: Some(bucket.region),
        creation_date: Some(timestamp(bucket.created_ms)),
        name: Some(bucket.name),
    };
    Ok(S3Response::new(ListBucketsOutput {
        buckets: Some(buckets.into_iter().map(entry).collect()),
        continuation_token: next,
        owner: Some(api.owner()),
        prefix,
    }))
}

pub async fn create(api: &Api, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
    let CreateBucketInput { bucket, create_bucket_configuration, object_lock_enabled_for_bucket, .. } = request.input;
    if object_lock_enabled_for_bucket == Some(true) {
        return Err(refusal(S3ErrorCode::NotImplemented, "This server has no object locks."));
    }
    let asked = create_bucket_configuration.and_then(|configuration| configuration.location_constraint);
    let region = asked.map(|region| region.as_str().trim().to_owned()).filter(|region| !region.is_empty());
    if region.as_ref().is_some_and(|region| region.len() > 64) {
        return Err(refusal(S3ErrorCode::InvalidLocationConstraint, "The name of a region has at most 64 bytes."));
    }
    let region = region.unwrap_or_else(|| api.settings.region.clone());
    let created = api.app.create_bucket(&api.caller, &bucket, &region).await.map_err(|error| api.refuse(error))?;
    if !created {
        return Err(refusal(S3ErrorCode::BucketAlreadyOwnedByYou, format!("You have a bucket {bucket} already.")));
    }
    Ok(S3Response::new(CreateBucketOutput { location: Some(format!("/{bucket}")) }))
}

pub async fn head(api: &Api, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
    let found = api.app.show_bucket(&api.caller, &request.input.bucket).await;
    let bucket = found.map_err(|error| api.refuse(error))?;
    Ok(S3Response::new(HeadBucketOutput { bucket_region: Some(bucket.region), ..Default::default() }))
}

pub async fn delete(api: &Api, request: S3Request<DeleteBucketInput>) -> S3Result<S3Response<DeleteBucketOutput>> {
    let deleted = api.app.delete_bucket(&api.caller, &request.input.bucket).await;
    deleted.map_err(|error| api.refuse(error))?;
    Ok(S3Response::new(DeleteBucketOutput::default()))
}

pub async fn location(
    api: &Api,
    request: S3Request<GetBucketLocationInput>,
) -> S3Result<S3Response<GetBucketLocationOutput>> {
    let found = api.app.show_bucket(&api.caller, &request.input.bucket).await;
    let bucket = found.map_err(|error| api.refuse(error))?;
    let location_constraint = Some(BucketLocationConstraint::from(bucket.region));
    Ok(S3Response::new(GetBucketLocationOutput { location_constraint }))
}

/// No bucket keeps versions, which S3 spells as an empty answer.
pub async fn versioning(
    api: &Api,
    request: S3Request<GetBucketVersioningInput>,
) -> S3Result<S3Response<GetBucketVersioningOutput>> {
    let found = api.app.show_bucket(&api.caller, &request.input.bucket).await;
    found.map_err(|error| api.refuse(error))?;
    Ok(S3Response::new(GetBucketVersioningOutput::default()))
}

/// How many entries a page has: what was asked for, a thousand at most.
pub fn page_size(asked: Option<i32>) -> S3Result<usize> {
    let Some(asked) = asked else { return Ok(PAGE_MAX) };
    match limits::problem("list.max_keys", asked) {
        Some(problem) => Err(refusal(S3ErrorCode::InvalidArgument, format!("The size of a page {problem}."))),
        None => Ok(usize::try_from(asked).unwrap_or(0).min(PAGE_MAX)),
    }
}
