//! Parsers that live in the binary: the descriptor of a package on the sending side, and `X-Forwarded-For`.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use otaru_model::peer::Peer;

use super::{Ground, Kind, Target, Verdict, holds, lines};

#[path = "../../../src/cli/descriptor.rs"]
mod descriptor;
#[allow(dead_code, reason = "the binary's own file, of which the descriptor uses a part")]
#[path = "../../../src/cli/failure.rs"]
mod failure;
#[allow(dead_code, reason = "the binary's own file, of which only the header's reader is wanted here")]
#[path = "../../../src/requests/forwarded.rs"]
mod forwarded;

pub const TARGETS: &[Target] = &[
    Target {
        name: "descriptor",
        about: "descriptors of packages, alone and in archives",
        kind: Kind::Bytes,
        seeds: descriptors,
        check: read,
    },
    Target {
        name: "forwarded",
        about: "X-Forwarded-For",
        kind: Kind::Bytes,
        seeds: |_| {
            Ok(lines(&[
                "203.0.113.9",
                "203.0.113.9:80, 10.0.0.1",
                "[2001:db8::1]:443,10.1.1.1",
                "::ffff:10.0.0.2, x",
                "10.0.0.3",
            ]))
        },
        check: client,
    },
];

/// A place for the files that are read.
pub struct Files(tempfile::TempDir);

const TEXT: &str = r#"{"specVersion":"1.0","fileName":"a.bin","packageType":"softwarePackage","version":"V1.2","deviceType":"WaterMeter",
"manufacturerName":"Moth","model":1,"protocolType":"MQTT","description":"","date":"2026-11-21","supportSourceVersionList":["V1.0","V1.1"]}"#;

fn descriptors(_: &mut Ground) -> Result<Vec<Vec<u8>>, Box<dyn std::error::Error>> {
    let mut all = lines(&[TEXT, "{\"supportSourceVersionList\":\"a, b;c\"}", "\u{feff}{}"]);
    for method in [zip::CompressionMethod::Deflated, zip::CompressionMethod::Stored] {
        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        archive.start_file("DM/linux/UpgradeDesc.json", options)?;
        archive.write_all(TEXT.as_bytes())?;
        archive.start_file("other", options)?;
        archive.write_all(b"other")?;
        all.push(archive.finish()?.into_inner());
    }
    Ok(all)
}

fn read(ground: &mut Ground, input: &[u8]) -> Verdict {
    if ground.files.is_none() {
        ground.files = Some(Files(tempfile::tempdir().map_err(|error| error.to_string())?));
    }
    let Some(Files(folder)) = &ground.files else { return Err("there is no folder".to_owned()) };
    let path = folder.path().join("input");
    std::fs::write(&path, input).map_err(|error| error.to_string())?;
    let archive = descriptor::from_archive(&path);
    let alone = descriptor::from_file(&path);
    let length = alone.as_ref().map_or(0, |found| format!("{found:?}").len());
    holds(length <= 20 * input.len() + 1000, || format!("{length} bytes out of {}", input.len()))?;
    let archive = archive.map(|found| found.is_some()).map_err(|failure| failure.kind);
    Ok(format!("{archive:?} {:?}", alone.map(drop).map_err(|failure| failure.kind)))
}

fn client(_: &mut Ground, input: &[u8]) -> Verdict {
    let mut headers = HeaderMap::new();
    for line in input.split(|&byte| byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(HeaderName::from_static("x-forwarded-for"), value);
        }
    }
    let networks: Vec<forwarded::Network> =
        ["10.0.0.0/8", "fd00::/8"].iter().filter_map(|text| text.parse().ok()).collect();
    let trusted = forwarded::Networks::new(&networks);
    let seen = |nearest: [u8; 4]| {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::from(nearest)), 4711);
        let mut extensions = Extensions::new();
        extensions.insert(Peer { address, encrypted: false, certificate: None });
        trusted.peer(&headers, &mut extensions)
    };
    let stranger = [203, 0, 113, 1];
    let ours = seen(stranger);
    holds(ours == Some(IpAddr::from(stranger)), || format!("a stranger was believed to be {ours:?}"))?;
    let behind = seen([10, 0, 0, 1]).ok_or("a peer has no address")?;
    let text = String::from_utf8_lossy(input);
    let text: Result<forwarded::Network, String> = text.trim().parse();
    if let Ok(network) = text {
        let written = network.to_string();
        holds(written.parse() == Ok(network), || format!("{written} does not read back"))?;
    }
    Ok(format!("{} {}", behind.is_ipv4(), trusted.contain(behind)))
}
