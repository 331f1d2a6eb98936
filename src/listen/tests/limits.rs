//! Timeouts and caps: nobody can hold a connection without using it.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::{get, post};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::{Instant, sleep};

use super::*;
use crate::requests::Networks;

const SHORT: Duration = Duration::from_millis(150);

fn quick() -> Router {
    Router::new().route("/", get(|| async { "hello" })).route(
        "/slow",
        get(|| async {
            sleep(SHORT * 3).await;
            "late"
        }),
    )
}

/// All timeouts far away except those that a test sets.
fn patient() -> Limits {
    Limits {
        header_timeout: PATIENCE,
        keep_alive_timeout: PATIENCE,
        body_timeout: PATIENCE,
        write_timeout: PATIENCE,
        ..Limits::default()
    }
}

#[tokio::test]
async fn a_head_that_does_not_end_closes_the_connection() {
    let server = Server::start(quick(), Limits { header_timeout: SHORT, ..patient() }, None);
    for begun in ["", "G", "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "] {
        let mut connection = server.connect().await;
        let start = Instant::now();
        connection.write_all(begun.as_bytes()).await.expect("sent");
        assert_eq!(read_to_end(&mut connection).await, "", "{begun:?}");
        assert!(start.elapsed() >= SHORT, "{begun:?} was cut off too early");
    }
}

