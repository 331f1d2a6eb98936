//! What is made of packages beyond the seeds' examples.

use super::*;

#[tokio::test]
async fn a_package_is_shown_and_deleted_by_its_id() {
    let world = World::with_example(Settings::default()).await;
    let path = format!("{PACKAGES}/{}", world.post(PACKAGES, &new_package()).await.text("package_id"));
    assert_eq!(world.get(&path.to_uppercase().replace("/OTA-UPGRADES/PACKAGES", PACKAGES)).await.status, 200);
    let gone = world.delete(&path).await;
    assert_eq!((gone.status.as_u16(), &gone.body), (204, &Value::Null));
    world.get(&path).await.assert_refused(404, "IOTDA.019301", "package_id");
    world.delete(&path).await.assert_refused(404, "IOTDA.019301", "package_id");
    let listed = world.get(FIRMWARE_LIST).await;
    assert_eq!(listed.body, json!({"packages": [], "page": {"count": 0, "marker": null}}));
}

#[tokio::test]
async fn an_id_of_the_documents_longer_form_is_one_that_does_not_exist() {
    let world = World::new().await;
    let path = format!("{PACKAGES}/28f61af50fc9452aa0ed5ea25c3cc3d3");
    world.get(&path).await.assert_refused(404, "IOTDA.019301", "28f61af50fc9452aa0ed5ea25c3cc3d3");
    world.delete(&path).await.assert_refused(404, "IOTDA.019301", "28f61af50fc9452aa0ed5ea25c3cc3d3");
    world.get(&format!("{PACKAGES}/a_b")).await.assert_refused(400, "IOTDA.000006", "package_id");
}

#[tokio::test]
async fn what_was_sent_of_the_signature_comes_back_as_it_was_sent() {
    let world = World::with_example(Settings::default()).await;
    for method in ["SHA-256", "SHA256"] {
        let body = with(new_package(), "/file_location/obs_location/sign_method", json!(method));
        let body = with(body, "/file_location/obs_location/sign", json!("Z".repeat(64)));
        let reply = world.post(PACKAGES, &body).await;
        let location = &reply.assert_status(201)["file_location"]["obs_location"];
        assert_eq!((&location["sign_method"], &location["sign"]), (&json!(method), &json!("Z".repeat(64))));
        let members: Vec<_> = location.as_object().unwrap().keys().collect();
        assert_eq!(members, ["region_name", "bucket_name", "object_key", "sign_method", "sign"]);
    }
}

#[tokio::test]
async fn a_wrong_sign_makes_a_package_that_is_listed_and_never_offered() {
    let world = World::with_example(Settings::default()).await;
    let reply = world.post(PACKAGES, &new_package()).await;
    reply.assert_status(201);
    let package = world.app.show_package(&world.admin, &reply.text("package_id").parse().unwrap()).await.unwrap();
    assert_eq!(package.integrity, otaru_model::Integrity::Failed);
    assert!(package.integrity_note.unwrap().contains(SIGN));

    let sha256 = package.files[0].sha256.unwrap().to_string().to_uppercase();
    let right = with(new_package(), "/file_location/obs_location/sign", json!(sha256));
    let reply = world.post(PACKAGES, &right).await;
    let package = world.app.show_package(&world.admin, &reply.text("package_id").parse().unwrap()).await.unwrap();
    assert_eq!(package.integrity, otaru_model::Integrity::Ready, "hexadecimal digits are right in either case");
}

#[tokio::test]
async fn a_wrong_sign_can_be_refused_by_setting() {
    let world = World::with_example(Settings { refuse_wrong_sign: true, ..Settings::default() }).await;
    let refused = world.post(PACKAGES, &new_package()).await;
    refused.assert_refused(400, "IOTDA.019306", "file_location.obs_location.sign");
    let unsigned = without(new_package(), "/file_location/obs_location/sign");
    world.post(PACKAGES, &unsigned).await.assert_status(201);
    assert_eq!(world.get(FIRMWARE_LIST).await.body["page"]["count"], 1);
}

