//! Uploads: whole and in pieces, cut off and gone on with.

use axum::body::Body;
use axum::http::request::Builder;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::Digest;

use super::{MAX_FILE_BYTES, Reply, Settings, Town, broken};

fn tus(town: &Town, method: &str, path: &str) -> Builder {
    town.request(&town.admin, method, path).header("tus-resumable", "1.0.0")
}

/// Makes room for `length` bytes; answers with the path of the upload.
async fn begin(town: &Town, length: usize) -> String {
    let request = tus(town, "POST", "/uploads").header("upload-length", length.to_string());
    let reply = town.raw(request.body(Body::empty()).unwrap()).await.expect(201);
    reply.header("location").strip_prefix("/api/v1").unwrap().to_owned()
}

fn piece(town: &Town, path: &str, offset: usize) -> Builder {
    tus(town, "PATCH", path)
        .header("content-type", "application/offset+octet-stream")
        .header("upload-offset", offset.to_string())
}

async fn append(town: &Town, path: &str, offset: usize, body: impl Into<Body>) -> Reply {
    town.raw(piece(town, path, offset).body(body.into()).unwrap()).await
}

async fn offset(town: &Town, path: &str) -> usize {
    let reply = town.raw(tus(town, "HEAD", path).body(Body::empty()).unwrap()).await.expect(200);
    reply.header("upload-offset").parse().unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(sha2::Sha256::digest(bytes))
}

#[tokio::test]
async fn a_client_learns_what_is_spoken_without_signing_in() {
    let town = Town::new().await;
    let request =
        axum::http::Request::builder().method("OPTIONS").uri("/api/v1/uploads").header("tus-resumable", "0.1");
    let reply = town.raw(request.body(Body::empty()).unwrap()).await.expect(204);
    assert_eq!(reply.header("tus-version"), "1.0.0");
    let extensions = "creation,creation-with-upload,creation-defer-length,expiration,checksum,termination";
    assert_eq!(reply.header("tus-extension"), extensions);
    assert_eq!(reply.header("tus-checksum-algorithm"), "sha1,sha256");
    assert_eq!(reply.header("tus-max-size"), MAX_FILE_BYTES.to_string());
}

#[tokio::test]
async fn an_upload_in_pieces_as_the_protocol_tells_it() {
    let town = Town::new().await;
    let name = STANDARD.encode("lamp 灯.bin");
    let request = tus(&town, "POST", "/uploads")
        .header("upload-length", "11")
        .header("upload-metadata", format!("is_confidential,filename {name}"));
    let made = town.raw(request.body(Body::empty()).unwrap()).await.expect(201);
    assert_eq!(made.header("tus-resumable"), "1.0.0");
    assert_eq!(made.header("upload-expires"), "Thu, 26 Feb 2026 06:13:20 GMT");
    let path = made.header("location").strip_prefix("/api/v1").unwrap().to_owned();
    assert_eq!(offset(&town, &path).await, 0);

    let first = append(&town, &path, 0, "hello ").await.expect(204);
    assert_eq!((first.header("upload-offset"), first.header("tus-resumable")), ("6", "1.0.0"));
    assert!(!first.header("upload-expires").is_empty());
    let head = town.raw(tus(&town, "HEAD", &path).body(Body::empty()).unwrap()).await.expect(200);
    assert_eq!((head.header("upload-offset"), head.header("upload-length")), ("6", "11"));
    assert_eq!(head.header("cache-control"), "no-store");
    assert_eq!(head.header("upload-metadata"), format!("filename {name}"));

    let out_of_step = append(&town, &path, 5, "world").await;
    assert_eq!(out_of_step.problem(), (409, "out_of_step", "Upload-Offset"));
    assert_eq!(out_of_step.header("upload-offset"), "6");
    assert_eq!(out_of_step.header("tus-resumable"), "1.0.0");
    assert_eq!(append(&town, &path, 6, "worlds").await.problem(), (413, "too_large", ""));
    assert_eq!(offset(&town, &path).await, 6, "what was too much is not kept in part");
    append(&town, &path, 6, "world").await.expect(204);
    let shown = town.get(&path).await.expect(200);
    assert_eq!((shown.text("sha256"), shown.text("file_name")), (sha256(b"hello world"), "lamp 灯.bin".to_owned()));
    assert_eq!(offset(&town, &path).await, 11);
    assert_eq!(append(&town, &path, 11, "").await.problem().0, 409, "it is complete");

    let gone = tus(&town, "DELETE", &path).body(Body::empty()).unwrap();
    assert_eq!(town.raw(gone).await.expect(204).header("tus-resumable"), "1.0.0");
    town.get(&path).await.expect(404);
    assert_eq!(append(&town, &path, 0, "x").await.problem(), (404, "not_found", "upload"));
}

