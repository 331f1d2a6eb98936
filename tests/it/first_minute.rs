//! The thin thread: what a new user does in the first minute, through every room, on real bytes.

use super::http::Request;
use super::server::Server;

#[test]
fn the_server_says_when_it_is_ready_and_ends_when_it_is_told_to() {
    let mut server = Server::start();
    server.send(&Request::new("GET", "/healthz")).expect(200);
    server.send(&Request::new("GET", "/readyz")).expect(200);
    assert!(server.stop("TERM").success(), "{}", server.log());
}

#[test]
fn a_first_start_tells_how_to_sign_in_once() {
    let server = Server::start();
    let credentials = std::fs::read_to_string(server.data().join("credentials.json")).unwrap();
    let credentials: serde_json::Value = serde_json::from_str(&credentials).unwrap();
    assert_eq!(credentials["access_key_id"], super::server::ACCESS_KEY_ID);
    let server = server.restart();
    assert!(!server.log().contains(super::server::ACCESS_KEY_SECRET), "a secret is told once");
}

#[test]
fn secrets_lie_in_files_that_only_their_owner_reads() {
    let server = Server::start();
    for name in ["credentials.json", "master.key"] {
        let permissions = std::fs::metadata(server.data().join(name)).unwrap().permissions();
        let mode = std::os::unix::fs::PermissionsExt::mode(&permissions);
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_self_signed_certificate_opens_the_doors_over_tls_too() {
    let server = Server::with(&["--self-signed", "--https", "127.0.0.1:0"]);
    let https = server.https.expect("the ready line names the HTTPS address");
    let curl = std::process::Command::new("curl")
        .args(["--silent", "--show-error", "--noproxy", "*", "--cacert"])
        .arg(server.data().join("tls/cert.pem"))
        .arg(format!("https://{https}/healthz"))
        .output()
        .expect("curl is there: ./setup installs it");
    let said = String::from_utf8_lossy(&curl.stderr).into_owned();
    assert_eq!(String::from_utf8_lossy(&curl.stdout), "alive\n", "{said}");
}
