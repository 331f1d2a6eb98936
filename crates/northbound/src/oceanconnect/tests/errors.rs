//! Every row of the table of errors, in the order of the checks: throttle, token, format, existence.

use axum::response::IntoResponse;
use otaru_core::app::{Error, Noun};
use otaru_model::Right;

use super::super::Failure;
use super::*;

const UNKNOWN: &str = "64a3c2d8fb6fc0015c1d2e3f";

#[tokio::test]
async fn a_call_without_a_right_token_is_forbidden_and_never_unauthorized() {
    let door = Door::open().await;
    let token = door.token().await;
    let cases: [(&[(&str, &str)], &str); 9] = [
        (&[], "the header app_key is missing"),
        (&[("Authorization", &format!("Bearer {token}"))], "the header app_key is missing"),
        (&[("app_key", ""), ("Authorization", &format!("Bearer {token}"))], "the header app_key is missing"),
        (&[("app_key", &door.app_id)], "the header Authorization must be `Bearer` and an access token"),
        (
            &[("app_key", &door.app_id), ("Authorization", &token)],
            "the header Authorization must be `Bearer` and an access token",
        ),
        (
            &[("app_key", &door.app_id), ("Authorization", &format!("Basic {token}"))],
            "the header Authorization must be `Bearer` and an access token",
        ),
        (
            &[("app_key", &door.app_id), ("Authorization", "Bearer guess")],
            "the access token has ended, was replaced or never was",
        ),
        (
            &[("app_key", "another"), ("Authorization", &format!("Bearer {token}"))],
            "the access token is of another application than app_key",
        ),
        (&[("app-key", &door.app_id), ("Authorization", &format!("Bearer {token}"))], "the header app_key is missing"),
    ];
    for (headers, detail) in cases {
        for (method, path) in
            [("GET", ""), ("GET", "/a.b"), ("GET", "/unknown"), ("DELETE", "/a.b"), ("GET", "?pageNo=x")]
        {
            let mut request = Request::builder().method(method).uri(format!("{CATEGORY}{path}"));
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let answer = door.send(request.body(Body::empty()).unwrap()).await;
            answer.assert_error(403, "1010005", "App_key or access_token is invalid.");
            assert_eq!(answer.header("x-error-detail"), Some(detail), "{headers:?}");
        }
    }
}

#[tokio::test]
async fn the_scheme_is_bearer_in_any_letter_case() {
    let door = Door::open().await;
    let token = door.token().await;
    for scheme in ["Bearer", "bearer", "BEARER", "Bearer "] {
        let request = Request::get(CATEGORY)
            .header("app_key", &door.app_id)
            .header("Authorization", format!("{scheme} {token}"))
            .body(Body::empty())
            .unwrap();
        assert_eq!(door.send(request).await.status, 200, "{scheme}");
    }
}

#[tokio::test]
async fn a_malformed_file_id_is_a_bad_request() {
    let door = Door::open().await;
    let token = door.token().await;
    let long = "a".repeat(65);
    for file_id in ["", "a.b", "a%20b", "a/b", "a%2Fb", "%ff", "%E7%94%B5", "a+b", "{fileId}", "*", &long] {
        let target = format!("{CATEGORY}/{}", file_id.replace('{', "%7B").replace('}', "%7D"));
        for method in ["GET", "DELETE"] {
            let answer = door.call(method, &target, &door.app_id, &token).await;
            answer.assert_error(400, "120015", "Bad request error.");
            let detail = "fileId: must be 1 to 64 letters, digits, `_` and `-`";
            assert_eq!(answer.header("x-error-detail"), Some(detail), "{file_id}");
        }
    }
}

#[tokio::test]
async fn a_well_formed_unknown_file_id_is_not_found() {
    let door = Door::open().await;
    let token = door.token().await;
    let longest = "a".repeat(64);
    for file_id in [UNKNOWN, "1", "not-one_of-ours", &longest] {
        for method in ["GET", "DELETE"] {
            let answer = door.call(method, &format!("{CATEGORY}/{file_id}"), &door.app_id, &token).await;
            answer.assert_error(404, "123002", "Device or package file not found.");
        }
    }
}

#[tokio::test]
async fn another_tenants_package_is_not_found() {
    let door = Door::open().await;
    let product = door.meter().await;
    let package = door.publish(described_package(&product)).await;
    let (_, stranger) = door.app.create_tenant(&door.owner, "strangers").await.unwrap();
    let signed_in = door.sign_in(&stranger.key.id, stranger.secret.expose()).await.json();
    let token = signed_in["accessToken"].as_str().unwrap();

    let target = format!("{CATEGORY}/{}", package.id);
    for method in ["GET", "DELETE"] {
        let answer = door.call(method, &target, &stranger.key.id, token).await;
        answer.assert_error(404, "123002", "Device or package file not found.");
    }
    let list = door.call("GET", CATEGORY, &stranger.key.id, token).await.json();
    assert_eq!(list, json!({"data": [], "pageNo": 0, "pageSize": 10, "totalCount": 0}));
    assert_eq!(door.get(&target, &door.token().await).await.status, 200);
}

