//! What Alibaba's SDKs signed, with version 1.0 and with ACS3.

use std::collections::BTreeSet;

use otaru_northbound::wire::percent::encode;
use serde_json::{Value, json};

use super::super::http::{Answer, Request};
use super::super::server::Server;
use super::{ANY_SKEW, headers, import_key, native, nudge, text, vectors, with_header_nudged};

const SIGNATURES: &str = include_str!("../../../crates/northbound/tests/vectors/aliyun-sigs.json");
const CAPTURES: &str = include_str!("../../../crates/northbound/tests/vectors/aliyun-captures.json");
const KEY: (&str, &str) = ("testAccessKeyId", "testAccessKeySecret");

/// What the registry answers, by operation: some requests name a product that is there, most one that is not.
#[rustfmt::skip]
const ANSWERS: [(&str, &[&str]); 7] = [
    ("ListOTAFirmware",        &["FirmwareInfo"]),
    ("GenerateOTAUploadURL",   &["Data"]),
    ("QueryOTAFirmware",       &["iot.ota.FirmwareNotFound"]),
    // The recorded product keys are `p`, the recorded name is `n`, and the recorded digests are `m` and `s`.
    ("ListOTAModuleByProduct", &["iot.prod.InvalidFormattedProductkey"]),
    ("CreateOTAModule",        &["iot.prod.InvalidFormattedProductkey"]),
    ("CreateProduct",          &["iot.prod.InvalidFormattedProductName"]),
    ("CreateOTAFirmware",      &["MissingProductKey", "MissingDestVersion", "iot.prod.InvalidFormattedProductkey",
                                 "iot.check.InvalidFormattedParameter"]),
];

/// Operations that are not in the registry. The contract refuses an unknown action before it looks at the signature.
const OTHER_OPERATIONS: [&str; 12] = [
    "CancelOTATaskByDevice",
    "CancelOTATaskByJob",
    "ConfirmOTATask",
    "CreateOTADynamicUpgradeJob",
    "CreateOTAStaticUpgradeJob",
    "CreateOTAVerifyJob",
    "ListOTAModuleVersionsByDevice",
    "ListOTATaskByJob",
    "ListOTAUnfinishedTaskByDevice",
    "QueryOTAJob",
    "RegisterDevice",
    "UpdateOTAJob",
];

/// Vectors that are no call of this API.
const NO_CALLS: [(&str, &str); 8] = [
    (
        "oss-post-policy",
        "a form's policy is made by the server that takes the form, and this one ended in January 2026",
    ),
    ("oss-post-policy-aliossjs", "the same policy as the vendor's JavaScript signs it"),
    ("oss-presigned-get", "a link to the cloud's own bucket; ours name packages of ours, and it ended in 2019"),
    ("mqtt-linksdk-c-4.2.0", "a device's password for MQTT, which is not served yet"),
    ("mqtt-linksdk-c-4.1.0", "a device's password for MQTT, which is not served yet"),
    ("mqtt-iotkit-embedded-3.0.1", "a device's password for MQTT, which is not served yet"),
    ("mqtt-linkkit-python-1.2.13", "a device's password for MQTT, which is not served yet"),
    ("dynreg-hmacsha256", "a device's registration, which is not served yet"),
];

/// A request, and which of the two ways it is signed in.
struct Signed {
    label: String,
    action: String,
    request: Request,
}

impl Signed {
    fn is_acs3(&self) -> bool {
        self.request.find("Authorization").is_some()
    }

    /// The value of a parameter, still escaped, from the query or a form.
    fn parameter(&self, name: &str) -> Option<String> {
        let query = self.request.target.split_once('?').map_or("", |(_, query)| query);
        let body = std::str::from_utf8(&self.request.body).unwrap();
        let pairs = query.split('&').chain(body.split('&')).filter_map(|pair| pair.split_once('='));
        pairs.filter(|(found, _)| *found == name).map(|(_, value)| value.to_owned()).next()
    }

    fn nonce(&self) -> String {
        let header = self.request.find("x-acs-signature-nonce").map(str::to_owned);
        self.parameter("SignatureNonce").or(header).unwrap()
    }

