//! Lists in pages: whatever the size of a page, every record is on exactly one, and the total is exact.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Town;

/// Reads a list to its end, a page of `limit` at a time.
async fn read_all(town: &Town, list: &str, member: &str, limit: usize) -> (Vec<String>, Vec<u64>) {
    let (mut found, mut totals, mut cursor) = (Vec::new(), Vec::new(), None::<String>);
    loop {
        let mut path = format!("{list}{}limit={limit}", if list.contains('?') { '&' } else { '?' });
        if let Some(cursor) = &cursor {
            path.push_str(&format!("&cursor={cursor}"));
        }
        let page = town.get(&path).await.expect(200);
        let items = page.json["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        found.extend(items.iter().map(|item| item[member].as_str().unwrap().to_owned()));
        totals.push(page.json["total"].as_u64().unwrap());
        cursor = page.json["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return (found, totals);
        }
        assert_eq!(items.len(), limit, "only the last page is short");
    }
}

async fn fill(town: &Town, count: usize) {
    town.product("p0").await;
    for number in 1..count {
        town.call("POST", "/spaces", json!({ "name": "s", "code": format!("s{number}") })).await.expect(201);
        town.product(&format!("p{number}")).await;
        let module = json!({ "name": format!("m{number}") });
        town.call("POST", "/products/p0/modules", module).await.expect(201);
        town.key("viewer").await;
        town.package("p0", &number.to_string()).await;
        town.call("POST", "/tenants", json!({ "name": format!("t{number}") })).await.expect(201);
        town.clock.advance(number as i64 % 2);
    }
}

#[tokio::test]
async fn every_list_is_whole_at_any_page_size() {
    const COUNT: usize = 8;
    let town = Town::new().await;
    fill(&town, COUNT).await;
    let lists = [
        ("/spaces", "code", COUNT),
        ("/products", "code", COUNT),
        ("/products?name=lamp", "code", COUNT),
        ("/products/p0/modules", "name", COUNT + 1),
        ("/products/p1/modules", "name", 2),
        ("/keys", "id", COUNT),
        ("/packages", "id", COUNT - 1),
        ("/packages?product=p0&module_kind=firmware", "id", COUNT - 1),
        ("/packages?version=3", "id", 1),
        ("/packages?module_kind=other", "id", 0),
        ("/tenants", "name", COUNT),
    ];
    for (list, member, count) in lists {
        let (whole, _) = read_all(&town, list, member, 500).await;
        assert_eq!(whole.len(), count, "{list}");
        let distinct: std::collections::BTreeSet<_> = whole.iter().collect();
        assert_eq!(distinct.len(), count, "{list}");
        for limit in 1..=COUNT + 2 {
            let (found, totals) = read_all(&town, list, member, limit).await;
            assert_eq!(found, whole, "{list} in pages of {limit}");
            assert!(totals.iter().all(|&total| total == count as u64), "{list} in pages of {limit}: {totals:?}");
        }
    }
}

#[tokio::test]
async fn records_that_come_or_go_between_two_pages_shift_nothing() {
    let town = Town::new().await;
    fill(&town, 7).await;
    let first = town.get("/packages?limit=2").await.expect(200);
    let cursor = first.text("next_cursor");
    town.package("p0", "newer").await;
    let last_shown = first.json["items"][1]["id"].as_str().unwrap();
    town.call("DELETE", &format!("/packages/{last_shown}"), Value::Null).await.expect(204);
    let second = town.get(&format!("/packages?limit=2&cursor={cursor}")).await.expect(200);
    let versions: Vec<_> =
        second.json["items"].as_array().unwrap().iter().map(|item| item["version"].clone()).collect();
    assert_eq!(versions, ["4", "3"]);
    assert_eq!(second.json["total"], json!(6));
}

#[tokio::test]
async fn a_cursor_of_another_list_is_refused() {
    let town = Town::new().await;
    for (list, cursor) in
        [("/packages", "AAAA"), ("/products", "A"), ("/products/p/modules", "AAAA"), ("/products/p/modules", "Aw")]
    {
        town.call("POST", "/products", json!({ "name": "p", "code": "p" })).await;
        let reply = town.get(&format!("{list}?cursor={cursor}")).await;
        assert_eq!(reply.problem(), (400, "invalid", "cursor"), "{list}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Makes and deletes packages while a reader walks the list: what was there all the time is seen exactly once.
    #[test]
    fn a_walk_sees_what_stays_exactly_once(
        count in 1usize..12,
        limit in 1usize..5,
        changes in proptest::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 0..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let town = Town::new().await;
            town.product("p").await;
            let mut ids = Vec::new();
            for number in 0..count {
                ids.push(town.package("p", &number.to_string()).await.text("id"));
            }
            let mut stay = ids.clone();
            let (mut seen, mut cursor, mut changes) = (Vec::new(), String::new(), changes.into_iter());
            loop {
                let page = town.get(&format!("/packages?limit={limit}{cursor}")).await.expect(200);
                seen.extend(page.json["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
                let Some(next) = page.json["next_cursor"].as_str() else { break };
                cursor = format!("&cursor={next}");
                match changes.next() {
                    Some((true, _)) => {
                        town.package("p", "new").await;
                    }
                    Some((false, index)) if !stay.is_empty() => {
                        let gone = stay.remove(index.index(stay.len()));
                        town.call("DELETE", &format!("/packages/{gone}"), Value::Null).await.expect(204);
                    }
                    _ => {}
                }
            }
            for id in &stay {
                assert_eq!(seen.iter().filter(|seen| *seen == id).count(), 1);
            }
            for id in &seen {
                assert_eq!(seen.iter().filter(|seen| *seen == id).count(), 1);
            }
        });
    }
}
