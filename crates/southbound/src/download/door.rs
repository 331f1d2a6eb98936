//! The route behind the links that devices are given.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, Request, State};
use axum::routing::get;
use http::{HeaderValue, Method, Response, StatusCode, header};
use otaru_core::app::{App, Download, Error};
use otaru_core::blobs::StandIns;
use otaru_model::Id;
use otaru_model::peer::Peer;

use super::pace::{Pace, Paces, paced};
use super::{Entity, answer};

/// What is configurable of downloads by link.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// How fast one address gets the bytes of one link, whatever the number of its connections; 0 for as fast as it goes.
    pub link_bytes_per_second: u64,
    /// How fast the devices of one tenant get bytes, all together; 0 for as fast as it goes.
    pub tenant_bytes_per_second: u64,
}

/// A link, and who follows it.
type Follower = (Id, usize, i64, Option<IpAddr>);

#[derive(Clone)]
struct Door {
    app: App,
    links: Arc<Paces<Follower>>,
    tenants: Arc<Paces<Id>>,
}

/// `/ota/{package}/{position}/{name}?Expires=…&Signature=…`: a link as [`App::link`] makes it. Other query members belong to
/// the dialect that handed the link out, and the name is only for the device to store the file under.
pub fn router(app: App, settings: Settings) -> Router {
    let links = Arc::new(Paces::new(settings.link_bytes_per_second));
    let tenants = Arc::new(Paces::new(settings.tenant_bytes_per_second));
    Router::new().route("/ota/{package}/{position}/{name}", get(download)).with_state(Door { app, links, tenants })
}

async fn download(
    State(door): State<Door>,
    Path((package, position, _name)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response<Body> {
    match open(&door.app, &package, &position, query.as_deref().unwrap_or_default()).await {
        Ok((link, found)) => {
            // A link at an object store is signed for one method.
            let direct = if request.method() == Method::GET { door.app.direct_link(&found).await } else { None };
            if let Some(link) = direct.and_then(|link| HeaderValue::try_from(link).ok()) {
                return send_on(link);
            }
            let peer = request.extensions().get::<Peer>().map(|peer| peer.address.ip().to_canonical());
            let (package, position, expires_s) = link;
            let own = door.links.of((package, position, expires_s, peer));
            let paces = own.into_iter().chain(door.tenants.of(found.tenant)).collect();
            send(found, &request, paces)
        }
        Err(error) => refuse(&error),
    }
}

async fn open(app: &App, package: &str, position: &str, query: &str) -> Result<((Id, usize, i64), Download), Error> {
    let member = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let refused = || Error::Expired { noun: otaru_core::app::Noun::File };
    let package: Id = package.parse().map_err(|_| refused())?;
    let position: usize = position.parse().map_err(|_| refused())?;
    let expires_s: i64 = member("Expires").and_then(|text| text.parse().ok()).ok_or_else(refused)?;
    let signature = member("Signature").ok_or_else(refused)?;
    let found = app.open_link(&package, position, expires_s, signature).await?;
    Ok(((package, position, expires_s), found))
}

fn send_on(link: HeaderValue) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(header::LOCATION, link);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn send(found: Download, request: &Request, paces: Vec<Arc<Pace>>) -> Response<Body> {
    let tag = found.file.sha256.map(|digest| digest.to_string()).unwrap_or_default();
    let entity = Entity {
        size_bytes: found.bytes.size_bytes(),
        tag: &tag,
        modified: jiff::Timestamp::from_millisecond(found.created_ms).ok(),
        content_type: "application/octet-stream",
        file_name: Some(&found.file.name),
    };
    // A pace holds back and divides what it gets, which stand-ins do not bear.
    let connection = request.extensions().get::<StandIns>().filter(|_| paces.is_empty()).cloned();
    answer(request.method(), request.headers(), &entity, move |range| {
        paced(found.bytes.stream_to(connection.clone(), range), paces.clone())
    })
}

/// Devices read the status; the text is for a person with curl.
fn refuse(error: &Error) -> Response<Body> {
    let (status, text) = match error {
        Error::Expired { .. } => (StatusCode::FORBIDDEN, "this link is wrong or its time is over"),
        Error::NotFound { .. } => (StatusCode::NOT_FOUND, "the package is gone"),
        // No other try gets better bytes: they have to be uploaded again.
        Error::WrongBytes(_) => {
            tracing::warn!(%error, "a damaged file is not delivered");
            (StatusCode::GONE, "the package's bytes are damaged, or not what was declared: it is not delivered")
        }
        Error::Unavailable(_) | Error::Busy { .. } | Error::Full => {
            (StatusCode::SERVICE_UNAVAILABLE, "the package's bytes cannot be read now, try again later")
        }
        Error::Exists { .. }
        | Error::Taken { .. }
        | Error::Invalid { .. }
        | Error::InUse { .. }
        | Error::LimitReached { .. }
        | Error::TooLarge { .. }
        | Error::OutOfStep { .. }
        | Error::Forbidden { .. }
        | Error::Replayed
        | Error::Internal(_) => {
            tracing::error!(%error, "a download failed");
            (StatusCode::INTERNAL_SERVER_ERROR, "a fault of this server")
        }
    };
    let mut response = Response::new(Body::from(format!("{text}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
