//! Modules.

use otaru_model::{Id, Module, ModuleName, Page, PageOf, Right};

use super::{App, Caller, Error, Noun, ProductRef, products};
use crate::store::modules::ModuleFilter;
use crate::store::{self, Tx};

#[derive(Clone, Debug)]
pub struct NewModule {
    /// If named, the product must be in it.
    pub space_code: Option<String>,
    pub product: ProductRef,
    pub name: ModuleName,
    pub alias: Option<String>,
    pub description: Option<String>,
    /// How many modules of its own a product may have; none for any number.
    pub max_per_product: Option<u64>,
}

#[derive(Clone, Debug)]
pub struct ModuleQuery {
    pub space_code: Option<String>,
    pub product_code: Option<String>,
    pub page: Page,
}

/// What to change of a module; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct ModuleChange {
    pub alias: Option<String>,
    pub description: Option<String>,
}

impl App {
    /// Makes a module. The built-in ones exist already.
    pub async fn create_module(&self, caller: &Caller, new: NewModule) -> Result<Module, Error> {
        caller.require(Right::Publish)?;
        let (id, now_ms, tenant) = (self.new_id(), self.now_ms(), caller.tenant);
        self.write(caller, "create_module", move |tx| {
            Box::pin(async move {
                let product = product_in_space(tx, &tenant, &new.product, new.space_code.as_deref()).await?;
                if new.name.is_built_in() {
                    return Err(Error::exists(Noun::Module, &new.name));
                }
                if !store::products::hold(tx, &product.id).await? {
                    return Err(Error::not_found(Noun::Product, &product.code));
                }
                let module = Module {
                    id,
                    product: product.id,
                    product_code: product.code,
                    product_key: product.key,
                    product_name: product.draft.name,
                    space_code: product.space_code,
                    name: new.name,
                    alias: new.alias,
                    description: new.description,
                    created_ms: now_ms,
                    updated_ms: now_ms,
                };
                if !store::modules::insert(tx, &tenant, &module).await? {
                    return Err(Error::exists(Noun::Module, &module.name));
                }
                if let Some(limit) = new.max_per_product
                    && store::modules::count_of_product(tx, &product.id).await? > limit
                {
                    return Err(Error::LimitReached { noun: Noun::Module, limit });
                }
                Ok(module)
            })
        })
        .await
    }

    pub async fn show_module(&self, caller: &Caller, id: &Id) -> Result<Module, Error> {
        caller.require(Right::Read)?;
        let (tenant, id) = (caller.tenant, *id);
        self.read("show_module", |tx| Box::pin(async move { by_id(tx, &tenant, &id).await })).await
    }

    /// A module that was made for a product; the built-in ones have no record.
    pub async fn show_module_by_name(
        &self,
        caller: &Caller,
        product: &ProductRef,
        name: &ModuleName,
    ) -> Result<Module, Error> {
        caller.require(Right::Read)?;
        let (tenant, product, name) = (caller.tenant, product.clone(), name.clone());
        self.read("show_module_by_name", |tx| Box::pin(async move { by_name(tx, &tenant, &product, &name).await }))
            .await
    }

    /// A page of modules, newest first. An unknown space is an error, an unknown product has none.
    pub async fn list_modules(&self, caller: &Caller, query: ModuleQuery) -> Result<PageOf<Module>, Error> {
        caller.require(Right::Read)?;
        let tenant = caller.tenant;
        self.read("list_modules", |tx| {
            Box::pin(async move {
                if let Some(code) = &query.space_code {
                    products::space_of(tx, &tenant, Some(code)).await?;
                }
                let filter = ModuleFilter {
                    space_code: query.space_code.unwrap_or_default(),
                    product_code: query.product_code.unwrap_or_default(),
                };
                Ok(store::modules::list(tx, &tenant, &filter, query.page).await?)
            })
        })
        .await
    }

    pub async fn update_module(&self, caller: &Caller, id: &Id, change: ModuleChange) -> Result<Module, Error> {
        caller.require(Right::Publish)?;
        let (tenant, id, now_ms) = (caller.tenant, *id, self.now_ms());
        self.write(caller, "update_module", move |tx| {
            Box::pin(async move {
                let module = by_id(tx, &tenant, &id).await?;
                apply(tx, &tenant, module, change, now_ms).await
            })
        })
        .await
    }

