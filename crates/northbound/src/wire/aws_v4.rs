//! AWS signature version 4 for S3: in the header (`Authorization: AWS4-HMAC-SHA256 …`), in the URL (`X-Amz-Signature` and its
//! kin), and of the chunks of a body.
//!
//! What S3 does differently from other services: the path is escaped once and never normalised, and the digest of the body is
//! whatever `x-amz-content-sha256` says, in a URL `UNSIGNED-PAYLOAD`.

use std::borrow::Cow;

use super::canonical::{RequestHead, SignedHeaders, part};
use super::digest::{hex_of_32, hmac_sha256, same, sha256};
use super::error::SignatureError;
use super::percent::{decode_form, decode_path, push_encoded, push_encoded_path, split_pairs};
use super::time::TimeFormat;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const PAYLOAD_HEADER: &str = "x-amz-content-sha256";
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// The signature of a request, from its header or its URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsV4Signature {
    /// The access key id, by which the door finds the secret.
    pub access_key_id: String,
    /// `20260102/region/s3/aws4_request`, as sent.
    scope: String,
    signed_headers: String,
    signature: String,
    /// Of a URL: `X-Amz-Date` and `X-Amz-Expires`, as sent.
    link: Option<(String, String)>,
}

impl AwsV4Signature {
    /// Finds the signature of a request: that of the URL, if it has one, else that of the header. `None` when the request is
    /// unsigned or signed in another way.
    ///
    /// # Errors
    ///
    /// [`SignatureError::Malformed`] for a signature that is one of these and is incomplete, and
    /// [`SignatureError::UnsupportedAlgorithm`].
    pub fn of(request: &RequestHead<'_>) -> Result<Option<Self>, SignatureError> {
        match Self::of_query(request.query)? {
            Some(signature) => Ok(Some(signature)),
            None => Self::of_header(request),
        }
    }

    fn of_query(query: &str) -> Result<Option<Self>, SignatureError> {
        let pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = form_urlencoded::parse(query.as_bytes()).collect();
        if pairs.iter().all(|(name, _)| name != "X-Amz-Signature") {
            return Ok(None);
        }
        let value = |wanted: &str| {
            let mut values = pairs.iter().filter(|(name, _)| name == wanted);
            match (values.next(), values.next()) {
                (Some((_, value)), None) => Ok(value.as_ref()),
                _ => Err(SignatureError::Malformed(
                    "X-Amz-Algorithm, X-Amz-Credential, X-Amz-Date, X-Amz-Expires, X-Amz-SignedHeaders and \
                     X-Amz-Signature have to be sent together, each once",
                )),
            }
        };
        let link = Some((value("X-Amz-Date")?.to_owned(), value("X-Amz-Expires")?.to_owned()));
        let algorithm = value("X-Amz-Algorithm")?;
        let parts = [value("X-Amz-Credential")?, value("X-Amz-SignedHeaders")?, value("X-Amz-Signature")?];
        Self::from_parts(algorithm, parts, link).map(Some)
    }

    fn of_header(request: &RequestHead<'_>) -> Result<Option<Self>, SignatureError> {
        let Some((algorithm, list)) = request.single("authorization").and_then(|value| value.split_once(' ')) else {
            return Ok(None);
        };
        if !algorithm.starts_with("AWS4-") {
            return Ok(None);
        }
        let incomplete = "Authorization has to name Credential, SignedHeaders and Signature, each once";
        let named = |name| part(list, name).map_err(|_| SignatureError::Malformed(incomplete));
        Self::from_parts(algorithm, [named("Credential")?, named("SignedHeaders")?, named("Signature")?], None)
            .map(Some)
    }

