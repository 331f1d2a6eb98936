//! Spaces.

use otaru_model::{Right, Space};

use super::{App, Caller, Error, Noun};
use crate::store;

impl App {
    /// Makes a space. `code` lets a team that moves in keep the ids that its programs know.
    pub async fn create_space(&self, caller: &Caller, name: &str, code: Option<&str>) -> Result<Space, Error> {
        caller.require(Right::Publish)?;
        check_name(name)?;
        let id = self.new_id();
        let code = match code {
            Some(code) => super::products::check_code("code", code)?,
            None => id.to_string(),
        };
        let space = Space { id, code, name: name.to_owned(), is_default: false, created_ms: self.now_ms() };
        let (tenant, record) = (caller.tenant, space.clone());
        let inserted = self
            .write(caller, "create_space", move |tx| {
                Box::pin(async move { Ok(store::spaces::insert(tx, &tenant, &record).await?) })
            })
            .await?;
        if inserted { Ok(space) } else { Err(Error::exists(Noun::Space, &space.code)) }
    }

    /// Every space of the tenant, oldest first.
    pub async fn list_spaces(&self, caller: &Caller) -> Result<Vec<Space>, Error> {
        caller.require(Right::Read)?;
        let tenant = caller.tenant;
        self.read("list_spaces", |tx| Box::pin(async move { Ok(store::spaces::list(tx, &tenant).await?) })).await
    }

    pub async fn show_space(&self, caller: &Caller, code: &str) -> Result<Space, Error> {
        caller.require(Right::Read)?;
        let (tenant, owned) = (caller.tenant, code.to_owned());
        let found = self
            .read("show_space", |tx| Box::pin(async move { Ok(store::spaces::by_code(tx, &tenant, &owned).await?) }))
            .await?;
        found.ok_or_else(|| Error::not_found(Noun::Space, code))
    }

    pub async fn rename_space(&self, caller: &Caller, code: &str, name: &str) -> Result<Space, Error> {
        caller.require(Right::Publish)?;
        check_name(name)?;
        let (tenant, code, name) = (caller.tenant, code.to_owned(), name.to_owned());
        self.write(caller, "rename_space", move |tx| {
            Box::pin(async move {
                let found = store::spaces::by_code(tx, &tenant, &code).await?;
                let mut space = found.ok_or_else(|| Error::not_found(Noun::Space, &code))?;
                store::spaces::rename(tx, &tenant, &space.id, &name).await?;
                space.name = name;
                Ok(space)
            })
        })
        .await
    }

    /// Deletes a space that has no products. The default one stays.
    pub async fn delete_space(&self, caller: &Caller, code: &str) -> Result<(), Error> {
        caller.require(Right::Publish)?;
        let (tenant, code) = (caller.tenant, code.to_owned());
        self.write(caller, "delete_space", move |tx| {
            Box::pin(async move {
                let found = store::spaces::by_code(tx, &tenant, &code).await?;
                let space = found.ok_or_else(|| Error::not_found(Noun::Space, &code))?;
                if space.is_default {
                    return Err(Error::InUse { noun: Noun::Space, name: code, by: "the tenant, as its default space" });
                }
                if !store::spaces::delete(tx, &tenant, &space.id).await? {
                    return Err(Error::InUse { noun: Noun::Space, name: code, by: "its products" });
                }
                Ok(())
            })
        })
        .await
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    match name.chars().count() {
        1..=64 => Ok(()),
        _ => Err(Error::invalid("name", "1 to 64 characters")),
    }
}
