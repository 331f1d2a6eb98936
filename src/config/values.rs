//! Values that are more than a word or a number. Each error says what would be right.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

use http::Uri;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::filter::Targets;

/// A base address for links: http or https, host, maybe port and path, no slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebAddress {
    text: String,
    host: String,
}

impl WebAddress {
    /// The host alone, with brackets if it is an IPv6 address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl FromStr for WebAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected an address such as https://ota.example.com:8443, without query, got `{text}`");
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let has_web_scheme = matches!(uri.scheme_str(), Some("http" | "https"));
        let has_extras = uri.query().is_some() || text.contains(['#', '@']);
        match uri.host() {
            Some(host) if has_web_scheme && !has_extras && !host.is_empty() => {
                Ok(Self { text: text.trim_end_matches('/').to_owned(), host: host.to_owned() })
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for WebAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The object store behind a region name that clients of a cloud send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    pub name: String,
    pub url: String,
}

impl FromStr for Region {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, url)) if !name.is_empty() && url.contains(':') => {
                Ok(Self { name: name.to_owned(), url: url.to_owned() })
            }
            _ => Err("expected NAME=URL, such as cn-north-4=obs://bucket?endpoint=…".to_owned()),
        }
    }
}

/// How often one operation may be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rate {
    pub operation: String,
    pub per_second: u32,
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || "expected OPERATION=N with N calls per second, one at least, such as ListOTAFirmware=20".to_owned();
        let (operation, number) = text.split_once('=').ok_or_else(wrong)?;
        match number.parse() {
            Ok(per_second @ 1..) if !operation.is_empty() => Ok(Self { operation: operation.to_owned(), per_second }),
            _ => Err(wrong()),
        }
    }
}

/// A project id of a cloud, and the tenant that it is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    pub id: String,
    pub tenant: String,
}

impl FromStr for Project {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((id, tenant)) if !id.is_empty() && !tenant.is_empty() => {
                Ok(Self { id: id.to_owned(), tenant: tenant.to_owned() })
            }
            _ => Err("expected ID=TENANT, such as 0123456789abcdef0123456789abcdef=DEFAULT".to_owned()),
        }
    }
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself. Not for logs.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// An address to listen on: an IP address and a port, or `localhost` and a port.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let local = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    match local {
        Some(port) => Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        None => text
            .parse()
            .map_err(|_| "expected ADDRESS:PORT, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080".to_owned()),
    }
}

/// A URL that begins with one of `schemes`. Its room reads the rest.
pub(super) fn one_of_schemes(
    schemes: &'static [&'static str],
) -> impl Fn(&str) -> Result<String, String> + Clone + Send + Sync + 'static {
    move |text| {
        let rest = schemes.iter().find_map(|scheme| text.strip_prefix(scheme));
        match rest {
            Some(rest) if !rest.is_empty() => Ok(text.to_owned()),
            _ => Err(format!("expected a URL that begins with {}", schemes.join(" or "))),
        }
    }
}

/// A filter as tracing understands it. A word alone has to be a level: tracing would take a
/// mistyped one for a room's name.
pub(super) fn log_filter(text: &str) -> Result<String, String> {
    let words_are_levels = text.split(',').all(|part| part.contains('=') || LevelFilter::from_str(part.trim()).is_ok());
    match Targets::from_str(text) {
        Ok(_) if words_are_levels => Ok(text.to_owned()),
        _ => Err("expected error, warn, info, debug or trace, or a list such as info,otaru::listen=debug".to_owned()),
    }
}
