//! Where package bytes are and come from: can it be reached, read and written?

use std::path::Path;

use otaru_core::blobs::remote::{Region, RemoteError};
use otaru_core::blobs::{BlobError, Blobs};

use super::Findings;
use crate::config::Config;

/// Writes, reads and removes a few bytes where packages are kept.
pub async fn blobs(config: &Config, findings: &mut Findings) {
    let url = config.blobs();
    let folder = url.strip_prefix("fs:");
    if let Some(path) = folder.filter(|path| !Path::new(path).exists()) {
        let text = format!("{path} does not exist yet");
        return findings.warn("files", text, "it is made at the first start; is `blobs` the place that you mean?");
    }
    let advice = match folder {
        Some(_) => "check its disk, and that the user that the server runs as may write there",
        None => "check `blobs`: the bucket, the endpoint, the key and its rights to read, write and delete",
    };
    match probe(&url).await {
        Ok(free_bytes) if folder.is_some() => findings.room("files", free_bytes),
        Ok(_) => findings.ok("files", "the object store can be written and read"),
        Err(error) => findings.fail("files", error.to_string(), advice),
    }
}

async fn probe(url: &str) -> Result<u64, BlobError> {
    let blobs = Blobs::open(url).await?;
    blobs.probe().await?;
    Ok(blobs.space().await?.available_bytes)
}

/// Asks each region for an object that is not there: any clear answer shows that it can be asked.
pub async fn regions(config: &Config, findings: &mut Findings) {
    for region in &config.regions {
        let what = format!("region {}", region.name);
        let advice = format!("check `regions.{}`: endpoint, key and network", region.name);
        let asked = match Region::parse(&region.url) {
            Ok(store) => store.stat("otaru-doctor", "is-anybody-there").await.map(drop),
            Err(error) => Err(error),
        };
        match asked {
            Ok(()) | Err(RemoteError::NotFound) => findings.ok(what, "answers"),
            Err(RemoteError::Denied) => {
                findings.ok(what, "answers; what its key may read shows when a package names it")
            }
            Err(error) => findings.fail(what, error.to_string(), advice),
        }
    }
}
