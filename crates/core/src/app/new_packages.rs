//! New packages: made from files that are already here, or in an object store elsewhere.

use std::collections::BTreeMap;

use otaru_model::{
    DeviceKind, Id, Integrity, ModuleName, Package, PackageFile, PackageKind, Product, Right, Verification,
};
use serde_json::{Map, Value};

use super::error::gone;
use super::packages::check_texts;
use super::{App, Caller, Error, Noun, ProductRef, imports, milestones, modules};
use crate::store::packages::Import;
use crate::store::{self, Tx};

#[derive(Clone, Debug)]
pub struct NewPackage {
    /// If named, the product must be in it.
    pub space_code: Option<String>,
    pub product: ProductRef,
    pub module: ModuleName,
    pub version: String,
    pub name: Option<String>,
    pub description: Option<String>,
    pub custom_info: Option<String>,
    pub kind: PackageKind,
    pub source_versions: Vec<String>,
    pub verification: Verification,
    /// Members that are absent are taken from the product.
    pub device_kind: DeviceKind,
    pub extra: Map<String, Value>,
    pub door: &'static str,
    pub files: Vec<NewFile>,
    pub rules: CreationRules,
}

/// A file of a new package, and what its publisher says of it.
#[derive(Clone, Debug)]
pub struct NewFile {
    pub source: FileSource,
    /// The name that devices see; the source's own unless given.
    pub name: Option<String>,
    pub declared_bytes: Option<u64>,
    pub declared_md5: Option<String>,
    pub declared_sign: Option<String>,
}

/// Where the bytes of a file are now.
#[derive(Clone, Debug)]
pub enum FileSource {
    /// A complete upload, by its locator. It becomes part of the package.
    Upload { locator: String },
    /// An object, as it is at this moment: a later overwrite changes nothing.
    Object { region: String, bucket: String, key: String },
}

/// What one dialect wants of its own packages beyond the model.
#[derive(Clone, Debug)]
pub struct CreationRules {
    /// Texts that no two packages of this door may share.
    pub claims: Vec<Claim>,
    /// How many packages this door may have made.
    pub max_packages: Option<u64>,
    pub max_file_bytes: u64,
    /// Whether a file that is not what was declared is refused, or kept and never offered to a device.
    pub refuse_wrong_bytes: bool,
}

/// A field whose value is unique among the packages of one door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub field: &'static str,
    pub value: String,
    /// Whether the value is the package's name, so that the claim goes along when any door renames the package.
    pub is_name: bool,
}

/// What the stored text of a claim on a package's name begins with.
pub(super) const NAME_CLAIM: &str = "name/";

impl Claim {
    pub fn new(field: &'static str, value: impl Into<String>) -> Claim {
        Claim { field, value: value.into(), is_name: false }
    }

    pub fn of_name(field: &'static str, name: impl Into<String>) -> Claim {
        Claim { field, value: name.into(), is_name: true }
    }

    pub(super) fn text(&self) -> String {
        format!("{}{}:{}", if self.is_name { NAME_CLAIM } else { "" }, self.field, self.value)
    }
}

/// A file whose bytes, or whereabouts, are known.
#[derive(Clone)]
enum Found {
    Here { file: PackageFile, upload: Option<Id> },
    Elsewhere { file: PackageFile, import: Import },
}

/// A new package, and those of its files that are in object stores elsewhere.
#[derive(Clone)]
struct Prepared {
    new: NewPackage,
    elsewhere: Vec<Option<Found>>,
}

/// Products that a transaction has looked up and holds.
type Products = BTreeMap<(ProductRef, Option<String>), Product>;

impl App {
    /// Makes a package. Its files are pinned: nothing that happens to their sources later changes what it delivers.
    pub async fn create_package(&self, caller: &Caller, new: NewPackage) -> Result<Package, Error> {
        let made = self.create_all(caller, "create_package", vec![new]).await?;
        made.into_iter().next().ok_or_else(|| Error::not_found(Noun::Package, "made just now"))
    }

    /// Makes packages in one transaction: all of them, in their order, or none.
    pub async fn create_packages(&self, caller: &Caller, new: Vec<NewPackage>) -> Result<Vec<Package>, Error> {
        self.create_all(caller, "create_packages", new).await
    }

    async fn create_all(
        &self,
        caller: &Caller,
        verb: &'static str,
        new: Vec<NewPackage>,
    ) -> Result<Vec<Package>, Error> {
        caller.require(Right::Publish)?;
        let mut prepared = Vec::with_capacity(new.len());
        for new in new {
            check(&new)?;
            // Object stores elsewhere are asked before the transaction: they take their time.
            let mut elsewhere = Vec::with_capacity(new.files.len());
            for (position, file) in new.files.iter().enumerate() {
                elsewhere.push(self.find_elsewhere(position, file, new.rules.max_file_bytes).await?);
            }
            prepared.push(Prepared { new, elsewhere });
        }
        let (app, tenant) = (self.clone(), caller.tenant);
        let now_ms = self.now_ms();
        let ids: Vec<Id> = prepared.iter().map(|_| self.new_id()).collect();
        // Who checks a cap waits for others who do, and a transaction of many packages is long enough by itself.
        let shares = matches!(prepared.as_slice(), [only] if only.new.rules.max_packages.is_none());
        self.write_sharing(caller, verb, shares, move |tx| {
            Box::pin(async move {
                let mut products = Products::new();
                let mut made = Vec::with_capacity(prepared.len());
                for (prepared, id) in prepared.into_iter().zip(ids) {
                    milestones::refuse_late(&id, app.now_ms())?;
                    made.push(create(tx, &mut products, tenant, id, now_ms, prepared).await?);
                }
                Ok(made)
            })
        })
        .await
    }

