//! What the kernel sends from files by itself: every byte has to be the file's, whoever reads it and however.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::get;
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use otaru_core::blobs::{BlobReader, Blobs, StageId, StandIns};
use otaru_southbound::download::{Entity, answer};
use tokio::net::TcpSocket;
use tokio::time::sleep;

use super::*;

const SIZE: usize = 9_000_001;

/// A file in a store, behind `/`; how many requests could have stand-ins for its bytes is counted.
struct Files {
    home: tempfile::TempDir,
    content: Vec<u8>,
    direct: Arc<AtomicUsize>,
    server: Server,
}

/// A reader's view of what it asked for.
struct Part {
    head: String,
    body: Vec<u8>,
}

impl Files {
    async fn start(limits: Limits) -> Files {
        let home = tempfile::tempdir().expect("a folder");
        let blobs = Blobs::open(&format!("fs:{}", home.path().display())).await.expect("a store");
        let content: Vec<u8> = (0..SIZE as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 23) as u8).collect();
        let id = StageId::new("upload").expect("an id");
        let mut upload = blobs.stage(&id, SIZE as u64).await.expect("an upload");
        upload.write(content.clone().into()).await.expect("written");
        let digest = upload.finish().await.expect("finished").digest;
        let reader = blobs.open_blob(&digest).await.expect("a file");
        let direct = Arc::new(AtomicUsize::new(0));
        let router = Router::new().route("/", get(download)).with_state((reader, Arc::clone(&direct)));
        Files { home, content, direct, server: Server::start(router, limits, None) }
    }

    /// Reads the ranges that are asked for on one connection, all of which are requested before the first is read.
    async fn pipelined(&self, ranges: &[Range<usize>]) {
        let mut connection = self.server.connect().await;
        let requests: String = ranges.iter().map(ask_for).collect();
        connection.write_all(requests.as_bytes()).await.expect("sent");
        for range in ranges {
            let part = read_part(&mut connection).await;
            assert!(part.head.starts_with("HTTP/1.1 206 "), "{}", part.head);
            assert!(part.body == self.content[range.clone()], "{range:?}: other bytes came");
        }
    }

    fn blob(&self) -> std::path::PathBuf {
        let mut path = self.home.path().join("objects");
        while path.is_dir() {
            path = std::fs::read_dir(&path).expect("a folder").next().expect("an entry").expect("an entry").path();
        }
        path
    }
}

async fn download(State((reader, direct)): State<(BlobReader, Arc<AtomicUsize>)>, request: Request) -> Response<Body> {
    let connection = request.extensions().get::<StandIns>().cloned();
    direct.fetch_add(usize::from(connection.is_some()), Relaxed);
    let entity = Entity {
        size_bytes: reader.size_bytes(),
        tag: "digest",
        modified: None,
        content_type: "application/octet-stream",
        file_name: None,
    };
    answer(request.method(), request.headers(), &entity, move |range| reader.stream_to(connection.clone(), range))
}

fn ask_for(range: &Range<usize>) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\nRange: bytes={}-{}\r\n\r\n", range.start, range.end - 1)
}

async fn read_part(io: &mut (impl AsyncRead + Unpin)) -> Part {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(PATIENCE, io.read_u8()).await.expect("a head in time").expect("a head"));
    }
    let head = String::from_utf8(head).expect("text");
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
    let mut body = vec![0; length.parse().expect("a number")];
    timeout(PATIENCE, io.read_exact(&mut body)).await.expect("a body in time").expect("a body");
    Part { head, body }
}

#[tokio::test]
async fn every_range_is_exact_also_when_they_are_asked_for_at_once() {
    let files = Files::start(Limits::default()).await;
    let mib = 1 << 20;
    let ranges =
        [0..SIZE, 0..1, SIZE - 1..SIZE, mib - 1..mib + 1, 65_536..131_072, 3 * mib..6 * mib + 5, 777..SIZE - 777, 5..6];
    files.pipelined(&ranges).await;
    assert_eq!(files.direct.load(Relaxed), if cfg!(target_os = "linux") { ranges.len() } else { 0 });
}

#[tokio::test]
async fn several_ranges_have_their_text_between_them() {
    let files = Files::start(Limits::default()).await;
    let mut connection = files.server.connect().await;
    let request = "GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=5-1999999,100-109,-70000\r\n\r\n";
    connection.write_all(request.as_bytes()).await.expect("sent");
    let part = read_part(&mut connection).await;
    let mut expected = Vec::new();
    for (line_break, range) in [("", 5..2_000_000), ("\r\n", 100..110), ("\r\n", SIZE - 70_000..SIZE)] {
        let (first, last) = (range.start, range.end - 1);
        let text = format!(
            "{line_break}--otaru-digest\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes {first}-{last}/{SIZE}\r\n\r\n"
        );
        expected.extend(text.into_bytes());
        expected.extend(&files.content[range]);
    }
    expected.extend(b"\r\n--otaru-digest--\r\n");
    assert!(part.body == expected, "other bytes came");
    // The connection goes on with another answer.
    connection.write_all(ask_for(&(7..9)).as_bytes()).await.expect("sent");
    assert_eq!(read_part(&mut connection).await.body, files.content[7..9]);
}

