//! The Alibaba door over sockets: the vendor's documented examples, and what a back office and its devices do around them.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use otaru_northbound::wire::percent::{Text, encode, parse_pairs};
use otaru_northbound::wire::rpc_v1::{self, SignatureMethod};
use otaru_northbound::wire::time::TimeFormat;
use serde_json::Value;

use super::golden::{self, Known};
use super::http::{Answer, Request, read_answer};
use super::server::{ACCESS_KEY_ID, ACCESS_KEY_SECRET, Server};

const BOUNDARY: &str = "----form-of-a-firmware";

#[test]
fn the_documented_examples_are_answered_as_documented() {
    let server = Server::start();
    let mut known = Known::new();
    let send = |request: &Request| server.send(request);
    let check = |known: &mut Known, case: &str| golden::check(&format!("aliyun/{case}"), known, sign, send);

    check(&mut known, "create-product");
    check(&mut known, "query-product");
    for module in ["module1234", "WifiConfigModify"] {
        known.insert("Module".to_owned(), module.to_owned());
        check(&mut known, "create-module");
    }
    check(&mut known, "list-modules-json");
    check(&mut known, "list-modules-xml");
    check(&mut known, "generate-upload-url");

    known.insert("FirmwareUrl".to_owned(), upload(&server, &image()));
    check(&mut known, "create-firmware");
    // Nothing has happened to the package since.
    known.insert("UtcModified".to_owned(), known["UtcCreate"].clone());
    check(&mut known, "list-firmware-json");
    check(&mut known, "list-firmware-xml");
    check(&mut known, "list-firmware-empty");
    check(&mut known, "delete-firmware");
    check(&mut known, "query-firmware-unknown-json");
    check(&mut known, "query-firmware-unknown-xml");

    known.insert("FirmwareUrl".to_owned(), upload(&server, &image()));
    check(&mut known, "create-firmware-xml");
    check(&mut known, "query-firmware-json");
    check(&mut known, "query-firmware-xml");

    known.insert("FirmwareUrl".to_owned(), upload(&server, &image()));
    check(&mut known, "create-firmware-files");
    check(&mut known, "query-firmware-files-json");
    check(&mut known, "query-firmware-files-xml");
}

#[test]
fn refusals_have_their_documented_forms() {
    let server = Server::start();
    let mut known = Known::new();
    let send = |request: &Request| server.send(request);
    for case in [
        "list-firmware-page-too-large",
        "list-firmware-no-page-size-json",
        "list-firmware-no-page-size-xml",
        "unknown-action",
    ] {
        golden::check(&format!("aliyun/{case}"), &mut known, sign, send);
    }
    golden::check("aliyun/wrong-secret", &mut known, |request| sign_with(request, "wrong"), send);
}

#[test]
fn what_was_uploaded_is_what_devices_download() {
    let server = Server::start();
    let id = firmware(&server, "meter", &image());
    let server = server.restart();
    let info = call(&server, "QueryOTAFirmware", &[("FirmwareId", &id)]);
    let url = info["FirmwareInfo"]["FirmwareUrl"].as_str().unwrap();
    // The restarted server listens elsewhere, so only the path is of interest.
    let path = &url[url.find("/ota/").unwrap()..];
    let whole = server.send(&Request::new("GET", path)).expect(200);
    assert_eq!(whole.text(), image());
    let part = server.send(&Request::new("GET", path).header("Range", "bytes=900-")).expect(206);
    assert_eq!(part.text(), image()[900..]);
    server.send(&Request::new("GET", &path.replace("Signature=", "Signature=A"))).expect(403);
}

#[test]
fn a_change_happens_once_also_after_a_restart() {
    let server = Server::start();
    let mut request = Request::new("GET", "/?Action=CreateProduct&Format=JSON&ProductName=once&NodeType=0");
    sign(&mut request);
    server.send(&request).expect(200);
    let server = server.restart();
    let again = server.send(&request).expect(400);
    assert_eq!(again.json()["Code"], "SignatureNonceUsed");
}

#[test]
fn an_upload_that_breaks_off_leaves_nothing() {
    let server = Server::start();
    let data = call(&server, "GenerateOTAUploadURL", &[])["Data"].clone();
    let whole = form(&data, &"x".repeat(200_000));
    let head = format!(
        "POST /oss HTTP/1.1\r\nHost: {}\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {}\r\n\r\n",
        server.http,
        whole.len()
    );
    let mut stream = TcpStream::connect(server.http).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&whole.as_bytes()[..150_000]).unwrap();
    drop(stream);

    let product = product(&server, "meter");
    let url = data["FirmwareUrl"].as_str().unwrap();
    let new = [("FirmwareName", "n"), ("DestVersion", "1"), ("ProductKey", &*product), ("FirmwareUrl", url)];
    assert_eq!(call(&server, "CreateOTAFirmware", &new)["Code"], "iot.ota.FileNotFound");
    // The form is still good within its minute.
    post_form(&server, &data, &image()).expect(204);
    assert_eq!(call(&server, "CreateOTAFirmware", &new)["Success"], true);
}

