//! A call that is signed, counted and allowed: what the operations read their parameters from.

use otaru_core::app::{App, Caller};

use super::Settings;
use super::answer::Record;
use super::envelope::Format;
use super::error::Failure;
use super::limits::{LIMITS, broken};
use super::operations::Operation;
use super::parameters::Parameters;
use crate::wire::limits::{Limit, limit_of};

pub struct Call<'a> {
    pub app: &'a App,
    pub settings: &'a Settings,
    pub link_key_id: &'a str,
    pub operation: &'static Operation,
    pub caller: &'a Caller,
    pub parameters: &'a Parameters,
    pub request_id: &'a str,
    pub format: Format,
}

impl<'a> Call<'a> {
    /// An answer that says only that it went well, or the beginning of one that says more.
    pub fn success(&self) -> Record<'static> {
        Record::new().with("RequestId", self.request_id.to_owned()).with("Success", true)
    }

    /// A required text. That it was sent was checked before.
    pub fn text(&self, field: &'static str) -> Result<&'a str, Failure> {
        self.optional(field)?.ok_or_else(|| Failure::missing(field))
    }

    /// A text, if it was sent. Clients send empty values for what is not set, so an empty one counts as not sent unless the
    /// limit allows it.
    pub fn optional(&self, field: &'static str) -> Result<Option<&'a str>, Failure> {
        let allows_empty = || self.limit(field).problem("").is_none();
        let value = self.parameters.sent(field).filter(|value| !value.is_empty() || allows_empty());
        value.map(|value| self.check_text(field, field, value)).transpose()
    }

    /// A required whole number.
    pub fn integer(&self, field: &'static str) -> Result<i64, Failure> {
        self.optional_integer(field)?.ok_or_else(|| Failure::missing(field))
    }

    /// A whole number, if one was sent.
    pub fn optional_integer(&self, field: &'static str) -> Result<Option<i64>, Failure> {
        let value = self.parameters.given(field);
        value.map(|value| self.check_integer(field, field, value)).transpose()
    }

    /// `true` or `false` in any letter case: one client writes them as its language does.
    pub fn optional_boolean(&self, field: &'static str) -> Result<Option<bool>, Failure> {
        match self.parameters.given(field) {
            None => Ok(None),
            Some(value) if value.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(value) if value.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(Failure::invalid_parameter(format!(
                "Specified parameter {field} is not valid: it must be true or false."
            ))),
        }
    }

    /// Checks a value against the limit `field`; `shown` is how the client calls it.
    pub fn check_text<'v>(&self, field: &str, shown: &str, value: &'v str) -> Result<&'v str, Failure> {
        let limit = self.limit(field);
        match limit.problem(value) {
            None => Ok(value),
            Some(expectation) => Err(broken(limit, shown, &expectation)),
        }
    }

    /// Reads a whole number and checks it. What is no number at all is for the gateway to refuse.
    pub fn check_integer(&self, field: &str, shown: &str, value: &str) -> Result<i64, Failure> {
        let digits = value.strip_prefix('-').unwrap_or(value);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let problem = format!("Specified parameter {shown} is not valid: it must be a whole number.");
            return Err(Failure::invalid_parameter(problem));
        }
        self.check_text(field, shown, value)?;
        value.parse().map_err(|_| Failure::invalid_parameter(format!("Specified parameter {shown} is not valid.")))
    }

    /// Checks how many members a list has.
    pub fn check_count(&self, field: &str, count: usize) -> Result<(), Failure> {
        let limit = self.limit(field);
        match limit.count_problem(count) {
            None => Ok(()),
            Some(expectation) => Err(broken(limit, field, &expectation)),
        }
    }

    fn limit(&self, field: &str) -> &'static Limit {
        limit_of(LIMITS, self.operation.name, field)
    }
}