    fn from_parts(
        algorithm: &str,
        [credential, signed_headers, signature]: [&str; 3],
        link: Option<(String, String)>,
    ) -> Result<Self, SignatureError> {
        if algorithm != ALGORITHM {
            return Err(SignatureError::UnsupportedAlgorithm(algorithm.to_owned()));
        }
        // A key id may hold slashes, the rest does not.
        let mut ends = credential.rmatch_indices('/').map(|(at, _)| at);
        let (key, scope) = ends.nth(3).map(|at| (&credential[..at], &credential[at + 1..])).unwrap_or_default();
        if key.is_empty() || !scope.ends_with("/s3/aws4_request") {
            return Err(SignatureError::Malformed("Credential has to be AccessKeyId/Date/Region/s3/aws4_request"));
        }
        SignedHeaders::parse(signed_headers)?;
        let [access_key_id, scope, signed_headers, signature] =
            [key, scope, signed_headers, signature].map(str::to_owned);
        Ok(Self { access_key_id, scope, signed_headers, signature, link })
    }

    /// When the request was signed, by `X-Amz-Date` or else `Date`, in epoch milliseconds. Some clients sign the latter alone.
    ///
    /// # Errors
    ///
    /// [`SignatureError::InvalidTime`] when neither was sent or the one that counts is no such time, and
    /// [`SignatureError::ScopeDate`] when it lies on another day than the credential says.
    pub fn signed_at_ms(&self, request: &RequestHead<'_>) -> Result<i64, SignatureError> {
        let at_ms = match &self.link {
            Some((date, _)) => TimeFormat::Compact.parse(date),
            None => match request.single("x-amz-date") {
                Some(date) => TimeFormat::Compact.parse(date),
                None => request.single("date").and_then(|date| TimeFormat::Http.parse(date)),
            },
        };
        let at_ms = at_ms.ok_or(SignatureError::InvalidTime("X-Amz-Date"))?;
        let day = &TimeFormat::Compact.format(at_ms)[..8];
        if self.scope.strip_prefix(day).is_some_and(|rest| rest.starts_with('/')) {
            Ok(at_ms)
        } else {
            Err(SignatureError::ScopeDate)
        }
    }

    /// How long a URL is good for from its date on, in seconds and as sent; `None` for a signature in the header.
    pub fn expires(&self) -> Option<&str> {
        self.link.as_ref().map(|(_, expires)| expires.as_str())
    }

    /// Whether all that has to be signed is: the host and every `x-amz-` header that was sent. Otherwise whoever holds a URL
    /// to put one object could add `x-amz-copy-source` to it and read another.
    ///
    /// # Errors
    ///
    /// [`SignatureError::UnsignedHeader`].
    pub fn check_headers(&self, request: &RequestHead<'_>) -> Result<(), SignatureError> {
        let is_signed = |name: &str| self.signed_headers.split(';').any(|signed| signed == name);
        if !is_signed("host") {
            return Err(SignatureError::UnsignedHeader("host"));
        }
        for name in request.headers.keys().map(|name| name.as_str()) {
            // A URL is signed before its body is known; the digest is compared with the body either way.
            let is_free = self.link.is_some() && name == PAYLOAD_HEADER;
            if name.starts_with("x-amz-") && !is_free && !is_signed(name) {
                return Err(SignatureError::UnsignedHeader("x-amz-*"));
            }
        }
        Ok(())
    }

    /// Whether the signature is the one that `secret` gives for this request; answers what signs the chunks of its body. The
    /// time is not checked here.
    ///
    /// # Errors
    ///
    /// [`SignatureError::Mismatch`], and [`SignatureError::MissingHeader`] for a signed header that was not sent, or the digest
    /// of the body where the signature is in the header.
    pub fn verify(&self, request: &RequestHead<'_>, secret: &str) -> Result<ChunkSigner, SignatureError> {
        let time = TimeFormat::Compact.format(self.signed_at_ms(request)?);
        let mut key = hmac_sha256(format!("AWS4{secret}").as_bytes(), &self.scope.as_bytes()[..8]);
        for part in self.scope[8..].split('/').skip(1) {
            key = hmac_sha256(&key, part.as_bytes());
        }
        let mut mismatch = SignatureError::Missing;
        for path in self.paths(request) {
            let hash = sha256(&self.canonical_request(request, &path)?);
            let string_to_sign = format!("{ALGORITHM}\n{time}\n{}\n{}", self.scope, text_of(&hash));
            let ours = text_of(&hmac_sha256(&key, string_to_sign.as_bytes()));
            if same(ours.as_bytes(), self.signature.as_bytes()) {
                return Ok(ChunkSigner { key, time, scope: self.scope.clone(), previous: ours });
            }
            mismatch = SignatureError::Mismatch { string_to_sign };
        }
        Err(mismatch)
    }

