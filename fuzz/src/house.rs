//! All doors in this process, over a real store and real files in a folder that goes when the run ends.

use std::collections::BTreeMap;
use std::error::Error;

use axum::Router;
use axum::body::Body;
use http_body_util::{BodyExt, Limited};
use otaru_core::app::{self, App};
use otaru_core::blobs::Blobs;
use otaru_core::clock::Clock;
use otaru_core::seal::MasterKey;
use otaru_core::store::Store;
use otaru_northbound::{aliyun, iotda, native, objects, oceanconnect};
use otaru_southbound::download;
use serde_json::Value;
use tower::ServiceExt;

use crate::corpus::{self, Place};
use crate::request::{DOOR, Request, SIGN};
use crate::sign::{Keys, sign};

const START_MS: i64 = 1_795_000_000_000;
/// So far does the clock go with each request: limits per second and per minute are another test's.
const STEP_MS: i64 = 1000;
/// No request of the corpus earns a longer answer.
const ANSWER_MAX_BYTES: usize = 8 << 20;
const FOR_EVER_S: i64 = 10_000_000_000;

pub struct House {
    runtime: tokio::runtime::Runtime,
    clock: Clock,
    http: Router,
    objects: objects::Door,
    keys: Keys,
    pub place: Place,
    requests: u64,
    _folder: tempfile::TempDir,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub headers: http::HeaderMap,
    pub body: Vec<u8>,
}

impl House {
    pub fn open() -> Result<House, Box<dyn Error>> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let folder = tempfile::tempdir()?;
        let clock = Clock::manual(START_MS);
        let app = runtime.block_on(open_app(folder.path(), clock.clone()))?;
        let made = runtime.block_on(app.bootstrap(None))?.ok_or("a new folder is a first start")?;
        let keys = Keys {
            id: made.key.key.id.clone(),
            secret: made.key.secret.expose().to_owned(),
            bearer: String::new(),
            iam: String::new(),
        };
        let place =
            Place { project: iotda::project_id(&made.tenant.id), tenant: made.tenant.name.clone(), ..Place::default() };
        let objects = objects::service(app.clone(), objects::Settings::default());
        let mut house =
            House { runtime, clock, http: http_doors(&app), objects, keys, place, requests: 0, _folder: folder };
        let (mut keys, mut place) = (house.keys.clone(), house.place.clone());
        prepare(&mut keys, &mut place, |request, keys| {
            house.keys = keys.clone();
            house.send(request).map(|answer| (answer.status, answer.headers, answer.body))
        })?;
        (house.keys, house.place) = (keys, place);
        Ok(house)
    }

    /// Signs a request as its marks say and sends it; nothing comes back for what is not HTTP.
    pub fn send(&mut self, mut request: Request) -> Option<Answer> {
        let door = request.take(DOOR).unwrap_or_default();
        let scheme = request.take(SIGN).unwrap_or_default();
        self.requests += 1;
        self.clock.advance(STEP_MS);
        sign(&mut request, &scheme, &self.keys, self.clock.now_ms(), self.requests);
        request.tell_length();
        let request = request.into_http(Body::from)?;
        self.runtime.block_on(async {
            let answer = match door.as_str() {
                "objects" => self.objects.clone().oneshot(request).await.ok()?.map(Body::new),
                _ => self.http.clone().oneshot(request).await.ok()?,
            };
            let (parts, body) = answer.into_parts();
            let body = Limited::new(body, ANSWER_MAX_BYTES).collect().await.ok()?.to_bytes().to_vec();
            let content_type = parts.headers.get("content-type").and_then(|value| value.to_str().ok());
            let content_type = content_type.unwrap_or_default().to_owned();
            Some(Answer { status: parts.status.as_u16(), content_type, headers: parts.headers, body })
        })
    }
}

async fn open_app(folder: &std::path::Path, clock: Clock) -> Result<App, Box<dyn Error>> {
    let store = Store::open(&format!("sqlite:{}", folder.join("otaru.db").display())).await?;
    let blobs = Blobs::open(&format!("fs:{}", folder.join("blobs").display())).await?;
    let key = MasterKey::load_or_create(&folder.join("master.key"))?;
    let settings = app::Settings { max_file_bytes: 1 << 20, ..app::Settings::default() };
    Ok(App::open(store, blobs, key, clock, settings, BTreeMap::new()).await?)
}

