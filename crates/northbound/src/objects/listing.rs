//! Listings of objects: both versions, and the list of versions that tools ask for before they empty a bucket.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use otaru_core::app::{Listing, ObjectQuery};
use otaru_model::Object;
use s3s::dto::*;
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use crate::wire::percent::push_encoded_path;

use super::api::Api;
use super::buckets::{page_size, timestamp};
use super::error::refusal;
use super::limits::KEY;
use super::stored::etag_of;

/// How keys are written: as they are, or escaped for clients that cannot trust XML with them.
pub struct Spelling {
    is_escaped: bool,
}

impl Spelling {
    /// For what is never escaped.
    pub const PLAIN: Spelling = Spelling { is_escaped: false };

    pub fn of(encoding: Option<&EncodingType>) -> S3Result<Spelling> {
        match encoding.map(EncodingType::as_str) {
            None | Some("") => Ok(Spelling::PLAIN),
            Some("url") => Ok(Spelling { is_escaped: true }),
            Some(_) => Err(refusal(S3ErrorCode::InvalidArgument, "encoding-type can only be url.")),
        }
    }

    pub fn write(&self, text: String) -> String {
        if !self.is_escaped {
            return text;
        }
        let mut escaped = String::with_capacity(text.len());
        push_encoded_path(&mut escaped, text.as_bytes());
        escaped
    }

    /// Refuses what a request asks for when the answer would have to repeat what no XML can say. No key has such characters, so
    /// nothing is withheld.
    pub fn check(&self, asked: &[(&str, Option<&String>)]) -> S3Result<()> {
        let is_unfit = |text: &&String| !self.is_escaped && text.chars().any(|letter| !(KEY.contains)(letter));
        match asked.iter().find(|(_, text)| text.as_ref().is_some_and(is_unfit)) {
            None => Ok(()),
            Some((name, _)) => {
                let text = format!(
                    "{name} has a character that XML cannot carry; no key has one. Ask with encoding-type=url."
                );
                Err(refusal(S3ErrorCode::InvalidArgument, text))
            }
        }
    }

    pub fn prefixes(&self, prefixes: Vec<String>) -> Option<Vec<CommonPrefix>> {
        let entry = |prefix| CommonPrefix { prefix: Some(self.write(prefix)) };
        (!prefixes.is_empty()).then(|| prefixes.into_iter().map(entry).collect())
    }
}

/// A page, empty if nothing was asked for.
async fn page(api: &Api, query: ObjectQuery) -> S3Result<Listing> {
    if query.limit == 0 {
        let found = api.app.show_bucket(&api.caller, &query.bucket).await;
        return found.map(|_| Listing::default()).map_err(|error| api.refuse(error));
    }
    api.app.list_objects(&api.caller, query).await.map_err(|error| api.refuse(error))
}

fn entries(listing: Vec<Object>, spelling: &Spelling, owner: Option<&Owner>) -> Vec<s3s::dto::Object> {
    let entry = |object: Object| s3s::dto::Object {
        e_tag: Some(etag_of(&object)),
        last_modified: Some(timestamp(object.modified_ms)),
        owner: owner.cloned(),
        size: i64::try_from(object.size_bytes).ok(),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        key: Some(spelling.write(object.key)),
        ..Default::default()
    };
    listing.into_iter().map(entry).collect()
}

pub async fn list(api: &Api, request: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
    let ListObjectsInput { bucket, delimiter, encoding_type, marker, max_keys, prefix, .. } = request.input;
    let spelling = Spelling::of(encoding_type.as_ref())?;
    spelling.check(&[("prefix", prefix.as_ref()), ("marker", marker.as_ref()), ("delimiter", delimiter.as_ref())])?;
    let query = ObjectQuery {
        bucket: bucket.clone(),
        prefix: prefix.clone().unwrap_or_default(),
        after: marker.clone().unwrap_or_default(),
        delimiter: delimiter.clone(),
        limit: page_size(max_keys)?,
    };
    let listing = page(api, query).await?;
    Ok(S3Response::new(ListObjectsOutput {
        name: Some(bucket),
        prefix: Some(spelling.write(prefix.unwrap_or_default())),
        marker: Some(spelling.write(marker.unwrap_or_default())),
        max_keys: Some(max_keys.unwrap_or(1000)),
        is_truncated: Some(listing.next_after.is_some()),
        // S3 names it only where there is a delimiter; OBS always does, and it is right for both.
        next_marker: listing.next_after.map(|key| spelling.write(key)),
        contents: Some(entries(listing.objects, &spelling, Some(&api.owner()))),
        common_prefixes: spelling.prefixes(listing.prefixes),
        delimiter: delimiter.map(|delimiter| spelling.write(delimiter)),
        encoding_type,
        ..Default::default()
    }))
}

