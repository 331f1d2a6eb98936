//! Who may do what: every operation with every role, and no way into another tenant.

use axum::body::Body;
use axum::http::Request;
use otaru_model::Role;
use serde_json::{Value, json};

use super::super::document::RIGHTS;
use super::{Key, Town};

/// A right request for each operation, each on things of its own: method, path, JSON body or none.
async fn sample(town: &Town, operation: &str) -> (&'static str, String, Value) {
    let none = Value::Null;
    let tag = format!("{operation}-{}", otaru_core::clock::random_text(6));
    let upload = || async { town.upload(b"bytes of a lamp").await };
    let product = || async {
        let made = town.call("POST", "/products", json!({ "name": tag })).await.expect(201);
        made.text("code")
    };
    let module = || async {
        let product = product().await;
        town.call("POST", &format!("/products/{product}/modules"), json!({ "name": "mcu" })).await.expect(201);
        format!("/products/{product}/modules/mcu")
    };
    let package = || async {
        let product = product().await;
        format!("/packages/{}", town.package(&product, "1").await.text("id"))
    };
    let space = || async {
        let made = town.call("POST", "/spaces", json!({ "name": "s" })).await.expect(201);
        format!("/spaces/{}", made.text("code"))
    };
    let key = || async { format!("/keys/{}", town.key("viewer").await.id) };
    match operation {
        "import_packages" => ("POST", "/packages/import".to_owned(), json!({ "product": "p", "version": "1" })),
        "show_document" => ("GET", "/openapi.json".to_owned(), none),
        "describe_uploads" => ("OPTIONS", "/uploads".to_owned(), none),
        "create_token" => ("POST", "/tokens".to_owned(), json!({})),
        "show_server" => ("GET", "/server".to_owned(), none),
        "show_own_tenant" => ("GET", "/tenant".to_owned(), none),
        "list_tenants" => ("GET", "/tenants".to_owned(), none),
        "create_tenant" => ("POST", "/tenants".to_owned(), json!({ "name": tag })),
        "list_keys" => ("GET", "/keys".to_owned(), none),
        "create_key" => ("POST", "/keys".to_owned(), json!({ "role": "viewer" })),
        "show_key" => ("GET", key().await, none),
        "update_key" => ("PATCH", key().await, json!({ "expires": "2030-01-01T00:00:00Z" })),
        "revoke_key" => ("DELETE", key().await, none),
        "rotate_key" => ("POST", format!("{}/rotate", key().await), json!({})),
        "create_temporary_key" => ("POST", "/temporary_keys".to_owned(), json!({})),
        "list_spaces" => ("GET", "/spaces".to_owned(), none),
        "create_space" => ("POST", "/spaces".to_owned(), json!({ "name": "s" })),
        "show_space" => ("GET", space().await, none),
        "update_space" => ("PATCH", space().await, json!({ "name": "t" })),
        "delete_space" => ("DELETE", space().await, none),
        "list_products" => ("GET", "/products".to_owned(), none),
        "create_product" => ("POST", "/products".to_owned(), json!({ "name": "p" })),
        "show_product" => ("GET", format!("/products/{}", product().await), none),
        "update_product" => ("PATCH", format!("/products/{}", product().await), json!({ "model": "m" })),
        "delete_product" => ("DELETE", format!("/products/{}", product().await), none),
        "list_modules" => ("GET", format!("/products/{}/modules", product().await), none),
        "create_module" => ("POST", format!("/products/{}/modules", product().await), json!({ "name": "mcu" })),
        "show_module" => ("GET", module().await, none),
        "update_module" => ("PATCH", module().await, json!({ "alias": "a" })),
        "delete_module" => ("DELETE", module().await, none),
        "create_upload" => ("POST", "/uploads".to_owned(), json!({ "these": "bytes are a file" })),
        "show_upload" => ("GET", format!("/uploads/{}", upload().await), none),
        "find_upload_offset" => ("HEAD", format!("/uploads/{}", upload().await), none),
        "append_upload" => ("PATCH", format!("/uploads/{}", upload().await), none),
        "override_method" => ("POST", format!("/uploads/{}", upload().await), none),
        "delete_upload" => ("DELETE", format!("/uploads/{}", upload().await), none),
        "list_packages" => ("GET", "/packages".to_owned(), none),
        "create_package" => {
            let files = json!([{ "upload": upload().await }]);
            ("POST", "/packages".to_owned(), json!({ "product": product().await, "version": "1", "files": files }))
        }
        "push_package" => {
            ("POST", format!("/packages/push?product={}&version=1", product().await), json!({ "a": "file" }))
        }
        "show_package" => ("GET", package().await, none),
        "update_package" => ("PATCH", package().await, json!({ "name": "n" })),
        "delete_package" => ("DELETE", package().await, none),
        "verify_package" => ("POST", format!("{}/verify", package().await), none),
        "link_package" => ("POST", format!("{}/link", package().await), none),
        unknown => panic!("there is no sample for {unknown}: write one"),
    }
}

