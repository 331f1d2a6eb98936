//! A product: a kind of device, for which packages are made.

use serde_json::{Map, Value};

use crate::Id;

#[derive(Clone, Debug, PartialEq)]
pub struct Product {
    pub id: Id,
    /// What clients call the product by; the id's text unless one was chosen when it was made. Unique in the tenant.
    pub code: String,
    /// A short key of eleven letters and digits, unique on the server: devices of some dialects sign in with it.
    pub key: String,
    pub space: Id,
    /// The code and name of that space.
    pub space_code: String,
    pub space_name: String,
    pub draft: ProductDraft,
    /// The dialect that made the product.
    pub door: String,
    pub created_ms: i64,
    pub updated_ms: i64,
}

/// What is said of a product when it is made or changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProductDraft {
    pub name: String,
    pub device_type: Option<String>,
    pub model: Option<String>,
    pub manufacturer: Option<String>,
    pub protocol: Option<String>,
    pub description: Option<String>,
    /// Members that a dialect only wants back, under that dialect's name.
    pub extra: Map<String, Value>,
}
