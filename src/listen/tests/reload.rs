//! New certificates without a restart.

use std::path::PathBuf;
use std::time::SystemTime;

use axum::Router;
use axum::routing::get;
use rcgen::{CertificateParams, KeyPair};
use rustls::ClientConfig;
use tokio::sync::watch;
use tokio::time::sleep;

use super::pki::Pki;
use super::tls::{connect, trusting};
use super::*;
use crate::listen::tls::{Identity, TlsSource, provider};

/// A server whose certificate files can be replaced while it runs.
struct Reloading {
    pki: Pki,
    server: Server,
    tls: Arc<Tls>,
    hangups: watch::Sender<u64>,
    cert: PathBuf,
    key: PathBuf,
}

impl Reloading {
    /// `period` apart the files are looked at.
    fn start(period: Duration) -> Self {
        let pki = Pki::new();
        let (cert, key) = (pki.own.directory.join("site.crt"), pki.own.directory.join("site.key"));
        std::fs::create_dir_all(&pki.own.directory).expect("a directory");
        install(&cert, &key, "first.example");
        let source = TlsSource { identity: Identity::Files { cert: cert.clone(), key: key.clone() }, ..pki.source() };
        let tls = Arc::new(Tls::load(source, SystemTime::now()).expect("certificates"));
        let router = Router::new().route("/", get(|| async { "hello" }));
        let server = Server::start(router, Limits::default(), Some(Arc::clone(&tls)));
        let (hangups, hangup) = watch::channel(0);
        tokio::spawn(Arc::clone(&tls).watch(period, hangup, server.drain.clone(), SystemTime::now));
        Self { pki, server, tls, hangups, cert, key }
    }

    /// Whether a client that trusts exactly the certificate in `trusted` and expects `name` is
    /// content.
    async fn serves(&self, trusted: &std::path::Path, name: &str) -> bool {
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(trusting(trusted))
            .with_no_client_auth();
        connect(&self.server, config, name).await.is_ok()
    }

    async fn comes_to_serve(&self, name: &str) -> bool {
        for _ in 0..200 {
            if self.serves(&self.cert, name).await {
                return true;
            }
            sleep(Duration::from_millis(20)).await;
        }
        false
    }
}

fn install(cert: &std::path::Path, key: &std::path::Path, name: &str) {
    let pair = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    std::fs::write(key, pair.serialize_pem()).expect("written");
    std::fs::write(cert, params.self_signed(&pair).expect("a certificate").pem()).expect("written");
}

#[tokio::test]
async fn changed_files_are_found_without_a_signal() {
    let site = Reloading::start(Duration::from_millis(30));
    assert!(site.serves(&site.cert, "first.example").await);
    sleep(Duration::from_millis(60)).await;
    install(&site.cert, &site.key, "second.example");
    assert!(site.comes_to_serve("second.example").await);
}

#[tokio::test]
async fn a_hangup_reloads_at_once() {
    let site = Reloading::start(Duration::from_secs(3600));
    install(&site.cert, &site.key, "second.example");
    assert!(!site.serves(&site.cert, "second.example").await, "loaded without being asked");
    site.hangups.send_modify(|count| *count += 1);
    assert!(site.comes_to_serve("second.example").await);
}

#[tokio::test]
async fn a_bad_file_keeps_the_certificate_in_use() {
    let site = Reloading::start(Duration::from_millis(30));
    let kept = site.pki.own.directory.join("kept.crt");
    std::fs::copy(&site.cert, &kept).expect("copied");
    sleep(Duration::from_millis(60)).await;

    std::fs::write(&site.cert, "-----BEGIN CERTIFICATE-----\nnonsense\n").expect("written");
    assert!(site.tls.reload(SystemTime::now()).is_err());
    sleep(Duration::from_millis(150)).await;
    assert!(site.serves(&kept, "first.example").await);

    // The key of another certificate is as bad, and a good pair later is taken again.
    std::fs::copy(&kept, &site.cert).expect("copied");
    std::fs::write(&site.key, KeyPair::generate().expect("a key").serialize_pem()).expect("written");
    sleep(Duration::from_millis(150)).await;
    assert!(site.serves(&kept, "first.example").await);
    install(&site.cert, &site.key, "third.example");
    assert!(site.comes_to_serve("third.example").await);
}

#[tokio::test]
async fn an_open_connection_outlives_its_certificate() {
    let site = Reloading::start(Duration::from_secs(3600));
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(trusting(&site.cert))
        .with_no_client_auth();
    let mut open = connect(&site.server, config, "first.example").await.expect("a handshake");
    install(&site.cert, &site.key, "second.example");
    site.tls.reload(SystemTime::now()).expect("reloaded");
    assert!(site.serves(&site.cert, "second.example").await);
    assert!(ask(&mut open, GET).await.ends_with("hello"));
}
