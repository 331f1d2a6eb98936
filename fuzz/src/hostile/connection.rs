//! A connection that is used again as long as both sides let it.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// So long may an answer take. The server's own limit for heads and bodies that do not come is longer, and is not waited for.
const PATIENCE: Duration = Duration::from_secs(8);
/// No answer is longer.
const MAX_BYTES: usize = 16 << 20;

pub struct Connection {
    to: SocketAddr,
    stream: Option<TcpStream>,
    came: Vec<u8>,
}

/// An answer that came.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Vec<u8>,
}

impl Connection {
    pub fn new(to: SocketAddr) -> Connection {
        Connection { to, stream: None, came: Vec::new() }
    }

    /// Gives the connection up; the next request opens another.
    pub fn close(&mut self) {
        self.stream = None;
        self.came.clear();
    }

    /// Sends bytes, on a connection of their own if there is none.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            empty => {
                let stream = TcpStream::connect(self.to)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                stream.set_nodelay(true)?;
                empty.insert(stream)
            }
        };
        stream.write_all(bytes)
    }

    /// Says that no more comes: what is incomplete then is refused at once.
    pub fn finish(&mut self) {
        if let Some(stream) = &self.stream {
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
    }

    /// Reads one answer. An error when there is none to come, or what came is none.
    pub fn answer(&mut self, is_head: bool) -> Result<Answer> {
        loop {
            let answer = self.one_answer(is_head)?;
            if answer.status != 100 {
                return Ok(answer);
            }
        }
    }

    fn one_answer(&mut self, is_head: bool) -> Result<Answer> {
        let end = loop {
            if let Some(end) = self.came.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            self.more()?;
        };
        let head = String::from_utf8_lossy(&self.came[..end]).into_owned();
        self.came.drain(..end);
        let wrong = |what: &str| Error::new(ErrorKind::InvalidData, format!("{what}: {head}"));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok());
        let status: u16 = status.ok_or_else(|| wrong("no status line"))?;
        let mut headers = http::HeaderMap::new();
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let name = http::HeaderName::try_from(name).map_err(|_| wrong("a wrong header"))?;
            headers.append(name, http::HeaderValue::try_from(value.trim()).map_err(|_| wrong("a wrong header"))?);
        }
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let closes = text("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let length = text("content-length").and_then(|length| length.parse::<usize>().ok());
        let body = match length {
            _ if is_head || status < 200 || status == 204 || status == 304 => Vec::new(),
            Some(length) if length <= MAX_BYTES => self.exactly(length)?,
            Some(_) => return Err(wrong("a very long answer")),
            None if text("transfer-encoding") == Some("chunked") => self.chunks()?,
            None => self.rest()?,
        };
        if closes {
            self.close();
        }
        Ok(Answer { status, headers, body })
    }

    fn more(&mut self) -> Result<usize> {
        let stream = self.stream.as_mut().ok_or(ErrorKind::NotConnected)?;
        let mut piece = [0; 16 << 10];
        let length = stream.read(&mut piece)?;
        if length == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.came.extend_from_slice(&piece[..length]);
        match self.came.len() > MAX_BYTES {
            true => Err(Error::new(ErrorKind::InvalidData, "an answer without end")),
            false => Ok(length),
        }
    }

    fn exactly(&mut self, length: usize) -> Result<Vec<u8>> {
        while self.came.len() < length {
            self.more()?;
        }
        Ok(self.came.drain(..length).collect())
    }

    fn rest(&mut self) -> Result<Vec<u8>> {
        while self.more().is_ok() {}
        let body = std::mem::take(&mut self.came);
        self.close();
        Ok(body)
    }

    fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                match self.came.windows(2).position(|window| window == b"\r\n") {
                    Some(end) => break end,
                    None => drop(self.more()?),
                }
            };
            let line = self.exactly(end + 2)?;
            let digits = String::from_utf8_lossy(&line[..end]).into_owned();
            let wrong = || Error::new(ErrorKind::InvalidData, format!("no chunk: {digits}"));
            let length =
                usize::from_str_radix(&digits, 16).ok().filter(|length| *length <= MAX_BYTES).ok_or_else(wrong)?;
            let chunk = self.exactly(length + 2)?;
            body.extend_from_slice(&chunk[..length]);
            if length == 0 {
                return Ok(body);
            }
        }
    }
}
