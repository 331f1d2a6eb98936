//! Copies.

use super::client::{Call, Sign, md5_hex, path};
use super::{BUCKET, World, image};

fn copy(from: &str, to: &str) -> Call {
    Call::put(&path(BUCKET, to)).header("x-amz-copy-source", from)
}

#[tokio::test]
async fn a_copy_has_the_bytes_and_what_was_said_of_them() {
    let world = World::with_bucket().await;
    let key = "固件/from here.bin";
    let put =
        Call::put(&path(BUCKET, key)).header("content-type", "text/plain").header("x-amz-meta-a", "b").body(b"content");
    world.call(put).await.expect(200);
    let source = path(BUCKET, key);
    for (at, source) in
        [source.as_str(), &source[1..], &source.replace("%2F", "/"), &source.replacen("here/", "here%2F", 1)]
            .into_iter()
            .enumerate()
    {
        let to = format!("to/{at}");
        let reply = world.call(copy(source, &to)).await.expect(200);
        assert_eq!(reply.element("ETag"), Some(format!("\"{}\"", md5_hex(b"content"))));
        let copied = world.get(&to).await.expect(200);
        assert_eq!((copied.body.as_ref(), copied.header("content-type")), (b"content".as_slice(), "text/plain"));
        assert_eq!(copied.header("x-amz-meta-a"), "b");
    }
    let replacing = copy(&source, "replaced").header("x-amz-metadata-directive", "REPLACE").header("x-amz-meta-c", "d");
    world.call(replacing).await.expect(200);
    let replaced = world.get("replaced").await.expect(200);
    assert_eq!((replaced.header("x-amz-meta-a"), replaced.header("x-amz-meta-c")), ("", "d"));
    for sign in [Sign::V2, Sign::V4Unsigned] {
        world.call_as(&world.keys, sign, copy(&source, "again")).await.expect(200);
    }
    let by_obs = Call::put(&path(BUCKET, "by obs")).header("x-obs-copy-source", &source);
    world.call_as(&world.keys, Sign::Obs, by_obs).await.expect(200);
}

#[tokio::test]
async fn copies_that_cannot_be() {
    let world = World::with_bucket().await;
    world.put("object.bin", b"content").await;
    let source = path(BUCKET, "object.bin");
    world.call(copy(&path(BUCKET, "nowhere"), "to")).await.refused(404, "NoSuchKey");
    world.call(copy("/no-such-bucket/object.bin", "to")).await.refused(404, "NoSuchBucket");
    world.call(Call::put("/no-such-bucket/to").header("x-amz-copy-source", &source)).await.refused(404, "NoSuchBucket");
    world.call(copy(&source, "object.bin")).await.refused(400, "InvalidRequest");
    world.call(copy(&format!("{source}?versionId=7"), "to")).await.refused(404, "NoSuchVersion");
    world.call(copy("nonsense", "to")).await.refused(400, "InvalidArgument");
    let itself = copy(&source, "object.bin").header("x-amz-metadata-directive", "REPLACE").header("x-amz-meta-a", "b");
    world.call(itself).await.expect(200);
    assert_eq!(world.get("object.bin").await.header("x-amz-meta-a"), "b");

    let etag = md5_hex(b"content");
    for (name, value, status) in [
        ("x-amz-copy-source-if-match", etag.as_str(), 200),
        ("x-amz-copy-source-if-match", "other", 412),
        ("x-amz-copy-source-if-none-match", etag.as_str(), 412),
        ("x-amz-copy-source-if-none-match", "other", 200),
    ] {
        world.call(copy(&source, "to").header(name, value)).await.expect(status);
    }
}

#[tokio::test]
async fn parts_are_copied_from_ranges() {
    let world = World::with_bucket().await;
    let content = image(300_000, 7);
    world.put("source.bin", &content).await;
    let source = path(BUCKET, "source.bin");
    let created = world.call(Call::post(&path(BUCKET, "whole.bin")).query("uploads", "")).await.expect(200);
    let id = created.element("UploadId").unwrap();
    let part = |number: &str, range: &str| {
        let call = copy(&source, "whole.bin").query("partNumber", number).query("uploadId", &id);
        if range.is_empty() { call } else { call.header("x-amz-copy-source-range", range) }
    };
    let one = world.call(part("1", "bytes=100000-299999")).await.expect(200).element("ETag").unwrap();
    let two = world.call(part("2", "")).await.expect(200).element("ETag").unwrap();
    for (outside, status) in
        [("bytes=0-300000", 416), ("bytes=5-", 416), ("bytes=-5", 416), ("5-6", 400), ("bytes=6-5", 400)]
    {
        world.call(part("3", outside)).await.expect(status);
    }
    let body = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{one}</ETag></Part>\
         <Part><PartNumber>2</PartNumber><ETag>{two}</ETag></Part></CompleteMultipartUpload>"
    );
    world.call(Call::post(&path(BUCKET, "whole.bin")).query("uploadId", &id).body(body)).await.expect(200);
    let expected = [&content[100_000..], &content[..]].concat();
    assert!(world.get("whole.bin").await.expect(200).body == expected);
}
