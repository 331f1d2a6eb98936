//! Uploads, buckets, objects and parts.

use otaru_core::store::objects::{self, KeyStart};
use otaru_core::store::{packages, uploads};
use otaru_model::{Bucket, Object, ObjectPart, ObjectUpload, Upload};

use crate::nouns::{complete, extra, id, md5, object, package, product, sha256, text, town, upload};
use crate::place::Place;

pub async fn an_upload_is_found_completed_and_deleted(place: &Place) {
    let store = town(place).await;
    let found = commit!(store, tx => {
        uploads::insert(tx, &upload(400, 1, 900)).await?;
        uploads::insert(tx, &Upload { declared_bytes: None, ..upload(401, 1, 900) }).await?;
        [
            uploads::by_locator(tx, "locator-400").await?,
            uploads::by_locator(tx, "locator-401").await?,
            uploads::by_locator(tx, "locator-40").await?,
        ]
    });
    assert_eq!(found, [Some(upload(400, 1, 900)), Some(Upload { declared_bytes: None, ..upload(401, 1, 900) }), None]);

    let (completed, found) = commit!(store, tx => (
        [
            uploads::complete(tx, &id(400), &complete(1)).await?,
            uploads::complete(tx, &id(400), &complete(2)).await?,
            uploads::complete(tx, &id(499), &complete(2)).await?,
        ],
        uploads::by_locator(tx, "locator-400").await?,
    ));
    assert_eq!(completed, [true, true, false]);
    assert_eq!(found, Some(Upload { complete: Some(complete(2)), ..upload(400, 1, 900) }));

    let declared = commit!(store, tx => [
        uploads::declare(tx, &id(401), 7).await?,
        uploads::declare(tx, &id(401), 7).await?,
        uploads::declare(tx, &id(401), 8).await?,
        uploads::declare(tx, &id(400), 7).await?,
        uploads::declare(tx, &id(499), 7).await?,
    ]);
    assert_eq!(
        declared,
        [true, true, false, false, false],
        "a length is said once, and not of what is complete or gone"
    );
    let deleted = commit!(store, tx => [uploads::delete(tx, &id(400)).await?, uploads::delete(tx, &id(400)).await?]);
    assert_eq!(deleted, [true, false]);
}

pub async fn uploads_expire(place: &Place) {
    let store = town(place).await;
    let expired = commit!(store, tx => {
        for (number, expires_ms) in [(400, 30), (401, 10), (402, 20)] {
            uploads::insert(tx, &upload(number, 1, expires_ms)).await?;
        }
        uploads::expired(tx, 30).await?
    });
    assert_eq!(expired, [upload(401, 1, 10), upload(402, 1, 20)], "first those that ended first");
}

pub async fn a_bucket_goes_when_it_is_empty(place: &Place) {
    let store = town(place).await;
    let bucket = |name: &str, region: &str| Bucket { name: name.to_owned(), region: region.to_owned(), created_ms: 3 };
    let created = commit!(store, tx => [
        objects::create_bucket(tx, &id(1), &bucket("b", "here")).await?,
        objects::create_bucket(tx, &id(1), &bucket("a", "here")).await?,
        objects::create_bucket(tx, &id(1), &bucket("b", "there")).await?,
        objects::create_bucket(tx, &id(2), &bucket("b", "there")).await?,
    ]);
    assert_eq!(created, [true, true, false, true]);
    let (ours, theirs, none, all) = look!(store, tx => (
        objects::bucket_by_name(tx, &id(1), "b").await?,
        objects::bucket_by_name(tx, &id(2), "b").await?,
        objects::bucket_by_name(tx, &id(2), "a").await?,
        objects::buckets(tx, &id(1)).await?,
    ));
    assert_eq!((ours, theirs, none), (Some(bucket("b", "here")), Some(bucket("b", "there")), None));
    assert_eq!(all, [bucket("a", "here"), bucket("b", "here")]);

    let held = commit!(store, tx => [
        objects::hold_bucket(tx, &id(1), "a").await?,
        objects::hold_bucket(tx, &id(2), "a").await?,
    ]);
    assert_eq!(held, [true, false]);
    let deleted = commit!(store, tx => {
        objects::put(tx, &id(1), &object("a", "k", 1)).await?;
        begin(tx, 500, "b", "k").await?;
        let full = [objects::delete_bucket(tx, &id(1), "a").await?, objects::delete_bucket(tx, &id(1), "b").await?];
        objects::delete(tx, &id(1), "a", "k").await?;
        objects::end_upload(tx, &id(500)).await?;
        let empty = [objects::delete_bucket(tx, &id(1), "a").await?, objects::delete_bucket(tx, &id(1), "b").await?];
        [full, empty, [objects::delete_bucket(tx, &id(1), "a").await?, objects::bucket_by_name(tx, &id(2), "b").await?.is_some()]]
    });
    assert_eq!(deleted, [[false, false], [true, true], [false, true]]);
}

