//! TLS: certificates from PEM files, client certificates, and a new set of both without a restart.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::self_signed::{SelfSigned, SelfSignedError};

/// HTTP/2 in the protocol negotiation of TLS (RFC 7301, RFC 9113).
pub(super) const ALPN_HTTP2: &[u8] = b"h2";

/// How often a self-signed certificate is looked at for renewal. It is renewed weeks before its
/// end.
const RENEWAL_CHECK: Duration = Duration::from_hours(12);

/// Whether clients are asked for a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ClientAuth {
    /// Not asked.
    #[default]
    Off,
    /// Asked; a client may come without. One that it does send must be of the configured authority.
    Request,
    /// A client without a certificate of the configured authority is turned away in the handshake.
    Require,
}

/// Where the server's own certificate comes from.
#[derive(Debug, Clone)]
pub enum Identity {
    /// PEM files: the chain with the server's certificate first, and its private key.
    Files { cert: PathBuf, key: PathBuf },
    /// Made by us and kept in the data directory.
    SelfSigned(SelfSigned),
}

/// Everything TLS is built from, and built from again when files change.
#[derive(Debug, Clone)]
pub struct TlsSource {
    pub identity: Identity,
    /// PEM file with the authorities of client certificates.
    pub client_ca: Option<PathBuf>,
    /// PEM file with revocation lists of those authorities.
    pub client_crl: Option<PathBuf>,
    pub client_auth: ClientAuth,
}

