//! Identifiers: twelve bytes, time-ordered, so that a newer record has a larger id and an id doubles as a paging marker.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A record's identity: 6 bytes of milliseconds since 1970, 2 bytes of counter, 4 bytes of randomness.
///
/// Ordered by creation. Written as 24 lower-case hexadecimal digits; doors may spell it otherwise.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id([u8; 12]);

impl Id {
    /// Larger than every id that a clock can give: where a descending list starts.
    pub const MAX: Id = Id([0xff; 12]);
    /// Smaller than every id that a clock can give.
    pub const MIN: Id = Id([0; 12]);

    pub const fn from_bytes(bytes: [u8; 12]) -> Id {
        Id(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 12] {
        &self.0
    }

    /// The smallest id larger than this one; the largest is followed by itself.
    pub fn following(&self) -> Id {
        let mut bytes = self.0;
        for byte in bytes.iter_mut().rev() {
            let (next, carry) = byte.overflowing_add(1);
            *byte = next;
            if !carry {
                return Id(bytes);
            }
        }
        Id::MAX
    }

    /// Smaller than every id made at `at_ms` or later, larger than all made before.
    pub fn at(at_ms: i64) -> Id {
        let mut bytes = [0; 12];
        let clock = u64::try_from(at_ms).unwrap_or(0) << 16;
        bytes[..8].copy_from_slice(&clock.to_be_bytes());
        Id(bytes)
    }

    /// The instant that the id was made for, in milliseconds since 1970.
    pub fn created_ms(&self) -> i64 {
        let mut bytes = [0; 8];
        bytes[2..].copy_from_slice(&self.0[..6]);
        i64::from_be_bytes(bytes)
    }

    /// The part that orders ids: time and counter.
    pub fn order(&self) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[..8]);
        u64::from_be_bytes(bytes)
    }
}

impl TryFrom<&[u8]> for Id {
    type Error = ParseIdError;

    fn try_from(bytes: &[u8]) -> Result<Id, ParseIdError> {
        bytes.try_into().map(Id).map_err(|_| ParseIdError)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 24];
        hex::encode_to_slice(self.0, &mut text).map_err(|_| fmt::Error)?;
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not 24 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseIdError;

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id is 24 hexadecimal digits")
    }
}

impl std::error::Error for ParseIdError {}

impl FromStr for Id {
    type Err = ParseIdError;

    /// Letters may be in either case.
    fn from_str(text: &str) -> Result<Id, ParseIdError> {
        let mut bytes = [0; 12];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| ParseIdError)?;
        Ok(Id(bytes))
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Id, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Hands out ids that only ever grow within one process, also when the clock is set back.
#[derive(Debug, Default)]
pub struct IdSource {
    last: AtomicU64,
}

impl IdSource {
    /// A source whose ids are all larger than `newest`, the largest id already on record.
    pub fn after(newest: Id) -> IdSource {
        IdSource { last: AtomicU64::new(newest.order()) }
    }

    /// The next id at `now_ms`; `random` keeps ids of equal copies of the server apart.
    pub fn next(&self, now_ms: i64, random: u32) -> Id {
        let clock = u64::try_from(now_ms).unwrap_or(0) << 16;
        let step = |last: u64| Some(clock.max(last + 1));
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step).unwrap_or(clock);
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&clock.max(last + 1).to_be_bytes());
        bytes[8..].copy_from_slice(&random.to_be_bytes());
        Id(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_knows_when_it_was_made() {
        let id = IdSource::default().next(1_763_738_000_123, 7);
        assert_eq!(id.created_ms(), 1_763_738_000_123);
        assert_eq!(id.to_string().len(), 24);
    }

    #[test]
    fn ids_grow_even_when_the_clock_is_set_back() {
        let source = IdSource::default();
        let first = source.next(2_000, u32::MAX);
        let second = source.next(1_000, 0);
        assert!(second > first);
    }

    #[test]
    fn a_restarted_source_goes_on_after_the_newest_record() {
        let newest = IdSource::default().next(5_000, 9);
        assert!(IdSource::after(newest).next(1, 0) > newest);
    }

    #[test]
    fn an_instant_parts_the_ids_made_before_and_after_it() {
        let source = IdSource::default();
        let (before, after) = (source.next(4_999, u32::MAX), source.next(5_000, 0));
        assert!(before < Id::at(5_000) && Id::at(5_000) <= after);
    }

    #[test]
    fn one_id_follows_another() {
        let follows = |id: &str| id.parse::<Id>().unwrap().following().to_string();
        assert_eq!(follows("000000000000000000000000"), "000000000000000000000001");
        assert_eq!(follows("0000000000000000000000ff"), "000000000000000000000100");
        assert_eq!(follows("00ffffffffffffffffffffff"), "010000000000000000000000");
        assert_eq!(Id::MAX.following(), Id::MAX);
    }

    proptest! {
        #[test]
        fn text_and_id_are_the_same_thing(bytes: [u8; 12]) {
            let id = Id::from_bytes(bytes);
            prop_assert_eq!(id.to_string().parse::<Id>(), Ok(id));
            prop_assert_eq!(id.to_string().to_uppercase().parse::<Id>(), Ok(id));
        }

        #[test]
        fn later_ids_are_larger(times in proptest::collection::vec(0i64..1 << 47, 1..50)) {
            let source = IdSource::default();
            let ids: Vec<Id> = times.iter().map(|&at| source.next(at, 0)).collect();
            prop_assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        }

        #[test]
        fn other_texts_are_refused(text in ".{0,40}") {
            if let Ok(id) = text.parse::<Id>() {
                prop_assert_eq!(id.to_string(), text.to_lowercase());
            }
        }
    }
}
