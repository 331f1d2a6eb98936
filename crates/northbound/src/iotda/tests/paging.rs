//! Paging: descending by record id, strictly below the marker, with exact totals (contract §2.2).

use std::collections::{BTreeMap, BTreeSet};

use otaru_model::Id;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

/// What happens to the registry between two pages.
#[derive(Clone, Debug)]
enum Meanwhile {
    Create,
    /// Of the packages that there are, counted from the newest, modulo their number.
    Delete(usize),
}

fn meanwhile() -> impl Strategy<Value = Vec<Meanwhile>> {
    let event = prop_oneof![Just(Meanwhile::Create), (0usize..40).prop_map(Meanwhile::Delete)];
    proptest::collection::vec(event, 0..4)
}

struct Shelf<'a> {
    world: &'a World,
    product: String,
    ids: BTreeSet<Id>,
}

impl Shelf<'_> {
    async fn new(world: &World, number: usize, packages: usize) -> Shelf<'_> {
        let product = format!("product-{number}");
        world.product(SPACE, &product).await;
        let mut shelf = Shelf { world, product, ids: BTreeSet::new() };
        for _ in 0..packages {
            shelf.create().await;
        }
        shelf
    }

    async fn create(&mut self) {
        let body = with(new_package(), "/product_id", json!(self.product));
        self.ids.insert(self.world.post(PACKAGES, &body).await.text("package_id").parse().unwrap());
    }

    async fn apply(&mut self, event: &Meanwhile) {
        match event {
            Meanwhile::Create => self.create().await,
            Meanwhile::Delete(at) if !self.ids.is_empty() => {
                let id = *self.ids.iter().rev().nth(at % self.ids.len()).unwrap();
                self.world.delete(&format!("{PACKAGES}/{id}")).await.assert_status(204);
                self.ids.remove(&id);
            }
            Meanwhile::Delete(_) => {}
        }
    }

    /// A page: its ids, and its `page` member.
    async fn page(&self, paging: &str) -> (Vec<Id>, Value) {
        let reply = self.world.get(&format!("{FIRMWARE_LIST}&product_id={}{paging}", self.product)).await;
        let answer = reply.assert_status(200);
        let packages = answer["packages"].as_array().unwrap();
        let ids = packages.iter().map(|package| package["package_id"].as_str().unwrap().parse().unwrap()).collect();
        (ids, answer["page"].clone())
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

#[test]
fn every_record_is_seen_exactly_once_whatever_comes_and_goes() {
    let runtime = runtime();
    let world = runtime.block_on(World::with_example(Settings::default()));
    let number = std::cell::Cell::new(0);
    let strategy = (0usize..25, 1u32..8, proptest::collection::vec(meanwhile(), 0..12));
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&strategy, |(packages, limit, events)| {
            number.set(number.get() + 1);
            runtime.block_on(async {
                let mut shelf = Shelf::new(&world, number.get(), packages).await;
                let at_first = shelf.ids.clone();
                let mut seen: BTreeMap<Id, usize> = BTreeMap::new();
                let mut marker = Id::MAX.to_string();
                let mut events = events.iter();
                loop {
                    let (ids, page) = shelf.page(&format!("&limit={limit}&marker={marker}")).await;
                    prop_assert_eq!(&page["count"], shelf.ids.len(), "the total is exact at every page");
                    prop_assert!(ids.windows(2).all(|pair| pair[0] > pair[1]));
                    for id in &ids {
                        *seen.entry(*id).or_default() += 1;
                    }
                    let Some(last) = ids.last() else {
                        prop_assert!(page["marker"].is_null());
                        break;
                    };
                    prop_assert_eq!(&page["marker"], &json!(last));
                    marker = last.to_string();
                    for event in events.next().into_iter().flatten() {
                        shelf.apply(event).await;
                    }
                }
                prop_assert!(seen.values().all(|&times| times == 1), "nothing is seen twice");
                prop_assert!(seen.keys().all(|id| at_first.contains(id)), "what came later is newer than every page");
                let stayed: BTreeSet<Id> = at_first.intersection(&shelf.ids).copied().collect();
                prop_assert!(stayed.iter().all(|id| seen.contains_key(id)), "what stayed was seen");
                Ok(())
            })
        })
        .unwrap();
}

