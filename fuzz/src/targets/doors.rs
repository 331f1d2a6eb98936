//! Whole doors in this process: requests of the corpus, mutated, signed anew, sent. No answer is a failure of ours, and every
//! answer is well-formed in its own format.

use super::{Ground, Kind, Target, Verdict, holds, seeds, xml};
use crate::house::Answer;
use crate::request::Request;

type Wanted = fn(&Request) -> bool;

macro_rules! door {
    ($name:literal, $about:literal, $wanted:expr) => {
        Target {
            name: $name,
            about: $about,
            kind: Kind::Request,
            seeds: |ground| {
                let wanted: Wanted = $wanted;
                Ok(seeds(&ground.house()?.place.clone(), wanted))
            },
            check,
        }
    };
}

pub const TARGETS: &[Target] = &[
    door!("iotda", "IoTDA v5: queries and JSON bodies", |request| begins(request, "/v5/")),
    door!("iam", "token calls of IAM", |request| begins(request, "/v3/")),
    door!("rpc", "Alibaba RPC: parameters in queries and forms, JSON and XML answers", |request| begins(request, "/?")
        && request.find("host").is_some_and(|host| host.ends_with(b"8080"))),
    door!("form_upload", "multipart forms and their policies", |request| begins(request, "/oss")),
    door!("northbound", "northbound v1.5: forms, JSON and queries", |request| begins(request, "/iocm/")
        || begins(request, "/iodm/")),
    door!("objects", "the object door: keys, XML bodies, conditions, chunks", |request| {
        request.find("host").is_some_and(|host| host.ends_with(b"9000"))
    }),
    door!("own", "Otaru's own API", |request| begins(request, "/api/v1/") && !is_import(request)),
    door!("import", "lines of an import", is_import),
    door!("downloads", "links, ranges, conditions", |request| begins(request, "/ota/")),
];

fn begins(request: &Request, with: &str) -> bool {
    request.target.starts_with(with.as_bytes())
}

fn is_import(request: &Request) -> bool {
    begins(request, "/api/v1/packages/import")
}

fn check(ground: &mut Ground, input: &[u8]) -> Verdict {
    let Some(answer) = ground.house()?.send(Request::read(input)) else { return Ok("no request".to_owned()) };
    let text = String::from_utf8_lossy(&answer.body);
    // 501 is how S3 says that something is not offered.
    holds(answer.status < 500 || answer.status == 501, || format!("answered {}: {text}", answer.status))?;
    well_formed(&answer)
        .map_err(|problem| format!("an answer {} is not well-formed: {problem}: {text}", answer.status))?;
    // What is made anew each time has a code as well.
    let code = if answer.status < 400 { "" } else { code(&text) };
    Ok(format!("{} {code}", answer.status))
}

fn well_formed(answer: &Answer) -> Result<(), Box<dyn std::error::Error>> {
    let kind = answer.content_type.split(';').next().unwrap_or_default().trim();
    match kind {
        _ if answer.body.is_empty() => {}
        "application/json" | "application/problem+json" => {
            drop(serde_json::from_slice::<serde_json::Value>(&answer.body)?)
        }
        "application/x-ndjson" => {
            for line in answer.body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
                serde_json::from_slice::<serde_json::Value>(line)?;
            }
        }
        "application/xml" | "text/xml" => drop(xml::texts(&answer.body)?),
        _ => {}
    }
    Ok(())
}

/// The code of a refusal, in whichever words.
fn code(text: &str) -> &str {
    for name in ["\"error_code\":\"", "\"Code\":\"", "<Code>", "\"type\":\"", "\"code\":\""] {
        if let Some((_, rest)) = text.split_once(name) {
            return rest.split(['"', '<']).next().unwrap_or_default();
        }
    }
    ""
}
