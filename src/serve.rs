//! `otaru serve`: opens the doors, says so, and serves until it is told to stop.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::routing::get;
use tokio::task::JoinSet;

use crate::config::{Config, Secrets};
use crate::listen::ready::Ready;
use crate::listen::signals::Signals;
use crate::listen::tls::Tls;
use crate::listen::{Door, serve};
use crate::log;

/// How often the certificate files are looked at.
const CERTIFICATE_CHECK: Duration = Duration::from_secs(5);

/// Runs the server to its end.
pub fn run(config: &Config, _secrets: &Secrets) -> Result<(), Box<dyn Error>> {
    log::begin(&config.log);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(doors(config))
}

async fn doors(config: &Config) -> Result<(), Box<dyn Error>> {
    let signals = Signals::install()?;
    let tls = match config.tls_source() {
        Some(source) => Some(Arc::new(Tls::load(source, SystemTime::now())?)),
        None => None,
    };
    let mut open = vec![
        Door::open("http", config.http, None)?,
        Door::open("objects", config.objects, None)?,
    ];
    if let Some(tls) = &tls {
        let encrypted = [
            ("https", config.https()),
            ("objects_https", config.objects_https),
        ];
        for (name, address) in encrypted
            .into_iter()
            .filter_map(|(name, address)| Some((name, address?)))
        {
            open.push(Door::open(name, address, Some(Arc::clone(tls)))?);
        }
        let watch = Arc::clone(tls).watch(
            CERTIFICATE_CHECK,
            signals.hangup,
            signals.drain.clone(),
            SystemTime::now,
        );
        tokio::spawn(watch);
    }

    let ready = open.iter().fold(Ready::default(), |ready, door| {
        ready.with(door.name(), door.address())
    });
    let mut serving = JoinSet::new();
    for door in open {
        serving.spawn(serve(
            door,
            router(),
            config.limits(),
            signals.drain.clone(),
        ));
    }
    ready.announce()?;
    while let Some(ended) = serving.join_next().await {
        ended?;
    }
    Ok(())
}

fn router() -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(|| async { "ready" }))
}