#[test]
fn a_file_over_the_configured_limit_is_refused() {
    let server = Server::with(&["--aliyun-package-limit-bytes", "1000"]);
    let data = call(&server, "GenerateOTAUploadURL", &[])["Data"].clone();
    let refused = post_form(&server, &data, &"x".repeat(1001)).expect(400);
    assert!(refused.text().contains("<Code>EntityTooLarge</Code>"), "{}", refused.text());
    post_form(&server, &data, &"x".repeat(1000)).expect(204);
}

/// Far more than sockets buffer, so that a server which stopped reading would reset the connection under the client.
#[test]
fn a_client_that_sends_its_whole_form_first_reads_why_it_was_refused() {
    let server = Server::with(&["--aliyun-package-limit-bytes", "40000000"]);
    let data = call(&server, "GenerateOTAUploadURL", &[])["Data"].clone();
    let long = "x".repeat(30_000_000);
    let mut wrong_signature = data.clone();
    wrong_signature["Signature"] = "AAAAAAAAAAAAAAAAAAAAAAAAAAA=".into();
    let no_file = form(&data, &long).replace("name=\"file\"", "name=\"fyle\"");
    let too_long = form(&data, &"x".repeat(42_000_000));
    for (form, code) in [
        (form(&wrong_signature, &long), "SignatureDoesNotMatch"),
        (no_file, "MalformedPOSTRequest"),
        (too_long, "EntityTooLarge"),
        ("no form at all".repeat(2_000_000), "MalformedPOSTRequest"),
    ] {
        let mut stream = TcpStream::connect(server.http).unwrap();
        let head = format!(
            "POST /oss HTTP/1.1\r\nHost: {}\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n\
             Content-Length: {}\r\n\r\n",
            server.http,
            form.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(form.as_bytes()).unwrap_or_else(|error| panic!("{code}: the form was not taken: {error}"));
        let answer = read_answer(&mut BufReader::new(stream), false);
        assert!(answer.text().contains(&format!("<Code>{code}</Code>")), "{code}: {}", answer.text());
    }
    // The form is still good for the file that it was made for.
    post_form(&server, &data, &image()).expect(204);
}

/// A package made here and renamed by our own API keeps its name to itself.
#[test]
fn a_name_is_one_packages_whoever_gives_it() {
    let server = Server::start();
    firmware(&server, "meter-fw", &image());
    let id = firmware(&server, "lamp-fw", &image());
    let packages = native(&server, Request::new("GET", "/api/v1/packages")).expect(200).json();
    let found = packages["items"].as_array().unwrap().iter().find(|package| package["name"] == "lamp-fw").unwrap();
    let rename = |name: &str| {
        let path = format!("/api/v1/packages/{}", found["id"].as_str().unwrap());
        native(&server, Request::new("PATCH", &path).json(&serde_json::json!({ "name": name })))
    };
    let taken = rename("meter-fw").expect(409).json();
    assert_eq!((&taken["type"], &taken["field"]), (&"urn:otaru:problem:exists".into(), &"name".into()));
    assert!(taken["detail"].as_str().unwrap().contains("meter-fw"), "{taken}");
    rename("gauge-fw").expect(200);
    assert_eq!(call(&server, "QueryOTAFirmware", &[("FirmwareId", &id)])["FirmwareInfo"]["FirmwareName"], "gauge-fw");

    let create = |name: &str| {
        let (product, url) = (product(&server, &format!("of {name}")), upload(&server, &image()));
        let new = [("FirmwareName", name), ("DestVersion", "1"), ("ProductKey", &*product), ("FirmwareUrl", &*url)];
        call(&server, "CreateOTAFirmware", &new)
    };
    assert_eq!(create("gauge-fw")["Code"], "iot.ota.FirmwareNameExisted");
    assert_eq!(create("lamp-fw")["Success"], true, "the old name is free");
}

fn native(server: &Server, request: Request) -> Answer {
    let pair = STANDARD.encode(format!("{ACCESS_KEY_ID}:{ACCESS_KEY_SECRET}"));
    server.send(&request.header("Authorization", format!("Basic {pair}")))
}

#[test]
fn the_root_is_shared_with_people() {
    let server = Server::start();
    let page = server.send(&Request::new("GET", "/")).expect(200);
    assert!(!page.text().contains("<Error>"));
    let call = server.send(&Request::new("GET", "/?Action=ListOTAFirmware")).expect(400);
    assert!(call.text().contains("<Code>MissingVersion</Code>"), "{}", call.text());
    let post = server.send(&Request::new("POST", "/")).expect(400);
    assert!(post.text().contains("<Code>MissingAction</Code>"), "{}", post.text());
}

#[test]
fn configured_quotas_hold_over_sockets() {
    let server = Server::with(&["--aliyun-qps", "QueryProduct=1", "--aliyun-business-failure-status", "400"]);
    let query = || {
        let mut request = Request::new("GET", "/?Action=QueryProduct&Format=JSON&ProductKey=a1000000000");
        sign(&mut request);
        server.send(&request).expect(400)
    };
    assert_eq!(query().json()["Code"], "iot.prod.NotExistedProduct");
    // Even a slow machine asks five times in a second.
    let denied = (0..5).map(|_| query()).find(|answer| answer.json()["Code"] == "Throttling.User").expect("a denial");
    let wait_ms: u64 = denied.find("x-acs-retry-after").unwrap().parse().unwrap();
    assert!((1..=1000).contains(&wait_ms));
}

/// 924 bytes, as many as in the documents' examples.
fn image() -> String {
    let text: String = (0..400).map(|number| format!("{number:03x}")).collect();
    text[..924].to_owned()
}

fn product(server: &Server, name: &str) -> String {
    let made = call(server, "CreateProduct", &[("ProductName", &format!("product {name}")), ("NodeType", "0")]);
    made["ProductKey"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

fn firmware(server: &Server, name: &str, bytes: &str) -> String {
    let (product, url) = (product(server, name), upload(server, bytes));
    let new = [("FirmwareName", name), ("DestVersion", "1"), ("ProductKey", &*product), ("FirmwareUrl", &*url)];
    let made = call(server, "CreateOTAFirmware", &new);
    made["Data"]["FirmwareId"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

/// Uploads a file by form and answers with its FirmwareUrl.
fn upload(server: &Server, bytes: &str) -> String {
    let data = call(server, "GenerateOTAUploadURL", &[])["Data"].clone();
    post_form(server, &data, bytes).expect(204);
    data["FirmwareUrl"].as_str().unwrap().to_owned()
}

fn form(data: &Value, bytes: &str) -> String {
    let names =
        [("key", "Key"), ("OSSAccessKeyId", "OSSAccessKeyId"), ("policy", "Policy"), ("Signature", "Signature")];
    let part =
        |head: &str, value: &str| format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n");
    let fields: String = names
        .iter()
        .map(|(field, member)| part(&format!("name=\"{field}\""), data[member].as_str().unwrap()))
        .collect();
    format!("{fields}{}--{BOUNDARY}--\r\n", part("name=\"file\"; filename=\"a.bin\"", bytes))
}

fn post_form(server: &Server, data: &Value, bytes: &str) -> Answer {
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    server.send(&Request::new("POST", "/oss").header("Content-Type", content_type).body(form(data, bytes)))
}

/// A call in JSON.
fn call(server: &Server, action: &str, parameters: &[(&str, &str)]) -> Value {
    let own: String = parameters.iter().map(|(name, value)| format!("&{name}={}", encode(value))).collect();
    let mut request = Request::new("GET", &format!("/?Action={action}&Format=JSON{own}"));
    sign(&mut request);
    server.send(&request).expect(200).json()
}

fn sign(request: &mut Request) {
    sign_with(request, ACCESS_KEY_SECRET);
}

/// Adds the common parameters to the query, and the signature over them and those of the body.
fn sign_with(request: &mut Request, secret: &str) {
    static NONCE: AtomicU32 = AtomicU32::new(0);
    let now_ms = std::time::UNIX_EPOCH.elapsed().expect("a time after 1970").as_millis();
    let now_ms = i64::try_from(now_ms).expect("a time before the year 292277026");
    let nonce = format!("{now_ms}-{}", NONCE.fetch_add(1, Ordering::Relaxed));
    let common = [
        ("Version", "2018-01-20"),
        ("AccessKeyId", ACCESS_KEY_ID),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureVersion", "1.0"),
        ("SignatureNonce", &nonce),
        ("Timestamp", &TimeFormat::Seconds.format(now_ms)),
    ];
    let add = |target: &mut String, name: &str, value: &str| {
        target.push(if target.contains('?') { '&' } else { '?' });
        target.push_str(&format!("{name}={}", encode(value)));
    };
    for (name, value) in common {
        add(&mut request.target, name, value);
    }
    let query = request.target.split_once('?').map_or("", |(_, query)| query);
    let read = |raw: &[u8]| parse_pairs(raw, Text::Strict).expect("text");
    let mut parameters = read(query.as_bytes());
    parameters.extend(read(&request.body));
    let text = rpc_v1::string_to_sign(&request.method, &parameters);
    let signature = rpc_v1::sign(SignatureMethod::HmacSha1, &text, secret);
    add(&mut request.target, "Signature", &signature);
}
