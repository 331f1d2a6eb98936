//! Errors: every code of this dialect in one table, and how each of our errors is spelled.
//!
//! A handler answers with a [`Refusal`]; [`super::response::finish`] writes it in the shape of the door that was knocked at.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use otaru_core::app::{AuthError, Error, Noun};

/// One row of the table: status, code and the sentence that every message with this code begins with.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    pub status: StatusCode,
    pub code: &'static str,
    pub says: &'static str,
}

const fn code(status: StatusCode, code: &'static str, says: &'static str) -> Code {
    Code { status, code, says }
}

// Documented codes (contract §7.1).
pub static INVALID_INPUT: Code = code(StatusCode::BAD_REQUEST, "IOTDA.000006", "Invalid input data.");
pub static BAD_FORMAT: Code = code(StatusCode::BAD_REQUEST, "IOTDA.000008", "The request format is invalid.");
pub static LIMIT_RANGE: Code = code(StatusCode::BAD_REQUEST, "IOTDA.000017", "The parameter limit is out of range.");
pub static PAGING_RANGE: Code = code(StatusCode::BAD_REQUEST, "IOTDA.000018", "The paging parameter is out of range.");
pub static SPACE_INPUT: Code = code(StatusCode::BAD_REQUEST, "IOTDA.001001", "Invalid application input.");
pub static UNAUTHORIZED: Code = code(StatusCode::UNAUTHORIZED, "IOTDA.000002", "The request is unauthorized.");
pub static NOT_ALLOWED: Code = code(StatusCode::FORBIDDEN, "IOTDA.000004", "Invalid access token.");
pub static OTHER_PROJECT: Code = code(StatusCode::FORBIDDEN, "IOTDA.000021", "The user is not found in the project.");
pub static NO_SPACE: Code = code(StatusCode::FORBIDDEN, "IOTDA.001000", "The application does not exist.");
pub static THROTTLED: Code = code(StatusCode::FORBIDDEN, "IOTDA.021101", "The request rate is over its limit.");
pub static INTERNAL: Code = code(StatusCode::INTERNAL_SERVER_ERROR, "IOTDA.000020", "Internal server error.");

// Codes whose number or use is deduced (§7.1 with its text cut, §7.2).
pub static PACKAGE_FILE: Code =
    code(StatusCode::BAD_REQUEST, "IOTDA.019306", "Invalid input. The upgrade package is not usable.");
pub static PACKAGE_FORMAT: Code =
    code(StatusCode::BAD_REQUEST, "IOTDA.019305", "The format of the upgrade package is incorrect.");
pub static NO_PRODUCT: Code = code(StatusCode::NOT_FOUND, "IOTDA.014204", "The product does not exist.");
pub static NO_API: Code = code(StatusCode::NOT_FOUND, "APIGW.0101", "The API does not exist.");

// Our own choice where no document has a code (§7.2: clients go by the status).
pub static BUCKET_CLOSED: Code =
    code(StatusCode::FORBIDDEN, "IOTDA.019306", "Invalid input. The upgrade package is not readable.");
pub static NO_PACKAGE: Code = code(StatusCode::NOT_FOUND, "IOTDA.019301", "The upgrade package does not exist.");
pub static NO_MODULE: Code = code(StatusCode::NOT_FOUND, "IOTDA.019321", "The OTA module does not exist.");

/// Every code that this dialect answers with; the tests have a request for each.
#[cfg(test)]
pub static CODES: [&Code; 18] = [
    &INVALID_INPUT,
    &BAD_FORMAT,
    &LIMIT_RANGE,
    &PAGING_RANGE,
    &SPACE_INPUT,
    &UNAUTHORIZED,
    &NOT_ALLOWED,
    &OTHER_PROJECT,
    &NO_SPACE,
    &THROTTLED,
    &INTERNAL,
    &PACKAGE_FILE,
    &PACKAGE_FORMAT,
    &NO_PRODUCT,
    &NO_API,
    &BUCKET_CLOSED,
    &NO_PACKAGE,
    &NO_MODULE,
];

/// Why a request was not done, ready to be spelled.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub code: &'static Code,
    /// What is to be said beyond the code's sentence: which field, and what would be right.
    pub detail: String,
    /// What only the log may know.
    pub fault: Option<String>,
}

impl Refusal {
    pub fn new(code: &'static Code, detail: impl Into<String>) -> Refusal {
        Refusal { code, detail: detail.into(), fault: None }
    }

    /// A value that breaks a rule; `field` is its name in the client's words.
    pub fn invalid(field: &str, problem: impl AsRef<str>) -> Refusal {
        Refusal::new(&INVALID_INPUT, format!("{field} {}", problem.as_ref()))
    }

    pub fn unauthorized(reason: impl std::fmt::Display) -> Refusal {
        Refusal::new(&UNAUTHORIZED, reason.to_string())
    }

    fn internal(fault: String) -> Refusal {
        Refusal { code: &INTERNAL, detail: String::new(), fault: Some(fault) }
    }

    fn unavailable(detail: &str, fault: String) -> Refusal {
        Refusal { code: &INTERNAL, detail: detail.to_owned(), fault: Some(fault) }
    }

    pub fn message(&self) -> String {
        if self.detail.is_empty() { self.code.says.to_owned() } else { format!("{} {}", self.code.says, self.detail) }
    }
}

