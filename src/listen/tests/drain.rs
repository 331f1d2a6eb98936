//! The end of a server: open work is finished, nothing new begins.

use axum::Router;
use axum::routing::get;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::{Instant, sleep};

use super::*;

fn slow(duration: Duration) -> Router {
    Router::new().route("/", get(|| async { "hello" })).route(
        "/slow",
        get(move || async move {
            sleep(duration).await;
            "finished"
        }),
    )
}

async fn ended(server: Server) -> Duration {
    let start = Instant::now();
    timeout(PATIENCE, server.task).await.expect("ends in time").expect("ends well");
    start.elapsed()
}

#[tokio::test]
async fn a_slow_request_is_finished_and_nobody_new_is_let_in() {
    let server = Server::plain(slow(Duration::from_millis(300)));
    let mut connection = server.connect().await;
    connection.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("sent");
    sleep(Duration::from_millis(100)).await;
    server.drain.cancel();
    sleep(Duration::from_millis(50)).await;
    assert!(TcpStream::connect(server.address).await.is_err(), "the door is still open");

    let answer = read_answer(&mut connection).await;
    assert!(answer.contains("\r\nConnection: close\r\n") && answer.ends_with("finished"), "{answer}");
    assert_eq!(read_to_end(&mut connection).await, "");
    ended(server).await;
}

#[tokio::test]
async fn idle_connections_are_closed_at_once() {
    let server = Server::plain(slow(PATIENCE));
    let mut used = server.connect().await;
    ask(&mut used, GET).await;
    let mut fresh = server.connect().await;
    sleep(Duration::from_millis(50)).await;
    server.drain.cancel();
    assert_eq!(read_to_end(&mut used).await, "");
    assert_eq!(read_to_end(&mut fresh).await, "");
    assert!(ended(server).await < Duration::from_secs(1));
}

#[tokio::test]
async fn an_idle_http2_connection_is_closed_too() {
    let server = Server::plain(slow(PATIENCE));
    let io = TokioIo::new(server.connect().await);
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.expect("a handshake");
    let connection = tokio::spawn(connection);
    let request = http::Request::get("http://a/").body(String::new()).expect("a request");
    assert_eq!(client.send_request(request).await.expect("an answer").status(), 200);
    server.drain.cancel();
    assert!(ended(server).await < Duration::from_secs(1));
    timeout(PATIENCE, connection).await.expect("closed in time").expect("joined").expect("closed in good order");
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_cut_off() {
    let limits = Limits { drain_timeout: Duration::from_millis(200), ..Limits::default() };
    let server = Server::start(slow(PATIENCE), limits, None);
    let mut connection = server.connect().await;
    connection.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("sent");
    sleep(Duration::from_millis(50)).await;
    server.drain.cancel();
    let took = ended(server).await;
    assert!(took >= Duration::from_millis(150) && took < Duration::from_secs(2), "{took:?}");
    assert_eq!(read_to_end(&mut connection).await, "");
}
