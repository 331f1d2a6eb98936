//! Signing in: `POST /v3/auth/tokens` (contract §8.1). A key id is a user's name and its secret the password.
//!
//! An `Authorization` header is ignored here: one client signs this request as well, with a key that need not be ours.

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use otaru_core::app::{AuthError, Caller};
use otaru_model::Tenant;
use serde_json::{Map, Value, json};

use super::call::{parse_body, refuse_body};
use super::error::{INTERNAL, Refusal};
use super::json::Fields;
use super::response::{Answer, created};
use super::{Door, auth, ids};
use crate::wire::body;
use crate::wire::time::TimeFormat;

pub async fn issue_token(State(door): State<Door>, request: Request) -> Answer {
    let (parts, body) = body::read(request, door.settings.max_body_bytes).await.map_err(refuse_body)?;
    let members = parse_body(&parts.headers, &body)?;
    let wanted = SignIn::decode(&members)?;
    let caller = check_password(&door, &wanted).await?;
    let tenant = door.app.show_own_tenant(&caller).await?;
    if !is_domain(&wanted.domain, &tenant, &caller) {
        return Err(wrong_password());
    }
    let scope = Scope::of(&door, &wanted, &tenant, &caller).await?;
    let issued_ms = door.app.now_ms();
    let (token, expires_ms) = door.app.issue_token(&caller, auth::TOKEN_PURPOSE, door.settings.token_lifetime_ms)?;
    let mut response = created(json!({ "token": token_view(&caller, &tenant, &scope, issued_ms, expires_ms) }));
    let mut header = HeaderValue::from_str(&token).map_err(|error| Refusal {
        code: &INTERNAL,
        detail: String::new(),
        fault: Some(error.to_string()),
    })?;
    header.set_sensitive(true);
    response.headers_mut().insert("x-subject-token", header);
    Ok(response)
}

/// A name or an id, of whatever it is.
#[derive(Clone, Debug, Default)]
struct Named {
    name: Option<String>,
    id: Option<String>,
}

impl Named {
    fn decode(fields: &Fields<'_>) -> Result<Named, Refusal> {
        let named = Named { name: fields.owned_opt("name")?, id: fields.owned_opt("id")? };
        if named.name.is_none() && named.id.is_none() {
            return Err(fields.missing("name"));
        }
        Ok(named)
    }
}

struct SignIn {
    /// The access key id.
    user: String,
    password: String,
    domain: Named,
    project_scope: Option<Named>,
    domain_scope: Option<Named>,
}

impl SignIn {
    fn decode(members: &Map<String, Value>) -> Result<SignIn, Refusal> {
        let auth = Fields::new("token", members).object("auth")?;
        let identity = auth.object("identity")?;
        let methods = identity.list_opt("methods")?.ok_or_else(|| identity.missing("methods"))?;
        if methods.len() != 1 || methods[0] != "password" {
            return Err(identity.refuse("methods", "must be [\"password\"]."));
        }
        let user = identity.object("password")?.object("user")?;
        let (project_scope, domain_scope) = match auth.object_opt("scope")? {
            None => (None, None),
            Some(scope) => {
                let named = |name| scope.object_opt(name)?.map(|fields| Named::decode(&fields)).transpose();
                (named("project")?, named("domain")?)
            }
        };
        if project_scope.is_some() && domain_scope.is_some() {
            return Err(auth.refuse("scope", "must be a project or a domain, not both."));
        }
        let named = Named::decode(&user)?;
        Ok(SignIn {
            user: named.name.or(named.id).unwrap_or_default(),
            password: user.text("password")?.to_owned(),
            domain: Named::decode(&user.object("domain")?)?,
            project_scope,
            domain_scope,
        })
    }
}

/// What a token is for, as the answer says it. Every token is good for the tenant's one project.
enum Scope {
    Project { name: String },
    Domain,
}

impl Scope {
    async fn of(door: &Door, wanted: &SignIn, tenant: &Tenant, caller: &Caller) -> Result<Scope, Refusal> {
        if let Some(domain) = &wanted.domain_scope {
            return if is_domain(domain, tenant, caller) { Ok(Scope::Domain) } else { Err(wrong_scope()) };
        }
        let Some(project) = &wanted.project_scope else { return Ok(Scope::Project { name: tenant.name.clone() }) };
        if let Some(id) = &project.id
            && !auth::is_own_project(&door.app, &door.settings, caller, id).await?
        {
            return Err(wrong_scope());
        }
        let name = project.name.clone().unwrap_or_else(|| tenant.name.clone());
        if !door.settings.is_region(&name) && !auth::is_own_project(&door.app, &door.settings, caller, &name).await? {
            return Err(wrong_scope());
        }
        Ok(Scope::Project { name })
    }
}

async fn check_password(door: &Door, wanted: &SignIn) -> Result<Caller, Refusal> {
    door.app.check_secret(&wanted.user, &wanted.password).await.map_err(|error| match error {
        AuthError::Failed(error) => error.into(),
        // Whoever has no secret yet is not told what exists.
        AuthError::UnknownKey(_)
        | AuthError::Revoked(_)
        | AuthError::Expired(_)
        | AuthError::BadToken
        | AuthError::TokenExpired
        | AuthError::WrongSecret => wrong_password(),
    })
}

/// A domain is named by the tenant's name or the access key id, or by the tenant's id.
fn is_domain(domain: &Named, tenant: &Tenant, caller: &Caller) -> bool {
    let right_name = |name: &String| name.to_lowercase() == tenant.name.to_lowercase() || **name == *caller.key_id;
    let right_id = |id: &String| ids::tenant_of_domain(id).or_else(|| id.parse().ok()) == Some(tenant.id);
    domain.name.as_ref().is_none_or(right_name) && domain.id.as_ref().is_none_or(right_id)
}

fn wrong_password() -> Refusal {
    Refusal::unauthorized("The domain, the user name (an access key id) or the password (its secret) is wrong.")
}

fn wrong_scope() -> Refusal {
    Refusal::unauthorized("The scope is not a project or domain of this user.")
}

fn token_view(caller: &Caller, tenant: &Tenant, scope: &Scope, issued_ms: i64, expires_ms: i64) -> Map<String, Value> {
    let domain = json!({ "id": ids::domain_id(&tenant.id), "name": tenant.name });
    let mut token = Map::new();
    let mut add = |name: &str, value: Value| token.insert(name.to_owned(), value);
    add("methods", json!(["password"]));
    add("issued_at", TimeFormat::Micros.format(issued_ms).into());
    add("expires_at", TimeFormat::Micros.format(expires_ms).into());
    add(
        "user",
        json!({
            "id": ids::user_id(&caller.key_id),
            "name": &*caller.key_id,
            "domain": domain,
            "password_expires_at": "",
        }),
    );
    match scope {
        Scope::Project { name } => {
            add("project", json!({ "id": ids::project_id(&tenant.id), "name": name, "domain": domain }))
        }
        Scope::Domain => add("domain", domain),
    };
    add("roles", json!([{ "id": caller.role.name(), "name": caller.role.name() }]));
    // Always empty, so `nocatalog` asks for what is done anyway.
    add("catalog", json!([]));
    token
}
