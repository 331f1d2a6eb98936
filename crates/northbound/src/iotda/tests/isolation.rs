//! Tenants: what is one's is none of another's business, whatever is asked in whichever way.

use super::*;

/// A second tenant's administrator, and a way to ask as them.
struct Other {
    caller: Caller,
    tenant: Tenant,
    token: String,
}

impl Other {
    async fn of(world: &World) -> Other {
        let (tenant, key) = world.app.create_tenant(&world.admin, "harbour").await.unwrap();
        let caller = world.app.credential(&key.key.id).await.unwrap().caller;
        let token = token_for(&world.app, &caller);
        Other { caller, tenant, token }
    }

    async fn ask(&self, world: &World, method: Method, project: &str, path: &str, body: Value) -> Reply {
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = Request::builder()
            .method(method)
            .uri(format!("/v5/iot/{project}{path}"))
            .header("X-Auth-Token", &self.token)
            .body(body);
        world.send(request.unwrap()).await
    }
}

#[tokio::test]
async fn a_project_is_named_by_its_id_the_tenants_id_or_its_name() {
    let projects = [("00000000000000000000000000000abc".to_owned(), "default".to_owned())].into();
    let world = World::with(Settings { projects, ..Settings::default() }).await;
    let other = Other::of(&world).await;
    for right in ["harbour", "HARBOUR", &other.tenant.id.to_string(), &project_id(&other.tenant.id)] {
        other.ask(&world, Method::GET, right, "/apps", Value::Null).await.assert_status(200);
    }
    let brought = "00000000000000000000000000000abc";
    for wrong in ["DEFAULT", &world.project(), &world.tenant.id.to_string(), brought, "nobody", "0123456789abcdef"] {
        let reply = other.ask(&world, Method::GET, wrong, "/apps", Value::Null).await;
        reply.assert_refused(403, "IOTDA.000021", "project");
    }
    let mut request = world.request(Method::GET, "/apps", Body::empty());
    *request.uri_mut() = format!("/v5/iot/{brought}/apps").parse().unwrap();
    world.send(request).await.assert_status(200);
}

#[tokio::test]
async fn the_placeholder_of_a_client_without_a_project_is_told_what_is_missing() {
    let world = World::new().await;
    let mut request = world.request(Method::GET, "", Body::empty());
    *request.uri_mut() = "/v5/iot/%7Bproject_id%7D/ota-upgrades/packages".parse().unwrap();
    world.send(request).await.assert_refused(400, "IOTDA.000006", "placeholder {project_id}");
}

#[tokio::test]
async fn nothing_of_one_tenant_is_seen_changed_or_used_by_another() {
    let world = World::with_example(Settings::default()).await;
    let module = json!({"app_id": SPACE, "product_id": PRODUCT, "module_name": "bms"});
    let module = world.post(MODULES, &module).await.text("module_id");
    let package = world.post(PACKAGES, &new_package()).await.text("package_id");
    let other = Other::of(&world).await;
    let ask = async |method, path: &str, body| other.ask(&world, method, "harbour", path, body).await;

    for (path, status) in [
        (format!("{PACKAGES}/{package}"), 404),
        (format!("{MODULES}/{module}"), 404),
        (format!("/products/{PRODUCT}"), 404),
        (format!("/apps/{SPACE}"), 403),
    ] {
        assert_eq!(ask(Method::GET, &path, Value::Null).await.status.as_u16(), status, "{path}");
        assert_eq!(ask(Method::DELETE, &path, Value::Null).await.status.as_u16(), status, "{path}");
        if !path.starts_with(PACKAGES) {
            let change = json!({"app_name": "taken over", "name": "taken over", "alias_name": "taken"});
            assert_eq!(ask(Method::PUT, &path, change).await.status.as_u16(), status, "{path}");
        }
        world.get(&path).await.assert_status(200);
    }
    assert_eq!(ask(Method::GET, FIRMWARE_LIST, Value::Null).await.body["page"]["count"], 0);
    assert_eq!(ask(Method::GET, "/products", Value::Null).await.body["page"]["count"], 0);
    assert_eq!(ask(Method::GET, "/apps", Value::Null).await.body["applications"].as_array().unwrap().len(), 1);
    let foreign_space = ask(Method::POST, PACKAGES, new_package()).await;
    foreign_space.assert_refused(403, "IOTDA.001000", SPACE);
    let listed = ask(Method::GET, &format!("{FIRMWARE_LIST}&app_id={SPACE}"), Value::Null).await;
    listed.assert_refused(403, "IOTDA.001000", SPACE);

    // The same ids are free for the other tenant, but the first one's bucket is not theirs.
    world.app.create_space(&other.caller, "space1", Some(SPACE)).await.unwrap();
    let product = with(new_product(), "/product_id", json!(PRODUCT));
    ask(Method::POST, "/products", product).await.assert_status(201);
    let foreign_bucket = ask(Method::POST, PACKAGES, new_package()).await;
    foreign_bucket.assert_refused(400, "IOTDA.019306", "bbb/upgrade.bin in the bucket abc");
    world.object_of(&other.caller, "abc", "bbb/upgrade.bin", b"another firmware").await;
    ask(Method::POST, PACKAGES, new_package()).await.assert_status(201);
    assert_eq!(world.get(FIRMWARE_LIST).await.body["packages"][0]["package_id"], package.as_str());
    assert_eq!(world.get(FIRMWARE_LIST).await.body["page"]["count"], 1);
}

/// An older page's marker may be any id, also one of another tenant's record: it says where, not whose.
#[tokio::test]
async fn a_marker_of_another_tenant_shows_nothing_of_theirs() {
    let world = World::with_example(Settings::default()).await;
    let package = world.post(PACKAGES, &new_package()).await.text("package_id");
    let other = Other::of(&world).await;
    let path = format!("{FIRMWARE_LIST}&marker={package}&offset=0&limit=50");
    let reply = other.ask(&world, Method::GET, "harbour", &path, Value::Null).await;
    assert_eq!(reply.body, json!({"packages": [], "page": {"count": 0, "marker": null}}));
}
