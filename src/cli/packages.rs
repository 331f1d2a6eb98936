//! Packages: pushed, listed, shown, verified, fetched, deleted.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use super::client::{Client, broken, segment};
use super::descriptor::{self, Descriptor};
use super::failure::{Failure, Kind, file};
use super::{import, push, table};

#[derive(Debug, Subcommand)]
pub enum Package {
    /// Upload a file and make a package of it; run again after an interruption, it goes on
    Push(Box<Push>),
    /// Make many packages of files that the server has: a file with one line of JSON for each
    Import { file: PathBuf },
    /// List packages, newest first
    List {
        #[arg(long)]
        space: Option<String>,
        #[arg(long)]
        product: Option<String>,
        /// firmware, software or other
        #[arg(long)]
        module_kind: Option<String>,
        #[arg(long)]
        version: Option<String>,
    },
    /// Show a package with its files and digests
    Show { id: String },
    /// Let the server read every stored byte again and compare; exit with 1 if anything differs
    Verify { id: String },
    /// Delete a package
    Delete { id: String },
    /// Fetch a package's files and check their digests
    Download {
        id: String,
        /// Folder for the files
        #[arg(long, short, default_value = ".")]
        output: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct Push {
    /// The file
    file: PathBuf,
    /// The product's code
    #[arg(long)]
    product: String,
    /// The version; without it that of the descriptor
    #[arg(long)]
    version: Option<String>,
    /// The module; without it that of the descriptor, else firmware
    #[arg(long)]
    module: Option<String>,
    /// JSON file that describes the package; without it a zip archive's own DM/linux/UpgradeDesc.json is read
    #[arg(long, value_name = "FILE")]
    descriptor: Option<PathBuf>,
    #[arg(long)]
    space: Option<String>,
    #[arg(long)]
    name: Option<String>,
    #[arg(long)]
    description: Option<String>,
    /// Text that devices get with the notice of the upgrade
    #[arg(long)]
    custom_info: Option<String>,
    /// full, or delta to the source versions
    #[arg(long)]
    kind: Option<String>,
    /// A version that may be upgraded from; may be given several times
    #[arg(long = "source-version", value_name = "VERSION")]
    source_versions: Vec<String>,
}

pub async fn run(client: &Client, command: Package, as_json: bool) -> Result<(), Failure> {
    match command {
        Package::Push(push) => push_file(client, *push, as_json).await,
        Package::Import { file } => import::run(client, &file, as_json).await,
        Package::List { space, product, module_kind, version } => {
            let filters = [
                ("space", space.as_deref()),
                ("product", product.as_deref()),
                ("module_kind", module_kind.as_deref()),
                ("version", version.as_deref()),
            ];
            let columns = [
                ("id", "id"),
                ("product", "product"),
                ("module", "module"),
                ("version", "version"),
                ("size", "size_bytes"),
                ("integrity", "integrity"),
                ("created", "created"),
            ];
            table::records(&client.list("/packages", &filters).await?, &columns, as_json);
            Ok(())
        }
        Package::Show { id } => {
            table::record(&client.get(&path(&id)).await?, as_json);
            Ok(())
        }
        Package::Verify { id } => verify(client, &id, as_json).await,
        Package::Delete { id } => {
            client.delete(&path(&id)).await?;
            if !as_json {
                println!("the package {id} is deleted");
            }
            Ok(())
        }
        Package::Download { id, output } => download(client, &id, &output, as_json).await,
    }
}

fn path(id: &str) -> String {
    format!("/packages/{}", segment(id))
}

async fn push_file(client: &Client, push: Push, as_json: bool) -> Result<(), Failure> {
    let described = match &push.descriptor {
        Some(path) => descriptor::from_file(path)?,
        None => descriptor::from_archive(&push.file)?.unwrap_or_default(),
    };
    let local = push::look_at(&push.file, as_json).await?;
    let mut package = describe(push, described)?;
    // Before the bytes go: a wrong product is better known now.
    let product = package["product"].as_str().unwrap_or_default().to_owned();
    client.get(&format!("/products/{}", segment(&product))).await?;
    let upload = push::send(client, &local, as_json).await?;
    package["files"] = json!([{ "upload": upload, "sha256": local.sha256, "size_bytes": local.size_bytes }]);
    let made = client.post("/packages", &package).await?;
    push::forget(client, &local);
    table::record(&made, as_json);
    Ok(())
}

/// What is said of the package: by the options, else by the descriptor.
fn describe(push: Push, described: Descriptor) -> Result<Value, Failure> {
    let Some(version) = push.version.or(described.version) else {
        return Err(Failure::usage("which version is it?").advise("give --version, or --descriptor with one in it"));
    };
    let members = [
        ("product", Some(push.product)),
        ("version", Some(version)),
        ("module", push.module.or(described.module)),
        ("space", push.space),
        ("name", push.name),
        ("description", push.description.or(described.description)),
        ("custom_info", push.custom_info),
        ("kind", push.kind),
        ("device_type", described.device_type),
        ("model", described.model),
        ("manufacturer", described.manufacturer),
        ("protocol", described.protocol),
        ("date", described.date),
    ];
    let mut package: Map<String, Value> =
        members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?)))).collect();
    let source_versions =
        if push.source_versions.is_empty() { described.source_versions } else { push.source_versions };
    if !source_versions.is_empty() {
        package.insert("source_versions".to_owned(), json!(source_versions));
    }
    Ok(Value::Object(package))
}

