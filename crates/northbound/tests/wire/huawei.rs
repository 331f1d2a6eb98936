//! `SDK-HMAC-SHA256` and `V11-HMAC-SHA256`, and the raw queries of the older northbound.

use http::HeaderValue;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use otaru_northbound::wire::SignatureError;
use otaru_northbound::wire::digest::{BodyDigest, hex_of_32, hmac_sha256};
use otaru_northbound::wire::percent::{Text, decode_path, parse_pairs};
use otaru_northbound::wire::sdk_hmac::{Authorization, Scheme, derive_key};
use otaru_northbound::wire::time::TimeFormat;
use serde_json::Value;

use crate::support::{Recorded, list, text};

const VECTORS: &str = include_str!("../vectors/huawei-sigs.json");
const CAPTURES: &str = include_str!("../vectors/huawei-captures.json");
const OLDER_CAPTURES: &str = include_str!("../vectors/huawei-legacy-captures.json");

fn recorded_vector(vector: &Value) -> (Recorded, BodyDigest) {
    let mut request = Recorded::new(text(vector, "method"), text(vector, "url"), &vector["headers_sent"]);
    request.headers.insert(AUTHORIZATION, HeaderValue::from_str(text(vector, "authorization")).unwrap());
    (request, BodyDigest::of(text(vector, "body_utf8").as_bytes()))
}

fn vector_named(name: &str) -> Value {
    let file: Value = serde_json::from_str(VECTORS).unwrap();
    list(&file, "vectors").iter().find(|vector| text(vector, "name") == name).unwrap().clone()
}

#[test]
fn every_vector_is_accepted_or_rejected_as_it_says() {
    let file: Value = serde_json::from_str(VECTORS).unwrap();
    let (mut accepted, mut rejected) = (0, 0);
    for vector in list(&file, "vectors") {
        let name = text(vector, "name");
        let (request, body) = recorded_vector(vector);
        let authorization = Authorization::of(&request.headers).unwrap();
        assert_eq!(authorization.access_key_id, text(vector, "ak"), "{name}");
        assert_eq!(
            authorization.signed_at_ms(&request.head()).unwrap(),
            TimeFormat::Compact.parse(text(vector, "timestamp")).unwrap(),
            "{name}"
        );

        let verdict = authorization.verify(&request.head(), &body, text(vector, "sk"));
        if text(vector, "expect") == "reject" {
            assert!(matches!(verdict, Err(SignatureError::Mismatch { .. })), "{name}: {verdict:?}");
            rejected += 1;
            continue;
        }
        let canonical = authorization.canonical_request(&request.head(), &body).unwrap();
        assert_eq!(String::from_utf8(canonical).unwrap(), text(vector, "canonical_request"), "{name}");
        let string_to_sign = authorization.string_to_sign(&request.head(), &body).unwrap();
        assert_eq!(string_to_sign, text(vector, "string_to_sign"), "{name}");
        if let Scheme::Derived { date, region, service } = authorization.scheme {
            let key = derive_key(text(vector, "ak"), text(vector, "sk"), date, region, service);
            assert_eq!(std::str::from_utf8(&key).unwrap(), text(vector, "signing_key_used_as_ascii"), "{name}");
            assert_eq!(format!("{date}/{region}/{service}"), text(vector, "derived_info"), "{name}");
        }
        assert_eq!(verdict, Ok(()), "{name}");
        accepted += 1;
    }
    assert_eq!((accepted, rejected), (11, 2));
}

/// In five recordings the signed `User-Agent` was masked afterwards, so that their signatures no longer match.
#[test]
fn every_recorded_request_of_the_sdk_verifies() {
    let file: Value = serde_json::from_str(CAPTURES).unwrap();
    let (mut plain, mut derived, mut masked, mut foreign) = (0, 0, 0, 0);
    for capture in list(&file, "captures") {
        let label = format!("{} / {}", text(capture, "label"), text(capture, "mode"));
        let request = Recorded::new(text(capture, "method"), text(capture, "raw_target"), &capture["headers"]);
        let body = BodyDigest::of(text(capture, "body").as_bytes());
        match Authorization::of(&request.headers) {
            Ok(authorization) => {
                assert_eq!(authorization.access_key_id, text(&file, "ak"), "{label}");
                let verdict = authorization.verify(&request.head(), &body, text(&file, "sk"));
                if capture["note"].as_str().is_some_and(|note| note.starts_with("User-Agent masked")) {
                    assert!(matches!(verdict, Err(SignatureError::Mismatch { .. })), "{label}");
                    masked += 1;
                    continue;
                }
                assert_eq!(verdict, Ok(()), "{label}");
                let wrong = authorization.verify(&request.head(), &body, "another secret");
                assert!(matches!(wrong, Err(SignatureError::Mismatch { .. })), "{label}");
                match authorization.scheme {
                    Scheme::Plain => plain += 1,
                    Scheme::Derived { .. } => derived += 1,
                }
            }
            Err(error) => {
                assert_eq!(error, SignatureError::UnsupportedAlgorithm("Bearer".to_owned()), "{label}");
                foreign += 1;
            }
        }
    }
    assert_eq!((plain, derived, masked, foreign), (34, 32, 5, 1));
}

