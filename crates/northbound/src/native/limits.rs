//! The limits of our own API, as data: the decoder checks with them, the OpenAPI document shows them, a test walks them.
//!
//! A name is `Schema.member` for bodies, `operation.parameter` or, where a parameter means the same everywhere,
//! `query.parameter`. `[]` stands for the members of a list.

use crate::wire::limits::{Limit, Rule, Set};

/// The largest whole number that every JSON reader keeps exactly.
pub const MAX_INTEGER: i64 = (1 << 53) - 1;

/// Text on one line.
const LINE: Set = Set {
    words: "characters, none of them a control character",
    contains: |letter| !letter.is_control(),
    inside: "aZ9 _-.电池€😀\"<&>'%/\\",
    outside: "\0\n\t\u{7f}\u{85}",
};
/// A file's name, which is never a path.
const FILE_NAME: Set = Set {
    words: "characters, none of them `/`, `\\` or a control character",
    contains: |letter| !letter.is_control() && !matches!(letter, '/' | '\\'),
    inside: "aZ9 _-.电池€😀\"<&>'%",
    outside: "/\\\0\n\u{7f}",
};
/// A secret that stands in a header.
const GRAPHIC: Set = Set {
    words: "printable ASCII characters without spaces",
    contains: |letter| letter.is_ascii_graphic(),
    inside: "aZ9_-./+=!~:",
    outside: " \0\n\u{7f}电é",
};
/// A bucket's name.
const BUCKET: Set = Set {
    words: "lower-case letters, digits, `-` and `.`",
    contains: |letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '-' | '.'),
    inside: "az09-.",
    outside: "A_ /电",
};

const fn text(name: &'static str, min: usize, max: usize, set: Set) -> Limit {
    Limit { name, rule: Rule::Text { min, max, set } }
}

