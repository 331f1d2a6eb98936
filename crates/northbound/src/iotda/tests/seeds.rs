//! The examples of the two documents that this dialect is made from.

use super::*;

fn names(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn the_first_create_example_answers_what_it_was_told() {
    let world = World::with_example(Settings::default()).await;
    let body = json!({
        "app_id": SPACE,
        "package_type": "firmwarePackage",
        "product_id": PRODUCT,
        "version": "V2.0",
        "description": "package v2.0",
        "custom_info": "Updated the XX function and fixed the XXXX issue.",
        "file_location": { "obs_location": {
            "region_name": "cn-north-4", "bucket_name": "abc", "object_key": "bbb/upgrade.bin", "sign": SIGN,
        } },
    });
    let reply = world.post(PACKAGES, &body).await;
    let answer = reply.assert_status(201);
    for (name, value) in body.as_object().unwrap() {
        assert_eq!(&answer[name], value, "{name}");
    }
    assert_eq!(
        names(answer),
        [
            "package_id",
            "app_id",
            "package_type",
            "product_id",
            "product_name",
            "version",
            "description",
            "custom_info",
            "create_time",
            "file_location"
        ],
        "what the request left out is left out, and nothing but the product's name is added"
    );
}

#[tokio::test]
async fn the_second_create_example_answers_member_by_member_in_the_documents_order() {
    let world = World::with_example(Settings::default()).await;
    let reply = world.post(PACKAGES, &new_package()).await;
    let package_id = reply.text("package_id");
    // The document's answer, with the two members that cannot be the same, and product_name.
    let expected = json!({
        "package_id": package_id,
        "app_id": "61f7e74d036aca5be29e1ed4",
        "package_type": "firmwarePackage",
        "product_id": "5ba24f5ebbe8f56f5a14f605",
        "product_name": "meter",
        "version": "V2.0",
        "support_source_versions": ["V1.0", "V1.1"],
        "description": "package for version V1.0 and V1.1",
        "custom_info": "Updated the XX function and fixed the XXXX issue.",
        "create_time": "20261121T091741Z",
        "file_location": { "obs_location": {
            "region_name": "cn-north-4",
            "bucket_name": "abc",
            "object_key": "bbb/upgrade.bin",
            "sign": "595124473f866b033dfa1f7e831c8c99a12f6143f392dfa996a819010842c99d",
        } },
    });
    assert_eq!(reply.assert_status(201).to_string(), expected.to_string());
    assert_eq!(package_id.len(), 24, "record id and package id are one");
    let shown = world.get(&format!("{PACKAGES}/{package_id}")).await;
    assert_eq!(shown.assert_status(200).to_string(), expected.to_string());
}

#[tokio::test]
async fn the_list_example_has_its_members_and_no_file_location() {
    let world = World::with_example(Settings::default()).await;
    let made = world.post(PACKAGES, &new_package()).await;
    let reply = world.get(FIRMWARE_LIST).await;
    let answer = reply.assert_status(200);
    assert_eq!(names(answer), ["packages", "page"]);
    let expected = without(made.body.clone(), "/file_location");
    assert_eq!(answer["packages"][0].to_string(), expected.to_string());
    assert_eq!(answer["page"].to_string(), json!({"count": 1, "marker": made.text("package_id")}).to_string());
}

/// The table makes package_type mandatory and the example leaves it out: the table wins, and a switch takes the example.
#[tokio::test]
async fn the_list_examples_bare_request_is_refused_unless_a_switch_allows_it() {
    let strict = World::with_example(Settings::default()).await;
    strict.get(PACKAGES).await.assert_refused(400, "IOTDA.000006", "package_type");

    let lenient = World::with_example(Settings { list_without_package_type: true, ..Settings::default() }).await;
    let firmware = lenient.post(PACKAGES, &new_package()).await.text("package_id");
    let software = with(new_package(), "/package_type", json!("softwarePackage"));
    let software = lenient.post(PACKAGES, &software).await.text("package_id");
    let listed = lenient.get(PACKAGES).await;
    let ids: Vec<_> =
        listed.body["packages"].as_array().unwrap().iter().map(|package| &package["package_id"]).collect();
    assert_eq!(ids, [&json!(software), &json!(firmware)], "newest first, of all types");
}
