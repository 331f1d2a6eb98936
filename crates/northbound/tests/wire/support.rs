//! Reading the vectors.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use otaru_northbound::wire::RequestHead;
use otaru_northbound::wire::percent::{Text, encode, parse_pairs};
use serde_json::Value;

/// A request as it was recorded.
pub struct Recorded {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
}

impl Recorded {
    /// `headers` is a list of pairs or an object, as the file has it.
    pub fn new(method: &str, target: &str, headers: &Value) -> Self {
        Self { method: method.parse().unwrap(), uri: target.parse().unwrap(), headers: header_map(headers) }
    }

    pub fn head(&self) -> RequestHead<'_> {
        RequestHead::new(&self.method, &self.uri, &self.headers)
    }
}

pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} is not a text in {value}"))
}

pub fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().unwrap_or_else(|| panic!("{name} is not a list"))
}

pub fn header_map(headers: &Value) -> HeaderMap {
    let mut map = HeaderMap::new();
    let mut add = |name: &str, value: &str| {
        map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    };
    match headers {
        Value::Object(headers) => headers.iter().for_each(|(name, value)| add(name, value.as_str().unwrap())),
        Value::Array(headers) => {
            headers.iter().for_each(|pair| add(pair[0].as_str().unwrap(), pair[1].as_str().unwrap()))
        }
        other => panic!("headers are {other}"),
    }
    map
}

/// The pairs of an object of texts, in its order.
pub fn object_pairs(object: &Value) -> Vec<(String, String)> {
    let object = object.as_object().unwrap();
    object.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
}

/// The query that a careful client writes for these pairs.
pub fn to_query(pairs: &[(String, String)]) -> String {
    pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect::<Vec<_>>().join("&")
}

pub fn pairs(raw: &str) -> Vec<(String, String)> {
    parse_pairs(raw.as_bytes(), Text::Strict).unwrap()
}