fn http_doors(app: &App) -> Router {
    let ali = aliyun::Settings { max_packages: None, form_lifetime_ms: FOR_EVER_S, ..aliyun::Settings::default() };
    let iot = iotda::Settings { token_lifetime_ms: FOR_EVER_S, ..iotda::Settings::default() };
    let old = oceanconnect::Settings {
        calls_per_minute: 0,
        bad_calls_per_minute: 0,
        token_lifetime_s: FOR_EVER_S,
        overlapping_tokens: true,
    };
    let own = native::Settings { failed_sign_ins_per_minute: 0, ..native::Settings::default() };
    aliyun::router(app.clone(), ali)
        .merge(iotda::router(app.clone(), iot))
        .merge(oceanconnect::router(app.clone(), old))
        .merge(native::router(app.clone(), own))
        .merge(download::router(app.clone(), download::Settings::default()))
}

/// The status, the headers and the body of an answer.
pub type Came = (u16, http::HeaderMap, Vec<u8>);

/// Makes in a server what the corpus asks for, and learns its ids and tokens.
pub fn prepare(
    keys: &mut Keys,
    place: &mut Place,
    mut send: impl FnMut(Request, &Keys) -> Option<Came>,
) -> Result<(), Box<dyn Error>> {
    let mut send = |request: Request, keys: &Keys| -> Result<Came, Box<dyn Error>> {
        let asked = String::from_utf8_lossy(&request.target).into_owned();
        let came = send(request, keys).ok_or_else(|| format!("{asked} was not answered"))?;
        match came.0 {
            200..300 => Ok(came),
            status => Err(format!("{asked} was answered {status}: {}", String::from_utf8_lossy(&came.2)).into()),
        }
    };
    for request in corpus::preparations() {
        send(request, keys)?;
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let find = |part: &str| {
        let all = corpus::requests(&Place::default());
        let found = all.into_iter().find(|request| String::from_utf8_lossy(&request.write()).contains(part));
        found.ok_or_else(|| format!("the corpus has no {part}"))
    };
    let json = |came: &Came| serde_json::from_slice::<Value>(&came.2).unwrap_or_default();

    let mut push = find("/packages/push?product=LAMP")?;
    push.remove("Content-Digest");
    place.package = text(&json(&send(without_module(push), keys)?)["id"]);
    let link = own_post(&format!("/api/v1/packages/{}/link", place.package));
    let url = text(&json(&send(link, keys)?)["files"][0]["url"]);
    place.link = url.find("/ota/").map(|at| url[at..].to_owned()).unwrap_or_default();
    let made = send(find("Upload-Length: 5")?, keys)?;
    let location = made.1.get("location").and_then(|value| value.to_str().ok()).unwrap_or_default();
    place.upload = location.rsplit('/').next().unwrap_or_default().to_owned();
    let begun = send(find("POST /ota-packages/m.bin?uploads")?, keys)?;
    let begun = String::from_utf8_lossy(&begun.2).into_owned();
    let id = begun.split_once("<UploadId>").and_then(|(_, rest)| rest.split_once("</UploadId>"));
    place.multipart = id.map(|(id, _)| id.to_owned()).unwrap_or_default();
    let generated = json(&send(find("Action=GenerateOTAUploadURL")?, keys)?);
    place.form_key = text(&generated["Data"]["Key"]);
    keys.bearer = text(&json(&send(find("appId={id}")?, keys)?)["accessToken"]);
    let sign_in = corpus::requests(place).into_iter();
    let sign_in = sign_in.filter(|request| request.target == b"/v3/auth/tokens").nth_back(1);
    let signed_in = send(sign_in.ok_or("the corpus has no sign-in")?, keys)?;
    keys.iam = signed_in.1.get("x-subject-token").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    for (name, value) in [
        ("package", &place.package),
        ("link", &place.link),
        ("upload", &place.upload),
        ("multipart", &place.multipart),
        ("form_key", &place.form_key),
        ("bearer", &keys.bearer),
        ("iam", &keys.iam),
    ] {
        if value.is_empty() {
            return Err(format!("the server told no {name}").into());
        }
    }
    Ok(())
}

fn own_post(target: &str) -> Request {
    let request = Request::new("POST", target).header("fuzz-door", "http").header("fuzz-sign", "basic");
    request.header("Host", "127.0.0.1:8080")
}

/// The module of the corpus' push is not there yet.
fn without_module(mut request: Request) -> Request {
    let target = String::from_utf8_lossy(&request.target).replace("&module=bms", "");
    request.target = target.into_bytes();
    request
}
