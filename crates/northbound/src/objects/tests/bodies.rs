//! Bodies that are not what they were declared to be, or do not arrive: nothing of them stays.

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use http::Request;

use super::client::{Call, Sign, md5_base64, path, sha256_base64};
use super::{BUCKET, Reply, World, image};

async fn assert_nothing_stayed(world: &World) {
    world.get("object.bin").await.refused(404, "NoSuchKey");
    // Bytes on their way are given up when the request is dropped, on another thread.
    for _ in 0..200 {
        if world.files().is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("left over: {:?}", world.files());
}

fn put() -> Call {
    Call::put(&path(BUCKET, "object.bin")).body(image(100_000, 1))
}

#[tokio::test]
async fn wrong_digests_in_headers() {
    let world = World::with_bucket().await;
    for sign in Sign::ALL {
        let wrong = put().header("content-md5", &md5_base64(b"something else"));
        world.call_as(&world.keys, sign, wrong).await.refused(400, "BadDigest");
        let wrong = put().header("content-md5", "no digest");
        world.call_as(&world.keys, sign, wrong).await.refused(400, "InvalidDigest");
    }
    for (name, value) in [
        ("x-amz-checksum-crc32", "AAAAAA=="),
        ("x-amz-checksum-crc32c", "AAAAAA=="),
        ("x-amz-checksum-crc64nvme", "AAAAAAAAAAA="),
        ("x-amz-checksum-sha1", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ("x-amz-checksum-sha256", sha256_base64(b"something else").as_str()),
    ] {
        world.call(put().header(name, value)).await.refused(400, "BadDigest");
    }
    world.call(put().header("x-amz-checksum-xxhash", "AAAA")).await.refused(400, "InvalidRequest");
    assert_nothing_stayed(&world).await;
}

#[tokio::test]
async fn right_digests_come_back() {
    let world = World::with_bucket().await;
    // The check values of the algorithms' catalogues, for the nine digits.
    let call = Call::put(&path(BUCKET, "object.bin"))
        .header("content-md5", &md5_base64(b"123456789"))
        .header("x-amz-checksum-crc32", "y/Q5Jg==")
        .header("x-amz-checksum-crc32c", "4waSgw==")
        .header("x-amz-checksum-crc64nvme", "rosUhgp5mIg=")
        .header("x-amz-checksum-sha256", &sha256_base64(b"123456789"))
        .body(b"123456789");
    let reply = world.call(call).await.expect(200);
    assert_eq!(reply.header("x-amz-checksum-crc32"), "y/Q5Jg==");
    let asked = |method| Call::new(method, &path(BUCKET, "object.bin")).header("x-amz-checksum-mode", "ENABLED");
    for reply in [world.call(asked("GET")).await, world.call(asked("HEAD")).await] {
        assert_eq!(reply.header("x-amz-checksum-crc32c"), "4waSgw==");
        assert_eq!(reply.header("x-amz-checksum-crc64nvme"), "rosUhgp5mIg=");
    }
    let range = world.call(asked("GET").header("range", "bytes=0-1")).await.expect(206);
    assert_eq!(range.header("x-amz-checksum-crc32"), "", "it is not the checksum of the range");
    assert_eq!(world.get("object.bin").await.header("x-amz-checksum-crc32"), "", "nobody asked");
}

/// Java's OBS client with signature version 4 declares the hash of an empty body beside a full one.
#[tokio::test]
async fn the_declared_hash_of_the_body_counts() {
    let world = World::with_bucket().await;
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let wrong = put().header("x-amz-content-sha256", empty);
    world.call(wrong).await.refused(400, "XAmzContentSHA256Mismatch");
    let wrong =
        Call::put("/another-bucket").header("x-amz-content-sha256", empty).body(b"<CreateBucketConfiguration/>");
    world.call(wrong).await.refused(400, "XAmzContentSHA256Mismatch");
    assert_nothing_stayed(&world).await;
}

async fn send_with(world: &World, head: Request<()>, body: Body) -> Reply {
    world.send(head.map(|()| body)).await
}

#[tokio::test]
async fn a_connection_that_ends_in_the_middle_leaves_nothing() {
    let world = World::with_bucket().await;
    for sign in Sign::ALL {
        let (head, body) = put().prepare(&world.keys, sign, world.clock.now_ms());
        let half = Bytes::copy_from_slice(&body[..body.len() / 2]);
        let broken = stream::iter([Ok(half), Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))]);
        send_with(&world, head, Body::from_stream(broken)).await.refused(400, "IncompleteBody");
    }
    assert_nothing_stayed(&world).await;
}

