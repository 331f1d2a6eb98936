//! Preconditions (RFC 9110 §13), as S3 evaluates them: a matching entity tag outweighs a time.

use std::time::{Duration, UNIX_EPOCH};

use http::HeaderMap;
use http::header::{ETAG, HeaderValue, LAST_MODIFIED};
use otaru_core::app::Expected;
use otaru_model::Object;
use s3s::dto::{ETagCondition, Timestamp};
use s3s::{S3ErrorCode, S3Result};

use crate::wire::time::TimeFormat;

use super::error::refusal;
use super::stored::etag_of;

/// The preconditions of a request that reads.
#[derive(Default)]
pub struct Conditions {
    pub if_match: Option<ETagCondition>,
    pub if_none_match: Option<ETagCondition>,
    pub if_modified_since: Option<Timestamp>,
    pub if_unmodified_since: Option<Timestamp>,
}

impl Conditions {
    /// Fails with 412 or, where the client has the object already, with `unchanged`: 304 for reading, 412 for copying.
    pub fn check(&self, object: &Object, unchanged: S3ErrorCode) -> S3Result<()> {
        let modified = Timestamp::from(UNIX_EPOCH + Duration::from_secs(object.modified_ms.max(0) as u64 / 1000));
        let failed = match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) => !matches_strongly(condition, object),
            (None, Some(since)) => modified > *since,
            (None, None) => false,
        };
        if failed {
            return Err(refusal(S3ErrorCode::PreconditionFailed, "The object is another than the request wants."));
        }
        let is_unchanged = match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) => matches_weakly(condition, object),
            (None, Some(since)) => modified <= *since,
            (None, None) => false,
        };
        if !is_unchanged {
            return Ok(());
        }
        let mut error = refusal(unchanged, "The object is the one that the request does not want.");
        let mut headers = HeaderMap::new();
        if let Ok(etag) = HeaderValue::try_from(format!("\"{}\"", object.etag)) {
            headers.insert(ETAG, etag);
        }
        if let Ok(modified) = HeaderValue::try_from(TimeFormat::Http.format(object.modified_ms)) {
            headers.insert(LAST_MODIFIED, modified);
        }
        error.set_headers(headers);
        Err(error)
    }
}

fn matches_strongly(condition: &ETagCondition, object: &Object) -> bool {
    condition.as_etag().is_none_or(|etag| etag.strong_cmp(&etag_of(object)))
}

fn matches_weakly(condition: &ETagCondition, object: &Object) -> bool {
    condition.as_etag().is_none_or(|etag| etag.weak_cmp(&etag_of(object)))
}

/// What a key must hold for an object to be put there; the app checks it in the transaction that puts it.
pub fn expected(if_match: Option<ETagCondition>, if_none_match: Option<ETagCondition>) -> S3Result<Expected> {
    match (if_match, if_none_match) {
        (None, None) => Ok(Expected::Anything),
        (None, Some(ETagCondition::Any)) => Ok(Expected::Nothing),
        (Some(ETagCondition::Any), None) => Ok(Expected::Something),
        (Some(ETagCondition::ETag(etag)), None) => Ok(Expected::Etag(etag.into_value())),
        _ => Err(refusal(
            S3ErrorCode::NotImplemented,
            "An object is put with If-Match, or with If-None-Match and `*`; nothing else is offered.",
        )),
    }
}
