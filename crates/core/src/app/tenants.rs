//! Tenants. They are made by the administrators of the first one, or by who runs the server.

use otaru_model::{Id, Right, Role, Tenant};

use super::{App, Caller, Error, NewKey, Noun};
use crate::store;

impl App {
    /// Makes a tenant with a default space and an administrator's key. Only administrators of the first tenant may.
    pub async fn create_tenant(&self, caller: &Caller, name: &str) -> Result<(Tenant, NewKey), Error> {
        self.require_first_tenant(caller).await?;
        let length = name.chars().count();
        let right = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.');
        if !(1..=64).contains(&length) || !name.chars().all(right) {
            return Err(Error::invalid("name", "1 to 64 letters, digits, `_`, `-` and `.`"));
        }
        let tenant = Tenant { id: self.new_id(), name: name.to_owned(), created_ms: self.now_ms() };
        let space = self.default_space(tenant.created_ms);
        let key = self.draft_key(tenant.id, Role::Admin, "made with the tenant", None, None);
        let sealed = self.seal(&key)?;
        let (record, key_record) = (tenant.clone(), key.key.clone());
        self.write(caller, "create_tenant", move |tx| {
            Box::pin(async move {
                if !store::tenants::insert(tx, &record).await? {
                    return Err(Error::exists(Noun::Tenant, &record.name));
                }
                store::spaces::insert(tx, &record.id, &space).await?;
                store::access::insert(tx, &key_record, &sealed).await?;
                Ok(())
            })
        })
        .await?;
        Ok((tenant, key))
    }

    /// The caller's own tenant.
    pub async fn show_own_tenant(&self, caller: &Caller) -> Result<Tenant, Error> {
        self.tenant_by_id(caller.tenant).await
    }

    /// All tenants for administrators of the first one; for everybody else their own.
    pub async fn list_tenants(&self, caller: &Caller) -> Result<Vec<Tenant>, Error> {
        caller.require(Right::Read)?;
        if self.require_first_tenant(caller).await.is_err() {
            return Ok(vec![self.show_own_tenant(caller).await?]);
        }
        self.read("list_tenants", |tx| Box::pin(async move { Ok(store::tenants::list(tx).await?) })).await
    }

    pub async fn tenant_by_name(&self, name: &str) -> Result<Tenant, Error> {
        let owned = name.to_owned();
        let found = self
            .read("tenant_by_name", |tx| Box::pin(async move { Ok(store::tenants::by_name(tx, &owned).await?) }))
            .await?;
        found.ok_or_else(|| Error::not_found(Noun::Tenant, name))
    }

    async fn tenant_by_id(&self, id: Id) -> Result<Tenant, Error> {
        let found =
            self.read("tenant_by_id", |tx| Box::pin(async move { Ok(store::tenants::by_id(tx, &id).await?) })).await?;
        found.ok_or_else(|| Error::not_found(Noun::Tenant, id))
    }

    async fn require_first_tenant(&self, caller: &Caller) -> Result<(), Error> {
        caller.require(Right::Administer)?;
        let first = self
            .read("require_first_tenant", |tx| Box::pin(async move { Ok(store::tenants::list(tx).await?) }))
            .await?;
        match first.first() {
            Some(first) if first.id == caller.tenant => Ok(()),
            _ => Err(Error::Forbidden { right: Right::Administer }),
        }
    }
}