#[tokio::test]
async fn the_same_version_may_come_twice() {
    let world = World::with_example(Settings::default()).await;
    let first = world.post(PACKAGES, &new_package()).await.text("package_id");
    let second = world.post(PACKAGES, &new_package()).await.text("package_id");
    assert!(second > first);
}

#[tokio::test]
async fn a_package_of_a_module_needs_the_module() {
    let world = World::with_example(Settings::default()).await;
    let of_module = with(new_package(), "/package_type", json!("modulePackage"));
    world.post(PACKAGES, &of_module).await.assert_refused(400, "IOTDA.000006", "module_name is missing");
    let named = with(of_module, "/module_name", json!("bms"));
    world.post(PACKAGES, &named).await.assert_refused(400, "IOTDA.000006", "module_name");
    let module = json!({"app_id": SPACE, "product_id": PRODUCT, "module_name": "bms"});
    world.post(MODULES, &module).await.assert_status(201);
    let made = world.post(PACKAGES, &named).await;
    assert_eq!(made.assert_status(201)["module_name"], "bms");
    let listed = world.get(&format!("{PACKAGES}?package_type=modulePackage")).await;
    assert_eq!(listed.body["packages"][0]["module_name"], "bms");

    for built_in in ["firmware", "Software"] {
        let wrong = with(named.clone(), "/module_name", json!(built_in));
        world.post(PACKAGES, &wrong).await.assert_refused(400, "IOTDA.000006", "module_name");
    }
    let misplaced = with(new_package(), "/module_name", json!("bms"));
    world.post(PACKAGES, &misplaced).await.assert_refused(400, "IOTDA.000006", "module_name");
}

#[tokio::test]
async fn what_a_body_names_must_exist() {
    let world = World::with_example(Settings::default()).await;
    world.app.create_space(&world.admin, "other", Some("other")).await.unwrap();
    world.app.create_bucket(&world.admin, "empty", "").await.unwrap();
    let cases = [
        ("/app_id", "nowhere", 403, "IOTDA.001000", "nowhere"),
        ("/app_id", "other", 400, "IOTDA.000006", "product_id"),
        ("/product_id", "nothing", 400, "IOTDA.000006", "product_id nothing"),
        ("/file_location/obs_location/object_key", "no.bin", 400, "IOTDA.019306", "no.bin in the bucket abc"),
        ("/file_location/obs_location/bucket_name", "empty", 400, "IOTDA.019306", "upgrade.bin in the bucket empty"),
        ("/file_location/obs_location/bucket_name", "none", 400, "IOTDA.019306", "upgrade.bin in the bucket none"),
        ("/file_location/obs_location/object_key", "a.txt", 400, "IOTDA.019305", "obs_location.object_key"),
    ];
    for (pointer, value, status, code, field) in cases {
        let body = with(new_package(), pointer, json!(value));
        world.post(PACKAGES, &body).await.assert_refused(status, code, field);
    }
    assert_eq!(world.get(FIRMWARE_LIST).await.body["page"]["count"], 0, "nothing was made");
}

#[tokio::test]
async fn an_object_over_the_limit_is_no_package() {
    let world = World::with_example(Settings { max_object_bytes: 18, ..Settings::default() }).await;
    let body = without(new_package(), "/file_location/obs_location/sign");
    world.post(PACKAGES, &body).await.assert_status(201);
    world.object("abc", "bbb/upgrade.bin", b"one byte too much..").await;
    world.post(PACKAGES, &body).await.assert_refused(400, "IOTDA.019305", "18 bytes");
}

#[tokio::test]
async fn mandatory_members_are_mandatory() {
    let world = World::with_example(Settings::default()).await;
    let location = "/file_location/obs_location";
    let mandatory = ["/app_id", "/package_type", "/product_id", "/version", "/file_location", location]
        .map(str::to_owned)
        .into_iter()
        .chain(["region_name", "bucket_name", "object_key"].map(|name| format!("{location}/{name}")));
    for pointer in mandatory {
        let field = pointer[1..].replace('/', ".");
        world.post(PACKAGES, &without(new_package(), &pointer)).await.assert_refused(400, "IOTDA.000006", &field);
        for wrong in [json!(null), json!(7), json!([]), json!("")] {
            let reply = world.post(PACKAGES, &with(new_package(), &pointer, wrong)).await;
            reply.assert_refused(400, "IOTDA.000006", &field);
        }
    }
}

