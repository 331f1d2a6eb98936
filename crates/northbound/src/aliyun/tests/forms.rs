//! Form uploads: what a client may send, and what is left of what it may not.

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use axum::http::{Method, Request};
use futures::stream;
use serde_json::Value;

use super::super::policy::Policy;
use super::*;
use crate::wire::oss_v1;

const BOUNDARY: &str = "----7d33a816d302b6";

/// A form, its fields in the order in which they are written.
pub struct Form {
    parts: Vec<(String, String)>,
    length: Option<u64>,
}

impl Form {
    pub fn new() -> Form {
        Form { parts: Vec::new(), length: None }
    }

    /// The fields that GenerateOTAUploadURL gives, without a file.
    pub fn of(data: &Value) -> Form {
        let names =
            [("key", "Key"), ("OSSAccessKeyId", "OSSAccessKeyId"), ("policy", "Policy"), ("Signature", "Signature")];
        names.into_iter().fold(Form::new(), |form, (field, member)| form.field(field, data[member].as_str().unwrap()))
    }

    pub fn field(mut self, name: &str, value: &str) -> Form {
        self.parts.push((format!("name=\"{name}\""), value.to_owned()));
        self
    }

    /// The form with another value in a field, or without it.
    fn but(mut self, name: &str, value: Option<&str>) -> Form {
        let disposition = format!("name=\"{name}\"");
        assert!(self.parts.iter().any(|(part, _)| *part == disposition), "{name}");
        match value {
            Some(value) => self
                .parts
                .iter_mut()
                .filter(|(part, _)| *part == disposition)
                .for_each(|part| part.1 = value.to_owned()),
            None => self.parts.retain(|(part, _)| *part != disposition),
        }
        self
    }

    pub fn file(mut self, bytes: &[u8]) -> Form {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        self.parts
            .push(("name=\"file\"; filename=\"a.bin\"\r\nContent-Type: application/octet-stream".to_owned(), text));
        self
    }

    fn bytes(&self) -> String {
        let part = |(head, value): &(String, String)| {
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n")
        };
        let parts: String = self.parts.iter().map(part).collect();
        format!("{parts}--{BOUNDARY}--\r\n")
    }

    pub fn request(&self) -> Request<Body> {
        self.with_body(Body::from(self.bytes()))
    }

    fn with_body(&self, body: Body) -> Request<Body> {
        let request = Request::post("/oss").header(CONTENT_TYPE, format!("multipart/form-data; boundary={BOUNDARY}"));
        let request = request.header("host", "ota.example.org");
        let request = self.length.iter().fold(request, |request, length| request.header(CONTENT_LENGTH, *length));
        request.body(body).unwrap()
    }
}

async fn generate(bench: &Bench) -> Value {
    bench.call("GenerateOTAUploadURL", &[]).await.success()["Data"].clone()
}

