//! `--self-signed`: a certificate of our own, made once and kept, for trials and for devices that
//! are told to trust it.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;

use super::tls::provider;

const DAY: Duration = Duration::from_hours(24);

/// Several client platforms refuse certificates that live longer than 825 days.
const LIFETIME: Duration = DAY.saturating_mul(825);

/// A certificate with less time left than this is replaced.
const RENEW_BEFORE: Duration = DAY.saturating_mul(30);

/// The names every self-signed certificate has.
const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Where the certificate is kept and what it is for.
#[derive(Debug, Clone)]
pub struct SelfSigned {
    /// `tls/` in the data directory. Made if missing, readable by us only.
    pub directory: PathBuf,
    /// Host names and IP addresses beside the local ones.
    pub hosts: Vec<String>,
}

/// Why there is no self-signed certificate.
#[derive(Debug, thiserror::Error)]
pub enum SelfSignedError {
    #[error("`self_signed`: cannot write {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("`tls.self_signed_hosts`: {0:?} is neither a host name nor an IP address")]
    Host(String),
    #[error("`self_signed`: the certificate could not be made: {0}")]
    Make(#[from] rcgen::Error),
}

impl SelfSigned {
    /// The certificate, PEM. It is its own authority: give this file to clients.
    #[must_use]
    pub fn cert_path(&self) -> PathBuf {
        self.directory.join("cert.pem")
    }

    /// Its private key, PEM, mode 0600.
    #[must_use]
    pub fn key_path(&self) -> PathBuf {
        self.directory.join("key.pem")
    }

    /// Keeps the stored certificate if it fits, has all names and lives on for a while; else makes
    /// a new one.
    pub(super) fn ensure(&self, now: SystemTime) -> Result<(), SelfSignedError> {
        if self.is_good(now + RENEW_BEFORE)? {
            return Ok(());
        }
        self.make(now)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        LOCAL_NAMES.into_iter().chain(self.hosts.iter().map(String::as_str))
    }

    /// Whether a client that trusts the stored certificate would accept it under every name at the
    /// time `at`. A client's own check is used for that: it weighs names, dates and signature in
    /// one go.
    fn is_good(&self, at: SystemTime) -> Result<bool, SelfSignedError> {
        let names: Vec<_> = self
            .names()
            .map(|name| ServerName::try_from(name.to_owned()).map_err(|_| SelfSignedError::Host(name.to_owned())))
            .collect::<Result<_, _>>()?;
        let (Ok(cert), Ok(key)) =
            (CertificateDer::from_pem_file(self.cert_path()), PrivateKeyDer::from_pem_file(self.key_path()))
        else {
            return Ok(false);
        };
        let mut roots = RootCertStore::empty();
        if roots.add(cert.clone()).is_err() || CertifiedKey::from_der(vec![cert.clone()], key, &provider()).is_err() {
            return Ok(false);
        }
        let Ok(verifier) = WebPkiServerVerifier::builder_with_provider(roots.into(), provider()).build() else {
            return Ok(false);
        };
        let at = UnixTime::since_unix_epoch(at.duration_since(UNIX_EPOCH).unwrap_or_default());
        Ok(names.iter().all(|name| verifier.verify_server_cert(&cert, &[], name, &[], at).is_ok()))
    }

    fn make(&self, now: SystemTime) -> Result<(), SelfSignedError> {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(self.names().map(str::to_owned).collect::<Vec<_>>())?;
        params.distinguished_name.push(DnType::CommonName, "Otaru self-signed");
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        // Devices with a slow clock would otherwise refuse a certificate of today.
        params.not_before = epoch + now.saturating_sub(DAY);
        params.not_after = epoch + now + LIFETIME;
        let cert = params.self_signed(&key)?;

        let write = |path: PathBuf, mode, text: &str| {
            write_private(&path, mode, text).map_err(|source| SelfSignedError::Write { path, source })
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)
            .map_err(|source| SelfSignedError::Write { path: self.directory.clone(), source })?;
        write(self.key_path(), 0o600, &key.serialize_pem())?;
        write(self.cert_path(), 0o644, &cert.pem())?;
        tracing::info!(path = %self.cert_path().display(), "made a self-signed certificate");
        Ok(())
    }
}

/// Writes beside and renames, so that a reader sees the old file or the new one, and the key is
/// never readable by others.
fn write_private(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let beside = path.with_extension("new");
    if let Err(error) = fs::remove_file(&beside)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn at(days: u32) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_790_000_000) + DAY * days
    }

    fn own(directory: &Path, hosts: &[&str]) -> SelfSigned {
        SelfSigned { directory: directory.join("data/tls"), hosts: hosts.iter().map(|&host| host.to_owned()).collect() }
    }

    fn certificate(own: &SelfSigned) -> String {
        fs::read_to_string(own.cert_path()).expect("a certificate")
    }

    #[test]
    fn it_is_made_once_and_kept() {
        let directory = tempfile::tempdir().expect("a directory");
        let own = own(directory.path(), &["ota.example.com", "192.0.2.7"]);
        own.ensure(at(0)).expect("made");
        let first = certificate(&own);
        own.ensure(at(700)).expect("kept");
        assert_eq!(certificate(&own), first);
    }

    #[test]
    fn the_key_is_for_our_eyes_only() {
        let directory = tempfile::tempdir().expect("a directory");
        let own = own(directory.path(), &[]);
        own.ensure(at(0)).expect("made");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&own.key_path()), 0o600);
        assert_eq!(mode(&own.directory), 0o700);
    }

    #[test]
    fn a_new_one_is_made_near_the_end() {
        let directory = tempfile::tempdir().expect("a directory");
        let own = own(directory.path(), &[]);
        own.ensure(at(0)).expect("made");
        let first = certificate(&own);
        own.ensure(at(794)).expect("kept");
        assert_eq!(certificate(&own), first);
        own.ensure(at(796)).expect("renewed");
        assert_ne!(certificate(&own), first);
    }

    #[test]
    fn a_new_one_is_made_for_another_name() {
        let directory = tempfile::tempdir().expect("a directory");
        own(directory.path(), &[]).ensure(at(0)).expect("made");
        let renamed = own(directory.path(), &["ota.example.com"]);
        let first = certificate(&renamed);
        renamed.ensure(at(0)).expect("made anew");
        assert_ne!(certificate(&renamed), first);
    }

    #[test]
    fn a_damaged_or_foreign_pair_is_replaced() {
        let directory = tempfile::tempdir().expect("a directory");
        let own = own(directory.path(), &[]);
        own.ensure(at(0)).expect("made");
        fs::write(own.cert_path(), "not a certificate").expect("written");
        own.ensure(at(0)).expect("made anew");
        assert!(own.is_good(at(0)).expect("names"));

        let foreign = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
        fs::write(own.key_path(), foreign.serialize_pem()).expect("written");
        assert!(!own.is_good(at(0)).expect("names"));
        own.ensure(at(0)).expect("made anew");
        assert!(own.is_good(at(0)).expect("names"));
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let error = own(directory.path(), &["not a host"]).ensure(at(0)).expect_err("refused");
        assert!(error.to_string().contains("`tls.self_signed_hosts`: \"not a host\""), "{error}");
    }
}
