//! Upgrade packages: create, list, show, delete (contract §3; both seeds).

use axum::response::IntoResponse;
use otaru_core::app::{
    CreationRules, Error, FileSource, NewFile, NewPackage, Noun, PackageQuery, ProductRef, StoreError, StoredPackage,
};
use otaru_model::{DeviceKind, Id, Kinds, ModuleKind, ModuleName, Package, PackageFacts, PackageKind, Verification};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::call::Call;
use super::error::{NO_PACKAGE, PACKAGE_FORMAT, Refusal, in_body};
use super::json::Fields;
use super::limits::LIMITS;
use super::query::{PageView, page_view};
use super::response::{Answer, created, gone, ok};
use super::{DOOR, Settings};
use crate::wire::answer::{Listing, written};
use crate::wire::limits::limit;
use crate::wire::time::TimeFormat;

const FIRMWARE: &str = "firmwarePackage";
const SOFTWARE: &str = "softwarePackage";
const MODULE: &str = "modulePackage";

pub async fn create(call: Call) -> Answer {
    let members = call.body()?;
    let body = Fields::new("create_package", &members);
    let (new, location) = decode(&body, &call.door.settings)?;
    let package = call.app.create_package(&call.caller, new).await.map_err(|error| location.explain(error))?;
    Ok(created(PackageView::whole(&package, &package.facts())))
}

pub async fn list(call: Call) -> Answer {
    let query = decode_query(&call)?;
    let page = call.app.list_packages_as(&call.caller, query, show_listed).await?;
    let rest = ListRest { page: page_view(&page, |(id, _)| *id) };
    let members: Vec<_> = page.items.into_iter().map(|(_, package)| package).collect();
    Ok(Listing { name: "packages", members: &members, rest }.into_response())
}

pub async fn show(call: Call) -> Answer {
    let package = call.app.show_package(&call.caller, &call.id("package_id", &NO_PACKAGE)?).await?;
    Ok(ok(PackageView::whole(&package, &package.facts())))
}

pub async fn delete(call: Call) -> Answer {
    call.app.delete_package(&call.caller, &call.id("package_id", &NO_PACKAGE)?).await?;
    Ok(gone())
}

/// What is to be made, and where its file is. Members are checked in the document's order.
fn decode(body: &Fields<'_>, settings: &Settings) -> Result<(NewPackage, Location), Refusal> {
    let app_id = body.text("app_id")?;
    let package_type = body.text("package_type")?;
    let product_id = body.text("product_id")?;
    let module = module_of(body, package_type)?;
    let version = body.text("version")?;
    let source_versions = body.texts_opt("support_source_versions")?.unwrap_or_default();
    let description = body.owned_opt("description")?;
    let custom_info = body.owned_opt("custom_info")?;
    let location = Location::decode(body)?;
    let new = NewPackage {
        space_code: Some(app_id.to_owned()),
        product: ProductRef::Code(product_id.to_owned()),
        module,
        version: version.to_owned(),
        name: None,
        description,
        custom_info,
        // A package with source versions is still a whole one: this dialect has no word for a difference.
        kind: PackageKind::Full,
        source_versions,
        verification: Verification::NotNeeded,
        device_kind: DeviceKind::default(),
        extra: location.extra(),
        door: DOOR,
        files: vec![location.file()],
        rules: CreationRules {
            claims: Vec::new(),
            max_packages: None,
            max_file_bytes: settings.max_object_bytes,
            refuse_wrong_bytes: settings.refuse_wrong_sign,
        },
    };
    Ok((new, location))
}

/// The module that a package type and a module name stand for.
fn module_of(body: &Fields<'_>, package_type: &str) -> Result<ModuleName, Refusal> {
    let name = body.text_opt("module_name")?;
    match (package_type, name) {
        (FIRMWARE, None) => Ok(ModuleName::firmware()),
        (SOFTWARE, None) => Ok(ModuleName::software()),
        (MODULE, None) => Err(body.refuse("module_name", format!("is missing: the package_type is {MODULE}."))),
        (MODULE, Some(name)) => match ModuleName::new(name).filter(|module| !module.is_built_in()) {
            Some(module) => Ok(module),
            None => Err(body.refuse("module_name", format!("{name} is no OTA module of this product."))),
        },
        _ => Err(body.refuse("module_name", format!("goes with the package_type {MODULE} only."))),
    }
}

/// Where the object of a package is, in the client's words.
struct Location {
    region_name: String,
    bucket_name: String,
    object_key: String,
    sign_method: Option<String>,
    sign: Option<String>,
}

