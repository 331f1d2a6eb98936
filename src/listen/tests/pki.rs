//! A small certificate authority for the tests of TLS.

use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, Issuer, KeyPair, SerialNumber,
};
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;

use crate::listen::SelfSigned;
use crate::listen::tls::{ClientAuth, Identity, TlsSource};

/// A directory with a self-signed server certificate and, on demand, an authority for clients.
pub(super) struct Pki {
    directory: TempDir,
    pub(super) own: SelfSigned,
}

/// A certificate and key for a client.
pub(super) struct Badge {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: Vec<u8>,
}

pub(super) struct Authority {
    key: KeyPair,
    params: CertificateParams,
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
        Self { key: KeyPair::generate().expect("a key"), params }
    }

    pub(super) fn pem(&self) -> String {
        self.params.self_signed(&self.key).expect("a certificate").pem()
    }

    pub(super) fn badge(&self, serial: u64) -> Badge {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec!["client".to_owned()]).expect("parameters");
        params.serial_number = Some(SerialNumber::from(serial));
        let cert = params.signed_by(&key, &Issuer::from_params(&self.params, &self.key)).expect("a certificate");
        Badge { chain: vec![cert.der().clone()], key: key.serialize_der() }
    }

    pub(super) fn revoking(&self, serial: u64) -> String {
        let (then, later) = (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2090, 1, 1));
        let revoked = rcgen::RevokedCertParams {
            serial_number: SerialNumber::from(serial),
            revocation_time: then,
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: then,
            next_update: later,
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        list.signed_by(&Issuer::from_params(&self.params, &self.key)).expect("a list").pem().expect("PEM")
    }
}

impl Pki {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let own = SelfSigned { directory: directory.path().join("tls"), hosts: Vec::new() };
        Self { directory, own }
    }

    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    }

    pub(super) fn source(&self) -> TlsSource {
        TlsSource {
            identity: Identity::SelfSigned(self.own.clone()),
            client_ca: None,
            client_crl: None,
            client_auth: ClientAuth::Off,
        }
    }
}
