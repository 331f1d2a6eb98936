//! Otaru's own API over sockets: what can be set of it.

use std::io::{BufReader, Write};
use std::net::TcpStream;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::http::{Request, read_answer};
use super::server::{ACCESS_KEY_ID, ACCESS_KEY_SECRET, Server};

fn basic(secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{ACCESS_KEY_ID}:{secret}")))
}

#[test]
fn as_many_sign_ins_may_fail_as_is_set() {
    let server = Server::with(&["--native-failed-sign-ins-per-minute", "2"]);
    let sign_in = |secret: &str| {
        server.send(&Request::new("GET", "/api/v1/tenant").header("Authorization", basic(secret))).status
    };
    assert_eq!([sign_in("wrong"), sign_in("wrong"), sign_in("wrong")], [401, 401, 429]);
    assert_eq!(sign_in(ACCESS_KEY_SECRET), 429, "who guessed has to wait");
    let server = Server::with(&["--native-failed-sign-ins-per-minute", "0"]);
    let sign_in = |secret: &str| {
        server.send(&Request::new("GET", "/api/v1/tenant").header("Authorization", basic(secret))).status
    };
    assert!((0..50).all(|_| sign_in("wrong") == 401));
    assert_eq!(sign_in(ACCESS_KEY_SECRET), 200);
}

#[test]
fn an_upload_may_pause_for_as_long_as_is_set() {
    let server = Server::with(&["--native-upload-idle-ms", "200"]);
    let mut stream = TcpStream::connect(server.http).unwrap();
    let head = format!(
        "POST /api/v1/uploads HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\nContent-Length: 10\r\n\r\n12345",
        server.http,
        basic(ACCESS_KEY_SECRET)
    );
    stream.write_all(head.as_bytes()).unwrap();
    let answer = read_answer(&mut BufReader::new(stream), false).expect(408);
    assert_eq!(answer.json()["type"], "urn:otaru:problem:timeout");
}
