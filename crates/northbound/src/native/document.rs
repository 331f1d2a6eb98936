//! The OpenAPI document: what the handlers' annotations say, completed with what is the same for all of them and with the
//! limits, so that it promises exactly what the door keeps.

use std::sync::OnceLock;

use axum::response::{IntoResponse, Response};
use http::header;
use otaru_model::Right;
use serde_json::{Map, Value, json};
use utoipa::PartialSchema;
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;

use super::error::{Kind, ProblemDocument, explain_right};
use super::limits::{LIMITS, class_of};
use super::{PREFIX, routes};
use crate::wire::limits::{Limit, Rule};

/// What each operation needs; nothing for those that anybody may call. A test tries every role on every operation.
pub const RIGHTS: &[(&str, Option<Right>)] = &[
    ("show_document", None),
    ("describe_uploads", None),
    ("create_token", Some(Right::Read)),
    ("show_server", Some(Right::Administer)),
    ("show_own_tenant", Some(Right::Read)),
    ("list_tenants", Some(Right::Read)),
    ("create_tenant", Some(Right::Administer)),
    ("list_keys", Some(Right::Administer)),
    ("create_key", Some(Right::Administer)),
    ("show_key", Some(Right::Administer)),
    ("update_key", Some(Right::Administer)),
    ("revoke_key", Some(Right::Administer)),
    ("rotate_key", Some(Right::Administer)),
    ("create_temporary_key", Some(Right::Read)),
    ("list_spaces", Some(Right::Read)),
    ("create_space", Some(Right::Publish)),
    ("show_space", Some(Right::Read)),
    ("update_space", Some(Right::Publish)),
    ("delete_space", Some(Right::Publish)),
    ("list_products", Some(Right::Read)),
    ("create_product", Some(Right::Publish)),
    ("show_product", Some(Right::Read)),
    ("update_product", Some(Right::Publish)),
    ("delete_product", Some(Right::Publish)),
    ("list_modules", Some(Right::Read)),
    ("create_module", Some(Right::Publish)),
    ("show_module", Some(Right::Read)),
    ("update_module", Some(Right::Publish)),
    ("delete_module", Some(Right::Publish)),
    ("create_upload", Some(Right::Publish)),
    ("show_upload", Some(Right::Publish)),
    ("find_upload_offset", Some(Right::Publish)),
    ("append_upload", Some(Right::Publish)),
    ("override_method", Some(Right::Publish)),
    ("delete_upload", Some(Right::Publish)),
    ("list_packages", Some(Right::Read)),
    ("create_package", Some(Right::Publish)),
    ("push_package", Some(Right::Publish)),
    ("import_packages", Some(Right::Publish)),
    ("show_package", Some(Right::Read)),
    ("update_package", Some(Right::Publish)),
    ("delete_package", Some(Right::Publish)),
    ("verify_package", Some(Right::Read)),
    ("link_package", Some(Right::Read)),
];

/// What path parameters look like, by the limit of the value that they repeat or by an expression.
const PATHS: &[(&str, &str)] = &[("code", "^[A-Za-z0-9_-]{1,36}$"), ("name", "^[A-Za-z0-9_.-]{1,64}$")];

const ABOUT: &str = "Otaru keeps upgrade packages, rolls them out to fleets and delivers them to devices. This is its own API; \
    the vendors' APIs have doors of their own.\n\nSign in with HTTP Basic (access key id and secret) or with a token from \
    `POST /tokens`. Errors are problem documents (RFC 9457). Lists come in pages: `total` is exact, `next_cursor` leads to the \
    next page. Times are RFC 3339. What a request says and this document does not know is refused.";

/// The document, as it is served and checked in.
pub fn document() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        let mut text = serde_json::to_string_pretty(&build()).unwrap_or_default();
        text.push('\n');
        text
    })
}

/// Show this document
#[utoipa::path(get, path = "/openapi.json", tag = "server",
    responses((status = 200, description = "The OpenAPI document", body = Object)))]
pub async fn show_document() -> Response {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], document()).into_response()
}

fn empty() -> OpenApi {
    let info = InfoBuilder::new().title("Otaru").version(env!("CARGO_PKG_VERSION")).description(Some(ABOUT));
    OpenApiBuilder::new().info(info).build()
}

