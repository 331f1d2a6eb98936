//! Who may do what, and whose buckets are whose.

use otaru_model::Role;

use super::client::{Call, Sign, path};
use super::{BUCKET, World};

fn reads() -> Vec<Call> {
    vec![
        Call::get("/"),
        Call::head(&format!("/{BUCKET}")),
        Call::get(&format!("/{BUCKET}")),
        Call::get(&format!("/{BUCKET}")).query("list-type", "2"),
        Call::get(&format!("/{BUCKET}")).query("location", ""),
        Call::get(&format!("/{BUCKET}")).query("uploads", ""),
        Call::get(&path(BUCKET, "object.bin")),
        Call::head(&path(BUCKET, "object.bin")),
    ]
}

fn writes() -> Vec<Call> {
    vec![
        Call::put("/another-bucket"),
        Call::put(&path(BUCKET, "other.bin")).body(b"content"),
        Call::put(&path(BUCKET, "copy.bin")).header("x-amz-copy-source", &path(BUCKET, "object.bin")),
        Call::post(&path(BUCKET, "parts.bin")).query("uploads", ""),
        Call::delete(&path(BUCKET, "object.bin")),
        Call::delete(&format!("/{BUCKET}")),
    ]
}

#[tokio::test]
async fn roles_decide_who_writes() {
    for role in Role::ALL {
        let world = World::with_bucket().await;
        world.put("object.bin", b"content").await;
        let keys = world.key_in_role(role).await;
        for call in reads() {
            world.call_as(&keys, Sign::V4, call).await.expect(200);
        }
        let may_write = matches!(role, Role::Admin | Role::Publisher);
        for call in writes() {
            let shown = format!("{role:?} {} {}", call.method, call.path);
            let reply = world.call_as(&keys, Sign::V4, call).await;
            let code = reply.element("Code").unwrap_or_default();
            assert_eq!(code != "AccessDenied", may_write, "{shown}: {}", reply.text());
            assert_eq!(reply.status != 403, may_write, "{shown}");
        }
        let body = "<Delete><Object><Key>object.bin</Key></Object></Delete>";
        let many = Call::post(&format!("/{BUCKET}")).query("delete", "").body(body);
        let reply = world.call_as(&keys, Sign::V4, many).await.expect(200);
        assert_eq!(reply.element("Code").as_deref() != Some("AccessDenied"), may_write, "{role:?}");
        if !may_write {
            assert_eq!(world.get("object.bin").await.expect(200).body, "content");
        }
    }
}

#[tokio::test]
async fn a_tenant_sees_its_own_buckets_only() {
    let world = World::with_bucket().await;
    world.put("object.bin", b"ours").await;
    let upload =
        world.call(Call::post(&path(BUCKET, "parts.bin")).query("uploads", "")).await.element("UploadId").unwrap();
    let theirs = world.other_tenant().await;
    for sign in [Sign::V4, Sign::V2, Sign::Obs, Sign::V4Link, Sign::V2Link, Sign::ObsLink] {
        for call in reads().into_iter().skip(1).chain(writes().into_iter().skip(1)) {
            let call = match sign {
                Sign::Obs | Sign::ObsLink => {
                    let headers =
                        call.headers.iter().map(|(name, value)| (name.replace("x-amz-", "x-obs-"), value.clone()));
                    Call { headers: headers.collect(), ..call }
                }
                _ => call,
            };
            let shown = format!("{sign:?} {} {} {:?}", call.method, call.path, call.query);
            let is_head = call.method == "HEAD";
            let reply = world.call_as(&theirs, sign, call).await;
            assert_eq!(reply.status, 404, "{shown}: {}", reply.text());
            assert!(is_head || reply.element("Code").as_deref() == Some("NoSuchBucket"), "{shown}: {}", reply.text());
        }
    }
    assert_eq!(world.call_as(&theirs, Sign::V4, Call::get("/")).await.elements("Name").len(), 0);

    // The same name is another bucket there.
    world.call_as(&theirs, Sign::V4, Call::put(&format!("/{BUCKET}"))).await.expect(200);
    world.call_as(&theirs, Sign::V4, Call::get(&path(BUCKET, "object.bin"))).await.refused(404, "NoSuchKey");
    world.call_as(&theirs, Sign::V4, Call::put(&path(BUCKET, "object.bin")).body(b"theirs")).await.expect(200);
    assert_eq!(world.get("object.bin").await.body, "ours");
    let parts = Call::get(&path(BUCKET, "parts.bin")).query("uploadId", &upload);
    world.call_as(&theirs, Sign::V4, parts).await.refused(404, "NoSuchUpload");
    let abort = Call::delete(&path(BUCKET, "parts.bin")).query("uploadId", &upload);
    world.call_as(&theirs, Sign::V4, abort).await.refused(404, "NoSuchUpload");
    assert_eq!(world.call(Call::get(&format!("/{BUCKET}")).query("uploads", "")).await.elements("Key"), ["parts.bin"]);
}

#[tokio::test]
async fn a_key_that_was_revoked_or_has_ended_opens_nothing() {
    let world = World::with_bucket().await;
    let keys = world.key_in_role(Role::Viewer).await;
    world.call_as(&keys, Sign::V4, Call::get("/")).await.expect(200);
    world.app.revoke_key(&world.admin, &keys.id).await.unwrap();
    world.call_as(&keys, Sign::V4, Call::get("/")).await.refused(403, "InvalidAccessKeyId");
    let keys = world.key_in_role(Role::Viewer).await;
    world.app.expire_key(&world.admin, &keys.id, world.clock.now_ms() + 60_000).await.unwrap();
    world.call_as(&keys, Sign::V2, Call::get("/")).await.expect(200);
    world.clock.advance(60_001);
    world.call_as(&keys, Sign::V2, Call::get("/")).await.refused(403, "InvalidAccessKeyId");
}