#[tokio::test]
async fn optional_members_may_be_absent_but_not_null() {
    let world = World::with_example(Settings::default()).await;
    for pointer in ["/support_source_versions", "/description", "/custom_info", "/file_location/obs_location/sign"] {
        let field = pointer[1..].replace('/', ".");
        world.post(PACKAGES, &without(new_package(), pointer)).await.assert_status(201);
        for wrong in [json!(null), json!(7), json!({})] {
            let reply = world.post(PACKAGES, &with(new_package(), pointer, wrong)).await;
            reply.assert_refused(400, "IOTDA.000006", &field);
        }
    }
    let wrong_member = with(new_package(), "/support_source_versions", json!(["V1", null]));
    world.post(PACKAGES, &wrong_member).await.assert_refused(400, "IOTDA.000006", "support_source_versions[1]");
    let any_source = with(new_package(), "/support_source_versions", json!([]));
    world.post(PACKAGES, &any_source).await.assert_status(201);
    let extra = with(new_package(), "/task_ext_info", json!({"unknown": [null, 1.5, {"a": "\0"}]}));
    world.post(PACKAGES, &extra).await.assert_status(201);
}

#[tokio::test]
async fn a_body_must_be_one_json_object() {
    let world = World::with_example(Settings::default()).await;
    let good = new_package().to_string();
    let doubled = good.replacen("{\"app_id\"", "{\"app_id\":\"x\",\"app_id\"", 1);
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(500), "]".repeat(500));
    let huge = format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20));
    let wrong: [Vec<u8>; 8] = [
        Vec::new(),
        b"[]".to_vec(),
        b"app_id=1".to_vec(),
        good.as_bytes()[..good.len() - 1].to_vec(),
        doubled.into_bytes(),
        deep.into_bytes(),
        b"{\"app_id\":\"\xff\xfe\"}".to_vec(),
        huge.into_bytes(),
    ];
    for body in wrong {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let reply = world.send(world.request(Method::POST, PACKAGES, body.into())).await;
        assert_eq!(reply.refusal().1, "IOTDA.000008", "{shown}");
    }
    let mut multipart = world.request(Method::POST, PACKAGES, good.clone().into());
    header(&mut multipart, "content-type", "multipart/form-data; boundary=x");
    world.send(multipart).await.assert_refused(400, "IOTDA.000008", "Content-Type");
    for fine in ["application/json;charset=utf-8", "application/json;charset=UTF-8", "application/json"] {
        let mut request = world.request(Method::POST, PACKAGES, format!("{good}\n").into());
        header(&mut request, "content-type", fine);
        world.send(request).await.assert_status(201);
    }
}

#[tokio::test]
async fn lists_filter_by_space_product_type_and_version() {
    let world = World::with_example(Settings::default()).await;
    world.product(SPACE, "other").await;
    world.app.create_space(&world.admin, "empty", Some("empty")).await.unwrap();
    for (product, kind, version) in [
        (PRODUCT, "firmwarePackage", "V1"),
        (PRODUCT, "softwarePackage", "V1"),
        (PRODUCT, "firmwarePackage", "V2"),
        ("other", "firmwarePackage", "V1"),
    ] {
        let body = with(with(new_package(), "/package_type", json!(kind)), "/version", json!(version));
        world.post(PACKAGES, &with(body, "/product_id", json!(product))).await.assert_status(201);
    }
    let count = async |filter: &str| {
        let reply = world.get(&format!("{PACKAGES}?{filter}")).await;
        let answer = reply.assert_status(200);
        assert_eq!(answer["page"]["count"], answer["packages"].as_array().unwrap().len(), "{filter}");
        answer["page"]["count"].as_u64().unwrap()
    };
    assert_eq!(count("package_type=firmwarePackage").await, 3);
    assert_eq!(count("package_type=softwarePackage").await, 1);
    assert_eq!(count("package_type=modulePackage").await, 0);
    assert_eq!(count(&format!("package_type=firmwarePackage&app_id={SPACE}")).await, 3);
    assert_eq!(count("package_type=firmwarePackage&app_id=empty").await, 0);
    assert_eq!(count("package_type=firmwarePackage&product_id=other").await, 1);
    assert_eq!(count("package_type=firmwarePackage&product_id=unknown").await, 0);
    assert_eq!(count("package_type=firmwarePackage&app_id=empty&product_id=other").await, 0);
    assert_eq!(count("package_type=firmwarePackage&version=V1").await, 2);
    assert_eq!(count("package_type=firmwarePackage&version=v1").await, 0, "versions are exact");
    assert_eq!(count("package_type=firmwarePackage&unknown=%ff&unknown=").await, 3, "what is unknown is ignored");
    let reply = world.get(&format!("{FIRMWARE_LIST}&app_id=nowhere")).await;
    reply.assert_refused(403, "IOTDA.001000", "nowhere");
}