    /// The path as S3 wants it signed, and as it was sent where that differs: some clients sign what they send.
    fn paths(&self, request: &RequestHead<'_>) -> Vec<String> {
        let mut escaped = String::with_capacity(request.path.len());
        push_encoded_path(&mut escaped, &decode_path(request.path.as_bytes()));
        match escaped == request.path {
            true => vec![escaped],
            false => vec![escaped, request.path.to_owned()],
        }
    }

    fn canonical_request(&self, request: &RequestHead<'_>, path: &str) -> Result<Vec<u8>, SignatureError> {
        let mut head = format!("{}\n{path}\n", request.method);
        push_query(&mut head, request.query);
        head.push('\n');
        let mut out = head.into_bytes();
        for name in self.signed_headers.split(';') {
            out.extend_from_slice(name.as_bytes());
            out.push(b':');
            push_values(&mut out, request, name)?;
            out.push(b'\n');
        }
        out.push(b'\n');
        out.extend_from_slice(self.signed_headers.as_bytes());
        out.push(b'\n');
        let payload = match self.link {
            Some(_) => UNSIGNED,
            None => request
                .single(PAYLOAD_HEADER)
                .ok_or_else(|| SignatureError::MissingHeader(PAYLOAD_HEADER.to_owned()))?,
        };
        out.extend_from_slice(payload.as_bytes());
        Ok(out)
    }
}

/// Signs the chunks of one body, each together with the signature before it.
#[derive(Clone)]
pub struct ChunkSigner {
    key: [u8; 32],
    time: String,
    scope: String,
    previous: String,
}

impl ChunkSigner {
    /// Whether `signature` is that of the next chunk, whose bytes have this digest.
    pub fn accepts_chunk(&mut self, signature: &[u8], chunk_sha256: &[u8; 32]) -> bool {
        let empty = sha256(b"");
        let rest = format!("{}\n{}", text_of(&empty), text_of(chunk_sha256));
        self.accepts("AWS4-HMAC-SHA256-PAYLOAD", &rest, signature)
    }

    /// Whether `signature` is that of the trailers: `name:value\n` for each of them, sorted by name.
    pub fn accepts_trailers(&mut self, signature: &[u8], trailers: &str) -> bool {
        let rest = text_of(&sha256(trailers.as_bytes()));
        self.accepts("AWS4-HMAC-SHA256-TRAILER", &rest, signature)
    }

    fn accepts(&mut self, algorithm: &str, rest: &str, signature: &[u8]) -> bool {
        let text = format!("{algorithm}\n{}\n{}\n{}\n{rest}", self.time, self.scope, self.previous);
        self.previous = text_of(&hmac_sha256(&self.key, text.as_bytes()));
        same(self.previous.as_bytes(), signature)
    }
}

/// The query without the signature, escaped and then sorted.
fn push_query(out: &mut String, query: &str) {
    let escaped = |raw: &[u8]| {
        let mut text = String::with_capacity(raw.len());
        push_encoded(&mut text, &decode_form(raw));
        text
    };
    let mut pairs: Vec<(String, String)> = split_pairs(query.as_bytes())
        .map(|(name, value)| (escaped(name), escaped(value.unwrap_or_default())))
        .filter(|(name, _)| name != "X-Amz-Signature")
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    out.push_str(&pairs.join("&"));
}

