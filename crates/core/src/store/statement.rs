//! A statement: one SQL text for both databases, with `$1`, `$2` … for its parameters.

use std::sync::OnceLock;

/// SQL that is written once. SQLite reads `$1` as a *name*, numbered by first appearance, so for it the text is rewritten to `?1`;
/// and since it has one writer, a lock at a statement's end is left out.
#[derive(Debug)]
pub struct Statement {
    name: &'static str,
    text: std::borrow::Cow<'static, str>,
    sqlite: OnceLock<String>,
}

impl Statement {
    pub const fn new(text: &'static str) -> Statement {
        Statement::named("UNNAMED", text)
    }

    /// A statement under the name that the log tells it by.
    pub const fn named(name: &'static str, text: &'static str) -> Statement {
        Statement { name, text: std::borrow::Cow::Borrowed(text), sqlite: OnceLock::new() }
    }

    /// A statement put together from parts, once, and kept for good by its owner.
    pub fn composed(name: &'static str, text: String) -> Statement {
        Statement { name, text: std::borrow::Cow::Owned(text), sqlite: OnceLock::new() }
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn sqlite_text(&self) -> &str {
        self.sqlite.get_or_init(|| {
            const LOCKS: [&str; 4] = [" FOR UPDATE", " FOR NO KEY UPDATE", " FOR SHARE", " FOR KEY SHARE"];
            let unlocked = LOCKS.iter().find_map(|lock| self.text.strip_suffix(lock)).unwrap_or(&self.text);
            unlocked.replace('$', "?")
        })
    }
}

/// Declares the statements of a noun and lists them in `ALL`, so that a test can prepare every one on both databases.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $text:expr;)+) => {
        $($(#[$doc])* static $name: $crate::store::Statement = $crate::store::Statement::named(
            // The file it stands in is its noun.
            concat!(module_path!(), "::", stringify!($name)), $text,
        );)+
        /// Every statement of this file.
        pub(super) static ALL: &[&$crate::store::Statement] = &[$(&$name),+];
    };
}
pub(crate) use statements;

/// Every statement of the store that is not composed at run time, and every form of those that are.
pub fn all() -> Vec<&'static Statement> {
    let mut all = Vec::new();
    for list in [
        super::access::ALL,
        super::counts::ALL,
        super::milestones::ALL,
        super::modules::ALL,
        super::objects::ALL,
        super::packages::ALL,
        super::products::ALL,
        super::sessions::ALL,
        super::settings::ALL,
        super::spaces::ALL,
        super::tenants::ALL,
        super::uploads::ALL,
    ] {
        all.extend_from_slice(list);
    }
    all.extend(super::package_lists::composed());
    all
}
