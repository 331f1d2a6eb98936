//! What Huawei's older Python SDK sent, with its application's own id and secret.

use serde_json::{Value, json};

use super::super::http::{Answer, Request};
use super::super::server::Server;
use super::{headers, import_key, native, nudge, text, vectors};

const CAPTURES: &str = include_str!("../../../crates/northbound/tests/vectors/huawei-legacy-captures.json");

/// What is answered, in the order of the recording.
const ANSWERED: [&str; 5] = ["login", "refreshToken", "query_package_list", "query_package", "delete_package"];
/// Upgrade tasks and subscriptions are not in the registry.
const LISTED: [&str; 6] = [
    "create_software_task",
    "create_firmware_task",
    "query_task",
    "query_subtasks",
    "query_task_list",
    "subscribe_management",
];

/// The request as it was recorded, but for the tokens and the id that only the answering server can know.
fn replay(server: &Server, capture: &Value, ours: &[(&str, &str)]) -> Answer {
    let put = |text: &str| ours.iter().fold(text.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours));
    let mut request = Request::new(text(capture, "method"), &put(text(capture, "raw_target")));
    request = request.body(put(text(capture, "body")));
    let length = request.body.len().to_string();
    request.headers = headers(&capture["headers"]);
    for (name, value) in &mut request.headers {
        *value = if name == "Content-Length" { length.clone() } else { put(value) };
    }
    request.send_exactly(server.http)
}

fn package(server: &Server) -> String {
    native(
        server,
        "/products",
        &json!({ "name": "meter", "code": "METER", "model": "WM-3", "manufacturer": "Sluice" }),
    );
    let upload = native(server, "/uploads", &json!("stands for a file"));
    let files = json!([{ "upload": upload["id"] }]);
    let new = json!({ "product": "METER", "module": "software", "version": "V1", "files": files });
    native(server, "/packages", &new)["id"].as_str().unwrap().to_owned()
}

#[test]
fn the_python_client_signs_in_with_the_pair_it_has() {
    let captures = vectors(CAPTURES, "captures");
    let labels: Vec<&str> = captures.iter().map(|capture| text(capture, "label")).collect();
    assert_eq!(labels, [&ANSWERED[..], &LISTED].concat(), "each request is replayed or named");
    let server = Server::start();
    import_key(&server, "app-id-example", "app-secret-example");
    let file_id = package(&server);

    // Byte for byte; and with one byte of the secret changed.
    let refused = replay(&server, &captures[0], &[("app-secret-example", "app-secret-examplf")]);
    assert_eq!((refused.status, &refused.json()["error_code"]), (401, &json!("100208")), "{}", refused.text());
    let login = replay(&server, &captures[0], &[]).expect(200).json();
    let refresh_token = login["refreshToken"].as_str().unwrap();
    let refused = replay(&server, &captures[1], &[("RT1", &nudge(refresh_token))]);
    assert!((400..500).contains(&refused.status), "{}", refused.text());
    let renewed = replay(&server, &captures[1], &[("RT1", refresh_token)]).expect(200).json();

    let token = renewed["accessToken"].as_str().unwrap();
    let wrong = nudge(token);
    for capture in &captures[2..5] {
        let refused = replay(&server, capture, &[("AT1", &wrong), ("64a3c2d8fb6fc0015c1d2e3f", &file_id)]);
        assert_eq!(refused.status, 403, "{}: {}", text(capture, "label"), refused.text());
    }
    let ours = [("AT1", token), ("64a3c2d8fb6fc0015c1d2e3f", file_id.as_str())];
    let list = replay(&server, &captures[2], &ours).expect(200).json();
    assert_eq!((&list["totalCount"], &list["data"][0]["fileId"]), (&json!(1), &json!(file_id)));
    assert_eq!(replay(&server, &captures[3], &ours).expect(200).json(), list["data"][0]);
    replay(&server, &captures[4], &ours).expect(200);
    replay(&server, &captures[3], &ours).expect(404);
    for capture in &captures[5..] {
        let answer = replay(&server, capture, &ours);
        assert_eq!(answer.status, 404, "{}: {}", text(capture, "label"), answer.text());
    }
}