#[tokio::test]
async fn each_role_may_do_what_its_rights_allow_and_nothing_else() {
    let town = Town::new().await;
    for (operation, right) in RIGHTS {
        for role in Role::ALL {
            let key = if role == Role::Admin { town.admin.clone() } else { town.key(role.name()).await };
            let (method, path, body) = sample(&town, operation).await;
            let reply = town.call_as(&key, method, &path, body).await;
            let may = right.is_none_or(|right| role.may(right));
            let name = format!("{operation} as {}: {reply:?}", role.name());
            if may {
                assert_ne!(reply.status, 403, "{name}");
                // The two that would have to be sent as tus pieces say so.
                // These want another kind of body, which is looked at after the right.
                let is_piece = matches!(*operation, "append_upload" | "override_method" | "import_packages");
                assert!(reply.status.is_success() || is_piece && matches!(reply.status.as_u16(), 405 | 415), "{name}");
            } else {
                assert_eq!(reply.status, 403, "{name}");
                if method != "HEAD" {
                    assert!(reply.text("detail").contains(right.unwrap().name()), "{name}");
                }
            }
        }
    }
}

#[tokio::test]
async fn nobody_gets_in_without_a_key_except_where_the_document_says_so() {
    let town = Town::new().await;
    for (operation, right) in RIGHTS {
        let (method, path, body) = sample(&town, operation).await;
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = Request::builder().method(method).uri(format!("/api/v1{path}")).body(body).unwrap();
        let reply = town.raw(request).await;
        assert_eq!(reply.status == 401, right.is_some(), "{operation}: {reply:?}");
        if reply.status == 401 {
            let schemes: Vec<_> = reply.headers.get_all("www-authenticate").iter().collect();
            assert_eq!(schemes, ["Basic realm=\"otaru\", charset=\"UTF-8\"", "Bearer realm=\"otaru\""]);
        }
    }
}

#[tokio::test]
async fn a_neighbour_finds_nothing_of_ours_by_any_operation() {
    let town = Town::new().await;
    let neighbour = town.neighbour().await;
    for (operation, right) in RIGHTS {
        let (method, path, body) = sample(&town, operation).await;
        // Those that name one of our things in path, query or body; the others speak of the neighbour's own.
        let is_import = *operation == "import_packages";
        let names_ours =
            path.matches('/').count() > 1 && right.is_some() && !is_import || *operation == "create_package";
        if !names_ours {
            continue;
        }
        let reply = town.call_as(&neighbour, method, &path, body).await;
        // These want another kind of body, which is looked at after the right.
        let is_piece = matches!(*operation, "append_upload" | "override_method" | "import_packages");
        assert!(
            reply.status == 404 || is_piece && matches!(reply.status.as_u16(), 405 | 415),
            "{operation}: {reply:?}"
        );
    }
    town.product("ours").await;
    town.package("ours", "1").await;
    for list in ["/products", "/packages", "/packages?product=ours"] {
        let reply = town.call_as(&neighbour, "GET", list, Value::Null).await.expect(200);
        assert_eq!(reply.json["total"], json!(0), "{list}");
    }
    assert_eq!(town.call_as(&neighbour, "GET", "/tenants", Value::Null).await.expect(200).json["total"], json!(1));
    assert_eq!(town.call_as(&neighbour, "GET", "/keys", Value::Null).await.expect(200).json["total"], json!(1));
    let tenants = town.call_as(&neighbour, "POST", "/tenants", json!({ "name": "third" })).await;
    assert_eq!(tenants.problem(), (403, "forbidden", ""));
}

