//! What is kept beside the bytes of an object: headers, user metadata and checksums, in the object's `extra`.

use otaru_model::Object;
use s3s::dto::{ETag, Metadata, Timestamp, TimestampFormat};
use s3s::{S3ErrorCode, S3Result};
use serde_json::{Map, Value};

use super::error::refusal;
use super::limits;

const HEADERS: &str = "headers";
const METADATA: &str = "metadata";
const CHECKSUMS: &str = "checksums";

/// The headers of an object that come back as they were sent, besides its content type.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    pub cache_control: Option<String>,
    pub content_disposition: Option<String>,
    pub content_encoding: Option<String>,
    pub content_language: Option<String>,
    pub expires: Option<Timestamp>,
    pub metadata: Option<Metadata>,
    pub checksums: Checksums,
}

/// Base64 digests by their algorithm's name in lower case.
pub type Checksums = Map<String, Value>;

impl Kept {
    /// Whether the user metadata is short enough to be kept.
    pub fn check(&self) -> S3Result<()> {
        let bytes: usize = self.metadata.iter().flatten().map(|(name, value)| name.len() + value.len()).sum();
        match limits::problem("metadata.bytes", bytes) {
            Some(problem) => Err(refusal(
                S3ErrorCode::MetadataTooLarge,
                format!("The number of bytes of all user metadata, names and values, {problem}."),
            )),
            None => Ok(()),
        }
    }

    /// As an object's `extra`.
    pub fn into_extra(self) -> Map<String, Value> {
        let mut headers = Map::new();
        let expires = self.expires.and_then(|at| {
            let mut text = Vec::new();
            at.format(TimestampFormat::HttpDate, &mut text).ok()?;
            String::from_utf8(text).ok()
        });
        let fields = [
            ("cache-control", self.cache_control),
            ("content-disposition", self.content_disposition),
            ("content-encoding", self.content_encoding.and_then(|encoding| without_framing(&encoding))),
            ("content-language", self.content_language),
            ("expires", expires),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                headers.insert(name.to_owned(), Value::String(value));
            }
        }
        let metadata: Map<String, Value> =
            self.metadata.unwrap_or_default().into_iter().map(|(name, value)| (name, Value::String(value))).collect();
        let mut extra = Map::new();
        for (name, member) in [(HEADERS, headers), (METADATA, metadata), (CHECKSUMS, self.checksums)] {
            if !member.is_empty() {
                extra.insert(name.to_owned(), Value::Object(member));
            }
        }
        extra
    }

    pub fn of(object: &Object) -> Kept {
        let header = |name: &str| member(object, HEADERS).and_then(|headers| text(headers.get(name)?));
        let metadata = member(object, METADATA).map(|metadata| {
            metadata.iter().filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect::<Metadata>()
        });
        Kept {
            cache_control: header("cache-control"),
            content_disposition: header("content-disposition"),
            content_encoding: header("content-encoding"),
            content_language: header("content-language"),
            expires: header("expires").and_then(|text| Timestamp::parse(TimestampFormat::HttpDate, &text).ok()),
            metadata,
            checksums: member(object, CHECKSUMS).cloned().unwrap_or_default(),
        }
    }
}

/// `aws-chunked` says how the body was sent, not what the object is.
fn without_framing(encoding: &str) -> Option<String> {
    let kept: Vec<&str> = encoding
        .split(',')
        .map(str::trim)
        .filter(|one| !one.is_empty() && !one.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

pub fn etag_of(object: &Object) -> ETag {
    ETag::Strong(object.etag.clone())
}

/// The type that is answered for an object that was put without one.
pub fn content_type_of(object: &Object) -> String {
    object.content_type.clone().unwrap_or_else(|| "binary/octet-stream".to_owned())
}

fn member<'a>(object: &'a Object, name: &str) -> Option<&'a Map<String, Value>> {
    object.extra.get(name).and_then(Value::as_object)
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_framing_is_no_encoding_of_the_object() {
        assert_eq!(without_framing("aws-chunked"), None);
        assert_eq!(without_framing("aws-chunked, gzip").as_deref(), Some("gzip"));
        assert_eq!(without_framing("gzip,AWS-chunked,br").as_deref(), Some("gzip,br"));
        assert_eq!(without_framing(""), None);
    }
}
