//! One contract: Alibaba Cloud IoT, RPC API of version 2018-01-20, its operations on packages, modules and products.
//!
//! Every call goes to `/` and names its operation in `Action`; [`operations`] lists them. [`form`] is the door that
//! `GenerateOTAUploadURL` points to. Sections in comments are those of the contract.
//!
//! A call passes the checks in the contract's order (§2.3): what has to be there, version, action, signature, quota, right,
//! and then the operation's own rules.

mod answer;
mod auth;
mod call;
mod door;
mod envelope;
mod error;
mod files;
mod form;
mod form_error;
mod form_stream;
mod ids;
mod limits;
mod modules;
mod nonces;
mod operations;
mod packages;
mod parameters;
mod policy;
mod products;
mod shapes;
#[cfg(test)]
mod tests;
mod uploads;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::Router;
use axum::http::{Method, Request, StatusCode};
use axum::routing::any;
use otaru_core::app::App;

use crate::wire::percent::{decode_form, split_pairs};
use crate::wire::quota::Quota;
use crate::wire::time::SIGNATURE_WINDOW_MS;

/// Where form uploads go to.
pub const FORM_PATH: &str = "/oss";

/// The door's name in records.
const DOOR: &str = "aliyun";
const API_VERSION: &str = "2018-01-20";

/// What can be configured of this door.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where clients reach this server: scheme, host and port, without a slash at the end.
    pub public_url: String,
    /// The id of the instance that clients have to name; without one they may name any or none.
    pub instance_id: Option<String>,
    /// The HTTP status of business failures: 200, or 400 as newer pages of the vendor have it.
    pub business_failure_status: StatusCode,
    /// Whether business failures repeat `ErrorMessage` as `Message`, which one official client shows.
    pub message_in_failures: bool,
    /// How far a signed time may lie from ours, to either side.
    pub signature_window_ms: u64,
    /// How many packages of a tenant may come by this door; none for any number.
    pub max_packages: Option<u64>,
    /// How many modules of its own a product may have; none for any number.
    pub max_modules_per_product: Option<u64>,
    /// The largest file that a form takes.
    pub max_file_bytes: u64,
    /// How long a form is good for.
    pub form_lifetime_ms: i64,
    /// How long after its form was made an uploaded file has to become part of a package.
    pub object_lifetime_ms: i64,
    /// The longest body of a call.
    pub max_body_bytes: usize,
    /// Calls per second of each tenant, by operation, where they shall differ from the documented ones; 0 for any number.
    pub calls_per_second: BTreeMap<String, u32>,
    /// How many copies of the server share the calls: each grants its part.
    pub copies: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            public_url: "http://127.0.0.1:8080".to_owned(),
            instance_id: None,
            business_failure_status: StatusCode::OK,
            message_in_failures: true,
            signature_window_ms: SIGNATURE_WINDOW_MS,
            max_packages: Some(500),
            max_modules_per_product: Some(10),
            max_file_bytes: limits::MAX_FILE_BYTES,
            form_lifetime_ms: 60_000,
            object_lifetime_ms: 60 * 60_000,
            max_body_bytes: 1 << 20,
            calls_per_second: BTreeMap::new(),
            copies: 1,
        }
    }
}

/// What every request of this door is answered with.
struct Door {
    app: App,
    settings: Settings,
    /// The id that download links carry.
    link_key_id: String,
    quotas: HashMap<&'static str, Quota>,
    nonces: nonces::Nonces,
}

/// The routes of this door. `/` is shared with the console: [`is_for_us`] tells whose a request is.
pub fn router(app: App, settings: Settings) -> Router {
    let quotas = operations::OPERATIONS.iter().map(|operation| {
        let calls = settings.calls_per_second.get(operation.name).copied().unwrap_or(operation.calls_per_second);
        (operation.name, Quota::new(calls.div_ceil(settings.copies.max(1)), 1_000))
    });
    let link_key_id = app.service_key_id(shapes::LINK_KEY);
    let door = Door { link_key_id, quotas: quotas.collect(), nonces: nonces::Nonces::default(), app, settings };
    Router::new()
        .route("/", any(door::answer))
        .route(FORM_PATH, any(form::answer))
        .route(&format!("{FORM_PATH}/"), any(form::answer))
        .with_state(Arc::new(door))
}

/// Whether a request to `/` is a call of this door: it names an action, or posts.
pub fn is_for_us<B>(request: &Request<B>) -> bool {
    let query = request.uri().query().unwrap_or_default().as_bytes();
    let names_an_action = || split_pairs(query).any(|(name, _)| decode_form(name).as_ref() == b"Action");
    request.uri().path() == "/"
        && (request.method() == Method::POST || request.headers().contains_key("x-acs-action") || names_an_action())
}
