//! A space groups products within a tenant. Every tenant has a default one.

use crate::Id;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    pub id: Id,
    /// What clients call the space by; the id's text unless one was chosen when it was made. Unique in the tenant.
    pub code: String,
    pub name: String,
    pub is_default: bool,
    pub created_ms: i64,
}
