//! Every kind of signature: what it lets in, and what it keeps out.

use axum::body::Body;
use http::Uri;

use super::client::{Call, Keys, Sign, path};
use super::{BUCKET, KEY_ID, World, image};

const MINUTE_MS: i64 = 60_000;
const HEADERS: [Sign; 7] =
    [Sign::V4, Sign::V4Unsigned, Sign::V4Chunks, Sign::V4ChunksTrailer, Sign::V4UnsignedTrailer, Sign::V2, Sign::Obs];
const LINKS: [Sign; 3] = [Sign::V4Link, Sign::V2Link, Sign::ObsLink];
const KEYS: [&str; 4] = ["upgrade.bin", "folder/sub folder/1.0+2.bin", "固件/升级 包.bin", "odd/~!$&'()*,;=:@%.bin"];

#[tokio::test]
async fn every_kind_puts_and_gets_in_path_style_and_by_host_name() {
    let world = World::with_bucket().await;
    for sign in Sign::ALL {
        for (at, key) in KEYS.into_iter().enumerate() {
            let content = image(20_000 + at, at as u8);
            let (by_path, by_host) = (path(BUCKET, key), path(BUCKET, key).replacen(&format!("/{BUCKET}"), "", 1));
            world.call_as(&world.keys, sign, Call::put(&by_path).body(&content)).await.expect(200);
            let read = match sign {
                Sign::V4Chunks | Sign::V4ChunksTrailer | Sign::V4UnsignedTrailer => Sign::V4,
                other => other,
            };
            let reply = world.call_as(&world.keys, read, Call::get(&by_host).on_bucket_host(BUCKET)).await.expect(200);
            assert!(reply.body == content, "{sign:?} {key}");
            let second = image(100, 200);
            world
                .call_as(&world.keys, sign, Call::put(&by_host).on_bucket_host(BUCKET).body(&second))
                .await
                .expect(200);
            let reply = world.call_as(&world.keys, read, Call::get(&by_path)).await.expect(200);
            assert!(reply.body == second, "{sign:?} {key}");
        }
    }
}

/// There is one server here, so every region is its own: `US` is what s3cmd signs for, `region` what the OBS SDKs do.
#[tokio::test]
async fn any_region_can_be_signed_for() {
    let world = World::with_bucket().await;
    for region in ["us-east-1", "US", "RegionOne", "region", "中国", ""] {
        for sign in [Sign::V4, Sign::V4Chunks, Sign::V4ChunksTrailer, Sign::V4UnsignedTrailer, Sign::V4Link] {
            // A header holds no other letters.
            if region.is_ascii() || sign == Sign::V4Link {
                let call = Call { region, ..put_call() };
                world.call_as(&world.keys, sign, call).await.expect(200);
            }
        }
    }
}

/// Java's client escapes the slashes of a key, and signs that.
#[tokio::test]
async fn a_slash_may_be_escaped() {
    let world = World::with_bucket().await;
    let escaped = format!("/{BUCKET}/a%2Fb%20c%2Fd.bin");
    for sign in [Sign::V4, Sign::V4Link, Sign::V2, Sign::Obs, Sign::V2Link, Sign::ObsLink] {
        world.call_as(&world.keys, sign, Call::put(&escaped).body(b"content")).await.expect(200);
        assert_eq!(world.get("a/b c/d.bin").await.expect(200).body, "content");
        world.call_as(&world.keys, sign, Call::delete(&escaped)).await.expect(204);
    }
}

/// Python's client signs the bucket with a slash behind it, and sends it without.
#[tokio::test]
async fn a_bucket_may_be_signed_with_a_slash() {
    let world = World::new().await;
    let now_ms = world.clock.now_ms();
    for sign in [Sign::V2, Sign::V2Link] {
        for call in [Call::put("/a-bucket/"), Call::get("/a-bucket/").query("uploads", ""), Call::delete("/a-bucket/")]
        {
            let (mut head, _) = call.prepare(&world.keys, sign, now_ms);
            *head.uri_mut() = head.uri().to_string().replace("/a-bucket/", "/a-bucket").parse().unwrap();
            let reply = world.send(head.map(|()| Body::empty())).await;
            assert!(reply.status.is_success(), "{}", reply.text());
        }
    }
}

