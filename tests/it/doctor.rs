//! The doctor: what is wrong is found, and said with what to do about it.

use std::process::Command;

use serde_json::Value;

use super::server::{ACCESS_KEY_ID, ACCESS_KEY_SECRET, Server, binary};

/// Runs the doctor on the server's data with more options; its findings and its exit code.
fn doctor(server: &Server, options: &[&str]) -> (Vec<Value>, i32) {
    let mut command = Command::new(binary());
    command.args(["doctor", "--json", "--http", "127.0.0.1:0", "--objects", "127.0.0.1:0", "--data"]);
    command.arg(server.data()).args(options).current_dir(server.folder.path());
    command.env("OTARU_SERVER", format!("http://{}", server.http));
    command.env("OTARU_ACCESS_KEY_ID", ACCESS_KEY_ID).env("OTARU_ACCESS_KEY_SECRET", ACCESS_KEY_SECRET);
    let output = command.output().expect("the command can be run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let found: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    (found.as_array().unwrap().clone(), output.status.code().unwrap_or(-1))
}

#[track_caller]
fn expect(found: &[Value], what: &str, verdict: &str, part: &str) {
    let line = found.iter().find(|line| line["check"] == what && line["text"].as_str().unwrap().contains(part));
    let line = line.unwrap_or_else(|| panic!("{what} does not say {part}: {found:#?}"));
    assert_eq!(line["verdict"], verdict, "{line}");
    let has_advice = line["advice"].as_str().is_some_and(|advice| !advice.is_empty());
    assert_eq!(has_advice, verdict != "ok", "who is told that something is wrong is told what to do: {line}");
}

#[test]
fn a_sound_house_is_found_sound() {
    let server = Server::start();
    let url = format!("http://{}", server.http);
    let (found, code) = doctor(&server, &["--public-url", &url]);
    for (what, part) in [
        ("server", "runs version"),
        ("clock", "ms ahead"),
        ("server store", "answers"),
        ("store clock", "ms ahead"),
        ("store pages", "no damage"),
        ("store", "up to date"),
        ("master key", "fits"),
        ("data folder", "can be written"),
        ("files", "left"),
        ("certificate", "HTTPS is off"),
        ("public url", "leads to a server"),
    ] {
        expect(&found, what, "ok", part);
    }
    assert_eq!(code, 0, "{found:#?}");
}

#[test]
fn addresses_that_lead_nowhere_are_found() {
    let server = Server::start();
    let stranger = Server::start();
    let elsewhere = format!("http://{}", stranger.objects);
    let (found, code) = doctor(&server, &["--public-url", "http://127.0.0.1:1", "--download-url", &elsewhere]);
    expect(&found, "public url", "fail", "127.0.0.1:1");
    expect(&found, "download url", "fail", "something else answers there");
    assert_eq!(code, 1);
}

#[test]
fn a_damaged_database_is_found() {
    let mut server = Server::start();
    server.stop("TERM");
    let path = server.data().join("otaru.db");
    // What is in the write-ahead log goes into the file first: nothing reads a page that the log has a newer one of.
    let checkpoint = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA wal_checkpoint(TRUNCATE)')";
    let python = Command::new("python3").args(["-c", checkpoint]).arg(&path).status().expect("python3 is there");
    assert!(python.success());
    let mut bytes = std::fs::read(&path).unwrap();
    // The inner pages, so that the file can still be opened.
    let (from, to) = (bytes.len() / 2, bytes.len());
    bytes[from..to].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    let (found, code) = doctor(&server, &[]);
    assert_eq!(code, 1, "{found:#?}");
    let bad = |line: &&Value| line["verdict"] == "fail" && line["check"].as_str().unwrap().starts_with("store");
    assert!(found.iter().any(|line| bad(&line)), "{found:#?}");
    let warned = found.iter().find(|line| line["check"] == "server").unwrap();
    assert_eq!(warned["verdict"], "warn", "that no server runs is no fault");
}

#[test]
fn places_that_cannot_be_used_are_found() {
    let server = Server::start();
    let file = server.folder.path().join("a-file");
    std::fs::write(&file, "in the way").unwrap();
    let blobs = format!("fs:{}", file.display());
    let region = "elsewhere=s3://?endpoint=http://127.0.0.1:1&region=a&access_key_id=a&secret_access_key=a";
    let (found, code) = doctor(&server, &["--blobs", &blobs, "--regions", region]);
    expect(&found, "files", "fail", "");
    expect(&found, "region elsewhere", "fail", "");
    assert_eq!(code, 1);
}

#[test]
fn a_certificate_is_looked_at_closely() {
    let server = Server::with(&["--self-signed", "--https", "127.0.0.1:0"]);
    let tls = server.data().join("tls");
    let (cert, key) = (tls.join("cert.pem"), tls.join("key.pem"));
    let files = ["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let options = [&files[..], &["--https", "127.0.0.1:0", "--public-url", "https://ota.example.invalid"]].concat();
    let (found, _) = doctor(&server, &options);
    expect(&found, "certificate", "ok", "it fits its key");
    expect(&found, "certificate chain", "ok", "1 in order");
    expect(&found, "certificate time", "ok", "the server's certificate is valid until");
    expect(&found, "certificate name", "warn", "it is not for ota.example.invalid");
    expect(&found, "public url", "fail", "ota.example.invalid");

    std::fs::write(&key, std::fs::read(&cert).unwrap()).unwrap();
    let (found, code) = doctor(&server, &options);
    expect(&found, "certificate", "fail", "");
    assert_eq!(code, 1);
}
