//! Packages: versions of a module of a product, and the files that carry them.

mod requests;
mod views;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use otaru_core::app::{PackageQuery, ProductRef};
use otaru_model::{Id, Kinds};

use super::Native;
use super::auth::{Publisher, Reader};
use super::decode::{Json, Query, Segments};
use super::error::{Kind, Problem};
use super::page::{List, ListRest, PageQuery, time};
use crate::wire::answer::{Json as Answer, Listing};

use requests::{PackageChange, PackageFilter};
use views::{FileLink, PackageCheck, PackageLinks};

pub use requests::{NewFile, NewPackage};
pub use views::{PackageView, answer};

/// An id from a path; one that no package can have names nothing.
fn id_of(text: &str) -> Result<Id, Problem> {
    text.parse().map_err(|_| Problem::new(Kind::NotFound, format!("there is no package {text}")))
}

/// List the packages, newest first
#[utoipa::path(get, path = "/packages", tag = "packages", params(PackageFilter, PageQuery),
    responses(
        (status = 200, description = "A page of packages", body = List<PackageView>),
        (status = 404, description = "There is no such space"),
    ))]
pub async fn list_packages(
    State(native): State<Native>,
    Reader(caller): Reader,
    Query(filter): Query<PackageFilter>,
) -> Result<Response, Problem> {
    let query = PackageQuery {
        space_code: filter.space,
        product: filter.product.map(ProductRef::Code),
        kinds: filter.module_kind.map_or(Kinds::All, Kinds::One),
        version: filter.version,
        device_type: filter.device_type,
        model: filter.model,
        manufacturer: filter.manufacturer,
        page: filter.page.by_id()?,
    };
    let packages = native.app().list_packages_as(&caller, query, views::show_listed).await?;
    let List { items, total, next_cursor } =
        List::by_id(packages, filter.page.limit, |(id, _)| *id, |(_, package)| package);
    Ok(Listing { name: "items", members: &items, rest: ListRest { total, next_cursor } }.into_response())
}

/// Make a package from files that are here
#[utoipa::path(post, path = "/packages", tag = "packages", request_body = NewPackage,
    responses(
        (status = 201, description = "The package", body = PackageView),
        (status = 404, description = "There is no such product, module, upload or object"),
        (status = 422, description = "A file is not what was said of it"),
    ))]
pub async fn create_package(
    State(native): State<Native>,
    Publisher(caller): Publisher,
    Json(new): Json<NewPackage>,
) -> Result<(StatusCode, Response), Problem> {
    let draft = new.draft(native.app().settings().max_file_bytes)?;
    let package = native.app().create_package(&caller, draft).await?;
    Ok((StatusCode::CREATED, answer(&package)))
}

/// Show a package
#[utoipa::path(get, path = "/packages/{id}", tag = "packages", params(("id" = String, Path, description = "The package's id")),
    responses((status = 200, description = "The package", body = PackageView), (status = 404, description = "There is no such package")))]
pub async fn show_package(
    State(native): State<Native>,
    Reader(caller): Reader,
    Segments(id): Segments<String>,
) -> Result<Response, Problem> {
    Ok(answer(&native.app().show_package(&caller, &id_of(&id)?).await?))
}

/// Change a package's texts
#[utoipa::path(patch, path = "/packages/{id}", tag = "packages", request_body = PackageChange,
    params(("id" = String, Path, description = "The package's id")),
    responses((status = 200, description = "The package", body = PackageView), (status = 404, description = "There is no such package")))]
pub async fn update_package(
    State(native): State<Native>,
    Publisher(caller): Publisher,
    Segments(id): Segments<String>,
    Json(change): Json<PackageChange>,
) -> Result<Response, Problem> {
    let changed = native.app().rewrite_package(&caller, &id_of(&id)?, |texts| change.apply(texts)).await?;
    Ok(answer(&changed))
}

/// Delete a package
#[utoipa::path(delete, path = "/packages/{id}", tag = "packages", params(("id" = String, Path, description = "The package's id")),
    responses((status = 204, description = "Deleted"), (status = 404, description = "There is no such package")))]
pub async fn delete_package(
    State(native): State<Native>,
    Publisher(caller): Publisher,
    Segments(id): Segments<String>,
) -> Result<StatusCode, Problem> {
    native.app().delete_package(&caller, &id_of(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Read every stored byte again and compare
#[utoipa::path(post, path = "/packages/{id}/verify", tag = "packages", params(("id" = String, Path, description = "The package's id")),
    responses((status = 200, description = "What was found", body = PackageCheck), (status = 404, description = "There is no such package")))]
pub async fn verify_package(
    State(native): State<Native>,
    Reader(caller): Reader,
    Segments(id): Segments<String>,
) -> Result<Answer<PackageCheck>, Problem> {
    let checked = native.app().verify_package(&caller, &id_of(&id)?).await?;
    Ok(Answer(checked.into()))
}

/// Get links to the files, good for a while and for anybody
#[utoipa::path(post, path = "/packages/{id}/link", tag = "packages", params(("id" = String, Path, description = "The package's id")),
    responses((status = 200, description = "A link for every file", body = PackageLinks), (status = 404, description = "There is no such package")))]
pub async fn link_package(
    State(native): State<Native>,
    Reader(caller): Reader,
    Segments(id): Segments<String>,
) -> Result<Answer<PackageLinks>, Problem> {
    let package = native.app().show_package(&caller, &id_of(&id)?).await?;
    let link = |(position, file): (usize, &otaru_model::PackageFile)| {
        let link = native.app().link(&package, position)?;
        Some(FileLink {
            position,
            name: file.name.clone(),
            size_bytes: file.size_bytes,
            sha256: file.sha256.map(|digest| digest.to_string()),
            url: format!("{}?Expires={}&Signature={}", link.url, link.expires_s, link.signature),
            expires: time(link.expires_s * 1000),
        })
    };
    Ok(Answer(PackageLinks { files: package.files.iter().enumerate().filter_map(link).collect() }))
}
