//! Puts the product together from its configuration: store, blobs, master key, and the verbs over them.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use otaru_core::app::{App, Settings};
use otaru_core::blobs::{Blobs, remote};
use otaru_core::clock::Clock;
use otaru_core::seal::MasterKey;
use otaru_core::store::Store;

use crate::config::{self, Config, Secrets};

/// How long an upload through our own door is kept for a package to use it.
const UPLOAD_LIFETIME_MS: i64 = 24 * 3_600_000;

/// Opens everything that holds data. `download_url` is where devices fetch packages.
pub async fn open(config: &Config, secrets: &Secrets, download_url: String) -> Result<App, Box<dyn Error>> {
    std::fs::create_dir_all(&config.data)
        .map_err(|error| format!("`data`: cannot make the directory {}: {error}", config.data.display()))?;
    let key = master_key(config, secrets)?;
    let store = Store::open(&config.store()).await.map_err(|error| format!("`store`: {error}"))?;
    let credentials =
        secrets.blobs_key.as_ref().map(|(id, secret)| remote::Credentials::new(id.as_str(), secret.reveal()));
    let blobs = Blobs::open_with(&config.blobs(), credentials).await.map_err(|error| format!("`blobs`: {error}"))?;
    if config.copies > 1 && !(store.is_shared() && blobs.is_shared()) {
        tracing::warn!(
            "`copies` is more than one, and copies can share only a Postgres `store` and `blobs` in a bucket"
        );
    }
    let settings = Settings {
        download_url,
        link_lifetime_ms: milliseconds(config.links.lifetime_s),
        direct_links: config.links.direct,
        max_file_bytes: config.native.package_limit_bytes,
        upload_lifetime_ms: UPLOAD_LIFETIME_MS,
    };
    Ok(App::open(store, blobs, key, Clock::system(), settings, regions(config)?).await?)
}

/// The store alone, as it is: for looking at its schema or for bringing it up to date.
pub fn store(config: &Config) -> Result<Store, Box<dyn Error>> {
    Ok(Store::connect(&config.store()).map_err(|error| format!("`store`: {error}"))?)
}

/// Whether the configured master key is the one that the store's secrets are sealed with. A key file that is missing is not made.
pub async fn check_key(config: &Config, secrets: &Secrets) -> Result<(), Box<dyn Error>> {
    if let config::MasterKey::OwnFile(path) = config.master_key(secrets)
        && !path.exists()
    {
        return Err(format!("{} is gone: the secrets in the store cannot be read without it", path.display()).into());
    }
    let key = master_key(config, secrets)?;
    Ok(App::check_master_key(&store(config)?, &key).await?)
}

fn master_key(config: &Config, secrets: &Secrets) -> Result<MasterKey, Box<dyn Error>> {
    let named = |path: &Path| format!("`master_key_file`: {}: ", path.display());
    Ok(match config.master_key(secrets) {
        config::MasterKey::Given(text) => {
            MasterKey::from_text(text.reveal()).map_err(|error| format!("OTARU_MASTER_KEY: {error}"))?
        }
        config::MasterKey::File(path) => MasterKey::load(&path).map_err(|error| format!("{}{error}", named(&path)))?,
        config::MasterKey::OwnFile(path) => {
            MasterKey::load_or_create(&path).map_err(|error| format!("{}{error}", named(&path)))?
        }
    })
}

fn regions(config: &Config) -> Result<BTreeMap<String, remote::Region>, Box<dyn Error>> {
    let mut regions = BTreeMap::new();
    for region in &config.regions {
        let parsed =
            remote::Region::parse(&region.url).map_err(|error| format!("`regions.{}`: {error}", region.name))?;
        regions.insert(region.name.clone(), parsed);
    }
    Ok(regions)
}

pub fn milliseconds(seconds: u64) -> i64 {
    i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX)
}
