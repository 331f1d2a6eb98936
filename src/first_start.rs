//! The first start: a tenant and a key are made, and told once.

use std::error::Error;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use otaru_core::app::{App, Bootstrap, Secret};
use serde_json::json;

use crate::config::{BaseUrls, Config, Secrets};

/// Makes the first tenant and key, unless there are keys, and tells how each dialect signs in with them.
pub async fn run(app: &App, config: &Config, secrets: &Secrets, urls: &BaseUrls) -> Result<(), Box<dyn Error>> {
    let pair = secrets.first_key.as_ref().map(|(id, secret)| (id.clone(), Secret::new(secret.reveal())));
    let was_chosen = pair.is_some();
    let Some(made) = app.bootstrap(pair).await? else { return Ok(()) };
    let path = config.data.join("credentials.json");
    write_private(&path, &credentials(&made, urls))?;
    let id = &made.key.key.id;
    // A secret that was handed in is known already; only one that was made here has to be told.
    let secret = if was_chosen { "(as given by OTARU_ACCESS_KEY_SECRET)" } else { made.key.secret.expose() };
    eprint!(
        "
First start: the tenant {tenant} and its administrator's key were made. This is told once; it is also in {file}.

  access key id      {id}
  access key secret  {secret}

  Huawei IoTDA v5    {http}  project id {project}; AK/SK, or X-Auth-Token from {http}/v3/auth/tokens
                     (user name = access key id, password = secret, domain = {tenant})
  Huawei v1.5        {http}  appId = access key id, secret = secret
  Alibaba Cloud      {http}  AccessKeyId and AccessKeySecret
  OBS and S3         {objects}  the same pair, path-style
  own API            {http}/api/v1  basic authentication with the same pair

",
        tenant = made.tenant.name,
        file = path.display(),
        http = urls.public,
        objects = urls.objects,
        project = project_id(&made),
    );
    Ok(())
}

fn project_id(made: &Bootstrap) -> String {
    otaru_northbound::iotda::project_id(&made.tenant.id)
}

fn credentials(made: &Bootstrap, urls: &BaseUrls) -> String {
    let document = json!({
        "tenant": made.tenant.name,
        "project_id": project_id(made),
        "access_key_id": made.key.key.id,
        "access_key_secret": made.key.secret.expose(),
        "server": urls.public,
        "objects": urls.objects,
    });
    format!("{document:#}\n")
}

fn write_private(path: &Path, text: &str) -> Result<(), String> {
    let describe = |error: std::io::Error| format!("cannot write {}: {error}", path.display());
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).map_err(describe)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(describe)
}
