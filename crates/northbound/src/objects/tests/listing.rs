//! Listings, against a model: every key once, in the order of its bytes, prefixes rolled up.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::client::{Call, Sign, path};
use super::{BUCKET, World};

/// What one listing, put together from all its pages, says.
#[derive(Debug, PartialEq, Eq)]
struct Whole {
    keys: Vec<String>,
    prefixes: Vec<String>,
}

fn model(keys: &BTreeSet<String>, prefix: &str, delimiter: &str) -> Whole {
    let mut whole = Whole { keys: Vec::new(), prefixes: Vec::new() };
    for key in keys.iter().filter(|key| key.starts_with(prefix)) {
        match key[prefix.len()..].find(delimiter).filter(|_| !delimiter.is_empty()) {
            Some(at) => whole.prefixes.push(key[..prefix.len() + at + delimiter.len()].to_owned()),
            None => whole.keys.push(key.clone()),
        }
    }
    whole.prefixes.dedup();
    whole
}

#[derive(Clone, Copy, Debug)]
enum Version {
    One,
    Two,
    Versions,
}

async fn all_pages(
    world: &World,
    version: Version,
    prefix: &str,
    delimiter: &str,
    page: usize,
    escaped: bool,
) -> Whole {
    let mut whole = Whole { keys: Vec::new(), prefixes: Vec::new() };
    let mut from: Option<String> = None;
    loop {
        let mut call = Call::get(&format!("/{BUCKET}")).query("prefix", prefix).query("max-keys", &page.to_string());
        if !delimiter.is_empty() {
            call = call.query("delimiter", delimiter);
        }
        if escaped {
            call = call.query("encoding-type", "url");
        }
        let (marker, next) = match version {
            Version::One => ("marker", "NextMarker"),
            Version::Two => ("continuation-token", "NextContinuationToken"),
            Version::Versions => ("key-marker", "NextKeyMarker"),
        };
        call = match version {
            Version::One => call,
            Version::Two => call.query("list-type", "2"),
            Version::Versions => call.query("versions", ""),
        };
        if let Some(from) = &from {
            call = call.query(marker, from);
        }
        let reply = world.call(call).await.expect(200);
        let plain = |text: String| match escaped {
            true => percent_encoding::percent_decode_str(&text).decode_utf8().unwrap().into_owned(),
            false => text,
        };
        let keys: Vec<String> = reply.elements("Key").into_iter().map(plain).collect();
        let common: Vec<String> = reply.elements("CommonPrefixes");
        let common: Vec<String> = common
            .into_iter()
            .map(|inner| plain(inner.trim_start_matches("<Prefix>").trim_end_matches("</Prefix>").to_owned()))
            .collect();
        let count = keys.len() + common.len();
        assert!(count <= page, "{count} on a page of {page}");
        let is_truncated = reply.element("IsTruncated").as_deref() == Some("true");
        assert!(!is_truncated || count == page, "a page that is not the last is full");
        whole.keys.extend(keys);
        whole.prefixes.extend(common);
        if !is_truncated {
            return whole;
        }
        let token = reply.element(next).unwrap();
        from = Some(if matches!(version, Version::Two) { token } else { plain(token) });
    }
}

/// Keys that are like one another, so that prefixes and delimiters meet in every way.
fn keys() -> impl Strategy<Value = BTreeSet<String>> {
    prop::collection::btree_set("[ab/&é]{1,5}", 0..25)
}

