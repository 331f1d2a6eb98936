//! Answers as trees whose members keep their order, written as JSON or as XML (contract §1.3, §1.4).
//!
//! Both are compact. JSON is raw UTF-8: one of the official clients does not read `\u` escapes, so only what JSON cannot
//! carry otherwise (quotes, backslashes, control characters) is escaped. XML escapes `&`, `<` and `>`, has no attributes and
//! no namespace. A carriage return is written as a character reference, because parsers turn a bare one into a line feed; the
//! characters that XML 1.0 has no way to carry become U+FFFD.

use std::borrow::Cow;
use std::fmt::Write;

/// A value of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    Text(Cow<'a, str>),
    Integer(i64),
    Boolean(bool),
    /// `null` in JSON, absent in XML.
    Null,
    Record(Record<'a>),
    /// A list inside an element that wraps it: an array in JSON, the element repeated in XML.
    List(Vec<Record<'a>>),
    /// Such a list, each member of which is written already, in the answer's format and for XML with its element.
    Written(Vec<String>),
    /// A list without such an element: an array in JSON; in XML the element wraps others of its own name.
    Flat(Vec<Record<'a>>),
}

/// Members in the order in which they are written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record<'a>(Vec<(&'static str, Value<'a>)>);

/// How many members the longest records have.
const MEMBERS: usize = 20;

impl<'a> Record<'a> {
    pub fn new() -> Record<'a> {
        Record(Vec::with_capacity(MEMBERS))
    }

    pub fn with(mut self, name: &'static str, value: impl Into<Value<'a>>) -> Record<'a> {
        self.0.push((name, value.into()));
        self
    }

    /// The same, which outlives what it was made of.
    pub fn into_owned(self) -> Record<'static> {
        Record(self.0.into_iter().map(|(name, value)| (name, value.into_owned())).collect())
    }

    /// Adds the member if there is a value; what is not set is not there.
    pub fn with_some(self, name: &'static str, value: Option<impl Into<Value<'a>>>) -> Record<'a> {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub fn json(&self) -> String {
        let mut out = String::with_capacity(1024);
        push_json_record(&mut out, self);
        out
    }

    /// The record as the element `root`.
    pub fn xml(&self, root: &str) -> String {
        let mut out = String::with_capacity(512);
        push_element(&mut out, root, self);
        out
    }
}

impl Value<'_> {
    fn into_owned(self) -> Value<'static> {
        let owned = |records: Vec<Record<'_>>| records.into_iter().map(Record::into_owned).collect();
        match self {
            Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Value::Integer(number) => Value::Integer(number),
            Value::Boolean(truth) => Value::Boolean(truth),
            Value::Null => Value::Null,
            Value::Record(record) => Value::Record(record.into_owned()),
            Value::List(records) => Value::List(owned(records)),
            Value::Written(members) => Value::Written(members),
            Value::Flat(records) => Value::Flat(owned(records)),
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Value<'a> {
        Value::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Text(Cow::Owned(text))
    }
}

impl<'a> From<Cow<'a, str>> for Value<'a> {
    fn from(text: Cow<'a, str>) -> Value<'a> {
        Value::Text(text)
    }
}

impl From<bool> for Value<'_> {
    fn from(truth: bool) -> Self {
        Value::Boolean(truth)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Integer(number)
    }
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl<'a> From<Record<'a>> for Value<'a> {
    fn from(record: Record<'a>) -> Value<'a> {
        Value::Record(record)
    }
}

fn push_json_record(out: &mut String, record: &Record<'_>) {
    out.push('{');
    for (at, (name, value)) in record.0.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        // Names are words of the contract, with nothing to escape.
        out.push('"');
        out.push_str(name);
        out.push_str("\":");
        match value {
            Value::Text(text) => push_json_text(out, text),
            // Writing to a text never fails.
            Value::Integer(number) => write!(out, "{number}").unwrap_or_default(),
            Value::Boolean(truth) => out.push_str(if *truth { "true" } else { "false" }),
            Value::Null => out.push_str("null"),
            Value::Record(record) => push_json_record(out, record),
            Value::List(records) | Value::Flat(records) => push_json_list(out, records, push_json_record),
            Value::Written(members) => push_json_list(out, members, |out, member| out.push_str(member)),
        }
    }
    out.push('}');
}

