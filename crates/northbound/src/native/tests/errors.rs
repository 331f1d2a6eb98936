//! Errors: what is wrong is named, with what would be right.

use axum::body::Body;
use axum::http::Request;
use otaru_core::app::{Error, Noun};
use otaru_model::Right;
use serde_json::{Value, json};

use super::super::error::{Kind, Problem};
use super::Town;

#[tokio::test]
async fn wrong_bodies_are_refused_with_a_reason() {
    let town = Town::new().await;
    let deep = format!("{{\"name\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let table: &[(&str, (u16, &str, &str), &str)] = &[
        ("", (400, "malformed", ""), "the body is not JSON: EOF"),
        ("{", (400, "malformed", ""), "the body is not JSON: EOF"),
        ("name=x", (400, "malformed", ""), "line 1 column"),
        ("[]", (400, "malformed", ""), "must be a JSON object, not a list"),
        ("null", (400, "malformed", ""), "must be a JSON object, not null"),
        ("{\"name\":\"a\",\"name\":\"b\"}", (400, "malformed", "name"), "two members `name`"),
        ("{\"nmae\":\"a\"}", (400, "invalid", "nmae"), "did you mean `name`?"),
        ("{\"name\":\"a\",\"colour\":1}", (400, "invalid", "colour"), "there are: name, code"),
        ("{}", (400, "invalid", "name"), "name is missing; it must be 1 to 64"),
        ("{\"name\":null}", (400, "invalid", "name"), "name is missing"),
        ("{\"name\":5}", (400, "invalid", "name"), "must be a string, not a number"),
        ("{\"name\":[\"a\"]}", (400, "invalid", "name"), "must be a string, not a list"),
        ("{\"name\":\"\"}", (400, "invalid", "name"), "must be 1 to 64"),
        ("{\"name\":\"a\",\"code\":\"a b\"}", (400, "invalid", "code"), "letters, digits, `_` and `-`"),
        (&deep, (400, "malformed", ""), "nested more than 16 deep"),
    ];
    for (body, problem, detail) in table {
        let request = town.request(&town.admin, "POST", "/spaces").body(Body::from((*body).to_owned())).unwrap();
        let reply = town.raw(request).await;
        let shown: String = body.chars().take(40).collect();
        assert_eq!(reply.problem(), *problem, "{shown}");
        assert!(reply.text("detail").contains(detail), "{shown}: {}", reply.text("detail"));
    }
    let huge = Body::from(format!("{{\"name\":\"{}\"}}", "x".repeat(300_000)));
    let huge = town.raw(town.request(&town.admin, "POST", "/spaces").body(huge).unwrap()).await;
    assert_eq!(huge.problem(), (413, "too_large", ""));
    let form = town.request(&town.admin, "POST", "/spaces").header("content-type", "application/x-www-form-urlencoded");
    let form = town.raw(form.body(Body::from("name=x")).unwrap()).await;
    assert_eq!(form.problem(), (415, "unsupported_media_type", "Content-Type"));
    let half = town.request(&town.admin, "POST", "/spaces").body(super::broken(b"{\"name\":".to_vec())).unwrap();
    assert_eq!(town.raw(half).await.problem(), (400, "malformed", ""));
    let charset =
        town.request(&town.admin, "POST", "/spaces").header("content-type", "Application/JSON; charset=utf-8");
    town.raw(charset.body(Body::from("{\"name\":\"x\"}")).unwrap()).await.expect(201);
}

