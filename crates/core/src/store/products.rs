//! Products.

use otaru_model::{Id, Page, PageOf, Product, ProductDraft};

use super::statement::statements;
use super::{Row, StoreError, Tx, Value};

/// What [`product`] reads.
macro_rules! columns {
    () => {
        "p.id, p.code, p.key, p.space_id, s.code, s.name, p.name, p.device_type, p.model, p.manufacturer, p.protocol, p.description, p.extra, p.door, p.created_ms, p.updated_ms"
    };
}

statements! {
    INSERT = "INSERT INTO products (id, tenant_id, space_id, code, key, name, device_type, model, manufacturer, protocol,
            description, extra, door, created_ms, updated_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT DO NOTHING";
    BY_CODE = concat!("SELECT ", columns!(), " FROM products p JOIN spaces s ON s.id = p.space_id WHERE p.tenant_id = $1 AND p.code = $2");
    BY_KEY = concat!("SELECT ", columns!(), " FROM products p JOIN spaces s ON s.id = p.space_id WHERE p.tenant_id = $1 AND p.key = $2");
    LIST = concat!("SELECT ", columns!(), " FROM products p JOIN spaces s ON s.id = p.space_id
        WHERE p.tenant_id = $1 AND p.id < $2 AND ($3 = '' OR s.code = $3) AND ($4 = '' OR p.name = $4)
        ORDER BY p.id DESC LIMIT $5 OFFSET $6");
    COUNT = "SELECT COUNT(*) FROM products p JOIN spaces s ON s.id = p.space_id
        WHERE p.tenant_id = $1 AND ($2 = '' OR s.code = $2) AND ($3 = '' OR p.name = $3)";
    SET_LABEL = "UPDATE products SET label = $2 WHERE id = $1";
    LIST_LABEL = concat!("SELECT ", columns!(), " FROM products p JOIN spaces s ON s.id = p.space_id
        WHERE p.tenant_id = $1 AND p.label = $2 AND p.id < $3 ORDER BY p.id DESC LIMIT $4 OFFSET $5");
    COUNT_LABEL = "SELECT COUNT(*) FROM products WHERE tenant_id = $1 AND label = $2";
    NAME_TAKEN = "SELECT 1 FROM products WHERE tenant_id = $1 AND name = $2 AND door = $3 LIMIT 1";
    HOLD = "SELECT 1 FROM products WHERE id = $1 FOR UPDATE";
    UPDATE = "UPDATE products SET name = $3, device_type = $4, model = $5, manufacturer = $6, protocol = $7, description = $8,
            extra = $9, updated_ms = $10 WHERE tenant_id = $1 AND id = $2";
    DELETE = "DELETE FROM products WHERE tenant_id = $1 AND id = $2
        AND NOT EXISTS (SELECT 1 FROM packages WHERE packages.product_id = $2)";
}

/// Which products a list is of. An empty text lets every product pass.
#[derive(Clone, Debug, Default)]
pub struct ProductFilter {
    pub space_code: String,
    pub name: String,
}

fn product(row: &Row<'_>) -> Result<Product, StoreError> {
    Ok(Product {
        id: row.fixed(0)?,
        code: row.string(1)?,
        key: row.string(2)?,
        space: row.fixed(3)?,
        space_code: row.string(4)?,
        space_name: row.string(5)?,
        draft: ProductDraft {
            name: row.string(6)?,
            device_type: row.string_opt(7)?,
            model: row.string_opt(8)?,
            manufacturer: row.string_opt(9)?,
            protocol: row.string_opt(10)?,
            description: row.string_opt(11)?,
            extra: row.json(12)?,
        },
        door: row.string(13)?,
        created_ms: row.int(14)?,
        updated_ms: row.int(15)?,
    })
}

fn extra_text(draft: &ProductDraft) -> String {
    serde_json::Value::Object(draft.extra.clone()).to_string()
}

/// False if the code or the key is taken.
pub async fn insert(tx: &mut Tx<'_>, tenant: &Id, new: &Product) -> Result<bool, StoreError> {
    let extra = extra_text(&new.draft);
    let parameters = [
        (&new.id).into(),
        tenant.into(),
        (&new.space).into(),
        (&new.code).into(),
        (&new.key).into(),
        (&new.draft.name).into(),
        (&new.draft.device_type).into(),
        (&new.draft.model).into(),
        (&new.draft.manufacturer).into(),
        (&new.draft.protocol).into(),
        (&new.draft.description).into(),
        (&extra).into(),
        (&new.door).into(),
        new.created_ms.into(),
        new.updated_ms.into(),
    ];
    Ok(tx.execute(&INSERT, &parameters).await? == 1)
}

pub async fn by_code(tx: &mut Tx<'_>, tenant: &Id, code: &str) -> Result<Option<Product>, StoreError> {
    tx.row(&BY_CODE, &[tenant.into(), code.into()], product).await
}

pub async fn by_key(tx: &mut Tx<'_>, tenant: &Id, key: &str) -> Result<Option<Product>, StoreError> {
    tx.row(&BY_KEY, &[tenant.into(), key.into()], product).await
}

pub async fn list(
    tx: &mut Tx<'_>,
    tenant: &Id,
    filter: &ProductFilter,
    page: Page,
) -> Result<PageOf<Product>, StoreError> {
    let (space, name): (Value<'_>, Value<'_>) = ((&filter.space_code).into(), (&filter.name).into());
    let skip = i64::try_from(page.skip).unwrap_or(i64::MAX);
    let parameters = [tenant.into(), (&page.before).into(), space, name, i64::from(page.limit).into(), skip.into()];
    let items = tx.rows(&LIST, &parameters, product).await?;
    let total = tx.row(&COUNT, &[tenant.into(), space, name], |row| row.int(0)).await?.unwrap_or(0);
    Ok(PageOf { items, total: u64::try_from(total).unwrap_or(0) })
}

/// Gives a product the word by which its door lists it.
pub async fn set_label(tx: &mut Tx<'_>, id: &Id, label: &str) -> Result<(), StoreError> {
    tx.execute(&SET_LABEL, &[id.into(), label.into()]).await.map(drop)
}

/// The products of one label, in the order of [`list`]; those without any have the empty one.
pub async fn list_label(tx: &mut Tx<'_>, tenant: &Id, label: &str, page: Page) -> Result<PageOf<Product>, StoreError> {
    let skip = i64::try_from(page.skip).unwrap_or(i64::MAX);
    let parameters = [tenant.into(), label.into(), (&page.before).into(), i64::from(page.limit).into(), skip.into()];
    let items = tx.rows(&LIST_LABEL, &parameters, product).await?;
    let total = tx.row(&COUNT_LABEL, &[tenant.into(), label.into()], |row| row.int(0)).await?.unwrap_or(0);
    Ok(PageOf { items, total: u64::try_from(total).unwrap_or(0) })
}

/// Whether a product of that name came by `door` already.
pub async fn name_taken(tx: &mut Tx<'_>, tenant: &Id, name: &str, door: &str) -> Result<bool, StoreError> {
    Ok(tx.row(&NAME_TAKEN, &[tenant.into(), name.into(), door.into()], |_| Ok(())).await?.is_some())
}

pub async fn update(
    tx: &mut Tx<'_>,
    tenant: &Id,
    id: &Id,
    draft: &ProductDraft,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let extra = extra_text(draft);
    let parameters = [
        tenant.into(),
        id.into(),
        (&draft.name).into(),
        (&draft.device_type).into(),
        (&draft.model).into(),
        (&draft.manufacturer).into(),
        (&draft.protocol).into(),
        (&draft.description).into(),
        (&extra).into(),
        now_ms.into(),
    ];
    Ok(tx.execute(&UPDATE, &parameters).await? == 1)
}

/// Lets others who need the product wait until the transaction ends, after waiting for those who need it now. False if it is
/// not there.
pub async fn hold(tx: &mut Tx<'_>, id: &Id) -> Result<bool, StoreError> {
    Ok(tx.execute(&HOLD, &[id.into()]).await? == 1)
}

/// False if the product still has packages.
pub async fn delete(tx: &mut Tx<'_>, tenant: &Id, id: &Id) -> Result<bool, StoreError> {
    hold(tx, id).await?;
    super::modules::delete_of_product(tx, id).await?;
    Ok(tx.execute(&DELETE, &[tenant.into(), id.into()]).await? == 1)
}
