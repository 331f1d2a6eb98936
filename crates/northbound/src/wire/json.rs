//! JSON bodies, read strictly: one object, no member twice, nesting bounded. Each dialect has its own words for what is wrong.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// As many letters of a name as are shown.
const SHOWN_LETTERS: usize = 64;

/// Why a body is no object that can be taken. The texts have no capital and no full stop; all but the last say where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON, not UTF-8, broken off, or more than one value.
    #[error("{0}")]
    Syntax(String),
    /// Readers differ in which of the two they take.
    #[error("there are two members `{member}` at line {line} column {column}")]
    Twice { member: String, line: usize, column: usize },
    #[error("values are nested more than {limit} deep at line {line} column {column}")]
    TooDeep { limit: usize, line: usize, column: usize },
    /// Holds what it is instead.
    #[error("it is {0}")]
    NotAnObject(&'static str),
}

/// Reads the object that a body is, whose values are nested at most `max_depth` deep, the object itself included.
///
/// # Errors
///
/// [`JsonError`].
pub fn read_object(body: &[u8], max_depth: usize) -> Result<Map<String, Value>, JsonError> {
    let fault = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(body);
    let node = Node { room: max_depth, fault: &fault };
    let read = node.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    let value = read.map_err(|error| {
        let (line, column) = (error.line(), error.column());
        match fault.take() {
            Some(Fault::Twice(member)) => JsonError::Twice { member, line, column },
            Some(Fault::TooDeep) => JsonError::TooDeep { limit: max_depth, line, column },
            None => JsonError::Syntax(error.to_string()),
        }
    })?;
    match value {
        Value::Object(members) => Ok(members),
        other => Err(JsonError::NotAnObject(type_name(&other))),
    }
}

/// What kind of value it is, in words.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// What the parser itself has no word for.
enum Fault {
    Twice(String),
    TooDeep,
}

/// One value, with room for so many levels.
#[derive(Clone, Copy)]
struct Node<'f> {
    room: usize,
    fault: &'f RefCell<Option<Fault>>,
}

impl Node<'_> {
    fn refuse<E: serde::de::Error>(self, fault: Fault) -> E {
        self.fault.replace(Some(fault));
        // The words come with the fault.
        E::custom("")
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.room.checked_sub(1) {
            Some(room) => Ok(Node { room, ..self }),
            None => Err(self.refuse(Fault::TooDeep)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
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
        let (node, mut values) = (self.deeper()?, Vec::new());
        while let Some(value) = list.next_element_seed(node)? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let (node, mut members) = (self.deeper()?, Map::new());
        while let Some(name) = object.next_key::<String>()? {
            if members.contains_key(&name) {
                return Err(self.refuse(Fault::Twice(name.chars().take(SHOWN_LETTERS).collect())));
            }
            let value = object.next_value_seed(node)?;
            members.insert(name, value);
        }
        Ok(members.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(body: &str) -> String {
        read_object(body.as_bytes(), 16).unwrap_err().to_string()
    }

    #[test]
    fn only_one_whole_object_is_a_body() {
        for (body, problem) in [
            ("", "EOF while parsing a value at line 1 column 0"),
            ("{", "EOF while parsing an object at line 1 column 1"),
            ("{} {}", "trailing characters at line 1 column 4"),
            ("[]", "it is a list"),
            ("null", "it is null"),
            ("{\"a\":1,\"a\":1}", "there are two members `a` at line 1 column 10"),
            ("{\"o\":{\"a\":1,\"\\u0061\":2}}", "there are two members `a` at line 1 column 20"),
        ] {
            assert_eq!(error(body), problem, "{body}");
        }
        assert!(matches!(read_object(b"{\"a\":\"\xff\"}", 16), Err(JsonError::Syntax(_))));
        assert!(read_object(b"{\"a\":{\"a\":null}}\n", 16).is_ok(), "one client ends its bodies in a line feed");
    }

    #[test]
    fn nesting_has_a_bound() {
        let nested = |lists: usize| format!("{{\"a\":{}1{}}}", "[".repeat(lists), "]".repeat(lists));
        assert!(read_object(nested(15).as_bytes(), 16).is_ok());
        assert_eq!(error(&nested(16)), "values are nested more than 16 deep at line 1 column 21");
        assert!(
            matches!(read_object(nested(200).as_bytes(), 1000), Err(JsonError::Syntax(_))),
            "the parser has one too"
        );
    }

    #[test]
    fn a_long_name_is_shown_in_part() {
        let name = "n".repeat(1000);
        let Err(JsonError::Twice { member, .. }) = read_object(format!("{{\"{name}\":1,\"{name}\":2}}").as_bytes(), 16)
        else {
            panic!("a member is there twice");
        };
        assert_eq!(member.len(), SHOWN_LETTERS);
    }

    proptest! {
        #[test]
        fn what_the_plain_parser_reads_is_read_the_same(text in "[\\[\\]{}:,\"a-c0-9.eu\\\\ -]{0,40}") {
            let plain: Result<Map<String, Value>, _> = serde_json::from_str(&text);
            match (read_object(text.as_bytes(), 128), plain) {
                (Ok(strict), Ok(plain)) => prop_assert_eq!(strict, plain),
                (Err(_), _) => {}
                (Ok(_), Err(error)) => prop_assert!(false, "{error}"),
            }
        }

        #[test]
        fn any_bytes_are_a_body_or_a_refusal(body: Vec<u8>) {
            let _ = read_object(&body, 16);
        }
    }
}
