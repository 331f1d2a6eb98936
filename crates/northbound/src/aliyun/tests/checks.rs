//! The order in which a request is looked at, and what is said of each fault.

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{Method, Request};
use otaru_model::Role;

use super::super::is_for_us;
use super::*;

/// A call with every fault at once, of which one after the other is mended: what is said each time is the next in the order.
#[tokio::test]
async fn faults_are_told_in_the_contracts_order() {
    let bench = Bench::exactly(Settings { instance_id: Some("iot-060a0001".to_owned()), ..Settings::default() }).await;
    let viewer = bench.app.create_key(&bench.admin, Role::Viewer, "", None).await.unwrap();
    let old = TimeFormat::Seconds.format(START_MS - 901_000);
    let now = TimeFormat::Seconds.format(START_MS);
    let used = ("SignatureNonce", "used before");
    let viewer = Signer { key_id: &viewer.key.id, secret: viewer.secret.expose() };
    let once = [("Format", "JSON"), used, ("IotInstanceId", "iot-060a0001"), ("CurrentPage", "1"), ("PageSize", "1")];
    bench.call_as(viewer, "ListOTAFirmware", &once).await.success();

    let (mut method, mut signer) = (Method::PUT, Signer { key_id: "nobody", secret: "wrong" });
    let mut parameters: BTreeMap<&str, &str> = [
        ("Format", "JSON"),
        ("Action", ""),
        ("Version", "1999-01-01"),
        ("SignatureMethod", "ROT13"),
        ("SignatureVersion", "2.0"),
        ("Timestamp", "yesterday"),
        ("ModuleName", "default\0"),
        ("IotInstanceId", "other"),
        used,
    ]
    .into();
    let mut told = Vec::new();
    for step in 0..30 {
        let all: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (*name, *value)).collect();
        let query = bench.query(method.as_str(), signer, "", &all);
        let request = Request::builder().method(method.clone()).uri(format!("/?{query}"));
        let answer = bench.send(request.body(Body::empty()).unwrap()).await;
        let json = answer.json();
        let code = json["Code"].as_str().unwrap_or("success").to_owned();
        told.push(code.clone());
        match code.as_str() {
            "UnsupportedHTTPMethod" => method = Method::GET,
            "InvalidParameter" => drop(parameters.insert("ModuleName", "default")),
            "MissingAction" => drop(parameters.insert("Action", "Nonsense")),
            "InvalidVersion" => drop(parameters.insert("Version", "2018-01-20")),
            "InvalidAction.NotFound" => drop(parameters.insert("Action", "DeleteOTAModule")),
            "InvalidSignatureMethod" => drop(parameters.insert("SignatureMethod", "HMAC-SHA1")),
            "InvalidSignatureVersion" => drop(parameters.insert("SignatureVersion", "1.0")),
            "InvalidTimeStamp.Format" => drop(parameters.insert("Timestamp", &old)),
            "InvalidTimeStamp.Expired" => drop(parameters.insert("Timestamp", &now)),
            "InvalidAccessKeyId.NotFound" => signer.key_id = viewer.key_id,
            "SignatureDoesNotMatch" => signer.secret = viewer.secret,
            "SignatureNonceUsed" => {
                parameters.remove("SignatureNonce");
                // The quota of the second is used up; the next call finds that out first.
                for _ in 0..10 {
                    bench.call_as(viewer, "DeleteOTAModule", &[]).await;
                }
            }
            "Throttling.User" => {
                assert_eq!(answer.header("x-acs-retry-after"), "1000");
                bench.clock.advance(1000);
            }
            "Forbidden.RAM" => signer = ADMIN,
            "MissingProductKey" => drop(parameters.insert("ProductKey", "a19mzPZ0000")),
            "iot.system.InstanceNotFound" => drop(parameters.insert("IotInstanceId", "iot-060a0001")),
            "iot.ota.ModuleNotDeletable" => break,
            other => panic!("step {step}: {other}: {}", answer.text),
        }
    }
    let expected = [
        "UnsupportedHTTPMethod",
        "InvalidParameter",
        "MissingAction",
        "InvalidVersion",
        "InvalidAction.NotFound",
        "InvalidSignatureMethod",
        "InvalidSignatureVersion",
        "InvalidTimeStamp.Format",
        "InvalidTimeStamp.Expired",
        "InvalidAccessKeyId.NotFound",
        "SignatureDoesNotMatch",
        "SignatureNonceUsed",
        "Throttling.User",
        "Forbidden.RAM",
        "MissingProductKey",
        "iot.system.InstanceNotFound",
        "iot.ota.ModuleNotDeletable",
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn each_common_parameter_is_mandatory() {
    let bench = Bench::new().await;
    let query =
        bench.query("GET", ADMIN, "ListOTAFirmware", &[("Format", "JSON"), ("CurrentPage", "1"), ("PageSize", "1")]);
    let names = [
        "Action",
        "Version",
        "AccessKeyId",
        "Signature",
        "SignatureMethod",
        "SignatureVersion",
        "SignatureNonce",
        "Timestamp",
    ];
    for name in names {
        let rest: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with(&format!("{name}="))).collect();
        for rest in [rest.join("&"), format!("{}&{name}=", rest.join("&"))] {
            let answer = bench.send(Request::get(format!("/?{rest}")).body(Body::empty()).unwrap()).await;
            assert_eq!(answer.gateway(), (400, format!("Missing{name}")));
            assert_eq!(answer.message(), format!("{name} is mandatory for this action."));
        }
    }
}

