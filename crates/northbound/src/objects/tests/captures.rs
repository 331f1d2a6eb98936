//! Recorded requests of the unmodified OBS client, played back with their original signatures.

use axum::body::Body;
use http::Request;
use serde_json::Value;

use super::*;

const CAPTURES: &str = include_str!("../../../tests/vectors/obs-captures.json");

fn recorded() -> Vec<(String, String, Request<Body>)> {
    let file: Value = serde_json::from_str(CAPTURES).unwrap();
    let captures = file["captures"].as_array().unwrap().clone();
    captures
        .into_iter()
        .map(|capture| {
            let text = |name: &str| capture[name].as_str().unwrap().to_owned();
            let mut request = Request::builder().method(text("method").as_str()).uri(text("raw_target"));
            let mut length = 0;
            for header in capture["headers"].as_array().unwrap() {
                let (name, value) = (header[0].as_str().unwrap(), header[1].as_str().unwrap());
                if name.eq_ignore_ascii_case("content-length") {
                    length = value.parse().unwrap();
                }
                request = request.header(name, value);
            }
            // The recording has no bodies; bytes of that length stand in.
            let body = Body::from(vec![b' '; length]);
            (text("label"), text("form"), request.body(body).unwrap())
        })
        .collect()
}

#[tokio::test]
async fn every_recorded_signature_is_accepted() {
    let world = World::new().await;
    let (mut with_key, mut without) = (0, 0);
    for (label, form, request) in recorded() {
        let is_signed = form == "obs"
            || request.headers().contains_key("authorization")
            || request.uri().query().is_some_and(|query| query.contains("Signature"));
        let reply = world.send(request).await;
        let code = reply.element("Code").unwrap_or_default();
        if label == "extension_date" {
            // Signed with a date of its own, hours before.
            assert_eq!(code, "RequestTimeTooSkewed");
        } else if is_signed {
            with_key += 1;
            assert!(
                !["AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId", "RequestTimeTooSkewed"]
                    .contains(&code.as_str()),
                "{label} {form}: {}",
                reply.text()
            );
            assert_ne!(reply.status, 403, "{label} {form}");
        } else {
            without += 1;
            assert!(reply.status == 403 || reply.header("x-obs-api") == "3.0", "{label} {form}: {}", reply.status);
        }
    }
    assert!(with_key >= 50, "{with_key} signed, {without} unsigned");
}

#[tokio::test]
async fn the_clients_own_date_header_counts() {
    let world = World::new().await;
    world.clock.advance(1_795_251_600_000 - START_MS);
    let dated = recorded().into_iter().filter(|(label, ..)| label == "extension_date");
    for (_, form, request) in dated {
        let reply = world.send(request).await;
        assert_eq!(reply.element("Code").as_deref(), Some("NoSuchBucket"), "{form}");
    }
}

#[tokio::test]
async fn a_day_later_only_links_that_last_are_accepted() {
    let world = World::new().await;
    world.clock.advance(86_400_000);
    for (label, form, request) in recorded() {
        // What is not offered is said to anyone.
        if request.headers().contains_key("authorization") && label != "get_acl" {
            let is_head = request.method() == http::Method::HEAD;
            let reply = world.send(request).await.expect(403);
            assert!(is_head || reply.element("Code").unwrap() == "RequestTimeTooSkewed", "{label} {form}");
        }
    }
}
