//! What a firmware team does before a test begins: a product, a package, a link.

use base64::Engine;
use serde_json::json;

use super::http::{Answer, Request};
use super::server::{ACCESS_KEY_ID, ACCESS_KEY_SECRET, Server};

/// A request of our own API, signed in.
pub fn signed(method: &str, target: &str) -> Request {
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{ACCESS_KEY_ID}:{ACCESS_KEY_SECRET}"));
    Request::new(method, target).header("Authorization", format!("Basic {pair}"))
}

/// Bytes of which no two kilobytes are alike.
pub fn firmware(size_bytes: usize) -> Vec<u8> {
    let mix = |at: usize| (at as u32).wrapping_mul(2_654_435_761);
    (0..size_bytes).map(|at| (mix(at) >> 24) as u8 ^ (mix(at >> 8) >> 16) as u8).collect()
}

/// A package that was made.
pub struct Package {
    pub id: String,
    pub sha256: String,
    /// Path and query of a link to its one file.
    pub link: String,
}

/// Makes the product `LAMP`, unless it is there, and a package of it.
pub fn publish(server: &Server, version: &str, bytes: &[u8]) -> Package {
    let made = server.send(&signed("POST", "/api/v1/products").json(&json!({ "name": "lamp", "code": "LAMP" })));
    assert!(matches!(made.status, 201 | 409), "{}", made.text());
    let target = format!("/api/v1/packages/push?product=LAMP&version={version}&file_name=lamp.bin");
    let package = server.send(&signed("POST", &target).body(bytes)).expect(201).json();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let id = text(&package["id"]);
    Package { link: link(server, &id), sha256: text(&package["files"][0]["sha256"]), id }
}

/// Path and query of a new link to a package's first file.
pub fn link(server: &Server, package: &str) -> String {
    let links = server.send(&signed("POST", &format!("/api/v1/packages/{package}/link"))).expect(200).json();
    let url = links["files"][0]["url"].as_str().unwrap();
    url[url.find("/ota/").unwrap()..].to_owned()
}

/// Waits until `found` finds something in what `look` sees.
pub fn await_in<T>(look: impl Fn() -> String, found: impl Fn(&str) -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let seen = look();
        if let Some(it) = found(&seen) {
            return it;
        }
        assert!(std::time::Instant::now() < deadline, "it does not come; there is:\n{seen}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// Whether an answer is plain text that says `part`.
#[track_caller]
pub fn says(answer: &Answer, part: &str) {
    assert_eq!(answer.find("Content-Type"), Some("text/plain; charset=utf-8"));
    assert!(answer.text().contains(part), "{}", answer.text());
}
