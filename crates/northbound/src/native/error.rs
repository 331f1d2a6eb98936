//! Errors as problem documents (RFC 9457), which say what was wrong, where, and what would be right.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use otaru_core::app::{AuthError, Error, Noun};
use otaru_model::{Right, Role};
use serde::Serialize;
use utoipa::ToSchema;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:literal, $title:literal;)+) => {
        /// The problems that this API knows.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind { $($(#[$doc])* $variant),+ }

        impl Kind {
            /// For the document and for tests.
            pub const ALL: &[Kind] = &[$(Kind::$variant),+];

            /// The last part of the problem's type.
            pub fn name(self) -> &'static str {
                match self { $(Kind::$variant => $name),+ }
            }

            pub fn title(self) -> &'static str {
                match self { $(Kind::$variant => $title),+ }
            }

            pub fn status(self) -> StatusCode {
                let code = match self { $(Kind::$variant => $status),+ };
                StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    };
}

kinds! {
    Malformed = "malformed", 400, "The request cannot be read";
    Invalid = "invalid", 400, "A value is not right";
    Unauthenticated = "unauthenticated", 401, "Sign in first";
    Forbidden = "forbidden", 403, "The key's role lacks a right";
    NotFound = "not_found", 404, "There is no such thing";
    MethodNotAllowed = "method_not_allowed", 405, "Not with this method";
    Timeout = "timeout", 408, "No more bytes came";
    Exists = "exists", 409, "The name is taken";
    InUse = "in_use", 409, "Something else needs it";
    LimitReached = "limit_reached", 409, "There are as many as there may be";
    OutOfStep = "out_of_step", 409, "The upload goes on at another byte";
    Replayed = "replayed", 409, "The request was used before";
    Expired = "expired", 410, "Its time is over";
    UnsupportedProtocol = "unsupported_protocol", 412, "Another version of the upload protocol";
    TooLarge = "too_large", 413, "Larger than allowed";
    UnsupportedMediaType = "unsupported_media_type", 415, "Not in this form";
    WrongBytes = "wrong_bytes", 422, "The bytes are not those that were declared";
    Busy = "busy", 423, "Another request is at it";
    TooManySignIns = "too_many_failed_sign_ins", 429, "Too many failed sign-ins";
    WrongChecksum = "wrong_checksum", 460, "The piece is not what its checksum says";
    Internal = "internal", 500, "The server failed";
    Unavailable = "unavailable", 503, "Not at the moment";
    Full = "full", 507, "No space left for uploads";
}

/// A problem on its way out. The request's id is added where the answer leaves.
#[derive(Clone, Debug)]
pub struct Problem {
    pub kind: Kind,
    pub detail: String,
    /// The member, parameter or header that is to blame.
    pub field: Option<String>,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What the log gets and the caller does not.
    pub internal: Option<String>,
}

/// What went wrong (RFC 9457, `application/problem+json`).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// What kind of problem it is: `urn:otaru:problem:` and a name that programs may rely on.
    #[serde(rename = "type")]
    pub type_uri: String,
    /// The kind in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What was wrong in this request, and what would be right.
    pub detail: String,
    /// The member, parameter or header that is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub field: Option<String>,
    /// The request's id, which the server's log has as well.
    pub request_id: String,
}

pub const TYPE_PREFIX: &str = "urn:otaru:problem:";

impl Problem {
    pub fn new(kind: Kind, detail: impl Into<String>) -> Problem {
        Problem { kind, detail: detail.into(), field: None, headers: Vec::new(), internal: None }
    }

    pub fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Problem {
        Problem { field: Some(field.into()), ..Problem::new(Kind::Invalid, detail) }
    }

    pub fn at(self, field: impl Into<String>) -> Problem {
        Problem { field: Some(field.into()), ..self }
    }

