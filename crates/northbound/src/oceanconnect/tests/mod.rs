//! This door over a real `App`: SQLite, blobs in a directory, and a clock that moves when a test says so.

mod calls;
mod captures;
mod errors;
mod golden;
mod limits;
mod packages;
mod sessions;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use http_body_util::BodyExt;
use otaru_core::app::{
    self, App, Caller, CreationRules, FileSource, NewFile, NewModule, NewPackage, NewProduct, NewUpload,
};
use otaru_core::app::{ProductRef, Secret};
use otaru_core::blobs::Blobs;
use otaru_core::clock::Clock;
use otaru_core::seal::MasterKey;
use otaru_core::store::Store;
use otaru_model::peer::Peer;
use otaru_model::{DeviceKind, ModuleName, Package, PackageKind, ProductDraft, Role, Verification};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

use super::{Settings, router};

const CATEGORY: &str = "/iodm/northbound/v1.5.0/category";
const LOGIN: &str = "/iocm/app/sec/v1.1.0/login";
const REFRESH: &str = "/iocm/app/sec/v1.1.0/refreshToken";
const LOGOUT: &str = "/iocm/app/sec/v1.1.0/logout";

/// 2015-12-12T12:12:12Z, the time of the documents' example.
const NOON_MS: i64 = 1_449_922_332_000;

struct Door {
    app: App,
    clock: Clock,
    router: Router,
    owner: Caller,
    app_id: String,
    secret: String,
    _home: TempDir,
}

