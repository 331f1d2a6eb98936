//! Strict decoding: every member is known, comes once, has the right type and keeps its limit; an error names the member.

use std::collections::BTreeSet;
use std::fmt;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use http::header;
use http::request::Parts;
use jiff::Timestamp;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::error::{Kind, Problem};
use super::limits::limit_of;
use crate::wire::body;

/// No request of ours needs more; package files stream and are not counted here.
pub const MAX_BODY_BYTES: usize = 256 << 10;
const MAX_DEPTH: usize = 16;

/// A request's body or query as a door wants it.
pub trait Decode: Sized {
    /// The schema's name, or for queries the operation's; limits are found under it.
    const SCOPE: &'static str;
    /// Every member there is.
    const MEMBERS: &'static [&'static str];

    fn decode(given: &mut Members) -> Result<Self, Problem>;
}

/// A JSON body.
pub struct Json<T>(pub T);

impl<T: Decode, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        check_media_type(&parts)?;
        let map = parse(&read(body).await?)?;
        Members::check(T::SCOPE, T::MEMBERS, String::new(), map, false)
            .and_then(|mut given| T::decode(&mut given))
            .map(Json)
    }
}

/// The parameters behind the `?`.
pub struct Query<T>(pub T);

impl<T: Decode, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut map = Map::new();
        for (name, value) in form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
            let value = Value::String(value.into_owned());
            match map.get_mut(name.as_ref()) {
                None => drop(map.insert(name.into_owned(), Value::Array(vec![value]))),
                Some(Value::Array(values)) => values.push(value),
                Some(_) => {}
            }
        }
        Members::check(T::SCOPE, T::MEMBERS, String::new(), map, true)
            .and_then(|mut given| T::decode(&mut given))
            .map(Query)
    }
}

/// Segments of the path. One that cannot even be text names nothing.
pub struct Segments<T>(pub T);

impl<T: serde::de::DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segments<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(segments)) => Ok(Segments(segments)),
            Err(_) => Err(Problem::new(Kind::NotFound, "the path is not UTF-8 text")),
        }
    }
}

fn check_media_type(parts: &Parts) -> Result<(), Problem> {
    let Some(given) = parts.headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let essence = given.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if matches!(essence.as_str(), "application/json" | "application/merge-patch+json") {
        return Ok(());
    }
    let detail = format!("the body must be application/json, not {essence}");
    Err(Problem::new(Kind::UnsupportedMediaType, detail).at("Content-Type"))
}

async fn read(body: Body) -> Result<bytes::Bytes, Problem> {
    body::collect(body, MAX_BODY_BYTES).await.map_err(|error| match error {
        body::BodyError::TooLong(limit) => {
            Problem::new(Kind::TooLarge, format!("a JSON body has at most {limit} bytes"))
        }
        body::BodyError::Broken => Problem::new(Kind::Malformed, "the body broke off"),
    })
}

/// Reads an object, refusing members that come twice and nesting that no request of ours has.
fn parse(bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    let malformed = |error: serde_json::Error| {
        let text = error.to_string();
        let what = if error.is_data() { "the body is refused" } else { "the body is not JSON" };
        let problem = Problem::new(Kind::Malformed, format!("{what}: {text}"));
        match text.strip_prefix(TWICE).and_then(|rest| rest.split('`').next()) {
            Some(member) => problem.at(member),
            None => problem,
        }
    };
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Node { depth: 0 }.deserialize(&mut reader).map_err(malformed)?;
    reader.end().map_err(malformed)?;
    match value {
        Value::Object(map) => Ok(map),
        other => Err(Problem::new(Kind::Malformed, format!("the body must be a JSON object, not {}", type_of(&other)))),
    }
}

const TWICE: &str = "there are two members `";

#[derive(Clone, Copy)]
struct Node {
    depth: usize,
}

impl Node {
    fn deeper<E: serde::de::Error>(self) -> Result<Node, E> {
        if self.depth < MAX_DEPTH {
            return Ok(Node { depth: self.depth + 1 });
        }
        Err(E::custom(format_args!("values are nested more than {MAX_DEPTH} deep")))
    }
}

impl<'de> DeserializeSeed<'de> for Node {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node {
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

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let (node, mut values) = (self.deeper()?, Vec::new());
        while let Some(value) = sequence.next_element_seed(node)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let (node, mut map) = (self.deeper()?, Map::new());
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(node)?;
            if map.contains_key(&name) {
                return Err(A::Error::custom(format_args!("{TWICE}{name}`")));
            }
            map.insert(name, value);
        }
        Ok(Value::Object(map))
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
    fn check(
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
        Problem::invalid(&field, format!("{field} must be {wanted}, not {}", type_of(given)))
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

    /// What a PATCH says of a text: nothing, that it goes (null), or what it shall be.
    pub fn change(&mut self, name: &str) -> Result<Option<Option<String>>, Problem> {
        if self.values.get(name).is_none() {
            return Ok(None);
        }
        self.text(name).map(Some)
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

/// `1.0` is a whole number too.
fn whole(number: &serde_json::Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9e15)?;
        #[expect(clippy::cast_possible_truncation, reason = "whole, and far inside the range")]
        Some(float as i64)
    })
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
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
    fn near_names_are_found_and_far_ones_are_not() {
        let known = ["name", "description", "custom_info", "source_versions"];
        assert_eq!(nearest("nmae", &known), Some("name"));
        assert_eq!(nearest("customInfo", &known), Some("custom_info"));
        assert_eq!(nearest("source-version", &known), Some("source_versions"));
        assert_eq!(nearest("colour", &known), None);
    }

    #[test]
    fn bodies_are_refused_for_what_is_wrong_with_them() {
        let problem = |text: &str| parse(text.as_bytes()).err().map(|problem| problem.detail).unwrap_or_default();
        assert!(problem("").starts_with("the body is not JSON: EOF"));
        assert!(problem("{\"a\":1,}").contains("line 1 column 8"));
        assert!(problem("{} {}").starts_with("the body is not JSON: trailing"));
        assert!(problem("[]").contains("must be a JSON object, not a list"));
        assert!(problem("{\"a\":1,\"a\":1}").contains("two members `a`"));
        assert!(problem("{\"b\":{\"a\":1,\"a\":1}}").contains("two members `a`"));
        assert!(problem(&format!("{{\"a\":{}1{}}}", "[".repeat(15), "]".repeat(15))).is_empty());
        assert!(problem(&format!("{{\"a\":{}1{}}}", "[".repeat(16), "]".repeat(16))).contains("16 deep"));
        assert!(problem("{\"a\":\"\\ud800\"}").starts_with("the body is not JSON"));
        assert_eq!(parse(b"{\"a\":1,\"a\":2}").err().and_then(|problem| problem.field), Some("a".to_owned()));
    }

    #[test]
    fn whole_numbers_may_be_written_with_a_fraction_of_nothing() {
        let number = |text: &str| serde_json::from_str::<serde_json::Number>(text).ok().and_then(|n| whole(&n));
        assert_eq!(number("5"), Some(5));
        assert_eq!(number("5.0"), Some(5));
        assert_eq!(number("5.5"), None);
        assert_eq!(number("1e300"), None);
    }
}
