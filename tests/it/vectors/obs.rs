//! What Huawei's OBS SDK signed, in its own form and in that of AWS version 2.

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderName, HeaderValue};
use otaru_core::clock::Clock;
use otaru_northbound::wire::{RequestHead, aws_v2, time::TimeFormat};
use serde_json::Value;

use super::super::http::{Answer, Request};
use super::super::server::{ACCESS_KEY_ID, ACCESS_KEY_SECRET, Server};
use super::{ANY_SKEW, headers, nudge, text, vectors, with_header_nudged};

const CAPTURES: &str = include_str!("../../../crates/northbound/tests/vectors/obs-captures.json");

/// How each is answered, by the status and the code. The recording has no bodies: spaces of the recorded length stand in, which
/// no XML and no digest fits.
#[rustfmt::skip]
const ANSWERS: [(&str, u16, &str); 21] = [
    ("create_bucket",           400, "MalformedXML"),
    ("head_bucket",             200, ""),
    ("bucket_location",         200, ""),
    ("list_buckets",            200, ""),
    ("list_objects",            200, ""),
    ("list_versions",           200, ""),
    ("put_content",             400, "BadDigest"),
    ("put_content_special_key", 200, ""),
    ("head_object",             200, ""),
    ("get_object",              200, ""),
    ("get_object_overrides",    404, "NoSuchVersion"),
    ("copy_object",             404, "NoSuchKey"),
    ("initiate_multipart",      200, ""),
    ("upload_part",             404, "NoSuchUpload"),
    ("list_parts",              404, "NoSuchUpload"),
    ("complete_multipart",      400, "MalformedXML"),
    ("abort_multipart",         404, "NoSuchUpload"),
    ("list_multipart",          200, ""),
    ("delete_objects",          400, "BadDigest"),
    ("delete_object",           204, ""),
    ("extension_date",          200, ""),
];

const ENDED: &str = "the link ended within an hour of the recording, and the end is looked at before the signature";

/// What is not replayed to its end, the refusal that it meets, and why.
#[rustfmt::skip]
const LISTED: [(&str, u16, &str, &str); 8] = [
    ("get_acl",                  501, "NotImplemented", "access control lists are not offered, which is said to anybody"),
    ("signed_url_acl",           501, "NotImplemented", "access control lists are not offered, which is said to anybody"),
    ("signed_url_get",           403, "AccessDenied", ENDED),
    ("signed_url_put",           403, "AccessDenied", ENDED),
    ("signed_url_overrides",     403, "AccessDenied", ENDED),
    ("signed_url_list",          403, "AccessDenied", ENDED),
    ("signed_url_temporary_key", 403, "AccessDenied", ENDED),
    ("temporary_key",            400, "InvalidToken", "its security token is the cloud's own"),
];

/// Signs with version 2 of AWS, as of now.
pub fn signed(request: Request) -> Request {
    let request = request.header("Date", TimeFormat::Http.format(Clock::system().now_ms()));
    let pair =
        |(name, value): &(String, String)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    let headers: HeaderMap = request.headers.iter().map(pair).collect();
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let head = RequestHead { method: &request.method, path, query, authority: None, headers: &headers };
    let authorization = aws_v2::sign(&head, None, ACCESS_KEY_ID, ACCESS_KEY_SECRET);
    request.header("Authorization", authorization)
}

fn capture(capture: &Value) -> Request {
    let mut request = Request::new(text(capture, "method"), text(capture, "raw_target"));
    request.headers = headers(&capture["headers"]);
    let length = request.find("Content-Length").map_or(0, |length| length.parse().unwrap());
    request.body(vec![b' '; length])
}

fn code(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let between = text.split_once("<Code>").and_then(|(_, rest)| rest.split('<').next());
    between.unwrap_or_default().to_owned()
}

/// Every request that differs from this one in one byte that the signature covers is refused.
fn assert_covered(server: &Server, label: &str, request: &Request) {
    let refused = |what: &str, changed: &Request| {
        let answer = changed.send_exactly(server.objects);
        assert_eq!(answer.status, 403, "{label} with {what} changed: {}", code(&answer));
        assert!(
            request.method == "HEAD" || code(&answer) == "SignatureDoesNotMatch",
            "{label}, {what}: {}",
            code(&answer)
        );
    };
    refused("the signature", &with_header_nudged(request, "Authorization"));
    let is_signed = |name: &str| {
        matches!(name, "date" | "content-md5" | "content-type")
            || name.starts_with("x-obs-")
            || name.starts_with("x-amz-")
    };
    for (name, _) in &request.headers {
        if is_signed(&name.to_ascii_lowercase()) {
            refused(name, &with_header_nudged(request, name));
        }
    }
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    if path.len() > 1 {
        refused("the path", &Request { target: request.target.replacen(path, &nudge(path), 1), ..request.clone() });
    }
    // Only parameters that choose what is meant are signed.
    for pair in query.split('&').filter(|pair| pair.starts_with("uploadId=") || pair.starts_with("partNumber=")) {
        refused(pair, &Request { target: request.target.replacen(pair, &nudge(pair), 1), ..request.clone() });
    }
}

#[test]
fn what_the_obs_sdk_signed_is_let_in_and_nothing_else() {
    let server = Server::with(&[&ANY_SKEW[..], &["--objects-url", "http://obs.example.test:9000"]].concat());
    signed(Request::new("PUT", "/ota-packages")).send(server.objects).expect(200);
    let (mut replayed, mut listed, mut labels, mut wrong) = (0, 0, BTreeSet::new(), Vec::new());
    let captures = vectors(CAPTURES, "captures");
    assert_eq!(captures.len(), 55);
    for found in captures {
        let (label, request) = (text(&found, "label"), capture(&found));
        labels.insert(label.to_owned());
        let shown = format!("{label} ({})", text(&found, "form"));
        let (status, expected, why) = match ANSWERS.iter().find(|(name, ..)| *name == label) {
            Some((_, status, expected)) => {
                assert_covered(&server, &shown, &request);
                replayed += 1;
                (status, expected, "")
            }
            None => {
                let found = LISTED.iter().find(|(name, ..)| *name == label);
                let (_, status, expected, why) =
                    found.unwrap_or_else(|| panic!("{label} is neither replayed nor listed"));
                listed += 1;
                (status, expected, *why)
            }
        };
        let answer = request.send_exactly(server.objects);
        if (answer.status, code(&answer).as_str()) != (*status, *expected) {
            wrong.push(format!("{shown} is answered with {} {} {why}", answer.status, code(&answer)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let known: BTreeSet<String> = ANSWERS
        .iter()
        .map(|(name, ..)| *name)
        .chain(LISTED.iter().map(|(name, ..)| *name))
        .map(str::to_owned)
        .collect();
    assert_eq!(labels, known);
    assert_eq!((replayed, listed), (41, 14));
}
