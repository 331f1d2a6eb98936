//! `GenerateOTAUploadURL`: room for one file, and the form that uploads it (contract §4.1, §9).

use otaru_core::app::NewUpload;
use otaru_core::clock::random;

use super::answer::Record;
use super::call::Call;
use super::error::Failure;
use super::policy::Policy;
use super::shapes::utc;
use super::{DOOR, FORM_PATH};
use crate::wire::oss_v1;

/// The server's key pair that signs policies.
pub const FORM_KEY: &str = "aliyun forms";

pub async fn generate(call: &Call<'_>) -> Result<Record<'static>, Failure> {
    let suffix = call.optional("FileSuffix")?.unwrap_or("bin");
    let file_name = format!("{}.{suffix}", hex_text().to_ascii_uppercase());
    let key = format!("ota/{}/{file_name}", hex_text());
    let new = NewUpload {
        door: DOOR,
        locator: key.clone(),
        file_name,
        declared_bytes: None,
        max_bytes: call.settings.max_file_bytes,
        open_ms: call.settings.form_lifetime_ms,
        lifetime_ms: call.settings.object_lifetime_ms,
    };
    let upload = call.app.create_upload(call.caller, new).await?;
    let policy = Policy { expires_ms: upload.open_until_ms, key: key.clone(), max_bytes: upload.max_bytes }.write();
    let (key_id, secret) = call.app.service_key(FORM_KEY);
    let host = format!("{}{FORM_PATH}", call.settings.public_url);
    let data = Record::new()
        .with("Key", key.as_str())
        .with("OSSAccessKeyId", key_id)
        .with("Signature", oss_v1::post_signature(secret.expose(), &policy))
        .with("Host", host.as_str())
        .with("Policy", policy)
        .with("ObjectStorage", "OSS")
        .with("FirmwareUrl", format!("{host}/{key}"))
        .with("UtcCreate", utc(upload.created_ms));
    Ok(call.success().with("Data", data).into_owned())
}

/// 32 random hexadecimal digits in lower case.
fn hex_text() -> String {
    let bytes: [u8; 16] = random();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