pub async fn an_object_replaces_another_of_its_key(place: &Place) {
    let store = with_bucket(place).await;
    let second = Object { content_type: text("a/b"), extra: extra("x"), modified_ms: 99, ..object("a", "k/é", 2) };
    let record = second.clone();
    let found = commit!(store, tx => {
        objects::put(tx, &id(1), &object("a", "k/é", 1)).await?;
        let before = objects::get(tx, &id(1), "a", "k/é").await?;
        objects::put(tx, &id(1), &record).await?;
        [
            before,
            objects::get(tx, &id(1), "a", "k/é").await?,
            objects::get_and_hold(tx, &id(1), "a", "k/é").await?,
            objects::get(tx, &id(1), "a", "K/é").await?,
            objects::get_and_hold(tx, &id(2), "a", "k/é").await?,
        ]
    });
    assert_eq!(found, [Some(object("a", "k/é", 1)), Some(second.clone()), Some(second), None, None]);
    let deleted = commit!(store, tx => [
        objects::delete(tx, &id(2), "a", "k/é").await?,
        objects::delete(tx, &id(1), "a", "k/é").await?,
        objects::delete(tx, &id(1), "a", "k/é").await?,
    ]);
    assert_eq!(deleted, [false, true, false]);
}

pub async fn keys_are_listed_in_the_order_of_their_bytes(place: &Place) {
    const KEYS: [&str; 7] = ["A", "a", "a/1", "a/2", "a0", "é", "\u{10ffff}"];
    let store = with_bucket(place).await;
    commit!(store, tx => {
        for key in KEYS.iter().rev() {
            objects::put(tx, &id(1), &object("a", key, 1)).await?;
        }
    });
    let list = async |prefix: &'static str, start: KeyStart<'static>, limit: u32| {
        let found = look!(store, tx => objects::list(tx, &id(1), "a", prefix, start, limit).await?);
        found.into_iter().map(|object| object.key).collect::<Vec<_>>()
    };
    assert_eq!(list("", KeyStart::After(""), 100).await, KEYS);
    assert_eq!(list("", KeyStart::After("a"), 2).await, ["a/1", "a/2"]);
    assert_eq!(list("a/", KeyStart::After(""), 100).await, ["a/1", "a/2"]);
    assert_eq!(list("a/", KeyStart::After("a/1"), 100).await, ["a/2"]);
    assert_eq!(list("a/", KeyStart::After("a0"), 100).await, [""; 0]);
    assert_eq!(list("a", KeyStart::From(b"a/2"), 100).await, ["a/2", "a0"]);
    assert_eq!(list("a", KeyStart::From(b"A"), 1).await, ["a"]);
    assert_eq!(list("\u{10ffff}", KeyStart::After(""), 100).await, ["\u{10ffff}"]);

    let ends = [(&b"a/"[..], &b"a0"[..]), (b"a\xff", b"b"), (b"", b"\xff\xff"), (b"\xff", b"\xff\xff")];
    for (prefix, end) in ends {
        assert_eq!(objects::after_prefix(prefix), end);
    }
}

