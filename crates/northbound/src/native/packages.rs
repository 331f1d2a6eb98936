//! Packages: versions of a module of a product, and the files that carry them.

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use otaru_core::app::{
    CreationRules, FileSource, NewFile as DraftFile, NewPackage as Draft, PackageQuery, PackageTexts, ProductRef,
};
use otaru_model::{DeviceKind, Id, Kinds, ModuleKind, ModuleName, Package, PackageKind, Verification};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::auth::{Publisher, Reader};
use super::decode::{Decode, Json, Members, Query, Segments};
use super::error::{Kind, Problem};
use super::modules::kind_name;
use super::page::{List, PageQuery, time};
use super::{DOOR, Native};

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

/// A package to be made.
#[derive(ToSchema)]
pub struct NewPackage {
    /// The product's code.
    pub product: String,
    /// If given, the product must be in the space with this code.
    pub space: Option<String>,
    /// `firmware` unless given.
    pub module: Option<String>,
    pub version: String,
    /// Made from module and version unless given.
    pub name: Option<String>,
    pub description: Option<String>,
    /// Text that devices get with the notice of the upgrade.
    pub custom_info: Option<String>,
    /// `full` unless given. A `delta` names the versions it can be applied to.
    #[schema(value_type = Option<String>)]
    pub kind: Option<PackageKind>,
    /// The versions that may be upgraded from; none means any.
    #[schema(value_type = Option<Vec<String>>)]
    pub source_versions: Vec<String>,
    /// The product's unless given.
    pub device_type: Option<String>,
    /// The product's unless given.
    pub model: Option<String>,
    /// The product's unless given.
    pub manufacturer: Option<String>,
    /// The product's unless given.
    pub protocol: Option<String>,
    /// When the package was made, in any form.
    pub date: Option<String>,
    pub files: Vec<NewFile>,
}

/// A file of a package to be made: an upload or an object, one of them. What is said of size and digests must be true.
#[derive(ToSchema)]
pub struct NewFile {
    /// The id of a complete upload.
    #[schema(nullable = false)]
    pub upload: Option<String>,
    #[schema(nullable = false)]
    pub object: Option<ObjectSource>,
    /// The name that devices see; that of the upload or the object unless given.
    pub name: Option<String>,
    pub size_bytes: Option<i64>,
    pub md5: Option<String>,
    pub sha256: Option<String>,
}

/// An object, as it is at this moment: what happens to it later changes nothing.
#[derive(ToSchema)]
pub struct ObjectSource {
    /// A configured region; without one, or with an unknown one, the bucket is one of ours.
    pub region: Option<String>,
    pub bucket: String,
    pub key: String,
}

impl Decode for ObjectSource {
    const SCOPE: &'static str = "ObjectSource";
    const MEMBERS: &'static [&'static str] = &["region", "bucket", "key"];

    fn decode(given: &mut Members) -> Result<ObjectSource, Problem> {
        Ok(ObjectSource {
            region: given.text("region")?,
            bucket: given.required_text("bucket")?,
            key: given.required_text("key")?,
        })
    }
}

impl Decode for NewFile {
    const SCOPE: &'static str = "NewFile";
    const MEMBERS: &'static [&'static str] = &["upload", "object", "name", "size_bytes", "md5", "sha256"];

    fn decode(given: &mut Members) -> Result<NewFile, Problem> {
        let file = NewFile {
            upload: given.kept_text("upload")?,
            object: given.object("object")?,
            name: given.text("name")?,
            size_bytes: given.integer("size_bytes")?,
            md5: given.text("md5")?,
            sha256: given.text("sha256")?,
        };
        match (&file.upload, &file.object) {
            (Some(_), Some(_)) => {
                Err(given.refuse("object", "cannot stand beside upload: a file comes from one place"))
            }
            (None, None) => Err(given.refuse("upload", "is missing; a file comes from an upload or an object")),
            _ => Ok(file),
        }
    }
}

