//! Refusals in the words of S3; OBS uses the same ones.

use otaru_core::app::{AuthError, Error, Noun};
use s3s::{S3Error, S3ErrorCode};

use http::StatusCode;

use crate::wire::SignatureError;

/// What helps with a wrong signature.
pub const WRONG_SIGNATURE: &str = "The signature is not the one that this key's secret gives for this request. Check the \
                                   secret, and that nothing on the way changes the path, the query or a signed header.";

/// A refusal with its text.
pub fn refusal(code: S3ErrorCode, message: impl Into<String>) -> S3Error {
    S3Error::with_message(code, message.into())
}

/// A refusal with a code that the crate does not know.
pub fn named(code: &'static str, status: StatusCode, message: impl Into<String>) -> S3Error {
    let mut error = refusal(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(status);
    error
}

/// Spells an error of the app. A fault of ours goes to the log, with the id of the request, and not to the client.
pub fn answer(error: Error, request_id: &str) -> S3Error {
    use S3ErrorCode as Code;
    let text = error.to_string();
    let sentence = format!("{text}.");
    match error {
        Error::NotFound { noun, name } => match noun {
            Noun::Bucket => refusal(Code::NoSuchBucket, format!("There is no bucket {name}.")),
            Noun::Object => refusal(Code::NoSuchKey, "There is no object of this key."),
            Noun::Upload => refusal(Code::NoSuchUpload, format!("There is no upload {name}; it may be over.")),
            Noun::Part => refusal(
                Code::InvalidPart,
                format!("Part {name} was not uploaded, or its entity tag is another than the one listed."),
            ),
            // An object whose bytes are gone, and what no operation of this door speaks of.
            Noun::File | Noun::Tenant | Noun::Key | Noun::Space | Noun::Product | Noun::Module | Noun::Package => {
                fault(&text, request_id)
            }
        },
        Error::Exists { noun: Noun::Bucket, name } => {
            refusal(Code::BucketAlreadyOwnedByYou, format!("You have a bucket {name} already."))
        }
        Error::Exists { noun: Noun::Object, .. } => {
            refusal(Code::PreconditionFailed, "The key holds another object than the request wants.")
        }
        Error::Exists { .. } | Error::Taken { .. } => refusal(Code::InvalidArgument, sentence),
        Error::Invalid { field: "order", .. } => {
            refusal(Code::InvalidPartOrder, "Parts are listed in ascending order, each once.")
        }
        Error::Invalid { field: "bucket", .. } => refusal(Code::InvalidBucketName, sentence),
        Error::Invalid { field: "parts", .. } => refusal(Code::MalformedXML, sentence),
        Error::Invalid { .. } => refusal(Code::InvalidArgument, sentence),
        Error::InUse { noun: Noun::Bucket, .. } => {
            refusal(Code::BucketNotEmpty, "The bucket holds objects, or uploads that are under way.")
        }
        Error::InUse { .. } => refusal(Code::OperationAborted, sentence),
        Error::LimitReached { .. } => refusal(Code::TooManyBuckets, sentence),
        Error::TooLarge { limit_bytes } => {
            refusal(Code::EntityTooLarge, format!("An object has at most {limit_bytes} bytes."))
        }
        Error::WrongBytes(_) => refusal(Code::BadDigest, sentence),
        Error::OutOfStep { .. } | Error::Busy { .. } => refusal(Code::OperationAborted, sentence),
        Error::Expired { .. } => refusal(Code::NoSuchUpload, sentence),
        Error::Forbidden { right } => {
            refusal(Code::AccessDenied, format!("The role of this access key may not {}.", right.name()))
        }
        Error::Replayed => refusal(Code::AccessDenied, sentence),
        // 507 and no 503: trying again at once, as clients do after a 503, would not help.
        Error::Full => named(
            "InsufficientStorage",
            StatusCode::INSUFFICIENT_STORAGE,
            "There is no space left for uploads; reading and deleting still work.",
        ),
        Error::Unavailable(_) => {
            tracing::warn!(request_id, error = text, "an object request could not be served for the moment");
            refusal(Code::ServiceUnavailable, "The server cannot answer for the moment; try again.")
        }
        Error::Internal(_) => fault(&text, request_id),
    }
}

fn fault(text: &str, request_id: &str) -> S3Error {
    tracing::error!(request_id, error = text, "an object request failed");
    refusal(S3ErrorCode::InternalError, "The server failed; its log has the details under this request id.")
}

/// Why a key may not sign in.
pub fn signing_in(error: AuthError, request_id: &str) -> S3Error {
    let sentence = format!("{error}.");
    match error {
        AuthError::UnknownKey(_) | AuthError::Revoked(_) | AuthError::Expired(_) => {
            refusal(S3ErrorCode::InvalidAccessKeyId, sentence)
        }
        AuthError::BadToken => refusal(S3ErrorCode::InvalidToken, sentence),
        AuthError::TokenExpired => refusal(S3ErrorCode::ExpiredToken, sentence),
        AuthError::WrongSecret => wrong_signature(),
        AuthError::Failed(error) => answer(error, request_id),
    }
}

/// Why a signature was not accepted.
pub fn signature(error: &SignatureError) -> S3Error {
    let sentence = format!("{error}.");
    match error {
        SignatureError::Mismatch { .. } => wrong_signature(),
        SignatureError::Missing | SignatureError::InvalidTime(_) => refusal(S3ErrorCode::AccessDenied, sentence),
        SignatureError::Malformed(_) => refusal(S3ErrorCode::InvalidArgument, sentence),
        SignatureError::UnsignedHeader(_)
        | SignatureError::MissingHeader(_)
        | SignatureError::UnsignedPayload
        | SignatureError::ScopeDate => refusal(S3ErrorCode::AccessDenied, sentence),
        SignatureError::UnsupportedAlgorithm(_) => refusal(S3ErrorCode::InvalidRequest, sentence),
        SignatureError::BodyDigest(_) => named("XAmzContentSHA256Mismatch", StatusCode::BAD_REQUEST, sentence),
    }
}

fn wrong_signature() -> S3Error {
    refusal(S3ErrorCode::SignatureDoesNotMatch, WRONG_SIGNATURE)
}

#[cfg(test)]
mod tests {
    use otaru_model::Right;

    use super::*;

    #[test]
    fn errors_of_the_app_have_codes_of_s3() {
        let spelled = |error: Error| {
            let spelled = answer(error, "7");
            (spelled.status_code().unwrap().as_u16(), spelled.code().as_str().to_owned())
        };
        for (error, status, code) in [
            (Error::not_found(Noun::Bucket, "b"), 404, "NoSuchBucket"),
            (Error::not_found(Noun::Object, "k"), 404, "NoSuchKey"),
            (Error::not_found(Noun::Upload, "u"), 404, "NoSuchUpload"),
            (Error::not_found(Noun::Part, 1), 400, "InvalidPart"),
            (Error::not_found(Noun::File, "f"), 500, "InternalError"),
            (Error::exists(Noun::Object, "k"), 412, "PreconditionFailed"),
            (Error::InUse { noun: Noun::Bucket, name: "b".to_owned(), by: "objects" }, 409, "BucketNotEmpty"),
            (Error::TooLarge { limit_bytes: 1 }, 400, "EntityTooLarge"),
            (Error::WrongBytes("other".to_owned()), 400, "BadDigest"),
            (Error::Busy { noun: Noun::Upload }, 409, "OperationAborted"),
            (Error::Forbidden { right: Right::Publish }, 403, "AccessDenied"),
            (Error::Full, 507, "InsufficientStorage"),
            (Error::Unavailable("away".to_owned()), 503, "ServiceUnavailable"),
            (Error::Internal("secret".to_owned()), 500, "InternalError"),
        ] {
            assert_eq!(spelled(error), (status, code.to_owned()));
        }
    }

    #[test]
    fn a_fault_says_nothing_of_itself() {
        for error in [Error::Internal("secret".to_owned()), Error::Unavailable("secret".to_owned())] {
            assert!(!answer(error, "7").message().unwrap().contains("secret"));
        }
    }
}
