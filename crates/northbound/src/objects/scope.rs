//! Refuses what this door does not offer.
//!
//! The S3 service takes a request with a parameter it does not know for the plain operation: setting a quota would create a
//! bucket, appending would overwrite. And what a header promises, encryption for one, must not be dropped in silence.

use http::request::Parts;
use http::{Method, StatusCode};
use otaru_core::app::Caller;
use s3s::{S3ErrorCode, S3Result};

use super::error::{named, refusal};

/// Parameters that choose another operation, of S3 and of OBS, in lower case. Those that are offered are not here.
const NOT_OFFERED: &[&str] = &[
    "accelerate",
    "acl",
    "analytics",
    "append",
    "attributes",
    "backtosource",
    "bucketstatus",
    "cors",
    "customdomain",
    "defaultobjectacl",
    "deletebucket",
    "directcoldaccess",
    "dispolicy",
    "encryption",
    "fileinterface",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "length",
    "lifecycle",
    "logging",
    "metadata",
    "metadatatable",
    "metrics",
    "mirrorbacktosource",
    "modify",
    "name",
    "notification",
    "object-lock",
    "obsalias",
    "obsbucketalias",
    "obscompresspolicy",
    "obsworkflowtriggerpolicy",
    "ownershipcontrols",
    "policy",
    "policystatus",
    "position",
    "publicaccessblock",
    "quota",
    "rename",
    "renameobject",
    "replication",
    "requestpayment",
    "restore",
    "retention",
    "select",
    "select-type",
    "session",
    "storageclass",
    "storageinfo",
    "storagepolicy",
    "tagging",
    "torrent",
    "truncate",
    "website",
    "x-image-process",
    "x-image-save-bucket",
    "x-image-save-object",
    "x-oss-process",
    "x-workflow-template-name",
];

/// Headers that promise what is not kept here, by what they begin with.
const PROMISES: &[(&str, &str)] = &[
    ("x-amz-server-side-encryption", "encryption by object"),
    ("x-amz-copy-source-server-side-encryption", "encryption by object"),
    ("x-amz-tagging", "tags"),
    ("x-amz-object-lock", "object locks"),
    ("x-amz-website-redirect-location", "web sites"),
    ("x-amz-write-offset-bytes", "appending"),
    ("x-amz-rename-source", "renaming"),
    ("x-amz-grant", "grants"),
    ("x-amz-bypass-governance-retention", "object locks"),
    ("x-amz-expires", "objects that expire"),
    ("x-amz-fs-file-interface", "parallel file systems"),
];

/// Checks a request whose headers are those of S3.
pub fn check_headers(parts: &Parts, caller: &Caller) -> S3Result<()> {
    for name in parts.headers.keys() {
        let promise = PROMISES.iter().find(|(start, _)| name.as_str().starts_with(start));
        if let Some((_, what)) = promise {
            return Err(not_offered(&format!("This server has no {what}; leave the header `{name}` out.")));
        }
    }
    check_words(parts, "x-amz-acl", &["private", "bucket-owner-full-control", "bucket-owner-read"], || {
        named(
            "AccessControlListNotSupported",
            StatusCode::BAD_REQUEST,
            "Buckets and objects are private to their tenant; only the lists that say so are accepted.",
        )
    })?;
    check_words(parts, "x-amz-storage-class", &["STANDARD"], || {
        refusal(S3ErrorCode::InvalidStorageClass, "There is one storage class here, STANDARD.")
    })?;
    let owner = caller.tenant.to_string();
    for name in ["x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"] {
        check_words(parts, name, &[&owner], || {
            refusal(S3ErrorCode::AccessDenied, "The bucket has another owner than the request expects.")
        })?;
    }
    Ok(())
}

/// Checks which operation is asked for. Before the signature, because a client of OBS signs parameters that only OBS has.
pub fn check_operation(parts: &Parts) -> S3Result<()> {
    let query = parts.uri.query().unwrap_or_default();
    for (name, _) in form_urlencoded::parse(query.as_bytes()) {
        if NOT_OFFERED.binary_search(&name.to_ascii_lowercase().as_str()).is_ok() {
            return Err(not_offered(&format!("The operation with `{name}` is not offered by this server.")));
        }
        // Versioning is off, and can be asked about but not switched.
        if name == "versioning" && parts.method != Method::GET {
            return Err(not_offered("Buckets here keep no versions."));
        }
    }
    let content_type = parts.headers.get("content-type").map_or(&b""[..], |value| value.as_bytes());
    let is_form = content_type.get(..19).is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/form-data"));
    if parts.method == Method::POST && is_form {
        return Err(not_offered(
            "Uploads by form are not offered by this server; PUT the object, with a signed link if need be.",
        ));
    }
    Ok(())
}

fn check_words(parts: &Parts, name: &str, words: &[&str], wrong: impl Fn() -> s3s::S3Error) -> S3Result<()> {
    let is_right = |value: &http::HeaderValue| words.iter().any(|word| value.as_bytes() == word.as_bytes());
    if parts.headers.get_all(name).iter().all(is_right) { Ok(()) } else { Err(wrong()) }
}

fn not_offered(message: &str) -> s3s::S3Error {
    refusal(S3ErrorCode::NotImplemented, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_for_the_search() {
        assert!(NOT_OFFERED.is_sorted());
        for offered in
            ["delete", "location", "partnumber", "uploadid", "uploads", "versionid", "versions", "versioning"]
        {
            assert!(!NOT_OFFERED.contains(&offered), "{offered}");
        }
    }
}
