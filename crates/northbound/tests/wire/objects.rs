//! OBS signatures as the OBS SDK makes them, and their second life as AWS version 2 in front of the S3 service.

use http::header::{AUTHORIZATION, DATE, HOST};
use http::{HeaderValue, StatusCode};
use otaru_northbound::wire::{RequestHead, SignatureError, aws_v2, obs};
use s3s::auth::SimpleAuth;
use s3s::host::SingleDomain;
use s3s::service::{S3Service, S3ServiceBuilder};
use serde_json::Value;

use crate::support::{Recorded, list, text};

const CAPTURES: &str = include_str!("../vectors/obs-captures.json");
const NOW_MS: i64 = 1_795_275_949_000;

/// An S3 service without a single operation: what it lets through to its operations answers 501.
struct Nothing;

impl s3s::S3 for Nothing {}

fn s3_service(access_key_id: &str, secret: &str) -> S3Service {
    let mut builder = S3ServiceBuilder::new(Nothing);
    builder.set_auth(SimpleAuth::from_single(access_key_id, secret));
    builder.set_host(SingleDomain::new("obs.example.test:9000").unwrap());
    builder.build()
}

fn captures(form: &str) -> Vec<(Recorded, Value)> {
    let file: Value = serde_json::from_str(CAPTURES).unwrap();
    let of_form = list(&file, "captures").iter().filter(|capture| text(capture, "form") == form);
    of_form
        .map(|capture| {
            let request = Recorded::new(text(capture, "method"), text(capture, "raw_target"), &capture["headers"]);
            (request, capture.clone())
        })
        .collect()
}

const ACCESS_KEY_ID: &str = "AKIDEXAMPLE0000000001";
const SECRET: &str = "sk-Example-Secret-Key-0000000000000001";

#[test]
fn every_recorded_obs_request_verifies() {
    let (mut in_header, mut in_url) = (0, 0);
    for (request, capture) in captures("obs") {
        let label = text(&capture, "label");
        let bucket = capture["virtual_bucket"].as_str();
        let signature = obs::find(&request.head()).unwrap().unwrap();
        assert_eq!(signature.access_key_id, ACCESS_KEY_ID, "{label}");
        assert_eq!(obs::verify(&signature, &request.head(), bucket, SECRET), Ok(()), "{label}");
        match signature.expires_at_ms().unwrap() {
            Some(at_ms) => {
                assert!(at_ms > NOW_MS, "{label}");
                in_url += 1;
            }
            None => {
                assert!(NOW_MS.abs_diff(obs::signed_at_ms(&request.head()).unwrap()) < 86_400_000, "{label}");
                in_header += 1;
            }
        }
        for (wrong_bucket, wrong_secret) in [(bucket, "wrong"), (Some("other"), SECRET), (None, SECRET)] {
            let verdict = obs::verify(&signature, &request.head(), wrong_bucket, wrong_secret);
            assert!(matches!(verdict, Err(SignatureError::Mismatch { .. })), "{label}");
        }
    }
    assert_eq!((in_header, in_url), (22, 6));
}

/// The same SDK signs `AWS AK:signature` in path-style: there our signer has to come to the same result.
#[test]
fn our_aws_signature_is_that_of_the_sdk() {
    let mut signed = 0;
    for (request, capture) in captures("aws") {
        assert_eq!(obs::find(&request.head()), Ok(None), "it is not an OBS signature");
        let Some(theirs) = request.headers.get(AUTHORIZATION) else {
            continue;
        };
        assert_eq!(aws_v2::sign(&request.head(), None, ACCESS_KEY_ID, SECRET), *theirs, "{}", text(&capture, "label"));
        signed += 1;
    }
    assert_eq!(signed, 22);
}

/// The judge is the S3 service itself: it lets every request through that was signed again, and none with another secret.
#[tokio::test]
async fn the_s3_service_accepts_what_we_sign_again() {
    let (ours, other) = (s3_service(ACCESS_KEY_ID, SECRET), s3_service(ACCESS_KEY_ID, "another secret"));
    let mut accepted = 0;
    for (request, capture) in captures("obs") {
        let label = text(&capture, "label");
        let mut sent = http::Request::new(());
        *sent.method_mut() = request.method;
        *sent.uri_mut() = request.uri;
        *sent.headers_mut() = request.headers;
        let (mut parts, ()) = sent.into_parts();
        aws_v2::resign(&mut parts, capture["virtual_bucket"].as_str(), ACCESS_KEY_ID, SECRET, NOW_MS).unwrap();
        assert!(parts.headers.keys().all(|name| !name.as_str().starts_with("x-obs-")), "{label}");

        let request = |parts: &http::request::Parts| http::Request::from_parts(parts.clone(), s3s::Body::empty());
        let refused = other.call(request(&parts)).await.unwrap();
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{label}");
        let answer = ours.call(request(&parts)).await.unwrap();
        // The recordings have no bodies, and two operations want to read theirs before anything else.
        let expected = match label {
            "complete_multipart" | "delete_objects" => StatusCode::BAD_REQUEST,
            _ => StatusCode::NOT_IMPLEMENTED,
        };
        assert_eq!(answer.status(), expected, "{label}");
        accepted += 1;
    }
    assert_eq!(accepted, 28);
}

