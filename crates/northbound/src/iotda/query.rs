//! Queries: parameters by name, and paging (contract §2.2).

use otaru_model::{Id, Page, PageOf};
use serde::Serialize;

use super::error::{Code, INVALID_INPUT, LIMIT_RANGE, PAGING_RANGE, Refusal};
use super::limits::LIMITS;
use crate::wire::limits::limit_of;
use crate::wire::percent::{decode_form, split_pairs};

const DEFAULT_LIMIT: u32 = 10;

/// The parameters of a request. Those that an operation does not ask for are ignored.
#[derive(Clone, Debug, Default)]
pub struct Query {
    pairs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// The `page` member of a list.
#[derive(Debug, Serialize)]
pub struct PageView {
    count: u64,
    marker: Option<Id>,
}

impl Query {
    pub fn parse(raw: Option<&str>) -> Query {
        let pairs = split_pairs(raw.unwrap_or_default().as_bytes());
        let decoded = |(name, value): (&[u8], Option<&[u8]>)| {
            (decode_form(name).into_owned(), decode_form(value.unwrap_or_default()).into_owned())
        };
        Query { pairs: pairs.map(decoded).collect() }
    }

    /// A parameter within the limit `operation.name`, if it was sent. Sent twice or empty it is refused.
    pub fn text_opt(&self, operation: &str, name: &str) -> Result<Option<&str>, Refusal> {
        self.checked(&INVALID_INPUT, operation, name)
    }

    pub fn text(&self, operation: &str, name: &str) -> Result<&str, Refusal> {
        self.text_opt(operation, name)?.ok_or_else(|| {
            let expectation = limit_of(LIMITS, operation, name).expectation();
            Refusal::invalid(name, format!("is missing from the query: it {expectation}."))
        })
    }

    pub fn owned_opt(&self, operation: &str, name: &str) -> Result<Option<String>, Refusal> {
        Ok(self.text_opt(operation, name)?.map(str::to_owned))
    }

    /// `limit`, `marker` and `offset`, the same in every list.
    pub fn page(&self) -> Result<Page, Refusal> {
        let number = |code, name| -> Result<Option<u32>, Refusal> {
            Ok(self.checked(code, "list", name)?.and_then(|text| text.parse().ok()))
        };
        let limit = number(&LIMIT_RANGE, "limit")?.unwrap_or(DEFAULT_LIMIT);
        let before = self.checked(&PAGING_RANGE, "list", "marker")?.and_then(|text| text.parse().ok());
        let skip = number(&PAGING_RANGE, "offset")?.unwrap_or(0);
        Ok(Page { before: before.unwrap_or(Id::MAX), skip: u64::from(skip), limit })
    }

    fn checked(&self, code: &'static Code, operation: &str, name: &str) -> Result<Option<&str>, Refusal> {
        let mut sent = self.pairs.iter().filter(|(sent, _)| sent == name.as_bytes()).map(|(_, value)| value);
        let Some(value) = sent.next() else { return Ok(None) };
        if sent.next().is_some() {
            return Err(Refusal::new(code, format!("{name} was sent more than once.")));
        }
        let refuse = |problem: &str| Refusal::new(code, format!("{name} {problem}."));
        let value = std::str::from_utf8(value).map_err(|_| refuse("must be UTF-8"))?;
        match limit_of(LIMITS, operation, name).problem(value) {
            Some(problem) => Err(refuse(&problem)),
            None => Ok(Some(value)),
        }
    }
}

/// What a list says of itself: the exact total, and where the next page starts. An empty page has no such place.
pub fn page_view<T>(page: &PageOf<T>, id: impl Fn(&T) -> Id) -> PageView {
    PageView { count: page.total, marker: page.items.last().map(id) }
}