pub async fn list_v2(api: &Api, request: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
    let ListObjectsV2Input {
        bucket,
        continuation_token,
        delimiter,
        encoding_type,
        fetch_owner,
        max_keys,
        prefix,
        start_after,
        ..
    } = request.input;
    let spelling = Spelling::of(encoding_type.as_ref())?;
    spelling.check(&[
        ("prefix", prefix.as_ref()),
        ("start-after", start_after.as_ref()),
        ("delimiter", delimiter.as_ref()),
    ])?;
    let after = match &continuation_token {
        Some(token) => key_in(token)?,
        None => start_after.clone().unwrap_or_default(),
    };
    let query = ObjectQuery {
        bucket: bucket.clone(),
        prefix: prefix.clone().unwrap_or_default(),
        after,
        delimiter: delimiter.clone(),
        limit: page_size(max_keys)?,
    };
    let listing = page(api, query).await?;
    let owner = fetch_owner.unwrap_or(false).then(|| api.owner());
    Ok(S3Response::new(ListObjectsV2Output {
        name: Some(bucket),
        prefix: Some(spelling.write(prefix.unwrap_or_default())),
        max_keys: Some(max_keys.unwrap_or(1000)),
        key_count: i32::try_from(listing.objects.len() + listing.prefixes.len()).ok(),
        continuation_token,
        is_truncated: Some(listing.next_after.is_some()),
        next_continuation_token: listing.next_after.map(|key| URL_SAFE_NO_PAD.encode(key)),
        contents: Some(entries(listing.objects, &spelling, owner.as_ref())),
        common_prefixes: spelling.prefixes(listing.prefixes),
        delimiter: delimiter.map(|delimiter| spelling.write(delimiter)),
        encoding_type,
        start_after: start_after.map(|key| spelling.write(key)),
        ..Default::default()
    }))
}

/// The key that a continuation token stands for; tokens can hold any key, also one that XML cannot.
fn key_in(token: &str) -> S3Result<String> {
    let key = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    key.ok_or_else(|| refusal(S3ErrorCode::InvalidArgument, "The continuation token is not one of this server's."))
}

/// Each object in its only version, which S3 calls `null`.
pub async fn list_versions(
    api: &Api,
    request: S3Request<ListObjectVersionsInput>,
) -> S3Result<S3Response<ListObjectVersionsOutput>> {
    let ListObjectVersionsInput {
        bucket,
        delimiter,
        encoding_type,
        key_marker,
        max_keys,
        prefix,
        version_id_marker,
        ..
    } = request.input;
    let spelling = Spelling::of(encoding_type.as_ref())?;
    spelling.check(&[
        ("prefix", prefix.as_ref()),
        ("key-marker", key_marker.as_ref()),
        ("delimiter", delimiter.as_ref()),
    ])?;
    Spelling::PLAIN.check(&[("version-id-marker", version_id_marker.as_ref())])?;
    let query = ObjectQuery {
        bucket: bucket.clone(),
        prefix: prefix.clone().unwrap_or_default(),
        after: key_marker.clone().unwrap_or_default(),
        delimiter: delimiter.clone(),
        limit: page_size(max_keys)?,
    };
    let listing = page(api, query).await?;
    let owner = api.owner();
    let entry = |object: Object| ObjectVersion {
        e_tag: Some(etag_of(&object)),
        is_latest: Some(true),
        last_modified: Some(timestamp(object.modified_ms)),
        owner: Some(owner.clone()),
        size: i64::try_from(object.size_bytes).ok(),
        storage_class: Some(ObjectVersionStorageClass::from_static(ObjectVersionStorageClass::STANDARD)),
        version_id: Some("null".to_owned()),
        key: Some(spelling.write(object.key)),
        ..Default::default()
    };
    Ok(S3Response::new(ListObjectVersionsOutput {
        name: Some(bucket),
        prefix: Some(spelling.write(prefix.unwrap_or_default())),
        key_marker: Some(spelling.write(key_marker.unwrap_or_default())),
        version_id_marker: Some(version_id_marker.unwrap_or_default()),
        max_keys: Some(max_keys.unwrap_or(1000)),
        is_truncated: Some(listing.next_after.is_some()),
        next_version_id_marker: listing.next_after.is_some().then(|| "null".to_owned()),
        next_key_marker: listing.next_after.map(|key| spelling.write(key)),
        versions: Some(listing.objects.into_iter().map(entry).collect()),
        common_prefixes: spelling.prefixes(listing.prefixes),
        delimiter: delimiter.map(|delimiter| spelling.write(delimiter)),
        encoding_type,
        ..Default::default()
    }))
}