#[test]
fn signing_again_leaves_nothing_that_was_not_signed() {
    let request = http::Request::put("/k?partNumber=1&Expires=1&AccessKeyId=a&Signature=b&uploadId=x%2Fy")
        .header(HOST, "b.obs.example.test")
        .header("x-amz-acl", "public-read")
        .header("x-obs-meta-a", "1")
        .header("x-obs-meta-a", "2");
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    aws_v2::resign(&mut parts, Some("b"), "AK", "secret", 1_767_323_045_000).unwrap();
    assert_eq!(parts.uri, "/k?partNumber=1&uploadId=x%2Fy");
    assert_eq!(parts.headers.get("x-amz-acl"), None);
    assert_eq!(parts.headers.get_all("x-amz-meta-a").iter().collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(parts.headers[DATE], "Fri, 02 Jan 2026 03:04:05 GMT");
    let request = RequestHead::new(&parts.method, &parts.uri, &parts.headers);
    assert_eq!(
        aws_v2::string_to_sign(&request, Some("b")),
        "PUT\n\n\nFri, 02 Jan 2026 03:04:05 GMT\nx-amz-meta-a:1,2\n/b/k?partNumber=1&uploadId=x/y"
    );
    let unfit = aws_v2::resign(&mut parts, None, "A\nK", "secret", 0);
    assert_eq!(unfit, Err(aws_v2::ResignError::AccessKeyId));
}

#[test]
fn an_obs_signature_that_does_not_parse_says_why() {
    let of = |target: &str, authorization: Option<&str>| {
        let headers =
            authorization.map_or(serde_json::json!([]), |value| serde_json::json!([["Authorization", value]]));
        let request = Recorded::new("GET", target, &headers);
        obs::find(&request.head()).map(|found| found.is_some())
    };
    assert_eq!(of("/b/k", None), Ok(false));
    assert_eq!(of("/b/k", Some("AWS a:b")), Ok(false));
    assert_eq!(of("/b/k?AWSAccessKeyId=a&Signature=b&Expires=1", None), Ok(false));
    assert_eq!(of("/b/k", Some("OBS a:b")), Ok(true));
    for (target, authorization) in [
        ("/b/k", Some("OBS a")),
        ("/b/k", Some("OBS :b")),
        ("/b/k?AccessKeyId=a&Signature=b", None),
        ("/b/k?AccessKeyId=a&Expires=1&Signature=b&Signature=c", None),
    ] {
        assert!(matches!(of(target, authorization), Err(SignatureError::Malformed(_))), "{target} {authorization:?}");
    }

    let expires = |value: &str| {
        let target = format!("/?AccessKeyId=a&Signature=b&Expires={value}");
        let request = Recorded::new("GET", &target, &serde_json::json!([]));
        obs::find(&request.head()).unwrap().unwrap().expires_at_ms()
    };
    assert_eq!(expires("1795279524"), Ok(Some(1_795_279_524_000)));
    for wrong in ["", "-1", "%2B1", "1.5", "99999999999999999999"] {
        assert_eq!(expires(wrong), Err(SignatureError::InvalidTime("Expires")), "{wrong}");
    }
}

#[test]
fn the_own_date_header_takes_the_place_of_date() {
    let headers =
        serde_json::json!([["Date", "Fri, 02 Jan 2026 03:04:05 GMT"], ["x-obs-date", "Sat, 03 Jan 2026 03:04:05 GMT"]]);
    let mut request = Recorded::new("GET", "/b/k?acl=&Location&other=1&x-obs-Z=2", &headers);
    assert_eq!(
        String::from_utf8(obs::string_to_sign(&request.head(), None, None)).unwrap(),
        "GET\n\n\n\nx-obs-date:Sat, 03 Jan 2026 03:04:05 GMT\n/b/k?Location&acl=&x-obs-Z=2"
    );
    assert_eq!(obs::signed_at_ms(&request.head()), Ok(1_767_409_445_000));
    request.headers.insert("x-obs-date", HeaderValue::from_static("20260103T030405Z"));
    assert_eq!(obs::signed_at_ms(&request.head()), Err(SignatureError::InvalidTime("Date")));
}
