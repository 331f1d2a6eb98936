//! Packages, which are called firmware here (contract §4.2 to §4.6; §14).

use std::collections::HashSet;

use otaru_core::app::{Claim, CreationRules, NewPackage, PackageChange, PackageQuery, ProductRef};
use otaru_model::{DeviceKind, Id, ModuleName, PackageKind, Page, Verification};
use serde_json::Map;

use super::answer::{Record, Value};
use super::call::Call;
use super::envelope::Format;
use super::error::{Failure, code};
use super::limits::is_name_start;
use super::{DOOR, files, ids, modules, shapes};

/// What has to be unique among the packages of this door.
pub const NAME_CLAIM: &str = "FirmwareName";
pub const VERSION_CLAIM: &str = "DestVersion";

pub async fn create(call: &Call<'_>) -> Result<Record<'static>, Failure> {
    let name = firmware_name(call.text("FirmwareName")?)?;
    let version = call.text("DestVersion")?;
    let product_key = call.text("ProductKey")?;
    let module = match call.optional("ModuleName")? {
        Some(name) => modules::read(name)?,
        None => ModuleName::firmware(),
    };
    let kind = match call.optional_integer("Type")? {
        Some(1) => PackageKind::Delta,
        _ => PackageKind::Full,
    };
    let source_version = source_version(call, kind, version)?;
    let description = call.optional("FirmwareDesc")?.map(str::to_owned);
    let custom_info = call.optional("Udi")?.map(str::to_owned);
    let verification = match call.optional_boolean("NeedToVerify")? {
        Some(false) => Verification::NotNeeded,
        Some(true) | None => Verification::Unverified,
    };
    let claims = vec![
        Claim::of_name(NAME_CLAIM, name),
        Claim::new(VERSION_CLAIM, format!("{product_key}/{}/{version}", module.folded())),
    ];
    let new = NewPackage {
        space_code: None,
        product: ProductRef::Key(product_key.to_owned()),
        module,
        version: version.to_owned(),
        name: Some(name.to_owned()),
        description,
        custom_info,
        kind,
        source_versions: source_version.map(str::to_owned).into_iter().collect(),
        verification,
        device_kind: DeviceKind::default(),
        extra: Map::new(),
        door: DOOR,
        files: files::read(call).await?,
        rules: CreationRules {
            claims,
            max_packages: call.settings.max_packages,
            max_file_bytes: call.settings.max_file_bytes,
            refuse_wrong_bytes: true,
        },
    };
    let package = call.app.create_package(call.caller, new).await?;
    let data =
        Record::new().with("FirmwareId", ids::spell(&package.id)).with("UtcCreate", shapes::utc(package.created_ms));
    Ok(call.success().with("Data", data))
}

pub async fn modify(call: &Call<'_>) -> Result<Record<'static>, Failure> {
    let id = firmware_id(call)?;
    let product_key = call.text("ProductKey")?;
    let name = call.optional("FirmwareName")?.map(firmware_name).transpose()?;
    let udi = match call.optional("FirmwareUdi")? {
        // The contract's own example misspells it.
        None => call.parameters.sent("FirmwareUid").map(|udi| call.check_text("FirmwareUdi", "FirmwareUid", udi)),
        Some(udi) => Some(Ok(udi)),
    };
    let change = PackageChange {
        product: Some(ProductRef::Key(product_key.to_owned())),
        name: name.map(str::to_owned),
        description: call.optional("FirmwareDesc")?.map(str::to_owned),
        custom_info: udi.transpose()?.map(str::to_owned),
        name_claim: Some(NAME_CLAIM),
    };
    call.app.update_package(call.caller, &id, change).await?;
    Ok(call.success())
}

pub async fn delete(call: &Call<'_>) -> Result<Record<'static>, Failure> {
    call.app.delete_package(call.caller, &firmware_id(call)?).await?;
    Ok(call.success())
}

pub async fn list(call: &Call<'_>) -> Result<Record<'static>, Failure> {
    let paging = shapes::Paging::read(call)?;
    let query = PackageQuery {
        // A key that no product has passes no package; the seed speaks of a filter only.
        product: call.parameters.given("ProductKey").map(|key| ProductRef::Key(key.to_owned())),
        version: call.parameters.given("DestVersion").map(str::to_owned),
        ..PackageQuery::all(Page::numbered(paging.number(), paging.size()))
    };
    let show = match call.format {
        Format::Json => shapes::json_row,
        Format::Xml => shapes::xml_row,
    };
    let page = call.app.list_packages_as(call.caller, query, show).await?;
    Ok(Record::new()
        .with("PageCount", paging.count_of(page.total))
        .with("PageSize", paging.page_size)
        .with("RequestId", call.request_id.to_owned())
        .with("FirmwareInfo", Record::new().with(shapes::ROW, Value::Written(page.items)))
        .with("CurrentPage", paging.current_page)
        .with("Success", true)
        .with("Total", page.total))
}

pub async fn query(call: &Call<'_>) -> Result<Record<'static>, Failure> {
    let package = call.app.show_package(call.caller, &firmware_id(call)?).await?;
    Ok(Record::new()
        .with("RequestId", call.request_id)
        .with("FirmwareInfo", shapes::details(call, &package, &package.facts()))
        .with("Success", true)
        .into_owned())
}

/// An id that this server cannot have given is one that it does not know.
fn firmware_id(call: &Call<'_>) -> Result<Id, Failure> {
    let text = call.parameters.given("FirmwareId").unwrap_or_default();
    ids::read(text).ok_or_else(|| Failure::business(code::FIRMWARE_NOT_FOUND, "The specified firmware does not exist."))
}

fn firmware_name(name: &str) -> Result<&str, Failure> {
    if name.starts_with(is_name_start) {
        return Ok(name);
    }
    let message =
        "The parameter FirmwareName must begin with a letter, a digit or a Chinese, Japanese or Korean letter.";
    Err(Failure::business(code::INVALID_FORMATTED_PARAMETER, message))
}

fn source_version<'a>(call: &Call<'a>, kind: PackageKind, version: &str) -> Result<Option<&'a str>, Failure> {
    let source = call.optional("SrcVersion")?;
    match (source, kind) {
        (None, PackageKind::Delta) => Err(Failure::missing("SrcVersion")),
        (Some(source), _) if source == version => Err(Failure::business(
            code::INVALID_FORMATTED_PARAMETER,
            "The parameter SrcVersion must differ from DestVersion.",
        )),
        (source, _) => Ok(source),
    }
}

/// The texts of a list, if one of them occurs twice.
pub fn first_repeated<'a>(texts: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = HashSet::new();
    let mut texts = texts;
    texts.find(|text| !seen.insert(*text))
}
