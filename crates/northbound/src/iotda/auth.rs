//! Who is asking: a token of ours, or a signature (contract §8). Where both are sent, one that is valid suffices.

use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use bytes::Bytes;
use otaru_core::app::{App, AuthError, Caller};

use super::error::{Refusal, capitalised};
use super::{Settings, ids};
use crate::wire::digest::BodyDigest;
use crate::wire::sdk_hmac::{Authorization, Scheme};
use crate::wire::time::{TimeFormat, is_within};
use crate::wire::{RequestHead, SignatureError};

/// What our tokens are sealed for: a token of another door is none here.
pub const TOKEN_PURPOSE: &str = "iotda token";

/// The caller of a request whose `uri` is the one that the client sent.
pub async fn caller(app: &App, settings: &Settings, uri: &Uri, parts: &Parts, body: &Bytes) -> Result<Caller, Refusal> {
    let mut refused = None;
    if parts.headers.contains_key("x-auth-token") {
        match by_token(app, &parts.headers).await {
            Ok(caller) => return Ok(caller),
            Err(refusal) if refusal.fault.is_some() => return Err(refusal),
            Err(refusal) => refused = Some(refusal),
        }
    }
    match Authorization::of(&parts.headers) {
        Err(SignatureError::Missing) => {
            Err(refused.unwrap_or_else(|| Refusal::unauthorized("Send X-Auth-Token or sign the request.")))
        }
        Err(error) => Err(refused.unwrap_or_else(|| refuse(&error))),
        Ok(authorization) => {
            let head = RequestHead::new(&parts.method, uri, &parts.headers);
            let signed = by_signature(app, settings, authorization, &head, body).await;
            signed.map_err(|refusal| if refusal.fault.is_some() { refusal } else { refused.unwrap_or(refusal) })
        }
    }
}

async fn by_token(app: &App, headers: &HeaderMap) -> Result<Caller, Refusal> {
    let mut sent = headers.get_all("x-auth-token").iter();
    let token = sent.next().and_then(|value| value.to_str().ok()).unwrap_or_default();
    if sent.next().is_some() {
        return Err(Refusal::unauthorized("X-Auth-Token was sent twice."));
    }
    app.token_caller(token.trim(), TOKEN_PURPOSE).await.map_err(|error| match error {
        AuthError::BadToken => Refusal::unauthorized("X-Auth-Token is not a token of this server."),
        AuthError::TokenExpired => Refusal::unauthorized("X-Auth-Token has expired."),
        error => error.into(),
    })
}

async fn by_signature(
    app: &App,
    settings: &Settings,
    authorization: Authorization<'_>,
    head: &RequestHead<'_>,
    body: &Bytes,
) -> Result<Caller, Refusal> {
    let signed_at_ms = authorization.signed_at_ms(head).map_err(|error| refuse(&error))?;
    let now_ms = app.now_ms();
    if !is_within(now_ms, signed_at_ms, settings.signature_window_ms) {
        let now = TimeFormat::Compact.format(now_ms);
        return Err(Refusal::unauthorized(format!("X-Sdk-Date is too far from the server's time, which is {now}.")));
    }
    if let Scheme::Derived { region, .. } = authorization.scheme
        && !settings.is_region(region)
    {
        return Err(Refusal::unauthorized(format!("The credential is for the region {region}, which is not here.")));
    }
    let key_id = authorization.access_key_id;
    let credential = if head.headers.contains_key("x-security-token") {
        let token = head.single("x-security-token").unwrap_or_default();
        app.temporary_credential(key_id, token).await?
    } else {
        app.credential(key_id).await?
    };
    let verdict = authorization.verify(head, &BodyDigest::of(body), credential.secret.expose());
    verdict.map_err(|error| refuse(&error))?;
    Ok(credential.caller)
}

fn refuse(error: &SignatureError) -> Refusal {
    Refusal::unauthorized(capitalised(&error.to_string()))
}

/// Whether `text` is a name of the caller's own project: its id, the tenant's id or name, or an id that it had elsewhere.
pub async fn is_own_project(app: &App, settings: &Settings, caller: &Caller, text: &str) -> Result<bool, Refusal> {
    if text.parse() == Ok(caller.tenant) || ids::tenant_of_project(text) == Some(caller.tenant) {
        return Ok(true);
    }
    let named = settings.projects.get(text).map_or(text, String::as_str);
    let own = app.show_own_tenant(caller).await?;
    Ok(own.name.to_lowercase() == named.to_lowercase())
}
