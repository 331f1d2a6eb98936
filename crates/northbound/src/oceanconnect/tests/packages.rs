//! Version packages: what is shown of them, how they are listed, how they go.

use super::*;

const MEMBERS: [&str; 11] = [
    "fileId",
    "name",
    "version",
    "fileType",
    "deviceType",
    "model",
    "manufacturerName",
    "protocolType",
    "description",
    "date",
    "uploadTime",
];

#[tokio::test]
async fn a_described_package_shows_every_member_in_the_documents_order() {
    let door = Door::open().await;
    let product = door.meter().await;
    let package = door.publish(described_package(&product)).await;

    let answer = door.get(&format!("{CATEGORY}/{}", package.id), &door.token().await).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let body = answer.json();
    assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), MEMBERS);
    let expected = json!({
        "fileId": package.id.to_string(), "name": "meter software", "version": "V1.1.10", "fileType": "softwarePackage",
        "deviceType": "WaterMeter", "model": "WM-3", "manufacturerName": "Sluice", "protocolType": "CoAP",
        "description": "Test software package made by WYH", "date": "2015-2-2 ", "uploadTime": "20151212T121212Z",
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn what_a_package_does_not_say_its_product_says() {
    let door = Door::open().await;
    let text = |text: &str| Some(text.to_owned());
    let draft = ProductDraft {
        name: "meter".to_owned(),
        device_type: text("WaterMeter"),
        model: text("WM-3"),
        manufacturer: text("Sluice"),
        protocol: text("MQTT"),
        ..ProductDraft::default()
    };
    let product = door.product(draft).await;
    let new = bare_package(&product, ModuleName::firmware(), "1.0");
    let own = DeviceKind { model: text("WM-4"), ..DeviceKind::default() };
    let package = door.publish(NewPackage { device_kind: own, ..new }).await;

    let body = door.get(&format!("{CATEGORY}/{}", package.id), &door.token().await).await.json();
    let said = ["deviceType", "model", "manufacturerName", "protocolType"].map(|name| body[name].as_str().unwrap());
    assert_eq!(said, ["WaterMeter", "WM-4", "Sluice", "MQTT"]);
}

#[tokio::test]
async fn what_nobody_said_is_an_empty_string_and_the_name_is_made_up() {
    let door = Door::open().await;
    let product = door.meter().await;
    let package = door.publish(bare_package(&product, ModuleName::firmware(), "1.0")).await;

    let body = door.get(&format!("{CATEGORY}/{}", package.id), &door.token().await).await.json();
    assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), MEMBERS, "no member is left out");
    assert_eq!((&body["name"], &body["fileType"]), (&json!("firmware-1.0"), &json!("firmwarePackage")));
    for member in ["deviceType", "model", "manufacturerName", "protocolType", "description", "date"] {
        assert_eq!(body[member], json!(""), "{member}");
    }
}

#[tokio::test]
async fn modules_that_this_dialect_has_no_word_for_are_left_out() {
    let door = Door::open().await;
    let product = door.meter().await;
    let radio = door.module(&product, "radio").await;
    let firmware = door.publish(bare_package(&product, ModuleName::firmware(), "1.0")).await;
    let other = door.publish(bare_package(&product, radio, "1.1")).await;
    let software = door.publish(bare_package(&product, ModuleName::software(), "1.2")).await;
    let token = door.token().await;

    let list = door.get(CATEGORY, &token).await.json();
    assert_eq!(file_ids(&list), [software.id.to_string(), firmware.id.to_string()]);
    assert_eq!(list["totalCount"], json!(2));
    for method in ["GET", "DELETE"] {
        let answer = door.call(method, &format!("{CATEGORY}/{}", other.id), &door.app_id, &token).await;
        answer.assert_error(404, "123002", "Device or package file not found.");
    }
    assert!(door.app.show_package(&door.owner, &other.id).await.is_ok(), "and it was not deleted");
}

