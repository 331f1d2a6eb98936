//! Packages: one row each, with everything a list shows, so that a page is one look-up.

use std::borrow::Cow;

use otaru_model::{DeviceKind, Id, ModuleName, Package, PackageFacts, PackageFile, Sha256};

use super::counts;
use super::driver::from_json;
use super::milestones;
use super::statement::statements;
use super::{Row, StoreError, Tx, Value};

/// What [`StoredPackage`] reads.
macro_rules! columns {
    () => {
        "p.id, p.tenant_id, s.code, p.product_id, r.code, r.key, r.name, p.module, p.version, p.name, \
         p.description, p.custom_info, p.kind, p.source_versions, p.verification, p.integrity, \
         p.integrity_note, p.files, p.device_type, p.model, p.manufacturer, p.protocol, p.made_on, p.door, \
         p.extra, p.created_ms, p.updated_ms"
    };
}

/// Where those columns are from.
macro_rules! source {
    () => {
        "FROM packages p JOIN products r ON r.id = p.product_id JOIN spaces s ON s.id = p.space_id"
    };
}

/// The beginning of a statement for lists; more columns and [`FROM`] follow.
pub(super) const SELECT: &str = concat!("SELECT ", columns!());
pub(super) const FROM: &str = source!();

statements! {
    INSERT = "INSERT INTO packages (id, tenant_id, space_id, product_id, module, module_kind, version, name, description,
            custom_info, kind, source_versions, verification, integrity, integrity_note, files, device_type, model,
            manufacturer, protocol, made_on, door, extra, created_ms, updated_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
            $24, $25)";
    BY_ID = concat!("SELECT ", columns!(), " ", source!(), " WHERE p.id = $1");
    UPDATE = "UPDATE packages SET name = $2, description = $3, custom_info = $4, updated_ms = $5 WHERE id = $1";
    SET_BYTES = "UPDATE packages SET files = $2, integrity = $3, integrity_note = $4, updated_ms = $5 WHERE id = $1";
    DELETE = "DELETE FROM packages WHERE id = $1 RETURNING space_id";
    CLAIM = "INSERT INTO package_claims (tenant_id, door, claim, package_id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    CLAIMS = "SELECT claim FROM package_claims WHERE package_id = $1 ORDER BY claim";
    UNCLAIM = "DELETE FROM package_claims WHERE package_id = $1 AND claim = $2";
    ADD_BLOB = "INSERT INTO package_blobs (package_id, position, sha256) VALUES ($1, $2, $3)";
    BLOB_IN_USE = "SELECT 1 FROM package_blobs WHERE sha256 = $1
        UNION ALL SELECT 1 FROM objects WHERE sha256 = $1
        UNION ALL SELECT 1 FROM uploads WHERE sha256 = $1 LIMIT 1";
    ADD_IMPORT = "INSERT INTO package_imports (package_id, position, region, bucket, object_key, etag, size_bytes, claimed_until_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 0)";
    CLAIM_IMPORT = "UPDATE package_imports SET claimed_until_ms = $2
        WHERE claimed_until_ms < $1 AND package_id = (SELECT package_id FROM package_imports WHERE claimed_until_ms < $1
            ORDER BY package_id LIMIT 1)
        RETURNING package_id, position, region, bucket, object_key, etag, size_bytes";
    END_IMPORT = "DELETE FROM package_imports WHERE package_id = $1 AND position = $2";
}

/// A package as it stands in its row. What a reader does not ask for is not read.
pub struct StoredPackage<'r> {
    pub facts: PackageFacts<'r>,
    files: &'r str,
    extra: &'r str,
}

