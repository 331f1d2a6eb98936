//! Tokens and signatures: which ones let a request in.

use otaru_model::Role;

use super::*;
use crate::wire::RequestHead;
use crate::wire::digest::{BodyDigest, hex_of_32, hmac_sha256};
use crate::wire::sdk_hmac::{Authorization, derive_key};

/// A request to this tenant's project that carries no credentials yet.
fn bare(world: &World, method: Method, path: &str, body: &str) -> Request<Body> {
    let mut request = world.request(method, path, Body::from(body.to_owned()));
    request.headers_mut().remove("x-auth-token");
    request
}

fn stamp(request: &mut Request<Body>, signed_at_ms: i64) {
    header(request, "x-sdk-date", &crate::wire::time::TimeFormat::Compact.format(signed_at_ms));
}

/// Signs as the SDKs do. `names` are the signed headers, `scope` the derived scheme's.
fn sign(request: &mut Request<Body>, pair: (&str, &str), names: &str, scope: Option<(&str, &str)>, body: &str) {
    let (id, secret) = pair;
    let value = |signature: &str| match scope {
        None => format!("SDK-HMAC-SHA256 Access={id}, SignedHeaders={names}, Signature={signature}"),
        Some((day, region)) => format!(
            "V11-HMAC-SHA256 Credential={id}/{day}/{region}/iotdm, SignedHeaders={names}, Signature={signature}"
        ),
    };
    let unsigned = value("0");
    let head = RequestHead::new(request.method(), request.uri(), request.headers());
    let text =
        Authorization::parse(&unsigned).unwrap().string_to_sign(&head, &BodyDigest::of(body.as_bytes())).unwrap();
    let mac = match scope {
        None => hmac_sha256(secret.as_bytes(), text.as_bytes()),
        Some((day, region)) => hmac_sha256(&derive_key(id, secret, day, region, "iotdm"), text.as_bytes()),
    };
    let signature = hex_of_32(&mac);
    let signed = value(std::str::from_utf8(&signature).unwrap());
    header(request, "authorization", &signed);
}

const PAIR: (&str, &str) = (KEY_ID, SECRET);
const DATE_ONLY: &str = "x-sdk-date";

#[tokio::test]
async fn a_request_without_credentials_is_unauthorized() {
    let world = World::new().await;
    let reply = world.send(bare(&world, Method::GET, FIRMWARE_LIST, "")).await;
    reply.assert_refused(401, "IOTDA.000002", "X-Auth-Token");
}

#[tokio::test]
async fn both_signatures_are_taken_whatever_headers_they_cover() {
    let world = World::with_example(Settings::default()).await;
    let body = new_package().to_string();
    for names in [DATE_ONLY, "content-type;x-sdk-date"] {
        for scope in [None, Some(("20261121", "cn-north-4")), Some(("20261121", "my-region"))] {
            let mut request = bare(&world, Method::POST, PACKAGES, &body);
            stamp(&mut request, START_MS);
            sign(&mut request, PAIR, names, scope, &body);
            world.send(request).await.assert_status(201);
        }
    }
}

#[tokio::test]
async fn a_signature_covers_method_path_query_and_body() {
    let world = World::with_example(Settings::default()).await;
    let signed = |method, path: &str, body: &str| {
        let mut request = bare(&world, method, path, body);
        stamp(&mut request, START_MS);
        sign(&mut request, PAIR, DATE_ONLY, None, body);
        request
    };
    let forged = "IOTDA.000002";
    let mut other_query = signed(Method::GET, FIRMWARE_LIST, "");
    *other_query.uri_mut() = format!("{}&limit=1", other_query.uri()).parse().unwrap();
    world.send(other_query).await.assert_refused(401, forged, "signature");
    let mut other_path = signed(Method::GET, "/apps", "");
    *other_path.uri_mut() = world.url(MODULES).parse().unwrap();
    world.send(other_path).await.assert_refused(401, forged, "signature");
    let mut other_method = signed(Method::GET, "/apps", "");
    *other_method.method_mut() = Method::POST;
    world.send(other_method).await.assert_refused(401, forged, "signature");
    let mut other_body = signed(Method::POST, "/apps", "{\"app_name\":\"a\"}");
    *other_body.body_mut() = Body::from("{\"app_name\":\"b\"}");
    world.send(other_body).await.assert_refused(401, forged, "signature");
    let mut other_secret = bare(&world, Method::GET, "/apps", "");
    stamp(&mut other_secret, START_MS);
    sign(&mut other_secret, (KEY_ID, "another"), DATE_ONLY, None, "");
    world.send(other_secret).await.assert_refused(401, forged, "signature");
}

#[tokio::test]
async fn a_signature_is_good_for_fifteen_minutes_to_either_side() {
    let world = World::new().await;
    const WINDOW_MS: i64 = 15 * 60_000;
    for (offset_ms, status) in [(-WINDOW_MS, 200), (WINDOW_MS, 200), (-WINDOW_MS - 1000, 401), (WINDOW_MS + 1000, 401)]
    {
        let mut request = bare(&world, Method::GET, "/apps", "");
        stamp(&mut request, START_MS + offset_ms);
        sign(&mut request, PAIR, DATE_ONLY, None, "");
        let reply = world.send(request).await;
        assert_eq!(reply.status.as_u16(), status, "{offset_ms}");
        if status == 401 {
            reply.assert_refused(401, "IOTDA.000002", "20261121T091741Z");
        }
    }
}

