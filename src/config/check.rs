//! What only several options together can show to be wrong.

use super::{Config, Secrets};
use crate::listen::tls::ClientAuth;

/// Options that do not go together. Each text says which and what to do.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CheckError {
    #[error(
        "`public_url` is missing: `{option}` = {address} can be reached from elsewhere, and links need the address under which \
         others reach it; set it to something like https://ota.example.com"
    )]
    PublicUrl { option: &'static str, address: std::net::SocketAddr },
    #[error("`{present}` is set and `{missing}` is not; a certificate needs both")]
    HalfACertificate { present: &'static str, missing: &'static str },
    #[error("`self_signed` and `tls.cert` are both set; choose one")]
    TwoCertificates,
    #[error("`{option}` is set and there is no certificate; set `tls.cert` and `tls.key`, or `self_signed`")]
    NoCertificate { option: &'static str },
    #[error("`tls.client_auth` asks for client certificates; name their authority with `tls.client_ca`")]
    NoClientCa,
    #[error("`{option}` has no effect while `tls.client_auth` is off; set that to request or require")]
    ClientAuthOff { option: &'static str },
    #[error("`tls.self_signed_hosts` has no effect without `self_signed`")]
    HostsWithoutSelfSigned,
    #[error(
        "with a Postgres `store` every copy needs the same master key; set `master_key_file` or the environment variable \
         OTARU_MASTER_KEY"
    )]
    MasterKey,
}

impl Config {
    pub(super) fn check(&self, secrets: &Secrets) -> Result<(), CheckError> {
        self.check_tls()?;
        self.check_urls()?;
        let shared_store = self.store.as_ref().is_some_and(|store| store.starts_with("postgres"));
        if shared_store && secrets.master_key.is_none() && self.master_key_file.is_none() {
            return Err(CheckError::MasterKey);
        }
        Ok(())
    }

    fn check_tls(&self) -> Result<(), CheckError> {
        match (&self.tls.cert, &self.tls.key) {
            (Some(_), None) => {
                return Err(CheckError::HalfACertificate { present: "tls.cert", missing: "tls.key" });
            }
            (None, Some(_)) => {
                return Err(CheckError::HalfACertificate { present: "tls.key", missing: "tls.cert" });
            }
            (Some(_), Some(_)) if self.self_signed => return Err(CheckError::TwoCertificates),
            _ => {}
        }
        if !self.has_tls() {
            let asking = [
                (self.https.is_some(), "https"),
                (self.objects_https.is_some(), "objects_https"),
                (self.tls.client_auth != ClientAuth::Off, "tls.client_auth"),
            ];
            if let Some((_, option)) = asking.into_iter().find(|(set, _)| *set) {
                return Err(CheckError::NoCertificate { option });
            }
        }
        if !self.self_signed && !self.tls.self_signed_hosts.is_empty() {
            return Err(CheckError::HostsWithoutSelfSigned);
        }
        if self.tls.client_auth != ClientAuth::Off && self.tls.client_ca.is_none() {
            return Err(CheckError::NoClientCa);
        }
        if self.tls.client_auth == ClientAuth::Off {
            let idle = [(&self.tls.client_ca, "tls.client_ca"), (&self.tls.client_crl, "tls.client_crl")];
            if let Some((_, option)) = idle.into_iter().find(|(file, _)| file.is_some()) {
                return Err(CheckError::ClientAuthOff { option });
            }
        }
        Ok(())
    }

    fn check_urls(&self) -> Result<(), CheckError> {
        if self.public_url.is_some() {
            return Ok(());
        }
        let objects = if self.objects_url.is_none() { Some(self.objects) } else { None };
        let objects_https = objects.and(self.objects_https);
        let doors = [
            ("http", Some(self.http)),
            ("https", self.https()),
            ("objects", objects),
            ("objects_https", objects_https),
        ];
        let open = doors
            .into_iter()
            .filter_map(|(option, address)| Some((option, address?)))
            .find(|(_, address)| !address.ip().to_canonical().is_loopback());
        match open {
            Some((option, address)) => Err(CheckError::PublicUrl { option, address }),
            None => Ok(()),
        }
    }
}
