//! What Huawei's SDK signed for IoTDA, in both of its schemes.

use serde_json::{Value, json};

use super::super::http::{Answer, Request};
use super::super::server::{ACCESS_KEY_ID, ACCESS_KEY_SECRET, Server};
use super::{ANY_SKEW, headers, native, text, vectors, with_body_nudged, with_header_nudged, with_query_nudged};

const SIGNATURES: &str = include_str!("../../../crates/northbound/tests/vectors/huawei-sigs.json");
const CAPTURES: &str = include_str!("../../../crates/northbound/tests/vectors/huawei-captures.json");
const SPACE: &str = "61f7e74d036aca5be29e1ed4";
const PRODUCT: &str = "5ba24f5ebbe8f56f5a14f605";

/// How each is answered where what it speaks of is in place: the status, and the error's code or a member of the answer. The
/// ids of packages and modules in the recordings are none that a server could give.
#[rustfmt::skip]
const ANSWERS: [(&str, u16, &str); 23] = [
    ("plain-get-list",                200, "packages"),
    ("plain-post-json",               201, "package_id"),
    ("plain-get-query-encoding",      200, "products"),
    ("plain-delete-instance-id",      404, "IOTDA.019301"),
    ("derived-get-list",              200, "packages"),
    ("derived-delete-other-region",   404, "IOTDA.019321"),
    ("add_application",               201, "app_id"),
    ("show_applications",             200, "applications"),
    ("create_product",                201, "product_id"),
    ("list_products",                 200, "products"),
    ("create_ota_package",            201, "package_id"),
    ("create_ota_package_module",     201, "package_id"),
    ("list_ota_package_info",         200, "packages"),
    ("list_ota_package_info_min",     200, "packages"),
    ("show_ota_package",              404, "IOTDA.019301"),
    ("delete_ota_package",            404, "IOTDA.019301"),
    ("create_ota_module",             400, "IOTDA.000006"),
    ("list_ota_modules",              200, "modules"),
    ("show_ota_module",               404, "IOTDA.019321"),
    ("update_ota_module",             404, "IOTDA.019321"),
    ("delete_ota_module",             404, "IOTDA.019321"),
    ("x_auth_token_added_by_invoker", 404, "IOTDA.019301"),
    // Sent without the type that the list needs.
    ("endpoint_with_path_prefix",     400, "IOTDA.000006"),
];

const DEVICES: &str =
    "devices and their groups are not in the registry: no such API, before the signature is looked at";
const TASKS: &str = "batch tasks are not in the registry: no such API, before the signature is looked at";
const MASKED: &str = "the recorder masked the signed User-Agent afterwards, so the signature is of another request";

/// What is not replayed to its end, the refusal that it meets, and why.
#[rustfmt::skip]
const LISTED: [(&str, u16, &str, &str); 29] = [
    ("plain-post-json-utf8",             404, "APIGW.0101", TASKS),
    ("plain-multipart-unsigned-payload", 404, "APIGW.0101", TASKS),
    ("derived-post-json",                404, "APIGW.0101", TASKS),
    ("derived-post-empty-object",        404, "APIGW.0101", TASKS),
    ("plain-temp-credential",            401, "IOTDA.000002", "its security token is the cloud's own"),
    ("NEGATIVE-body-tampered",           401, "IOTDA.000002", "the vector is of a request that has to be refused"),
    ("NEGATIVE-scope-region-changed",    401, "IOTDA.000002", "the vector is of a request that has to be refused"),
    ("add_device",                        404, "APIGW.0101", DEVICES),
    ("list_devices",                      404, "APIGW.0101", DEVICES),
    ("show_device",                       404, "APIGW.0101", DEVICES),
    ("add_device_group",                  404, "APIGW.0101", DEVICES),
    ("create_or_delete_device_in_group",  404, "APIGW.0101", DEVICES),
    ("create_batch_task_firmware",        404, "APIGW.0101", TASKS),
    ("create_batch_task_software_groups", 404, "APIGW.0101", TASKS),
    ("list_batch_tasks",                  404, "APIGW.0101", TASKS),
    ("show_batch_task",                   404, "APIGW.0101", TASKS),
    ("stop_batch_task_all",               404, "APIGW.0101", TASKS),
    ("stop_batch_task_some",              404, "APIGW.0101", TASKS),
    ("retry_batch_task_all",              404, "APIGW.0101", TASKS),
    ("confirm_batch_task_some",           404, "APIGW.0101", TASKS),
    ("delete_batch_task",                 404, "APIGW.0101", TASKS),
    ("upload_batch_task_file",            404, "APIGW.0101", TASKS),
    ("list_batch_task_files",             404, "APIGW.0101", TASKS),
    ("delete_batch_task_file",            404, "APIGW.0101", TASKS),
    ("project_id_discovery_then_list",           401, "IOTDA.000002", MASKED),
    ("list_ota_package_info_without_project_id", 401, "IOTDA.000002", MASKED),
    ("temporary_credentials",                    401, "IOTDA.000002", MASKED),
    ("endpoint_with_path_prefix",                401, "IOTDA.000002", MASKED),
    ("authorization_preset_by_invoker",          401, "IOTDA.000002", "it carries a token of nobody's, and no signature"),
];

