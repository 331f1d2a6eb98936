//! Bytes of HTTP/1.1 as devices read them.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::{any, get, post};
use bytes::Bytes;
use futures::stream;
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use otaru_model::peer::Peer;
use otaru_southbound::download::{Entity, answer};
use tokio_util::sync::CancellationToken;

use super::*;

fn echo() -> Router {
    Router::new().route("/", any(|body: Bytes| async move { body }))
}

#[tokio::test]
async fn header_names_are_title_case() {
    let server = Server::plain(Router::new().route("/", get(|| async { ([("x-request-id", "7")], "hello") })));
    let answer = server.ask(GET).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    for line in
        ["\r\nContent-Length: 5\r\n", "\r\nContent-Type: text/plain; charset=utf-8\r\n", "\r\nX-Request-Id: 7\r\n"]
    {
        assert!(answer.contains(line), "{line:?} in {answer}");
    }
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
}

#[tokio::test]
async fn any_tower_service_can_be_served() {
    let door = Door::open("http", ([127, 0, 0, 1], 0).into(), None).expect("a free port");
    let address = door.address();
    assert_ne!(address.port(), 0, "the real port is known");
    tokio::spawn(serve(door, hello(), Limits::default(), CancellationToken::new()));
    let answer = ask(&mut TcpStream::connect(address).await.expect("a connection"), GET).await;
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let server = Server::plain(echo());
    let error = Door::open("http", server.address, None).expect_err("taken").to_string();
    assert!(error.contains("`http`") && error.contains(&server.address.to_string()), "{error}");
}

#[tokio::test]
async fn requests_share_a_connection_and_know_their_peer() {
    let whoami = |request: Request| async move {
        let peer = request.extensions().get::<Peer>().expect("a peer");
        format!("{} {} {}", peer.address, peer.encrypted, peer.certificate.is_some())
    };
    let server = Server::plain(Router::new().route("/", get(whoami)));
    let mut connection = server.connect().await;
    let own = connection.local_addr().expect("an address");
    for _ in 0..3 {
        let answer = ask(&mut connection, GET).await;
        assert!(answer.ends_with(&format!("{own} false false")), "{answer}");
    }
}

#[tokio::test]
async fn a_device_that_ends_its_lines_with_a_bare_line_feed_is_served() {
    let server = Server::plain(echo());
    let answer = server.ask("GET / HTTP/1.1\nHost: 127.0.0.1\nContent-Type: application/json\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn long_tokens_fit_and_endless_heads_do_not() {
    let server = Server::plain(echo());
    let with_token =
        |length: usize| format!("GET / HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {}\r\n\r\n", "t".repeat(length));
    assert!(server.ask(&with_token(32_000)).await.starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(server.ask(&with_token(70_000)).await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn a_panic_costs_one_request() {
    let server = Server::plain(echo().route("/panic", get(|| async { panic!("on purpose") as &'static str })));
    let mut connection = server.connect().await;
    let answer = ask(&mut connection, "GET /panic HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 500 Internal Server Error\r\n"), "{answer}");
    let answer = ask(&mut connection, GET).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn a_body_may_come_chunked_or_after_a_pause() {
    let server = Server::plain(Router::new().route("/", post(|body: Bytes| async move { body })));
    let answer = server
        .ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        .await;
    assert!(answer.ends_with("\r\n\r\nabcde"), "{answer}");

    let mut connection = server.connect().await;
    connection.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab").await.expect("sent");
    tokio::time::sleep(Duration::from_millis(30)).await;
    let answer = ask(&mut connection, "cd").await;
    assert!(answer.ends_with("\r\n\r\nabcd"), "{answer}");
}

#[tokio::test]
async fn http2_without_tls_by_prior_knowledge() {
    let server = Server::plain(echo());
    let io = TokioIo::new(server.connect().await);
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.expect("a handshake");
    tokio::spawn(connection);
    let request = http::Request::post("http://a/").body("hello".to_owned()).expect("a request");
    let response = client.send_request(request).await.expect("an answer");
    assert_eq!(response.version(), http::Version::HTTP_2);
    assert_eq!(response.into_body().collect().await.expect("a body").to_bytes(), "hello");
}

/// Three chunks; the whole answer is built by the download room, the framing by the listener.
fn package() -> Router {
    Router::new().route(
        "/",
        get(|request: Request| async move {
            let content = b"0123456789abcdefghijklmnopqrst";
            let entity = Entity {
                size_bytes: content.len() as u64,
                tag: "digest",
                modified: None,
                content_type: "application/octet-stream",
                file_name: Some("fw.bin"),
            };
            answer::<_, _, std::io::Error>(request.method(), request.headers(), &entity, move |range| {
                let bytes = &content[range.start as usize..range.end as usize];
                stream::iter(bytes.chunks(10).map(|chunk| Ok(Bytes::from_static(chunk))).collect::<Vec<_>>())
            })
        }),
    )
}

#[tokio::test]
async fn downloads_have_a_length_and_are_never_chunked() {
    let server = Server::plain(package());
    let whole = server.ask(GET).await;
    assert!(whole.contains("\r\nContent-Length: 30\r\n"), "{whole}");
    assert!(whole.contains("\r\nContent-Disposition: attachment; filename=fw.bin\r\n"), "{whole}");
    assert!(whole.contains("\r\nAccept-Ranges: bytes\r\n"), "{whole}");
    assert!(!whole.contains("Transfer-Encoding"), "{whole}");
    assert!(whole.ends_with("\r\n\r\n0123456789abcdefghijklmnopqrst"), "{whole}");

    let rest = server.ask("GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=25-\r\n\r\n").await;
    assert!(rest.starts_with("HTTP/1.1 206 Partial Content\r\n"), "{rest}");
    assert!(rest.contains("\r\nContent-Range: bytes 25-29/30\r\n"), "{rest}");
    assert!(rest.contains("\r\nContent-Length: 5\r\n") && rest.ends_with("\r\n\r\npqrst"), "{rest}");

    let parts = server.ask("GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0,9-10\r\n\r\n").await;
    assert!(parts.starts_with("HTTP/1.1 206 Partial Content\r\n"), "{parts}");
    assert!(!parts.contains("Transfer-Encoding") && parts.ends_with("\r\n\r\n9a\r\n--otaru-digest--\r\n"), "{parts}");

    let complete = server.ask("GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=30-\r\n\r\n").await;
    assert!(
        complete.starts_with("HTTP/1.1 416 ") && complete.contains("\r\nContent-Range: bytes */30\r\n"),
        "{complete}"
    );
    assert!(complete.contains("\r\nContent-Length: 0\r\n"), "{complete}");
}

#[tokio::test]
async fn head_names_the_full_length_and_sends_nothing() {
    let server = Server::plain(package());
    let mut connection = server.connect().await;
    connection.write_all(b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.expect("sent");
    let answer = read_to_end(&mut connection).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("\r\nContent-Length: 30\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn a_store_that_fails_in_the_middle_breaks_the_connection_off() {
    let broken = get(|| async {
        let chunks = [Ok(Bytes::from_static(b"01234")), Err(std::io::Error::other("disk"))];
        http::Response::builder()
            .header("content-length", 10)
            .body(Body::from_stream(stream::iter(chunks)))
            .expect("built")
    });
    let server = Server::plain(Router::new().route("/", broken));
    let mut connection = server.connect().await;
    connection.write_all(GET.as_bytes()).await.expect("sent");
    assert!(!read_to_end(&mut connection).await.contains("0123456789"));
}
