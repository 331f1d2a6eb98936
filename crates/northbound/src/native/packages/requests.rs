//! What requests say of packages.

use otaru_core::app::{CreationRules, FileSource, NewFile as DraftFile, NewPackage as Draft, PackageTexts, ProductRef};
use otaru_model::{DeviceKind, ModuleKind, ModuleName, PackageKind, Verification};
use utoipa::{IntoParams, ToSchema};

use super::super::DOOR;
use super::super::decode::Decode;
use super::super::error::{Kind, Problem};
use super::super::members::{Members, TextChange};
use super::super::modules::kind_name;
use super::super::page::PageQuery;

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
    pub name: TextChange,
    #[schema(value_type = Option<String>)]
    pub description: TextChange,
    #[schema(value_type = Option<String>)]
    pub custom_info: TextChange,
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
    pub fn apply(self, texts: &mut PackageTexts) {
        self.name.apply(&mut texts.name);
        self.description.apply(&mut texts.description);
        self.custom_info.apply(&mut texts.custom_info);
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
