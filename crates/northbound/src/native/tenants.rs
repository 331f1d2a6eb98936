//! Tenants: accounts whose records no other account can see.

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use otaru_core::app::Error;
use otaru_model::Tenant;
use serde::Serialize;
use utoipa::ToSchema;

use super::Native;
use super::auth::{Administrator, Reader};
use super::decode::{Decode, Json, Members, Query};
use super::error::{Kind, Problem};
use super::keys::KeyWithSecret;
use super::page::{List, PageOnly, PageQuery, time};

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tenant)]
pub struct TenantView {
    pub id: String,
    /// Unique in any letter case.
    pub name: String,
    #[schema(format = DateTime)]
    pub created: String,
}

impl From<Tenant> for TenantView {
    fn from(tenant: Tenant) -> TenantView {
        TenantView { id: tenant.id.to_string(), name: tenant.name, created: time(tenant.created_ms) }
    }
}

/// A tenant to be made.
#[derive(ToSchema)]
pub struct NewTenant {
    /// Unique in any letter case; part of the addresses that some devices call.
    pub name: String,
}

impl Decode for NewTenant {
    const SCOPE: &'static str = "NewTenant";
    const MEMBERS: &'static [&'static str] = &["name"];

    fn decode(given: &mut Members) -> Result<NewTenant, Problem> {
        Ok(NewTenant { name: given.required_text("name")? })
    }
}

/// A tenant as it is made, with its first key.
#[derive(Serialize, ToSchema)]
pub struct TenantWithKey {
    pub tenant: TenantView,
    /// An administrator's key. Its secret is told this once.
    pub key: KeyWithSecret,
}

/// Show the tenant that the key belongs to
#[utoipa::path(get, path = "/tenant", tag = "tenants",
    responses((status = 200, description = "The tenant", body = TenantView)))]
pub async fn show_own_tenant(
    State(native): State<Native>,
    Reader(caller): Reader,
) -> Result<Answer<TenantView>, Problem> {
    Ok(Answer(native.app().show_own_tenant(&caller).await?.into()))
}

/// List tenants, oldest first
///
/// Administrators of the first tenant see all, everybody else their own.
#[utoipa::path(get, path = "/tenants", tag = "tenants", params(PageQuery),
    responses((status = 200, description = "A page of tenants", body = List<TenantView>)))]
pub async fn list_tenants(
    State(native): State<Native>,
    Reader(caller): Reader,
    Query(PageOnly(page)): Query<PageOnly>,
) -> Result<Answer<List<TenantView>>, Problem> {
    let tenants = native.app().list_tenants(&caller).await?;
    Ok(Answer(List::of_all(tenants, &page, |tenant| tenant.id.as_bytes().to_vec(), TenantView::from)))
}

/// Make a tenant, with a default space and an administrator's key
///
/// Only administrators of the first tenant may.
#[utoipa::path(post, path = "/tenants", tag = "tenants", request_body = NewTenant,
    responses(
        (status = 201, description = "The tenant and its key", body = TenantWithKey),
        (status = 409, description = "The name is taken"),
    ))]
pub async fn create_tenant(
    State(native): State<Native>,
    Administrator(caller): Administrator,
    Json(new): Json<NewTenant>,
) -> Result<(StatusCode, Answer<TenantWithKey>), Problem> {
    let (tenant, key) = native.app().create_tenant(&caller, &new.name).await.map_err(|error| match error {
        Error::Forbidden { .. } => {
            Problem::new(Kind::Forbidden, "only administrators of the server's first tenant make tenants")
        }
        other => other.into(),
    })?;
    Ok((StatusCode::CREATED, Answer(TenantWithKey { tenant: tenant.into(), key: key.into() })))
}
