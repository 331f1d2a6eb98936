//! Which path goes to which door, and what each door is told of the configuration. The doors themselves are in `northbound`
//! and `southbound`.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use otaru_core::app::App;
use otaru_northbound::{aliyun, iotda, native, objects, oceanconnect};
use otaru_southbound::download;
use tower::ServiceExt;

use crate::config::{BaseUrls, Config};
use crate::house::milliseconds;

/// Everything on the HTTP address.
pub fn http(app: &App, config: &Config, urls: &BaseUrls) -> Router {
    let alibaba = aliyun::router(app.clone(), aliyun_settings(config, urls));
    let health =
        Router::new().route("/healthz", get(async || "alive\n")).route("/readyz", get(readyz)).with_state(app.clone());
    Router::new()
        .merge(health)
        .route("/", any(root).with_state(alibaba.clone()))
        .route(aliyun::FORM_PATH, any(hand_over).with_state(alibaba.clone()))
        .route(&format!("{}/", aliyun::FORM_PATH), any(hand_over).with_state(alibaba))
        .merge(iotda::router(app.clone(), iotda_settings(config)))
        .merge(oceanconnect::router(app.clone(), oceanconnect_settings(config)))
        .merge(native::router(app.clone(), native::Settings::default()))
        .merge(download::router(app.clone()))
}

/// Everything on the object door's address.
pub fn objects(app: &App, config: &Config, urls: &BaseUrls) -> objects::Door {
    let settings = objects::Settings {
        clock_skew_ms: config.signatures.clock_skew_s.saturating_mul(1000),
        ..objects::Settings::for_url(&urls.objects)
    };
    objects::service(app.clone(), settings)
}

/// The root belongs to Alibaba's clients when they ask for an action, and to people otherwise.
async fn root(State(alibaba): State<Router>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if aliyun::is_for_us(&parts) {
        return hand_over(State(alibaba), Request::from_parts(parts, body)).await;
    }
    let page = "Otaru serves here. Its own API is below /api/v1 (see /api/v1/openapi.json); ready: /readyz.\n";
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], page).into_response()
}

async fn hand_over(State(door): State<Router>, request: Request) -> Response {
    door.oneshot(request).await.into_response()
}

/// 200 while the store answers; a balancer sends nobody here otherwise.
async fn readyz(State(app): State<App>) -> (StatusCode, String) {
    match app.ready().await {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}

fn iotda_settings(config: &Config) -> iotda::Settings {
    iotda::Settings {
        instance_id: config.instance_id.clone(),
        list_without_package_type: config.iotda.lenient_package_type,
        refuse_wrong_sign: config.iotda.refuse_wrong_sign,
        signature_window_ms: config.signatures.clock_skew_s.saturating_mul(1000),
        token_lifetime_ms: milliseconds(config.iotda.token_lifetime_s),
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
        max_file_bytes: config.aliyun.package_limit_bytes,
        calls_per_second: config.aliyun.qps.iter().map(|rate| (rate.operation.clone(), rate.per_second)).collect(),
        copies: config.copies,
        ..aliyun::Settings::default()
    }
}