#[tokio::test]
async fn dripping_bytes_do_not_prolong_a_head() {
    let server = Server::start(quick(), Limits { header_timeout: SHORT, ..patient() }, None);
    let mut connection = server.connect().await;
    ask(&mut connection, GET).await;
    let start = Instant::now();
    for byte in b"GET / HTTP/1.1\r\nHost: a\r\nX-Drip: xxxxxxxxxxxxxxxxxxxxxxx" {
        if connection.write_all(&[*byte]).await.is_err() || start.elapsed() > PATIENCE {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(read_to_end(&mut connection).await, "");
    assert!(start.elapsed() < SHORT * 20);
}

#[tokio::test]
async fn a_handler_may_take_longer_than_a_head() {
    let limits = Limits { header_timeout: SHORT, keep_alive_timeout: SHORT, ..patient() };
    let server = Server::start(quick(), limits, None);
    let answer = server.ask("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(answer.ends_with("late"), "{answer}");
}

#[tokio::test]
async fn an_idle_connection_is_closed_later_than_a_slow_head() {
    let limits = Limits { header_timeout: SHORT, keep_alive_timeout: SHORT * 4, ..patient() };
    let server = Server::start(quick(), limits, None);
    let mut connection = server.connect().await;
    ask(&mut connection, GET).await;
    sleep(SHORT * 2).await;
    ask(&mut connection, GET).await;
    let idle = Instant::now();
    assert_eq!(read_to_end(&mut connection).await, "");
    assert!(idle.elapsed() >= SHORT * 4 && idle.elapsed() < SHORT * 20, "{:?}", idle.elapsed());
}

#[tokio::test]
async fn a_body_that_stops_fails_in_the_handler() {
    let read = post(|request: Request| async move {
        match request.into_body().collect().await {
            Ok(body) => format!("{} bytes", body.to_bytes().len()),
            Err(error) => format!("failed: {error}"),
        }
    });
    let server = Server::start(Router::new().route("/", read), Limits { body_timeout: SHORT, ..patient() }, None);
    let mut connection = server.connect().await;
    connection.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n").await.expect("sent");
    // Slow but moving: twice as long as the timeout in all.
    for _ in 0..8 {
        sleep(SHORT / 4).await;
        connection.write_all(b"x").await.expect("sent");
    }
    let start = Instant::now();
    let answer = read_answer(&mut connection).await;
    assert!(answer.ends_with("failed: the request body stopped for 0 s"), "{answer}");
    assert!(start.elapsed() >= SHORT / 2);
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_let_go() {
    let endless = get(|| async {
        let chunk = Bytes::from(vec![0u8; 256 * 1024]);
        Body::from_stream(futures::stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone())))
    });
    let limits = Limits { write_timeout: SHORT, max_connections: 1, ..patient() };
    let server =
        Server::start(Router::new().route("/endless", endless).route("/", get(|| async { "hello" })), limits, None);
    let mut stuck = server.connect().await;
    stuck.write_all(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("sent");
    let mut first = [0];
    stuck.read_exact(&mut first).await.expect("a first byte");
    // The only place is free again once the stuck client is gone.
    let start = Instant::now();
    while !server.ask(GET).await.ends_with("hello") {
        assert!(start.elapsed() < PATIENCE, "the stuck client keeps its place");
        sleep(Duration::from_millis(10)).await;
    }
    assert!(start.elapsed() >= SHORT / 2, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_one_stream_is_let_go_too() {
    let endless = get(|| async {
        let chunk = Bytes::from(vec![0u8; 16 * 1024]);
        Body::from_stream(futures::stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone())))
    });
    let server = Server::start(Router::new().route("/", endless), Limits { write_timeout: SHORT, ..patient() }, None);
    let io = TokioIo::new(server.connect().await);
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.expect("a handshake");
    let connection = tokio::spawn(connection);
    let request = hyper::Request::get("http://a/").body(Body::empty()).expect("a request");
    let answer = client.send_request(request).await.expect("an answer");
    // The socket is read all the time; only this answer's window stays full, because nobody reads its body.
    let start = Instant::now();
    let _ = timeout(PATIENCE, connection).await.expect("the connection ends in time");
    assert!(start.elapsed() >= SHORT / 2, "{:?}", start.elapsed());
    assert!(answer.into_body().collect().await.is_err(), "it broke off");
}

#[tokio::test]
async fn a_slow_reader_that_keeps_reading_gets_everything() {
    const LENGTH: usize = 8 * 1024 * 1024;
    let big = get(|| async { vec![b'x'; LENGTH] });
    let server = Server::start(Router::new().route("/", big), Limits { write_timeout: SHORT * 2, ..patient() }, None);
    let mut connection = server.connect().await;
    connection.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.expect("sent");
    let (mut buffer, mut read) = (vec![0; LENGTH / 8], 0);
    loop {
        let now = timeout(PATIENCE, connection.read(&mut buffer)).await.expect("in time").expect("read");
        if now == 0 {
            break;
        }
        read += now;
        if read < LENGTH / 2 {
            sleep(Duration::from_millis(20)).await;
        }
    }
    assert!(read > LENGTH, "{read}");
}

#[tokio::test]
async fn connections_above_the_cap_are_told_to_come_back() {
    let server = Server::start(quick(), Limits { max_connections: 2, ..patient() }, None);
    let mut first = server.connect().await;
    let mut second = server.connect().await;
    ask(&mut first, GET).await;
    ask(&mut second, GET).await;

    let mut third = server.connect().await;
    third.write_all(GET.as_bytes()).await.expect("sent");
    let refusal = read_to_end(&mut third).await;
    assert!(refusal.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{refusal:?}");
    assert!(refusal.contains("\r\nRetry-After: 5\r\nConnection: close\r\n\r\ntoo many connections"), "{refusal:?}");
    assert!(ask(&mut first, GET).await.ends_with("hello"), "who is in stays in");

    drop(first);
    let start = Instant::now();
    while !server.ask(GET).await.ends_with("hello") {
        assert!(start.elapsed() < PATIENCE, "the place of who left is not given on");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn one_address_has_only_so_many_connections() {
    let limits = Limits { max_connections_per_peer: 1, ..patient() };
    let server = Server::start(quick(), limits.clone(), None);
    let mut first = server.connect().await;
    ask(&mut first, GET).await;
    let refusal = read_to_end(&mut server.connect().await).await;
    assert!(refusal.starts_with("HTTP/1.1 429 Too Many Requests\r\n"), "{refusal:?}");

    let proxy = "127.0.0.1".parse().expect("a network");
    let server = Server::start(quick(), Limits { proxies: Networks::new(&[proxy]), ..limits }, None);
    let mut first = server.connect().await;
    ask(&mut first, GET).await;
    assert!(server.ask(GET).await.ends_with("hello"), "a proxy speaks for many");
}

#[tokio::test]
async fn a_body_that_drips_fails_in_the_handler() {
    let read = post(|request: Request| async move {
        match request.into_body().collect().await {
            Ok(body) => format!("{} bytes", body.to_bytes().len()),
            Err(error) => format!("failed: {error}"),
        }
    });
    let limits = Limits { body_timeout: Duration::from_secs(1), body_min_bytes_per_second: 20, ..patient() };
    let server = Server::start(Router::new().route("/", read), limits, None);
    let mut connection = server.connect().await;
    connection.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n").await.expect("sent");
    let start = Instant::now();
    // Never still for long, and ten bytes in a second.
    for _ in 0..100 {
        sleep(Duration::from_millis(100)).await;
        if connection.write_all(b"x").await.is_err() || start.elapsed() > Duration::from_secs(2) {
            break;
        }
    }
    let answer = read_answer(&mut connection).await;
    assert!(answer.ends_with("failed: the request body is slower than 20 bytes per second"), "{answer}");
}