async fn verify(client: &Client, id: &str, as_json: bool) -> Result<(), Failure> {
    let found = client.post(&format!("{}/verify", path(id)), &json!({})).await?;
    if as_json {
        table::record(&found, true);
    } else if let Some(files) = found["files"].as_array() {
        table::records(files, &[("file", "name"), ("intact", "is_intact"), ("problem", "problem")], false);
    }
    if found["is_intact"] == json!(true) {
        return Ok(());
    }
    Err(Failure::new(Kind::Check, format!("the package {id} is not what it should be"))
        .advise("push the file again as a new package; devices that ask for this one get wrong bytes or none"))
}

async fn download(client: &Client, id: &str, folder: &Path, as_json: bool) -> Result<(), Failure> {
    let links = client.post(&format!("{}/link", path(id)), &json!({})).await?;
    std::fs::create_dir_all(folder).map_err(|error| file(folder, &error))?;
    for link in links["files"].as_array().into_iter().flatten() {
        let given = link["name"].as_str().unwrap_or("file");
        // A name from elsewhere is never a way out of the folder.
        let name = Path::new(given).file_name().and_then(|name| name.to_str()).unwrap_or("file");
        let target = folder.join(name);
        let sha256 = fetch(client, link, &target, as_json).await?;
        if link["sha256"].as_str().is_some_and(|declared| declared != sha256) {
            let text = format!("{} arrived with the SHA-256 {sha256}, not as it is stored", target.display());
            return Err(Failure::new(Kind::Check, text).advise("fetch it again, or `otaru package verify` it"));
        }
        if !as_json {
            println!("{}  {}", sha256, target.display());
        }
    }
    if as_json {
        table::record(&links, true);
    }
    Ok(())
}

/// Fetches one file beside its place and moves it there once it is whole; answers with its SHA-256.
async fn fetch(client: &Client, link: &Value, target: &Path, is_quiet: bool) -> Result<String, Failure> {
    let url = link["url"].as_str().unwrap_or_default();
    let part =
        target.with_file_name(format!("{}.part", target.file_name().and_then(|it| it.to_str()).unwrap_or("file")));
    let told = |error: std::io::Error| file(&part, &error);
    let mut response = client.fetch(url).await?;
    let mut out = tokio::fs::File::create(&part).await.map_err(told)?;
    let bar = push::bar("fetching", link["size_bytes"].as_u64().unwrap_or(0), is_quiet);
    let mut hash = Sha256::new();
    while let Some(piece) = response.chunk().await.map_err(broken)? {
        hash.update(&piece);
        bar.inc(piece.len() as u64);
        out.write_all(&piece).await.map_err(told)?;
    }
    out.sync_all().await.map_err(told)?;
    bar.finish_and_clear();
    tokio::fs::rename(&part, target).await.map_err(|error| file(target, &error))?;
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
