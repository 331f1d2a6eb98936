//! A client that signs as the SDKs do, written from their documents and sharing no code with the door.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::Request;
use md5::{Digest, Md5};
use otaru_core::app::Secret;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha1::Sha1;
use sha2::Sha256;

use crate::wire::time::TimeFormat;

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const IN_PATH: &AsciiSet = &UNRESERVED.remove(b'/');

#[derive(Clone)]
pub struct Keys {
    pub id: String,
    pub secret: Secret,
    pub token: Option<String>,
}

impl Keys {
    pub fn new(id: &str, secret: &str) -> Keys {
        Keys { id: id.to_owned(), secret: Secret::new(secret), token: None }
    }
}

/// How a request is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    Not,
    /// Version 4 over the body's hash.
    V4,
    /// Version 4 without the body.
    V4Unsigned,
    /// Version 4 in chunks, each with a signature.
    V4Chunks,
    /// The same with a checksum behind the body.
    V4ChunksTrailer,
    /// Version 4 in chunks without signatures, with a checksum behind the body.
    V4UnsignedTrailer,
    V4Link,
    V2,
    V2Link,
    Obs,
    ObsLink,
}

impl Sign {
    pub const ALL: [Sign; 10] = [
        Sign::V4,
        Sign::V4Unsigned,
        Sign::V4Chunks,
        Sign::V4ChunksTrailer,
        Sign::V4UnsignedTrailer,
        Sign::V4Link,
        Sign::V2,
        Sign::V2Link,
        Sign::Obs,
        Sign::ObsLink,
    ];

    fn is_chunked(self) -> bool {
        matches!(self, Sign::V4Chunks | Sign::V4ChunksTrailer | Sign::V4UnsignedTrailer)
    }
}

/// A request before it is signed.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: &'static str,
    /// The path as it goes over the wire.
    pub path: String,
    /// Names and values, not escaped.
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    pub host: String,
    /// The bucket that the host stands for, when it does.
    pub virtual_bucket: Option<String>,
    /// How long a link is good for.
    pub expires_s: i64,
    pub chunk_bytes: usize,
    /// The region that version 4 signs for.
    pub region: &'static str,
}

pub fn escape(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

pub fn path(bucket: &str, key: &str) -> String {
    format!("/{bucket}/{}", utf8_percent_encode(key, IN_PATH))
}

pub fn md5_base64(bytes: &[u8]) -> String {
    STANDARD.encode(Md5::digest(bytes))
}

pub fn md5_hex(bytes: &[u8]) -> String {
    hex::encode(Md5::digest(bytes))
}

pub fn sha256_base64(bytes: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(bytes))
}

