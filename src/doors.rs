//! Which path goes to which door, and what each door is told of the configuration. The doors themselves are in `northbound`
//! and `southbound`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::FutureExt;
use otaru_core::app::App;
use otaru_northbound::{aliyun, iotda, native, objects, oceanconnect};
use otaru_southbound::download;

use crate::config::{BaseUrls, Config};
use crate::house::milliseconds;
use crate::listen::Answering;
use crate::metrics::{self, Metrics, Place};
use crate::requests::{Desk, Named, OWN, Watched};

/// The doors on the HTTP address, each watched under its own name.
struct Doors {
    aliyun: Watched<Router>,
    iotda: Watched<Router>,
    oceanconnect: Watched<Router>,
    native: Watched<Router>,
    download: Watched<Router>,
    own: Watched<Router>,
}

impl Doors {
    /// Whose a request is. What no door knows below its path, it answers itself.
    fn of<B>(&self, request: &Request<B>) -> &Watched<Router> {
        let path = request.uri().path();
        let begins =
            |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        match path {
            // The root belongs to Alibaba's clients when they ask for an action, and to people otherwise.
            "/" if aliyun::is_for_us(request) => &self.aliyun,
            _ if begins(aliyun::FORM_PATH) => &self.aliyun,
            _ if begins("/v5") || begins("/v3") => &self.iotda,
            _ if begins("/iocm") || begins("/iodm") => &self.oceanconnect,
            _ if begins(native::PREFIX) => &self.native,
            _ if begins(download::PREFIX) => &self.download,
            _ => &self.own,
        }
    }
}

/// Everything on the HTTP address.
pub fn http(app: &App, config: &Config, urls: &BaseUrls, desk: &Desk, metrics: &Metrics) -> Answering {
    let watch = |name, door: Router| desk.watch(name, door.layer(Named));
    let mut own = Router::new()
        .route("/", get(welcome))
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(readyz))
        .with_state(app.clone());
    if matches!(config.metrics, Place::Local | Place::Open) {
        own = own.merge(metrics::router(metrics.clone(), app, config.metrics));
    }
    let doors = Arc::new(Doors {
        aliyun: watch("aliyun", aliyun::router(app.clone(), aliyun_settings(config, urls))),
        iotda: watch("iotda", iotda::router(app.clone(), iotda_settings(config))),
        oceanconnect: watch("oceanconnect", oceanconnect::router(app.clone(), oceanconnect_settings(config))),
        native: watch("native", native::router(app.clone(), native_settings(config))),
        download: watch("download", download::router(app.clone(), download_settings(config))),
        own: watch(OWN, own),
    });
    Arc::new(move |request| doors.of(&request).answer(request).boxed())
}

/// `GET /metrics` alone, on an address of its own.
pub fn metrics_alone(app: &App, config: &Config, desk: &Desk, metrics: &Metrics) -> Answering {
    let door = desk.watch(OWN, metrics::router(metrics.clone(), app, config.metrics).layer(Named));
    Arc::new(move |request| door.answer(request).boxed())
}

/// Everything on the object door's address.
pub fn objects(app: &App, config: &Config, urls: &BaseUrls, desk: &Desk) -> Answering {
    let settings = objects::Settings {
        clock_skew_ms: config.signatures.clock_skew_s.saturating_mul(1000),
        ..objects::Settings::for_url(&urls.objects)
    };
    let door = desk.watch("objects", objects::service(app.clone(), settings));
    Arc::new(move |request| door.answer(request).boxed())
}

async fn welcome() -> Response {
    let page = "Otaru serves here. Its own API is below /api/v1 (see /api/v1/openapi.json); ready: /readyz.\n";
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], page).into_response()
}

/// 200 while the store answers; a balancer sends nobody here otherwise.
async fn readyz(State(app): State<App>) -> (StatusCode, String) {
    match app.ready().await {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}

fn native_settings(config: &Config) -> native::Settings {
    native::Settings {
        failed_sign_ins_per_minute: config.native.failed_sign_ins_per_minute,
        upload_idle_ms: config.native.upload_idle_ms,
        ..native::Settings::default()
    }
}

fn download_settings(config: &Config) -> download::Settings {
    download::Settings {
        link_bytes_per_second: config.links.bytes_per_second,
        tenant_bytes_per_second: config.tenants.bytes_per_second,
    }
}

fn iotda_settings(config: &Config) -> iotda::Settings {
    iotda::Settings {
        instance_id: config.instance_id.clone(),
        list_without_package_type: config.iotda.lenient_package_type,
        refuse_wrong_sign: config.iotda.refuse_wrong_sign,
        signature_window_ms: config.signatures.clock_skew_s.saturating_mul(1000),
        token_lifetime_ms: milliseconds(config.iotda.token_lifetime_s),
        max_body_bytes: config.listen.max_body_bytes as usize,
        max_object_bytes: config.iotda.package_limit_bytes,
        calls_per_minute: config.share(config.iotda.calls_per_minute),
        projects: config.iotda.projects.iter().map(|project| (project.id.clone(), project.tenant.clone())).collect(),
        ..iotda::Settings::default()
    }
}

fn oceanconnect_settings(config: &Config) -> oceanconnect::Settings {
    oceanconnect::Settings {
        calls_per_minute: config.share(config.oceanconnect.calls_per_minute),
        bad_calls_per_minute: config.share(config.oceanconnect.bad_calls_per_minute),
        token_lifetime_s: i64::try_from(config.oceanconnect.token_lifetime_s).unwrap_or(i64::MAX),
        overlapping_tokens: config.oceanconnect.overlapping_tokens,
    }
}

fn aliyun_settings(config: &Config, urls: &BaseUrls) -> aliyun::Settings {
    aliyun::Settings {
        public_url: urls.public.clone(),
        instance_id: config.instance_id.clone(),
        business_failure_status: config.aliyun.business_failure_status(),
        signature_window_ms: config.signatures.clock_skew_s.saturating_mul(1000),
        max_packages: Some(u64::from(config.aliyun.max_packages)),
        max_body_bytes: config.listen.max_body_bytes as usize,
        max_file_bytes: config.aliyun.package_limit_bytes,
        calls_per_second: config.aliyun.qps.iter().map(|rate| (rate.operation.clone(), rate.per_second)).collect(),
        copies: config.copies,
        ..aliyun::Settings::default()
    }
}