#[test]
fn pages_are_the_model_cut_in_pieces() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
    let delimiters = prop::sample::select(vec!["", "/", "a", "//", "/a", "é"]);
    let cases = (keys(), "[ab/]{0,2}", delimiters, 1usize..6, any::<bool>());
    runner
        .run(&cases, |(keys, prefix, delimiter, page, escaped)| {
            runtime.block_on(async {
                let world = World::with_bucket().await;
                for key in &keys {
                    world.put(key, b"").await;
                }
                for version in [Version::One, Version::Two, Version::Versions] {
                    let whole = all_pages(&world, version, &prefix, delimiter, page, escaped).await;
                    assert_eq!(whole, model(&keys, &prefix, delimiter), "{version:?}");
                }
            });
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn a_listing_says_what_there_is_of_each_object() {
    let world = World::with_bucket().await;
    world.put("a/1", b"1234567").await;
    let reply = world.call(Call::get(&format!("/{BUCKET}"))).await.expect(200);
    for (element, value) in [
        ("Name", BUCKET),
        ("MaxKeys", "1000"),
        ("IsTruncated", "false"),
        ("Key", "a/1"),
        ("Size", "7"),
        ("StorageClass", "STANDARD"),
        ("ETag", "\"fcea920f7412b5da7be0cf42b8c93759\""),
    ] {
        assert_eq!(reply.element(element).as_deref(), Some(value), "{element}");
    }
    assert_eq!(reply.element("ID"), Some(world.admin.tenant.to_string()));
    let second = Call::get(&format!("/{BUCKET}")).query("list-type", "2");
    assert_eq!(world.call(second.clone()).await.element("ID"), None);
    assert!(world.call(second.query("fetch-owner", "true")).await.element("ID").is_some());
}

#[tokio::test]
async fn a_listing_begins_where_it_is_told() {
    let world = World::with_bucket().await;
    for key in ["a", "b", "c/1", "c/2", "d"] {
        world.put(key, b"").await;
    }
    let list = |parameters: &[(&str, &str)]| {
        let mut call = Call::get(&format!("/{BUCKET}"));
        for (name, value) in parameters {
            call = call.query(name, value);
        }
        world.call(call)
    };
    assert_eq!(list(&[("marker", "b")]).await.elements("Key"), ["c/1", "c/2", "d"]);
    assert_eq!(list(&[("marker", "bb")]).await.elements("Key"), ["c/1", "c/2", "d"]);
    assert_eq!(list(&[("list-type", "2"), ("start-after", "c/1")]).await.elements("Key"), ["c/2", "d"]);
    assert_eq!(list(&[("marker", "c/"), ("delimiter", "/")]).await.elements("Key"), ["d"]);
    let nothing = list(&[("max-keys", "0")]).await.expect(200);
    assert_eq!((nothing.elements("Key").len(), nothing.element("IsTruncated").as_deref()), (0, Some("false")));
    list(&[("list-type", "2"), ("continuation-token", "!")]).await.refused(400, "InvalidArgument");
    list(&[("encoding-type", "base64")]).await.refused(400, "InvalidArgument");
    world.call(Call::get("/no-such-bucket").query("max-keys", "0")).await.refused(404, "NoSuchBucket");
}

#[tokio::test]
async fn what_no_xml_can_carry_is_not_repeated_in_one() {
    let world = World::with_bucket().await;
    let lists = [
        ("list-type=1", "prefix marker delimiter"),
        ("list-type=2", "prefix start-after delimiter"),
        ("versions=", "prefix key-marker delimiter version-id-marker"),
        ("uploads=", "prefix key-marker delimiter upload-id-marker"),
    ];
    for (kind, names) in lists {
        let (kind, value) = kind.split_once('=').unwrap();
        for name in names.split(' ') {
            for text in ["a\0b", "a\u{1}", "\u{fffe}"] {
                let call = Call::get(&format!("/{BUCKET}")).query(kind, value).query(name, text);
                world.call(call.clone()).await.refused(400, "InvalidArgument");
                if !name.ends_with("id-marker") {
                    world.call(call.query("encoding-type", "url")).await.expect(200);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_thousand_and_one_objects_are_two_pages() {
    let world = World::with_bucket().await;
    for at in 0..1001 {
        let call = Call::put(&path(BUCKET, &format!("{at:04}")));
        world.call_as(&world.keys, Sign::V2, call).await.expect(200);
    }
    let first = world.call(Call::get(&format!("/{BUCKET}")).query("max-keys", "5000")).await.expect(200);
    assert_eq!((first.elements("Key").len(), first.element("NextMarker").as_deref()), (1000, Some("0999")));
    let second = world.call(Call::get(&format!("/{BUCKET}")).query("marker", "0999")).await.expect(200);
    assert_eq!(second.elements("Key"), ["1000"]);
}
