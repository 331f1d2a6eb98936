//! Goldens: a folder `tests/golden/<dialect>/<case>/` holds a `request` and the `response` that it must get, byte for byte.
//!
//! Both are HTTP as one would write it on paper: first line, headers, an empty line, the body (the file's last line break does
//! not count). `{{name}}` in a request is filled in from what the test knows. In a response it stands for a value that the
//! server chose: the first time it is taken down, every further time (also in later cases) it must be the same; `{{any}}` may
//! differ each time. Only the headers that a response names are compared; `Content-Length` always fits the body.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::http::{Answer, Request};

/// What the cases of a test know: names and their values.
pub type Known = BTreeMap<String, String>;

/// Sends a case's request, signed by `sign`, with `send`, and compares the answer.
#[track_caller]
pub fn check(case: &str, known: &mut Known, sign: impl Fn(&mut Request), send: impl Fn(&Request) -> Answer) {
    let folder = folder(case);
    let mut request = parse_request(&fill(&read(&folder.join("request")), known));
    sign(&mut request);
    let answer = send(&request);
    compare(case, &read(&folder.join("response")), &answer, known);
}

fn folder(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(case)
}

fn read(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.strip_suffix('\n').map(str::to_owned).unwrap_or(text)
}

fn fill(text: &str, known: &Known) -> String {
    let mut filled = text.to_owned();
    for (name, value) in known {
        filled = filled.replace(&format!("{{{{{name}}}}}"), value);
    }
    filled
}

fn parse_request(text: &str) -> Request {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let first = lines.next().unwrap_or_default();
    let (method, target) = first.split_once(' ').unwrap_or_else(|| panic!("not a request line: {first}"));
    let mut request = Request::new(method, target).body(body);
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("not a header: {line}"));
        request = request.header(name, value);
    }
    request
}

#[track_caller]
fn compare(case: &str, expected: &str, answer: &Answer, known: &mut Known) {
    let (head, body) = expected.split_once("\n\n").unwrap_or((expected, ""));
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default();
    let shown = format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.status.to_string(), status, "{case}: {shown}");
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{case}: not a header: {line}"));
        let found = answer.find(name).unwrap_or_else(|| panic!("{case}: no header {name} in {:?}", answer.headers));
        assert_matches(case, name, value, found, known);
    }
    assert_matches(case, "the body", body, &answer.text(), known);
}

/// Compares text with a pattern, and takes down what the pattern names.
#[track_caller]
fn assert_matches(case: &str, what: &str, pattern: &str, text: &str, known: &mut Known) {
    let (mut rest, mut pattern_rest) = (text, pattern);
    while let Some(start) = pattern_rest.find("{{") {
        let literal = &pattern_rest[..start];
        let after = &pattern_rest[start + 2..];
        let end = after.find("}}").unwrap_or_else(|| panic!("{case}: {{{{ without }}}} in {what}"));
        let (name, next) = (&after[..end], &after[end + 2..]);
        rest = rest.strip_prefix(literal).unwrap_or_else(|| differ(case, what, pattern, text, rest));
        // The value goes up to what follows it in the pattern.
        let stop = &next[..next.find("{{").unwrap_or(next.len())];
        let length = if stop.is_empty() { rest.len() } else { rest.find(stop).unwrap_or(rest.len()) };
        let value = &rest[..length];
        assert!(!value.is_empty() && !value.contains(['"', '<', '\n']), "{case}: {what}: {name} is {value:?}");
        if name != "any" {
            let first = known.entry(name.to_owned()).or_insert_with(|| value.to_owned());
            assert_eq!(first, value, "{case}: {what}: {name} changed");
        }
        (rest, pattern_rest) = (&rest[length..], next);
    }
    if rest != pattern_rest {
        differ(case, what, pattern, text, rest);
    }
}

#[track_caller]
fn differ(case: &str, what: &str, pattern: &str, text: &str, rest: &str) -> ! {
    panic!("{case}: {what} differs\nexpected: {pattern}\n     got: {text}\nfrom here: {rest}")
}

#[test]
fn a_pattern_takes_values_down_and_holds_them() {
    let mut known = Known::new();
    assert_matches("self", "text", r#"{"id":"{{id}}","at":"{{any}}"}"#, r#"{"id":"7","at":"now"}"#, &mut known);
    assert_matches("self", "text", "<{{id}}>", "<7>", &mut known);
    assert_eq!(known["id"], "7");
    let wrong = std::panic::catch_unwind(move || assert_matches("self", "text", "<{{id}}>", "<8>", &mut known));
    assert!(wrong.is_err());
}
