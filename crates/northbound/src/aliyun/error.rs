//! What can go wrong, in the words of this dialect (contract §1.3, §2.4, §2.5).
//!
//! A *gateway* failure is about the request: it was not understood, not signed, too much, not allowed. A *business* failure is
//! about what it asks for. They have different envelopes.

use std::borrow::Cow;

use axum::http::StatusCode;
use otaru_core::app::{AuthError, Error, Noun};

use crate::wire::SignatureError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    Gateway(Gateway),
    Business {
        code: &'static str,
        message: String,
    },
    /// Trying again later may help; why is for the log.
    Unavailable(String),
    /// A fault of ours, for the log: the client gets the contract's own example of one.
    Internal(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    pub status: StatusCode,
    pub code: Cow<'static, str>,
    pub message: String,
    /// When it is worth trying again, in milliseconds from now.
    pub retry_after_ms: Option<i64>,
}

/// The business codes. The contract names those above the line; it knows no others for packages, modules and files, so those
/// below are ours.
pub mod code {
    pub const FIRMWARE_NOT_FOUND: &str = "iot.ota.FirmwareNotFound";
    pub const SYSTEM_EXCEPTION: &str = "iot.system.SystemException";
    pub const INSTANCE_NOT_FOUND: &str = "iot.system.InstanceNotFound";
    pub const INVALID_PAGE_PARAMS: &str = "iot.common.InvalidPageParams";
    pub const INVALID_FORMATTED_PARAMETER: &str = "iot.check.InvalidFormattedParameter";
    pub const PARAMETER_IS_NOT_LESS_THAN_MAX: &str = "iot.check.ParameterIsNotLessThanMax";
    pub const NOT_EXISTED_PRODUCT: &str = "iot.prod.NotExistedProduct";
    pub const INVALID_FORMATTED_PRODUCT_KEY: &str = "iot.prod.InvalidFormattedProductkey";
    pub const INVALID_FORMATTED_PRODUCT_NAME: &str = "iot.prod.InvalidFormattedProductName";
    pub const ALREADY_EXISTED_PRODUCT_NAME: &str = "iot.prod.AlreadyExistedProductName";
    pub const LONG_PRODUCT_DESC: &str = "iot.prod.LongProductDesc";
    pub const INVALID_NODE_TYPE: &str = "iot.prod.InvalidNodeType";
    pub const INVALID_COMMODITY_CODE: &str = "iot.prod.InvalidAliyunCommodityCode";
    pub const PRODUCT_COUNT_EXCEED_MAX: &str = "iot.prod.ProductCountExceedMax";

    // ---- ours ----
    pub const FIRMWARE_NAME_EXISTED: &str = "iot.ota.FirmwareNameExisted";
    pub const FIRMWARE_VERSION_EXISTED: &str = "iot.ota.FirmwareVersionExisted";
    pub const FIRMWARE_COUNT_EXCEED_MAX: &str = "iot.ota.FirmwareCountExceedMax";
    pub const FIRMWARE_IN_USE: &str = "iot.ota.FirmwareInUse";
    pub const FIRMWARE_SIGN_MISMATCH: &str = "iot.ota.FirmwareSignMismatch";
    pub const FILE_NOT_FOUND: &str = "iot.ota.FileNotFound";
    pub const MODULE_NOT_FOUND: &str = "iot.ota.ModuleNotFound";
    pub const MODULE_EXISTED: &str = "iot.ota.ModuleExisted";
    pub const MODULE_NOT_DELETABLE: &str = "iot.ota.ModuleNotDeletable";
    pub const MODULE_NOT_CHANGEABLE: &str = "iot.ota.ModuleNotChangeable";
    pub const MODULE_COUNT_EXCEED_MAX: &str = "iot.ota.ModuleCountExceedMax";
    pub const PRODUCT_IN_USE: &str = "iot.prod.ProductInUse";
}

impl Failure {
    pub fn business(code: &'static str, message: impl Into<String>) -> Failure {
        Failure::Business { code, message: message.into() }
    }

    pub fn gateway(status: StatusCode, code: &'static str, message: impl Into<String>) -> Failure {
        Failure::Gateway(Gateway { status, code: code.into(), message: message.into(), retry_after_ms: None })
    }

    fn refused(code: &'static str, message: impl Into<String>) -> Failure {
        Failure::gateway(StatusCode::BAD_REQUEST, code, message)
    }

    /// A parameter that the operation needs was not sent; `name` is the client's word for it.
    pub fn missing(name: &str) -> Failure {
        Failure::Gateway(Gateway {
            status: StatusCode::BAD_REQUEST,
            code: format!("Missing{name}").into(),
            message: format!("{name} is mandatory for this action."),
            retry_after_ms: None,
        })
    }

    pub fn missing_header(name: &str) -> Failure {
        Failure::refused("MissingParameter", format!("The header {name} is mandatory for this action."))
    }

    pub fn invalid_parameter(message: impl Into<String>) -> Failure {
        Failure::refused("InvalidParameter", message)
    }

