//! Spaces: groups of products. Every tenant has a default one.

use axum::extract::State;
use http::StatusCode;
use otaru_model::Space;
use serde::Serialize;
use utoipa::ToSchema;

use super::Native;
use super::auth::{Publisher, Reader};
use super::decode::{Decode, Json, Members, Query, Segments};
use super::error::Problem;
use super::page::{List, PageOnly, PageQuery, time};
use crate::wire::answer::Json as Answer;

/// A space.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Space)]
pub struct SpaceView {
    pub id: String,
    /// What the space is called by; its id unless one was chosen.
    pub code: String,
    pub name: String,
    pub is_default: bool,
    #[schema(format = DateTime)]
    pub created: String,
}

impl From<Space> for SpaceView {
    fn from(space: Space) -> SpaceView {
        SpaceView {
            id: space.id.to_string(),
            code: space.code,
            name: space.name,
            is_default: space.is_default,
            created: time(space.created_ms),
        }
    }
}

/// A space to be made.
#[derive(ToSchema)]
pub struct NewSpace {
    pub name: String,
    /// A code of your own choice, so that programs keep the ids they know. Unique in the tenant.
    pub code: Option<String>,
}

impl Decode for NewSpace {
    const SCOPE: &'static str = "NewSpace";
    const MEMBERS: &'static [&'static str] = &["name", "code"];

    fn decode(given: &mut Members) -> Result<NewSpace, Problem> {
        Ok(NewSpace { name: given.required_text("name")?, code: given.text("code")? })
    }
}

/// What to change of a space.
#[derive(ToSchema)]
pub struct SpaceChange {
    pub name: String,
}

impl Decode for SpaceChange {
    const SCOPE: &'static str = "SpaceChange";
    const MEMBERS: &'static [&'static str] = &["name"];

    fn decode(given: &mut Members) -> Result<SpaceChange, Problem> {
        Ok(SpaceChange { name: given.required_text("name")? })
    }
}

/// List the spaces, oldest first
#[utoipa::path(get, path = "/spaces", tag = "spaces", params(PageQuery),
    responses((status = 200, description = "A page of spaces", body = List<SpaceView>)))]
pub async fn list_spaces(
    State(native): State<Native>,
    Reader(caller): Reader,
    Query(PageOnly(page)): Query<PageOnly>,
) -> Result<Answer<List<SpaceView>>, Problem> {
    let spaces = native.app().list_spaces(&caller).await?;
    Ok(Answer(List::of_all(spaces, &page, |space| space.id.as_bytes().to_vec(), SpaceView::from)))
}

/// Make a space
#[utoipa::path(post, path = "/spaces", tag = "spaces", request_body = NewSpace,
    responses(
        (status = 201, description = "The space", body = SpaceView),
        (status = 409, description = "The code is taken"),
    ))]
pub async fn create_space(
    State(native): State<Native>,
    Publisher(caller): Publisher,
    Json(new): Json<NewSpace>,
) -> Result<(StatusCode, Answer<SpaceView>), Problem> {
    let space = native.app().create_space(&caller, &new.name, new.code.as_deref()).await?;
    Ok((StatusCode::CREATED, Answer(space.into())))
}

/// Show a space
#[utoipa::path(get, path = "/spaces/{code}", tag = "spaces", params(("code" = String, Path, description = "The space's code")),
    responses((status = 200, description = "The space", body = SpaceView), (status = 404, description = "There is no such space")))]
pub async fn show_space(
    State(native): State<Native>,
    Reader(caller): Reader,
    Segments(code): Segments<String>,
) -> Result<Answer<SpaceView>, Problem> {
    Ok(Answer(native.app().show_space(&caller, &code).await?.into()))
}

/// Rename a space
#[utoipa::path(patch, path = "/spaces/{code}", tag = "spaces", request_body = SpaceChange,
    params(("code" = String, Path, description = "The space's code")),
    responses((status = 200, description = "The space", body = SpaceView), (status = 404, description = "There is no such space")))]
pub async fn update_space(
    State(native): State<Native>,
    Publisher(caller): Publisher,
    Segments(code): Segments<String>,
    Json(change): Json<SpaceChange>,
) -> Result<Answer<SpaceView>, Problem> {
    Ok(Answer(native.app().rename_space(&caller, &code, &change.name).await?.into()))
}

/// Delete a space that has no products
///
/// The default one stays.
#[utoipa::path(delete, path = "/spaces/{code}", tag = "spaces", params(("code" = String, Path, description = "The space's code")),
    responses(
        (status = 204, description = "Deleted"),
        (status = 404, description = "There is no such space"),
        (status = 409, description = "It has products, or is the default one"),
    ))]
pub async fn delete_space(
    State(native): State<Native>,
    Publisher(caller): Publisher,
    Segments(code): Segments<String>,
) -> Result<StatusCode, Problem> {
    native.app().delete_space(&caller, &code).await?;
    Ok(StatusCode::NO_CONTENT)
}
