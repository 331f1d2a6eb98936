//! Access keys: who may sign in, in which role. One key opens every door.

use axum::extract::State;
use http::StatusCode;
use otaru_core::app::{NewKey as MadeKey, Secret};
use otaru_model::{AccessKey, Role};
use serde::Serialize;
use utoipa::ToSchema;

use super::Native;
use super::auth::{Administrator, Reader};
use super::decode::{Decode, Json, Members, Query, Segments};
use super::error::{Kind, Problem};
use super::page::{List, PageOnly, PageQuery, time};
use crate::wire::answer::Json as Answer;

const DEFAULT_TEMPORARY_S: i64 = 3600;

/// An access key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct Key {
    /// The access key id.
    pub id: String,
    pub role: &'static str,
    pub label: String,
    #[schema(format = DateTime)]
    pub created: String,
    /// When the key ends, if that is known.
    #[schema(required = true, format = DateTime)]
    pub expires: Option<String>,
    /// When the key was revoked.
    #[schema(required = true, format = DateTime)]
    pub revoked: Option<String>,
    /// Whether the key can sign in now.
    pub is_active: bool,
}

impl Key {
    fn new(key: AccessKey, now_ms: i64) -> Key {
        Key {
            is_active: key.revoked_ms.is_none() && key.expires_ms.is_none_or(|expires_ms| expires_ms > now_ms),
            id: key.id,
            role: key.role.name(),
            label: key.label,
            created: time(key.created_ms),
            expires: key.expires_ms.map(time),
            revoked: key.revoked_ms.map(time),
        }
    }
}

/// A key as it is made: the only time that the secret is told.
#[derive(Serialize, ToSchema)]
pub struct KeyWithSecret {
    /// The access key id.
    pub id: String,
    pub secret: String,
    pub role: &'static str,
    pub label: String,
    #[schema(format = DateTime)]
    pub created: String,
    #[schema(required = true, format = DateTime)]
    pub expires: Option<String>,
}

impl From<MadeKey> for KeyWithSecret {
    fn from(made: MadeKey) -> KeyWithSecret {
        KeyWithSecret {
            id: made.key.id,
            secret: made.secret.expose().to_owned(),
            role: made.key.role.name(),
            label: made.key.label,
            created: time(made.key.created_ms),
            expires: made.key.expires_ms.map(time),
        }
    }
}

/// A key to be made.
#[derive(ToSchema)]
pub struct NewKey {
    /// What the key may do: `admin` everything, `publisher` upload and change packages, `operator` roll out, `viewer` look.
    #[schema(value_type = String)]
    pub role: Role,
    /// What the key is for, in words.
    pub label: Option<String>,
    /// When the key ends; never unless given.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires: Option<i64>,
    /// An id of your own choice, with its secret, so that programs keep the pair they know. Unique on the server.
    pub id: Option<String>,
    /// The secret of the id of your own choice.
    pub secret: Option<String>,
}

impl Decode for NewKey {
    const SCOPE: &'static str = "NewKey";
    const MEMBERS: &'static [&'static str] = &["role", "label", "expires", "id", "secret"];

    fn decode(given: &mut Members) -> Result<NewKey, Problem> {
        let role: String = given.required_text("role")?;
        let role = role.parse().map_err(|problem: String| given.refuse("role", &problem))?;
        let (label, expires) = (given.text("label")?, given.time("expires")?);
        let (id, secret) = (given.text("id")?, given.text("secret")?);
        match (&id, &secret) {
            (Some(_), None) => {
                Err(given.refuse("secret", "is missing: an id of your own choice comes with its secret"))
            }
            (None, Some(_)) => Err(given.refuse("id", "is missing: a secret of your own choice comes with its id")),
            _ => Ok(NewKey { role, label, expires, id, secret }),
        }
    }
}

/// What to change of a key.
#[derive(ToSchema)]
pub struct KeyChange {
    /// When the key ends. An end that is set already can only be brought forward.
    #[schema(value_type = String, format = DateTime)]
    pub expires: i64,
}

impl Decode for KeyChange {
    const SCOPE: &'static str = "KeyChange";
    const MEMBERS: &'static [&'static str] = &["expires"];

    fn decode(given: &mut Members) -> Result<KeyChange, Problem> {
        let expires = given.time("expires")?;
        Ok(KeyChange { expires: expires.ok_or_else(|| given.refuse("expires", "is missing; it must be a time"))? })
    }
}

/// How a key is replaced.
#[derive(ToSchema)]
pub struct Rotation {
    /// How long the old key still works, in seconds; 0 unless given.
    pub grace_s: Option<i64>,
}

impl Decode for Rotation {
    const SCOPE: &'static str = "Rotation";
    const MEMBERS: &'static [&'static str] = &["grace_s"];

    fn decode(given: &mut Members) -> Result<Rotation, Problem> {
        Ok(Rotation { grace_s: given.integer("grace_s")? })
    }
}

/// A temporary key to be made.
#[derive(ToSchema)]
pub struct NewTemporaryKey {
    /// The signing key's own role unless given; only administrators may give another.
    #[schema(value_type = Option<String>)]
    pub role: Option<Role>,
    /// How long it lives, in seconds; an hour unless given.
    pub lifetime_s: Option<i64>,
}

impl Decode for NewTemporaryKey {
    const SCOPE: &'static str = "NewTemporaryKey";
    const MEMBERS: &'static [&'static str] = &["role", "lifetime_s"];

    fn decode(given: &mut Members) -> Result<NewTemporaryKey, Problem> {
        Ok(NewTemporaryKey { role: given.word("role")?, lifetime_s: given.integer("lifetime_s")? })
    }
}