fn server() -> Server {
    let projects = ["--iotda-projects", "0123456789abcdef0123456789abcdef=DEFAULT"];
    let server = Server::with(&[&ANY_SKEW[..], &projects].concat());
    native(&server, "/spaces", &json!({ "name": "space1", "code": SPACE }));
    native(&server, "/products", &json!({ "name": "meter", "code": PRODUCT, "space": SPACE }));
    native(&server, &format!("/products/{PRODUCT}/modules"), &json!({ "name": "bms" }));
    for (target, body) in [("/abc", ""), ("/abc/bbb/upgrade.bin", "the whole firmware"), ("/abc/bbb/m.bin", "a module")]
    {
        super::obs::signed(Request::new("PUT", target).body(body)).send(server.objects).expect(200);
    }
    server
}

fn vector(vector: &Value) -> Request {
    let url = text(vector, "url");
    let target = url.find("/v5").map(|at| &url[at..]).unwrap();
    let mut request = Request::new(text(vector, "method"), target).body(text(vector, "body_utf8"));
    request.headers = headers(&vector["headers_sent"]);
    request.headers.push(("Authorization".to_owned(), text(vector, "authorization").to_owned()));
    let length = request.body.len().to_string();
    if request.method == "POST" { request.header("Content-Length", length) } else { request }
}

fn capture(capture: &Value) -> Request {
    let request = Request::new(text(capture, "method"), text(capture, "raw_target")).body(text(capture, "body"));
    Request { headers: headers(&capture["headers"]), ..request }
}

fn signed_headers(request: &Request) -> Vec<String> {
    let authorization = request.find("Authorization").unwrap();
    let (_, names) = authorization.split_once("SignedHeaders=").unwrap();
    names.split(',').next().unwrap().split(';').map(str::to_owned).collect()
}

#[track_caller]
fn assert_refused(label: &str, what: &str, answer: &Answer) {
    let refused = (answer.status, answer.json()["error_code"].as_str().map(str::to_owned));
    assert_eq!(refused, (401, Some("IOTDA.000002".to_owned())), "{label} with {what} changed: {}", answer.text());
}

/// Every request that differs from this one in one byte that the signature covers is refused.
fn assert_covered(server: &Server, label: &str, request: &Request) {
    let refused = |what: &str, changed: &Request| assert_refused(label, what, &changed.send_exactly(server.http));
    refused("the signature", &with_header_nudged(request, "Authorization"));
    let names = signed_headers(request);
    assert!(names.len() >= 4, "{label}: {names:?}");
    for name in names {
        refused(&name, &with_header_nudged(request, &name));
    }
    if let Some(changed) = with_query_nudged(request) {
        refused("the query", &changed);
    }
    if let Some(changed) = with_body_nudged(request) {
        refused("the body", &changed);
    }
}

#[test]
fn what_the_sdk_signed_is_let_in_and_nothing_else() {
    let mut requests: Vec<(String, Value, Request)> = Vec::new();
    for found in vectors(SIGNATURES, "vectors") {
        assert_eq!((text(&found, "ak"), text(&found, "sk")), (ACCESS_KEY_ID, ACCESS_KEY_SECRET));
        requests.push((text(&found, "name").to_owned(), found.clone(), vector(&found)));
    }
    for found in vectors(CAPTURES, "captures") {
        requests.push((text(&found, "label").to_owned(), found.clone(), capture(&found)));
    }
    assert_eq!(requests.len(), 85);

    let server = server();
    let (mut replayed, mut listed) = (0, 0);
    for (label, found, request) in &requests {
        let is_masked = found["note"].as_str().is_some_and(|note| note.starts_with("User-Agent masked"));
        let known = ANSWERS.iter().find(|(name, ..)| name == label).filter(|_| !is_masked);
        if let Some((_, status, expected)) = known {
            assert_covered(&server, label, request);
            let answer = request.send_exactly(server.http);
            assert_eq!(answer.status, *status, "{label}: {}", answer.text());
            let json = answer.json();
            let is_right = json["error_code"] == *expected || !json[*expected].is_null();
            assert!(is_right, "{label} has no {expected}: {json}");
            if label.starts_with("create_ota_package") {
                let sent: Value = serde_json::from_slice(&request.body).unwrap();
                sent.as_object().unwrap().iter().for_each(|(name, value)| assert_eq!(&json[name], value, "{name}"));
            }
            replayed += 1;
            continue;
        }
        let (_, status, code, why) = LISTED
            .iter()
            .find(|(name, ..)| name == label)
            .unwrap_or_else(|| panic!("{label} is neither replayed nor listed"));
        let answer = request.send_exactly(server.http);
        assert_eq!(answer.status, *status, "{label} ({why}): {}", answer.text());
        // The look-up of projects is another service's, with errors in another shape.
        let json = answer.json();
        let is_right = if request.target.starts_with("/v3/") {
            json["error"]["code"] == *status
        } else {
            json["error_code"] == *code
        };
        assert!(is_right, "{label} ({why}): {json}");
        listed += 1;
    }
    assert_eq!((replayed, listed), (38, 47));
    for (name, ..) in ANSWERS {
        assert!(requests.iter().any(|(label, ..)| label == name), "there is no vector {name}");
    }
    for (name, ..) in LISTED {
        assert!(requests.iter().any(|(label, ..)| label == name), "there is no vector {name}");
    }
}
