//! TLS as clients see it: protocols, versions and client certificates.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use axum::Router;
use axum::extract::Request;
use axum::routing::get;
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use otaru_model::peer::Peer;
use rcgen::KeyPair;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::pki::{Authority, Badge, Pki};
use super::*;
use crate::listen::tls;
use crate::listen::tls::{ClientAuth, Identity, TlsSource, provider};

/// A TLS door.
fn start(router: Router, source: TlsSource) -> Server {
    let tls = tls::Tls::load(source, SystemTime::now()).expect("certificates");
    Server::start(router, Limits::default(), Some(Arc::new(tls)))
}

fn whoami() -> Router {
    Router::new().route(
        "/",
        get(|request: Request| async move {
            let peer = request.extensions().get::<Peer>().expect("a peer");
            assert!(peer.encrypted);
            match &peer.certificate {
                Some(certificate) => format!("certificate of {} bytes", certificate.leaf().expect("a leaf").len()),
                None => "no certificate".to_owned(),
            }
        }),
    )
}

pub(super) fn trusting(cert: &Path) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(cert).expect("PEM")).expect("a certificate");
    roots
}

fn client(cert: &Path, badge: Option<&Badge>) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(trusting(cert));
    match badge {
        None => builder.with_no_client_auth(),
        Some(badge) => builder
            .with_client_auth_cert(
                badge.chain.clone(),
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(badge.key.clone())),
            )
            .expect("a client certificate"),
    }
}

pub(super) async fn connect(
    server: &Server,
    config: ClientConfig,
    name: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, server.connect().await).await
}

/// A request over TLS. A refused client certificate shows only here: in TLS 1.3 the client is done
/// before the server looks.
async fn get_over(server: &Server, config: ClientConfig) -> Result<String, std::io::Error> {
    let mut stream = connect(server, config, "localhost").await?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("in time")?;
    Ok(answer)
}

#[tokio::test]
async fn the_negotiated_protocol_is_spoken() {
    let pki = Pki::new();
    let server = start(whoami(), pki.source());
    for (offered, chosen) in
        [(vec!["h2", "http/1.1"], Some("h2")), (vec!["http/1.1"], Some("http/1.1")), (vec![], None)]
    {
        let mut config = client(&pki.own.cert_path(), None);
        config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let stream = connect(&server, config, "localhost").await.expect("a handshake");
        assert_eq!(stream.get_ref().1.alpn_protocol(), chosen.map(str::as_bytes));

        let mut stream = stream;
        if chosen == Some("h2") {
            let (mut client, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                    .await
                    .expect("HTTP/2");
            tokio::spawn(connection);
            let request = http::Request::get("https://localhost/").body(String::new()).expect("a request");
            let response = client.send_request(request).await.expect("an answer");
            assert_eq!(response.version(), http::Version::HTTP_2);
            assert_eq!(response.into_body().collect().await.expect("a body").to_bytes(), "no certificate");
        } else {
            let answer = ask(&mut stream, GET).await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\nContent-Type: "), "{answer}");
        }
    }
}

#[tokio::test]
async fn older_modules_may_speak_tls_1_2() {
    let pki = Pki::new();
    let server = start(whoami(), pki.source());
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .expect("versions")
        .with_root_certificates(trusting(&pki.own.cert_path()))
        .with_no_client_auth();
    assert!(get_over(&server, config).await.expect("an answer").ends_with("no certificate"));
}

#[tokio::test]
async fn the_self_signed_certificate_is_good_for_local_addresses() {
    let pki = Pki::new();
    let server = start(whoami(), pki.source());
    for name in ["localhost", "127.0.0.1", "::1"] {
        connect(&server, client(&pki.own.cert_path(), None), name).await.expect(name);
    }
    assert!(connect(&server, client(&pki.own.cert_path(), None), "elsewhere.example").await.is_err());
}

#[tokio::test]
async fn client_certificates_off_requested_and_required() {
    let pki = Pki::new();
    let (ours, foreign) = (Authority::new("ours"), Authority::new("theirs"));
    let ca = pki.write("ca.pem", &ours.pem());
    let (member, stranger) = (ours.badge(7), foreign.badge(7));

    for (mode, without, with_ours, with_foreign) in [
        (ClientAuth::Off, "no certificate", "no certificate", "no certificate"),
        (ClientAuth::Request, "no certificate", "certificate of", "refused"),
        (ClientAuth::Require, "refused", "certificate of", "refused"),
    ] {
        let server = start(whoami(), TlsSource { client_ca: Some(ca.clone()), client_auth: mode, ..pki.source() });
        for (badge, expected) in [(None, without), (Some(&member), with_ours), (Some(&stranger), with_foreign)] {
            let seen = get_over(&server, client(&pki.own.cert_path(), badge)).await.unwrap_or("refused".to_owned());
            assert!(seen.contains(expected), "{mode:?}: expected {expected:?}, got {seen:?}");
        }
    }
}

#[tokio::test]
async fn a_resumed_session_still_knows_the_client() {
    let pki = Pki::new();
    let ours = Authority::new("ours");
    let ca = pki.write("ca.pem", &ours.pem());
    let server = start(whoami(), TlsSource { client_ca: Some(ca), client_auth: ClientAuth::Require, ..pki.source() });
    let config = client(&pki.own.cert_path(), Some(&ours.badge(1)));
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let mut stream = connect(&server, config.clone(), "localhost").await.expect("a handshake");
        let answer = ask(&mut stream, GET).await;
        assert!(answer.contains("certificate of"), "{answer}");
        kinds.push(stream.get_ref().1.handshake_kind().expect("done"));
    }
    assert_eq!(kinds, [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed]);
}

