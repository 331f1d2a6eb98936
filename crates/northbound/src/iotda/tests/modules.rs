//! OTA modules.

use super::*;

fn new_module() -> Value {
    json!({"app_id": SPACE, "product_id": PRODUCT, "module_name": "bms", "alias_name": "电池", "description": "d"})
}

#[tokio::test]
async fn a_module_is_made_shown_listed_changed_and_deleted() {
    let world = World::with_example(Settings::default()).await;
    let made = world.post(MODULES, &new_module()).await;
    let module_id = made.text("module_id");
    let expected = json!({
        "module_id": module_id, "app_id": SPACE, "product_id": PRODUCT, "product_name": "meter", "module_name": "bms",
        "alias_name": "电池", "description": "d", "create_time": "20261121T091741Z",
    });
    assert_eq!(made.assert_status(201).to_string(), expected.to_string());
    let path = format!("{MODULES}/{module_id}");
    assert_eq!(world.get(&path).await.assert_status(200), &expected);
    let listed = world.get(&format!("{MODULES}?app_id={SPACE}&product_id={PRODUCT}")).await;
    assert_eq!(listed.body, json!({"modules": [expected], "page": {"count": 1, "marker": module_id}}));

    let changed = world.put(&path, &json!({"alias_name": "x"})).await;
    assert_eq!(changed.assert_status(200), &with(expected, "/alias_name", json!("x")));
    let renamed = world.put(&path, &json!({"module_name": "other", "description": "y"})).await;
    assert_eq!(renamed.assert_status(200)["module_name"], "bms", "a name is for good");
    assert_eq!(renamed.body["description"], "y");

    assert_eq!(world.delete(&path).await.status, 204);
    for missing in [world.get(&path).await, world.put(&path, &json!({})).await, world.delete(&path).await] {
        missing.assert_refused(404, "IOTDA.019321", &module_id);
    }
}

#[tokio::test]
async fn a_modules_name_is_unique_in_its_product() {
    let world = World::with_example(Settings::default()).await;
    world.product(SPACE, "other").await;
    world.post(MODULES, &new_module()).await.assert_status(201);
    world.post(MODULES, &with(new_module(), "/product_id", json!("other"))).await.assert_status(201);
    for taken in ["bms", "BMS", "firmware", "software"] {
        let body = with(new_module(), "/module_name", json!(taken));
        world.post(MODULES, &body).await.assert_refused(400, "IOTDA.000006", "module_name");
    }
}

#[tokio::test]
async fn what_a_module_is_of_must_exist() {
    let world = World::with_example(Settings::default()).await;
    let nowhere = with(new_module(), "/app_id", json!("nowhere"));
    world.post(MODULES, &nowhere).await.assert_refused(403, "IOTDA.001000", "nowhere");
    let nothing = with(new_module(), "/product_id", json!("nothing"));
    world.post(MODULES, &nothing).await.assert_refused(400, "IOTDA.000006", "product_id");
    for name in ["app_id", "product_id", "module_name"] {
        let body = without(new_module(), &format!("/{name}"));
        world.post(MODULES, &body).await.assert_refused(400, "IOTDA.000006", name);
    }
    world.get(MODULES).await.assert_refused(400, "IOTDA.000006", "app_id");
    world.get(&format!("{MODULES}?app_id=nowhere")).await.assert_refused(403, "IOTDA.001000", "nowhere");
}

#[tokio::test]
async fn a_module_with_packages_stays() {
    let world = World::with_example(Settings::default()).await;
    let path = format!("{MODULES}/{}", world.post(MODULES, &new_module()).await.text("module_id"));
    let body = with(with(new_package(), "/package_type", json!("modulePackage")), "/module_name", json!("bms"));
    let package = world.post(PACKAGES, &body).await.text("package_id");
    world.delete(&path).await.assert_refused(400, "IOTDA.000006", "bms is in use");
    world.delete(&format!("{PACKAGES}/{package}")).await.assert_status(204);
    assert_eq!(world.delete(&path).await.status, 204);
}
