//! Import: many lines at once, and each answered for.

use axum::body::Body;
use otaru_core::app::NewObject;
use serde_json::{Value, json};

use super::{Reply, Town};

async fn import(town: &Town, lines: &str) -> Reply {
    let request = town.request(&town.admin, "POST", "/packages/import").header("content-type", "application/x-ndjson");
    town.raw(request.body(Body::from(lines.to_owned())).unwrap()).await
}

async fn town() -> Town {
    let town = Town::new().await;
    town.call("POST", "/products", json!({ "name": "lamp", "code": "LAMP" })).await.expect(201);
    let caller = town.app.check_secret(&town.admin.id, &town.admin.secret).await.unwrap();
    town.app.create_bucket(&caller, "updates", "here").await.unwrap();
    let mut writing = town.app.begin_writing(&caller, "updates").await.unwrap();
    writing.write(bytes::Bytes::from_static(b"a lamp's firmware")).await.unwrap();
    let new = NewObject { bucket: "updates".to_owned(), key: "lamp.bin".to_owned(), ..NewObject::default() };
    writing.finish_object(new).await.unwrap();
    town
}

fn line(version: &str) -> Value {
    let object = json!({ "bucket": "updates", "key": "lamp.bin" });
    json!({ "product": "LAMP", "version": version, "files": [{ "object": object }] })
}

#[tokio::test]
async fn every_line_makes_a_package_in_their_order() {
    let town = town().await;
    let lines: Vec<String> = (0..1_200).map(|number| line(&number.to_string()).to_string()).collect();
    let imported = import(&town, &lines.join("\n")).await.expect(200);
    assert_eq!(imported.json, json!({ "made": 1_200, "refused": [] }));
    let listed = town.get("/packages?limit=2").await.expect(200);
    assert_eq!((&listed.json["total"], &listed.json["items"][0]["version"]), (&json!(1_200), &json!("1199")));
    assert_eq!(listed.json["items"][1]["version"], json!("1198"));
}

#[tokio::test]
async fn a_line_that_is_refused_stops_no_other() {
    let town = town().await;
    let unknown = json!({ "product": "NONE", "version": "1", "files": line("1")["files"] });
    let lines = format!("{}\n\nnot json\n{}\r\n{{\"product\":\"LAMP\"}}\n{}\n", line("1"), unknown, line("2"));
    let imported = import(&town, &lines).await.expect(200);
    assert_eq!(imported.json["made"], json!(2));
    let refused: Vec<_> = imported.json["refused"].as_array().unwrap().iter().collect();
    let told: Vec<_> =
        refused.iter().map(|line| (line["line"].as_u64().unwrap(), line["problem"].as_str().unwrap())).collect();
    assert_eq!(told, [(3, "malformed"), (4, "not_found"), (5, "invalid")]);
    assert_eq!(refused[2]["field"], json!("version"));
    assert_eq!(town.get("/packages").await.expect(200).json["total"], json!(2));
}

#[tokio::test]
async fn what_is_too_much_or_in_another_form_is_refused_whole() {
    let town = town().await;
    let many = "\n".repeat(10_001);
    assert_eq!(import(&town, &many).await.problem(), (413, "too_large", ""));
    assert_eq!(import(&town, &" ".repeat((8 << 20) + 1)).await.problem(), (413, "too_large", ""));
    let long = format!("{{\"product\":\"{}\"}}", "x".repeat(256 << 10));
    assert_eq!(import(&town, &long).await.expect(200).json["refused"][0]["problem"], json!("too_large"));
    let request = town.request(&town.admin, "POST", "/packages/import").header("content-type", "application/json");
    let refused = town.raw(request.body(Body::from("{}")).unwrap()).await;
    assert_eq!(refused.problem(), (415, "unsupported_media_type", "Content-Type"));
    assert_eq!(import(&town, "").await.expect(200).json, json!({ "made": 0, "refused": [] }));
    assert_eq!(town.get("/packages").await.expect(200).json["total"], json!(0));
}