    pub fn invalid_format() -> Failure {
        Failure::refused("InvalidFormat", "Specified parameter Format is not valid: it must be JSON or XML.")
    }

    pub fn invalid_version() -> Failure {
        Failure::refused("InvalidVersion", "Specified parameter Version is not valid.")
    }

    pub fn unknown_action() -> Failure {
        let message = "Specified api is not found, please check your url and method.";
        Failure::gateway(StatusCode::NOT_FOUND, "InvalidAction.NotFound", message)
    }

    pub fn unsupported_method() -> Failure {
        Failure::gateway(StatusCode::FORBIDDEN, "UnsupportedHTTPMethod", "This http method is not supported.")
    }

    pub fn signature_method(problem: impl Into<String>) -> Failure {
        Failure::refused("InvalidSignatureMethod", problem)
    }

    pub fn signature_version() -> Failure {
        Failure::refused(
            "InvalidSignatureVersion",
            "Specified parameter SignatureVersion is not valid: it must be 1.0.",
        )
    }

    pub fn signature_does_not_match(string_to_sign: &str) -> Failure {
        // One client compares what stands after `string to sign is:` with its own and then blames the secret.
        let message = "Specified signature is not matched with our calculation. server string to sign is:";
        Failure::refused("SignatureDoesNotMatch", format!("{message}{string_to_sign}"))
    }

    pub fn incomplete_signature(problem: impl std::fmt::Display, string_to_sign: &str) -> Failure {
        let ending = "server string to sign is:";
        Failure::refused(
            "IncompleteSignature",
            format!("The request signature is not complete: {problem}. {ending}{string_to_sign}"),
        )
    }

    pub fn time_format() -> Failure {
        let message = "Specified time stamp or date value is not well formatted.";
        Failure::refused("InvalidTimeStamp.Format", message)
    }