#[tokio::test]
async fn a_list_says_which_parameter_is_wrong() {
    let door = Door::open().await;
    let token = door.token().await;
    let long = format!("model={}", "a".repeat(257));
    for (query, detail) in [
        ("fileType=patch", "fileType: must be one of firmwarePackage, softwarePackage"),
        ("fileType=softwarepackage", "fileType: must be one of firmwarePackage, softwarePackage"),
        (&long, "model: must be 1 to 256 any characters but NUL"),
        ("version=%00", "the text holds a NUL character"),
    ] {
        let answer = door.get(&format!("{CATEGORY}?{query}"), &token).await;
        answer.assert_error(400, "120015", "Bad request error.");
        assert_eq!(answer.header("x-error-detail"), Some(detail));
    }
    for (query, detail) in [
        ("pageNo=-1", "pageNo: must be a whole number from 0 to 9223372036854775807"),
        ("pageNo=one", "pageNo: must be a whole number from 0 to 9223372036854775807"),
        ("pageNo=1.0", "pageNo: must be a whole number from 0 to 9223372036854775807"),
        ("pageSize=0", "pageSize: must be a whole number from 1 to 100"),
        ("pageSize=101", "pageSize: must be a whole number from 1 to 100"),
    ] {
        let answer = door.get(&format!("{CATEGORY}?{query}"), &token).await;
        answer.assert_error(400, "123029", "pageNo or pageSize beyond the limit.");
        assert_eq!(answer.header("x-error-detail"), Some(detail));
    }
}

#[tokio::test]
async fn who_may_only_read_is_told_that_the_token_is_not_good_for_it() {
    let door = Door::open().await;
    let product = door.meter().await;
    let package = door.publish(described_package(&product)).await;
    let (app_id, secret) = door.application(Role::Viewer).await;
    let token = door.sign_in(&app_id, &secret).await.json()["accessToken"].as_str().unwrap().to_owned();
    let target = format!("{CATEGORY}/{}", package.id);

    let answer = door.call("DELETE", &target, &app_id, &token).await;
    answer.assert_error(403, "1010005", "App_key or access_token is invalid.");
    assert_eq!(answer.header("x-error-detail"), Some("this key may not publish"));
    assert_eq!(door.call("GET", &target, &app_id, &token).await.status, 200, "it is still there");
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_refused_in_the_same_form() {
    let door = Door::open().await;
    let token = door.token().await;
    door.call("PUT", CATEGORY, &door.app_id, &token).await.assert_error(405, "120015", "Bad request error.");
    door.call("GET", LOGIN, &door.app_id, &token).await.assert_error(405, "120015", "Bad request error.");
}

async fn answer_to(error: Error) -> Answer {
    let (parts, body) = Failure::from(error).into_response().into_parts();
    let text = body.collect().await.unwrap().to_bytes().to_vec();
    Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(text).unwrap() }
}

#[tokio::test]
async fn a_fault_of_ours_tells_nothing_but_where_to_look() {
    for (error, status) in [
        (Error::Internal("column 7 of sessions".to_owned()), 500),
        (Error::Unavailable("10.0.0.7:5432 refused".to_owned()), 503),
        (Error::Full, 503),
    ] {
        let answer = answer_to(error).await;
        answer.assert_error(status, "100001", "Internal server error.");
        let request_id = answer.header("x-request-id").unwrap();
        assert_eq!((request_id.len(), &request_id[14..15]), (36, "4"), "{request_id}");
        assert_eq!(answer.headers.len(), 2, "{answer:?}");
    }
}

#[tokio::test]
async fn every_error_of_the_core_has_a_row() {
    let name = || "x".to_owned();
    let cases = [
        (Error::not_found(Noun::Package, 1), 404, "123002"),
        (Error::Forbidden { right: Right::Publish }, 403, "1010005"),
        (Error::Replayed, 403, "1010005"),
        (Error::invalid("version", "is wrong"), 400, "120015"),
        (Error::exists(Noun::Package, 1), 400, "120015"),
        (Error::Taken { field: "name", value: name() }, 400, "120015"),
        (Error::InUse { noun: Noun::Package, name: name(), by: "a job" }, 400, "120015"),
        (Error::LimitReached { noun: Noun::Package, limit: 1 }, 400, "120015"),
        (Error::TooLarge { limit_bytes: 1 }, 400, "120015"),
        (Error::WrongBytes(name()), 400, "120015"),
        (Error::OutOfStep { next_byte: 1 }, 400, "120015"),
        (Error::Busy { noun: Noun::Upload }, 503, "100001"),
        (Error::Expired { noun: Noun::Upload }, 400, "120015"),
    ];
    for (error, status, code) in cases {
        let told = error.to_string();
        let answer = answer_to(error).await;
        assert_eq!((answer.error().0, answer.error().1.as_str()), (status, code), "{told}");
    }
}
