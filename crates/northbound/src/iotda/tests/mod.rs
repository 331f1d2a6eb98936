//! The door's own tests: requests as clients send them, over a whole registry in a folder of its own.

mod captures;
mod credentials;
mod errors;
mod isolation;
mod limits;
mod modules;
mod packages;
mod paging;
mod products;
mod seeds;
mod signing_in;
mod spaces;

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use bytes::Bytes;
use http_body_util::BodyExt;
use otaru_core::app::{self, Caller, NewObject, NewProduct, Secret};
use otaru_core::blobs::{Blobs, remote::Region};
use otaru_core::clock::Clock;
use otaru_core::seal::MasterKey;
use otaru_core::store::Store;
use otaru_model::{ProductDraft, Tenant};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::error::CODES;
use super::*;

/// The keys that the recorded requests are signed with, and the moment when they were.
pub const KEY_ID: &str = "AKIDEXAMPLE0000000001";
pub const SECRET: &str = "sk-Example-Secret-Key-0000000000000001";
pub const START_MS: i64 = 1_795_252_661_000;

/// The ids of the seeds' examples.
pub const SPACE: &str = "61f7e74d036aca5be29e1ed4";
pub const PRODUCT: &str = "5ba24f5ebbe8f56f5a14f605";
pub const SIGN: &str = "595124473f866b033dfa1f7e831c8c99a12f6143f392dfa996a819010842c99d";
pub const PACKAGES: &str = "/ota-upgrades/packages";
pub const MODULES: &str = "/ota-upgrades/modules";
pub const FIRMWARE_LIST: &str = "/ota-upgrades/packages?package_type=firmwarePackage";

/// A registry with one tenant, its door, and a clock that the test moves.
pub struct World {
    pub app: App,
    pub clock: Clock,
    pub admin: Caller,
    pub tenant: Tenant,
    router: Router,
    token: String,
    _folder: tempfile::TempDir,
}

pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Null if there is no body.
    pub body: Value,
}

impl Reply {
    /// Status, code and message of an error.
    #[track_caller]
    pub fn refusal(&self) -> (u16, &str, &str) {
        let text = |name| self.body[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.body));
        (self.status.as_u16(), text("error_code"), text("error_msg"))
    }

    /// Asserts an error and that its message speaks of `field`.
    #[track_caller]
    pub fn assert_refused(&self, status: u16, code: &str, field: &str) {
        let (actual_status, actual_code, message) = self.refusal();
        assert_eq!((actual_status, actual_code), (status, code), "{message}");
        assert!(message.contains(field), "`{message}` does not speak of {field}");
    }

    #[track_caller]
    pub fn assert_status(&self, status: u16) -> &Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        &self.body
    }

    #[track_caller]
    pub fn text(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.body)).to_owned()
    }
}

impl World {
    pub async fn new() -> World {
        World::with(Settings::default()).await
    }

    pub async fn with(settings: Settings) -> World {
        World::with_regions(settings, BTreeMap::new()).await
    }

    pub async fn with_regions(settings: Settings, regions: BTreeMap<String, Region>) -> World {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(START_MS);
        let store = Store::open(&format!("sqlite:{}", folder.path().join("otaru.db").display())).await.unwrap();
        let blobs = Blobs::open(&format!("fs:{}", folder.path().join("blobs").display())).await.unwrap();
        let key = MasterKey::generate().unwrap();
        let app = App::open(store, blobs, key, clock.clone(), app::Settings::default(), regions).await.unwrap();
        let pair = (KEY_ID.to_owned(), Secret::new(SECRET));
        let made = app.bootstrap(Some(pair)).await.unwrap().expect("a new folder is a first start");
        let admin = app.check_secret(KEY_ID, SECRET).await.unwrap();
        let token = token_for(&app, &admin);
        let router = router(app.clone(), settings);
        World { app, clock, admin, tenant: made.tenant, router, token, _folder: folder }
    }

    /// With what the seeds' examples speak of: space, product and object.
    pub async fn with_example(settings: Settings) -> World {
        let world = World::with(settings).await;
        world.app.create_space(&world.admin, "space1", Some(SPACE)).await.unwrap();
        world.product(SPACE, PRODUCT).await;
        world.object("abc", "bbb/upgrade.bin", b"the whole firmware").await;
        world
    }

