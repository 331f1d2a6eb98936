//! Packages: listed, shown, changed, deleted, verified.

use otaru_model::{Id, Integrity, Kinds, Package, PackageFilter, Page, PageOf, Right};

use super::new_packages::NAME_CLAIM;
use super::{App, Caller, Claim, Error, Noun, ProductRef, products};
use crate::store::package_lists::Show;
use crate::store::{self, Tx};

/// How much of a name that is made from module and version counts as the name.
const NAME_CHARS: usize = 256;

#[derive(Clone, Debug)]
pub struct PackageQuery {
    /// An unknown space is an error.
    pub space_code: Option<String>,
    /// An unknown product has no packages.
    pub product: Option<ProductRef>,
    pub kinds: Kinds,
    pub version: Option<String>,
    pub device_type: Option<String>,
    pub model: Option<String>,
    pub manufacturer: Option<String>,
    pub page: Page,
}

impl PackageQuery {
    /// Every package, a page of it.
    pub fn all(page: Page) -> PackageQuery {
        PackageQuery {
            space_code: None,
            product: None,
            kinds: Kinds::All,
            version: None,
            device_type: None,
            model: None,
            manufacturer: None,
            page,
        }
    }
}

/// What to change of a package; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct PackageChange {
    /// The product that the caller believes the package to be of.
    pub product: Option<ProductRef>,
    pub name: Option<String>,
    pub description: Option<String>,
    pub custom_info: Option<String>,
    /// Whether the name must stay unique among the packages of its door, and under which field's name.
    pub name_claim: Option<&'static str>,
}

/// The texts of a package that may be rewritten; an absent one is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackageTexts {
    pub name: Option<String>,
    pub description: Option<String>,
    pub custom_info: Option<String>,
}

/// What a verification of stored bytes found, file by file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub file: String,
    pub problem: Option<String>,
}

impl App {
    pub async fn show_package(&self, caller: &Caller, id: &Id) -> Result<Package, Error> {
        caller.require(Right::Read)?;
        let (tenant, id) = (caller.tenant, *id);
        self.read("show_package", |tx| Box::pin(async move { of_tenant(tx, &tenant, &id).await })).await
    }

    /// A page of packages, newest first, with the exact total of those that pass the filters.
    pub async fn list_packages(&self, caller: &Caller, query: PackageQuery) -> Result<PageOf<Package>, Error> {
        self.list_packages_as(caller, query, |package| package.to_package()).await
    }

    /// The same, each package as `show` makes it of what is stored: nothing is copied or read that is not shown.
    pub async fn list_packages_as<T: Send + 'static>(
        &self,
        caller: &Caller,
        query: PackageQuery,
        show: Show<T>,
    ) -> Result<PageOf<T>, Error> {
        caller.require(Right::Read)?;
        let tenant = caller.tenant;
        self.read("list_packages", move |tx| Box::pin(async move { list(tx, &tenant, query, show).await })).await
    }

    pub async fn update_package(&self, caller: &Caller, id: &Id, change: PackageChange) -> Result<Package, Error> {
        caller.require(Right::Publish)?;
        let (tenant, id, now_ms) = (caller.tenant, *id, self.now_ms());
        self.write(caller, "update_package", move |tx| {
            Box::pin(async move {
                let mut package = of_tenant(tx, &tenant, &id).await?;
                let other_product = change.product.as_ref().is_some_and(|product| match product {
                    ProductRef::Code(code) => *code != package.product_code,
                    ProductRef::Key(key) => *key != package.product_key,
                });
                if other_product {
                    return Err(Error::not_found(Noun::Package, id));
                }
                if let (Some(field), Some(name)) = (change.name_claim, &change.name) {
                    rename_claim(tx, &package, field, name).await?;
                }
                package.name = change.name.or(package.name);
                package.description = change.description.or(package.description);
                package.custom_info = change.custom_info.or(package.custom_info);
                package.updated_ms = now_ms;
                store::packages::update(tx, &package).await?;
                Ok(package)
            })
        })
        .await
    }

    /// Rewrites a package's texts: `rewrite` gets what is and says what shall be. A name that is unique among the packages of the
    /// package's door stays so.
    pub async fn rewrite_package(
        &self,
        caller: &Caller,
        id: &Id,
        rewrite: impl FnOnce(&mut PackageTexts) + Clone + Send + 'static,
    ) -> Result<Package, Error> {
        caller.require(Right::Publish)?;
        let (tenant, id, now_ms) = (caller.tenant, *id, self.now_ms());
        self.write(caller, "rewrite_package", move |tx| {
            Box::pin(async move {
                let mut package = of_tenant(tx, &tenant, &id).await?;
                let mut texts = PackageTexts {
                    name: package.name.take(),
                    description: package.description.take(),
                    custom_info: package.custom_info.take(),
                };
                rewrite(&mut texts);
                check_texts(&texts.name, &texts.description, &texts.custom_info)?;
                (package.name, package.description) = (texts.name, texts.description);
                package.custom_info = texts.custom_info;
                package.updated_ms = now_ms;
                move_name_claims(tx, &package, &package.display_name(NAME_CHARS)).await?;
                store::packages::update(tx, &package).await?;
                Ok(package)
            })
        })
        .await
    }

    /// Deletes a package; its bytes go when nothing else is of them.
    pub async fn delete_package(&self, caller: &Caller, id: &Id) -> Result<(), Error> {
        caller.require(Right::Publish)?;
        let (tenant, id) = (caller.tenant, *id);
        self.write(caller, "delete_package", move |tx| {
            Box::pin(async move {
                let package = of_tenant(tx, &tenant, &id).await?;
                if !store::packages::delete(tx, &package).await? {
                    return Err(Error::not_found(Noun::Package, id));
                }
                Ok(())
            })
        })
        .await
    }

    /// Reads every stored byte of a package again and compares it with its digest and with what was declared. What is found is
    /// recorded: a package whose bytes were damaged is delivered to nobody until they are mended and found whole.
    pub async fn verify_package(&self, caller: &Caller, id: &Id) -> Result<Vec<Checked>, Error> {
        let package = self.show_package(caller, id).await?;
        let mut checked = Vec::with_capacity(package.files.len());
        for file in &package.files {
            let problem = match &file.sha256 {
                None => Some("its bytes are still being read in".to_owned()),
                Some(digest) => match self.inner.blobs.verify(&(*digest).into()).await {
                    Ok(true) => file.mismatch(),
                    Ok(false) => Some("the stored bytes are not those that were uploaded".to_owned()),
                    Err(crate::blobs::BlobError::NotFound) => Some("the stored bytes are gone".to_owned()),
                    Err(error) => return Err(error.into()),
                },
            };
            checked.push(Checked { file: file.name.clone(), problem });
        }
        let problem = checked.iter().find_map(|it| Some(format!("{}: {}", it.file, it.problem.as_ref()?)));
        self.record_integrity(package, problem).await?;
        Ok(checked)
    }

    /// Notes what was found of all of a package's files, unless they are still on their way or are others by now.
    pub(super) async fn record_integrity(&self, seen: Package, problem: Option<String>) -> Result<(), Error> {
        let found = if problem.is_some() { Integrity::Failed } else { Integrity::Ready };
        let is_known = seen.integrity == found && (found == Integrity::Ready || seen.integrity_note.is_some());
        if is_known || seen.files.iter().any(|file| file.sha256.is_none()) {
            return Ok(());
        }
        tracing::warn!(package = %seen.id, integrity = found.name(), problem, "what is known of a package's bytes changed");
        let now_ms = self.now_ms();
        self.write_own("record_integrity", move |tx| {
            Box::pin(async move {
                let Some(mut package) = store::packages::by_id(tx, &seen.id).await? else { return Ok(()) };
                if package.files == seen.files {
                    (package.integrity, package.integrity_note) = (found, problem);
                    package.updated_ms = now_ms;
                    store::packages::set_bytes(tx, &package).await?;
                }
                Ok(())
            })
        })
        .await
    }
}

