//! Modules (contract §7). The model's `firmware` is called `default` here; every other name is the same.

use otaru_core::app::{ModuleChange, ModuleQuery, NewModule, PackageQuery, ProductRef};
use otaru_model::{Id, Kinds, Module, ModuleKind, ModuleName, Page, Product};

use super::answer::{Record, Value};
use super::call::Call;
use super::error::{Failure, code};
use super::shapes::utc;

const DEFAULT: &str = "default";
const STEP: u32 = 100;

/// The name of a module in this dialect.
pub fn spell(name: &ModuleName) -> &str {
    alias(name.as_str())
}

/// The same for a name as text.
pub fn alias(name: &str) -> &str {
    if name == ModuleName::FIRMWARE { DEFAULT } else { name }
}

/// The module that a client means.
pub fn read(text: &str) -> Result<ModuleName, Failure> {
    if text.eq_ignore_ascii_case(DEFAULT) {
        return Ok(ModuleName::firmware());
    }
    if text.eq_ignore_ascii_case(ModuleName::FIRMWARE) {
        let message =
            format!("The product has no module {text}: the one of that name elsewhere is called default here.");
        return Err(Failure::business(code::MODULE_NOT_FOUND, message));
    }
    ModuleName::new(text)
        .ok_or_else(|| Failure::business(code::MODULE_NOT_FOUND, format!("The product has no module {text}.")))
}

pub async fn create(call: &Call<'_>) -> Result<Record<'static>, Failure> {
    let product = product(call)?;
    let text = call.text("ModuleName")?;
    let name = read(text).map_err(|_| {
        Failure::business(
            code::MODULE_EXISTED,
            format!("Every product has the module {text} already; it is called default here."),
        )
    })?;
    let new = NewModule {
        space_code: None,
        product,
        name,
        alias: call.optional("AliasName")?.map(str::to_owned),
        description: call.optional("Desc")?.map(str::to_owned),
        max_per_product: call.settings.max_modules_per_product,
    };
    call.app.create_module(call.caller, new).await?;
    Ok(call.success())
}

pub async fn update(call: &Call<'_>) -> Result<Record<'static>, Failure> {
    let product = product(call)?;
    let name = read(call.text("ModuleName")?)?;
    if name.is_built_in() {
        let message = format!("The module {} is built into every product and cannot be changed.", spell(&name));
        return Err(Failure::business(code::MODULE_NOT_CHANGEABLE, message));
    }
    let change = ModuleChange {
        alias: call.optional("AliasName")?.map(str::to_owned),
        description: call.optional("Desc")?.map(str::to_owned),
    };
    call.app.update_module_by_name(call.caller, &product, &name, change).await?;
    Ok(call.success())
}

pub async fn delete(call: &Call<'_>) -> Result<Record<'static>, Failure> {
    let product = product(call)?;
    let name = read(call.text("ModuleName")?)?;
    call.app.delete_module_by_name(call.caller, &product, &name).await?;
    Ok(call.success())
}

/// All modules of a product: what every product has, then its own, newest first. `software`, which other dialects know of
/// every product, is listed where there are packages of it.
pub async fn list(call: &Call<'_>) -> Result<Record<'static>, Failure> {
    let product = call.app.show_product(call.caller, &product(call)?).await?;
    let mut rows = vec![built_in(&product, DEFAULT)];
    let software = PackageQuery {
        product: Some(ProductRef::Code(product.code.clone())),
        kinds: Kinds::One(ModuleKind::Software),
        ..PackageQuery::all(Page::first(0))
    };
    if call.app.list_packages(call.caller, software).await?.total > 0 {
        rows.push(built_in(&product, ModuleName::SOFTWARE));
    }
    let mut before = Id::MAX;
    loop {
        let query = ModuleQuery {
            space_code: None,
            product_code: Some(product.code.clone()),
            page: Page { before, skip: 0, limit: STEP },
        };
        let page = call.app.list_modules(call.caller, query).await?;
        let Some(last) = page.items.last() else { break };
        before = last.id;
        // Another dialect may have made a module that is called like ours; there is no second word for it.
        let ours = page.items.iter().filter(|module| !module.name.as_str().eq_ignore_ascii_case(DEFAULT));
        rows.extend(ours.map(own));
    }
    Ok(call.success().with("Data", Value::Flat(rows)))
}

fn product(call: &Call<'_>) -> Result<ProductRef, Failure> {
    Ok(ProductRef::Key(call.text("ProductKey")?.to_owned()))
}

fn built_in(product: &Product, name: &'static str) -> Record<'static> {
    Record::new()
        .with("ProductKey", product.key.as_str())
        .with("ModuleName", name)
        .with("GmtCreate", utc(product.created_ms))
        .with("GmtModified", utc(product.created_ms))
        .into_owned()
}

fn own(module: &Module) -> Record<'static> {
    Record::new()
        .with("ProductKey", module.product_key.as_str())
        .with("ModuleName", spell(&module.name))
        .with_some("AliasName", module.alias.as_deref())
        .with_some("Desc", module.description.as_deref())
        .with("GmtCreate", utc(module.created_ms))
        .with("GmtModified", utc(module.updated_ms))
        .into_owned()
}
