//! Unreferenced bytes are collected, and never those that something refers to: any order of uploads, creations, overwrites,
//! deletions and collections, several of them at the same time, while the clock jumps.
//!
//! After every round everything on record has its bytes. At the end, when time has passed, the bytes that are stored are those
//! on record, and nothing else is left in the directory.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use otaru_core::app::{
    App, Caller, CompletedPart, Error, FileSource, NewObject, NewUpload, ObjectQuery, PackageQuery, ProductRef, Swept,
};
use otaru_core::blobs::Digest;
use otaru_core::clock::{Clock, random_text};
use otaru_model::{Id, Page};
use proptest::prelude::*;

use crate::collect_steps::{SLOTS, Step, rounds};
use crate::place::Place;
use crate::town::{create_product, new_package};

const BUCKET: &str = "abc";
const HOUR_MS: i64 = 3_600_000;

fn content(number: usize) -> Vec<u8> {
    vec![b'a' + u8::try_from(number).unwrap(); 2 + 300_000 * (number % 2)]
}

struct Registry {
    copies: [App; 2],
    owner: Caller,
    clock: Clock,
    product: ProductRef,
    /// The locator of the newest upload in each slot, and what it is or will be.
    slots: Mutex<[Option<(String, usize)>; SLOTS]>,
    packages: Mutex<Vec<(Id, Digest)>>,
}

impl Registry {
    async fn open(place: &Place) -> Registry {
        let (copies, owner) = place.copies_of_one_process().await;
        copies[0].create_bucket(&owner, BUCKET, "").await.unwrap();
        let product = create_product(copies[0].clone(), owner.clone(), "meter", None, false).await.unwrap();
        Registry {
            copies,
            owner,
            clock: place.clock.clone(),
            product: ProductRef::Code(product.code),
            slots: Mutex::default(),
            packages: Mutex::default(),
        }
    }

    async fn take(&self, step: Step, app: &App) -> Result<(), Error> {
        match step {
            Step::Upload { slot, content: number } => {
                let bytes = content(number);
                let upload = app.create_upload(&self.owner, new_upload(bytes.len())).await?;
                let mut receiving = app.receive_whole(upload.clone()).await?;
                receiving.write(Bytes::from(bytes)).await?;
                receiving.finish().await?;
                self.slots.lock().unwrap()[slot] = Some((upload.locator, number));
            }
            Step::Begin { slot, content: number } => {
                let mut bytes = content(number);
                let upload = app.create_upload(&self.owner, new_upload(bytes.len())).await?;
                let mut receiving = app.receive_piece(upload.clone(), 0).await?;
                bytes.truncate(bytes.len() / 2);
                receiving.write(Bytes::from(bytes)).await?;
                receiving.finish().await?;
                self.slots.lock().unwrap()[slot] = Some((upload.locator, number));
            }
            Step::End { slot } => {
                let Some((locator, number)) = self.slot(slot) else { return Ok(()) };
                let upload = app.show_upload(&self.owner, &locator).await?;
                let bytes = content(number);
                let half = bytes.len() / 2;
                let mut receiving = app.receive_piece(upload, half as u64).await?;
                receiving.write(Bytes::copy_from_slice(&bytes[half..])).await?;
                receiving.finish().await?;
            }
            Step::Abandon { slot } => {
                let Some((locator, _)) = self.slot(slot) else { return Ok(()) };
                app.delete_upload(&self.owner, &locator).await?;
            }
            Step::CreateOfUpload { slot } => {
                let Some((locator, _)) = self.slot(slot) else { return Ok(()) };
                self.create(app, FileSource::Upload { locator }).await?;
            }
            Step::CreateOfObject { key } => {
                let source = FileSource::Object { region: String::new(), bucket: BUCKET.to_owned(), key: name(key) };
                self.create(app, source).await?;
            }
            Step::Delete { nth } => {
                let chosen = {
                    let mut packages = self.packages.lock().unwrap();
                    if nth >= packages.len() {
                        return Ok(());
                    }
                    packages.remove(nth).0
                };
                app.delete_package(&self.owner, &chosen).await.unwrap();
            }
            Step::Put { key, content: number } => {
                let mut writing = app.begin_writing(&self.owner, BUCKET).await?;
                writing.write(Bytes::from(content(number))).await?;
                writing.finish_object(new_object(key)).await?;
            }
            Step::Parts { key, content: number } => {
                let begun = app.begin_object_upload(&self.owner, BUCKET, &name(key), None, Default::default()).await?;
                let mut writing = app.begin_writing(&self.owner, BUCKET).await?;
                writing.write(Bytes::from(content(number))).await?;
                let part = writing.finish_part(&begun.id, 1, None, None).await?;
                let listed = vec![CompletedPart { number: 1, etag: hex(part.md5.as_bytes()) }];
                app.complete_object_upload(&self.owner, &begun.id, listed).await?;
            }
            Step::Copy { from, to } => {
                app.copy_object(&self.owner, (BUCKET, &name(from)), (BUCKET, &name(to)), None).await?;
            }
            Step::Remove { key } => drop(app.delete_object(&self.owner, BUCKET, &name(key)).await?),
            Step::Collect => {
                for _ in 0..5 {
                    app.sweep().await?;
                }
            }
            Step::Jump { hours } => self.clock.advance(hours * HOUR_MS),
        }
        Ok(())
    }

    async fn create(&self, app: &App, source: FileSource) -> Result<(), Error> {
        let mut new = new_package(&self.product, "firmware", &random_text(12));
        new.files[0].source = source;
        new.rules.max_file_bytes = 1 << 20;
        let made = app.create_package(&self.owner, new).await?;
        let digest = Digest(made.files[0].sha256.unwrap().0);
        self.packages.lock().unwrap().push((made.id, digest));
        Ok(())
    }