#[tokio::test]
async fn each_header_of_the_other_signature_is_mandatory() {
    let bench = Bench::new().await;
    let headers = [
        ("x-acs-action", "ListOTAFirmware", "MissingAction"),
        ("x-acs-version", "2018-01-20", "MissingVersion"),
        ("x-acs-signature-nonce", "n", "MissingSignatureNonce"),
        ("x-acs-date", "2026-11-21T09:24:14Z", "MissingTimestamp"),
        ("x-acs-content-sha256", "e3b0", "MissingParameter"),
    ];
    for (left_out, _, code) in headers {
        let request = Request::post("/")
            .header("authorization", "ACS3-HMAC-SHA256 Credential=testAccessKeyId,SignedHeaders=host,Signature=0");
        let request = headers
            .iter()
            .filter(|(name, ..)| *name != left_out)
            .fold(request, |request, (name, value, _)| request.header(*name, *value));
        let answer = bench.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.gateway(), (400, code.to_owned()), "{left_out}");
    }
    for wrong in [
        "ACS3-HMAC-SHA256",
        "ACS3-HMAC-SHA256 Credential=testAccessKeyId,SignedHeaders=host",
        "ACS3-HMAC-SHA256 Credential=testAccessKeyId,SignedHeaders=host;Host,Signature=0",
    ] {
        let request =
            headers.iter().fold(Request::post("/"), |request, (name, value, _)| request.header(*name, *value));
        let answer = bench.send(request.header("authorization", wrong).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.gateway(), (400, "IncompleteSignature".to_owned()), "{wrong}");
    }
}

/// Every operation names what it needs, in order, before it looks at anything else.
#[tokio::test]
async fn each_required_parameter_is_asked_for() {
    let bench = Bench::new().await;
    for operation in super::super::operations::OPERATIONS {
        for (at, name) in operation.required.iter().enumerate() {
            let earlier: Vec<(&str, &str)> = operation.required[..at].iter().map(|name| (*name, "\u{1}")).collect();
            let answer = bench.call(operation.name, &earlier).await;
            assert_eq!(answer.gateway(), (400, format!("Missing{name}")), "{}", operation.name);
            let mut with_empty = earlier.clone();
            with_empty.push((name, ""));
            assert_eq!(bench.call(operation.name, &with_empty).await.gateway().1, format!("Missing{name}"));
        }
    }
}

