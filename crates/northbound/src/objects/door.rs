//! The tower service: one request in, one answer out, whatever happens.

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body as AnyBody, HttpBody};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{Method, Request, Response};
use otaru_core::app::App;
use s3s::service::S3ServiceBuilder;
use s3s::{Body, S3Result};
use tower::Service;

use super::api::Api;
use super::auth::{Check, Dialect};
use super::hosts::{BucketNames, KnownHost, KnownKey, host_of, virtual_bucket};
use super::{Settings, answers, bodies, scope};

/// The object door. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    app: App,
    settings: Arc<Settings>,
}

impl Door {
    pub(super) fn new(app: App, settings: Arc<Settings>) -> Door {
        Door { app, settings }
    }

    /// Boxed here, so that the door is compiled in this crate and not in each that calls it.
    fn begin(self, request: Request<AnyBody>) -> BoxFuture<'static, Result<Response<Body>, Infallible>> {
        Box::pin(async move { Ok(self.answer(request).await) })
    }

    async fn answer(&self, request: Request<AnyBody>) -> Response<Body> {
        let request_id = request_id();
        let (parts, body) = request.into_parts();
        let host = host_of(&parts.uri, &parts.headers).unwrap_or_default();
        let bucket = virtual_bucket(&host, &self.settings.base_domains);
        otaru_core::request::operation(operation(&parts, bucket.as_deref()));
        let asked = answers::Asked::of(&parts, bucket.as_deref(), &request_id);
        if is_probe(&parts) {
            return asked.probe();
        }
        let dialect = Dialect::of(&parts);
        let result = self.serve(parts, body, &request_id, bucket, dialect).await;
        asked.finish(result, dialect)
    }

    async fn serve(
        &self,
        mut parts: Parts,
        body: AnyBody,
        request_id: &str,
        bucket: Option<String>,
        dialect: Dialect,
    ) -> S3Result<Response<Body>> {
        scope::check_operation(&parts)?;
        let check = Check { app: &self.app, settings: &self.settings, virtual_bucket: bucket.as_deref(), request_id };
        let signed = check.signer(&mut parts).await?;
        let caller = signed.credential.caller;
        scope::check_headers(&parts, &caller)?;
        let body = bodies::take(&mut parts, bucket.as_deref(), dialect, signed.chunks, body).await?;

        let secret = signed.credential.secret.expose().to_owned();
        let known_key = KnownKey { access_key_id: caller.key_id.to_string(), secret };
        for secret in ["x-amz-security-token", AUTHORIZATION.as_str()] {
            if let Some(value) = parts.headers.get_mut(secret) {
                value.set_sensitive(true);
            }
        }
        let api = Api::new(self.app.clone(), caller, self.settings.clone(), request_id.to_owned());
        // One service per request: it knows one key and one bucket, and nothing has to be passed beside it.
        let mut service = S3ServiceBuilder::new(api);
        service.set_auth(known_key);
        service.set_host(KnownHost(bucket));
        service.set_validation(BucketNames);
        let served = service.build().call(Request::from_parts(parts, body)).await;
        served.map_err(|error| {
            let error: s3s::StdError = error.into();
            tracing::error!(request_id, error = %error, "an object request failed");
            s3s::s3_error!(InternalError)
        })
    }
}

/// Clients of OBS ask, unsigned, which signatures a server knows before they send their first request.
fn is_probe(parts: &Parts) -> bool {
    let query = parts.uri.query().unwrap_or_default();
    matches!(parts.method, Method::HEAD | Method::GET)
        && !parts.headers.contains_key(AUTHORIZATION)
        && form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "apiversion")
}

/// As many digits as the vendors' stores have, from the front of the id that the log has.
fn request_id() -> String {
    otaru_core::request::id().iter().take(8).map(|byte| format!("{byte:02X}")).collect()
}

/// The operation by its name, from what its method, its path and its query say; nothing is checked here.
fn operation(parts: &Parts, virtual_bucket: Option<&str>) -> &'static str {
    let path = parts.uri.path().trim_start_matches('/');
    let (has_bucket, has_key) = match virtual_bucket {
        Some(_) => (true, !path.is_empty()),
        None => (!path.is_empty(), path.split_once('/').is_some_and(|(_, key)| !key.is_empty())),
    };
    let query = parts.uri.query().unwrap_or_default();
    let asks = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    let copies = || ["x-amz-copy-source", "x-obs-copy-source"].iter().any(|name| parts.headers.contains_key(*name));
    match (parts.method.as_str(), has_bucket, has_key) {
        ("GET", false, _) => "ListBuckets",
        ("GET", true, false) if asks("uploads") => "ListMultipartUploads",
        ("GET", true, false) if asks("location") => "GetBucketLocation",
        ("GET", true, false) => "ListObjects",
        ("PUT", true, false) => "CreateBucket",
        ("HEAD", true, false) => "HeadBucket",
        ("DELETE", true, false) => "DeleteBucket",
        ("POST", true, false) if asks("delete") => "DeleteObjects",
        ("GET", true, true) if asks("uploadId") => "ListParts",
        ("GET", true, true) => "GetObject",
        ("HEAD", true, true) => "HeadObject",
        ("PUT", true, true) if asks("uploadId") => "UploadPart",
        ("PUT", true, true) if copies() => "CopyObject",
        ("PUT", true, true) => "PutObject",
        ("DELETE", true, true) if asks("uploadId") => "AbortMultipartUpload",
        ("DELETE", true, true) => "DeleteObject",
        ("POST", true, true) if asks("uploads") => "CreateMultipartUpload",
        ("POST", true, true) if asks("uploadId") => "CompleteMultipartUpload",
        _ => "(unknown)",
    }
}

impl<B> Service<Request<B>> for Door
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.clone().begin(request.map(AnyBody::new))
    }
}