const fn word(name: &'static str, words: &'static [&'static str]) -> Limit {
    Limit { name, rule: Rule::Word(words) }
}

const fn integer(name: &'static str, min: i64, max: i64) -> Limit {
    Limit { name, rule: Rule::Integer { min, max } }
}

const fn count(name: &'static str, min: usize, max: usize) -> Limit {
    Limit { name, rule: Rule::Count { min, max } }
}

pub const ROLES: &[&str] = &["admin", "publisher", "operator", "viewer"];
pub const KINDS: &[&str] = &["full", "delta"];
pub const MODULE_KINDS: &[&str] = &["firmware", "software", "other"];

pub static LIMITS: &[Limit] = &[
    text("NewTenant.name", 1, 64, Set::VERSION),
    word("NewKey.role", ROLES),
    text("NewKey.label", 0, 128, Set::ANY),
    text("NewKey.id", 4, 64, Set::VERSION),
    text("NewKey.secret", 16, 128, GRAPHIC),
    integer("Rotation.grace_s", 0, 30 * 86_400),
    word("NewTemporaryKey.role", ROLES),
    integer("NewTemporaryKey.lifetime_s", 60, 43_200),
    integer("NewToken.lifetime_s", 60, 86_400),
    text("NewSpace.name", 1, 64, Set::ANY),
    text("NewSpace.code", 1, 36, Set::WORD),
    text("SpaceChange.name", 1, 64, Set::ANY),
    text("NewProduct.name", 1, 64, Set::ANY),
    text("NewProduct.space", 1, 36, Set::WORD),
    text("NewProduct.code", 1, 36, Set::WORD),
    text("NewProduct.key", 11, 11, Set::ALPHANUMERIC),
    text("NewProduct.device_type", 0, 256, Set::ANY),
    text("NewProduct.model", 0, 256, Set::ANY),
    text("NewProduct.manufacturer", 0, 256, Set::ANY),
    text("NewProduct.protocol", 0, 32, Set::ANY),
    text("NewProduct.description", 0, 1024, Set::ANY),
    text("ProductChange.name", 1, 64, Set::ANY),
    text("ProductChange.device_type", 0, 256, Set::ANY),
    text("ProductChange.model", 0, 256, Set::ANY),
    text("ProductChange.manufacturer", 0, 256, Set::ANY),
    text("ProductChange.protocol", 0, 32, Set::ANY),
    text("ProductChange.description", 0, 1024, Set::ANY),
    text("NewModule.name", 1, 64, Set::VERSION),
    text("NewModule.alias", 0, 64, Set::ANY),
    text("NewModule.description", 0, 1024, Set::ANY),
    text("ModuleChange.alias", 0, 64, Set::ANY),
    text("ModuleChange.description", 0, 1024, Set::ANY),
    text("NewPackage.product", 1, 36, Set::WORD),
    text("NewPackage.space", 1, 36, Set::WORD),
    text("NewPackage.module", 1, 64, Set::VERSION),
    text("NewPackage.version", 1, 256, LINE),
    text("NewPackage.name", 1, 256, Set::ANY),
    text("NewPackage.description", 0, 1024, Set::ANY),
    text("NewPackage.custom_info", 0, 4096, Set::ANY),
    word("NewPackage.kind", KINDS),
    count("NewPackage.source_versions", 0, 20),
    text("NewPackage.source_versions[]", 1, 256, LINE),
    text("NewPackage.device_type", 0, 256, Set::ANY),
    text("NewPackage.model", 0, 256, Set::ANY),
    text("NewPackage.manufacturer", 0, 256, Set::ANY),
    text("NewPackage.protocol", 0, 32, Set::ANY),
    text("NewPackage.date", 0, 64, Set::ANY),
    count("NewPackage.files", 1, 20),
    text("NewFile.upload", 1, 64, Set::ALPHANUMERIC),
    text("NewFile.name", 1, 255, FILE_NAME),
    integer("NewFile.size_bytes", 0, MAX_INTEGER),
    text("NewFile.md5", 32, 32, Set::HEX),
    text("NewFile.sha256", 64, 64, Set::HEX),
    text("ObjectSource.region", 1, 64, Set::WORD),
    text("ObjectSource.bucket", 3, 63, BUCKET),
    text("ObjectSource.key", 1, 1024, Set::ANY),
    text("PackageChange.name", 1, 256, Set::ANY),
    text("PackageChange.description", 0, 1024, Set::ANY),
    text("PackageChange.custom_info", 0, 4096, Set::ANY),
    integer("query.limit", 1, 500),
    text("query.cursor", 1, 128, Set::WORD),
    text("query.space", 1, 36, Set::WORD),
    text("query.product", 1, 36, Set::WORD),
    text("query.module", 1, 64, Set::VERSION),
    word("query.module_kind", MODULE_KINDS),
    text("query.version", 1, 256, LINE),
    text("query.device_type", 0, 256, Set::ANY),
    text("query.model", 0, 256, Set::ANY),
    text("query.manufacturer", 0, 256, Set::ANY),
    text("query.file_name", 1, 255, FILE_NAME),
    text("query.description", 0, 1024, Set::ANY),
    text("query.custom_info", 0, 4096, Set::ANY),
    word("query.kind", KINDS),
    count("query.source_versions", 0, 20),
    text("query.source_versions[]", 1, 256, LINE),
    text("query.protocol", 0, 32, Set::ANY),
    text("query.date", 0, 64, Set::ANY),
    text("query.md5", 32, 32, Set::HEX),
    text("query.sha256", 64, 64, Set::HEX),
    text("list_products.name", 1, 64, Set::ANY),
    text("push_package.name", 1, 256, Set::ANY),
];

/// The limit of a member; for a query's parameter its own one or the one that it shares with other operations.
pub fn limit_of(scope: &str, member: &str) -> &'static Limit {
    let named = |scope: &str| LIMITS.iter().find(|limit| limit.is_of(scope, member));
    named(scope).or_else(|| named("query")).unwrap_or_else(|| crate::wire::limits::limit(LIMITS, member))
}

/// A set as an ECMA-262 character class, for the OpenAPI document. A test keeps it true to the set.
pub fn class_of(set: &Set) -> &'static str {
    match set.words {
        words if words == Set::WORD.words => "[A-Za-z0-9_-]",
        words if words == Set::VERSION.words => "[A-Za-z0-9_.-]",
        words if words == Set::DASHED.words => "[A-Za-z0-9-]",
        words if words == Set::ALPHANUMERIC.words => "[A-Za-z0-9]",
        words if words == Set::HEX.words => "[0-9A-Fa-f]",
        words if words == LINE.words => r"[^\x00-\x1f\x7f-\x9f]",
        words if words == FILE_NAME.words => r"[^\x00-\x1f\x7f-\x9f/\\]",
        words if words == GRAPHIC.words => "[!-~]",
        words if words == BUCKET.words => "[a-z0-9.-]",
        _ => r"[^\x00]",
    }
}
