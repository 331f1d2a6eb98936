//! Downloads as devices do them, byte by byte on the socket.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::http::{Answer, Request, read_answer};
use super::server::Server;
use super::team::{await_in, firmware, link, publish, says, signed};

const SIZE: usize = 1_000_003;

fn get(server: &Server, link: &str, headers: &[(&str, &str)]) -> Answer {
    ask(server, "GET", link, headers)
}

fn ask(server: &Server, method: &str, link: &str, headers: &[(&str, &str)]) -> Answer {
    let request = Request::new(method, link);
    server.send(&headers.iter().fold(request, |request, (name, value)| request.header(name, *value)))
}

/// The headers that every answer with bytes has, in the spelling that device code looks for.
#[track_caller]
fn check_head(answer: &Answer, length: usize) {
    let names: Vec<&str> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
    for name in ["Content-Length", "Content-Type", "Accept-Ranges", "Content-Disposition", "Last-Modified", "Date"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    // Header names are written by word, which makes this one `Etag`.
    assert!(names.contains(&"Etag"), "{names:?}");
    assert!(!names.iter().any(|name| name.eq_ignore_ascii_case("Transfer-Encoding")), "{names:?}");
    assert!(!names.iter().any(|name| name.eq_ignore_ascii_case("Content-Encoding")), "{names:?}");
    assert_eq!(answer.find("Content-Length"), Some(length.to_string().as_str()));
}

#[test]
fn a_file_comes_whole_and_exact() {
    let server = Server::start();
    let bytes = firmware(SIZE);
    let package = publish(&server, "1", &bytes);
    let whole = get(&server, &package.link, &[("Accept-Encoding", "gzip, br")]).expect(200);
    check_head(&whole, SIZE);
    assert!(whole.body == bytes, "other bytes came");
    assert_eq!(whole.find("ETag"), Some(format!("\"{}\"", package.sha256).as_str()), "the tag is the content's digest");
    assert_eq!(whole.find("Content-Disposition"), Some("attachment; filename=lamp.bin"));

    let head = ask(&server, "HEAD", &package.link, &[]).expect(200);
    let without_date = |answer: &Answer| -> Vec<(String, String)> {
        let mut headers = answer.headers.clone();
        headers.retain(|(name, _)| name != "Date");
        headers
    };
    assert_eq!(without_date(&head), without_date(&whole), "HEAD says what GET would");
    assert!(head.body.is_empty());
    let posted = ask(&server, "POST", &package.link, &[]);
    assert_eq!((posted.status, posted.find("Allow")), (405, Some("GET,HEAD")));
}

#[test]
fn nothing_follows_the_answer_of_head() {
    let server = Server::start();
    let package = publish(&server, "1", &firmware(100));
    let mut stream = TcpStream::connect(server.http).unwrap();
    let request = |method: &str| format!("{method} {} HTTP/1.1\r\nHost: a\r\n\r\n", package.link);
    stream.write_all(request("HEAD").as_bytes()).unwrap();
    stream.write_all(request("GET").as_bytes()).unwrap();
    let mut stream = BufReader::new(stream);
    assert_eq!(read_answer(&mut stream, true).status, 200);
    let whole = read_answer(&mut stream, false);
    assert!(whole.status == 200 && whole.body == firmware(100), "the next answer begins where HEAD's ended");
}

#[test]
fn one_range_of_any_kind() {
    let server = Server::start();
    let bytes = firmware(SIZE);
    let package = publish(&server, "1", &bytes);
    for (range, expected) in [
        ("bytes=0-", 0..SIZE),
        ("bytes=0-0", 0..1),
        ("bytes=262143-262144", 262_143..262_145),
        ("bytes=500000-", 500_000..SIZE),
        ("bytes=1000002-", SIZE - 1..SIZE),
        ("bytes=-1", SIZE - 1..SIZE),
        ("bytes=-70000", SIZE - 70_000..SIZE),
        ("bytes=-9999999999", 0..SIZE),
        ("bytes=999999-99999999999999999999999", 999_999..SIZE),
    ] {
        let part = get(&server, &package.link, &[("Range", range)]).expect(206);
        check_head(&part, expected.len());
        let content_range = format!("bytes {}-{}/{SIZE}", expected.start, expected.end - 1);
        assert_eq!(part.find("Content-Range"), Some(content_range.as_str()), "{range}");
        assert!(part.body == bytes[expected], "{range}: other bytes came");
    }
    for range in ["bytes=1000003-", "bytes=1000003-2000000", "bytes=-0", "bytes=99999999999999999999-"] {
        let none = get(&server, &package.link, &[("Range", range)]).expect(416);
        assert_eq!(none.find("Content-Range"), Some(format!("bytes */{SIZE}").as_str()), "{range}");
        assert_eq!(none.find("Content-Length"), Some("0"));
    }
    for range in ["bytes=5-1", "bytes=a-b", "lines=1-2", "bytes"] {
        let whole = get(&server, &package.link, &[("Range", range)]).expect(200);
        assert_eq!(whole.body.len(), SIZE, "{range} is no range, so it is ignored");
    }
}

#[test]
fn a_download_resumes_at_any_byte() {
    let server = Server::start();
    let bytes = firmware(SIZE);
    let package = publish(&server, "1", &bytes);
    let etag = get(&server, &package.link, &[("Range", "bytes=0-0")]).find("ETag").unwrap().to_owned();
    // A device whose connection breaks at places of its own, and that asks for the rest each time.
    let mut got = Vec::new();
    for stop in [1, 4_096, 262_144, 262_145, 777_777, SIZE] {
        let range = format!("bytes={}-", got.len());
        let mut stream = TcpStream::connect(server.http).unwrap();
        let head = format!("GET {} HTTP/1.1\r\nHost: a\r\nRange: {range}\r\nIf-Range: {etag}\r\n\r\n", package.link);
        stream.write_all(head.as_bytes()).unwrap();
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            line.push(byte[0]);
        }
        assert!(line.starts_with(b"HTTP/1.1 206 "), "{}", String::from_utf8_lossy(&line));
        let mut part = vec![0; stop - got.len()];
        stream.read_exact(&mut part).unwrap();
        got.extend(part);
    }
    assert!(got == bytes, "the pieces do not make the file");

    let other = get(&server, &package.link, &[("Range", "bytes=10-"), ("If-Range", "\"another\"")]).expect(200);
    assert_eq!(other.body.len(), SIZE, "of other bytes the rest is of no use");
    let weak = get(&server, &package.link, &[("Range", "bytes=10-"), ("If-Range", &format!("W/{etag}"))]).expect(200);
    assert_eq!(weak.find("Content-Range"), None);
    let date = other.find("Last-Modified").unwrap().to_owned();
    get(&server, &package.link, &[("Range", "bytes=10-"), ("If-Range", &date)]).expect(206);
    get(&server, &package.link, &[("If-None-Match", &etag)]).expect(304);
    get(&server, &package.link, &[("If-Match", "\"another\"")]).expect(412);
}

