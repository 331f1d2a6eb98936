//! RPC 1.0, ACS3 and OSS version 1.

use http::HeaderValue;
use http::header::AUTHORIZATION;
use otaru_northbound::wire::acs3::{self, Algorithm};
use otaru_northbound::wire::rpc_v1::{self, SignatureMethod};
use otaru_northbound::wire::{SignatureError, oss_v1};
use serde_json::Value;

use crate::support::{Recorded, list, object_pairs, pairs, text, to_query};

const VECTORS: &str = include_str!("../vectors/aliyun-sigs.json");
const CAPTURES: &str = include_str!("../vectors/aliyun-captures.json");

fn vectors(scheme: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(VECTORS).unwrap();
    list(&file, "vectors").iter().filter(|vector| text(vector, "scheme").starts_with(scheme)).cloned().collect()
}

/// The vectors by scheme; those of devices belong to the device side.
#[test]
fn every_vector_has_its_test() {
    let counts =
        ["RPC V1", "ACS3", "OSS", "device MQTT password", "dynamic registration"].map(|scheme| vectors(scheme).len());
    assert_eq!(counts, [10, 9, 3, 4, 1]);
    let file: Value = serde_json::from_str(VECTORS).unwrap();
    assert_eq!(list(&file, "vectors").len(), 27);
}

#[test]
fn rpc_vectors() {
    let mut with_string_to_sign = 0;
    for vector in vectors("RPC V1") {
        let id = text(&vector, "id");
        let mut parameters = if vector["url"].is_string() {
            let query = text(&vector, "url").split_once('?').map(|(_, query)| query).unwrap_or_default();
            let mut parameters = pairs(query);
            parameters.extend(pairs(text(&vector, "body")));
            parameters
        } else if vector["request_target"].is_string() {
            let mut parameters = pairs(text(&vector, "request_target").strip_prefix("/?").unwrap());
            parameters.extend(object_pairs(&vector["body_params"]));
            parameters
        } else {
            let mut parameters = object_pairs(&vector["query_params"]);
            parameters.push(("Signature".to_owned(), text(&vector, "signature").to_owned()));
            parameters
        };
        let (method, secret) = (text(&vector, "method"), text(&vector, "accessKeySecret"));
        assert_eq!(rpc_v1::verify(method, &parameters, secret), Ok(()), "{id}");

        let string_to_sign = rpc_v1::string_to_sign(method, &parameters);
        assert_eq!(
            rpc_v1::sign(SignatureMethod::HmacSha1, &string_to_sign, secret),
            text(&vector, "signature"),
            "{id}"
        );
        if let Some(expected) = vector["string_to_sign"].as_str() {
            assert_eq!(string_to_sign, expected, "{id}");
            with_string_to_sign += 1;
        }

        parameters.push(("PageSize".to_owned(), "99".to_owned()));
        match rpc_v1::verify(method, &parameters, secret) {
            Err(SignatureError::Mismatch { string_to_sign }) => {
                assert!(string_to_sign.contains("PageSize%3D99"), "{id}")
            }
            other => panic!("{id}: {other:?}"),
        }
    }
    assert_eq!(with_string_to_sign, 7);
}

#[test]
fn rpc_with_the_longer_digest() {
    let mut parameters = pairs("Action=ListOTAFirmware&SignatureMethod=HMAC-SHA256");
    let signature = rpc_v1::sign(SignatureMethod::HmacSha256, &rpc_v1::string_to_sign("GET", &parameters), "secret");
    assert_eq!(signature.len(), 44, "32 bytes in Base64");
    parameters.push(("Signature".to_owned(), signature));
    assert_eq!(rpc_v1::verify("GET", &parameters, "secret"), Ok(()));
    parameters[1].1 = "HMAC-SHA1".to_owned();
    assert!(matches!(rpc_v1::verify("GET", &parameters, "secret"), Err(SignatureError::Mismatch { .. })));
}

