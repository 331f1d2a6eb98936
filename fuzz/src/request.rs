//! A request as bytes, before anybody has judged whether it is one: read from text, taken apart, mutated part by part, written.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::mutate::mutate;
use crate::random::Random;

/// A header of the corpus only, never sent: by which scheme the request is signed, and so whether it is signed after it was
/// mutated.
pub const SIGN: &[u8] = b"fuzz-sign";
/// Another: which listener the request is for.
pub const DOOR: &[u8] = b"fuzz-door";

/// The parts of a request, each any bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    pub method: Vec<u8>,
    pub target: Vec<u8>,
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn new(method: &str, target: &str) -> Request {
        Request { method: method.into(), target: target.into(), ..Request::default() }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Request {
        self.headers.push((name.into(), value.into()));
        self
    }

    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Request {
        self.body = body.into();
        self
    }

    /// Reads what [`Self::write`] wrote, and anything else as far as it goes.
    pub fn read(bytes: &[u8]) -> Request {
        let end = find(bytes, b"\r\n\r\n").unwrap_or(bytes.len());
        let head = &bytes[..end];
        let first = find(head, b"\r\n").unwrap_or(head.len());
        let mut words = head[..first].splitn(2, |&byte| byte == b' ');
        let method = words.next().unwrap_or_default().to_vec();
        let rest = words.next().unwrap_or_default();
        let target = rest.strip_suffix(b" HTTP/1.1").unwrap_or(rest).to_vec();
        let mut headers = Vec::new();
        let mut lines = head.get(first + 2..).unwrap_or_default();
        while !lines.is_empty() {
            let line_end = find(lines, b"\r\n").unwrap_or(lines.len());
            let line = &lines[..line_end];
            let colon = line.iter().position(|&byte| byte == b':').unwrap_or(line.len());
            let value = line.get(colon + 1..).unwrap_or_default();
            headers.push((line[..colon].to_vec(), value.strip_prefix(b" ").unwrap_or(value).to_vec()));
            lines = lines.get(line_end + 2..).unwrap_or_default();
        }
        Request { method, target, headers, body: bytes.get(end + 4..).unwrap_or_default().to_vec() }
    }

    /// The request as it goes over the wire. The length of the body is told unless a header does already.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512 + self.body.len());
        for part in [&self.method[..], b" ", &self.target, b" HTTP/1.1\r\n"] {
            out.extend_from_slice(part);
        }
        for (name, value) in &self.headers {
            for part in [&name[..], b": ", value, b"\r\n"] {
                out.extend_from_slice(part);
            }
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
        out
    }

    /// Tells the length of the body, unless the request does already.
    pub fn tell_length(&mut self) {
        let has_body = !self.body.is_empty() || self.method == b"POST" || self.method == b"PUT";
        if has_body && self.find("content-length").is_none() && self.find("transfer-encoding").is_none() {
            self.headers.push((b"Content-Length".to_vec(), self.body.len().to_string().into_bytes()));
        }
    }

    pub fn find(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| &value[..])
    }

    pub fn remove(&mut self, name: &str) {
        self.headers.retain(|(found, _)| !found.eq_ignore_ascii_case(name.as_bytes()));
    }

    pub fn set(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.remove(name);
        self.headers.push((name.into(), value.into()));
    }

    /// Takes a corpus header out.
    pub fn take(&mut self, name: &[u8]) -> Option<String> {
        let at = self.headers.iter().position(|(found, _)| found == name)?;
        Some(String::from_utf8_lossy(&self.headers.remove(at).1).into_owned())
    }

    /// The path and the query, as text.
    pub fn path_and_query(&self) -> (String, String) {
        let target = String::from_utf8_lossy(&self.target).into_owned();
        match target.split_once('?') {
            Some((path, query)) => (path.to_owned(), query.to_owned()),
            None => (target, String::new()),
        }
    }

    /// The headers that a server could have taken in; the others no parser behind it ever sees.
    pub fn header_map(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
                map.append(name, value);
            }
        }
        map
    }

    /// The request as the routers get it, if a server could have taken it in.
    pub fn into_http<B>(mut self, body: impl FnOnce(Vec<u8>) -> B) -> Option<http::Request<B>> {
        let body = body(std::mem::take(&mut self.body));
        let uri = http::Uri::try_from(self.target.clone()).ok()?;
        let mut request = http::Request::builder().method(&self.method[..]).uri(uri).body(body).ok()?;
        *request.headers_mut() = self.header_map();
        Some(request)
    }

    /// Changes some parts of it, each in its own way; `other` lends headers and pieces.
    pub fn mutate(&mut self, random: &mut Random, other: &Request) {
        for _ in 0..1 + random.below(2) {
            match random.below(16) {
                0 => mutate(random, &mut self.method, &other.method),
                1 => {
                    const METHODS: [&str; 9] =
                        ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "TRACE", "CONNECT"];
                    self.method = random.pick(&METHODS).copied().unwrap_or("GET").into();
                }
                2..=5 => mutate(random, &mut self.target, &other.target),
                6 => self.repeat_parameter(random),
                7..=9 => self.mutate_header(random, other),
                10 => self.repeat_header(random, other),
                _ if self.body.is_empty() && random.one_in(2) => self.body.clone_from(&other.body),
                _ => mutate(random, &mut self.body, &other.body),
            }
        }
    }

    fn repeat_parameter(&mut self, random: &mut Random) {
        let start = self.target.iter().position(|&byte| byte == b'?').map_or(self.target.len(), |at| at + 1);
        let pairs: Vec<Vec<u8>> = self.target[start..].split(|&byte| byte == b'&').map(<[u8]>::to_vec).collect();
        let Some(pair) = random.pick(&pairs) else { return };
        let times = if random.one_in(16) { 1 + random.below(2000) } else { 1 };
        for _ in 0..times {
            self.target.push(if start == self.target.len() { b'?' } else { b'&' });
            self.target.extend_from_slice(pair);
        }
    }

    fn mutate_header(&mut self, random: &mut Random, other: &Request) {
        let at = random.below(self.headers.len());
        let Some((name, value)) = self.headers.get_mut(at).filter(|(name, _)| name != SIGN && name != DOOR) else {
            return;
        };
        let lent = random.pick(&other.headers).cloned().unwrap_or_default();
        match random.one_in(4) {
            true => mutate(random, name, &lent.0),
            false => mutate(random, value, &lent.1),
        }
        // What ends a header's line would only make another header.
        for part in [name, value] {
            part.retain(|&byte| byte != b'\n' && byte != b'\r');
        }
    }

    fn repeat_header(&mut self, random: &mut Random, other: &Request) {
        let from = if random.one_in(2) { &other.headers } else { &self.headers };
        let Some(header) = random.pick(from).filter(|(name, _)| name != SIGN && name != DOOR).cloned() else { return };
        let times = if random.one_in(16) { 1 + random.below(150) } else { 1 };
        self.headers.extend(std::iter::repeat_n(header, times));
    }
}

fn find(within: &[u8], what: &[u8]) -> Option<usize> {
    within.windows(what.len()).position(|window| window == what)
}