/// Why TLS cannot be set up. Each text names the option to look at.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("`{option}`: cannot read {path}: {source}")]
    Read { option: &'static str, path: PathBuf, source: io::Error },
    #[error("`{option}`: {path} is not valid PEM: {source}")]
    Pem { option: &'static str, path: PathBuf, source: pem::Error },
    #[error("`{option}`: {path} holds no {wanted}; a PEM file with at least one is needed")]
    Empty { option: &'static str, path: PathBuf, wanted: &'static str },
    #[error("`tls.client_auth` asks for client certificates; name their authority with `tls.client_ca`")]
    NoClientCa,
    #[error("`{option}`: {path} is not accepted: {source}")]
    Rejected { option: &'static str, path: PathBuf, source: rustls::Error },
    #[error("`tls.client_ca`, `tls.client_crl`: {0}")]
    ClientVerifier(#[from] VerifierBuilderError),
    #[error(transparent)]
    SelfSigned(#[from] SelfSignedError),
    #[error("TLS cannot be set up: {0}")]
    Provider(rustls::Error),
}

/// The TLS side of all doors. New connections take the newest certificates; open ones keep what
/// they began with.
#[derive(Debug)]
pub struct Tls {
    source: TlsSource,
    current: ArcSwap<Configs>,
}

#[derive(Debug)]
struct Configs {
    http: Arc<ServerConfig>,
}

/// Makes aws-lc-rs the provider of every TLS client and server in this process. Called first thing
/// in `main`: several crates bring rustls along, and without a choice the first of them to need it
/// would panic.
pub fn install_provider() {
    // Fails only if one is installed already, which is then the same one.
    let _ = aws_lc_rs::default_provider().install_default();
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(aws_lc_rs::default_provider()))
}

impl Tls {
    /// Reads all files. `now` decides whether a self-signed certificate is due for renewal.
    ///
    /// # Errors
    /// When a file is missing or wrong; the text says which option named it.
    pub fn load(source: TlsSource, now: SystemTime) -> Result<Self, TlsError> {
        let configs = source.build(now)?;
        Ok(Self { source, current: ArcSwap::from_pointee(configs) })
    }

    /// For a door that speaks HTTP/1.1 and HTTP/2.
    #[must_use]
    pub fn http(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.load().http)
    }

    /// Reads all files again. On an error the certificates in use stay.
    ///
    /// # Errors
    /// As [`Tls::load`].
    pub fn reload(&self, now: SystemTime) -> Result<(), TlsError> {
        self.current.store(Arc::new(self.source.build(now)?));
        Ok(())
    }

    /// Reloads on every `hangup`, and when a file differs from the last look, `period` apart. Ends
    /// with `drain`.
    pub async fn watch(
        self: Arc<Self>,
        period: Duration,
        mut hangup: watch::Receiver<u64>,
        drain: CancellationToken,
        clock: impl Fn() -> SystemTime + Send + Sync + 'static,
    ) {
        let mut seen = self.look().await;
        let mut renewal = Instant::now() + RENEWAL_CHECK;
        loop {
            // Without a sender nobody can ask any more, so only the files are left to watch.
            let asked = async {
                if hangup.changed().await.is_err() {
                    std::future::pending().await
                }
            };
            let asked = tokio::select! {
                () = drain.cancelled() => return,
                () = asked => true,
                () = tokio::time::sleep(period) => false,
            };
            // Looked at before they are read: a change in between is found by the next look.
            let look = self.look().await;
            let renewable = matches!(self.source.identity, Identity::SelfSigned(_)) && Instant::now() >= renewal;
            if !asked && !renewable && look == seen {
                continue;
            }
            if renewable {
                renewal = Instant::now() + RENEWAL_CHECK;
            }
            seen = look;
            let this = Arc::clone(&self);
            let now = clock();
            match tokio::task::spawn_blocking(move || this.reload(now)).await {
                Ok(Ok(())) => tracing::info!("certificates loaded anew"),
                Ok(Err(error)) => {
                    tracing::error!(%error, "new certificates refused, the ones in use stay")
                }
                Err(error) => {
                    tracing::error!(%error, "reloading certificates failed, the ones in use stay")
                }
            }
        }
    }

    async fn look(self: &Arc<Self>) -> Vec<Option<Stamp>> {
        let this = Arc::clone(self);
        tokio::task::spawn_blocking(move || this.source.paths().map(Stamp::of).collect()).await.unwrap_or_default()
    }
}

/// What tells a changed file from the same one, also when it was replaced by one of the same size
/// and age.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size_bytes: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: PathBuf) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            inode: metadata.ino(),
            size_bytes: metadata.size(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

impl TlsSource {
    fn paths(&self) -> impl Iterator<Item = PathBuf> + use<> {
        let (cert, key) = self.identity_paths();
        [Some(cert), Some(key), self.client_ca.clone(), self.client_crl.clone()].into_iter().flatten()
    }

    fn identity_paths(&self) -> (PathBuf, PathBuf) {
        match &self.identity {
            Identity::Files { cert, key } => (cert.clone(), key.clone()),
            Identity::SelfSigned(own) => (own.cert_path(), own.key_path()),
        }
    }

    fn build(&self, now: SystemTime) -> Result<Configs, TlsError> {
        if let Identity::SelfSigned(own) = &self.identity {
            own.ensure(now)?;
        }
        let (cert_path, key_path) = self.identity_paths();
        let chain = certificates("tls.cert", &cert_path)?;
        let key = PrivateKeyDer::from_pem_slice(&read("tls.key", &key_path)?).map_err(|source| match source {
            pem::Error::NoItemsFound => {
                TlsError::Empty { option: "tls.key", path: key_path.clone(), wanted: "private key" }
            }
            source => TlsError::Pem { option: "tls.key", path: key_path.clone(), source },
        })?;

        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Provider)?;
        let builder = match self.client_verifier()? {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|source| TlsError::Rejected {
            option: "tls.cert",
            path: cert_path,
            source,
        })?;
        // Resumption costs a fleet's reconnect half of a handshake. The ticket keys are new with
        // every load, so a ticket that was given out under an earlier client authority is worth
        // nothing.
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(TlsError::Provider)?;
        config.alpn_protocols = vec![ALPN_HTTP2.to_vec(), b"http/1.1".to_vec()];
        Ok(Configs { http: Arc::new(config) })
    }

    fn client_verifier(&self) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
        if self.client_auth == ClientAuth::Off {
            return Ok(None);
        }
        let path = self.client_ca.as_ref().ok_or(TlsError::NoClientCa)?;
        let mut roots = RootCertStore::empty();
        for authority in certificates("tls.client_ca", path)? {
            roots.add(authority).map_err(|source| TlsError::Rejected {
                option: "tls.client_ca",
                path: path.clone(),
                source,
            })?;
        }
        let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
        if let Some(path) = &self.client_crl {
            let lists = pem_items::<CertificateRevocationListDer<'static>>("tls.client_crl", path, "revocation list")?;
            builder = builder.with_crls(lists).allow_unknown_revocation_status();
        }
        if self.client_auth == ClientAuth::Request {
            builder = builder.allow_unauthenticated();
        }
        Ok(Some(builder.build()?))
    }
}

fn certificates(option: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    pem_items(option, path, "certificate")
}

fn pem_items<T: PemObject>(option: &'static str, path: &Path, wanted: &'static str) -> Result<Vec<T>, TlsError> {
    let items: Vec<T> = T::pem_slice_iter(&read(option, path)?)
        .collect::<Result<_, _>>()
        .map_err(|source| TlsError::Pem { option, path: path.to_owned(), source })?;
    if items.is_empty() {
        return Err(TlsError::Empty { option, path: path.to_owned(), wanted });
    }
    Ok(items)
}

fn read(option: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read { option, path: path.to_owned(), source })
}
