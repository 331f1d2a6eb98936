//! The limits, walked: each value at its edges is taken, and one beyond them is refused by name.

use std::collections::BTreeSet;

use axum::body::Body;
use serde_json::{Map, Value, json};

use super::super::limits::LIMITS;
use super::document::parsed;
use super::{Reply, Town};
use crate::wire::limits::{Limit, Rule};

/// A right body for each schema, with every member that it has; and how it is sent.
async fn full(town: &Town, scope: &str) -> (&'static str, String, Value) {
    let random = otaru_core::clock::random_text(8);
    let file = |upload: String| json!({ "upload": upload, "name": "f", "size_bytes": 5, "md5": null, "sha256": null });
    let package = |files: Value| {
        json!({
            "product": "p", "space": town_space(), "module": "firmware", "version": "1", "name": "n", "description": "d",
            "custom_info": "c", "kind": "delta", "source_versions": ["0"], "device_type": "t", "model": "m",
            "manufacturer": "f", "protocol": "p", "date": "d", "files": files,
        })
    };
    match scope {
        "NewTenant" => ("POST", "/tenants".to_owned(), json!({ "name": random })),
        "NewKey" => {
            let key = json!({
                "role": "viewer", "label": "l", "expires": "2030-01-01T00:00:00Z", "id": random, "secret": "0123456789abcdef",
            });
            ("POST", "/keys".to_owned(), key)
        }
        "KeyChange" => {
            let key = town.key("viewer").await;
            ("PATCH", format!("/keys/{}", key.id), json!({ "expires": "2030-01-01T00:00:00Z" }))
        }
        "Rotation" => ("POST", format!("/keys/{}/rotate", town.key("viewer").await.id), json!({ "grace_s": 1 })),
        "NewTemporaryKey" => ("POST", "/temporary_keys".to_owned(), json!({ "role": "viewer", "lifetime_s": 60 })),
        "NewToken" => ("POST", "/tokens".to_owned(), json!({ "lifetime_s": 60 })),
        "NewSpace" => ("POST", "/spaces".to_owned(), json!({ "name": "s", "code": random })),
        "SpaceChange" => ("PATCH", format!("/spaces/{}", town_space()), json!({ "name": "t" })),
        "NewProduct" => {
            let key = otaru_core::clock::random_text(11);
            let product = json!({
                "name": "n", "space": town_space(), "code": random, "key": key, "device_type": "t", "model": "m",
                "manufacturer": "f", "protocol": "p", "description": "d",
            });
            ("POST", "/products".to_owned(), product)
        }
        "ProductChange" => {
            let change = json!({
                "name": "n", "device_type": "t", "model": "m", "manufacturer": "f", "protocol": "p", "description": "d",
            });
            ("PATCH", "/products/p".to_owned(), change)
        }
        "NewModule" => {
            ("POST", "/products/p/modules".to_owned(), json!({ "name": random, "alias": "a", "description": "d" }))
        }
        "ModuleChange" => ("PATCH", "/products/p/modules/m".to_owned(), json!({ "alias": "a", "description": "d" })),
        "NewPackage" | "NewFile" => {
            ("POST", "/packages".to_owned(), package(json!([file(town.upload(b"bytes").await)])))
        }
        "ObjectSource" => {
            let object = json!({ "region": "r", "bucket": "bucket", "key": "k" });
            ("POST", "/packages".to_owned(), package(json!([{ "object": object }])))
        }
        "PackageChange" => {
            let id = town.package("p", "1").await.text("id");
            ("PATCH", format!("/packages/{id}"), json!({ "name": "n", "description": "d", "custom_info": "c" }))
        }
        unknown => panic!("there is no sample for the body {unknown}: write one"),
    }
}

fn town_space() -> &'static str {
    "s"
}

/// A town with what the samples speak of.
async fn town() -> Town {
    let town = Town::new().await;
    town.call("POST", "/spaces", json!({ "name": "s", "code": town_space() })).await.expect(201);
    town.call("POST", "/products", json!({ "name": "p", "code": "p", "space": town_space() })).await.expect(201);
    town.call("POST", "/products/p/modules", json!({ "name": "m" })).await.expect(201);
    town
}

/// Where the members of a schema stand in the body that has them.
fn place<'a>(body: &'a mut Value, scope: &str) -> (&'a mut Map<String, Value>, &'static str) {
    match scope {
        "NewFile" => (body["files"][0].as_object_mut().unwrap(), "files[0]."),
        "ObjectSource" => (body["files"][0]["object"].as_object_mut().unwrap(), "files[0].object."),
        _ => (body.as_object_mut().unwrap(), ""),
    }
}