#[tokio::test]
async fn a_known_parameter_is_sent_once_and_with_a_value() {
    let world = World::with_example(Settings::default()).await;
    for (name, value, code) in [
        ("app_id", SPACE, "IOTDA.000006"),
        ("package_type", "firmwarePackage", "IOTDA.000006"),
        ("product_id", PRODUCT, "IOTDA.000006"),
        ("version", "V1", "IOTDA.000006"),
        ("limit", "10", "IOTDA.000017"),
        ("marker", "ffffffffffffffffffffffff", "IOTDA.000018"),
        ("offset", "0", "IOTDA.000018"),
    ] {
        let others = if name == "package_type" { "" } else { "&package_type=firmwarePackage" };
        world.get(&format!("{PACKAGES}?{name}={value}{others}")).await.assert_status(200);
        let twice = world.get(&format!("{PACKAGES}?{name}={value}&{name}={value}{others}")).await;
        twice.assert_refused(400, code, name);
        for empty in [format!("{name}="), name.to_owned(), format!("{name}=%ff"), format!("{name}=%00")] {
            let reply = world.get(&format!("{PACKAGES}?{empty}{others}")).await;
            reply.assert_refused(400, code, name);
        }
    }
}

#[tokio::test]
async fn a_package_of_another_door_is_listed_with_what_can_be_said_of_it() {
    let world = World::with_example(Settings::default()).await;
    let new = app::NewPackage {
        space_code: None,
        product: app::ProductRef::Code(PRODUCT.to_owned()),
        module: otaru_model::ModuleName::software(),
        version: "1.0 (beta)".to_owned(),
        name: Some("a name".to_owned()),
        description: None,
        custom_info: None,
        kind: otaru_model::PackageKind::Full,
        source_versions: Vec::new(),
        verification: otaru_model::Verification::Unverified,
        device_kind: otaru_model::DeviceKind::default(),
        extra: serde_json::Map::new(),
        door: "test",
        files: vec![app::NewFile {
            source: app::FileSource::Object {
                region: String::new(),
                bucket: "abc".to_owned(),
                key: "bbb/upgrade.bin".to_owned(),
            },
            name: None,
            declared_bytes: None,
            declared_md5: None,
            declared_sign: None,
        }],
        rules: app::CreationRules {
            claims: Vec::new(),
            max_packages: None,
            max_file_bytes: 1 << 20,
            refuse_wrong_bytes: false,
        },
    };
    let made = world.app.create_package(&world.admin, new).await.unwrap();
    let shown = world.get(&format!("{PACKAGES}/{}", made.id)).await;
    let expected = json!({
        "package_id": made.id, "app_id": SPACE, "package_type": "softwarePackage", "product_id": PRODUCT,
        "product_name": "meter", "version": "1.0 (beta)", "create_time": "20261121T091741Z",
    });
    assert_eq!(shown.assert_status(200), &expected);
    let listed = world.get(&format!("{PACKAGES}?package_type=softwarePackage")).await;
    assert_eq!(listed.body["packages"], json!([expected]));
}
