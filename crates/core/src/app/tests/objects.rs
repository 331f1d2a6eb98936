use super::*;

async fn put(town: &Town, key: &str, bytes: &'static [u8]) -> otaru_model::Object {
    let mut writing = town.app.begin_writing(&town.admin, "abc").await.unwrap();
    writing.write(bytes::Bytes::from_static(bytes)).await.unwrap();
    let new = NewObject { bucket: "abc".to_owned(), key: key.to_owned(), ..NewObject::default() };
    writing.finish_object(new).await.unwrap()
}

fn in_abc(key: &str) -> FileSource {
    FileSource::Object { region: "cn-north-4".to_owned(), bucket: "abc".to_owned(), key: key.to_owned() }
}

#[tokio::test]
async fn a_later_overwrite_never_changes_what_a_package_delivers() {
    let town = Town::new().await;
    town.app.create_bucket(&town.admin, "abc", "cn-north-4").await.unwrap();
    let product = town.product("meter").await;
    put(&town, "bbb/upgrade.bin", b"first").await;
    let package = town.app.create_package(&town.admin, new_package(&product, "1", in_abc("bbb/upgrade.bin"))).await;
    let package = package.unwrap();

    put(&town, "bbb/upgrade.bin", b"second").await;
    town.clock.advance(2 * 3_600_000);
    town.app.sweep().await.unwrap();
    let download = town.app.open_file(&town.admin, &package.id, 0).await.unwrap();
    assert_eq!((download.file.name.as_str(), read_all(&download.bytes).await), ("upgrade.bin", b"first".to_vec()));
}

#[tokio::test]
async fn a_package_names_what_is_missing() {
    let town = Town::new().await;
    let product = town.product("meter").await;
    let no_bucket = town.app.create_package(&town.admin, new_package(&product, "1", in_abc("a.bin"))).await;
    assert!(matches!(no_bucket, Err(Error::NotFound { noun: Noun::Bucket, .. })));
    town.app.create_bucket(&town.admin, "abc", "").await.unwrap();
    let no_object = town.app.create_package(&town.admin, new_package(&product, "1", in_abc("a.bin"))).await;
    assert!(matches!(no_object, Err(Error::NotFound { noun: Noun::Object, .. })));
}

#[tokio::test]
async fn keys_are_listed_in_order_and_rolled_up_at_the_delimiter() {
    let town = Town::new().await;
    town.app.create_bucket(&town.admin, "abc", "").await.unwrap();
    for key in ["a", "b/1", "b/2", "b/c/3", "d", "电池/1"] {
        put(&town, key, b"x").await;
    }
    let names = async |prefix: &str, delimiter: Option<&str>, limit: usize, after: &str| {
        let query = ObjectQuery {
            bucket: "abc".to_owned(),
            prefix: prefix.to_owned(),
            after: after.to_owned(),
            delimiter: delimiter.map(str::to_owned),
            limit,
        };
        let listing = town.app.list_objects(&town.admin, query).await.unwrap();
        let keys: Vec<String> = listing.objects.into_iter().map(|object| object.key).collect();
        (keys.join(" "), listing.prefixes.join(" "), listing.next_after)
    };
    let text = |text: &str| text.to_owned();
    assert_eq!(names("", Some("/"), 100, "").await, (text("a d"), text("b/ 电池/"), None));
    assert_eq!(names("b/", Some("/"), 100, "").await, (text("b/1 b/2"), text("b/c/"), None));
    assert_eq!(names("", Some("/"), 2, "").await, (text("a"), text("b/"), Some(text("b/"))));
    assert_eq!(names("", Some("/"), 2, "b/").await, (text("d"), text("电池/"), None));
    assert_eq!(names("b", None, 2, "b/1").await, (text("b/2 b/c/3"), text(""), None));
}

#[tokio::test]
async fn an_object_arrives_in_parts() {
    let town = Town::new().await;
    town.app.create_bucket(&town.admin, "abc", "").await.unwrap();
    let upload =
        town.app.begin_object_upload(&town.admin, "abc", "big.bin", None, serde_json::Map::new()).await.unwrap();
    let mut listed = Vec::new();
    for (number, bytes) in [(2, &b"world"[..]), (1, &b"wrong"[..]), (1, &b"hello "[..])] {
        let mut writing = town.app.begin_writing(&town.admin, "abc").await.unwrap();
        writing.write(bytes::Bytes::from_static(bytes)).await.unwrap();
        let part = writing.finish_part(&upload.id, number, None, None).await.unwrap();
        listed.push(CompletedPart { number, etag: part.md5.to_string() });
    }
    let wrong = vec![listed[1].clone(), listed[0].clone()];
    let refused = town.app.complete_object_upload(&town.admin, &upload.id, wrong).await;
    assert!(matches!(refused, Err(Error::NotFound { noun: Noun::Part, .. })), "that part was replaced");
    let right = vec![listed[2].clone(), listed[0].clone()];
    let object = town.app.complete_object_upload(&town.admin, &upload.id, right).await.unwrap();
    assert!(object.etag.ends_with("-2"), "{}", object.etag);
    let read = town.app.open_object(&town.admin, "abc", "big.bin").await.unwrap();
    assert_eq!(read_all(&read.bytes).await, b"hello world");
    let gone = town.app.show_object_upload(&town.admin, &upload.id, "abc", "big.bin").await;
    assert!(matches!(gone, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn a_bucket_goes_when_it_is_empty() {
    let town = Town::new().await;
    assert!(town.app.create_bucket(&town.admin, "abc", "").await.unwrap());
    assert!(!town.app.create_bucket(&town.admin, "abc", "").await.unwrap());
    put(&town, "a", b"x").await;
    assert!(matches!(town.app.delete_bucket(&town.admin, "abc").await, Err(Error::InUse { .. })));
    assert!(town.app.delete_object(&town.admin, "abc", "a").await.unwrap());
    assert!(!town.app.delete_object(&town.admin, "abc", "a").await.unwrap());
    town.app.delete_bucket(&town.admin, "abc").await.unwrap();
}