#[test]
fn a_page_is_what_marker_offset_and_limit_say() {
    let runtime = runtime();
    let world = runtime.block_on(World::with_example(Settings::default()));
    let shelf = runtime.block_on(Shelf::new(&world, 0, 30));
    let newest_first: Vec<Id> = shelf.ids.iter().rev().copied().collect();
    let strategy = (
        proptest::option::of(0usize..32),
        proptest::option::of(prop_oneof![0usize..35, Just(500)]),
        proptest::option::of(prop_oneof![1usize..35, Just(50)]),
        proptest::bool::ANY,
    );
    let config = Config { cases: 64, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&strategy, |(marker, offset, limit, upper)| {
            // The last two markers are below and above every record.
            let marker =
                marker.map(|at| newest_first.get(at).copied().unwrap_or(if at == 30 { Id::MIN } else { Id::MAX }));
            let mut paging = String::new();
            if let Some(marker) = marker {
                let text = marker.to_string();
                paging.push_str(&format!("&marker={}", if upper { text.to_uppercase() } else { text }));
            }
            offset.into_iter().for_each(|offset| paging.push_str(&format!("&offset={offset}")));
            limit.into_iter().for_each(|limit| paging.push_str(&format!("&limit={limit}")));
            let expected: Vec<Id> = newest_first
                .iter()
                .copied()
                .filter(|id| *id < marker.unwrap_or(Id::MAX))
                .skip(offset.unwrap_or(0))
                .take(limit.unwrap_or(10))
                .collect();
            let (ids, page) = runtime.block_on(shelf.page(&paging));
            prop_assert_eq!(&ids, &expected, "{}", paging);
            prop_assert_eq!(page, json!({"count": 30, "marker": expected.last()}));
            Ok(())
        })
        .unwrap();
}

/// Some clients page by offset alone until a page is empty; others by marker. Modules and products page alike.
#[tokio::test]
async fn modules_and_products_page_like_packages() {
    let world = World::with_example(Settings::default()).await;
    for number in 0..5 {
        world
            .post("/products", &with(new_product(), "/product_id", json!(format!("p{number}"))))
            .await
            .assert_status(201);
        let module = json!({"app_id": SPACE, "product_id": PRODUCT, "module_name": format!("m{number}")});
        world.post(MODULES, &module).await.assert_status(201);
    }
    for (list, member, id, total) in [
        (format!("{MODULES}?app_id={SPACE}"), "modules", "module_name", 5),
        (format!("/products?app_id={SPACE}"), "products", "product_id", 6),
    ] {
        let mut by_offset = Vec::new();
        loop {
            let page = world.get(&format!("{list}&limit=2&offset={}", by_offset.len())).await;
            assert_eq!(page.body["page"]["count"], total);
            let items = page.body[member].as_array().unwrap();
            if items.is_empty() {
                break;
            }
            by_offset.extend(items.iter().map(|item| item[id].as_str().unwrap().to_owned()));
        }
        assert_eq!(by_offset.len(), total);
        assert!(by_offset[0].ends_with('4'), "newest first");
        let mut by_marker = Vec::new();
        let mut marker = "ffffffffffffffffffffffff".to_owned();
        loop {
            let page = world.get(&format!("{list}&limit=2&marker={marker}")).await;
            let items = page.body[member].as_array().unwrap();
            by_marker.extend(items.iter().map(|item| item[id].as_str().unwrap().to_owned()));
            match page.body["page"]["marker"].as_str() {
                Some(last) => marker = last.to_owned(),
                None => break,
            }
        }
        assert_eq!(by_marker, by_offset);
        world.get(&format!("{list}&limit=0")).await.assert_refused(400, "IOTDA.000017", "limit");
        world.get(&format!("{list}&marker=x")).await.assert_refused(400, "IOTDA.000018", "marker");
    }
}