#[tokio::test]
async fn one_flipped_letter_of_the_signature_is_refused() {
    let world = World::with_bucket().await;
    for sign in Sign::ALL {
        let (mut head, body) = put_call().prepare(&world.keys, sign, world.clock.now_ms());
        if LINKS.contains(&sign) {
            let target = head.uri().to_string();
            let at = target.find("Signature=").unwrap() + "Signature=".len();
            *head.uri_mut() = flip(&target, at).parse().unwrap();
        } else {
            let value = head.headers()["authorization"].to_str().unwrap().to_owned();
            let at = value.find("Signature=").map_or_else(|| value.rfind(':').unwrap() + 1, |at| at + 10);
            head.headers_mut().insert("authorization", flip(&value, at).parse().unwrap());
        }
        world.send(head.map(|()| Body::from(body))).await.refused(403, "SignatureDoesNotMatch");
    }
    assert_eq!(world.files(), Vec::<std::path::PathBuf>::new());
}

fn put_call() -> Call {
    Call::put(&path(BUCKET, "object.bin")).header("content-type", "text/plain").body(b"content")
}

fn flip(text: &str, at: usize) -> String {
    let other = if text.as_bytes()[at] == b'a' { "b" } else { "a" };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}

#[tokio::test]
async fn a_signature_is_good_for_one_request_only() {
    let world = World::with_bucket().await;
    for sign in Sign::ALL {
        let now_ms = world.clock.now_ms();
        let sent = |change: &dyn Fn(&mut http::Request<()>)| {
            let (mut head, body) = put_call().prepare(&world.keys, sign, now_ms);
            change(&mut head);
            world.send(head.map(|()| Body::from(body)))
        };
        let moved = |head: &mut http::Request<()>| {
            let target = head.uri().to_string().replace("object.bin", "other.bin");
            *head.uri_mut() = target.parse::<Uri>().unwrap();
        };
        sent(&moved).await.refused(403, "SignatureDoesNotMatch");
        sent(&|head| *head.method_mut() = http::Method::DELETE).await.refused(403, "SignatureDoesNotMatch");
        sent(&|head| *head.headers_mut().get_mut("content-type").unwrap() = "text/html".parse().unwrap())
            .await
            .refused(403, "SignatureDoesNotMatch");
        let wrong = Keys::new(KEY_ID, "another secret");
        world.call_as(&wrong, sign, put_call()).await.refused(403, "SignatureDoesNotMatch");
        let nobody = Keys::new("NOBODY", "secret");
        world.call_as(&nobody, sign, put_call()).await.refused(403, "InvalidAccessKeyId");
    }
    assert_eq!(world.files(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn a_signed_header_is_good_for_a_quarter_of_an_hour_to_either_side() {
    let world = World::with_bucket().await;
    let now_ms = world.clock.now_ms();
    for sign in HEADERS {
        for (shift_ms, accepted) in
            [(-14, true), (14, true), (-16, false), (16, false)].map(|(m, a)| (m * MINUTE_MS, a))
        {
            let reply = world.send(put_call().sign(&world.keys, sign, now_ms + shift_ms)).await;
            if accepted {
                reply.expect(200);
            } else {
                reply.refused(403, "RequestTimeTooSkewed");
            }
        }
    }
}

#[tokio::test]
async fn a_link_ends_when_it_says() {
    let world = World::with_bucket().await;
    world.put("object.bin", b"content").await;
    let now_ms = world.clock.now_ms();
    let link = |sign, signed_at_ms| Call::get(&path(BUCKET, "object.bin")).sign(&world.keys, sign, signed_at_ms);
    for sign in LINKS {
        world.send(link(sign, now_ms - 299_000)).await.expect(200);
        world.send(link(sign, now_ms - 301_000)).await.refused(403, "AccessDenied");
    }
    // Only version 4 says when it was signed.
    world.send(link(Sign::V4Link, now_ms + 14 * MINUTE_MS)).await.expect(200);
    world.send(link(Sign::V4Link, now_ms + 16 * MINUTE_MS)).await.refused(403, "RequestTimeTooSkewed");
}

#[tokio::test]
async fn the_window_can_be_set() {
    let settings = super::Settings { clock_skew_ms: 5_000, ..Default::default() };
    let world = World::with(settings).await;
    let now_ms = world.clock.now_ms();
    for sign in [Sign::V4, Sign::V2, Sign::Obs] {
        world.send(Call::get("/").sign(&world.keys, sign, now_ms - 3_000)).await.expect(200);
        world.send(Call::get("/").sign(&world.keys, sign, now_ms - 8_000)).await.refused(403, "RequestTimeTooSkewed");
    }
}

#[tokio::test]
async fn an_unsigned_request_is_refused() {
    let world = World::with_bucket().await;
    world.put("object.bin", b"content").await;
    for call in
        [Call::get("/"), Call::get(&path(BUCKET, "object.bin")), put_call(), Call::delete(&path(BUCKET, "object.bin"))]
    {
        world.call_as(&world.keys, Sign::Not, call).await.refused(403, "AccessDenied");
    }
    let basic = Call::get("/").header("authorization", "Basic YTpi");
    world.call_as(&world.keys, Sign::Not, basic).await.refused(403, "AccessDenied");
    assert_eq!(world.get("object.bin").await.expect(200).body, "content");
}

#[tokio::test]
async fn two_signatures_on_one_request_are_refused() {
    let world = World::with_bucket().await;
    let now_ms = world.clock.now_ms();
    for (one, other) in
        [(Sign::V4, Sign::V2Link), (Sign::V2, Sign::V4Link), (Sign::Obs, Sign::ObsLink), (Sign::V4, Sign::ObsLink)]
    {
        let (mut head, body) = put_call().prepare(&world.keys, one, now_ms);
        let (link, _) = put_call().prepare(&world.keys, other, now_ms);
        *head.uri_mut() = link.uri().clone();
        world.send(head.map(|()| Body::from(body))).await.refused(400, "InvalidArgument");
    }
}

/// Whoever holds a link to put an object must not be able to make another request of it.
#[tokio::test]
async fn headers_that_steer_must_be_signed() {
    let world = World::with_bucket().await;
    world.put("secret.bin", b"secret").await;
    let source = format!("/{BUCKET}/secret.bin");
    for sign in Sign::ALL {
        let name = if matches!(sign, Sign::Obs | Sign::ObsLink) { "x-obs-copy-source" } else { "x-amz-copy-source" };
        let (mut head, body) = put_call().prepare(&world.keys, sign, world.clock.now_ms());
        head.headers_mut().insert(name, source.parse().unwrap());
        let reply = world.send(head.map(|()| Body::from(body))).await.expect(403);
        assert!(
            ["AccessDenied", "SignatureDoesNotMatch"].contains(&reply.element("Code").unwrap().as_str()),
            "{sign:?}"
        );
    }
    // An OBS signature covers no x-amz- header, so none counts.
    let (mut head, body) = put_call().prepare(&world.keys, Sign::Obs, world.clock.now_ms());
    head.headers_mut().insert("x-amz-copy-source", source.parse().unwrap());
    world.send(head.map(|()| Body::from(body))).await.expect(200);
    assert_eq!(world.get("object.bin").await.expect(200).body, "content");
}

#[tokio::test]
async fn malformed_signatures_are_refused_with_words() {
    let world = World::with_bucket().await;
    for authorization in [
        "AWS",
        "AWS nocolon",
        "OBS nocolon",
        "OBS :x",
        "AWS4-HMAC-SHA256 Credential=AK",
        "AWS4-HMAC-SHA256 Credential=AK/20260102/r/sts/aws4_request, SignedHeaders=host, Signature=0",
        "AWS4-ECDSA-P256-SHA256 Credential=AK/20260102/r/s3/aws4_request, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 Credential=AK/20260102/r/s3/aws4_request, SignedHeaders=host, Signature=0",
    ] {
        let call = Call::get("/").header("authorization", authorization).header("date", "yesterday");
        let reply = world.call_as(&world.keys, Sign::Not, call).await;
        assert!(reply.status.is_client_error(), "{authorization}: {}", reply.text());
        assert!(reply.element("Message").is_some_and(|text| text.len() > 10), "{}", reply.text());
    }
    for query in [("Signature", "x"), ("AWSAccessKeyId", "x"), ("AccessKeyId", "x"), ("X-Amz-Signature", "x")] {
        let reply = world.call_as(&world.keys, Sign::Not, Call::get("/").query(query.0, query.1)).await;
        assert!(reply.status.is_client_error(), "{query:?}: {}", reply.text());
    }
}

#[tokio::test]
async fn a_link_of_version_4_lasts_a_week_at_most() {
    let world = World::with_bucket().await;
    for (expires_s, status) in [(1, 200), (604_800, 200), (604_801, 400), (0, 400), (-1, 400)] {
        let call = Call { expires_s, ..Call::get("/") };
        world.call_as(&world.keys, Sign::V4Link, call).await.expect(status);
    }
}
