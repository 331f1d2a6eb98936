//! The door for back offices written for Huawei's older IoT platform (OceanConnect family), API "Device Upgrade" v1.5.0.
//!
//! An application signs in with its appId and secret, which are an access key here, and sends the token it gets with every
//! call. This door has its own words for errors and its own forms of bodies; nothing of the newer API is used.
//! How nouns cross over to other doors: `docs/dialects/oceanconnect.md`.

mod auth;
mod error;
mod fields;
mod limits;
mod packages;
mod sessions;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use otaru_core::app::App;

use crate::wire::quota::Quota;
use auth::Application;
use error::Failure;

/// The window in which calls are counted: the documents speak of calls per minute.
const WINDOW_MS: i64 = 60_000;

/// What can be set of this door.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many calls an application has in any 60 seconds, all operations together; 0 for any number. The documented
    /// default is 100.
    pub calls_per_minute: u32,
    /// How many calls with bad tokens, and failed sign-ins, one peer address has in any 60 seconds; 0 for any number.
    pub bad_calls_per_minute: u32,
    /// How long an access token lives, in seconds. The documented value is 3600.
    pub token_lifetime_s: i64,
    /// Whether the tokens of earlier sign-ins live on. The documents say no: only an application's newest token is valid.
    pub overlapping_tokens: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { calls_per_minute: 100, bad_calls_per_minute: 100, token_lifetime_s: 3600, overlapping_tokens: false }
    }
}

/// What every handler of this door is given.
struct Door {
    app: App,
    settings: Settings,
    /// Counted by application.
    calls: Quota,
    /// Counted by peer address; failed sign-ins of an application also by address and application.
    bad_calls: Quota,
}

/// Every path of this door.
pub fn router(app: App, settings: Settings) -> Router {
    let calls = Quota::new(settings.calls_per_minute, WINDOW_MS);
    let bad_calls = Quota::new(settings.bad_calls_per_minute, WINDOW_MS);
    Router::new()
        // Signing in.
        .route("/iocm/app/sec/v1.1.0/login", post(sessions::login))
        .route("/iocm/app/sec/v1.1.0/refreshToken", post(sessions::refresh))
        .route("/iocm/app/sec/v1.1.0/logout", post(sessions::logout))
        // Packages. An empty fileId, or one with a slash in it, is a wrong fileId and not an unknown path.
        .route("/iodm/northbound/v1.5.0/category", get(packages::list))
        .route("/iodm/northbound/v1.5.0/category/", get(packages::show).delete(packages::delete))
        .route("/iodm/northbound/v1.5.0/category/{*fileId}", get(packages::show).delete(packages::delete))
        .method_not_allowed_fallback(error::method_not_allowed)
        .with_state(Arc::new(Door { app, settings, calls, bad_calls }))
}
