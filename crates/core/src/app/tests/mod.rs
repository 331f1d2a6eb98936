//! The verbs, told as stories: each test reads like what a firmware team does.

mod access;
mod milestones;
mod objects;
mod registry;
mod uploads;

use std::collections::BTreeMap;

use otaru_model::{DeviceKind, ModuleName, PackageKind, ProductDraft, Verification};

use super::*;

/// A registry in a folder of its own, whose clock the test moves.
pub(super) struct Town {
    pub app: App,
    pub clock: Clock,
    pub admin: Caller,
    /// Removed with the test.
    pub folder: tempfile::TempDir,
}

pub(super) const START_MS: i64 = 1_772_000_000_000;

impl Town {
    pub async fn new() -> Town {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(START_MS);
        let app = open(folder.path(), clock.clone()).await;
        let made = app.bootstrap(None).await.unwrap().expect("a new folder is a first start");
        let admin = app.check_secret(&made.key.key.id, made.key.secret.expose()).await.unwrap();
        Town { app, clock, admin, folder }
    }

    pub async fn product(&self, name: &str) -> otaru_model::Product {
        let draft = ProductDraft { name: name.to_owned(), ..ProductDraft::default() };
        let new = NewProduct { draft, door: "test", ..NewProduct::default() };
        self.app.create_product(&self.admin, new).await.unwrap()
    }

    /// Uploads `bytes` in one go and answers with the upload's locator.
    pub async fn upload(&self, bytes: &'static [u8]) -> String {
        let upload = self.app.create_upload(&self.admin, self.new_upload()).await.unwrap();
        let mut receiving = self.app.receive_whole(upload).await.unwrap();
        receiving.write(bytes::Bytes::from_static(bytes)).await.unwrap();
        receiving.finish().await.unwrap().locator
    }

    pub fn new_upload(&self) -> NewUpload {
        NewUpload {
            door: "test",
            locator: clock::random_text(24),
            file_name: "upgrade.bin".to_owned(),
            declared_bytes: None,
            max_bytes: 1 << 20,
            open_ms: 60_000,
            lifetime_ms: 3_600_000,
        }
    }
}

pub(super) async fn open(folder: &std::path::Path, clock: Clock) -> App {
    let store = Store::open(&format!("sqlite:{}", folder.join("otaru.db").display())).await.unwrap();
    let blobs = Blobs::open(&format!("fs:{}", folder.join("blobs").display())).await.unwrap();
    let key = MasterKey::load_or_create(&folder.join("master.key")).unwrap();
    App::open(store, blobs, key, clock, Settings::default(), BTreeMap::new()).await.unwrap()
}

/// A firmware package of one file.
pub(super) fn new_package(product: &otaru_model::Product, version: &str, source: FileSource) -> NewPackage {
    NewPackage {
        space_code: None,
        product: ProductRef::Code(product.code.clone()),
        module: ModuleName::firmware(),
        version: version.to_owned(),
        name: None,
        description: None,
        custom_info: None,
        kind: PackageKind::Full,
        source_versions: Vec::new(),
        verification: Verification::NotNeeded,
        device_kind: DeviceKind::default(),
        extra: serde_json::Map::new(),
        door: "test",
        files: vec![NewFile { source, name: None, declared_bytes: None, declared_md5: None, declared_sign: None }],
        rules: CreationRules {
            claims: Vec::new(),
            max_packages: None,
            max_file_bytes: 1 << 30,
            refuse_wrong_bytes: false,
        },
    }
}

/// Reads a download to its end.
pub(super) async fn read_all(bytes: &crate::blobs::BlobReader) -> Vec<u8> {
    use futures::TryStreamExt;
    let chunks: Vec<bytes::Bytes> = bytes.stream(0..bytes.size_bytes()).try_collect().await.unwrap();
    chunks.concat()
}
