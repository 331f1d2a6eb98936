//! Resource spaces.

use super::*;

#[tokio::test]
async fn every_project_has_a_default_space() {
    let world = World::new().await;
    let listed = world.get("/apps?default_app=true").await;
    let spaces = listed.assert_status(200)["applications"].as_array().unwrap();
    assert_eq!(spaces.len(), 1);
    assert_eq!(spaces[0]["default_app"], true);
    assert_eq!(world.get("/apps?default_app=false").await.body, json!({"applications": []}));
    world.get("/apps?default_app=yes").await.assert_refused(400, "IOTDA.000006", "default_app");
    let path = format!("/apps/{}", spaces[0]["app_id"].as_str().unwrap());
    world.delete(&path).await.assert_refused(400, "IOTDA.001001", "default");
}

#[tokio::test]
async fn a_space_is_made_shown_renamed_and_deleted() {
    let world = World::new().await;
    let made = world.post("/apps", &json!({"app_name": "space1"})).await;
    let app_id = made.text("app_id");
    let expected = json!({
        "app_id": app_id, "app_name": "space1", "create_time": "20261121T091741Z", "default_app": false,
    });
    assert_eq!(made.assert_status(201).to_string(), expected.to_string());
    let path = format!("/apps/{app_id}");
    assert_eq!(world.get(&path).await.assert_status(200), &expected);
    let renamed = world.put(&path, &json!({"app_name": "space2"})).await;
    assert_eq!(renamed.assert_status(200), &with(expected, "/app_name", json!("space2")));
    let listed = world.get("/apps").await;
    assert_eq!(listed.body["applications"].as_array().unwrap().len(), 2);
    assert_eq!(world.delete(&path).await.status, 204);
    // 403, not 404: one client tells by it that the space is gone.
    for gone in [world.get(&path).await, world.put(&path, &json!({"app_name": "x"})).await, world.delete(&path).await] {
        gone.assert_refused(403, "IOTDA.001000", &app_id);
    }
}

#[tokio::test]
async fn a_space_with_products_stays() {
    let world = World::with_example(Settings::default()).await;
    let path = format!("/apps/{SPACE}");
    world.delete(&path).await.assert_refused(400, "IOTDA.001001", "in use");
    world.delete(&format!("/products/{PRODUCT}")).await.assert_status(204);
    assert_eq!(world.delete(&path).await.status, 204);
}