impl NewFile {
    fn draft(self) -> DraftFile {
        let source = match (self.upload, self.object) {
            (Some(locator), _) => FileSource::Upload { locator },
            (None, Some(object)) => {
                let region = object.region.unwrap_or_default();
                FileSource::Object { region, bucket: object.bucket, key: object.key }
            }
            (None, None) => FileSource::Upload { locator: String::new() },
        };
        DraftFile {
            source,
            name: self.name,
            declared_bytes: self.size_bytes.and_then(|bytes| u64::try_from(bytes).ok()),
            declared_md5: self.md5,
            declared_sign: self.sha256,
        }
    }
}

impl Decode for NewPackage {
    const SCOPE: &'static str = "NewPackage";
    const MEMBERS: &'static [&'static str] = &[
        "product",
        "space",
        "module",
        "version",
        "name",
        "description",
        "custom_info",
        "kind",
        "source_versions",
        "device_type",
        "model",
        "manufacturer",
        "protocol",
        "date",
        "files",
    ];

    fn decode(given: &mut Members) -> Result<NewPackage, Problem> {
        NewPackage::described(given, |given| given.required_objects("files"))
    }
}

impl NewPackage {
    /// Reads what is said of a package; `files` reads where its bytes come from.
    pub fn described(
        given: &mut Members,
        files: impl FnOnce(&mut Members) -> Result<Vec<NewFile>, Problem>,
    ) -> Result<NewPackage, Problem> {
        let package = NewPackage {
            product: given.required_text("product")?,
            space: given.text("space")?,
            module: given.text("module")?,
            version: given.required_text("version")?,
            name: given.text("name")?,
            description: given.text("description")?,
            custom_info: given.text("custom_info")?,
            kind: given.word("kind")?,
            source_versions: given.texts("source_versions")?,
            device_type: given.text("device_type")?,
            model: given.text("model")?,
            manufacturer: given.text("manufacturer")?,
            protocol: given.text("protocol")?,
            date: given.text("date")?,
            files: files(given)?,
        };
        if package.kind == Some(PackageKind::Delta) && package.source_versions.is_empty() {
            return Err(given.refuse("source_versions", "is missing; a delta names the versions it can be applied to"));
        }
        Ok(package)
    }

    /// The module's name; one that no module can have names nothing.
    pub fn module_name(&self) -> Result<ModuleName, Problem> {
        let Some(text) = &self.module else { return Ok(ModuleName::firmware()) };
        let missing = || Problem::new(Kind::NotFound, format!("there is no module {text}")).at("module");
        ModuleName::new(text).ok_or_else(missing)
    }

    pub fn draft(self, max_file_bytes: u64) -> Result<Draft, Problem> {
        Ok(Draft {
            module: self.module_name()?,
            space_code: self.space,
            product: ProductRef::Code(self.product),
            version: self.version,
            name: self.name,
            description: self.description,
            custom_info: self.custom_info,
            kind: self.kind.unwrap_or(PackageKind::Full),
            source_versions: self.source_versions,
            verification: Verification::NotNeeded,
            device_kind: DeviceKind {
                device_type: self.device_type,
                model: self.model,
                manufacturer: self.manufacturer,
                protocol: self.protocol,
                date: self.date,
            },
            extra: serde_json::Map::new(),
            door: DOOR,
            files: self.files.into_iter().map(NewFile::draft).collect(),
            rules: CreationRules { claims: Vec::new(), max_packages: None, max_file_bytes, refuse_wrong_bytes: true },
        })
    }
}

/// What to change of a package. What is absent stays; null removes.
#[derive(Clone, ToSchema)]
pub struct PackageChange {
    /// Null: the name is made from module and version again.
    #[schema(value_type = Option<String>)]
    pub name: Option<Option<String>>,
    #[schema(value_type = Option<String>)]
    pub description: Option<Option<String>>,
    #[schema(value_type = Option<String>)]
    pub custom_info: Option<Option<String>>,
}