fn build() -> Value {
    let (_, api) = OpenApiRouter::with_openapi(empty()).merge(routes()).split_for_parts();
    let mut document = serde_json::to_value(api).unwrap_or_default();
    document["servers"] = json!([{ "url": PREFIX }]);
    document["security"] = json!([{ "key": [] }, { "token": [] }]);
    document["components"]["securitySchemes"] = json!({
        "key": { "type": "http", "scheme": "basic", "description": "An access key id and its secret" },
        "token": { "type": "http", "scheme": "bearer", "description": "A token from POST /tokens" },
    });
    document["components"]["schemas"]["Problem"] = problem_schema();
    limit_bodies(&mut document);
    let Some(paths) = document["paths"].as_object_mut() else { return document };
    for item in paths.values_mut() {
        for operation in item.as_object_mut().into_iter().flat_map(Map::values_mut) {
            complete(operation);
        }
    }
    document
}

fn problem_schema() -> Value {
    let mut schema = serde_json::to_value(ProblemDocument::schema()).unwrap_or_default();
    let types: Vec<_> = Kind::ALL.iter().map(|kind| format!("{}{}", super::error::TYPE_PREFIX, kind.name())).collect();
    schema["properties"]["type"]["enum"] = json!(types);
    schema
}

/// Adds to an operation what all of its kind have.
fn complete(operation: &mut Value) {
    let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
    let right = RIGHTS.iter().find(|(name, _)| *name == id).and_then(|(_, right)| *right);
    let has_json = operation["requestBody"]["content"].get("application/json").is_some();
    if has_json {
        operation["requestBody"]["required"] = json!(true);
    }
    // Bytes are bytes; what derives schemas takes them for a list of numbers.
    let contents = operation.pointer_mut("/requestBody/content").and_then(Value::as_object_mut);
    for (media_type, content) in contents.into_iter().flatten() {
        if media_type.ends_with("octet-stream") {
            content["schema"] = json!({ "type": "string", "format": "binary" });
        }
    }
    if id == "import_packages" {
        // No line is no package.
        operation["requestBody"]["required"] = json!(false);
    }
    let has_query = limit_parameters(operation, &id);
    let mut common = vec![(500, "The server failed".to_owned())];
    match right {
        None => operation["security"] = json!([]),
        Some(right) => {
            operation["x-otaru-right"] = json!(right.name());
            common.push((401, "The request signs nobody in".to_owned()));
            common.push((429, "Too many sign-ins from this address failed".to_owned()));
            common.push((503, "Store or files cannot be reached at the moment".to_owned()));
            if right != Right::Read || id == "create_temporary_key" {
                common.push((403, explain_right(right)));
            }
            if !matches!(operation["x-otaru-right"].as_str(), Some("read")) {
                common.push((507, "No space left".to_owned()));
            }
        }
    }
    if id == "create_token" {
        operation["security"] = json!([{ "key": [] }]);
    }
    if has_json || has_query {
        common.push((400, "The request is not as this document says".to_owned()));
    }
    if has_json {
        common.push((413, "The body is too large".to_owned()));
        common.push((415, "The body is not JSON".to_owned()));
    }
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for (status, description) in common {
        responses.entry(status.to_string()).or_insert_with(|| json!({ "description": description }));
    }
    responses.sort_keys();
    for (status, response) in responses.iter_mut() {
        response["headers"]["X-Request-Id"] = json!({ "description": "The request's id, which the server's log has as well", "schema": { "type": "string" } });
        // A HEAD request is answered without a body.
        if status.as_str() >= "400" && id != "find_upload_offset" {
            response["content"] =
                json!({ "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } });
        }
    }
}

/// Puts the limits of its parameters into an operation; whether it has any behind the `?`.
fn limit_parameters(operation: &mut Value, id: &str) -> bool {
    let mut has_query = false;
    // An index would write `"parameters": null` into operations that have none.
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap_or_default().to_owned();
        // A parameter is text or absent, never null.
        let schema = &mut parameter["schema"];
        if let Some(types) = schema["type"].as_array() {
            schema["type"] = types.iter().find(|name| *name != "null").cloned().unwrap_or_default();
        }
        match parameter["in"].as_str() {
            Some("query") => {
                has_query = true;
                limit_in("query", &name, &mut parameter["schema"]);
                limit_in(id, &name, &mut parameter["schema"]);
            }
            Some("path") => {
                if let Some((_, pattern)) = PATHS.iter().find(|(path, _)| *path == name) {
                    parameter["schema"]["pattern"] = json!(pattern);
                }
            }
            Some("header") => limit_header(&name, &mut parameter["schema"]),
            _ => {}
        }
    }
    has_query
}

fn limit_header(name: &str, schema: &mut Value) {
    match name {
        "Tus-Resumable" => schema["enum"] = json!(["1.0.0"]),
        "Upload-Defer-Length" => *schema = json!({ "type": "string", "enum": ["1"] }),
        "X-HTTP-Method-Override" => schema["enum"] = json!(["PATCH", "DELETE", "HEAD"]),
        "Upload-Length" | "Upload-Offset" => {
            *schema = json!({ "type": "integer", "format": "int64", "minimum": 0, "maximum": i64::MAX });
        }
        "Upload-Checksum" => schema["pattern"] = json!("^(sha1 [A-Za-z0-9+/]{27}=|sha256 [A-Za-z0-9+/]{43}=)$"),
        "Upload-Metadata" => schema["pattern"] = json!("^filename ([A-Za-z0-9+/]{4}){1,64}$"),
        _ => {}
    }
}

/// Puts the limits of bodies into their schemas and closes them.
fn limit_bodies(document: &mut Value) {
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    for (scope, schema) in schemas.iter_mut() {
        let is_taken = LIMITS.iter().any(|limit| limit.name.split_once('.').is_some_and(|(name, _)| name == scope));
        if !is_taken && scope != "KeyChange" {
            continue;
        }
        schema["additionalProperties"] = json!(false);
        for (member, property) in schema["properties"].as_object_mut().into_iter().flatten() {
            limit_in(scope, member, property);
        }
        match scope.as_str() {
            // Both or none; null is as good as absent.
            "NewKey" => {
                schema["anyOf"] = json!([
                    { "properties": { "id": { "type": "null" }, "secret": { "type": "null" } } },
                    { "properties": { "id": { "type": "string" }, "secret": { "type": "string" } }, "required": ["id", "secret"] },
                ]);
            }
            "NewFile" => schema["oneOf"] = json!([{ "required": ["upload"] }, { "required": ["object"] }]),
            "NewPackage" => {
                schema["if"] = json!({ "properties": { "kind": { "const": "delta" } }, "required": ["kind"] });
                schema["then"] = json!({
                    "properties": { "source_versions": { "type": "array", "minItems": 1 } },
                    "required": ["source_versions"],
                });
            }
            _ => {}
        }
    }
}

/// Puts the limits of one member and, if it is a list, of its members into its schema.
fn limit_in(scope: &str, member: &str, schema: &mut Value) {
    for limit in LIMITS {
        let Some((_, name)) = limit.name.split_once('.').filter(|(of, _)| *of == scope) else { continue };
        match name.strip_suffix("[]") {
            Some(list) if list == member => {
                schema["items"] = json!({ "type": "string" });
                apply(limit, &mut schema["items"]);
            }
            None if name == member => apply(limit, schema),
            _ => {}
        }
    }
}

fn apply(limit: &Limit, schema: &mut Value) {
    match &limit.rule {
        Rule::Text { min, max, set } => {
            schema["minLength"] = json!(min);
            schema["maxLength"] = json!(max);
            schema["pattern"] = json!(format!("^{}*$", class_of(set)));
        }
        Rule::Integer { min, max } => {
            schema["minimum"] = json!(min);
            schema["maximum"] = json!(max);
        }
        Rule::Count { min, max } => {
            schema["minItems"] = json!(min);
            schema["maxItems"] = json!(max);
        }
        Rule::Word(words) => {
            let is_nullable = schema["type"].as_array().is_some_and(|types| types.contains(&json!("null")));
            let words = words.iter().map(|word| json!(word)).chain(is_nullable.then_some(Value::Null));
            schema["enum"] = Value::Array(words.collect());
        }
        Rule::Suffix(_) => {}
    }
}
