//! Limits of the server itself, at their edge, over sockets.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;

use super::http::{Request, read_answer};
use super::server::Server;
use super::team::{await_in, firmware, publish, says, signed};

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";

fn metrics(server: &Server) -> String {
    server.send(&Request::new("GET", "/metrics")).expect(200).text()
}

/// Begins a download and leaves its bytes lying.
fn begin_download(server: &Server, link: &str, headers: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.http).unwrap();
    stream.write_all(format!("GET {link} HTTP/1.1\r\nHost: a\r\n{headers}\r\n").as_bytes()).unwrap();
    stream.read_exact(&mut [0; 12]).unwrap();
    stream
}

#[test]
fn a_connection_too_many_is_told_so() {
    let server = Server::with(&["--listen-max-connections=2"]);
    let mut first = TcpStream::connect(server.http).unwrap();
    let second = TcpStream::connect(server.http).unwrap();
    first.write_all(HEALTH).unwrap();
    let mut first = BufReader::new(first);
    read_answer(&mut first, false).expect(200);
    let refused = Request::new("GET", "/healthz").send(server.http).expect(503);
    says(&refused, "too many connections");
    assert_eq!((refused.find("Retry-After"), refused.find("Connection")), (Some("5"), Some("close")));
    drop(second);
    await_in(
        || Request::new("GET", "/healthz").send(server.http).status.to_string(),
        |status| (status == "200").then_some(()),
    );
    let line = "otaru_refused_total{door=\"http\",reason=\"connections\"}";
    await_in(|| metrics_when_there_is_room(&server), |text| text.contains(line).then_some(()));
    assert!(server.log().contains("connections are refused"), "{}", server.log());
}

/// The connection before may not be gone yet.
fn metrics_when_there_is_room(server: &Server) -> String {
    server.send(&Request::new("GET", "/metrics")).text()
}

#[test]
fn one_address_has_its_share_of_requests_and_a_trusted_proxy_has_its_clients() {
    let options = ["--listen-max-requests-per-peer=1", "--listen-trusted-proxies=127.0.0.1", "--metrics=open"];
    let server = Server::with(&options);
    let package = publish(&server, "1", &firmware(32 << 20));
    // The first device holds its place as long as its answer is under way.
    let held = begin_download(&server, &package.link, "X-Forwarded-For: 203.0.113.1\r\n");
    let from = |device: &str| {
        let request = signed("GET", "/api/v1/products").header("X-Forwarded-For", device);
        server.send(&request)
    };
    let refused = from("203.0.113.1").expect(429);
    says(&refused, "from your address");
    assert_eq!(refused.find("Retry-After"), Some("1"));
    from("203.0.113.2").expect(200);
    // What the device itself wrote in front is not believed.
    from("203.0.113.9, 203.0.113.1").expect(429);
    let line = "otaru_refused_total{door=\"native\",reason=\"peer_requests\"} 2";
    await_in(|| metrics(&server), |text| text.contains(line).then_some(()));
    await_in(|| server.log(), |log| (log.contains("peer=203.0.113.1") && log.contains("status=429")).then_some(()));
    drop(held);
    await_in(|| from("203.0.113.1").status.to_string(), |status| (status == "200").then_some(()));
}

#[test]
fn a_tenant_has_its_share_of_requests_and_hears_it_in_the_doors_own_words() {
    let server = Server::with(&["--tenants-max-requests=1"]);
    let package = publish(&server, "1", &firmware(32 << 20));
    let held = begin_download(&server, &package.link, "");
    let refused = server.send(&signed("GET", "/api/v1/products")).expect(503);
    assert_eq!(refused.find("Retry-After"), Some("1"));
    assert_eq!(refused.find("Content-Type"), Some("application/problem+json"));
    assert_eq!(refused.json()["type"], "urn:otaru:problem:unavailable");
    assert_eq!(server.send(&Request::new("GET", &package.link)).status, 503, "downloads count too");
    server.send(&Request::new("GET", "/healthz")).expect(200);
    drop(held);
    await_in(
        || server.send(&signed("GET", "/api/v1/products")).status.to_string(),
        |status| (status == "200").then_some(()),
    );
    let line = "otaru_refused_total{door=\"native\",reason=\"tenant_requests\"}";
    await_in(|| metrics(&server), |text| text.contains(line).then_some(()));
}

#[test]
fn a_head_has_its_length() {
    let server = Server::with(&["--listen-max-header-bytes=16384"]);
    let with = |length: usize| {
        let request = Request::new("GET", "/healthz").header("X-Long", "x".repeat(length));
        server.send(&request).status
    };
    assert_eq!(with(15_000), 200);
    assert_eq!(with(20_000), 431);
    let line = "otaru_connections_closed_total{door=\"http\",reason=\"bad_head\"} 1";
    await_in(|| metrics(&server), |text| text.contains(line).then_some(()));
}

#[test]
fn a_call_has_its_length() {
    let server = Server::with(&["--listen-max-body-bytes=65536"]);
    let post = |length: usize| {
        let body = format!("Action=ListOTAFirmware&Padding={}", "x".repeat(length));
        let media_type = "application/x-www-form-urlencoded";
        server.send(&Request::new("POST", "/").header("Content-Type", media_type).body(body)).text()
    };
    assert!(!post(60_000).contains("longer than 65536 bytes"));
    assert!(post(70_000).contains("longer than 65536 bytes"));
}

#[test]
fn a_quota_that_is_used_up_is_counted_at_its_door() {
    let server = Server::with(&["--oceanconnect-bad-calls-per-minute=2"]);
    let ask = || {
        let request = Request::new("GET", "/iodm/northbound/v1.5.0/category").header("app_key", "a");
        server.send(&request.header("Authorization", "Bearer none")).text()
    };
    let answers: Vec<String> = (0..4).map(|_| ask()).collect();
    assert!(answers[0] == answers[1] && answers[1] != answers[2] && answers[2] == answers[3], "{answers:?}");
    let line = "otaru_refused_total{door=\"oceanconnect\",reason=\"quota\"} 2";
    await_in(|| metrics(&server), |text| text.contains(line).then_some(()));
}
