//! Tokens that say themselves what they are good for, sealed with the master key: no copy of the server has to remember them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{App, AuthError, Caller, Error};

/// What a sign-in token says.
#[derive(Serialize, Deserialize)]
struct SignIn {
    key_id: String,
    expires_ms: i64,
    /// Two tokens of the same instant differ.
    salt: u64,
}

impl App {
    /// A token that stands for the caller at the door called `purpose`, and when it ends.
    pub fn issue_token(&self, caller: &Caller, purpose: &str, lifetime_ms: i64) -> Result<(String, i64), Error> {
        let expires_ms = self.now_ms() + lifetime_ms;
        let salt = u64::from_be_bytes(crate::clock::random());
        let claims = SignIn { key_id: caller.key_id.to_string(), expires_ms, salt };
        Ok((self.seal_token(purpose, &claims)?, expires_ms))
    }

    /// The caller that a token stands for. A token dies with its key.
    pub async fn token_caller(&self, token: &str, purpose: &str) -> Result<Caller, AuthError> {
        let claims: SignIn = self.open_token(purpose, token).ok_or(AuthError::BadToken)?;
        if claims.expires_ms <= self.now_ms() {
            return Err(AuthError::TokenExpired);
        }
        Ok(self.credential(&claims.key_id).await?.caller)
    }

    pub(super) fn seal_token(&self, purpose: &str, claims: &impl Serialize) -> Result<String, Error> {
        let failed = |error: &dyn std::fmt::Display| Error::Internal(error.to_string());
        let text = serde_json::to_vec(claims).map_err(|error| failed(&error))?;
        let sealed = self.inner.key.seal(&text, purpose.as_bytes()).map_err(|error| failed(&error))?;
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    pub(super) fn open_token<T: DeserializeOwned>(&self, purpose: &str, token: &str) -> Option<T> {
        let sealed = URL_SAFE_NO_PAD.decode(token).ok()?;
        let text = self.inner.key.open(&sealed, purpose.as_bytes()).ok()?;
        serde_json::from_slice(&text).ok()
    }
}
