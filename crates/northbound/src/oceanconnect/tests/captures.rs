//! What an unmodified Python client of this API sent, byte for byte, answered by this door.

use super::*;

/// A recorded request with our tokens and ids in the place of the recorded ones.
fn replay(capture: &Value, values: &[(&str, &str)]) -> Request<Body> {
    let text = |name: &str| capture[name].as_str().unwrap_or_else(|| panic!("{name} is not a text in {capture}"));
    let ours = |text: &str| values.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    let mut request = Request::builder().method(text("method")).uri(ours(text("raw_target")));
    for header in capture["headers"].as_array().unwrap() {
        let (name, value) = (header[0].as_str().unwrap(), header[1].as_str().unwrap());
        if !name.eq_ignore_ascii_case("content-length") {
            request = request.header(name, ours(value));
        }
    }
    request.body(Body::from(ours(text("body")))).unwrap()
}

#[tokio::test]
async fn the_python_client_is_answered_from_login_to_delete() {
    let file = include_str!("../../../tests/vectors/huawei-legacy-captures.json");
    let file: Value = serde_json::from_str(file).unwrap();
    let captures = file["captures"].as_array().unwrap();
    let labels: Vec<&str> = captures.iter().map(|capture| capture["label"].as_str().unwrap()).collect();
    // Upgrade tasks and subscriptions come with the rollout engine.
    let later = [
        "create_software_task",
        "create_firmware_task",
        "query_task",
        "query_subtasks",
        "query_task_list",
        "subscribe_management",
    ];
    let packages = ["login", "refreshToken", "query_package_list", "query_package", "delete_package"];
    assert_eq!(labels, [&packages[..], &later[..]].concat());

    let door = Door::open().await;
    let product = door.meter().await;
    let file_id = door.publish(described_package(&product)).await.id.to_string();

    let answer = door.send(replay(&captures[0], &[])).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let refresh_token = answer.json()["refreshToken"].as_str().unwrap().to_owned();
    let answer = door.send(replay(&captures[1], &[("RT1", &refresh_token)])).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let token = answer.json()["accessToken"].as_str().unwrap().to_owned();
    let values = [("AT1", token.as_str()), ("64a3c2d8fb6fc0015c1d2e3f", &file_id)];

    let list = door.send(replay(&captures[2], &values)).await.json();
    assert_eq!(file_ids(&list), [file_id.as_str()]);
    assert_eq!((&list["pageNo"], &list["pageSize"], &list["totalCount"]), (&json!(0), &json!(10), &json!(1)));
    let package = door.send(replay(&captures[3], &values)).await.json();
    assert_eq!(package, list["data"][0]);
    let answer = door.send(replay(&captures[4], &values)).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""));
    door.send(replay(&captures[3], &values)).await.assert_error(404, "123002", "Device or package file not found.");
}