#[test]
fn several_ranges_come_as_parts() {
    let server = Server::start();
    let bytes = firmware(SIZE);
    let package = publish(&server, "1", &bytes);
    let answer = get(&server, &package.link, &[("Range", "bytes=0-9, 500000-500099 ,-7")]).expect(206);
    let media_type = answer.find("Content-Type").unwrap();
    let boundary = media_type.strip_prefix("multipart/byteranges; boundary=").unwrap().to_owned();
    check_head(&answer, answer.body.len());
    assert_eq!(answer.find("Content-Range"), None);
    let mut expected = Vec::new();
    for (at, range) in [0..10, 500_000..500_100, SIZE - 7..SIZE].into_iter().enumerate() {
        let line_break = if at == 0 { "" } else { "\r\n" };
        let head = format!(
            "{line_break}--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes {}-{}/{SIZE}\r\n\r\n",
            range.start,
            range.end - 1
        );
        expected.extend(head.into_bytes());
        expected.extend(&bytes[range]);
    }
    expected.extend(format!("\r\n--{boundary}--\r\n").into_bytes());
    assert!(answer.body == expected, "the parts are not as RFC 9110 section 14.6 has them");

    // What would cost more than the file is answered with the file.
    let many: Vec<String> = (0..17).map(|at| format!("{at}-{at}")).collect();
    for range in [format!("bytes={}", many.join(",")), "bytes=0-,1-,2-".to_owned()] {
        let whole = get(&server, &package.link, &[("Range", &range)]).expect(200);
        assert_eq!(whole.body.len(), SIZE, "{range}");
    }
    let one_left = get(&server, &package.link, &[("Range", "bytes=3-4,2000000-")]).expect(206);
    assert_eq!(one_left.find("Content-Range"), Some(format!("bytes 3-4/{SIZE}").as_str()));
}

