//! Flags over environment over file over defaults.
//!
//! Whatever the layer, a value ends up as text for the same parser, so one list of options and one
//! set of messages serve all.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use toml::{Table, Value};

use super::options::Config;
use super::values::Secret;
use super::{Secrets, check};

/// Read without being named, if it is there.
const DEFAULT_FILE: &str = "otaru.toml";

/// Options that are tables with free names: `[regions.<name>] url = …` and `[aliyun.qps] <name> =
/// …`.
const TABLES: [(&str, Option<&str>); 3] = [("regions", Some("url")), ("aliyun-qps", None), ("iotda-projects", None)];

/// Only the environment may set these.
const SECRETS: [&str; 5] =
    ["master-key", "access-key-id", "access-key-secret", "blobs-access-key-id", "blobs-access-key-secret"];

/// Why a configuration is not usable.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the configuration file {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} is not valid TOML: {source}")]
    Toml { path: PathBuf, source: Box<toml::de::Error> },
    #[error("{path}: there is no option `{key}`; {hint}")]
    Unknown { path: PathBuf, key: String, hint: String },
    #[error("{path}: `{key}` cannot be {found}; expected {expected}")]
    Shape { path: PathBuf, key: String, found: &'static str, expected: &'static str },
    #[error("{origin}: {message}")]
    Value { origin: String, message: String },
    #[error(transparent)]
    Check(#[from] check::CheckError),
}

/// The text of an option's values and where it was found.
struct Found {
    origin: String,
    values: Vec<OsString>,
}

pub(super) fn load(
    flags: &ArgMatches,
    environment: BTreeMap<OsString, OsString>,
) -> Result<(Config, Secrets), ConfigError> {
    let command = Config::augment_args(Command::new("otaru")).disable_help_flag(true).no_binary_name(true);
    let mut found: BTreeMap<String, Found> = BTreeMap::new();

    if let Some((path, text)) = file(flags, &environment)? {
        let table: Table =
            text.parse().map_err(|source| ConfigError::Toml { path: path.clone(), source: Box::new(source) })?;
        File { path: &path, command: &command }.read(&table, "", &mut found)?;
    }
    for id in ids(&command) {
        let variable = variable(&id);
        // An empty variable counts as unset: that is how compose files and unit files leave one
        // out.
        if let Some(value) = environment.get(OsStr::new(&variable)).filter(|value| !value.is_empty()) {
            found.insert(id.clone(), Found { origin: variable, values: vec![value.clone()] });
        }
        // `try_get_raw` errs on an id the command does not have; commands may carry a part of the
        // options.
        if let Ok(Some(values)) = flags.try_get_raw(&id)
            && flags.value_source(&id) == Some(ValueSource::CommandLine)
        {
            let values = values.map(OsStr::to_owned).collect();
            found.insert(id.clone(), Found { origin: format!("--{id}"), values });
        }
    }

    let line = found.iter().flat_map(|(id, found)| {
        found.values.iter().map(move |value| {
            let mut flag = OsString::from(format!("--{id}="));
            flag.push(value);
            flag
        })
    });
    let config = command
        .try_get_matches_from(line)
        .and_then(|matches| Config::from_arg_matches(&matches))
        .map_err(|error| explain(&error, &found))?;
    Ok((config, secrets(&environment)?))
}

fn ids(command: &Command) -> impl Iterator<Item = String> {
    command.get_arguments().map(|arg| arg.get_id().to_string())
}

/// `tls-cert` is `OTARU_TLS_CERT`.
fn variable(id: &str) -> String {
    format!("OTARU_{}", id.replace('-', "_").to_uppercase())
}

/// The named file has to be there; the default one may be missing.
fn file(
    flags: &ArgMatches,
    environment: &BTreeMap<OsString, OsString>,
) -> Result<Option<(PathBuf, String)>, ConfigError> {
    let flag = flags.try_get_one::<PathBuf>("config").ok().flatten().cloned();
    let variable = environment.get(OsStr::new("OTARU_CONFIG")).filter(|value| !value.is_empty()).map(PathBuf::from);
    let named = flag.or(variable);
    let path = named.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some((path, text))),
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ConfigError::Read { path, source }),
    }
}

