//! Products.

use super::*;

#[tokio::test]
async fn a_product_is_made_shown_listed_changed_and_deleted() {
    let world = World::with_example(Settings::default()).await;
    let services = json!([{"service_id": "meter", "service_type": "m", "properties": [{"name": "p", "min": 0.5}]}]);
    let body = json!({
        "product_id": "p_1", "name": "p1", "device_type": "Meter", "protocol_type": "CoAP", "data_format": "binary",
        "manufacturer_name": "maker", "industry": "water", "description": "d", "service_capabilities": services,
        "app_id": SPACE,
    });
    let made = world.post("/products", &body).await;
    let expected = json!({
        "app_id": SPACE, "app_name": "space1", "product_id": "p_1", "name": "p1", "device_type": "Meter",
        "protocol_type": "CoAP", "data_format": "binary", "manufacturer_name": "maker", "industry": "water",
        "description": "d", "service_capabilities": services, "create_time": "20261121T091741Z",
    });
    assert_eq!(made.assert_status(201).to_string(), expected.to_string());
    assert_eq!(world.get("/products/p_1").await.assert_status(200), &expected);
    let listed = world.get(&format!("/products?app_id={SPACE}&product_name=p1")).await;
    let summary = without(expected.clone(), "/service_capabilities");
    let marker = listed.body["page"]["marker"].clone();
    assert_eq!(listed.body, json!({"products": [summary], "page": {"count": 1, "marker": marker}}));

    let change = json!({"app_id": SPACE, "name": "p2", "data_format": "json", "industry": ""});
    let changed = world.put("/products/p_1", &change).await;
    let expected =
        with(with(with(expected, "/name", json!("p2")), "/data_format", json!("json")), "/industry", json!(""));
    assert_eq!(changed.assert_status(200), &expected, "what is absent stays");
    assert_eq!(world.delete("/products/p_1").await.status, 204);
    for gone in [
        world.get("/products/p_1").await,
        world.put("/products/p_1", &json!({})).await,
        world.delete("/products/p_1").await,
    ] {
        gone.assert_refused(404, "IOTDA.014204", "p_1");
    }
}

#[tokio::test]
async fn a_product_without_a_space_is_in_the_default_one() {
    let world = World::new().await;
    let made = world.post("/products", &without(new_product(), "/app_id")).await;
    let default = world.get("/apps?default_app=true").await;
    assert_eq!(made.assert_status(201)["app_id"], default.body["applications"][0]["app_id"]);
    assert_eq!(made.text("product_id").len(), 24);
}

#[tokio::test]
async fn mandatory_members_are_mandatory_when_a_product_is_made() {
    let world = World::with_example(Settings::default()).await;
    for name in ["name", "device_type", "protocol_type", "data_format", "service_capabilities"] {
        let pointer = format!("/{name}");
        world.post("/products", &without(new_product(), &pointer)).await.assert_refused(400, "IOTDA.000006", name);
        let null = with(new_product(), &pointer, Value::Null);
        world.post("/products", &null).await.assert_refused(400, "IOTDA.000006", name);
    }
    for service in [json!({}), json!("x"), json!({"service_id": 7}), json!({"service_id": ""})] {
        let body = with(new_product(), "/service_capabilities", json!([{"service_id": "a"}, service]));
        world.post("/products", &body).await.assert_refused(400, "IOTDA.000006", "service_capabilities[1]");
    }
    let nul = with(new_product(), "/service_capabilities", json!([{"service_id": "a", "x": ["\0"]}]));
    world.post("/products", &nul).await.assert_refused(400, "IOTDA.000006", "service_capabilities[0]");
    let twice = with(new_product(), "/product_id", json!(PRODUCT));
    world.post("/products", &twice).await.assert_refused(400, "IOTDA.000006", "product_id");
    let nowhere = with(new_product(), "/app_id", json!("nowhere"));
    world.post("/products", &nowhere).await.assert_refused(403, "IOTDA.001000", "nowhere");
}

#[tokio::test]
async fn a_product_is_found_in_its_own_space_only() {
    let world = World::with_example(Settings::default()).await;
    world.app.create_space(&world.admin, "other", Some("other")).await.unwrap();
    let path = format!("/products/{PRODUCT}");
    world.get(&format!("{path}?app_id={SPACE}")).await.assert_status(200);
    world.get(&format!("{path}?app_id=other")).await.assert_refused(404, "IOTDA.014204", PRODUCT);
    world.get(&format!("{path}?app_id=nowhere")).await.assert_refused(403, "IOTDA.001000", "nowhere");
    world.delete(&format!("{path}?app_id=other")).await.assert_refused(404, "IOTDA.014204", PRODUCT);
    world.put(&path, &json!({"app_id": "other"})).await.assert_refused(404, "IOTDA.014204", PRODUCT);
    world.get("/products?app_id=nowhere").await.assert_refused(403, "IOTDA.001000", "nowhere");
}

#[tokio::test]
async fn a_product_with_packages_stays() {
    let world = World::with_example(Settings::default()).await;
    world.post(PACKAGES, &new_package()).await.assert_status(201);
    world.delete(&format!("/products/{PRODUCT}")).await.assert_refused(400, "IOTDA.000006", "in use");
}

#[tokio::test]
async fn a_product_of_another_door_is_shown_with_what_this_one_presumes() {
    let world = World::with_example(Settings::default()).await;
    let shown = world.get(&format!("/products/{PRODUCT}")).await;
    let expected = json!({
        "app_id": SPACE, "app_name": "space1", "product_id": PRODUCT, "name": "meter", "protocol_type": "MQTT",
        "data_format": "json", "service_capabilities": [], "create_time": "20261121T091741Z",
    });
    assert_eq!(shown.assert_status(200), &expected);
}
