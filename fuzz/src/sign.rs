//! Signs requests as the clients of every door do, whatever the request has become: so that a mutated one gets past the
//! signature and meets the parsers behind it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use otaru_northbound::wire::digest::{BodyDigest, base64, hex_of_32, hmac_sha256, sha256};
use otaru_northbound::wire::percent::{Text, encode, parse_pairs};
use otaru_northbound::wire::rpc_v1::{self, SignatureMethod};
use otaru_northbound::wire::time::TimeFormat;
use otaru_northbound::wire::{RequestHead, SignatureError, acs3, aws_v2, aws_v4, key_signature, obs, oss_v1, sdk_hmac};

use crate::request::Request;

/// What a client has to sign with.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    pub id: String,
    pub secret: String,
    /// An access token of the northbound 1.5, and a token of IAM.
    pub bearer: String,
    pub iam: String,
}

/// Signs `request` by the scheme of this name; an unknown one leaves it as it is. `once` is in what may be used only once.
pub fn sign(request: &mut Request, scheme: &str, keys: &Keys, now_ms: i64, once: u64) {
    match scheme {
        "basic" => {
            request.set("Authorization", format!("Basic {}", STANDARD.encode(format!("{}:{}", keys.id, keys.secret))))
        }
        "bearer" => {
            request.set("app_key", keys.id.as_str());
            request.set("Authorization", format!("Bearer {}", keys.bearer));
        }
        "login" => login(request, keys),
        "iam" => request.set("X-Auth-Token", keys.iam.as_str()),
        "sdk" => sdk(request, keys, now_ms, false),
        "v11" => sdk(request, keys, now_ms, true),
        "rpc" => rpc(request, keys, now_ms, once),
        "acs3" => acs3(request, keys, now_ms, once),
        "form" => form(request, keys),
        "aws2" => aws2(request, keys, now_ms),
        "aws4" => aws4(request, keys, now_ms, None),
        "aws4-open" => aws4(request, keys, now_ms, Some("UNSIGNED-PAYLOAD")),
        "aws4-trailer" => aws4(request, keys, now_ms, Some("STREAMING-UNSIGNED-PAYLOAD-TRAILER")),
        "obs" => obs(request, keys, now_ms),
        _ => {}
    }
}