#[tokio::test]
async fn the_old_http_and_head_get_what_they_always_got() {
    let files = Files::start(Limits::default()).await;
    let mut connection = files.server.connect().await;
    connection.write_all(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("sent");
    connection.write_all(b"GET / HTTP/1.0\r\n\r\n").await.expect("sent");
    let mut all = Vec::new();
    timeout(PATIENCE, connection.read_to_end(&mut all)).await.expect("an end in time").expect("an end");
    let heads = String::from_utf8_lossy(&all[..all.len() - SIZE]);
    assert_eq!(heads.matches(&format!("Content-Length: {SIZE}\r\n")).count(), 2, "{heads}");
    assert!(all.ends_with(&files.content), "other bytes came");
}

#[tokio::test]
async fn http2_gets_the_bytes_themselves() {
    let files = Files::start(Limits::default()).await;
    let io = TokioIo::new(files.server.connect().await);
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.expect("a handshake");
    tokio::spawn(connection);
    let request = http::Request::get("http://a/").body(String::new()).expect("a request");
    let body = client.send_request(request).await.expect("an answer").into_body().collect().await.expect("a body");
    assert!(body.to_bytes() == files.content, "other bytes came");
    assert_eq!(files.direct.load(Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_slow_readers_that_pause_get_every_byte() {
    let files = Arc::new(Files::start(Limits::default()).await);
    let readers = (0..40).map(|number: usize| {
        let files = Arc::clone(&files);
        tokio::spawn(async move {
            let socket = TcpSocket::new_v4().expect("a socket");
            socket.set_recv_buffer_size(4096).expect("a small buffer");
            let mut connection = socket.connect(files.server.address).await.expect("a connection");
            let range = number * 100_003..number * 100_003 + 1_500_000;
            connection.write_all(ask_for(&range).as_bytes()).await.expect("sent");
            // The socket is full before the first byte is read, and again in between.
            sleep(Duration::from_millis(50)).await;
            let mut reader = tokio::io::BufReader::with_capacity(3_001 + number, connection);
            let part = read_part(&mut PausingReader { inner: &mut reader, number }).await;
            assert!(part.body == files.content[range], "reader {number} got other bytes");
        })
    });
    futures::future::try_join_all(readers).await.expect("no reader failed");
}

/// Gives some time to others now and then.
struct PausingReader<'r, R> {
    inner: &'r mut R,
    number: usize,
}

impl<R: AsyncRead + Unpin> AsyncRead for PausingReader<'_, R> {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        self.number += 1;
        if self.number.is_multiple_of(37) {
            cx.waker().wake_by_ref();
            return std::task::Poll::Pending;
        }
        std::pin::Pin::new(&mut *self.inner).poll_read(cx, buffer)
    }
}

#[tokio::test]
async fn a_reader_that_stops_is_let_go_and_others_that_vanish_do_no_harm() {
    let limits = Limits { write_timeout: Duration::from_millis(300), max_connections: 1, ..Limits::default() };
    let files = Files::start(limits).await;
    let mut stuck = files.server.connect().await;
    stuck.write_all(ask_for(&(0..SIZE)).as_bytes()).await.expect("sent");
    stuck.read_u8().await.expect("a first byte");
    // The only place is free again once the stuck reader is gone.
    let begun = tokio::time::Instant::now();
    let free = loop {
        let mut connection = files.server.connect().await;
        connection.write_all(ask_for(&(0..10)).as_bytes()).await.expect("sent");
        let part = read_part(&mut connection).await;
        if part.head.starts_with("HTTP/1.1 206 ") {
            break part;
        }
        assert!(begun.elapsed() < PATIENCE, "the stuck reader keeps its place");
        sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(free.body, files.content[..10]);
    drop(stuck);

    let files = Files::start(Limits::default()).await;
    for _ in 0..50 {
        let mut leaving = files.server.connect().await;
        leaving.write_all(ask_for(&(0..SIZE)).as_bytes()).await.expect("sent");
        leaving.read_u8().await.expect("a first byte");
    }
    files.pipelined(&[1..100, 0..SIZE]).await;
}

/// The connection ends, so that nobody takes what came for complete. What of the cut part is on its way may become zeros.
#[tokio::test]
async fn a_file_that_is_cut_under_its_reader_breaks_the_connection_off() {
    let files = Files::start(Limits::default()).await;
    let mut connection = files.server.connect().await;
    connection.write_all(ask_for(&(0..SIZE)).as_bytes()).await.expect("sent");
    connection.read_u8().await.expect("a first byte");
    let file = std::fs::OpenOptions::new().write(true).open(files.blob()).expect("the file");
    file.set_len(10).expect("cut");
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, connection.read_to_end(&mut rest)).await.expect("the connection ends in time");
    let head = rest.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let body = &rest[head..];
    assert!(body.len() < SIZE, "all of it came");
    let is_known = |(came, expected): (&u8, &u8)| came == expected || *came == 0;
    assert!(body.iter().zip(&files.content).all(is_known), "bytes came that were never the file's");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn where_the_kernel_cannot_send_a_file_its_bytes_are_copied() {
    let files = Files::start(Limits::default()).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("an address");
    let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (mut client, (stream, _)) = (client.expect("a connection"), accepted.expect("a connection"));
    let file = std::fs::File::open(files.blob()).expect("the file");
    assert_eq!(crate::listen::plain::copy(&stream, &file, 1_000, 500).expect("copied"), 500);
    let mut came = [0; 500];
    client.read_exact(&mut came).await.expect("read");
    assert!(came == files.content[1_000..1_500], "other bytes came");
}
