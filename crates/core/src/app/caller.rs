//! Who is asking.

use std::sync::Arc;

use otaru_model::{Id, Right, Role};

use super::Error;
use crate::request;

/// An authenticated caller: a key that acts for a tenant in a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub tenant: Id,
    pub key_id: Arc<str>,
    pub role: Role,
    /// A nonce that makes the request good for one change only, and until when it must be remembered.
    pub(super) once: Option<(String, i64)>,
}

impl Caller {
    pub fn new(tenant: Id, key_id: impl Into<Arc<str>>, role: Role) -> Caller {
        Caller { tenant, key_id: key_id.into(), role, once: None }
    }

    /// The same caller, whose request changes something at most once. The nonce is stored with the change.
    pub fn once(mut self, nonce: impl Into<String>, expires_ms: i64) -> Caller {
        self.once = Some((nonce.into(), expires_ms));
        self
    }

    /// Whether the caller has `right`. Every verb asks, so this is also where a request learns whose it is; it is refused if
    /// that tenant has too many under way.
    pub fn require(&self, right: Right) -> Result<(), Error> {
        request::is_by(&self.tenant, Some(&self.key_id))?;
        if self.role.may(right) { Ok(()) } else { Err(Error::Forbidden { right }) }
    }
}