#[tokio::test]
async fn a_neighbours_piece_of_an_upload_is_refused() {
    let town = Town::new().await;
    let neighbour = town.neighbour().await;
    let request = town.request(&town.admin, "POST", "/uploads");
    let request = request.header("tus-resumable", "1.0.0").header("upload-length", "5");
    let id = town.raw(request.body(Body::empty()).unwrap()).await.expect(201).text("id");
    let piece = town
        .request(&neighbour, "PATCH", &format!("/uploads/{id}"))
        .header("content-type", "application/offset+octet-stream")
        .header("upload-offset", "0");
    let reply = town.raw(piece.body(Body::from("12345")).unwrap()).await;
    assert_eq!(reply.problem(), (404, "not_found", "upload"));
    assert_eq!(town.get(&format!("/uploads/{id}")).await.json["received_bytes"], json!(0));
}

#[tokio::test]
async fn a_token_stands_for_its_key_until_one_of_them_ends() {
    let town = Town::new().await;
    let key = town.key("publisher").await;
    let made = town.call_as(&key, "POST", "/tokens", json!({ "lifetime_s": 60 })).await.expect(201);
    assert_eq!((made.text("role"), made.text("key_id")), ("publisher".to_owned(), key.id.clone()));
    let with_token = |method: &'static str, path: &'static str, body: &'static str| {
        let bearer = format!("bearer {}", made.text("token"));
        let request = Request::builder().method(method).uri(format!("/api/v1{path}")).header("authorization", bearer);
        town.raw(request.body(Body::from(body)).unwrap())
    };
    with_token("POST", "/spaces", "{\"name\":\"s\"}").await.expect(201);
    with_token("GET", "/keys", "").await.expect(403);
    assert_eq!(with_token("POST", "/tokens", "{}").await.problem(), (401, "unauthenticated", ""));
    town.clock.advance(60_000);
    let late = with_token("GET", "/spaces", "").await;
    assert_eq!(late.problem(), (401, "unauthenticated", ""));
    assert!(late.text("detail").contains("POST /api/v1/tokens"));

    let made = town.call_as(&key, "POST", "/tokens", json!({})).await.expect(201);
    town.call("DELETE", &format!("/keys/{}", key.id), Value::Null).await.expect(204);
    let bearer = format!("Bearer {}", made.text("token"));
    let request = Request::builder().uri("/api/v1/spaces").header("authorization", bearer).body(Body::empty()).unwrap();
    assert_eq!(town.raw(request).await.problem(), (401, "unauthenticated", ""));
}

#[tokio::test]
async fn failed_sign_ins_are_limited_by_address_and_the_right_secret_has_to_wait_too() {
    let town = Town::with(super::Settings { failed_sign_ins_per_minute: 3, ..super::Settings::default() }).await;
    let from = |address: [u8; 4], key: &Key| {
        let mut request = town.request(key, "GET", "/tenant").body(Body::empty()).unwrap();
        let address = std::net::SocketAddr::from((address, 4711));
        request.extensions_mut().insert(otaru_model::peer::Peer { address, encrypted: false, certificate: None });
        town.raw(request)
    };
    let (near, far) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    let wrong = Key { id: town.admin.id.clone(), secret: "guess".to_owned() };
    for _ in 0..3 {
        from(near, &town.admin).await.expect(200);
        from(near, &wrong).await.expect(401);
    }
    let refused = from(near, &wrong).await;
    assert_eq!(refused.problem(), (429, "too_many_failed_sign_ins", ""));
    assert_eq!(refused.header("retry-after"), "60");
    from(near, &town.admin).await.expect(429);
    from(far, &town.admin).await.expect(200);
    town.clock.advance(60_000);
    from(near, &town.admin).await.expect(200);
}

#[tokio::test]
async fn what_is_wrong_with_credentials_is_said_without_telling_which_keys_there_are() {
    let town = Town::new().await;
    let reply = |authorization: &'static str| {
        let request = Request::builder().uri("/api/v1/tenant").header("authorization", authorization);
        town.raw(request.body(Body::empty()).unwrap())
    };
    for authorization in ["Basic", "Basic !", "Basic YQ==", "Digest x", "Bearer", "Bearer abc"] {
        assert_eq!(reply(authorization).await.problem(), (401, "unauthenticated", ""), "{authorization}");
    }
    let (nobody, wrong) = (
        Key { id: "NOBODY".to_owned(), secret: "x".to_owned() },
        Key { id: town.admin.id.clone(), secret: "x".to_owned() },
    );
    let nobody = town.call_as(&nobody, "GET", "/tenant", Value::Null).await.expect(401);
    let wrong = town.call_as(&wrong, "GET", "/tenant", Value::Null).await.expect(401);
    assert_eq!(nobody.text("detail"), wrong.text("detail"));
}
