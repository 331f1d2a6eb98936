//! A package: a version of a module of a product, and the files that carry it.

use std::borrow::Cow;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Id, Md5, ModuleKind, ModuleName, Sha256};

#[derive(Clone, Debug, PartialEq)]
pub struct Package {
    pub id: Id,
    pub tenant: Id,
    pub space_code: String,
    pub product: Id,
    pub product_code: String,
    pub product_key: String,
    pub product_name: String,
    pub module: ModuleName,
    pub version: String,
    /// The name that was given, if any; see [`default_package_name`].
    pub name: Option<String>,
    pub description: Option<String>,
    /// Text that is handed to devices with the upgrade notice.
    pub custom_info: Option<String>,
    pub kind: PackageKind,
    /// The versions that may be upgraded from; empty means any.
    pub source_versions: Vec<String>,
    pub verification: Verification,
    pub integrity: Integrity,
    /// Why the integrity is what it is, in words for a person.
    pub integrity_note: Option<String>,
    pub files: Vec<PackageFile>,
    pub device_kind: DeviceKind,
    /// The dialect that made the package.
    pub door: String,
    /// Members that a dialect only wants back, under that dialect's name.
    pub extra: Map<String, Value>,
    pub created_ms: i64,
    pub updated_ms: i64,
}

impl Package {
    /// What there is to show of it.
    pub fn facts(&self) -> PackageFacts<'_> {
        PackageFacts {
            id: self.id,
            tenant: self.tenant,
            space_code: &self.space_code,
            product: self.product,
            product_code: &self.product_code,
            product_key: &self.product_key,
            product_name: &self.product_name,
            module: self.module.as_str(),
            version: &self.version,
            name: self.name.as_deref(),
            description: self.description.as_deref(),
            custom_info: self.custom_info.as_deref(),
            kind: self.kind,
            source_versions: Cow::Borrowed(&self.source_versions),
            verification: self.verification,
            integrity: self.integrity,
            integrity_note: self.integrity_note.as_deref(),
            device_type: self.device_kind.device_type.as_deref(),
            model: self.device_kind.model.as_deref(),
            manufacturer: self.device_kind.manufacturer.as_deref(),
            protocol: self.device_kind.protocol.as_deref(),
            date: self.device_kind.date.as_deref(),
            door: &self.door,
            created_ms: self.created_ms,
            updated_ms: self.updated_ms,
        }
    }

    /// The name that was given, else one made from module and version.
    pub fn display_name(&self, max_chars: usize) -> String {
        self.facts().display_name(max_chars).into_owned()
    }
}

/// A package without its files, borrowed from a [`Package`] or from where it is stored: what a list shows need not be owned.
/// The members are those of [`Package`].
#[derive(Clone, Debug)]
pub struct PackageFacts<'a> {
    pub id: Id,
    pub tenant: Id,
    pub space_code: &'a str,
    pub product: Id,
    pub product_code: &'a str,
    pub product_key: &'a str,
    pub product_name: &'a str,
    /// The name of a module.
    pub module: &'a str,
    pub version: &'a str,
    pub name: Option<&'a str>,
    pub description: Option<&'a str>,
    pub custom_info: Option<&'a str>,
    pub kind: PackageKind,
    pub source_versions: Cow<'a, [String]>,
    pub verification: Verification,
    pub integrity: Integrity,
    pub integrity_note: Option<&'a str>,
    pub device_type: Option<&'a str>,
    pub model: Option<&'a str>,
    pub manufacturer: Option<&'a str>,
    pub protocol: Option<&'a str>,
    pub date: Option<&'a str>,
    pub door: &'a str,
    pub created_ms: i64,
    pub updated_ms: i64,
}

impl<'a> PackageFacts<'a> {
    pub fn module_kind(&self) -> ModuleKind {
        ModuleKind::of(self.module)
    }

    /// The name that was given, else one made from module and version, cut to the field's limit.
    pub fn display_name(&self, max_chars: usize) -> Cow<'a, str> {
        match self.name {
            Some(name) => Cow::Borrowed(first_chars(name, max_chars)),
            None => Cow::Owned(default_package_name(self.module, self.version, max_chars)),
        }
    }
}

