//! Configuration: every option once, as flag, environment variable and TOML key with the same name.
//!
//! The name follows by rule from the option's id: `tls-cert` is the flag `--tls-cert`, the variable
//! `OTARU_TLS_CERT` and the key `cert` in the table `[tls]`. A flag wins over the environment, that
//! over the file, that over the default. Secrets alone come by environment or by a file of their
//! own, so that they show up neither in process lists nor in a checked-in file.

mod check;
mod layers;
mod options;
#[cfg(test)]
mod tests;
mod values;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;

pub use layers::ConfigError;
pub use options::{Config, Log, LogFormat};
pub use values::{Secret, WebAddress};

use crate::listen::tls::{Identity, TlsSource};
use crate::listen::{Limits, SelfSigned};
use crate::requests::{Desk, Networks};

/// What only the environment may say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// `OTARU_MASTER_KEY`: encrypts the secrets in the database. Takes the place of
    /// `master_key_file`.
    pub master_key: Option<Secret>,
    /// `OTARU_ACCESS_KEY_ID` and `OTARU_ACCESS_KEY_SECRET`: the key pair that the first start
    /// creates.
    pub first_key: Option<(String, Secret)>,
    /// `OTARU_BLOBS_ACCESS_KEY_ID` and `OTARU_BLOBS_ACCESS_KEY_SECRET`: for the bucket that `blobs` names.
    pub blobs_key: Option<(String, Secret)>,
}

/// Where the master key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MasterKey {
    /// The text of `OTARU_MASTER_KEY`.
    Given(Secret),
    /// This file has to exist.
    File(PathBuf),
    /// This file beside the embedded database is made on first start.
    OwnFile(PathBuf),
}

/// The addresses that links carry, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrls {
    /// Northbound doors, console and DDI.
    pub public: String,
    /// Package downloads.
    pub download: String,
    /// The object door.
    pub objects: String,
}

impl Config {
    /// Puts flags, environment, file and defaults together and checks the whole.
    ///
    /// `flags` are the matches of a command that has these options; `environment` is usually
    /// [`std::env::vars_os`].
    ///
    /// # Errors
    /// With the option, where it was set, and what would be right.
    pub fn load(
        flags: &ArgMatches,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<(Self, Secrets), ConfigError> {
        let (config, secrets) = layers::load(flags, environment.into_iter().collect())?;
        config.check(&secrets)?;
        Ok((config, secrets))
    }

    /// `sqlite:<data>/otaru.db` unless set.
    #[must_use]
    pub fn store(&self) -> String {
        self.store.clone().unwrap_or_else(|| format!("sqlite:{}", self.data.join("otaru.db").display()))
    }

    /// `fs:<data>/blobs` unless set.
    #[must_use]
    pub fn blobs(&self) -> String {
        self.blobs.clone().unwrap_or_else(|| format!("fs:{}", self.data.join("blobs").display()))
    }

    /// What one copy of the server grants of a number of calls that all copies share. None stays none.
    #[must_use]
    pub fn share(&self, calls: u32) -> u32 {
        calls.div_ceil(self.copies)
    }

    /// The environment wins over the file; `<data>/master.key` unless set.
    #[must_use]
    pub fn master_key(&self, secrets: &Secrets) -> MasterKey {
        match (&secrets.master_key, &self.master_key_file) {
            (Some(key), _) => MasterKey::Given(key.clone()),
            (None, Some(file)) => MasterKey::File(file.clone()),
            (None, None) => MasterKey::OwnFile(self.data.join("master.key")),
        }
    }

    /// Whether there is a certificate, so that TLS doors can be opened.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        self.self_signed || self.tls.cert.is_some()
    }

    /// The HTTPS address: as set, or port 8443 beside the HTTP door once there is a certificate.
    #[must_use]
    pub fn https(&self) -> Option<SocketAddr> {
        self.https.or_else(|| self.has_tls().then(|| SocketAddr::new(self.http.ip(), 8443)))
    }

    /// What TLS is built from, if there is a certificate.
    #[must_use]
    pub fn tls_source(&self) -> Option<TlsSource> {
        let identity = match (&self.tls.cert, &self.tls.key) {
            (Some(cert), Some(key)) => Identity::Files { cert: cert.clone(), key: key.clone() },
            _ if self.self_signed => Identity::SelfSigned(SelfSigned {
                directory: self.data.join("tls"),
                hosts: self.tls.self_signed_hosts.clone(),
            }),
            _ => return None,
        };
        Some(TlsSource {
            identity,
            client_ca: self.tls.client_ca.clone(),
            client_crl: self.tls.client_crl.clone(),
            client_auth: self.tls.client_auth,
        })
    }

    /// The proxies that are believed.
    #[must_use]
    pub fn proxies(&self) -> Networks {
        Networks::new(&self.listen.trusted_proxies)
    }

    /// What is around every request.
    #[must_use]
    pub fn desk(&self) -> Desk {
        let per_peer = self.listen.max_requests_per_peer as usize;
        Desk::new(per_peer, self.tenants.max_requests as usize, self.proxies(), self.log.requests)
    }

    /// What each door grants its connections.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let listen = &self.listen;
        Limits {
            max_connections: listen.max_connections as usize,
            max_connections_per_peer: listen.max_connections_per_peer as usize,
            proxies: self.proxies(),
            max_header_bytes: listen.max_header_bytes as usize,
            header_timeout: Duration::from_secs(listen.header_timeout_s),
            keep_alive_timeout: Duration::from_secs(listen.keep_alive_timeout_s),
            body_timeout: Duration::from_secs(listen.body_timeout_s),
            body_min_bytes_per_second: u64::from(listen.body_min_bytes_per_second),
            write_timeout: Duration::from_secs(listen.write_timeout_s),
            drain_timeout: Duration::from_secs(listen.drain_timeout_s),
        }
    }

    /// The addresses for links. `http` and `objects` are the open doors, with their real ports;
    /// they stand in where nothing is set, which is allowed on loopback addresses only.
    #[must_use]
    pub fn base_urls(&self, http: SocketAddr, objects: SocketAddr) -> BaseUrls {
        let public = self.public_url.as_ref().map_or_else(|| format!("http://{http}"), ToString::to_string);
        let objects = match (&self.objects_url, &self.public_url) {
            (Some(url), _) => url.to_string(),
            (None, Some(url)) if !objects.ip().is_loopback() => {
                format!("http://{}:{}", url.host(), objects.port())
            }
            _ => format!("http://{objects}"),
        };
        let download = self.download_url.as_ref().map_or_else(|| public.clone(), ToString::to_string);
        BaseUrls { public, download, objects }
    }
}
