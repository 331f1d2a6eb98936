//! Buckets.

use super::World;
use super::client::{Call, Sign};

#[tokio::test]
async fn the_life_of_a_bucket() {
    let world = World::new().await;
    for sign in [Sign::V4, Sign::V2, Sign::Obs] {
        let call = |method| Call::new(method, "/a-bucket");
        let send = |call| world.call_as(&world.keys, sign, call);
        send(call("HEAD")).await.expect(404);
        send(call("GET")).await.refused(404, "NoSuchBucket");
        assert_eq!(send(call("PUT")).await.expect(200).header("location"), "/a-bucket");
        send(call("PUT")).await.refused(409, "BucketAlreadyOwnedByYou");
        send(call("HEAD")).await.expect(200);
        world.call(Call::put("/a-bucket/key").body(b"content")).await.expect(200);
        send(call("DELETE")).await.refused(409, "BucketNotEmpty");
        world.call(Call::delete("/a-bucket/key")).await.expect(204);
        send(call("DELETE")).await.expect(204);
        send(call("DELETE")).await.refused(404, "NoSuchBucket");
    }
}

/// The Go client of MinIO puts a slash behind the bucket.
#[tokio::test]
async fn a_slash_behind_the_bucket_means_nothing() {
    let world = World::new().await;
    world.call(Call::put("/a-bucket/")).await.expect(200);
    world.call(Call::head("/a-bucket/")).await.expect(200);
    world.call(Call::get("/a-bucket/").query("location", "")).await.expect(200);
    world.call(Call::delete("/a-bucket/")).await.expect(204);
}

#[tokio::test]
async fn a_bucket_lies_where_it_was_created() {
    let world = World::new().await;
    world.call(Call::put("/by-default")).await.expect(200);
    let body = "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                <LocationConstraint>cn-north-4</LocationConstraint></CreateBucketConfiguration>";
    world.call(Call::put("/by-name").body(body)).await.expect(200);
    for (bucket, region) in [("by-default", "us-east-1"), ("by-name", "cn-north-4")] {
        let reply = world.call(Call::get(&format!("/{bucket}")).query("location", "")).await.expect(200);
        assert!(reply.text().contains(&format!(">{region}</LocationConstraint>")), "{}", reply.text());
        let head = world.call(Call::head(&format!("/{bucket}"))).await.expect(200);
        assert_eq!(head.header("x-amz-bucket-region"), region);
    }
    world.call(Call::get("/not-there").query("location", "")).await.refused(404, "NoSuchBucket");
}

#[tokio::test]
async fn buckets_are_listed_by_name_in_pages() {
    let world = World::new().await;
    for name in ["bbb", "aaa", "ccc", "b-2"] {
        world.call(Call::put(&format!("/{name}"))).await.expect(200);
    }
    let all = world.call(Call::get("/")).await.expect(200);
    assert_eq!(all.elements("Name"), ["aaa", "b-2", "bbb", "ccc"]);
    assert_eq!(all.element("ID"), Some(world.admin.tenant.to_string()));
    let some = world.call(Call::get("/").query("prefix", "b")).await.expect(200);
    assert_eq!(some.elements("Name"), ["b-2", "bbb"]);
    let first = world.call(Call::get("/").query("max-buckets", "3")).await.expect(200);
    assert_eq!(first.elements("Name"), ["aaa", "b-2", "bbb"]);
    let token = first.element("ContinuationToken").unwrap();
    let rest = world.call(Call::get("/").query("continuation-token", &token)).await.expect(200);
    assert_eq!(rest.elements("Name"), ["ccc"]);
}

/// Taken for the plain operation these would create, list or delete.
#[tokio::test]
async fn what_is_not_offered_is_said_so() {
    let world = World::new().await;
    world.call(Call::put("/a-bucket")).await.expect(200);
    world.call(Call::put("/a-bucket/key").body(b"content")).await.expect(200);
    for (method, target, parameter) in [
        ("PUT", "/b-bucket", "quota"),
        ("PUT", "/b-bucket", "storageClass"),
        ("PUT", "/b-bucket", "acl"),
        ("PUT", "/a-bucket", "versioning"),
        ("GET", "/a-bucket", "storageinfo"),
        ("GET", "/a-bucket", "policy"),
        ("DELETE", "/a-bucket", "lifecycle"),
        ("PUT", "/a-bucket/key", "metadata"),
        ("PUT", "/a-bucket/key", "acl"),
        ("POST", "/a-bucket/key", "append"),
        ("POST", "/a-bucket/key", "restore"),
        ("DELETE", "/a-bucket/key", "tagging"),
        ("GET", "/a-bucket/key", "x-image-process"),
    ] {
        for sign in [Sign::V4, Sign::V2, Sign::Obs] {
            let call = Call::new(method, target).query(parameter, "").body(b"other");
            world.call_as(&world.keys, sign, call).await.refused(501, "NotImplemented");
        }
    }
    world.call(Call::head("/b-bucket")).await.expect(404);
    assert_eq!(world.call(Call::get("/a-bucket/key")).await.expect(200).body, "content");

    let versioning = world.call(Call::get("/a-bucket").query("versioning", "")).await.expect(200);
    assert_eq!(versioning.element("Status"), None);
    for (name, value, status, code) in [
        ("x-amz-server-side-encryption", "AES256", 501, "NotImplemented"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256", 501, "NotImplemented"),
        ("x-amz-tagging", "a=b", 501, "NotImplemented"),
        ("x-amz-object-lock-mode", "GOVERNANCE", 501, "NotImplemented"),
        ("x-amz-write-offset-bytes", "7", 501, "NotImplemented"),
        ("x-amz-acl", "public-read", 400, "AccessControlListNotSupported"),
        ("x-amz-grant-read", "id=1", 501, "NotImplemented"),
        ("x-amz-storage-class", "GLACIER", 400, "InvalidStorageClass"),
        ("x-amz-expected-bucket-owner", "somebody", 403, "AccessDenied"),
    ] {
        let call = Call::put("/a-bucket/key").header(name, value).body(b"other");
        world.call(call).await.refused(status, code);
    }
    let owner = world.admin.tenant.to_string();
    for (name, value) in
        [("x-amz-acl", "private"), ("x-amz-storage-class", "STANDARD"), ("x-amz-expected-bucket-owner", owner.as_str())]
    {
        world.call(Call::put("/a-bucket/key").header(name, value).body(b"content")).await.expect(200);
    }
    let form = Call::post("/a-bucket").header("content-type", "multipart/form-data; boundary=x").body(b"--x--");
    world.call(form).await.refused(501, "NotImplemented");
}

#[tokio::test]
async fn bodies_that_steer_are_checked_and_small() {
    let world = World::new().await;
    world.call(Call::put("/a-bucket").body(b"<nonsense")).await.refused(400, "MalformedXML");
    let long = Call::put("/a-bucket").body(vec![b' '; (8 << 20) + 1]);
    world.call(long).await.refused(400, "MaxMessageLengthExceeded");
    let wrong = Call::post("/a-bucket").query("delete", "").header("content-md5", "XrY7u+Ae7tCTyyK7j1rNww==");
    world.call_as(&world.keys, Sign::V2, wrong.body(b"<Delete/>")).await.refused(400, "BadDigest");
}