/// The head of a request as the server will see it, handed to what signs it.
fn with_head<T>(request: &Request, signer: impl FnOnce(&RequestHead<'_>) -> T) -> T {
    let method = String::from_utf8_lossy(&request.method);
    let (path, query) = request.path_and_query();
    let headers = request.header_map();
    signer(&RequestHead { method: &method, path: &path, query: &query, authority: None, headers: &headers })
}

fn hex(key: &[u8], message: &[u8]) -> String {
    String::from_utf8_lossy(&hex_of_32(&hmac_sha256(key, message))).into_owned()
}

fn login(request: &mut Request, keys: &Keys) {
    let text = String::from_utf8_lossy(&request.body);
    request.body = text.replace("{id}", &keys.id).replace("{secret}", &keys.secret).into_bytes();
}

fn sdk(request: &mut Request, keys: &Keys, now_ms: i64, derived: bool) {
    let time = TimeFormat::Compact.format(now_ms);
    request.set("X-Sdk-Date", time.as_str());
    let start = match derived {
        false => format!("SDK-HMAC-SHA256 Access={}", keys.id),
        true => format!("V11-HMAC-SHA256 Credential={}/{}/cn-north-4/iotdm", keys.id, &time[..8]),
    };
    let start = format!("{start}, SignedHeaders=host;x-sdk-date, Signature=");
    let key = match derived {
        false => keys.secret.as_bytes().to_vec(),
        true => sdk_hmac::derive_key(&keys.id, &keys.secret, &time[..8], "cn-north-4", "iotdm").to_vec(),
    };
    let digest = BodyDigest::of(&request.body);
    let unsigned = format!("{start}0");
    let message = with_head(request, |head| {
        sdk_hmac::Authorization::parse(&unsigned).and_then(|parsed| parsed.string_to_sign(head, &digest)).ok()
    });
    let signature = message.map_or("0".to_owned(), |message| hex(&key, message.as_bytes()));
    request.set("Authorization", format!("{start}{signature}"));
}

/// Writes what a signer of the Alibaba RPC style adds into the query, and signs all parameters.
fn rpc(request: &mut Request, keys: &Keys, now_ms: i64, once: u64) {
    const OWN: [&str; 6] =
        ["Signature", "SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp", "AccessKeyId"];
    let (path, query) = request.path_and_query();
    let mut pairs = parse_pairs(query.as_bytes(), Text::Lossy).unwrap_or_default();
    pairs.retain(|(name, _)| !OWN.contains(&name.as_str()));
    let mut add = |name: &str, value: String| pairs.push((name.to_owned(), value));
    add("SignatureMethod", "HMAC-SHA1".to_owned());
    add("SignatureVersion", "1.0".to_owned());
    add("SignatureNonce", format!("{now_ms}-{once}"));
    add("Timestamp", TimeFormat::Seconds.format(now_ms));
    add("AccessKeyId", keys.id.clone());
    let mut all = pairs.clone();
    let is_form =
        request.find("content-type").is_some_and(|value| value.starts_with(b"application/x-www-form-urlencoded"));
    if is_form {
        all.extend(parse_pairs(&request.body, Text::Lossy).unwrap_or_default());
    }
    let method = String::from_utf8_lossy(&request.method);
    let signature = rpc_v1::sign(SignatureMethod::HmacSha1, &rpc_v1::string_to_sign(&method, &all), &keys.secret);
    pairs.push(("Signature".to_owned(), signature));
    let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    request.target = format!("{path}?{}", query.join("&")).into_bytes();
}

fn acs3(request: &mut Request, keys: &Keys, now_ms: i64, once: u64) {
    request.set("x-acs-date", TimeFormat::Seconds.format(now_ms));
    request.set("x-acs-signature-nonce", format!("{now_ms}-{once}"));
    request.set("x-acs-content-sha256", &hex_of_32(&sha256(&request.body))[..]);
    let mut names: Vec<String> = request.header_map().keys().map(|name| name.as_str().to_owned()).collect();
    names.retain(|name| name == "host" || name == "content-type" || name.starts_with("x-acs-"));
    names.sort_unstable();
    let start = format!("ACS3-HMAC-SHA256 Credential={},SignedHeaders={},Signature=", keys.id, names.join(";"));
    let unsigned = format!("{start}0");
    let message = with_head(request, |head| {
        acs3::Authorization::parse(&unsigned).and_then(|parsed| parsed.string_to_sign(head)).ok()
    });
    let signature = message.map_or("0".to_owned(), |message| hex(keys.secret.as_bytes(), message.as_bytes()));
    request.set("Authorization", format!("{start}{signature}"));
}

/// The form's policy stands in its body in the clear, between `{policy}` marks; what it has become is what is signed.
fn form(request: &mut Request, keys: &Keys) {
    let text = String::from_utf8_lossy(&request.body).into_owned();
    let Some((before, rest)) = text.split_once("{policy}") else { return };
    let Some((policy, after)) = rest.split_once("{/policy}") else { return };
    let policy = base64(policy.as_bytes());
    let signature = oss_v1::post_signature(&keys.secret, &policy);
    let whole = format!("{before}{policy}{after}");
    request.body = whole.replace("{id}", &keys.id).replace("{signature}", &signature).into_bytes();
}

fn aws2(request: &mut Request, keys: &Keys, now_ms: i64) {
    request.set("Date", TimeFormat::Http.format(now_ms));
    let value = with_head(request, |head| aws_v2::sign(head, None, &keys.id, &keys.secret));
    request.set("Authorization", value);
}

fn obs(request: &mut Request, keys: &Keys, now_ms: i64) {
    request.set("Date", TimeFormat::Http.format(now_ms));
    let message = with_head(request, |head| obs::string_to_sign(head, None, None));
    request.set("Authorization", format!("OBS {}:{}", keys.id, key_signature::sign(&message, &keys.secret)));
}

fn aws4(request: &mut Request, keys: &Keys, now_ms: i64, payload: Option<&str>) {
    let time = TimeFormat::Compact.format(now_ms);
    request.set("x-amz-date", time.as_str());
    match payload {
        Some(payload) => request.set("x-amz-content-sha256", payload),
        None => request.set("x-amz-content-sha256", &hex_of_32(&sha256(&request.body))[..]),
    }
    let mut names: Vec<String> = request.header_map().keys().map(|name| name.as_str().to_owned()).collect();
    names.retain(|name| name == "host" || name == "content-md5" || name.starts_with("x-amz-"));
    names.sort_unstable();
    let scope = format!("{}/us-east-1/s3/aws4_request", &time[..8]);
    let start =
        format!("AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={}, Signature=", keys.id, names.join(";"));
    request.set("Authorization", format!("{start}{}", "0".repeat(64)));
    // The refusal of a wrong signature says what has to be signed.
    let refusal = with_head(request, |head| match aws_v4::AwsV4Signature::of(head) {
        Ok(Some(found)) => found.verify(head, &keys.secret).err(),
        _ => None,
    });
    if let Some(SignatureError::Mismatch { string_to_sign }) = refusal {
        let mut key = hmac_sha256(format!("AWS4{}", keys.secret).as_bytes(), &time.as_bytes()[..8]);
        for part in ["us-east-1", "s3", "aws4_request"] {
            key = hmac_sha256(&key, part.as_bytes());
        }
        request.set("Authorization", format!("{start}{}", hex(&key, string_to_sign.as_bytes())));
    }
}
