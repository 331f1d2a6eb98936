//! Products: kinds of devices.

use axum::extract::State;
use http::StatusCode;
use otaru_core::app::{NewProduct as Draft, ProductQuery, ProductRef};
use otaru_model::{Product, ProductDraft};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::auth::{Publisher, Reader};
use super::decode::{Decode, Json, Members, Query, Segments};
use super::error::Problem;
use super::members::TextChange;
use super::page::{List, PageQuery, time};
use super::{DOOR, Native};
use crate::wire::answer::Json as Answer;

/// A product.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Product)]
pub struct ProductView {
    pub id: String,
    /// What the product is called by; its id unless one was chosen.
    pub code: String,
    /// The short key that devices of some protocols sign in with. Unique on the server.
    pub key: String,
    /// The code of its space.
    pub space: String,
    pub name: String,
    #[schema(required = true)]
    pub device_type: Option<String>,
    #[schema(required = true)]
    pub model: Option<String>,
    #[schema(required = true)]
    pub manufacturer: Option<String>,
    #[schema(required = true)]
    pub protocol: Option<String>,
    #[schema(required = true)]
    pub description: Option<String>,
    /// The door that the product was made at.
    pub door: String,
    #[schema(format = DateTime)]
    pub created: String,
    #[schema(format = DateTime)]
    pub updated: String,
}

impl From<Product> for ProductView {
    fn from(product: Product) -> ProductView {
        ProductView {
            id: product.id.to_string(),
            code: product.code,
            key: product.key,
            space: product.space_code,
            name: product.draft.name,
            device_type: product.draft.device_type,
            model: product.draft.model,
            manufacturer: product.draft.manufacturer,
            protocol: product.draft.protocol,
            description: product.draft.description,
            door: product.door,
            created: time(product.created_ms),
            updated: time(product.updated_ms),
        }
    }
}

/// A product to be made.
#[derive(ToSchema)]
pub struct NewProduct {
    pub name: String,
    /// The code of a space; the default one unless given.
    pub space: Option<String>,
    /// A code of your own choice, so that programs keep the ids they know. Unique in the tenant.
    pub code: Option<String>,
    /// A key of your own choice, so that devices keep the key they know. Unique on the server.
    pub key: Option<String>,
    pub device_type: Option<String>,
    pub model: Option<String>,
    pub manufacturer: Option<String>,
    pub protocol: Option<String>,
    pub description: Option<String>,
}

impl Decode for NewProduct {
    const SCOPE: &'static str = "NewProduct";
    const MEMBERS: &'static [&'static str] =
        &["name", "space", "code", "key", "device_type", "model", "manufacturer", "protocol", "description"];

    fn decode(given: &mut Members) -> Result<NewProduct, Problem> {
        Ok(NewProduct {
            name: given.required_text("name")?,
            space: given.text("space")?,
            code: given.text("code")?,
            key: given.text("key")?,
            device_type: given.text("device_type")?,
            model: given.text("model")?,
            manufacturer: given.text("manufacturer")?,
            protocol: given.text("protocol")?,
            description: given.text("description")?,
        })
    }
}

/// What to change of a product. What is absent stays; null removes.
#[derive(Clone, ToSchema)]
pub struct ProductChange {
    #[schema(value_type = Option<String>, nullable = false)]
    pub name: Option<String>,
    #[schema(value_type = Option<String>)]
    pub device_type: TextChange,
    #[schema(value_type = Option<String>)]
    pub model: TextChange,
    #[schema(value_type = Option<String>)]
    pub manufacturer: TextChange,
    #[schema(value_type = Option<String>)]
    pub protocol: TextChange,
    #[schema(value_type = Option<String>)]
    pub description: TextChange,
}

impl Decode for ProductChange {
    const SCOPE: &'static str = "ProductChange";
    const MEMBERS: &'static [&'static str] =
        &["name", "device_type", "model", "manufacturer", "protocol", "description"];

    fn decode(given: &mut Members) -> Result<ProductChange, Problem> {
        Ok(ProductChange {
            name: given.kept_text("name")?,
            device_type: given.change("device_type")?,
            model: given.change("model")?,
            manufacturer: given.change("manufacturer")?,
            protocol: given.change("protocol")?,
            description: given.change("description")?,
        })
    }
}

