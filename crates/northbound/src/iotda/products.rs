//! Products: create, list, show, update, delete (contract §6).
//!
//! What only this dialect knows of a product rides along under its name in the product's `extra`.

use otaru_core::app::{NewProduct, ProductQuery, ProductRef};
use otaru_model::{Product, ProductDraft};
use serde::Serialize;
use serde_json::{Map, Value};

use super::DOOR;
use super::call::Call;
use super::error::{NO_PRODUCT, Refusal, in_body};
use super::json::{Fields, has_nul};
use super::query::{PageView, page_view};
use super::response::{Answer, created, gone, ok};
use crate::wire::time::TimeFormat;

/// What a product of another dialect is shown with, which may have neither.
const DEFAULT_PROTOCOL: &str = "MQTT";
const DEFAULT_DATA_FORMAT: &str = "json";

pub async fn create(call: Call) -> Answer {
    let members = call.body()?;
    let body = Fields::new("product", &members);
    for name in ["name", "device_type", "protocol_type", "data_format", "service_capabilities"] {
        if !body.has(name) {
            return Err(body.missing(name));
        }
    }
    let new = NewProduct {
        space_code: body.owned_opt("app_id")?,
        code: body.owned_opt("product_id")?,
        key: None,
        draft: Change::decode(&body)?.apply(ProductDraft::default()),
        door: DOOR,
        unique_name: false,
        label: None,
    };
    let product = call.app.create_product(&call.caller, new).await.map_err(in_body)?;
    Ok(created(ProductView::whole(&product)))
}

pub async fn list(call: Call) -> Answer {
    let query = ProductQuery {
        space_code: call.query.owned_opt("list_products", "app_id")?,
        name: call.query.owned_opt("list_products", "product_name")?,
        page: call.query.page()?,
    };
    let page = call.app.list_products(&call.caller, query).await?;
    let products: Vec<_> = page.items.iter().map(ProductView::listed).collect();
    Ok(ok(ListView { products, page: page_view(&page, |product| product.id) }))
}

pub async fn show(call: Call) -> Answer {
    let product = addressed(&call, None).await?;
    Ok(ok(ProductView::whole(&product)))
}

pub async fn update(call: Call) -> Answer {
    let members = call.body()?;
    let body = Fields::new("product", &members);
    let change = Change::decode(&body)?;
    let product = addressed(&call, body.text_opt("app_id")?).await?;
    let product = ProductRef::Code(product.code);
    let product = call.app.update_product(&call.caller, &product, move |draft| Ok(change.apply(draft))).await?;
    Ok(ok(ProductView::whole(&product)))
}

pub async fn delete(call: Call) -> Answer {
    let product = addressed(&call, None).await?;
    call.app.delete_product(&call.caller, &ProductRef::Code(product.code)).await?;
    Ok(gone())
}

/// The product in the path, which is in the space that the query or the body names, if they name one.
async fn addressed(call: &Call, space_in_body: Option<&str>) -> Result<Product, Refusal> {
    let code = call.path("product_id")?;
    let spaces = [call.query.text_opt("product", "app_id")?, space_in_body];
    for space in spaces.into_iter().flatten() {
        call.app.show_space(&call.caller, space).await?;
    }
    let product = call.app.show_product(&call.caller, &ProductRef::Code(code.to_owned())).await?;
    if spaces.into_iter().flatten().any(|space| space != product.space_code) {
        return Err(Refusal::new(&NO_PRODUCT, format!("There is no product {code} in that application.")));
    }
    Ok(product)
}

/// What a body says of a product; what is absent stays as it is.
#[derive(Clone)]
struct Change {
    name: Option<String>,
    device_type: Option<String>,
    protocol: Option<String>,
    manufacturer: Option<String>,
    description: Option<String>,
    riders: Map<String, Value>,
}

impl Change {
    fn decode(body: &Fields<'_>) -> Result<Change, Refusal> {
        let mut riders = Map::new();
        for name in ["data_format", "industry"] {
            if let Some(text) = body.text_opt(name)? {
                riders.insert(name.to_owned(), text.into());
            }
        }
        if let Some(services) = services(body)? {
            riders.insert("service_capabilities".to_owned(), services);
        }
        Ok(Change {
            name: body.owned_opt("name")?,
            device_type: body.owned_opt("device_type")?,
            protocol: body.owned_opt("protocol_type")?,
            manufacturer: body.owned_opt("manufacturer_name")?,
            description: body.owned_opt("description")?,
            riders,
        })
    }

    fn apply(self, mut draft: ProductDraft) -> ProductDraft {
        draft.name = self.name.unwrap_or(draft.name);
        draft.device_type = self.device_type.or(draft.device_type);
        draft.protocol = self.protocol.or(draft.protocol);
        draft.manufacturer = self.manufacturer.or(draft.manufacturer);
        draft.description = self.description.or(draft.description);
        if let Value::Object(ours) = draft.extra.entry(DOOR).or_insert_with(|| Value::Object(Map::new())) {
            ours.extend(self.riders);
        }
        draft
    }
}

/// The services of a device: kept as they were sent, as nothing here depends on them.
fn services(body: &Fields<'_>) -> Result<Option<Value>, Refusal> {
    const NAME: &str = "service_capabilities";
    let Some(services) = body.list_opt(NAME)? else { return Ok(None) };
    for (at, service) in services.iter().enumerate() {
        let id = service.as_object().and_then(|service| service.get("service_id")).and_then(Value::as_str);
        if id.is_none_or(str::is_empty) {
            return Err(body.refuse(&format!("{NAME}[{at}].service_id"), "is missing, or not a string."));
        }
        if has_nul(service) {
            return Err(body.refuse(&format!("{NAME}[{at}]"), "must have any characters but NUL."));
        }
    }
    Ok(Some(Value::Array(services.clone())))
}

#[derive(Serialize)]
struct ListView<'a> {
    products: Vec<ProductView<'a>>,
    page: PageView,
}

#[derive(Serialize)]
struct ProductView<'a> {
    app_id: &'a str,
    app_name: &'a str,
    product_id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_type: Option<&'a str>,
    protocol_type: &'a str,
    data_format: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    manufacturer_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    industry: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_capabilities: Option<&'a [Value]>,
    create_time: String,
}

impl<'a> ProductView<'a> {
    /// As lists show it: without its services.
    fn listed(product: &'a Product) -> ProductView<'a> {
        let ProductDraft { name, device_type, manufacturer, protocol, description, extra, .. } = &product.draft;
        let rider = |name| extra.get(DOOR).and_then(|ours| ours.get(name)).and_then(Value::as_str);
        ProductView {
            app_id: &product.space_code,
            app_name: &product.space_name,
            product_id: &product.code,
            name,
            device_type: device_type.as_deref(),
            protocol_type: protocol.as_deref().unwrap_or(DEFAULT_PROTOCOL),
            data_format: rider("data_format").unwrap_or(DEFAULT_DATA_FORMAT),
            manufacturer_name: manufacturer.as_deref(),
            industry: rider("industry"),
            description: description.as_deref(),
            service_capabilities: None,
            create_time: TimeFormat::Compact.format(product.created_ms),
        }
    }

    fn whole(product: &'a Product) -> ProductView<'a> {
        let services = product.draft.extra.get(DOOR).and_then(|ours| ours.get("service_capabilities"));
        let services = services.and_then(Value::as_array).map_or(&[] as &[Value], Vec::as_slice);
        ProductView { service_capabilities: Some(services), ..ProductView::listed(product) }
    }
}
