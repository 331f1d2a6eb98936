//! Tenants, keys, spaces, products and modules.

use std::io::{BufRead, Read};

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::client::{Client, segment};
use super::failure::Failure;
use super::table;

/// No secret is longer.
const MAX_SECRET_BYTES: u64 = 4096;

#[derive(Debug, Subcommand)]
pub enum Tenant {
    /// List the tenants that the key may see
    List,
    /// Make a tenant, with an administrator's key
    Create { name: String },
}

#[derive(Debug, Subcommand)]
pub enum Key {
    /// List the tenant's keys
    List,
    /// Show a key
    Show { id: String },
    /// Make a key; its secret is told once
    Create {
        /// admin, publisher, operator or viewer
        #[arg(long)]
        role: String,
        /// What the key is for
        #[arg(long)]
        label: Option<String>,
        /// When it ends, such as 2027-01-31T12:00:00Z
        #[arg(long)]
        expires: Option<String>,
        /// An id that programs know already; its secret is read from OTARU_NEW_KEY_SECRET, else from the first line of
        /// standard input
        #[arg(long)]
        id: Option<String>,
    },
    /// Let a key end at a time; an end that is set already can only be brought forward
    Expire {
        id: String,
        /// Such as 2027-01-31T12:00:00Z
        at: String,
    },
    /// Replace a key by a new one in the same role
    Rotate {
        id: String,
        /// How many seconds the old one still works
        #[arg(long, default_value_t = 0)]
        grace_s: u32,
    },
    /// End a key at once
    Revoke { id: String },
}

#[derive(Debug, Subcommand)]
pub enum Space {
    /// List the spaces
    List,
    /// Make a space
    Create {
        name: String,
        /// A code of your own choice
        #[arg(long)]
        code: Option<String>,
    },
    /// Delete a space that has no products
    Delete { code: String },
}

#[derive(Debug, Subcommand)]
pub enum Product {
    /// List the products
    List {
        /// Only those of the space with this code
        #[arg(long)]
        space: Option<String>,
    },
    /// Show a product
    Show { code: String },
    /// Make a product
    Create {
        name: String,
        /// A code of your own choice, so that programs keep the ids they know
        #[arg(long)]
        code: Option<String>,
        /// A key of your own choice, so that devices keep the key they know
        #[arg(long)]
        key: Option<String>,
        #[arg(long)]
        space: Option<String>,
        #[arg(long)]
        device_type: Option<String>,
        #[arg(long)]
        model: Option<String>,
        #[arg(long)]
        manufacturer: Option<String>,
        #[arg(long)]
        protocol: Option<String>,
        #[arg(long)]
        description: Option<String>,
    },
    /// Delete a product that has no packages
    Delete { code: String },
}

#[derive(Debug, Subcommand)]
pub enum Module {
    /// List the modules of a product
    List { product: String },
    /// Make a module
    Create {
        product: String,
        name: String,
        #[arg(long)]
        alias: Option<String>,
        #[arg(long)]
        description: Option<String>,
    },
    /// Delete a module that has no packages
    Delete { product: String, name: String },
}

/// An object of the members that are given.
fn object(members: &[(&str, &Option<String>)]) -> Value {
    let given = members.iter().filter_map(|(name, value)| Some(((*name).to_owned(), Value::from((*value).clone()?))));
    Value::Object(given.collect::<Map<_, _>>())
}

/// The secret of a key that programs have already. It comes by no option, which everybody could see who lists processes.
fn known_secret(id: &str) -> Result<String, Failure> {
    if let Some(secret) = std::env::var("OTARU_NEW_KEY_SECRET").ok().filter(|secret| !secret.is_empty()) {
        return Ok(secret);
    }
    let mut line = String::new();
    let read = std::io::stdin().lock().take(MAX_SECRET_BYTES).read_line(&mut line);
    read.map_err(|error| Failure::usage(format!("standard input cannot be read: {error}")))?;
    match line.trim_end_matches(['\r', '\n']) {
        "" => Err(Failure::usage(format!("the secret of {id} is missing"))
            .advise("set OTARU_NEW_KEY_SECRET, or write the secret to standard input")),
        secret => Ok(secret.to_owned()),
    }
}

fn done(text: &str, as_json: bool) {
    if !as_json {
        println!("{text}");
    }
}

