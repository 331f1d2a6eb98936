//! What runs beside the doors: reading in files from object stores elsewhere, and housekeeping.

use std::time::Duration;

use otaru_core::app::{App, Swept};
use tokio_util::sync::CancellationToken;

const BETWEEN_IMPORTS: Duration = Duration::from_secs(2);
const BETWEEN_SWEEPS: Duration = Duration::from_secs(60);

/// Starts the workers; they end with `drain`.
pub fn start(app: &App, drain: &CancellationToken) {
    let (imports, importing) = (app.clone(), drain.clone());
    tokio::spawn(every(BETWEEN_IMPORTS, importing, async move || match imports.run_imports().await {
        Ok(0) => {}
        Ok(files) => tracing::info!(files, "read files in from other object stores"),
        Err(error) => tracing::warn!(%error, "files cannot be read in now"),
    }));
    let (sweeps, sweeping) = (app.clone(), drain.clone());
    tokio::spawn(every(BETWEEN_SWEEPS, sweeping, async move || match sweeps.sweep().await {
        Ok(swept) if swept == Swept::default() => {}
        Ok(swept) => tracing::info!(
            uploads = swept.uploads,
            object_uploads = swept.object_uploads,
            staged = swept.staged,
            blobs = swept.blobs,
            "removed what nobody can use any more"
        ),
        Err(error) => tracing::warn!(%error, "housekeeping has to wait"),
    }));
}

async fn every<W, F>(pause: Duration, drain: CancellationToken, work: W)
where
    W: Fn() -> F,
    F: Future<Output = ()>,
{
    loop {
        tokio::select! {
            () = drain.cancelled() => return,
            () = tokio::time::sleep(pause) => work().await,
        }
    }
}
