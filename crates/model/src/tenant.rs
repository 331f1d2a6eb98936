//! A tenant: one account whose records no other account can see.

use crate::Id;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    pub id: Id,
    /// Unique in any letter case; 1 to 64 characters.
    pub name: String,
    pub created_ms: i64,
}
