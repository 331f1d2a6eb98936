//! Uploads in one go, reading, listing and deleting.

use super::*;

/// From RFC 1321 and FIPS 180-4.
#[tokio::test]
async fn an_upload_becomes_a_blob_under_its_digest() {
    let (home, blobs) = store().await;
    let finished = put(&blobs, "upload", b"abc").await.unwrap();
    let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(finished.digest.to_string(), hex);
    assert_eq!(hex::encode(finished.md5), "900150983cd24fb0d6963f7d28e17f72");
    assert_eq!(finished.size_bytes, 3);
    assert_eq!(files(home.path()), [format!("objects/ba/78/{hex}")]);

    let reader = blobs.open_blob(&finished.digest).await.unwrap();
    assert_eq!(reader.size_bytes(), 3);
    assert_eq!(read(&blobs, &finished.digest, 0..3).await.unwrap(), b"abc");
}

#[tokio::test]
async fn an_upload_of_nothing_is_the_empty_blob() {
    let (_home, blobs) = store().await;
    let finished = blobs.stage(&id("empty"), 0).await.unwrap().finish().await.unwrap();
    assert_eq!(finished.digest, Digest::of(b""));
    assert_eq!(read(&blobs, &finished.digest, 0..NO_LIMIT).await.unwrap(), b"");
    assert!(blobs.verify(&finished.digest).await.unwrap());
}