    pub async fn update_module_by_name(
        &self,
        caller: &Caller,
        product: &ProductRef,
        name: &ModuleName,
        change: ModuleChange,
    ) -> Result<Module, Error> {
        caller.require(Right::Publish)?;
        let (tenant, product, name, now_ms) = (caller.tenant, product.clone(), name.clone(), self.now_ms());
        self.write(caller, "update_module_by_name", move |tx| {
            Box::pin(async move {
                let module = by_name(tx, &tenant, &product, &name).await?;
                apply(tx, &tenant, module, change, now_ms).await
            })
        })
        .await
    }

    /// Rewrites a module's texts: `rewrite` gets alias and description as they are and says what they shall be.
    pub async fn rewrite_module(
        &self,
        caller: &Caller,
        product: &ProductRef,
        name: &ModuleName,
        rewrite: impl FnOnce(&mut Option<String>, &mut Option<String>) + Clone + Send + 'static,
    ) -> Result<Module, Error> {
        caller.require(Right::Publish)?;
        let (tenant, product, name, now_ms) = (caller.tenant, product.clone(), name.clone(), self.now_ms());
        self.write(caller, "rewrite_module", move |tx| {
            Box::pin(async move {
                let mut module = by_name(tx, &tenant, &product, &name).await?;
                rewrite(&mut module.alias, &mut module.description);
                apply(tx, &tenant, module, ModuleChange::default(), now_ms).await
            })
        })
        .await
    }

    /// Deletes a module that no package is of.
    pub async fn delete_module(&self, caller: &Caller, id: &Id) -> Result<(), Error> {
        caller.require(Right::Publish)?;
        let (tenant, id) = (caller.tenant, *id);
        self.write(caller, "delete_module", move |tx| {
            Box::pin(async move {
                let module = by_id(tx, &tenant, &id).await?;
                delete(tx, &tenant, module).await
            })
        })
        .await
    }

    pub async fn delete_module_by_name(
        &self,
        caller: &Caller,
        product: &ProductRef,
        name: &ModuleName,
    ) -> Result<(), Error> {
        caller.require(Right::Publish)?;
        let (tenant, product, name) = (caller.tenant, product.clone(), name.clone());
        self.write(caller, "delete_module_by_name", move |tx| {
            Box::pin(async move {
                if name.is_built_in() {
                    let by = "every product, which has it built in";
                    return Err(Error::InUse { noun: Noun::Module, name: name.to_string(), by });
                }
                let module = by_name(tx, &tenant, &product, &name).await?;
                delete(tx, &tenant, module).await
            })
        })
        .await
    }
}

async fn by_id(tx: &mut Tx<'_>, tenant: &Id, id: &Id) -> Result<Module, Error> {
    store::modules::by_id(tx, tenant, id).await?.ok_or_else(|| Error::not_found(Noun::Module, id))
}

async fn by_name(tx: &mut Tx<'_>, tenant: &Id, product: &ProductRef, name: &ModuleName) -> Result<Module, Error> {
    let product = products::find(tx, tenant, product).await?;
    store::modules::by_name(tx, &product.id, name).await?.ok_or_else(|| Error::not_found(Noun::Module, name))
}

/// The product, which must be in the space if one is named.
pub(super) async fn product_in_space(
    tx: &mut Tx<'_>,
    tenant: &Id,
    product: &ProductRef,
    space_code: Option<&str>,
) -> Result<otaru_model::Product, Error> {
    let found = products::find(tx, tenant, product).await;
    let Some(code) = space_code else { return found };
    if found.as_ref().is_ok_and(|found| found.space_code == code) {
        return found;
    }
    // A space that is not there is told before a product that is not in it.
    products::space_of(tx, tenant, Some(code)).await?;
    found.and(Err(Error::not_found(Noun::Product, product.text())))
}

async fn apply(
    tx: &mut Tx<'_>,
    tenant: &Id,
    mut module: Module,
    change: ModuleChange,
    now_ms: i64,
) -> Result<Module, Error> {
    module.alias = change.alias.or(module.alias);
    module.description = change.description.or(module.description);
    module.updated_ms = now_ms;
    store::modules::update(tx, tenant, &module.id, &module.alias, &module.description, now_ms).await?;
    Ok(module)
}

async fn delete(tx: &mut Tx<'_>, tenant: &Id, module: Module) -> Result<(), Error> {
    if !store::modules::hold_alone(tx, &module.id).await? {
        return Err(Error::not_found(Noun::Module, &module.name));
    }
    if store::modules::in_use(tx, &module.product, &module.name).await? {
        return Err(Error::InUse { noun: Noun::Module, name: module.name.to_string(), by: "its packages" });
    }
    store::modules::delete(tx, tenant, &module.id).await?;
    Ok(())
}