    pub fn with(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Problem {
        if let Ok(value) = value.try_into() {
            self.headers.push((name, value));
        }
        self
    }

    pub fn retry_after(self, milliseconds: i64) -> Problem {
        self.with(header::RETRY_AFTER, HeaderValue::from(milliseconds.max(0).unsigned_abs().div_ceil(1000).max(1)))
    }

    /// A 401 that says how to sign in. `scheme` is what was tried, so that a browser is not asked for a password that no
    /// token call needs.
    pub fn unauthenticated(detail: impl Into<String>) -> Problem {
        Problem::new(Kind::Unauthenticated, detail)
            .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"otaru\", charset=\"UTF-8\""))
            .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"otaru\""))
    }

    /// The document, for the request of that id.
    pub fn document(&self, request_id: &str) -> ProblemDocument {
        ProblemDocument {
            type_uri: format!("{TYPE_PREFIX}{}", self.kind.name()),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            detail: self.detail.clone(),
            field: self.field.clone(),
            request_id: request_id.to_owned(),
        }
    }
}

impl IntoResponse for Problem {
    /// A response without a body: the outermost layer writes it, because it knows the request's id.
    fn into_response(self) -> Response {
        let mut response = self.kind.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A right, and who has it.
pub fn explain_right(right: Right) -> String {
    let roles: Vec<_> = Role::ALL.into_iter().filter(|role| role.may(right)).map(Role::name).collect();
    format!("this needs the right `{}`; keys with one of these roles have it: {}", right.name(), roles.join(", "))
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        let detail = error.to_string();
        match error {
            Error::NotFound { noun, .. } => match reference(noun) {
                Some(field) => Problem::new(Kind::NotFound, detail).at(field),
                None => Problem::new(Kind::NotFound, detail),
            },
            Error::Exists { .. } => Problem::new(Kind::Exists, detail),
            Error::Taken { field, .. } => Problem::new(Kind::Exists, detail).at(field),
            Error::Invalid { field, problem } => Problem::invalid(field, format!("{field}: {problem}")),
            Error::InUse { .. } => Problem::new(Kind::InUse, detail),
            Error::LimitReached { .. } => Problem::new(Kind::LimitReached, detail),
            Error::TooLarge { .. } => Problem::new(Kind::TooLarge, detail),
            Error::WrongBytes(_) => Problem::new(Kind::WrongBytes, detail),
            Error::OutOfStep { .. } => Problem::new(Kind::OutOfStep, detail).at("Upload-Offset"),
            Error::Busy { .. } => Problem::new(Kind::Busy, detail).retry_after(1000),
            Error::Expired { .. } => Problem::new(Kind::Expired, detail),
            Error::Forbidden { right } => Problem::new(Kind::Forbidden, explain_right(right)),
            Error::Replayed => Problem::new(Kind::Replayed, detail),
            Error::Full => Problem::new(Kind::Full, "there is no space left for uploads; all else works"),
            Error::Unavailable(_) => {
                let told = "the store or the files cannot be reached at the moment: try again soon";
                Problem { internal: Some(detail), ..Problem::new(Kind::Unavailable, told).retry_after(1000) }
            }
            Error::Internal(_) => {
                let told = "the server failed; its log says more under this request's id";
                Problem { internal: Some(detail), ..Problem::new(Kind::Internal, told) }
            }
        }
    }
}

/// The member by which a request names such a thing, if it is one that bodies and queries refer to.
fn reference(noun: Noun) -> Option<&'static str> {
    match noun {
        Noun::Space => Some("space"),
        Noun::Product => Some("product"),
        Noun::Module => Some("module"),
        Noun::Upload => Some("upload"),
        Noun::Bucket => Some("bucket"),
        Noun::Object => Some("key"),
        Noun::Tenant | Noun::Key | Noun::Package | Noun::File | Noun::Part => None,
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Problem {
        match error {
            AuthError::UnknownKey(_) | AuthError::WrongSecret => {
                Problem::unauthenticated("the access key id or its secret is wrong")
            }
            AuthError::Revoked(_) | AuthError::Expired(_) => Problem::unauthenticated(error.to_string()),
            AuthError::BadToken => Problem::unauthenticated("the token is not one of ours"),
            AuthError::TokenExpired => {
                Problem::unauthenticated("the token has expired: get another one from POST /api/v1/tokens")
            }
            AuthError::Failed(error) => error.into(),
        }
    }
}
