//! What runs beside the doors: reading in files from object stores elsewhere, and housekeeping.

use std::time::Duration;

use otaru_core::app::{App, Swept};
use tokio_util::sync::CancellationToken;

const BETWEEN_IMPORTS: Duration = Duration::from_secs(2);

/// Starts the workers; they end with `drain`.
pub fn start(app: &App, between_sweeps: Duration, drain: &CancellationToken) {
    tokio::spawn(drain.clone().run_until_cancelled_owned(import_for_ever(app.clone())));
    tokio::spawn(drain.clone().run_until_cancelled_owned(sweep_for_ever(app.clone(), between_sweeps)));
}

async fn import_for_ever(app: App) {
    loop {
        tokio::time::sleep(BETWEEN_IMPORTS).await;
        match app.run_imports().await {
            Ok(0) => {}
            Ok(files) => tracing::info!(files, "read files in from other object stores"),
            Err(error) => tracing::warn!(%error, "files cannot be read in now"),
        }
    }
}

async fn sweep_for_ever(app: App, between_sweeps: Duration) {
    loop {
        if let Err(error) = app.take_census().await {
            tracing::warn!(%error, "packages cannot be counted now");
        }
        tokio::time::sleep(between_sweeps).await;
        if let Err(error) = app.lay_milestones().await {
            tracing::warn!(%error, "milestones along long lists have to wait");
        }
        match app.sweep().await {
            Ok(swept) if swept == Swept::default() => {}
            Ok(swept) => tracing::info!(
                uploads = swept.uploads,
                object_uploads = swept.object_uploads,
                staged = swept.staged,
                blobs = swept.blobs,
                "removed what nobody can use any more"
            ),
            Err(error) => tracing::warn!(%error, "housekeeping has to wait"),
        }
    }
}
