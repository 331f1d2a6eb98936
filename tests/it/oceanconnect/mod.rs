//! The northbound v1.5 door over a socket: what a proxy or a server library could bend on the way.

use serde_json::json;

use super::golden::{self, Known};
use super::http::{Answer, Request};
use super::server::{ACCESS_KEY_ID, ACCESS_KEY_SECRET, Server};

const CATEGORY: &str = "/iodm/northbound/v1.5.0/category";

fn sign_in(server: &Server) -> String {
    let form = format!("appId={ACCESS_KEY_ID}&secret={ACCESS_KEY_SECRET}");
    let request = Request::new("POST", "/iocm/app/sec/v1.1.0/login")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(form);
    let tokens = server.send(&request).expect(200).json();
    tokens["accessToken"].as_str().expect("a token").to_owned()
}

fn call(server: &Server, method: &str, target: &str, token: &str) -> Answer {
    let request = Request::new(method, target)
        .header("app_key", ACCESS_KEY_ID)
        .header("Authorization", format!("Bearer {token}"))
        .header("Content-Type", "application/json");
    server.send(&request)
}

#[test]
fn the_golden_answers_come_over_the_wire_as_well() {
    let server = Server::start();
    let mut known = Known::from([
        ("appId".to_owned(), ACCESS_KEY_ID.to_owned()),
        ("secret".to_owned(), ACCESS_KEY_SECRET.to_owned()),
        ("accessToken".to_owned(), sign_in(&server)),
    ]);
    for case in [
        "query-package-malformed",
        "query-package-unknown",
        "list-packages-none",
        "list-packages-page-beyond",
        "login-refused",
        "refresh-refused",
    ] {
        golden::check(&format!("oceanconnect/{case}"), &mut known, |_| {}, |request| server.send(request));
    }
}

#[test]
fn a_session_outlives_a_server_that_is_killed() {
    let server = Server::start();
    let token = sign_in(&server);
    let server = server.restart();
    call(&server, "GET", CATEGORY, &token).expect(200);
}

#[test]
fn the_options_of_this_door_are_heard() {
    let server = Server::with(&["--oceanconnect-calls-per-minute", "2", "--oceanconnect-overlapping-tokens"]);
    let (first, second) = (sign_in(&server), sign_in(&server));
    call(&server, "GET", CATEGORY, &first).expect(200);
    call(&server, "DELETE", &format!("{CATEGORY}/unknown"), &second).expect(404);
    let refused = call(&server, "GET", CATEGORY, &first).expect(403).json();
    assert_eq!(refused, json!({"error_code": "1010009", "error_desc": "app throttle exceed."}));
}

#[test]
fn bad_calls_are_counted_by_the_address_of_the_socket() {
    let server = Server::with(&["--oceanconnect-bad-calls-per-minute", "1"]);
    let code = |answer: Answer| answer.expect(403).json()["error_code"].clone();
    assert_eq!(code(call(&server, "GET", CATEGORY, "guess")), "1010005");
    assert_eq!(code(call(&server, "GET", CATEGORY, "guess")), "1010009");
    call(&server, "GET", CATEGORY, &sign_in(&server)).expect(200);
}