/// Without the server's own look at it, frames that end between two chunks would pass for the whole.
#[tokio::test]
async fn chunks_that_are_missing_leave_nothing() {
    let world = World::with_bucket().await;
    for sign in [Sign::V4Chunks, Sign::V4ChunksTrailer, Sign::V4UnsignedTrailer] {
        let (head, body) = put().prepare(&world.keys, sign, world.clock.now_ms());
        let line = body.iter().position(|&byte| byte == b'\n').unwrap() + 1;
        let one_chunk = line + 8192 + 2;
        for end in [one_chunk, one_chunk + 10, one_chunk * 2 - 1, body.len() / 2] {
            send_with(&world, head.clone(), Body::from(body[..end].to_vec())).await.expect(400);
        }
    }
    // Everything but the trailer.
    for sign in [Sign::V4ChunksTrailer, Sign::V4UnsignedTrailer] {
        let (head, body) = put().prepare(&world.keys, sign, world.clock.now_ms());
        let text = String::from_utf8_lossy(&body).into_owned();
        let tail = text.len() - text.rfind("x-amz-checksum-sha256").unwrap();
        send_with(&world, head, Body::from(body[..body.len() - tail].to_vec())).await.expect(400);
    }
    assert_nothing_stayed(&world).await;
}

#[tokio::test]
async fn a_flipped_byte_in_a_signed_chunk_is_refused() {
    let world = World::with_bucket().await;
    for sign in [Sign::V4Chunks, Sign::V4ChunksTrailer] {
        for from_end in [5_000, 40_000, 99_000] {
            let (head, mut body) = put().prepare(&world.keys, sign, world.clock.now_ms());
            let at = body.len() - from_end;
            body[at] ^= 1;
            let reply = send_with(&world, head, Body::from(body)).await;
            assert!(reply.status.is_client_error(), "{}", reply.text());
        }
    }
    // Where nothing else signs the bytes, the checksum behind them tells.
    let (head, mut body) = put().prepare(&world.keys, Sign::V4UnsignedTrailer, world.clock.now_ms());
    let middle = body.len() - 50_000;
    body[middle] ^= 1;
    send_with(&world, head, Body::from(body)).await.refused(400, "BadDigest");
    assert_nothing_stayed(&world).await;
}

#[tokio::test]
async fn chunks_arrive_in_any_pieces() {
    let world = World::with_bucket().await;
    for (at, sign) in [Sign::V4Chunks, Sign::V4ChunksTrailer, Sign::V4UnsignedTrailer].into_iter().enumerate() {
        for piece in [1, 7, 8_192, 1 << 20] {
            let content = image(20_000, at as u8);
            let call = Call { chunk_bytes: 4_000, ..Call::put(&path(BUCKET, "object.bin")).body(&content) };
            let (head, body) = call.prepare(&world.keys, sign, world.clock.now_ms());
            let pieces: Vec<_> =
                body.chunks(piece).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece))).collect();
            send_with(&world, head, Body::from_stream(stream::iter(pieces))).await.expect(200);
            let reply = world.get("object.bin").await.expect(200);
            assert!(reply.body == content, "{sign:?} in pieces of {piece}");
            assert_eq!(reply.header("content-encoding"), "");
        }
    }
}

/// Some clients send gigabytes as one chunk; that must not need gigabytes of memory, nor be refused.
#[tokio::test]
async fn one_chunk_may_be_the_whole_object() {
    let world = World::with_bucket().await;
    let content = image(20 << 20, 9);
    let whole = Call { chunk_bytes: 20 << 20, ..Call::put(&path(BUCKET, "object.bin")).body(&content) };
    world.call_as(&world.keys, Sign::V4UnsignedTrailer, whole.clone()).await.expect(200);
    assert!(world.get("object.bin").await.body == content);
    world.call_as(&world.keys, Sign::V4Chunks, whole).await.expect(200);
    assert!(world.get("object.bin").await.body == content);
}

#[tokio::test]
async fn an_object_that_is_too_large_is_refused_before_it_comes_and_while_it_comes() {
    let settings = super::Settings { max_put_bytes: 1_000, max_part_bytes: 1_000, ..Default::default() };
    let world = World::with(settings).await;
    world.app.create_bucket(&world.admin, BUCKET, "here").await.unwrap();
    for sign in Sign::ALL {
        let call = |size| Call::put(&path(BUCKET, "object.bin")).body(image(size, 1));
        world.call_as(&world.keys, sign, call(1_001)).await.refused(400, "EntityTooLarge");
        world.call_as(&world.keys, sign, call(1_000)).await.expect(200);
    }
    world.call(Call::delete(&path(BUCKET, "object.bin"))).await.expect(204);
    // Sent without a length, as some clients do.
    let (mut head, body) = put().prepare(&world.keys, Sign::V2, world.clock.now_ms());
    head.headers_mut().remove("content-length");
    send_with(&world, head, Body::from(body)).await.refused(400, "EntityTooLarge");
    world.get("object.bin").await.refused(404, "NoSuchKey");
}

#[tokio::test]
async fn a_body_without_a_length_is_taken() {
    let world = World::with_bucket().await;
    for sign in [Sign::V4, Sign::V2, Sign::Obs, Sign::V4Unsigned, Sign::V2Link, Sign::ObsLink, Sign::V4Link] {
        let (mut head, body) = put().prepare(&world.keys, sign, world.clock.now_ms());
        head.headers_mut().remove("content-length");
        let pieces = stream::iter(
            body.chunks(999).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece))).collect::<Vec<_>>(),
        );
        send_with(&world, head, Body::from_stream(pieces)).await.expect(200);
        assert!(world.get("object.bin").await.body == image(100_000, 1), "{sign:?}");
    }
}
