//! What is kept of a request until it is over: then it is a line in the log and a few numbers.

use std::sync::Arc;
use std::time::Instant;

use http::request::Parts;
use http::{Method, Response, Uri};
use metrics::{Counter, Gauge, Histogram};
use otaru_core::request::Request;
use otaru_core::telemetry::Numbers;

use super::{Told, route};

/// Of the id that a client or proxy gave a request; more is cut off.
const THEIR_ID_LETTERS: usize = 64;

static IN_FLIGHT: Numbers<Gauge, 1> = Numbers::gauges("otaru_http_requests_in_flight", ["door"]);
static REQUESTS: Numbers<Counter, 3> = Numbers::counters("otaru_http_requests_total", ["door", "operation", "status"]);
static SECONDS: Numbers<Histogram, 2> = Numbers::histograms("otaru_http_request_seconds", ["door", "operation"]);
static BYTES_IN: Numbers<Counter, 1> = Numbers::counters("otaru_http_request_body_bytes_total", ["door"]);
static BYTES_OUT: Numbers<Counter, 1> = Numbers::counters("otaru_http_response_body_bytes_total", ["door"]);

/// A request under way. Dropping it tells of it, also when its client went away.
#[derive(Debug)]
pub struct Record {
    request: Arc<Request>,
    started: Instant,
    method: Method,
    uri: Uri,
    their_id: Option<String>,
    told: Told,
    bytes_out: u64,
    /// 0 until there is an answer.
    status: u16,
    /// Whether the answer was handed on to its end.
    is_complete: bool,
}

impl Record {
    pub fn begin(request: Arc<Request>, parts: &Parts, told: Told) -> Record {
        IN_FLIGHT.change([request.door()], 1.0);
        Record {
            request,
            started: Instant::now(),
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            their_id: parts.headers.get("x-request-id").and_then(|id| id.to_str().ok()).map(harmless),
            told,
            bytes_out: 0,
            status: 0,
            is_complete: false,
        }
    }

    pub fn request(&self) -> &Arc<Request> {
        &self.request
    }

    pub fn is_head(&self) -> bool {
        self.method == Method::HEAD
    }

    /// The operation, as far as it is known by now.
    fn operation(&self) -> &'static str {
        self.request.operation().unwrap_or_else(|| route::name(&self.method, None))
    }

    /// Notes the head of the answer.
    pub fn note<B>(&mut self, answer: &Response<B>) {
        self.status = answer.status().as_u16();
        SECONDS.record([self.request.door(), self.operation()], self.started.elapsed());
    }

    pub fn sent(&mut self, bytes: usize) {
        self.bytes_out += bytes as u64;
    }

    pub fn bytes_out(&self) -> u64 {
        self.bytes_out
    }

    pub fn complete(&mut self) {
        self.is_complete = true;
    }

    fn status_class(&self) -> &'static str {
        match self.status {
            0 => "aborted",
            1..200 => "1xx",
            200..300 => "2xx",
            300..400 => "3xx",
            400..500 => "4xx",
            _ => "5xx",
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let door = self.request.door();
        IN_FLIGHT.change([door], -1.0);
        REQUESTS.add([door, self.operation(), self.status_class()], 1);
        BYTES_IN.add([door], self.request.body_bytes());
        BYTES_OUT.add([door], self.bytes_out);
        self.request.run_now(|| self.tell());
    }
}

impl Record {
    fn tell(&self) {
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: "otaru::access",
                    method = %self.method,
                    // The query is left out: in links and signed calls it is as good as a password.
                    path = self.uri.path(),
                    status = self.status,
                    bytes_in = self.request.body_bytes(),
                    bytes_out = self.bytes_out,
                    duration_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
                    their_request_id = self.their_id,
                    "{}",
                    self.ending()
                )
            };
        }
        match (self.status, self.told) {
            (500.., _) => line!(warn),
            (400.., _) | (0, _) => line!(info),
            _ if !self.is_complete => line!(info),
            // A monitor that asks every second is not worth a line.
            _ if self.request.door() == super::OWN => line!(debug),
            (_, Told::All) => line!(info),
            (_, Told::Failed) => line!(debug),
        }
    }

    fn ending(&self) -> &'static str {
        match (self.status, self.is_complete) {
            (0, _) => "the client went away before the answer",
            (_, false) => "the answer broke off",
            (500.., true) => "failed",
            (400.., true) => "refused",
            (_, true) => "answered",
        }
    }
}

/// A text of somebody else's that cannot spoil the log.
fn harmless(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(THEIR_ID_LETTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn another_ones_id_is_cut_to_size() {
        assert_eq!(harmless("abc-1 2\t3"), "abc-123");
        assert_eq!(harmless(&"x".repeat(100)).len(), 64);
    }
}