#[tokio::test]
async fn any_range_of_a_blob_can_be_read() {
    let (_home, blobs) = store().await;
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

#[tokio::test]
async fn the_same_content_is_stored_once() {
    let (home, blobs) = store().await;
    let first = put(&blobs, "one", b"same").await.unwrap();
    let second = put(&blobs, "two", b"same").await.unwrap();
    assert_eq!(first, second);
    assert_eq!(files(home.path()).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_may_store_read_and_collect_the_same_content() {
    let (home, blobs) = store().await;
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
    assert_eq!(files(home.path()).len(), 1);
}

#[tokio::test]
async fn an_upload_that_is_dropped_leaves_nothing() {
    let (home, blobs) = store().await;
    let mut staged = blobs.stage(&id("upload"), NO_LIMIT).await.unwrap();
    for _ in 0..10 {
        // The last of these is still being written when the upload is dropped.
        staged.write(Bytes::from(content(300_000))).await.unwrap();
    }
    assert_eq!(files(home.path()).len(), 1);
    drop(staged);
    assert_eq!(files(home.path()), [""; 0]);
}

#[tokio::test]
async fn one_byte_above_the_limit_ends_an_upload_and_leaves_nothing() {
    let (home, blobs) = store().await;
    let mut staged = blobs.stage(&id("exact"), 300_000).await.unwrap();
    staged.write(Bytes::from(content(300_000))).await.unwrap();
    staged.finish().await.unwrap();

    let mut staged = blobs.stage(&id("above"), 300_000).await.unwrap();
    staged.write(Bytes::from(content(300_000))).await.unwrap();
    assert!(matches!(staged.write(Bytes::from_static(b"!")).await, Err(BlobError::TooLarge)));
    assert_eq!(files(home.path()).len(), 1, "the blob of the first upload only");
    assert!(staged.finish().await.is_err());
}

#[tokio::test]
async fn what_one_process_throws_away_is_never_the_upload_of_another() {
    let (home, blobs) = store().await;
    let mut too_large = blobs.stage(&id("same-id"), 5).await.unwrap();
    assert!(matches!(too_large.write(Bytes::from_static(b"123456")).await, Err(BlobError::TooLarge)));
    let of_another_process = open(home.path()).await;
    let mut staged = of_another_process.stage(&id("same-id"), NO_LIMIT).await.unwrap();
    drop(too_large);
    staged.write(Bytes::from_static(b"mine")).await.unwrap();
    assert_eq!(staged.finish().await.unwrap().digest, Digest::of(b"mine"));
}

#[tokio::test]
async fn verify_notices_damage_and_storing_again_mends_it() {
    let (home, blobs) = store().await;
    let digest = put(&blobs, "upload", b"good bytes").await.unwrap().digest;
    assert!(blobs.verify(&digest).await.unwrap());

    let path = home.path().join(&files(home.path())[0]);
    std::fs::write(&path, b"evil bytes").unwrap();
    assert!(!blobs.verify(&digest).await.unwrap());

    put(&blobs, "again", b"good bytes").await.unwrap();
    assert!(blobs.verify(&digest).await.unwrap());
    assert!(matches!(blobs.verify(&Digest::of(b"another")).await, Err(BlobError::NotFound)));
}

#[tokio::test]
async fn a_blob_cut_short_by_somebody_is_an_error_and_not_a_short_download() {
    let (home, blobs) = store().await;
    let digest = put(&blobs, "upload", &content(400_000)).await.unwrap().digest;
    let reader = blobs.open_blob(&digest).await.unwrap();
    let path = home.path().join(&files(home.path())[0]);
    std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(300_000).unwrap();

    let chunks: Result<Vec<Bytes>, BlobError> = reader.stream(0..400_000).try_collect().await;
    assert!(matches!(chunks, Err(BlobError::Corrupt)));
    let before_the_cut: Vec<Bytes> = reader.stream(0..300_000).try_collect().await.unwrap();
    assert!(before_the_cut.concat() == content(400_000)[..300_000]);
}

#[tokio::test]
async fn a_deleted_blob_is_gone_but_whoever_reads_it_reads_on() {
    let (home, blobs) = store().await;
    let bytes = content(400_000);
    let digest = put(&blobs, "upload", &bytes).await.unwrap().digest;
    let reader = blobs.open_blob(&digest).await.unwrap();
    assert!(blobs.delete(&digest).await.unwrap());
    assert!(!blobs.delete(&digest).await.unwrap());
    assert!(matches!(blobs.open_blob(&digest).await, Err(BlobError::NotFound)));
    assert_eq!(files(home.path()), [""; 0]);
    let chunks: Vec<Bytes> = reader.stream(0..NO_LIMIT).try_collect().await.unwrap();
    assert!(chunks.concat() == bytes);
}

#[tokio::test]
async fn a_blob_stored_again_is_young_again() {
    let (_home, blobs) = store().await;
    let digest = put(&blobs, "upload", b"wanted again").await.unwrap().digest;
    let seen = blobs.list(None, 10).await.unwrap()[0];
    // File systems keep time in ticks of a few milliseconds.
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    put(&blobs, "again", b"wanted again").await.unwrap();
    assert!(!blobs.delete_if_older(&digest, seen.stored_ms + 1).await.unwrap());

    let seen = blobs.list(None, 10).await.unwrap()[0];
    assert!(blobs.delete_if_older(&digest, seen.stored_ms + 1).await.unwrap());
}

#[tokio::test]
async fn a_listing_goes_by_digest_and_continues_anywhere() {
    let (home, blobs) = store().await;
    let mut expected = Vec::new();
    for n in 0..40usize {
        expected.push((put(&blobs, "upload", &content(n)).await.unwrap().digest, n as u64));
    }
    expected.sort();
    // Other people's files are none of ours.
    let inside = home.path().join("objects").join(&expected[0].0.to_hex()[..2]);
    std::fs::write(home.path().join("objects/README"), "a note").unwrap();
    std::fs::write(inside.join(".DS_Store"), "litter").unwrap();
    std::fs::write(inside.join(&expected[0].0.to_hex()[2..4]).join("f.orig"), "a copy").unwrap();

    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = blobs.list(after.as_ref(), 7).await.unwrap();
        assert!(page.len() <= 7);
        let Some(last) = page.last() else { break };
        after = Some(last.digest);
        found.extend(page.iter().map(|blob| (blob.digest, blob.size_bytes)));
    }
    assert_eq!(found, expected);
    for (digest, _) in &expected {
        let rest = blobs.list(Some(digest), 100).await.unwrap();
        assert!(rest.iter().all(|blob| blob.digest > *digest));
        assert_eq!(rest.len(), expected.iter().filter(|(other, _)| other > digest).count());
    }
    assert_eq!(blobs.list(None, 0).await.unwrap(), []);
}

#[tokio::test]
async fn doctor_can_ask_for_room_and_for_a_test_write() {
    let (home, blobs) = store().await;
    blobs.probe().await.unwrap();
    assert_eq!(files(home.path()), [""; 0]);
    let space = blobs.space().await.unwrap();
    assert!(space.available_bytes > 0 && space.available_bytes < space.total_bytes);

    std::fs::remove_dir(home.path().join("staging/.partial")).unwrap();
    assert!(matches!(blobs.probe().await, Err(BlobError::Unavailable(_))));
}

#[tokio::test]
async fn a_store_makes_its_directory_and_finds_it_again() {
    let home = tempfile::tempdir().unwrap();
    let deep = home.path().join("data/of otaru/blobs");
    let digest = put(&open(&deep).await, "upload", b"kept").await.unwrap().digest;
    assert_eq!(read(&open(&deep).await, &digest, 0..9).await.unwrap(), b"kept");

    let occupied = home.path().join("a file");
    std::fs::write(&occupied, "").unwrap();
    assert!(Blobs::open(&format!("fs:{}", occupied.display())).await.is_err());
}

#[tokio::test]
async fn addresses_names_and_digests_are_checked() {
    for url in ["", "fs", "fs:", "/var/lib", "ftp://host/path"] {
        assert!(matches!(Blobs::open(url).await, Err(BlobError::Malformed(_))), "{url}");
    }
    for name in ["", ".", "..", ".partial", "a/b", "a b", "a.b", "é", &"x".repeat(101)] {
        assert!(matches!(StageId::new(name), Err(BlobError::Malformed(_))), "{name}");
    }
    assert_eq!(id(&"x".repeat(100)).as_str().len(), 100);
    for text in ["", "ab", &"g".repeat(64), &"a".repeat(63), &"a".repeat(65)] {
        assert!(matches!(text.parse::<Digest>(), Err(BlobError::Malformed(_))), "{text}");
    }
    let digest = Digest::of(b"abc");
    assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
    assert_eq!(serde_json::from_str::<Digest>(&serde_json::to_string(&digest).unwrap()).unwrap(), digest);
}
