//! Our own API, `/api/v1`: for the console, the command line and everything that no cloud has.
//!
//! Plural nouns, snake_case JSON, RFC 3339 times, ids of 24 hexadecimal digits, problem documents (RFC 9457) as errors,
//! opaque cursors with exact totals. Decoding is strict. The OpenAPI document is made from this code: the handlers'
//! annotations, the schemas of what they take and give, and the [`limits`] table.

mod auth;
mod decode;
mod document;
mod error;
mod import;
mod keys;
pub mod limits;
mod members;
mod modules;
mod packages;
mod page;
mod products;
mod push;
mod receive;
mod server;
mod spaces;
mod tenants;
#[cfg(test)]
mod tests;
mod tokens;
mod tus;
mod tus_headers;
mod uploads;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::{HeaderValue, Method, Uri, header};
use otaru_core::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::wire::around::Around;
use crate::wire::quota::Quota;
use error::{Kind, Problem};

pub use document::document;

/// Where the API lives.
pub const PREFIX: &str = "/api/v1";
/// What `door` says of records that were made here.
const DOOR: &str = "native";

/// What is configurable of this door.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many sign-ins may fail per minute and peer address before more are refused for a while; 0 for any number.
    pub failed_sign_ins_per_minute: u32,
    /// How long a request with a file in it may send nothing, in milliseconds.
    pub upload_idle_ms: u64,
    /// The server's version, as it tells it.
    pub version: String,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            failed_sign_ins_per_minute: 20,
            upload_idle_ms: 60_000,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

#[derive(Clone)]
struct Native(Arc<Inner>);

struct Inner {
    app: App,
    settings: Settings,
    failed_sign_ins: Quota,
}

impl Native {
    fn app(&self) -> &App {
        &self.0.app
    }
}

/// The door, whole: everything under [`PREFIX`].
pub fn router(app: App, settings: Settings) -> Router {
    let failed_sign_ins = Quota::new(settings.failed_sign_ins_per_minute, 60_000);
    let native = Native(Arc::new(Inner { app, settings, failed_sign_ins }));
    let (routes, _) = routes().split_for_parts();
    let door =
        routes.fallback(not_found).method_not_allowed_fallback(method_not_allowed).layer(NUMBER).with_state(native);
    // A nested router does not answer for its prefix with a slash behind it.
    let bare = any(not_found).layer(NUMBER);
    Router::new().nest(PREFIX, door).route(&format!("{PREFIX}/"), bare)
}

/// Every route. The path of each stands with its handler, and here for who looks for one.
fn routes() -> OpenApiRouter<Native> {
    OpenApiRouter::new()
        // GET /openapi.json
        .routes(routes!(document::show_document))
        // POST /tokens
        .routes(routes!(tokens::create_token))
        // GET /server
        .routes(routes!(server::show_server))
        // GET /tenant; GET, POST /tenants
        .routes(routes!(tenants::show_own_tenant))
        .routes(routes!(tenants::list_tenants, tenants::create_tenant))
        // GET, POST /keys; GET, PATCH, DELETE /keys/{id}; POST /keys/{id}/rotate; POST /temporary_keys
        .routes(routes!(keys::list_keys, keys::create_key))
        .routes(routes!(keys::show_key, keys::update_key, keys::revoke_key))
        .routes(routes!(keys::rotate_key))
        .routes(routes!(keys::create_temporary_key))
        // GET, POST /spaces; GET, PATCH, DELETE /spaces/{code}
        .routes(routes!(spaces::list_spaces, spaces::create_space))
        .routes(routes!(spaces::show_space, spaces::update_space, spaces::delete_space))
        // GET, POST /products; GET, PATCH, DELETE /products/{code}
        .routes(routes!(products::list_products, products::create_product))
        .routes(routes!(products::show_product, products::update_product, products::delete_product))
        // GET, POST /products/{code}/modules; GET, PATCH, DELETE /products/{code}/modules/{name}
        .routes(routes!(modules::list_modules, modules::create_module))
        .routes(routes!(modules::show_module, modules::update_module, modules::delete_module))
        // OPTIONS, POST /uploads; HEAD, GET, PATCH, POST (as another method), DELETE /uploads/{id}
        .routes(routes!(tus::describe_uploads, uploads::create_upload))
        .routes(routes!(
            tus::find_upload_offset,
            uploads::show_upload,
            tus::append_upload,
            tus::override_method,
            uploads::delete_upload
        ))
        // GET, POST /packages; POST /packages/push, /packages/import; GET, PATCH, DELETE /packages/{id}; POST /packages/{id}/verify, …/link
        .routes(routes!(packages::list_packages, packages::create_package))
        .routes(routes!(push::push_package))
        .routes(routes!(import::import_packages))
        .routes(routes!(packages::show_package, packages::update_package, packages::delete_package))
        .routes(routes!(packages::verify_package))
        .routes(routes!(packages::link_package))
}

async fn not_found(uri: Uri) -> Problem {
    let path = uri.path().strip_prefix(PREFIX).unwrap_or(uri.path());
    let detail = format!("there is nothing at {PREFIX}{path}; {PREFIX}/openapi.json lists what there is");
    Problem::new(Kind::NotFound, detail)
}

async fn method_not_allowed(request: Request) -> Problem {
    let detail = format!("{} is not for {PREFIX}{}", request.method(), request.uri().path());
    Problem::new(Kind::MethodNotAllowed, detail)
}

/// Around every route: puts the request's id on the answer, writes problems down with it, and logs those that are ours.
const NUMBER: Around<Asked> = Around { before: asked, after: number };

/// What is asked for, and whether by a client of resumable uploads.
type Asked = (Method, Uri, bool);

fn asked(request: &Request) -> Asked {
    (request.method().clone(), request.uri().clone(), request.headers().contains_key(tus::TUS_RESUMABLE))
}

fn number((method, uri, speaks_tus): Asked, mut response: Response) -> Response {
    let request_id = otaru_core::request::id_text(otaru_core::request::id());
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        if let Some(internal) = &problem.internal {
            tracing::error!(request_id, %method, path = uri.path(), error = internal, "a request failed");
        }
        let document = problem.document(&request_id);
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut written = (problem.kind.status(), body).into_response();
        written.headers_mut().extend(std::mem::take(response.headers_mut()));
        for (name, value) in problem.headers {
            written.headers_mut().append(name, value);
        }
        let media_type = HeaderValue::from_static("application/problem+json");
        written.headers_mut().insert(header::CONTENT_TYPE, media_type);
        response = written;
    }
    if let Ok(value) = HeaderValue::try_from(request_id) {
        response.headers_mut().insert("x-request-id", value);
    }
    if speaks_tus {
        let version = HeaderValue::from_static(tus::VERSION);
        response.headers_mut().entry(tus::TUS_RESUMABLE).or_insert(version);
    }
    // What is told here belongs to who signed in, and changes.
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