/// An answer of the door, its body read.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Status, code and text of an error, after checking that it has nothing else.
    #[track_caller]
    fn error(&self) -> (u16, String, String) {
        let body = self.json();
        let members: Vec<&String> = body.as_object().unwrap().keys().collect();
        assert_eq!(members, ["error_code", "error_desc"], "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"));
        let text = |name: &str| body[name].as_str().unwrap_or_else(|| panic!("{name}: {self:?}")).to_owned();
        (self.status.as_u16(), text("error_code"), text("error_desc"))
    }

    #[track_caller]
    fn assert_error(&self, status: u16, code: &str, text: &str) {
        assert_eq!(self.error(), (status, code.to_owned(), text.to_owned()), "{self:?}");
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Door {
    async fn open() -> Door {
        Door::with(Settings::default()).await
    }

    async fn with(settings: Settings) -> Door {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite:{}", home.path().join("otaru.db").display())).await.unwrap();
        let blobs = Blobs::open(&format!("fs:{}", home.path().join("blobs").display())).await.unwrap();
        let (key, clock) = (MasterKey::from_bytes([7; 32]), Clock::manual(NOON_MS));
        let app = App::open(store, blobs, key, clock.clone(), app::Settings::default(), BTreeMap::new()).await.unwrap();
        let (app_id, secret) = ("app-id-example", "app-secret-example");
        let first = app.bootstrap(Some((app_id.to_owned(), Secret::new(secret)))).await.unwrap().unwrap();
        let owner = Caller::new(first.tenant.id, app_id, Role::Admin);
        let router = router(app.clone(), settings);
        Door { app, clock, router, owner, app_id: app_id.to_owned(), secret: secret.to_owned(), _home: home }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    async fn post(&self, path: &str, body: impl Into<String>) -> Answer {
        self.send(Request::post(path).body(Body::from(body.into())).unwrap()).await
    }

    async fn sign_in(&self, app_id: &str, secret: &str) -> Answer {
        let form = format!("appId={app_id}&secret={secret}");
        let request = Request::post(LOGIN).header("Content-Type", "application/x-www-form-urlencoded");
        self.send(request.body(form.into()).unwrap()).await
    }

    /// Signs in and answers with the access and the refresh token.
    async fn tokens(&self) -> (String, String) {
        let answer = self.sign_in(&self.app_id, &self.secret).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let body = answer.json();
        (body["accessToken"].as_str().unwrap().to_owned(), body["refreshToken"].as_str().unwrap().to_owned())
    }

    async fn token(&self) -> String {
        self.tokens().await.0
    }

    async fn call(&self, method: &str, target: &str, app_key: &str, token: &str) -> Answer {
        self.send(request(method, target, app_key, token)).await
    }

    async fn get(&self, target: &str, token: &str) -> Answer {
        self.call("GET", target, &self.app_id, token).await
    }

    async fn delete(&self, file_id: &str, token: &str) -> Answer {
        self.call("DELETE", &format!("{CATEGORY}/{file_id}"), &self.app_id, token).await
    }

    /// A further application of the same tenant: its appId and secret.
    async fn application(&self, role: Role) -> (String, String) {
        let new = self.app.create_key(&self.owner, role, "a test", None).await.unwrap();
        (new.key.id, new.secret.expose().to_owned())
    }

    async fn product(&self, draft: ProductDraft) -> ProductRef {
        let new = NewProduct { draft, door: "native", ..NewProduct::default() };
        ProductRef::Code(self.app.create_product(&self.owner, new).await.unwrap().code)
    }

    async fn meter(&self) -> ProductRef {
        self.product(ProductDraft { name: "meter".to_owned(), ..ProductDraft::default() }).await
    }

    async fn module(&self, product: &ProductRef, name: &str) -> ModuleName {
        let name = ModuleName::new(name).unwrap();
        let new = NewModule {
            space_code: None,
            product: product.clone(),
            name: name.clone(),
            alias: None,
            description: None,
            max_per_product: None,
        };
        self.app.create_module(&self.owner, new).await.unwrap();
        name
    }

    async fn publish(&self, new: NewPackage) -> Package {
        let locator = format!("upload of {}", new.version);
        let upload = NewUpload {
            door: "native",
            locator: locator.clone(),
            file_name: "pkg.bin".to_owned(),
            declared_bytes: None,
            max_bytes: 100,
            open_ms: 1000,
            lifetime_ms: 1000,
        };
        let upload = self.app.create_upload(&self.owner, upload).await.unwrap();
        let mut receiving = self.app.receive_whole(upload).await.unwrap();
        receiving.write(Bytes::from_static(b"the new software")).await.unwrap();
        receiving.finish().await.unwrap();
        let source = FileSource::Upload { locator };
        let file = NewFile { source, name: None, declared_bytes: None, declared_md5: None, declared_sign: None };
        self.app.create_package(&self.owner, NewPackage { files: vec![file], ..new }).await.unwrap()
    }
}

fn request(method: &str, target: &str, app_key: &str, token: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(target)
        .header("app_key", app_key)
        .header("Authorization", format!("Bearer {token}"))
        .header("Content-Type", "application/json")
        .body(Body::empty())
        .unwrap()
}

/// The same request, from another address.
fn from_peer(mut request: Request<Body>, address: &str) -> Request<Body> {
    let address = SocketAddr::new(address.parse::<IpAddr>().unwrap(), 40_000);
    request.extensions_mut().insert(Peer { address, encrypted: true, certificate: None });
    request
}

/// A package of which nothing is said but what must be; its file comes with [`Door::publish`].
fn bare_package(product: &ProductRef, module: ModuleName, version: &str) -> NewPackage {
    NewPackage {
        space_code: None,
        product: product.clone(),
        module,
        version: version.to_owned(),
        name: None,
        description: None,
        custom_info: None,
        kind: PackageKind::Full,
        source_versions: Vec::new(),
        verification: Verification::NotNeeded,
        device_kind: DeviceKind::default(),
        extra: serde_json::Map::new(),
        door: "native",
        files: Vec::new(),
        rules: CreationRules { claims: Vec::new(), max_packages: None, max_file_bytes: 100, refuse_wrong_bytes: true },
    }
}

/// A software package whose descriptor says all that this dialect can show.
fn described_package(product: &ProductRef) -> NewPackage {
    let text = |text: &str| Some(text.to_owned());
    NewPackage {
        name: text("meter software"),
        description: text("Test software package made by WYH"),
        device_kind: DeviceKind {
            device_type: text("WaterMeter"),
            model: text("WM-3"),
            manufacturer: text("Sluice"),
            protocol: text("CoAP"),
            date: text("2015-2-2 "),
        },
        ..bare_package(product, ModuleName::software(), "V1.1.10")
    }
}

/// The fileIds of a list, in its order.
#[track_caller]
fn file_ids(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|package| package["fileId"].as_str().unwrap()).collect()
}

fn tokens_body(app_id: &str, secret: &str, refresh_token: &str) -> String {
    json!({"appId": app_id, "secret": secret, "refreshToken": refresh_token}).to_string()
}
