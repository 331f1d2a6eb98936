//! Objects that arrive in parts: begun, listed, put together or given up.

use otaru_core::app;
use otaru_model::{Id, ObjectPart, ObjectUpload};
use s3s::dto::*;
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::api::Api;
use super::buckets::{page_size, timestamp};
use super::conditions::expected;
use super::error::refusal;
use super::limits;
use super::listing::Spelling;
use super::parts::upload_id;
use super::stored::Kept;
use super::whole::{CheckError, WholeChecksums};
use super::writing::check_key;

pub async fn create(
    api: &Api,
    request: S3Request<CreateMultipartUploadInput>,
) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
    let input = request.input;
    check_key(&input.key)?;
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
    let (bucket, key) = (&input.bucket, &input.key);
    let begun = api.app.begin_object_upload(&api.caller, bucket, key, input.content_type, kept.into_extra()).await;
    let upload = begun.map_err(|error| api.refuse(error))?;
    Ok(S3Response::new(CreateMultipartUploadOutput {
        bucket: Some(upload.bucket),
        key: Some(upload.key),
        upload_id: Some(upload.id.to_string()),
        checksum_algorithm: input.checksum_algorithm,
        checksum_type: input.checksum_type,
        ..Default::default()
    }))
}

pub async fn list(
    api: &Api,
    request: S3Request<ListMultipartUploadsInput>,
) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
    let ListMultipartUploadsInput {
        bucket,
        delimiter,
        encoding_type,
        key_marker,
        max_uploads,
        prefix,
        upload_id_marker,
        ..
    } = request.input;
    let spelling = Spelling::of(encoding_type.as_ref())?;
    spelling.check(&[
        ("prefix", prefix.as_ref()),
        ("key-marker", key_marker.as_ref()),
        ("delimiter", delimiter.as_ref()),
    ])?;
    Spelling::PLAIN.check(&[("upload-id-marker", upload_id_marker.as_ref())])?;
    let found = api.app.list_object_uploads(&api.caller, &bucket).await.map_err(|error| api.refuse(error))?;
    let query = Query {
        prefix: prefix.as_deref().unwrap_or_default(),
        delimiter: delimiter.as_deref().filter(|delimiter| !delimiter.is_empty()),
        after_key: key_marker.as_deref().filter(|key| !key.is_empty()),
        after_id: upload_id_marker.as_deref().filter(|id| !id.is_empty()),
        limit: page_size(max_uploads)?,
    };
    let page = page(found, &query);
    let owner = api.owner();
    let entry = |upload: ObjectUpload| MultipartUpload {
        initiated: Some(timestamp(upload.created_ms)),
        initiator: Some(Initiator { id: owner.id.clone(), display_name: owner.display_name.clone() }),
        owner: Some(owner.clone()),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        upload_id: Some(upload.id.to_string()),
        key: Some(spelling.write(upload.key)),
        ..Default::default()
    };
    let (next_key, next_id) = page.next.unzip();
    Ok(S3Response::new(ListMultipartUploadsOutput {
        bucket: Some(bucket),
        is_truncated: Some(next_key.is_some()),
        next_key_marker: next_key.map(|key| spelling.write(key)),
        next_upload_id_marker: next_id,
        uploads: Some(page.uploads.into_iter().map(entry).collect()),
        common_prefixes: spelling.prefixes(page.prefixes),
        max_uploads: Some(max_uploads.unwrap_or(1000)),
        prefix: prefix.map(|prefix| spelling.write(prefix)),
        delimiter: delimiter.map(|delimiter| spelling.write(delimiter)),
        key_marker: Some(spelling.write(key_marker.unwrap_or_default())),
        upload_id_marker: Some(upload_id_marker.unwrap_or_default()),
        encoding_type,
        ..Default::default()
    }))
}

struct Query<'a> {
    prefix: &'a str,
    delimiter: Option<&'a str>,
    after_key: Option<&'a str>,
    after_id: Option<&'a str>,
    limit: usize,
}

#[derive(Default)]
struct Page {
    uploads: Vec<ObjectUpload>,
    prefixes: Vec<String>,
    /// Key and id that the next page comes after.
    next: Option<(String, String)>,
}

/// One page of uploads that are sorted by key and id.
fn page(found: Vec<ObjectUpload>, query: &Query<'_>) -> Page {
    let mut page = Page::default();
    let mut last = (String::new(), String::new());
    for upload in found {
        let Some(rest) = upload.key.strip_prefix(query.prefix) else { continue };
        let rolled_up = query.delimiter.and_then(|delimiter| {
            let end = query.prefix.len() + rest.find(delimiter)? + delimiter.len();
            Some(upload.key[..end].to_owned())
        });
        let name = rolled_up.as_deref().unwrap_or(&upload.key);
        let is_before = match (query.after_key, query.after_id) {
            (None, _) => false,
            (Some(key), Some(id)) if name == key && rolled_up.is_none() => upload.id.to_string().as_str() <= id,
            (Some(key), _) => name <= key,
        };
        if is_before || page.prefixes.last().is_some_and(|prefix| Some(prefix) == rolled_up.as_ref()) {
            continue;
        }
        if page.uploads.len() + page.prefixes.len() == query.limit {
            page.next = (query.limit > 0).then_some(last);
            return page;
        }
        match rolled_up {
            Some(prefix) => {
                last = (prefix.clone(), String::new());
                page.prefixes.push(prefix);
            }
            None => {
                last = (upload.key.clone(), upload.id.to_string());
                page.uploads.push(upload);
            }
        }
    }
    page
}