fn push_json_list<T>(out: &mut String, members: &[T], push: impl Fn(&mut String, &T)) {
    out.push('[');
    for (at, member) in members.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        push(out, member);
    }
    out.push(']');
}

fn push_json_text(out: &mut String, text: &str) {
    let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if text.bytes().all(is_plain) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::Value::from(text).to_string());
    }
}

fn push_element(out: &mut String, name: &str, record: &Record<'_>) {
    push_tag(out, "<", name);
    for (name, value) in &record.0 {
        match value {
            Value::Text(text) => push_leaf(out, name, &xml_text(text)),
            Value::Integer(number) => push_leaf(out, name, &number.to_string()),
            Value::Boolean(truth) => push_leaf(out, name, if *truth { "true" } else { "false" }),
            Value::Null => {}
            Value::Record(record) => push_element(out, name, record),
            Value::List(records) => records.iter().for_each(|record| push_element(out, name, record)),
            Value::Written(members) => members.iter().for_each(|member| out.push_str(member)),
            Value::Flat(records) => {
                push_tag(out, "<", name);
                records.iter().for_each(|record| push_element(out, name, record));
                push_tag(out, "</", name);
            }
        }
    }
    push_tag(out, "</", name);
}

fn push_leaf(out: &mut String, name: &str, escaped: &str) {
    push_tag(out, "<", name);
    out.push_str(escaped);
    push_tag(out, "</", name);
}

fn push_tag(out: &mut String, open: &str, name: &str) {
    out.push_str(open);
    out.push_str(name);
    out.push('>');
}

fn xml_text(text: &str) -> Cow<'_, str> {
    let special = |letter: char| {
        matches!(letter, '&' | '<' | '>' | '\u{fffe}' | '\u{ffff}') || (letter < ' ' && !matches!(letter, '\t' | '\n'))
    };
    if !text.contains(special) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#13;"),
            other if special(other) => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Record<'static> {
        Record::new()
            .with("Text", "电池 \"<&>' \\")
            .with("Empty", "")
            .with("Null", Value::Null)
            .with_some("Unset", None::<&str>)
            .with("Info", Record::new().with("Item", Value::List(vec![Record::new().with("N", 1_i64), Record::new()])))
            .with("Files", Value::Flat(vec![Record::new().with("N", 2_i64), Record::new().with("N", 3_i64)]))
            .with("None", Record::new().with("Item", Value::List(Vec::new())))
            .with("Success", true)
    }

    #[test]
    fn json_is_compact_raw_and_in_order() {
        assert_eq!(
            sample().json(),
            r#"{"Text":"电池 \"<&>' \\","Empty":"","Null":null,"Info":{"Item":[{"N":1},{}]},"Files":[{"N":2},{"N":3}],"None":{"Item":[]},"Success":true}"#
        );
    }

    #[test]
    fn xml_repeats_wrapped_lists_and_nests_flat_ones() {
        assert_eq!(
            sample().xml("R"),
            "<R><Text>电池 \"&lt;&amp;&gt;' \\</Text><Empty></Empty><Info><Item><N>1</N></Item><Item></Item></Info>\
             <Files><Files><N>2</N></Files><Files><N>3</N></Files></Files><None></None><Success>true</Success></R>"
        );
    }

    #[test]
    fn xml_carries_what_it_can_and_marks_what_it_cannot() {
        assert_eq!(xml_text("a\tb\nc\rd\u{1}e\u{ffff}f\u{7f}"), "a\tb\nc&#13;d\u{fffd}e\u{fffd}f\u{7f}");
    }

    proptest::proptest! {
        #[test]
        fn both_spellings_read_back_as_the_same_text(text in "[^\0-\u{8}\u{b}\u{c}\u{e}-\u{1f}\u{fffe}\u{ffff}]{0,60}") {
            let record = Record::new().with("T", text.as_str());
            let json: serde_json::Value = serde_json::from_str(&record.json()).unwrap();
            proptest::prop_assert_eq!(json["T"].as_str(), Some(text.as_str()));
            let xml = record.xml("R");
            let inner = xml.strip_prefix("<R><T>").and_then(|rest| rest.strip_suffix("</T></R>")).unwrap();
            proptest::prop_assert_eq!(quick_xml::escape::unescape(inner).unwrap(), text);
        }
    }
}
