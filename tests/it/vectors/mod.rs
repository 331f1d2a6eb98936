//! Requests that the vendors' own programs signed, byte for byte over a socket: each is let in, and none with one byte changed.
//!
//! `crates/northbound/tests/vectors` has them. What cannot be replayed is named in a list of the door's file here, with the
//! reason; a vector that is neither replayed nor named fails the test. The recorded times are long ago, so these servers allow
//! any clock skew.

mod alibaba;
mod huawei;
mod obs;
mod v15;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::http::Request;
use super::server::{ACCESS_KEY_ID, ACCESS_KEY_SECRET, Server};

/// Ten years in seconds, the most that can be set.
const ANY_SKEW: [&str; 2] = ["--signatures-clock-skew-s", "315360000"];

/// A list of a file of vectors.
fn vectors(file: &str, list: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(file).unwrap();
    file[list].as_array().unwrap_or_else(|| panic!("there is no list {list}")).clone()
}

fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name].as_str().unwrap_or_else(|| panic!("{name} is not a text in {vector}"))
}

/// The headers of a vector, in their order, as a list of pairs or an object has them.
fn headers(vector: &Value) -> Vec<(String, String)> {
    let owned = |name: &str, value: &Value| (name.to_owned(), value.as_str().unwrap().to_owned());
    match vector {
        Value::Array(pairs) => pairs.iter().map(|pair| owned(pair[0].as_str().unwrap(), &pair[1])).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| owned(name, value)).collect(),
        other => panic!("headers are {other}"),
    }
}

/// The text with one byte changed: its last digit, which keeps times and escapes what they are, or else its last letter.
fn nudge(text: &str) -> String {
    let at = text.rfind(|letter: char| letter.is_ascii_digit());
    let at = at.or_else(|| text.rfind(|letter: char| letter.is_ascii_alphabetic()));
    let at = at.unwrap_or_else(|| panic!("there is nothing to change in {text:?}"));
    let mut bytes = text.as_bytes().to_vec();
    bytes[at] = match bytes[at] {
        b'9' => b'0',
        b'z' => b'a',
        b'Z' => b'A',
        other => other + 1,
    };
    String::from_utf8(bytes).unwrap()
}

/// The request with one byte of a header's value changed.
fn with_header_nudged(request: &Request, name: &str) -> Request {
    let mut changed = request.clone();
    let found = changed.headers.iter_mut().find(|(other, _)| other.eq_ignore_ascii_case(name));
    let (_, value) = found.unwrap_or_else(|| panic!("there is no header {name} in {request:?}"));
    *value = nudge(value);
    changed
}

/// The request with one byte of its query changed, if it has one.
fn with_query_nudged(request: &Request) -> Option<Request> {
    let (path, query) = request.target.split_once('?')?;
    Some(Request { target: format!("{path}?{}", nudge(query)), ..request.clone() })
}

/// The request with one byte of its body changed, if it has one.
fn with_body_nudged(request: &Request) -> Option<Request> {
    let body = (!request.body.is_empty()).then(|| nudge(std::str::from_utf8(&request.body).unwrap()))?;
    Some(Request { body: body.into_bytes(), ..request.clone() })
}

/// A call of our own API.
fn native(server: &Server, path: &str, body: &Value) -> Value {
    let pair = STANDARD.encode(format!("{ACCESS_KEY_ID}:{ACCESS_KEY_SECRET}"));
    let request = Request::new("POST", &format!("/api/v1{path}")).header("Authorization", format!("Basic {pair}"));
    server.send(&request.json(body)).expect(201).json()
}

/// Takes in the key pair that the vendor's program signed with.
fn import_key(server: &Server, id: &str, secret: &str) {
    let made =
        native(server, "/keys", &json!({ "role": "admin", "label": "from a cloud", "id": id, "secret": secret }));
    assert_eq!((made["id"].as_str(), made["secret"].as_str()), (Some(id), Some(secret)));
}

#[test]
fn one_byte_is_changed_and_times_stay_times() {
    assert_eq!(nudge("Sat, 21 Nov 2026 15:45:49 GMT"), "Sat, 21 Nov 2026 15:45:40 GMT");
    assert_eq!(nudge("20260102T030405Z"), "20260102T030406Z");
    assert_eq!(nudge("application/json"), "application/jsoo");
    assert_eq!(nudge("kdqUcDY+JooR/z="), "kdqUcDY+JooR/a=");
}
