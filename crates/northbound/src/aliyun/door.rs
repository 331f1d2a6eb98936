//! From a request to its answer: every check in the contract's order, then the operation (§2.3).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::{Method, Response};

use super::answer::Record;
use super::auth::{self, Signed};
use super::call::Call;
use super::envelope::{Envelope, Format, new_request_id};
use super::error::{Failure, code};
use super::operations::{self, Operation};
use super::parameters::Parameters;
use super::{API_VERSION, Door};
use crate::wire::body::{self, BodyError};

pub async fn answer(State(door): State<Arc<Door>>, request: Request) -> Response<Body> {
    let request_id = new_request_id();
    let (parts, body) = request.into_parts();
    let host_id = host_of(&parts, &door.settings.public_url);
    // The body of another method is nothing that a call could be read from.
    let is_call = matches!(parts.method, Method::GET | Method::POST);
    let body = match is_call {
        true => body::collect(body, door.settings.max_body_bytes).await,
        false => Ok(Default::default()),
    };
    let parameters = Parameters::read(&parts, body.as_deref().unwrap_or_default());
    let is_acs3 = auth::is_acs3(&parts, &parameters);
    let (format, known_format) = Format::of(&parameters, &parts.headers, is_acs3);
    let mut envelope = Envelope { format, request_id: &request_id, host_id: &host_id, operation: None };

    let outcome = async {
        if !is_call {
            return Err(Failure::unsupported_method());
        }
        let body = body.map_err(unreadable)?;
        parameters.check()?;
        known_format?;
        let signed = Signed::read(&parts, &parameters)?;
        if signed.version != API_VERSION {
            return Err(Failure::invalid_version());
        }
        let operation = operations::find(signed.action).ok_or_else(Failure::unknown_action)?;
        envelope.operation = Some(operation);
        otaru_core::request::operation(operation.name);
        door.perform(operation, &signed, &parts, &body, &parameters, (&request_id, format)).await
    };
    let outcome = outcome.await;
    match outcome {
        Ok(record) => envelope.success(&record),
        Err(failure) => envelope.failure(failure, &door.settings),
    }
}

impl Door {
    async fn perform(
        &self,
        operation: &'static Operation,
        signed: &Signed<'_>,
        parts: &Parts,
        body: &[u8],
        parameters: &Parameters,
        (request_id, format): (&str, Format),
    ) -> Result<Record<'static>, Failure> {
        let caller =
            signed.verify(&self.app, &self.nonces, self.settings.signature_window_ms, parts, body, parameters).await?;
        if let Some(quota) = self.quotas.get(operation.name) {
            quota.take(&caller.tenant.to_string(), self.app.now_ms()).map_err(Failure::throttled)?;
        }
        caller.require(operation.right)?;
        let missing = operation.required.iter().find(|name| parameters.given(name).is_none());
        if let Some(name) = missing {
            return Err(Failure::missing(name));
        }
        self.check_instance(parameters)?;
        let (app, settings, link_key_id) = (&self.app, &self.settings, self.link_key_id.as_str());
        let caller = &caller;
        operations::run(&Call { app, settings, link_key_id, operation, caller, parameters, request_id, format }).await
    }

    /// A server with an instance id wants it named; one without takes any or none.
    fn check_instance(&self, parameters: &Parameters) -> Result<(), Failure> {
        match &self.settings.instance_id {
            Some(ours) if parameters.given("IotInstanceId") != Some(ours) => {
                Err(Failure::business(code::INSTANCE_NOT_FOUND, "The specified IotInstanceId does not exist."))
            }
            _ => Ok(()),
        }
    }
}

fn unreadable(error: BodyError) -> Failure {
    Failure::invalid_parameter(match error {
        BodyError::TooLong(limit_bytes) => format!("The request's body is longer than {limit_bytes} bytes."),
        BodyError::Broken => "The request's body could not be read.".to_owned(),
    })
}

/// The host as the client named it, else our own.
pub fn host_of(parts: &Parts, public_url: &str) -> String {
    let named = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let named = named.or_else(|| parts.uri.authority().map(|authority| authority.as_str()));
    let ours = public_url.split_once("://").map_or(public_url, |(_, host)| host);
    named.unwrap_or(ours).to_owned()
}
