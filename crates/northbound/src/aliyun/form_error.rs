//! What can go wrong with a form upload, in the words of the object storage that it speaks like (contract §9).

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use otaru_core::app::Error;

use super::answer::Record;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-oss-request-id");

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormFailure {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: String,
    /// A fault of ours, for the log.
    pub cause: Option<String>,
}

impl FormFailure {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> FormFailure {
        FormFailure { status, code, message: message.into(), cause: None }
    }

    pub fn malformed(message: impl Into<String>) -> FormFailure {
        FormFailure::new(StatusCode::BAD_REQUEST, "MalformedPOSTRequest", message)
    }

    pub fn denied(message: impl Into<String>) -> FormFailure {
        FormFailure::new(StatusCode::FORBIDDEN, "AccessDenied", message)
    }

    pub fn policy() -> FormFailure {
        let message = "The policy is not one that GenerateOTAUploadURL returned.";
        FormFailure::new(StatusCode::BAD_REQUEST, "InvalidPolicyDocument", message)
    }

    pub fn key_id() -> FormFailure {
        let message = "The OSSAccessKeyId is not the one that GenerateOTAUploadURL returned.";
        FormFailure::new(StatusCode::FORBIDDEN, "InvalidAccessKeyId", message)
    }

    pub fn signature() -> FormFailure {
        let message = "The Signature is not that of the policy.";
        FormFailure::new(StatusCode::FORBIDDEN, "SignatureDoesNotMatch", message)
    }

    pub fn too_large(limit_bytes: u64) -> FormFailure {
        let message = format!("The file is larger than {limit_bytes} bytes.");
        FormFailure::new(StatusCode::BAD_REQUEST, "EntityTooLarge", message)
    }

    pub fn method() -> FormFailure {
        let message = "Files are uploaded with POST; QueryOTAFirmware tells where to download them.";
        FormFailure::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
    }

    fn unavailable(cause: String) -> FormFailure {
        let message = "The request has failed due to a temporary failure of the server.";
        let failure = FormFailure::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message);
        FormFailure { cause: Some(cause), ..failure }
    }

    fn internal(cause: String) -> FormFailure {
        let message = "We encountered an internal error, please try again.";
        let failure = FormFailure::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message);
        FormFailure { cause: Some(cause), ..failure }
    }

    pub fn into_response(self, request_id: &str, host_id: &str) -> Response<Body> {
        if let Some(cause) = &self.cause {
            tracing::error!(request_id, cause, code = self.code, "a form upload failed inside");
        }
        let record = Record::new()
            .with("Code", self.code)
            .with("Message", self.message)
            .with("RequestId", request_id)
            .with("HostId", host_id);
        let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{}", record.xml("Error"));
        response(self.status, Some(text), request_id)
    }
}

/// An answer of the form door, with or without an XML text.
pub fn response(status: StatusCode, xml: Option<String>, request_id: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    if let Some(xml) = xml {
        *response.body_mut() = Body::from(xml);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    }
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

impl From<Error> for FormFailure {
    fn from(error: Error) -> FormFailure {
        let explained = error.to_string();
        match error {
            Error::NotFound { .. } => {
                FormFailure::denied("The form is not good any more: its file is in use or was given up.")
            }
            Error::Expired { .. } => FormFailure::denied("Invalid according to Policy: Policy expired."),
            Error::TooLarge { limit_bytes } => FormFailure::too_large(limit_bytes),
            Error::WrongBytes(problem) => FormFailure::malformed(problem),
            Error::Busy { .. } | Error::OutOfStep { .. } | Error::Full | Error::Unavailable(_) => {
                FormFailure::unavailable(explained)
            }
            Error::Forbidden { .. } | Error::Replayed => FormFailure::denied(explained),
            Error::Exists { .. }
            | Error::Taken { .. }
            | Error::Invalid { .. }
            | Error::InUse { .. }
            | Error::LimitReached { .. }
            | Error::Internal(_) => FormFailure::internal(explained),
        }
    }
}
