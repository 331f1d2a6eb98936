//! Products.

use otaru_core::app::NewProduct;
use otaru_model::{ProductDraft, Role};
use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn a_product_comes_back_as_it_was_made() {
    let bench = Bench::new().await;
    let new = [
        ("ProductName", "电表 4"),
        ("NodeType", "1"),
        ("AliyunCommodityCode", "iothub"),
        ("AuthType", "secret"),
        ("DataFormat", "0"),
        ("NetType", "CELLULAR"),
        ("ProtocolType", "modbus"),
        ("CategoryKey", "Lighting"),
        ("Description", "a meter"),
    ];
    let made = bench.call("CreateProduct", &new).await.success();
    let (key, secret) = (&made["ProductKey"], &made["Data"]["ProductSecret"]);
    assert_eq!(key.as_str().unwrap().len(), 11);
    assert_eq!(secret.as_str().unwrap().len(), 32);
    let expected = json!({
        "RequestId": made["RequestId"], "Success": true, "ProductKey": key,
        "Data": {
            "ProductKey": key, "ProductName": "电表 4", "ProductSecret": secret, "NodeType": 1, "AuthType": "secret",
            "DataFormat": 0, "Description": "a meter", "Id2": false, "AliyunCommodityCode": "iothub",
            "ProtocolType": "modbus",
        },
    });
    assert_eq!(made.to_string(), expected.to_string());

    let found = bench.call("QueryProduct", &[("ProductKey", key.as_str().unwrap())]).await.success();
    let expected = json!({
        "ProductKey": key, "ProductName": "电表 4", "ProductSecret": secret, "NodeType": 1, "DeviceCount": 0, "GmtCreate": START_MS,
        "NetType": 6, "DataFormat": 0, "Owner": true, "Id2": false, "AuthType": "secret", "Description": "a meter",
        "CategoryKey": "Lighting", "ProtocolType": "modbus", "AliyunCommodityCode": "iothub",
    });
    assert_eq!(found["Data"].to_string(), expected.to_string());
}

#[tokio::test]
async fn product_secrets_are_for_those_who_publish_and_stay_the_same() {
    let bench = Bench::new().await;
    let (first, second) = (bench.product("first").await, bench.product("second").await);
    let viewer = bench.app.create_key(&bench.admin, Role::Viewer, "", None).await.unwrap();
    let viewer = Signer { key_id: &viewer.key.id, secret: viewer.secret.expose() };
    let secret = async |signer: Signer<'_>, key: &str| {
        let all = [("Format", "JSON"), ("ProductKey", key)];
        bench.call_as(signer, "QueryProduct", &all).await.success()["Data"].get("ProductSecret").cloned()
    };
    let found = secret(ADMIN, &first).await;
    assert!(found.is_some());
    assert_eq!(secret(ADMIN, &first).await, found);
    assert_ne!(secret(ADMIN, &second).await, found);
    assert_eq!(secret(viewer, &first).await, None);
}

#[tokio::test]
async fn products_are_listed_in_pages_and_by_edition() {
    let bench = Bench::new().await;
    for (name, edition) in
        [("one1", "iothub"), ("two2", "iothub_senior"), ("three", "iothub"), ("four", ""), ("five", "iothub")]
    {
        let new = [("ProductName", name), ("NodeType", "0"), ("AliyunCommodityCode", edition)];
        bench.call("CreateProduct", &new).await.success();
    }
    // One of another door belongs to the usual edition.
    let draft = ProductDraft { name: "zero".to_owned(), ..ProductDraft::default() };
    bench
        .app
        .create_product(&bench.admin, NewProduct { draft, door: "elsewhere", ..NewProduct::default() })
        .await
        .unwrap();
    let list = async |page: &str, size: &str, edition: &str| {
        let all = [("CurrentPage", page), ("PageSize", size), ("AliyunCommodityCode", edition)];
        let data = bench.call("QueryProductList", &all).await.success()["Data"].clone();
        let members: Vec<&str> = data.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["CurrentPage", "PageSize", "PageCount", "Total", "List"]);
        let names: Vec<Value> =
            data["List"]["ProductInfo"].as_array().unwrap().iter().map(|row| row["ProductName"].clone()).collect();
        (names, data["Total"].as_u64().unwrap(), data["PageCount"].as_u64().unwrap())
    };
    assert_eq!(list("1", "2", "").await, (vec![json!("zero"), json!("five")], 6, 3));
    assert_eq!(list("3", "2", "").await, (vec![json!("two2"), json!("one1")], 6, 3));
    assert_eq!(list("4", "2", "").await, (vec![], 6, 3));
    assert_eq!(list("1", "2", "iothub").await, (vec![json!("five"), json!("three")], 3, 2));
    assert_eq!(list("2", "2", "iothub").await, (vec![json!("one1")], 3, 2));
    assert_eq!(list("1", "9", "iothub_senior").await, (vec![json!("zero"), json!("four"), json!("two2")], 3, 1));
    assert_eq!(list("2147483647", "200", "iothub").await, (vec![], 3, 1));
    let xml = bench.call_as(ADMIN, "QueryProductList", &[("CurrentPage", "1"), ("PageSize", "1")]).await.text;
    assert!(xml.contains("<List><ProductInfo><ProductKey>"), "{xml}");
}

#[tokio::test]
async fn what_cannot_be_done_to_a_product() {
    let bench = Bench::new().await;
    let key = bench.product("meter").await;
    let id = bench.firmware(&key, "a", "1", &[]).await;
    let again = [("ProductName", "meter"), ("NodeType", "0")];
    assert_eq!(bench.call("CreateProduct", &again).await.business(), "iot.prod.AlreadyExistedProductName");
    assert_eq!(bench.call("DeleteProduct", &[("ProductKey", &key)]).await.business(), "iot.prod.ProductInUse");
    bench.call("DeleteOTAFirmware", &[("FirmwareId", &id)]).await.success();
    bench.call("DeleteProduct", &[("ProductKey", &key)]).await.success();
    for action in ["DeleteProduct", "QueryProduct", "ListOTAModuleByProduct"] {
        assert_eq!(bench.call(action, &[("ProductKey", &key)]).await.business(), "iot.prod.NotExistedProduct");
    }
    bench.call("CreateProduct", &again).await.success();
}

#[tokio::test]
async fn a_short_chinese_name_is_long_enough() {
    let bench = Bench::new().await;
    let create = async |name: &str| bench.call("CreateProduct", &[("ProductName", name), ("NodeType", "0")]).await;
    create("电表").await.success();
    create("电a1").await.success();
    assert_eq!(create("电").await.business(), "iot.prod.InvalidFormattedProductName");
    assert_eq!(create("abc").await.business(), "iot.prod.InvalidFormattedProductName");
    create(&"电".repeat(30)).await.success();
}

#[tokio::test]
async fn network_names_have_numbers() {
    let bench = Bench::new().await;
    for (name, number) in [("LORA", 0), ("WIFI", 3), ("CELLULAR", 6), ("ETHERNET", 7), ("OTHER", 8)] {
        let new = [("ProductName", name), ("NodeType", "0"), ("NetType", name)];
        let key = bench.call("CreateProduct", &new).await.success()["ProductKey"].clone();
        let found = bench.call("QueryProduct", &[("ProductKey", key.as_str().unwrap())]).await.success();
        assert_eq!(found["Data"]["NetType"], number);
    }
}
