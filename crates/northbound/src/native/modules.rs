//! Modules: the parts of a product that are upgraded on their own. `firmware` and `software` are built in.

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use otaru_core::app::{ModuleQuery, NewModule as Draft, ProductRef};
use otaru_model::{Id, Module, ModuleKind, ModuleName, Page, Product};
use serde::Serialize;
use utoipa::ToSchema;

use super::Native;
use super::auth::{Publisher, Reader};
use super::decode::{Decode, Json, Members, Query, Segments};
use super::error::{Kind, Problem};
use super::members::TextChange;
use super::page::{List, PageOnly, PageQuery, bad_cursor, cursor, time};

/// A module.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Module)]
pub struct ModuleView {
    /// The code of its product.
    pub product: String,
    pub name: String,
    /// `firmware`, `software` or `other`.
    pub kind: &'static str,
    /// Whether the module exists in every product and can be neither changed nor deleted.
    pub is_built_in: bool,
    #[schema(required = true)]
    pub alias: Option<String>,
    #[schema(required = true)]
    pub description: Option<String>,
    /// When the module was made; a built-in one is as old as its product.
    #[schema(format = DateTime)]
    pub created: String,
    #[schema(format = DateTime)]
    pub updated: String,
}

pub fn kind_name(kind: ModuleKind) -> &'static str {
    match kind {
        ModuleKind::Firmware => "firmware",
        ModuleKind::Software => "software",
        ModuleKind::Other => "other",
    }
}

impl ModuleView {
    fn built_in(product: &Product, name: ModuleName) -> ModuleView {
        ModuleView {
            product: product.code.clone(),
            kind: kind_name(name.kind()),
            name: name.to_string(),
            is_built_in: true,
            alias: None,
            description: None,
            created: time(product.created_ms),
            updated: time(product.created_ms),
        }
    }
}

impl From<Module> for ModuleView {
    fn from(module: Module) -> ModuleView {
        ModuleView {
            product: module.product_code,
            kind: kind_name(module.name.kind()),
            name: module.name.to_string(),
            is_built_in: false,
            alias: module.alias,
            description: module.description,
            created: time(module.created_ms),
            updated: time(module.updated_ms),
        }
    }
}

/// A module to be made.
#[derive(ToSchema)]
pub struct NewModule {
    /// Unique in the product, in any letter case.
    pub name: String,
    /// Another name, for people.
    pub alias: Option<String>,
    pub description: Option<String>,
}

impl Decode for NewModule {
    const SCOPE: &'static str = "NewModule";
    const MEMBERS: &'static [&'static str] = &["name", "alias", "description"];

    fn decode(given: &mut Members) -> Result<NewModule, Problem> {
        Ok(NewModule {
            name: given.required_text("name")?,
            alias: given.text("alias")?,
            description: given.text("description")?,
        })
    }
}

/// What to change of a module. What is absent stays; null removes.
#[derive(ToSchema)]
pub struct ModuleChange {
    #[schema(value_type = Option<String>)]
    pub alias: TextChange,
    #[schema(value_type = Option<String>)]
    pub description: TextChange,
}

impl Decode for ModuleChange {
    const SCOPE: &'static str = "ModuleChange";
    const MEMBERS: &'static [&'static str] = &["alias", "description"];

    fn decode(given: &mut Members) -> Result<ModuleChange, Problem> {
        Ok(ModuleChange { alias: given.change("alias")?, description: given.change("description")? })
    }
}

/// A name from a path; one that no module can have names nothing.
fn name_of(text: &str) -> Result<ModuleName, Problem> {
    ModuleName::new(text).ok_or_else(|| Problem::new(Kind::NotFound, format!("there is no module {text}")))
}

/// List the modules of a product: the built-in ones, then the others, newest first
#[utoipa::path(get, path = "/products/{code}/modules", tag = "modules",
    params(("code" = String, Path, description = "The product's code"), PageQuery),
    responses(
        (status = 200, description = "A page of modules", body = List<ModuleView>),
        (status = 404, description = "There is no such product"),
    ))]