#[test]
fn rpc_requests_that_cannot_be_verified_say_why() {
    let verify = |query: &str| rpc_v1::verify("GET", &pairs(query), "secret").unwrap_err();
    assert_eq!(verify("SignatureMethod=HMAC-SHA1"), SignatureError::Missing);
    assert!(matches!(verify("Signature=x"), SignatureError::Malformed(_)));
    assert!(matches!(verify("Signature=x&Signature=x&SignatureMethod=HMAC-SHA1"), SignatureError::Malformed(_)));
    let unsupported = SignatureError::UnsupportedAlgorithm("SHA256withRSA".to_owned());
    assert_eq!(verify("Signature=x&SignatureMethod=SHA256withRSA"), unsupported);
}

#[test]
fn acs3_vectors() {
    let mut with_canonical_request = 0;
    for vector in vectors("ACS3") {
        let id = text(&vector, "id");
        let target = format!("{}?{}", text(&vector, "path"), to_query(&object_pairs(&vector["query_params"])));
        let mut request = Recorded::new(text(&vector, "method"), &target, &vector["headers"]);
        request.headers.insert(AUTHORIZATION, HeaderValue::from_str(text(&vector, "authorization")).unwrap());
        let authorization = acs3::Authorization::of(&request.headers).unwrap();
        assert_eq!(authorization.algorithm.name(), text(&vector, "scheme"), "{id}");
        assert_eq!(authorization.access_key_id, "testAccessKeyId", "{id}");
        assert_eq!(authorization.signed_at_ms(&request.head()), Ok(1_767_323_045_000), "{id}");

        let (body, secret) = (text(&vector, "body"), text(&vector, "accessKeySecret"));
        assert_eq!(authorization.verify(&request.head(), body.as_bytes(), secret), Ok(()), "{id}");
        let other_body = authorization.verify(&request.head(), b"CurrentPage=2&PageSize=10", secret);
        assert_eq!(other_body, Err(SignatureError::BodyDigest("x-acs-content-sha256")), "{id}");

        if let Some(expected) = vector["canonical_request"].as_str() {
            let canonical = authorization.canonical_request(&request.head()).unwrap();
            assert_eq!(String::from_utf8(canonical).unwrap(), expected, "{id}");
            with_canonical_request += 1;
        }
        if let Some(expected) = vector["string_to_sign"].as_str() {
            assert_eq!(authorization.string_to_sign(&request.head()).unwrap(), expected, "{id}");
            let mismatch = Err(SignatureError::Mismatch { string_to_sign: expected.to_owned() });
            assert_eq!(authorization.verify(&request.head(), body.as_bytes(), "wrong"), mismatch, "{id}");
        }
    }
    assert_eq!(with_canonical_request, 7);
}

#[test]
fn acs3_headers_that_choose_the_call_have_to_be_signed() {
    let vector = &vectors("ACS3")[0];
    let request = Recorded::new("POST", "/", &vector["headers"]);
    let refused = |names: &str| {
        let header = format!("ACS3-HMAC-SHA256 Credential=a,Signature=0,SignedHeaders={names}");
        acs3::Authorization::parse(&header).unwrap().verify(&request.head(), b"", "secret").unwrap_err()
    };
    assert_eq!(
        refused("x-acs-date;x-acs-signature-nonce;x-acs-version"),
        SignatureError::UnsignedHeader("x-acs-action")
    );
    assert_eq!(
        refused("x-acs-action;x-acs-signature-nonce;x-acs-version"),
        SignatureError::UnsignedHeader("x-acs-date")
    );
    let all = "x-acs-action;x-acs-date;x-acs-signature-nonce;x-acs-version";
    assert!(matches!(refused(all), SignatureError::Mismatch { .. }));
    assert_eq!(
        refused(&format!("{all};x-acs-security-token")),
        SignatureError::MissingHeader("x-acs-security-token".to_owned())
    );
}

#[test]
fn acs3_is_parsed_by_name_not_by_order() {
    let java = "ACS3-HMAC-SHA256 Credential=AK, Signature=00, SignedHeaders=host;x-acs-date";
    let parsed = acs3::Authorization::parse(java).unwrap();
    assert_eq!(
        (parsed.access_key_id, parsed.signature, parsed.signed_headers.as_str()),
        ("AK", "00", "host;x-acs-date")
    );
    let rsa = acs3::Authorization::parse("ACS3-RSA-SHA256 Credential=AK,SignedHeaders=host,Signature=00");
    assert_eq!(rsa, Err(SignatureError::UnsupportedAlgorithm("ACS3-RSA-SHA256".to_owned())));
}

