//! OTA modules: create, list, show, update, delete (contract §4).

use otaru_core::app::{ModuleChange, ModuleQuery, NewModule, ProductRef};
use otaru_model::{Id, Module, ModuleName};
use serde::Serialize;

use super::call::Call;
use super::error::{NO_MODULE, Refusal, in_body};
use super::json::Fields;
use super::query::{PageView, page_view};
use super::response::{Answer, created, gone, ok};
use crate::wire::time::TimeFormat;

pub async fn create(call: Call) -> Answer {
    let members = call.body()?;
    let new = decode(&Fields::new("create_module", &members))?;
    let module = call.app.create_module(&call.caller, new).await.map_err(in_body)?;
    Ok(created(ModuleView::of(&module)))
}

pub async fn list(call: Call) -> Answer {
    let query = ModuleQuery {
        space_code: Some(call.query.text("list_modules", "app_id")?.to_owned()),
        product_code: call.query.owned_opt("list_modules", "product_id")?,
        page: call.query.page()?,
    };
    let page = call.app.list_modules(&call.caller, query).await?;
    let modules: Vec<_> = page.items.iter().map(ModuleView::of).collect();
    Ok(ok(ListView { modules, page: page_view(&page, |module| module.id) }))
}

pub async fn show(call: Call) -> Answer {
    let module = call.app.show_module(&call.caller, &call.id("module_id", &NO_MODULE)?).await?;
    Ok(ok(ModuleView::of(&module)))
}

pub async fn update(call: Call) -> Answer {
    let id = call.id("module_id", &NO_MODULE)?;
    let members = call.body()?;
    let body = Fields::new("update_module", &members);
    let change = ModuleChange { alias: body.owned_opt("alias_name")?, description: body.owned_opt("description")? };
    let module = call.app.update_module(&call.caller, &id, change).await?;
    Ok(ok(ModuleView::of(&module)))
}

pub async fn delete(call: Call) -> Answer {
    call.app.delete_module(&call.caller, &call.id("module_id", &NO_MODULE)?).await?;
    Ok(gone())
}

fn decode(body: &Fields<'_>) -> Result<NewModule, Refusal> {
    let space_code = Some(body.text("app_id")?.to_owned());
    let product = ProductRef::Code(body.text("product_id")?.to_owned());
    let name = body.text("module_name")?;
    let name = ModuleName::new(name).ok_or_else(|| body.refuse("module_name", "is not a module's name."))?;
    Ok(NewModule {
        space_code,
        product,
        name,
        alias: body.owned_opt("alias_name")?,
        description: body.owned_opt("description")?,
        max_per_product: None,
    })
}

#[derive(Serialize)]
struct ListView<'a> {
    modules: Vec<ModuleView<'a>>,
    page: PageView,
}

#[derive(Serialize)]
struct ModuleView<'a> {
    module_id: Id,
    app_id: &'a str,
    product_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    product_name: &'a str,
    module_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    alias_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    create_time: String,
}

impl<'a> ModuleView<'a> {
    fn of(module: &'a Module) -> ModuleView<'a> {
        ModuleView {
            module_id: module.id,
            app_id: &module.space_code,
            product_id: &module.product_code,
            product_name: &module.product_name,
            module_name: module.name.as_str(),
            alias_name: module.alias.as_deref(),
            description: module.description.as_deref(),
            create_time: TimeFormat::Compact.format(module.created_ms),
        }
    }
}
