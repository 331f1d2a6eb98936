//! The door's own tests: requests as S3 and OBS clients send them, over a whole registry in a folder of its own.

mod bodies;
mod buckets;
mod captures;
mod client;
mod conditions;
mod copies;
mod limits;
mod listing;
mod multipart;
mod objects;
mod obs;
mod packages;
mod roles;
mod signatures;
mod temporary;

use std::collections::BTreeMap;

use axum::body::Body as AnyBody;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use otaru_core::app::{self, App, Caller, Secret};
use otaru_core::blobs::Blobs;
use otaru_core::clock::Clock;
use otaru_core::seal::MasterKey;
use otaru_core::store::Store;
use otaru_model::Role;
use tower::ServiceExt;

use super::{Door, Settings, service};
use client::{Call, Keys, Sign};

pub const KEY_ID: &str = "AKIDEXAMPLE0000000001";
pub const SECRET: &str = "sk-Example-Secret-Key-0000000000000001";
pub const BUCKET: &str = "ota-packages";

/// The moment of the recordings, at which the clock stands.
pub const START_MS: i64 = 1_795_275_949_000;

/// A registry with one tenant, its door, and a clock that the test moves.
pub struct World {
    pub app: App,
    pub clock: Clock,
    pub admin: Caller,
    pub keys: Keys,
    pub door: Door,
    pub blobs: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    #[track_caller]
    pub fn expect(self, status: u16) -> Reply {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    /// Asserts a refusal, with everything that its text has to have.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Reply {
        let reply = self.expect(status);
        assert_eq!(reply.element("Code").as_deref(), Some(code), "{}", reply.text());
        for element in ["Message", "Resource", "RequestId", "HostId"] {
            assert!(reply.element(element).is_some_and(|text| !text.is_empty()), "no {element} in {}", reply.text());
        }
        reply
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The text of the first element of that name.
    pub fn element(&self, name: &str) -> Option<String> {
        self.elements(name).into_iter().next()
    }

    pub fn elements(&self, name: &str) -> Vec<String> {
        let text = self.text();
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let parts = text.split(&open).skip(1);
        parts
            .map(|part| quick_xml::escape::unescape(part.split(&close).next().unwrap()).unwrap().into_owned())
            .collect()
    }
}

impl World {
    pub async fn new() -> World {
        World::with(Settings { base_domains: vec!["obs.example.test".to_owned()], ..Settings::default() }).await
    }

    pub async fn with(settings: Settings) -> World {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let store = Store::open(&format!("sqlite:{}", path("otaru.db").display())).await.unwrap();
        let blobs = Blobs::open(&format!("fs:{}", path("blobs").display())).await.unwrap();
        let clock = Clock::manual(START_MS);
        let key = MasterKey::generate().unwrap();
        let app = App::open(store, blobs, key, clock.clone(), app::Settings::default(), BTreeMap::new()).await.unwrap();
        app.bootstrap(Some((KEY_ID.to_owned(), Secret::new(SECRET)))).await.unwrap().unwrap();
        let admin = app.credential(KEY_ID).await.unwrap().caller;
        let door = service(app.clone(), settings);
        let keys = Keys::new(KEY_ID, SECRET);
        World { app, clock, admin, keys, door, blobs: path("blobs"), _folder: folder }
    }

    /// A world with one bucket.
    pub async fn with_bucket() -> World {
        let world = World::new().await;
        world.app.create_bucket(&world.admin, BUCKET, "here").await.unwrap();
        world
    }

    pub async fn send(&self, request: Request<AnyBody>) -> Reply {
        let response = self.door.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    /// Sends a call, signed with version 4 by the first key.
    pub async fn call(&self, call: Call) -> Reply {
        self.call_as(&self.keys, Sign::V4, call).await
    }

    pub async fn call_as(&self, keys: &Keys, sign: Sign, call: Call) -> Reply {
        self.send(call.sign(keys, sign, self.clock.now_ms())).await
    }

    pub async fn put(&self, key: &str, content: &[u8]) -> Reply {
        self.call(Call::put(&client::path(BUCKET, key)).body(content)).await.expect(200)
    }

    pub async fn get(&self, key: &str) -> Reply {
        self.call(Call::get(&client::path(BUCKET, key))).await
    }

    /// Another key of the same tenant.
    pub async fn key_in_role(&self, role: Role) -> Keys {
        let made = self.app.create_key(&self.admin, role, "test", None).await.unwrap();
        Keys::new(&made.key.id, made.secret.expose())
    }

    /// The administrator's key of another tenant.
    pub async fn other_tenant(&self) -> Keys {
        let (_, made) = self.app.create_tenant(&self.admin, "other").await.unwrap();
        Keys::new(&made.key.id, made.secret.expose())
    }

    /// The files that hold bytes of uploads and objects.
    pub fn files(&self) -> Vec<std::path::PathBuf> {
        let mut pending = vec![self.blobs.clone()];
        let mut found = Vec::new();
        while let Some(folder) = pending.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
                match entry.file_type().unwrap().is_dir() {
                    true => pending.push(entry.path()),
                    false => found.push(entry.path()),
                }
            }
        }
        found.sort();
        found
    }
}

/// Bytes that look like nothing in particular, the same for the same seed.
pub fn image(size: usize, seed: u8) -> Vec<u8> {
    (0..size).map(|at| (at.wrapping_mul(31) ^ (at >> 8)) as u8 ^ seed).collect()
}