    /// The request with one byte of a parameter's value changed, in the query or the body.
    fn with_parameter_nudged(&self, name: &str) -> Request {
        let value = self.parameter(name).unwrap();
        let (old, new) = (format!("{name}={value}"), format!("{name}={}", nudge(&value)));
        let mut changed = self.request.clone();
        changed.target = changed.target.replacen(&old, &new, 1);
        changed.body = String::from_utf8(changed.body).unwrap().replacen(&old, &new, 1).into_bytes();
        assert_ne!((&changed.target, &changed.body), (&self.request.target, &self.request.body), "{}", self.label);
        changed
    }
}

fn server() -> Server {
    let rates = "ListOTAFirmware=10000,QueryOTAFirmware=10000,GenerateOTAUploadURL=10000,CreateOTAFirmware=10000,\
                 ListOTAModuleByProduct=10000,CreateOTAModule=10000,CreateProduct=10000";
    let server = Server::with(&[&ANY_SKEW[..], &["--aliyun-qps", rates]].concat());
    import_key(&server, KEY.0, KEY.1);
    native(&server, "/products", &json!({ "name": "meter", "key": "a19mzPZ0000" }));
    server
}

fn query(parameters: &Value) -> String {
    let pairs = headers(parameters);
    pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect::<Vec<_>>().join("&")
}

/// A vector as its signer would have sent it.
fn vector(vector: &Value) -> Signed {
    let label = text(vector, "id").to_owned();
    let method = text(vector, "method");
    if text(vector, "scheme").starts_with("ACS3") {
        let target = match query(&vector["query_params"]).as_str() {
            "" => "/".to_owned(),
            query => format!("/?{query}"),
        };
        let mut request = Request::new(method, &target).body(text(vector, "body"));
        request.headers = headers(&vector["headers"]);
        let action = request.find("x-acs-action").unwrap().to_owned();
        let request = request.header("Authorization", text(vector, "authorization"));
        return Signed { label, action, request: with_length(request) };
    }
    let (target, body) = if vector["url"].is_string() {
        let target = text(vector, "url").strip_prefix("https://iot.cn-shanghai.aliyuncs.com").unwrap();
        (target.to_owned(), text(vector, "body").to_owned())
    } else if vector["request_target"].is_string() {
        (text(vector, "request_target").to_owned(), query(&vector["body_params"]))
    } else {
        let signature = encode(text(vector, "signature")).to_string();
        (format!("/?{}&Signature={signature}", query(&vector["query_params"])), String::new())
    };
    let mut request = Request::new(method, &target).header("Host", "iot.cn-shanghai.aliyuncs.com");
    if !body.is_empty() {
        request = request.header("Content-Type", "application/x-www-form-urlencoded").body(body);
    }
    let mut signed = Signed { label, action: String::new(), request: with_length(request) };
    signed.action = signed.parameter("Action").unwrap();
    signed
}

fn with_length(request: Request) -> Request {
    let length = request.body.len().to_string();
    if request.method == "POST" { request.header("Content-Length", length) } else { request }
}

fn capture(capture: &Value) -> Signed {
    let target = match text(capture, "query") {
        "" => "/".to_owned(),
        query => format!("/?{query}"),
    };
    let mut request = Request::new(text(capture, "method"), &target).body(text(capture, "body"));
    request.headers = headers(&capture["headers"]);
    let action = text(capture, "action").to_owned();
    Signed { label: format!("{} / {action}", text(capture, "client")), action, request }
}

/// The code of a refusal, in JSON or XML.
fn code(answer: &Answer) -> String {
    let text = answer.text();
    let between = |start: &str, end: char| text.split_once(start)?.1.split(end).next().map(str::to_owned);
    between("\"Code\":\"", '"').or_else(|| between("<Code>", '<')).unwrap_or_default()
}