/// The values of a header, joined with `,`, with single spaces inside and none around.
fn push_values(out: &mut Vec<u8>, request: &RequestHead<'_>, name: &str) -> Result<(), SignatureError> {
    let mut values = request.headers.get_all(name).iter().map(|value| value.as_bytes()).peekable();
    if values.peek().is_none() {
        let authority = request.authority.filter(|_| name == "host");
        let missing = || SignatureError::MissingHeader(name.to_owned());
        out.extend_from_slice(authority.ok_or_else(missing)?.as_bytes());
        return Ok(());
    }
    for (at, value) in values.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let words: Vec<&[u8]> = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
        out.extend_from_slice(&words.join(&b' '));
    }
    Ok(())
}

fn text_of(digest: &[u8; 32]) -> String {
    hex_of_32(digest).iter().map(|&digit| char::from(digit)).collect()
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn request<'a>(method: &'a str, path: &'a str, query: &'a str, headers: &'a HeaderMap) -> RequestHead<'a> {
        RequestHead { method, path, query, authority: None, headers }
    }

    fn authorization(signed_headers: &str, signature: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
             SignedHeaders={signed_headers},Signature={signature}"
        )
    }

    /// The examples of the signature's documents: get, put, lists, a URL and a body in chunks.
    #[test]
    fn published_signatures() {
        let host = ("host", "examplebucket.s3.amazonaws.com");
        let date = ("x-amz-date", "20130524T000000Z");
        let get = authorization(
            "host;range;x-amz-content-sha256;x-amz-date",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        );
        let list = authorization(
            "host;x-amz-content-sha256;x-amz-date",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        );
        let location = authorization(
            "host;x-amz-content-sha256;x-amz-date",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        );
        let put = authorization(
            "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        );
        let empty = (PAYLOAD_HEADER, EMPTY);
        let written = (PAYLOAD_HEADER, "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
        let day = ("date", "Fri, 24 May 2013 00:00:00 GMT");
        let class = ("x-amz-storage-class", "REDUCED_REDUNDANCY");
        for (method, path, query, sent) in [
            ("GET", "/test.txt", "", headers(&[host, date, empty, ("range", "bytes=0-9"), ("authorization", &get)])),
            ("GET", "/", "max-keys=2&prefix=J", headers(&[host, date, empty, ("authorization", &list)])),
            ("GET", "/", "lifecycle", headers(&[host, date, empty, ("authorization", &location)])),
            ("PUT", "/test$file.text", "", headers(&[host, date, day, written, class, ("authorization", &put)])),
        ] {
            let request = request(method, path, query, &sent);
            let signature = AwsV4Signature::of(&request).unwrap().unwrap();
            assert_eq!(signature.access_key_id, "AKIAIOSFODNN7EXAMPLE");
            assert_eq!(signature.signed_at_ms(&request), Ok(1_369_353_600_000));
            assert!(signature.verify(&request, SECRET).is_ok(), "{method} {path}?{query}");
            assert!(signature.verify(&request, "other").is_err());
            assert_eq!(signature.check_headers(&request), Ok(()));
        }

        let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256\
                     &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
                     &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
                     &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        let sent = headers(&[host]);
        let request = request("GET", "/test.txt", query, &sent);
        let signature = AwsV4Signature::of(&request).unwrap().unwrap();
        assert!(signature.verify(&request, SECRET).is_ok());
        assert_eq!(signature.expires(), Some("86400"));
    }

    #[test]
    fn published_chunks() {
        let authorization = authorization(
            "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
            "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
        );
        let sent = headers(&[
            ("host", "s3.amazonaws.com"),
            ("x-amz-date", "20130524T000000Z"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            (PAYLOAD_HEADER, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
            ("content-encoding", "aws-chunked"),
            ("x-amz-decoded-content-length", "66560"),
            ("content-length", "66824"),
            ("authorization", &authorization),
        ]);
        let request = request("PUT", "/examplebucket/chunkObject.txt", "", &sent);
        let mut signer = AwsV4Signature::of(&request).unwrap().unwrap().verify(&request, SECRET).unwrap();
        for (length, signature) in [
            (65_536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
            (1_024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
            (0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
        ] {
            let mut other = signer.clone();
            assert!(signer.accepts_chunk(signature.as_bytes(), &sha256(&vec![b'a'; length])));
            assert!(!other.accepts_chunk(signature.as_bytes(), &sha256(b"other")));
        }
    }

    #[test]
    fn what_steers_the_request_has_to_be_signed() {
        let signed = authorization("host;x-amz-date", "0");
        let check = |extra: &[(&'static str, &str)]| {
            let mut all = vec![("authorization", signed.as_str()), ("host", "h"), ("x-amz-date", "20130524T000000Z")];
            all.extend(extra);
            let headers = headers(&all);
            let request = request("PUT", "/b/k", "", &headers);
            AwsV4Signature::of(&request).unwrap().unwrap().check_headers(&request)
        };
        assert_eq!(check(&[("content-type", "a/b")]), Ok(()));
        assert_eq!(check(&[("x-amz-copy-source", "/b/other")]), Err(SignatureError::UnsignedHeader("x-amz-*")));
        let without_host = headers(&[("authorization", &authorization("x-amz-date", "0"))]);
        let request = request("PUT", "/b/k", "", &without_host);
        let signature = AwsV4Signature::of(&request).unwrap().unwrap();
        assert_eq!(signature.check_headers(&request), Err(SignatureError::UnsignedHeader("host")));
    }

    #[test]
    fn either_date_counts_and_has_to_be_that_of_the_scope() {
        let signed = authorization("host", "0");
        let time = |pairs: &[(&'static str, &str)]| {
            let mut all = vec![("authorization", signed.as_str())];
            all.extend(pairs);
            let headers = headers(&all);
            let request = request("GET", "/", "", &headers);
            AwsV4Signature::of(&request).unwrap().unwrap().signed_at_ms(&request)
        };
        assert_eq!(time(&[("x-amz-date", "20130524T000001Z")]), Ok(1_369_353_601_000));
        assert_eq!(time(&[("date", "Fri, 24 May 2013 00:00:01 GMT")]), Ok(1_369_353_601_000));
        assert_eq!(time(&[("x-amz-date", "20130525T000000Z")]), Err(SignatureError::ScopeDate));
        assert_eq!(time(&[]), Err(SignatureError::InvalidTime("X-Amz-Date")));
    }

    #[test]
    fn incomplete_signatures_say_what_is_missing() {
        let of = |authorization: &str, query: &str| {
            let headers = headers(&[("authorization", authorization)]);
            AwsV4Signature::of(&request("GET", "/", query, &headers)).map(|found| found.is_some())
        };
        assert_eq!(of(&authorization("host", "0"), ""), Ok(true));
        assert_eq!(of("AWS AK:signature", ""), Ok(false));
        let odd_region =
            "AWS4-HMAC-SHA256 Credential=A/K/20130524/RegionOne/s3/aws4_request, SignedHeaders=host, Signature=0";
        assert_eq!(of(odd_region, ""), Ok(true));
        assert!(matches!(of("AWS4-HMAC-SHA512 Credential=x", ""), Err(SignatureError::Malformed(_))));
        for wrong in [
            "AWS4-HMAC-SHA256 Credential=AK/20130524/r/s3/aws4_request,SignedHeaders=host",
            "AWS4-HMAC-SHA256 Credential=AK/20130524/r/sts/aws4_request,SignedHeaders=host,Signature=0",
            "AWS4-HMAC-SHA256 Credential=/20130524/r/s3/aws4_request,SignedHeaders=host,Signature=0",
            "AWS4-HMAC-SHA256 Credential=20130524/r/s3/aws4_request,SignedHeaders=host,Signature=0",
            "AWS4-HMAC-SHA256 Credential=AK/20130524/r/s3/aws4_request,SignedHeaders=Host,Signature=0",
        ] {
            assert!(matches!(of(wrong, ""), Err(SignatureError::Malformed(_))), "{wrong}");
        }
        assert!(matches!(of("Basic x", "X-Amz-Signature=0&X-Amz-Date=1"), Err(SignatureError::Malformed(_))));
    }
}
