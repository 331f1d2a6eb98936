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