/// Devices fetch piece by piece; what is decided in between holds for the next piece.
#[test]
fn a_package_that_is_deleted_is_gone_for_those_who_fetch_it() {
    let server = Server::start();
    let bytes = firmware(SIZE);
    let package = publish(&server, "1", &bytes);
    for start in [0, 100_000, 200_000] {
        let range = format!("bytes={start}-{}", start + 99_999);
        assert!(get(&server, &package.link, &[("Range", &range)]).expect(206).body == bytes[start..start + 100_000]);
    }
    server.send(&signed("DELETE", &format!("/api/v1/packages/{}", package.id))).expect(204);
    get(&server, &package.link, &[("Range", "bytes=300000-")]).expect(404);
}

/// A line that says an answer broke off is what an operator looks for.
#[test]
fn a_download_that_came_whole_is_told_as_answered() {
    let server = Server::start();
    let package = publish(&server, "1", &firmware(SIZE));
    get(&server, &package.link, &[]).expect(200);
    get(&server, &package.link, &[("Range", "bytes=1-9")]).expect(206);
    let told = |length: usize| {
        let text = format!("bytes_out={length} ");
        await_in(|| server.log(), |log| log.lines().find(|line| line.contains(&text)).map(str::to_owned))
    };
    assert!(told(SIZE).contains("answered"), "{}", told(SIZE));
    assert!(told(9).contains("answered"), "{}", told(9));
}

#[test]
fn a_link_is_good_as_it_is_and_for_its_time() {
    let server = Server::with(&["--links-lifetime-s=2"]);
    let package = publish(&server, "1", &firmware(100));
    get(&server, &package.link, &[]).expect(200);
    let bend = |from: &str, to: &str| {
        let bent = package.link.replacen(from, to, 1);
        assert_ne!(bent, package.link);
        get(&server, &bent, &[]).status
    };
    assert_eq!(bend("Expires=", "Expires=1"), 403, "a longer life");
    assert_eq!(bend("Signature=", "Signature=A"), 403);
    assert_eq!(bend("/0/", "/1/"), 403, "another file");
    assert_eq!(bend("Signature=", "Nothing="), 403);
    get(&server, "/ota/000000000000000000000000/0/lamp.bin", &[]).expect(403);
    std::thread::sleep(Duration::from_millis(2_100));
    says(&get(&server, &package.link, &[]).expect(403), "its time is over");
    get(&server, &link(&server, &package.id), &[]).expect(200);
}