impl Decode for PackageChange {
    const SCOPE: &'static str = "PackageChange";
    const MEMBERS: &'static [&'static str] = &["name", "description", "custom_info"];

    fn decode(given: &mut Members) -> Result<PackageChange, Problem> {
        Ok(PackageChange {
            name: given.change("name")?,
            description: given.change("description")?,
            custom_info: given.change("custom_info")?,
        })
    }
}

impl PackageChange {
    fn apply(self, texts: &mut PackageTexts) {
        texts.name = self.name.unwrap_or(texts.name.take());
        texts.description = self.description.unwrap_or(texts.description.take());
        texts.custom_info = self.custom_info.unwrap_or(texts.custom_info.take());
    }
}

/// Which packages. Filters are exact; several are an "and".
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PackageFilter {
    /// The code of a space.
    pub space: Option<String>,
    /// The code of a product; an unknown one has no packages.
    pub product: Option<String>,
    /// The kind of module.
    #[param(value_type = Option<String>)]
    pub module_kind: Option<ModuleKind>,
    pub version: Option<String>,
    pub device_type: Option<String>,
    pub model: Option<String>,
    pub manufacturer: Option<String>,
    #[param(ignore)]
    pub page: PageQuery,
}

impl Decode for PackageFilter {
    const SCOPE: &'static str = "list_packages";
    const MEMBERS: &'static [&'static str] =
        &["space", "product", "module_kind", "version", "device_type", "model", "manufacturer", "limit", "cursor"];

    fn decode(given: &mut Members) -> Result<PackageFilter, Problem> {
        let kind = given.text("module_kind")?;
        Ok(PackageFilter {
            space: given.text("space")?,
            product: given.text("product")?,
            module_kind: kind.and_then(|name| ModuleKind::ALL.into_iter().find(|kind| kind_name(*kind) == name)),
            version: given.text("version")?,
            device_type: given.text("device_type")?,
            model: given.text("model")?,
            manufacturer: given.text("manufacturer")?,
            page: PageQuery::decode(given)?,
        })
    }
}

/// What a verification found.
#[derive(Serialize, ToSchema)]
pub struct PackageCheck {
    /// Whether every file is what it should be.
    pub is_intact: bool,
    pub files: Vec<FileCheck>,
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

/// An id from a path; one that no package can have names nothing.
fn id_of(text: &str) -> Result<Id, Problem> {
    text.parse().map_err(|_| Problem::new(Kind::NotFound, format!("there is no package {text}")))
}

/// List the packages, newest first
#[utoipa::path(get, path = "/packages", tag = "packages", params(PackageFilter, PageQuery),
    responses(
        (status = 200, description = "A page of packages", body = List<PackageView>),
        (status = 404, description = "There is no such space"),
    ))]
pub async fn list_packages(
    State(native): State<Native>,
    Reader(caller): Reader,
    Query(filter): Query<PackageFilter>,
) -> Result<Answer<List<PackageView>>, Problem> {
    let query = PackageQuery {
        space_code: filter.space,
        product: filter.product.map(ProductRef::Code),
        kinds: filter.module_kind.map_or(Kinds::All, Kinds::One),
        version: filter.version,
        device_type: filter.device_type,
        model: filter.model,
        manufacturer: filter.manufacturer,
        page: filter.page.by_id()?,
    };
    let packages = native.app().list_packages(&caller, query).await?;
    Ok(Answer(List::by_id(packages, filter.page.limit, |package| package.id, PackageView::from)))
}

/// Make a package from files that are here
#[utoipa::path(post, path = "/packages", tag = "packages", request_body = NewPackage,
    responses(
        (status = 201, description = "The package", body = PackageView),
        (status = 404, description = "There is no such product, module, upload or object"),
        (status = 422, description = "A file is not what was said of it"),
    ))]
