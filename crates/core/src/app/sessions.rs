//! Sessions: sign in once, then send a token that can be refreshed, replaced and ended. Kept in the store, digests only.

use std::sync::Arc;

use otaru_model::Sha256;
use sha2::Digest;

use super::{App, AuthError, Caller};
use crate::clock::random_text;
use crate::store::Tx;
use crate::store::sessions::{self, SessionKind};
use crate::store::{self};

const TOKEN_LETTERS: usize = 43;
const REFRESH_LIFETIME_MS: i64 = 30 * 24 * 3_600_000;

/// The tokens of a sign-in.
#[derive(Clone, Debug)]
pub struct Session {
    pub access_token: String,
    pub refresh_token: String,
    /// How long the access token lives, in seconds.
    pub lifetime_s: i64,
}

/// A session that was looked up a while ago.
#[derive(Clone)]
pub(super) struct SeenSession {
    key_id: Arc<str>,
    expires_ms: i64,
    /// [`Store::commits`] at which it was so: nothing has ended it until the next.
    commits: u64,
}

impl App {
    /// Signs in with a key and its secret. Unless `overlapping`, earlier access tokens of the key end.
    pub async fn sign_in(
        &self,
        key_id: &str,
        secret: &str,
        lifetime_s: i64,
        overlapping: bool,
    ) -> Result<Session, AuthError> {
        let caller = self.check_secret(key_id, secret).await?;
        self.begin_session(caller, None, lifetime_s, overlapping).await
    }

    /// New tokens for a refresh token, which is good for one use.
    pub async fn refresh_session(
        &self,
        key_id: &str,
        secret: &str,
        refresh_token: &str,
        lifetime_s: i64,
        overlapping: bool,
    ) -> Result<Session, AuthError> {
        let caller = self.check_secret(key_id, secret).await?;
        self.begin_session(caller, Some(digest(refresh_token)), lifetime_s, overlapping).await
    }

    /// The caller of a live access token.
    pub async fn session_caller(&self, access_token: &str) -> Result<Caller, AuthError> {
        let (token, now_ms) = (digest(access_token), self.now_ms());
        let commits = self.inner.store.commits();
        if let Some(seen) = self.inner.sessions.get(&token)
            && Some(seen.commits) == commits
            && now_ms < seen.expires_ms
        {
            return Ok(self.credential(&seen.key_id).await?.caller);
        }
        let (key_id, expires_ms) = self
            .read("session_caller", |tx| {
                Box::pin(async move { Ok(sessions::live(tx, &token, SessionKind::Access, now_ms).await?) })
            })
            .await?
            .ok_or(AuthError::BadToken)?;
        let caller = self.credential(&key_id).await?.caller;
        if let Some(commits) = commits {
            let seen = SeenSession { key_id: Arc::clone(&caller.key_id), expires_ms, commits };
            self.inner.sessions.insert(token, seen);
        }
        Ok(caller)
    }

    /// Ends the session of an access token. False if there was none.
    pub async fn sign_out(&self, access_token: &str) -> Result<bool, AuthError> {
        let (token, now_ms) = (digest(access_token), self.now_ms());
        let ended = self
            .write_own("sign_out", move |tx| {
                Box::pin(async move {
                    let Some(key_id) = sessions::key_of(tx, &token, SessionKind::Access, now_ms).await? else {
                        return Ok::<_, super::Error>(false);
                    };
                    sessions::end_kind(tx, &key_id, SessionKind::Refresh).await?;
                    Ok(sessions::end(tx, &token, SessionKind::Access).await?)
                })
            })
            .await?;
        Ok(ended)
    }

    async fn begin_session(
        &self,
        caller: Caller,
        replaces: Option<Sha256>,
        lifetime_s: i64,
        overlapping: bool,
    ) -> Result<Session, AuthError> {
        let session =
            Session { access_token: random_text(TOKEN_LETTERS), refresh_token: random_text(TOKEN_LETTERS), lifetime_s };
        let (access, refresh) = (digest(&session.access_token), digest(&session.refresh_token));
        let (key_id, now_ms) = (caller.key_id.clone(), self.now_ms());
        let begun = self
            .write_own("begin_session", move |tx| {
                Box::pin(async move {
                    // Of several sign-ins at once the last one's token is the valid one, not each one's.
                    if !sessions::hold_key(tx, &key_id).await? {
                        return Ok::<_, super::Error>(false);
                    }
                    if let Some(old) = replaces
                        && !use_refresh_token(tx, &old, &key_id, now_ms).await?
                    {
                        return Ok(false);
                    }
                    if !overlapping {
                        sessions::end_all(tx, &key_id).await?;
                    }
                    let until_ms = now_ms + lifetime_s * 1000;
                    sessions::insert(tx, &access, SessionKind::Access, &key_id, until_ms).await?;
                    let until_ms = now_ms + REFRESH_LIFETIME_MS;
                    sessions::insert(tx, &refresh, SessionKind::Refresh, &key_id, until_ms).await?;
                    Ok(true)
                })
            })
            .await?;
        if begun { Ok(session) } else { Err(AuthError::BadToken) }
    }
}

async fn use_refresh_token(
    tx: &mut Tx<'_>,
    token: &Sha256,
    key_id: &str,
    now_ms: i64,
) -> Result<bool, store::StoreError> {
    let owner = sessions::key_of(tx, token, SessionKind::Refresh, now_ms).await?;
    Ok(owner.as_deref() == Some(key_id) && sessions::end(tx, token, SessionKind::Refresh).await?)
}

fn digest(token: &str) -> Sha256 {
    Sha256(sha2::Sha256::digest(token).into())
}