/// Sends a value in an otherwise right request; with the name that an error would give it.
async fn send(town: &Town, limit: &Limit, value: &Value) -> (Reply, String) {
    let (scope, member) = limit.name.split_once('.').unwrap();
    let (member, value) = match member.strip_suffix("[]") {
        Some(list) => (list, json!([value])),
        None => (member, value.clone()),
    };
    let suffix = if limit.name.ends_with("[]") { "[0]" } else { "" };
    if matches!(scope, "query" | "list_products" | "push_package") {
        return (send_query(town, scope, member, &value).await, format!("{member}{suffix}"));
    }
    let (method, path, mut body) = full(town, scope).await;
    let (members, prefix) = place(&mut body, scope);
    members.insert(member.to_owned(), value);
    (town.call(method, &path, body).await, format!("{prefix}{member}{suffix}"))
}

async fn send_query(town: &Town, scope: &str, member: &str, value: &Value) -> Reply {
    let (method, path) = match (scope, member) {
        ("list_products", _) => ("GET", "/products"),
        ("query", "file_name") => ("POST", "/uploads"),
        ("query", "limit" | "cursor" | "space" | "product" | "module_kind" | "version" | "device_type") => {
            ("GET", "/packages")
        }
        ("query", "model" | "manufacturer") => ("GET", "/packages"),
        _ => ("POST", "/packages/push"),
    };
    let mut query = form_urlencoded::Serializer::new(String::new());
    if path == "/packages/push" {
        for (name, value) in [("product", "p"), ("version", "1")] {
            query.append_pair(name, value);
        }
        // A delta names what it starts from.
        if member == "kind" {
            query.append_pair("source_versions", "0");
        }
    }
    let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    for value in values {
        query.append_pair(member, value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_str());
    }
    let body = if method == "POST" { Body::from("bytes") } else { Body::empty() };
    let request = town.request(&town.admin, method, &format!("{path}?{}", query.finish()));
    town.raw(request.body(body).unwrap()).await
}

/// Values that keep the limit and values that break it.
async fn values(town: &Town, limit: &Limit) -> (Vec<Value>, Vec<Value>) {
    match &limit.rule {
        Rule::Text { min, max, set } => {
            let inside: Vec<char> = set.inside.chars().collect();
            let of_length = |length: usize| inside.iter().cycle().take(length).collect::<String>();
            let least = (*min).max(1);
            let filled = |letter: char| letter.to_string().repeat(least);
            let mut right: BTreeSet<String> = inside.iter().map(|&letter| filled(letter)).collect();
            right.extend([of_length(*min), of_length(*max)]);
            let mut wrong: BTreeSet<String> = set.outside.chars().map(filled).collect();
            wrong.insert(of_length(max + 1));
            wrong.extend((*min > 0).then(|| of_length(min - 1)));
            (right.into_iter().map(Value::from).collect(), wrong.into_iter().map(Value::from).collect())
        }
        Rule::Integer { min, max } => {
            (vec![json!(min), json!(max)], vec![json!(min - 1), json!(max + 1), json!(*min as f64 + 0.5)])
        }
        Rule::Count { min, max } => {
            let mut lists = Vec::new();
            for count in [*min, *max, min.wrapping_sub(1), max + 1] {
                let mut list = Vec::new();
                for number in 0..count.min(max + 1) {
                    list.push(match limit.name {
                        "NewPackage.files" => json!({ "upload": town.upload(b"bytes").await }),
                        _ => json!(number.to_string()),
                    });
                }
                lists.push((count, Value::Array(list)));
            }
            let is_right = |count: usize| (*min..=*max).contains(&count);
            let (right, wrong): (Vec<_>, Vec<_>) =
                lists.into_iter().filter(|(count, _)| *count != usize::MAX).partition(|(count, _)| is_right(*count));
            let values = |lists: Vec<(usize, Value)>| lists.into_iter().map(|(_, list)| list).collect();
            (values(right), values(wrong))
        }
        Rule::Word(words) => {
            let wrong = vec![json!(words[0].to_uppercase()), json!("no such word")];
            (words.iter().map(|word| json!(word)).collect(), wrong)
        }
        Rule::Suffix(_) => panic!("{}: no suffix is limited here", limit.name),
    }
}

/// What a value inside its limit may still meet: it names something that is not there, or says what is not true.
fn tolerated(name: &str) -> &'static [u16] {
    match name {
        "NewFile.upload" | "NewProduct.space" | "NewPackage.space" | "NewPackage.product" | "NewPackage.module" => {
            &[404]
        }
        "ObjectSource.region" | "ObjectSource.bucket" | "ObjectSource.key" => &[404],
        "NewFile.md5" | "NewFile.sha256" | "NewFile.size_bytes" | "query.md5" | "query.sha256" => &[422],
        "query.space" | "query.module" => &[404],
        "query.cursor" => &[400],
        // A list of none is none, and a delta needs one.
        "NewPackage.source_versions" => &[400],
        _ => &[],
    }
}

