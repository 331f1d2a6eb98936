//! Metrics in the text format of Prometheus. `docs/operate/observe.md` lists them.
//!
//! Labels are words of this program and routes as they are written in the code, never names that somebody chose: the numbers
//! tell nothing of who the tenants are, and there are only so many of them.

mod process;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use otaru_core::app::App;
use otaru_core::telemetry;

use crate::requests::{address_of, is_forwarded};

/// From a look-up in memory to an upload of gigabytes.
const SECONDS: [f64; 15] =
    [0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];
const GROUP_SIZES: [f64; 8] = [1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 200.0];
/// What is recorded between two scrapes is put away this often, so that it does not pile up without a scraper.
pub const BETWEEN_UPKEEPS: Duration = Duration::from_secs(5);

/// Where `/metrics` is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Nowhere.
    Off,
    /// On the HTTP address, for who asks from this machine.
    Local,
    /// On the HTTP address, for everybody.
    Open,
    /// On an address of its own, for everybody who reaches it.
    Own(SocketAddr),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Place, String> {
        match text {
            "off" => Ok(Place::Off),
            "local" => Ok(Place::Local),
            "open" => Ok(Place::Open),
            address => address.parse().map(Place::Own).map_err(|_| {
                "expected local, open, off, or ADDRESS:PORT of its own, such as 127.0.0.1:9464".to_owned()
            }),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Off => f.write_str("off"),
            Place::Local => f.write_str("local"),
            Place::Open => f.write_str("open"),
            Place::Own(address) => write!(f, "{address}"),
        }
    }
}

/// The numbers of this process. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
    started_s: f64,
}

impl Metrics {
    /// Begins to record. Once in the life of a process.
    pub fn begin(now: SystemTime) -> Result<Metrics, BuildError> {
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
            .set_buckets_for_metric(Matcher::Full("otaru_store_group_size".to_owned()), &GROUP_SIZES)?
            .install_recorder()?;
        telemetry::describe();
        describe();
        let version = env!("CARGO_PKG_VERSION");
        gauge!("otaru_build_info", "version" => version).set(1.0);
        let started_s = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        Ok(Metrics { handle, started_s })
    }

    /// Keeps the memory of what was recorded small.
    pub async fn keep_up(self) {
        loop {
            tokio::time::sleep(BETWEEN_UPKEEPS).await;
            self.handle.run_upkeep();
        }
    }

    fn text(&self, app: &App) -> String {
        gauge!("process_start_time_seconds").set(self.started_s);
        process::measure();
        app.measure_store();
        self.handle.render()
    }
}

/// What the doors and the listener record.
fn describe() {
    describe_gauge!("otaru_build_info", "The version that runs.");
    describe_counter!(
        "otaru_http_requests_total",
        "Requests that are over, by route or operation and class of status."
    );
    describe_histogram!(
        "otaru_http_request_seconds",
        Unit::Seconds,
        "Time from a request's head to its answer's head."
    );
    describe_gauge!("otaru_http_requests_in_flight", "Requests whose answer is not sent to its end.");
    describe_counter!("otaru_http_request_body_bytes_total", Unit::Bytes, "Bytes of request bodies.");
    describe_counter!("otaru_http_response_body_bytes_total", Unit::Bytes, "Bytes of answers' bodies.");
    describe_counter!("otaru_connections_total", "Connections that were taken.");
    describe_gauge!("otaru_connections_open", "Connections that are open.");
    describe_counter!(
        "otaru_connections_closed_total",
        "Connections that were ended by us, by what was wrong with them."
    );
    describe_gauge!("process_start_time_seconds", Unit::Seconds, "When the process began, in seconds since 1970.");
    process::describe();
}

#[derive(Clone)]
struct Shared {
    metrics: Metrics,
    app: App,
    is_local_only: bool,
}

/// `GET /metrics`.
pub fn router(metrics: Metrics, app: &App, place: Place) -> Router {
    let shared = Arc::new(Shared { metrics, app: app.clone(), is_local_only: place == Place::Local });
    Router::new().route("/metrics", get(show)).with_state(shared)
}

async fn show(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let is_local = address_of(request.extensions()).is_some_and(|address: IpAddr| address.is_loopback());
    if shared.is_local_only && (!is_local || is_forwarded(request.headers())) {
        let text = "metrics are for this machine: see the option `metrics`\n";
        return (StatusCode::FORBIDDEN, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response();
    }
    let text = shared.metrics.text(&shared.app);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        for text in ["off", "local", "open", "127.0.0.1:9464", "[::1]:9464"] {
            assert_eq!(text.parse::<Place>().expect("a place").to_string(), text);
        }
        assert!("on".parse::<Place>().expect_err("refused").contains("127.0.0.1:9464"));
    }
}