pub async fn list_modules(
    State(native): State<Native>,
    Reader(caller): Reader,
    Segments(code): Segments<String>,
    Query(PageOnly(page)): Query<PageOnly>,
) -> Result<Answer<List<ModuleView>>, Problem> {
    let product = native.app().show_product(&caller, &ProductRef::Code(code)).await?;
    let built_in = [ModuleName::firmware(), ModuleName::software()].map(|name| ModuleView::built_in(&product, name));
    // A cursor of one byte counts the built-in modules that were shown; one of twelve is the last other one's id.
    let (shown, before) = match page.cursor.as_deref() {
        None => (0, Id::MAX),
        Some(&[count @ 1..=2]) => (usize::from(count), Id::MAX),
        Some(bytes) => (built_in.len(), Id::try_from(bytes).map_err(|_| bad_cursor())?),
    };
    let limit = page.limit as usize;
    let mut items: Vec<ModuleView> = built_in.into_iter().skip(shown).take(limit).collect();
    let shown_now = items.len();
    let rest = Page { before, skip: 0, limit: page.limit + 1 };
    let query = ModuleQuery { space_code: None, product_code: Some(product.code.clone()), page: rest };
    let others = native.app().list_modules(&caller, query).await?;
    let room = limit - shown_now;
    let is_last = shown + shown_now == 2 && others.items.len() <= room;
    let last_id = others.items.iter().take(room).next_back().map(|module| module.id);
    items.extend(others.items.into_iter().take(room).map(ModuleView::from));
    let next_cursor = match (is_last, last_id) {
        (true, _) => None,
        (false, Some(id)) => Some(cursor(id.as_bytes())),
        (false, None) => u8::try_from(shown + shown_now).ok().map(|count| cursor(&[count])),
    };
    Ok(Answer(List { items, total: others.total + 2, next_cursor }))
}

/// Make a module
#[utoipa::path(post, path = "/products/{code}/modules", tag = "modules", request_body = NewModule,
    params(("code" = String, Path, description = "The product's code")),
    responses(
        (status = 201, description = "The module", body = ModuleView),
        (status = 404, description = "There is no such product"),
        (status = 409, description = "The product has a module of that name"),
    ))]
pub async fn create_module(
    State(native): State<Native>,
    Publisher(caller): Publisher,
    Segments(code): Segments<String>,
    Json(new): Json<NewModule>,
) -> Result<(StatusCode, Answer<ModuleView>), Problem> {
    let module = Draft {
        space_code: None,
        product: ProductRef::Code(code),
        name: name_of(&new.name)?,
        alias: new.alias,
        description: new.description,
        max_per_product: None,
    };
    Ok((StatusCode::CREATED, Answer(native.app().create_module(&caller, module).await?.into())))
}

/// Show a module
#[utoipa::path(get, path = "/products/{code}/modules/{name}", tag = "modules",
    params(("code" = String, Path, description = "The product's code"), ("name" = String, Path, description = "The module's name")),
    responses((status = 200, description = "The module", body = ModuleView), (status = 404, description = "There is no such module")))]
pub async fn show_module(
    State(native): State<Native>,
    Reader(caller): Reader,
    Segments((code, name)): Segments<(String, String)>,
) -> Result<Answer<ModuleView>, Problem> {
    let (product, name) = (ProductRef::Code(code), name_of(&name)?);
    if name.is_built_in() {
        let product = native.app().show_product(&caller, &product).await?;
        return Ok(Answer(ModuleView::built_in(&product, name)));
    }
    Ok(Answer(native.app().show_module_by_name(&caller, &product, &name).await?.into()))
}

/// Change a module
#[utoipa::path(patch, path = "/products/{code}/modules/{name}", tag = "modules", request_body = ModuleChange,
    params(("code" = String, Path, description = "The product's code"), ("name" = String, Path, description = "The module's name")),
    responses(
        (status = 200, description = "The module", body = ModuleView),
        (status = 404, description = "There is no such module"),
        (status = 409, description = "It is built in"),
    ))]
pub async fn update_module(
    State(native): State<Native>,
    Publisher(caller): Publisher,
    Segments((code, name)): Segments<(String, String)>,
    Json(change): Json<ModuleChange>,
) -> Result<Answer<ModuleView>, Problem> {
    let (product, name) = (ProductRef::Code(code), name_of(&name)?);
    if name.is_built_in() {
        native.app().show_product(&caller, &product).await?;
        return Err(Problem::new(Kind::InUse, format!("the module {name} is built in: it stays as it is")));
    }
    let rewrite = move |alias: &mut Option<String>, description: &mut Option<String>| {
        change.alias.apply(alias);
        change.description.apply(description);
    };
    Ok(Answer(native.app().rewrite_module(&caller, &product, &name, rewrite).await?.into()))
}

/// Delete a module that has no packages
#[utoipa::path(delete, path = "/products/{code}/modules/{name}", tag = "modules",
    params(("code" = String, Path, description = "The product's code"), ("name" = String, Path, description = "The module's name")),
    responses(
        (status = 204, description = "Deleted"),
        (status = 404, description = "There is no such module"),
        (status = 409, description = "It has packages, or is built in"),
    ))]
pub async fn delete_module(
    State(native): State<Native>,
    Publisher(caller): Publisher,
    Segments((code, name)): Segments<(String, String)>,
) -> Result<StatusCode, Problem> {
    let (product, name) = (ProductRef::Code(code), name_of(&name)?);
    if name.is_built_in() {
        native.app().show_product(&caller, &product).await?;
    }
    native.app().delete_module_by_name(&caller, &product, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