/// 50 requests of version 1.0, 24 of ACS3, one of them with SM3, and two with a bearer token and no signature.
#[test]
fn every_recorded_request_of_the_sdks_verifies() {
    let file: Value = serde_json::from_str(CAPTURES).unwrap();
    let (mut rpc, mut acs3, mut acs3_sm3, mut unsigned) = (0, 0, 0, 0);
    for capture in list(&file, "captures") {
        let label = format!("{} / {}", text(capture, "client"), text(capture, "action"));
        let (query, body) = (text(capture, "query"), text(capture, "body"));
        let request = Recorded::new(text(capture, "method"), &format!("/?{query}"), &capture["headers"]);
        let secret_of = |access_key_id: &str| match access_key_id {
            "testAccessKeyId" => "testAccessKeySecret",
            "STS.testId" => "testStsSecret",
            other => panic!("{label}: {other}"),
        };
        let mut parameters = pairs(query);
        parameters.extend(pairs(body));
        let parameter =
            |name: &str| parameters.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());

        if parameter("Signature").is_some() {
            let secret = secret_of(parameter("AccessKeyId").unwrap());
            assert_eq!(rpc_v1::verify(request.method.as_str(), &parameters, secret), Ok(()), "{label}");
            rpc += 1;
            continue;
        }
        match acs3::Authorization::of(&request.headers) {
            Ok(authorization) => {
                let secret = secret_of(authorization.access_key_id);
                assert_eq!(authorization.verify(&request.head(), body.as_bytes(), secret), Ok(()), "{label}");
                match authorization.algorithm {
                    Algorithm::HmacSha256 => acs3 += 1,
                    Algorithm::HmacSm3 => acs3_sm3 += 1,
                }
            }
            Err(error) => {
                assert_eq!(error, SignatureError::Missing, "{label}");
                assert_eq!(parameter("SignatureType"), Some("BEARERTOKEN"), "{label}");
                unsigned += 1;
            }
        }
    }
    assert_eq!((rpc, acs3, acs3_sm3, unsigned), (50, 23, 1, 2));
}

#[test]
fn oss_form_uploads() {
    let signed = vectors("OSS PostObject V1");
    assert_eq!(signed.len(), 2);
    for vector in signed {
        let sdk = &vector["result"];
        let (policy, signature) = match sdk.is_object() {
            true => (text(sdk, "policy"), text(sdk, "Signature")),
            false => (text(&vector, "policy_b64"), text(&vector, "signature")),
        };
        let secret = text(&vector, "accessKeySecret");
        assert_eq!(oss_v1::post_signature(secret, policy), signature);
        assert!(oss_v1::verify_post(secret, policy, signature));
        assert!(!oss_v1::verify_post(secret, &policy[1..], signature));
        assert!(!oss_v1::verify_post("wrong", policy, signature));
    }
}

#[test]
fn oss_signed_urls() {
    let signed = vectors("OSS V1 URL");
    assert_eq!(signed.len(), 1);
    for vector in signed {
        let secret = text(&vector, "accessKeySecret");
        let query = pairs(text(&vector, "url").split_once('?').unwrap().1);
        let [(_, access_key_id), (_, expires), (_, signature)] = query.as_slice() else { panic!("{query:?}") };
        let (bucket, key) = text(&vector, "string_to_sign").split_once("\n/").unwrap().1.split_once('/').unwrap();
        assert!(oss_v1::verify_url(secret, "GET", expires, bucket, key, signature));
        assert!(!oss_v1::verify_url(secret, "HEAD", expires, bucket, key, signature));
        assert!(!oss_v1::verify_url(secret, "GET", "1577587361", bucket, key, signature));

        let ours = pairs(&oss_v1::signed_query(access_key_id, secret, expires.parse().unwrap(), bucket, key));
        let mut theirs = query.clone();
        theirs.swap(0, 1);
        assert_eq!(ours, theirs);
    }
}
