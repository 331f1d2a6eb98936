//! Packages as they are shown.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use otaru_core::app::{Checked, StoreError, StoredPackage};
use otaru_model::{Id, Package, PackageFacts, PackageFile};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::modules::kind_name;
use super::super::page::time;
use crate::wire::answer::{Json, written};

/// How long a package's name may be, in characters.
const NAME_CHARS: usize = 256;

/// A package.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Package)]
pub struct PackageView<'a> {
    pub id: String,
    /// The code of its space.
    pub space: &'a str,
    /// The code of its product.
    pub product: &'a str,
    pub product_key: &'a str,
    pub product_name: &'a str,
    pub module: &'a str,
    /// `firmware`, `software` or `other`.
    pub module_kind: &'static str,
    pub version: &'a str,
    /// The name that was given, else one made from module and version.
    pub name: Cow<'a, str>,
    #[schema(required = true)]
    pub description: Option<&'a str>,
    /// Text that devices get with the notice of the upgrade.
    #[schema(required = true)]
    pub custom_info: Option<&'a str>,
    /// `full`, or `delta` to one of the source versions.
    pub kind: &'static str,
    /// The versions that may be upgraded from; none means any.
    pub source_versions: &'a [String],
    #[schema(required = true)]
    pub device_type: Option<&'a str>,
    #[schema(required = true)]
    pub model: Option<&'a str>,
    #[schema(required = true)]
    pub manufacturer: Option<&'a str>,
    #[schema(required = true)]
    pub protocol: Option<&'a str>,
    /// When the package was made, as its maker wrote it.
    #[schema(required = true)]
    pub date: Option<&'a str>,
    /// Whether it has proved itself on test devices: `not_needed`, `unverified`, `verifying`, `verified`, `failed`.
    pub verification: &'static str,
    /// `pending` while bytes are read in, `ready` when they are what was declared, `failed` when not: then no device gets it.
    pub integrity: &'static str,
    /// Why the integrity is what it is.
    #[schema(required = true)]
    pub integrity_note: Option<&'a str>,
    /// All files together.
    pub size_bytes: u64,
    pub files: Vec<FileView<'a>>,
    /// The door that the package was made at.
    pub door: &'a str,
    #[schema(format = DateTime)]
    pub created: String,
    #[schema(format = DateTime)]
    pub updated: String,
}

/// A file of a package.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = File)]
pub struct FileView<'a> {
    /// From 0.
    pub position: usize,
    pub name: &'a str,
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
    pub declared_md5: Option<&'a str>,
    /// What the publisher said the signature is: 64 hexadecimal digits are a SHA-256, 32 an MD5.
    #[schema(required = true)]
    pub declared_sign: Option<&'a str>,
}

impl<'a> PackageView<'a> {
    pub fn new(package: &'a PackageFacts<'a>, files: &'a [PackageFile]) -> PackageView<'a> {
        let view_of = |(position, file): (usize, &'a PackageFile)| FileView {
            position,
            name: &file.name,
            size_bytes: file.size_bytes,
            sha256: file.sha256.map(|digest| digest.to_string()),
            md5: file.md5.map(|digest| digest.to_string()),
            declared_size_bytes: file.declared_bytes,
            declared_md5: file.declared_md5.as_deref(),
            declared_sign: file.declared_sign.as_deref(),
        };
        PackageView {
            files: files.iter().enumerate().map(view_of).collect(),
            id: package.id.to_string(),
            name: package.display_name(NAME_CHARS),
            size_bytes: files.iter().map(|file| file.size_bytes).sum(),
            space: package.space_code,
            product: package.product_code,
            product_key: package.product_key,
            product_name: package.product_name,
            module_kind: kind_name(package.module_kind()),
            module: package.module,
            version: package.version,
            description: package.description,
            custom_info: package.custom_info,
            kind: package.kind.name(),
            source_versions: &package.source_versions,
            device_type: package.device_type,
            model: package.model,
            manufacturer: package.manufacturer,
            protocol: package.protocol,
            date: package.date,
            verification: package.verification.name(),
            integrity: package.integrity.name(),
            integrity_note: package.integrity_note,
            door: package.door,
            created: time(package.created_ms),
            updated: time(package.updated_ms),
        }
    }
}

/// A package as an answer.
pub fn answer(package: &Package) -> Response {
    Json(PackageView::new(&package.facts(), &package.files)).into_response()
}

/// A package of a list, and its id, by which the next page is asked for.
pub fn show_listed(package: &StoredPackage<'_>) -> Result<(Id, Vec<u8>), StoreError> {
    Ok((package.facts.id, written(&PackageView::new(&package.facts, &package.files()?))?))
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