impl<'r> StoredPackage<'r> {
    pub(super) fn read(row: &'r Row<'_>) -> Result<StoredPackage<'r>, StoreError> {
        let facts = PackageFacts {
            id: row.fixed(0)?,
            tenant: row.fixed(1)?,
            space_code: row.text(2)?,
            product: row.fixed(3)?,
            product_code: row.text(4)?,
            product_key: row.text(5)?,
            product_name: row.text(6)?,
            module: row.text(7)?,
            version: row.text(8)?,
            name: row.text_opt(9)?,
            description: row.text_opt(10)?,
            custom_info: row.text_opt(11)?,
            kind: row.word(12)?,
            source_versions: Cow::Owned(from_json(row.text(13)?)?),
            verification: row.word(14)?,
            integrity: row.word(15)?,
            integrity_note: row.text_opt(16)?,
            device_type: row.text_opt(18)?,
            model: row.text_opt(19)?,
            manufacturer: row.text_opt(20)?,
            protocol: row.text_opt(21)?,
            date: row.text_opt(22)?,
            door: row.text(23)?,
            created_ms: row.int(25)?,
            updated_ms: row.int(26)?,
        };
        Ok(StoredPackage { facts, files: row.text(17)?, extra: row.text(24)? })
    }

    pub fn files(&self) -> Result<Vec<PackageFile>, StoreError> {
        from_json(self.files)
    }

    /// The whole package, to be kept.
    pub fn to_package(&self) -> Result<Package, StoreError> {
        let facts = &self.facts;
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let no_module = || StoreError::Unexpected(format!("{} is not a module's name", facts.module));
        Ok(Package {
            id: facts.id,
            tenant: facts.tenant,
            space_code: facts.space_code.to_owned(),
            product: facts.product,
            product_code: facts.product_code.to_owned(),
            product_key: facts.product_key.to_owned(),
            product_name: facts.product_name.to_owned(),
            module: ModuleName::new(facts.module).ok_or_else(no_module)?,
            version: facts.version.to_owned(),
            name: owned(facts.name),
            description: owned(facts.description),
            custom_info: owned(facts.custom_info),
            kind: facts.kind,
            source_versions: facts.source_versions.to_vec(),
            verification: facts.verification,
            integrity: facts.integrity,
            integrity_note: owned(facts.integrity_note),
            files: self.files()?,
            device_kind: DeviceKind {
                device_type: owned(facts.device_type),
                model: owned(facts.model),
                manufacturer: owned(facts.manufacturer),
                protocol: owned(facts.protocol),
                date: owned(facts.date),
            },
            door: facts.door.to_owned(),
            extra: from_json(self.extra)?,
            created_ms: facts.created_ms,
            updated_ms: facts.updated_ms,
        })
    }
}

fn package(row: &Row<'_>) -> Result<Package, StoreError> {
    StoredPackage::read(row)?.to_package()
}

/// A file that lies in an object store elsewhere and is still to be read in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    pub package: Id,
    pub position: usize,
    pub region: String,
    pub bucket: String,
    pub key: String,
    /// The object's entity tag when the package was made: the bytes that the package is of.
    pub etag: Option<String>,
    pub size_bytes: u64,
}

pub async fn insert(tx: &mut Tx<'_>, new: &Package, space: &Id) -> Result<(), StoreError> {
    let source_versions = json(&new.source_versions)?;
    let files = json(&new.files)?;
    let extra = json(&new.extra)?;
    let parameters = [
        (&new.id).into(),
        (&new.tenant).into(),
        space.into(),
        (&new.product).into(),
        new.module.as_str().into(),
        new.module.kind().number().into(),
        (&new.version).into(),
        (&new.name).into(),
        (&new.description).into(),
        (&new.custom_info).into(),
        new.kind.name().into(),
        (&source_versions).into(),
        new.verification.name().into(),
        new.integrity.name().into(),
        (&new.integrity_note).into(),
        (&files).into(),
        (&new.device_kind.device_type).into(),
        (&new.device_kind.model).into(),
        (&new.device_kind.manufacturer).into(),
        (&new.device_kind.protocol).into(),
        (&new.device_kind.date).into(),
        (&new.door).into(),
        (&extra).into(),
        new.created_ms.into(),
        new.updated_ms.into(),
    ];
    let digests = new.files.iter().enumerate().filter_map(|(position, file)| Some((position, file.sha256.as_ref()?)));
    let blobs: Vec<_> = digests.map(|(position, sha256)| blob(&new.id, position, sha256)).collect();
    let mut statements = vec![(&INSERT, &parameters[..])];
    statements.extend(blobs.iter().map(|blob| (&ADD_BLOB, &blob[..])));
    tx.execute_all(&statements).await?;
    counts::add(tx, new, space, 1).await
}

pub async fn by_id(tx: &mut Tx<'_>, id: &Id) -> Result<Option<Package>, StoreError> {
    tx.row(&BY_ID, &[id.into()], package).await
}

/// Changes what may be changed of a package that exists.
pub async fn update(tx: &mut Tx<'_>, changed: &Package) -> Result<(), StoreError> {
    let parameters = [
        (&changed.id).into(),
        (&changed.name).into(),
        (&changed.description).into(),
        (&changed.custom_info).into(),
        changed.updated_ms.into(),
    ];
    tx.execute(&UPDATE, &parameters).await.map(drop)
}

