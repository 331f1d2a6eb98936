//! The members of a request: every one is known, comes once, has the right type and keeps its limit; an error names the member.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::decode::Decode;
use super::error::Problem;
use super::limits::limit_of;
use crate::wire::json::type_name;

/// What a PATCH says of a text: nothing, that it goes (null), or what it shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextChange {
    Keep,
    Remove,
    Set(String),
}

impl TextChange {
    /// Makes the text what it shall be.
    pub fn apply(self, text: &mut Option<String>) {
        match self {
            TextChange::Keep => {}
            TextChange::Remove => *text = None,
            TextChange::Set(new) => *text = Some(new),
        }
    }
}

/// The members of an object, all of them known by name, handed out by type.
pub struct Members {
    scope: &'static str,
    /// What stands before the members' names in errors: `files[0].`.
    prefix: String,
    values: Map<String, Value>,
    /// Whether numbers are written as text and a member is the list of its occurrences.
    is_query: bool,
}

impl Members {
    pub fn check(
        scope: &'static str,
        known: &[&'static str],
        prefix: String,
        values: Map<String, Value>,
        is_query: bool,
    ) -> Result<Members, Problem> {
        if let Some(unknown) = values.keys().find(|name| !known.contains(&name.as_str())) {
            let what = if is_query { "parameter" } else { "member" };
            let field = format!("{prefix}{unknown}");
            let hint = match nearest(unknown, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => format!("there is no {what} here"),
                None => format!("there are: {}", known.join(", ")),
            };
            return Err(Problem::invalid(&field, format!("{field} is no {what} of this request; {hint}")));
        }
        Ok(Members { scope, prefix, values, is_query })
    }

    fn field(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The value of a member, absent if it is null.
    fn take(&mut self, name: &str) -> Result<Option<Value>, Problem> {
        let value = self.values.remove(name);
        if self.is_query
            && let Some(Value::Array(mut values)) = value
        {
            if values.len() > 1 {
                let field = self.field(name);
                return Err(Problem::invalid(&field, format!("{field} may be given once only")));
            }
            return Ok(values.pop());
        }
        Ok(value.filter(|value| !value.is_null()))
    }

    fn missing(&self, name: &str) -> Problem {
        let field = self.field(name);
        Problem::invalid(&field, format!("{field} is missing; it {}", limit_of(self.scope, name).expectation()))
    }

    fn wrong_type(&self, name: &str, wanted: &str, given: &Value) -> Problem {
        let field = self.field(name);
        Problem::invalid(&field, format!("{field} must be {wanted}, not {}", type_name(given)))
    }

    fn checked(&self, name: &str, limit_name: &str, text: String) -> Result<String, Problem> {
        match limit_of(self.scope, limit_name).problem(&text) {
            None => Ok(text),
            Some(problem) => {
                let field = self.field(name);
                Err(Problem::invalid(&field, format!("{field} {problem}")))
            }
        }
    }

    pub fn text(&mut self, name: &str) -> Result<Option<String>, Problem> {
        match self.take(name)? {
            None => Ok(None),
            Some(Value::String(text)) => self.checked(name, name, text).map(Some),
            Some(other) => Err(self.wrong_type(name, "a string", &other)),
        }
    }

    pub fn required_text(&mut self, name: &str) -> Result<String, Problem> {
        self.text(name)?.ok_or_else(|| self.missing(name))
    }

    /// What a PATCH says of a text.
    pub fn change(&mut self, name: &str) -> Result<TextChange, Problem> {
        if self.values.get(name).is_none() {
            return Ok(TextChange::Keep);
        }
        Ok(self.text(name)?.map_or(TextChange::Remove, TextChange::Set))
    }

    /// What a PATCH says of a text that there always is, or a text that is left out rather than null.
    pub fn kept_text(&mut self, name: &str) -> Result<Option<String>, Problem> {
        self.refuse_null(name)?;
        self.text(name)
    }

    fn refuse_null(&self, name: &str) -> Result<(), Problem> {
        match self.values.get(name) {
            Some(Value::Null) => Err(self.refuse(name, "cannot be null: leave it out instead")),
            _ => Ok(()),
        }
    }

    pub fn word<T: std::str::FromStr>(&mut self, name: &str) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            let field = self.field(name);
            Problem::invalid(&field, format!("{field} {}", limit_of(self.scope, name).expectation()))
        })
    }

    pub fn integer(&mut self, name: &str) -> Result<Option<i64>, Problem> {
        let text = match self.take(name)? {
            None => return Ok(None),
            Some(Value::String(text)) if self.is_query => text,
            Some(Value::Number(number)) => match whole(&number) {
                Some(whole) => whole.to_string(),
                None => number.to_string(),
            },
            Some(other) => return Err(self.wrong_type(name, "a whole number", &other)),
        };
        let text = self.checked(name, name, text)?;
        Ok(text.parse().ok())
    }

    /// A moment, in milliseconds since 1970.
    pub fn time(&mut self, name: &str) -> Result<Option<i64>, Problem> {
        let text = match self.take(name)? {
            None => return Ok(None),
            Some(Value::String(text)) => text,
            Some(other) => return Err(self.wrong_type(name, "a string", &other)),
        };
        match text.parse::<Timestamp>() {
            Ok(moment) => Ok(Some(moment.as_millisecond())),
            Err(_) => {
                let field = self.field(name);
                let right = "must be a time as RFC 3339 writes it, such as 2027-01-31T12:00:00Z";
                Err(Problem::invalid(&field, format!("{field} {right}")))
            }
        }
    }

    pub fn texts(&mut self, name: &str) -> Result<Vec<String>, Problem> {
        let values = match self.values.remove(name) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(values)) => values,
            Some(other) => return Err(self.wrong_type(name, "a list of strings", &other)),
        };
        self.check_count(name, values.len())?;
        let limit_name = format!("{name}[]");
        let one = |(position, value)| {
            let name = format!("{name}[{position}]");
            match value {
                Value::String(text) => self.checked(&name, &limit_name, text),
                other => Err(self.wrong_type(&name, "a string", &other)),
            }
        };
        values.into_iter().enumerate().map(one).collect()
    }

    pub fn object<T: Decode>(&mut self, name: &str) -> Result<Option<T>, Problem> {
        self.refuse_null(name)?;
        match self.take(name)? {
            None => Ok(None),
            Some(value) => self.nested(name, value).map(Some),
        }
    }

    pub fn required_objects<T: Decode>(&mut self, name: &str) -> Result<Vec<T>, Problem> {
        let values = match self.take(name)? {
            None => return Err(self.missing(name)),
            Some(Value::Array(values)) => values,
            Some(other) => return Err(self.wrong_type(name, "a list of objects", &other)),
        };
        self.check_count(name, values.len())?;
        let one = |(position, value)| self.nested(&format!("{name}[{position}]"), value);
        values.into_iter().enumerate().map(one).collect()
    }

    fn nested<T: Decode>(&self, name: &str, value: Value) -> Result<T, Problem> {
        let Value::Object(map) = value else { return Err(self.wrong_type(name, "an object", &value)) };
        let prefix = format!("{}.", self.field(name));
        Members::check(T::SCOPE, T::MEMBERS, prefix, map, false).and_then(|mut given| T::decode(&mut given))
    }

    fn check_count(&self, name: &str, count: usize) -> Result<(), Problem> {
        match limit_of(self.scope, name).count_problem(count) {
            None => Ok(()),
            Some(problem) => {
                let field = self.field(name);
                Err(Problem::invalid(&field, format!("{field} {problem}")))
            }
        }
    }

    /// An error about how members stand to each other.
    pub fn refuse(&self, name: &str, problem: &str) -> Problem {
        let field = self.field(name);
        Problem::invalid(&field, format!("{field} {problem}"))
    }
}

