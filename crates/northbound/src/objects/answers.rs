//! Answers on their way out: the request's id, the missing parts of an error's text, and the words of OBS.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use quick_xml::escape::escape;
use s3s::{Body, S3Result};

use super::auth::Dialect;
use super::error::WRONG_SIGNATURE;

const ERROR_END: &[u8] = b"</Error>";
const MESSAGE_START: &[u8] = b"<Message>";
const DECLARATION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
const S3_NAMES: &str = r#"xmlns="http://s3.amazonaws.com/doc/2006-03-01/""#;
const OBS_NAMES: &str = r#"xmlns="http://obs.myhwclouds.com/doc/2015-06-30/""#;

/// What of a request its answer needs.
pub struct Asked<'a> {
    request_id: &'a str,
    /// The path as it was sent.
    resource: String,
    is_head: bool,
    /// Whether buckets or their location are asked for, whose answers OBS spells differently.
    speaks_of_regions: bool,
    /// Whether one of the OBS SDKs asks, which in path style sign as clients of AWS do.
    is_obs_sdk: bool,
}

impl<'a> Asked<'a> {
    pub fn of(parts: &Parts, virtual_bucket: Option<&str>, request_id: &'a str) -> Asked<'a> {
        let query = parts.uri.query().unwrap_or_default();
        let asks_location = form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "location");
        let asks_buckets = parts.uri.path() == "/" && virtual_bucket.is_none();
        Asked {
            request_id,
            resource: parts.uri.path().to_owned(),
            is_head: parts.method == Method::HEAD,
            speaks_of_regions: parts.method == Method::GET && (asks_location || asks_buckets),
            is_obs_sdk: parts.headers.get(USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"obs-sdk-")),
        }
    }

    /// The answer to a client of OBS that asks which signatures it may use: its own.
    pub fn probe(&self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        response.headers_mut().insert("x-obs-api", HeaderValue::from_static("3.0"));
        self.add_ids(response.headers_mut(), Dialect::Obs);
        response
    }

    pub fn finish(&self, result: S3Result<Response<Body>>, dialect: Dialect) -> Response<Body> {
        let response = result.or_else(|error| error.to_http_response());
        let mut response = response.unwrap_or_else(|_| {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        });
        if response.status().is_client_error() || response.status().is_server_error() {
            self.complete_error(&mut response);
        }
        if self.is_head && response.headers().contains_key(CONTENT_RANGE) && response.status() == StatusCode::OK {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        if dialect == Dialect::Obs {
            rename_headers(response.headers_mut());
        }
        if self.speaks_of_regions && (dialect == Dialect::Obs || self.is_obs_sdk) {
            rename_regions(&mut response, dialect);
        }
        // Neither has a body, and the length of the one that was left out would be taken for the object's.
        if response.status() == StatusCode::NOT_MODIFIED || (self.is_head && !response.status().is_success()) {
            *response.body_mut() = Body::empty();
            response.headers_mut().remove(CONTENT_LENGTH);
            response.headers_mut().remove("content-type");
        }
        self.add_ids(response.headers_mut(), dialect);
        response
    }

    fn add_ids(&self, headers: &mut HeaderMap, dialect: Dialect) {
        let [id, host] = match dialect {
            Dialect::S3 => ["x-amz-request-id", "x-amz-id-2"],
            Dialect::Obs => ["x-obs-request-id", "x-obs-id-2"],
        };
        if let Ok(value) = HeaderValue::from_str(self.request_id) {
            headers.insert(HeaderName::from_static(id), value.clone());
            headers.insert(HeaderName::from_static(host), value);
        }
    }

    /// Why, where the S3 service says only the code; what was asked for; and by which id it is found in the log.
    fn complete_error(&self, response: &mut Response<Body>) {
        let Some(text) = response.body().bytes() else { return };
        let Some(start) = text.strip_suffix(ERROR_END) else { return };
        let id = self.request_id;
        let message = match has_message(start) {
            true => String::new(),
            false => format!("<Message>{}</Message>", escape(message_of(start))),
        };
        let rest = format!(
            "{message}<Resource>{}</Resource><RequestId>{id}</RequestId><HostId>{id}</HostId></Error>",
            escape(self.resource.as_str())
        );
        *response.body_mut() = Body::from(Bytes::from([start, rest.as_bytes()].concat()));
    }
}

fn has_message(error: &[u8]) -> bool {
    error.windows(MESSAGE_START.len()).any(|window| window == MESSAGE_START)
}

/// What the S3 service refuses without a word.
fn message_of(error: &[u8]) -> &'static str {
    let text = std::str::from_utf8(error).unwrap_or_default();
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map(|(code, _)| code);
    match code {
        Some("SignatureDoesNotMatch") => WRONG_SIGNATURE,
        Some("InvalidBucketName") => {
            "A bucket's name is 3 to 63 lower-case letters, digits, `-` and `.`, begins and ends with a letter or digit, and is \
             no IP address."
        }
        Some("KeyTooLongError") => "A key has at most 1,024 bytes of UTF-8.",
        Some("InvalidURI") => "The path or the query is no escaped UTF-8.",
        Some("MalformedXML") => "The body is not the XML that this operation wants.",
        Some("MissingRequestBodyError") => "This operation wants a body of XML.",
        Some("MissingContentLength") => "The request has to say how long its body is.",
        Some("MethodNotAllowed") => "The method does not fit what the path names.",
        _ => "The request cannot be carried out as it is.",
    }
}

/// `x-amz-` headers become the `x-obs-` headers that an OBS client looks for.
fn rename_headers(headers: &mut HeaderMap) {
    let names: Vec<HeaderName> = headers.keys().filter(|name| name.as_str().starts_with("x-amz-")).cloned().collect();
    for name in names {
        let renamed = match name.as_str() {
            "x-amz-bucket-region" => "x-obs-bucket-location".to_owned(),
            other => format!("x-obs-{}", &other["x-amz-".len()..]),
        };
        if let (Some(value), Ok(renamed)) = (headers.remove(&name), HeaderName::try_from(renamed)) {
            headers.insert(renamed, value);
        }
    }
}

/// OBS calls the region of a bucket its location. Asked for it alone, it answers it as the root element's own text or, to a
/// client that signs as those of AWS do, inside what such a client creates buckets with.
fn rename_regions(response: &mut Response<Body>, dialect: Dialect) {
    let Some(text) = response.body().bytes() else { return };
    let Ok(text) = std::str::from_utf8(&text) else { return };
    let renamed = match (region_in(text), dialect) {
        (Some(region), Dialect::Obs) => format!("{DECLARATION}<Location {OBS_NAMES}>{region}</Location>"),
        (Some(region), Dialect::S3) => format!(
            "{DECLARATION}<CreateBucketConfiguration {S3_NAMES}><LocationConstraint>{region}</LocationConstraint>\
             </CreateBucketConfiguration>"
        ),
        (None, _) => text.replace("BucketRegion", "Location"),
    };
    *response.body_mut() = Body::from(Bytes::from(renamed));
}

/// The region in S3's answer for one bucket, still escaped.
fn region_in(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("<LocationConstraint")?;
    let (_, rest) = rest.split_once('>')?;
    rest.split_once("</LocationConstraint>").map(|(region, _)| region)
}