/// The recorder kept each query both raw and decoded, and each path both ways.
#[test]
fn recorded_queries_decode_as_the_recorder_decoded_them() {
    let mut with_query = 0;
    for file in [CAPTURES, OLDER_CAPTURES] {
        let file: Value = serde_json::from_str(file).unwrap();
        for capture in list(&file, "captures") {
            let (path, query) =
                text(capture, "raw_target").split_once('?').unwrap_or((text(capture, "raw_target"), ""));
            assert_eq!(decode_path(path.as_bytes()), decode_path(text(capture, "path").as_bytes()));
            let decoded: Vec<(String, String)> = serde_json::from_value(capture["query"].clone()).unwrap();
            assert_eq!(parse_pairs(query.as_bytes(), Text::Strict).unwrap(), decoded, "{query}");
            with_query += usize::from(!decoded.is_empty());
        }
    }
    assert_eq!(with_query, 24);
}

#[test]
fn only_the_date_has_to_be_signed() {
    let vector = vector_named("plain-get-list");
    let (mut request, body) = recorded_vector(&vector);
    let sign = |request: &Recorded, names: &str| {
        let header = format!("SDK-HMAC-SHA256 Access=AK, SignedHeaders={names}, Signature=0");
        let unsigned = Authorization::parse(&header)?;
        let message = unsigned.string_to_sign(&request.head(), &body)?;
        let signature = hex_of_32(&hmac_sha256(b"secret", message.as_bytes()));
        let signature = std::str::from_utf8(&signature).unwrap();
        Authorization { signature, ..unsigned }.verify(&request.head(), &body, "secret")
    };
    assert_eq!(sign(&request, "x-sdk-date"), Ok(()));
    assert_eq!(sign(&request, "host;x-sdk-date"), Ok(()));
    assert_eq!(sign(&request, "host"), Err(SignatureError::UnsignedHeader("X-Sdk-Date")));
    let missing = Err(SignatureError::MissingHeader("instance-id".to_owned()));
    assert_eq!(sign(&request, "instance-id;x-sdk-date"), missing);
    request.headers.append("x-sdk-date", HeaderValue::from_static("20260102T030405Z"));
    assert_eq!(sign(&request, "x-sdk-date"), Err(SignatureError::InvalidTime("X-Sdk-Date")), "sent twice");
}

#[test]
fn an_unsigned_payload_is_for_multipart_only() {
    let vector = vector_named("plain-multipart-unsigned-payload");
    let (mut request, body) = recorded_vector(&vector);
    let verify = |request: &Recorded, body: &BodyDigest| {
        Authorization::of(&request.headers).unwrap().verify(&request.head(), body, text(&vector, "sk"))
    };
    assert_eq!(
        verify(&request, &BodyDigest::of(b"any other form")),
        Ok(()),
        "no digest of the body is in the signature"
    );
    assert!(
        matches!(verify(&request, &BodyDigest::of(b"")), Err(SignatureError::Mismatch { .. })),
        "the empty body has one"
    );

    request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    assert_eq!(verify(&request, &body), Err(SignatureError::UnsignedPayload));
    request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("multipart"));
    assert_eq!(verify(&request, &body), Err(SignatureError::UnsignedPayload));
    request.headers.insert("x-sdk-content-sha256", HeaderValue::from_static("0123"));
    assert_eq!(verify(&request, &body), Err(SignatureError::BodyDigest("X-Sdk-Content-Sha256")));
}

#[test]
fn a_header_that_does_not_parse_says_why() {
    let cases = [
        ("SDK-HMAC-SM3 Access=a, SignedHeaders=x-sdk-date, Signature=0", "SDK-HMAC-SM3"),
        ("Basic YTpi", "Basic"),
        ("", ""),
    ];
    for (header, algorithm) in cases {
        let expected = Err(SignatureError::UnsupportedAlgorithm(algorithm.to_owned()));
        assert_eq!(Authorization::parse(header), expected, "{header}");
    }
    let malformed = [
        "SDK-HMAC-SHA256",
        "SDK-HMAC-SHA256 Access=, SignedHeaders=x-sdk-date, Signature=0",
        "SDK-HMAC-SHA256 Access=a, SignedHeaders=x-sdk-date",
        "SDK-HMAC-SHA256 Access=a, Access=b, SignedHeaders=x-sdk-date, Signature=0",
        "SDK-HMAC-SHA256 Access=a, SignedHeaders=X-Sdk-Date, Signature=0",
        "V11-HMAC-SHA256 Credential=a/20260102/r, SignedHeaders=x-sdk-date, Signature=0",
        "V11-HMAC-SHA256 Credential=a/2026-1-2/r/iotdm, SignedHeaders=x-sdk-date, Signature=0",
        "V11-HMAC-SHA256 Credential=a/20260102/r/iotdm/x, SignedHeaders=x-sdk-date, Signature=0",
    ];
    for header in malformed {
        assert!(matches!(Authorization::parse(header), Err(SignatureError::Malformed(_))), "{header}");
    }
}

#[test]
fn the_date_of_the_scope_is_that_of_the_request() {
    let (mut request, body) = recorded_vector(&vector_named("derived-get-list"));
    let moved = "V11-HMAC-SHA256 Credential=AK/20260103/cn-north-4/iotdm, SignedHeaders=x-sdk-date, Signature=0";
    request.headers.insert(AUTHORIZATION, HeaderValue::from_static(moved));
    let authorization = Authorization::of(&request.headers).unwrap();
    assert_eq!(authorization.verify(&request.head(), &body, "secret"), Err(SignatureError::ScopeDate));
}
