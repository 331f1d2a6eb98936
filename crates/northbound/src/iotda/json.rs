//! Bodies: JSON read strictly, and their members read by name, with errors that name the member as the client wrote it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::error::{BAD_FORMAT, Refusal};
use super::limits::LIMITS;
use crate::wire::limits::limit;

/// Reads a JSON object. A member that is there twice is refused: readers differ in which one they take.
/// Nesting is bounded by the parser, at 128 levels.
pub fn parse_object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let refuse = |why: String| Refusal::new(&BAD_FORMAT, why);
    let parsed: Strict = serde_json::from_slice(body)
        .map_err(|error| refuse(format!("The body must be a JSON object in UTF-8: {error}.")))?;
    match parsed.0 {
        Value::Object(members) => Ok(members),
        _ => Err(refuse("The body must be a JSON object.".to_owned())),
    }
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

/// A value whose objects have no member twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Strict, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            if members.contains_key(&name) {
                let shown: String = name.chars().take(64).collect();
                return Err(A::Error::custom(format_args!("the member `{shown}` is there twice")));
            }
            let Strict(value) = object.next_value()?;
            members.insert(name, value);
        }
        Ok(members.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
        assert!(parse_object(b"{\"a\":1,\"a\":1}").unwrap_err().message().contains("`a` is there twice"));
        assert!(parse_object(b"{\"a\":{\"a\":null}}\n").is_ok(), "one client ends its bodies in a line feed");
    }

    proptest! {
        #[test]
        fn what_the_plain_parser_reads_is_read_the_same(text in "[\\[\\]{}:,\"a-c0-9.eu\\\\ -]{0,40}") {
            let plain: Result<Map<String, Value>, _> = serde_json::from_str(&text);
            match (parse_object(text.as_bytes()), plain) {
                (Ok(strict), Ok(plain)) => prop_assert_eq!(strict, plain),
                (Err(_), _) => {}
                (Ok(_), Err(error)) => prop_assert!(false, "{error}"),
            }
        }

        #[test]
        fn any_bytes_are_a_body_or_a_refusal(body: Vec<u8>) {
            let _ = parse_object(&body);
        }
    }
}
