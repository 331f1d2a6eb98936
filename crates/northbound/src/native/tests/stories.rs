//! What a firmware team does, told from one end to the other.

use axum::body::Body;
use serde_json::{Value, json};

use super::Town;

/// SHA-256 of `a lamp's firmware`.
const SHA256: &str = "8f4992031e64f32bfb8fc9b72f46a711cc4de1c13707a0159fe0e529633eb8cc";

#[tokio::test]
async fn from_an_empty_server_to_a_link_that_devices_fetch() {
    let town = Town::new().await;
    let tenant = town.get("/tenant").await.expect(200);
    assert_eq!(tenant.text("name"), "DEFAULT");
    assert_eq!(tenant.text("id").len(), 24);

    let space = town.call("POST", "/spaces", json!({ "name": "Europe", "code": "eu" })).await.expect(201);
    assert_eq!(space.json["is_default"], json!(false));
    let product = json!({ "name": "lamp", "code": "LAMP-1", "key": "a1lampLAMP1", "space": "eu", "model": "L1", "manufacturer": "Moth" });
    let product = town.call("POST", "/products", product).await.expect(201);
    assert_eq!((product.text("code"), product.text("key")), ("LAMP-1".to_owned(), "a1lampLAMP1".to_owned()));
    let module = json!({ "name": "Radio", "alias": "the radio" });
    town.call("POST", "/products/LAMP-1/modules", module).await.expect(201);

    let upload = town.upload(b"a lamp's firmware").await;
    let uploaded = town.get(&format!("/uploads/{upload}")).await.expect(200);
    assert_eq!(uploaded.json["is_complete"], json!(true));
    let new = json!({
        "product": "LAMP-1", "module": "radio", "version": "1.2.0", "description": "Shines brighter.",
        "source_versions": ["1.0.0", "1.1.0"], "date": "spring 2026",
        "files": [{ "upload": upload, "sha256": uploaded.text("sha256"), "size_bytes": 17 }],
    });
    let package = town.call("POST", "/packages", new).await.expect(201);
    assert_eq!(package.text("module"), "Radio", "as the product spells it");
    assert_eq!(package.text("name"), "Radio-1.2.0");
    assert_eq!((package.text("model"), package.text("manufacturer")), ("L1".to_owned(), "Moth".to_owned()));
    assert_eq!((package.text("integrity"), package.text("space")), ("ready".to_owned(), "eu".to_owned()));
    assert_eq!(package.json["files"][0]["name"], json!("lamp.bin"));
    assert_eq!(package.json["files"][0]["sha256"], json!(SHA256));
    town.get(&format!("/uploads/{upload}")).await.expect(404);

    let path = format!("/packages/{}", package.text("id"));
    let checked = town.call("POST", &format!("{path}/verify"), Value::Null).await.expect(200);
    assert_eq!(checked.json["is_intact"], json!(true));
    let links = town.call("POST", &format!("{path}/link"), Value::Null).await.expect(200);
    let url = links.json["files"][0]["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with(&format!("http://127.0.0.1:8080/ota/{}/0/lamp.bin?", package.text("id"))), "{url}");

    let changed = json!({ "name": "Bright", "description": null });
    let changed = town.call("PATCH", &path, changed).await.expect(200);
    assert_eq!((changed.text("name"), &changed.json["description"]), ("Bright".to_owned(), &Value::Null));
    let back = town.call("PATCH", &path, json!({ "name": null })).await.expect(200);
    assert_eq!(back.text("name"), "Radio-1.2.0");

    let refused = town.call("DELETE", "/products/LAMP-1", Value::Null).await;
    assert_eq!(refused.problem(), (409, "in_use", ""));
    let refused = town.call("DELETE", "/products/LAMP-1/modules/radio", Value::Null).await;
    assert_eq!(refused.problem(), (409, "in_use", ""));
    town.call("DELETE", &path, Value::Null).await.expect(204);
    town.get(&path).await.expect(404);
    town.call("DELETE", "/products/LAMP-1/modules/radio", Value::Null).await.expect(204);
    town.call("DELETE", "/products/LAMP-1", Value::Null).await.expect(204);
    town.call("DELETE", "/spaces/eu", Value::Null).await.expect(204);
}

#[tokio::test]
async fn a_push_is_one_request() {
    let town = Town::new().await;
    town.product("lamp").await;
    let query = "product=lamp&version=2&file_name=lamp%20v2.bin&kind=delta&source_versions=1&source_versions=1.5";
    let request = town.request(&town.admin, "POST", &format!("/packages/push?{query}"));
    let package = town.raw(request.body(Body::from("bytes")).unwrap()).await.expect(201);
    assert_eq!(package.json["files"][0]["name"], json!("lamp v2.bin"));
    assert_eq!(package.json["source_versions"], json!(["1", "1.5"]));
    assert_eq!((package.text("kind"), package.text("module")), ("delta".to_owned(), "firmware".to_owned()));
}

#[tokio::test]
async fn a_push_that_is_refused_leaves_nothing() {
    let town = Town::new().await;
    town.product("lamp").await;
    let wrong = "0".repeat(64);
    let pushes = [
        (format!("product=lamp&version=1&sha256={wrong}"), Body::from("bytes"), (422, "wrong_bytes", "")),
        ("product=lamp&version=1".to_owned(), super::broken(b"half a f".to_vec()), (400, "malformed", "body")),
        ("product=lamp&version=1".to_owned(), Body::empty(), (400, "invalid", "body")),
        ("product=none&version=1".to_owned(), Body::from("bytes"), (404, "not_found", "product")),
        ("product=lamp&version=1&module=none".to_owned(), Body::from("bytes"), (404, "not_found", "module")),
        ("product=lamp&version=1&space=other".to_owned(), Body::from("bytes"), (404, "not_found", "space")),
        ("product=lamp&version=1".to_owned(), Body::from(vec![1; 100_001]), (413, "too_large", "")),
    ];
    for (query, body, problem) in pushes {
        let request = town.request(&town.admin, "POST", &format!("/packages/push?{query}")).body(body).unwrap();
        assert_eq!(town.raw(request).await.problem(), problem, "{query}");
        assert_eq!(town.get("/packages").await.json["total"], json!(0), "{query}");
        assert_eq!(town.count_files("staging"), 0, "{query}");
    }
    town.clock.advance(100 * 86_400_000);
    assert_eq!(town.app.sweep().await.unwrap().uploads, 0, "there is no record left to sweep");
}

#[tokio::test]
async fn keys_are_made_replaced_and_revoked() {
    let town = Town::new().await;
    let made = json!({ "role": "publisher", "label": "the build", "expires": "2030-01-01T00:00:00+01:00" });
    let made = town.call("POST", "/keys", made).await.expect(201);
    assert_eq!(made.text("expires"), "2029-12-31T23:00:00.000Z");
    let old = super::Key { id: made.text("id"), secret: made.text("secret") };
    let shown = town.get(&format!("/keys/{}", old.id)).await.expect(200);
    assert!(shown.json.get("secret").is_none());
    assert_eq!((shown.text("label"), &shown.json["is_active"]), ("the build".to_owned(), &json!(true)));

    let new = town.call("POST", &format!("/keys/{}/rotate", old.id), json!({ "grace_s": 60 })).await.expect(201);
    assert_eq!(new.text("role"), "publisher");
    let new = super::Key { id: new.text("id"), secret: new.text("secret") };
    town.call_as(&old, "GET", "/tenant", Value::Null).await.expect(200);
    town.clock.advance(60_000);
    town.call_as(&old, "GET", "/tenant", Value::Null).await.expect(401);
    town.call_as(&new, "GET", "/tenant", Value::Null).await.expect(200);

    let path = format!("/keys/{}", new.id);
    let ended = town.call("PATCH", &path, json!({ "expires": "2027-01-01T00:00:00Z" })).await.expect(200);
    assert_eq!(ended.text("expires"), "2027-01-01T00:00:00.000Z");
    let later = town.call("PATCH", &path, json!({ "expires": "2028-01-01T00:00:00Z" })).await;
    assert_eq!(later.problem(), (409, "in_use", "expires"));
    town.call("DELETE", &path, Value::Null).await.expect(204);
    town.call_as(&new, "GET", "/tenant", Value::Null).await.expect(401);
    assert_eq!(town.get(&path).await.expect(200).json["is_active"], json!(false));
}

#[tokio::test]
async fn a_temporary_key_signs_for_its_maker_and_never_has_more_rights() {
    let town = Town::new().await;
    let viewer = town.key("viewer").await;
    let made = town.call_as(&viewer, "POST", "/temporary_keys", json!({ "lifetime_s": 60 })).await.expect(201);
    let credential =
        town.app.temporary_credential(&made.text("access_key_id"), &made.text("security_token")).await.unwrap();
    assert!(credential.secret.is(&made.text("secret_access_key")));
    assert_eq!(credential.caller.role.name(), "viewer");
    let refused = town.call_as(&viewer, "POST", "/temporary_keys", json!({ "role": "admin" })).await;
    assert_eq!(refused.problem(), (403, "forbidden", ""));
    town.call("POST", "/temporary_keys", json!({ "role": "viewer" })).await.expect(201);
}

#[tokio::test]
async fn built_in_modules_are_listed_marked_and_stay() {
    let town = Town::new().await;
    town.product("lamp").await;
    let modules = town.get("/products/lamp/modules").await.expect(200);
    assert_eq!(modules.json["items"][0]["name"], json!("firmware"));
    assert_eq!(modules.json["items"][1]["is_built_in"], json!(true));
    let path = "/products/lamp/modules/software";
    assert_eq!(town.get(path).await.expect(200).text("kind"), "software");
    assert_eq!(town.call("PATCH", path, json!({ "alias": "x" })).await.problem(), (409, "in_use", ""));
    assert_eq!(town.call("DELETE", path, Value::Null).await.problem(), (409, "in_use", ""));
    let again = town.call("POST", "/products/lamp/modules", json!({ "name": "Firmware" })).await;
    assert_eq!(again.problem(), (409, "exists", ""));
}

#[tokio::test]
async fn the_server_tells_its_administrator_how_it_is() {
    let town = Town::new().await;
    let server = town.get("/server").await.expect(200);
    assert_eq!(server.text("version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(server.text("time"), "2026-02-25T06:13:20.000Z");
    assert_eq!(server.json["store"], json!({ "is_ready": true, "problem": null }));
    assert_eq!(server.json["blobs"]["is_writable"], json!(true));
    assert!(server.json["blobs"]["free_bytes"].as_u64().unwrap() > 0);
    assert_eq!(server.json["max_file_bytes"], json!(super::MAX_FILE_BYTES));
}

#[tokio::test]
async fn stored_bytes_that_changed_are_found_by_a_verification() {
    let town = Town::new().await;
    town.product("lamp").await;
    let package = town.package("lamp", "1").await;
    let sha256 = package.json["files"][0]["sha256"].as_str().unwrap().to_owned();
    let mut stored = Vec::new();
    find(&town.folder.path().join("blobs"), &sha256, &mut stored);
    let [stored] = stored.as_slice() else { panic!("the bytes are stored once, under their digest: {stored:?}") };
    let mut permissions = std::fs::metadata(stored).unwrap().permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "a file of the test's own folder")]
    permissions.set_readonly(false);
    std::fs::set_permissions(stored, permissions).unwrap();
    std::fs::write(stored, b"b lamp's firmware").unwrap();
    let path = format!("/packages/{}/verify", package.text("id"));
    let checked = town.call("POST", &path, Value::Null).await.expect(200);
    assert_eq!(checked.json["is_intact"], json!(false));
    assert!(checked.json["files"][0]["problem"].as_str().unwrap().contains("not those that were uploaded"));
}

fn find(folder: &std::path::Path, digest: &str, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            find(&path, digest, found);
        } else if digest.ends_with(&*entry.file_name().to_string_lossy()) {
            found.push(path);
        }
    }
}
