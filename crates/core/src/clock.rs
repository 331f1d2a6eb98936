//! Time and randomness as values, so that a test can move the one and know the other.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time in milliseconds since 1970, UTC. Cheap to clone; clones of a manual clock move together.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    manual: Option<Arc<AtomicI64>>,
}

impl Clock {
    pub fn system() -> Clock {
        Clock { manual: None }
    }

    /// A clock that stands still until it is moved.
    pub fn manual(now_ms: i64) -> Clock {
        Clock { manual: Some(Arc::new(AtomicI64::new(now_ms))) }
    }

    pub fn now_ms(&self) -> i64 {
        match &self.manual {
            Some(time) => time.load(Ordering::SeqCst),
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .ok()
                .and_then(|since| i64::try_from(since.as_millis()).ok())
                .unwrap_or(0),
        }
    }

    /// Moves a manual clock; the system's clock is not ours to move.
    pub fn advance(&self, by_ms: i64) {
        if let Some(time) = &self.manual {
            time.fetch_add(by_ms, Ordering::SeqCst);
        }
    }
}

/// The operating system's random bytes. A system without them can keep no secret, so there is no going on without.
///
/// Each thread asks for some in advance, because asking costs more than most of what a request needs them for. None is given
/// twice, and none stays behind where it was kept.
pub fn random<const N: usize>() -> [u8; N] {
    const { assert!(N <= ADVANCE_BYTES, "more random bytes than are asked for in advance") };
    thread_local! {
        static ADVANCE: RefCell<([u8; ADVANCE_BYTES], usize)> = const { RefCell::new(([0; ADVANCE_BYTES], ADVANCE_BYTES)) };
    }
    ADVANCE.with_borrow_mut(|(advance, given)| {
        if *given + N > ADVANCE_BYTES {
            getrandom::fill(advance)
                .unwrap_or_else(|error| panic!("the operating system gives no random bytes: {error}"));
            *given = 0;
        }
        let mut bytes = [0; N];
        let taken = &mut advance[*given..*given + N];
        bytes.copy_from_slice(taken);
        taken.fill(0);
        *given += N;
        bytes
    })
}

/// How many random bytes a thread asks for at once.
const ADVANCE_BYTES: usize = 512;

/// `length` random letters and digits.
pub fn random_text(length: usize) -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::with_capacity(length);
    while text.len() < length {
        // 248 is the largest multiple of 62 in a byte: above it some letters would be likelier than others.
        let fair = random::<32>().into_iter().filter(|&byte| byte < 248);
        text.extend(fair.take(length - text.len()).map(|byte| LETTERS[usize::from(byte % 62)] as char));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_random_bytes_are_given_twice() {
        let drawn: HashSet<[u8; 12]> = (0..1_000).map(|_| random()).collect();
        assert_eq!(drawn.len(), 1_000);
        assert!(drawn.iter().all(|bytes| *bytes != [0; 12]), "what was given once is wiped");
        let elsewhere = std::thread::spawn(|| (0..1_000).map(|_| random()).collect::<HashSet<[u8; 12]>>());
        assert!(elsewhere.join().unwrap().is_disjoint(&drawn), "each thread has its own");
        assert_ne!(random::<32>()[..16], random::<32>()[16..]);
    }

    #[test]
    fn random_text_is_as_long_as_asked_for() {
        for length in [0, 1, 24, 100] {
            let text = random_text(length);
            assert!(text.len() == length && text.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{text}");
        }
    }
}
