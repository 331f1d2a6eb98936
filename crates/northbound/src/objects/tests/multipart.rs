//! Objects that arrive in parts.

use md5::{Digest, Md5};

use sha2::Sha256;

use super::client::{Call, Sign, md5_base64, path, sha256_base64};
use super::{BUCKET, Reply, World, image};

const KEY: &str = "folder/big image.img";

async fn begin(world: &World, key: &str) -> String {
    let call =
        Call::post(&path(BUCKET, key)).query("uploads", "").header("content-type", "a/b").header("x-amz-meta-a", "b");
    let reply = world.call(call).await.expect(200);
    assert_eq!(reply.element("Key").as_deref(), Some(key));
    reply.element("UploadId").unwrap()
}

fn part(id: &str, number: usize, content: &[u8]) -> Call {
    let call = Call::put(&path(BUCKET, KEY)).query("partNumber", &number.to_string()).query("uploadId", id);
    call.body(content)
}

fn complete(id: &str, parts: &[(usize, &str)]) -> Call {
    let parts: String = parts
        .iter()
        .map(|(number, etag)| format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"))
        .collect();
    let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    Call::post(&path(BUCKET, KEY)).query("uploadId", id).body(body)
}

fn etag(reply: Reply) -> String {
    reply.expect(200).header("etag").to_owned()
}

#[tokio::test]
async fn the_whole_life_with_every_signature() {
    let world = World::with_bucket().await;
    let contents = [image(150_000, 1), image(120_000, 2), image(10, 3)];
    for sign in Sign::ALL {
        let id = begin(&world, KEY).await;
        // In any order, and one of them twice.
        world.call_as(&world.keys, sign, part(&id, 7, b"something else")).await.expect(200);
        let three = etag(world.call_as(&world.keys, sign, part(&id, 9, &contents[2])).await);
        let two = etag(world.call_as(&world.keys, sign, part(&id, 7, &contents[1])).await);
        let one = etag(world.call_as(&world.keys, sign, part(&id, 1, &contents[0])).await);

        let listed = world.call(Call::get(&path(BUCKET, KEY)).query("uploadId", &id)).await.expect(200);
        assert_eq!(listed.elements("PartNumber"), ["1", "7", "9"]);
        assert_eq!(listed.elements("Size"), ["150000", "120000", "10"]);
        world.get(KEY).await.refused(404, "NoSuchKey");

        let done = complete(&id, &[(1, &one), (7, &two), (9, three.trim_matches('"'))]);
        let reply = world.call(done.clone()).await.expect(200);
        let md5s: Vec<u8> = contents.iter().flat_map(|content| Md5::digest(content).to_vec()).collect();
        let expected = format!("\"{}-3\"", hex::encode(Md5::digest(md5s)));
        assert_eq!(reply.element("ETag").as_deref(), Some(expected.as_str()));

        let whole = world.get(KEY).await.expect(200);
        assert!(whole.body == contents.concat());
        assert_eq!((whole.header("etag"), whole.header("content-type")), (expected.as_str(), "a/b"));
        assert_eq!(whole.header("x-amz-meta-a"), "b");
        world.call(done).await.refused(404, "NoSuchUpload");
        world.call(part(&id, 1, b"late")).await.refused(404, "NoSuchUpload");
        world.call(Call::delete(&path(BUCKET, KEY))).await.expect(204);
    }
}

#[tokio::test]
async fn what_cannot_be_put_together() {
    let world = World::with_bucket().await;
    let id = begin(&world, KEY).await;
    let one = etag(world.call(part(&id, 1, &image(110_000, 1))).await);
    let two = etag(world.call(part(&id, 2, &image(110_000, 2))).await);
    world.call(complete(&id, &[(2, &two), (1, &one)])).await.refused(400, "InvalidPartOrder");
    world.call(complete(&id, &[(1, &one), (1, &one)])).await.refused(400, "InvalidPartOrder");
    world.call(complete(&id, &[(1, &two)])).await.refused(400, "InvalidPart");
    world.call(complete(&id, &[(1, &one), (3, &two)])).await.refused(400, "InvalidPart");
    let no_etag = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>";
    let call = Call::post(&path(BUCKET, KEY)).query("uploadId", &id).body(no_etag);
    world.call(call).await.refused(400, "MalformedXML");
    world.call(complete("0123456789abcdef01234567", &[(1, &one)])).await.refused(404, "NoSuchUpload");
    world.call(complete("nonsense", &[(1, &one)])).await.refused(404, "NoSuchUpload");
    // The upload is another object's.
    let other = Call { path: path(BUCKET, "other"), ..complete(&id, &[(1, &one)]) };
    world.call(other).await.refused(404, "NoSuchUpload");
    let size = complete(&id, &[(1, &one)]).header("x-amz-mp-object-size", "7");
    world.call(size).await.refused(400, "InvalidRequest");
    world.put(KEY, b"already there").await;
    let first = complete(&id, &[(1, &one)]).header("if-none-match", "*");
    world.call(first).await.refused(412, "PreconditionFailed");
    assert_eq!(world.get(KEY).await.body, "already there");
    // After all that it still can be.
    let size = complete(&id, &[(1, &one)]).header("x-amz-mp-object-size", "110000");
    world.call(size).await.expect(200);
    assert!(world.get(KEY).await.body == image(110_000, 1));
}

#[tokio::test]
async fn a_part_with_a_wrong_digest_leaves_nothing() {
    let world = World::with_bucket().await;
    let id = begin(&world, KEY).await;
    for sign in Sign::ALL {
        let wrong = part(&id, 1, &image(50_000, 1)).header("content-md5", &md5_base64(b"something else"));
        world.call_as(&world.keys, sign, wrong).await.refused(400, "BadDigest");
    }
    let listed = world.call(Call::get(&path(BUCKET, KEY)).query("uploadId", &id)).await.expect(200);
    assert_eq!(listed.elements("PartNumber").len(), 0);
    assert_eq!(world.files(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn what_is_given_up_leaves_nothing() {
    let world = World::with_bucket().await;
    let id = begin(&world, KEY).await;
    world.call(part(&id, 1, &image(50_000, 1))).await.expect(200);
    world.call(part(&id, 2, &image(50_000, 2))).await.expect(200);
    assert!(!world.files().is_empty());
    world.call(Call::delete(&format!("/{BUCKET}"))).await.refused(409, "BucketNotEmpty");
    let abort = Call::delete(&path(BUCKET, KEY)).query("uploadId", &id);
    world.call(abort.clone()).await.expect(204);
    assert_eq!(world.files(), Vec::<std::path::PathBuf>::new());
    world.call(abort).await.refused(404, "NoSuchUpload");
    world.call(Call::delete(&format!("/{BUCKET}"))).await.expect(204);
}

#[tokio::test]
async fn parts_are_listed_in_pages() {
    let world = World::with_bucket().await;
    let id = begin(&world, KEY).await;
    for number in [1, 3, 5, 7, 9] {
        world.call(part(&id, number, b"content")).await.expect(200);
    }
    let mut found = Vec::new();
    let mut marker = "0".to_owned();
    loop {
        let call = Call::get(&path(BUCKET, KEY)).query("uploadId", &id).query("max-parts", "2");
        let page = world.call(call.query("part-number-marker", &marker)).await.expect(200);
        found.push(page.elements("PartNumber"));
        if page.element("IsTruncated").as_deref() != Some("true") {
            break;
        }
        marker = page.element("NextPartNumberMarker").unwrap();
    }
    assert_eq!(found, [vec!["1", "3"], vec!["5", "7"], vec!["9"]]);
}

#[tokio::test]
async fn uploads_are_listed_in_pages_and_rolled_up() {
    let world = World::with_bucket().await;
    let mut ids = Vec::new();
    for key in ["a", "b/1", "b/2", "c", "c", "d&e"] {
        ids.push(begin(&world, key).await);
    }
    let list = |parameters: &[(&str, &str)]| {
        let mut call = Call::get(&format!("/{BUCKET}")).query("uploads", "");
        for (name, value) in parameters {
            call = call.query(name, value);
        }
        world.call(call)
    };
    let all = list(&[]).await.expect(200);
    assert_eq!(all.elements("Key"), ["a", "b/1", "b/2", "c", "c", "d&e"]);
    assert_eq!(all.elements("UploadId"), ids);
    let rolled = list(&[("delimiter", "/")]).await.expect(200);
    assert_eq!(rolled.elements("Key"), ["a", "c", "c", "d&e"]);
    assert_eq!(rolled.elements("CommonPrefixes"), ["<Prefix>b/</Prefix>"]);
    assert_eq!(list(&[("prefix", "b/")]).await.elements("Key"), ["b/1", "b/2"]);

    for delimiter in ["", "/"] {
        let (mut found, mut key, mut id) = (Vec::new(), String::new(), String::new());
        loop {
            let mut parameters = vec![("max-uploads", "1")];
            if !delimiter.is_empty() {
                parameters.push(("delimiter", delimiter));
            }
            if !key.is_empty() {
                parameters.push(("key-marker", &key));
                if !id.is_empty() {
                    parameters.push(("upload-id-marker", &id));
                }
            }
            let page = list(&parameters).await.expect(200);
            found.extend(page.elements("UploadId"));
            found.extend(page.elements("CommonPrefixes"));
            if page.element("IsTruncated").as_deref() != Some("true") {
                break;
            }
            let next = (page.element("NextKeyMarker").unwrap(), page.element("NextUploadIdMarker").unwrap_or_default());
            (key, id) = next;
        }
        let expected: Vec<String> = match delimiter {
            "" => ids.clone(),
            _ => [&ids[..1], &["<Prefix>b/</Prefix>".to_owned()], &ids[3..]].concat(),
        };
        assert_eq!(found, expected);
    }
}

/// Go's client of MinIO declares such a checksum, and lets the server find out of what.
#[tokio::test]
async fn a_checksum_of_the_whole_is_checked() {
    let world = World::with_bucket().await;
    let contents = [image(110_000, 1), image(5, 2)];
    let digests: Vec<u8> = contents.iter().flat_map(|content| Sha256::digest(content).to_vec()).collect();
    let (full, composite) = (sha256_base64(&contents.concat()), sha256_base64(&digests));
    let (numbered, wrong) = (format!("{composite}-2"), sha256_base64(b"something else"));
    for (value, kind, accepted) in [
        (&full, None, true),
        (&composite, None, true),
        (&numbered, None, true),
        (&full, Some("FULL_OBJECT"), true),
        (&composite, Some("FULL_OBJECT"), false),
        (&numbered, Some("COMPOSITE"), true),
        (&full, Some("COMPOSITE"), false),
        (&wrong, None, false),
    ] {
        let id = begin(&world, KEY).await;
        let one = etag(world.call(part(&id, 1, &contents[0])).await);
        let two = etag(world.call(part(&id, 2, &contents[1])).await);
        let mut call = complete(&id, &[(1, &one), (2, &two)]).header("x-amz-checksum-sha256", value);
        if let Some(kind) = kind {
            call = call.header("x-amz-checksum-type", kind);
        }
        let reply = world.call(call).await;
        if accepted {
            reply.expect(200);
        } else {
            reply.refused(400, "BadDigest");
            world.get(KEY).await.refused(404, "NoSuchKey");
            // The upload is as it was.
            world.call(complete(&id, &[(1, &one), (2, &two)])).await.expect(200);
        }
        assert!(world.get(KEY).await.body == contents.concat());
        world.call(Call::delete(&path(BUCKET, KEY))).await.expect(204);
    }
}

/// Hashing gigabytes takes longer than clients wait: they get blanks, then the answer.
#[tokio::test]
async fn a_slow_end_keeps_the_client_waiting() {
    let settings = super::Settings { slow_completion_bytes: 100, ..Default::default() };
    let world = World::with(settings).await;
    world.app.create_bucket(&world.admin, BUCKET, "here").await.unwrap();
    let id = begin(&world, KEY).await;
    let one = etag(world.call(part(&id, 1, &image(200_000, 1))).await);
    let reply = world.call(complete(&id, &[(1, &one)])).await.expect(200);
    assert!(reply.text().starts_with("<?xml"));
    assert!(reply.element("ETag").unwrap().ends_with("-1\""));
    assert!(world.get(KEY).await.body == image(200_000, 1));
}
