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
    recent: Mutex<HashMap<String, Recent>>,
}

/// A caller's calls in the window, those of one millisecond together: as many entries as the window has milliseconds at most,
/// and no call looks at more of them than have just left it.
#[derive(Debug, Default)]
struct Recent {
    times: VecDeque<(i64, u32)>,
    calls: u32,
}

impl Recent {
    /// Leaves the calls after `start_ms`, up to `now_ms`: a clock that was set back leaves times in the future, which must not
    /// lock the caller out.
    fn trim(&mut self, start_ms: i64, now_ms: i64) {
        while let Some((_, calls)) = self.times.pop_front_if(|(time, _)| *time <= start_ms) {
            self.calls -= calls;
        }
        while let Some((_, calls)) = self.times.pop_back_if(|(time, _)| *time > now_ms) {
            self.calls -= calls;
        }
    }

    fn add(&mut self, now_ms: i64) {
        self.calls += 1;
        match self.times.back_mut() {
            Some((time, calls)) if *time == now_ms => *calls += 1,
            _ => self.times.push_back((now_ms, 1)),
        }
    }
}

impl Quota {
    /// At most `calls` in any `window_ms`; 0 calls means no limit.
    pub fn new(calls: u32, window_ms: i64) -> Quota {
        Quota { calls, window_ms, recent: Mutex::default() }
    }

    /// Whether the caller has a call left, without taking it; otherwise in how many milliseconds there will be one.
    pub fn check(&self, caller: &str, now_ms: i64) -> Result<(), i64> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        match recent.get_mut(caller) {
            Some(recent) if self.calls > 0 => self.room(recent, now_ms),
            _ => Ok(()),
        }
    }

    /// Takes one call out of the caller's quota, or tells in how many milliseconds there will be one.
    pub fn take(&self, caller: &str, now_ms: i64) -> Result<(), i64> {
        if self.calls == 0 {
            return Ok(());
        }
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() > CALLERS_BEFORE_CLEANING {
            recent.retain(|_, recent| recent.times.back().is_some_and(|(last, _)| *last > now_ms - self.window_ms));
        }
        // The look-up by reference comes first: the caller is known nearly always.
        let recent = match recent.get_mut(caller) {
            Some(recent) => recent,
            None => recent.entry(caller.to_owned()).or_default(),
        };
        self.room(recent, now_ms)?;
        recent.add(now_ms);
        Ok(())
    }

    fn room(&self, recent: &mut Recent, now_ms: i64) -> Result<(), i64> {
        recent.trim(now_ms - self.window_ms, now_ms);
        if recent.calls < self.calls {
            return Ok(());
        }
        otaru_core::telemetry::over_quota();
        Err(recent.times.front().map_or(self.window_ms, |(first, _)| first + self.window_ms - now_ms).max(1))
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
    fn calls_of_one_moment_leave_the_window_together() {
        let quota = Quota::new(100_000, 1000);
        for call in 0..100_000 {
            assert_eq!(quota.take("a", call / 1_000), Ok(()));
        }
        assert_eq!(quota.take("a", 99), Err(901));
        assert_eq!(quota.take("a", 1_000), Ok(()), "the thousand calls of the first millisecond are over");
        assert_eq!(quota.recent.lock().unwrap()["a"].calls, 99_001);
        assert_eq!(quota.recent.lock().unwrap()["a"].times.len(), 100);
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
