//! What holds for every input.

use http::{HeaderMap, HeaderName, HeaderValue};
use otaru_northbound::wire::digest::{BodyDigest, hex_of_32, hmac_sha256};
use otaru_northbound::wire::percent::{Text, decode_form, decode_path, encode, parse_pairs, push_encoded_twice};
use otaru_northbound::wire::rpc_v1::SignatureMethod;
use otaru_northbound::wire::time::TimeFormat;
use otaru_northbound::wire::{RequestHead, SignatureError, acs3, aws_v2, canonical, obs, oss_v1, rpc_v1, sdk_hmac};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::support::to_query;

const FORMATS: [TimeFormat; 6] = [
    TimeFormat::Compact,
    TimeFormat::Seconds,
    TimeFormat::Millis,
    TimeFormat::Micros,
    TimeFormat::Http,
    TimeFormat::Dashed,
];

fn any_pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    // Few letters, so that repeated names and equal pairs turn up; and any text, so that everything else does.
    let name = prop_oneof!["[a-c]{1,2}", "\\PC{1,6}"];
    let value = prop_oneof!["[a-c]{0,2}", "\\PC{0,8}"];
    vec((name, value), 0..6)
}

fn canonical_query(raw: &str) -> String {
    let mut out = String::new();
    canonical::push_canonical_query(&mut out, raw);
    out
}

/// A request of one's own making, in parts that a test can change one by one.
#[derive(Debug, Clone)]
struct Request {
    method: String,
    path: String,
    query: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    secret: String,
}

fn any_request() -> impl Strategy<Value = Request> {
    let headers = ("[ -~]{1,12}", "[ -~]{1,12}", "[a-z.]{1,8}:[0-9]{2,4}");
    ("[A-Z]{3,7}", vec("[a-zA-Z0-9 é+/-]{1,8}", 1..4), any_pairs(), headers, vec(any::<u8>(), 0..32), "[!-~]{1,80}")
        .prop_map(|(method, segments, pairs, (action, agent, host), body, secret)| Request {
            method,
            path: segments.iter().map(|segment| format!("/{}", encode(segment))).collect(),
            query: to_query(&pairs),
            headers: vec![
                ("host", host),
                ("user-agent", agent),
                ("x-acs-action", action),
                ("x-acs-content-sha256", hex_text(&BodyDigest::of(&body).sha256_hex())),
                ("x-acs-date", "2026-01-02T03:04:05Z".to_owned()),
                ("x-sdk-date", "20260102T030405Z".to_owned()),
            ],
            body,
            secret,
        })
}

fn hex_text(hex: &[u8; 64]) -> String {
    String::from_utf8(hex.to_vec()).unwrap()
}

impl Request {
    fn header_map(&self) -> HeaderMap {
        let pair = |(name, value): &(&'static str, String)| {
            (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
        };
        self.headers.iter().map(pair).collect()
    }

    fn head<'a>(&'a self, headers: &'a HeaderMap) -> RequestHead<'a> {
        RequestHead { method: &self.method, path: &self.path, query: &self.query, authority: None, headers }
    }

    /// Verifies the request under each scheme with the given `Authorization` headers: plain, derived, ACS3.
    fn verify(&self, [plain, derived, acs3]: &[String; 3]) -> [Result<(), SignatureError>; 3] {
        let headers = self.header_map();
        let (head, body) = (self.head(&headers), BodyDigest::of(&self.body));
        let sdk = |header: &str| sdk_hmac::Authorization::parse(header)?.verify(&head, &body, &self.secret);
        let acs3 = acs3::Authorization::parse(acs3).and_then(|found| found.verify(&head, &self.body, &self.secret));
        [sdk(plain), sdk(derived), acs3]
    }

    fn sign(&self) -> [String; 3] {
        let headers = self.header_map();
        let (head, body) = (self.head(&headers), BodyDigest::of(&self.body));
        let names = self.headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let plain = format!("SDK-HMAC-SHA256 Access=AK, SignedHeaders={names}, Signature=");
        let derived =
            format!("V11-HMAC-SHA256 Credential=AK/20260102/my-site/iotdm, SignedHeaders={names}, Signature=");
        let acs3 = format!("ACS3-HMAC-SHA256 Credential=AK,SignedHeaders={names},Signature=");
        let sdk = |header: &str, key: &[u8]| {
            let unsigned = format!("{header}0");
            let message = sdk_hmac::Authorization::parse(&unsigned).unwrap().string_to_sign(&head, &body).unwrap();
            format!("{header}{}", hex_text(&hex_of_32(&hmac_sha256(key, message.as_bytes()))))
        };
        let derived_key = sdk_hmac::derive_key("AK", &self.secret, "20260102", "my-site", "iotdm");
        let acs3_unsigned = format!("{acs3}0");
        let acs3_message = acs3::Authorization::parse(&acs3_unsigned).unwrap().string_to_sign(&head).unwrap();
        let acs3_signature = hmac_sha256(self.secret.as_bytes(), acs3_message.as_bytes());
        [
            sdk(&plain, self.secret.as_bytes()),
            sdk(&derived, &derived_key),
            format!("{acs3}{}", hex_text(&hex_of_32(&acs3_signature))),
        ]
    }
}

/// Another printable character at one place of `text`.
fn altered(text: &str, at: Index, by: u8) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let at = at.index(bytes.len());
    bytes[at] = b'!' + (bytes[at].wrapping_sub(b'!').wrapping_add(by)) % 94;
    String::from_utf8(bytes).unwrap_or_else(|_| format!("{text}x"))
}

