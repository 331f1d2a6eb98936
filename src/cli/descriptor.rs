//! Descriptors: what an archive or a file beside it says of a package. Read on this side, so the server sees plain members.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::failure::{Failure, file};

/// Where device management archives keep theirs.
const IN_ARCHIVE: &str = "DM/linux/UpgradeDesc.json";
const MAX_BYTES: u64 = 1 << 20;

/// What a descriptor says, in the words of the API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    pub version: Option<String>,
    pub module: Option<String>,
    pub description: Option<String>,
    pub device_type: Option<String>,
    pub model: Option<String>,
    pub manufacturer: Option<String>,
    pub protocol: Option<String>,
    pub date: Option<String>,
    pub source_versions: Vec<String>,
}

/// Reads a descriptor file.
pub fn from_file(path: &Path) -> Result<Descriptor, Failure> {
    let mut opened = File::open(path).map_err(|error| file(path, &error))?;
    read(&mut opened, &path.display().to_string())
}

/// Reads the descriptor inside a zip archive; nothing if the file is none, or has none.
pub fn from_archive(path: &Path) -> Result<Option<Descriptor>, Failure> {
    let opened = File::open(path).map_err(|error| file(path, &error))?;
    let Ok(mut archive) = zip::ZipArchive::new(std::io::BufReader::new(opened)) else { return Ok(None) };
    match archive.by_name(IN_ARCHIVE) {
        Ok(mut entry) => read(&mut entry, &format!("{} in {}", IN_ARCHIVE, path.display())).map(Some),
        Err(zip::result::ZipError::FileNotFound) => Ok(None),
        Err(error) => Err(Failure::usage(format!("{IN_ARCHIVE} in {} cannot be read: {error}", path.display()))),
    }
}

fn read(from: &mut impl Read, name: &str) -> Result<Descriptor, Failure> {
    let mut text = String::new();
    from.take(MAX_BYTES).read_to_string(&mut text).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
    // Editors on some systems put a byte order mark before the first brace.
    parse(text.trim_start_matches('\u{feff}')).map_err(|problem| Failure::usage(format!("{name}: {problem}")))
}

fn parse(text: &str) -> Result<Descriptor, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    let members = value.as_object().ok_or("not a JSON object")?;
    let member = |name: &str| match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(format!("{name} must be a text")),
    };
    let module = match member("packageType")?.as_deref() {
        None => None,
        Some("firmwarePackage") => Some("firmware".to_owned()),
        Some("softwarePackage") => Some("software".to_owned()),
        Some(other) => return Err(format!("packageType must be firmwarePackage or softwarePackage, not {other}")),
    };
    let source_versions = match members.get("supportSourceVersionList") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(versions)) => versions
            .iter()
            .map(|version| {
                version.as_str().map(str::to_owned).ok_or("supportSourceVersionList must be a list of texts")
            })
            .collect::<Result<_, _>>()?,
        Some(Value::String(text)) => {
            text.split([',', ';']).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect()
        }
        Some(_) => return Err("supportSourceVersionList must be a list of texts".to_owned()),
    };
    Ok(Descriptor {
        version: member("version")?,
        module,
        description: member("description")?,
        device_type: member("deviceType")?,
        model: member("model")?,
        manufacturer: member("manufacturerName")?,
        protocol: member("protocolType")?,
        date: member("date")?,
        source_versions,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const TEXT: &str = r#"{"specVersion":"1.0","fileName":"a.bin","packageType":"softwarePackage","version":"V1.2",
        "deviceType":"WaterMeter","manufacturerName":"Moth","model":"M1","protocolType":"MQTT","description":"",
        "date":"2026-11-21","supportSourceVersionList":["V1.0","V1.1"]}"#;

    #[test]
    fn a_descriptor_is_found_in_its_archive() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zip");
        let mut archive = zip::ZipWriter::new(File::create(&path).unwrap());
        let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        archive.start_file(IN_ARCHIVE, options).unwrap();
        archive.write_all(format!("\u{feff}{TEXT}").as_bytes()).unwrap();
        archive.finish().unwrap();
        let found = from_archive(&path).unwrap().unwrap();
        assert_eq!(found.version.as_deref(), Some("V1.2"));
        assert_eq!((found.module.as_deref(), found.description.as_deref()), (Some("software"), None));
        assert_eq!(found.source_versions, ["V1.0", "V1.1"]);
    }

    #[test]
    fn other_files_have_no_descriptor() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        std::fs::write(&path, b"PK is how it begins, and no more").unwrap();
        assert_eq!(from_archive(&path).unwrap(), None);
    }

    #[test]
    fn wrong_descriptors_are_refused_with_a_reason() {
        for (text, reason) in [
            ("", "not JSON"),
            ("[]", "not a JSON object"),
            ("{\"version\":[]}", "version must be a text"),
            ("{\"packageType\":\"other\"}", "packageType must be"),
            ("{\"supportSourceVersionList\":[1]}", "supportSourceVersionList must be"),
        ] {
            assert!(parse(text).unwrap_err().contains(reason), "{text}");
        }
    }
}
