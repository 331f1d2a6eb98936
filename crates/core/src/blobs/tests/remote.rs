//! Fetching objects from a store of which this file plays the other end.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, ETAG, HOST, IF_MATCH, RANGE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;

use super::*;
use crate::blobs::remote::{Region, RemoteError, RemoteObject};

/// One object and what happens to it.
#[derive(Clone, Default)]
struct Site {
    path: String,
    bytes: Vec<u8>,
    etag: String,
    /// The object is another one from this request on.
    replaced_at_request: Option<usize>,
    /// Ignore `If-Match`, as some stores do.
    deaf: bool,
    requests: Vec<String>,
}

impl Site {
    fn answer<B>(&mut self, request: &Request<B>) -> Response<Full<Bytes>> {
        let header = |name| request.headers().get(name).map_or("", |value| value.to_str().unwrap());
        self.requests.push(format!("{} {} {}", request.method(), header(HOST), request.uri()));
        if self.replaced_at_request == Some(self.requests.len()) {
            self.etag = "\"replaced\"".to_owned();
            self.bytes.reverse();
        }
        let reply = |status| Response::builder().status(status);
        if !header(AUTHORIZATION).contains("AKEXAMPLE") || header(AUTHORIZATION).contains("SKEXAMPLE") {
            return reply(StatusCode::FORBIDDEN).body(Full::default()).unwrap();
        }
        if request.uri().path() != self.path {
            return reply(StatusCode::NOT_FOUND).body(Full::default()).unwrap();
        }
        if !self.deaf && !header(IF_MATCH).is_empty() && header(IF_MATCH) != self.etag {
            return reply(StatusCode::PRECONDITION_FAILED).body(Full::default()).unwrap();
        }
        if request.method() == Method::HEAD {
            return reply(StatusCode::OK)
                .header(CONTENT_LENGTH, self.bytes.len())
                .header(ETAG, &self.etag)
                .body(Full::default())
                .unwrap();
        }
        let whole = self.bytes.clone();
        let range = header(RANGE).strip_prefix("bytes=").and_then(|range| {
            let (start, end) = range.split_once('-')?;
            Some(start.parse().ok()?..end.parse::<usize>().ok()? + 1)
        });
        let (status, body) = match range {
            Some(range) => (StatusCode::PARTIAL_CONTENT, whole[range].to_vec()),
            None => (StatusCode::OK, whole),
        };
        reply(status).header(ETAG, &self.etag).body(Full::from(body)).unwrap()
    }
}

/// Starts a site and gives its address.
async fn serve(site: Site) -> (String, Arc<Mutex<Site>>) {
    provide_crypto();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let site = Arc::new(Mutex::new(site));
    let shared = Arc::clone(&site);
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let site = Arc::clone(&shared);
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let response = site.lock().unwrap().answer(&request);
                    async move { Ok::<_, Infallible>(response) }
                });
                let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
            });
        }
    });
    (address, site)
}

fn site() -> Site {
    Site {
        path: "/firmware/v1/a%20b.bin".to_owned(),
        bytes: content(700_000),
        etag: "\"e1\"".to_owned(),
        ..Site::default()
    }
}

const KEY: &str = "v1/a b.bin";

fn region(scheme: &str, address: &str) -> Region {
    let options = format!("endpoint=http://{address}&access_key_id=AKEXAMPLE&secret_access_key=SK+EXAMPLE/1");
    Region::parse(&format!("{scheme}://bucket-is-given-per-call?{options}")).unwrap()
}

async fn import(region: &Region, blobs: &Blobs, seen: &RemoteObject, limit: u64) -> Result<Finished, RemoteError> {
    region.import("firmware", KEY, seen, blobs, &id("import"), limit).await
}

#[tokio::test]
async fn an_object_is_fetched_into_a_blob() {
    let (home, blobs) = store().await;
    for scheme in ["s3", "obs", "oss"] {
        let (address, served) = serve(site()).await;
        let region = region(scheme, &address);
        let seen = region.stat("firmware", KEY).await.unwrap();
        assert_eq!(seen, RemoteObject { size_bytes: 700_000, etag: Some("\"e1\"".to_owned()) });
        let finished = import(&region, &blobs, &seen, 700_000).await.unwrap();
        assert_eq!(finished.digest, Digest::of(&content(700_000)), "{scheme}");
        let requests = &served.lock().unwrap().requests;
        let asked = |method: &str| format!("{method} {address} /firmware/v1/a%20b.bin");
        assert_eq!(*requests, [asked("HEAD"), asked("HEAD"), asked("GET"), asked("HEAD")], "{scheme}");
    }
    assert_eq!(files(home.path()).len(), 1);
}

