//! Long lists: any page by number is near a milestone, once its records have settled.

use futures::{StreamExt, TryStreamExt};
use otaru_model::Page;

use super::*;
use crate::app::milestones::refuse_late;

const PACKAGES: u32 = 1_500;

#[tokio::test(flavor = "multi_thread")]
async fn milestones_are_laid_along_a_long_list_once_its_packages_have_settled() {
    let town = Town::new().await;
    let product = town.product("meter").await;
    let source = store_object(&town).await;
    let made = futures::stream::iter(0..PACKAGES)
        .map(|number| town.app.create_package(&town.admin, new_package(&product, &number.to_string(), source.clone())));
    let made: Vec<_> = made.buffer_unordered(200).try_collect().await.unwrap();
    assert_eq!(town.app.lay_milestones().await.unwrap(), 0, "transactions of a moment ago may still be open");

    town.clock.advance(120_000);
    // Tenant, space and product, each for all kinds, built-in kinds and firmware: 5 times 256 packages each.
    assert_eq!(town.app.lay_milestones().await.unwrap(), 9 * 5);
    assert_eq!(town.app.lay_milestones().await.unwrap(), 0, "nothing has grown");
    assert_pages_are_whole(&town).await;

    // So many go that the milestones above them are laid anew.
    for package in &made[..600] {
        town.app.delete_package(&town.admin, &package.id).await.unwrap();
    }
    assert_pages_are_whole(&town).await;
    town.app.lay_milestones().await.unwrap();
    assert_pages_are_whole(&town).await;
}

#[tokio::test]
async fn a_package_that_waited_too_long_for_the_store_is_refused() {
    let town = Town::new().await;
    let id = town.app.new_id();
    assert!(refuse_late(&id, START_MS + 20_000).is_ok());
    let refused = refuse_late(&id, START_MS + 20_001).unwrap_err();
    assert!(matches!(refused, Error::Unavailable(_)), "{refused:?}");
}

async fn store_object(town: &Town) -> FileSource {
    let (bucket, key) = ("updates".to_owned(), "firmware.bin".to_owned());
    town.app.create_bucket(&town.admin, &bucket, "here").await.unwrap();
    let mut writing = town.app.begin_writing(&town.admin, &bucket).await.unwrap();
    writing.write(bytes::Bytes::from_static(b"firmware")).await.unwrap();
    let new = NewObject { bucket: bucket.clone(), key: key.clone(), ..NewObject::default() };
    writing.finish_object(new).await.unwrap();
    FileSource::Object { region: "here".to_owned(), bucket, key }
}

/// Page after page by number is the same list as page after page by the last record's id.
async fn assert_pages_are_whole(town: &Town) {
    let (mut by_id, mut page) = (Vec::new(), Page::first(500));
    loop {
        let found = town.app.list_packages(&town.admin, PackageQuery::all(page)).await.unwrap();
        let Some(last) = found.items.last() else { break };
        page.before = last.id;
        by_id.extend(found.items.iter().map(|package| package.id));
    }
    let mut by_number = Vec::new();
    for number in 0..=by_id.len() as u64 / 90 {
        let page = Page::numbered(number, 90);
        let found = town.app.list_packages(&town.admin, PackageQuery::all(page)).await.unwrap();
        assert_eq!(found.total, by_id.len() as u64);
        by_number.extend(found.items.iter().map(|package| package.id));
    }
    assert_eq!(by_number, by_id);
}
