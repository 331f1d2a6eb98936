//! What the documents say of every value of this dialect (IoTDA contract §2.2, §3.1, §4, §6).
//!
//! Names are `operation.field`; the members of a list have the list's name with `[]`. Optional texts may be empty, mandatory
//! ones have at least one character.

use crate::wire::limits::{Limit, Rule, Set};

/// The types that packages and lists of packages are of.
pub const PACKAGE_TYPES: &[&str] = &["softwarePackage", "firmwarePackage", "modulePackage"];

/// The suffixes that an object must have to be a package. The document lists some twice, as `.gz` and `.tar.gz`.
pub const SUFFIXES: &[&str] =
    &[".bin", ".dav", ".tar", ".gz", ".zip", ".gzip", ".apk", ".tar.gz", ".tar.xz", ".pack", ".exe", ".bat", ".img"];

const PROTOCOLS: &[&str] =
    &["MQTT", "CoAP", "HTTP", "HTTPS", "Modbus", "ONVIF", "OPC-UA", "OPC-DA", "Other", "TCP", "UDP"];

/// `[a-z0-9.-]`
const BUCKET: Set = Set {
    words: "lower-case letters, digits, `-` and `.`",
    contains: |letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '-' | '.'),
    inside: "az09-.",
    outside: "A_ /电",
};

/// Chinese, letters, digits, `_`, `.` and `-`.
const ALIAS: Set = Set {
    words: "Chinese characters, letters, digits, `_`, `.` and `-`",
    contains: |letter| {
        letter.is_ascii_alphanumeric()
            || matches!(letter, '_' | '.' | '-' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
    },
    inside: "aZ9_.-电池",
    outside: " /é€",
};

const fn text(name: &'static str, min: usize, max: usize, set: Set) -> Limit {
    Limit { name, rule: Rule::Text { min, max, set } }
}

const fn integer(name: &'static str, min: i64, max: i64) -> Limit {
    Limit { name, rule: Rule::Integer { min, max } }
}

const fn word(name: &'static str, words: &'static [&'static str]) -> Limit {
    Limit { name, rule: Rule::Word(words) }
}

/// The only way in which values of this dialect are checked.
pub static LIMITS: &[Limit] = &[
    integer("list.limit", 1, 50),
    text("list.marker", 24, 24, Set::HEX),
    integer("list.offset", 0, 500),
    text("path.package_id", 1, 36, Set::DASHED),
    text("path.module_id", 1, 36, Set::DASHED),
    text("path.product_id", 1, 36, Set::WORD),
    text("path.app_id", 1, 36, Set::WORD),
    text("create_package.app_id", 1, 36, Set::WORD),
    word("create_package.package_type", PACKAGE_TYPES),
    text("create_package.product_id", 1, 36, Set::WORD),
    text("create_package.module_name", 1, 64, Set::VERSION),
    text("create_package.version", 1, 256, Set::VERSION),
    Limit { name: "create_package.support_source_versions", rule: Rule::Count { min: 0, max: 20 } },
    // The document gives the members no length: they are versions, so they have a version's.
    text("create_package.support_source_versions[]", 1, 256, Set::VERSION),
    text("create_package.description", 0, 1024, Set::ANY),
    text("create_package.custom_info", 0, 4096, Set::ANY),
    text("create_package.region_name", 1, 256, Set::DASHED),
    text("create_package.bucket_name", 3, 63, BUCKET),
    text("create_package.object_key", 1, 1024, Set::ANY),
    Limit { name: "create_package.object_key suffix", rule: Rule::Suffix(SUFFIXES) },
    word("create_package.sign_method", &["SHA-256", "SHA256"]),
    text("create_package.sign", 64, 64, Set::ALPHANUMERIC),
    text("list_packages.app_id", 1, 36, Set::WORD),
    word("list_packages.package_type", PACKAGE_TYPES),
    text("list_packages.product_id", 1, 36, Set::WORD),
    text("list_packages.version", 1, 256, Set::VERSION),
    text("create_module.app_id", 1, 36, Set::WORD),
    text("create_module.product_id", 1, 36, Set::WORD),
    text("create_module.module_name", 1, 64, Set::VERSION),
    text("create_module.alias_name", 0, 64, ALIAS),
    text("create_module.description", 0, 1024, Set::ANY),
    text("update_module.alias_name", 0, 64, ALIAS),
    text("update_module.description", 0, 1024, Set::ANY),
    text("list_modules.app_id", 1, 36, Set::WORD),
    text("list_modules.product_id", 1, 36, Set::WORD),
    text("space.app_name", 1, 64, Set::ANY),
    word("list_spaces.default_app", &["true", "false"]),
    text("product.app_id", 1, 36, Set::WORD),
    text("product.product_id", 1, 36, Set::WORD),
    text("product.name", 1, 64, Set::ANY),
    text("product.device_type", 1, 32, Set::ANY),
    word("product.protocol_type", PROTOCOLS),
    word("product.data_format", &["json", "binary"]),
    text("product.manufacturer_name", 0, 32, Set::ANY),
    text("product.industry", 0, 64, Set::ANY),
    text("product.description", 0, 128, Set::ANY),
    text("list_products.app_id", 1, 36, Set::WORD),
    text("list_products.product_name", 1, 64, Set::ANY),
    // Ours: the documents of IAM bound these by rules for accounts that are made there.
    text("token.name", 1, 256, Set::ANY),
    text("token.id", 1, 256, Set::ANY),
    text("token.password", 1, 1024, Set::ANY),
    text("projects.name", 1, 256, Set::ANY),
];
