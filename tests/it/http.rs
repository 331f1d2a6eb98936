//! A plain HTTP/1.1 client that hides nothing: what is sent is what is written here, what came is kept byte for byte.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A request as it goes over the wire. `Host` and `Content-Length` are added when it is sent, unless they are there.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// An answer, its header names as they came.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn new(method: &str, target: &str) -> Request {
        Request { method: method.to_owned(), target: target.to_owned(), ..Request::default() }
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Request {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Request {
        self.body = body.into();
        self
    }

    pub fn json(self, body: &serde_json::Value) -> Request {
        self.header("Content-Type", "application/json").body(body.to_string())
    }

    /// The value of a header, in any case of its name.
    pub fn find(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// Sends the request on a connection of its own and reads the whole answer.
    pub fn send(&self, to: SocketAddr) -> Answer {
        let mut stream = TcpStream::connect(to).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout can be set");
        stream.write_all(&self.head(to)).expect("the request can be sent");
        // A server may refuse a body before it has read it.
        let _ = stream.write_all(&self.body);
        read_answer(&mut BufReader::new(stream), self.method == "HEAD")
    }

    /// Sends the headers that are here and no others, in this order: a request as somebody else's client wrote it.
    pub fn send_exactly(&self, to: SocketAddr) -> Answer {
        let mut stream = TcpStream::connect(to).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout can be set");
        let mut head = self.first_line();
        self.push_headers(&mut head);
        head.push_str("\r\n");
        stream.write_all(&[head.as_bytes(), &self.body].concat()).expect("the request can be sent");
        read_answer(&mut BufReader::new(stream), self.method == "HEAD")
    }

    fn first_line(&self) -> String {
        format!("{} {} HTTP/1.1\r\n", self.method, self.target)
    }

    fn push_headers(&self, head: &mut String) {
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }

    fn head(&self, to: SocketAddr) -> Vec<u8> {
        let mut head = self.first_line();
        if self.find("Host").is_none() {
            head.push_str(&format!("Host: {to}\r\n"));
        }
        self.push_headers(&mut head);
        let has_length = self.find("Content-Length").is_some() || self.find("Transfer-Encoding").is_some();
        if !has_length && (!self.body.is_empty() || self.method == "POST" || self.method == "PUT") {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("Connection: close\r\n\r\n");
        head.into_bytes()
    }
}

impl Answer {
    pub fn find(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("the answer is text")
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The answer, or the whole of it in the test's failure.
    #[track_caller]
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

pub fn read_answer(stream: &mut impl BufRead, is_head: bool) -> Answer {
    let mut line = String::new();
    stream.read_line(&mut line).expect("a status line");
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.unwrap_or_else(|| panic!("not a status line: {line:?}"));
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).expect("a header line");
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut body = Vec::new();
    let length = find(&headers, "Content-Length").and_then(|length| length.parse().ok());
    match length {
        _ if is_head || status == 204 || status == 304 => {}
        Some(length) => {
            body.resize(length, 0);
            stream.read_exact(&mut body).expect("as many bytes as Content-Length says");
        }
        None if find(&headers, "Transfer-Encoding") == Some("chunked") => read_chunks(stream, &mut body),
        None => {
            stream.read_to_end(&mut body).expect("the rest of the answer");
        }
    }
    Answer { status, headers, body }
}

fn read_chunks(stream: &mut impl BufRead, body: &mut Vec<u8>) {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).expect("a chunk's length");
        let length = usize::from_str_radix(line.trim(), 16).expect("a chunk's length is hexadecimal");
        let start = body.len();
        body.resize(start + length, 0);
        stream.read_exact(&mut body[start..]).expect("the whole chunk");
        stream.read_line(&mut line).expect("the end of the chunk");
        if length == 0 {
            return;
        }
    }
}
