//! The tenant that nobody touches: what it has before is what it has to have after.

use std::error::Error;

use serde_json::Value;

use super::connection::{Answer, Connection};
use super::server::{KEY_ID, SECRET, Server};
use crate::request::Request;
use crate::sign::{Keys, sign};

pub struct Control {
    keys: Keys,
    before: Vec<(String, String)>,
}

/// What is looked at. Links differ in their signatures, so the bytes are compared by what the server says their digest is.
const LOOKED_AT: [&str; 7] = [
    "/api/v1/tenant",
    "/api/v1/keys",
    "/api/v1/spaces",
    "/api/v1/products",
    "/api/v1/products/CONTROL/modules",
    "/api/v1/packages",
    "/control-bucket?list-type=2",
];

impl Control {
    /// Makes the tenant and all that it has.
    pub fn make(server: &Server) -> Result<Control, Box<dyn Error>> {
        let first = Keys { id: KEY_ID.to_owned(), secret: SECRET.to_owned(), ..Keys::default() };
        let made = call(server, &first, json("POST", "/api/v1/tenants", r#"{"name":"control"}"#))?;
        let made: Value = serde_json::from_slice(&made.body)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let keys = Keys { id: text(&made["key"]["id"]), secret: text(&made["key"]["secret"]), ..Keys::default() };
        call(server, &keys, json("POST", "/api/v1/products", r#"{"name":"control","code":"CONTROL"}"#))?;
        let module = json("POST", "/api/v1/products/CONTROL/modules", r#"{"name":"bms"}"#);
        call(server, &keys, module)?;
        for version in 1..=3 {
            let target = format!("/api/v1/packages/push?product=CONTROL&version={version}&file_name=a.bin");
            call(server, &keys, Request::new("POST", &target).body(format!("bytes of {version}")))?;
        }
        call(server, &keys, Request::new("PUT", "/control-bucket"))?;
        call(server, &keys, Request::new("PUT", "/control-bucket/key").body("bytes"))?;
        let before = look(server, &keys)?;
        Ok(Control { keys, before })
    }

    /// What has changed, in words; nothing if all is as it was.
    pub fn changes(&self, server: &Server) -> Result<Vec<String>, Box<dyn Error>> {
        let after = look(server, &self.keys)?;
        let pairs = self.before.iter().zip(&after).filter(|(before, after)| before != after);
        Ok(pairs.map(|(before, after)| format!("{} was {} and is {}", before.0, before.1, after.1)).collect())
    }
}

fn json(method: &str, target: &str, body: &str) -> Request {
    Request::new(method, target).header("Content-Type", "application/json").body(body)
}

fn look(server: &Server, keys: &Keys) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let mut seen = Vec::new();
    for target in LOOKED_AT {
        let answer = call(server, keys, Request::new("GET", target))?;
        seen.push((target.to_owned(), String::from_utf8_lossy(&answer.body).into_owned()));
    }
    let packages: Value = serde_json::from_str(&seen[5].1)?;
    for package in packages["items"].as_array().into_iter().flatten() {
        let target = format!("/api/v1/packages/{}/verify", package["id"].as_str().unwrap_or_default());
        let answer = call(server, keys, Request::new("POST", &target))?;
        seen.push((target, String::from_utf8_lossy(&answer.body).into_owned()));
    }
    Ok(seen)
}

fn call(server: &Server, keys: &Keys, mut request: Request) -> Result<Answer, Box<dyn Error>> {
    let is_own = request.target.starts_with(b"/api/");
    let to = if is_own { server.http } else { server.objects };
    request.set("Host", to.to_string());
    let now_ms = otaru_core::clock::Clock::system().now_ms();
    sign(&mut request, if is_own { "basic" } else { "aws2" }, keys, now_ms, 0);
    request.tell_length();
    let mut connection = Connection::new(to);
    connection.send(&request.write())?;
    let answer = connection.answer(false)?;
    let asked = String::from_utf8_lossy(&request.target).into_owned();
    match answer.status {
        200..300 => Ok(answer),
        status => Err(format!(
            "{asked} of the control tenant was answered {status}: {}",
            String::from_utf8_lossy(&answer.body)
        )
        .into()),
    }
}
