//! What holds wherever the bytes are: each of these runs in a folder and in a bucket.

use super::*;

macro_rules! everywhere {
    ($($(#[$about:meta])* async fn $name:ident($place:ident: &Place) $body:block)*) => {
        $($(#[$about])* async fn $name($place: &Place) $body)*

        mod in_a_folder {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(&super::Place::folder()).await;
            })*
        }

        mod in_a_bucket {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(&super::Place::bucket()).await;
            })*
        }
    };
}

everywhere! {
async fn an_upload_of_nothing_is_the_empty_blob(place: &Place) {
    let blobs = place.open().await;
    let finished = blobs.stage(&id("empty"), 0).await.unwrap().finish().await.unwrap();
    assert_eq!(finished.digest, Digest::of(b""));
    assert_eq!(read(&blobs, &finished.digest, 0..NO_LIMIT).await.unwrap(), b"");
    assert!(blobs.verify(&finished.digest).await.unwrap());
}

async fn any_range_of_a_blob_can_be_read(place: &Place) {
    let blobs = place.open().await;
    let bytes = content(800_000);
    let digest = put(&blobs, "upload", &bytes).await.unwrap().digest;
    assert_eq!(digest, Digest::of(&bytes));
    for range in [0..800_000, 0..1, 799_999..800_000, 262_143..262_145, 262_144..524_288, 100..700_000, 5..5] {
        let expected = &bytes[range.start as usize..range.end as usize];
        assert!(read(&blobs, &digest, range.clone()).await.unwrap() == expected, "{range:?}");
    }
    assert!(read(&blobs, &digest, 799_990..NO_LIMIT).await.unwrap() == bytes[799_990..], "cut at the end");
    assert_eq!(read(&blobs, &digest, 800_000..900_000).await.unwrap(), b"");
    assert!(matches!(read(&blobs, &Digest::of(b"another"), 0..1).await, Err(BlobError::NotFound)));
}

async fn the_same_content_is_stored_once(place: &Place) {
    let blobs = place.open().await;
    let first = put(&blobs, "one", b"same").await.unwrap();
    let second = put(&blobs, "two", b"same").await.unwrap();
    assert_eq!(first, second);
    assert_eq!(place.files().await.len(), 1);
}

async fn many_at_once_may_store_read_and_collect_the_same_content(place: &Place) {
    let blobs = place.open().await;
    let bytes = content(600_000);
    let digest = put(&blobs, "first", &bytes).await.unwrap().digest;
    let writers = (0..8).map(|n| {
        let (blobs, bytes) = (blobs.clone(), bytes.clone());
        tokio::spawn(async move {
            let stored = put(&blobs, &format!("upload-{n}"), &bytes).await.unwrap();
            // A collector whose list is a second old finds the blob too young.
            let before_ms = blobs.list(None, 1).await.unwrap()[0].stored_ms;
            assert!(!blobs.delete_if_older(&stored.digest, before_ms).await.unwrap());
            assert!(read(&blobs, &stored.digest, 0..NO_LIMIT).await.unwrap() == bytes);
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    assert!(blobs.verify(&digest).await.unwrap());
    assert_eq!(place.files().await.len(), 1);
}

async fn an_upload_that_is_dropped_leaves_nothing(place: &Place) {
    let blobs = place.open().await;
    let mut staged = blobs.stage(&id("upload"), NO_LIMIT).await.unwrap();
    for _ in 0..10 {
        // The last of these is still being written when the upload is dropped.
        staged.write(Bytes::from(content(300_000))).await.unwrap();
    }
    assert_eq!(place.files().await.len(), usize::from(!place.is_bucket()));
    drop(staged);
    assert_eq!(place.files().await, [""; 0]);
}

async fn one_byte_above_the_limit_ends_an_upload_and_leaves_nothing(place: &Place) {
    let blobs = place.open().await;
    let mut staged = blobs.stage(&id("exact"), 300_000).await.unwrap();
    staged.write(Bytes::from(content(300_000))).await.unwrap();
    staged.finish().await.unwrap();

    let mut staged = blobs.stage(&id("above"), 300_000).await.unwrap();
    staged.write(Bytes::from(content(300_000))).await.unwrap();
    assert!(matches!(staged.write(Bytes::from_static(b"!")).await, Err(BlobError::TooLarge)));
    assert_eq!(place.files().await.len(), 1, "the blob of the first upload only");
    assert!(staged.finish().await.is_err());
}

async fn what_one_process_throws_away_is_never_the_upload_of_another(place: &Place) {
    let blobs = place.open().await;
    let mut too_large = blobs.stage(&id("same-id"), 5).await.unwrap();
    assert!(matches!(too_large.write(Bytes::from_static(b"123456")).await, Err(BlobError::TooLarge)));
    let of_another_process = place.open().await;
    let mut staged = of_another_process.stage(&id("same-id"), NO_LIMIT).await.unwrap();
    drop(too_large);
    staged.write(Bytes::from_static(b"mine")).await.unwrap();
    assert_eq!(staged.finish().await.unwrap().digest, Digest::of(b"mine"));
}

async fn a_blob_stored_again_is_young_again(place: &Place) {
    let blobs = place.open().await;
    let digest = put(&blobs, "upload", b"wanted again").await.unwrap().digest;
    let seen = blobs.list(None, 10).await.unwrap()[0];
    // File systems keep time in ticks of a few milliseconds.
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    put(&blobs, "again", b"wanted again").await.unwrap();
    assert!(!blobs.delete_if_older(&digest, seen.stored_ms + 1).await.unwrap());

    // Object stores tell the time of an object by the second.
    let seen = blobs.list(None, 10).await.unwrap()[0];
    assert!(blobs.delete_if_older(&digest, seen.stored_ms + 2_000).await.unwrap());
    assert!(matches!(blobs.open_blob(&digest).await, Err(BlobError::NotFound)));
}

async fn parts_are_put_together_in_the_order_given(place: &Place) {
    let blobs = place.open().await;
    let whole = content(900_000);
    let part = keep_part(&blobs, "u-3", &whole[700_000..]).await;
    assert_eq!(
        part.digest,
        Digest::of(&whole[700_000..]),
        "a part knows its own digests: entity tags are made of them"
    );
    keep_part(&blobs, "u-1", &whole[..300_000]).await;
    keep_part(&blobs, "u-2", &whole[300_000..700_000]).await;
    assert_eq!(blobs.list(None, 10).await.unwrap(), []);

    let parts = [id("u-1"), id("u-2"), id("u-3")];
    let finished = blobs.compose(&parts, 900_000).await.unwrap();
    let in_one_go = put(&blobs, "all", &whole).await.unwrap();
    assert_eq!(finished, in_one_go);
    assert!(read(&blobs, &finished.digest, 0..NO_LIMIT).await.unwrap() == whole);

    // The caller may fail to record the blob and ask again; the parts go when it says so.
    assert_eq!(blobs.compose(&parts, 900_000).await.unwrap(), finished);
    for part in &parts {
        assert!(blobs.discard(part).await.unwrap());
        assert!(!blobs.discard(part).await.unwrap());
    }
    assert!(matches!(blobs.compose(&parts, 900_000).await, Err(BlobError::NotFound)));
    assert_eq!(place.files().await.len(), 1);
}

async fn a_part_that_is_sent_again_replaces_the_first(place: &Place) {
    let blobs = place.open().await;
    keep_part(&blobs, "part", b"first attempt").await;
    keep_part(&blobs, "part", b"second").await;
    assert_eq!(blobs.staged_len(&id("part")).await.unwrap(), 6);
    let finished = blobs.compose(&[id("part")], 100).await.unwrap();
    assert_eq!(finished.digest, Digest::of(b"second"));
}

async fn a_whole_above_the_limit_is_refused_and_its_parts_stay(place: &Place) {
    let blobs = place.open().await;
    keep_part(&blobs, "a", b"12345").await;
    keep_part(&blobs, "b", b"67890").await;
    for parts in [vec![id("a"), id("b")], vec![id("a"), id("a")]] {
        assert!(matches!(blobs.compose(&parts, 9).await, Err(BlobError::TooLarge)));
    }
    assert!(matches!(blobs.compose(&[id("a")], 4).await, Err(BlobError::TooLarge)));
    assert_eq!(place.files().await.len(), 2);
}

async fn an_upload_grows_where_it_ended(place: &Place) {
    let blobs = place.open().await;
    assert!(matches!(blobs.staged_len(&id("u")).await, Err(BlobError::NotFound)));
    assert!(matches!(grow(&blobs, "u", 1, b"x", 10).await, Err(BlobError::NotFound)));
    assert_eq!(grow(&blobs, "u", 0, b"Hello", 12).await.unwrap(), 5);
    assert_eq!(blobs.staged_len(&id("u")).await.unwrap(), 5);
    for offset in [0, 4, 6] {
        assert!(matches!(grow(&blobs, "u", offset, b"x", 12).await, Err(BlobError::OutOfStep { len_bytes: 5 })));
    }
    assert_eq!(grow(&blobs, "u", 5, b", world", 12).await.unwrap(), 12);
    assert_eq!(blobs.compose(&[id("u")], 12).await.unwrap().digest, Digest::of(b"Hello, world"));
}

async fn an_append_above_the_limit_leaves_what_was_there_before(place: &Place) {
    let blobs = place.open().await;
    let bytes = content(700_000);
    assert_eq!(grow(&blobs, "u", 0, &bytes[..300_000], 600_000).await.unwrap(), 300_000);
    assert!(matches!(grow(&blobs, "u", 300_000, &bytes[300_000..], 600_000).await, Err(BlobError::TooLarge)));
    assert!(matches!(grow(&blobs, "u", 300_000, b"", 299_999).await, Err(BlobError::TooLarge)));
    assert_eq!(blobs.staged_len(&id("u")).await.unwrap(), 300_000);
    assert_eq!(grow(&blobs, "u", 300_000, &bytes[300_000..600_000], 600_000).await.unwrap(), 600_000);
    let finished = blobs.compose(&[id("u")], 600_000).await.unwrap();
    assert_eq!(finished.digest, Digest::of(&bytes[..600_000]));
}

async fn only_one_request_at_a_time_appends(place: &Place) {
    let blobs = place.open().await;
    let mut first = blobs.append(&id("u"), 0, 100).await.unwrap();
    assert!(matches!(blobs.append(&id("u"), 0, 100).await, Err(BlobError::Busy)));
    assert!(matches!(blobs.compose(&[id("u")], 100).await, Err(BlobError::Busy)));
    let of_another_process = place.open().await;
    if !place.is_bucket() {
        assert!(matches!(of_another_process.append(&id("u"), 0, 100).await, Err(BlobError::Busy)));
    }
    first.write(Bytes::from_static(b"one")).await.unwrap();
    assert_eq!(first.keep().await.unwrap(), 3);
    assert_eq!(grow(&of_another_process, "u", 3, b"two", 100).await.unwrap(), 6);
}

async fn an_upload_discarded_under_a_running_append_is_not_reported_as_kept(place: &Place) {
    let blobs = place.open().await;
    let mut appending = blobs.append(&id("u"), 0, 100).await.unwrap();
    appending.write(Bytes::from_static(b"in vain")).await.unwrap();
    assert!(blobs.discard(&id("u")).await.unwrap());
    assert!(matches!(appending.keep().await, Err(BlobError::NotFound)));
}
}
