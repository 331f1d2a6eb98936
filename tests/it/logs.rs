//! The log: each line reads alone, has its request's id, and tells no secret.

use serde_json::Value;

use super::http::Request;
use super::server::{ACCESS_KEY_ID, ACCESS_KEY_SECRET, Server};
use super::team::{await_in, firmware, publish, signed};

/// The lines of a log in JSON.
fn lines(log: &str) -> Vec<Value> {
    log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn request_of(line: &Value) -> &Value {
    &line["request"]
}

/// The line of the request to `path`, once it is there.
fn access_line(server: &Server, path: &str) -> Value {
    let of_path = |line: &Value| line["target"] == "otaru::access" && line["path"] == path;
    await_in(|| server.log(), |log| lines(log).into_iter().find(of_path))
}

#[test]
fn a_request_is_one_line_that_reads_alone() {
    let server = Server::with(&["--log-format=json"]);
    let asked = signed("GET", "/api/v1/products").header("X-Request-Id", "theirs 1");
    let answer = server.send(&asked).expect(200);
    let line = access_line(&server, "/api/v1/products");
    assert_eq!((&line["level"], &line["message"]), (&"INFO".into(), &"answered".into()));
    assert_eq!((&line["method"], &line["status"]), (&"GET".into(), &200.into()));
    assert_eq!(line["bytes_out"], answer.body.len());
    assert!(line["duration_ms"].is_u64() && line["timestamp"].is_string(), "{line}");
    assert_eq!(line["their_request_id"], "theirs1");
    let request = request_of(&line);
    assert_eq!(request["id"].as_str(), answer.find("X-Request-Id"), "the answer has the log's id");
    assert_eq!((&request["door"], &request["operation"]), (&"native".into(), &"GET /api/v1/products".into()));
    assert_eq!((&request["peer"], &request["key"]), (&"127.0.0.1".into(), &ACCESS_KEY_ID.into()));
    assert_eq!(request["tenant"].as_str().unwrap().len(), 24);
}

#[test]
fn every_door_answers_with_the_id_that_the_log_has() {
    let server = Server::with(&["--log-format=json"]);
    let id_of = |path: &str| request_of(&access_line(&server, path))["id"].as_str().unwrap().to_owned();
    let iotda = server.send(&Request::new("GET", "/v5/iot/p/products"));
    assert_eq!(iotda.find("X-Request-Id"), Some(id_of("/v5/iot/p/products").as_str()));
    let aliyun = server.send(&Request::new("GET", "/?Action=ListOTAFirmware&Format=JSON"));
    let id = aliyun.json()["RequestId"].as_str().unwrap().to_lowercase();
    assert_eq!(id, id_of("/"));
    let objects = Request::new("GET", "/bucket/key").send(server.objects);
    let short = objects.find("x-amz-request-id").or(objects.find("x-obs-request-id")).unwrap().to_lowercase();
    assert!(id_of("/bucket/key").replace('-', "").starts_with(&short), "{short}");
}

#[test]
fn an_id_goes_from_the_door_to_the_statement() {
    let server = Server::with(&["--log-format=json", "--log-level=debug"]);
    let id = server.send(&signed("GET", "/api/v1/products")).expect(200).find("X-Request-Id").unwrap().to_owned();
    let below = |log: &str| -> Option<Vec<Value>> {
        let ours: Vec<Value> = lines(log).into_iter().filter(|line| request_of(line)["id"] == id).collect();
        ours.iter().any(|line| line["target"] == "otaru::access").then_some(ours)
    };
    let ours = await_in(|| server.log(), below);
    let statement = ours.iter().find(|line| line["statement"].as_str().is_some_and(|name| name.contains("products::")));
    let statement = statement.unwrap_or_else(|| panic!("no statement among {ours:#?}"));
    assert_eq!(statement["spans"].as_array().unwrap().last().unwrap()["verb"], "list_products");
    assert!(statement["duration_us"].is_u64(), "{statement}");

    // Also what is written, on another thread, has it.
    let body = serde_json::json!({ "name": "lamp", "code": "LAMP" });
    let id = server.send(&signed("POST", "/api/v1/products").json(&body)).expect(201);
    let id = id.find("X-Request-Id").unwrap().to_owned();
    await_in(
        || server.log(),
        |log| lines(log).iter().any(|line| request_of(line)["id"] == id && line["statement"].is_string()).then_some(()),
    );
}

#[test]
fn what_is_slow_is_told() {
    let server = Server::with(&["--log-format=json", "--log-slow-ms=1"]);
    // An upload of a few megabytes is never stored within a millisecond.
    publish(&server, "1", &firmware(8 << 20));
    let slow = await_in(
        || server.log(),
        |log| {
            lines(log).into_iter().find(|line| line["message"].as_str().is_some_and(|text| text.starts_with("a slow")))
        },
    );
    assert_eq!(slow["level"], "WARN");
    assert!(slow["duration_ms"].as_u64().unwrap() >= 1, "{slow}");
}

#[test]
fn text_for_people_says_the_same() {
    let server = Server::start();
    let answer = server.send(&signed("GET", "/api/v1/products")).expect(200);
    let id = answer.find("X-Request-Id").unwrap();
    let line = await_in(|| server.log(), |log| log.lines().find(|line| line.contains("answered")).map(str::to_owned));
    for part in
        [&format!("request{{id={id} door=\"native\""), "peer=127.0.0.1", "path=\"/api/v1/products\"", "status=200"]
    {
        assert!(line.contains(part), "{part} is not in {line}");
    }
}

#[test]
fn requests_that_went_well_can_be_left_out() {
    let server = Server::with(&["--log-requests=failed"]);
    server.send(&signed("GET", "/api/v1/products")).expect(200);
    server.send(&Request::new("GET", "/api/v1/nothing")).expect(404);
    await_in(|| server.log(), |log| log.contains("path=\"/api/v1/nothing\"").then_some(()));
    assert!(!server.log().contains("path=\"/api/v1/products\""), "{}", server.log());
}

#[test]
fn no_secret_is_ever_told() {
    let server = Server::with(&["--log-level=trace", "--metrics=open"]);
    let package = publish(&server, "1", &firmware(1000));
    server.send(&Request::new("GET", &package.link)).expect(200);
    let token = server.send(&signed("POST", "/api/v1/tokens").json(&serde_json::json!({}))).text();
    let token: Value = serde_json::from_str(&token).unwrap();
    let token = token["token"].as_str().or(token["access_token"].as_str()).expect("a token").to_owned();
    server
        .send(&Request::new("GET", "/api/v1/products").header("Authorization", format!("Bearer {token}")))
        .expect(200);
    let login = format!("appId={ACCESS_KEY_ID}&secret={ACCESS_KEY_SECRET}");
    let media_type = "application/x-www-form-urlencoded";
    let session = server
        .send(&Request::new("POST", "/iocm/app/sec/v1.1.0/login").header("Content-Type", media_type).body(login))
        .expect(200)
        .json();
    let rpc = format!("/?Action=ListOTAFirmware&AccessKeyId={ACCESS_KEY_ID}&Signature=c2lnbmF0dXJlLW9mLXJwYw%3D%3D");
    server.send(&Request::new("GET", &rpc));
    Request::new("GET", "/bucket/key?AWSAccessKeyId=a&Signature=c2lnbmF0dXJlLW9mLXMz&Expires=1").send(server.objects);
    await_in(|| server.log(), |log| log.contains("path=\"/bucket/key\"").then_some(()));

    let (told, measured) = (server.log(), server.send(&Request::new("GET", "/metrics")).expect(200).text());
    let signature = package.link.split("Signature=").nth(1).unwrap();
    let pair = signed("GET", "/").find("Authorization").unwrap().trim_start_matches("Basic ").to_owned();
    let secrets = [
        ACCESS_KEY_SECRET,
        signature,
        &token,
        &pair,
        session["accessToken"].as_str().unwrap(),
        session["refreshToken"].as_str().unwrap(),
        "c2lnbmF0dXJlLW9mLXJwYw",
        "c2lnbmF0dXJlLW9mLXMz",
    ];
    for secret in secrets {
        assert!(!told.contains(secret), "the log tells {secret}");
        assert!(!measured.contains(secret), "the metrics tell {secret}");
    }
    let master_key = std::fs::read_to_string(server.data().join("master.key")).unwrap();
    assert!(!told.contains(master_key.trim()), "the log tells the master key");
}
