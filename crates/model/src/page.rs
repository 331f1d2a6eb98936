//! Paging: lists are read newest first, by key or by number, and always know their exact total.

use crate::Id;

/// Which records of a list are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Only records whose id is smaller than this one; [`Id::MAX`] starts at the newest.
    pub before: Id,
    /// How many of them to pass over first.
    pub skip: u64,
    /// How many to return at most.
    pub limit: u32,
}

impl Page {
    /// The first `limit` records.
    pub fn first(limit: u32) -> Page {
        Page { before: Id::MAX, skip: 0, limit }
    }

    /// Page `number`, counted from zero, of pages of `size` records. A page beyond every possible record is empty.
    pub fn numbered(number: u64, size: u32) -> Page {
        Page { before: Id::MAX, skip: number.saturating_mul(u64::from(size)), limit: size }
    }
}

/// A page of a list, with the total of all records that pass the list's filters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageOf<T> {
    pub items: Vec<T>,
    pub total: u64,
}

impl<T> PageOf<T> {
    pub fn empty() -> PageOf<T> {
        PageOf { items: Vec::new(), total: 0 }
    }
}