impl Call {
    pub fn new(method: &'static str, path: &str) -> Call {
        Call {
            method,
            path: path.to_owned(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Bytes::new(),
            host: "127.0.0.1:9000".to_owned(),
            virtual_bucket: None,
            expires_s: 300,
            chunk_bytes: 8192,
            region: "somewhere",
        }
    }

    pub fn get(path: &str) -> Call {
        Call::new("GET", path)
    }

    pub fn put(path: &str) -> Call {
        Call::new("PUT", path)
    }

    pub fn post(path: &str) -> Call {
        Call::new("POST", path)
    }

    pub fn delete(path: &str) -> Call {
        Call::new("DELETE", path)
    }

    pub fn head(path: &str) -> Call {
        Call::new("HEAD", path)
    }

    pub fn query(mut self, name: &str, value: &str) -> Call {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Call {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn body(mut self, body: impl AsRef<[u8]>) -> Call {
        self.body = Bytes::copy_from_slice(body.as_ref());
        self
    }

    /// Addresses the bucket by host name: `path` is then the object's.
    pub fn on_bucket_host(mut self, bucket: &str) -> Call {
        self.host = format!("{bucket}.obs.example.test:9000");
        self.virtual_bucket = Some(bucket.to_owned());
        self
    }

    pub fn sign(self, keys: &Keys, sign: Sign, now_ms: i64) -> Request<Body> {
        let (request, body) = self.prepare(keys, sign, now_ms);
        request.map(|()| Body::from(body))
    }

    /// The signed head, and the body as it goes over the wire.
    pub fn prepare(mut self, keys: &Keys, sign: Sign, now_ms: i64) -> (Request<()>, Vec<u8>) {
        if !matches!(sign, Sign::Obs | Sign::ObsLink) {
            for (name, _) in &mut self.headers {
                *name = name.replace("x-obs-", "x-amz-");
            }
        }
        let mut body = self.body.to_vec();
        match sign {
            Sign::Not => {}
            Sign::V4Link => self.sign_v4_link(keys, now_ms),
            Sign::V2 => self.sign_header("AWS", "x-amz-", keys, now_ms),
            Sign::Obs => self.sign_header("OBS", "x-obs-", keys, now_ms),
            Sign::V2Link => self.sign_link("AWSAccessKeyId", "x-amz-", keys, now_ms),
            Sign::ObsLink => self.sign_link("AccessKeyId", "x-obs-", keys, now_ms),
            _ => body = self.sign_v4(sign, keys, now_ms),
        }
        let pair = |(name, value): &(String, String)| match value.is_empty() {
            true => escape(name),
            false => format!("{}={}", escape(name), escape(value)),
        };
        let query: Vec<String> = self.query.iter().map(pair).collect();
        let target = if query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, query.join("&")) };
        let mut request = Request::builder().method(self.method).uri(target).header("host", &self.host);
        if !body.is_empty() || matches!(self.method, "PUT" | "POST") {
            request = request.header("content-length", body.len());
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        (request.body(()).unwrap(), body)
    }

    /// Method, MD5, type, date or end, vendor headers, resource: versions 2 and OBS.
    fn legacy_text(&self, prefix: &str, date: &str) -> String {
        let header = |name: &str| {
            let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
            found.map_or("", |(_, value)| value.as_str()).to_owned()
        };
        let mut own: Vec<(String, String)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
            .filter(|(name, _)| name.starts_with(prefix))
            .collect();
        own.sort();
        let own: String = own.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let mut selected: Vec<&(String, String)> = self
            .query
            .iter()
            .filter(|(name, _)| {
                [
                    "acl",
                    "delete",
                    "location",
                    "partNumber",
                    "uploadId",
                    "uploads",
                    "versionId",
                    "versioning",
                    "versions",
                ]
                .contains(&name.as_str())
                    || name.starts_with("response-")
                    || (prefix == "x-obs-" && name.starts_with(prefix))
            })
            .collect();
        selected.sort();
        let selected: Vec<String> = selected
            .iter()
            .map(|(name, value)| if value.is_empty() { name.clone() } else { format!("{name}={value}") })
            .collect();
        let bucket = self.virtual_bucket.as_ref().map(|bucket| format!("/{bucket}")).unwrap_or_default();
        let query = if selected.is_empty() { String::new() } else { format!("?{}", selected.join("&")) };
        let (md5, kind) = (header("content-md5"), header("content-type"));
        format!("{}\n{md5}\n{kind}\n{date}\n{own}{bucket}{}{query}", self.method, self.path)
    }

    fn sign_header(&mut self, scheme: &str, prefix: &str, keys: &Keys, now_ms: i64) {
        if let Some(token) = &keys.token {
            self.headers.push((format!("{prefix}security-token"), token.clone()));
        }
        let date = TimeFormat::Http.format(now_ms);
        self.headers.push(("date".to_owned(), date.clone()));
        let signature = hmac_sha1(keys.secret.expose(), &self.legacy_text(prefix, &date));
        self.headers.push(("authorization".to_owned(), format!("{scheme} {}:{signature}", keys.id)));
    }

    fn sign_link(&mut self, key_name: &str, prefix: &str, keys: &Keys, now_ms: i64) {
        if let Some(token) = &keys.token {
            self.query.push((format!("{prefix}security-token"), token.clone()));
        }
        let expires = (now_ms / 1000 + self.expires_s).to_string();
        let signature = hmac_sha1(keys.secret.expose(), &self.legacy_text(prefix, &expires));
        for (name, value) in [(key_name, keys.id.clone()), ("Expires", expires), ("Signature", signature)] {
            self.query.push((name.to_owned(), value));
        }
    }

    fn canonical_v4(&self, signed: &[(String, String)], payload: &str) -> String {
        let mut query: Vec<(String, String)> =
            self.query.iter().map(|(name, value)| (escape(name), escape(value))).collect();
        query.sort();
        let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let headers: String = signed.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        let names: Vec<&str> = signed.iter().map(|(name, _)| name.as_str()).collect();
        format!("{}\n{}\n{}\n{headers}\n{}\n{payload}", self.method, self.path, query.join("&"), names.join(";"))
    }

    /// Everything that is sent, in lower case and sorted.
    fn signed_headers(&self) -> Vec<(String, String)> {
        let mut signed: Vec<(String, String)> =
            self.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        signed.push(("host".to_owned(), self.host.clone()));
        signed.sort();
        signed
    }

    fn sign_v4_link(&mut self, keys: &Keys, now_ms: i64) {
        let scope = Scope::new(keys, self.region, now_ms);
        let signed = self.signed_headers();
        let names: Vec<&str> = signed.iter().map(|(name, _)| name.as_str()).collect();
        let mut parameters = vec![
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256".to_owned()),
            ("X-Amz-Credential", format!("{}/{}", keys.id, scope.scope)),
            ("X-Amz-Date", scope.time.clone()),
            ("X-Amz-Expires", self.expires_s.to_string()),
            ("X-Amz-SignedHeaders", names.join(";")),
        ];
        if let Some(token) = &keys.token {
            parameters.push(("X-Amz-Security-Token", token.clone()));
        }
        for (name, value) in parameters {
            self.query.push((name.to_owned(), value));
        }
        let signature = scope.sign_request(&self.canonical_v4(&signed, "UNSIGNED-PAYLOAD"));
        self.query.push(("X-Amz-Signature".to_owned(), signature));
    }

    /// Adds the headers and answers the body as it goes over the wire.
    fn sign_v4(&mut self, sign: Sign, keys: &Keys, now_ms: i64) -> Vec<u8> {
        let scope = Scope::new(keys, self.region, now_ms);
        let declared = |call: &Call| call.headers.iter().find(|(name, _)| name == "x-amz-content-sha256").cloned();
        let payload = match sign {
            Sign::V4Unsigned => "UNSIGNED-PAYLOAD".to_owned(),
            Sign::V4Chunks => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD".to_owned(),
            Sign::V4ChunksTrailer => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER".to_owned(),
            Sign::V4UnsignedTrailer => "STREAMING-UNSIGNED-PAYLOAD-TRAILER".to_owned(),
            _ => hex::encode(Sha256::digest(&self.body)),
        };
        let payload = match declared(self) {
            Some((_, declared)) => declared,
            None => {
                self.headers.push(("x-amz-content-sha256".to_owned(), payload.clone()));
                payload
            }
        };
        if sign.is_chunked() {
            self.headers.push(("x-amz-decoded-content-length".to_owned(), self.body.len().to_string()));
            self.headers.push(("content-encoding".to_owned(), "aws-chunked".to_owned()));
        }
        let has_trailer = matches!(sign, Sign::V4ChunksTrailer | Sign::V4UnsignedTrailer);
        if has_trailer {
            self.headers.push(("x-amz-trailer".to_owned(), "x-amz-checksum-sha256".to_owned()));
        }
        if let Some(token) = &keys.token {
            self.headers.push(("x-amz-security-token".to_owned(), token.clone()));
        }
        self.headers.push(("x-amz-date".to_owned(), scope.time.clone()));
        let signed = self.signed_headers();
        let names: Vec<&str> = signed.iter().map(|(name, _)| name.as_str()).collect();
        let signature = scope.sign_request(&self.canonical_v4(&signed, &payload));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={signature}",
            keys.id,
            scope.scope,
            names.join(";")
        );
        self.headers.push(("authorization".to_owned(), authorization));
        if !sign.is_chunked() {
            return self.body.to_vec();
        }
        let is_signed = sign != Sign::V4UnsignedTrailer;
        let mut body = Vec::new();
        let mut previous = signature;
        let last: &[u8] = &[];
        for chunk in self.body.chunks(self.chunk_bytes).chain([last]) {
            if is_signed {
                previous = scope.sign_chunk(&previous, chunk);
                body.extend_from_slice(format!("{:x};chunk-signature={previous}\r\n", chunk.len()).as_bytes());
            } else {
                body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            }
            body.extend_from_slice(chunk);
            if !chunk.is_empty() || !has_trailer {
                body.extend_from_slice(b"\r\n");
            }
        }
        if has_trailer {
            let trailer = format!("x-amz-checksum-sha256:{}", sha256_base64(&self.body));
            body.extend_from_slice(format!("{trailer}\r\n").as_bytes());
            if is_signed {
                let signature = scope.sign_trailer(&previous, &format!("{trailer}\n"));
                body.extend_from_slice(format!("x-amz-trailer-signature:{signature}\r\n").as_bytes());
            }
            body.extend_from_slice(b"\r\n");
        }
        body
    }
}

/// The day's key and what it is for.
struct Scope {
    time: String,
    scope: String,
    key: Vec<u8>,
}

impl Scope {
    fn new(keys: &Keys, region: &str, now_ms: i64) -> Scope {
        let time = TimeFormat::Compact.format(now_ms);
        let day = &time[..8];
        let mut key = format!("AWS4{}", keys.secret.expose()).into_bytes();
        for part in [day, region, "s3", "aws4_request"] {
            key = hmac_sha256(&key, part);
        }
        Scope { scope: format!("{day}/{region}/s3/aws4_request"), time, key }
    }

