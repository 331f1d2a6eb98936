//! The files of a new package: uploaded by form before, named here by URL (contract §4.2).

use std::collections::BTreeMap;

use otaru_core::app::{FileSource, NewFile};

use super::call::Call;
use super::error::{Failure, code};
use super::parameters::Member;
use super::{FORM_PATH, Settings, packages};

/// `SignMethod`: the digest that signatures are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignMethod {
    Md5,
    Sha256,
}

impl SignMethod {
    pub fn name(self) -> &'static str {
        match self {
            SignMethod::Md5 => "MD5",
            SignMethod::Sha256 => "SHA256",
        }
    }

    fn digits(self) -> usize {
        match self {
            SignMethod::Md5 => 32,
            SignMethod::Sha256 => 64,
        }
    }

    /// Whether `sign` can be a digest of this method.
    pub fn fits(self, sign: &str) -> bool {
        sign.len() == self.digits() && sign.bytes().all(|byte| byte.is_ascii_hexdigit())
    }
}

/// One file by `FirmwareUrl`, or up to twenty by `MultiFiles`.
pub async fn read(call: &Call<'_>) -> Result<Vec<NewFile>, Failure> {
    let method = match call.optional("SignMethod")? {
        Some("SHA256") => SignMethod::Sha256,
        _ => SignMethod::Md5,
    };
    let members = call.parameters.objects("MultiFiles")?;
    match (call.parameters.given("FirmwareUrl"), members.is_empty()) {
        (None, true) => Err(Failure::missing("FirmwareUrl")),
        (Some(_), false) => Err(Failure::business(
            code::INVALID_FORMATTED_PARAMETER,
            "The parameters FirmwareUrl and MultiFiles exclude each other.",
        )),
        (Some(url), true) => Ok(vec![single(call, url, method).await?]),
        (None, false) => several(call, &members, method).await,
    }
}

async fn single(call: &Call<'_>, url: &str, method: SignMethod) -> Result<NewFile, Failure> {
    let size = call.optional_integer("FirmwareSize")?;
    let sign = call.optional("FirmwareSign")?;
    let locator = locator(call.settings, url, "FirmwareUrl")?;
    Ok(NewFile {
        declared_bytes: size.and_then(|size| u64::try_from(size).ok()),
        declared_sign: checked_sign(call, &locator, sign, method, "FirmwareSign").await?,
        source: FileSource::Upload { locator },
        name: None,
        declared_md5: None,
    })
}

async fn several(call: &Call<'_>, members: &[Member<'_>], method: SignMethod) -> Result<Vec<NewFile>, Failure> {
    call.check_count("MultiFiles", members.len())?;
    let mut files = Vec::with_capacity(members.len());
    for (index, fields) in members {
        files.push(member(call, *index, fields, method).await?);
    }
    match packages::first_repeated(files.iter().filter_map(|file| file.name.as_deref())) {
        None => Ok(files),
        Some(name) => Err(Failure::business(
            code::INVALID_FORMATTED_PARAMETER,
            format!("The parameter MultiFiles.N.Name must be unique in the package: {name} occurs twice."),
        )),
    }
}

async fn member(
    call: &Call<'_>,
    index: u32,
    fields: &BTreeMap<&str, &str>,
    method: SignMethod,
) -> Result<NewFile, Failure> {
    let shown = |field: &str| format!("MultiFiles.{index}.{field}");
    let given = |field: &str| fields.get(field).copied().filter(|value| !value.is_empty());
    let required = |field: &str| given(field).ok_or_else(|| Failure::missing(&shown(field)));
    let checked = |field: &str| {
        given(field).map(|value| call.check_text(&format!("MultiFiles.{field}"), &shown(field), value)).transpose()
    };
    let (name, url) = (required("Name")?, required("Url")?);
    call.check_text("MultiFiles.Name", &shown("Name"), name)?;
    let size = given("Size").map(|size| call.check_integer("MultiFiles.Size", &shown("Size"), size)).transpose()?;
    let md5 = checked("FileMd5")?;
    let sign = checked("SignValue")?;
    let locator = locator(call.settings, url, &shown("Url"))?;
    Ok(NewFile {
        declared_bytes: size.and_then(|size| u64::try_from(size).ok()),
        declared_md5: md5.map(str::to_owned),
        declared_sign: checked_sign(call, &locator, sign, method, &shown("SignValue")).await?,
        source: FileSource::Upload { locator },
        name: Some(name.to_owned()),
    })
}

/// The upload that a URL of ours stands for, whatever query a client left on it.
fn locator(settings: &Settings, url: &str, field: &str) -> Result<String, Failure> {
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    let prefix = format!("{}{FORM_PATH}/", settings.public_url);
    bare.strip_prefix(&prefix).map(str::to_owned).ok_or_else(|| {
        let message = format!("The parameter {field} must be a FirmwareUrl that GenerateOTAUploadURL returned.");
        Failure::business(code::FILE_NOT_FOUND, message)
    })
}

/// The declared signature, which has to be one of the method. A package signed with SHA-256 always declares it, because the
/// declaration is what tells later which method was chosen.
async fn checked_sign(
    call: &Call<'_>,
    locator: &str,
    sign: Option<&str>,
    method: SignMethod,
    field: &str,
) -> Result<Option<String>, Failure> {
    match (sign, method) {
        (Some(sign), _) if method.fits(sign) => Ok(Some(sign.to_owned())),
        (Some(_), _) => Err(Failure::business(
            code::INVALID_FORMATTED_PARAMETER,
            format!(
                "The parameter {field} must be {} hexadecimal digits, a {} digest.",
                method.digits(),
                method.name()
            ),
        )),
        (None, SignMethod::Md5) => Ok(None),
        (None, SignMethod::Sha256) => {
            let upload = call.app.show_upload(call.caller, locator).await?;
            Ok(upload.complete.map(|bytes| bytes.sha256.to_string()))
        }
    }
}
