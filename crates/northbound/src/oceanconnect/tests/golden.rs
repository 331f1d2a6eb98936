//! Whole messages under `tests/golden/oceanconnect`: the request as it is sent, the answer as it must be.

use std::path::{Path, PathBuf};

use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/oceanconnect")
}

fn read(case: &str, file: &str) -> String {
    let path = folder().join(case).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Puts values in the place of `{name}`.
fn fill(text: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

fn parse(message: &str) -> Request<Body> {
    let (head, body) = message.split_once("\n\n").unwrap_or((message.trim_end(), ""));
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ');
    let mut request = Request::builder().method(first.next().unwrap()).uri(first.next().unwrap());
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    request.body(Body::from(body.trim_end().to_owned())).unwrap()
}

/// Status line, `Content-Type` and body, which is all that the documents say of an answer.
fn write(answer: &Answer) -> String {
    let reason = answer.status.canonical_reason().unwrap();
    let mut text = format!("HTTP/1.1 {} {reason}\n", answer.status.as_u16());
    if let Some(content_type) = answer.header("content-type") {
        text.push_str(&format!("Content-Type: {content_type}\n"));
    }
    text.push('\n');
    if !answer.text.is_empty() {
        text.push_str(&serde_json::to_string_pretty(&answer.json()).unwrap());
        text.push('\n');
    }
    text
}

/// What has to happen first.
async fn prepare(case: &str, door: &Door, token: &str) {
    match case {
        "query-package-throttled" => {
            for _ in 0..100 {
                assert_eq!(door.get(CATEGORY, token).await.status, 200);
            }
        }
        "query-package-expired-token" => door.clock.advance(3_600_000),
        "list-packages"
        | "list-packages-page-beyond"
        | "delete-package"
        | "query-package"
        | "query-package-malformed"
        | "query-package-unknown"
        | "login-refused"
        | "refresh-refused" => {}
        other => panic!("this test does not know what {other} needs"),
    }
}

#[tokio::test]
async fn every_message_is_answered_to_the_letter() {
    let mut cases: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    cases.sort();
    assert!(cases.iter().any(|case| case == "query-package"), "the documents' own example is among them");
    for case in cases {
        let door = Door::open().await;
        let product = door.meter().await;
        let file_id = door.publish(described_package(&product)).await.id.to_string();
        let token = door.token().await;
        prepare(&case, &door, &token).await;
        let values = [("appId", door.app_id.as_str()), ("accessToken", &token), ("fileId", &file_id)];
        let answer = door.send(parse(&fill(&read(&case, "request.http"), &values))).await;
        assert_eq!(write(&answer), fill(&read(&case, "response.http"), &values), "{case}");
    }
}