#[tokio::test]
async fn an_upload_may_begin_with_its_first_bytes_or_have_none() {
    let town = Town::new().await;
    let request = tus(&town, "POST", "/uploads").header("upload-length", "5");
    let request = request.header("content-type", "application/offset+octet-stream");
    let made = town.raw(request.body(Body::from("123")).unwrap()).await.expect(201);
    assert_eq!(made.header("upload-offset"), "3");
    let path = made.header("location").strip_prefix("/api/v1").unwrap().to_owned();
    append(&town, &path, 3, "45").await.expect(204);
    assert_eq!(town.get(&path).await.text("sha256"), sha256(b"12345"));

    let empty = begin(&town, 0).await;
    assert_eq!(town.get(&empty).await.json["is_complete"], json!(true));
}

#[tokio::test]
async fn a_length_that_is_not_known_at_first_is_said_later() {
    let town = Town::new().await;
    let deferred = || tus(&town, "POST", "/uploads").header("upload-defer-length", "1");
    let made = town.raw(deferred().body(Body::empty()).unwrap()).await.expect(201);
    assert_eq!((made.header("upload-defer-length"), made.header("upload-length")), ("1", ""));
    assert_eq!(made.json["size_bytes"], Value::Null);
    let path = made.header("location").strip_prefix("/api/v1").unwrap().to_owned();
    let first = append(&town, &path, 0, "hello ").await.expect(204);
    assert_eq!(first.header("upload-defer-length"), "1");
    let head = town.raw(tus(&town, "HEAD", &path).body(Body::empty()).unwrap()).await.expect(200);
    assert_eq!((head.header("upload-offset"), head.header("upload-defer-length")), ("6", "1"));

    let with_length = |offset: usize, length: u64, bytes: &'static str| {
        town.raw(
            piece(&town, &path, offset).header("upload-length", length.to_string()).body(Body::from(bytes)).unwrap(),
        )
    };
    assert_eq!(with_length(6, MAX_FILE_BYTES + 1, "").await.problem(), (413, "too_large", ""));
    assert_eq!(with_length(6, 5, "").await.problem(), (400, "invalid", "Upload-Length"));
    let told = with_length(6, 11, "wor").await.expect(204);
    assert_eq!((told.header("upload-offset"), told.header("upload-length")), ("9", "11"));
    assert_eq!(with_length(9, 12, "ld!").await.problem(), (400, "invalid", "Upload-Length"), "a length is said once");
    assert_eq!(append(&town, &path, 9, "ld!").await.problem(), (413, "too_large", ""));
    with_length(9, 11, "ld").await.expect(204);
    assert_eq!(town.get(&path).await.text("sha256"), sha256(b"hello world"));

    // The bytes may begin with the creation, and the length may come when they are all here.
    let request = deferred().header("content-type", "application/offset+octet-stream");
    let made = town.raw(request.body(Body::from("12345")).unwrap()).await.expect(201);
    let path = made.header("location").strip_prefix("/api/v1").unwrap().to_owned();
    assert_eq!(town.get(&path).await.json["is_complete"], json!(false));
    let end = piece(&town, &path, 5).header("upload-length", "5").body(Body::empty()).unwrap();
    town.raw(end).await.expect(204);
    assert_eq!(town.get(&path).await.text("sha256"), sha256(b"12345"));
}

