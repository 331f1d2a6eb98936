//! Verbs. Every door ends in one of these methods.
//!
//! A door says who is asking (a [`Caller`]) and what is wanted, in the words of the model; a verb checks the right, does it
//! in one transaction and answers in the words of the model, or with an [`Error`] that each door spells its own way.

mod access;
mod bootstrap;
mod caller;
mod derived;
mod downloads;
mod error;
mod housekeeping;
mod imports;
mod milestones;
mod modules;
mod new_packages;
mod object_parts;
mod objects;
mod packages;
mod products;
mod sessions;
mod spaces;
mod tenants;
#[cfg(test)]
mod tests;
mod timed_blobs;
mod tokens;
mod uploads;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use futures::future::BoxFuture;
use otaru_model::{Id, IdSource, Kinds, Package, Sha256};
use quick_cache::sync::Cache;

use crate::blobs::{Blobs, remote};
use crate::clock::{self, Clock};
use crate::seal::MasterKey;
use crate::store::{self, Store, Tx};
use crate::telemetry;

use timed_blobs::TimedBlobs;

pub use access::{AuthError, Credential, NewKey, Secret, TemporaryKey};
pub use bootstrap::Bootstrap;
pub use caller::Caller;
pub use downloads::{Download, Link};
pub use error::{Error, Noun};
pub use housekeeping::Swept;
pub use modules::{ModuleChange, ModuleQuery, NewModule};
pub use new_packages::{Claim, CreationRules, FileSource, NewFile, NewPackage};
pub use object_parts::{CompletedPart, Composed};
pub use objects::{Expected, Listing, NewObject, ObjectBytes, ObjectQuery, Writing};
pub use packages::{Checked, PackageChange, PackageQuery, PackageTexts};
pub use products::{NewProduct, ProductQuery, ProductRef};
pub use sessions::Session;
pub use uploads::{NewUpload, Receiving};

pub use crate::store::StoreError;
pub use crate::store::packages::StoredPackage;

/// The setting that says which master key the store's secrets are sealed with.
const FINGERPRINT: &str = "master_key_fingerprint";

fn other_key(stored: &str, given: &MasterKey) -> Error {
    let given = given.fingerprint();
    Error::Unavailable(format!(
        "the store's secrets are sealed with the master key {stored}, this is {given}: give the key that the store was made with"
    ))
}

/// The product, behind all doors. Cheap to clone.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    blobs: TimedBlobs,
    key: MasterKey,
    clock: Clock,
    ids: IdSource,
    settings: Settings,
    /// Credentials that were looked up a moment ago.
    credentials: Cache<String, Arc<access::Cached>>,
    /// Sessions likewise.
    sessions: Cache<Sha256, sessions::SeenSession>,
    /// Packages whose files are being downloaded, each with [`Store::commits`] at which it was so.
    downloaded: Cache<Id, (u64, Arc<Package>)>,
    /// Object stores elsewhere, by the name of their region.
    regions: BTreeMap<String, remote::Region>,
    /// When this copy last looked through all stored bytes.
    bytes_swept_ms: AtomicI64,
}

/// What the verbs need to know of the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where devices fetch packages: scheme, host and port, without a slash at the end.
    pub download_url: String,
    /// How long a download link lives.
    pub link_lifetime_ms: i64,
    /// Whether who follows a download link is sent on to the object store that has the bytes.
    pub direct_links: bool,
    /// The largest file that our own door takes.
    pub max_file_bytes: u64,
    /// How long an upload that nobody uses is kept.
    pub upload_lifetime_ms: i64,
    /// How long bytes stay that nothing refers to: the request that stored them may be about to say what they are.
    pub unreferenced_ms: i64,
    /// How long an object that arrives in parts may take, and how long parts stay that belong to nothing.
    pub unfinished_ms: i64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            download_url: "http://127.0.0.1:8080".to_owned(),
            link_lifetime_ms: 24 * 3_600_000,
            direct_links: false,
            max_file_bytes: 8 << 30,
            upload_lifetime_ms: 24 * 3_600_000,
            unreferenced_ms: 3_600_000,
            unfinished_ms: 7 * 24 * 3_600_000,
        }
    }
}

impl App {
    /// Whether the store's secrets are sealed with this master key, or with none yet. Changes nothing.
    pub async fn check_master_key(store: &Store, key: &MasterKey) -> Result<(), Error> {
        let stored = store.read(|tx| Box::pin(async move { store::settings::get(tx, FINGERPRINT).await })).await?;
        match stored.filter(|stored| *stored != key.fingerprint()) {
            None => Ok(()),
            Some(stored) => Err(other_key(&stored, key)),
        }
    }

