//! Answers on the wire: format, envelope, status and headers (contract §1.3).

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use otaru_core::request;

use super::Settings;
use super::answer::Record;
use super::error::{Failure, Gateway, code};
use super::operations::Operation;
use super::parameters::Parameters;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-acs-request-id");
const RETRY_AFTER: HeaderName = HeaderName::from_static("x-acs-retry-after");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Xml,
}

impl Format {
    /// The format that the request asks for; a `Format` that is none is a failure, told in the one that it would have had.
    pub fn of(parameters: &Parameters, headers: &HeaderMap, is_acs3: bool) -> (Format, Result<(), Failure>) {
        let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let unasked = if is_acs3 || accept.to_ascii_lowercase().contains("json") { Format::Json } else { Format::Xml };
        match parameters.given("Format") {
            None => (unasked, Ok(())),
            Some(format) if format.eq_ignore_ascii_case("json") => (Format::Json, Ok(())),
            Some(format) if format.eq_ignore_ascii_case("xml") => (Format::Xml, Ok(())),
            Some(_) => (unasked, Err(Failure::invalid_format())),
        }
    }
}

/// What every answer to one request says of it.
pub struct Envelope<'a> {
    pub format: Format,
    pub request_id: &'a str,
    /// The host that the client asked for.
    pub host_id: &'a str,
    /// The operation, once it is known.
    pub operation: Option<&'static Operation>,
}

impl Envelope<'_> {
    pub fn success(&self, record: &Record<'_>) -> Response<Body> {
        self.response(StatusCode::OK, self.under_operation(record))
    }

    pub fn failure(&self, failure: Failure, settings: &Settings) -> Response<Body> {
        match failure {
            Failure::Business { code, message } => self.business(code, &message, settings),
            Failure::Gateway(gateway) => self.gateway(&gateway),
            Failure::Unavailable(reason) => {
                tracing::warn!(request_id = self.request_id, reason, "a call has to wait");
                self.gateway(&Failure::service_unavailable())
            }
            Failure::Internal(reason) => {
                tracing::error!(request_id = self.request_id, reason, "a call failed inside");
                match self.operation {
                    Some(_) => self.business(code::SYSTEM_EXCEPTION, "A system exception occurred.", settings),
                    None => self.gateway(&Failure::internal_error()),
                }
            }
        }
    }

    fn business(&self, code: &'static str, message: &str, settings: &Settings) -> Response<Body> {
        let record = Record::new()
            .with("RequestId", self.request_id)
            .with("Success", false)
            .with("Code", code)
            .with("ErrorMessage", message)
            // One client builds its error text of this member, which no other reads.
            .with_some("Message", settings.message_in_failures.then_some(message));
        self.response(settings.business_failure_status, self.under_operation(&record))
    }

    fn gateway(&self, gateway: &Gateway) -> Response<Body> {
        let record = Record::new()
            .with("RequestId", self.request_id)
            .with("HostId", self.host_id)
            .with("Code", gateway.code.as_ref())
            .with("Message", gateway.message.as_str())
            .with("Recommend", "");
        let text = match self.format {
            Format::Json => record.json(),
            Format::Xml => format!("<?xml version='1.0' encoding='UTF-8'?>{}", record.xml("Error")),
        };
        let mut response = self.response(gateway.status, text);
        if let Some(retry_after_ms) = gateway.retry_after_ms {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after_ms));
        }
        response
    }

    fn under_operation(&self, record: &Record<'_>) -> String {
        match self.format {
            Format::Json => record.json(),
            Format::Xml => record.xml(&format!("{}Response", self.operation.map_or("", |operation| operation.name))),
        }
    }

    fn response(&self, status: StatusCode, text: String) -> Response<Body> {
        // One client parses an error only under exactly this type, another no text under any but these.
        let content_type = match self.format {
            Format::Json => "application/json;charset=utf-8",
            Format::Xml => "text/xml;charset=utf-8",
        };
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Ok(id) = HeaderValue::from_str(self.request_id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }
}

/// The request's id, as the log has it, in upper case.
pub fn new_request_id() -> String {
    request::id_text(request::id()).to_uppercase()
}
