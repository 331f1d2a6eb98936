//! The OpenAPI document is checked in, and true.

use std::collections::BTreeSet;
use std::path::Path;

use otaru_model::Right;
use serde_json::{Value, json};

use super::super::document::{RIGHTS, document};
use super::super::error::Kind;
use super::super::limits::{LIMITS, class_of};
use crate::wire::limits::Rule;

pub fn parsed() -> Value {
    serde_json::from_str(document()).unwrap()
}

/// Every operation: its path, method and description.
pub fn operations() -> Vec<(String, String, Value)> {
    let document = parsed();
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let operation =
            |(method, operation): (&String, &Value)| (path.clone(), method.to_uppercase(), operation.clone());
        item.as_object().unwrap().iter().map(operation).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

#[test]
fn the_openapi_document_that_is_checked_in_is_the_one_that_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    if std::env::var_os("OTARU_WRITE_OPENAPI").is_some() {
        std::fs::write(&path, document()).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    let how = "docs/openapi.json is out of date; write it again with\n\
        OTARU_WRITE_OPENAPI=1 cargo test -p otaru-northbound openapi";
    assert!(checked_in == document(), "{how}");
}

#[test]
fn every_operation_says_which_right_it_needs() {
    let named: BTreeSet<&str> = RIGHTS.iter().map(|(name, _)| *name).collect();
    let operations = operations();
    let there: BTreeSet<&str> = operations.iter().map(|(_, _, it)| it["operationId"].as_str().unwrap()).collect();
    assert_eq!(named, there);
    for (_, right) in RIGHTS {
        assert!(matches!(right, None | Some(Right::Read | Right::Publish | Right::Administer)));
    }
}

#[test]
fn every_operation_is_described_and_says_its_errors_in_problem_documents() {
    for (path, method, operation) in operations() {
        let name = format!("{method} {path}");
        assert!(operation["summary"].is_string(), "{name}");
        assert!(operation["tags"][0].is_string(), "{name}");
        for (status, response) in operation["responses"].as_object().unwrap() {
            assert!(!response["description"].as_str().unwrap().is_empty(), "{name}: {status}");
            let is_problem = response["content"]["application/problem+json"].is_object();
            assert_eq!(is_problem, status.as_str() >= "400" && method != "HEAD", "{name}: {status}");
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["schema"]["type"].is_string(), "{name}: {parameter}");
            assert!(parameter["description"].is_string() || parameter["in"] == "query", "{name}: {parameter}");
        }
    }
}

#[test]
fn every_limit_stands_in_the_document() {
    let document = parsed();
    let operations = operations();
    for limit in LIMITS {
        let (scope, member) = limit.name.split_once('.').unwrap();
        let (member, is_list) = member.strip_suffix("[]").map_or((member, false), |list| (list, true));
        let schemas: Vec<Value> = match &document["components"]["schemas"][scope] {
            Value::Null => operations
                .iter()
                .filter(|(_, _, operation)| scope == "query" || operation["operationId"] == scope)
                .flat_map(|(_, _, operation)| operation["parameters"].as_array().cloned().unwrap_or_default())
                .filter(|parameter| parameter["name"] == member && parameter["in"] == "query")
                .map(|parameter| parameter["schema"].clone())
                .collect(),
            schema => vec![schema["properties"][member].clone()],
        };
        assert!(schemas.iter().any(|schema| !schema.is_null()), "{} is not in the document", limit.name);
        let shows = |schema: &Value| {
            let schema = if is_list { &schema["items"] } else { schema };
            match &limit.rule {
                Rule::Text { min, max, .. } => schema["minLength"] == json!(min) && schema["maxLength"] == json!(max),
                Rule::Integer { min, max } => schema["minimum"] == json!(min) && schema["maximum"] == json!(max),
                Rule::Count { min, max } => schema["minItems"] == json!(min) && schema["maxItems"] == json!(max),
                Rule::Word(words) => schema["enum"]
                    .as_array()
                    .is_some_and(|shown| shown.starts_with(&words.iter().map(|word| json!(word)).collect::<Vec<_>>())),
                Rule::Suffix(_) => false,
            }
        };
        assert!(schemas.iter().any(shows), "{} in {schemas:?}", limit.name);
    }
}

#[test]
fn the_classes_in_the_document_are_the_sets_that_are_checked() {
    for limit in LIMITS {
        let Rule::Text { set, .. } = &limit.rule else { continue };
        let pattern = regex_lite::Regex::new(&format!("^{}*$", class_of(set))).unwrap();
        let letters = (0..=0x2ff).chain([0x4e00, 0x1f600]).filter_map(char::from_u32);
        for letter in letters.chain(set.inside.chars()).chain(set.outside.chars()) {
            let matches = pattern.is_match(&letter.to_string());
            assert_eq!(matches, (set.contains)(letter), "{}: {letter:?}", limit.name);
        }
    }
}

#[test]
fn every_problem_has_a_name_a_title_and_a_status_of_its_own_kind() {
    let names: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(names.len(), Kind::ALL.len());
    for kind in Kind::ALL {
        assert!(kind.status().is_client_error() || kind.status().is_server_error(), "{}", kind.name());
        assert!(!kind.title().is_empty());
    }
    let types = &parsed()["components"]["schemas"]["Problem"]["properties"]["type"]["enum"];
    assert_eq!(types.as_array().map(Vec::len), Some(Kind::ALL.len()));
}

#[test]
fn the_document_says_nothing_that_openapi_has_no_place_for() {
    let document: Value = serde_json::from_str(document()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let parameters = operation.get("parameters");
            assert!(parameters.is_none_or(Value::is_array), "{method} {path}: parameters are {parameters:?}");
            let contents = operation.pointer("/requestBody/content").and_then(Value::as_object);
            for (media_type, content) in contents.into_iter().flatten() {
                let is_bytes = media_type.ends_with("octet-stream");
                let expected = json!({ "type": "string", "format": "binary" });
                assert!(!is_bytes || content["schema"] == expected, "{method} {path}: {content}");
            }
        }
    }
}
