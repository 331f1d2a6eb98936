//! Records made from numbers: the larger the number, the newer the record.

use otaru_core::store::{Store, access, products, spaces, tenants};
use otaru_model::{
    AccessKey, Complete, DeviceKind, Id, Integrity, Md5, Module, ModuleName, Object, Package, PackageFile, PackageKind,
    Product, ProductDraft, Role, Sha256, Space, Tenant, Upload, Verification,
};
use serde_json::{Map, json};

use crate::place::Place;

pub fn id(number: u64) -> Id {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Id::from_bytes(bytes)
}

pub fn sha256(number: u8) -> Sha256 {
    Sha256([number; 32])
}

pub fn md5(number: u8) -> Md5 {
    Md5([number; 16])
}

pub fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

pub fn extra(value: &str) -> Map<String, serde_json::Value> {
    Map::from_iter([("door".to_owned(), json!({ "kept": value }))])
}

pub fn tenant(number: u64) -> Tenant {
    Tenant { id: id(number), name: format!("Tenant-{number}"), created_ms: 1 }
}

pub fn key(name: &str, tenant: u64) -> AccessKey {
    AccessKey {
        id: name.to_owned(),
        tenant: id(tenant),
        role: Role::Publisher,
        label: "of a test".to_owned(),
        created_ms: 5,
        expires_ms: None,
        revoked_ms: None,
    }
}

pub fn space(number: u64, is_default: bool) -> Space {
    Space { id: id(number), code: format!("space{number}"), name: format!("Space {number}"), is_default, created_ms: 7 }
}

pub fn product(number: u64, space: u64) -> Product {
    Product {
        id: id(number),
        code: format!("product{number}"),
        key: format!("key{number:08}"),
        space: id(space),
        space_code: format!("space{space}"),
        space_name: format!("Space {space}"),
        draft: ProductDraft { name: format!("Product {number}"), ..ProductDraft::default() },
        door: "test".to_owned(),
        created_ms: 9,
        updated_ms: 10,
    }
}

pub fn module(number: u64, product: &Product, name: &str) -> Module {
    Module {
        id: id(number),
        product: product.id,
        product_code: product.code.clone(),
        product_key: product.key.clone(),
        product_name: product.draft.name.clone(),
        space_code: product.space_code.clone(),
        name: ModuleName::new(name).unwrap(),
        alias: None,
        description: None,
        created_ms: 11,
        updated_ms: 11,
    }
}

pub fn package(number: u64, tenant: u64, product: &Product, module: &str) -> Package {
    Package {
        id: id(number),
        tenant: id(tenant),
        space_code: product.space_code.clone(),
        product: product.id,
        product_code: product.code.clone(),
        product_key: product.key.clone(),
        product_name: product.draft.name.clone(),
        module: ModuleName::new(module).unwrap(),
        version: format!("1.{number}"),
        name: None,
        description: None,
        custom_info: None,
        kind: PackageKind::Full,
        source_versions: Vec::new(),
        verification: Verification::NotNeeded,
        integrity: Integrity::Ready,
        integrity_note: None,
        files: vec![file("upgrade.bin", 1)],
        device_kind: DeviceKind::default(),
        door: "test".to_owned(),
        extra: Map::new(),
        created_ms: 13,
        updated_ms: 13,
    }
}

pub fn file(name: &str, digest: u8) -> PackageFile {
    PackageFile {
        name: name.to_owned(),
        size_bytes: 100,
        sha256: Some(sha256(digest)),
        md5: Some(md5(digest)),
        declared_bytes: None,
        declared_md5: None,
        declared_sign: None,
    }
}

pub fn upload(number: u64, tenant: u64, expires_ms: i64) -> Upload {
    Upload {
        id: id(number),
        tenant: id(tenant),
        door: "test".to_owned(),
        locator: format!("locator-{number}"),
        file_name: "Ürün.bin".to_owned(),
        declared_bytes: Some(5),
        max_bytes: 1 << 40,
        created_ms: 15,
        open_until_ms: 16,
        expires_ms,
        complete: None,
    }
}

pub fn complete(digest: u8) -> Complete {
    Complete { size_bytes: 5, sha256: sha256(digest), md5: md5(digest) }
}

pub fn object(bucket: &str, key: &str, digest: u8) -> Object {
    Object {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        size_bytes: 5_000_000_000,
        sha256: sha256(digest),
        etag: format!("etag-{digest}"),
        md5: md5(digest),
        content_type: None,
        extra: Map::new(),
        modified_ms: 17,
    }
}

/// Tenant 1 with spaces 11 (its default) and 12, products 101 and 102 in 11 and 103 in 12; tenant 2 with space 21 and
/// product 201; a key for each.
pub async fn town(place: &Place) -> Store {
    let store = place.store().await;
    commit!(store, tx => {
        for number in [1, 2] {
            tenants::insert(tx, &tenant(number)).await?;
            access::insert(tx, &key(&format!("key-{number}"), number), b"sealed").await?;
        }
        for (number, of) in [(11, 1), (12, 1), (21, 2)] {
            spaces::insert(tx, &id(of), &space(number, number % 10 == 1)).await?;
        }
        for (number, space, of) in [(101, 11, 1), (102, 11, 1), (103, 12, 1), (201, 21, 2)] {
            products::insert(tx, &id(of), &product(number, space)).await?;
        }
    });
    store
}
