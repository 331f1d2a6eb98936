//! The recorded requests of the official clients, replayed as they were.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request};
use otaru_core::app::NewProduct;
use otaru_model::ProductDraft;
use serde_json::Value;

use super::super::operations;
use super::*;
use crate::wire::percent::{Text, parse_pairs};

const CAPTURES: &str = include_str!("../../../tests/vectors/aliyun-captures.json");

fn recorded() -> Vec<Value> {
    let file: Value = serde_json::from_str(CAPTURES).unwrap();
    file["captures"].as_array().unwrap().clone()
}

fn request(capture: &Value) -> Request<Body> {
    let text = |name: &str| capture[name].as_str().unwrap();
    let mut request = Request::builder().method(text("method")).uri(format!("/?{}", text("query")));
    for header in capture["headers"].as_array().unwrap() {
        let (name, value) = (header[0].as_str().unwrap(), header[1].as_str().unwrap());
        request = request.header(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    request.body(Body::from(text("body").to_owned())).unwrap()
}

/// When the request was signed.
fn signed_ms(capture: &Value) -> i64 {
    let mut pairs = parse_pairs(capture["query"].as_str().unwrap().as_bytes(), Text::Strict).unwrap();
    pairs.extend(parse_pairs(capture["body"].as_str().unwrap().as_bytes(), Text::Strict).unwrap());
    let headers = capture["headers"].as_array().unwrap();
    let header = headers.iter().find(|header| header[0] == "x-acs-date").map(|header| header[1].as_str().unwrap());
    let parameter = pairs.iter().find(|(name, _)| name == "Timestamp").map(|(_, value)| value.as_str());
    TimeFormat::Seconds.parse(parameter.or(header).unwrap()).unwrap()
}

/// What the registry may answer to what was recorded: some requests name a product that is there, most one that is not.
fn expected(action: &str) -> &'static [&'static str] {
    match action {
        "ListOTAFirmware" | "GenerateOTAUploadURL" => &["success"],
        // The recorded name is `n`.
        "CreateProduct" => &["iot.prod.InvalidFormattedProductName"],
        "QueryOTAFirmware" => &["iot.ota.FirmwareNotFound"],
        "ListOTAModuleByProduct" | "CreateOTAModule" => &["iot.prod.InvalidFormattedProductkey"],
        // The recorded digests are `m` and `s`.
        "CreateOTAFirmware" => {
            &["MissingProductKey", "iot.prod.InvalidFormattedProductkey", "iot.check.InvalidFormattedParameter"]
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn each_recorded_request_passes_the_gates_once() {
    let (mut calls, mut unknown, mut tokens, mut bearers) = (0, 0, 0, 0);
    for capture in recorded() {
        let bench = Bench::new().await;
        let draft = ProductDraft { name: "meter".to_owned(), ..ProductDraft::default() };
        let key = Some("a19mzPZ0000".to_owned());
        bench.app.create_product(&bench.admin, NewProduct { key, draft, ..NewProduct::default() }).await.unwrap();
        bench.clock.advance(signed_ms(&capture) - START_MS);

        let label = format!("{} / {}", capture["client"], capture["action"]);
        let action = capture["action"].as_str().unwrap();
        let answer = bench.send(request(&capture)).await;
        let json = answer.json();
        let code = json["Code"].as_str().unwrap_or("success");
        let is_temporary = capture.to_string().contains("STS.testId");
        let is_bearer = capture["query"].as_str().unwrap().contains("BEARERTOKEN");
        if operations::find(action).is_none() && !is_bearer {
            assert_eq!(code, "InvalidAction.NotFound", "{label}");
            unknown += 1;
            continue;
        }
        if is_bearer {
            assert_eq!(code, "InvalidSignatureMethod", "{label}");
            bearers += 1;
            continue;
        }
        if is_temporary {
            // Its token was another service's.
            assert_eq!(code, "InvalidSecurityToken.Malformed", "{label}");
            tokens += 1;
            continue;
        }
        assert!(expected(action).contains(&code), "{label}: {}", answer.text);
        calls += 1;
        let again = bench.send(request(&capture)).await;
        assert_eq!(again.gateway(), (400, "SignatureNonceUsed".to_owned()), "{label}");
    }
    assert_eq!((calls, unknown, tokens, bearers), (36, 35, 3, 2));
}

#[tokio::test]
async fn a_recorded_request_that_was_changed_is_refused() {
    for capture in recorded() {
        let query = capture["query"].as_str().unwrap();
        let is_ours = operations::find(capture["action"].as_str().unwrap()).is_some();
        if !is_ours
            || !query.contains("PageSize=10")
            || capture.to_string().contains("STS.")
            || query.contains("BEARER")
        {
            continue;
        }
        let bench = Bench::new().await;
        bench.clock.advance(signed_ms(&capture) - START_MS);
        let mut changed = capture.clone();
        changed["query"] = query.replace("PageSize=10", "PageSize=11").into();
        let answer = bench.send(request(&changed)).await;
        assert_eq!(answer.gateway(), (400, "SignatureDoesNotMatch".to_owned()), "{}", capture["client"]);
        assert!(answer.message().contains("string to sign is:"));
    }
}
