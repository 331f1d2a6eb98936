//! Packages as they are shown.

use otaru_core::app::Checked;
use otaru_model::Package;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::modules::kind_name;
use super::super::page::time;

/// How long a package's name may be, in characters.
const NAME_CHARS: usize = 256;

/// A package.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Package)]
pub struct PackageView {
    pub id: String,
    /// The code of its space.
    pub space: String,
    /// The code of its product.
    pub product: String,
    pub product_key: String,
    pub product_name: String,
    pub module: String,
    /// `firmware`, `software` or `other`.
    pub module_kind: &'static str,
    pub version: String,
    /// The name that was given, else one made from module and version.
    pub name: String,
    #[schema(required = true)]
    pub description: Option<String>,
    /// Text that devices get with the notice of the upgrade.
    #[schema(required = true)]
    pub custom_info: Option<String>,
    /// `full`, or `delta` to one of the source versions.
    pub kind: &'static str,
    /// The versions that may be upgraded from; none means any.
    pub source_versions: Vec<String>,
    #[schema(required = true)]
    pub device_type: Option<String>,
    #[schema(required = true)]
    pub model: Option<String>,
    #[schema(required = true)]
    pub manufacturer: Option<String>,
    #[schema(required = true)]
    pub protocol: Option<String>,
    /// When the package was made, as its maker wrote it.
    #[schema(required = true)]
    pub date: Option<String>,
    /// Whether it has proved itself on test devices: `not_needed`, `unverified`, `verifying`, `verified`, `failed`.
    pub verification: &'static str,
    /// `pending` while bytes are read in, `ready` when they are what was declared, `failed` when not: then no device gets it.
    pub integrity: &'static str,
    /// Why the integrity is what it is.
    #[schema(required = true)]
    pub integrity_note: Option<String>,
    /// All files together.
    pub size_bytes: u64,
    pub files: Vec<FileView>,
    /// The door that the package was made at.
    pub door: String,
    #[schema(format = DateTime)]
    pub created: String,
    #[schema(format = DateTime)]
    pub updated: String,
}

/// A file of a package.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = File)]
pub struct FileView {
    /// From 0.
    pub position: usize,
    pub name: String,
    pub size_bytes: u64,
    /// Of the stored bytes; null while they are read in.
    #[schema(required = true)]
    pub sha256: Option<String>,
    #[schema(required = true)]
    pub md5: Option<String>,
    /// What the publisher said the size is.
    #[schema(required = true)]
    pub declared_size_bytes: Option<u64>,
    #[schema(required = true)]
    pub declared_md5: Option<String>,
    /// What the publisher said the signature is: 64 hexadecimal digits are a SHA-256, 32 an MD5.
    #[schema(required = true)]
    pub declared_sign: Option<String>,
}

impl From<Package> for PackageView {
    fn from(package: Package) -> PackageView {
        let files = package.files.iter().enumerate().map(|(position, file)| FileView {
            position,
            name: file.name.clone(),
            size_bytes: file.size_bytes,
            sha256: file.sha256.map(|digest| digest.to_string()),
            md5: file.md5.map(|digest| digest.to_string()),
            declared_size_bytes: file.declared_bytes,
            declared_md5: file.declared_md5.clone(),
            declared_sign: file.declared_sign.clone(),
        });
        PackageView {
            files: files.collect(),
            id: package.id.to_string(),
            name: package.display_name(NAME_CHARS),
            size_bytes: package.size_bytes(),
            space: package.space_code,
            product: package.product_code,
            product_key: package.product_key,
            product_name: package.product_name,
            module_kind: kind_name(package.module.kind()),
            module: package.module.to_string(),
            version: package.version,
            description: package.description,
            custom_info: package.custom_info,
            kind: package.kind.name(),
            source_versions: package.source_versions,
            device_type: package.device_kind.device_type,
            model: package.device_kind.model,
            manufacturer: package.device_kind.manufacturer,
            protocol: package.device_kind.protocol,
            date: package.device_kind.date,
            verification: package.verification.name(),
            integrity: package.integrity.name(),
            integrity_note: package.integrity_note,
            door: package.door,
            created: time(package.created_ms),
            updated: time(package.updated_ms),
        }
    }
}

/// What a verification found.
#[derive(Serialize, ToSchema)]
pub struct PackageCheck {
    /// Whether every file is what it should be.
    pub is_intact: bool,
    pub files: Vec<FileCheck>,
}

impl From<Vec<Checked>> for PackageCheck {
    fn from(checked: Vec<Checked>) -> PackageCheck {
        let file = |(position, checked): (usize, Checked)| FileCheck {
            position,
            name: checked.file,
            is_intact: checked.problem.is_none(),
            problem: checked.problem,
        };
        let files: Vec<FileCheck> = checked.into_iter().enumerate().map(file).collect();
        PackageCheck { is_intact: files.iter().all(|file| file.is_intact), files }
    }
}

/// What a verification found of one file.
#[derive(Serialize, ToSchema)]
pub struct FileCheck {
    pub position: usize,
    pub name: String,
    pub is_intact: bool,
    /// What is wrong with the file.
    #[schema(required = true)]
    pub problem: Option<String>,
}

/// Links to the files of a package.
#[derive(Serialize, ToSchema)]
pub struct PackageLinks {
    pub files: Vec<FileLink>,
}

/// A link to one file. Who has it needs no key.
#[derive(Serialize, ToSchema)]
pub struct FileLink {
    pub position: usize,
    pub name: String,
    pub size_bytes: u64,
    #[schema(required = true)]
    pub sha256: Option<String>,
    pub url: String,
    #[schema(format = DateTime)]
    pub expires: String,
}