pub(super) async fn of_tenant(tx: &mut Tx<'_>, tenant: &Id, id: &Id) -> Result<Package, Error> {
    let found = store::packages::by_id(tx, id).await?;
    found.filter(|package| package.tenant == *tenant).ok_or_else(|| Error::not_found(Noun::Package, id))
}

async fn list<T: Send>(tx: &mut Tx<'_>, tenant: &Id, query: PackageQuery, show: Show<T>) -> Result<PageOf<T>, Error> {
    let space = match &query.space_code {
        Some(code) => Some(products::space_of(tx, tenant, Some(code)).await?.id),
        None => None,
    };
    let product = match &query.product {
        Some(product) => match products::find(tx, tenant, product).await {
            // A product in another space has no packages in this one.
            Ok(found) if space.is_some_and(|space| space != found.space) => return Ok(PageOf::empty()),
            Ok(found) => Some(found.id),
            Err(Error::NotFound { .. }) => return Ok(PageOf::empty()),
            Err(error) => return Err(error),
        },
        None => None,
    };
    let filter = PackageFilter {
        // The product says which space it is.
        space: if product.is_some() { None } else { space },
        product,
        kinds: query.kinds,
        version: query.version,
        device_type: query.device_type,
        model: query.model,
        manufacturer: query.manufacturer,
    };
    Ok(store::package_lists::list(tx, tenant, &filter, query.page, show).await?)
}

/// Renames a package for a door that calls the name `field` and wants it unique.
async fn rename_claim(tx: &mut Tx<'_>, package: &Package, field: &'static str, name: &str) -> Result<(), Error> {
    let taken = || Error::Taken { field, value: name.to_owned() };
    let moved = move_name_claims(tx, package, name).await.map_err(|error| match error {
        Error::Taken { .. } => taken(),
        other => other,
    })?;
    if moved == 0 && !store::packages::claim(tx, package, &Claim::of_name(field, name).text()).await? {
        return Err(taken());
    }
    Ok(())
}

/// Lets what a package has claimed as its name be another name; answers with how many such claims it has.
async fn move_name_claims(tx: &mut Tx<'_>, package: &Package, name: &str) -> Result<usize, Error> {
    let mut moved = 0;
    for old in store::packages::claims(tx, &package.id).await? {
        let Some((field, _)) = old.strip_prefix(NAME_CLAIM).and_then(|rest| rest.split_once(':')) else { continue };
        let new = format!("{NAME_CLAIM}{field}:{name}");
        if new != old {
            store::packages::unclaim(tx, &package.id, &old).await?;
            if !store::packages::claim(tx, package, &new).await? {
                return Err(Error::Taken { field: "name", value: name.to_owned() });
            }
        }
        moved += 1;
    }
    Ok(moved)
}

pub(super) fn check_texts(
    name: &Option<String>,
    description: &Option<String>,
    custom_info: &Option<String>,
) -> Result<(), Error> {
    let texts = [("name", name, 256), ("description", description, 1024), ("custom_info", custom_info, 4096)];
    for (field, text, most) in texts {
        if text.as_ref().is_some_and(|text| text.chars().count() > most) {
            return Err(Error::invalid(field, format!("at most {most} characters")));
        }
    }
    Ok(())
}
