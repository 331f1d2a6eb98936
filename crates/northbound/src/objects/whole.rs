//! The checksum of a whole object that arrived in parts, which some clients declare when they complete it: of all its bytes,
//! or of the parts' checksums.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::TryStreamExt;
use http::HeaderMap;
use otaru_core::blobs::{BlobError, BlobReader};
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::digests::{declared_in, hasher_for, of_algorithm};
use super::error::refusal;

/// What was declared.
pub struct WholeChecksums {
    /// Algorithm and digest in Base64, that of a composite with or without `-` and the number of parts behind it.
    declared: Vec<(&'static str, String)>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Over all bytes.
    FullObject,
    /// Over the checksums of the parts.
    Composite,
    /// The client did not say which, so either will do.
    Either,
}

/// Why a checksum was not found right.
pub enum CheckError {
    Reading(BlobError),
    Refused(S3Error),
}

impl From<BlobError> for CheckError {
    fn from(error: BlobError) -> CheckError {
        CheckError::Reading(error)
    }
}

impl WholeChecksums {
    pub fn of(headers: &HeaderMap) -> S3Result<WholeChecksums> {
        let kind = match headers.get("x-amz-checksum-type").map(|kind| kind.as_bytes()) {
            None => Kind::Either,
            Some(b"FULL_OBJECT") => Kind::FullObject,
            Some(b"COMPOSITE") => Kind::Composite,
            Some(_) => {
                let text = "x-amz-checksum-type is FULL_OBJECT or COMPOSITE.";
                return Err(refusal(S3ErrorCode::InvalidRequest, text));
            }
        };
        Ok(WholeChecksums { declared: declared_in(headers)?, kind })
    }

    pub fn is_empty(&self) -> bool {
        self.declared.is_empty()
    }

    /// Reads the bytes once and compares. `sizes` are those of the parts, in order.
    pub async fn check(&self, bytes: &BlobReader, sizes: &[u64]) -> Result<(), CheckError> {
        let names: Vec<&str> = self.declared.iter().map(|(algorithm, _)| *algorithm).collect();
        let mut full = hasher_for(&names);
        let mut parts = Vec::with_capacity(sizes.len());
        let mut start = 0;
        for size in sizes {
            let mut part = hasher_for(&names);
            let mut stream = std::pin::pin!(bytes.stream(start..start + size));
            while let Some(chunk) = stream.try_next().await? {
                full.update(&chunk);
                part.update(&chunk);
            }
            parts.push(part.finalize());
            start += size;
        }
        let full = full.finalize();
        for (algorithm, declared) in &self.declared {
            let digests = parts.iter().filter_map(|part| STANDARD.decode(of_algorithm(part, algorithm)?).ok());
            let mut composite = hasher_for(&[algorithm]);
            composite.update(&digests.collect::<Vec<_>>().concat());
            let composite = of_algorithm(&composite.finalize(), algorithm).unwrap_or_default();
            let is_full = of_algorithm(&full, algorithm).as_ref() == Some(declared);
            let is_composite = *declared == composite || *declared == format!("{composite}-{}", sizes.len());
            let is_right = match self.kind {
                Kind::FullObject => is_full,
                Kind::Composite => is_composite,
                Kind::Either => is_full || is_composite,
            };
            if !is_right {
                let text = format!("The parts put together have another {algorithm} than the request declares.");
                return Err(CheckError::Refused(refusal(S3ErrorCode::BadDigest, text)));
            }
        }
        Ok(())
    }
}
