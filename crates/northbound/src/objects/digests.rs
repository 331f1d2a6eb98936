//! Digests that the client declares: in headers before the body, or in trailers behind it.

use http::HeaderMap;
use md5::{Digest, Md5 as Md5Hasher};
use otaru_model::Md5;
use s3s::checksum::ChecksumHasher;
use s3s::dto::Checksum;
use s3s::{S3ErrorCode, S3Request, S3Result};
use serde_json::Value;
use sha2::Sha256;

use super::bodies::{Payload, Trailers, md5_in, wrong_sha256};
use super::error::refusal;
use super::stored::Checksums;

const PREFIX: &str = "x-amz-checksum-";
/// What begins like a checksum and is none.
const NO_CHECKSUMS: [&str; 3] = ["algorithm", "type", "mode"];
pub const ALGORITHMS: [&str; 5] = ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"];

/// What the bytes of an object or a part have to be.
#[derive(Default)]
pub struct Declared {
    /// The app compares it as well, but only when the bytes are a blob already.
    pub md5: Option<Md5>,
    md5_hasher: Option<Md5Hasher>,
    /// Algorithm and digest in Base64; `None` where it comes as a trailer.
    checksums: Vec<(&'static str, Option<String>)>,
    /// The digest that was signed, and ours so far.
    payload: Option<([u8; 32], Sha256)>,
    trailers: Option<Trailers>,
    hasher: ChecksumHasher,
}

impl Declared {
    pub fn of<T>(request: &S3Request<T>) -> S3Result<Declared> {
        let headers = &request.headers;
        let in_headers = declared_in(headers)?.into_iter();
        let mut checksums: Vec<_> = in_headers.map(|(algorithm, digest)| (algorithm, Some(digest))).collect();
        for algorithm in in_trailers(headers)? {
            checksums.push((known(&algorithm)?, None));
        }
        let hasher = hasher_for(&checksums.iter().map(|(algorithm, _)| *algorithm).collect::<Vec<_>>());
        let md5 = md5_in(headers)?.map(Md5);
        let payload = match Payload::of(headers)? {
            Payload::Hash(declared) => Some((declared, Sha256::new())),
            Payload::Unsigned | Payload::Chunked { .. } => None,
        };
        Ok(Declared {
            md5,
            md5_hasher: md5.map(|_| Md5Hasher::new()),
            checksums,
            payload,
            trailers: request.extensions.get::<Trailers>().cloned(),
            hasher,
        })
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        if let Some(hasher) = &mut self.md5_hasher {
            hasher.update(bytes);
        }
        if let Some((_, hasher)) = &mut self.payload {
            hasher.update(bytes);
        }
    }

    /// Compares what came with what was declared, when all bytes are there. Answers the checksums.
    pub fn check(self) -> S3Result<Checksums> {
        if let (Some(declared), Some(hasher)) = (self.md5, self.md5_hasher)
            && <[u8; 16]>::from(hasher.finalize()) != declared.0
        {
            return Err(refusal(S3ErrorCode::BadDigest, "The body has another MD5 than Content-MD5 declares."));
        }
        if let Some((declared, hasher)) = self.payload
            && declared != <[u8; 32]>::from(hasher.finalize())
        {
            return Err(wrong_sha256());
        }
        let ours = self.hasher.finalize();
        let mut checked = Checksums::new();
        for (algorithm, declared) in self.checksums {
            let declared = match declared {
                Some(declared) => declared,
                None => trailer(self.trailers.as_ref(), algorithm)?,
            };
            let computed = of_algorithm(&ours, algorithm).unwrap_or_default();
            if computed != declared.trim() {
                let text = format!("The body has another {algorithm} than the request declares.");
                return Err(refusal(S3ErrorCode::BadDigest, text));
            }
            checked.insert(algorithm.to_owned(), Value::String(computed));
        }
        Ok(checked)
    }
}

/// The checksums in headers: algorithm and digest in Base64.
pub fn declared_in(headers: &HeaderMap) -> S3Result<Vec<(&'static str, String)>> {
    let mut checksums = Vec::new();
    for (name, value) in headers {
        let Some(algorithm) = name.as_str().strip_prefix(PREFIX) else { continue };
        if !NO_CHECKSUMS.contains(&algorithm) {
            let value = value.to_str().map_err(|_| not_known(name.as_str()))?;
            checksums.push((known(algorithm)?, value.to_owned()));
        }
    }
    Ok(checksums)
}

pub fn hasher_for(algorithms: &[&str]) -> ChecksumHasher {
    let has = |name: &str| algorithms.contains(&name);
    ChecksumHasher {
        crc32: has("crc32").then(Default::default),
        crc32c: has("crc32c").then(Default::default),
        crc64nvme: has("crc64nvme").then(Default::default),
        sha1: has("sha1").then(Default::default),
        sha256: has("sha256").then(Default::default),
    }
}

/// The algorithms whose digests were announced to follow the body.
fn in_trailers(headers: &HeaderMap) -> S3Result<Vec<String>> {
    let mut algorithms = Vec::new();
    for value in headers.get_all("x-amz-trailer") {
        let value = value.to_str().map_err(|_| not_known("x-amz-trailer"))?;
        let names = value.split(',').map(|name| name.trim().to_ascii_lowercase());
        algorithms.extend(names.filter_map(|name| name.strip_prefix(PREFIX).map(str::to_owned)));
    }
    Ok(algorithms)
}

fn trailer(trailers: Option<&Trailers>, algorithm: &str) -> S3Result<String> {
    let found = trailers.and_then(|trailers| trailers.get(&format!("{PREFIX}{algorithm}")));
    found.map(str::to_owned).ok_or_else(|| {
        refusal(S3ErrorCode::IncompleteBody, format!("The {algorithm} that was announced does not follow the body."))
    })
}

fn known(algorithm: &str) -> S3Result<&'static str> {
    let found = ALGORITHMS.into_iter().find(|known| *known == algorithm);
    found.ok_or_else(|| not_known(&format!("{PREFIX}{algorithm}")))
}

fn not_known(name: &str) -> s3s::S3Error {
    let known = ALGORITHMS.join(", ");
    refusal(S3ErrorCode::InvalidRequest, format!("`{name}` is not understood; the checksums known here are {known}."))
}

/// The digest of one algorithm, in Base64.
pub fn of_algorithm(checksum: &Checksum, algorithm: &str) -> Option<String> {
    match algorithm {
        "crc32" => checksum.checksum_crc32.clone(),
        "crc32c" => checksum.checksum_crc32c.clone(),
        "crc64nvme" => checksum.checksum_crc64nvme.clone(),
        "sha1" => checksum.checksum_sha1.clone(),
        "sha256" => checksum.checksum_sha256.clone(),
        _ => None,
    }
}

/// The checksum of one algorithm, as an answer holds it.
pub fn text(checksums: &Checksums, algorithm: &str) -> Option<String> {
    checksums.get(algorithm).and_then(Value::as_str).map(str::to_owned)
}
