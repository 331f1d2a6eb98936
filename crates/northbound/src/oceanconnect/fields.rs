//! Named values of a query, a form or a JSON body, read as real clients write them.
//!
//! Queries begin with a stray `&`, bodies carry `null` for what is not set. What is empty or `null` is absent, and members
//! that nobody asks for are not looked at. Of a name that comes twice the first counts.

use serde_json::Value;

use super::Failure;
use crate::wire::percent::{Text, parse_pairs};

#[derive(Debug)]
pub(super) struct Fields(Vec<(String, Value)>);

impl Fields {
    /// From a query or a form.
    pub(super) fn from_pairs(raw: &[u8]) -> Result<Fields, Failure> {
        let pairs = parse_pairs(raw, Text::Strict).map_err(|error| Failure::bad_request(error.to_string()))?;
        Ok(Fields(pairs.into_iter().map(|(name, value)| (name, Value::String(value))).collect()))
    }

    /// From the text of a JSON object.
    pub(super) fn from_json(raw: &[u8]) -> Result<Fields, Failure> {
        match serde_json::from_slice(raw) {
            Ok(Value::Object(members)) => Ok(Fields(members.into_iter().collect())),
            Ok(_) | Err(_) => Err(Failure::bad_request("the body is not a JSON object")),
        }
    }

    pub(super) fn get(&self, name: &str) -> Result<Option<&str>, Failure> {
        match self.0.iter().find(|(field, _)| field == name) {
            None | Some((_, Value::Null)) => Ok(None),
            Some((_, Value::String(text))) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(_) => Err(Failure::bad_request(format!("{name}: must be a string"))),
        }
    }

    /// The value under a second name by which clients call it, if it is not there under the first.
    pub(super) fn rename(mut self, from: &str, to: &str) -> Fields {
        let there = self.0.iter().any(|(field, _)| field == to);
        if let Some((field, _)) = self.0.iter_mut().find(|(field, _)| !there && field == from) {
            *field = to.to_owned();
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(fields: &Fields, name: &str) -> Option<String> {
        fields.get(name).unwrap().map(str::to_owned)
    }

    #[test]
    fn a_query_is_read_as_real_clients_write_it() {
        let query = Fields::from_pairs(b"&fileType=softwarePackage&&model=&pageNo=0&pageNo=1&x=%C3%A9+b").unwrap();
        assert_eq!(get(&query, "fileType").as_deref(), Some("softwarePackage"));
        assert_eq!(get(&query, "model"), None, "an empty value is an absent one");
        assert_eq!(get(&query, "pageNo").as_deref(), Some("0"), "the first counts");
        assert_eq!(get(&query, "x").as_deref(), Some("é b"));
    }

    #[test]
    fn a_body_may_say_null_and_more_than_was_asked_for() {
        let body = Fields::from_json(br#"{"a":"1","b":null,"c":7,"d":{"e":[]}}"#).unwrap();
        assert_eq!(get(&body, "a").as_deref(), Some("1"));
        assert_eq!((get(&body, "b"), get(&body, "z")), (None, None));
        assert_eq!(body.get("c"), Err(Failure::bad_request("c: must be a string")));
    }

    #[test]
    fn what_is_not_text_and_what_is_no_object_is_refused() {
        for raw in [&b"a=%ff"[..], b"a=%00", b"\xff=1"] {
            assert!(Fields::from_pairs(raw).is_err(), "{raw:?}");
        }
        for raw in [&b""[..], b"[]", b"null", b"\"a\"", b"{\"a\":\"1\"", b"{\"a\":\"\xff\"}"] {
            assert!(Fields::from_json(raw).is_err(), "{raw:?}");
        }
    }

    #[test]
    fn a_second_name_counts_only_without_the_first() {
        let renamed = |raw: &[u8]| get(&Fields::from_pairs(raw).unwrap().rename("old", "new"), "new");
        assert_eq!(renamed(b"old=1").as_deref(), Some("1"));
        assert_eq!(renamed(b"old=1&new=2").as_deref(), Some("2"));
        assert_eq!(renamed(b"new=2&old=1").as_deref(), Some("2"));
        assert_eq!(renamed(b"other=1"), None);
    }
}
