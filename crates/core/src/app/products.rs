//! Products.

use otaru_model::{Id, Page, PageOf, Product, ProductDraft, Right, Space};

use super::error::gone;
use super::{App, Caller, Error, Noun};
use crate::clock::random_text;
use crate::store::products::ProductFilter;
use crate::store::{self, Tx};

/// How dialects name a product.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProductRef {
    Code(String),
    Key(String),
}

impl ProductRef {
    pub fn text(&self) -> &str {
        match self {
            ProductRef::Code(text) | ProductRef::Key(text) => text,
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct NewProduct {
    /// The default space unless one is named.
    pub space_code: Option<String>,
    /// A code of the caller's choice: 1 to 36 letters, digits, `_` and `-`.
    pub code: Option<String>,
    /// A key of the caller's choice: 11 letters and digits.
    pub key: Option<String>,
    pub draft: ProductDraft,
    pub door: &'static str,
    /// Whether the name must differ from those of the other products of this door.
    pub unique_name: bool,
    /// A word by which the door lists its products (see [`App::list_labelled_products`]).
    pub label: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub struct ProductQuery {
    pub space_code: Option<String>,
    pub name: Option<String>,
    pub page: Page,
}

impl App {
    pub async fn create_product(&self, caller: &Caller, new: NewProduct) -> Result<Product, Error> {
        caller.require(Right::Publish)?;
        check_draft(&new.draft)?;
        let (id, now_ms, tenant) = (self.new_id(), self.now_ms(), caller.tenant);
        let code = match &new.code {
            Some(code) => check_code("code", code)?,
            None => id.to_string(),
        };
        let key = match &new.key {
            Some(key) => check_key(key)?,
            None => format!("a1{}", random_text(9)),
        };
        self.write(caller, "create_product", move |tx| {
            Box::pin(async move {
                let space = space_of(tx, &tenant, new.space_code.as_deref()).await?;
                if new.unique_name {
                    // Two of the same name at the same time would not see each other.
                    store::tenants::hold(tx, &tenant).await?;
                }
                if new.unique_name && store::products::name_taken(tx, &tenant, &new.draft.name, new.door).await? {
                    return Err(Error::exists(Noun::Product, &new.draft.name));
                }
                let product = Product {
                    id,
                    code,
                    key,
                    space: space.id,
                    space_code: space.code,
                    space_name: space.name,
                    draft: new.draft,
                    door: new.door.to_owned(),
                    created_ms: now_ms,
                    updated_ms: now_ms,
                };
                let inserted = store::products::insert(tx, &tenant, &product).await;
                if !inserted.map_err(gone(Noun::Space, &product.space_code))? {
                    return Err(Error::exists(Noun::Product, &product.code));
                }
                if let Some(label) = new.label {
                    store::products::set_label(tx, &product.id, label).await?;
                }
                Ok(product)
            })
        })
        .await
    }

    pub async fn show_product(&self, caller: &Caller, product: &ProductRef) -> Result<Product, Error> {
        caller.require(Right::Read)?;
        let (tenant, product) = (caller.tenant, product.clone());
        self.read("show_product", |tx| Box::pin(async move { find(tx, &tenant, &product).await })).await
    }

    /// A page of products, newest first. An unknown space is an error.
    pub async fn list_products(&self, caller: &Caller, query: ProductQuery) -> Result<PageOf<Product>, Error> {
        caller.require(Right::Read)?;
        let tenant = caller.tenant;
        self.read("list_products", |tx| {
            Box::pin(async move {
                if let Some(code) = &query.space_code {
                    space_of(tx, &tenant, Some(code)).await?;
                }
                let filter = ProductFilter {
                    space_code: query.space_code.unwrap_or_default(),
                    name: query.name.unwrap_or_default(),
                };
                Ok(store::products::list(tx, &tenant, &filter, query.page).await?)
            })
        })
        .await
    }

    /// A page of the products that were made with this label, or with none, newest first.
    pub async fn list_labelled_products(
        &self,
        caller: &Caller,
        label: Option<&'static str>,
        page: Page,
    ) -> Result<PageOf<Product>, Error> {
        caller.require(Right::Read)?;
        let tenant = caller.tenant;
        let label = label.unwrap_or_default();
        self.read("list_labelled_products", |tx| {
            Box::pin(async move { Ok(store::products::list_label(tx, &tenant, label, page).await?) })
        })
        .await
    }

    /// Changes a product: `change` gets what is and says what shall be.
    pub async fn update_product(
        &self,
        caller: &Caller,
        product: &ProductRef,
        change: impl FnOnce(ProductDraft) -> Result<ProductDraft, Error> + Clone + Send + 'static,
    ) -> Result<Product, Error> {
        caller.require(Right::Publish)?;
        let (tenant, product, now_ms) = (caller.tenant, product.clone(), self.now_ms());
        self.write(caller, "update_product", move |tx| {
            Box::pin(async move {
                let mut found = find(tx, &tenant, &product).await?;
                found.draft = change(found.draft)?;
                check_draft(&found.draft)?;
                found.updated_ms = now_ms;
                store::products::update(tx, &tenant, &found.id, &found.draft, now_ms).await?;
                Ok(found)
            })
        })
        .await
    }

    /// Deletes a product that has no packages, with its modules.
    pub async fn delete_product(&self, caller: &Caller, product: &ProductRef) -> Result<(), Error> {
        caller.require(Right::Publish)?;
        let (tenant, product) = (caller.tenant, product.clone());
        self.write(caller, "delete_product", move |tx| {
            Box::pin(async move {
                let found = find(tx, &tenant, &product).await?;
                if !store::products::delete(tx, &tenant, &found.id).await? {
                    return Err(Error::InUse { noun: Noun::Product, name: found.code, by: "its packages" });
                }
                Ok(())
            })
        })
        .await
    }
}

pub(super) async fn find(tx: &mut Tx<'_>, tenant: &Id, product: &ProductRef) -> Result<Product, Error> {
    let found = match product {
        ProductRef::Code(code) => store::products::by_code(tx, tenant, code).await?,
        ProductRef::Key(key) => store::products::by_key(tx, tenant, key).await?,
    };
    found.ok_or_else(|| Error::not_found(Noun::Product, product.text()))
}

/// The space of that code, or the default one.
pub(super) async fn space_of(tx: &mut Tx<'_>, tenant: &Id, code: Option<&str>) -> Result<Space, Error> {
    let found = match code {
        Some(code) => store::spaces::by_code(tx, tenant, code).await?,
        None => store::spaces::default(tx, tenant).await?,
    };
    found.ok_or_else(|| Error::not_found(Noun::Space, code.unwrap_or("default")))
}

/// Codes are chosen by people and stand in URLs: 1 to 36 letters, digits, `_` and `-`.
pub(super) fn check_code(field: &'static str, code: &str) -> Result<String, Error> {
    let right = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if (1..=36).contains(&code.len()) && code.bytes().all(right) {
        Ok(code.to_owned())
    } else {
        Err(Error::invalid(field, "1 to 36 letters, digits, `_` and `-`"))
    }
}

fn check_key(key: &str) -> Result<String, Error> {
    if key.len() == 11 && key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        Ok(key.to_owned())
    } else {
        Err(Error::invalid("key", "11 letters and digits"))
    }
}

/// The widest limits of any dialect; a dialect with narrower ones checks them itself.
fn check_draft(draft: &ProductDraft) -> Result<(), Error> {
    let required = [("name", Some(&draft.name), 1, 64)];
    let optional = [
        ("device_type", draft.device_type.as_ref(), 0, 256),
        ("model", draft.model.as_ref(), 0, 256),
        ("manufacturer", draft.manufacturer.as_ref(), 0, 256),
        ("protocol", draft.protocol.as_ref(), 0, 32),
        ("description", draft.description.as_ref(), 0, 1024),
    ];
    for (field, text, least, most) in required.into_iter().chain(optional) {
        let Some(text) = text else { continue };
        if !(least..=most).contains(&text.chars().count()) {
            return Err(Error::invalid(field, format!("{least} to {most} characters")));
        }
    }
    Ok(())
}
