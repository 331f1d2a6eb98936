//! Modules: the parts of a device that are upgraded on their own.

use std::fmt;

use crate::Id;

/// The name of a module within its product. `firmware` and `software` exist in every product.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModuleName(String);

/// The three kinds that dialects tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModuleKind {
    Firmware,
    Software,
    Other,
}

impl ModuleKind {
    pub const ALL: [ModuleKind; 3] = [ModuleKind::Firmware, ModuleKind::Software, ModuleKind::Other];

    /// The kind of a module of that name.
    pub fn of(name: &str) -> ModuleKind {
        match name {
            ModuleName::FIRMWARE => ModuleKind::Firmware,
            ModuleName::SOFTWARE => ModuleKind::Software,
            _ => ModuleKind::Other,
        }
    }

    /// A stable number, for storage.
    pub fn number(self) -> i64 {
        match self {
            ModuleKind::Firmware => 0,
            ModuleKind::Software => 1,
            ModuleKind::Other => 2,
        }
    }

    /// The kind of that number.
    pub fn numbered(number: i64) -> Option<ModuleKind> {
        ModuleKind::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

impl ModuleName {
    pub const FIRMWARE: &'static str = "firmware";
    pub const SOFTWARE: &'static str = "software";

    pub fn firmware() -> ModuleName {
        ModuleName(Self::FIRMWARE.to_owned())
    }

    pub fn software() -> ModuleName {
        ModuleName(Self::SOFTWARE.to_owned())
    }

    /// 1 to 64 letters, digits, `_`, `-` and `.`; names are the same in any letter case.
    pub fn new(name: &str) -> Option<ModuleName> {
        let right = (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
        let built_in =
            [Self::FIRMWARE, Self::SOFTWARE].into_iter().find(|built_in| built_in.eq_ignore_ascii_case(name));
        right.then(|| ModuleName(built_in.unwrap_or(name).to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which two equal names are the same text.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    pub fn kind(&self) -> ModuleKind {
        ModuleKind::of(&self.0)
    }

    /// Whether the module exists in every product and so can be neither made nor deleted.
    pub fn is_built_in(&self) -> bool {
        self.kind() != ModuleKind::Other
    }
}

impl fmt::Display for ModuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A module that was made for a product (the built-in ones have no record).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    pub id: Id,
    pub product: Id,
    /// The codes and names of the product and its space.
    pub product_code: String,
    pub product_key: String,
    pub product_name: String,
    pub space_code: String,
    pub name: ModuleName,
    pub alias: Option<String>,
    pub description: Option<String>,
    pub created_ms: i64,
    pub updated_ms: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_names_are_the_same_in_any_case() {
        assert_eq!(ModuleName::new("Firmware"), Some(ModuleName::firmware()));
        assert_eq!(ModuleName::new("mcu").map(|name| name.kind()), Some(ModuleKind::Other));
    }

    #[test]
    fn names_keep_to_their_characters_and_length() {
        for wrong in ["", "a b", "电池", "a/b", &"x".repeat(65)] {
            assert_eq!(ModuleName::new(wrong), None, "{wrong}");
        }
        assert!(ModuleName::new(&"x".repeat(64)).is_some());
        assert!(ModuleName::new("Mcu_1.0-b").is_some());
    }
}
