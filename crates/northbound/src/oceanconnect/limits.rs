//! What the documents say of every value, and the only place where values are checked.
//!
//! Sources: 256 characters and the paging numbers from the parameter tables of the documents; the form of fileId is ours,
//! since the documents call a wrong one an error and do not say what a right one is.

use super::Failure;
use super::fields::Fields;
use crate::wire::limits::{Limit, Rule, Set, limit};

pub(super) static LIMITS: &[Limit] = &[
    Limit { name: "login.appId", rule: TEXT },
    Limit { name: "login.secret", rule: TEXT },
    Limit { name: "refreshToken.appId", rule: TEXT },
    Limit { name: "refreshToken.secret", rule: TEXT },
    Limit { name: "refreshToken.refreshToken", rule: TEXT },
    Limit { name: "logout.accessToken", rule: TEXT },
    Limit { name: "category.fileId", rule: Rule::Text { min: 1, max: 64, set: Set::WORD } },
    Limit { name: "list.fileType", rule: Rule::Word(&["firmwarePackage", "softwarePackage"]) },
    Limit { name: "list.deviceType", rule: TEXT },
    Limit { name: "list.model", rule: TEXT },
    Limit { name: "list.manufacturerName", rule: TEXT },
    Limit { name: "list.version", rule: TEXT },
    Limit { name: "list.pageNo", rule: Rule::Integer { min: 0, max: i64::MAX } },
    Limit { name: "list.pageSize", rule: Rule::Integer { min: 1, max: 100 } },
];

const TEXT: Rule = Rule::Text { min: 1, max: 256, set: Set::ANY };

/// Why `text` breaks the limit of that name; nothing if it keeps it.
fn problem(name: &str, text: &str) -> Option<String> {
    let field = name.rsplit('.').next().unwrap_or(name);
    limit(LIMITS, name).problem(text).map(|problem| format!("{field}: {problem}"))
}

/// The text, if it keeps the limit of that name.
pub(super) fn check<'t>(name: &str, text: &'t str) -> Result<&'t str, Failure> {
    match problem(name, text) {
        None => Ok(text),
        Some(detail) => Err(Failure::BadRequest { detail }),
    }
}

/// The field that the limit is of, if it is there.
pub(super) fn optional<'f>(name: &str, fields: &'f Fields) -> Result<Option<&'f str>, Failure> {
    let field = name.rsplit('.').next().unwrap_or(name);
    fields.get(field)?.map(|text| check(name, text)).transpose()
}

/// The field that the limit is of, which must be there.
pub(super) fn required<'f>(name: &str, fields: &'f Fields) -> Result<&'f str, Failure> {
    let field = name.rsplit('.').next().unwrap_or(name);
    optional(name, fields)?.ok_or_else(|| Failure::bad_request(format!("{field} is missing")))
}

/// A paging number, or `default` if it is not there. Paging has an error of its own.
pub(super) fn number(name: &str, fields: &Fields, default: i64) -> Result<i64, Failure> {
    let field = name.rsplit('.').next().unwrap_or(name);
    let Some(text) = fields.get(field)? else { return Ok(default) };
    match (problem(name, text), text.parse()) {
        (None, Ok(number)) => Ok(number),
        (problem, _) => Err(Failure::WrongPage { detail: problem.unwrap_or_default() }),
    }
}