#[tokio::test]
async fn a_revoked_client_is_turned_away() {
    let pki = Pki::new();
    let ours = Authority::new("ours");
    let source = TlsSource {
        client_ca: Some(pki.write("ca.pem", &ours.pem())),
        client_crl: Some(pki.write("crl.pem", &ours.revoking(13))),
        client_auth: ClientAuth::Require,
        ..pki.source()
    };
    let server = start(whoami(), source);
    assert!(get_over(&server, client(&pki.own.cert_path(), Some(&ours.badge(12)))).await.is_ok());
    assert!(get_over(&server, client(&pki.own.cert_path(), Some(&ours.badge(13)))).await.is_err());
}

#[tokio::test]
async fn plain_text_on_a_tls_door_is_cut_off() {
    let pki = Pki::new();
    let server = start(whoami(), pki.source());
    let mut connection = server.connect().await;
    connection.write_all(GET.as_bytes()).await.expect("sent");
    assert!(!read_to_end(&mut connection).await.contains("HTTP"));
}

#[test]
fn errors_name_the_option() {
    let pki = Pki::new();
    let load = |source: TlsSource| tls::Tls::load(source, SystemTime::now()).expect_err("refused").to_string();
    load_ok(&pki);
    let files = |cert: PathBuf, key: PathBuf| TlsSource { identity: Identity::Files { cert, key }, ..pki.source() };
    let (cert, key) = (pki.own.cert_path(), pki.own.key_path());
    let other = pki.write("other.pem", &KeyPair::generate().expect("a key").serialize_pem());
    let empty = pki.write("empty.pem", "");
    for (source, expected) in [
        (files(PathBuf::from("/nowhere/cert.pem"), key.clone()), "`tls.cert`: cannot read /nowhere/cert.pem"),
        (files(empty.clone(), key.clone()), "`tls.cert`: "),
        (files(cert.clone(), empty), "holds no private key"),
        (files(cert.clone(), other), "is not accepted"),
        (TlsSource { client_auth: ClientAuth::Require, ..pki.source() }, "`tls.client_ca`"),
        (TlsSource { client_auth: ClientAuth::Request, client_ca: Some(key), ..pki.source() }, "holds no certificate"),
    ] {
        let text = load(source);
        assert!(text.contains(expected), "{expected:?} in {text}");
    }
}

fn load_ok(pki: &Pki) {
    tls::Tls::load(pki.source(), SystemTime::now()).expect("certificates");
}