impl Location {
    fn decode(body: &Fields<'_>) -> Result<Location, Refusal> {
        let obs = body.object("file_location")?.object("obs_location")?;
        let location = Location {
            region_name: obs.text("region_name")?.to_owned(),
            bucket_name: obs.text("bucket_name")?.to_owned(),
            object_key: obs.text("object_key")?.to_owned(),
            sign_method: obs.owned_opt("sign_method")?,
            sign: obs.owned_opt("sign")?,
        };
        if let Some(problem) = limit(LIMITS, "create_package.object_key suffix").problem(&location.object_key) {
            let why = format!("file_location.obs_location.object_key {problem}.");
            return Err(Refusal::new(&PACKAGE_FORMAT, why));
        }
        Ok(location)
    }

    fn file(&self) -> NewFile {
        NewFile {
            source: FileSource::Object {
                region: self.region_name.clone(),
                bucket: self.bucket_name.clone(),
                key: self.object_key.clone(),
            },
            name: None,
            declared_bytes: None,
            declared_md5: None,
            declared_sign: self.sign.clone(),
        }
    }

    /// A bucket that there is not has no object either; that a bucket may not be read is said of the stores of other regions.
    fn explain(&self, error: Error) -> Refusal {
        match error {
            Error::NotFound { noun: Noun::Bucket, name } if name == self.bucket_name => {
                in_body(Error::not_found(Noun::Object, format!("{} in the bucket {name}", self.object_key)))
            }
            other => in_body(other),
        }
    }

    /// The location as it is to be shown again: what was sent, in the document's order.
    fn extra(&self) -> Map<String, Value> {
        let mut obs = Map::new();
        obs.insert("region_name".to_owned(), self.region_name.as_str().into());
        obs.insert("bucket_name".to_owned(), self.bucket_name.as_str().into());
        obs.insert("object_key".to_owned(), self.object_key.as_str().into());
        for (name, text) in [("sign_method", &self.sign_method), ("sign", &self.sign)] {
            if let Some(text) = text {
                obs.insert(name.to_owned(), text.as_str().into());
            }
        }
        let mut extra = Map::new();
        extra.insert(DOOR.to_owned(), json!({ "file_location": { "obs_location": obs } }));
        extra
    }
}

fn decode_query(call: &Call) -> Result<PackageQuery, Refusal> {
    const OPERATION: &str = "list_packages";
    let query = &call.query;
    let package_type = match query.text_opt(OPERATION, "package_type")? {
        None if !call.door.settings.list_without_package_type => Some(query.text(OPERATION, "package_type")?),
        sent => sent,
    };
    let kinds = match package_type {
        Some(FIRMWARE) => Kinds::One(ModuleKind::Firmware),
        Some(SOFTWARE) => Kinds::One(ModuleKind::Software),
        Some(_) => Kinds::One(ModuleKind::Other),
        None => Kinds::All,
    };
    Ok(PackageQuery {
        space_code: query.owned_opt(OPERATION, "app_id")?,
        product: query.owned_opt(OPERATION, "product_id")?.map(ProductRef::Code),
        kinds,
        version: query.owned_opt(OPERATION, "version")?,
        ..PackageQuery::all(query.page()?)
    })
}

/// What a list says behind its packages.
#[derive(Serialize)]
struct ListRest {
    page: PageView,
}

/// A package of a list, and its id, by which the next page is asked for.
fn show_listed(package: &StoredPackage<'_>) -> Result<(Id, Vec<u8>), StoreError> {
    Ok((package.facts.id, written(&PackageView::listed(&package.facts))?))
}

/// A package in the document's words and order. What was never said is not shown.
#[derive(Serialize)]
struct PackageView<'a> {
    package_id: Id,
    app_id: &'a str,
    package_type: &'static str,
    product_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    product_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    module_name: Option<&'a str>,
    version: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    support_source_versions: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_info: Option<&'a str>,
    create_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_location: Option<&'a Value>,
}

impl<'a> PackageView<'a> {
    /// As lists show it: without its file.
    fn listed(package: &'a PackageFacts<'a>) -> PackageView<'a> {
        let (package_type, module_name) = match package.module_kind() {
            ModuleKind::Firmware => (FIRMWARE, None),
            ModuleKind::Software => (SOFTWARE, None),
            ModuleKind::Other => (MODULE, Some(package.module)),
        };
        PackageView {
            package_id: package.id,
            app_id: package.space_code,
            package_type,
            product_id: package.product_code,
            product_name: package.product_name,
            module_name,
            version: package.version,
            support_source_versions: &package.source_versions,
            description: package.description,
            custom_info: package.custom_info,
            create_time: TimeFormat::Compact.format(package.created_ms),
            file_location: None,
        }
    }

    /// With its file, if it came by this door: a package that came by another has no place in an object store.
    fn whole(package: &'a Package, facts: &'a PackageFacts<'a>) -> PackageView<'a> {
        let file_location = package.extra.get(DOOR).and_then(|extra| extra.get("file_location"));
        PackageView { file_location, ..PackageView::listed(facts) }
    }
}
