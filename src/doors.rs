//! Which path goes to which door. The doors themselves are in `northbound` and `southbound`.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use otaru_core::app::App;
use otaru_northbound::objects;

use crate::config::{BaseUrls, Config};

/// Everything on the HTTP address.
pub fn http(app: &App, _config: &Config, _urls: &BaseUrls) -> Router {
    let health =
        Router::new().route("/healthz", get(async || "alive\n")).route("/readyz", get(readyz)).with_state(app.clone());
    Router::new().merge(health).merge(otaru_southbound::download::router(app.clone()))
}

/// 200 while the store answers; a balancer sends nobody here otherwise.
async fn readyz(State(app): State<App>) -> (StatusCode, String) {
    match app.ready().await {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}

/// Everything on the object door's address.
pub fn objects(app: &App, _config: &Config, urls: &BaseUrls) -> objects::Door {
    objects::service(app.clone(), objects::Settings::for_url(&urls.objects))
}
