//! Limits: what a dialect's documents say of a value, as data.
//!
//! Each dialect lists its limits in a `LIMITS` table and checks values only through it, so a test can walk the table and try
//! every limit at its edge, below and above, and fails for a limit that it does not know how to try.

static UNKNOWN: Limit = Limit { name: "unknown", rule: Rule::Word(&[]) };

/// One documented limit.
#[derive(Debug)]
pub struct Limit {
    /// Operation and field, such as `create_package.version`.
    pub name: &'static str,
    pub rule: Rule,
}

/// What a value must be.
#[derive(Debug)]
pub enum Rule {
    /// A text of `min` to `max` Unicode characters, all of the set.
    Text { min: usize, max: usize, set: Set },
    /// A whole number.
    Integer { min: i64, max: i64 },
    /// A list of `min` to `max` members.
    Count { min: usize, max: usize },
    /// One of a few words, in exactly this spelling.
    Word(&'static [&'static str]),
    /// A name that ends in one of these, in any letter case.
    Suffix(&'static [&'static str]),
}

/// A set of characters: a test for membership, and two samples that the limits test builds values from.
#[derive(Clone, Copy, Debug)]
pub struct Set {
    /// The set in words, for error messages.
    pub words: &'static str,
    pub contains: fn(char) -> bool,
    pub inside: &'static str,
    pub outside: &'static str,
}

impl Set {
    /// Any character but NUL, which no database column takes.
    pub const ANY: Set = Set {
        words: "any characters but NUL",
        contains: |letter| letter != '\0',
        inside: "aZ9 _-.电池€😀\"<&>'%/\\",
        outside: "\0",
    };
    /// `[A-Za-z0-9_-]`
    pub const WORD: Set = Set {
        words: "letters, digits, `_` and `-`",
        contains: |letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-'),
        inside: "aZ9_-",
        outside: ". /电%é",
    };
    /// `[A-Za-z0-9_.-]`
    pub const VERSION: Set = Set {
        words: "letters, digits, `_`, `-` and `.`",
        contains: |letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.'),
        inside: "aZ9_-.",
        outside: " /电%é+",
    };
    /// `[A-Za-z0-9-]`
    pub const DASHED: Set = Set {
        words: "letters, digits and `-`",
        contains: |letter| letter.is_ascii_alphanumeric() || letter == '-',
        inside: "aZ9-",
        outside: "_. /电",
    };
    /// `[A-Za-z0-9]`
    pub const ALPHANUMERIC: Set = Set {
        words: "letters and digits",
        contains: |letter| letter.is_ascii_alphanumeric(),
        inside: "aZ9",
        outside: "_-. /电",
    };
    /// `[0-9A-Fa-f]`
    pub const HEX: Set = Set {
        words: "hexadecimal digits",
        contains: |letter| letter.is_ascii_hexdigit(),
        inside: "afAF09",
        outside: "gG_ -",
    };
}

impl Limit {
    /// Whether its name is `scope.field`.
    pub fn is_of(&self, scope: &str, field: &str) -> bool {
        self.name.strip_prefix(scope).and_then(|rest| rest.strip_prefix('.')) == Some(field)
    }

    /// Why `text` breaks the limit, in words for a person; nothing if it keeps it.
    pub fn problem(&self, text: &str) -> Option<String> {
        let broken = match &self.rule {
            Rule::Text { min, max, set } => {
                let length = text.chars().count();
                !(*min..=*max).contains(&length) || !text.chars().all(set.contains)
            }
            Rule::Integer { min, max } => !text.parse().is_ok_and(|number: i64| (*min..=*max).contains(&number)),
            Rule::Count { min, max } => !text.parse().is_ok_and(|count: usize| (*min..=*max).contains(&count)),
            Rule::Word(words) => !words.contains(&text),
            Rule::Suffix(suffixes) => {
                let lower = text.to_ascii_lowercase();
                !suffixes.iter().any(|suffix| lower.ends_with(suffix))
            }
        };
        broken.then(|| self.expectation())
    }

    /// Why a list of `count` members breaks the limit.
    pub fn count_problem(&self, count: usize) -> Option<String> {
        self.problem(&count.to_string())
    }

    /// What would be right.
    pub fn expectation(&self) -> String {
        match &self.rule {
            Rule::Text { min, max, set } if min == max => format!("must be {max} {}", set.words),
            Rule::Text { min, max, set } => format!("must be {min} to {max} {}", set.words),
            Rule::Integer { min, max } => format!("must be a whole number from {min} to {max}"),
            Rule::Count { min, max } => format!("must have {min} to {max} members"),
            Rule::Word(words) => format!("must be one of {}", words.join(", ")),
            Rule::Suffix(suffixes) => format!("must end in one of {}", suffixes.join(", ")),
        }
    }
}

/// The limit of a field in an operation, or of another place that has limits: `scope.field`.
pub fn limit_of(table: &'static [Limit], scope: &str, field: &str) -> &'static Limit {
    table.iter().find(|limit| limit.is_of(scope, field)).unwrap_or(&UNKNOWN)
}

/// The limit of that name. A name that is not in the table breaks every value, which the limits test shows at once.
pub fn limit(table: &'static [Limit], name: &str) -> &'static Limit {
    table.iter().find(|limit| limit.name == name).unwrap_or(&UNKNOWN)
}
