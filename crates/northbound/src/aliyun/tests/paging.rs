//! Pages: whatever is made and deleted in between, the pages of a list are the list.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Create,
    /// The package at this place among those that are left.
    Delete(usize),
    /// Reads all pages of this size.
    Read(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Create),
        1 => any::<usize>().prop_map(Step::Delete),
        2 => (1usize..=7).prop_map(Step::Read),
    ];
    prop::collection::vec(step, 1..14)
}

async fn page(bench: &Bench, number: usize, size: usize) -> Value {
    let (number, size) = (number.to_string(), size.to_string());
    bench.call("ListOTAFirmware", &[("CurrentPage", &number), ("PageSize", &size)]).await.success()
}

async fn all_pages(bench: &Bench, size: usize, total: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 1.. {
        let page = page(bench, number, size).await;
        assert_eq!(page["Total"], total);
        assert_eq!(page["PageCount"], total.div_ceil(size));
        assert_eq!((&page["CurrentPage"], &page["PageSize"]), (&number.into(), &size.into()));
        let rows = page["FirmwareInfo"]["SimpleFirmwareInfo"].as_array().unwrap();
        if rows.is_empty() {
            assert!(number > total.div_ceil(size));
            break;
        }
        ids.extend(rows.iter().map(|row| row["FirmwareId"].as_str().unwrap().to_owned()));
    }
    ids
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn pages_add_up_to_the_list(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new().await;
            let key = bench.product("meter").await;
            // Newest first.
            let mut expected: Vec<String> = Vec::new();
            let mut made = 0;
            for step in steps {
                match step {
                    Step::Create => {
                        made += 1;
                        let name = made.to_string();
                        expected.insert(0, bench.firmware(&key, &name, &name, &[]).await);
                    }
                    Step::Delete(_) if expected.is_empty() => {}
                    Step::Delete(at) => {
                        let id = expected.remove(at % expected.len());
                        bench.call("DeleteOTAFirmware", &[("FirmwareId", &id)]).await.success();
                    }
                    Step::Read(size) => assert_eq!(all_pages(&bench, size, expected.len()).await, expected),
                }
            }
            assert_eq!(all_pages(&bench, 3, expected.len()).await, expected);
        });
    }
}

#[tokio::test]
async fn a_page_beyond_the_last_is_empty_however_far() {
    let bench = Bench::new().await;
    let empty = page(&bench, 1, 10).await;
    let expected = format!(
        r#"{{"PageCount":0,"PageSize":10,"RequestId":{},"FirmwareInfo":{{"SimpleFirmwareInfo":[]}},"CurrentPage":1,"Success":true,"Total":0}}"#,
        empty["RequestId"]
    );
    assert_eq!(empty.to_string(), expected);
    let key = bench.product("meter").await;
    bench.firmware(&key, "a", "1", &[]).await;
    for far in [2, 1_000_000, i32::MAX as usize] {
        let page = page(&bench, far, 100).await;
        assert_eq!((&page["Total"], &page["PageCount"], &page["CurrentPage"]), (&1.into(), &1.into(), &far.into()));
        assert_eq!(page["FirmwareInfo"]["SimpleFirmwareInfo"], serde_json::json!([]));
    }
    let xml = bench.call_as(ADMIN, "ListOTAFirmware", &[("CurrentPage", "2"), ("PageSize", "1")]).await.text;
    assert!(xml.contains("<FirmwareInfo></FirmwareInfo><CurrentPage>2</CurrentPage>"), "{xml}");
}
