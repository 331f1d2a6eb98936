//! `otaru serve`: opens the doors, says so, and serves until it is told to stop.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::task::JoinSet;

use crate::config::{Config, Secrets};
use crate::listen::ready::Ready;
use crate::listen::signals::Signals;
use crate::listen::tls::Tls;
use crate::listen::{Door, descriptors, serve};
use crate::metrics::{Metrics, Place};
use crate::{background, doors, first_start, house, log};

/// How often the certificate files are looked at.
const CERTIFICATE_CHECK: Duration = Duration::from_secs(5);

/// Runs the server to its end.
pub fn run(config: &Config, secrets: &Secrets) -> Result<(), Box<dyn Error>> {
    log::begin(&config.log);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve_all(config, secrets))
}

async fn serve_all(config: &Config, secrets: &Secrets) -> Result<(), Box<dyn Error>> {
    let signals = Signals::install()?;
    check_descriptors(config);
    let metrics = Metrics::begin(SystemTime::now())?;
    let tls = load_tls(config, &signals)?;
    let http = Door::open("http", config.http, None)?;
    let objects = Door::open("objects", config.objects, None)?.with_lower_case_headers();
    let urls = config.base_urls(http.address(), objects.address());
    let mut http_doors = vec![http];
    let mut object_doors = vec![objects];
    if let Some(tls) = &tls {
        if let Some(address) = config.https() {
            http_doors.push(Door::open("https", address, Some(Arc::clone(tls)))?);
        }
        if let Some(address) = config.objects_https {
            let door = Door::open("objects_https", address, Some(Arc::clone(tls)))?;
            object_doors.push(door.with_lower_case_headers());
        }
    }

    let app = house::open(config, secrets, urls.download.clone()).await?;
    first_start::run(&app, config, secrets, &urls).await?;
    background::start(&app, Duration::from_secs(config.housekeeping.interval_s), &signals.drain);
    tokio::spawn(signals.drain.clone().run_until_cancelled_owned(metrics.clone().keep_up()));
    let metrics_door = match config.metrics {
        Place::Own(address) => Some(Door::open("metrics", address, None)?),
        Place::Off | Place::Local | Place::Open => None,
    };

    let all = http_doors.iter().chain(&object_doors).chain(&metrics_door);
    let ready = all.fold(Ready::default(), |ready, door| ready.with(door.name(), door.address()));
    let mut serving = JoinSet::new();
    let desk = config.desk();
    let answers = doors::http(&app, config, &urls, &desk, &metrics);
    for door in http_doors {
        serving.spawn(serve(door, Arc::clone(&answers), config.limits(), signals.drain.clone()));
    }
    let answers = doors::objects(&app, config, &urls, &desk);
    for door in object_doors {
        serving.spawn(serve(door, Arc::clone(&answers), config.limits(), signals.drain.clone()));
    }
    if let Some(door) = metrics_door {
        let answers = doors::metrics_alone(&app, config, &desk, &metrics);
        serving.spawn(serve(door, answers, config.limits(), signals.drain.clone()));
    }
    ready.announce()?;
    while let Some(ended) = serving.join_next().await {
        ended?;
    }
    Ok(())
}

/// A server that may open fewer files than it takes connections fails where nobody expects it.
fn check_descriptors(config: &Config) {
    let (have, wanted) = (descriptors::take_all(), u64::from(config.listen.max_connections) * 2);
    if let Some(have) = have.filter(|have| *have < wanted) {
        tracing::warn!(
            have,
            wanted,
            "few file descriptors: raise LimitNOFILE or `ulimit -n`, or lower `listen.max_connections`"
        );
    }
}

fn load_tls(config: &Config, signals: &Signals) -> Result<Option<Arc<Tls>>, Box<dyn Error>> {
    let Some(source) = config.tls_source() else { return Ok(None) };
    let tls = Arc::new(Tls::load(source, SystemTime::now())?);
    let (hangup, drain) = (signals.hangup.clone(), signals.drain.clone());
    tokio::spawn(Arc::clone(&tls).watch(CERTIFICATE_CHECK, hangup, drain, SystemTime::now));
    Ok(Some(tls))
}