pub async fn create_package(
    State(native): State<Native>,
    Publisher(caller): Publisher,
    Json(new): Json<NewPackage>,
) -> Result<(StatusCode, Answer<PackageView>), Problem> {
    let draft = new.draft(native.app().settings().max_file_bytes)?;
    let package = native.app().create_package(&caller, draft).await?;
    Ok((StatusCode::CREATED, Answer(package.into())))
}

/// Show a package
#[utoipa::path(get, path = "/packages/{id}", tag = "packages", params(("id" = String, Path, description = "The package's id")),
    responses((status = 200, description = "The package", body = PackageView), (status = 404, description = "There is no such package")))]
pub async fn show_package(
    State(native): State<Native>,
    Reader(caller): Reader,
    Segments(id): Segments<String>,
) -> Result<Answer<PackageView>, Problem> {
    Ok(Answer(native.app().show_package(&caller, &id_of(&id)?).await?.into()))
}

/// Change a package's texts
#[utoipa::path(patch, path = "/packages/{id}", tag = "packages", request_body = PackageChange,
    params(("id" = String, Path, description = "The package's id")),
    responses((status = 200, description = "The package", body = PackageView), (status = 404, description = "There is no such package")))]
pub async fn update_package(
    State(native): State<Native>,
    Publisher(caller): Publisher,
    Segments(id): Segments<String>,
    Json(change): Json<PackageChange>,
) -> Result<Answer<PackageView>, Problem> {
    let changed = native.app().rewrite_package(&caller, &id_of(&id)?, |texts| change.apply(texts)).await?;
    Ok(Answer(changed.into()))
}

/// Delete a package
#[utoipa::path(delete, path = "/packages/{id}", tag = "packages", params(("id" = String, Path, description = "The package's id")),
    responses((status = 204, description = "Deleted"), (status = 404, description = "There is no such package")))]
pub async fn delete_package(
    State(native): State<Native>,
    Publisher(caller): Publisher,
    Segments(id): Segments<String>,
) -> Result<StatusCode, Problem> {
    native.app().delete_package(&caller, &id_of(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Read every stored byte again and compare
#[utoipa::path(post, path = "/packages/{id}/verify", tag = "packages", params(("id" = String, Path, description = "The package's id")),
    responses((status = 200, description = "What was found", body = PackageCheck), (status = 404, description = "There is no such package")))]
pub async fn verify_package(
    State(native): State<Native>,
    Reader(caller): Reader,
    Segments(id): Segments<String>,
) -> Result<Answer<PackageCheck>, Problem> {
    let checked = native.app().verify_package(&caller, &id_of(&id)?).await?;
    let files: Vec<FileCheck> = checked
        .into_iter()
        .enumerate()
        .map(|(position, checked)| FileCheck {
            position,
            name: checked.file,
            is_intact: checked.problem.is_none(),
            problem: checked.problem,
        })
        .collect();
    Ok(Answer(PackageCheck { is_intact: files.iter().all(|file| file.is_intact), files }))
}

/// Get links to the files, good for a while and for anybody
#[utoipa::path(post, path = "/packages/{id}/link", tag = "packages", params(("id" = String, Path, description = "The package's id")),
    responses((status = 200, description = "A link for every file", body = PackageLinks), (status = 404, description = "There is no such package")))]
pub async fn link_package(
    State(native): State<Native>,
    Reader(caller): Reader,
    Segments(id): Segments<String>,
) -> Result<Answer<PackageLinks>, Problem> {
    let package = native.app().show_package(&caller, &id_of(&id)?).await?;
    let link = |(position, file): (usize, &otaru_model::PackageFile)| {
        let link = native.app().link(&package, position)?;
        Some(FileLink {
            position,
            name: file.name.clone(),
            size_bytes: file.size_bytes,
            sha256: file.sha256.map(|digest| digest.to_string()),
            url: format!("{}?Expires={}&Signature={}", link.url, link.expires_s, link.signature),
            expires: time(link.expires_s * 1000),
        })
    };
    Ok(Answer(PackageLinks { files: package.files.iter().enumerate().filter_map(link).collect() }))
}
