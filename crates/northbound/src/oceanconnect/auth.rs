//! Who is calling: `app_key` and `Authorization: Bearer …`, and how often that application has called already.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap};
use otaru_core::app::Caller;
use otaru_model::peer::Peer;

use super::{Door, Failure, error};

/// The application that a call is of, once its token was found valid and the call was counted.
pub(super) struct Application(pub Caller);

impl FromRequestParts<Arc<Door>> for Application {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, door: &Arc<Door>) -> Result<Application, Failure> {
        match door.identify(&parts.headers).await {
            Ok(caller) => door.count(caller).map(Application),
            Err(failure) => Err(door.count_bad(&peer_address(&parts.extensions), failure)),
        }
    }
}

impl Door {
    async fn identify(&self, headers: &HeaderMap) -> Result<Caller, Failure> {
        let app_key =
            text(headers, "app_key").ok_or_else(|| Failure::invalid_token("the header app_key is missing"))?;
        let token = text(headers, AUTHORIZATION.as_str())
            .and_then(bearer)
            .ok_or_else(|| Failure::invalid_token("the header Authorization must be `Bearer` and an access token"))?;
        let caller = self.token_caller(token).await?;
        if *caller.key_id != *app_key {
            return Err(Failure::invalid_token("the access token is of another application than app_key"));
        }
        Ok(caller)
    }

    pub(super) async fn token_caller(&self, token: &str) -> Result<Caller, Failure> {
        self.app.session_caller(token).await.map_err(error::of_token)
    }

    /// Takes a call out of the application's quota. Only calls whose token is valid come here, so nobody can use up the
    /// quota of another team.
    pub(super) fn count(&self, caller: Caller) -> Result<Caller, Failure> {
        match self.calls.take(&caller.key_id, self.app.now_ms()) {
            Ok(()) => Ok(caller),
            Err(wait_ms) => Err(Failure::Throttled { wait_ms }),
        }
    }

    /// What to answer to a call that proved nothing: `failure`, as long as its peer has such calls left.
    pub(super) fn count_bad(&self, peer: &str, failure: Failure) -> Failure {
        match failure {
            Failure::InvalidToken { .. } | Failure::WrongSecret | Failure::WrongRefreshToken => {
                match self.bad_calls.take(peer, self.app.now_ms()) {
                    Ok(()) => failure,
                    Err(wait_ms) => Failure::Throttled { wait_ms },
                }
            }
            ours => ours,
        }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim).filter(|text| !text.is_empty())
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The address at the other end of the socket, by which calls that prove nothing are counted.
pub(super) fn peer_address(extensions: &Extensions) -> String {
    match extensions.get::<Peer>() {
        Some(peer) => peer.address.ip().to_canonical().to_string(),
        None => "unknown".to_owned(),
    }
}