#[test]
fn one_link_is_paced_whatever_the_number_of_its_connections() {
    let server = Server::with(&["--links-bytes-per-second=200000"]);
    let bytes = firmware(200_000);
    let package = publish(&server, "1", &bytes);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let halves = ["bytes=0-99999", "bytes=100000-"].map(|range| {
            let (server, link) = (&server, &package.link);
            scope.spawn(move || get(server, link, &[("Range", range)]).expect(206).body)
        });
        let [first, second] = halves.map(|half| half.join().unwrap());
        assert!([first, second].concat() == bytes, "other bytes came");
    });
    let took = begun.elapsed();
    assert!((Duration::from_millis(700)..Duration::from_secs(5)).contains(&took), "{took:?}");
}

#[test]
fn a_tenant_is_paced_over_all_its_links() {
    let server = Server::with(&["--tenants-bytes-per-second=200000"]);
    let links = [publish(&server, "1", &firmware(100_000)).link, publish(&server, "2", &firmware(100_001)).link];
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for link in &links {
            scope.spawn(|| assert!(get(&server, link, &[]).expect(200).body.len() >= 100_000));
        }
    });
    assert!(begun.elapsed() >= Duration::from_millis(700), "{:?}", begun.elapsed());
}

#[test]
fn a_reader_that_stopped_is_let_go() {
    let server = Server::with(&["--listen-write-timeout-s=1", "--metrics=open"]);
    let bytes = firmware(32 << 20);
    let package = publish(&server, "1", &bytes);
    let mut stuck = TcpStream::connect(server.http).unwrap();
    stuck.write_all(format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", package.link).as_bytes()).unwrap();
    let mut first = [0; 1];
    stuck.read_exact(&mut first).unwrap();
    let metrics = || server.send(&Request::new("GET", "/metrics")).expect(200).text();
    let line = "otaru_connections_closed_total{door=\"http\",reason=\"slow_reader\"} 1";
    await_in(metrics, |text| text.contains(line).then_some(()));
    let told = await_in(|| server.log(), |log| log.lines().find(|line| line.contains("broke off")).map(str::to_owned));
    assert!(told.contains("status=200") && told.contains(&package.id), "{told}");
    drop(stuck);
    // It resumes where it was, on another connection.
    let rest = get(&server, &package.link, &[("Range", "bytes=33554431-")]).expect(206);
    assert_eq!(rest.body, [bytes[bytes.len() - 1]]);
}

#[test]
fn damaged_bytes_are_delivered_to_nobody() {
    let server = Server::start();
    let package = publish(&server, "1", &firmware(SIZE));
    let path = server.data().join("blobs/objects").join(&package.sha256[..2]).join(&package.sha256[2..4]);
    let blob = path.join(&package.sha256);
    let sound = std::fs::read(&blob).unwrap();

    // Shorter than it was: seen at once.
    std::fs::write(&blob, &sound[..1000]).unwrap();
    let refused = get(&server, &package.link, &[]).expect(410);
    says(&refused, "damaged");
    let shown = server.send(&signed("GET", &format!("/api/v1/packages/{}", package.id))).expect(200).json();
    assert_eq!(shown["integrity"], "failed");
    assert_eq!(shown["integrity_note"], format!("lamp.bin: 1000 bytes are stored, and {SIZE} were uploaded"));

    // As long as it was, and other bytes: seen when somebody looks.
    let verify = || server.send(&signed("POST", &format!("/api/v1/packages/{}/verify", package.id))).expect(200).json();
    std::fs::write(&blob, &sound).unwrap();
    assert_eq!(verify()["is_intact"], true);
    get(&server, &package.link, &[]).expect(200);
    let mut other = sound.clone();
    other[SIZE / 2] ^= 1;
    std::fs::write(&blob, &other).unwrap();
    assert_eq!(verify()["is_intact"], false);
    get(&server, &package.link, &[]).expect(410);
    assert_eq!(ask(&server, "HEAD", &package.link, &[("Range", "bytes=0-0")]).status, 410);

    // The same file uploaded again mends it.
    publish(&server, "2", &sound);
    assert_eq!(verify()["is_intact"], true);
    assert!(get(&server, &package.link, &[]).expect(200).body == sound, "other bytes came");
}