/// A key that ends by itself, for programs that sign in with three parts.
#[derive(Serialize, ToSchema)]
pub struct TemporaryKey {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub security_token: String,
    #[schema(format = DateTime)]
    pub expires: String,
}

/// List the tenant's keys, oldest first
#[utoipa::path(get, path = "/keys", tag = "keys", params(PageQuery),
    responses((status = 200, description = "A page of keys", body = List<Key>)))]
pub async fn list_keys(
    State(native): State<Native>,
    Administrator(caller): Administrator,
    Query(PageOnly(page)): Query<PageOnly>,
) -> Result<Answer<List<Key>>, Problem> {
    let (keys, now_ms) = (native.app().list_keys(&caller).await?, native.app().now_ms());
    let place = |key: &AccessKey| [&key.created_ms.to_be_bytes(), key.id.as_bytes()].concat();
    Ok(Answer(List::of_all(keys, &page, place, |key| Key::new(key, now_ms))))
}

/// Make a key, or take in a pair that programs have already
#[utoipa::path(post, path = "/keys", tag = "keys", request_body = NewKey,
    responses(
        (status = 201, description = "The key with its secret, which is told this once", body = KeyWithSecret),
        (status = 409, description = "There is a key of that id"),
    ))]
pub async fn create_key(
    State(native): State<Native>,
    Administrator(caller): Administrator,
    Json(new): Json<NewKey>,
) -> Result<(StatusCode, Answer<KeyWithSecret>), Problem> {
    let label = new.label.unwrap_or_default();
    let made = match new.id.zip(new.secret) {
        Some((id, secret)) => {
            let pair = (id, Secret::new(secret));
            native.app().import_key(&caller, new.role, &label, new.expires, pair).await?
        }
        None => native.app().create_key(&caller, new.role, &label, new.expires).await?,
    };
    Ok((StatusCode::CREATED, Answer(made.into())))
}

/// Show a key
#[utoipa::path(get, path = "/keys/{id}", tag = "keys", params(("id" = String, Path, description = "The access key id")),
    responses((status = 200, description = "The key", body = Key), (status = 404, description = "There is no such key")))]
pub async fn show_key(
    State(native): State<Native>,
    Administrator(caller): Administrator,
    Segments(id): Segments<String>,
) -> Result<Answer<Key>, Problem> {
    Ok(Answer(Key::new(native.app().show_key(&caller, &id).await?, native.app().now_ms())))
}

/// Let a key end
#[utoipa::path(patch, path = "/keys/{id}", tag = "keys", request_body = KeyChange,
    params(("id" = String, Path, description = "The access key id")),
    responses(
        (status = 200, description = "The key", body = Key),
        (status = 404, description = "There is no such key"),
        (status = 409, description = "The key ends before that already"),
    ))]
pub async fn update_key(
    State(native): State<Native>,
    Administrator(caller): Administrator,
    Segments(id): Segments<String>,
    Json(change): Json<KeyChange>,
) -> Result<Answer<Key>, Problem> {
    native.app().expire_key(&caller, &id, change.expires).await?;
    let key = native.app().show_key(&caller, &id).await?;
    if let Some(expires_ms) = key.expires_ms.filter(|&expires_ms| expires_ms < change.expires) {
        let detail = format!("the key ends at {} already, and an end can only be brought forward", time(expires_ms));
        return Err(Problem::new(Kind::InUse, detail).at("expires"));
    }
    Ok(Answer(Key::new(key, native.app().now_ms())))
}

/// Revoke a key: it ends at once, with its tokens
#[utoipa::path(delete, path = "/keys/{id}", tag = "keys", params(("id" = String, Path, description = "The access key id")),
    responses((status = 204, description = "Revoked"), (status = 404, description = "There is no such key")))]
pub async fn revoke_key(
    State(native): State<Native>,
    Administrator(caller): Administrator,
    Segments(id): Segments<String>,
) -> Result<StatusCode, Problem> {
    native.app().revoke_key(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replace a key by a new one in the same role
#[utoipa::path(post, path = "/keys/{id}/rotate", tag = "keys", request_body = Rotation,
    params(("id" = String, Path, description = "The access key id")),
    responses(
        (status = 201, description = "The new key with its secret, which is told this once", body = KeyWithSecret),
        (status = 404, description = "There is no such key"),
    ))]
pub async fn rotate_key(
    State(native): State<Native>,
    Administrator(caller): Administrator,
    Segments(id): Segments<String>,
    Json(rotation): Json<Rotation>,
) -> Result<(StatusCode, Answer<KeyWithSecret>), Problem> {
    let made = native.app().rotate_key(&caller, &id, rotation.grace_s.unwrap_or(0) * 1000).await?;
    Ok((StatusCode::CREATED, Answer(made.into())))
}

/// Make a temporary key, with at most the rights of the key that signs in
#[utoipa::path(post, path = "/temporary_keys", tag = "keys", request_body = NewTemporaryKey,
    responses((status = 201, description = "The temporary key", body = TemporaryKey)))]
pub async fn create_temporary_key(
    State(native): State<Native>,
    Reader(caller): Reader,
    Json(new): Json<NewTemporaryKey>,
) -> Result<(StatusCode, Answer<TemporaryKey>), Problem> {
    let lifetime_s = new.lifetime_s.unwrap_or(DEFAULT_TEMPORARY_S);
    let made = native.app().create_temporary_key(&caller, new.role, lifetime_s * 1000)?;
    let made = TemporaryKey {
        access_key_id: made.access_key_id,
        secret_access_key: made.secret.expose().to_owned(),
        security_token: made.security_token,
        expires: time(made.expires_ms),
    };
    Ok((StatusCode::CREATED, Answer(made)))
}
