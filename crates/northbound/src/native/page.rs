//! Lists in pages: an opaque cursor that stays right while records come and go, and an exact total.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use otaru_model::{Id, Page, PageOf};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::decode::{Decode, Members};
use super::error::Problem;

const DEFAULT_LIMIT: u32 = 50;

/// Which part of a list.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many records at most; 50 unless given.
    #[param(value_type = Option<u32>, required = false)]
    pub limit: u32,
    /// Where to go on: `next_cursor` of the page before.
    #[param(value_type = Option<String>, required = false)]
    pub cursor: Option<Vec<u8>>,
}

impl PageQuery {
    pub fn decode(given: &mut Members) -> Result<PageQuery, Problem> {
        let limit = given.integer("limit")?.and_then(|limit| u32::try_from(limit).ok()).unwrap_or(DEFAULT_LIMIT);
        let cursor = match given.text("cursor")? {
            None => None,
            Some(text) => Some(URL_SAFE_NO_PAD.decode(text).map_err(|_| bad_cursor())?),
        };
        Ok(PageQuery { limit, cursor })
    }

    /// The page to ask the records for: one record more than is shown tells whether there are any behind it.
    pub fn by_id(&self) -> Result<Page, Problem> {
        let before = match &self.cursor {
            None => Id::MAX,
            Some(bytes) => Id::try_from(bytes.as_slice()).map_err(|_| bad_cursor())?,
        };
        Ok(Page { before, skip: 0, limit: self.limit + 1 })
    }
}

pub fn bad_cursor() -> Problem {
    Problem::invalid("cursor", "cursor must be the next_cursor of a page of this list")
}

/// The parameters of a list without filters.
pub struct PageOnly(pub PageQuery);

impl Decode for PageOnly {
    const SCOPE: &'static str = "query";
    const MEMBERS: &'static [&'static str] = &["limit", "cursor"];

    fn decode(given: &mut Members) -> Result<PageOnly, Problem> {
        PageQuery::decode(given).map(PageOnly)
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    pub items: Vec<T>,
    /// How many records there are on all pages together.
    pub total: u64,
    /// What to send as `cursor` for the next page; null on the last one.
    #[schema(required = true)]
    pub next_cursor: Option<String>,
}

/// What a page says behind its items, where those are written already.
#[derive(Serialize)]
pub struct ListRest {
    pub total: u64,
    pub next_cursor: Option<String>,
}

pub fn cursor(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl<T> List<T> {
    /// A page that was read with [`PageQuery::by_id`].
    pub fn by_id<R>(page: PageOf<R>, limit: u32, id: impl Fn(&R) -> Id, show: impl Fn(R) -> T) -> List<T> {
        let mut records = page.items;
        let is_last = records.len() <= limit as usize;
        records.truncate(limit as usize);
        let next_cursor = records.last().filter(|_| !is_last).map(|last| cursor(id(last).as_bytes()));
        List { items: records.into_iter().map(show).collect(), total: page.total, next_cursor }
    }

    /// A page of records that are all here, in the order of their keys.
    pub fn of_all<R>(
        mut all: Vec<R>,
        query: &PageQuery,
        key: impl Fn(&R) -> Vec<u8>,
        show: impl Fn(R) -> T,
    ) -> List<T> {
        all.sort_by_cached_key(&key);
        let total = all.len() as u64;
        let start = query.cursor.as_ref().map_or(0, |cursor| all.partition_point(|record| key(record) <= *cursor));
        let mut rest = all.split_off(start);
        let is_last = rest.len() <= query.limit as usize;
        rest.truncate(query.limit as usize);
        let next_cursor = rest.last().filter(|_| !is_last).map(|last| cursor(&key(last)));
        List { items: rest.into_iter().map(show).collect(), total, next_cursor }
    }
}

/// A moment in the answer: RFC 3339, UTC, milliseconds.
pub fn time(at_ms: i64) -> String {
    crate::wire::time::TimeFormat::Millis.format(at_ms)
}
