//! What everything begins with: requests as real clients send them, and a place in which they find what they ask for.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::request::{DOOR, Request, SIGN};

/// The project id of the recorded requests; the server's own takes its place.
const RECORDED_PROJECT: &str = "0123456789abcdef0123456789abcdef";
pub const BUCKET: &str = "ota-packages";

/// What the corpus has to know of the server that it is for.
#[derive(Clone, Debug, Default)]
pub struct Place {
    pub project: String,
    /// The first tenant's name.
    pub tenant: String,
    /// The key that a form may upload to.
    pub form_key: String,
    /// Path and query of a download link.
    pub link: String,
    /// A package's id in our own API.
    pub package: String,
    /// An upload's id that is open, and that of a multipart upload.
    pub upload: String,
    pub multipart: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn vectors(name: &str) -> Value {
    let path = root().join("crates/northbound/tests/vectors").join(name);
    let read = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
    read.unwrap_or(Value::Null)
}

fn marked(request: Request, door: &str, sign: &str) -> Request {
    let (door_name, sign_name) =
        (String::from_utf8_lossy(DOOR).into_owned(), String::from_utf8_lossy(SIGN).into_owned());
    let host = if door == "objects" { "127.0.0.1:9000" } else { "127.0.0.1:8080" };
    let mut request = request.header(&door_name, door).header(&sign_name, sign);
    request.set("Host", host);
    request
}

fn own(method: &str, path: &str, body: &str) -> Request {
    let request = Request::new(method, &format!("/api/v1{path}"));
    let request = if body.is_empty() { request } else { request.header("Content-Type", "application/json").body(body) };
    marked(request, "http", "basic")
}

fn bucket(method: &str, rest: &str, sign: &str) -> Request {
    marked(Request::new(method, &format!("/{BUCKET}{rest}")), "objects", sign)
}

/// What is made first, so that the recorded requests find their products, spaces and buckets.
pub fn preparations() -> Vec<Request> {
    let mut all = vec![
        own("POST", "/spaces", r#"{"code":"61f7e74d036aca5be29e1ed4","name":"recorded"}"#),
        bucket("PUT", "", "aws2"),
        bucket("PUT", "/bbb/upgrade.bin", "aws2").body("a lamp's firmware"),
        bucket("PUT", "/upgrade.bin", "aws2").body("another firmware"),
    ];
    for code in ["5ba24f5ebbe8f56f5a14f605", "a19mzPZ0000", "a1uctKe0000", "p", "LAMP"] {
        all.push(own("POST", "/products", &format!(r#"{{"name":"lamp {code}","code":"{code}"}}"#)));
    }
    all
}

/// Every request of the corpus, marked with its door and with how it is signed.
pub fn requests(place: &Place) -> Vec<Request> {
    let mut all = recorded_iotda(place);
    all.extend(golden_iotda(place));
    all.extend(recorded_rpc());
    all.extend(northbound(place));
    all.extend(recorded_objects());
    all.extend(objects(place));
    all.extend(ours(place));
    all.extend(forms(place));
    all
}

fn headers_of(capture: &Value, without: &[&str]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pairs = capture["headers"].as_array().into_iter().flatten().map(|pair| (text(&pair[0]), text(&pair[1])));
    let kept = pairs.filter(|(name, _)| !without.iter().any(|unwanted| unwanted.eq_ignore_ascii_case(name)));
    kept.map(|(name, value)| (name.into_bytes(), value.into_bytes())).collect()
}

const NOT_KEPT: [&str; 5] = ["authorization", "content-length", "connection", "x-sdk-date", "accept-encoding"];

fn recorded_iotda(place: &Place) -> Vec<Request> {
    let captures = vectors("huawei-captures.json");
    let captures = captures["captures"].as_array().cloned().unwrap_or_default();
    let request = |(at, capture): (usize, &Value)| {
        let text = |name: &str| capture[name].as_str().unwrap_or_default().replace(RECORDED_PROJECT, &place.project);
        let mut request = Request::new(&text("method"), &text("raw_target")).body(text("body"));
        request.headers = headers_of(capture, &NOT_KEPT);
        request.remove("x-project-id");
        marked(request, "http", ["sdk", "v11", "iam"][at % 3])
    };
    captures.iter().enumerate().map(request).collect()
}

fn golden_iotda(place: &Place) -> Vec<Request> {
    let mut cases: Vec<_> =
        std::fs::read_dir(root().join("tests/golden/iotda")).into_iter().flatten().flatten().collect();
    cases.sort_by_key(std::fs::DirEntry::path);
    let texts = cases.iter().filter_map(|case| std::fs::read_to_string(case.path().join("request")).ok());
    let request = |text: String| {
        let text = text.replace("{{project_id}}", &place.project).replace("{{", "").replace("}}", "");
        let mut lines = text.lines();
        let (method, target) = lines.next().unwrap_or_default().split_once(' ').unwrap_or_default();
        let mut request = Request::new(method, target);
        for (name, value) in lines.by_ref().map_while(|line| line.split_once(": ")) {
            request = request.header(name, value);
        }
        let body: Vec<&str> = lines.collect();
        marked(request.body(body.join("\n")), "http", "sdk")
    };
    let mut all: Vec<Request> = texts.map(request).collect();
    let sign_in = |identity: &str, methods: &str| {
        let scope = format!(r#""scope":{{"project":{{"name":"{}"}}}}"#, place.project);
        let body = format!(r#"{{"auth":{{"identity":{{"methods":["{methods}"],{identity}}},{scope}}}}}"#);
        let request = Request::new("POST", "/v3/auth/tokens").header("Content-Type", "application/json").body(body);
        marked(request, "http", "login")
    };
    let domain = &place.tenant;
    all.push(sign_in(
        &format!(r#""password":{{"user":{{"name":"{{id}}","password":"{{secret}}","domain":{{"name":"{domain}"}}}}}}"#),
        "password",
    ));
    all.push(sign_in(r#""hw_ak_sk":{"access":{"key":"{id}"},"secret":{"key":"{secret}"}}"#, "hw_ak_sk"));
    all.push(marked(Request::new("GET", "/v3/projects?name=cn-north-4"), "http", "iam"));
    all
}

fn recorded_rpc() -> Vec<Request> {
    let captures = vectors("aliyun-captures.json");
    let captures = captures["captures"].as_array().cloned().unwrap_or_default();
    let unwanted = [&NOT_KEPT[..], &["x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"]].concat();
    let request = |capture: &Value| {
        let text = |name: &str| capture[name].as_str().unwrap_or_default();
        let mut request = Request::new(text("method"), &format!("/?{}", text("query"))).body(text("body"));
        request.headers = headers_of(capture, &unwanted);
        for name in ["x-acs-accesskey-id", "x-acs-security-token"] {
            request.remove(name);
        }
        let is_rpc = text("query").contains("Action=") || text("body").contains("Action=");
        marked(request, "http", if is_rpc { "rpc" } else { "acs3" })
    };
    captures.iter().map(request).collect()
}

fn northbound(place: &Place) -> Vec<Request> {
    let category = "/iodm/northbound/v1.5.0/category";
    let sec = "/iocm/app/sec/v1.1.0";
    let post = |path: &str, kind: &str, body: &str, sign: &str| {
        let request = Request::new("POST", &format!("{sec}/{path}")).header("Content-Type", kind).body(body);
        marked(request, "http", sign)
    };
    vec![
        post("login", "application/x-www-form-urlencoded", "appId={id}&secret={secret}", "login"),
        post(
            "refreshToken",
            "application/json",
            r#"{"appId":"{id}","secret":"{secret}","refreshToken":"abc"}"#,
            "login",
        ),
        post("logout", "application/json", r#"{"accessToken":"abc"}"#, "login"),
        marked(
            Request::new("GET", &format!("{category}?fileType=firmwarePackage&pageNo=0&pageSize=100")),
            "http",
            "bearer",
        ),
        marked(
            Request::new("GET", &format!("{category}?deviceType=a&model=b&manufacturerName=c&version=V1")),
            "http",
            "bearer",
        ),
        marked(Request::new("GET", &format!("{category}/{}", place.package)), "http", "bearer"),
        marked(Request::new("DELETE", &format!("{category}/64a3c2d8fb6fc0015c1d2e3f")), "http", "bearer"),
    ]
}

fn recorded_objects() -> Vec<Request> {
    let captures = vectors("obs-captures.json");
    let captures = captures["captures"].as_array().cloned().unwrap_or_default();
    let mut all = Vec::new();
    for (at, capture) in captures.iter().enumerate() {
        let text = |name: &str| capture[name].as_str().unwrap_or_default();
        if text("raw_target").contains("Signature=") {
            continue;
        }
        let target = match text("virtual_bucket") {
            "" => text("raw_target").to_owned(),
            bucket => format!("/{bucket}{}", text("raw_target")),
        };
        let mut request = Request::new(text("method"), &target);
        request.headers = headers_of(capture, &[&NOT_KEPT[..], &["date"]].concat());
        // A bucket that is emptied and removed would leave the others nothing to ask for.
        if request.method == b"DELETE" && !target.contains(".bin") {
            continue;
        }
        all.push(marked(request, "objects", ["obs", "aws2", "aws4"][at % 3]));
    }
    all
}

fn objects(place: &Place) -> Vec<Request> {
    let multipart = &place.multipart;
    let complete = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"abc\"</ETag></Part></CompleteMultipartUpload>";
    let delete =
        "<Delete><Quiet>false</Quiet><Object><Key>a&amp;b</Key></Object><Object><Key>c</Key></Object></Delete>";
    let mut all = vec![
        marked(Request::new("GET", "/"), "objects", "aws4"),
        bucket("GET", "?list-type=2&prefix=b&delimiter=%2F&max-keys=3&encoding-type=url&start-after=a", "aws4"),
        bucket("GET", "?prefix=%3C%26%22&marker=a%00b&delimiter=%5D%5D%3E&max-keys=1", "aws4"),
        bucket("GET", "?uploads&prefix=m&key-marker=a&upload-id-marker=b&max-uploads=2", "aws4"),
        bucket("GET", "?location", "aws4"),
        bucket("HEAD", "", "aws4"),
        bucket("PUT", "/a%20b/%E4%B8%AD.bin", "aws4").header("x-amz-meta-a", "b").body("some bytes"),
        bucket("PUT", "/open.bin", "aws4-open").header("x-amz-checksum-crc32", "AAAAAA==").body("some bytes"),
        bucket("GET", "/bbb/upgrade.bin", "aws4").header("Range", "bytes=1-3,5-"),
        bucket("GET", "/bbb/upgrade.bin?response-content-type=a%2Fb&partNumber=1", "aws4").header("If-None-Match", "\"a\", W/\"b\""),
        bucket("HEAD", "/upgrade.bin", "aws2").header("If-Modified-Since", "Sat, 21 Nov 2026 15:45:49 GMT"),
        bucket("PUT", "/copied.bin", "aws4").header("x-amz-copy-source", "/ota-packages/upgrade.bin"),
        bucket("POST", "/m.bin?uploads", "aws4"),
        bucket("PUT", &format!("/m.bin?partNumber=1&uploadId={multipart}"), "aws4").body("a part"),
        bucket("PUT", &format!("/m.bin?partNumber=2&uploadId={multipart}"), "aws4")
            .header("x-amz-copy-source", "/ota-packages/upgrade.bin")
            .header("x-amz-copy-source-range", "bytes=0-3"),
        bucket("GET", &format!("/m.bin?uploadId={multipart}&max-parts=2&part-number-marker=0"), "aws4"),
        bucket("POST", &format!("/m.bin?uploadId={multipart}"), "aws4").body(complete),
        bucket("POST", "?delete", "aws4").header("Content-MD5", "").body(delete),
        bucket("POST", "?delete", "obs").header("Content-MD5", "").body(delete),
        marked(Request::new("PUT", "/another-bucket"), "objects", "aws4").body(
            "<CreateBucketConfiguration><LocationConstraint>cn-north-4</LocationConstraint></CreateBucketConfiguration>",
        ),
        marked(Request::new("GET", "/?apiversion"), "objects", "none"),
    ];
    let chunks = "5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n";
    let framed = bucket("PUT", "/chunks.bin", "aws4-trailer").header("Content-Encoding", "aws-chunked");
    let framed = framed.header("x-amz-decoded-content-length", "11").header("x-amz-trailer", "x-amz-checksum-crc32");
    all.push(framed.body(chunks));
    all
}

fn ours(place: &Place) -> Vec<Request> {
    let Place { package, upload, link, .. } = place;
    let raw = |method: &str, target: &str, body: &str| marked(Request::new(method, target).body(body), "http", "basic");
    let tus = |request: Request| request.header("Tus-Resumable", "1.0.0");
    let import = r#"{"product":"LAMP","version":"7.1","files":[{"url":"https://127.0.0.1:1/a.bin","sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}]}"#;
    let lines = format!("{import}\n{{\"product\":\"LAMP\",\"version\":\"7.2\"}}\n\nnull\n");
    vec![
        own("GET", "/server", ""),
        own("GET", "/openapi.json", ""),
        own("GET", "/tenant", ""),
        own("GET", "/tenants?limit=2", ""),
        own("POST", "/tokens", r#"{"lifetime_s":60}"#),
        own("GET", "/keys?limit=3", ""),
        own("POST", "/keys", r#"{"role":"viewer","note":"a \u4e2d note"}"#),
        own("GET", "/keys/nobody", ""),
        own("PATCH", "/keys/nobody", r#"{"note":"b"}"#),
        own("POST", "/temporary_keys", r#"{"lifetime_s":900}"#),
        own("GET", "/spaces", ""),
        own("POST", "/spaces", r#"{"code":"room","name":"room"}"#),
        own("PATCH", "/spaces/room", r#"{"name":"another"}"#),
        own("DELETE", "/spaces/room", ""),
        own("GET", "/products?name=lamp&limit=1", ""),
        own("POST", "/products", r#"{"name":"pump","code":"PUMP","space":"room","description":"x"}"#),
        own("PATCH", "/products/LAMP", r#"{"description":null}"#),
        own("DELETE", "/products/PUMP", ""),
        own("GET", "/products/LAMP/modules", ""),
        own("POST", "/products/LAMP/modules", r#"{"name":"bms","alias":"battery","description":"x"}"#),
        own("PATCH", "/products/LAMP/modules/bms", r#"{"alias":"y"}"#),
        own("GET", "/packages?product=LAMP&module_kind=firmware&version=1&limit=2&cursor=AAAA", ""),
        own(
            "POST",
            "/packages",
            &format!(
                r#"{{"product":"LAMP","version":"1.{upload}","files":[{{"upload":"{upload}"}}],"source_versions":["1"]}}"#
            ),
        ),
        own(
            "POST",
            "/packages",
            r#"{"product":"LAMP","version":"2","files":[{"object":{"bucket":"ota-packages","key":"upgrade.bin"}}]}"#,
        ),
        own("GET", &format!("/packages/{package}"), ""),
        own("PATCH", &format!("/packages/{package}"), r#"{"description":"new"}"#),
        own("POST", &format!("/packages/{package}/verify"), ""),
        own("POST", &format!("/packages/{package}/link"), r#"{"lifetime_s":60}"#),
        raw("POST", "/api/v1/packages/import", &lines).header("Content-Type", "application/x-ndjson"),
        raw(
            "POST",
            "/api/v1/packages/push?product=LAMP&version=3&file_name=a%20b.bin&module=bms",
            "bytes of a package",
        )
        .header("Content-Digest", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"),
        raw("POST", "/api/v1/uploads?file_name=b.bin", "bytes of a file"),
        tus(raw("POST", "/api/v1/uploads", ""))
            .header("Upload-Length", "5")
            .header("Upload-Metadata", "filename YS5iaW4="),
        tus(raw("HEAD", &format!("/api/v1/uploads/{upload}"), "")),
        tus(raw("PATCH", &format!("/api/v1/uploads/{upload}"), "abc"))
            .header("Upload-Offset", "0")
            .header("Content-Type", "application/offset+octet-stream")
            .header("Upload-Checksum", "sha1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0="),
        tus(raw("POST", &format!("/api/v1/uploads/{upload}"), "")).header("X-HTTP-Method-Override", "HEAD"),
        marked(Request::new("GET", link).header("Range", "bytes=0-3,-2").header("If-Range", "\"x\""), "http", "none"),
        marked(Request::new("HEAD", link).header("If-Match", "*"), "http", "none"),
        marked(Request::new("GET", "/healthz").header("X-Forwarded-For", "203.0.113.9, [::1]:80"), "http", "none"),
        marked(Request::new("GET", "/readyz"), "http", "none"),
    ]
}

fn forms(place: &Place) -> Vec<Request> {
    let key = &place.form_key;
    let policy = format!(
        r#"{{policy}}{{"expiration":"2036-01-02T03:04:05.000Z","conditions":[["content-length-range",0,1048576],["eq","$key","{key}"]]}}{{/policy}}"#
    );
    let mut body = String::new();
    for (name, value) in [
        ("key", key.as_str()),
        ("OSSAccessKeyId", "{id}"),
        ("policy", &policy),
        ("Signature", "{signature}"),
        ("success_action_status", "201"),
    ] {
        body.push_str(&format!(
            "--7d33a816d302b6\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        ));
    }
    body.push_str("--7d33a816d302b6\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\nContent-Type: application/octet-stream\r\n\r\nbytes of a file\r\n--7d33a816d302b6--\r\n");
    let form =
        Request::new("POST", "/oss").header("Content-Type", "multipart/form-data; boundary=7d33a816d302b6").body(body);
    vec![marked(form, "http", "form")]
}
