//! Uploads in pieces: parts, growing files, and what a killed process leaves.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::*;

#[tokio::test]
async fn a_full_disk_ends_an_append_with_full() {
    let (home, blobs) = store().await;
    std::os::unix::fs::symlink("/dev/full", home.path().join("staging/u")).unwrap();
    assert!(matches!(grow(&blobs, "u", 0, b"x", 10).await, Err(BlobError::Full)));
    assert!(matches!(grow(&blobs, "u", 0, &content(900_000), NO_LIMIT).await, Err(BlobError::Full)));
}

#[tokio::test]
async fn an_append_whose_connection_breaks_keeps_what_was_written() {
    let (_home, blobs) = store().await;
    let bytes = content(600_000);
    let mut appending = blobs.append(&id("u"), 0, NO_LIMIT).await.unwrap();
    appending.write(Bytes::copy_from_slice(&bytes[..300_000])).await.unwrap();
    appending.write(Bytes::copy_from_slice(&bytes[300_000..300_010])).await.unwrap();
    drop(appending);

    // The write that was under way ends in the blocking pool; until then the upload is in use.
    let length = loop {
        let length = blobs.staged_len(&id("u")).await.unwrap();
        match grow(&blobs, "u", length, &bytes[length as usize..], NO_LIMIT).await {
            Ok(_) => break length,
            Err(BlobError::Busy | BlobError::OutOfStep { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(length, 300_000);
    assert_eq!(blobs.compose(&[id("u")], NO_LIMIT).await.unwrap().digest, Digest::of(&bytes));
}

#[tokio::test]
async fn a_blob_never_changes_with_the_upload_it_was_made_of() {
    let (home, blobs) = store().await;
    grow(&blobs, "u", 0, b"released", 100).await.unwrap();
    let digest = blobs.compose(&[id("u")], 100).await.unwrap().digest;
    assert!(matches!(grow(&blobs, "u", 8, b" and changed", 100).await, Err(BlobError::TooLarge)));
    assert!(matches!(grow(&blobs, "u", 0, b"replaced", 100).await, Err(BlobError::OutOfStep { len_bytes: 8 })));
    // A client that missed the answer finds its upload complete and ends it again.
    assert_eq!(grow(&blobs, "u", 8, b"", 100).await.unwrap(), 8);
    assert_eq!(blobs.compose(&[id("u")], 100).await.unwrap().digest, digest);
    assert!(blobs.discard(&id("u")).await.unwrap());
    assert_eq!(grow(&blobs, "u", 0, b"another", 100).await.unwrap(), 7);
    assert_eq!(read(&blobs, &digest, 0..100).await.unwrap(), b"released");
    assert_eq!(files(home.path()).len(), 2);
}

#[tokio::test]
async fn staged_uploads_are_listed_with_their_age() {
    let (home, blobs) = store().await;
    keep_part(&blobs, "part", b"12345").await;
    grow(&blobs, "grown", 0, b"123", 10).await.unwrap();
    let _running = blobs.stage(&id("running"), 10).await.unwrap();
    let modified = std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_700_000_000_123);
    let file = std::fs::OpenOptions::new().write(true).open(home.path().join("staging/part")).unwrap();
    file.set_modified(modified).unwrap();

    let mut listed = blobs.list_staged().await.unwrap();
    listed.sort_by(|a, b| a.id.cmp(&b.id));
    let seen: Vec<_> = listed.iter().map(|upload| (upload.id.as_str(), upload.size_bytes)).collect();
    assert_eq!(seen, [("grown", 3), ("part", 5)]);
    assert_eq!(listed[1].modified_ms, 1_700_000_000_123);
    assert!(listed[0].modified_ms > 1_700_000_000_123);
}

/// Runs itself in a second process, kills that with SIGKILL in the middle of its uploads, and goes on from what is left.
#[tokio::test]
async fn a_killed_process_loses_nothing_it_acknowledged_and_leaves_no_litter() {
    const HOME: &str = "OTARU_TEST_KILLED_IN";
    let bytes = content(700_000);
    if let Ok(home) = std::env::var(HOME) {
        let blobs = open(Path::new(&home)).await;
        put(&blobs, "done", b"a finished blob").await.unwrap();
        keep_part(&blobs, "part", b"a kept part").await;
        grow(&blobs, "grows", 0, &bytes[..300_000], NO_LIMIT).await.unwrap();
        let mut appending = blobs.append(&id("grows"), 300_000, NO_LIMIT).await.unwrap();
        let mut staged = blobs.stage(&id("lost"), NO_LIMIT).await.unwrap();
        for piece in bytes[300_000..].chunks(300_000) {
            appending.write(Bytes::copy_from_slice(piece)).await.unwrap();
            staged.write(Bytes::copy_from_slice(piece)).await.unwrap();
        }
        println!("acknowledged");
        std::future::pending::<()>().await;
    }

    let home = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            concat!(module_path!(), "::a_killed_process_loses_nothing_it_acknowledged_and_leaves_no_litter")
                .split_once("::")
                .unwrap()
                .1,
        ])
        .env(HOME, home.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().ends_with("acknowledged")));
    let partial = home.path().join("staging/.partial");
    let beside_it = open(home.path()).await;
    assert_eq!(files(&partial).len(), 1, "what a living process writes is left alone");
    child.kill().unwrap();
    child.wait().unwrap();
    drop(beside_it);

    let blobs = open(home.path()).await;
    assert_eq!(files(&partial), [""; 0]);
    assert_eq!(read(&blobs, &Digest::of(b"a finished blob"), 0..100).await.unwrap(), b"a finished blob");
    assert_eq!(blobs.staged_len(&id("part")).await.unwrap(), 11);
    let length = blobs.staged_len(&id("grows")).await.unwrap();
    assert!((300_000..=700_000).contains(&length), "{length}");
    grow(&blobs, "grows", length, &bytes[length as usize..], NO_LIMIT).await.unwrap();
    assert_eq!(blobs.compose(&[id("grows")], NO_LIMIT).await.unwrap().digest, Digest::of(&bytes));
}
