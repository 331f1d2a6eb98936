//! The door as a client meets it: requests in, bytes out, over a real store and real files, with a clock that the test moves.

mod captures;
mod checks;
mod envelopes;
mod failures;
mod forms;
mod limits;
mod modules;
mod packages;
mod paging;
mod products;
mod signing;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use otaru_core::app::{App, Caller, Secret};
use otaru_core::blobs::Blobs;
use otaru_core::clock::Clock;
use otaru_core::seal::MasterKey;
use otaru_core::store::Store;
use serde_json::Value;
use tower::ServiceExt;

use super::{Settings, router};
use crate::wire::percent::encode;
use crate::wire::rpc_v1::{self, SignatureMethod};
use crate::wire::time::TimeFormat;

/// The key of the recorded requests.
const KEY_ID: &str = "testAccessKeyId";
const SECRET: &str = "testAccessKeySecret";
/// 2026-11-21T09:24:14Z, when the first of them was made.
const START_MS: i64 = 1_795_253_054_000;

/// A server of the test's own.
struct Bench {
    app: App,
    clock: Clock,
    router: Router,
    admin: Caller,
    nonce: AtomicU32,
    /// Removed with the test.
    folder: tempfile::TempDir,
}

/// What came back.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

/// Who signs.
#[derive(Clone, Copy)]
struct Signer<'a> {
    key_id: &'a str,
    secret: &'a str,
}

const ADMIN: Signer<'static> = Signer { key_id: KEY_ID, secret: SECRET };

type Parameters<'a> = &'a [(&'a str, &'a str)];

impl Bench {
    async fn new() -> Bench {
        Bench::with(Settings::default()).await
    }

    /// Quotas are off unless the settings name them: a test calls as fast as it can.
    async fn with(mut settings: Settings) -> Bench {
        for operation in super::operations::OPERATIONS {
            settings.calls_per_second.entry(operation.name.to_owned()).or_insert(0);
        }
        Bench::exactly(settings).await
    }

    async fn exactly(settings: Settings) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(START_MS);
        let store = Store::open(&format!("sqlite:{}", folder.path().join("otaru.db").display())).await.unwrap();
        let blobs = Blobs::open(&format!("fs:{}", folder.path().join("blobs").display())).await.unwrap();
        let key = MasterKey::from_bytes([7; 32]);
        let app = App::open(store, blobs, key, clock.clone(), otaru_core::app::Settings::default(), BTreeMap::new());
        let app = app.await.unwrap();
        app.bootstrap(Some((KEY_ID.to_owned(), Secret::new(SECRET)))).await.unwrap();
        let admin = app.check_secret(KEY_ID, SECRET).await.unwrap();
        let router = router(app.clone(), settings);
        Bench { app, clock, router, admin, nonce: AtomicU32::new(0), folder }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    /// A nonce that no other request of the test has.
    fn nonce(&self) -> String {
        format!("nonce-{}", self.nonce.fetch_add(1, Ordering::Relaxed))
    }

    /// The query of a signed call, every parameter in it.
    fn query(&self, method: &str, signer: Signer<'_>, action: &str, parameters: Parameters<'_>) -> String {
        let mut pairs: Vec<(String, String)> = Vec::new();
        let nonce = self.nonce();
        let timestamp = TimeFormat::Seconds.format(self.clock.now_ms());
        let common = [
            ("Action", action),
            ("Version", "2018-01-20"),
            ("AccessKeyId", signer.key_id),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("SignatureNonce", &nonce),
            ("Timestamp", &timestamp),
        ];
        for (name, value) in common.into_iter().chain(parameters.iter().copied()) {
            // A test that gives a common parameter means it instead of ours.
            pairs.retain(|(other, _)| other != name);
            pairs.push((name.to_owned(), value.to_owned()));
        }
        let method_name =
            parameters.iter().find(|(name, _)| *name == "SignatureMethod").map_or("HMAC-SHA1", |pair| pair.1);
        let signature_method = SignatureMethod::parse(method_name).unwrap_or(SignatureMethod::HmacSha1);
        let signature = rpc_v1::sign(signature_method, &rpc_v1::string_to_sign(method, &pairs), signer.secret);
        pairs.push(("Signature".to_owned(), signature));
        to_query(&pairs)
    }

