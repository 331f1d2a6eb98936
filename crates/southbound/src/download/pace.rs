//! How fast bytes leave: so many per second of one link and of one tenant, in small even portions.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt};
use tokio::time::{Instant, sleep_until};

/// Portions per second: often enough to be even, seldom enough to cost nothing.
const PORTIONS_PER_SECOND: u64 = 8;
/// A portion is not smaller, however slow the pace, and not larger, however fast.
const PORTION_BYTES: std::ops::RangeInclusive<u64> = 256..=65_536;
/// What was not used for so long may be caught up on.
const SLACK: Duration = Duration::from_millis(125);
/// How many keys are remembered before those that nobody uses are forgotten.
const KEYS_BEFORE_CLEANING: usize = 1_024;

/// A pace that many streams may share: each takes the next portion of time.
#[derive(Debug)]
pub(super) struct Pace {
    bytes_per_second: u64,
    /// When the bytes that were asked for so far will all have left.
    free: Mutex<Option<Instant>>,
}

impl Pace {
    pub(super) fn new(bytes_per_second: u64) -> Pace {
        Pace { bytes_per_second: bytes_per_second.max(1), free: Mutex::new(None) }
    }

    fn portion_bytes(&self) -> u64 {
        (self.bytes_per_second / PORTIONS_PER_SECOND).clamp(*PORTION_BYTES.start(), *PORTION_BYTES.end())
    }

    /// When the next `bytes` may leave.
    fn take(&self, bytes: usize, now: Instant) -> Instant {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(SLACK).unwrap_or(now);
        let start = free.map_or(earliest, |free| free.max(earliest));
        let nanoseconds = (bytes as u128 * 1_000_000_000) / u128::from(self.bytes_per_second);
        *free = Some(start + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX)));
        start
    }
}

/// One pace for each key, kept while somebody uses it.
#[derive(Debug)]
pub(super) struct Paces<K> {
    bytes_per_second: u64,
    known: Mutex<HashMap<K, Weak<Pace>>>,
}

impl<K: Hash + Eq> Paces<K> {
    /// 0 for no pace at all.
    pub(super) fn new(bytes_per_second: u64) -> Paces<K> {
        Paces { bytes_per_second, known: Mutex::default() }
    }

    pub(super) fn of(&self, key: K) -> Option<Arc<Pace>> {
        if self.bytes_per_second == 0 {
            return None;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pace) = known.get(&key).and_then(Weak::upgrade) {
            return Some(pace);
        }
        if known.len() >= KEYS_BEFORE_CLEANING && known.len() == known.capacity() {
            known.retain(|_, pace| pace.strong_count() > 0);
        }
        let pace = Arc::new(Pace::new(self.bytes_per_second));
        known.insert(key, Arc::downgrade(&pace));
        Some(pace)
    }
}

/// The same bytes at the slowest of `paces`. No more than one chunk of `bytes` is held.
pub(super) fn paced<S, E>(bytes: S, paces: Vec<Arc<Pace>>) -> impl Stream<Item = Result<Bytes, E>> + Send + 'static
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Send + 'static,
{
    let Some(portion_bytes) = paces.iter().map(|pace| pace.portion_bytes()).min() else {
        return bytes.left_stream();
    };
    let state = (Box::pin(bytes), Bytes::new(), paces);
    let slowly = stream::try_unfold(state, move |(mut bytes, mut rest, paces)| async move {
        while rest.is_empty() {
            match bytes.next().await {
                Some(chunk) => rest = chunk?,
                None => return Ok(None),
            }
        }
        let portion = rest.split_to(rest.len().min(portion_bytes as usize));
        let now = Instant::now();
        let due = paces.iter().map(|pace| pace.take(portion.len(), now)).max().unwrap_or(now);
        if due > now {
            sleep_until(due).await;
        }
        Ok(Some((portion, (bytes, rest, paces))))
    });
    slowly.right_stream()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::TryStreamExt;

    use super::*;

    fn file(size_bytes: usize) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
        let content: Vec<u8> = (0..size_bytes).map(|at| at as u8).collect();
        let chunks: Vec<_> = content.chunks(100_000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        stream::iter(chunks)
    }

    async fn whole(bytes: impl Stream<Item = Result<Bytes, Infallible>>) -> (Vec<usize>, Vec<u8>) {
        let portions: Vec<Bytes> = bytes.try_collect().await.expect("it cannot fail");
        (portions.iter().map(Bytes::len).collect(), portions.concat())
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_leave_evenly_and_whole() {
        let begun = Instant::now();
        let (portions, all) = whole(paced(file(300_000), vec![Arc::new(Pace::new(50_000))])).await;
        assert!(all == whole(file(300_000)).await.1, "other bytes came");
        assert!(portions.iter().all(|&portion| portion <= 6_250), "an eighth of a second at once");
        let took = begun.elapsed();
        assert!((Duration::from_millis(5_700)..Duration::from_millis(6_100)).contains(&took), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_shares_a_pace_shares_its_bytes() {
        let (begun, pace) = (Instant::now(), Arc::new(Pace::new(100_000)));
        let streams = (0..4).map(|_| whole(paced(file(100_000), vec![Arc::clone(&pace)])));
        let all = futures::future::join_all(streams).await;
        assert!(all.iter().all(|(_, bytes)| bytes.len() == 100_000));
        let took = begun.elapsed();
        assert!((Duration::from_millis(3_700)..Duration::from_millis(4_100)).contains(&took), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_slower_of_two_paces_counts() {
        let begun = Instant::now();
        let paces = vec![Arc::new(Pace::new(1_000_000)), Arc::new(Pace::new(20_000))];
        whole(paced(file(100_000), paces)).await;
        assert!((Duration::from_millis(4_700)..Duration::from_millis(5_100)).contains(&begun.elapsed()));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_pace_nothing_waits() {
        let begun = Instant::now();
        let (portions, _) = whole(paced(file(250_000), Vec::new())).await;
        assert_eq!((portions, begun.elapsed()), (vec![100_000, 100_000, 50_000], Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_not_made_up_for_at_once() {
        let pace = Arc::new(Pace::new(10_000));
        whole(paced(file(5_000), vec![Arc::clone(&pace)])).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        let begun = Instant::now();
        whole(paced(file(10_000), vec![pace])).await;
        assert!(begun.elapsed() > Duration::from_millis(700), "{:?}", begun.elapsed());
    }

    #[test]
    fn a_key_keeps_its_pace_while_somebody_uses_it() {
        let paces = Paces::new(10);
        let first = paces.of(1).expect("a pace");
        assert!(Arc::ptr_eq(&first, &paces.of(1).expect("a pace")));
        assert!(!Arc::ptr_eq(&first, &paces.of(2).expect("a pace")));
        assert!(Paces::new(0).of(1).is_none());
        for key in 0..100_000 {
            paces.of(key);
        }
        let known = paces.known.lock().expect("whole");
        assert!(known.len() < 10_000 && known.contains_key(&1), "{}", known.len());
    }
}
