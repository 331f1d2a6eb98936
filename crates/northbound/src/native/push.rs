//! Push: a file and what it is, in one request.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use otaru_core::app::ProductRef;
use utoipa::IntoParams;

use super::auth::Publisher;
use super::decode::{Decode, Members, Query};
use super::error::{Kind, Problem};
use super::packages::{self, NewFile, NewPackage, PackageView};
use super::{Native, receive};

/// What is said of the package; the body is its file.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the parameters as the document shows them; they are read into a NewPackage")]
pub struct PushParameters {
    /// The product's code.
    product: String,
    /// If given, the product must be in the space with this code.
    space: Option<String>,
    /// `firmware` unless given.
    module: Option<String>,
    version: String,
    /// The file's name, as devices will see it.
    file_name: Option<String>,
    /// Made from module and version unless given.
    name: Option<String>,
    description: Option<String>,
    /// Text that devices get with the notice of the upgrade.
    custom_info: Option<String>,
    /// `full` unless given. A `delta` names the versions it can be applied to.
    kind: Option<String>,
    /// The versions that may be upgraded from, each as a parameter of its own; none means any.
    source_versions: Option<Vec<String>>,
    /// The product's unless given.
    device_type: Option<String>,
    /// The product's unless given.
    model: Option<String>,
    /// The product's unless given.
    manufacturer: Option<String>,
    /// The product's unless given.
    protocol: Option<String>,
    /// When the package was made, in any form.
    date: Option<String>,
    /// The file's MD5.
    md5: Option<String>,
    /// The file's SHA-256.
    sha256: Option<String>,
}

pub struct Push {
    package: NewPackage,
    file_name: Option<String>,
    md5: Option<String>,
    sha256: Option<String>,
}

impl Decode for Push {
    const SCOPE: &'static str = "push_package";
    const MEMBERS: &'static [&'static str] = &[
        "product",
        "space",
        "module",
        "version",
        "file_name",
        "name",
        "description",
        "custom_info",
        "kind",
        "source_versions",
        "device_type",
        "model",
        "manufacturer",
        "protocol",
        "date",
        "md5",
        "sha256",
    ];

    fn decode(given: &mut Members) -> Result<Push, Problem> {
        Ok(Push {
            package: NewPackage::described(given, |_| Ok(Vec::new()))?,
            file_name: given.text("file_name")?,
            md5: given.text("md5")?,
            sha256: given.text("sha256")?,
        })
    }
}

/// Upload a file and make a package of it, in one request
///
/// The body is the file. If anything is wrong, neither upload nor package stays. What the parameters say is checked before
/// the first byte is read.
#[utoipa::path(post, path = "/packages/push", tag = "packages",
    params(
        PushParameters,
        ("Content-Digest" = Option<String>, Header, description = "`sha-256=:BASE64:` (RFC 9530) is compared with the bytes that come"),
    ),
    request_body(content((Vec<u8> = "application/octet-stream")), description = "The file"),
    responses(
        (status = 201, description = "The package", body = PackageView),
        (status = 400, description = "The body broke off or is empty, or a parameter is wrong"),
        (status = 404, description = "There is no such product or module"),
        (status = 408, description = "No more bytes came"),
        (status = 413, description = "The file is larger than allowed"),
        (status = 422, description = "The bytes have another digest than was declared"),
        (status = 507, description = "No space left for uploads"),
    ))]
pub async fn push_package(
    State(native): State<Native>,
    Publisher(caller): Publisher,
    Query(push): Query<Push>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Response), Problem> {
    let (app, Push { mut package, file_name, md5, sha256 }) = (native.app(), push);
    // A client should learn before it sends eight gigabytes that its product does not exist.
    let product = app.show_product(&caller, &ProductRef::Code(package.product.clone())).await?;
    if package.space.as_ref().is_some_and(|space| *space != product.space_code) {
        let detail = format!("the product {} is in the space {}", product.code, product.space_code);
        return Err(Problem::new(Kind::NotFound, detail).at("space"));
    }
    let module = package.module_name()?;
    if !module.is_built_in() {
        app.show_module_by_name(&caller, &ProductRef::Code(product.code), &module).await?;
    }
    let upload = receive::whole(&native, &caller, file_name, &headers, body).await?;
    let locator = upload.locator;
    let (upload, object) = (Some(locator.clone()), None);
    package.files = vec![NewFile { upload, object, name: None, size_bytes: None, md5, sha256 }];
    let draft = package.draft(app.settings().max_file_bytes)?;
    match app.create_package(&caller, draft).await {
        Ok(package) => Ok((StatusCode::CREATED, packages::answer(&package))),
        Err(error) => {
            receive::discard(app, &caller, &locator).await;
            Err(error.into())
        }
    }
}
