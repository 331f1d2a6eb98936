//! Finding one's project: `GET /v3/projects?name=` (contract §8.1). A tenant is one project, whatever the region.

use serde_json::json;

use super::call::Call;
use super::response::{Answer, ok};
use super::{auth, ids};

/// Exactly one project: clients that know no project id take the first and fail if there are more.
pub async fn list(call: Call) -> Answer {
    let wanted = call.query.text_opt("projects", "name")?;
    let settings = &call.door.settings;
    let tenant = call.app.show_own_tenant(&call.caller).await?;
    let name = wanted.unwrap_or(&tenant.name);
    if !settings.is_region(name) && !auth::is_own_project(&call.app, settings, &call.caller, name).await? {
        return Ok(ok(json!({ "projects": [] })));
    }
    let domain_id = ids::domain_id(&tenant.id);
    Ok(ok(json!({
        "projects": [{
            "id": ids::project_id(&tenant.id),
            "name": name,
            "domain_id": domain_id,
            "parent_id": domain_id,
            "is_domain": false,
            "enabled": true,
            "description": "",
        }],
    })))
}
