//! What names, numbers and counts may be at this door. Where S3 and OBS differ, the laxer limit holds.

use crate::wire::limits::{Limit, Rule, Set, limit};

const BUCKET: Set = Set {
    words: "lower-case letters, digits, `-` and `.`",
    contains: |letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '-' | '.'),
    inside: "az09-.",
    outside: "AZ_ /电%",
};

/// A key is a name and no path, so `..`, `//` and a leading `/` mean nothing and are kept. Control characters and the two
/// non-characters cannot be written in XML 1.0, and one such key would make every listing of its bucket unreadable.
pub const KEY: Set = Set {
    words: "bytes of UTF-8 without control characters",
    contains: |letter| !letter.is_control() && !matches!(letter, '\u{fffe}' | '\u{ffff}'),
    inside: "aZ9 _-.电池€😀\"<&>'%/\\+*?#",
    outside: "\0\u{1}\t\n\r\u{1f}\u{7f}\u{85}\u{fffe}",
};

pub static LIMITS: &[Limit] = &[
    Limit { name: "bucket.name", rule: Rule::Text { min: 3, max: 63, set: BUCKET } },
    Limit { name: "key.characters", rule: Rule::Text { min: 1, max: 1024, set: KEY } },
    Limit { name: "key.bytes", rule: Rule::Integer { min: 1, max: 1024 } },
    // S3 allows 2 KiB, OBS 8 KiB: names and values together.
    Limit { name: "metadata.bytes", rule: Rule::Integer { min: 0, max: 8192 } },
    Limit { name: "list.max_keys", rule: Rule::Integer { min: 0, max: i32::MAX as i64 } },
    Limit { name: "delete.objects", rule: Rule::Count { min: 1, max: 1000 } },
    Limit { name: "part.number", rule: Rule::Integer { min: 1, max: 10_000 } },
    // S3 wants 5 MiB, OBS 100 KiB; the last part may be shorter.
    Limit { name: "part.bytes", rule: Rule::Integer { min: 100 << 10, max: 5 << 30 } },
    Limit { name: "complete.parts", rule: Rule::Count { min: 1, max: 10_000 } },
    // A week, in seconds, for signature version 4; versions 2 and OBS name the end itself.
    Limit { name: "presigned.expires", rule: Rule::Integer { min: 1, max: 604_800 } },
];

/// How many entries one page of a listing has at most; asking for more is allowed.
pub const PAGE_MAX: usize = 1000;

/// Why `value` breaks the limit of that name, in words; nothing if it keeps it.
pub fn problem(name: &str, value: impl ToString) -> Option<String> {
    limit(LIMITS, name).problem(&value.to_string())
}

/// Why a bucket cannot have this name.
pub fn bucket_name_problem(name: &str) -> Option<String> {
    let edge_is_wrong = |edge: Option<&u8>| !edge.is_some_and(u8::is_ascii_alphanumeric);
    let shape = "must begin and end with a letter or digit, have no `..`, and be no IP address";
    let broken = edge_is_wrong(name.as_bytes().first())
        || edge_is_wrong(name.as_bytes().last())
        || name.contains("..")
        || name.parse::<std::net::IpAddr>().is_ok();
    problem("bucket.name", name).or_else(|| broken.then(|| shape.to_owned()))
}

/// Why an object cannot have this key.
pub fn key_problem(key: &str) -> Option<String> {
    problem("key.characters", key).or_else(|| problem("key.bytes", key.len()))
}
