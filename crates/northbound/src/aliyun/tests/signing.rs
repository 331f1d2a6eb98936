//! Who may call: both signatures, every place where parameters may stand, temporary keys, skew and replay.

use axum::body::Body;
use axum::http::Request;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use http::HeaderValue;
use http::header::AUTHORIZATION;
use otaru_model::Role;

use super::*;
use crate::wire::RequestHead;
use crate::wire::acs3::Authorization;
use crate::wire::digest::{hex_of_32, hmac_sha256, hmac_sm3, sha256, sm3};

const FORM: &str = "application/x-www-form-urlencoded";
const LIST: Parameters<'static> = &[("CurrentPage", "1"), ("PageSize", "10")];

fn hex(bytes: [u8; 32]) -> String {
    String::from_utf8(hex_of_32(&bytes).to_vec()).unwrap()
}

/// A request signed in headers.
struct Acs3<'a> {
    algorithm: &'a str,
    signer: Signer<'a>,
    action: &'a str,
    query: &'a str,
    form: &'a str,
    token: Option<&'a str>,
    /// Signed minus our time, in seconds.
    skew_s: i64,
}

const ACS3: Acs3<'static> = Acs3 {
    algorithm: "ACS3-HMAC-SHA256",
    signer: ADMIN,
    action: "ListOTAFirmware",
    query: "CurrentPage=1&PageSize=10",
    form: "",
    token: None,
    skew_s: 0,
};

impl Acs3<'_> {
    fn request(&self, bench: &Bench) -> Request<Body> {
        let is_sm3 = self.algorithm.ends_with("SM3");
        let digest = |bytes: &[u8]| if is_sm3 { hex(sm3(bytes)) } else { hex(sha256(bytes)) };
        let mut request = Request::post(format!("/?{}", self.query))
            .header("host", "ota.example.org")
            .header("x-acs-action", self.action)
            .header("x-acs-version", "2018-01-20")
            .header("x-acs-date", TimeFormat::Seconds.format(bench.clock.now_ms() + self.skew_s * 1000))
            .header("x-acs-signature-nonce", bench.nonce())
            .header("x-acs-content-sha256", digest(self.form.as_bytes()))
            .header(CONTENT_TYPE, FORM);
        let mut names =
            "content-type;host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"
                .to_owned();
        if let Some(token) = self.token {
            request = request.header("x-acs-security-token", token);
            names = names.replace("x-acs-signature", "x-acs-security-token;x-acs-signature");
        }
        let mut request = request.body(Body::from(self.form.to_owned())).unwrap();
        let draft = format!("{} Credential={},SignedHeaders={names},Signature=0", self.algorithm, self.signer.key_id);
        let head = RequestHead::new(request.method(), request.uri(), request.headers());
        let text = Authorization::parse(&draft).unwrap().string_to_sign(&head).unwrap();
        let key = self.signer.secret.as_bytes();
        let signature = if is_sm3 { hmac_sm3(key, text.as_bytes()) } else { hmac_sha256(key, text.as_bytes()) };
        let value = draft.replace("Signature=0", &format!("Signature={}", hex(signature)));
        request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_str(&value).unwrap());
        request
    }

    async fn send(&self, bench: &Bench) -> Answer {
        bench.send(self.request(bench)).await
    }
}

#[tokio::test]
async fn parameters_stand_in_the_query_in_a_form_or_in_both() {
    let bench = Bench::new().await;
    let form = |query: &str, body: &str| {
        let request = Request::post(format!("/?{query}")).header(CONTENT_TYPE, FORM);
        request.body(Body::from(body.to_owned())).unwrap()
    };
    bench.call("ListOTAFirmware", LIST).await.success();

    let all = [("Format", "json"), ("CurrentPage", "1"), ("PageSize", "10")];
    bench.send(form(&bench.query("POST", ADMIN, "ListOTAFirmware", &all), "")).await.success();
    bench.send(form("", &bench.query("POST", ADMIN, "ListOTAFirmware", &all))).await.success();

    let signed = bench.query("POST", ADMIN, "ListOTAFirmware", &all);
    let (common, own) = signed.split_at(signed.find("Format=").unwrap());
    bench.send(form(common.trim_end_matches('&'), own)).await.success();

    // Without the content type of a form a body is no parameters.
    let bare = Request::post("/").body(Body::from(bench.query("POST", ADMIN, "ListOTAFirmware", &all))).unwrap();
    let answer = bench.send(bare).await;
    assert!(answer.text.contains("<Code>MissingAction</Code>"), "{}", answer.text);
}

#[tokio::test]
async fn the_longer_digest_is_as_good() {
    let bench = Bench::new().await;
    let parameters = [("SignatureMethod", "HMAC-SHA256"), ("CurrentPage", "1"), ("PageSize", "10")];
    bench.call("ListOTAFirmware", &parameters).await.success();
}

