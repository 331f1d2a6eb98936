//! The log: one line per happening, on standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

use crate::config::{Log, LogFormat};

/// The S3 service logs what it signs, and every refusal as an error of the server. The object door logs for itself.
const NEVER: &str = "s3s=off";

/// Begins to log. Without effect if the process logs already.
pub fn begin(options: &Log) {
    otaru_core::telemetry::set_slow_ms(options.slow_ms);
    // The level was checked when the configuration was read.
    let filter: Targets = format!("{},{NEVER}", options.level).parse().unwrap_or_default();
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = match options.format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        // Outermost first: the first span is the request's.
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(true).boxed(),
    };
    let begun = registry().with(lines.with_filter(filter)).try_init();
    if let Err(error) = begun {
        tracing::debug!(%error, "logging had begun before");
    }
}
