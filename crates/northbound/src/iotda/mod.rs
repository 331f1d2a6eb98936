//! The IoTDA door: Huawei Cloud's REST API v5 for upgrade packages, with the part of its IAM that clients sign in by.
//!
//! The seeds of this dialect are its documents "Query the OTA Upgrade Package List" and "Create an OTA Upgrade Package".
//! `docs/dialects/iotda.md` lists every operation and every choice that those documents leave open.

mod auth;
mod call;
mod error;
mod iam;
mod ids;
mod json;
mod limits;
mod modules;
mod packages;
mod products;
mod projects;
mod query;
mod response;
mod spaces;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::routing::{any, get, post};
use otaru_core::app::App;

use crate::wire::quota::Quota;
use crate::wire::time::SIGNATURE_WINDOW_MS;

pub use ids::project_id;

/// The name of this dialect: what it made, and what only it knows, is kept under it.
const DOOR: &str = "iotda";

/// What is configurable of this dialect.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The instance that this server is. When set, a request with another `Instance-Id` is refused. Default: unset.
    pub instance_id: Option<String>,
    /// The regions that projects are found by and derived signatures are for. Default: empty, any name is right.
    pub regions: Vec<String>,
    /// Project ids that clients brought from the cloud, and the names of the tenants that they are here. Default: none.
    pub projects: BTreeMap<String, String>,
    /// Lists packages of all types where `package_type` is absent. Default: false, which makes it mandatory as documented.
    pub list_without_package_type: bool,
    /// Refuses a package whose `sign` is not the object's SHA-256. Default: false, which keeps it and never offers it.
    pub refuse_wrong_sign: bool,
    /// How far a signature's time may be from ours, to either side. Default: 15 minutes.
    pub signature_window_ms: u64,
    /// How long a token lives. Default: 24 hours.
    pub token_lifetime_ms: i64,
    /// How many calls one access key may make in a minute, on each copy of the server; 0 for any number. Default: 0.
    pub calls_per_minute: u32,
    /// The largest body. Default: 1 MiB.
    pub max_body_bytes: usize,
    /// The largest object that a package may be of. Default: 1 GiB.
    pub max_object_bytes: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            instance_id: None,
            regions: Vec::new(),
            projects: BTreeMap::new(),
            list_without_package_type: false,
            refuse_wrong_sign: false,
            signature_window_ms: SIGNATURE_WINDOW_MS,
            token_lifetime_ms: 24 * 3_600_000,
            calls_per_minute: 0,
            max_body_bytes: 1 << 20,
            max_object_bytes: 1 << 30,
        }
    }
}

impl Settings {
    fn is_region(&self, name: &str) -> bool {
        self.regions.is_empty() || self.regions.iter().any(|region| region == name)
    }
}

/// What every handler of this dialect has at hand.
#[derive(Clone)]
struct Door {
    app: App,
    settings: Arc<Settings>,
    quota: Arc<Quota>,
}

/// The dialect's routes: everything below `/v5/` and `/v3/`.
///
/// It has no fallback, so it can be merged with other routers; what it does not know below those two it answers itself.
pub fn router(app: App, settings: Settings) -> Router {
    let quota = Arc::new(Quota::new(settings.calls_per_minute, 60_000));
    let door = Door { app, settings: Arc::new(settings), quota };
    Router::new()
        .route("/v5/iot/{project_id}/ota-upgrades/packages", post(packages::create).get(packages::list))
        .route("/v5/iot/{project_id}/ota-upgrades/packages/{package_id}", get(packages::show).delete(packages::delete))
        .route("/v5/iot/{project_id}/ota-upgrades/modules", post(modules::create).get(modules::list))
        .route(
            "/v5/iot/{project_id}/ota-upgrades/modules/{module_id}",
            get(modules::show).put(modules::update).delete(modules::delete),
        )
        .route("/v5/iot/{project_id}/apps", post(spaces::create).get(spaces::list))
        .route("/v5/iot/{project_id}/apps/{app_id}", get(spaces::show).put(spaces::update).delete(spaces::delete))
        .route("/v5/iot/{project_id}/products", post(products::create).get(products::list))
        .route(
            "/v5/iot/{project_id}/products/{product_id}",
            get(products::show).put(products::update).delete(products::delete),
        )
        .route("/v3/auth/tokens", post(iam::issue_token))
        .route("/v3/projects", get(projects::list))
        .route("/v5/{*rest}", any(no_such_api))
        .route("/v3/{*rest}", any(no_such_api))
        .method_not_allowed_fallback(no_such_api)
        .layer(response::FINISH)
        .with_state(door)
}

/// To the gateway in front of the cloud an API is a method and a path, so a wrong method is as unknown as a wrong path.
async fn no_such_api(request: axum::extract::Request) -> error::Refusal {
    let what = format!("There is no {} {}.", request.method(), request.uri().path());
    error::Refusal::new(&error::NO_API, what)
}