#[tokio::test]
async fn signed_in_headers_with_either_digest() {
    let bench = Bench::new().await;
    ACS3.send(&bench).await.success();
    Acs3 { algorithm: "ACS3-HMAC-SM3", ..ACS3 }.send(&bench).await.success();
    Acs3 { query: "CurrentPage=1", form: "PageSize=10", ..ACS3 }.send(&bench).await.success();
    let answer = Acs3 { signer: Signer { secret: "wrong", ..ADMIN }, ..ACS3 }.send(&bench).await;
    assert_eq!(answer.gateway(), (400, "SignatureDoesNotMatch".to_owned()));
    assert!(answer.message().contains("string to sign is:ACS3-HMAC-SHA256\n"));
}

#[tokio::test]
async fn a_body_other_than_the_signed_one_is_refused() {
    let bench = Bench::new().await;
    let (parts, _) = Acs3 { form: "PageSize=10", query: "CurrentPage=1", ..ACS3 }.request(&bench).into_parts();
    let answer = bench.send(Request::from_parts(parts, Body::from("PageSize=11"))).await;
    assert_eq!(answer.gateway(), (400, "IncompleteSignature".to_owned()));
    assert!(answer.message().contains("x-acs-content-sha256"), "{}", answer.text);
}

#[tokio::test]
async fn headers_that_nothing_signs_choose_no_action() {
    let bench = Bench::new().await;
    let signed = bench.query("GET", ADMIN, "ListOTAFirmware", LIST);
    let stripped: Vec<&str> = signed.split('&').filter(|pair| !pair.starts_with("Action=")).collect();
    let request = Request::get(format!("/?{}&Format=JSON", stripped.join("&"))).header("x-acs-action", "DeleteProduct");
    let answer = bench.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.gateway(), (400, "MissingAction".to_owned()));

    // Both kinds at once, as one client sends them: the parameters decide.
    let query =
        bench.query("GET", ADMIN, "ListOTAFirmware", &[("Format", "JSON"), ("CurrentPage", "1"), ("PageSize", "1")]);
    let request = Request::get(format!("/?{query}"))
        .header("x-acs-action", "ListOTAFirmware")
        .header("x-acs-version", "2018-01-20");
    bench.send(request.body(Body::empty()).unwrap()).await.success();
}

#[tokio::test]
async fn temporary_keys_sign_with_their_token() {
    let bench = Bench::new().await;
    let key = bench.app.create_temporary_key(&bench.admin, Some(Role::Viewer), 60_000).unwrap();
    let other = bench.app.create_temporary_key(&bench.admin, None, 3_600_000).unwrap();
    let signer = Signer { key_id: &key.access_key_id, secret: key.secret.expose() };
    let token = key.security_token.as_str();
    let list = |token: Option<&str>| {
        let mut all = vec![("Format", "JSON"), ("CurrentPage", "1"), ("PageSize", "10")];
        all.extend(token.map(|token| ("SecurityToken", token)));
        bench.query("GET", signer, "ListOTAFirmware", &all)
    };
    let send = async |token: Option<&str>| {
        bench.send(Request::get(format!("/?{}", list(token))).body(Body::empty()).unwrap()).await
    };
    send(Some(token)).await.success();
    Acs3 { signer, token: Some(token), ..ACS3 }.send(&bench).await.success();

    assert_eq!(send(None).await.gateway(), (400, "MissingSecurityToken".to_owned()));
    assert_eq!(send(Some("CAIStoken")).await.gateway(), (400, "InvalidSecurityToken.Malformed".to_owned()));
    let foreign = send(Some(&other.security_token)).await;
    assert_eq!(foreign.gateway(), (400, "InvalidSecurityToken.MismatchWithAccessKey".to_owned()));
    let create =
        Acs3 { signer, token: Some(token), action: "CreateProduct", query: "ProductName=name&NodeType=0", ..ACS3 };
    assert_eq!(create.send(&bench).await.gateway(), (403, "Forbidden.RAM".to_owned()), "a viewer's key stays one");
    bench.clock.advance(60_000);
    assert_eq!(send(Some(token)).await.gateway(), (400, "InvalidSecurityToken.Expired".to_owned()));
}

