//! The door as its callers see it, over a real store and real files in a folder of the test's own.

mod document;
mod errors;
mod import;
mod limits;
mod lists;
mod rights;
mod stories;
mod uploads;

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::BodyExt;
use otaru_core::app::{self, App};
use otaru_core::blobs::Blobs;
use otaru_core::clock::Clock;
use otaru_core::seal::MasterKey;
use otaru_core::store::Store;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::Settings;

pub const START_MS: i64 = 1_772_000_000_000;
pub const MAX_FILE_BYTES: u64 = 100_000;

/// A server in a folder, whose clock the test moves, and its first administrator.
pub struct Town {
    pub app: App,
    pub clock: Clock,
    pub router: Router,
    pub admin: Key,
    pub folder: tempfile::TempDir,
}

/// How somebody signs in.
#[derive(Clone, Debug)]
pub struct Key {
    pub id: String,
    pub secret: String,
}

impl Key {
    pub fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.id, self.secret)))
    }
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub json: Value,
}

impl Reply {
    pub fn text(&self, member: &str) -> String {
        self.json[member].as_str().unwrap_or_else(|| panic!("{member} is a text in {self:?}")).to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The problem's name, and the field to blame.
    pub fn problem(&self) -> (u16, &str, &str) {
        let name = self.json["type"].as_str().and_then(|name| name.strip_prefix("urn:otaru:problem:"));
        let status = self.status.as_u16();
        assert_eq!(self.json["status"], json!(status), "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        assert_eq!(self.json["request_id"], json!(self.header("x-request-id")));
        (status, name.unwrap_or_default(), self.json["field"].as_str().unwrap_or_default())
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Reply {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }
}

impl Town {
    pub async fn new() -> Town {
        Town::with(Settings::default()).await
    }

    pub async fn with(settings: Settings) -> Town {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(START_MS);
        let store = Store::open(&format!("sqlite:{}", folder.path().join("otaru.db").display())).await.unwrap();
        let blobs = Blobs::open(&format!("fs:{}", folder.path().join("blobs").display())).await.unwrap();
        let key = MasterKey::load_or_create(&folder.path().join("master.key")).unwrap();
        let app_settings = app::Settings { max_file_bytes: MAX_FILE_BYTES, ..app::Settings::default() };
        let app = App::open(store, blobs, key, clock.clone(), app_settings, BTreeMap::new()).await.unwrap();
        let made = app.bootstrap(None).await.unwrap().expect("a new folder is a first start");
        let admin = Key { id: made.key.key.id, secret: made.key.secret.expose().to_owned() };
        let router = super::router(app.clone(), settings);
        Town { app, clock, router, admin, folder }
    }

    /// Sends a request as it is.
    pub async fn raw(&self, request: Request<Body>) -> Reply {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let json = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Reply { status: parts.status, headers: parts.headers, json }
    }

    pub fn request(&self, key: &Key, method: &str, path: &str) -> axum::http::request::Builder {
        let uri = format!("/api/v1{path}");
        Request::builder().method(method).uri(uri).header("authorization", key.basic())
    }

    /// A call with a JSON body; none if it is null.
    pub async fn call_as(&self, key: &Key, method: &str, path: &str, body: Value) -> Reply {
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = self.request(key, method, path).header("content-type", "application/json");
        self.raw(request.body(body).unwrap()).await
    }

    pub async fn call(&self, method: &str, path: &str, body: Value) -> Reply {
        self.call_as(&self.admin, method, path, body).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, Value::Null).await
    }

    pub async fn key(&self, role: &str) -> Key {
        let made = self.call("POST", "/keys", json!({ "role": role })).await.expect(201);
        Key { id: made.text("id"), secret: made.text("secret") }
    }

    /// Another tenant's administrator.
    pub async fn neighbour(&self) -> Key {
        let made = self.call("POST", "/tenants", json!({ "name": "neighbour" })).await.expect(201);
        let key = &made.json["key"];
        let text = |name: &str| key[name].as_str().unwrap().to_owned();
        Key { id: text("id"), secret: text("secret") }
    }

    pub async fn product(&self, code: &str) -> Reply {
        self.call("POST", "/products", json!({ "name": "lamp", "code": code })).await.expect(201)
    }

    /// Uploads a whole file; answers with the upload's id.
    pub async fn upload(&self, bytes: &'static [u8]) -> String {
        let request = self.request(&self.admin, "POST", "/uploads?file_name=lamp.bin");
        self.raw(request.body(Body::from(bytes)).unwrap()).await.expect(201).text("id")
    }

    /// Makes a firmware package of a few bytes.
    pub async fn package(&self, product: &str, version: &str) -> Reply {
        let upload = self.upload(b"a lamp's firmware").await;
        let new = json!({ "product": product, "version": version, "files": [{ "upload": upload }] });
        self.call("POST", "/packages", new).await.expect(201)
    }

    /// How many files there are in a folder of the blob room.
    pub fn count_files(&self, within: &str) -> usize {
        fn count(folder: &std::path::Path) -> usize {
            let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
            entries.flatten().map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
        }
        count(&self.folder.path().join("blobs").join(within))
    }
}

/// A body that breaks off after `bytes`.
pub fn broken(bytes: Vec<u8>) -> Body {
    let pieces: Vec<Result<Bytes, std::io::Error>> =
        vec![Ok(Bytes::from(bytes)), Err(std::io::Error::other("the client went away"))];
    Body::from_stream(futures::stream::iter(pieces))
}
