//! The signature schemes. Whatever a request has become: nobody's signature is accepted under a secret that did not make it,
//! and what is signed by the rules is accepted.

use std::error::Error;

use http::{Method, Uri};
use otaru_northbound::wire::digest::BodyDigest;
use otaru_northbound::wire::percent::{Text, parse_pairs};
use otaru_northbound::wire::{RequestHead, SignatureError, acs3, aws_v2, aws_v4, obs, rpc_v1, sdk_hmac};

use super::{Ground, Kind, Target, Verdict, holds, kind_of};
use crate::corpus::Place;
use crate::request::{DOOR, Request, SIGN};
use crate::sign::{Keys, sign};

const NOW_MS: i64 = 1_795_000_000_000;
/// Nothing is signed with this one.
const STRANGER: &str = "nobody signs with this";

const fn target(
    name: &'static str,
    about: &'static str,
    seeds: Seeds,
    check: fn(&mut Ground, &[u8]) -> Verdict,
) -> Target {
    Target { name, about, kind: Kind::Request, seeds, check }
}

type Seeds = fn(&mut Ground) -> Result<Vec<Vec<u8>>, Box<dyn Error>>;

pub const TARGETS: &[Target] = &[
    target("sdk_hmac", "SDK-HMAC-SHA256", seeds, |_, input| scheme(input, "sdk", sdk)),
    target("v11_hmac", "V11-HMAC-SHA256", seeds, |_, input| scheme(input, "v11", sdk)),
    target("acs3", "ACS3-HMAC-SHA256 and -SM3", seeds, |_, input| scheme(input, "acs3", acs3)),
    target("rpc_v1", "RPC signatures 1.0", seeds, |_, input| scheme(input, "rpc", rpc)),
    target("aws_v2", "AWS version 2, in headers and links", seeds, |_, input| scheme(input, "aws2", aws2)),
    target("aws_v4", "AWS version 4, in headers and links", seeds, |_, input| scheme(input, "aws4", aws4)),
    target("obs", "OBS, in headers and links", seeds, |_, input| scheme(input, "obs", obs)),
];

/// The corpus signed by everything, so that one scheme also meets the signatures of the others.
fn seeds(_: &mut Ground) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let place =
        Place { project: "0".repeat(32), form_key: "k".to_owned(), link: "/ota/x".to_owned(), ..Place::default() };
    let mut all = Vec::new();
    for mut request in crate::corpus::requests(&place) {
        request.take(DOOR);
        let scheme = request.take(SIGN).unwrap_or_default();
        sign(&mut request, &scheme, &keys(), NOW_MS, 1);
        all.push(request.write());
    }
    for link in [
        "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AK%2F20261118%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20261118T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00",
        "/b/k?AWSAccessKeyId=AK&Expires=1795000000&Signature=abc%3D",
        "/b/k?AccessKeyId=AK&Expires=1795000000&Signature=abc%3D&x-obs-security-token=t",
    ] {
        all.push(Request::new("GET", link).header("Host", "h").write());
    }
    Ok(all)
}

fn keys() -> Keys {
    Keys { id: "AKIDEXAMPLE".to_owned(), secret: "a secret".to_owned(), bearer: String::new(), iam: String::new() }
}

type Verify = fn(&RequestHead<'_>, &Request, &str) -> Result<(), SignatureError>;

fn scheme(input: &[u8], name: &str, verify: Verify) -> Verdict {
    let mut request = Request::read(input);
    let found = with_head(&request, |head| verify(head, &request, STRANGER));
    let Some(found) = found else { return Ok("no request".to_owned()) };
    let Err(refusal) = found else { return Err("a signature was accepted under another secret".to_owned()) };

    let keys = keys();
    sign(&mut request, name, &keys, NOW_MS, 1);
    let signed =
        with_head(&request, |head| (verify(head, &request, &keys.secret), verify(head, &request, STRANGER).is_ok()));
    let Some((verdict, stranger)) = signed else { return Ok("cannot be signed".to_owned()) };
    holds(!stranger, || "a signature was accepted under another secret".to_owned())?;
    // What was signed has to be accepted; what cannot be signed has to say why.
    // A signature in the query goes before the one in the header that was made here.
    let in_query = parse_pairs(request.path_and_query().1.as_bytes(), Text::Lossy).unwrap_or_default();
    let is_link = name != "rpc" && in_query.iter().any(|(name, _)| name.ends_with("Signature"));
    holds(is_link || !matches!(verdict, Err(SignatureError::Mismatch { .. })), || {
        format!("a right signature was refused: {verdict:?}")
    })?;
    let after = verdict.map_or_else(|error| kind_of(&error), |()| "right".to_owned());
    Ok(format!("{} {after}", kind_of(&refusal)))
}

/// The head as a server has it after the HTTP parser; none if that would refuse it.
fn with_head<T>(request: &Request, look: impl FnOnce(&RequestHead<'_>) -> T) -> Option<T> {
    let method = Method::from_bytes(&request.method).ok()?;
    let is_plain = request.target.starts_with(b"/") && !request.target.contains(&b'#') && request.target.is_ascii();
    let uri = Uri::try_from(request.target.clone()).ok().filter(|_| is_plain)?;
    let headers = request.header_map();
    Some(look(&RequestHead::new(&method, &uri, &headers)))
}

fn sdk(head: &RequestHead<'_>, request: &Request, secret: &str) -> Result<(), SignatureError> {
    let found = sdk_hmac::Authorization::of(head.headers)?;
    found.signed_at_ms(head)?;
    found.verify(head, &BodyDigest::of(&request.body), secret)
}

fn acs3(head: &RequestHead<'_>, request: &Request, secret: &str) -> Result<(), SignatureError> {
    let found = acs3::Authorization::of(head.headers)?;
    found.signed_at_ms(head)?;
    found.verify(head, &request.body, secret)
}

fn rpc(head: &RequestHead<'_>, request: &Request, secret: &str) -> Result<(), SignatureError> {
    let mut pairs = parse_pairs(head.query.as_bytes(), Text::Lossy).unwrap_or_default();
    if request.find("content-type").is_some_and(|value| value.starts_with(b"application/x-www-form-urlencoded")) {
        pairs.extend(parse_pairs(&request.body, Text::Lossy).unwrap_or_default());
    }
    rpc_v1::verify(head.method, &pairs, secret)
}

fn aws2(head: &RequestHead<'_>, _: &Request, secret: &str) -> Result<(), SignatureError> {
    let found = aws_v2::find(head)?.ok_or(SignatureError::Missing)?;
    if found.expires_at_ms()?.is_none() {
        aws_v2::signed_at_ms(head)?;
    }
    aws_v2::verify(&found, head, None, secret)
}

fn aws4(head: &RequestHead<'_>, _: &Request, secret: &str) -> Result<(), SignatureError> {
    let found = aws_v4::AwsV4Signature::of(head)?.ok_or(SignatureError::Missing)?;
    found.check_headers(head)?;
    found.signed_at_ms(head)?;
    found.verify(head, secret).map(drop)
}

fn obs(head: &RequestHead<'_>, _: &Request, secret: &str) -> Result<(), SignatureError> {
    let found = obs::find(head)?.ok_or(SignatureError::Missing)?;
    if found.expires_at_ms()?.is_none() {
        obs::signed_at_ms(head)?;
    }
    obs::verify(&found, head, None, secret)
}