    /// The file as a configured object store elsewhere has it; nothing if it is to be found here.
    async fn find_elsewhere(
        &self,
        position: usize,
        file: &NewFile,
        max_file_bytes: u64,
    ) -> Result<Option<Found>, Error> {
        let FileSource::Object { region, bucket, key } = &file.source else { return Ok(None) };
        let Some(store) = self.inner.regions.get(region) else { return Ok(None) };
        let found = store.stat(bucket, key).await.map_err(|error| imports::explain(error, bucket, key))?;
        check_size(found.size_bytes, max_file_bytes)?;
        let import = Import {
            // The package has no id yet.
            package: Id::MIN,
            position,
            region: region.clone(),
            bucket: bucket.clone(),
            key: key.clone(),
            etag: found.etag,
            size_bytes: found.size_bytes,
        };
        let file = describe(file, &last_segment(key), found.size_bytes);
        Ok(Some(Found::Elsewhere { file, import }))
    }
}

async fn create(
    tx: &mut Tx<'_>,
    products: &mut Products,
    tenant: Id,
    id: Id,
    now_ms: i64,
    Prepared { new, elsewhere }: Prepared,
) -> Result<Package, Error> {
    let wanted = (new.product.clone(), new.space_code.clone());
    let product = match products.get(&wanted) {
        Some(product) => product.clone(),
        None => {
            let found = modules::product_in_space(tx, &tenant, &new.product, new.space_code.as_deref()).await?;
            products.insert(wanted, found.clone());
            found
        }
    };
    let module = existing_module(tx, &product, &new.module).await?;
    let mut found = Vec::with_capacity(new.files.len());
    for (file, elsewhere) in new.files.iter().zip(elsewhere) {
        found.push(match elsewhere {
            Some(elsewhere) => elsewhere,
            None => find_here(tx, &tenant, file, new.rules.max_file_bytes, now_ms).await?,
        });
    }
    let package = assemble(id, now_ms, tenant, &product, module, &new, &found);
    if let (true, Some(problem)) = (new.rules.refuse_wrong_bytes, &package.integrity_note) {
        return Err(Error::WrongBytes(problem.clone()));
    }
    let inserted = store::packages::insert(tx, &package, &product.space).await;
    inserted.map_err(gone(Noun::Product, new.product.text()))?;
    settle_sources(tx, &id, found).await?;
    keep_rules(tx, &package, &new.rules).await?;
    Ok(package)
}

/// The module as its product spells it.
async fn existing_module(tx: &mut Tx<'_>, product: &Product, name: &ModuleName) -> Result<ModuleName, Error> {
    if name.is_built_in() {
        return Ok(name.clone());
    }
    let not_found = || Error::not_found(Noun::Module, name);
    let module = store::modules::by_name(tx, &product.id, name).await?.ok_or_else(not_found)?;
    if !store::modules::hold(tx, &module.id).await? {
        return Err(not_found());
    }
    Ok(module.name)
}

async fn find_here(
    tx: &mut Tx<'_>,
    tenant: &Id,
    file: &NewFile,
    max_file_bytes: u64,
    now_ms: i64,
) -> Result<Found, Error> {
    let (name, size_bytes, sha256, md5, upload) = match &file.source {
        FileSource::Upload { locator } => {
            let found = store::uploads::by_locator(tx, locator).await?;
            let usable = found.filter(|upload| upload.tenant == *tenant && upload.expires_ms > now_ms);
            let upload = usable.ok_or_else(|| Error::not_found(Noun::Upload, locator))?;
            let bytes = upload.complete.ok_or_else(|| Error::not_found(Noun::Upload, locator))?;
            (upload.file_name, bytes.size_bytes, bytes.sha256, bytes.md5, Some(upload.id))
        }
        FileSource::Object { bucket, key, .. } => {
            let name = || format!("{key} in the bucket {bucket}");
            let Some(object) = store::objects::get_and_hold(tx, tenant, bucket, key).await? else {
                // An object is in a bucket that is there, so this is asked only by who finds none.
                let bucket_is_there = store::objects::bucket_by_name(tx, tenant, bucket).await?.is_some();
                return Err(match bucket_is_there {
                    true => Error::not_found(Noun::Object, name()),
                    false => Error::not_found(Noun::Bucket, bucket),
                });
            };
            (last_segment(key), object.size_bytes, object.sha256, object.md5, None)
        }
    };
    check_size(size_bytes, max_file_bytes)?;
    let mut file = describe(file, &name, size_bytes);
    file.sha256 = Some(sha256);
    file.md5 = Some(md5);
    Ok(Found::Here { file, upload })
}

