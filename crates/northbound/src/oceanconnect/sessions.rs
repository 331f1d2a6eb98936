//! Signing in, going on with it, signing out.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use otaru_core::app::{AuthError, Session};
use serde::Serialize;

use super::auth::peer_address;
use super::fields::Fields;
use super::limits::required;
use super::{Door, Failure, error};
use crate::wire::body;

/// Longer than any body that keeps the limits, even if every character is escaped.
const BODY_LIMIT_BYTES: usize = 64 << 10;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tokens {
    access_token: String,
    token_type: &'static str,
    refresh_token: String,
    /// Seconds.
    expires_in: i64,
    scope: &'static str,
}

impl From<Session> for Tokens {
    fn from(session: Session) -> Tokens {
        Tokens {
            access_token: session.access_token,
            token_type: "bearer",
            refresh_token: session.refresh_token,
            expires_in: session.lifetime_s,
            scope: "default",
        }
    }
}

pub(super) async fn login(State(door): State<Arc<Door>>, request: Request) -> Result<Json<Tokens>, Failure> {
    let (parts, body) = body::read(request, BODY_LIMIT_BYTES).await?;
    let form = Fields::from_pairs(&body)?;
    let (app_id, secret) = (required("login.appId", &form)?, required("login.secret", &form)?);
    let attempt = door.attempt(&peer_address(&parts.extensions), app_id)?;
    let settings = &door.settings;
    let session = door.app.sign_in(app_id, secret, settings.token_lifetime_s, settings.overlapping_tokens).await;
    attempt.outcome(session)
}

pub(super) async fn refresh(State(door): State<Arc<Door>>, request: Request) -> Result<Json<Tokens>, Failure> {
    let (parts, body) = body::read(request, BODY_LIMIT_BYTES).await?;
    let body = Fields::from_json(&body)?;
    let (app_id, secret) = (required("refreshToken.appId", &body)?, required("refreshToken.secret", &body)?);
    let token = required("refreshToken.refreshToken", &body)?;
    let attempt = door.attempt(&peer_address(&parts.extensions), app_id)?;
    let (lifetime_s, overlapping) = (door.settings.token_lifetime_s, door.settings.overlapping_tokens);
    let session = door.app.refresh_session(app_id, secret, token, lifetime_s, overlapping).await;
    attempt.outcome(session)
}

/// The token that ends is all that a client sends: no `app_key`, no `Authorization`.
pub(super) async fn logout(State(door): State<Arc<Door>>, request: Request) -> Result<StatusCode, Failure> {
    let (parts, body) = body::read(request, BODY_LIMIT_BYTES).await?;
    let body = Fields::from_json(&body)?;
    let token = required("logout.accessToken", &body)?;
    let caller = door.token_caller(token).await;
    door.count(caller.map_err(|failure| door.count_bad(&peer_address(&parts.extensions), failure))?)?;
    door.app.sign_out(token).await.map_err(error::of_token)?;
    Ok(StatusCode::NO_CONTENT)
}

/// A sign-in that is being tried.
struct Attempt<'d> {
    door: &'d Door,
    peer: String,
    /// Under which wrong secrets of this application from this peer are counted. Others at the same address, say behind the
    /// same proxy, can still sign in to theirs.
    guesses: String,
}

impl Door {
    /// Begins a sign-in, unless its peer has guessed at this application's secret too often in the last minute.
    fn attempt(&self, peer: &str, app_id: &str) -> Result<Attempt<'_>, Failure> {
        let guesses = format!("{peer} {app_id}");
        match self.bad_calls.check(&guesses, self.app.now_ms()).is_err() {
            true => Err(Failure::Throttled { wait_ms: super::WINDOW_MS }),
            false => Ok(Attempt { door: self, peer: peer.to_owned(), guesses }),
        }
    }
}

impl Attempt<'_> {
    fn outcome(self, session: Result<Session, AuthError>) -> Result<Json<Tokens>, Failure> {
        let error = match session {
            Ok(session) => return Ok(Json(session.into())),
            Err(error) => error,
        };
        // An application that does not exist has no secret to guess, and no place in memory.
        let peer = if matches!(error, AuthError::WrongSecret) { &self.guesses } else { &self.peer };
        Err(self.door.count_bad(peer, error::of_sign_in(error)))
    }
}