pub async fn abort(
    api: &Api,
    request: S3Request<AbortMultipartUploadInput>,
) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
    let AbortMultipartUploadInput { bucket, key, upload_id: id, if_match_initiated_time, .. } = request.input;
    if if_match_initiated_time.is_some() {
        return Err(refusal(S3ErrorCode::NotImplemented, "Giving up under a condition is not offered by this server."));
    }
    let id = upload_id(&id)?;
    let shown = api.app.show_object_upload(&api.caller, &id, &bucket, &key).await;
    shown.map_err(|error| api.refuse(error))?;
    api.app.abort_object_upload(&api.caller, &id).await.map_err(|error| api.refuse(error))?;
    Ok(S3Response::new(AbortMultipartUploadOutput::default()))
}

pub async fn complete(
    api: &Api,
    request: S3Request<CompleteMultipartUploadInput>,
) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
    let whole = WholeChecksums::of(&request.headers)?;
    let input = request.input;
    let expected = expected(input.if_match, input.if_none_match)?;
    let id = upload_id(&input.upload_id)?;
    let shown = api.app.show_object_upload(&api.caller, &id, &input.bucket, &input.key).await;
    let (_, stored) = shown.map_err(|error| api.refuse(error))?;
    let listed = listed(input.multipart_upload)?;
    let sizes = check_parts(&stored, &listed)?;
    let total_bytes: u64 = sizes.iter().sum();
    if input.mpu_object_size.is_some_and(|size| u64::try_from(size).ok() != Some(total_bytes)) {
        return Err(refusal(S3ErrorCode::InvalidRequest, format!("The listed parts have {total_bytes} bytes.")));
    }

    let work = Work { api: api.clone(), id, listed, sizes, whole, expected, bucket: input.bucket, key: input.key };
    if total_bytes < api.settings.slow_completion_bytes {
        return Ok(S3Response::new(work.put_together().await?));
    }
    let future = Box::pin(work.put_together());
    Ok(S3Response::new(CompleteMultipartUploadOutput { future: Some(future), ..Default::default() }))
}

/// All that completing an upload needs, once it is clear that it can be.
struct Work {
    api: Api,
    id: Id,
    listed: Vec<app::CompletedPart>,
    /// Of the listed parts, in their order.
    sizes: Vec<u64>,
    whole: WholeChecksums,
    expected: app::Expected,
    bucket: String,
    key: String,
}

impl Work {
    async fn put_together(self) -> S3Result<CompleteMultipartUploadOutput> {
        let Work { api, id, listed, sizes, whole, expected, bucket, key } = self;
        let composed = api.app.compose_object_upload(&api.caller, &id, listed).await;
        let composed = composed.map_err(|error| api.refuse(error))?;
        if !whole.is_empty() {
            let bytes = composed.bytes().await.map_err(|error| api.refuse(error))?;
            whole.check(&bytes, &sizes).await.map_err(|error| match error {
                CheckError::Reading(error) => api.refuse(error.into()),
                CheckError::Refused(refusal) => refusal,
            })?;
        }
        let object = composed.finish(expected).await.map_err(|error| api.refuse(error))?;
        Ok(CompleteMultipartUploadOutput {
            location: Some(format!("/{bucket}/{key}")),
            bucket: Some(bucket),
            key: Some(key),
            e_tag: Some(ETag::Strong(object.etag)),
            ..Default::default()
        })
    }
}

/// The parts as the client lists them.
fn listed(upload: Option<CompletedMultipartUpload>) -> S3Result<Vec<app::CompletedPart>> {
    let parts = upload.and_then(|upload| upload.parts).unwrap_or_default();
    if let Some(problem) = limits::problem("complete.parts", parts.len()) {
        return Err(refusal(S3ErrorCode::MalformedXML, format!("The list of parts {problem}.")));
    }
    let read = |part: CompletedPart| {
        let number = part.part_number.and_then(|number| u32::try_from(number).ok());
        let etag = part.e_tag.map(ETag::into_value);
        match (number, etag) {
            (Some(number), Some(etag)) => Ok(app::CompletedPart { number, etag }),
            _ => Err(refusal(S3ErrorCode::MalformedXML, "A listed part has a PartNumber and an ETag.")),
        }
    };
    parts.into_iter().map(read).collect()
}

/// Whether the listed parts can be put together. Answers how many bytes each of them has.
fn check_parts(stored: &[ObjectPart], listed: &[app::CompletedPart]) -> S3Result<Vec<u64>> {
    if !listed.windows(2).all(|pair| pair[0].number < pair[1].number) {
        return Err(refusal(S3ErrorCode::InvalidPartOrder, "Parts are listed in ascending order, each once."));
    }
    let mut sizes = Vec::with_capacity(listed.len());
    for (at, wanted) in listed.iter().enumerate() {
        let found = stored.binary_search_by_key(&wanted.number, |part| part.number).ok().map(|at| &stored[at]);
        let Some(part) = found.filter(|part| part.md5.to_string().eq_ignore_ascii_case(&wanted.etag)) else {
            return Err(refusal(
                S3ErrorCode::InvalidPart,
                format!("Part {} was not uploaded, or its entity tag is another than the one listed.", wanted.number),
            ));
        };
        let is_last = at + 1 == listed.len();
        if !is_last && let Some(problem) = limits::problem("part.bytes", part.size_bytes) {
            let text = format!("The number of bytes of part {}, which is not the last, {problem}.", part.number);
            return Err(refusal(S3ErrorCode::EntityTooSmall, text));
        }
        sizes.push(part.size_bytes);
    }
    Ok(sizes)
}
