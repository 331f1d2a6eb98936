//! Bodies: JSON read strictly, and their members read by name, with errors that name the member as the client wrote it.

use serde_json::{Map, Value};

use super::error::{BAD_FORMAT, Refusal};
use super::limits::LIMITS;
use crate::wire::json::{JsonError, read_object};
use crate::wire::limits::limit;

/// Product models nest, so there is as much room as the parser has itself.
const MAX_DEPTH: usize = 127;

/// Reads a JSON object.
pub fn parse_object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    read_object(body, MAX_DEPTH).map_err(|error: JsonError| {
        Refusal::new(&BAD_FORMAT, format!("The body must be a JSON object in UTF-8: {error}."))
    })
}

/// The members of an object in a body.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    /// Under which name [`LIMITS`] has the members' limits.
    operation: &'static str,
    /// Where the object is in the body, ending in `.` unless it is the body itself.
    path: String,
    members: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    pub fn new(operation: &'static str, members: &'a Map<String, Value>) -> Fields<'a> {
        Fields { operation, path: String::new(), members }
    }

    /// A refusal that names a member.
    pub fn refuse(&self, name: &str, problem: impl AsRef<str>) -> Refusal {
        Refusal::invalid(&format!("{}{name}", self.path), problem)
    }

    pub fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    pub fn text(&self, name: &str) -> Result<&'a str, Refusal> {
        self.text_opt(name)?.ok_or_else(|| self.missing(name))
    }

    pub fn text_opt(&self, name: &str) -> Result<Option<&'a str>, Refusal> {
        let Some(value) = self.members.get(name) else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| self.refuse(name, "must be a string."))?;
        self.check(name, &format!("{}.{name}", self.operation), text)?;
        Ok(Some(text))
    }

    pub fn owned_opt(&self, name: &str) -> Result<Option<String>, Refusal> {
        Ok(self.text_opt(name)?.map(str::to_owned))
    }

    /// A list of strings; the list and its members have limits.
    pub fn texts_opt(&self, name: &str) -> Result<Option<Vec<String>>, Refusal> {
        let Some(values) = self.list_opt(name)? else { return Ok(None) };
        let counted = limit(LIMITS, &format!("{}.{name}", self.operation));
        if let Some(problem) = counted.count_problem(values.len()) {
            return Err(self.refuse(name, format!("{problem}.")));
        }
        let mut texts = Vec::with_capacity(values.len());
        for (at, value) in values.iter().enumerate() {
            let member = format!("{name}[{at}]");
            let text = value.as_str().ok_or_else(|| self.refuse(&member, "must be a string."))?;
            self.check(&member, &format!("{}.{name}[]", self.operation), text)?;
            texts.push(text.to_owned());
        }
        Ok(Some(texts))
    }

    pub fn list_opt(&self, name: &str) -> Result<Option<&'a Vec<Value>>, Refusal> {
        let Some(value) = self.members.get(name) else { return Ok(None) };
        value.as_array().map(Some).ok_or_else(|| self.refuse(name, "must be a list."))
    }

    pub fn object(&self, name: &str) -> Result<Fields<'a>, Refusal> {
        self.object_opt(name)?.ok_or_else(|| self.missing(name))
    }

    pub fn object_opt(&self, name: &str) -> Result<Option<Fields<'a>>, Refusal> {
        let Some(value) = self.members.get(name) else { return Ok(None) };
        let members = value.as_object().ok_or_else(|| self.refuse(name, "must be an object."))?;
        Ok(Some(Fields { operation: self.operation, path: format!("{}{name}.", self.path), members }))
    }

    pub fn missing(&self, name: &str) -> Refusal {
        self.refuse(name, "is missing.")
    }

    fn check(&self, name: &str, limit_name: &str, text: &str) -> Result<(), Refusal> {
        match limit(LIMITS, limit_name).problem(text) {
            Some(problem) => Err(self.refuse(name, format!("{problem}."))),
            None => Ok(()),
        }
    }
}

/// Whether a NUL character is anywhere in a value: no database column takes one.
pub fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_whole_object_is_a_body() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
        let wrong: [&[u8]; 9] = [
            b"",
            b"[]",
            b"null",
            b"{",
            b"{} {}",
            b"{\"a\":1,\"a\":1}",
            b"{\"o\":{\"a\":1,\"\\u0061\":2}}",
            b"{\"a\":\"\xff\"}",
            deep.as_bytes(),
        ];
        for body in wrong {
            let refusal = parse_object(body).unwrap_err();
            assert_eq!(refusal.code, &BAD_FORMAT, "{}", String::from_utf8_lossy(body));
        }
        assert!(parse_object(b"{\"a\":1,\"a\":1}").unwrap_err().message().contains("there are two members `a`"));
    }
}