#[tokio::test]
async fn requests_that_are_not_as_the_protocol_wants_are_refused() {
    let town = Town::new().await;
    let path = begin(&town, 5).await;
    let send = |request: Builder, body: &'static str| town.raw(request.body(Body::from(body)).unwrap());
    let other = town.request(&town.admin, "PATCH", &path).header("tus-resumable", "0.2.2");
    let other = send(other, "x").await;
    assert_eq!(other.problem(), (412, "unsupported_protocol", "Tus-Resumable"));
    assert_eq!(other.header("tus-version"), "1.0.0");
    for method in ["POST", "DELETE"] {
        let at = if method == "POST" { "/uploads" } else { path.as_str() };
        let request = town.request(&town.admin, method, at).header("tus-resumable", "2");
        assert_eq!(send(request, "").await.problem().0, 412, "{method}");
    }
    let no_type = tus(&town, "PATCH", &path).header("upload-offset", "0");
    assert_eq!(send(no_type, "x").await.problem(), (415, "unsupported_media_type", "Content-Type"));
    for wrong in ["", "-1", "1.5", "0x1", "99999999999999999999"] {
        let request = tus(&town, "PATCH", &path).header("content-type", "application/offset+octet-stream");
        let reply = send(request.header("upload-offset", wrong), "x").await;
        assert_eq!(reply.problem(), (400, "invalid", "Upload-Offset"), "{wrong}");
        let reply = send(tus(&town, "POST", "/uploads").header("upload-length", wrong), "").await;
        assert_eq!(reply.problem(), (400, "invalid", "Upload-Length"), "{wrong}");
    }
    assert_eq!(send(tus(&town, "POST", "/uploads"), "").await.problem(), (400, "invalid", "Upload-Length"));
    let both = tus(&town, "POST", "/uploads").header("upload-defer-length", "1").header("upload-length", "5");
    assert_eq!(send(both, "").await.problem(), (400, "invalid", "Upload-Defer-Length"));
    let other = tus(&town, "POST", "/uploads").header("upload-defer-length", "0");
    assert_eq!(send(other, "").await.problem(), (400, "invalid", "Upload-Defer-Length"));
    let long = tus(&town, "POST", "/uploads").header("upload-length", (MAX_FILE_BYTES + 1).to_string());
    assert_eq!(send(long, "").await.problem(), (413, "too_large", ""));
    let path_name = STANDARD.encode("../../etc/passwd");
    let path_name = format!("filename {path_name}");
    for metadata in ["filename !", "filename /w==", &path_name, "other !", "a,,b", "a YQ==,", "a YQ==,a YQ==", " ,a"] {
        let request = tus(&town, "POST", "/uploads").header("upload-length", "1").header("upload-metadata", metadata);
        assert_eq!(send(request, "").await.problem(), (400, "invalid", "Upload-Metadata"), "{metadata}");
    }
    assert_eq!(offset(&town, &path).await, 0);
}

#[tokio::test]
async fn a_piece_with_a_wrong_checksum_is_not_kept() {
    let town = Town::new().await;
    let path = begin(&town, 10).await;
    let send = |checksum: String, offset: usize, body: Body| {
        town.raw(piece(&town, &path, offset).header("upload-checksum", checksum).body(body).unwrap())
    };
    let sha1 = |bytes: &[u8]| format!("sha1 {}", STANDARD.encode(sha1::Sha1::digest(bytes)));
    assert_eq!(
        send(sha1(b"other"), 0, Body::from("12345")).await.problem(),
        (460, "wrong_checksum", "Upload-Checksum")
    );
    assert_eq!(offset(&town, &path).await, 0);
    assert_eq!(send(sha1(b"12345"), 0, broken(b"123".to_vec())).await.problem(), (400, "malformed", "body"));
    assert_eq!(offset(&town, &path).await, 0, "part of a piece with a checksum cannot be checked");
    send(sha1(b"12345"), 0, Body::from("12345")).await.expect(204);
    let sha256 = format!("sha256 {}", STANDARD.encode(sha2::Sha256::digest(b"67890")));
    for wrong in ["crc32 AAAA", "sha1", "sha1 !", ""] {
        let reply = send(wrong.to_owned(), 5, Body::from("67890")).await;
        assert_eq!(reply.problem(), (400, "invalid", "Upload-Checksum"), "{wrong}");
    }
    send(sha256, 5, Body::from("67890")).await.expect(204);
    assert_eq!(town.get(&path).await.json["is_complete"], json!(true));
}

