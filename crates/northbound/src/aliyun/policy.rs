//! The policy of a form upload: what the form may do and until when, signed by the server for the client to carry (contract
//! §9).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::wire::time::TimeFormat;

/// A policy as this server makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub expires_ms: i64,
    /// The one key that the form may upload to.
    pub key: String,
    pub max_bytes: u64,
}

#[derive(Deserialize)]
struct Document {
    expiration: String,
    conditions: Vec<Value>,
}

impl Policy {
    /// The policy as it stands in a form: JSON in Base64.
    pub fn write(&self) -> String {
        let document = json!({
            "expiration": TimeFormat::Millis.format(self.expires_ms),
            "conditions": [["content-length-range", 0, self.max_bytes], ["eq", "$key", self.key]],
        });
        STANDARD.encode(document.to_string())
    }

    /// Reads a policy. One that this server does not make is none: a condition that is not understood must not be passed over.
    pub fn read(text: &str) -> Option<Policy> {
        let document: Document = serde_json::from_slice(&STANDARD.decode(text).ok()?).ok()?;
        let (mut key, mut max_bytes) = (None, None);
        for condition in &document.conditions {
            match condition.as_array()?.as_slice() {
                [kind, least, most] if kind == "content-length-range" && least.as_u64() == Some(0) => {
                    max_bytes = Some(most.as_u64()?);
                }
                [kind, field, value] if kind == "eq" && field == "$key" => key = Some(value.as_str()?.to_owned()),
                _ => return None,
            }
        }
        Some(Policy { expires_ms: TimeFormat::Millis.parse(&document.expiration)?, key: key?, max_bytes: max_bytes? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_the_documents_json_and_reads_back() {
        let policy =
            Policy { expires_ms: 1_767_323_045_000, key: "ota/ab/CD.bin".to_owned(), max_bytes: 1_048_576_000 };
        let text = policy.write();
        assert_eq!(
            String::from_utf8(STANDARD.decode(&text).unwrap()).unwrap(),
            r#"{"expiration":"2026-01-02T03:04:05.000Z","conditions":[["content-length-range",0,1048576000],["eq","$key","ota/ab/CD.bin"]]}"#
        );
        assert_eq!(Policy::read(&text), Some(policy));
    }

    #[test]
    fn what_is_not_understood_is_no_policy() {
        let read = |text: &str| Policy::read(&STANDARD.encode(text));
        let conditions = r#"["content-length-range",0,9],["eq","$key","k"]"#;
        let with = |expiration: &str, conditions: &str| {
            read(&format!(r#"{{"expiration":"{expiration}","conditions":[{conditions}]}}"#))
        };
        assert!(with("2026-01-02T03:04:05.000Z", conditions).is_some());
        assert_eq!(with("tomorrow", conditions), None);
        assert_eq!(with("2026-01-02T03:04:05.000Z", ""), None);
        assert_eq!(with("2026-01-02T03:04:05.000Z", r#"["eq","$key","k"]"#), None);
        for more in [
            r#"["starts-with","$key","k"]"#,
            r#"{"bucket":"b"}"#,
            r#"["eq","$key",1]"#,
            r#"["content-length-range",1,9]"#,
            "7",
        ] {
            assert_eq!(with("2026-01-02T03:04:05.000Z", &format!("{conditions},{more}")), None, "{more}");
        }
        for text in ["", "{}", "[]", "null"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(Policy::read("not base64!"), None);
    }
}