#[tokio::test]
async fn wrong_parameters_are_refused_with_a_reason() {
    let town = Town::new().await;
    let table = [
        ("/packages?limt=5", "limt", "limt is no parameter of this request; did you mean `limit`?"),
        ("/packages?limit=0", "limit", "limit must be a whole number from 1 to 500"),
        ("/packages?limit=501", "limit", "from 1 to 500"),
        ("/packages?limit=x", "limit", "from 1 to 500"),
        ("/packages?limit=1&limit=2", "limit", "limit may be given once only"),
        ("/packages?cursor=!", "cursor", "cursor must be 1 to 128"),
        ("/packages?module_kind=Firmware", "module_kind", "firmware, software, other"),
        ("/keys?role=admin", "role", "there are: limit, cursor"),
    ];
    for (path, field, detail) in table {
        let reply = town.get(path).await;
        assert_eq!(reply.problem(), (400, "invalid", field), "{path}");
        assert!(reply.text("detail").contains(detail), "{path}: {}", reply.text("detail"));
    }
    let times = ["2030-01-01", "tomorrow", "2030-01-01T00:00:00", "2030-13-01T00:00:00Z", ""];
    for time in times {
        let reply = town.call("POST", "/keys", json!({ "role": "viewer", "expires": time })).await;
        assert_eq!(reply.problem(), (400, "invalid", "expires"), "{time}");
    }
    let past = town.call("POST", "/keys", json!({ "role": "viewer", "expires": "2020-01-01T00:00:00Z" })).await;
    assert_eq!(past.problem(), (400, "invalid", "expires"));
    let role = town.call("POST", "/keys", json!({ "role": "root" })).await;
    assert!(role.text("detail").contains("role must be one of admin, publisher, operator, viewer"));
}

#[tokio::test]
async fn members_that_do_not_go_together_are_refused() {
    let town = Town::new().await;
    town.product("p").await;
    let upload = town.upload(b"bytes").await;
    let package = |kind: &str, files: Value| json!({ "product": "p", "version": "1", "kind": kind, "files": files });
    let object = json!({ "bucket": "abc", "key": "k" });
    let table = [
        (package("delta", json!([{ "upload": upload }])), "source_versions"),
        (package("full", json!([{}])), "files[0].upload"),
        (package("full", json!([{ "upload": upload, "object": object }])), "files[0].object"),
        (package("full", json!([{ "upload": upload }, { "uplaod": upload }])), "files[1].uplaod"),
        (package("full", json!([{ "object": { "bucket": "abc" } }])), "files[0].object.key"),
        (package("full", json!({ "upload": upload })), "files"),
        (package("full", json!([upload])), "files[0]"),
    ];
    for (body, field) in table {
        assert_eq!(town.call("POST", "/packages", body).await.problem(), (400, "invalid", field));
    }
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let town = Town::new().await;
    town.product("p").await;
    let upload = town.upload(b"bytes").await;
    let id = "0".repeat(24);
    let none = || Value::Null;
    let package = |product: &str, file: Value| json!({ "product": product, "version": "1", "files": [file] });
    let table: &[(&str, String, Value, &str)] = &[
        ("GET", "/spaces/none".into(), none(), "space"),
        ("PATCH", "/spaces/none".into(), json!({ "name": "x" }), "space"),
        ("DELETE", "/spaces/none".into(), none(), "space"),
        ("GET", "/products/none".into(), none(), "product"),
        ("GET", "/products/%FF".into(), none(), ""),
        ("GET", "/products?space=none".into(), none(), "space"),
        ("GET", "/packages?space=none".into(), none(), "space"),
        ("GET", "/products/none/modules".into(), none(), "product"),
        ("GET", "/products/p/modules/none".into(), none(), "module"),
        ("GET", "/products/p/modules/a%20b".into(), none(), ""),
        ("GET", "/keys/none".into(), none(), ""),
        ("DELETE", "/keys/none".into(), none(), ""),
        ("GET", "/uploads/none".into(), none(), "upload"),
        ("DELETE", "/uploads/none".into(), none(), "upload"),
        ("GET", format!("/packages/{id}"), none(), ""),
        ("GET", "/packages/none".into(), none(), ""),
        ("PATCH", format!("/packages/{id}"), json!({}), ""),
        ("DELETE", format!("/packages/{id}"), none(), ""),
        ("POST", format!("/packages/{id}/verify"), none(), ""),
        ("POST", format!("/packages/{id}/link"), none(), ""),
        ("POST", "/packages".into(), package("none", json!({ "upload": upload })), "product"),
        ("POST", "/packages".into(), package("p", json!({ "upload": "none" })), "upload"),
        ("POST", "/packages".into(), package("p", json!({ "object": { "bucket": "none", "key": "k" } })), "bucket"),
        ("GET", "/".into(), none(), ""),
        ("GET", "/no/such/thing".into(), none(), ""),
    ];
    for (method, path, body, field) in table {
        let reply = town.call(method, path, body.clone()).await;
        assert_eq!(reply.problem(), (404, "not_found", *field), "{method} {path}");
    }
}