impl ProductChange {
    fn apply(self, mut draft: ProductDraft) -> ProductDraft {
        draft.name = self.name.unwrap_or(draft.name);
        self.device_type.apply(&mut draft.device_type);
        self.model.apply(&mut draft.model);
        self.manufacturer.apply(&mut draft.manufacturer);
        self.protocol.apply(&mut draft.protocol);
        self.description.apply(&mut draft.description);
        draft
    }
}

/// Which products.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ProductFilter {
    /// Only those of the space with this code.
    pub space: Option<String>,
    /// Only those of exactly this name.
    pub name: Option<String>,
    #[param(ignore)]
    pub page: PageQuery,
}

impl Decode for ProductFilter {
    const SCOPE: &'static str = "list_products";
    const MEMBERS: &'static [&'static str] = &["space", "name", "limit", "cursor"];

    fn decode(given: &mut Members) -> Result<ProductFilter, Problem> {
        Ok(ProductFilter { space: given.text("space")?, name: given.text("name")?, page: PageQuery::decode(given)? })
    }
}

/// List the products, newest first
#[utoipa::path(get, path = "/products", tag = "products", params(ProductFilter, PageQuery),
    responses(
        (status = 200, description = "A page of products", body = List<ProductView>),
        (status = 404, description = "There is no such space"),
    ))]
pub async fn list_products(
    State(native): State<Native>,
    Reader(caller): Reader,
    Query(filter): Query<ProductFilter>,
) -> Result<Answer<List<ProductView>>, Problem> {
    let query = ProductQuery { space_code: filter.space, name: filter.name, page: filter.page.by_id()? };
    let products = native.app().list_products(&caller, query).await?;
    Ok(Answer(List::by_id(products, filter.page.limit, |product| product.id, ProductView::from)))
}

/// Make a product
#[utoipa::path(post, path = "/products", tag = "products", request_body = NewProduct,
    responses(
        (status = 201, description = "The product", body = ProductView),
        (status = 404, description = "There is no such space"),
        (status = 409, description = "The code or the key is taken"),
    ))]
pub async fn create_product(
    State(native): State<Native>,
    Publisher(caller): Publisher,
    Json(new): Json<NewProduct>,
) -> Result<(StatusCode, Answer<ProductView>), Problem> {
    let new = Draft {
        space_code: new.space,
        code: new.code,
        key: new.key,
        draft: ProductDraft {
            name: new.name,
            device_type: new.device_type,
            model: new.model,
            manufacturer: new.manufacturer,
            protocol: new.protocol,
            description: new.description,
            extra: serde_json::Map::new(),
        },
        door: DOOR,
        unique_name: false,
        label: None,
    };
    let product = native.app().create_product(&caller, new).await?;
    Ok((StatusCode::CREATED, Answer(product.into())))
}

/// Show a product
#[utoipa::path(get, path = "/products/{code}", tag = "products", params(("code" = String, Path, description = "The product's code")),
    responses((status = 200, description = "The product", body = ProductView), (status = 404, description = "There is no such product")))]
pub async fn show_product(
    State(native): State<Native>,
    Reader(caller): Reader,
    Segments(code): Segments<String>,
) -> Result<Answer<ProductView>, Problem> {
    Ok(Answer(native.app().show_product(&caller, &ProductRef::Code(code)).await?.into()))
}

/// Change a product
#[utoipa::path(patch, path = "/products/{code}", tag = "products", request_body = ProductChange,
    params(("code" = String, Path, description = "The product's code")),
    responses((status = 200, description = "The product", body = ProductView), (status = 404, description = "There is no such product")))]
pub async fn update_product(
    State(native): State<Native>,
    Publisher(caller): Publisher,
    Segments(code): Segments<String>,
    Json(change): Json<ProductChange>,
) -> Result<Answer<ProductView>, Problem> {
    let product = ProductRef::Code(code);
    let changed = native.app().update_product(&caller, &product, |draft| Ok(change.apply(draft))).await?;
    Ok(Answer(changed.into()))
}

/// Delete a product that has no packages, with its modules
#[utoipa::path(delete, path = "/products/{code}", tag = "products", params(("code" = String, Path, description = "The product's code")),
    responses(
        (status = 204, description = "Deleted"),
        (status = 404, description = "There is no such product"),
        (status = 409, description = "It has packages"),
    ))]
pub async fn delete_product(
    State(native): State<Native>,
    Publisher(caller): Publisher,
    Segments(code): Segments<String>,
) -> Result<StatusCode, Problem> {
    native.app().delete_product(&caller, &ProductRef::Code(code)).await?;
    Ok(StatusCode::NO_CONTENT)
}
