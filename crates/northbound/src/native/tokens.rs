//! Tokens: sign in once with a key, then send the token. It dies with its key.

use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::Native;
use super::auth::{KeyHolder, TOKEN_PURPOSE};
use super::decode::{Decode, Json, Members};
use super::error::Problem;
use super::page::time;

const DEFAULT_LIFETIME_S: i64 = 3600;

/// A token to be made.
#[derive(ToSchema)]
pub struct NewToken {
    /// How long it lives, in seconds; an hour unless given.
    pub lifetime_s: Option<i64>,
}

impl Decode for NewToken {
    const SCOPE: &'static str = "NewToken";
    const MEMBERS: &'static [&'static str] = &["lifetime_s"];

    fn decode(given: &mut Members) -> Result<NewToken, Problem> {
        Ok(NewToken { lifetime_s: given.integer("lifetime_s")? })
    }
}

/// A token, to be sent as `Authorization: Bearer`.
#[derive(Serialize, ToSchema)]
pub struct Token {
    pub token: String,
    #[schema(format = DateTime)]
    pub expires: String,
    /// The access key that it stands for.
    pub key_id: String,
    pub role: &'static str,
}

/// Get a token for the key that signs in
///
/// Needs Basic: a token does not renew itself.
#[utoipa::path(post, path = "/tokens", tag = "tokens", request_body = NewToken,
    responses((status = 201, description = "The token", body = Token)))]
pub async fn create_token(
    State(native): State<Native>,
    KeyHolder(caller): KeyHolder,
    Json(new): Json<NewToken>,
) -> Result<(StatusCode, axum::Json<Token>), Problem> {
    let lifetime_s = new.lifetime_s.unwrap_or(DEFAULT_LIFETIME_S);
    let (token, expires_ms) = native.app().issue_token(&caller, TOKEN_PURPOSE, lifetime_s * 1000)?;
    let token = Token { token, expires: time(expires_ms), key_id: caller.key_id.to_string(), role: caller.role.name() };
    Ok((StatusCode::CREATED, axum::Json(token)))
}