fn secrets(environment: &BTreeMap<OsString, OsString>) -> Result<Secrets, ConfigError> {
    let text = |id: &str| {
        let variable = variable(id);
        let Some(value) = environment.get(OsStr::new(&variable)).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        match value.to_str() {
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(ConfigError::Value { origin: variable, message: "expected UTF-8 text".to_owned() }),
        }
    };
    let pair = |id: &str, secret: &str| match (text(id)?, text(secret)?) {
        (Some(id), Some(secret)) => Ok(Some((id, Secret::new(secret)))),
        (None, None) => Ok(None),
        _ => Err(ConfigError::Value {
            origin: format!("{}, {}", variable(id), variable(secret)),
            message: "one is useless without the other; set both or none".to_owned(),
        }),
    };
    let [master_key, id, secret, blobs_id, blobs_secret] = SECRETS;
    Ok(Secrets {
        master_key: text(master_key)?.map(Secret::new),
        first_key: pair(id, secret)?,
        blobs_key: pair(blobs_id, blobs_secret)?,
    })
}

/// Says in the words of the layer what the parser found wrong.
fn explain(error: &clap::Error, found: &BTreeMap<String, Found>) -> ConfigError {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let message = text.split("\n\nFor more information").next().unwrap_or(text).trim().to_owned();
    let origin = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(arg)) => {
            let id = arg.trim_start_matches('-').split([' ', '[', '=']).next().unwrap_or_default();
            found.get(id).map(|found| found.origin.clone())
        }
        _ => None,
    };
    ConfigError::Value { origin: origin.unwrap_or_else(|| "configuration".to_owned()), message }
}

/// A TOML file, walked table by table.
struct File<'a> {
    path: &'a Path,
    command: &'a Command,
}

impl File<'_> {
    /// `prefix` is the key of the table, dots and all; empty at the top.
    fn read(&self, table: &Table, prefix: &str, found: &mut BTreeMap<String, Found>) -> Result<(), ConfigError> {
        for (name, value) in table {
            let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            let id = key.replace(['.', '_'], "-");
            let free_names = TABLES.iter().find(|(table, _)| *table == id);
            let values = match (value, free_names) {
                (Value::Table(entries), Some((_, field))) => self.entries(entries, &key, *field)?,
                (Value::Table(inner), None) if ids(self.command).any(|known| known.starts_with(&format!("{id}-"))) => {
                    self.read(inner, &key, found)?;
                    continue;
                }
                _ if id == "config" || !ids(self.command).any(|known| known == id) => {
                    return Err(self.unknown(key, &id));
                }
                (Value::Array(items), _) => items.iter().map(|item| self.text(item, &key)).collect::<Result<_, _>>()?,
                _ => vec![self.text(value, &key)?],
            };
            let origin = format!("{}, `{key}`", self.path.display());
            found.insert(id, Found { origin, values });
        }
        Ok(())
    }

    /// A table with free names as `name=value` texts. With `field`, each name is a table of its own
    /// that has this one key.
    fn entries(&self, table: &Table, key: &str, field: Option<&str>) -> Result<Vec<OsString>, ConfigError> {
        let mut values = Vec::new();
        for (name, value) in table {
            let key = format!("{key}.{name}");
            let value = match (value, field) {
                (Value::Table(inner), Some(field)) => {
                    if let Some(other) = inner.keys().find(|inner| *inner != field) {
                        let hint = format!("`{key}` has `{field}` only");
                        return Err(ConfigError::Unknown {
                            path: self.path.to_owned(),
                            key: format!("{key}.{other}"),
                            hint,
                        });
                    }
                    inner.get(field).unwrap_or(value)
                }
                _ => value,
            };
            let mut text = OsString::from(format!("{name}="));
            text.push(self.text(value, &key)?);
            values.push(text);
        }
        Ok(values)
    }

    fn text(&self, value: &Value, key: &str) -> Result<OsString, ConfigError> {
        match value {
            Value::String(text) => Ok(text.into()),
            Value::Integer(number) => Ok(number.to_string().into()),
            Value::Boolean(on) => Ok(on.to_string().into()),
            Value::Float(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => Err(ConfigError::Shape {
                path: self.path.to_owned(),
                key: key.to_owned(),
                found: value.type_str(),
                expected: "a text, a whole number or true/false",
            }),
        }
    }

    /// Names what is near: the other keys of the same table.
    fn unknown(&self, key: String, id: &str) -> ConfigError {
        let hint = if SECRETS.contains(&id) {
            format!("it is a secret and comes by environment only, as {}", variable(id))
        } else {
            let table = key.rsplit_once('.').map_or(String::new(), |(table, _)| table.replace(['.', '_'], "-") + "-");
            let near: Vec<_> = ids(self.command)
                .filter(|known| known != "config")
                .filter_map(|known| known.strip_prefix(&table).map(|rest| rest.replace('-', "_")))
                .collect();
            format!("there are {}", near.join(", "))
        };
        ConfigError::Unknown { path: self.path.to_owned(), key, hint }
    }
}
