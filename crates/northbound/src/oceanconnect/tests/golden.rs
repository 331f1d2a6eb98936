//! Whole messages under `tests/golden/oceanconnect`: the request as it is sent, the answer as it must be.

use std::path::{Path, PathBuf};

use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/oceanconnect")
}

/// The file without its last line break, with values in the place of `{{name}}`.
fn filled(case: &str, file: &str, values: &[(&str, &str)]) -> String {
    let path = folder().join(case).join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let text = text.strip_suffix('\n').unwrap_or(&text).to_owned();
    values.iter().fold(text, |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
}

fn parse(message: &str) -> Request<Body> {
    let (head, body) = message.split_once("\n\n").unwrap_or((message, ""));
    let mut lines = head.lines();
    let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(target);
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

/// Status, `Content-Type` and body, which is all that the documents say of an answer.
fn write(answer: &Answer) -> String {
    let mut text = answer.status.as_u16().to_string();
    if let Some(content_type) = answer.header("content-type") {
        text.push_str(&format!("\nContent-Type: {content_type}"));
    }
    if !answer.text.is_empty() {
        text.push_str(&format!("\n\n{}", answer.text));
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
        _ => {}
    }
}

#[tokio::test]
async fn every_message_is_answered_to_the_letter() {
    let entries = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap());
    let cases = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    let cases: Vec<String> = cases.map(|entry| entry.file_name().into_string().unwrap()).collect();
    assert!(cases.iter().any(|case| case == "query-package"), "the documents' own example is among them");
    for case in cases {
        let door = Door::open().await;
        let product = door.meter().await;
        let file_id = door.publish(described_package(&product)).await.id.to_string();
        let token = door.token().await;
        prepare(&case, &door, &token).await;
        let values = [("appId", &door.app_id), ("secret", &door.secret), ("accessToken", &token), ("fileId", &file_id)]
            .map(|(name, value)| (name, value.as_str()));
        let answer = door.send(parse(&filled(&case, "request", &values))).await;
        assert_eq!(write(&answer), filled(&case, "response", &values), "{case}");
    }
}
