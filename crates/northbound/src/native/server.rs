//! The server itself: what its administrator wants to know when something is wrong.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Native;
use super::auth::Administrator;
use super::error::Problem;
use super::page::time;
use crate::wire::answer::Json as Answer;

/// How the server is.
#[derive(Serialize, ToSchema)]
pub struct Server {
    pub version: String,
    /// The server's clock.
    #[schema(format = DateTime)]
    pub time: String,
    pub store: StoreHealth,
    pub blobs: BlobHealth,
    /// Where the links that are handed out point.
    pub download_url: String,
    /// How long such a link lives, in seconds.
    pub link_lifetime_s: i64,
    /// How long an upload is kept that is part of no package, in seconds.
    pub upload_lifetime_s: i64,
    /// How long a file may be.
    pub max_file_bytes: u64,
}

/// The place of the records.
#[derive(Serialize, ToSchema)]
pub struct StoreHealth {
    pub is_ready: bool,
    #[schema(required = true)]
    pub problem: Option<String>,
}

/// The place of the files.
#[derive(Serialize, ToSchema)]
pub struct BlobHealth {
    pub is_writable: bool,
    /// What uploads may still use.
    #[schema(required = true)]
    pub free_bytes: Option<u64>,
    #[schema(required = true)]
    pub problem: Option<String>,
}

/// Show how the server is
#[utoipa::path(get, path = "/server", tag = "server",
    responses((status = 200, description = "Version, clock, store and files", body = Server)))]
pub async fn show_server(
    State(native): State<Native>,
    Administrator(_): Administrator,
) -> Result<Answer<Server>, Problem> {
    let (app, settings) = (native.app(), native.app().settings());
    let store = app.ready().await.err().map(|error| error.to_string());
    let (free_bytes, problem) = match app.probe_blobs().await {
        Ok(free_bytes) => (Some(free_bytes), None),
        Err(error) => (None, Some(error.to_string())),
    };
    Ok(Answer(Server {
        version: native.0.settings.version.clone(),
        time: time(app.now_ms()),
        store: StoreHealth { is_ready: store.is_none(), problem: store },
        blobs: BlobHealth { is_writable: problem.is_none(), free_bytes, problem },
        download_url: settings.download_url.clone(),
        link_lifetime_s: settings.link_lifetime_ms / 1000,
        upload_lifetime_s: settings.upload_lifetime_ms / 1000,
        max_file_bytes: settings.max_file_bytes,
    }))
}
