//! Which blobs are in somebody's hands at this moment.
//!
//! Between the moment when bytes are stored and the moment when the database says what they are, nothing refers to them. Their
//! date keeps collectors away, but a date is only as good as the clock that wrote it, and clocks are set. So who stores a blob
//! also holds it until its record is committed, and a collector asks, when it is about to delete, whether anybody has held the
//! blob since it began to look for references. That is exact within one process; between copies of the server dates decide.

use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Digest, Finished};

#[derive(Clone, Default)]
pub(super) struct Hands {
    held: Arc<Mutex<HashMap<Digest, Held>>>,
}

#[derive(Default)]
struct Held {
    holds: usize,
    collectors: usize,
    /// Whether anybody held it since the first of its collectors came.
    was_held: bool,
}

impl Hands {
    /// Has to be called before the blob is put in its place.
    pub(super) fn hold(&self, digest: &Digest) -> Hold {
        self.change(digest, |held| {
            held.holds += 1;
            held.was_held = true;
        });
        Hold { hands: self.clone(), digest: *digest }
    }

    /// Has to be called before references to the blob are looked for.
    pub(super) fn collect(&self, digest: &Digest) -> Collecting {
        self.change(digest, |held| {
            if held.collectors == 0 {
                held.was_held = held.holds > 0;
            }
            held.collectors += 1;
        });
        Collecting { hands: self.clone(), digest: *digest }
    }

    fn change(&self, digest: &Digest, change: impl FnOnce(&mut Held)) {
        let mut all = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let held = all.entry(*digest).or_default();
        change(held);
        if held.holds == 0 && held.collectors == 0 {
            all.remove(digest);
        }
    }
}

/// Keeps collectors away from a blob as long as it lives.
pub(super) struct Hold {
    hands: Hands,
    digest: Digest,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.hands.change(&self.digest, |held| held.holds -= 1);
    }
}

/// The intention to delete a blob if nothing refers to it: made before looking for references, used after.
pub struct Collecting {
    hands: Hands,
    digest: Digest,
}

impl Collecting {
    pub(super) fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Whether nobody has held the blob since this was made.
    pub(super) fn is_free(&self) -> bool {
        let all = self.hands.held.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&self.digest).is_none_or(|held| !held.was_held)
    }
}

impl Drop for Collecting {
    fn drop(&mut self) {
        self.hands.change(&self.digest, |held| held.collectors -= 1);
    }
}

/// A blob in its place, which no collector of this process takes as long as this lives: until the blob's record is
/// committed.
pub struct Placed {
    finished: Finished,
    _hold: Hold,
}

impl Placed {
    pub(super) fn new(finished: Finished, hold: Hold) -> Placed {
        Placed { finished, _hold: hold }
    }
}

impl fmt::Debug for Placed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.finished.fmt(f)
    }
}

impl Deref for Placed {
    type Target = Finished;

    fn deref(&self) -> &Finished {
        &self.finished
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_held_a_blob_at_any_time_since_a_collector_came_keeps_it() {
        let (hands, digest) = (Hands::default(), Digest::of(b"a"));
        let during = hands.collect(&digest);
        assert!(during.is_free());
        let hold = hands.hold(&digest);
        assert!(!during.is_free());
        let second = hands.collect(&digest);
        drop(hold);
        assert!(!during.is_free() && !second.is_free());
        drop((during, second));
        assert!(hands.collect(&digest).is_free(), "who let go before a collector came has committed");
        assert!(hands.held.lock().unwrap().is_empty(), "nothing is remembered of blobs that nobody handles");
    }

    #[test]
    fn a_hold_from_before_the_collector_counts_and_another_blobs_does_not() {
        let (hands, digest) = (Hands::default(), Digest::of(b"a"));
        let _other = hands.hold(&Digest::of(b"b"));
        let hold = hands.hold(&digest);
        let collecting = hands.collect(&digest);
        drop(hold);
        assert!(!collecting.is_free());
    }
}