    fn slot(&self, slot: usize) -> Option<(String, usize)> {
        self.slots.lock().unwrap()[slot].clone()
    }

    /// The digests of everything on record that a client can see: packages, objects, and uploads in the slots.
    async fn on_record(&self) -> BTreeSet<Digest> {
        let app = &self.copies[1];
        let packages = app.list_packages(&self.owner, PackageQuery::all(Page::first(1000))).await.unwrap().items;
        let mut listed: Vec<_> = packages.iter().map(|it| (it.id, Digest(it.files[0].sha256.unwrap().0))).collect();
        let mut known = self.packages.lock().unwrap().clone();
        listed.sort();
        known.sort();
        assert_eq!(listed, known, "what was made is there, and of the bytes it was made of");
        let mut digests: BTreeSet<Digest> = listed.into_iter().map(|(_, digest)| digest).collect();
        let query = ObjectQuery { bucket: BUCKET.to_owned(), limit: 100, ..ObjectQuery::default() };
        let objects = app.list_objects(&self.owner, query).await.unwrap().objects;
        digests.extend(objects.iter().map(|object| Digest(object.sha256.0)));
        for (locator, number) in (0..SLOTS).filter_map(|slot| self.slot(slot)) {
            let Ok(upload) = app.show_upload(&self.owner, &locator).await else { continue };
            if let Some(complete) = upload.complete {
                assert_eq!(Digest(complete.sha256.0), Digest::of(&content(number)));
                digests.insert(Digest(complete.sha256.0));
            }
        }
        digests
    }
}

fn new_upload(length: usize) -> NewUpload {
    NewUpload {
        door: "test",
        locator: random_text(24),
        file_name: "a.bin".to_owned(),
        declared_bytes: Some(length as u64),
        max_bytes: 1 << 20,
        open_ms: 3 * HOUR_MS,
        lifetime_ms: 5 * HOUR_MS,
    }
}

fn new_object(key: usize) -> NewObject {
    NewObject { bucket: BUCKET.to_owned(), key: name(key), ..NewObject::default() }
}

fn name(key: usize) -> String {
    format!("k{key}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every file below a directory, and whether it is a blob that is what its name says.
fn stored(root: &Path) -> (BTreeSet<Digest>, Vec<String>) {
    let (mut blobs, mut other, mut folders) = (BTreeSet::new(), Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(digest) = name.parse::<Digest>()
                && std::fs::read(&path).is_ok_and(|bytes| Digest::of(&bytes) == digest)
            {
                blobs.insert(digest);
            } else {
                other.push(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
    }
    (blobs, other)
}

/// What may come of a step because of what happens at the same time.
fn is_fair(error: &Error) -> bool {
    matches!(
        error,
        Error::NotFound { .. }
            | Error::OutOfStep { .. }
            | Error::Busy { .. }
            | Error::Expired { .. }
            | Error::Unavailable(_)
    )
}

async fn run(mut place: Place, rounds: Vec<Vec<Step>>) {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    // Files are dated by the system's clock. Ours is ahead, so that every file is old as soon as it is there, and goes its own
    // way from here.
    place.clock = Clock::manual(i64::try_from(now_ms).unwrap() + 2 * HOUR_MS);
    let root = place.folder.path().join("blobs");
    let registry = Arc::new(Registry::open(&place).await);
    for steps in rounds {
        let running: Vec<_> = steps
            .into_iter()
            .enumerate()
            .map(|(turn, step)| {
                let registry = Arc::clone(&registry);
                tokio::spawn(async move { (step, registry.take(step, &registry.copies[turn % 2]).await) })
            })
            .collect();
        for task in running {
            let (step, outcome) = task.await.unwrap();
            assert!(outcome.as_ref().err().is_none_or(is_fair), "{step:?}: {outcome:?}");
        }
        let missing: Vec<_> = registry.on_record().await.difference(&stored(&root).0).copied().collect();
        assert!(missing.is_empty(), "on record and not in storage: {missing:?}");
    }
    registry.clock.advance(100 * 24 * HOUR_MS);
    while registry.copies[0].sweep().await.unwrap() != Swept::default() {}
    assert_eq!(stored(&root), (registry.on_record().await, vec![]));
}

/// As on a disk so full that the database takes no writes: the space that is needed lies in bytes that nobody refers to.
#[tokio::test]
async fn bytes_are_collected_also_while_the_records_cannot_change() {
    let mut place = Place::sqlite();
    place.clock = Clock::system();
    let registry = Registry::open(&place).await;
    let mut writing = registry.copies[0].begin_writing(&registry.owner, BUCKET).await.unwrap();
    writing.write(Bytes::from_static(b"overwritten")).await.unwrap();
    writing.finish_object(new_object(0)).await.unwrap();
    registry.take(Step::Put { key: 0, content: 0 }, &registry.copies[0]).await.unwrap();
    let root = place.folder.path().join("blobs");
    assert_eq!(stored(&root).0.len(), 2);

    place.clock = Clock::manual(place.clock.now_ms() + 24 * HOUR_MS);
    let app = place.app().await;
    let database = rusqlite::Connection::open(place.folder.path().join("otaru.db")).unwrap();
    database.execute_batch("DROP TABLE used_nonces").unwrap();
    assert!(app.sweep().await.is_err(), "that something could not be done is told");
    assert_eq!(stored(&root).0, BTreeSet::from([Digest::of(&content(0))]));
}

fn blocking(task: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(task);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn on_sqlite_what_is_on_record_has_its_bytes_and_the_rest_goes(rounds in rounds()) {
        blocking(run(Place::sqlite(), rounds));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn two_copies_on_postgres_leave_each_other_what_is_on_record(rounds in rounds()) {
        blocking(run(Place::postgres(), rounds));
    }
}
