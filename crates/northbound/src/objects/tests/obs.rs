//! What only OBS clients do, and how they want to be answered.

use super::client::{Call, Sign, path};
use super::{BUCKET, World};

#[tokio::test]
async fn a_client_may_ask_which_signatures_there_are() {
    let world = World::with_bucket().await;
    for call in [
        Call::head(&format!("/{BUCKET}")).query("apiversion", ""),
        Call::head("/").query("apiversion", ""),
        Call::head("/").on_bucket_host(BUCKET).query("apiversion", ""),
        // Nobody is told which buckets there are.
        Call::head("/").on_bucket_host("no-such-bucket").query("apiversion", ""),
    ] {
        let reply = world.call_as(&world.keys, Sign::Not, call).await.expect(200);
        assert!(reply.header("x-obs-api") >= "3.0");
    }
}

#[tokio::test]
async fn answers_have_the_headers_of_obs() {
    let world = World::with_bucket().await;
    let object = path(BUCKET, "object.bin");
    let put = Call::put(&object)
        .header("x-obs-meta-model", "m 1")
        .header("x-obs-acl", "private")
        .header("x-obs-storage-class", "STANDARD")
        .body(b"content");
    for sign in [Sign::Obs, Sign::ObsLink] {
        world.call_as(&world.keys, sign, put.clone()).await.expect(200);
        let reply = world.call_as(&world.keys, sign, Call::get(&object)).await.expect(200);
        assert_eq!(reply.header("x-obs-meta-model"), "m 1");
        assert_eq!(reply.header("x-obs-request-id").len(), 16);
        assert!(reply.headers.keys().all(|name| !name.as_str().starts_with("x-amz-")), "{:?}", reply.headers);
    }
    // The same object, seen by a client of S3.
    assert_eq!(world.get("object.bin").await.header("x-amz-meta-model"), "m 1");
    let bucket = world.call_as(&world.keys, Sign::Obs, Call::head("/").on_bucket_host(BUCKET)).await.expect(200);
    assert_eq!(bucket.header("x-obs-bucket-location"), "here");
    let missing = world.call_as(&world.keys, Sign::Obs, Call::get(&path(BUCKET, "missing"))).await;
    assert_eq!(missing.refused(404, "NoSuchKey").header("x-obs-request-id").len(), 16);
}

#[tokio::test]
async fn a_region_is_a_location() {
    let world = World::new().await;
    let body = "<CreateBucketConfiguration xmlns=\"http://obs.myhwclouds.com/doc/2015-06-30/\">\
                <Location>cn-north-4</Location></CreateBucketConfiguration>";
    let create = Call::put("/").on_bucket_host("a-bucket").body(body);
    world.call_as(&world.keys, Sign::Obs, create).await.expect(200);
    let location = Call::get("/").on_bucket_host("a-bucket").query("location", "");
    let reply = world.call_as(&world.keys, Sign::Obs, location).await.expect(200);
    assert!(reply.text().contains(">cn-north-4</Location>"), "{}", reply.text());
    let buckets = world.call_as(&world.keys, Sign::Obs, Call::get("/")).await.expect(200);
    assert_eq!(buckets.element("Location").as_deref(), Some("cn-north-4"));
    // In path style the OBS SDKs sign as clients of AWS do, and want the region where they look for it then.
    let by_sdk = |path: &str| Call::get(path).header("user-agent", "obs-sdk-go/3.25.4");
    let reply = world.call_as(&world.keys, Sign::V2, by_sdk("/a-bucket").query("location", "")).await.expect(200);
    let inner = reply.text().split_once("<CreateBucketConfiguration ").map(|(_, inner)| inner.to_owned());
    assert!(inner.unwrap().contains("<LocationConstraint>cn-north-4</LocationConstraint></CreateBucketConfiguration>"));
    let buckets = world.call_as(&world.keys, Sign::V2, by_sdk("/")).await.expect(200);
    assert_eq!(buckets.element("Location").as_deref(), Some("cn-north-4"));
    // Only the answers that speak of regions are rewritten.
    let key = "BucketRegion LocationConstraint";
    world.call(Call::put(&path("a-bucket", key)).body(b"content")).await.expect(200);
    let listed = world.call_as(&world.keys, Sign::Obs, Call::get("/").on_bucket_host("a-bucket")).await.expect(200);
    assert_eq!(listed.elements("Key"), [key]);
}

#[tokio::test]
async fn what_obs_promises_and_this_server_does_not_keep_is_refused() {
    let world = World::with_bucket().await;
    for (name, value, code) in [
        ("x-obs-server-side-encryption", "kms", "NotImplemented"),
        ("x-obs-acl", "public-read", "AccessControlListNotSupported"),
        ("x-obs-storage-class", "COLD", "InvalidStorageClass"),
        ("x-obs-expires", "3", "NotImplemented"),
        ("x-obs-website-redirect-location", "/other", "NotImplemented"),
    ] {
        let put = Call::put(&path(BUCKET, "object.bin")).header(name, value).body(b"content");
        let reply = world.call_as(&world.keys, Sign::Obs, put).await;
        assert_eq!(reply.element("Code").as_deref(), Some(code), "{name}");
    }
    world.get("object.bin").await.refused(404, "NoSuchKey");
}