pub async fn tenant(client: &Client, command: Tenant, as_json: bool) -> Result<(), Failure> {
    match command {
        Tenant::List => {
            let found = client.list("/tenants", &[]).await?;
            table::records(&found, &[("name", "name"), ("id", "id"), ("created", "created")], as_json);
        }
        Tenant::Create { name } => {
            let made = client.post("/tenants", &json!({ "name": name })).await?;
            if as_json {
                table::record(&made, true);
            } else {
                table::record(&made["tenant"], false);
                println!("\nIts administrator's key; the secret is told this once:");
                table::record(&made["key"], false);
            }
        }
    }
    Ok(())
}

pub async fn key(client: &Client, command: Key, as_json: bool) -> Result<(), Failure> {
    match command {
        Key::List => {
            let columns =
                [("id", "id"), ("role", "role"), ("label", "label"), ("active", "is_active"), ("expires", "expires")];
            table::records(&client.list("/keys", &[]).await?, &columns, as_json);
        }
        Key::Show { id } => table::record(&client.get(&format!("/keys/{}", segment(&id))).await?, as_json),
        Key::Create { role, label, expires, id } => {
            let secret = id.as_deref().map(known_secret).transpose()?;
            let members =
                [("role", &Some(role)), ("label", &label), ("expires", &expires), ("id", &id), ("secret", &secret)];
            table::record(&client.post("/keys", &object(&members)).await?, as_json);
        }
        Key::Expire { id, at } => {
            table::record(&client.patch(&format!("/keys/{}", segment(&id)), &json!({ "expires": at })).await?, as_json);
        }
        Key::Rotate { id, grace_s } => {
            let path = format!("/keys/{}/rotate", segment(&id));
            table::record(&client.post(&path, &json!({ "grace_s": grace_s })).await?, as_json);
        }
        Key::Revoke { id } => {
            client.delete(&format!("/keys/{}", segment(&id))).await?;
            done(&format!("the key {id} is revoked"), as_json);
        }
    }
    Ok(())
}

pub async fn space(client: &Client, command: Space, as_json: bool) -> Result<(), Failure> {
    match command {
        Space::List => {
            let columns = [("code", "code"), ("name", "name"), ("default", "is_default"), ("created", "created")];
            table::records(&client.list("/spaces", &[]).await?, &columns, as_json);
        }
        Space::Create { name, code } => {
            let new = object(&[("name", &Some(name)), ("code", &code)]);
            table::record(&client.post("/spaces", &new).await?, as_json);
        }
        Space::Delete { code } => {
            client.delete(&format!("/spaces/{}", segment(&code))).await?;
            done(&format!("the space {code} is deleted"), as_json);
        }
    }
    Ok(())
}

pub async fn product(client: &Client, command: Product, as_json: bool) -> Result<(), Failure> {
    match command {
        Product::List { space } => {
            let found = client.list("/products", &[("space", space.as_deref())]).await?;
            let columns = [("code", "code"), ("key", "key"), ("name", "name"), ("space", "space"), ("model", "model")];
            table::records(&found, &columns, as_json);
        }
        Product::Show { code } => {
            table::record(&client.get(&format!("/products/{}", segment(&code))).await?, as_json);
        }
        Product::Create { name, code, key, space, device_type, model, manufacturer, protocol, description } => {
            let new = object(&[
                ("name", &Some(name)),
                ("code", &code),
                ("key", &key),
                ("space", &space),
                ("device_type", &device_type),
                ("model", &model),
                ("manufacturer", &manufacturer),
                ("protocol", &protocol),
                ("description", &description),
            ]);
            table::record(&client.post("/products", &new).await?, as_json);
        }
        Product::Delete { code } => {
            client.delete(&format!("/products/{}", segment(&code))).await?;
            done(&format!("the product {code} is deleted"), as_json);
        }
    }
    Ok(())
}

pub async fn module(client: &Client, command: Module, as_json: bool) -> Result<(), Failure> {
    match command {
        Module::List { product } => {
            let found = client.list(&format!("/products/{}/modules", segment(&product)), &[]).await?;
            let columns = [("name", "name"), ("kind", "kind"), ("built in", "is_built_in"), ("alias", "alias")];
            table::records(&found, &columns, as_json);
        }
        Module::Create { product, name, alias, description } => {
            let new = object(&[("name", &Some(name)), ("alias", &alias), ("description", &description)]);
            table::record(&client.post(&format!("/products/{}/modules", segment(&product)), &new).await?, as_json);
        }
        Module::Delete { product, name } => {
            client.delete(&format!("/products/{}/modules/{}", segment(&product), segment(&name))).await?;
            done(&format!("the module {name} is deleted"), as_json);
        }
    }
    Ok(())
}
