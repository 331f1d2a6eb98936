//! How packages, pages and times look on the way out (contract §1.3, §1.4, §3, §4.5, §4.6, §14).
//!
//! Members come in the order of the two samples that the contract is built on. A package made by another door is shown with
//! what there is a word for; what there is none for is left out.

use std::borrow::Cow;

use otaru_core::app::{StoreError, StoredPackage};
use otaru_model::{Integrity, Package, PackageFacts, PackageFile, PackageKind, Verification};

use super::answer::{Record, Value};
use super::call::Call;
use super::error::Failure;
use super::files::SignMethod;
use super::modules;
use crate::wire::time::TimeFormat;

const NAME_CHARACTERS: usize = 40;
/// `Integer` is a signed 32-bit number in every official client, so a larger size has no spelling.
const MAX_INTEGER: u64 = i32::MAX as u64;
/// The key id that download links carry; it says whose signature they have.
pub const LINK_KEY: &str = "aliyun links";

/// The paging parameters of a list, checked.
pub struct Paging {
    pub current_page: i64,
    pub page_size: i64,
}

impl Paging {
    pub fn read(call: &Call<'_>) -> Result<Paging, Failure> {
        Ok(Paging { current_page: call.integer("CurrentPage")?, page_size: call.integer("PageSize")? })
    }

    /// The page's number, counted from zero.
    pub fn number(&self) -> u64 {
        u64::try_from(self.current_page - 1).unwrap_or(0)
    }

    pub fn size(&self) -> u32 {
        u32::try_from(self.page_size).unwrap_or(0)
    }

    pub fn count_of(&self, total: u64) -> u64 {
        total.div_ceil(u64::from(self.size().max(1)))
    }
}

/// A time as `Utc…` fields have it.
pub fn utc(at_ms: i64) -> String {
    TimeFormat::Millis.format(at_ms)
}

/// What a row of ListOTAFirmware is called.
pub const ROW: &str = "SimpleFirmwareInfo";

/// A row of ListOTAFirmware.
pub fn json_row(package: &StoredPackage<'_>) -> Result<String, StoreError> {
    let files = package.files()?;
    Ok(Shape { package: &package.facts, files: &files, details: None }.record().json())
}

/// The same, with its element.
pub fn xml_row(package: &StoredPackage<'_>) -> Result<String, StoreError> {
    let files = package.files()?;
    Ok(Shape { package: &package.facts, files: &files, details: None }.record().xml(ROW))
}

/// The answer of QueryOTAFirmware.
pub fn details<'a>(call: &Call<'_>, package: &'a Package, facts: &'a PackageFacts<'a>) -> Record<'a> {
    Shape { package: facts, files: &package.files, details: Some((call, package)) }.record()
}

/// What ListOTAFirmware and QueryOTAFirmware say alike, and what only the latter says.
struct Shape<'a, 'd> {
    package: &'a PackageFacts<'a>,
    files: &'a [PackageFile],
    details: Option<(&'d Call<'d>, &'d Package)>,
}

impl<'a> Shape<'a, '_> {
    fn record(self) -> Record<'a> {
        let package = self.package;
        let method = sign_method(self.files);
        let single = match self.files {
            [file] => Some(file),
            _ => None,
        };
        let record = Record::new()
            .with("SrcVersion", self.source_version())
            .with_some("FirmwareSign", single.and_then(|file| sign_of(file, method)))
            .with("ProductKey", package.product_key)
            .with("Type", i64::from(package.kind == PackageKind::Delta))
            .with("UtcModified", utc(package.updated_ms))
            .with("SignMethod", method.name())
            .with("UtcCreate", utc(package.created_ms))
            .with_some("FirmwareSize", single.and_then(size_of))
            .with("Status", status(package))
            .with("FirmwareId", super::ids::spell(&package.id))
            .with_some("FirmwareDesc", package.description);
        let record = match self.details {
            Some((call, whole)) => record.with_some("FirmwareUrl", single.and_then(|_| url_of(call, whole, 0))),
            None => record,
        };
        let record = record
            .with("DestVersion", package.version)
            .with("ProductName", package.product_name)
            .with("FirmwareName", package.display_name(NAME_CHARACTERS))
            .with("ModuleName", modules::alias(package.module));
        match self.details {
            None => record,
            Some((call, whole)) => record
                .with_some("Udi", package.custom_info)
                .with("VerifyProgress", verify_progress(package))
                .with_some("MultiFiles", single.is_none().then(|| self.all_files(call, whole, method))),
        }
    }

    /// One version has a place here, so of several it is the first. None at all is `null` in a list and an empty text in the
    /// details.
    fn source_version(&self) -> Value<'a> {
        match (self.package.source_versions.first(), self.details) {
            (Some(first), _) => Value::from(first.as_str()),
            (None, None) => Value::Null,
            (None, Some(_)) => Value::from(""),
        }
    }

    fn all_files(&self, call: &Call<'_>, whole: &Package, method: SignMethod) -> Value<'a> {
        let file = |(position, file): (usize, &'a PackageFile)| {
            Record::new()
                .with("Name", file.name.as_str())
                .with_some("Size", size_of(file))
                .with_some("FileMd5", file.declared_md5.clone().or_else(|| file.md5.map(|md5| md5.to_string())))
                .with_some("SignValue", sign_of(file, method))
                .with_some("Url", url_of(call, whole, position))
        };
        Value::Flat(self.files.iter().enumerate().map(file).collect())
    }
}

/// The method that every signature of the package agrees with: SHA-256 if all files were declared so.
fn sign_method(files: &[PackageFile]) -> SignMethod {
    let is_sha256 =
        |file: &PackageFile| file.declared_sign.as_deref().is_some_and(|sign| SignMethod::Sha256.fits(sign));
    if !files.is_empty() && files.iter().all(is_sha256) { SignMethod::Sha256 } else { SignMethod::Md5 }
}

fn sign_of(file: &PackageFile, method: SignMethod) -> Option<Cow<'_, str>> {
    let declared = [&file.declared_sign, &file.declared_md5].into_iter().flatten().find(|sign| method.fits(sign));
    declared.map(|sign| Cow::Borrowed(sign.as_str())).or_else(|| match method {
        SignMethod::Md5 => file.md5.map(|md5| Cow::Owned(md5.to_string())),
        SignMethod::Sha256 => file.sha256.map(|sha256| Cow::Owned(sha256.to_string())),
    })
}

fn size_of(file: &PackageFile) -> Option<u64> {
    (file.size_bytes <= MAX_INTEGER).then_some(file.size_bytes)
}

fn url_of(call: &Call<'_>, package: &Package, position: usize) -> Option<String> {
    let (link, key_id) = (call.app.link(package, position)?, call.link_key_id);
    Some(format!("{}?Expires={}&OSSAccessKeyId={key_id}&Signature={}", link.url, link.expires_s, link.signature))
}

/// A package whose bytes are not the declared ones is offered to no device, which is what 3 says.
fn status(package: &PackageFacts<'_>) -> i64 {
    match (package.integrity, package.verification) {
        (Integrity::Failed, _) => 3,
        (_, Verification::NotNeeded) => -1,
        (_, Verification::Unverified) => 0,
        (_, Verification::Verified) => 1,
        (_, Verification::Verifying) => 2,
        (_, Verification::Failed) => 3,
    }
}

fn verify_progress(package: &PackageFacts<'_>) -> i64 {
    match package.verification {
        Verification::Verified => 100,
        Verification::NotNeeded | Verification::Unverified | Verification::Verifying | Verification::Failed => 0,
    }
}
