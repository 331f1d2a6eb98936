//! Signing in: a key and its secret (Basic), or a token that was got with them (Bearer).

use axum::extract::FromRequestParts;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header;
use http::request::Parts;
use otaru_core::app::{AuthError, Caller};
use otaru_model::Right;
use otaru_model::peer::Peer;

use super::Native;
use super::error::{Kind, Problem};

/// What tokens of this door are issued for.
pub const TOKEN_PURPOSE: &str = "native";

macro_rules! callers {
    ($($(#[$doc:meta])* $name:ident = $right:ident;)+) => {$(
        $(#[$doc])*
        pub struct $name(pub Caller);

        impl FromRequestParts<Native> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, native: &Native) -> Result<Self, Problem> {
                let caller = sign_in(parts, native, true).await?;
                caller.require(Right::$right)?;
                Ok($name(caller))
            }
        }
    )+};
}

callers! {
    /// A caller who may see records.
    Reader = Read;
    /// A caller who may upload, and change packages and what they hang on.
    Publisher = Publish;
    /// A caller who may manage keys.
    Administrator = Administer;
}

/// A caller who sent a key and its secret, not a token.
pub struct KeyHolder(pub Caller);

impl FromRequestParts<Native> for KeyHolder {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, native: &Native) -> Result<Self, Problem> {
        sign_in(parts, native, false).await.map(KeyHolder)
    }
}

async fn sign_in(parts: &Parts, native: &Native, by_token: bool) -> Result<Caller, Problem> {
    let (peer, now_ms) = (peer(parts), native.app().now_ms());
    if let Err(wait_ms) = native.0.failed_sign_ins.check(&peer, now_ms) {
        let detail = "too many sign-ins from your address failed: wait, then check the access key id and its secret";
        return Err(Problem::new(Kind::TooManySignIns, detail).retry_after(wait_ms));
    }
    let Some(given) = parts.headers.get(header::AUTHORIZATION) else {
        let detail = "send Authorization: Basic with an access key id and its secret, or Bearer with a token";
        return Err(Problem::unauthenticated(detail));
    };
    let given = given.to_str().unwrap_or_default();
    let (scheme, credentials) = given.split_once(' ').unwrap_or((given, ""));
    let outcome = if scheme.eq_ignore_ascii_case("basic") {
        let Some((key_id, secret)) = basic(credentials) else {
            return Err(Problem::unauthenticated("Basic is followed by the base64 of `id:secret`"));
        };
        native.app().check_secret(&key_id, &secret).await
    } else if scheme.eq_ignore_ascii_case("bearer") && by_token {
        native.app().token_caller(credentials.trim(), TOKEN_PURPOSE).await
    } else if scheme.eq_ignore_ascii_case("bearer") {
        return Err(Problem::unauthenticated("a token is got with a key and its secret, not with another token"));
    } else {
        return Err(Problem::unauthenticated(format!("sign in with Basic or Bearer, not with {scheme}")));
    };
    outcome.map_err(|error| {
        if !matches!(error, AuthError::Failed(_)) && native.0.failed_sign_ins.take(&peer, now_ms).is_err() {
            tracing::debug!(peer, "one failed sign-in more than are allowed");
        }
        error.into()
    })
}

fn basic(credentials: &str) -> Option<(String, String)> {
    let bytes = STANDARD.decode(credentials.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// The address at the other end, without its port. Behind a proxy that is the proxy's: then all share one allowance.
fn peer(parts: &Parts) -> String {
    parts.extensions.get::<Peer>().map_or_else(|| "unknown".to_owned(), |peer| peer.address.ip().to_string())
}
