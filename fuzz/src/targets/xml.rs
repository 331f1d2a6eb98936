//! XML that goes out: whatever a key is called, it comes back out of a listing.

use std::error::Error;

use otaru_northbound::wire::percent::{encode, push_encoded_path};
use quick_xml::Reader;
use quick_xml::events::Event;

use super::{Ground, Kind, Target, Verdict, holds, lines};
use crate::corpus::BUCKET;
use crate::house::Answer;
use crate::request::Request;

pub const TARGETS: &[Target] = &[Target {
    name: "xml_out",
    about: "listings of objects with any name",
    kind: Kind::Bytes,
    seeds: |_| {
        Ok(lines(&[
            "lamp.bin",
            "a/b/<c>&amp;\"'.bin",
            "升级 包]]>.bin",
            "a\tb\u{1}c",
            "x\u{fffe}\u{7f}",
            "line\r\nbreak",
        ]))
    },
    check,
}];

/// Texts of an XML document by the path of their elements.
pub fn texts(body: &[u8]) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let text = std::str::from_utf8(body)?;
    if let Some(wrong) = text.chars().find(|&letter| !is_xml(letter)) {
        return Err(format!("{wrong:?} stands in it, which no XML may have").into());
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let (mut path, mut found) = (Vec::<String>::new(), Vec::<(String, String)>::new());
    let mut add = |path: &[String], text: &str| {
        let path = path.join("/");
        match found.last_mut().filter(|(last, _)| *last == path && !text.is_empty()) {
            Some((_, before)) => before.push_str(text),
            None => found.push((path, text.to_owned())),
        }
    };
    loop {
        match reader.read_event()? {
            Event::Start(element) => {
                path.push(element.name().as_ref().to_owned());
                add(&path, "");
            }
            Event::End(_) => drop(path.pop()),
            Event::Text(piece) => add(&path, &piece.xml10_content()),
            Event::GeneralRef(reference) => {
                let name: &str = &reference;
                let letter = match reference.resolve_char_ref()? {
                    Some(letter) => letter.to_string(),
                    None => quick_xml::escape::resolve_xml_entity(name).ok_or("an unknown entity")?.to_owned(),
                };
                if let Some(wrong) = letter.chars().find(|&letter| !is_xml(letter)) {
                    return Err(format!("{wrong:?} is referred to, which no XML may have").into());
                }
                add(&path, &letter);
            }
            Event::Eof if path.is_empty() => return Ok(found),
            Event::Eof => return Err("the document ends before its elements".into()),
            _ => {}
        }
    }
}

/// What XML 1.0 lets stand in a document (section 2.2).
fn is_xml(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn check(ground: &mut Ground, input: &[u8]) -> Verdict {
    let name: String = String::from_utf8_lossy(input).chars().take(300).collect();
    let mut path = format!("/{BUCKET}/x/");
    push_encoded_path(&mut path, name.as_bytes());
    let mut send = |method: &str, target: &str, body: &str| -> Result<Answer, String> {
        let request = Request::new(method, target).body(body).header("Host", "127.0.0.1:9000");
        let request = request.header("fuzz-door", "objects").header("fuzz-sign", "aws2");
        ground.house()?.send(request).ok_or_else(|| format!("{method} {target} is no request"))
    };
    let put = send("PUT", &path, "bytes")?;
    if put.status != 200 {
        holds(put.status < 500, || format!("PUT {path} was answered {}", put.status))?;
        return Ok(format!("{}", put.status));
    }
    let key = format!("x/{name}");
    let listed = send("GET", &format!("/{BUCKET}?prefix={}&max-keys=2", encode(&key)), "")?;
    let body = String::from_utf8_lossy(&listed.body).into_owned();
    holds(listed.status == 200, || format!("the list of {key:?} was answered {}: {body}", listed.status))?;
    let texts = texts(&listed.body).map_err(|error| format!("{error}: {body}"))?;
    let has = |path: &str, text: &str| texts.iter().any(|(at, found)| at == path && found == text);
    holds(has("ListBucketResult/Prefix", &key), || format!("the prefix {key:?} came back otherwise: {body}"))?;
    holds(has("ListBucketResult/Contents/Key", &key), || format!("{key:?} is not in its list: {body}"))?;
    let gone = send("DELETE", &path, "")?;
    holds(gone.status == 204, || format!("DELETE {path} was answered {}", gone.status))?;
    Ok("listed".to_owned())
}
