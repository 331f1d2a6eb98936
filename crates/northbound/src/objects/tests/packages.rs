//! Packages made from objects, as another door makes them: what this door does later must not touch them.

use futures::TryStreamExt;
use otaru_core::app::{CreationRules, FileSource, NewFile, NewPackage, NewProduct, ProductRef};
use otaru_model::{DeviceKind, ModuleName, Package, PackageKind, ProductDraft, Verification};

use super::{BUCKET, World};

pub async fn from_object(world: &World, key: &str) -> Package {
    let code = Some("meter-1".to_owned());
    let draft = ProductDraft { name: "meter".to_owned(), ..ProductDraft::default() };
    let product = NewProduct { code, draft, door: "test", ..NewProduct::default() };
    world.app.create_product(&world.admin, product).await.unwrap();
    let source = FileSource::Object { region: "here".to_owned(), bucket: BUCKET.to_owned(), key: key.to_owned() };
    let file = NewFile { source, name: None, declared_bytes: None, declared_md5: None, declared_sign: None };
    let new = NewPackage {
        space_code: None,
        product: ProductRef::Code("meter-1".to_owned()),
        module: ModuleName::firmware(),
        version: "v1".to_owned(),
        name: None,
        description: None,
        custom_info: None,
        kind: PackageKind::Full,
        source_versions: Vec::new(),
        verification: Verification::NotNeeded,
        device_kind: DeviceKind::default(),
        extra: Default::default(),
        door: "test",
        files: vec![file],
        rules: CreationRules {
            claims: Vec::new(),
            max_packages: None,
            max_file_bytes: 1 << 30,
            refuse_wrong_bytes: true,
        },
    };
    world.app.create_package(&world.admin, new).await.unwrap()
}

pub async fn bytes(world: &World, package: &Package) -> Vec<u8> {
    let opened = world.app.open_file(&world.admin, &package.id, 0).await.unwrap();
    let chunks: Vec<bytes::Bytes> = opened.bytes.stream(0..u64::MAX).try_collect().await.unwrap();
    chunks.concat()
}