/// Notes what was learnt of a package's bytes.
pub async fn set_bytes(tx: &mut Tx<'_>, changed: &Package) -> Result<(), StoreError> {
    let files = json(&changed.files)?;
    let parameters = [
        (&changed.id).into(),
        (&files).into(),
        changed.integrity.name().into(),
        (&changed.integrity_note).into(),
        changed.updated_ms.into(),
    ];
    tx.execute(&SET_BYTES, &parameters).await.map(drop)
}

/// False if the package was gone already.
pub async fn delete(tx: &mut Tx<'_>, gone: &Package) -> Result<bool, StoreError> {
    milestones::hold(tx).await?;
    let Some(space) = tx.row(&DELETE, &[(&gone.id).into()], |row| row.fixed(0)).await? else { return Ok(false) };
    counts::add(tx, gone, &space, -1).await?;
    milestones::note_gap(tx, &counts::lists(gone, &space), &gone.id).await?;
    Ok(true)
}

/// Claims a text for a package among those of its door. False if another package has it.
pub async fn claim(tx: &mut Tx<'_>, package: &Package, claim: &str) -> Result<bool, StoreError> {
    let parameters = [(&package.tenant).into(), (&package.door).into(), claim.into(), (&package.id).into()];
    Ok(tx.execute(&CLAIM, &parameters).await? == 1)
}

/// What a package has claimed.
pub async fn claims(tx: &mut Tx<'_>, package: &Id) -> Result<Vec<String>, StoreError> {
    tx.rows(&CLAIMS, &[package.into()], |row| row.string(0)).await
}

pub async fn unclaim(tx: &mut Tx<'_>, package: &Id, claim: &str) -> Result<(), StoreError> {
    tx.execute(&UNCLAIM, &[package.into(), claim.into()]).await.map(drop)
}

pub async fn add_blob(tx: &mut Tx<'_>, package: &Id, position: usize, sha256: &Sha256) -> Result<(), StoreError> {
    tx.execute(&ADD_BLOB, &blob(package, position, sha256)).await.map(drop)
}

fn blob<'a>(package: &'a Id, position: usize, sha256: &'a Sha256) -> [Value<'a>; 3] {
    [package.into(), i64::try_from(position).unwrap_or(i64::MAX).into(), sha256.into()]
}

/// Whether a package, an object or an upload is of these bytes.
pub async fn blob_in_use(tx: &mut Tx<'_>, sha256: &Sha256) -> Result<bool, StoreError> {
    Ok(tx.row(&BLOB_IN_USE, &[sha256.into()], |_| Ok(())).await?.is_some())
}

pub async fn add_import(tx: &mut Tx<'_>, import: &Import) -> Result<(), StoreError> {
    let parameters = [
        (&import.package).into(),
        i64::try_from(import.position).unwrap_or(i64::MAX).into(),
        (&import.region).into(),
        (&import.bucket).into(),
        (&import.key).into(),
        (&import.etag).into(),
        i64::try_from(import.size_bytes).unwrap_or(i64::MAX).into(),
    ];
    tx.execute(&ADD_IMPORT, &parameters).await.map(drop)
}

/// Takes the files of one package that nobody reads in at the moment, for until `until_ms`.
pub async fn claim_imports(tx: &mut Tx<'_>, now_ms: i64, until_ms: i64) -> Result<Vec<Import>, StoreError> {
    tx.rows(&CLAIM_IMPORT, &[now_ms.into(), until_ms.into()], |row| {
        Ok(Import {
            package: row.fixed(0)?,
            position: usize::try_from(row.int(1)?).unwrap_or(usize::MAX),
            region: row.string(2)?,
            bucket: row.string(3)?,
            key: row.string(4)?,
            etag: row.string_opt(5)?,
            size_bytes: u64::try_from(row.int(6)?).unwrap_or(0),
        })
    })
    .await
}

pub async fn end_import(tx: &mut Tx<'_>, package: &Id, position: usize) -> Result<(), StoreError> {
    let position = i64::try_from(position).unwrap_or(i64::MAX);
    tx.execute(&END_IMPORT, &[package.into(), position.into()]).await.map(drop)
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Unexpected(error.to_string()))
}
