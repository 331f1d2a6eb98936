//! Access keys: who may sign in, and the secrets that the doors check signatures with.

use std::fmt;
use std::sync::Arc;

use otaru_model::{AccessKey, Id, Right, Role};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::{App, Caller, Error, Noun};
use crate::clock::random_text;
use crate::store;

/// How long a credential that was looked up is taken as it was; another copy's revocation shows after that.
const CACHED_MS: i64 = 5_000;
const KEY_ID_LETTERS: usize = 20;
const SECRET_LETTERS: usize = 40;
/// What temporary key ids begin with: clients of some clouds tell them by it.
const TEMPORARY_PREFIX: &str = "STS.";

/// A secret that prints nothing of itself. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    pub fn new(text: impl Into<Arc<str>>) -> Secret {
        Secret(text.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares without telling by its time how much is right. How long the secret is may be told: those that are made here
    /// all have the same length.
    pub fn is(&self, candidate: &str) -> bool {
        self.0.as_bytes().ct_eq(candidate.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A key that may sign in now.
#[derive(Clone, Debug)]
pub struct Credential {
    pub caller: Caller,
    pub secret: Secret,
}

/// Why a key may not sign in.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    #[error("there is no access key {0}")]
    UnknownKey(String),
    #[error("the access key {0} was revoked")]
    Revoked(String),
    #[error("the access key {0} has expired")]
    Expired(String),
    #[error("the security token is not one of ours, or belongs to another key")]
    BadToken,
    #[error("the security token has expired")]
    TokenExpired,
    #[error("the secret is wrong")]
    WrongSecret,
    #[error(transparent)]
    Failed(#[from] Error),
}

/// A key as it is made, with its secret: the only time that the secret is told.
#[derive(Clone, Debug)]
pub struct NewKey {
    pub key: AccessKey,
    pub secret: Secret,
}

/// A key that lives for a while beside the one it was made with.
#[derive(Clone, Debug)]
pub struct TemporaryKey {
    pub access_key_id: String,
    pub secret: Secret,
    pub security_token: String,
    pub expires_ms: i64,
}

/// What a temporary key's token says, sealed with the master key; so no copy of the server has to remember it.
#[derive(Serialize, Deserialize)]
struct TemporaryClaims {
    id: String,
    parent: String,
    role: String,
    expires_ms: i64,
}

pub(super) struct Cached {
    caller: Caller,
    secret: Secret,
    expires_ms: Option<i64>,
    is_revoked: bool,
    looked_up_ms: i64,
}

impl App {
    /// The credential of `key_id`, if that key may sign in now.
    pub async fn credential(&self, key_id: &str) -> Result<Credential, AuthError> {
        let now_ms = self.now_ms();
        let cached = match self.inner.credentials.get(key_id) {
            Some(cached) if (0..CACHED_MS).contains(&(now_ms - cached.looked_up_ms)) => cached,
            _ => self.look_up(key_id, now_ms).await?,
        };
        if cached.is_revoked {
            return Err(AuthError::Revoked(key_id.to_owned()));
        }
        if cached.expires_ms.is_some_and(|expires_ms| expires_ms <= now_ms) {
            return Err(AuthError::Expired(key_id.to_owned()));
        }
        Ok(Credential { caller: cached.caller.clone(), secret: cached.secret.clone() })
    }

    async fn look_up(&self, key_id: &str, now_ms: i64) -> Result<Arc<Cached>, AuthError> {
        let id = key_id.to_owned();
        let found =
            self.read("credential", |tx| Box::pin(async move { Ok(store::access::by_id(tx, &id).await?) })).await?;
        let (key, sealed) = found.ok_or_else(|| AuthError::UnknownKey(key_id.to_owned()))?;
        let secret = self.unseal(&key.id, &sealed)?;
        let cached = Arc::new(Cached {
            caller: Caller::new(key.tenant, key.id, key.role),
            secret,
            expires_ms: key.expires_ms,
            is_revoked: key.revoked_ms.is_some(),
            looked_up_ms: now_ms,
        });
        self.inner.credentials.insert(key_id.to_owned(), cached.clone());
        Ok(cached)
    }

    /// The caller behind a key id and its secret, for doors where both are sent.
    pub async fn check_secret(&self, key_id: &str, secret: &str) -> Result<Caller, AuthError> {
        let credential = self.credential(key_id).await?;
        if credential.secret.is(secret) { Ok(credential.caller) } else { Err(AuthError::WrongSecret) }
    }

    /// Makes a key for the caller's tenant. Nobody can give more rights than they have.
    pub async fn create_key(
        &self,
        caller: &Caller,
        role: Role,
        label: &str,
        expires_ms: Option<i64>,
    ) -> Result<NewKey, Error> {
        caller.require(Right::Administer)?;
        self.check_key(label, expires_ms)?;
        let new = self.draft_key(caller.tenant, role, label, expires_ms, None);
        self.insert_key(caller, new).await
    }

    /// Takes in a key pair that programs sign in with already, so that they need no other one. Its id must be new to the whole
    /// server, because every door finds the tenant by it.
    pub async fn import_key(
        &self,
        caller: &Caller,
        role: Role,
        label: &str,
        expires_ms: Option<i64>,
        pair: (String, Secret),
    ) -> Result<NewKey, Error> {
        caller.require(Right::Administer)?;
        self.check_key(label, expires_ms)?;
        check_pair(&pair)?;
        let new = self.draft_key(caller.tenant, role, label, expires_ms, Some(pair));
        self.insert_key(caller, new).await
    }

    /// Makes a successor for a key, in the same role; the old one ends after `grace_ms`.
    pub async fn rotate_key(&self, caller: &Caller, key_id: &str, grace_ms: i64) -> Result<NewKey, Error> {
        caller.require(Right::Administer)?;
        let old = self.show_key(caller, key_id).await?;
        let new = self.draft_key(caller.tenant, old.role, &old.label, None, None);
        let sealed = self.seal(&new)?;
        let (tenant, now_ms, record) = (caller.tenant, self.now_ms(), new.key.clone());
        self.write(caller, "rotate_key", move |tx| {
            Box::pin(async move {
                store::access::expire(tx, &tenant, &old.id, now_ms.saturating_add(grace_ms.max(0))).await?;
                store::access::insert(tx, &record, &sealed).await?;
                Ok(())
            })
        })
        .await?;
        self.inner.credentials.remove(key_id);
        Ok(new)
    }

    /// Ends a key at once.
    pub async fn revoke_key(&self, caller: &Caller, key_id: &str) -> Result<(), Error> {
        caller.require(Right::Administer)?;
        self.show_key(caller, key_id).await?;
        let (tenant, now_ms, id) = (caller.tenant, self.now_ms(), key_id.to_owned());
        self.write(caller, "revoke_key", move |tx| {
            Box::pin(async move {
                store::access::revoke(tx, &tenant, &id, now_ms).await?;
                store::sessions::end_all(tx, &id).await?;
                Ok(())
            })
        })
        .await?;
        self.inner.credentials.remove(key_id);
        Ok(())
    }

    /// Lets a key end at `expires_ms`, unless it ends before that already.
    pub async fn expire_key(&self, caller: &Caller, key_id: &str, expires_ms: i64) -> Result<(), Error> {
        caller.require(Right::Administer)?;
        self.show_key(caller, key_id).await?;
        let (tenant, id) = (caller.tenant, key_id.to_owned());
        self.write(caller, "expire_key", move |tx| {
            Box::pin(async move { Ok(store::access::expire(tx, &tenant, &id, expires_ms).await?) })
        })
        .await?;
        self.inner.credentials.remove(key_id);
        Ok(())
    }

    pub async fn show_key(&self, caller: &Caller, key_id: &str) -> Result<AccessKey, Error> {
        caller.require(Right::Administer)?;
        let id = key_id.to_owned();
        let found =
            self.read("show_key", |tx| Box::pin(async move { Ok(store::access::by_id(tx, &id).await?) })).await?;
        found
            .map(|(key, _)| key)
            .filter(|key| key.tenant == caller.tenant)
            .ok_or_else(|| Error::not_found(Noun::Key, key_id))
    }

    pub async fn list_keys(&self, caller: &Caller) -> Result<Vec<AccessKey>, Error> {
        caller.require(Right::Administer)?;
        let tenant = caller.tenant;
        self.read("list_keys", |tx| Box::pin(async move { Ok(store::access::list(tx, &tenant).await?) })).await
    }

    /// A temporary key with at most the caller's own rights.
    pub fn create_temporary_key(
        &self,
        caller: &Caller,
        role: Option<Role>,
        lifetime_ms: i64,
    ) -> Result<TemporaryKey, Error> {
        let role = role.unwrap_or(caller.role);
        if role != caller.role && caller.role != Role::Admin {
            return Err(Error::Forbidden { right: Right::Administer });
        }
        if !(60_000..=12 * 3_600_000).contains(&lifetime_ms) {
            return Err(Error::invalid("lifetime", "a temporary key lives between a minute and twelve hours"));
        }
        let claims = TemporaryClaims {
            id: format!("{TEMPORARY_PREFIX}{}", random_text(KEY_ID_LETTERS)),
            parent: caller.key_id.to_string(),
            role: role.name().to_owned(),
            expires_ms: self.now_ms() + lifetime_ms,
        };
        let security_token = self.seal_token("temporary key", &claims)?;
        let secret = self.temporary_secret(&security_token);
        Ok(TemporaryKey { access_key_id: claims.id, secret, security_token, expires_ms: claims.expires_ms })
    }

    /// The credential of a temporary key, which is told by its token.
    pub async fn temporary_credential(&self, key_id: &str, security_token: &str) -> Result<Credential, AuthError> {
        let claims: TemporaryClaims = self.open_token("temporary key", security_token).ok_or(AuthError::BadToken)?;
        if claims.id != key_id {
            return Err(AuthError::BadToken);
        }
        if claims.expires_ms <= self.now_ms() {
            return Err(AuthError::TokenExpired);
        }
        let parent = self.credential(&claims.parent).await?;
        let role: Role = claims.role.parse().map_err(|_| AuthError::BadToken)?;
        let caller = Caller::new(parent.caller.tenant, key_id, role);
        Ok(Credential { caller, secret: self.temporary_secret(security_token) })
    }

    /// Which temporary key a token belongs to, for doors that tell a token of another key from one that is not ours.
    pub fn temporary_key_of(&self, security_token: &str) -> Option<String> {
        let claims: TemporaryClaims = self.open_token("temporary key", security_token)?;
        Some(claims.id)
    }

    fn temporary_secret(&self, security_token: &str) -> Secret {
        Secret::new(hex::encode(&self.inner.key.sign(b"temporary key", security_token.as_bytes())[..20]))
    }

    pub(super) fn draft_key(
        &self,
        tenant: Id,
        role: Role,
        label: &str,
        expires_ms: Option<i64>,
        pair: Option<(String, Secret)>,
    ) -> NewKey {
        let (id, secret) = pair.unwrap_or_else(|| {
            (random_text(KEY_ID_LETTERS).to_ascii_uppercase(), Secret::new(random_text(SECRET_LETTERS)))
        });
        let key = AccessKey {
            id,
            tenant,
            role,
            label: label.to_owned(),
            created_ms: self.now_ms(),
            expires_ms,
            revoked_ms: None,
        };
        NewKey { key, secret }
    }

    async fn insert_key(&self, caller: &Caller, new: NewKey) -> Result<NewKey, Error> {
        let sealed = self.seal(&new)?;
        let record = new.key.clone();
        let inserted = self
            .write(caller, "insert_key", move |tx| {
                Box::pin(async move { Ok(store::access::insert(tx, &record, &sealed).await?) })
            })
            .await?;
        if inserted { Ok(new) } else { Err(Error::exists(Noun::Key, &new.key.id)) }
    }

    pub(super) fn seal(&self, new: &NewKey) -> Result<Vec<u8>, Error> {
        let sealed = self.inner.key.seal(new.secret.expose().as_bytes(), new.key.id.as_bytes());
        sealed.map_err(|error| Error::Internal(error.to_string()))
    }

    fn unseal(&self, key_id: &str, sealed: &[u8]) -> Result<Secret, Error> {
        let opened =
            self.inner.key.open(sealed, key_id.as_bytes()).map_err(|error| Error::Internal(error.to_string()))?;
        String::from_utf8(opened)
            .map(Secret::new)
            .map_err(|_| Error::Internal("a stored secret is not text".to_owned()))
    }

    fn check_key(&self, label: &str, expires_ms: Option<i64>) -> Result<(), Error> {
        if label.chars().count() > 128 {
            return Err(Error::invalid("label", "at most 128 characters"));
        }
        if expires_ms.is_some_and(|expires_ms| expires_ms <= self.now_ms()) {
            return Err(Error::invalid("expires", "lies in the past"));
        }
        Ok(())
    }
}

/// A chosen id has to be one that every door can read: it stands in headers between commas, colons and slashes.
fn check_pair((id, secret): &(String, Secret)) -> Result<(), Error> {
    let is_id = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.');
    if !(4..=64).contains(&id.len()) || !id.chars().all(is_id) {
        return Err(Error::invalid("id", "4 to 64 letters, digits, `_`, `-` and `.`"));
    }
    if id.starts_with(TEMPORARY_PREFIX) {
        return Err(Error::invalid("id", format!("{TEMPORARY_PREFIX} begins the ids of temporary keys")));
    }
    let secret = secret.expose();
    if !(16..=128).contains(&secret.len()) || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::invalid("secret", "16 to 128 printable ASCII characters without spaces"));
    }
    Ok(())
}