    /// Puts the product together. Fails if the store's secrets are sealed with another master key.
    pub async fn open(
        store: Store,
        blobs: Blobs,
        key: MasterKey,
        clock: Clock,
        settings: Settings,
        regions: BTreeMap<String, remote::Region>,
    ) -> Result<App, Error> {
        let ours = key.fingerprint();
        let (stored, newest) = store
            .write(move |tx| {
                Box::pin(async move {
                    let stored = store::settings::get_or_put(tx, FINGERPRINT, &ours).await?;
                    Ok::<_, StoreError>((stored, store::settings::newest_id(tx).await?))
                })
            })
            .await?;
        if stored != key.fingerprint() {
            return Err(other_key(&stored, &key));
        }
        let inner = Inner {
            store,
            blobs: TimedBlobs(blobs),
            key,
            clock,
            ids: IdSource::after(newest),
            settings,
            credentials: Cache::new(10_000),
            sessions: Cache::new(10_000),
            downloaded: Cache::new(1_000),
            regions,
            bytes_swept_ms: AtomicI64::new(i64::MIN),
        };
        Ok(App { inner: Arc::new(inner) })
    }

    pub fn now_ms(&self) -> i64 {
        self.inner.clock.now_ms()
    }

    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    fn new_id(&self) -> Id {
        self.inner.ids.next(self.now_ms(), u32::from_be_bytes(clock::random()))
    }

    /// Runs a verb's body in one transaction, together with the caller's nonce: a request that was signed for one use
    /// changes something at most once. `name` is the verb's, for metrics and log.
    async fn write<T, F>(&self, caller: &Caller, name: &'static str, verb: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'t, 'c> FnOnce(&'t mut Tx<'c>) -> BoxFuture<'t, Result<T, Error>> + Clone + Send + 'static,
    {
        self.write_sharing(caller, name, false, verb).await
    }

    /// Like [`App::write`]; if `shares`, in a transaction with what others want at the same time: see [`Store::write_together`].
    async fn write_sharing<T, F>(&self, caller: &Caller, name: &'static str, shares: bool, verb: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'t, 'c> FnOnce(&'t mut Tx<'c>) -> BoxFuture<'t, Result<T, Error>> + Clone + Send + 'static,
    {
        let Some((nonce, expires_ms)) = caller.once.clone() else {
            return self.write_own_sharing(name, shares, verb).await;
        };
        let key_id = caller.key_id.clone();
        self.write_own_sharing(name, shares, move |tx| {
            Box::pin(async move {
                if !store::access::use_nonce(tx, &key_id, &nonce, expires_ms).await? {
                    return Err(Error::Replayed);
                }
                verb(tx).await
            })
        })
        .await
    }

    /// Like [`App::write`], for what nobody asked for with a signature of theirs.
    async fn write_own<T, F>(&self, name: &'static str, verb: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'t, 'c> FnOnce(&'t mut Tx<'c>) -> BoxFuture<'t, Result<T, Error>> + Clone + Send + 'static,
    {
        self.write_own_sharing(name, false, verb).await
    }

    async fn write_own_sharing<T, F>(&self, name: &'static str, shares: bool, verb: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'t, 'c> FnOnce(&'t mut Tx<'c>) -> BoxFuture<'t, Result<T, Error>> + Clone + Send + 'static,
    {
        let store = &self.inner.store;
        match shares {
            true => telemetry::verb(name, store.write_together_as(Some(name), verb)).await,
            false => telemetry::verb(name, store.write_as(Some(name), verb)).await,
        }
    }

    async fn read<T, F>(&self, name: &'static str, query: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'t, 'c> FnOnce(&'t mut Tx<'c>) -> BoxFuture<'t, Result<T, Error>> + Clone + Send,
    {
        telemetry::verb(name, self.inner.store.read_as(Some(name), query)).await
    }

    /// Whether the store answers and package bytes can be written.
    pub async fn ready(&self) -> Result<(), Error> {
        self.inner.store.ping(std::time::Duration::from_secs(2)).await?;
        Ok(())
    }

    /// Records how the store is at this moment, for who looks at the metrics now.
    pub fn measure_store(&self) {
        if let Some(connections) = self.inner.store.connections() {
            telemetry::connections(&connections);
        }
    }

    /// Counts what there is of all tenants, for the metrics.
    pub async fn take_census(&self) -> Result<(), Error> {
        let (tenants, packages) = self
            .read("take_census", |tx| {
                Box::pin(async move {
                    let tenants = store::tenants::list(tx).await?;
                    let mut packages = 0;
                    for tenant in &tenants {
                        packages +=
                            store::counts::total(tx, store::counts::Scope::Tenant(&tenant.id), Kinds::All).await?;
                    }
                    Ok((tenants.len(), packages))
                })
            })
            .await?;
        telemetry::census(tenants, packages);
        Ok(())
    }

    /// Whether package bytes can be written, and how much room is left for them, in bytes.
    pub async fn probe_blobs(&self) -> Result<u64, Error> {
        self.inner.blobs.probe().await?;
        Ok(self.inner.blobs.space().await?.available_bytes)
    }
}
