//! Answers as trees whose members keep their order, written as JSON or as XML (contract §1.3, §1.4).
//!
//! Both are compact. JSON is raw UTF-8: one of the official clients does not read `\u` escapes, so only what JSON cannot
//! carry otherwise (quotes, backslashes, control characters) is escaped. XML escapes `&`, `<` and `>`, has no attributes and
//! no namespace. A carriage return is written as a character reference, because parsers turn a bare one into a line feed; the
//! characters that XML 1.0 has no way to carry become U+FFFD.

use std::borrow::Cow;

/// A value of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    Integer(i64),
    Boolean(bool),
    /// `null` in JSON, absent in XML.
    Null,
    Record(Record),
    /// A list inside an element that wraps it: an array in JSON, the element repeated in XML.
    List(Vec<Record>),
    /// A list without such an element: an array in JSON; in XML the element wraps others of its own name.
    Flat(Vec<Record>),
}

/// Members in the order in which they are written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record(Vec<(&'static str, Value)>);

impl Record {
    pub fn new() -> Record {
        Record::default()
    }

    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Record {
        self.0.push((name, value.into()));
        self
    }

    /// Adds the member if there is a value; what is not set is not there.
    pub fn with_some(self, name: &'static str, value: Option<impl Into<Value>>) -> Record {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub fn json(&self) -> String {
        let mut out = String::with_capacity(512);
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

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Value {
        Value::Boolean(truth)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Integer(number)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Value {
        Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<Record> for Value {
    fn from(record: Record) -> Value {
        Value::Record(record)
    }
}

fn push_json_record(out: &mut String, record: &Record) {
    out.push('{');
    for (at, (name, value)) in record.0.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        push_json_text(out, name);
        out.push(':');
        match value {
            Value::Text(text) => push_json_text(out, text),
            Value::Integer(number) => out.push_str(&number.to_string()),
            Value::Boolean(truth) => out.push_str(if *truth { "true" } else { "false" }),
            Value::Null => out.push_str("null"),
            Value::Record(record) => push_json_record(out, record),
            Value::List(records) | Value::Flat(records) => push_json_list(out, records),
        }
    }
    out.push('}');
}

fn push_json_list(out: &mut String, records: &[Record]) {
    out.push('[');
    for (at, record) in records.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        push_json_record(out, record);
    }
    out.push(']');
}

fn push_json_text(out: &mut String, text: &str) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

fn push_element(out: &mut String, name: &str, record: &Record) {
    push_tag(out, "<", name);
    for (name, value) in &record.0 {
        match value {
            Value::Text(text) => push_leaf(out, name, &xml_text(text)),
            Value::Integer(number) => push_leaf(out, name, &number.to_string()),
            Value::Boolean(truth) => push_leaf(out, name, if *truth { "true" } else { "false" }),
            Value::Null => {}
            Value::Record(record) => push_element(out, name, record),
            Value::List(records) => records.iter().for_each(|record| push_element(out, name, record)),
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

    fn sample() -> Record {
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
