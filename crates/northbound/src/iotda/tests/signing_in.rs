//! IAM: tokens by password, and finding one's project.

use super::*;

fn sign_in(name: &str, password: &str, domain: &str) -> Value {
    json!({"auth": {
        "identity": {
            "methods": ["password"],
            "password": {"user": {"name": name, "password": password, "domain": {"name": domain}}},
        },
        "scope": {"project": {"name": "cn-north-4"}},
    }})
}

async fn ask(world: &World, body: &Value) -> Reply {
    let request = Request::post("/v3/auth/tokens?nocatalog=true").header("Content-Type", "application/json");
    world.send(request.body(Body::from(body.to_string())).unwrap()).await
}

#[tokio::test]
async fn a_password_gives_a_token_in_the_header_alone() {
    let world = World::new().await;
    let reply = ask(&world, &sign_in(KEY_ID, SECRET, "default")).await;
    let body = reply.assert_status(201);
    let domain = json!({"id": ids::domain_id(&world.tenant.id), "name": "DEFAULT"});
    let expected = json!({"token": {
        "methods": ["password"],
        "issued_at": "2026-11-21T09:17:41.000000Z",
        "expires_at": "2026-11-22T09:17:41.000000Z",
        "user": {"id": ids::user_id(KEY_ID), "name": KEY_ID, "domain": domain, "password_expires_at": ""},
        "project": {"id": world.project(), "name": "cn-north-4", "domain": domain},
        "roles": [{"id": "admin", "name": "admin"}],
        "catalog": [],
    }});
    assert_eq!(body.to_string(), expected.to_string());
    let token = reply.headers["x-subject-token"].to_str().unwrap();
    assert!(token.len() < 400 && !body.to_string().contains(token));

    let mut request = world.request(Method::GET, FIRMWARE_LIST, Body::empty());
    header(&mut request, "x-auth-token", token);
    world.send(request).await.assert_status(200);
    let again = ask(&world, &sign_in(KEY_ID, SECRET, KEY_ID)).await;
    assert_ne!(again.headers["x-subject-token"], token);
    let mut request = world.request(Method::GET, FIRMWARE_LIST, Body::empty());
    header(&mut request, "x-auth-token", token);
    world.send(request).await.assert_status(200);

    world.clock.advance(24 * 3_600_000);
    let mut request = world.request(Method::GET, FIRMWARE_LIST, Body::empty());
    header(&mut request, "x-auth-token", token);
    world.send(request).await.assert_refused(401, "IOTDA.000002", "expired");
}

#[tokio::test]
async fn a_scope_is_the_users_own_project_or_domain() {
    let world = World::new().await;
    let scoped =
        async |scope: Value| ask(&world, &with(sign_in(KEY_ID, SECRET, "DEFAULT"), "/auth/scope", scope)).await;
    for right in [
        json!({"project": {"id": world.project()}}),
        json!({"project": {"id": world.tenant.id}}),
        json!({"project": {"name": "DEFAULT"}}),
        json!({"project": {"name": "any-region", "domain": {"name": "DEFAULT"}}}),
        json!({}),
    ] {
        let reply = scoped(right).await;
        assert_eq!(reply.assert_status(201)["token"]["project"]["id"], world.project());
    }
    for right in [json!({"domain": {"name": "DEFAULT"}}), json!({"domain": {"id": ids::domain_id(&world.tenant.id)}})] {
        let reply = scoped(right).await;
        assert_eq!(reply.assert_status(201)["token"]["domain"]["name"], "DEFAULT");
        assert!(reply.body["token"].get("project").is_none());
    }
    for wrong in [
        json!({"project": {"id": "0123456789abcdef0123456789abcdef"}}),
        json!({"domain": {"name": "another"}}),
        json!({"domain": {"id": world.project()}}),
    ] {
        assert_eq!(scoped(wrong).await.status, 401);
    }
    let both = json!({"domain": {"name": "DEFAULT"}, "project": {"name": "r"}});
    assert_eq!(scoped(both).await.status, 400);
    let unscoped = ask(&world, &without(sign_in(KEY_ID, SECRET, "DEFAULT"), "/auth/scope")).await;
    assert_eq!(unscoped.assert_status(201)["token"]["project"]["name"], "DEFAULT");
}

