//! Version packages: listed, shown, deleted. They are made elsewhere: this API has no upload.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use otaru_core::app::{Caller, PackageQuery};
use otaru_model::{Id, Kinds, ModuleKind, Package, Page};
use serde::Serialize;

use super::fields::Fields;
use super::limits::{check, number, optional};
use super::{Application, Door, Failure};
use crate::wire::time::TimeFormat;

/// The documents give no limit for a package's name; this is the one of all their other texts.
const NAME_CHARS: usize = 256;

/// A version package. Members and their order are the documents'; all of them are always there, as strings.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VersionPackage {
    file_id: String,
    name: String,
    version: String,
    file_type: &'static str,
    device_type: String,
    model: String,
    manufacturer_name: String,
    protocol_type: String,
    description: String,
    /// Free text, as the package's descriptor has it.
    date: String,
    upload_time: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PackageList {
    data: Vec<VersionPackage>,
    page_no: i64,
    page_size: i64,
    total_count: u64,
}

type FileId = Result<Path<String>, PathRejection>;

pub(super) async fn list(
    State(door): State<Arc<Door>>,
    Application(caller): Application,
    RawQuery(query): RawQuery,
) -> Result<Json<PackageList>, Failure> {
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
    let found = door.app.list_packages(&caller, query).await?;
    let data = found.items.iter().filter_map(VersionPackage::of).collect();
    Ok(Json(PackageList { data, page_no, page_size, total_count: found.total }))
}

pub(super) async fn show(
    State(door): State<Arc<Door>>,
    Application(caller): Application,
    file_id: FileId,
) -> Result<Json<VersionPackage>, Failure> {
    let (_, package) = door.package(&caller, file_id).await?;
    Ok(Json(package))
}

pub(super) async fn delete(
    State(door): State<Arc<Door>>,
    Application(caller): Application,
    file_id: FileId,
) -> Result<StatusCode, Failure> {
    let (id, _) = door.package(&caller, file_id).await?;
    door.app.delete_package(&caller, &id).await?;
    Ok(StatusCode::OK)
}

impl Door {
    /// The package of that fileId, if this dialect has words for it.
    async fn package(&self, caller: &Caller, file_id: FileId) -> Result<(Id, VersionPackage), Failure> {
        let file_id = file_id.map(|Path(text)| text).unwrap_or_default();
        let text = check("category.fileId", &file_id)?;
        // A fileId of the right form that is not one of ours names a package that does not exist.
        let id = text.parse().map_err(|_| Failure::NoSuchPackage)?;
        let package = self.app.show_package(caller, &id).await?;
        Ok((id, VersionPackage::of(&package).ok_or(Failure::NoSuchPackage)?))
    }
}

impl VersionPackage {
    /// Nothing for a package of a module that this dialect has no word for.
    fn of(package: &Package) -> Option<VersionPackage> {
        let file_type = match package.module.kind() {
            ModuleKind::Firmware => "firmwarePackage",
            ModuleKind::Software => "softwarePackage",
            ModuleKind::Other => return None,
        };
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let kind = &package.device_kind;
        Some(VersionPackage {
            file_id: package.id.to_string(),
            name: package.display_name(NAME_CHARS),
            version: package.version.clone(),
            file_type,
            device_type: text(&kind.device_type),
            model: text(&kind.model),
            manufacturer_name: text(&kind.manufacturer),
            protocol_type: text(&kind.protocol),
            description: text(&package.description),
            date: text(&kind.date),
            upload_time: TimeFormat::Compact.format(package.created_ms),
        })
    }
}
