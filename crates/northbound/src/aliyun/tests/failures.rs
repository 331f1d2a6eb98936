//! What this dialect says of every error that a verb can give.

use axum::body::Body;
use axum::http::Request;
use otaru_core::app::{AuthError, Error, Noun};
use otaru_model::Right;

use super::super::error::Failure;
use super::super::form_error::FormFailure;
use super::*;

const NOUNS: [Noun; 11] = [
    Noun::Tenant,
    Noun::Key,
    Noun::Space,
    Noun::Product,
    Noun::Module,
    Noun::Package,
    Noun::File,
    Noun::Upload,
    Noun::Bucket,
    Noun::Object,
    Noun::Part,
];

fn code_of(failure: impl Into<Failure>) -> String {
    match failure.into() {
        Failure::Business { code, .. } => code.to_owned(),
        Failure::Gateway(gateway) => format!("{} {}", gateway.status.as_u16(), gateway.code),
        Failure::Unavailable(_) => "unavailable".to_owned(),
        Failure::Internal(_) => "internal".to_owned(),
    }
}

fn named(noun: Noun) -> [(&'static str, Error); 4] {
    let name = || "x".to_owned();
    [
        ("not found", Error::NotFound { noun, name: name() }),
        ("exists", Error::Exists { noun, name: name() }),
        ("in use", Error::InUse { noun, name: name(), by: "y" }),
        ("limit", Error::LimitReached { noun, limit: 1 }),
    ]
}

#[test]
fn errors_that_speak_of_something() {
    let max = "iot.check.ParameterIsNotLessThanMax";
    let file = "iot.ota.FileNotFound";
    for noun in NOUNS {
        let codes = named(noun).map(|(_, error)| code_of(error));
        let expected = match noun {
            Noun::Package => [
                "iot.ota.FirmwareNotFound",
                "iot.ota.FirmwareVersionExisted",
                "iot.ota.FirmwareInUse",
                "iot.ota.FirmwareCountExceedMax",
            ],
            Noun::Module => [
                "iot.ota.ModuleNotFound",
                "iot.ota.ModuleExisted",
                "iot.ota.ModuleNotDeletable",
                "iot.ota.ModuleCountExceedMax",
            ],
            Noun::Product => [
                "iot.prod.NotExistedProduct",
                "iot.prod.AlreadyExistedProductName",
                "iot.prod.ProductInUse",
                "iot.prod.ProductCountExceedMax",
            ],
            Noun::File | Noun::Upload | Noun::Bucket | Noun::Object | Noun::Part => [file, "internal", "internal", max],
            // A client here has no word for these, so no call of one can be at fault.
            Noun::Tenant | Noun::Key | Noun::Space => ["internal", "internal", "internal", max],
        };
        assert_eq!(codes, expected, "{noun}");
    }
}

#[test]
fn errors_that_speak_of_the_call() {
    let taken = |field| Error::Taken { field, value: "v".to_owned() };
    let rows = [
        (taken("FirmwareName"), "iot.ota.FirmwareNameExisted"),
        (taken("DestVersion"), "iot.ota.FirmwareVersionExisted"),
        (taken("another"), "internal"),
        (Error::invalid("version", "too long"), "iot.check.InvalidFormattedParameter"),
        (Error::TooLarge { limit_bytes: 1 }, "iot.check.ParameterIsNotLessThanMax"),
        (Error::WrongBytes("other bytes".to_owned()), "iot.ota.FirmwareSignMismatch"),
        (Error::Expired { noun: Noun::Upload }, "iot.ota.FileNotFound"),
        (Error::Forbidden { right: Right::Publish }, "403 Forbidden.RAM"),
        (Error::Replayed, "400 SignatureNonceUsed"),
        (Error::OutOfStep { next_byte: 1 }, "unavailable"),
        (Error::Busy { noun: Noun::Upload }, "unavailable"),
        (Error::Full, "unavailable"),
        (Error::Unavailable("later".to_owned()), "unavailable"),
        (Error::Internal("a secret path".to_owned()), "internal"),
    ];
    for (error, expected) in rows {
        let shown = error.to_string();
        assert_eq!(code_of(error), expected, "{shown}");
    }
}

#[test]
fn errors_of_signing_in() {
    let key = || "k".to_owned();
    let rows = [
        (AuthError::UnknownKey(key()), "404 InvalidAccessKeyId.NotFound"),
        (AuthError::Revoked(key()), "400 InvalidAccessKeyId.Inactive"),
        (AuthError::Expired(key()), "400 InvalidAccessKeyId.Inactive"),
        (AuthError::BadToken, "400 InvalidSecurityToken.Malformed"),
        (AuthError::TokenExpired, "400 InvalidSecurityToken.Expired"),
        (AuthError::WrongSecret, "400 SignatureDoesNotMatch"),
        (AuthError::Failed(Error::Full), "unavailable"),
    ];
    for (error, expected) in rows {
        let shown = error.to_string();
        assert_eq!(code_of(error), expected, "{shown}");
    }
}

#[test]
fn errors_of_a_form() {
    let rows = [
        (Error::not_found(Noun::Upload, "k"), 403, "AccessDenied"),
        (Error::Expired { noun: Noun::Upload }, 403, "AccessDenied"),
        (Error::Forbidden { right: Right::Publish }, 403, "AccessDenied"),
        (Error::Replayed, 403, "AccessDenied"),
        (Error::TooLarge { limit_bytes: 1 }, 400, "EntityTooLarge"),
        (Error::WrongBytes("other".to_owned()), 400, "MalformedPOSTRequest"),
        (Error::Full, 503, "ServiceUnavailable"),
        (Error::Busy { noun: Noun::Upload }, 503, "ServiceUnavailable"),
        (Error::OutOfStep { next_byte: 1 }, 503, "ServiceUnavailable"),
        (Error::Unavailable("later".to_owned()), 503, "ServiceUnavailable"),
        (Error::exists(Noun::Object, "o"), 500, "InternalError"),
        (Error::Taken { field: "f", value: "v".to_owned() }, 500, "InternalError"),
        (Error::invalid("f", "p"), 500, "InternalError"),
        (Error::InUse { noun: Noun::File, name: "f".to_owned(), by: "b" }, 500, "InternalError"),
        (Error::LimitReached { noun: Noun::Package, limit: 1 }, 500, "InternalError"),
        (Error::Internal("a secret path".to_owned()), 500, "InternalError"),
    ];
    for (error, status, code) in rows {
        let shown = error.to_string();
        let failure = FormFailure::from(error);
        assert_eq!((failure.status.as_u16(), failure.code), (status, code), "{shown}");
        assert!(!failure.message.contains("secret"), "{shown}");
    }
}

/// A store whose disk is gone is a fault inside: the contract's own example of one, without what happened.
#[tokio::test]
async fn a_fault_inside_is_told_without_its_inside() {
    let bench = Bench::new().await;
    let key = bench.product("meter").await;
    let id = bench.firmware(&key, "n", "1", &[]).await;
    spoil_package(&bench);
    let answer = bench.call("QueryOTAFirmware", &[("FirmwareId", &id)]).await;
    assert_eq!(answer.business(), "iot.system.SystemException");
    assert_eq!(answer.message(), "A system exception occurred.");
    let xml = bench
        .send(
            Request::get(format!("/?{}", bench.query("GET", ADMIN, "QueryOTAFirmware", &[("FirmwareId", &id)])))
                .body(Body::empty())
                .unwrap(),
        )
        .await;
    let id = xml.header("x-acs-request-id").to_owned();
    assert_eq!(
        xml.text,
        format!(
            "<QueryOTAFirmwareResponse><RequestId>{id}</RequestId><Success>false</Success>\
             <Code>iot.system.SystemException</Code><ErrorMessage>A system exception occurred.</ErrorMessage>\
             <Message>A system exception occurred.</Message></QueryOTAFirmwareResponse>"
        )
    );
}

/// Writes something over a stored package that no version of the server ever wrote, as a hand in the database may do.
fn spoil_package(bench: &Bench) {
    let store = rusqlite::Connection::open(bench.folder.path().join("otaru.db")).unwrap();
    assert_eq!(store.execute("UPDATE packages SET kind = 'neither'", []).unwrap(), 1);
}
