//! Which signed requests this copy of the server has seen. Requests that change something are remembered in the store as
//! well, in the transaction of their change; this memory turns away the rest.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

/// More nonces of one key than this within their time are turned away: a client that stays within its quotas has fewer.
const NONCES_PER_KEY: usize = 200_000;
const MINUTE_MS: i64 = 60_000;

#[derive(Debug, Default)]
pub struct Nonces {
    keys: Mutex<HashMap<String, Seen>>,
}

/// The nonces of a key, by the minute in which they may be forgotten: a minute that is over is let go of as a whole.
#[derive(Debug, Default)]
struct Seen {
    minutes: BTreeMap<i64, Minute>,
}

/// At which millisecond of the minute each may be forgotten, by the beginning of its digest. There may be many, so it is kept
/// small.
type Minute = HashMap<[u8; 8], u16>;

/// What became of a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    New,
    Used,
    /// There is no room to remember another one of this key.
    TooMany,
}

impl Seen {
    fn is_quiet(&self, now_ms: i64) -> bool {
        self.minutes.last_key_value().is_none_or(|(minute, _)| *minute < now_ms.div_euclid(MINUTE_MS))
    }

    fn forget_before(&mut self, now_ms: i64) {
        while self.minutes.first_key_value().is_some_and(|(minute, _)| *minute < now_ms.div_euclid(MINUTE_MS)) {
            self.minutes.pop_first();
        }
    }

    fn len(&self) -> usize {
        self.minutes.values().map(HashMap::len).sum()
    }

    fn knows(&self, nonce: &[u8; 8], now_ms: i64) -> bool {
        let until_ms = |(minute, seen): (&i64, &Minute)| Some(minute * MINUTE_MS + i64::from(*seen.get(nonce)?));
        self.minutes.iter().filter_map(until_ms).any(|until_ms| until_ms >= now_ms)
    }

    fn add(&mut self, nonce: [u8; 8], until_ms: i64) {
        let minute = self.minutes.entry(until_ms.div_euclid(MINUTE_MS)).or_default();
        // What is left of a division by a minute fits.
        minute.insert(nonce, u16::try_from(until_ms.rem_euclid(MINUTE_MS)).unwrap_or(u16::MAX));
    }
}

impl Nonces {
    /// Notes that the nonce with the SHA-256 `digest` was used by `key_id`; it is remembered until after `until_ms`.
    pub fn take(&self, key_id: &str, digest: &[u8; 32], until_ms: i64, now_ms: i64) -> Outcome {
        let mut nonce = [0; 8];
        nonce.copy_from_slice(&digest[..8]);

        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if !keys.contains_key(key_id) {
            // A new key comes seldom, so this is the time to forget those that are quiet (temporary keys above all).
            keys.retain(|_, seen| !seen.is_quiet(now_ms));
            keys.insert(key_id.to_owned(), Seen::default());
        }
        let Some(seen) = keys.get_mut(key_id) else { return Outcome::TooMany };
        seen.forget_before(now_ms);
        if seen.knows(&nonce, now_ms) {
            return Outcome::Used;
        }
        if seen.len() >= NONCES_PER_KEY {
            return Outcome::TooMany;
        }
        seen.add(nonce, until_ms);
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
    fn nonces_of_other_minutes_are_known_too() {
        let nonces = Nonces::default();
        assert_eq!(take(&nonces, "a", "n", 30 * MINUTE_MS, 0), Outcome::New);
        assert_eq!(take(&nonces, "a", "m", MINUTE_MS, 0), Outcome::New);
        assert_eq!(
            take(&nonces, "a", "n", MINUTE_MS, 0),
            Outcome::Used,
            "with another time it is still the same nonce"
        );
        assert_eq!(take(&nonces, "a", "n", 31 * MINUTE_MS, 30 * MINUTE_MS), Outcome::Used);
        assert_eq!(take(&nonces, "a", "m", 31 * MINUTE_MS, 30 * MINUTE_MS), Outcome::New);
    }

    #[test]
    fn memory_is_bounded_by_time() {
        let nonces = Nonces::default();
        for at in 0..10_000_i64 {
            assert_eq!(take(&nonces, "a", &at.to_string(), at * 1_000 + 10, at * 1_000), Outcome::New);
        }
        let keys = nonces.keys.lock().unwrap();
        assert!(keys["a"].len() <= 61, "{}", keys["a"].len());
    }

    #[test]
    fn quiet_keys_are_forgotten() {
        let nonces = Nonces::default();
        for at in 0..100_i64 {
            take(&nonces, &format!("key {at}"), "n", at * MINUTE_MS, at * MINUTE_MS);
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
        assert_eq!(take(&nonces, "a", "one more", 70_000, MINUTE_MS), Outcome::New, "time makes room");
    }
}
