//! Which path goes to which door. The doors themselves are in `northbound` and `southbound`.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use otaru_core::app::App;
use otaru_northbound::oceanconnect;

use crate::config::{BaseUrls, Config};

/// Everything on the HTTP address.
pub fn http(app: &App, config: &Config, _urls: &BaseUrls) -> Router {
    let health =
        Router::new().route("/healthz", get(async || "alive\n")).route("/readyz", get(readyz)).with_state(app.clone());
    Router::new()
        .merge(health)
        .merge(oceanconnect::router(app.clone(), oceanconnect_settings(config)))
        .merge(otaru_southbound::download::router(app.clone()))
}

fn oceanconnect_settings(config: &Config) -> oceanconnect::Settings {
    oceanconnect::Settings {
        calls_per_minute: config.oceanconnect.calls_per_minute,
        bad_calls_per_minute: config.oceanconnect.bad_calls_per_minute,
        token_lifetime_s: i64::try_from(config.oceanconnect.token_lifetime_s).unwrap_or(i64::MAX),
        overlapping_tokens: config.oceanconnect.overlapping_tokens,
    }
}

/// 200 while the store answers; a balancer sends nobody here otherwise.
async fn readyz(State(app): State<App>) -> (StatusCode, String) {
    match app.ready().await {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}

/// Everything on the object door's address.
pub fn objects(_app: &App, _config: &Config, _urls: &BaseUrls) -> Router {
    Router::new()
}
