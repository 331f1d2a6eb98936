//! The object door over sockets: what only shows with a real connection, a real process and its log.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue};
use otaru_core::clock::Clock;
use otaru_northbound::wire::{RequestHead, aws_v2, time::TimeFormat};

use super::http::{Answer, Request, read_answer};
use super::server::{ACCESS_KEY_ID, ACCESS_KEY_SECRET, Server};

/// Signs with version 2 of AWS.
pub fn signed(mut request: Request) -> Request {
    let date = TimeFormat::Http.format(Clock::system().now_ms());
    request = request.header("Date", date);
    let pair =
        |(name, value): &(String, String)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    let headers: HeaderMap = request.headers.iter().map(pair).collect();
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let head = RequestHead { method: &request.method, path, query, authority: None, headers: &headers };
    let authorization = aws_v2::sign(&head, None, ACCESS_KEY_ID, ACCESS_KEY_SECRET);
    request.header("Authorization", authorization)
}

fn send(server: &Server, request: Request) -> Answer {
    signed(request).send(server.objects)
}

fn server_with_bucket() -> Server {
    let server = Server::start();
    send(&server, Request::new("PUT", "/a-bucket")).expect(200);
    server
}

fn image(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 31 % 251) as u8).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut pending = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
            match entry.file_type().unwrap().is_dir() {
                true => pending.push(entry.path()),
                false => found.push(entry.path()),
            }
        }
    }
    found
}

fn element(answer: &Answer, name: &str) -> Option<String> {
    let text = answer.text();
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once("</").map(|(value, _)| value.to_owned())
}

/// Clients take what follows `x-amz-meta-` for the user's own name, letter by letter.
#[test]
fn header_names_are_in_lower_case() {
    let server = server_with_bucket();
    let put = Request::new("PUT", "/a-bucket/object.bin").header("x-amz-meta-model", "m1").body(image(1000));
    send(&server, put).expect(200);
    let answer = send(&server, Request::new("GET", "/a-bucket/object.bin")).expect(200);
    assert!(answer.headers.contains(&("x-amz-meta-model".to_owned(), "m1".to_owned())), "{:?}", answer.headers);
    assert!(answer.headers.contains(&("content-length".to_owned(), "1000".to_owned())), "{:?}", answer.headers);
}

#[test]
fn a_connection_that_is_cut_leaves_nothing() {
    let server = server_with_bucket();
    for length in ["Content-Length: 1000000", "Transfer-Encoding: chunked"] {
        let request = signed(Request::new("PUT", "/a-bucket/object.bin"));
        let mut head = format!("PUT /a-bucket/object.bin HTTP/1.1\r\nHost: {}\r\n{length}\r\n", server.objects);
        for (name, value) in &request.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut connection = TcpStream::connect(server.objects).unwrap();
        connection.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        if length.starts_with("Transfer") {
            connection.write_all(b"7a120\r\n").unwrap();
        }
        connection.write_all(&image(500_000)).unwrap();
        connection.flush().unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while files(&server.data().join("blobs")).is_empty() {
            assert!(Instant::now() < deadline, "the upload never began");
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(connection);
        while !files(&server.data().join("blobs")).is_empty() {
            assert!(Instant::now() < deadline, "left over: {:?}", files(&server.data().join("blobs")));
            std::thread::sleep(Duration::from_millis(5));
        }
        let answer = send(&server, Request::new("GET", "/a-bucket/object.bin")).expect(404);
        assert_eq!(element(&answer, "Code").as_deref(), Some("NoSuchKey"));
    }
}

#[test]
fn what_was_answered_survives_a_sudden_end() {
    let server = server_with_bucket();
    let whole = image(300_000);
    let put = Request::new("PUT", "/a-bucket/whole.bin").header("Content-Type", "a/b").body(whole.clone());
    send(&server, put).expect(200);
    let begun = send(&server, Request::new("POST", "/a-bucket/parts.bin?uploads")).expect(200);
    let id = element(&begun, "UploadId").unwrap();
    let part = Request::new("PUT", &format!("/a-bucket/parts.bin?partNumber=1&uploadId={id}")).body(image(200_000));
    let etag = send(&server, part).expect(200).find("etag").unwrap().to_owned();

    let server = server.restart();
    let answer = send(&server, Request::new("GET", "/a-bucket/whole.bin")).expect(200);
    assert!(answer.body == whole);
    assert_eq!(answer.find("content-type"), Some("a/b"));
    let body = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    send(&server, Request::new("POST", &format!("/a-bucket/parts.bin?uploadId={id}")).body(body)).expect(200);
    let server = server.restart();
    assert!(send(&server, Request::new("GET", "/a-bucket/parts.bin")).expect(200).body == image(200_000));
}

#[test]
fn a_refusal_comes_before_the_body_and_the_connection_is_not_misread() {
    let server = server_with_bucket();
    let mut connection = TcpStream::connect(server.objects).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let request = signed(Request::new("PUT", "/no-such-bucket/object.bin"));
    let mut head = format!(
        "PUT /no-such-bucket/object.bin HTTP/1.1\r\nHost: {}\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n",
        server.objects
    );
    for (name, value) in &request.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    connection.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    let answer = read_answer(&mut BufReader::new(connection), false);
    assert_eq!((answer.status, element(&answer, "Code").as_deref()), (404, Some("NoSuchBucket")));
}

/// The crate behind the door logs what it signs, and every refusal as an error.
#[test]
fn neither_secrets_nor_signatures_get_into_the_log() {
    let server = Server::with(&["--log-level", "trace"]);
    send(&server, Request::new("PUT", "/a-bucket")).expect(200);
    let request = signed(Request::new("GET", "/a-bucket/missing"));
    let signature = request.find("Authorization").unwrap().split_once(':').unwrap().1.to_owned();
    request.send(server.objects).expect(404);
    let wrong = Request::new("GET", "/a-bucket").header("Authorization", format!("AWS {ACCESS_KEY_ID}:c2lnbmF0dXJl"));
    wrong.header("Date", TimeFormat::Http.format(Clock::system().now_ms())).send(server.objects).expect(403);
    let log = server.log();
    for secret in [ACCESS_KEY_SECRET, signature.as_str(), "string_to_sign", "c2lnbmF0dXJl"] {
        assert!(!log.contains(secret), "the log has {secret}");
    }
    assert!(!log.contains(" ERROR "), "{log}");
}
