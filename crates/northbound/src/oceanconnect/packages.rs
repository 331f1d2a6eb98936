//! Version packages: listed, shown, deleted. They are made elsewhere: this API has no upload.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use otaru_core::app::{Caller, PackageQuery, StoreError, StoredPackage};
use otaru_model::{Id, Kinds, ModuleKind, Package, PackageFacts, Page};
use serde::Serialize;

use super::fields::Fields;
use super::limits::{check, number, optional};
use super::{Application, Door, Failure};
use crate::wire::answer::{Json, Listing, written};
use crate::wire::time::TimeFormat;

/// The documents give no limit for a package's name; this is the one of all their other texts.
const NAME_CHARS: usize = 256;

/// A version package. Members and their order are the documents'; all of them are always there, as strings.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VersionPackage<'a> {
    file_id: Id,
    name: Cow<'a, str>,
    version: &'a str,
    file_type: &'static str,
    device_type: &'a str,
    model: &'a str,
    manufacturer_name: &'a str,
    protocol_type: &'a str,
    description: &'a str,
    /// Free text, as the package's descriptor has it.
    date: &'a str,
    upload_time: String,
}

/// What a list says behind its packages.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListRest {
    page_no: i64,
    page_size: i64,
    total_count: u64,
}

type FileId = Result<Path<String>, PathRejection>;

pub(super) async fn list(
    State(door): State<Arc<Door>>,
    Application(caller): Application,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    // The documents' own template of the address misspells the manufacturer.
    let query = Fields::from_pairs(query.unwrap_or_default().as_bytes())?.rename("manufactureName", "manufacturerName");
    let text = |name| Ok::<_, Failure>(optional(name, &query)?.map(str::to_owned));
    let kinds = match optional("list.fileType", &query)? {
        Some("firmwarePackage") => Kinds::One(ModuleKind::Firmware),
        Some(_) => Kinds::One(ModuleKind::Software),
        None => Kinds::BuiltIn,
    };
    let (device_type, model) = (text("list.deviceType")?, text("list.model")?);
    let (manufacturer, version) = (text("list.manufacturerName")?, text("list.version")?);
    let (page_no, page_size) = (number("list.pageNo", &query, 0)?, number("list.pageSize", &query, 10)?);
    let page = Page::numbered(page_no.unsigned_abs(), u32::try_from(page_size).unwrap_or(u32::MAX));
    let query = PackageQuery { kinds, version, device_type, model, manufacturer, ..PackageQuery::all(page) };
    let found = door.app.list_packages_as(&caller, query, show_listed).await?;
    let members: Vec<_> = found.items.into_iter().flatten().collect();
    let rest = ListRest { page_no, page_size, total_count: found.total };
    Ok(Listing { name: "data", members: &members, rest }.into_response())
}

pub(super) async fn show(
    State(door): State<Arc<Door>>,
    Application(caller): Application,
    file_id: FileId,
) -> Result<Response, Failure> {
    let package = door.package(&caller, file_id).await?;
    let view = VersionPackage::of(&package.facts()).map(|view| Json(view).into_response());
    view.ok_or(Failure::NoSuchPackage)
}

pub(super) async fn delete(
    State(door): State<Arc<Door>>,
    Application(caller): Application,
    file_id: FileId,
) -> Result<StatusCode, Failure> {
    let package = door.package(&caller, file_id).await?;
    door.app.delete_package(&caller, &package.id).await?;
    Ok(StatusCode::OK)
}

impl Door {
    /// The package of that fileId, if this dialect has words for it.
    async fn package(&self, caller: &Caller, file_id: FileId) -> Result<Package, Failure> {
        let file_id = file_id.map(|Path(text)| text).unwrap_or_default();
        let text = check("category.fileId", &file_id)?;
        // A fileId of the right form that is not one of ours names a package that does not exist.
        let id = text.parse().map_err(|_| Failure::NoSuchPackage)?;
        let package = self.app.show_package(caller, &id).await?;
        if file_type(package.module.kind()).is_none() {
            return Err(Failure::NoSuchPackage);
        }
        Ok(package)
    }
}

/// The word for a kind of module; there is none for modules of a product's own.
fn file_type(kind: ModuleKind) -> Option<&'static str> {
    match kind {
        ModuleKind::Firmware => Some("firmwarePackage"),
        ModuleKind::Software => Some("softwarePackage"),
        ModuleKind::Other => None,
    }
}

fn show_listed(package: &StoredPackage<'_>) -> Result<Option<Vec<u8>>, StoreError> {
    VersionPackage::of(&package.facts).map(|view| written(&view)).transpose()
}

impl<'a> VersionPackage<'a> {
    /// Nothing for a package of a module that this dialect has no word for.
    fn of(package: &PackageFacts<'a>) -> Option<VersionPackage<'a>> {
        Some(VersionPackage {
            file_id: package.id,
            name: package.display_name(NAME_CHARS),
            version: package.version,
            file_type: file_type(package.module_kind())?,
            device_type: package.device_type.unwrap_or_default(),
            model: package.model.unwrap_or_default(),
            manufacturer_name: package.manufacturer.unwrap_or_default(),
            protocol_type: package.protocol.unwrap_or_default(),
            description: package.description.unwrap_or_default(),
            date: package.date.unwrap_or_default(),
            upload_time: TimeFormat::Compact.format(package.created_ms),
        })
    }
}
