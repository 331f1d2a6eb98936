//! The life of an object: put, read whole and in ranges, overwritten, deleted.

use futures::StreamExt;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::client::{Call, Sign, md5_hex, path};
use super::{BUCKET, World, image};

#[tokio::test]
async fn what_is_put_comes_back_with_everything_that_was_said_of_it() {
    let world = World::with_bucket().await;
    let content = image(300_000, 1);
    let call = Call::put(&path(BUCKET, "upgrade.bin"))
        .header("content-type", "application/x-firmware")
        .header("cache-control", "no-cache")
        .header("content-disposition", "attachment; filename=\"a b.bin\"")
        .header("content-encoding", "gzip")
        .header("content-language", "zh")
        .header("expires", "Fri, 02 Jan 2099 03:04:05 GMT")
        .header("x-amz-meta-model", "m 1")
        .header("x-amz-meta-note", "%C3%A9")
        .body(&content);
    let reply = world.call(call).await.expect(200);
    let etag = format!("\"{}\"", md5_hex(&content));
    assert_eq!(reply.header("etag"), etag);
    assert_eq!(reply.header("x-amz-request-id").len(), 16);

    let head = world.call(Call::head(&path(BUCKET, "upgrade.bin"))).await.expect(200);
    let get = world.get("upgrade.bin").await.expect(200);
    assert!(head.body.is_empty());
    assert!(get.body == content);
    for reply in [head, get] {
        for (name, value) in [
            ("content-length", "300000"),
            ("content-type", "application/x-firmware"),
            ("cache-control", "no-cache"),
            ("content-disposition", "attachment; filename=\"a b.bin\""),
            ("content-encoding", "gzip"),
            ("content-language", "zh"),
            ("expires", "Fri, 02 Jan 2099 03:04:05 GMT"),
            ("x-amz-meta-model", "m 1"),
            ("x-amz-meta-note", "%C3%A9"),
            ("accept-ranges", "bytes"),
            ("etag", &etag),
        ] {
            assert_eq!(reply.header(name), value, "{name}");
        }
        let modified = crate::wire::time::TimeFormat::Http.parse(reply.header("last-modified")).unwrap();
        assert_eq!(modified, world.clock.now_ms() / 1000 * 1000);
    }
}

#[tokio::test]
async fn an_object_without_a_type_and_without_bytes() {
    let world = World::with_bucket().await;
    for sign in Sign::ALL {
        world.call_as(&world.keys, sign, Call::put(&path(BUCKET, "empty"))).await.expect(200);
        let reply = world.get("empty").await.expect(200);
        assert_eq!((reply.body.len(), reply.header("content-length")), (0, "0"), "{sign:?}");
        assert_eq!(reply.header("content-type"), "binary/octet-stream");
    }
    let range = Call::get(&path(BUCKET, "empty")).header("range", "bytes=0-");
    world.call(range).await.refused(416, "InvalidRange");
}

#[tokio::test]
async fn ranges() {
    let world = World::with_bucket().await;
    let content = image(3_000, 2);
    world.put("object.bin", &content).await;
    for (range, first, last) in [
        ("bytes=0-0", 0, 0),
        ("bytes=100-199", 100, 199),
        ("bytes=2900-", 2900, 2999),
        ("bytes=-10", 2990, 2999),
        ("bytes=2999-9999999", 2999, 2999),
        ("bytes=-9999999", 0, 2999),
    ] {
        for method in ["GET", "HEAD"] {
            let reply =
                world.call(Call::new(method, &path(BUCKET, "object.bin")).header("range", range)).await.expect(206);
            assert_eq!(reply.header("content-range"), format!("bytes {first}-{last}/3000"));
            assert_eq!(reply.header("content-length"), (last - first + 1).to_string());
            if method == "GET" {
                assert_eq!(reply.body, content[first..=last], "{range}");
            }
        }
    }
    for outside in ["bytes=3000-", "bytes=3000-4000", "bytes=-0"] {
        let reply = world.call(Call::get(&path(BUCKET, "object.bin")).header("range", outside)).await;
        assert_eq!(reply.refused(416, "InvalidRange").header("content-range"), "bytes */3000");
    }
}

#[tokio::test]
async fn an_answer_can_be_asked_for_other_headers() {
    let world = World::with_bucket().await;
    world.put("object.bin", b"content").await;
    for sign in [Sign::V4, Sign::V4Link, Sign::V2, Sign::V2Link, Sign::Obs, Sign::ObsLink] {
        let call = Call::get(&path(BUCKET, "object.bin"))
            .query("response-content-type", "text/plain")
            .query("response-content-disposition", "attachment; filename=\"a b+c.bin\"");
        let reply = world.call_as(&world.keys, sign, call).await.expect(200);
        assert_eq!(reply.header("content-type"), "text/plain", "{sign:?}");
        assert_eq!(reply.header("content-disposition"), "attachment; filename=\"a b+c.bin\"");
    }
}

