//! Quotas: so many calls of one caller in a sliding window.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// How many callers are remembered before those who have been quiet are forgotten.
const CALLERS_BEFORE_CLEANING: usize = 10_000;

/// Counts calls by caller. Each copy of the server counts for itself.
#[derive(Debug)]
pub struct Quota {
    calls: u32,
    window_ms: i64,
    recent: Mutex<HashMap<String, VecDeque<i64>>>,
}

impl Quota {
    /// At most `calls` in any `window_ms`; 0 calls means no limit.
    pub fn new(calls: u32, window_ms: i64) -> Quota {
        Quota { calls, window_ms, recent: Mutex::default() }
    }

    /// Whether the caller has a call left, without taking it; otherwise in how many milliseconds there will be one.
    pub fn check(&self, caller: &str, now_ms: i64) -> Result<(), i64> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(times) = recent.get(caller).filter(|_| self.calls > 0) else { return Ok(()) };
        let live = |time: &&i64| **time > now_ms - self.window_ms && **time <= now_ms;
        if times.iter().filter(live).count() < self.calls as usize {
            return Ok(());
        }
        otaru_core::telemetry::over_quota();
        Err(times.iter().find(live).map_or(self.window_ms, |&first| first + self.window_ms - now_ms).max(1))
    }

    /// Takes one call out of the caller's quota, or tells in how many milliseconds there will be one.
    pub fn take(&self, caller: &str, now_ms: i64) -> Result<(), i64> {
        if self.calls == 0 {
            return Ok(());
        }
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() > CALLERS_BEFORE_CLEANING {
            recent.retain(|_, times| times.back().is_some_and(|&last| last > now_ms - self.window_ms));
        }
        // The look-up by reference comes first: the caller is known nearly always.
        let times = match recent.get_mut(caller) {
            Some(times) => times,
            None => recent.entry(caller.to_owned()).or_default(),
        };
        // A clock that was set back leaves times in the future, which must not lock the caller out.
        times.retain(|&time| time > now_ms - self.window_ms && time <= now_ms);
        if times.len() < self.calls as usize {
            times.push_back(now_ms);
            return Ok(());
        }
        otaru_core::telemetry::over_quota();
        Err(times.front().map_or(self.window_ms, |&first| first + self.window_ms - now_ms).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::Quota;

    #[test]
    fn a_window_slides() {
        let quota = Quota::new(2, 1000);
        assert_eq!(quota.take("a", 0), Ok(()));
        assert_eq!(quota.take("a", 600), Ok(()));
        assert_eq!(quota.take("a", 999), Err(1));
        assert_eq!(quota.take("b", 999), Ok(()), "callers have quotas of their own");
        assert_eq!(quota.take("a", 1000), Ok(()));
        assert_eq!(quota.take("a", 1000), Err(600));
    }

    #[test]
    fn checking_takes_nothing() {
        let quota = Quota::new(1, 1000);
        assert_eq!(quota.check("a", 0), Ok(()));
        assert_eq!(quota.take("a", 0), Ok(()));
        assert_eq!(quota.check("a", 400), Err(600));
        assert_eq!(quota.check("a", 1000), Ok(()));
        assert_eq!(Quota::new(0, 1000).check("a", 0), Ok(()), "no limit");
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let quota = Quota::new(1, 1000);
        assert_eq!(quota.take("a", 86_400_000), Ok(()));
        assert_eq!(quota.take("a", 0), Ok(()));
    }
}