    pub async fn product(&self, space: &str, code: &str) {
        let draft = ProductDraft { name: "meter".to_owned(), ..ProductDraft::default() };
        let new = NewProduct {
            space_code: Some(space.to_owned()),
            code: Some(code.to_owned()),
            draft,
            door: DOOR,
            ..NewProduct::default()
        };
        self.app.create_product(&self.admin, new).await.unwrap();
    }

    pub async fn object(&self, bucket: &str, key: &str, bytes: &'static [u8]) {
        self.object_of(&self.admin, bucket, key, bytes).await;
    }

    pub async fn object_of(&self, owner: &Caller, bucket: &str, key: &str, bytes: &'static [u8]) {
        self.app.create_bucket(owner, bucket, "cn-north-4").await.unwrap();
        let mut writing = self.app.begin_writing(owner, bucket).await.unwrap();
        writing.write(Bytes::from_static(bytes)).await.unwrap();
        let new = NewObject { bucket: bucket.to_owned(), key: key.to_owned(), ..NewObject::default() };
        writing.finish_object(new).await.unwrap();
    }

    pub fn project(&self) -> String {
        project_id(&self.tenant.id)
    }

    pub fn url(&self, path: &str) -> String {
        format!("/v5/iot/{}{path}", self.project())
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path, Body::empty())).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request(Method::POST, path, body.to_string().into())).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request(Method::PUT, path, body.to_string().into())).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send(self.request(Method::DELETE, path, Body::empty())).await
    }

    /// A request to a path of this tenant's project, with its administrator's token.
    pub fn request(&self, method: Method, path: &str, body: Body) -> Request<Body> {
        Request::builder()
            .method(method)
            .uri(self.url(path))
            .header("X-Auth-Token", &self.token)
            .header("Content-Type", "application/json")
            .body(body)
            .unwrap()
    }

    /// Sends a request and asserts what is true of every answer.
    #[track_caller]
    pub fn send(&self, request: Request<Body>) -> impl Future<Output = Reply> + use<> {
        let what = format!("{} {}", request.method(), request.uri());
        let is_iam = request.uri().path().starts_with("/v3/");
        let answer = self.router.clone().oneshot(request);
        async move {
            let (parts, body) = answer.await.unwrap().into_parts();
            let bytes = body.collect().await.unwrap().to_bytes();
            let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
            assert!(parts.headers.contains_key("x-request-id"), "{what} has no request id");
            assert!(!parts.status.is_redirection() && parts.status != StatusCode::TOO_MANY_REQUESTS, "{what}");
            if !parts.status.is_success() {
                let code = body["error_code"].as_str();
                let known = CODES.iter().any(|known| known.status == parts.status && code == Some(known.code));
                assert!(known || is_iam && body["error"]["code"] == parts.status.as_u16(), "{what}: {body}");
            }
            Reply { status: parts.status, headers: parts.headers, body }
        }
    }
}

pub fn token_for(app: &App, caller: &Caller) -> String {
    app.issue_token(caller, auth::TOKEN_PURPOSE, 3_600_000).unwrap().0
}

/// The body of the seed's second example; a test changes what it is about.
pub fn new_package() -> Value {
    json!({
        "app_id": SPACE,
        "package_type": "firmwarePackage",
        "product_id": PRODUCT,
        "version": "V2.0",
        "support_source_versions": ["V1.0", "V1.1"],
        "description": "package for version V1.0 and V1.1",
        "custom_info": "Updated the XX function and fixed the XXXX issue.",
        "file_location": { "obs_location": {
            "region_name": "cn-north-4", "bucket_name": "abc", "object_key": "bbb/upgrade.bin", "sign": SIGN,
        } },
    })
}

pub fn new_product() -> Value {
    json!({
        "name": "p1", "device_type": "Meter", "protocol_type": "MQTT", "data_format": "json",
        "service_capabilities": [], "app_id": SPACE,
    })
}

/// The body with one member set; a path such as `/file_location/obs_location/sign` names it.
pub fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[name] = value;
    body
}

/// The body without one member.
pub fn without(mut body: Value, pointer: &str) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let removed = body.pointer_mut(parent).unwrap().as_object_mut().unwrap().shift_remove(name);
    assert!(removed.is_some(), "there was no {pointer}");
    body
}

pub fn header(request: &mut Request<Body>, name: &'static str, value: &str) {
    request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
}
