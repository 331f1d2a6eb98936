//! The first start: a tenant, its default space and a key that may do everything.

use otaru_model::{Id, Role, Space, Tenant};

use super::{App, Error, NewKey, Secret};
use crate::store;

/// The name of the tenant that a first start makes.
const FIRST_TENANT: &str = "DEFAULT";

/// What a first start made.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    pub tenant: Tenant,
    pub key: NewKey,
}

impl App {
    /// Makes the first tenant and key, unless there are keys already. Of several copies that start together one does it.
    pub async fn bootstrap(&self, pair: Option<(String, Secret)>) -> Result<Option<Bootstrap>, Error> {
        let tenant = Tenant { id: self.new_id(), name: FIRST_TENANT.to_owned(), created_ms: self.now_ms() };
        let space = self.default_space(tenant.created_ms);
        let key = self.draft_key(tenant.id, Role::Admin, "made at the first start", None, pair);
        let sealed = self.seal(&key)?;
        let made = Bootstrap { tenant, key };
        let answer = made.clone();
        let first = self
            .write_own("bootstrap", move |tx| {
                Box::pin(async move {
                    let ours = made.key.key.id.as_str();
                    let first = store::settings::get_or_put(tx, "first_key", ours).await?;
                    if first != ours || store::access::any(tx).await? {
                        return Ok::<_, Error>(false);
                    }
                    if !store::tenants::insert(tx, &made.tenant).await? {
                        return Err(Error::exists(super::Noun::Tenant, FIRST_TENANT));
                    }
                    store::spaces::insert(tx, &made.tenant.id, &space).await?;
                    store::access::insert(tx, &made.key.key, &sealed).await?;
                    Ok(true)
                })
            })
            .await?;
        Ok(first.then_some(answer))
    }

    pub(super) fn default_space(&self, created_ms: i64) -> Space {
        let id: Id = self.new_id();
        Space { id, code: id.to_string(), name: "default".to_owned(), is_default: true, created_ms }
    }
}
