//! The northbound v1.5 door over a socket: what a proxy or a server library could bend on the way.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
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

/// Calls our own API, where packages of this dialect come in.
fn native(server: &Server, method: &str, target: &str, body: &[u8]) -> serde_json::Value {
    let pair = STANDARD.encode(format!("{ACCESS_KEY_ID}:{ACCESS_KEY_SECRET}"));
    let content_type = if body.starts_with(b"{") { "application/json" } else { "application/octet-stream" };
    let request = Request::new(method, target)
        .header("Authorization", format!("Basic {pair}"))
        .header("Content-Type", content_type)
        .body(body);
    server.send(&request).expect(201).json()
}

#[test]
fn a_package_that_our_own_door_took_shows_what_was_said_of_it() {
    let server = Server::start();
    let product = native(&server, "POST", "/api/v1/products", br#"{"name":"meter","protocol":"CoAP"}"#);
    let push = format!(
        "/api/v1/packages/push?product={}&module=software&version=V1.1.10&file_name=pkg.bin&name=meter%20software\
         &description=Test%20software%20package%20made%20by%20WYH&device_type=WaterMeter&model=WM-3&manufacturer=Sluice\
         &date=2015-2-2%20",
        product["code"].as_str().expect("a code"),
    );
    let pushed = native(&server, "POST", &push, b"the new software");
    let token = sign_in(&server);
    let file_id = pushed["id"].as_str().expect("an id");
    let package = call(&server, "GET", &format!("{CATEGORY}/{file_id}"), &token).expect(200);
    assert_eq!(package.find("Content-Type"), Some("application/json"));
    let package = package.json();
    let expected = json!({
        "fileId": file_id, "name": "meter software", "version": "V1.1.10", "fileType": "softwarePackage",
        "deviceType": "WaterMeter", "model": "WM-3", "manufacturerName": "Sluice", "protocolType": "CoAP",
        "description": "Test software package made by WYH", "date": "2015-2-2 ", "uploadTime": package["uploadTime"],
    });
    assert_eq!(package, expected);
    let list = call(&server, "GET", &format!("{CATEGORY}?&manufactureName=Sluice"), &token).expect(200).json();
    assert_eq!(list, json!({"data": [package], "pageNo": 0, "pageSize": 10, "totalCount": 1}));

    let deleted = call(&server, "DELETE", &format!("{CATEGORY}/{file_id}"), &token).expect(200);
    assert_eq!((deleted.text().as_str(), deleted.find("Content-Length")), ("", Some("0")));
    call(&server, "GET", &format!("{CATEGORY}/{file_id}"), &token).expect(404);
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