#[tokio::test]
async fn a_signature_is_good_for_fifteen_minutes_to_either_side() {
    let bench = Bench::new().await;
    let at = async |skew_s: i64| {
        let time = TimeFormat::Seconds.format(bench.clock.now_ms() + skew_s * 1000);
        let v1 = bench.call("ListOTAFirmware", &[("Timestamp", &time), ("CurrentPage", "1"), ("PageSize", "1")]).await;
        let acs3 = Acs3 { skew_s, ..ACS3 }.send(&bench).await;
        (v1, acs3)
    };
    for skew_s in [-900, 900] {
        let (v1, acs3) = at(skew_s).await;
        v1.success();
        acs3.success();
    }
    for skew_s in [-901, 901] {
        let (v1, acs3) = at(skew_s).await;
        assert_eq!(v1.gateway(), (400, "InvalidTimeStamp.Expired".to_owned()));
        assert_eq!(acs3.gateway(), (400, "InvalidTimeStamp.Expired".to_owned()));
    }
}

#[tokio::test]
async fn a_signed_request_is_good_for_one_time() {
    let bench = Bench::new().await;
    // Signed ahead of our clock, the signature lives for half an hour, and so does the memory of its nonce.
    let ahead = TimeFormat::Seconds.format(bench.clock.now_ms() + 900_000);
    let query = bench.query(
        "GET",
        ADMIN,
        "ListOTAFirmware",
        &[("Format", "JSON"), ("Timestamp", &ahead), ("CurrentPage", "1"), ("PageSize", "1")],
    );
    let request = || Request::get(format!("/?{query}")).body(Body::empty()).unwrap();
    bench.send(request()).await.success();
    for _ in 0..2 {
        assert_eq!(bench.send(request()).await.gateway(), (400, "SignatureNonceUsed".to_owned()));
        bench.clock.advance(900_000);
    }
    let acs3 = ACS3.request(&bench);
    let copy = Request::builder().method("POST").uri(acs3.uri().clone());
    let mut copy = copy.body(Body::empty()).unwrap();
    *copy.headers_mut() = acs3.headers().clone();
    bench.send(acs3).await.success();
    assert_eq!(bench.send(copy).await.gateway(), (400, "SignatureNonceUsed".to_owned()));
}

#[tokio::test]
async fn a_change_happens_once_however_many_copies_of_the_server_there_are() {
    let bench = Bench::new().await;
    let query = bench.query(
        "GET",
        ADMIN,
        "CreateProduct",
        &[("Format", "JSON"), ("ProductName", "only once"), ("NodeType", "0")],
    );
    let request = || Request::get(format!("/?{query}")).body(Body::empty()).unwrap();
    bench.send(request()).await.success();
    // Another copy remembers nothing itself; the store does.
    let other = Bench { router: router(bench.app.clone(), Settings::default()), ..bench };
    let answer = other.send(request()).await;
    assert_eq!(answer.gateway(), (400, "SignatureNonceUsed".to_owned()));
}

#[tokio::test]
async fn keys_that_are_unknown_revoked_or_over_do_not_open() {
    let bench = Bench::new().await;
    let list = async |signer: Signer<'_>| {
        bench.call_as(signer, "ListOTAFirmware", &[("Format", "JSON"), ("CurrentPage", "1"), ("PageSize", "1")]).await
    };
    let unknown = list(Signer { key_id: "nobody", secret: SECRET }).await;
    assert_eq!(unknown.gateway(), (404, "InvalidAccessKeyId.NotFound".to_owned()));
    let short = bench.app.create_key(&bench.admin, Role::Viewer, "", Some(START_MS + 1000)).await.unwrap();
    let gone = bench.app.create_key(&bench.admin, Role::Viewer, "", None).await.unwrap();
    bench.app.revoke_key(&bench.admin, &gone.key.id).await.unwrap();
    bench.clock.advance(1000);
    for key in [&short, &gone] {
        let answer = list(Signer { key_id: &key.key.id, secret: key.secret.expose() }).await;
        assert_eq!(answer.gateway(), (400, "InvalidAccessKeyId.Inactive".to_owned()));
    }
}

#[tokio::test]
async fn bearer_tokens_and_rsa_are_refused_with_a_reason() {
    let bench = Bench::new().await;
    let refused = async |request: Request<Body>| {
        let answer = bench.send(request).await;
        assert_eq!(answer.gateway(), (400, "InvalidSignatureMethod".to_owned()), "{}", answer.text);
        assert!(answer.message().contains("not supported"), "{}", answer.text);
    };
    let get = |query: &str| {
        Request::get(format!("/?{query}")).header(ACCEPT, "application/json").body(Body::empty()).unwrap()
    };
    refused(get("Action=ListOTAFirmware&SignatureType=BEARERTOKEN&BearerToken=x")).await;
    refused(get(&bench.query("GET", ADMIN, "ListOTAFirmware", &[("SignatureMethod", "SHA256withRSA")]))).await;
    let mut rsa = ACS3.request(&bench);
    rsa.headers_mut()
        .insert(AUTHORIZATION, HeaderValue::from_static("ACS3-RSA-SHA256 Credential=a,SignedHeaders=host,Signature=0"));
    refused(rsa).await;
}