pub async fn parts_replace_each_other_and_go_with_their_upload(place: &Place) {
    let store = with_bucket(place).await;
    let part = |number: u32, digest: u8| ObjectPart { number, size_bytes: 6 << 30, md5: md5(digest), modified_ms: 8 };
    let (replaced, parts, in_use) = commit!(store, tx => {
        begin(tx, 500, "a", "k").await?;
        begin(tx, 501, "a", "k").await?;
        let replaced = [
            objects::put_part(tx, &id(500), &part(2, 1), "stage-1").await?,
            objects::put_part(tx, &id(500), &part(1, 2), "stage-2").await?,
            objects::put_part(tx, &id(500), &part(2, 3), "stage-3").await?,
            objects::put_part(tx, &id(501), &part(2, 3), "stage-4").await?,
        ];
        let in_use = [objects::stage_in_use(tx, "stage-1").await?, objects::stage_in_use(tx, "stage-3").await?];
        (replaced, objects::parts(tx, &id(500)).await?, in_use)
    });
    assert_eq!(replaced, [None, None, text("stage-1"), None]);
    assert_eq!(parts, [(part(1, 2), "stage-2".to_owned()), (part(2, 3), "stage-3".to_owned())]);
    assert_eq!(in_use, [false, true]);

    let found = look!(store, tx => (
        objects::upload(tx, &id(1), &id(500)).await?.map(|upload| (upload.key, upload.extra)),
        objects::upload(tx, &id(2), &id(500)).await?,
        objects::uploads(tx, &id(1), "a").await?.len(),
        objects::old_uploads(tx, 21).await?.iter().map(|upload| upload.id).collect::<Vec<_>>(),
        objects::old_uploads(tx, 20).await?,
    ));
    assert_eq!(found, (Some(("k".to_owned(), extra("x"))), None, 2, vec![id(500), id(501)], vec![]));

    let ended =
        commit!(store, tx => [objects::end_upload(tx, &id(500)).await?, objects::end_upload(tx, &id(500)).await?]);
    assert_eq!(ended, [true, false]);
    let left = look!(store, tx => (objects::parts(tx, &id(500)).await?, objects::stage_in_use(tx, "stage-3").await?));
    assert_eq!(left, (vec![], false));
}

pub async fn bytes_are_in_use_while_anything_is_of_them(place: &Place) {
    let store = with_bucket(place).await;
    let in_use = async || {
        let mut in_use = Vec::new();
        for digest in 1..=4 {
            in_use.push(look!(store, tx => packages::blob_in_use(tx, &sha256(digest)).await?));
        }
        in_use
    };
    assert_eq!(in_use().await, [false; 4]);
    commit!(store, tx => {
        let of_one = package(1000, 1, &product(101, 11), "firmware");
        packages::insert(tx, &of_one, &id(11)).await?;
        packages::add_blob(tx, &of_one.id, 1, &sha256(2)).await?;
        objects::put(tx, &id(1), &object("a", "k", 3)).await?;
        uploads::insert(tx, &upload(400, 1, 900)).await?;
        uploads::complete(tx, &id(400), &complete(4)).await?;
    });
    assert_eq!(in_use().await, [true; 4]);
    commit!(store, tx => {
        packages::delete(tx, &package(1000, 1, &product(101, 11), "firmware")).await?;
        objects::delete(tx, &id(1), "a", "k").await?;
        uploads::delete(tx, &id(400)).await?;
    });
    assert_eq!(in_use().await, [false; 4]);
}

async fn with_bucket(place: &Place) -> otaru_core::store::Store {
    let store = town(place).await;
    commit!(store, tx => {
        let bucket = Bucket { name: "a".to_owned(), region: String::new(), created_ms: 3 };
        objects::create_bucket(tx, &id(1), &bucket).await?;
    });
    store
}

async fn begin(
    tx: &mut otaru_core::store::Tx<'_>,
    number: u64,
    bucket: &str,
    key: &str,
) -> Result<(), otaru_core::store::StoreError> {
    let (bucket, key) = (bucket.to_owned(), key.to_owned());
    let new = ObjectUpload { id: id(number), bucket, key, content_type: None, extra: extra("x"), created_ms: 20 };
    objects::begin_upload(tx, &id(1), &new).await
}
