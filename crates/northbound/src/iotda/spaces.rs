//! Resource spaces, which this dialect calls applications: create, list, show, update, delete (contract §6).

use otaru_model::Space;
use serde::Serialize;

use super::call::Call;
use super::json::Fields;
use super::response::{Answer, created, gone, ok};
use crate::wire::time::TimeFormat;

pub async fn create(call: Call) -> Answer {
    let members = call.body()?;
    let name = Fields::new("space", &members).text("app_name")?;
    let space = call.app.create_space(&call.caller, name, None).await?;
    Ok(created(SpaceView::of(&space)))
}

/// All of them at once: the document gives this list no pages.
pub async fn list(call: Call) -> Answer {
    let is_default = call.query.text_opt("list_spaces", "default_app")?.map(|text| text == "true");
    let spaces = call.app.list_spaces(&call.caller).await?;
    let wanted = spaces.iter().filter(|space| is_default.is_none_or(|wanted| wanted == space.is_default));
    Ok(ok(ListView { applications: wanted.map(SpaceView::of).collect() }))
}

pub async fn show(call: Call) -> Answer {
    let space = call.app.show_space(&call.caller, call.path("app_id")?).await?;
    Ok(ok(SpaceView::of(&space)))
}

pub async fn update(call: Call) -> Answer {
    let code = call.path("app_id")?;
    let members = call.body()?;
    let name = Fields::new("space", &members).text("app_name")?;
    let space = call.app.rename_space(&call.caller, code, name).await?;
    Ok(ok(SpaceView::of(&space)))
}

pub async fn delete(call: Call) -> Answer {
    call.app.delete_space(&call.caller, call.path("app_id")?).await?;
    Ok(gone())
}

#[derive(Serialize)]
struct ListView<'a> {
    applications: Vec<SpaceView<'a>>,
}

#[derive(Serialize)]
struct SpaceView<'a> {
    app_id: &'a str,
    app_name: &'a str,
    create_time: String,
    default_app: bool,
}

impl<'a> SpaceView<'a> {
    fn of(space: &'a Space) -> SpaceView<'a> {
        SpaceView {
            app_id: &space.code,
            app_name: &space.name,
            create_time: TimeFormat::Compact.format(space.created_ms),
            default_app: space.is_default,
        }
    }
}
