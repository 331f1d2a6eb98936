//! The log: one line per happening, on standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// The S3 service logs what it signs, and every refusal as an error of the server. The object door logs for itself.
const NEVER: &str = "s3s=off";

/// Begins to log. Without effect if the process logs already.
pub fn begin(options: &Log) {
    otaru_core::telemetry::set_slow_ms(options.slow_ms);
    // The level was checked when the configuration was read.
    let level = format!("{},{NEVER}", options.level);
    let filter = EnvFilter::builder().parse_lossy(level);
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let begun = match options.format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).try_init(),
        // Outermost first: the first span is the request's.
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(true).try_init(),
    };
    if let Err(error) = begun {
        tracing::debug!(%error, "logging had begun before");
    }
}
