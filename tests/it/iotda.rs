//! The IoTDA door over sockets: the vendor's documented examples, and what a back office does around them.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use otaru_northbound::wire::digest::{BodyDigest, hex_of_32, hmac_sha256};
use otaru_northbound::wire::sdk_hmac::Authorization;
use otaru_northbound::wire::time::TimeFormat;
use otaru_northbound::wire::{RequestHead, aws_v2};
use serde_json::json;

use super::golden::{self, Known};
use super::http::Request;
use super::server::{ACCESS_KEY_ID, ACCESS_KEY_SECRET, Server};

#[test]
fn the_documented_examples_are_answered_as_documented() {
    let server = Server::start();
    let mut known = Known::new();
    let unsigned = |_: &mut Request| {};
    let send = |request: &Request| server.send(request);
    golden::check("iotda/sign-in", &mut known, unsigned, send);
    golden::check("iotda/sign-in-refused", &mut known, unsigned, send);
    let token = known["token"].clone();
    let with_token = |request: &mut Request| request.headers.push(("X-Auth-Token".to_owned(), token.clone()));
    prepare(&server);

    golden::check("iotda/projects", &mut known, sign, send);
    golden::check("iotda/create-product", &mut known, sign, send);
    golden::check("iotda/create-package", &mut known, sign, send);
    golden::check("iotda/create-package-differential", &mut known, with_token, send);
    golden::check("iotda/list-packages-bare", &mut known, with_token, send);
    golden::check("iotda/list-packages", &mut known, sign, send);
    golden::check("iotda/list-packages-next", &mut known, with_token, send);
    golden::check("iotda/list-packages-beyond", &mut known, with_token, send);
    golden::check("iotda/list-packages-limit", &mut known, sign, send);
    golden::check("iotda/show-package", &mut known, with_token, send);
    golden::check("iotda/create-package-no-space", &mut known, with_token, send);
    golden::check("iotda/create-package-no-object", &mut known, with_token, send);
    golden::check("iotda/unauthorized", &mut known, unsigned, send);
    golden::check("iotda/other-project", &mut known, with_token, send);
    golden::check("iotda/project-placeholder", &mut known, sign, send);
    golden::check("iotda/no-such-api", &mut known, with_token, send);
    golden::check("iotda/delete-package", &mut known, sign, send);
    golden::check("iotda/delete-package-again", &mut known, sign, send);
}

#[test]
fn a_switch_lets_the_bare_list_example_through() {
    let server = Server::with(&["--iotda-lenient-package-type"]);
    let mut known = Known::new();
    let send = |request: &Request| server.send(request);
    golden::check("iotda/sign-in", &mut known, |_| {}, send);
    golden::check("iotda/list-packages-bare-lenient", &mut known, sign, send);
}

#[test]
fn what_was_acknowledged_is_there_after_a_restart_and_so_is_the_token() {
    let server = Server::start();
    let mut known = Known::new();
    golden::check("iotda/sign-in", &mut known, |_| {}, |request| server.send(request));
    prepare(&server);
    golden::check("iotda/create-product", &mut known, sign, |request| server.send(request));
    golden::check("iotda/create-package-differential", &mut known, sign, |request| server.send(request));
    let server = server.restart();
    let token = known["token"].clone();
    let with_token = |request: &mut Request| request.headers.push(("X-Auth-Token".to_owned(), token.clone()));
    golden::check("iotda/show-package", &mut known, with_token, |request| server.send(request));
}

#[test]
fn a_body_over_a_mebibyte_is_refused_in_the_dialects_words() {
    let server = Server::start();
    let mut known = Known::new();
    golden::check("iotda/sign-in", &mut known, |_| {}, |request| server.send(request));
    let path = format!("/v5/iot/{}/ota-upgrades/packages", known["project_id"]);
    let request = Request::new("POST", &path)
        .header("X-Auth-Token", known["token"].as_str())
        .json(&json!({ "description": "x".repeat(1 << 20) }));
    let answer = server.send(&request).expect(400);
    assert_eq!(answer.json()["error_code"], "IOTDA.000008");
}

/// What the examples speak of: the space, made by our own API because its id is chosen, and the object.
fn prepare(server: &Server) {
    let basic = STANDARD.encode(format!("{ACCESS_KEY_ID}:{ACCESS_KEY_SECRET}"));
    let space = json!({ "name": "space1", "code": "61f7e74d036aca5be29e1ed4" });
    let request = Request::new("POST", "/api/v1/spaces").header("Authorization", format!("Basic {basic}"));
    server.send(&request.json(&space)).expect(201);
    for (target, body) in [("/abc", ""), ("/abc/bbb/upgrade.bin", "the whole firmware")] {
        let mut request = Request::new("PUT", target).header("Date", TimeFormat::Http.format(now_ms())).body(body);
        let (method, uri, headers) = parts(&request);
        let head = RequestHead::new(&method, &uri, &headers);
        let authorization = aws_v2::sign(&head, None, ACCESS_KEY_ID, ACCESS_KEY_SECRET);
        request.headers.push(("Authorization".to_owned(), authorization));
        request.send(server.objects).expect(200);
    }
}

/// Signs as the vendor's Go client does, which covers the date alone.
fn sign(request: &mut Request) {
    request.headers.push(("X-Sdk-Date".to_owned(), TimeFormat::Compact.format(now_ms())));
    let (method, uri, headers) = parts(request);
    let value = |signature: &str| {
        format!("SDK-HMAC-SHA256 Access={ACCESS_KEY_ID}, SignedHeaders=x-sdk-date, Signature={signature}")
    };
    let unsigned = value("0");
    let authorization = Authorization::parse(&unsigned).expect("a header of the right form");
    let head = RequestHead::new(&method, &uri, &headers);
    let text = authorization.string_to_sign(&head, &BodyDigest::of(&request.body)).expect("the date is signed");
    let signature = hex_of_32(&hmac_sha256(ACCESS_KEY_SECRET.as_bytes(), text.as_bytes()));
    let signed = value(std::str::from_utf8(&signature).expect("hexadecimal digits"));
    request.headers.push(("Authorization".to_owned(), signed));
}

fn parts(request: &Request) -> (Method, Uri, HeaderMap) {
    let header = |(name, value): &(String, String)| {
        (name.parse::<HeaderName>().expect("a header's name"), value.parse::<HeaderValue>().expect("a header's value"))
    };
    let method = request.method.parse().expect("a method");
    (method, request.target.parse().expect("a target"), request.headers.iter().map(header).collect())
}

fn now_ms() -> i64 {
    otaru_core::clock::Clock::system().now_ms()
}