#[tokio::test]
async fn an_empty_object_is_the_empty_blob() {
    let (_home, blobs) = store().await;
    let (address, _) = serve(Site { bytes: Vec::new(), ..site() }).await;
    let region = region("s3", &address);
    let seen = region.stat("firmware", KEY).await.unwrap();
    assert_eq!(import(&region, &blobs, &seen, 0).await.unwrap().digest, Digest::of(b""));
}

#[tokio::test]
async fn an_object_that_changes_is_not_taken_whenever_it_changes() {
    for deaf in [false, true] {
        for replaced_at_request in 2..=4 {
            let (home, blobs) = store().await;
            let (address, _) = serve(Site { deaf, replaced_at_request: Some(replaced_at_request), ..site() }).await;
            let region = region("s3", &address);
            let seen = region.stat("firmware", KEY).await.unwrap();
            let result = import(&region, &blobs, &seen, NO_LIMIT).await;
            assert!(matches!(result, Err(RemoteError::ChangedWhileRead)), "{deaf} {replaced_at_request} {result:?}");
            assert_eq!(files(home.path()), [""; 0]);
        }
    }
}

#[tokio::test]
async fn what_the_store_says_becomes_something_a_caller_can_act_on() {
    let (home, blobs) = store().await;
    let (address, served) = serve(site()).await;
    let region = region("s3", &address);
    let seen = region.stat("firmware", KEY).await.unwrap();
    assert!(matches!(region.stat("firmware", "v2").await, Err(RemoteError::NotFound)));
    let result = import(&region, &blobs, &seen, 699_999).await;
    assert!(matches!(result, Err(RemoteError::Blob(BlobError::TooLarge))));

    let stranger = format!("s3://?endpoint=http://{address}&access_key_id=AKOTHER&secret_access_key=x");
    let result = Region::parse(&stranger).unwrap().stat("firmware", KEY).await;
    assert!(matches!(result, Err(RemoteError::Denied)), "{result:?}");

    let asked_before = served.lock().unwrap().requests.len();
    for key in ["", "/v1", "v1/", "a//b", "a/../b", "./a", " a"] {
        assert!(matches!(region.stat("firmware", key).await, Err(RemoteError::BadName(_))), "{key}");
    }
    for bucket in ["", "evil.example/", "a@b", "a#", ".a", "a:1", "a b", "-"] {
        assert!(matches!(region.stat(bucket, KEY).await, Err(RemoteError::BadName(_))), "{bucket}");
    }
    assert_eq!(served.lock().unwrap().requests.len(), asked_before);
    assert_eq!(files(home.path()), [""; 0]);
}

#[tokio::test]
async fn a_store_that_is_not_there_is_unavailable() {
    let (address, _) = serve(site()).await;
    let unused = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    assert_ne!(unused, address);
    let result = region("s3", &unused).stat("firmware", KEY).await;
    assert!(matches!(result, Err(RemoteError::Unavailable(_))), "{result:?}");
}

#[test]
fn a_region_that_cannot_work_is_told_at_once() {
    for (url, word) in [
        ("https://host", "s3://"),
        ("obs://?access_key_id=a&secret_access_key=b", "endpoint"),
        ("oss://", "endpoint"),
        ("s3://?endpoint=http://", "endpoint"),
        ("s3://?access_key_id=a", "secret_access_key"),
        ("s3://?virtual_host=yes", "virtual_host"),
        ("s3://?secret=x", "unknown option secret"),
        ("s3://?endpoint=%ff", "UTF-8"),
    ] {
        match Region::parse(url) {
            Err(RemoteError::Misconfigured(text)) => assert!(text.contains(word), "{url}: {text}"),
            other => panic!("{url}: {other:?}"),
        }
    }
}

#[test]
fn debug_shows_where_and_no_secret() {
    let shown = format!("{:?}", region("oss", "127.0.0.1:1"));
    assert!(shown.contains("127.0.0.1:1") && !shown.contains("EXAMPLE"), "{shown}");
}