#[tokio::test]
async fn a_viewer_may_look_and_nothing_else() {
    let bench = Bench::new().await;
    let viewer = bench.app.create_key(&bench.admin, Role::Viewer, "", None).await.unwrap();
    let viewer = Signer { key_id: &viewer.key.id, secret: viewer.secret.expose() };
    for operation in super::super::operations::OPERATIONS {
        let looks = operation.name.starts_with("List") || operation.name.starts_with("Query");
        let answer = bench.call_as(viewer, operation.name, &[("Format", "JSON")]).await;
        let (status, code) = answer.gateway();
        let is_forbidden = (status, code.as_str()) == (403, "Forbidden.RAM");
        assert_eq!(is_forbidden, !looks, "{}: {}", operation.name, answer.text);
    }
}

#[tokio::test]
async fn quotas_are_the_tenants_and_each_operations_own() {
    let settings = Settings { calls_per_second: [("QueryOTAFirmware".to_owned(), 0)].into(), ..Settings::default() };
    let bench = Bench::exactly(settings).await;
    let viewer = bench.app.create_key(&bench.admin, Role::Viewer, "", None).await.unwrap();
    let viewer = Signer { key_id: &viewer.key.id, secret: viewer.secret.expose() };
    let (_, other) = bench.app.create_tenant(&bench.admin, "other").await.unwrap();
    let other = Signer { key_id: &other.key.id, secret: other.secret.expose() };
    let list = async |signer: Signer<'_>| {
        bench.call_as(signer, "ListOTAFirmware", &[("Format", "JSON"), ("CurrentPage", "1"), ("PageSize", "1")]).await
    };
    for _ in 0..5 {
        list(ADMIN).await.success();
        list(viewer).await.success();
    }
    bench.clock.advance(250);
    for signer in [ADMIN, viewer] {
        let refused = list(signer).await;
        assert_eq!(refused.gateway(), (400, "Throttling.User".to_owned()));
        assert_eq!(refused.header("x-acs-retry-after"), "750");
    }
    list(other).await.success();
    for _ in 0..30 {
        let answer = bench.call("QueryOTAFirmware", &[("FirmwareId", "x")]).await;
        assert_eq!(answer.business(), "iot.ota.FirmwareNotFound", "0 means no limit");
    }
    bench.clock.advance(750);
    list(ADMIN).await.success();
}

/// The documented numbers.
#[test]
fn quotas_unless_configured() {
    let documented = [
        ("GenerateOTAUploadURL", 10),
        ("CreateOTAFirmware", 10),
        ("ModifyOTAFirmware", 5),
        ("DeleteOTAFirmware", 10),
        ("ListOTAFirmware", 10),
        ("QueryOTAFirmware", 20),
        ("CreateOTAModule", 10),
        ("UpdateOTAModule", 10),
        ("DeleteOTAModule", 10),
        ("ListOTAModuleByProduct", 10),
        ("CreateProduct", 50),
        ("QueryProduct", 50),
        ("QueryProductList", 50),
        ("DeleteProduct", 500),
    ];
    let ours =
        super::super::operations::OPERATIONS.iter().map(|operation| (operation.name, operation.calls_per_second));
    assert_eq!(ours.collect::<Vec<_>>(), documented);
}

#[tokio::test]
async fn an_instance_with_an_id_wants_it_named() {
    let bench = Bench::with(Settings { instance_id: Some("iot-1".to_owned()), ..Settings::default() }).await;
    let list = async |more: Parameters<'_>| {
        let mut all = vec![("CurrentPage", "1"), ("PageSize", "1")];
        all.extend_from_slice(more);
        bench.call("ListOTAFirmware", &all).await
    };
    list(&[("IotInstanceId", "iot-1")]).await.success();
    for wrong in [&[][..], &[("IotInstanceId", "")], &[("IotInstanceId", "iot-2")]] {
        assert_eq!(list(wrong).await.business(), "iot.system.InstanceNotFound");
    }
    let without = Bench::new().await;
    for any in [&[][..], &[("IotInstanceId", "iot-2")]] {
        without.list_firmware(any).await;
    }
}

