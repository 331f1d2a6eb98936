//! Which signed requests this copy of the server has seen. Requests that change something are remembered in the store as
//! well, in the transaction of their change; this memory turns away the rest.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// More nonces of one key than this within their time are turned away: a client that stays within its quotas has fewer.
const NONCES_PER_KEY: usize = 200_000;
/// Memory that is not worth cleaning.
const SMALL: usize = 1_000;
/// How often room is looked for where there is none.
const FULL_PAUSE_MS: i64 = 1_000;

#[derive(Debug, Default)]
pub struct Nonces {
    keys: Mutex<HashMap<String, Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    /// When each may be forgotten, by the beginning of the nonce's digest.
    until_ms: HashMap<[u8; 16], i64>,
    /// How many there may be before those whose time is over are looked for.
    clean_at: usize,
    cleaned_ms: i64,
}

/// What became of a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    New,
    Used,
    /// There is no room to remember another one of this key.
    TooMany,
}

impl Nonces {
    /// Notes that the nonce with the SHA-256 `digest` was used by `key_id`; it is remembered until after `until_ms`.
    pub fn take(&self, key_id: &str, digest: &[u8; 32], until_ms: i64, now_ms: i64) -> Outcome {
        let mut short = [0; 16];
        short.copy_from_slice(&digest[..16]);

        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if !keys.contains_key(key_id) {
            // A new key comes seldom, so this is the time to forget those that are quiet (temporary keys above all).
            keys.retain(|_, seen| seen.until_ms.values().any(|&until_ms| until_ms >= now_ms));
            keys.insert(key_id.to_owned(), Seen::default());
        }
        let Some(seen) = keys.get_mut(key_id) else { return Outcome::TooMany };
        let is_full = seen.until_ms.len() >= NONCES_PER_KEY && now_ms >= seen.cleaned_ms + FULL_PAUSE_MS;
        if seen.until_ms.len() >= seen.clean_at || is_full {
            seen.until_ms.retain(|_, until_ms| *until_ms >= now_ms);
            seen.clean_at = (seen.until_ms.len() * 2).max(SMALL);
            seen.cleaned_ms = now_ms;
        }
        if seen.until_ms.get(&short).is_some_and(|&until_ms| until_ms >= now_ms) {
            return Outcome::Used;
        }
        if seen.until_ms.len() >= NONCES_PER_KEY {
            return Outcome::TooMany;
        }
        seen.until_ms.insert(short, until_ms);
        Outcome::New
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::digest::sha256;

    fn take(nonces: &Nonces, key_id: &str, nonce: &str, until_ms: i64, now_ms: i64) -> Outcome {
        nonces.take(key_id, &sha256(nonce.as_bytes()), until_ms, now_ms)
    }

    #[test]
    fn a_nonce_is_good_once_per_key_until_its_time_is_over() {
        let nonces = Nonces::default();
        assert_eq!(take(&nonces, "a", "n", 100, 0), Outcome::New);
        assert_eq!(take(&nonces, "a", "n", 100, 100), Outcome::Used);
        assert_eq!(take(&nonces, "b", "n", 100, 0), Outcome::New);
        assert_eq!(take(&nonces, "a", "n", 200, 101), Outcome::New);
    }

    #[test]
    fn memory_is_bounded_by_time() {
        let nonces = Nonces::default();
        for at in 0..10_000_i64 {
            assert_eq!(take(&nonces, "a", &at.to_string(), at + 10, at), Outcome::New);
        }
        let keys = nonces.keys.lock().unwrap();
        assert!(keys["a"].until_ms.len() <= SMALL + 1, "{}", keys["a"].until_ms.len());
    }

    #[test]
    fn quiet_keys_are_forgotten() {
        let nonces = Nonces::default();
        for at in 0..100_i64 {
            take(&nonces, &format!("key {at}"), "n", at, at);
        }
        assert_eq!(nonces.keys.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_key_that_floods_is_turned_away_and_others_are_not() {
        let nonces = Nonces::default();
        for at in 0..NONCES_PER_KEY {
            assert_eq!(take(&nonces, "a", &at.to_string(), 10, 0), Outcome::New);
        }
        assert_eq!(take(&nonces, "a", "one more", 10, 0), Outcome::TooMany);
        assert_eq!(take(&nonces, "b", "one more", 10, 0), Outcome::New);
        assert_eq!(take(&nonces, "a", "one more", 9_000, 1_011), Outcome::New, "time makes room");
    }
}
