//! The address of a PostgreSQL database: what the driver reads of it, and what is ours: TLS as libpq understands it, and how
//! many connections one copy of the server holds.

use std::path::PathBuf;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::StoreError;

/// How many connections one copy of the server holds at most, unless its URL says otherwise.
const CONNECTIONS: usize = 16;
/// How long a server may take to answer to a new connection, unless its URL says otherwise.
const CONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

pub(super) struct Address {
    pub(super) config: tokio_postgres::Config,
    pub(super) tls: MakeRustlsConnect,
    pub(super) max_connections: usize,
}

/// How sure the connection has to be of its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    Nothing,
    Authority,
    AuthorityAndName,
}

impl Address {
    /// Reads `postgres://…`. Beside the driver's own options there are, with libpq's names and meaning, `sslmode` (`disable`,
    /// `prefer` unless given, `require`, `verify-ca`, `verify-full`), `sslrootcert` (a PEM file, or `system`), `sslcert` and
    /// `sslkey`; and `max_connections`.
    pub(super) fn parse(url: &str) -> Result<Address, StoreError> {
        let (place, options) = url.split_once('?').unwrap_or((url, ""));
        let (mut mode, mut root, mut cert, mut key) = ("prefer".to_owned(), None, None, None);
        let mut max_connections = CONNECTIONS;
        let mut others = Vec::new();
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let (name, raw) = option.split_once('=').unwrap_or((option, ""));
            let value = || {
                let text = percent_decode_str(raw).decode_utf8();
                text.map(String::from).map_err(|_| wrong(format!("option {name} is not UTF-8")))
            };
            match name {
                "sslmode" => mode = value()?,
                "sslrootcert" => root = Some(value()?),
                "sslcert" => cert = Some(PathBuf::from(value()?)),
                "sslkey" => key = Some(PathBuf::from(value()?)),
                "max_connections" => {
                    max_connections = match value()?.parse() {
                        Ok(number @ 2..=1000) => number,
                        _ => return Err(wrong("option max_connections is a number from 2 to 1000")),
                    };
                }
                _ => others.push(option),
            }
        }
        let (ssl_mode, check) = match mode.as_str() {
            "disable" => (SslMode::Disable, Check::Nothing),
            "prefer" => (SslMode::Prefer, Check::Nothing),
            // libpq reads it so, too: who names an authority means it.
            "require" if root.is_some() => (SslMode::Require, Check::Authority),
            "require" => (SslMode::Require, Check::Nothing),
            "verify-ca" => (SslMode::Require, Check::Authority),
            "verify-full" => (SslMode::Require, Check::AuthorityAndName),
            _ => return Err(wrong("option sslmode is disable, prefer, require, verify-ca or verify-full")),
        };
        let plain = if others.is_empty() { place.to_owned() } else { format!("{place}?{}", others.join("&")) };
        // The driver's message does not repeat the URL, which has the password in it.
        let mut config: tokio_postgres::Config =
            plain.parse().map_err(|error: tokio_postgres::Error| wrong(explain(&error)))?;
        config.ssl_mode(ssl_mode);
        if config.get_application_name().is_none() {
            config.application_name("otaru");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        let identity = match (cert, key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => return Err(wrong("options sslcert and sslkey are given together or not at all")),
        };
        let tls = MakeRustlsConnect::new(client_config(check, root.as_deref(), identity)?);
        Ok(Address { config, tls, max_connections })
    }
}

fn wrong(text: impl Into<String>) -> StoreError {
    StoreError::Misconfigured(text.into())
}

fn explain(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn client_config(
    check: Check,
    root: Option<&str>,
    identity: Option<(PathBuf, PathBuf)>,
) -> Result<ClientConfig, StoreError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?;
    let builder = match check {
        Check::Nothing => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Lenient { provider, authority: None }))
        }
        Check::Authority => {
            let authority = WebPkiServerVerifier::builder_with_provider(roots(root)?, Arc::clone(&provider))
                .build()
                .map_err(|error| wrong(format!("option sslrootcert: {error}")))?;
            let lenient = Lenient { provider, authority: Some(authority) };
            builder.dangerous().with_custom_certificate_verifier(Arc::new(lenient))
        }
        Check::AuthorityAndName => builder.with_root_certificates(roots(root)?),
    };
    let Some((cert, key)) = identity else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates(&cert).map_err(|error| wrong(format!("option sslcert: {}: {error}", cert.display())))?;
    let key = PrivateKeyDer::from_pem_file(&key)
        .map_err(|error| wrong(format!("option sslkey: {}: {error}", key.display())))?;
    builder.with_client_auth_cert(chain, key).map_err(|error| wrong(format!("options sslcert and sslkey: {error}")))
}

fn certificates(path: &std::path::Path) -> Result<Vec<CertificateDer<'static>>, rustls::pki_types::pem::Error> {
    CertificateDer::pem_file_iter(path)?.collect()
}

/// The authorities in a file, or those of the system.
fn roots(file: Option<&str>) -> Result<Arc<RootCertStore>, StoreError> {
    let mut store = RootCertStore::empty();
    match file {
        None | Some("system") => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if store.is_empty() {
                return Err(wrong("this system has no certificate authorities; name one with the option sslrootcert"));
            }
        }
        Some(path) => {
            let problem = |error: String| wrong(format!("option sslrootcert: {path}: {error}"));
            for certificate in certificates(path.as_ref()).map_err(|error| problem(error.to_string()))? {
                store.add(certificate).map_err(|error| problem(error.to_string()))?;
            }
            if store.is_empty() {
                return Err(problem("no certificate in it".to_owned()));
            }
        }
    }
    Ok(Arc::new(store))
}

/// Takes a server that an authority vouches for, whatever it is called; or, without an authority, any server. That is what
/// `verify-ca` and `require` mean: against listeners, and with `require` not against impostors.
#[derive(Debug)]
struct Lenient {
    provider: Arc<CryptoProvider>,
    authority: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(authority) = &self.authority else { return Ok(ServerCertVerified::assertion()) };
        match authority.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            // The name is looked at last, so the authority has vouched.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_ours_or_the_drivers() {
        let address = Address::parse("postgres://u@h/d?sslmode=require&max_connections=40&connect_timeout=3").unwrap();
        assert_eq!(address.max_connections, 40);
        assert_eq!(address.config.get_ssl_mode(), SslMode::Require);
        assert_eq!(address.config.get_connect_timeout(), Some(&std::time::Duration::from_secs(3)));
        assert_eq!(address.config.get_dbname(), Some("d"));
        let address = Address::parse("postgres://u@h/d").unwrap();
        assert_eq!((address.config.get_ssl_mode(), address.max_connections), (SslMode::Prefer, CONNECTIONS));
    }

    #[test]
    fn what_cannot_work_is_told_at_once_and_without_the_password() {
        for (options, word) in [
            ("sslmode=yes", "sslmode"),
            ("sslmode=verify-full&sslrootcert=/nowhere.pem", "/nowhere.pem"),
            ("sslmode=verify-ca&sslrootcert=/dev/null", "no certificate"),
            ("sslcert=/c.pem", "sslkey"),
            ("sslcert=/c.pem&sslkey=/k.pem", "/c.pem"),
            ("max_connections=0", "max_connections"),
            ("max_connections=many", "max_connections"),
            ("nonsense=1", "nonsense"),
        ] {
            let Err(error) = Address::parse(&format!("postgres://u:geheim@h/d?{options}")) else { panic!("{options}") };
            let text = error.to_string();
            assert!(text.contains(word) && !text.contains("geheim"), "{options}: {text}");
        }
    }
}
