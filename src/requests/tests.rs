//! What is around a request, tried on a small door.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::Method;
use http_body_util::BodyExt;
use otaru_core::request;
use tokio::sync::Notify;

use super::*;

fn peer(address: &str) -> Peer {
    let address = SocketAddr::new(address.parse().expect("an address"), 4711);
    Peer { address, encrypted: false, certificate: None }
}

fn ask(path: &str, from: &str) -> Request<Body> {
    let mut request = Request::get(path).body(Body::empty()).expect("a request");
    request.extensions_mut().insert(peer(from));
    request
}

async fn text(answer: Response<Body>) -> String {
    let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn desk(per_peer: usize) -> Desk {
    Desk::new(per_peer, 0, Networks::default(), Told::All)
}

#[tokio::test]
async fn a_request_knows_its_id_and_its_door() {
    let door =
        Router::new().route("/id", get(async || format!("{} {}", request::id_text(request::id()), request::door())));
    let door = desk(0).watch("test", door);
    let first = text(door.answer(ask("/id", "192.0.2.1")).await).await;
    let second = text(door.answer(ask("/id", "192.0.2.1")).await).await;
    assert!(first.ends_with(" test") && first != second, "{first} {second}");
}

#[tokio::test]
async fn a_panic_costs_one_request() {
    let door = Router::new().route(
        "/",
        get(async || {
            if request::door() == "test" {
                panic!("on purpose")
            }
        }),
    );
    let answer = desk(0).watch("test", door).answer(ask("/", "192.0.2.1")).await;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(text(answer).await, "a fault of this server\n");
}

#[tokio::test]
async fn one_address_has_only_so_many_requests_under_way() {
    let gate = Arc::new(Notify::new());
    let waiting = Arc::clone(&gate);
    let door = Router::new().route(
        "/",
        get(async move || {
            waiting.notified().await;
            "done"
        }),
    );
    let door = desk(1).watch("test", door);
    let first = tokio::spawn(door.answer(ask("/", "192.0.2.1")));
    tokio::time::sleep(Duration::from_millis(50)).await;

    let refused = door.answer(ask("/", "192.0.2.1")).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(text(refused).await, "too many requests from your address at once\n");

    let other = tokio::spawn(door.answer(ask("/", "192.0.2.2")));
    tokio::time::sleep(Duration::from_millis(50)).await;
    gate.notify_waiters();
    let answer = first.await.expect("no panic");
    assert_eq!(other.await.expect("no panic").status(), StatusCode::OK);

    // The place is taken until the answer is sent to its end.
    let refused = door.answer(ask("/", "192.0.2.1")).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(text(answer).await, "done");
    gate.notify_one();
    assert_eq!(door.answer(ask("/", "192.0.2.1")).await.status(), StatusCode::OK);
}

#[test]
fn operations_are_bounded() {
    let known = |method: &str, pattern| route::name(&Method::from_bytes(method.as_bytes()).expect("a method"), pattern);
    assert_eq!(known("GET", Some("/v5/iot/{project_id}")), "GET /v5/iot/{project_id}");
    assert_eq!(known("BREW", Some("/a")), "OTHER /a");
    assert_eq!(known("GET", None), "GET (unknown)");
    assert_eq!(known("GET", Some("/api/v1/{*__private__axum_nest_tail_param}")), "GET (unknown)");
}

#[test]
fn a_household_is_one_peer() {
    let whose = |text: &str| whose(text.parse().expect("an address")).to_string();
    assert_eq!(whose("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    assert_eq!(whose("::ffff:192.0.2.7"), "192.0.2.7");
    assert_eq!(whose("192.0.2.7"), "192.0.2.7");
}