    fn sign_request(&self, canonical: &str) -> String {
        let hash = hex::encode(Sha256::digest(canonical));
        hex::encode(hmac_sha256(&self.key, &format!("AWS4-HMAC-SHA256\n{}\n{}\n{hash}", self.time, self.scope)))
    }

    fn sign_chunk(&self, previous: &str, chunk: &[u8]) -> String {
        let (empty, hash) = (hex::encode(Sha256::digest(b"")), hex::encode(Sha256::digest(chunk)));
        let text = format!("AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{previous}\n{empty}\n{hash}", self.time, self.scope);
        hex::encode(hmac_sha256(&self.key, &text))
    }

    fn sign_trailer(&self, previous: &str, trailers: &str) -> String {
        let hash = hex::encode(Sha256::digest(trailers));
        let text = format!("AWS4-HMAC-SHA256-TRAILER\n{}\n{}\n{previous}\n{hash}", self.time, self.scope);
        hex::encode(hmac_sha256(&self.key, &text))
    }
}

fn hmac_sha256(key: &[u8], text: &str) -> Vec<u8> {
    let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap();
    mac.chain_update(text).finalize().into_bytes().to_vec()
}

fn hmac_sha1(secret: &str, text: &str) -> String {
    let mac = <Hmac<Sha1> as KeyInit>::new_from_slice(secret.as_bytes()).unwrap();
    STANDARD.encode(mac.chain_update(text).finalize().into_bytes())
}