#[tokio::test]
async fn every_limit_holds_at_its_edges() {
    for limit in LIMITS {
        let town = town().await;
        let (right, wrong) = values(&town, limit).await;
        assert!(!right.is_empty() && !wrong.is_empty(), "{}", limit.name);
        let refuses = |reply: &Reply, field: &str| {
            let detail = reply.json["detail"].as_str().unwrap_or_default();
            reply.status == 400 && reply.json["field"] == json!(field) && detail.contains(&limit.expectation())
        };
        for value in right {
            let (reply, field) = send(&town, limit, &value).await;
            let name = format!("{} takes {value}: {reply:?}", limit.name);
            assert!(!refuses(&reply, &field), "{name}");
            assert!(reply.status.is_success() || tolerated(limit.name).contains(&reply.status.as_u16()), "{name}");
        }
        for value in wrong {
            let (reply, field) = send(&town, limit, &value).await;
            assert!(refuses(&reply, &field), "{} refuses {value} as {field}: {reply:?}", limit.name);
        }
    }
}

/// The schemas of all bodies that are taken.
fn scopes() -> BTreeSet<String> {
    let document = parsed();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let closed = schemas.iter().filter(|(_, schema)| schema["additionalProperties"] == json!(false));
    closed.map(|(name, _)| name.clone()).collect()
}

#[tokio::test]
async fn the_schemas_of_bodies_are_what_the_decoder_takes() {
    let document = parsed();
    for scope in scopes() {
        let schema = &document["components"]["schemas"][&scope];
        let town = town().await;
        let (method, path, body) = full(&town, &scope).await;
        let reply = town.call(method, &path, body.clone()).await;
        assert!(reply.status.is_success() || scope == "ObjectSource" && reply.status == 404, "{scope}: {reply:?}");

        let mut sample = body.clone();
        let given: BTreeSet<String> = place(&mut sample, &scope).0.keys().cloned().collect();
        let mut known: BTreeSet<String> = schema["properties"].as_object().unwrap().keys().cloned().collect();
        if scope == "NewFile" {
            known.remove("object");
        }
        assert_eq!(given, known, "{scope}");
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for member in known {
            let is_required = required.contains(&json!(member));
            let property = &schema["properties"][&member];
            let types = property["type"].as_array().cloned().unwrap_or_else(|| vec![property["type"].clone()]);
            let is_nullable = types.contains(&json!("null"));

            let (method, path, mut body) = full(&town, &scope).await;
            let (members, prefix) = place(&mut body, &scope);
            members.remove(&member);
            let field = json!(format!("{prefix}{member}"));
            let reply = town.call(method, &path, body.clone()).await;
            // A file without upload, a delta without its source, and half a pair break a rule between members.
            let breaks_a_rule = matches!(
                (scope.as_str(), member.as_str()),
                ("NewFile", "upload") | ("NewPackage", "source_versions") | ("NewKey", "id" | "secret")
            );
            let is_refused = reply.status == 400 && reply.json["field"] == field;
            assert_eq!(is_refused, is_required || breaks_a_rule, "{scope} without {member}: {reply:?}");

            let (method, path, mut body) = full(&town, &scope).await;
            place(&mut body, &scope).0.insert(member.clone(), Value::Null);
            let reply = town.call(method, &path, body).await;
            let is_refused = reply.status == 400 && reply.json["field"] == field;
            assert_eq!(is_refused, !is_nullable || breaks_a_rule, "{scope} with {member} null: {reply:?}");

            let (method, path, mut body) = full(&town, &scope).await;
            place(&mut body, &scope).0.insert(member.clone(), json!(true));
            let reply = town.call(method, &path, body).await;
            assert_eq!(reply.problem().0, 400, "{scope} with {member} true: {reply:?}");
            assert_eq!(reply.json["field"], field);
            assert!(reply.text("detail").ends_with("not a boolean"), "{reply:?}");
        }

        let (method, path, mut body) = full(&town, &scope).await;
        let (members, prefix) = place(&mut body, &scope);
        let first = members.keys().next().unwrap().clone();
        let value = members.remove(&first).unwrap();
        members.insert(format!("{first}s"), value);
        let reply = town.call(method, &path, body).await;
        assert_eq!(reply.problem(), (400, "invalid", format!("{prefix}{first}s").as_str()), "{scope}");
        assert!(reply.text("detail").contains(&format!("did you mean `{first}`?")), "{reply:?}");
    }
}
