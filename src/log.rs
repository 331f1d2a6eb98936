//! The log: one line per happening, on standard error.
//!
//! What belongs to a request is told with it. There is no span for that: a span would be put together for every request, and few
//! of them have more than one line.

use std::fmt::{self, Write};
use std::io::{self, IsTerminal};

use otaru_core::request::{self, Request};
use serde_json::json;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{self, FormatEvent, FormatFields, JsonFields, Writer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, registry};

use crate::config::{Log, LogFormat};

/// The S3 service logs what it signs, and every refusal as an error of the server. The object door logs for itself.
const NEVER: &str = "s3s=off";

/// Begins to log. Without effect if the process logs already.
pub fn begin(options: &Log) {
    otaru_core::telemetry::set_slow_ms(options.slow_ms);
    // The level was checked when the configuration was read.
    let filter: Targets = format!("{},{NEVER}", options.level).parse().unwrap_or_default();
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let lines = match options.format {
        LogFormat::Text => {
            let people = format::format().with_ansi(io::stderr().is_terminal());
            lines.event_format(OfRequest { line: people, tell: in_text }).boxed()
        }
        LogFormat::Json => {
            let machines = format::format().json().flatten_event(true).with_current_span(false).with_span_list(true);
            lines.fmt_fields(JsonFields::new()).event_format(OfRequest { line: machines, tell: in_json }).boxed()
        }
    };
    let begun = registry().with(lines.with_filter(filter)).try_init();
    if let Err(error) = begun {
        tracing::debug!(%error, "logging had begun before");
    }
}

/// A line with the request that it belongs to.
struct OfRequest<F> {
    line: F,
    /// Completes a line, which comes without its line feed.
    tell: fn(&mut String, &Request) -> fmt::Result,
}

impl<S, N, F> FormatEvent<S, N> for OfRequest<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Some(request) = request::current() else { return self.line.format_event(context, out, event) };
        let mut line = String::new();
        self.line.format_event(context, Writer::new(&mut line), event)?;
        line.truncate(line.trim_end_matches('\n').len());
        (self.tell)(&mut line, &request)?;
        writeln!(out, "{line}")
    }
}

/// ` request{id=… door="native" operation="GET /api/v1/products" peer=192.0.2.1 tenant=… key="…"}`
fn in_text(line: &mut String, request: &Request) -> fmt::Result {
    write!(line, " request{{id={} door={:?}", request::id_text(request.id()), request.door())?;
    if let Some(operation) = request.operation() {
        write!(line, " operation={operation:?}")?;
    }
    if let Some(peer) = request.peer() {
        write!(line, " peer={peer}")?;
    }
    if let Some((tenant, key)) = request.by() {
        write!(line, " tenant={tenant}")?;
        if let Some(key) = key {
            write!(line, " key={key:?}")?;
        }
    }
    line.push('}');
    Ok(())
}

/// The same as the member `request` of the line's object.
fn in_json(line: &mut String, request: &Request) -> fmt::Result {
    let (tenant, key) = request.by().unzip();
    let mut told = json!({ "id": request::id_text(request.id()), "door": request.door() });
    let known = [
        ("operation", request.operation().map(str::to_owned)),
        ("peer", request.peer().map(|peer| peer.to_string())),
        ("tenant", tenant.map(ToString::to_string)),
        ("key", key.flatten().map(str::to_owned)),
    ];
    for (name, value) in known {
        if let Some(value) = value {
            told[name] = value.into();
        }
    }
    if line.pop() == Some('}') {
        write!(line, ",\"request\":{told}}}")?;
    }
    Ok(())
}