#[tokio::test]
async fn a_wrong_user_password_or_domain_looks_the_same() {
    let world = World::new().await;
    let mut messages = Vec::new();
    for body in
        [sign_in("NOBODY", SECRET, "DEFAULT"), sign_in(KEY_ID, "wrong", "DEFAULT"), sign_in(KEY_ID, SECRET, "another")]
    {
        let reply = ask(&world, &body).await;
        let error = &reply.assert_status(401)["error"];
        assert_eq!((&error["code"], &error["title"]), (&json!(401), &json!("Unauthorized")));
        assert!(!reply.headers.contains_key("x-subject-token"));
        messages.push(error["message"].clone());
    }
    messages.dedup();
    assert_eq!(messages.len(), 1);
}

#[tokio::test]
async fn a_body_that_is_no_sign_in_is_a_bad_request_that_names_the_member() {
    let world = World::new().await;
    let good = sign_in(KEY_ID, SECRET, "DEFAULT");
    let user = "/auth/identity/password/user";
    let cases = [
        (without(good.clone(), "/auth"), "auth is missing"),
        (without(good.clone(), "/auth/identity/methods"), "auth.identity.methods"),
        (with(good.clone(), "/auth/identity/methods", json!(["totp"])), "auth.identity.methods"),
        (without(good.clone(), &format!("{user}/name")), "auth.identity.password.user.name"),
        (without(good.clone(), &format!("{user}/password")), "auth.identity.password.user.password"),
        (without(good.clone(), &format!("{user}/domain")), "auth.identity.password.user.domain"),
        (with(good.clone(), &format!("{user}/domain"), json!({})), "auth.identity.password.user.domain.name"),
        (with(good.clone(), "/auth/scope", json!({"project": {}})), "auth.scope.project.name"),
        (with(good, "/auth/scope", json!(null)), "auth.scope"),
    ];
    for (body, field) in cases {
        let reply = ask(&world, &body).await;
        let message = reply.assert_status(400)["error"]["message"].as_str().unwrap();
        assert!(message.contains(field), "`{message}` does not speak of {field}");
    }
}

/// The vendor's IAM client signs this request too, with keys that need not be ours.
#[tokio::test]
async fn an_authorization_header_is_ignored_when_signing_in() {
    let world = World::new().await;
    let request = Request::post("/v3/auth/tokens")
        .header("Authorization", "SDK-HMAC-SHA256 Access=X, SignedHeaders=x-sdk-date, Signature=0")
        .header("X-Domain-Id", "d")
        .body(Body::from(sign_in(KEY_ID, SECRET, "DEFAULT").to_string()));
    world.send(request.unwrap()).await.assert_status(201);
}

#[tokio::test]
async fn there_is_exactly_one_project_for_any_region() {
    let world = World::new().await;
    let ask = async |query: &str| {
        let mut request = world.request(Method::GET, "", Body::empty());
        *request.uri_mut() = format!("/v3/projects{query}").parse().unwrap();
        world.send(request).await
    };
    for (query, name) in [("?name=cn-north-4", "cn-north-4"), ("?name=DEFAULT&unknown=1", "DEFAULT"), ("", "DEFAULT")] {
        let reply = ask(query).await;
        let projects = reply.assert_status(200)["projects"].as_array().unwrap();
        assert_eq!(projects.len(), 1);
        assert_eq!((&projects[0]["id"], &projects[0]["name"]), (&json!(world.project()), &json!(name)));
        assert_eq!(projects[0]["domain_id"], ids::domain_id(&world.tenant.id));
    }
    assert_eq!(ask("?name=").await.status, 400);
    let unsigned = Request::get("/v3/projects?name=r").body(Body::empty()).unwrap();
    let reply = world.send(unsigned).await;
    assert_eq!(reply.assert_status(401)["error"]["title"], "Unauthorized");
}

#[tokio::test]
async fn configured_regions_are_the_only_ones() {
    let world = World::with(Settings { regions: vec!["here-1".to_owned()], ..Settings::default() }).await;
    let ask = async |name: &str| {
        let mut request = world.request(Method::GET, "", Body::empty());
        *request.uri_mut() = format!("/v3/projects?name={name}").parse().unwrap();
        world.send(request).await.body["projects"].as_array().unwrap().len()
    };
    assert_eq!(ask("here-1").await, 1);
    assert_eq!(ask("default").await, 1, "the project by its own name");
    assert_eq!(ask("there-2").await, 0);
    let body = sign_in(KEY_ID, SECRET, "DEFAULT");
    assert_eq!(super::signing_in::ask(&world, &body).await.status, 401, "cn-north-4 is not here");
}