#[tokio::test]
async fn keys_are_names_and_no_paths() {
    let world = World::with_bucket().await;
    let keys = [
        "../../etc/passwd",
        "/leading",
        "a//b",
        "a/./b",
        "a/../b",
        "..",
        ".",
        "trailing/",
        "a\\b",
        "CON",
        "%2e%2e",
        "+",
        " ",
        "a?b#c",
    ];
    for (at, key) in keys.into_iter().enumerate() {
        world.put(key, &[at as u8; 10]).await;
    }
    for (at, key) in keys.into_iter().enumerate() {
        assert_eq!(world.get(key).await.expect(200).body, [at as u8; 10].as_slice(), "{key}");
    }
    let listed = world.call(Call::get(&format!("/{BUCKET}"))).await.expect(200).elements("Key");
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    assert_eq!(listed, sorted);
    // What a router would make of them is another object.
    world.get("etc/passwd").await.refused(404, "NoSuchKey");
    world.get("leading").await.refused(404, "NoSuchKey");
    for file in world.files() {
        assert!(file.starts_with(&world.blobs), "{}", file.display());
    }
}

#[tokio::test]
async fn deleting() {
    let world = World::with_bucket().await;
    world.put("object.bin", b"content").await;
    let object = path(BUCKET, "object.bin");
    world.call(Call::delete(&object)).await.expect(204);
    world.get("object.bin").await.refused(404, "NoSuchKey");
    world.call(Call::head(&object)).await.expect(404);
    // Again, and of an object that never was: nothing to complain about.
    world.call(Call::delete(&object)).await.expect(204);
    world.call(Call::delete("/no-such-bucket/object.bin")).await.refused(404, "NoSuchBucket");
    world.call(Call::delete(&object).query("versionId", "null")).await.expect(204);
    world.call(Call::delete(&object).query("versionId", "7")).await.refused(404, "NoSuchVersion");
}

#[tokio::test]
async fn deleting_many() {
    let world = World::with_bucket().await;
    for key in ["a", "b&c", "d"] {
        world.put(key, b"content").await;
    }
    let delete = |quiet: bool| {
        let body = format!(
            "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>{quiet}</Quiet>\
             <Object><Key>a</Key></Object><Object><Key>b&amp;c</Key></Object><Object><Key>never</Key></Object>\
             <Object><Key>d</Key><VersionId>7</VersionId></Object></Delete>"
        );
        Call::post(&format!("/{BUCKET}")).query("delete", "").body(body)
    };
    let reply = world.call(delete(false)).await.expect(200);
    assert_eq!(reply.elements("Deleted").len(), 3);
    assert_eq!(reply.elements("Key"), ["a", "b&c", "never", "d"]);
    assert_eq!(reply.elements("Code"), ["NoSuchVersion"]);
    let quiet = world.call(delete(true)).await.expect(200);
    assert_eq!((quiet.elements("Deleted").len(), quiet.elements("Code").len()), (0, 1));
    assert_eq!(world.call(Call::get(&format!("/{BUCKET}"))).await.elements("Key"), ["d"]);
}

#[tokio::test]
async fn an_object_that_is_read_stays_whole_while_it_is_overwritten() {
    let world = World::with_bucket().await;
    let (first, second) = (image(2_000_000, 3), image(1_500_000, 4));
    world.put("object.bin", &first).await;
    let request = Call::get(&path(BUCKET, "object.bin")).sign(&world.keys, Sign::V4, world.clock.now_ms());
    let response = world.door.clone().oneshot(request).await.unwrap();
    let mut reading = response.into_body().into_data_stream();
    let mut read = reading.next().await.unwrap().unwrap().to_vec();

    world.put("object.bin", &second).await;
    world.call(Call::delete(&path(BUCKET, "object.bin"))).await.expect(204);
    while let Some(bytes) = reading.next().await {
        read.extend_from_slice(&bytes.unwrap());
    }
    assert!(read == first);
}

/// A package keeps the bytes it was made from.
#[tokio::test]
async fn a_package_is_not_touched_by_what_happens_to_its_object() {
    let world = World::with_bucket().await;
    let (first, second) = (image(9_000, 5), image(8_000, 6));
    world.put("upgrade.bin", &first).await;
    let package = super::packages::from_object(&world, "upgrade.bin").await;
    world.put("upgrade.bin", &second).await;
    assert!(super::packages::bytes(&world, &package).await == first);
    world.call(Call::delete(&path(BUCKET, "upgrade.bin"))).await.expect(204);
    assert!(super::packages::bytes(&world, &package).await == first);
}