fn check_size(size_bytes: u64, limit_bytes: u64) -> Result<(), Error> {
    if size_bytes > limit_bytes { Err(Error::TooLarge { limit_bytes }) } else { Ok(()) }
}

fn describe(file: &NewFile, source_name: &str, size_bytes: u64) -> PackageFile {
    PackageFile {
        name: file.name.clone().unwrap_or_else(|| source_name.to_owned()),
        size_bytes,
        sha256: None,
        md5: None,
        declared_bytes: file.declared_bytes,
        declared_md5: file.declared_md5.clone(),
        declared_sign: file.declared_sign.clone(),
    }
}

fn last_segment(key: &str) -> String {
    key.rsplit('/').next().unwrap_or(key).to_owned()
}

fn assemble(
    id: Id,
    now_ms: i64,
    tenant: Id,
    product: &Product,
    module: ModuleName,
    new: &NewPackage,
    found: &[Found],
) -> Package {
    let files: Vec<PackageFile> = found
        .iter()
        .map(|found| match found {
            Found::Here { file, .. } | Found::Elsewhere { file, .. } => file.clone(),
        })
        .collect();
    let (integrity, integrity_note) = Integrity::of(&files);
    let kind = &new.device_kind;
    let or_product = |own: &Option<String>, products: &Option<String>| own.clone().or_else(|| products.clone());
    Package {
        id,
        tenant,
        space_code: product.space_code.clone(),
        product: product.id,
        product_code: product.code.clone(),
        product_key: product.key.clone(),
        product_name: product.draft.name.clone(),
        module,
        version: new.version.clone(),
        name: new.name.clone(),
        description: new.description.clone(),
        custom_info: new.custom_info.clone(),
        kind: new.kind,
        source_versions: new.source_versions.clone(),
        verification: new.verification,
        integrity,
        integrity_note,
        files,
        device_kind: DeviceKind {
            device_type: or_product(&kind.device_type, &product.draft.device_type),
            model: or_product(&kind.model, &product.draft.model),
            manufacturer: or_product(&kind.manufacturer, &product.draft.manufacturer),
            protocol: or_product(&kind.protocol, &product.draft.protocol),
            date: kind.date.clone(),
        },
        door: new.door.to_owned(),
        extra: new.extra.clone(),
        created_ms: now_ms,
        updated_ms: now_ms,
    }
}

async fn settle_sources(tx: &mut Tx<'_>, package: &Id, found: Vec<Found>) -> Result<(), Error> {
    // Several files of a package may be of one upload.
    let mut taken = Vec::new();
    for found in found {
        match found {
            Found::Here { upload: Some(upload), .. } if taken.contains(&upload) => {}
            Found::Here { upload: Some(upload), .. } => {
                taken.push(upload);
                // Another package may have taken it in the meantime.
                if !store::uploads::delete(tx, &upload).await? {
                    return Err(Error::not_found(Noun::Upload, upload));
                }
            }
            Found::Here { upload: None, .. } => {}
            Found::Elsewhere { import, .. } => {
                store::packages::add_import(tx, &Import { package: *package, ..import }).await?;
            }
        }
    }
    Ok(())
}

async fn keep_rules(tx: &mut Tx<'_>, package: &Package, rules: &CreationRules) -> Result<(), Error> {
    for claim in &rules.claims {
        if !store::packages::claim(tx, package, &claim.text()).await? {
            return Err(Error::Taken { field: claim.field, value: claim.value.clone() });
        }
    }
    if let Some(limit) = rules.max_packages {
        let scope = store::counts::Scope::Door(&package.tenant, &package.door);
        if store::counts::total_in_turn(tx, scope).await? > limit {
            return Err(Error::LimitReached { noun: Noun::Package, limit });
        }
    }
    Ok(())
}

/// The widest limits of any dialect; a dialect with narrower ones checks them itself.
fn check(new: &NewPackage) -> Result<(), Error> {
    let version_right = |version: &str| {
        (1..=256).contains(&version.chars().count()) && !version.chars().any(|letter| letter.is_control())
    };
    if !version_right(&new.version) {
        return Err(Error::invalid("version", "1 to 256 characters, none of them a control character"));
    }
    if new.source_versions.len() > 20 || !new.source_versions.iter().all(|version| version_right(version)) {
        return Err(Error::invalid("source_versions", "at most 20 versions, each of 1 to 256 characters"));
    }
    if new.kind == PackageKind::Delta && new.source_versions.is_empty() {
        return Err(Error::invalid("source_versions", "a delta names the version it starts from"));
    }
    if !(1..=20).contains(&new.files.len()) {
        return Err(Error::invalid("files", "1 to 20 files"));
    }
    check_texts(&new.name, &new.description, &new.custom_info)
}
