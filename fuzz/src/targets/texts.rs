//! Escapes, queries, times, JSON, ranges and what else is text in a head.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use otaru_northbound::wire::canonical::push_canonical_query;
use otaru_northbound::wire::json::read_object;
use otaru_northbound::wire::percent::{
    Text, decode_form, decode_path, encode, parse_pairs, push_encoded, push_encoded_path,
};
use otaru_northbound::wire::time::TimeFormat;
use otaru_southbound::download::{MAX_RANGES, Plan, Requested, attachment, parse_range, plan};
use serde_json::Value;

use super::{Ground, Kind, Target, Verdict, holds, kind_of, lines, seeds};
use crate::corpus::Place;
use crate::request::Request;

pub const TARGETS: &[Target] = &[
    Target {
        name: "percent",
        about: "escapes and paths",
        kind: Kind::Bytes,
        seeds: |_| Ok(lines(&["/a%20b/%E5%8D%87%2F%zz%", "a+b%2B%7e~", "/ota/%F0%9F%98%80/..%2f..", "%25%32%35"])),
        check: percent,
    },
    Target { name: "query", about: "queries and forms", kind: Kind::Bytes, seeds: queries, check: query },
    Target {
        name: "times",
        about: "the times of signatures",
        kind: Kind::Bytes,
        seeds: |_| {
            Ok(lines(&[
                "20261118T010203Z",
                "2026-11-18T01:02:03Z",
                "2026-11-18T01:02:03.004Z",
                "2026-11-18T01:02:03.004005Z",
                "Wed, 18 Nov 2026 01:02:03 GMT",
                "2026-11-18 01:02:03",
                "2028-02-29T23:59:60Z",
            ]))
        },
        check: times,
    },
    Target { name: "json", about: "JSON bodies, read strictly", kind: Kind::Bytes, seeds: bodies, check: json },
    Target {
        name: "ranges",
        about: "Range",
        kind: Kind::Bytes,
        seeds: |_| {
            Ok(lines(&[
                "9:bytes=0-3",
                "1000:bytes=-5,7-",
                "18446744073709551615:bytes=0-1,3-4,9-",
                "0:bytes=0-",
                "7:bytes= 1-2 ,,3-3",
            ]))
        },
        check: ranges,
    },
    Target {
        name: "conditions",
        about: "If-Match, If-None-Match, If-Range and their kin",
        kind: Kind::Request,
        seeds: |_| {
            Ok(seeds(&place(), |request| {
                request.target.starts_with(b"/ota/") || request.find("if-none-match").is_some()
            }))
        },
        check: conditions,
    },
    Target {
        name: "file_names",
        about: "Content-Disposition of downloads",
        kind: Kind::Bytes,
        seeds: |_| Ok(lines(&["lamp.bin", "a b\"c\\d.bin", "升级 包.bin", "../../etc/passwd", "a\r\nSet-Cookie: b"])),
        check: file_names,
    },
];

fn place() -> Place {
    Place { link: "/ota/x".to_owned(), ..Place::default() }
}

fn percent(_: &mut Ground, input: &[u8]) -> Verdict {
    let mut escaped = String::new();
    push_encoded(&mut escaped, input);
    holds(escaped.len() <= 3 * input.len(), || "escaping grew beyond three bytes for one".to_owned())?;
    holds(*decode_form(escaped.as_bytes()) == *input, || format!("{escaped} does not read back as a form's text"))?;
    holds(*decode_path(escaped.as_bytes()) == *input, || format!("{escaped} does not read back as a path"))?;
    let meant = decode_path(input);
    let mut path = String::new();
    push_encoded_path(&mut path, &meant);
    holds(decode_path(path.as_bytes()) == meant, || format!("{path} is another path"))?;
    holds(decode_path(input).len() <= input.len(), || "unescaping grew".to_owned())?;
    Ok(format!("{}", meant.len() == input.len()))
}

fn queries(_: &mut Ground) -> Result<Vec<Vec<u8>>, Box<dyn std::error::Error>> {
    let queries =
        crate::corpus::requests(&place()).iter().map(|request| request.path_and_query().1.into_bytes()).collect();
    Ok(queries)
}

fn query(_: &mut Ground, input: &[u8]) -> Verdict {
    let (strict, lossy) = (parse_pairs(input, Text::Strict), parse_pairs(input, Text::Lossy));
    let lossy = lossy.map_err(|error| format!("replacing what is not UTF-8 failed: {error}"))?;
    let text = String::from_utf8_lossy(input);
    let mut canonical = String::new();
    push_canonical_query(&mut canonical, &text);
    let mut again = String::new();
    push_canonical_query(&mut again, &canonical);
    holds(again == canonical, || format!("{canonical} is not its own canonical query"))?;
    let Ok(pairs) = strict else { return Ok("not UTF-8".to_owned()) };
    holds(pairs == lossy, || "one reading of a query is another than the other".to_owned())?;
    let written: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    let read = parse_pairs(written.join("&").as_bytes(), Text::Strict);
    holds(read.as_ref() == Ok(&pairs), || format!("{pairs:?} reads back as {read:?}"))?;
    Ok(format!("{}", pairs.len().min(20)))
}