#[tokio::test]
async fn parameters_that_cannot_be_told_apart_or_kept_are_refused() {
    let bench = Bench::new().await;
    let refused = async |request: Request<Body>, what: &str| {
        let answer = bench.send(request).await;
        assert_eq!(answer.gateway(), (400, "InvalidParameter".to_owned()), "{}", answer.text);
        assert!(answer.message().contains(what), "{}", answer.text);
    };
    let query =
        bench.query("GET", ADMIN, "ListOTAFirmware", &[("Format", "JSON"), ("CurrentPage", "1"), ("PageSize", "1")]);
    for (more, what) in [
        ("PageSize=1", "PageSize was sent more than once"),
        ("Udi=%ff", "Udi is not UTF-8"),
        ("Udi=a%00", "Udi holds a NUL"),
        ("%00=a", "name of a parameter"),
    ] {
        refused(Request::get(format!("/?{query}&{more}")).body(Body::empty()).unwrap(), what).await;
    }
    let long =
        Request::post("/").header(ACCEPT, "application/json").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    refused(long.body(Body::from("x".repeat((1 << 20) + 1))).unwrap(), "longer than 1048576 bytes").await;
    for (name, value) in
        [("PageSize", "many"), ("PageSize", "1.0"), ("PageSize", "+1"), ("PageSize", " 1"), ("CurrentPage", "-")]
    {
        let mut all = vec![("CurrentPage", "1"), ("PageSize", "1")];
        all.retain(|(other, _)| *other != name);
        all.push((name, value));
        let answer = bench.call("ListOTAFirmware", &all).await;
        assert_eq!(answer.gateway(), (400, "InvalidParameter".to_owned()), "{name}={value}");
        assert!(answer.message().contains(name), "{}", answer.text);
    }
}

#[tokio::test]
async fn names_are_case_sensitive_and_booleans_are_not() {
    let bench = Bench::new().await;
    let key = bench.product("meter").await;
    let lower = bench.call("ListOTAFirmware", &[("currentpage", "1"), ("PageSize", "1")]).await;
    assert_eq!(lower.gateway().1, "MissingCurrentPage");
    let action = bench.call("listOTAFirmware", &[]).await;
    assert_eq!(action.gateway(), (404, "InvalidAction.NotFound".to_owned()));
    assert_eq!(action.message(), "Specified api is not found, please check your url and method.");
    for (at, (spelled, status)) in
        [("true", 0), ("True", 0), ("TRUE", 0), ("false", -1), ("False", -1)].into_iter().enumerate()
    {
        let id = bench.firmware(&key, &format!("n{at}"), &at.to_string(), &[("NeedToVerify", spelled)]).await;
        assert_eq!(bench.query_firmware(&id).await["Status"], status, "{spelled}");
    }
    let url = bench.upload(b"a").await;
    let wrong = [
        ("FirmwareName", "n"),
        ("DestVersion", "9"),
        ("ProductKey", &*key),
        ("FirmwareUrl", &*url),
        ("NeedToVerify", "1"),
    ];
    assert_eq!(bench.call("CreateOTAFirmware", &wrong).await.gateway(), (400, "InvalidParameter".to_owned()));
}

#[test]
fn the_console_keeps_what_is_not_for_this_door() {
    let asks = |method: Method, uri: &str, headers: &[(&'static str, &str)]| {
        let request = headers
            .iter()
            .fold(Request::builder().method(method).uri(uri), |request, (name, value)| request.header(*name, *value));
        is_for_us(&request.body(()).unwrap())
    };
    assert!(asks(Method::GET, "/?Action=ListOTAFirmware", &[]));
    assert!(asks(Method::GET, "/?a=b&Act%69on=", &[]));
    assert!(asks(Method::PUT, "/?Action=ListOTAFirmware", &[]));
    assert!(asks(Method::GET, "/", &[("x-acs-action", "ListOTAFirmware")]));
    assert!(asks(Method::POST, "/", &[]));
    assert!(!asks(Method::GET, "/", &[]));
    assert!(!asks(Method::GET, "/?action=x&Actions=y", &[]));
    assert!(!asks(Method::GET, "/index.html?Action=x", &[]));
    assert!(!asks(Method::POST, "/api/v1/packages", &[]));
}