/// Status and code of a refusal, whose form is checked along the way.
#[track_caller]
fn refusal(answer: &Answer) -> (u16, String) {
    assert_eq!(answer.header("content-type"), "application/xml");
    let id = answer.header("x-oss-request-id");
    let between =
        |open: &str, close: &str| answer.text.split_once(open).unwrap().1.split_once(close).unwrap().0.to_owned();
    assert_eq!(between("<RequestId>", "</RequestId>"), id);
    assert_eq!(between("<HostId>", "</HostId>"), "ota.example.org");
    assert!(!between("<Message>", "</Message>").is_empty());
    assert!(answer.text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>"));
    (answer.status.as_u16(), between("<Code>", "</Code>"))
}

/// How many bytes of files lie in the blob room, finished or half-written.
fn stored_bytes(bench: &Bench) -> u64 {
    fn sum(folder: &std::path::Path) -> u64 {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        entries
            .map(|entry| if entry.path().is_dir() { sum(&entry.path()) } else { entry.metadata().unwrap().len() })
            .sum()
    }
    sum(&bench.folder.path().join("blobs"))
}

async fn assert_not_usable(bench: &Bench, data: &Value) {
    let parameters = [
        ("FirmwareName", "n"),
        ("DestVersion", "1"),
        ("ProductKey", &*bench.product("product of a form").await),
        ("FirmwareUrl", data["FirmwareUrl"].as_str().unwrap()),
    ];
    assert_eq!(bench.call("CreateOTAFirmware", &parameters).await.business(), "iot.ota.FileNotFound");
}

#[tokio::test]
async fn the_answer_says_where_how_and_until_when() {
    let bench = Bench::new().await;
    let data = bench.call("GenerateOTAUploadURL", &[("FileSuffix", "tar.gz")]).await.success()["Data"].clone();
    let members: Vec<&str> = data.as_object().unwrap().keys().map(String::as_str).collect();
    let expected =
        ["Key", "OSSAccessKeyId", "Signature", "Host", "Policy", "ObjectStorage", "FirmwareUrl", "UtcCreate"];
    assert_eq!(members, expected);
    let key = data["Key"].as_str().unwrap();
    let [folder, random, name] = key.split('/').collect::<Vec<_>>()[..] else { panic!("{key}") };
    let stem = name.strip_suffix(".tar.gz").unwrap();
    assert_eq!((folder, random.len(), stem.len()), ("ota", 32, 32));
    assert!(random == random.to_lowercase() && stem == stem.to_uppercase());
    assert_eq!(data["Host"], "http://127.0.0.1:8080/oss");
    assert_eq!(data["FirmwareUrl"], format!("http://127.0.0.1:8080/oss/{key}"));
    assert_eq!(data["ObjectStorage"], "OSS");
    assert_eq!(data["UtcCreate"], "2026-11-21T09:24:14.000Z");
    let policy = Policy::read(data["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(policy, Policy { expires_ms: START_MS + 60_000, key: key.to_owned(), max_bytes: 1_048_576_000 });
    // No client ever has the secret of the form's key.
    assert_ne!(data["OSSAccessKeyId"], KEY_ID);
    assert!(!oss_v1::verify_post(SECRET, data["Policy"].as_str().unwrap(), data["Signature"].as_str().unwrap()));
}

#[tokio::test]
async fn the_client_chooses_how_success_looks() {
    let bench = Bench::new().await;
    for (wish, status) in [(None, 204), (Some("200"), 200), (Some("201"), 201), (Some("204"), 204), (Some("302"), 204)]
    {
        let data = generate(&bench).await;
        let mut form = Form::of(&data).field("x-oss-meta-a", "b").field("Content-Type", "x");
        if let Some(wish) = wish {
            form = form.field("success_action_status", wish);
        }
        let answer = bench.send(form.file(b"abc").request()).await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
        assert_eq!(answer.header(ETAG.as_str()), "\"900150983CD24FB0D6963F7D28E17F72\"");
        let key = data["Key"].as_str().unwrap();
        let expected = match status {
            201 => format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><PostResponse><Bucket>oss</Bucket>\
                 <Location>http://127.0.0.1:8080/oss/{key}</Location><Key>{key}</Key>\
                 <ETag>\"900150983CD24FB0D6963F7D28E17F72\"</ETag></PostResponse>"
            ),
            _ => String::new(),
        };
        assert_eq!(answer.text, expected);
    }
}

#[tokio::test]
async fn a_second_upload_within_the_minute_replaces_the_first() {
    let bench = Bench::new().await;
    let data = generate(&bench).await;
    for bytes in [b"first", b"other"] {
        assert_eq!(bench.send(Form::of(&data).file(bytes).request()).await.status, StatusCode::NO_CONTENT);
    }
    let key = bench.product("meter").await;
    let url = data["FirmwareUrl"].as_str().unwrap();
    let parameters = [("FirmwareName", "n"), ("DestVersion", "1"), ("ProductKey", &*key), ("FirmwareUrl", url)];
    let id = bench.call("CreateOTAFirmware", &parameters).await.success()["Data"]["FirmwareId"].clone();
    // The MD5 of `other`.
    assert_eq!(bench.query_firmware(id.as_str().unwrap()).await["FirmwareSign"], "795f3202b17cb6bc3d4b771d8c6c9eaf");
    // The file is the package's now; the form has nothing to write to any more.
    let late = bench.send(Form::of(&data).file(b"third").request()).await;
    assert_eq!(refusal(&late), (403, "AccessDenied".to_owned()));
}

#[tokio::test]
async fn small_variations_of_clients_are_taken() {
    let bench = Bench::new().await;
    let data = generate(&bench).await;
    let lower = Form::of(&data).but("Signature", None).field("signature", data["Signature"].as_str().unwrap());
    assert_eq!(bench.send(lower.file(b"a").request()).await.status, StatusCode::NO_CONTENT);
    // A browser's button comes after the file.
    let button = Form::of(&data).file(b"a").field("submit", "Upload");
    assert_eq!(bench.send(button.request()).await.status, StatusCode::NO_CONTENT);
    let chunks = Form::of(&data).file(b"in many small pieces").bytes();
    let chunks: Vec<Result<Bytes, std::io::Error>> =
        chunks.as_bytes().chunks(7).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    let body = Body::from_stream(stream::iter(chunks));
    assert_eq!(bench.send(Form::new().with_body(body)).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn an_upload_that_ends_early_leaves_nothing() {
    let bench = Bench::new().await;
    let empty = stored_bytes(&bench);
    let data = generate(&bench).await;
    let whole = Form::of(&data).file(&[b'x'; 5000]).bytes();
    // In the file, at its end, and just before the form is complete.
    let cuts = [whole.len() - 3000, whole.len() - BOUNDARY.len() - 8, whole.len() - 4];
    for cut in cuts {
        let answer = bench.send(Form::new().with_body(Body::from(whole[..cut].to_owned()))).await;
        assert_eq!(refusal(&answer), (400, "MalformedPOSTRequest".to_owned()), "cut at {cut}");
        let part = Ok(Bytes::from(whole[..cut].to_owned()));
        let gone = Err(std::io::Error::other("the client went away"));
        let broken = bench.send(Form::new().with_body(Body::from_stream(stream::iter([part, gone])))).await;
        assert_eq!(refusal(&broken), (400, "MalformedPOSTRequest".to_owned()), "broken at {cut}");
        assert_eq!(stored_bytes(&bench), empty, "cut at {cut}");
    }
    assert_not_usable(&bench, &data).await;
}

#[tokio::test]
async fn an_upload_that_is_too_large_leaves_nothing() {
    let bench = Bench::with(Settings { max_file_bytes: 1000, ..Settings::default() }).await;
    let empty = stored_bytes(&bench);
    let data = generate(&bench).await;
    assert_eq!(Policy::read(data["Policy"].as_str().unwrap()).unwrap().max_bytes, 1000);
    let answer = bench.send(Form::of(&data).file(&[b'x'; 1001]).request()).await;
    assert_eq!(refusal(&answer), (400, "EntityTooLarge".to_owned()));
    // One whose length says so is refused, even if nothing of it comes.
    let announced = Form { length: Some(3 << 20), ..Form::new() };
    let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    assert_eq!(refusal(&bench.send(announced.with_body(never)).await), (400, "EntityTooLarge".to_owned()));
    assert_eq!(stored_bytes(&bench), empty);
    assert_not_usable(&bench, &data).await;
    assert_eq!(bench.send(Form::of(&data).file(&[b'x'; 1000]).request()).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_form_has_its_fields_before_the_file_and_each_of_them_once() {
    let bench = Bench::new().await;
    let data = generate(&bench).await;
    let malformed = async |form: Form, what: &str| {
        let answer = bench.send(form.request()).await;
        assert_eq!(refusal(&answer), (400, "MalformedPOSTRequest".to_owned()), "{what}");
        assert!(answer.text.contains(what), "{what}: {}", answer.text);
    };
    for name in ["key", "OSSAccessKeyId", "policy", "Signature"] {
        malformed(Form::of(&data).but(name, None).file(b"a"), name).await;
        malformed(Form::of(&data).but(name, Some("")).file(b"a"), name).await;
        malformed(Form::of(&data).field(name, "again").file(b"a"), "more than once").await;
    }
    let first = Form::of(&data).parts.into_iter().fold(Form::new().file(b"a"), |mut form, part| {
        form.parts.push(part);
        form
    });
    malformed(first, "must come before").await;
    malformed(Form::of(&data), "no field file").await;
    malformed(Form::of(&data).file(b"a").field("more", &"x".repeat(70_000)), "the last one").await;
    malformed(Form::of(&data).field("more", &"x".repeat(70_000)).file(b"a"), "longer than").await;
    malformed((0..100).fold(Form::of(&data), |form, at| form.field(&format!("f{at}"), "")).file(b"a"), "more than 100")
        .await;
    let not_a_form = Request::post("/oss").header("host", "ota.example.org").header(CONTENT_TYPE, "text/plain");
    let answer = bench.send(not_a_form.body(Body::from("x")).unwrap()).await;
    assert_eq!(refusal(&answer), (400, "MalformedPOSTRequest".to_owned()));
    assert_not_usable(&bench, &data).await;
}

#[tokio::test]
async fn a_form_does_what_its_policy_says_and_nothing_else() {
    let bench = Bench::new().await;
    let (data, other) = (generate(&bench).await, generate(&bench).await);
    let refused = async |form: Form| refusal(&bench.send(form.file(b"a").request()).await);
    let denied = (403, "AccessDenied".to_owned());

    let long = Policy { expires_ms: START_MS + 1_000_000, key: data["Key"].as_str().unwrap().to_owned(), max_bytes: 9 };
    let forged = long.write();
    assert_eq!(refused(Form::of(&data).but("policy", Some(&forged))).await, (403, "SignatureDoesNotMatch".to_owned()));
    // Signed with a key that the client does have.
    let own = oss_v1::post_signature(SECRET, &forged);
    let with_own = Form::of(&data).but("policy", Some(&forged)).but("Signature", Some(&own));
    assert_eq!(refused(with_own).await, (403, "SignatureDoesNotMatch".to_owned()));
    assert_eq!(
        refused(Form::of(&data).but("OSSAccessKeyId", Some(KEY_ID))).await,
        (403, "InvalidAccessKeyId".to_owned())
    );
    assert_eq!(refused(Form::of(&data).but("policy", Some("e30="))).await, (400, "InvalidPolicyDocument".to_owned()));
    assert_eq!(refused(Form::of(&data).but("key", other["Key"].as_str())).await, denied);
    assert_eq!(refused(Form::of(&data).but("key", Some("ota/mine.bin"))).await, denied);

    bench.clock.advance(59_999);
    assert_eq!(bench.send(Form::of(&data).file(b"a").request()).await.status, StatusCode::NO_CONTENT);
    bench.clock.advance(1);
    assert_eq!(refused(Form::of(&data)).await, denied);
    assert_not_usable(&bench, &other).await;
}

#[tokio::test]
async fn a_file_has_sixty_minutes_to_become_part_of_a_package() {
    let bench = Bench::new().await;
    let key = bench.product("meter").await;
    let url = bench.upload(b"a").await;
    let parameters = |name: &'static str| {
        [("FirmwareName", name), ("DestVersion", name), ("ProductKey", &*key), ("FirmwareUrl", &*url)]
    };
    bench.clock.advance(3_600_000);
    assert_eq!(bench.call("CreateOTAFirmware", &parameters("late")).await.business(), "iot.ota.FileNotFound");
    bench.clock.advance(-1);
    bench.call("CreateOTAFirmware", &parameters("in-time")).await.success();
    assert_eq!(bench.call("CreateOTAFirmware", &parameters("again")).await.business(), "iot.ota.FileNotFound");
}

#[tokio::test]
async fn files_only_go_in_here() {
    let bench = Bench::new().await;
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let request = Request::builder().method(method).uri("/oss").header("host", "ota.example.org");
        let answer = bench.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(refusal(&answer), (405, "MethodNotAllowed".to_owned()));
    }
    let data = generate(&bench).await;
    let mut request = Form::of(&data).file(b"a").request();
    *request.uri_mut() = "/oss/".parse().unwrap();
    assert_eq!(bench.send(request).await.status, StatusCode::NO_CONTENT);
}
