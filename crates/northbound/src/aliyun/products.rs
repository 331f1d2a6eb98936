//! Products (contract §10, without devices). What the server does nothing with rides along and comes back as it was given.

use otaru_core::app::{App, Caller, Error, NewProduct, ProductQuery, ProductRef};
use otaru_model::{Page, Product, ProductDraft};
use serde_json::{Map, Value as Json};

use super::DOOR;
use super::answer::{Record, Value};
use super::call::Call;
use super::error::Failure;
use super::limits::is_name_start;
use super::shapes::Paging;

/// What devices of this dialect speak, for the dialects that ask.
const PROTOCOL: &str = "MQTT";
const EDITION: &str = "iothub_senior";
const OTHER_EDITION: &str = "iothub";
/// No door of this server registers devices so far, so no product has any.
const DEVICE_COUNT: i64 = 0;
/// The least number of characters that a name has in any script.
const SHORT_NAME: usize = 4;

pub async fn create(call: &Call<'_>) -> Result<Record<'static>, Failure> {
    let name = product_name(call)?;
    let mut ours = Map::new();
    ours.insert("NodeType".to_owned(), call.integer("NodeType")?.into());
    if let Some(format) = call.optional_integer("DataFormat")? {
        ours.insert("DataFormat".to_owned(), format.into());
    }
    for field in ["AliyunCommodityCode", "AuthType", "NetType", "ProtocolType", "CategoryKey"] {
        if let Some(text) = call.optional(field)?.filter(|text| !text.is_empty()) {
            ours.insert(field.to_owned(), text.into());
        }
    }
    let label = ours.get("AliyunCommodityCode").and_then(Json::as_str).and_then(label_of);
    let draft = ProductDraft {
        name: name.to_owned(),
        protocol: Some(PROTOCOL.to_owned()),
        description: call.optional("Description")?.map(str::to_owned),
        extra: Map::from_iter([(DOOR.to_owned(), Json::Object(ours))]),
        ..ProductDraft::default()
    };
    let new = NewProduct { space_code: None, code: None, key: None, draft, door: DOOR, unique_name: true, label };
    let product = call.app.create_product(call.caller, new).await?;
    let view = View(&product);
    let data = Record::new()
        .with("ProductKey", product.key.as_str())
        .with("ProductName", product.draft.name.as_str())
        .with_some("ProductSecret", secret(call.app, call.caller, &product)?)
        .with("NodeType", view.node_type())
        .with("AuthType", view.auth_type())
        .with_some("DataFormat", view.integer("DataFormat"))
        .with_some("Description", product.draft.description.as_deref())
        .with("Id2", false)
        .with("AliyunCommodityCode", view.edition())
        .with_some("ProtocolType", view.text("ProtocolType"));
    Ok(call.success().with("ProductKey", product.key.as_str()).with("Data", data).into_owned())
}

pub async fn query(call: &Call<'_>) -> Result<Record<'static>, Failure> {
    let product = call.app.show_product(call.caller, &product_ref(call)?).await?;
    let view = View(&product);
    let data = Record::new()
        .with("ProductKey", product.key.as_str())
        .with("ProductName", product.draft.name.as_str())
        .with_some("ProductSecret", secret(call.app, call.caller, &product)?)
        .with("NodeType", view.node_type())
        .with("DeviceCount", DEVICE_COUNT)
        .with("GmtCreate", product.created_ms)
        .with_some("NetType", view.net_type())
        .with_some("DataFormat", view.integer("DataFormat"))
        .with("Owner", true)
        .with("Id2", false)
        .with("AuthType", view.auth_type())
        .with_some("Description", product.draft.description.as_deref())
        .with_some("CategoryKey", view.text("CategoryKey"))
        .with_some("ProtocolType", view.text("ProtocolType"))
        .with("AliyunCommodityCode", view.edition());
    Ok(call.success().with("Data", data).into_owned())
}

pub async fn list(call: &Call<'_>) -> Result<Record<'static>, Failure> {
    let paging = Paging::read(call)?;
    let page = Page::numbered(paging.number(), paging.size());
    let found = match call.optional("AliyunCommodityCode")? {
        None => call.app.list_products(call.caller, ProductQuery { space_code: None, name: None, page }).await?,
        Some(edition) => call.app.list_labelled_products(call.caller, label_of(edition), page).await?,
    };
    let total = found.total;
    let rows = found.items.iter().map(|product| View(product).row()).collect();
    let data = Record::new()
        .with("CurrentPage", paging.current_page)
        .with("PageSize", paging.page_size)
        .with("PageCount", paging.count_of(total))
        .with("Total", total)
        .with("List", Record::new().with("ProductInfo", Value::List(rows)));
    Ok(call.success().with("Data", data).into_owned())
}

pub async fn delete(call: &Call<'_>) -> Result<Record<'static>, Failure> {
    call.app.delete_product(call.caller, &product_ref(call)?).await?;
    Ok(call.success())
}

/// The label of the edition's products: the usual one has none, because products of other dialects belong to it.
fn label_of(edition: &str) -> Option<&'static str> {
    (edition == OTHER_EDITION).then_some(OTHER_EDITION)
}

/// 4 to 30 characters, of which a Chinese, Japanese or Korean one counts as two where the name would be too short.
fn product_name<'a>(call: &Call<'a>) -> Result<&'a str, Failure> {
    let name = call.parameters.given("ProductName").unwrap_or_default();
    let doubled: String = name.chars().flat_map(|letter| [letter].repeat(1 + usize::from(is_wide(letter)))).collect();
    let counted = if name.chars().count() < SHORT_NAME { &doubled } else { name };
    call.check_text("ProductName", "ProductName", counted).map(|_| name)
}

fn is_wide(letter: char) -> bool {
    is_name_start(letter) && !letter.is_ascii()
}

fn product_ref(call: &Call<'_>) -> Result<ProductRef, Failure> {
    Ok(ProductRef::Key(call.text("ProductKey")?.to_owned()))
}

/// The secret, for callers who may see it.
fn secret(app: &App, caller: &Caller, product: &Product) -> Result<Option<String>, Failure> {
    match app.product_secret(caller, product) {
        Ok(secret) => Ok(Some(secret.expose().to_owned())),
        Err(Error::Forbidden { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A product with what this dialect keeps of it beside the model. Products of other dialects have nothing of that.
struct View<'a>(&'a Product);

impl View<'_> {
    fn member(&self, name: &str) -> Option<&Json> {
        self.0.draft.extra.get(DOOR)?.get(name)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.member(name)?.as_str()
    }

    fn integer(&self, name: &str) -> Option<i64> {
        self.member(name)?.as_i64()
    }

    fn node_type(&self) -> i64 {
        self.integer("NodeType").unwrap_or(0)
    }

    fn auth_type(&self) -> &str {
        self.text("AuthType").unwrap_or("secret")
    }

    fn edition(&self) -> &str {
        self.text("AliyunCommodityCode").unwrap_or(EDITION)
    }

    /// Requests name the network, answers number it.
    fn net_type(&self) -> Option<i64> {
        match self.text("NetType")? {
            "LORA" => Some(0),
            "WIFI" => Some(3),
            "CELLULAR" => Some(6),
            "ETHERNET" => Some(7),
            "OTHER" => Some(8),
            _ => None,
        }
    }

    fn row(&self) -> Record<'static> {
        let product = self.0;
        Record::new()
            .with("ProductKey", product.key.as_str())
            .with("ProductName", product.draft.name.as_str())
            .with_some("Description", product.draft.description.as_deref())
            .with("AuthType", self.auth_type())
            .with("NodeType", self.node_type())
            .with_some("DataFormat", self.integer("DataFormat"))
            .with("DeviceCount", DEVICE_COUNT)
            .with("GmtCreate", product.created_ms)
            .into_owned()
    }
}
