//! What goes wrong, in the words of this dialect: `{"error_code":"123002","error_desc":"…"}`, the code as a string.
//!
//! The descriptions are the documented texts, letter for letter. Which field was wrong and what would be right stands in
//! the header `x-error-detail`, where it cannot disturb a client that compares texts or counts members.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use otaru_core::app::{AuthError, Error};
use otaru_core::request;
use serde::Serialize;

use crate::wire::body::BodyError;

/// The header that says which field was wrong and what would be right.
const DETAIL: &str = "x-error-detail";
/// The header under which a fault of ours is found in the log.
const REQUEST_ID: &str = "x-request-id";

/// An answer that is an error.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    BadRequest {
        detail: String,
    },
    WrongMethod,
    /// The application's, or the peer's, calls of this minute are used up.
    Throttled {
        wait_ms: i64,
    },
    InvalidToken {
        detail: String,
    },
    NoSuchPackage,
    WrongPage {
        detail: String,
    },
    WrongSecret,
    WrongRefreshToken,
    Unavailable {
        request_id: String,
    },
    Internal {
        request_id: String,
    },
}

#[derive(Serialize)]
struct Body {
    error_code: &'static str,
    error_desc: &'static str,
}

impl Failure {
    pub(super) fn bad_request(detail: impl Into<String>) -> Failure {
        Failure::BadRequest { detail: detail.into() }
    }

    pub(super) fn invalid_token(detail: impl Into<String>) -> Failure {
        Failure::InvalidToken { detail: detail.into() }
    }

    /// Status, code and text. Source: the table of errors of the documents, and for 100006 and 100001 the error codes that
    /// public clients know.
    fn row(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Failure::BadRequest { .. } => (StatusCode::BAD_REQUEST, "120015", "Bad request error."),
            Failure::WrongMethod => (StatusCode::METHOD_NOT_ALLOWED, "120015", "Bad request error."),
            Failure::Throttled { .. } => (StatusCode::FORBIDDEN, "1010009", "app throttle exceed."),
            Failure::InvalidToken { .. } => (StatusCode::FORBIDDEN, "1010005", "App_key or access_token is invalid."),
            Failure::NoSuchPackage => (StatusCode::NOT_FOUND, "123002", "Device or package file not found."),
            Failure::WrongPage { .. } => (StatusCode::BAD_REQUEST, "123029", "pageNo or pageSize beyond the limit."),
            Failure::WrongSecret => (StatusCode::UNAUTHORIZED, "100208", "AppId or secret is not right."),
            Failure::WrongRefreshToken => (StatusCode::UNAUTHORIZED, "100006", "Refresh access token failed."),
            Failure::Unavailable { .. } => (StatusCode::SERVICE_UNAVAILABLE, "100001", "Internal server error."),
            Failure::Internal { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "100001", "Internal server error."),
        }
    }

    /// A header that the answer has beside its body.
    fn header(&self) -> Option<(&'static str, String)> {
        match self {
            Failure::BadRequest { detail } | Failure::InvalidToken { detail } | Failure::WrongPage { detail } => {
                Some((DETAIL, detail.clone()))
            }
            Failure::Throttled { wait_ms } => {
                Some((header::RETRY_AFTER.as_str(), wait_ms.saturating_add(999).div_euclid(1000).to_string()))
            }
            Failure::Unavailable { request_id } | Failure::Internal { request_id } => {
                Some((REQUEST_ID, request_id.clone()))
            }
            Failure::WrongMethod | Failure::NoSuchPackage | Failure::WrongSecret | Failure::WrongRefreshToken => None,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, error_code, error_desc) = self.row();
        let mut response = (status, Json(Body { error_code, error_desc })).into_response();
        if let Some((name, value)) = self.header()
            && let Ok(value) = HeaderValue::from_str(&value)
        {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

pub(super) async fn method_not_allowed() -> Failure {
    Failure::WrongMethod
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error {
            Error::NotFound { .. } => Failure::NoSuchPackage,
            // The documents know one answer for whoever may not: the token is not good for it.
            Error::Forbidden { .. } | Error::Replayed => Failure::invalid_token(error.to_string()),
            Error::Invalid { .. }
            | Error::Exists { .. }
            | Error::Taken { .. }
            | Error::InUse { .. }
            | Error::LimitReached { .. }
            | Error::TooLarge { .. }
            | Error::WrongBytes(_)
            | Error::OutOfStep { .. }
            | Error::Expired { .. } => Failure::bad_request(error.to_string()),
            Error::Full | Error::Busy { .. } | Error::Unavailable(_) => {
                let request_id = request_id();
                tracing::warn!(request_id, %error, "a northbound v1.5 request could not be served now");
                Failure::Unavailable { request_id }
            }
            Error::Internal(_) => {
                let request_id = request_id();
                tracing::error!(request_id, %error, "a northbound v1.5 request failed");
                Failure::Internal { request_id }
            }
        }
    }
}

/// Why a call with a token is refused.
pub(super) fn of_token(error: AuthError) -> Failure {
    match error {
        AuthError::Failed(error) => error.into(),
        AuthError::UnknownKey(_)
        | AuthError::Revoked(_)
        | AuthError::Expired(_)
        | AuthError::BadToken
        | AuthError::TokenExpired
        | AuthError::WrongSecret => Failure::invalid_token("the access token has ended, was replaced or never was"),
    }
}

/// Why a sign-in or the refresh of one is refused.
pub(super) fn of_sign_in(error: AuthError) -> Failure {
    match error {
        AuthError::Failed(error) => error.into(),
        AuthError::BadToken | AuthError::TokenExpired => Failure::WrongRefreshToken,
        AuthError::UnknownKey(_) | AuthError::Revoked(_) | AuthError::Expired(_) | AuthError::WrongSecret => {
            Failure::WrongSecret
        }
    }
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Failure {
        match error {
            BodyError::TooLong(limit_bytes) => {
                Failure::bad_request(format!("the body has more than {limit_bytes} bytes"))
            }
            BodyError::Broken => Failure::bad_request("the body broke off"),
        }
    }
}

/// The request's id, as the log has it.
fn request_id() -> String {
    request::id_text(request::id())
}