#[tokio::test]
async fn names_that_are_taken_and_methods_that_do_not_fit_are_refused() {
    let town = Town::new().await;
    let twice = [
        ("/spaces", json!({ "name": "x", "code": "x" })),
        ("/products", json!({ "name": "x", "code": "x" })),
        ("/products/x/modules", json!({ "name": "mcu" })),
        ("/tenants", json!({ "name": "Neighbour" })),
    ];
    for (path, body) in twice {
        town.call("POST", path, body.clone()).await.expect(201);
        assert_eq!(town.call("POST", path, body).await.problem(), (409, "exists", ""), "{path}");
    }
    town.call("POST", "/products", json!({ "name": "y", "key": "abcdefghijk" })).await.expect(201);
    let key = town.call("POST", "/products", json!({ "name": "z", "key": "abcdefghijk" })).await;
    assert_eq!(key.problem(), (409, "exists", ""));
    let default = town.get("/spaces").await.json["items"][0]["code"].as_str().unwrap().to_owned();
    let kept = town.call("DELETE", &format!("/spaces/{default}"), Value::Null).await;
    assert_eq!(kept.problem(), (409, "in_use", ""));

    let put = town.call("PUT", "/spaces/x", json!({})).await;
    assert_eq!(put.problem(), (405, "method_not_allowed", ""));
    let allowed: std::collections::BTreeSet<_> = put.header("allow").split(',').collect();
    assert_eq!(allowed, ["DELETE", "GET", "HEAD", "PATCH"].into());
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own_and_is_not_cached() {
    let town = Town::new().await;
    let (one, other) = (town.get("/tenant").await, town.get("/nothing").await);
    for reply in [&one, &other] {
        let id = reply.header("x-request-id");
        assert_eq!((id.len(), &id[14..15]), (36, "4"), "{id}");
        assert_eq!(reply.header("cache-control"), "no-store");
    }
    assert_ne!(one.header("x-request-id"), other.header("x-request-id"));
    let outside = Request::builder().uri("/elsewhere").body(Body::empty()).unwrap();
    assert_eq!(town.raw(outside).await.status, 404);
}

#[test]
fn every_error_of_the_product_has_a_problem() {
    let noun = Noun::Package;
    let name = || "x".to_owned();
    let table = [
        (Error::not_found(noun, "x"), Kind::NotFound, None),
        (Error::not_found(Noun::Object, "x"), Kind::NotFound, Some("key")),
        (Error::exists(noun, "x"), Kind::Exists, None),
        (Error::Taken { field: "name", value: name() }, Kind::Exists, Some("name")),
        (Error::invalid("version", "x"), Kind::Invalid, Some("version")),
        (Error::InUse { noun, name: name(), by: "x" }, Kind::InUse, None),
        (Error::LimitReached { noun, limit: 1 }, Kind::LimitReached, None),
        (Error::TooLarge { limit_bytes: 1 }, Kind::TooLarge, None),
        (Error::WrongBytes(name()), Kind::WrongBytes, None),
        (Error::OutOfStep { next_byte: 1 }, Kind::OutOfStep, Some("Upload-Offset")),
        (Error::Busy { noun }, Kind::Busy, None),
        (Error::Expired { noun }, Kind::Expired, None),
        (Error::Forbidden { right: Right::Publish }, Kind::Forbidden, None),
        (Error::Replayed, Kind::Replayed, None),
        (Error::Full, Kind::Full, None),
        (Error::Unavailable(name()), Kind::Unavailable, None),
        (Error::Internal(name()), Kind::Internal, None),
    ];
    for (error, kind, field) in table {
        let text = error.to_string();
        let problem = Problem::from(error);
        assert_eq!((problem.kind, problem.field.as_deref()), (kind, field), "{text}");
        let is_ours = matches!(kind, Kind::Unavailable | Kind::Internal);
        assert_eq!(problem.internal.as_deref() == Some(text.as_str()), is_ours, "{text}");
        assert!(!is_ours || !problem.detail.contains(&text), "what is inside stays inside");
        let waits = matches!(kind, Kind::Busy | Kind::Unavailable);
        assert_eq!(problem.headers.iter().any(|(name, _)| name == "retry-after"), waits, "{text}");
    }
}