proptest! {
    #[test]
    fn escaping_round_trips(text in any::<String>()) {
        let escaped = encode(&text);
        prop_assert!(escaped.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~%".contains(&byte)));
        prop_assert_eq!(&*decode_form(escaped.as_bytes()), text.as_bytes());
        prop_assert_eq!(&*decode_path(escaped.as_bytes()), text.as_bytes());
        let mut twice = String::new();
        push_encoded_twice(&mut twice, text.as_bytes());
        prop_assert_eq!(twice, encode(&escaped).into_owned());
    }

    #[test]
    fn pairs_round_trip(pairs in any_pairs()) {
        prop_assert_eq!(parse_pairs(to_query(&pairs).as_bytes(), Text::Strict).unwrap(), pairs);
    }

    #[test]
    fn the_order_of_parameters_does_not_matter(pairs in any_pairs().prop_shuffle(), method in "[A-Z]{3,6}") {
        let mut sorted = pairs.clone();
        sorted.sort();
        prop_assert_eq!(canonical_query(&to_query(&pairs)), to_query(&sorted));
        prop_assert_eq!(rpc_v1::string_to_sign(&method, &pairs), rpc_v1::string_to_sign(&method, &sorted));
    }

    #[test]
    fn a_canonical_query_is_its_own_canonical_query(raw in any::<String>()) {
        let once = canonical_query(&raw);
        prop_assert_eq!(canonical_query(&once), once);
    }

    #[test]
    fn times_round_trip(at_ms in -62_167_219_200_000_i64..253_402_207_200_000) {
        for format in FORMATS {
            let finest = matches!(format, TimeFormat::Millis | TimeFormat::Micros);
            let expected = if finest { at_ms } else { at_ms.div_euclid(1000) * 1000 };
            prop_assert_eq!(format.parse(&format.format(at_ms)), Some(expected), "{:?}", format);
        }
    }

    #[test]
    fn a_time_has_one_spelling(text in "[0-9TZ:. -]{0,28}") {
        for format in FORMATS {
            if let Some(at_ms) = format.parse(&text) {
                let cut = matches!(format, TimeFormat::Micros);
                prop_assert!(cut || format.format(at_ms) == text, "{:?} {}", format, text);
            }
        }
    }

    #[test]
    fn what_was_signed_verifies_and_a_change_of_any_part_does_not(
        request in any_request(), part in 0..6_usize, at in any::<Index>(), by in 1..94_u8, which in 0..6_usize,
    ) {
        let authorizations = request.sign();
        prop_assert_eq!(request.verify(&authorizations), [Ok(()), Ok(()), Ok(())]);

        let mut changed = request.clone();
        match part {
            0 => changed.method = altered(&request.method, at, by),
            1 => changed.path = altered(&request.path, at, by),
            2 if !request.query.is_empty() => changed.query = altered(&request.query, at, by),
            3 => changed.headers[which].1 = altered(&request.headers[which].1, at, by),
            4 if !request.body.is_empty() => { let at = at.index(request.body.len()); changed.body[at] ^= by; }
            _ => changed.secret = altered(&request.secret, at, by),
        }
        // Two spellings of one path, query or value are one request: both schemes sign what is meant.
        let meant = |request: &Request| (
            decode_path(request.path.as_bytes()).strip_suffix(b"/").map(<[u8]>::to_vec)
                .unwrap_or_else(|| decode_path(request.path.as_bytes()).into_owned()),
            canonical_query(&request.query),
            request.headers.iter().map(|(_, value)| value.trim_ascii().to_owned()).collect::<Vec<_>>(),
            (request.method.clone(), request.body.clone(), request.secret.clone()),
        );
        prop_assume!(meant(&changed) != meant(&request));
        for verdict in changed.verify(&authorizations) {
            prop_assert!(verdict.is_err(), "{:?}", changed);
        }
    }

    #[test]
    fn a_change_of_the_signature_is_rejected(request in any_request(), at in any::<Index>(), by in 1..94_u8) {
        let changed = request.sign().map(|header| {
            let (start, signature) = header.rsplit_once('=').unwrap();
            format!("{start}={}", altered(signature, at, by))
        });
        for verdict in request.verify(&changed) {
            prop_assert!(verdict.is_err(), "{:?}", changed);
        }
    }

    #[test]
    fn rpc_rejects_every_change(
        pairs in any_pairs(), more in any_pairs(), secret in "[!-~]{1,40}", at in any::<Index>(), by in 1..94_u8, sha256: bool,
    ) {
        let (method, name) = match sha256 {
            true => (SignatureMethod::HmacSha256, "HMAC-SHA256"),
            false => (SignatureMethod::HmacSha1, "HMAC-SHA1"),
        };
        let mut parameters = pairs;
        parameters.push(("SignatureMethod".to_owned(), name.to_owned()));
        let signature = rpc_v1::sign(method, &rpc_v1::string_to_sign("POST", &parameters), &secret);
        let with = |parameters: &[(String, String)], signature: &str| {
            let mut parameters = parameters.to_vec();
            parameters.push(("Signature".to_owned(), signature.to_owned()));
            parameters
        };
        prop_assert_eq!(rpc_v1::verify("POST", &with(&parameters, &signature), &secret), Ok(()));
        prop_assert!(rpc_v1::verify("GET", &with(&parameters, &signature), &secret).is_err());
        prop_assert!(rpc_v1::verify("POST", &with(&parameters, &altered(&signature, at, by)), &secret).is_err());
        prop_assert!(rpc_v1::verify("POST", &with(&parameters, &signature), &altered(&secret, at, by)).is_err());
        let mut changed = parameters.clone();
        changed.extend(more.clone());
        prop_assert_eq!(rpc_v1::verify("POST", &with(&changed, &signature), &secret).is_ok(), more.is_empty());
        let which = at.index(parameters.len());
        parameters[which].1.push('x');
        prop_assert!(rpc_v1::verify("POST", &with(&parameters, &signature), &secret).is_err());
    }

    #[test]
    fn nothing_panics(bytes in vec(any::<u8>(), 0..200), text in any::<String>(), at_ms in any::<i64>(), seed in "\\PC{0,40}") {
        for format in FORMATS {
            let _ = (format.parse(&text), format.format(at_ms));
        }
        let _ = (parse_pairs(&bytes, Text::Strict), parse_pairs(&bytes, Text::Lossy), canonical_query(&text));
        let mut headers = HeaderMap::new();
        for name in ["authorization", "x-sdk-date", "x-acs-content-sha256", "date", "x-obs-date", "x-amz-a", "content-type"] {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
        let request = RequestHead { method: &text, path: &text, query: &text, authority: None, headers: &headers };
        let _ = (sdk_hmac::Authorization::of(&headers), acs3::Authorization::of(&headers), obs::find(&request));
        for header in [
            text.clone(),
            format!("SDK-HMAC-SHA256 {text}"),
            format!("SDK-HMAC-SHA256 Access={seed}, SignedHeaders=x-sdk-date;date, Signature={seed}"),
            format!("V11-HMAC-SHA256 Credential={seed}/20260102/{seed}/iotdm, SignedHeaders=x-sdk-date, Signature={seed}"),
            format!("ACS3-HMAC-SM3 Credential={seed},SignedHeaders=date,Signature={seed}"),
        ] {
            if let Ok(found) = sdk_hmac::Authorization::parse(&header) {
                prop_assert!(found.verify(&request, &BodyDigest::of(&bytes), &text).is_err());
            }
            if let Ok(found) = acs3::Authorization::parse(&header) {
                prop_assert!(found.verify(&request, &bytes, &text).is_err());
            }
        }
        let query = format!("AccessKeyId={text}&Expires={text}&Signature={text}");
        let signed = RequestHead { query: &query, ..request };
        if let Ok(Some(found)) = obs::find(&signed) {
            prop_assert!(obs::verify(&found, &signed, Some(&text), &text).is_err());
            let _ = (found.expires_at_ms(), obs::signed_at_ms(&signed));
        }
        let _ = (aws_v2::sign(&signed, None, &text, &text), oss_v1::signed_query(&text, &text, at_ms, &text, &text));
    }
}
