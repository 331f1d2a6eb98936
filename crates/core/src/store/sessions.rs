//! Sessions: tokens that stand for an access key until they expire or are replaced.

use otaru_model::Sha256;

use super::statement::statements;
use super::{StoreError, Tx};

statements! {
    INSERT = "INSERT INTO sessions (token_digest, kind, key_id, expires_ms) VALUES ($1, $2, $3, $4)";
    LIVE = "SELECT key_id, expires_ms FROM sessions WHERE token_digest = $1 AND kind = $2 AND expires_ms > $3";
    END = "DELETE FROM sessions WHERE token_digest = $1 AND kind = $2";
    END_KIND = "DELETE FROM sessions WHERE key_id = $1 AND kind = $2";
    END_ALL = "DELETE FROM sessions WHERE key_id = $1";
    HOLD_KEY = "SELECT 1 FROM access_keys WHERE id = $1 FOR NO KEY UPDATE";
    FORGET = "DELETE FROM sessions WHERE expires_ms < $1";
}

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionKind {
    Access,
    Refresh,
}

impl SessionKind {
    fn name(self) -> &'static str {
        match self {
            SessionKind::Access => "access",
            SessionKind::Refresh => "refresh",
        }
    }
}

pub async fn insert(
    tx: &mut Tx<'_>,
    token: &Sha256,
    kind: SessionKind,
    key_id: &str,
    expires_ms: i64,
) -> Result<(), StoreError> {
    tx.execute(&INSERT, &[token.into(), kind.name().into(), key_id.into(), expires_ms.into()]).await.map(drop)
}

/// Lets other sign-ins with this key wait until the transaction ends. False if there is no such key.
pub async fn hold_key(tx: &mut Tx<'_>, key_id: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(&HOLD_KEY, &[key_id.into()]).await? == 1)
}

/// The access key that a live token stands for.
pub async fn key_of(
    tx: &mut Tx<'_>,
    token: &Sha256,
    kind: SessionKind,
    now_ms: i64,
) -> Result<Option<String>, StoreError> {
    Ok(live(tx, token, kind, now_ms).await?.map(|(key_id, _)| key_id))
}

/// The access key that a live token stands for, and until when.
pub async fn live(
    tx: &mut Tx<'_>,
    token: &Sha256,
    kind: SessionKind,
    now_ms: i64,
) -> Result<Option<(String, i64)>, StoreError> {
    let parameters = [token.into(), kind.name().into(), now_ms.into()];
    tx.row(&LIVE, &parameters, |row| Ok((row.string(0)?, row.int(1)?))).await
}

/// False if there was no such token.
pub async fn end(tx: &mut Tx<'_>, token: &Sha256, kind: SessionKind) -> Result<bool, StoreError> {
    Ok(tx.execute(&END, &[token.into(), kind.name().into()]).await? == 1)
}

pub async fn end_kind(tx: &mut Tx<'_>, key_id: &str, kind: SessionKind) -> Result<(), StoreError> {
    tx.execute(&END_KIND, &[key_id.into(), kind.name().into()]).await.map(drop)
}

pub async fn end_all(tx: &mut Tx<'_>, key_id: &str) -> Result<(), StoreError> {
    tx.execute(&END_ALL, &[key_id.into()]).await.map(drop)
}

pub async fn forget(tx: &mut Tx<'_>, now_ms: i64) -> Result<u64, StoreError> {
    tx.execute(&FORGET, &[now_ms.into()]).await
}
