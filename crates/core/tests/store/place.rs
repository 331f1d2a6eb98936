//! A database of a test's own, and copies of the server that share it.

use std::collections::BTreeMap;

use otaru_core::app::{App, Caller, Secret, Settings};
use otaru_core::blobs::Blobs;
use otaru_core::clock::Clock;
use otaru_core::seal::MasterKey;
use otaru_core::store::Store;
use otaru_model::Role;
use tempfile::TempDir;

pub const START_MS: i64 = 1_772_000_000_000;
pub const KEY_ID: &str = "AKIDOFTHETOWN";
pub const SECRET: &str = "the secret of the town";

pub struct Place {
    pub url: String,
    pub folder: TempDir,
    pub clock: Clock,
}

/// Statements in a transaction of their own, which must go through.
macro_rules! commit {
    ($store:expr, $tx:ident => $body:expr) => {
        $store
            .write(move |$tx| Box::pin(async move { Ok::<_, otaru_core::store::StoreError>($body) }))
            .await
            .expect("the transaction goes through")
    };
}

/// Statements that read. What they need of the test they take with them.
macro_rules! look {
    ($store:expr, $tx:ident => $body:expr) => {
        $store
            .read(move |$tx| Box::pin(async move { Ok::<_, otaru_core::store::StoreError>($body) }))
            .await
            .expect("the statements go through")
    };
}

impl Place {
    pub fn sqlite() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("otaru.db").display());
        Place { url, folder, clock: Clock::manual(START_MS) }
    }

    pub fn postgres() -> Place {
        let url = crate::postgres::shared().database();
        Place { url, folder: tempfile::tempdir().unwrap(), clock: Clock::manual(START_MS) }
    }

    /// The store, with its schema.
    pub async fn store(&self) -> Store {
        Store::open(&self.url).await.unwrap()
    }

    /// Two copies of the server on one database, and the key that they know. SQLite has one copy, so there it is the same twice.
    pub async fn copies(&self) -> ([App; 2], Caller) {
        let first = self.app().await;
        let second = if self.is_shared() { self.app().await } else { first.clone() };
        let owner = self.owner(&first).await;
        ([first, second], owner)
    }

    async fn owner(&self, first: &App) -> Caller {
        let made = first.bootstrap(Some((KEY_ID.to_owned(), Secret::new(SECRET)))).await.unwrap();
        let tenant = made.expect("a new database is a first start").tenant;
        Caller::new(tenant.id, KEY_ID, Role::Admin)
    }

    /// Two copies in one process, which share what there is of blobs as well.
    pub async fn copies_of_one_process(&self) -> ([App; 2], Caller) {
        let blobs = self.blobs().await;
        let first = self.app_with(blobs.clone()).await;
        let second = if self.is_shared() { self.app_with(blobs).await } else { first.clone() };
        let owner = self.owner(&first).await;
        ([first, second], owner)
    }

    pub async fn app(&self) -> App {
        self.app_with(self.blobs().await).await
    }

    async fn blobs(&self) -> Blobs {
        Blobs::open(&format!("fs:{}", self.folder.path().join("blobs").display())).await.unwrap()
    }

    async fn app_with(&self, blobs: Blobs) -> App {
        let (store, key) = (self.store().await, MasterKey::from_bytes([7; 32]));
        App::open(store, blobs, key, self.clock.clone(), Settings::default(), BTreeMap::new()).await.unwrap()
    }

    pub fn is_shared(&self) -> bool {
        self.url.starts_with("postgres:")
    }
}