#[tokio::test]
async fn a_list_is_filtered_by_what_a_package_says() {
    let door = Door::open().await;
    let product = door.meter().await;
    let software = door.publish(described_package(&product)).await.id.to_string();
    let new = bare_package(&product, ModuleName::firmware(), "V2 beta");
    let manufacturer = Some("Lock & Söhne".to_owned());
    let kind = DeviceKind { manufacturer, model: Some("WM-4".to_owned()), ..DeviceKind::default() };
    let firmware = door.publish(NewPackage { device_kind: kind, ..new }).await.id.to_string();
    let token = door.token().await;

    for (query, expected) in [
        ("", vec![&firmware, &software]),
        ("&", vec![&firmware, &software]),
        ("fileType=firmwarePackage", vec![&firmware]),
        ("&fileType=softwarePackage", vec![&software]),
        ("deviceType=WaterMeter", vec![&software]),
        ("deviceType=watermeter", vec![]),
        ("model=WM-4", vec![&firmware]),
        ("manufacturerName=Sluice", vec![&software]),
        ("manufactureName=Sluice", vec![&software]),
        ("manufactureName=nobody&manufacturerName=Sluice", vec![&software]),
        ("manufacturerName=Lock+%26+S%C3%B6hne", vec![&firmware]),
        ("version=V1.1.10", vec![&software]),
        ("version=V2%20beta", vec![&firmware]),
        ("fileType=softwarePackage&version=V2+beta", vec![]),
        ("fileType=&model=&version=&pageNo=&pageSize=", vec![&firmware, &software]),
        ("status=ok&limit=x", vec![&firmware, &software]),
    ] {
        let answer = door.get(&format!("{CATEGORY}?{query}"), &token).await;
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        assert_eq!(file_ids(&answer.json()), expected, "{query}");
        assert_eq!(answer.json()["totalCount"], json!(expected.len()), "{query}");
    }
}

#[tokio::test]
async fn pages_are_counted_from_zero_and_go_from_new_to_old() {
    let door = Door::open().await;
    let product = door.meter().await;
    let mut newest_first = Vec::new();
    for number in 0..12 {
        let version = format!("1.{number}");
        newest_first
            .insert(0, door.publish(bare_package(&product, ModuleName::firmware(), &version)).await.id.to_string());
    }
    let token = door.token().await;

    let first = door.get(CATEGORY, &token).await.json();
    assert_eq!(first.as_object().unwrap().keys().collect::<Vec<_>>(), ["data", "pageNo", "pageSize", "totalCount"]);
    assert_eq!(file_ids(&first), newest_first[..10]);
    assert_eq!((&first["pageNo"], &first["pageSize"], &first["totalCount"]), (&json!(0), &json!(10), &json!(12)));

    for (query, range) in [
        ("pageNo=0&pageSize=5", 0..5),
        ("pageNo=1&pageSize=5", 5..10),
        ("pageNo=2&pageSize=5", 10..12),
        ("pageNo=3&pageSize=5", 0..0),
        ("pageNo=1", 10..12),
        ("pageSize=100", 0..12),
        ("pageNo=9223372036854775807&pageSize=100", 0..0),
    ] {
        let page = door.get(&format!("{CATEGORY}?{query}"), &token).await.json();
        assert_eq!(file_ids(&page), newest_first[range], "{query}");
        assert_eq!(page["totalCount"], json!(12), "{query}");
    }
}

#[tokio::test]
async fn a_deleted_package_is_gone_from_everywhere() {
    let door = Door::open().await;
    let product = door.meter().await;
    let package = door.publish(described_package(&product)).await;
    let (id, token) = (package.id.to_string(), door.token().await);

    let answer = door.delete(&id, &token).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""));
    door.get(&format!("{CATEGORY}/{id}"), &token).await.assert_error(
        404,
        "123002",
        "Device or package file not found.",
    );
    door.delete(&id, &token).await.assert_error(404, "123002", "Device or package file not found.");
    assert_eq!(door.get(CATEGORY, &token).await.json()["totalCount"], json!(0));
    assert!(door.app.show_package(&door.owner, &package.id).await.is_err());
}