impl IntoResponse for Refusal {
    /// The answer is not complete before it has been through [`super::response::finish`], which knows the request id.
    fn into_response(self) -> Response {
        let mut response = self.code.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Errors about what the path names: a missing record is 404.
impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        let text = error.to_string();
        match error {
            Error::NotFound { noun: Noun::Space, name } => {
                Refusal::new(&NO_SPACE, format!("There is no application with the app_id {name}."))
            }
            Error::NotFound { noun: Noun::Product, name } => {
                Refusal::new(&NO_PRODUCT, format!("There is no product with the product_id {name}."))
            }
            Error::NotFound { noun: Noun::Module, name } => {
                Refusal::new(&NO_MODULE, format!("There is no OTA module {name}."))
            }
            Error::NotFound { noun: Noun::Object, .. } => {
                Refusal::new(&PACKAGE_FILE, format!("file_location.obs_location: {text}."))
            }
            Error::NotFound { noun: Noun::Bucket, name } => {
                let why = format!("file_location.obs_location.bucket_name: there is no bucket {name}.");
                Refusal::new(&BUCKET_CLOSED, why)
            }
            Error::NotFound { noun: Noun::Package | Noun::File | Noun::Upload | Noun::Part, name } => {
                Refusal::new(&NO_PACKAGE, format!("There is no upgrade package with the package_id {name}."))
            }
            Error::NotFound { noun: Noun::Tenant | Noun::Key, .. } => Refusal::new(&OTHER_PROJECT, ""),
            Error::Exists { noun: Noun::Space, name } => {
                Refusal::new(&SPACE_INPUT, format!("An application with the app_id {name} exists already."))
            }
            Error::Exists { noun: Noun::Product, name } => {
                Refusal::invalid("product_id", format!("{name} is another product's already."))
            }
            Error::Exists { noun: Noun::Module, name } => {
                Refusal::invalid("module_name", format!("{name} exists already in the product."))
            }
            Error::Exists {
                noun:
                    Noun::Tenant
                    | Noun::Key
                    | Noun::Package
                    | Noun::File
                    | Noun::Upload
                    | Noun::Bucket
                    | Noun::Object
                    | Noun::Part,
                ..
            } => Refusal::new(&INVALID_INPUT, text),
            Error::Taken { field, value } => {
                Refusal::invalid(field_name(field), format!("{value} is another package's already."))
            }
            Error::Invalid { field, problem } => Refusal::invalid(field_name(field), format!("must be: {problem}.")),
            Error::InUse { noun: Noun::Space, .. } => Refusal::new(&SPACE_INPUT, capitalised(&text)),
            Error::InUse {
                noun:
                    Noun::Tenant
                    | Noun::Key
                    | Noun::Product
                    | Noun::Module
                    | Noun::Package
                    | Noun::File
                    | Noun::Upload
                    | Noun::Bucket
                    | Noun::Object
                    | Noun::Part,
                ..
            }
            | Error::LimitReached { .. }
            | Error::OutOfStep { .. }
            | Error::Expired { .. } => Refusal::new(&INVALID_INPUT, capitalised(&text)),
            Error::TooLarge { limit_bytes } => {
                let why = format!("The object of file_location.obs_location.object_key has over {limit_bytes} bytes.");
                Refusal::new(&PACKAGE_FORMAT, why)
            }
            Error::WrongBytes(problem) => {
                Refusal::new(&PACKAGE_FILE, format!("file_location.obs_location.sign: {problem}."))
            }
            Error::Forbidden { right } => {
                let why = format!("The role of this access key lacks the right to {}.", right.name());
                Refusal::new(&NOT_ALLOWED, why)
            }
            Error::Replayed => Refusal::unauthorized("This request was used before."),
            Error::Busy { .. } => Refusal::unavailable("Another request is at it; try again.", text),
            Error::Full => Refusal::unavailable("There is no space left on the server.", text),
            Error::Unavailable(_) => Refusal::unavailable("A part of the server does not answer; try again.", text),
            Error::Internal(_) => Refusal::internal(text),
        }
    }
}

/// Errors about what a body names: a missing product or module is the body's mistake, not the address's.
pub fn in_body(error: Error) -> Refusal {
    match error {
        Error::NotFound { noun: Noun::Product, name } => {
            Refusal::invalid("product_id", format!("{name} is no product of this application."))
        }
        Error::NotFound { noun: Noun::Module, name } => {
            Refusal::invalid("module_name", format!("{name} is no OTA module of this product; create it first."))
        }
        other => other.into(),
    }
}

impl From<AuthError> for Refusal {
    fn from(error: AuthError) -> Refusal {
        match error {
            AuthError::Failed(error) => error.into(),
            AuthError::UnknownKey(_)
            | AuthError::Revoked(_)
            | AuthError::Expired(_)
            | AuthError::BadToken
            | AuthError::TokenExpired
            | AuthError::WrongSecret => Refusal::unauthorized(capitalised(&error.to_string())),
        }
    }
}

/// The client's word for a field of the model.
fn field_name(field: &'static str) -> &'static str {
    match field {
        "source_versions" => "support_source_versions",
        "files" => "file_location",
        "object" | "key" => "file_location.obs_location.object_key",
        "bucket" => "file_location.obs_location.bucket_name",
        "code" => "product_id",
        "protocol" => "protocol_type",
        "manufacturer" => "manufacturer_name",
        "alias" => "alias_name",
        other => other,
    }
}

/// The text as a sentence.
pub fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str().trim_end_matches('.')),
        None => String::new(),
    }
}
