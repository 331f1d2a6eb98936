//! Modules.

use otaru_core::app::{NewModule, ProductRef};
use otaru_model::ModuleName;
use serde_json::{Value, json};

use super::*;

async fn names(bench: &Bench, key: &str) -> Vec<String> {
    let data = bench.call("ListOTAModuleByProduct", &[("ProductKey", key)]).await.success()["Data"].clone();
    data.as_array().unwrap().iter().map(|row| row["ModuleName"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn modules_are_made_changed_listed_and_deleted() {
    let bench = Bench::new().await;
    let key = bench.product("meter").await;
    assert_eq!(names(&bench, &key).await, ["default"]);
    bench.clock.advance(1_500);
    let new = [("ProductKey", &*key), ("ModuleName", "MCU"), ("AliasName", "单片机"), ("Desc", "")];
    let made = bench.call("CreateOTAModule", &new).await;
    assert_eq!(made.success().as_object().unwrap().len(), 2);
    bench.call("CreateOTAModule", &[("ProductKey", &key), ("ModuleName", "wifi")]).await.success();
    assert_eq!(names(&bench, &key).await, ["default", "wifi", "MCU"]);

    bench.clock.advance(1_000);
    let change = [("ProductKey", &*key), ("ModuleName", "mcu"), ("Desc", "a <chip>")];
    bench.call("UpdateOTAModule", &change).await.success();
    let list = bench.call("ListOTAModuleByProduct", &[("ProductKey", &key)]).await.success()["Data"].clone();
    let utc = |text: &str| Value::from(format!("2026-11-21T09:24:{text}Z"));
    let expected = json!([
        {"ProductKey": key, "ModuleName": "default", "GmtCreate": utc("14.000"), "GmtModified": utc("14.000")},
        {"ProductKey": key, "ModuleName": "wifi", "GmtCreate": utc("15.500"), "GmtModified": utc("15.500")},
        {"ProductKey": key, "ModuleName": "MCU", "AliasName": "单片机", "Desc": "a <chip>", "GmtCreate": utc("15.500"), "GmtModified": utc("16.500")},
    ]);
    assert_eq!(list.to_string(), expected.to_string());
    let xml = bench.call_as(ADMIN, "ListOTAModuleByProduct", &[("ProductKey", &key)]).await.text;
    assert!(xml.contains("<Success>true</Success><Data><Data><ProductKey>"), "{xml}");
    assert!(xml.contains("<Desc>a &lt;chip&gt;</Desc>"), "{xml}");

    bench.call("DeleteOTAModule", &[("ProductKey", &key), ("ModuleName", "Wifi")]).await.success();
    assert_eq!(names(&bench, &key).await, ["default", "MCU"]);
}

#[tokio::test]
async fn what_cannot_be_done_to_a_module() {
    let bench = Bench::new().await;
    let key = bench.product("meter").await;
    bench.call("CreateOTAModule", &[("ProductKey", &key), ("ModuleName", "mcu")]).await.success();
    bench.firmware(&key, "a", "1", &[("ModuleName", "mcu")]).await;
    let rows = [
        ("CreateOTAModule", "MCU", "iot.ota.ModuleExisted"),
        ("CreateOTAModule", "default", "iot.ota.ModuleExisted"),
        ("CreateOTAModule", "Default", "iot.ota.ModuleExisted"),
        ("CreateOTAModule", "firmware", "iot.ota.ModuleExisted"),
        ("CreateOTAModule", "software", "iot.ota.ModuleExisted"),
        ("UpdateOTAModule", "wifi", "iot.ota.ModuleNotFound"),
        ("UpdateOTAModule", "default", "iot.ota.ModuleNotChangeable"),
        ("UpdateOTAModule", "firmware", "iot.ota.ModuleNotFound"),
        ("DeleteOTAModule", "wifi", "iot.ota.ModuleNotFound"),
        ("DeleteOTAModule", "default", "iot.ota.ModuleNotDeletable"),
        ("DeleteOTAModule", "mcu", "iot.ota.ModuleNotDeletable"),
    ];
    for (action, module, code) in rows {
        let answer = bench.call(action, &[("ProductKey", &key), ("ModuleName", module)]).await;
        assert_eq!(answer.business(), code, "{action} {module}");
        assert!(answer.message().to_lowercase().contains(&module.to_lowercase()), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_product_has_room_for_ten_modules_of_its_own() {
    let bench = Bench::new().await;
    let key = bench.product("meter").await;
    for at in 0..10 {
        bench.call("CreateOTAModule", &[("ProductKey", &key), ("ModuleName", &format!("m{at}"))]).await.success();
    }
    let eleventh = [("ProductKey", &*key), ("ModuleName", "m10")];
    assert_eq!(bench.call("CreateOTAModule", &eleventh).await.business(), "iot.ota.ModuleCountExceedMax");
    bench.call("DeleteOTAModule", &[("ProductKey", &key), ("ModuleName", "m3")]).await.success();
    bench.call("CreateOTAModule", &eleventh).await.success();
}

/// Other doors have no limit of ten, and may call a module what is the whole device here.
#[tokio::test]
async fn modules_of_other_doors_are_listed_too() {
    let bench = Bench::new().await;
    let key = bench.product("meter").await;
    let other = bench.product("other").await;
    for at in 0..205 {
        let product = if at % 2 == 0 { &key } else { &other };
        let name = if at == 0 { "default".to_owned() } else { format!("m{at}") };
        let new = NewModule {
            space_code: None,
            product: ProductRef::Key(product.clone()),
            name: ModuleName::new(&name).unwrap(),
            alias: None,
            description: None,
            max_per_product: None,
        };
        bench.app.create_module(&bench.admin, new).await.unwrap();
    }
    let names = names(&bench, &key).await;
    assert_eq!(names.len(), 1 + 102);
    assert_eq!(names.iter().filter(|name| *name == "default").count(), 1);
    assert_eq!((names[1].as_str(), names.last().unwrap().as_str()), ("m204", "m2"));
}