fn times(_: &mut Ground, input: &[u8]) -> Verdict {
    let text = String::from_utf8_lossy(input);
    let mut known = String::new();
    for format in [
        TimeFormat::Compact,
        TimeFormat::Seconds,
        TimeFormat::Millis,
        TimeFormat::Micros,
        TimeFormat::Http,
        TimeFormat::Dashed,
    ] {
        let Some(at_ms) = format.parse(&text) else { continue };
        let written = format.format(at_ms);
        let is_cut = matches!(format, TimeFormat::Micros);
        holds(is_cut || written == text, || format!("{text} was read as {written}"))?;
        holds(format.parse(&written) == Some(at_ms), || format!("{written} does not read back"))?;
        known.push_str(&format!("{format:?}"));
    }
    Ok(known)
}

fn bodies(_: &mut Ground) -> Result<Vec<Vec<u8>>, Box<dyn std::error::Error>> {
    let all = crate::corpus::requests(&place());
    let mut bodies: Vec<_> =
        all.into_iter().map(|request| request.body).filter(|body| body.starts_with(b"{")).collect();
    bodies.extend(lines(&[
        "{\"a\":[[[[[[[[[[[[[[1]]]]]]]]]]]]]]}",
        "{\"a\":1e308,\"b\":-0,\"c\":\"\\ud83d\\ude00\"}",
        "{\"a\":{\"a\":1,\"b\":2}}",
    ]));
    Ok(bodies)
}

fn json(_: &mut Ground, input: &[u8]) -> Verdict {
    let plain = serde_json::from_slice::<Value>(input);
    let members = match read_object(input, 16) {
        Ok(members) => members,
        Err(error) => {
            let is_plain = plain.is_ok();
            return Ok(format!("{} {is_plain}", kind_of(&error)));
        }
    };
    let ours = Value::Object(members);
    holds(plain.as_ref().is_ok_and(|plain| *plain == ours), || {
        format!("read as {ours}, which is not what stands there")
    })?;
    let written = serde_json::to_vec(&ours).map_err(|error| error.to_string())?;
    let again = read_object(&written, 16).map(Value::Object);
    holds(again.as_ref().is_ok_and(|again| is_same(again, &ours)), || format!("{ours} reads back as {again:?}"))?;
    Ok("an object".to_owned())
}

/// The same, but for the last digit of a fraction: the parser takes the quick way to it, and no member of ours is one.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| a.0 == b.0 && is_same(a.1, b.1))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| is_same(a, b))
        }
        (Value::Number(one), Value::Number(other)) if one.is_f64() && other.is_f64() => {
            let (one, other) = (one.as_f64().unwrap_or_default(), other.as_f64().unwrap_or_default());
            (one - other).abs() <= one.abs() * 1e-15
        }
        _ => one == other,
    }
}

fn ranges(_: &mut Ground, input: &[u8]) -> Verdict {
    let text = String::from_utf8_lossy(input);
    let (size, header) = text.split_once(':').unwrap_or(("1000", &text));
    let size_bytes: u64 = size.parse().unwrap_or(1000);
    match parse_range(header, size_bytes) {
        Requested::Parts(parts) => {
            holds(!parts.is_empty() && parts.len() <= MAX_RANGES, || format!("{} ranges", parts.len()))?;
            let fits = parts.iter().all(|part| part.start < part.end && part.end <= size_bytes);
            holds(fits, || format!("{parts:?} of {size_bytes} bytes"))?;
            let written: Vec<String> = parts.iter().map(|part| format!("{}-{}", part.start, part.end - 1)).collect();
            let again = parse_range(&format!("bytes={}", written.join(",")), size_bytes);
            holds(again == Requested::Parts(parts.clone()), || format!("{parts:?} reads back as {again:?}"))?;
            Ok(format!("{} parts", parts.len()))
        }
        other => Ok(format!("{other:?}")),
    }
}

fn conditions(_: &mut Ground, input: &[u8]) -> Verdict {
    let request = Request::read(input);
    let method = Method::from_bytes(&request.method).unwrap_or(Method::GET);
    let mut headers = request.header_map();
    // Half of what the corpus says stands in another header; here it also stands where this reads.
    for (at, (_, value)) in request.headers.iter().enumerate() {
        const NAMES: [&str; 6] =
            ["if-match", "if-none-match", "if-range", "range", "if-modified-since", "if-unmodified-since"];
        if let (Ok(value), Some(name)) = (HeaderValue::from_bytes(value), NAMES.get(at % 9)) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    let planned = |headers: &HeaderMap| plan(&method, headers, 1000, "\"x\"", Some("Sat, 22 Nov 2025 10:00:00 GMT"));
    let outcome = planned(&headers);
    if let Plan::Parts(parts) = &outcome {
        holds(parts.iter().all(|part| part.start < part.end && part.end <= 1000), || {
            format!("{parts:?} of 1000 bytes")
        })?;
    }
    Ok(outcome.status().to_string())
}

fn file_names(_: &mut Ground, input: &[u8]) -> Verdict {
    let name = String::from_utf8_lossy(input);
    let text = attachment(&name);
    let is_clean = text.as_bytes().iter().all(|&byte| byte == b'\t' || (0x20..0x7f).contains(&byte));
    holds(is_clean, || format!("{text:?} is no header's value"))?;
    holds(text.starts_with("attachment"), || format!("{text:?}"))?;
    Ok(format!("{}", text.as_bytes().contains(&b'*')))
}