/// What a package is called where a name is wanted and none was given: `{module}-{version}`, cut to the field's limit.
fn default_package_name(module: &str, version: &str, max_chars: usize) -> String {
    let mut name = format!("{module}-{version}");
    name.truncate(first_chars(&name, max_chars).len());
    name
}

/// The beginning of a text.
fn first_chars(text: &str, most: usize) -> &str {
    // A text has at least as many bytes as characters.
    match text.len() <= most {
        true => text,
        false => text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end]),
    }
}

/// One file of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageFile {
    pub name: String,
    pub size_bytes: u64,
    /// The digests of the stored bytes; absent while a file is still being read in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub md5: Option<Md5>,
    /// What the publisher said the size, the MD5 and the signature are, as it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_md5: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_sign: Option<String>,
}

impl PackageFile {
    /// Why the stored bytes are not what the publisher declared, if they are not. What was not declared fits anything.
    ///
    /// A declared signature of 64 hexadecimal digits is a SHA-256, one of 32 an MD5; of any other form it cannot fit.
    pub fn mismatch(&self) -> Option<String> {
        let (sha256, md5) = (self.sha256?.to_string(), self.md5?.to_string());
        if let Some(declared) = self.declared_bytes.filter(|&declared| declared != self.size_bytes) {
            return Some(format!("{}: declared as {declared} bytes, stored are {}", self.name, self.size_bytes));
        }
        let declared = [(&self.declared_md5, "MD5"), (&self.declared_sign, "signature")];
        for (text, what) in declared {
            let Some(text) = text.as_deref().filter(|text| !text.is_empty()) else { continue };
            let stored = if text.len() == 32 { &md5 } else { &sha256 };
            if !text.eq_ignore_ascii_case(stored) {
                return Some(format!(
                    "{}: the declared {what} is {text}, that of the stored bytes is {stored}",
                    self.name
                ));
            }
        }
        None
    }
}

/// The kind of device that a package is for, in the free words of its descriptor or of its product.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceKind {
    pub device_type: Option<String>,
    pub model: Option<String>,
    pub manufacturer: Option<String>,
    pub protocol: Option<String>,
    /// When the package was made, in any form: it is kept as it was written.
    pub date: Option<String>,
}

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// The word under which the value is stored and shown.
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<$name, String> {
                match text {
                    $($text => Ok($name::$variant),)+
                    other => Err(format!("{other} is none of: {}", [$($text),+].join(", "))),
                }
            }
        }
    };
}

named!(
    /// Whether the files are the whole version or the difference to one source version.
    PackageKind { Full = "full", Delta = "delta" }
);
named!(
    /// Whether the package has proved itself on test devices.
    Verification {
        /// Nobody asks for a proof.
        NotNeeded = "not_needed",
        Unverified = "unverified",
        Verified = "verified",
        Verifying = "verifying",
        Failed = "failed",
    }
);
named!(
    /// Whether the stored bytes are those that the publisher declared. Only a ready package is offered to devices.
    Integrity {
        /// The bytes are still being read in.
        Pending = "pending",
        Ready = "ready",
        /// They differ from what was declared, or changed while they were read.
        Failed = "failed",
    }
);

impl Integrity {
    /// What is to be said of a package's bytes, from what is known of its files, and why.
    pub fn of(files: &[PackageFile]) -> (Integrity, Option<String>) {
        if files.iter().any(|file| file.sha256.is_none()) {
            return (Integrity::Pending, None);
        }
        match files.iter().find_map(PackageFile::mismatch) {
            Some(problem) => (Integrity::Failed, Some(problem)),
            None => (Integrity::Ready, None),
        }
    }
}

/// Which packages a list is of; an absent member lets every package pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackageFilter {
    pub space: Option<Id>,
    pub product: Option<Id>,
    pub kinds: Kinds,
    pub version: Option<String>,
    pub device_type: Option<String>,
    pub model: Option<String>,
    pub manufacturer: Option<String>,
}

/// Which kinds of module a list is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kinds {
    #[default]
    All,
    /// Firmware and software.
    BuiltIn,
    One(ModuleKind),
}