    pub fn time_expired() -> Failure {
        Failure::refused("InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
    }

    pub fn token_of_another_key() -> Failure {
        let message = "Specified SecurityToken does not belong to the access key.";
        Failure::refused("InvalidSecurityToken.MismatchWithAccessKey", message)
    }

    pub fn missing_token() -> Failure {
        Failure::refused("MissingSecurityToken", "SecurityToken is mandatory for this action.")
    }

    pub fn nonce_used() -> Failure {
        Failure::refused("SignatureNonceUsed", "Specified signature nonce was used already.")
    }

    pub fn throttled(retry_after_ms: i64) -> Failure {
        Failure::Gateway(Gateway {
            status: StatusCode::BAD_REQUEST,
            code: "Throttling.User".into(),
            message: "Request was denied due to user flow control.".to_owned(),
            retry_after_ms: Some(retry_after_ms),
        })
    }

    pub fn forbidden() -> Failure {
        let message = "User not authorized to operate on the specified resource, or this API doesn't support RAM.";
        Failure::gateway(StatusCode::FORBIDDEN, "Forbidden.RAM", message)
    }

    pub fn service_unavailable() -> Gateway {
        Gateway {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code: "ServiceUnavailable".into(),
            message: "The request has failed due to a temporary failure of the server.".to_owned(),
            retry_after_ms: None,
        }
    }

    pub fn internal_error() -> Gateway {
        Gateway {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            code: "InternalError".into(),
            message: "The request processing has failed due to some unknown error.".to_owned(),
            retry_after_ms: None,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let explained = error.to_string();
        match error {
            Error::NotFound { noun, name } => not_found(noun, &name),
            Error::Exists { noun, name } => exists(noun, &name),
            Error::Taken { field, value } => taken(field, &value),
            Error::Invalid { field, problem } => {
                Failure::business(code::INVALID_FORMATTED_PARAMETER, format!("The parameter {field}: {problem}."))
            }
            Error::InUse { noun, name, by } => in_use(noun, &name, by),
            Error::LimitReached { noun, limit } => limit_reached(noun, limit),
            Error::TooLarge { limit_bytes } => Failure::business(
                code::PARAMETER_IS_NOT_LESS_THAN_MAX,
                format!("The file is larger than {limit_bytes} bytes."),
            ),
            Error::WrongBytes(problem) => Failure::business(code::FIRMWARE_SIGN_MISMATCH, format!("{problem}.")),
            Error::Expired { noun } => {
                Failure::business(code::FILE_NOT_FOUND, format!("The time of the {noun} is over."))
            }
            Error::Forbidden { .. } => Failure::forbidden(),
            Error::Replayed => Failure::nonce_used(),
            Error::OutOfStep { .. } | Error::Busy { .. } | Error::Full | Error::Unavailable(_) => {
                Failure::Unavailable(explained)
            }
            Error::Internal(_) => Failure::Internal(explained),
        }
    }
}

fn not_found(noun: Noun, name: &str) -> Failure {
    match noun {
        Noun::Package => Failure::business(code::FIRMWARE_NOT_FOUND, "The specified firmware does not exist."),
        Noun::Product => Failure::business(code::NOT_EXISTED_PRODUCT, "The specified product does not exist."),
        Noun::Module => Failure::business(
            code::MODULE_NOT_FOUND,
            format!("The product has no module {}.", super::modules::alias(name)),
        ),
        Noun::File | Noun::Upload | Noun::Bucket | Noun::Object | Noun::Part => Failure::business(
            code::FILE_NOT_FOUND,
            format!("The file {name} does not exist: it was not uploaded, not used in time, or used already."),
        ),
        Noun::Tenant | Noun::Key | Noun::Space => Failure::Internal(format!("there is no {noun} {name}")),
    }
}

fn exists(noun: Noun, name: &str) -> Failure {
    match noun {
        Noun::Product => {
            Failure::business(code::ALREADY_EXISTED_PRODUCT_NAME, format!("The product name {name} exists already."))
        }
        Noun::Module => Failure::business(
            code::MODULE_EXISTED,
            format!("The product has the module {} already.", super::modules::alias(name)),
        ),
        Noun::Package => Failure::business(code::FIRMWARE_VERSION_EXISTED, "The firmware exists already."),
        Noun::Tenant
        | Noun::Key
        | Noun::Space
        | Noun::File
        | Noun::Upload
        | Noun::Bucket
        | Noun::Object
        | Noun::Part => Failure::Internal(format!("the {noun} {name} exists already")),
    }
}

fn taken(field: &'static str, value: &str) -> Failure {
    match field {
        super::packages::NAME_CLAIM => Failure::business(
            code::FIRMWARE_NAME_EXISTED,
            format!("Another firmware of the account has the FirmwareName {value}."),
        ),
        super::packages::VERSION_CLAIM => Failure::business(
            code::FIRMWARE_VERSION_EXISTED,
            "Another firmware of the same product and module has this DestVersion.",
        ),
        other => Failure::Internal(format!("another package has the {other} {value}")),
    }
}

fn in_use(noun: Noun, name: &str, by: &str) -> Failure {
    match noun {
        Noun::Module => Failure::business(
            code::MODULE_NOT_DELETABLE,
            format!("The module {} is in use by {by}.", super::modules::alias(name)),
        ),
        Noun::Package => Failure::business(code::FIRMWARE_IN_USE, format!("The firmware is in use by {by}.")),
        Noun::Product => Failure::business(code::PRODUCT_IN_USE, format!("The product is in use by {by}.")),
        Noun::Tenant
        | Noun::Key
        | Noun::Space
        | Noun::File
        | Noun::Upload
        | Noun::Bucket
        | Noun::Object
        | Noun::Part => Failure::Internal(format!("the {noun} {name} is in use by {by}")),
    }
}

fn limit_reached(noun: Noun, limit: u64) -> Failure {
    let code = match noun {
        Noun::Package => code::FIRMWARE_COUNT_EXCEED_MAX,
        Noun::Module => code::MODULE_COUNT_EXCEED_MAX,
        Noun::Product => code::PRODUCT_COUNT_EXCEED_MAX,
        Noun::Tenant
        | Noun::Key
        | Noun::Space
        | Noun::File
        | Noun::Upload
        | Noun::Bucket
        | Noun::Object
        | Noun::Part => code::PARAMETER_IS_NOT_LESS_THAN_MAX,
    };
    Failure::business(code, format!("There are {limit} {noun}s already, which is the limit."))
}

impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Failure {
        match error {
            AuthError::UnknownKey(_) => Failure::gateway(
                StatusCode::NOT_FOUND,
                "InvalidAccessKeyId.NotFound",
                "Specified access key is not found.",
            ),
            AuthError::Revoked(_) | AuthError::Expired(_) => {
                Failure::refused("InvalidAccessKeyId.Inactive", "Specified access key is disabled.")
            }
            AuthError::BadToken => {
                Failure::refused("InvalidSecurityToken.Malformed", "Specified SecurityToken is malformed.")
            }
            AuthError::TokenExpired => {
                Failure::refused("InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")
            }
            AuthError::WrongSecret => Failure::signature_does_not_match(""),
            AuthError::Failed(error) => error.into(),
        }
    }
}

impl From<SignatureError> for Failure {
    fn from(error: SignatureError) -> Failure {
        match error {
            SignatureError::Missing => Failure::missing("Signature"),
            SignatureError::UnsupportedAlgorithm(name) => Failure::signature_method(format!(
                "The signature method {name} is not supported: sign with HMAC-SHA1, HMAC-SHA256, ACS3-HMAC-SHA256 or \
                 ACS3-HMAC-SM3."
            )),
            SignatureError::Mismatch { string_to_sign } => Failure::signature_does_not_match(&string_to_sign),
            SignatureError::InvalidTime(_) => Failure::time_format(),
            SignatureError::MissingHeader(_)
            | SignatureError::Malformed(_)
            | SignatureError::UnsignedHeader(_)
            | SignatureError::ScopeDate
            | SignatureError::BodyDigest(_)
            | SignatureError::UnsignedPayload => Failure::incomplete_signature(error, ""),
        }
    }
}
