//! Requests of the vendor's unmodified SDK, replayed as they were recorded: byte for byte, with the signature they have.

use super::*;
use crate::wire::RequestHead;
use crate::wire::digest::BodyDigest;
use crate::wire::sdk_hmac::Authorization;

const CAPTURES: &str = include_str!("../../../tests/vectors/huawei-captures.json");
const PROJECT: &str = "0123456789abcdef0123456789abcdef";

/// What belongs to the package registry, and how it is answered where what it speaks of is in place.
/// The ids of packages and modules in the recordings are none that we could have given.
const ANSWERS: [(&str, u16, &str); 17] = [
    ("add_application", 201, ""),
    ("show_applications", 200, ""),
    ("create_product", 201, ""),
    ("list_products", 200, ""),
    ("create_ota_package", 201, ""),
    ("create_ota_package_module", 201, ""),
    ("list_ota_package_info", 200, ""),
    ("list_ota_package_info_min", 200, ""),
    ("show_ota_package", 404, "IOTDA.019301"),
    ("delete_ota_package", 404, "IOTDA.019301"),
    ("create_ota_module", 400, "IOTDA.000006"),
    ("list_ota_modules", 200, ""),
    ("show_ota_module", 404, "IOTDA.019321"),
    ("update_ota_module", 404, "IOTDA.019321"),
    ("delete_ota_module", 404, "IOTDA.019321"),
    ("x_auth_token_added_by_invoker", 404, "IOTDA.019301"),
    ("authorization_preset_by_invoker", 401, "IOTDA.000002"),
];

async fn world() -> World {
    let projects = [(PROJECT.to_owned(), "DEFAULT".to_owned())].into();
    let world = World::with_example(Settings { projects, ..Settings::default() }).await;
    world.object("abc", "bbb/m.bin", b"a module").await;
    let module = json!({"app_id": SPACE, "product_id": PRODUCT, "module_name": "bms"});
    world.post(MODULES, &module).await.assert_status(201);
    world
}

fn captures() -> Vec<Value> {
    let file: Value = serde_json::from_str(CAPTURES).unwrap();
    file["captures"].as_array().unwrap().clone()
}

fn text<'a>(capture: &'a Value, name: &str) -> &'a str {
    capture[name].as_str().unwrap()
}

fn replay(capture: &Value) -> Request<Body> {
    let mut request = Request::builder().method(text(capture, "method")).uri(text(capture, "raw_target"));
    for pair in capture["headers"].as_array().unwrap() {
        request = request.header(pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
    }
    request.body(Body::from(text(capture, "body").to_owned())).unwrap()
}

#[tokio::test]
async fn recorded_requests_are_let_in_and_answered() {
    let world = world().await;
    let mut replayed = [0; ANSWERS.len()];
    for capture in captures() {
        let Some(at) = ANSWERS.iter().position(|(label, ..)| *label == text(&capture, "label")) else { continue };
        let (label, status, code) = ANSWERS[at];
        replayed[at] += 1;
        let reply = world.send(replay(&capture)).await;
        assert_eq!(reply.status.as_u16(), status, "{label}: {}", reply.body);
        assert_eq!(reply.body["error_code"].as_str().unwrap_or_default(), code, "{label}: {}", reply.body);
    }
    // Fifteen operations in two ways of signing, and two ways of adding a header.
    let expected: [i32; ANSWERS.len()] = std::array::from_fn(|at| if at < 15 { 2 } else { 1 });
    assert_eq!(replayed, expected);
}

#[tokio::test]
async fn recorded_packages_come_back_as_they_were_sent() {
    let world = world().await;
    let mut compared = 0;
    for capture in captures() {
        if !text(&capture, "label").starts_with("create_ota_package") {
            continue;
        }
        let reply = world.send(replay(&capture)).await;
        let sent: Value = serde_json::from_str(text(&capture, "body")).unwrap();
        for (name, value) in sent.as_object().unwrap() {
            assert_eq!(&reply.assert_status(201)[name], value, "{name}");
        }
        compared += 1;
    }
    assert_eq!(compared, 4);
}

/// In five recordings a signed header was masked afterwards, so they are signed again; the rest of each is as recorded.
#[tokio::test]
async fn masked_recordings_are_answered_once_they_are_signed_again() {
    let world = world().await;
    let mut replayed = Vec::new();
    for capture in captures() {
        if !capture["note"].as_str().is_some_and(|note| note.starts_with("User-Agent masked")) {
            continue;
        }
        let label = text(&capture, "label");
        let mut request = replay(&capture);
        world.send(replay(&capture)).await.assert_status(401);
        if label == "temporary_credentials" {
            // Its token is nobody's, however it is signed.
            sign_again(&mut request);
            world.send(request).await.assert_refused(401, "IOTDA.000002", "security token");
            replayed.push((label.to_owned(), 401));
            continue;
        }
        sign_again(&mut request);
        replayed.push((label.to_owned(), world.send(request).await.status.as_u16()));
    }
    let expected = [
        ("project_id_discovery_then_list", 200),
        ("project_id_discovery_then_list", 200),
        ("list_ota_package_info_without_project_id", 400),
        ("temporary_credentials", 401),
        ("endpoint_with_path_prefix", 404),
    ];
    assert_eq!(replayed, expected.map(|(label, status)| (label.to_owned(), status)));
}

/// Puts the right signature in the place of the recorded one. All of these are signed in the plain way.
fn sign_again(request: &mut Request<Body>) {
    let recorded = request.headers()["authorization"].to_str().unwrap().to_owned();
    let head = RequestHead::new(request.method(), request.uri(), request.headers());
    let parsed = Authorization::parse(&recorded).unwrap();
    let signed = match parsed.scheme {
        crate::wire::sdk_hmac::Scheme::Plain => SECRET.as_bytes().to_vec(),
        crate::wire::sdk_hmac::Scheme::Derived { date, region, service } => {
            crate::wire::sdk_hmac::derive_key(KEY_ID, SECRET, date, region, service).to_vec()
        }
    };
    let text = parsed.string_to_sign(&head, &BodyDigest::of(b"")).unwrap();
    let mac = crate::wire::digest::hmac_sha256(&signed, text.as_bytes());
    let signature = crate::wire::digest::hex_of_32(&mac);
    let renewed = recorded.replace(parsed.signature, std::str::from_utf8(&signature).unwrap());
    header(request, "authorization", &renewed);
}