#[tokio::test]
async fn a_client_that_knows_only_post_says_what_it_means() {
    let town = Town::new().await;
    let path = begin(&town, 3).await;
    let post = |method: &'static str| tus(&town, "POST", &path).header("x-http-method-override", method);
    let patch = post("PATCH").header("content-type", "application/offset+octet-stream").header("upload-offset", "0");
    town.raw(patch.body(Body::from("123")).unwrap()).await.expect(204);
    let head = town.raw(post("HEAD").body(Body::empty()).unwrap()).await.expect(200);
    assert_eq!(head.header("upload-offset"), "3");
    let put = town.raw(post("PUT").body(Body::empty()).unwrap()).await;
    assert_eq!(put.problem(), (405, "method_not_allowed", "X-HTTP-Method-Override"));
    town.raw(post("delete").body(Body::empty()).unwrap()).await.expect(204);
    town.get(&path).await.expect(404);
}

#[tokio::test]
async fn an_upload_is_written_by_one_request_at_a_time() {
    let town = Town::new().await;
    let path = begin(&town, 5).await;
    let (sender, body) = tokio::sync::mpsc::channel::<Result<bytes::Bytes, std::io::Error>>(1);
    let body = futures::stream::unfold(body, |mut body| async move { body.recv().await.map(|item| (item, body)) });
    let slow = piece(&town, &path, 0).body(Body::from_stream(body)).unwrap();
    let slow = tokio::spawn({
        let router = town.router.clone();
        async move { tower::ServiceExt::oneshot(router, slow).await.unwrap().status() }
    });
    sender.send(Ok(bytes::Bytes::from_static(b"12"))).await.unwrap();
    // Once a second message finds room, the first one was taken: the upload is open.
    sender.send(Ok(bytes::Bytes::from_static(b"3"))).await.unwrap();
    let busy = append(&town, &path, 0, "12345").await;
    assert_eq!(busy.problem(), (423, "busy", ""));
    assert_eq!(busy.header("retry-after"), "1");
    drop(sender);
    assert_eq!(slow.await.unwrap(), 204);
    append(&town, &path, 3, "45").await.expect(204);
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_what_it_sent() {
    let town = Town::new().await;
    let path = begin(&town, 5).await;
    let (sender, body) = tokio::sync::mpsc::channel::<Result<bytes::Bytes, std::io::Error>>(1);
    let body = futures::stream::unfold(body, |mut body| async move { body.recv().await.map(|item| (item, body)) });
    let request = piece(&town, &path, 0).body(Body::from_stream(body)).unwrap();
    let handler = tokio::spawn(tower::ServiceExt::oneshot(town.router.clone(), request));
    sender.send(Ok(bytes::Bytes::from_static(b"12"))).await.unwrap();
    sender.send(Ok(bytes::Bytes::from_static(b"3"))).await.unwrap();
    handler.abort();
    assert!(handler.await.unwrap_err().is_cancelled());
    sender.send(Err(std::io::Error::other("reset"))).await.unwrap();
    sender.closed().await;
    let mut received = 0;
    for _ in 0..500 {
        received = offset(&town, &path).await;
        if received == 3 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(received, 3);
}

#[tokio::test]
async fn a_client_that_sends_nothing_is_not_waited_for() {
    let town = Town::with(Settings { upload_idle_ms: 20, ..Settings::default() }).await;
    let path = begin(&town, 5).await;
    let stuck = || {
        let bytes = futures::stream::iter([Ok::<_, std::io::Error>(bytes::Bytes::from_static(b"12"))]);
        Body::from_stream(futures::StreamExt::chain(bytes, futures::stream::pending()))
    };
    assert_eq!(append(&town, &path, 0, stuck()).await.problem(), (408, "timeout", "body"));
    assert_eq!(offset(&town, &path).await, 2);
    let whole = town.request(&town.admin, "POST", "/uploads").body(stuck()).unwrap();
    assert_eq!(town.raw(whole).await.problem(), (408, "timeout", "body"));
    assert_eq!(town.count_files("staging"), 1, "of the whole upload nothing stays, of the other one two bytes");
}

#[tokio::test]
async fn uploads_expire() {
    let town = Town::new().await;
    let (path, id) = (begin(&town, 5).await, town.upload(b"whole").await);
    append(&town, &path, 0, "123").await.expect(204);
    town.product("p").await;
    town.clock.advance(24 * 3_600_000);
    town.get(&path).await.expect(404);
    assert_eq!(append(&town, &path, 3, "45").await.problem().0, 404);
    let new = json!({ "product": "p", "version": "1", "files": [{ "upload": id }] });
    assert_eq!(town.call("POST", "/packages", new).await.problem(), (404, "not_found", "upload"));
    town.clock.advance(1);
    assert_eq!(town.app.sweep().await.unwrap().uploads, 2);
}

#[tokio::test]
async fn an_incomplete_upload_makes_no_package() {
    let town = Town::new().await;
    town.product("p").await;
    let path = begin(&town, 5).await;
    let id = path.rsplit('/').next().unwrap();
    let new = json!({ "product": "p", "version": "1", "files": [{ "upload": id }] });
    assert_eq!(town.call("POST", "/packages", new.clone()).await.problem(), (404, "not_found", "upload"));
    append(&town, &path, 0, "12345").await.expect(204);
    town.call("POST", "/packages", new).await.expect(201);
}

#[tokio::test]
async fn the_digest_of_a_whole_upload_is_checked() {
    let town = Town::new().await;
    let send = |digest: String| {
        let request = town.request(&town.admin, "POST", "/uploads").header("content-digest", digest);
        town.raw(request.body(Body::from("12345")).unwrap())
    };
    let right = STANDARD.encode(sha2::Sha256::digest(b"12345"));
    let made = send(format!("sha-256=:{right}:")).await.expect(201);
    assert_eq!(made.text("sha256"), sha256(b"12345"));
    assert_eq!(made.text("file_name"), "upload.bin");
    let other = STANDARD.encode(sha2::Sha256::digest(b"54321"));
    assert_eq!(send(format!("sha-256=:{other}:")).await.problem(), (422, "wrong_bytes", "Content-Digest"));
    assert_eq!(send("sha-256=:x:".to_owned()).await.problem(), (400, "invalid", "content-digest"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// A file sent in pieces that break off anywhere arrives as it was, and nothing that was told to be safe is lost.
    #[test]
    fn an_upload_cut_at_any_byte_goes_on_there(
        file in proptest::collection::vec(any::<u8>(), 1..3000),
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let town = Town::new().await;
            let path = begin(&town, file.len()).await;
            let mut sent = 0;
            for (cut, breaks) in cuts {
                let end = sent + cut.index(file.len() - sent + 1);
                let bytes = file[sent..end].to_vec();
                if breaks {
                    let reply = append(&town, &path, sent, broken(bytes)).await;
                    assert_eq!(reply.problem(), (400, "malformed", "body"));
                } else {
                    append(&town, &path, sent, bytes).await.expect(204);
                }
                sent = offset(&town, &path).await;
                assert_eq!(sent, end);
                if sent == file.len() {
                    break;
                }
            }
            if sent < file.len() {
                append(&town, &path, sent, file[sent..].to_vec()).await.expect(204);
            }
            let shown = town.get(&path).await.expect(200);
            assert_eq!(shown.text("sha256"), sha256(&file));
            assert_eq!(shown.json["is_complete"], json!(true));
        });
    }

    /// A whole upload that breaks off, wherever it does, leaves no file and no record.
    #[test]
    fn a_whole_upload_cut_at_any_byte_leaves_nothing(sent in proptest::collection::vec(any::<u8>(), 0..3000)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let town = Town::new().await;
            let request = town.request(&town.admin, "POST", "/uploads").body(broken(sent)).unwrap();
            assert_eq!(town.raw(request).await.problem(), (400, "malformed", "body"));
            assert_eq!(town.count_files("staging"), 0);
            town.clock.advance(100 * 86_400_000);
            assert_eq!(town.app.sweep().await.unwrap().uploads, 0);
        });
    }
}

#[tokio::test]
async fn a_longer_or_shorter_body_than_was_declared_is_refused() {
    let town = Town::new().await;
    for (declared, problem) in [("9", (422, "wrong_bytes", "")), ("2", (422, "wrong_bytes", ""))] {
        let request = town.request(&town.admin, "POST", "/uploads").header("content-length", declared);
        let body =
            Body::from_stream(futures::stream::iter([Ok::<_, std::io::Error>(bytes::Bytes::from_static(b"12345"))]));
        assert_eq!(town.raw(request.body(body).unwrap()).await.problem(), problem, "{declared}");
    }
    let long = town.request(&town.admin, "POST", "/uploads").header("content-length", (MAX_FILE_BYTES + 1).to_string());
    assert_eq!(town.raw(long.body(Body::from("x")).unwrap()).await.problem(), (413, "too_large", ""));
    assert_eq!(town.get("/uploads/none").await.json["detail"], Value::from("there is no upload none"));
}