/// Every request that differs from this one in one byte that the signature covers is refused.
fn assert_covered(server: &Server, signed: &Signed) {
    let refused = |what: &str, changed: &Request, expected: &str| {
        let answer = changed.send_exactly(server.http);
        assert_eq!(code(&answer), expected, "{} with {what} changed: {}", signed.label, answer.text());
    };
    const MISMATCH: &str = "SignatureDoesNotMatch";
    // A parameter of the operation's own, in the query or in the form.
    let names = ["ProductKey", "FirmwareId", "PageSize", "FileSuffix", "ProductName", "FirmwareName", "DestVersion"];
    let own = names.into_iter().find(|name| signed.parameter(name).is_some());
    if !signed.is_acs3() {
        for name in ["Signature", "SignatureNonce", "Timestamp"] {
            refused(name, &signed.with_parameter_nudged(name), MISMATCH);
        }
        if let Some(name) = own {
            refused(name, &signed.with_parameter_nudged(name), MISMATCH);
        }
        return;
    }
    let authorization = signed.request.find("Authorization").unwrap();
    let (_, names) = authorization.split_once("SignedHeaders=").unwrap();
    for name in names.split(',').next().unwrap().split(';') {
        let expected = match name {
            "x-acs-action" => "InvalidAction.NotFound",
            "x-acs-version" => "InvalidVersion",
            _ => MISMATCH,
        };
        refused(name, &with_header_nudged(&signed.request, name), expected);
    }
    // The signature stands last in some clients' header, and in the middle in others'.
    let signature = authorization.split_once("Signature=").unwrap().1.split(',').next().unwrap().to_owned();
    let mut changed = signed.request.clone();
    let header = changed.headers.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case("authorization")).unwrap();
    header.1 = header.1.replace(&signature, &nudge(&signature));
    refused("the signature", &changed, MISMATCH);
    if let Some(name) = own {
        // A body is covered by its digest, which is right until the body is looked at.
        let expected = if signed.request.body.is_empty() { MISMATCH } else { "IncompleteSignature" };
        refused(name, &signed.with_parameter_nudged(name), expected);
    }
}

#[test]
fn what_the_sdks_signed_is_let_in_and_nothing_else() {
    let mut requests = Vec::new();
    let mut no_calls = Vec::new();
    for found in vectors(SIGNATURES, "vectors") {
        match found["method"].is_string() {
            true => requests.push(vector(&found)),
            false => no_calls.push(text(&found, "id").to_owned()),
        }
    }
    let mut listed = NO_CALLS.map(|(id, _)| id.to_owned());
    no_calls.sort();
    listed.sort();
    assert_eq!(no_calls, listed, "each vector is a call or is named with the reason");
    requests.extend(vectors(CAPTURES, "captures").iter().map(capture));
    assert_eq!(requests.len(), 19 + 76);

    let mut server = server();
    let (mut replayed, mut other, mut tokens, mut bearers) = (0, BTreeSet::new(), 0, 0);
    let mut nonces = BTreeSet::new();
    for signed in &requests {
        let label = &signed.label;
        let is_bearer = signed.request.target.contains("BEARERTOKEN");
        let is_temporary = signed.parameter("SecurityToken").is_some()
            || signed.request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("x-acs-security-token"));
        let known = ANSWERS.iter().find(|(action, _)| *action == signed.action);
        if known.is_some() && !is_bearer && !is_temporary {
            // Several vectors have the same nonce, which a server takes once.
            if !nonces.insert(signed.nonce()) {
                server = self::server();
                nonces = BTreeSet::from([signed.nonce()]);
            }
            assert_covered(&server, signed);
        }
        let answer = signed.request.send_exactly(server.http);
        let found = code(&answer);
        match known {
            _ if is_bearer => {
                // A bearer token stands for a session that the vendor's own account service opens.
                assert_eq!(found, "InvalidSignatureMethod", "{label}");
                bearers += 1;
            }
            None => {
                assert_eq!((answer.status, found.as_str()), (404, "InvalidAction.NotFound"), "{label}");
                other.insert(signed.action.as_str());
            }
            Some(_) if is_temporary => {
                // The token is the cloud's own, so nobody here knows its secret.
                assert_eq!(found, "InvalidSecurityToken.Malformed", "{label}");
                tokens += 1;
            }
            Some((_, expected)) => {
                let is_there = |member: &&str| found.is_empty() && answer.text().contains(&format!("\"{member}\""));
                assert!(expected.iter().any(|code| found == **code || is_there(code)), "{label}: {}", answer.text());
                let again = signed.request.send_exactly(server.http);
                assert_eq!(code(&again), "SignatureNonceUsed", "{label}: a signed request is good once");
                replayed += 1;
            }
        }
    }
    assert_eq!(
        other,
        BTreeSet::from(OTHER_OPERATIONS),
        "each operation is answered or is named as not in the registry"
    );
    assert_eq!((replayed, tokens, bearers), (49, 5, 2));
}
