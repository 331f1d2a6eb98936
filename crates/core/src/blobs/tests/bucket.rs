//! What is peculiar to a bucket: long uploads in parts, several copies of the server, and what they leave.

use std::time::Duration;

use super::*;
use crate::blobs::remote::Credentials;

/// Three parts and a bit.
const LONG: usize = 27_000_000;

async fn shared() -> (Place, String, Blobs) {
    let place = Place::bucket();
    let Place::Bucket(url) = &place else { panic!("a bucket") };
    let (url, blobs) = (url.clone(), place.open().await);
    (place, url, blobs)
}

/// Waits for what is taken back in the background.
async fn ends(place: &Place, url: &str) {
    for _ in 0..100 {
        if s3::shared().unfinished(url) == 0 && place.files().await.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} uploads in parts, {:?}", s3::shared().unfinished(url), place.files().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_upload_streams_in_parts_and_ends_under_its_digest() {
    let (place, url, blobs) = shared().await;
    let bytes = content(LONG);
    let mut staged = blobs.stage(&id("long"), NO_LIMIT).await.unwrap();
    for (n, piece) in bytes.chunks(1_000_000).enumerate() {
        staged.write(Bytes::copy_from_slice(piece)).await.unwrap();
        assert_eq!(place.files().await, [""; 0], "nothing shows before the end ({n})");
    }
    let finished = staged.finish().await.unwrap();
    assert_eq!((finished.digest, finished.size_bytes), (Digest::of(&bytes), LONG as u64));
    let hex = finished.digest.to_hex();
    let [file] = &place.files().await[..] else { panic!("one object") };
    assert!(file.starts_with(&format!("objects/{}/{hex}/", &hex[..2])), "{file}");
    assert_eq!(s3::shared().unfinished(&url), 0);
    assert!(read(&blobs, &finished.digest, 8_388_000..8_390_000).await.unwrap() == bytes[8_388_000..8_390_000]);
    assert!(blobs.verify(&finished.digest).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_upload_that_is_dropped_or_too_long_leaves_nothing() {
    let (place, url, blobs) = shared().await;
    let bytes = content(LONG);
    let mut staged = blobs.stage(&id("dropped"), NO_LIMIT).await.unwrap();
    let mut too_long = blobs.stage(&id("too-long"), LONG as u64 - 1).await.unwrap();
    for piece in bytes.chunks(1_000_000) {
        staged.write(Bytes::copy_from_slice(piece)).await.unwrap();
        match too_long.write(Bytes::copy_from_slice(piece)).await {
            Ok(()) | Err(BlobError::TooLarge) => {}
            Err(error) => panic!("{error}"),
        }
    }
    let begun = async {
        while s3::shared().unfinished(&url) == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), begun).await.expect("one has sent a part");
    drop(staged);
    assert!(too_long.finish().await.is_err());
    ends(&place, &url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_begun_through_one_copy_is_continued_and_ended_through_others() {
    let (place, _, first) = shared().await;
    let (second, third) = (place.open().await, place.open().await);
    let bytes = content(LONG);
    assert_eq!(grow(&first, "u", 0, &bytes[..9_000_000], NO_LIMIT).await.unwrap(), 9_000_000);
    assert_eq!(second.staged_len(&id("u")).await.unwrap(), 9_000_000);
    assert!(matches!(grow(&second, "u", 0, b"x", 10).await, Err(BlobError::OutOfStep { len_bytes: 9_000_000 })));
    assert_eq!(grow(&second, "u", 9_000_000, &bytes[9_000_000..], NO_LIMIT).await.unwrap(), LONG as u64);
    let finished = third.compose(&[id("u")], NO_LIMIT).await.unwrap();
    assert_eq!(finished.digest, Digest::of(&bytes));
    assert!(third.discard(&id("u")).await.unwrap());
    assert!(read(&first, &finished.digest, 0..NO_LIMIT).await.unwrap() == bytes);
    assert_eq!(place.files().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn long_parts_are_put_together_within_the_store() {
    let (place, _, blobs) = shared().await;
    let bytes = content(LONG);
    for (n, part) in bytes.chunks(6_000_000).enumerate() {
        keep_part(&blobs, &format!("part-{n}"), part).await;
    }
    let parts = [0, 1, 2, 3, 4].map(|n| id(&format!("part-{n}")));
    let finished = blobs.compose(&parts, NO_LIMIT).await.unwrap();
    assert_eq!(finished.digest, Digest::of(&bytes));
    assert!(blobs.verify(&finished.digest).await.unwrap());
    assert_eq!(blobs.compose(&parts[..1], NO_LIMIT).await.unwrap().digest, Digest::of(&bytes[..6_000_000]));
    assert_eq!(place.files().await.len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_copies_that_append_at_the_same_byte_do_no_harm() {
    let (place, _, first) = shared().await;
    let second = place.open().await;
    grow(&first, "u", 0, b"01234", NO_LIMIT).await.unwrap();
    let mut early = first.append(&id("u"), 5, NO_LIMIT).await.unwrap();
    let mut late = second.append(&id("u"), 5, NO_LIMIT).await.unwrap();
    early.write(Bytes::from_static(b"56789")).await.unwrap();
    late.write(Bytes::from_static(b"56")).await.unwrap();
    assert_eq!(early.keep().await.unwrap(), 10);
    assert_eq!(late.keep().await.unwrap(), 10, "what was acknowledged stays");
    assert_eq!(second.compose(&[id("u")], NO_LIMIT).await.unwrap().digest, Digest::of(b"0123456789"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_or_abandoned_append_leaves_what_was_there_before() {
    let (_, _, blobs) = shared().await;
    grow(&blobs, "u", 0, b"01234", NO_LIMIT).await.unwrap();
    let mut appending = blobs.append(&id("u"), 5, NO_LIMIT).await.unwrap();
    appending.write(Bytes::from(content(9_000_000))).await.unwrap();
    appending.write(Bytes::from_static(b"more")).await.unwrap();
    appending.abandon().await.unwrap();
    assert_eq!(blobs.staged_len(&id("u")).await.unwrap(), 5);
    assert_eq!(grow(&blobs, "u", 5, b"5", NO_LIMIT).await.unwrap(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_of_one_copy_never_takes_what_another_has_just_stored() {
    let (place, _, first) = shared().await;
    let second = place.open().await;
    let digest = put(&first, "old", b"wanted by two").await.unwrap().digest;
    let reader = second.open_blob(&digest).await.unwrap();
    let seen = first.list(None, 10).await.unwrap()[0];
    tokio::time::sleep(Duration::from_millis(5)).await;
    put(&second, "new", b"wanted by two").await.unwrap();
    assert!(!first.delete_if_older(&digest, seen.stored_ms + 1).await.unwrap());
    // Whoever opened the older object finds the newer one.
    let chunks: Vec<Bytes> = reader.stream(0..100).try_collect().await.unwrap();
    assert_eq!(chunks.concat(), b"wanted by two");
    assert_eq!(read(&first, &digest, 0..100).await.unwrap(), b"wanted by two");
}

#[tokio::test(flavor = "multi_thread")]
async fn staged_uploads_are_listed_with_their_age() {
    let (_, url, blobs) = shared().await;
    keep_part(&blobs, "part", b"12345").await;
    grow(&blobs, "grown", 0, b"123", 10).await.unwrap();
    let late = "staging/discarded/0000000003e8-x/0000000000000000-0000000003e8-x";
    raw(&url).write(late, "late").await.unwrap();
    let mut listed = blobs.list_staged().await.unwrap();
    listed.sort_by(|a, b| a.id.cmp(&b.id));
    let seen: Vec<_> = listed.iter().map(|upload| (upload.id.as_str(), upload.size_bytes)).collect();
    assert_eq!(seen, [("discarded", 0), ("grown", 3), ("part", 5)]);
    assert_eq!(listed[0].modified_ms, 0, "old enough to be collected");
    assert!(listed[1].modified_ms >= listed[2].modified_ms && listed[2].modified_ms > 1_700_000_000_000);
    assert!(blobs.discard(&id("discarded")).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_goes_by_digest_and_continues_anywhere() {
    let (_, url, blobs) = shared().await;
    let mut expected = Vec::new();
    for n in 0..25usize {
        expected.push((put(&blobs, "upload", &content(n)).await.unwrap().digest, n as u64));
    }
    expected.sort();
    let hex = expected[0].0.to_hex();
    for other in
        ["objects/README".to_owned(), format!("objects/{}/notes", &hex[..2]), format!("objects/{}/{hex}/x", &hex[..2])]
    {
        raw(&url).write(&other, "not ours").await.unwrap();
    }
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = blobs.list(after.as_ref(), 4).await.unwrap();
        assert!(page.len() <= 4);
        let Some(last) = page.last() else { break };
        after = Some(last.digest);
        found.extend(page.iter().map(|blob| (blob.digest, blob.size_bytes)));
    }
    assert_eq!(found, expected);
    assert_eq!(blobs.list(None, 0).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_noticed_and_storing_again_mends_it() {
    let (place, url, blobs) = shared().await;
    let digest = put(&blobs, "upload", &content(400_000)).await.unwrap().digest;
    let reader = blobs.open_blob(&digest).await.unwrap();
    raw(&url).write(&place.files().await[0], content(300_000)).await.unwrap();
    assert!(!blobs.verify(&digest).await.unwrap());
    let chunks: Result<Vec<Bytes>, BlobError> = reader.stream(0..400_000).try_collect().await;
    assert!(matches!(chunks, Err(BlobError::Corrupt | BlobError::Unavailable(_))), "no short download");
    tokio::time::sleep(Duration::from_millis(5)).await;
    put(&blobs, "again", &content(400_000)).await.unwrap();
    assert!(blobs.verify(&digest).await.unwrap());
    assert!(matches!(blobs.verify(&Digest::of(b"another")).await, Err(BlobError::NotFound)));
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_can_ask_for_room_and_for_a_test_write() {
    let (place, _, blobs) = shared().await;
    blobs.probe().await.unwrap();
    assert_eq!(place.files().await, [""; 0]);
    assert!(blobs.space().await.unwrap().available_bytes > 1 << 50);
    assert!(blobs.is_shared());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_not_there_or_a_bucket_that_is_not_is_told_at_once() {
    let (_, url, _) = shared().await;
    let other_bucket = url.replace("otaru-tests", "no-such-bucket");
    let without_keys = url.replace("AKTESTS:SKTESTS@", "");
    assert!(matches!(Blobs::open(&other_bucket).await, Err(BlobError::Unavailable(_))));
    let given = Some(Credentials::new("AKTESTS", "SKTESTS"));
    Blobs::open_with(&without_keys, given).await.unwrap();
    for url in ["s3://", "s3:bucket", "obs://bucket", "oss://bucket/p", "s3://b/a//b?endpoint=x", "s3://b?nonsense=1"] {
        assert!(matches!(Blobs::open(url).await, Err(BlobError::Malformed(_))), "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_link_gives_the_bytes_to_whoever_has_it() {
    let (_, _, blobs) = shared().await;
    let digest = put(&blobs, "upload", b"for everybody").await.unwrap().digest;
    let link = blobs.direct_link(&digest, Duration::from_secs(60), "up grade.bin").await.unwrap().unwrap();
    assert!(link.contains("X-Amz-Expires=60") && link.contains("X-Amz-Signature="), "{link}");
    let (status, headers, body) = s3::shared().get(&link);
    assert_eq!((status, body.as_str()), (200, "for everybody"));
    assert!(headers.contains("filename=up_grade.bin"), "{headers}");
    assert!(matches!(
        blobs.direct_link(&Digest::of(b"another"), Duration::from_secs(60), "x").await,
        Err(BlobError::NotFound)
    ));
    let (_home, on_disk) = store().await;
    let digest = put(&on_disk, "upload", b"for everybody").await.unwrap().digest;
    assert_eq!(on_disk.direct_link(&digest, Duration::from_secs(60), "x").await.unwrap(), None);
}