    async fn call_as(&self, signer: Signer<'_>, action: &str, parameters: Parameters<'_>) -> Answer {
        let query = self.query("GET", signer, action, parameters);
        self.send(Request::get(format!("/?{query}")).body(Body::empty()).unwrap()).await
    }

    /// A call in JSON.
    async fn call(&self, action: &str, parameters: Parameters<'_>) -> Answer {
        let mut all = vec![("Format", "JSON")];
        all.extend_from_slice(parameters);
        self.call_as(ADMIN, action, &all).await
    }

    /// The key of a new product.
    async fn product(&self, name: &str) -> String {
        let answer = self.call("CreateProduct", &[("ProductName", name), ("NodeType", "0")]).await.success();
        answer["ProductKey"].as_str().unwrap().to_owned()
    }

    /// Uploads a file by form and answers with its FirmwareUrl.
    async fn upload(&self, bytes: &[u8]) -> String {
        let data = self.call("GenerateOTAUploadURL", &[]).await.success()["Data"].clone();
        let answer = self.send(forms::Form::of(&data).file(bytes).request()).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text);
        data["FirmwareUrl"].as_str().unwrap().to_owned()
    }

    /// The id of a new package with one file, `more` parameters added.
    async fn firmware(&self, product_key: &str, name: &str, version: &str, more: Parameters<'_>) -> String {
        let url = self.upload(b"bytes of a firmware").await;
        let mut all =
            vec![("FirmwareName", name), ("DestVersion", version), ("ProductKey", product_key), ("FirmwareUrl", &url)];
        all.extend_from_slice(more);
        let answer = self.call("CreateOTAFirmware", &all).await.success();
        answer["Data"]["FirmwareId"].as_str().unwrap().to_owned()
    }

    async fn query_firmware(&self, id: &str) -> Value {
        self.call("QueryOTAFirmware", &[("FirmwareId", id)]).await.success()["FirmwareInfo"].clone()
    }

    async fn list_firmware(&self, parameters: Parameters<'_>) -> Value {
        let mut all = vec![("CurrentPage", "1"), ("PageSize", "100")];
        all.extend_from_slice(parameters);
        self.call("ListOTAFirmware", &all).await.success()
    }
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The answer of a call that went well.
    #[track_caller]
    fn success(&self) -> Value {
        let json = self.json();
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        assert_eq!(json["Success"], true, "{}", self.text);
        assert!(json.get("Code").is_none() && json.get("ErrorMessage").is_none(), "{}", self.text);
        json
    }

    /// The code of a business failure.
    #[track_caller]
    fn business(&self) -> String {
        let json = self.json();
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        assert_eq!(json["Success"], false, "{}", self.text);
        assert_eq!(json["Message"], json["ErrorMessage"], "{}", self.text);
        json["Code"].as_str().unwrap().to_owned()
    }

    /// Status and code of a gateway failure.
    #[track_caller]
    fn gateway(&self) -> (u16, String) {
        let json = self.json();
        assert!(json.get("Success").is_none(), "{}", self.text);
        (self.status.as_u16(), json["Code"].as_str().unwrap_or_else(|| panic!("{}", self.text)).to_owned())
    }

    #[track_caller]
    fn message(&self) -> String {
        let json = self.json();
        let message = json.get("ErrorMessage").or_else(|| json.get("Message"));
        message.and_then(Value::as_str).unwrap_or_else(|| panic!("{}", self.text)).to_owned()
    }
}

fn to_query(pairs: &[(String, String)]) -> String {
    let pairs = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}