#[tokio::test]
async fn other_algorithms_and_broken_headers_are_unauthorized() {
    let world = World::new().await;
    for value in [
        "SDK-HMAC-SM3 Access=AKIDEXAMPLE0000000001, SignedHeaders=x-sdk-date, Signature=0",
        "Bearer something",
        "SDK-HMAC-SHA256 Access=AKIDEXAMPLE0000000001",
        "SDK-HMAC-SHA256 Access=NOBODY, SignedHeaders=x-sdk-date, Signature=0",
        "V11-HMAC-SHA256 Credential=AKIDEXAMPLE0000000001/20261120/r/iotdm, SignedHeaders=x-sdk-date, Signature=0",
        "",
    ] {
        let mut request = bare(&world, Method::GET, "/apps", "");
        stamp(&mut request, START_MS);
        header(&mut request, "authorization", value);
        let reply = world.send(request).await;
        assert_eq!(reply.refusal().1, "IOTDA.000002", "{value}");
    }
}

#[tokio::test]
async fn of_a_token_and_a_signature_one_that_is_valid_suffices() {
    let world = World::new().await;
    let good_token = token_for(&world.app, &world.admin);
    for (token, secret, status) in
        [("none of ours", SECRET, 200), (&good_token, "wrong", 200), (&good_token, SECRET, 200), ("x", "wrong", 401)]
    {
        let mut request = bare(&world, Method::GET, "/apps", "");
        stamp(&mut request, START_MS);
        header(&mut request, "x-auth-token", token);
        sign(&mut request, (KEY_ID, secret), "x-auth-token;x-sdk-date", None, "");
        assert_eq!(world.send(request).await.status.as_u16(), status);
    }
}

#[tokio::test]
async fn a_token_ends_with_its_time_or_its_key() {
    let world = World::new().await;
    let key = world.app.create_key(&world.admin, Role::Viewer, "for a while", None).await.unwrap().key;
    let caller = world.app.credential(&key.id).await.unwrap().caller;
    let ask = async |token: &str| {
        let mut request = bare(&world, Method::GET, "/apps", "");
        header(&mut request, "x-auth-token", token);
        world.send(request).await
    };
    let token = token_for(&world.app, &caller);
    ask(&token).await.assert_status(200);
    world.app.revoke_key(&world.admin, &key.id).await.unwrap();
    ask(&token).await.assert_refused(401, "IOTDA.000002", "revoked");

    let token = token_for(&world.app, &world.admin);
    world.clock.advance(3_600_000);
    ask(&token).await.assert_refused(401, "IOTDA.000002", "expired");
    let (foreign, _) = world.app.issue_token(&world.admin, "another door", 3_600_000).unwrap();
    ask(&foreign).await.assert_refused(401, "IOTDA.000002", "X-Auth-Token");
    ask("").await.assert_refused(401, "IOTDA.000002", "X-Auth-Token");
}

#[tokio::test]
async fn temporary_keys_sign_with_their_security_token() {
    let world = World::new().await;
    let temporary = world.app.create_temporary_key(&world.admin, Some(Role::Viewer), 900_000).unwrap();
    let pair = (temporary.access_key_id.as_str(), temporary.secret.expose());
    let ask = async |method, body: &str, security_token: Option<&str>| {
        let mut request = bare(&world, method, "/apps", body);
        stamp(&mut request, world.clock.now_ms());
        let names = match security_token {
            Some(token) => {
                header(&mut request, "x-security-token", token);
                "x-sdk-date;x-security-token"
            }
            None => DATE_ONLY,
        };
        sign(&mut request, pair, names, None, body);
        world.send(request).await
    };
    let token = Some(temporary.security_token.as_str());
    ask(Method::GET, "", token).await.assert_status(200);
    let written = ask(Method::POST, "{\"app_name\":\"a\"}", token).await;
    written.assert_refused(403, "IOTDA.000004", "publish");
    ask(Method::GET, "", None).await.assert_refused(401, "IOTDA.000002", "access key");
    ask(Method::GET, "", Some("made up")).await.assert_refused(401, "IOTDA.000002", "security token");
    world.clock.advance(900_000);
    ask(Method::GET, "", token).await.assert_refused(401, "IOTDA.000002", "expired");
}

#[tokio::test]
async fn a_region_binds_derived_signatures_once_it_is_configured() {
    let world = World::with(Settings { regions: vec!["here-1".to_owned()], ..Settings::default() }).await;
    for (region, status) in [("here-1", 200), ("there-2", 401)] {
        let mut request = bare(&world, Method::GET, "/apps", "");
        stamp(&mut request, START_MS);
        sign(&mut request, PAIR, DATE_ONLY, Some(("20261121", region)), "");
        assert_eq!(world.send(request).await.status.as_u16(), status, "{region}");
    }
}

#[tokio::test]
async fn what_a_role_may_not_do_names_the_right() {
    let world = World::with_example(Settings::default()).await;
    let key = world.app.create_key(&world.admin, Role::Viewer, "", None).await.unwrap().key;
    let token = token_for(&world.app, &world.app.credential(&key.id).await.unwrap().caller);
    let with_token = |method, path: &str, body: String| {
        let mut request = world.request(method, path, body.into());
        header(&mut request, "x-auth-token", &token);
        world.send(request)
    };
    with_token(Method::GET, FIRMWARE_LIST, String::new()).await.assert_status(200);
    let refused = with_token(Method::POST, PACKAGES, new_package().to_string()).await;
    refused.assert_refused(403, "IOTDA.000004", "publish");
}

/// The router may hang below another one, which shortens the path that it sees.
#[tokio::test]
async fn a_signature_is_of_the_path_that_the_client_sent() {
    let world = World::new().await;
    let outer = Router::new().nest("/below", world.router.clone());
    let mut request = bare(&world, Method::GET, "/apps", "");
    *request.uri_mut() = format!("/below{}", request.uri()).parse().unwrap();
    stamp(&mut request, START_MS);
    sign(&mut request, PAIR, DATE_ONLY, None, "");
    assert_eq!(outer.oneshot(request).await.unwrap().status(), 200);
}
