//! Modules that were made for products; the built-in ones have no record.

use otaru_model::{Id, Module, ModuleName, Page, PageOf};

use super::statement::statements;
use super::{Row, StoreError, Tx, Value};

/// What [`module`] reads.
macro_rules! columns {
    () => {
        "m.id, m.product_id, p.code, p.key, p.name, s.code, m.name, m.alias, m.description, m.created_ms, m.updated_ms"
    };
}

statements! {
    INSERT = "INSERT INTO modules (id, tenant_id, space_id, product_id, name, name_folded, alias, description, created_ms, updated_ms)
        SELECT $1, $2, space_id, id, $4, $5, $6, $7, $8, $8 FROM products WHERE id = $3
        ON CONFLICT DO NOTHING";
    BY_ID = concat!("SELECT ", columns!(), " FROM modules m JOIN products p ON p.id = m.product_id JOIN spaces s ON s.id = p.space_id
        WHERE m.tenant_id = $1 AND m.id = $2");
    BY_NAME = concat!("SELECT ", columns!(), " FROM modules m JOIN products p ON p.id = m.product_id JOIN spaces s ON s.id = p.space_id
        WHERE m.product_id = $1 AND m.name_folded = $2");
    LIST = concat!("SELECT ", columns!(), " FROM modules m JOIN products p ON p.id = m.product_id JOIN spaces s ON s.id = p.space_id
        WHERE m.tenant_id = $1 AND m.id < $2 AND ($3 = '' OR s.code = $3) AND ($4 = '' OR p.code = $4)
        ORDER BY m.id DESC LIMIT $5 OFFSET $6");
    COUNT = "SELECT COUNT(*) FROM modules m JOIN products p ON p.id = m.product_id JOIN spaces s ON s.id = p.space_id
        WHERE m.tenant_id = $1 AND ($2 = '' OR s.code = $2) AND ($3 = '' OR p.code = $3)";
    COUNT_OF_PRODUCT = "SELECT COUNT(*) FROM modules WHERE product_id = $1";
    HOLD = "SELECT 1 FROM modules WHERE id = $1 FOR KEY SHARE";
    HOLD_ALONE = "SELECT 1 FROM modules WHERE id = $1 FOR UPDATE";
    UPDATE = "UPDATE modules SET alias = $3, description = $4, updated_ms = $5 WHERE tenant_id = $1 AND id = $2";
    DELETE = "DELETE FROM modules WHERE tenant_id = $1 AND id = $2";
    DELETE_OF_PRODUCT = "DELETE FROM modules WHERE product_id = $1
        AND NOT EXISTS (SELECT 1 FROM packages WHERE packages.product_id = $1)";
    IN_USE = "SELECT 1 FROM packages WHERE product_id = $1 AND module = $2 LIMIT 1";
}

/// Which modules a list is of. An empty text lets every module pass.
#[derive(Clone, Debug, Default)]
pub struct ModuleFilter {
    pub space_code: String,
    pub product_code: String,
}

fn module(row: &Row<'_>) -> Result<Module, StoreError> {
    let name = row.text(6)?;
    Ok(Module {
        id: row.fixed(0)?,
        product: row.fixed(1)?,
        product_code: row.string(2)?,
        product_key: row.string(3)?,
        product_name: row.string(4)?,
        space_code: row.string(5)?,
        name: ModuleName::new(name).ok_or_else(|| StoreError::Unexpected(format!("{name} is not a module's name")))?,
        alias: row.string_opt(7)?,
        description: row.string_opt(8)?,
        created_ms: row.int(9)?,
        updated_ms: row.int(10)?,
    })
}

/// False if the product has a module of that name.
pub async fn insert(tx: &mut Tx<'_>, tenant: &Id, new: &Module) -> Result<bool, StoreError> {
    let folded = new.name.folded();
    let parameters = [
        (&new.id).into(),
        tenant.into(),
        (&new.product).into(),
        new.name.as_str().into(),
        (&folded).into(),
        (&new.alias).into(),
        (&new.description).into(),
        new.created_ms.into(),
    ];
    Ok(tx.execute(&INSERT, &parameters).await? == 1)
}

pub async fn by_id(tx: &mut Tx<'_>, tenant: &Id, id: &Id) -> Result<Option<Module>, StoreError> {
    tx.row(&BY_ID, &[tenant.into(), id.into()], module).await
}

pub async fn by_name(tx: &mut Tx<'_>, product: &Id, name: &ModuleName) -> Result<Option<Module>, StoreError> {
    tx.row(&BY_NAME, &[product.into(), (&name.folded()).into()], module).await
}

pub async fn list(
    tx: &mut Tx<'_>,
    tenant: &Id,
    filter: &ModuleFilter,
    page: Page,
) -> Result<PageOf<Module>, StoreError> {
    let (space, product): (Value<'_>, Value<'_>) = ((&filter.space_code).into(), (&filter.product_code).into());
    let skip = i64::try_from(page.skip).unwrap_or(i64::MAX);
    let parameters = [tenant.into(), (&page.before).into(), space, product, i64::from(page.limit).into(), skip.into()];
    let items = tx.rows(&LIST, &parameters, module).await?;
    let total = tx.row(&COUNT, &[tenant.into(), space, product], |row| row.int(0)).await?.unwrap_or(0);
    Ok(PageOf { items, total: u64::try_from(total).unwrap_or(0) })
}

pub async fn count_of_product(tx: &mut Tx<'_>, product: &Id) -> Result<u64, StoreError> {
    let count = tx.row(&COUNT_OF_PRODUCT, &[product.into()], |row| row.int(0)).await?.unwrap_or(0);
    Ok(u64::try_from(count).unwrap_or(0))
}

pub async fn update(
    tx: &mut Tx<'_>,
    tenant: &Id,
    id: &Id,
    alias: &Option<String>,
    description: &Option<String>,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let parameters = [tenant.into(), id.into(), alias.into(), description.into(), now_ms.into()];
    Ok(tx.execute(&UPDATE, &parameters).await? == 1)
}

/// Keeps a module from being deleted until the transaction ends. False if it is not there.
pub async fn hold(tx: &mut Tx<'_>, id: &Id) -> Result<bool, StoreError> {
    Ok(tx.execute(&HOLD, &[id.into()]).await? == 1)
}

/// Waits for those who hold the module and lets others wait until the transaction ends. False if it is not there.
pub async fn hold_alone(tx: &mut Tx<'_>, id: &Id) -> Result<bool, StoreError> {
    Ok(tx.execute(&HOLD_ALONE, &[id.into()]).await? == 1)
}

pub async fn delete(tx: &mut Tx<'_>, tenant: &Id, id: &Id) -> Result<bool, StoreError> {
    Ok(tx.execute(&DELETE, &[tenant.into(), id.into()]).await? == 1)
}

/// Deletes the modules of a product that has no packages.
pub async fn delete_of_product(tx: &mut Tx<'_>, product: &Id) -> Result<(), StoreError> {
    tx.execute(&DELETE_OF_PRODUCT, &[product.into()]).await.map(drop)
}

/// Whether any package is of that module.
pub async fn in_use(tx: &mut Tx<'_>, product: &Id, name: &ModuleName) -> Result<bool, StoreError> {
    Ok(tx.row(&IN_USE, &[product.into(), name.as_str().into()], |_| Ok(())).await?.is_some())
}