/// Up to here the parser reads a number with a fraction exactly; beyond it, a neighbour might be taken for it.
const EXACT_MAX: f64 = 9e14;

/// `1.0` is a whole number too.
fn whole(number: &serde_json::Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= EXACT_MAX)?;
        #[expect(clippy::cast_possible_truncation, reason = "whole, and far inside the range")]
        Some(float as i64)
    })
}

/// The known name that was probably meant.
fn nearest(unknown: &str, known: &[&'static str]) -> Option<&'static str> {
    let plain = |name: &str| name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let unknown = plain(unknown);
    let scored: BTreeSet<_> =
        known.iter().map(|name| (strsim::damerau_levenshtein(&plain(name), &unknown), *name)).collect();
    scored.first().filter(|(distance, name)| *distance <= (name.len() / 3).clamp(1, 3)).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_goes_or_is_another() {
        for (change, after) in [
            (TextChange::Keep, Some("old")),
            (TextChange::Remove, None),
            (TextChange::Set("new".to_owned()), Some("new")),
        ] {
            let mut text = Some("old".to_owned());
            change.apply(&mut text);
            assert_eq!(text.as_deref(), after);
        }
    }

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let known = ["name", "description", "custom_info", "source_versions"];
        assert_eq!(nearest("nmae", &known), Some("name"));
        assert_eq!(nearest("customInfo", &known), Some("custom_info"));
        assert_eq!(nearest("source-version", &known), Some("source_versions"));
        assert_eq!(nearest("colour", &known), None);
    }

    #[test]
    fn whole_numbers_may_be_written_with_a_fraction_of_nothing() {
        let number = |text: &str| serde_json::from_str::<serde_json::Number>(text).ok().and_then(|n| whole(&n));
        assert_eq!(number("5"), Some(5));
        assert_eq!(number("5.0"), Some(5));
        assert_eq!(number("899999999999999.0"), Some(899_999_999_999_999));
        assert_eq!(number("9007199254740991"), Some(9_007_199_254_740_991));
        assert_eq!(number("9007199254740991.0"), None, "the parser may take its neighbour for it");
        assert_eq!(number("5.5"), None);
        assert_eq!(number("1e300"), None);
    }
}
