//! Any order of uploads, appends, compositions, discards and deletes ends where a model of a few lines ends.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Uploads that run at the same time.
const SLOTS: usize = 3;
/// Few ids and few contents, so that they meet.
const IDS: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    Stage { slot: usize, id: usize, limit: u64 },
    Write { slot: usize, piece: Piece },
    Finish { slot: usize },
    Keep { slot: usize },
    Drop { slot: usize },
    Append { id: usize, behind: i64, pieces: Vec<Piece>, limit: u64 },
    Compose { ids: Vec<usize>, limit: u64 },
    Discard { id: usize },
    Delete { nth: usize },
    Read { nth: usize, start: u64, length: u64 },
    Reopen,
}

/// A run of one byte: several lengths cross the batches of the writer.
#[derive(Clone, Copy, Debug)]
struct Piece {
    byte: u8,
    length: usize,
}

impl Piece {
    fn bytes(self) -> Vec<u8> {
        vec![self.byte; self.length]
    }
}

fn piece() -> impl Strategy<Value = Piece> {
    (0..2u8, prop::sample::select(vec![0, 1, 5, 1_000, 100_000, 262_144, 300_000]))
        .prop_map(|(byte, length)| Piece { byte, length })
}

fn limit() -> impl Strategy<Value = u64> {
    prop_oneof![4 => Just(NO_LIMIT), 1 => Just(300_000), 1 => Just(5)]
}

fn step() -> impl Strategy<Value = Step> {
    let slot = 0..SLOTS;
    let id = 0..IDS;
    prop_oneof![
        4 => (slot.clone(), id.clone(), limit()).prop_map(|(slot, id, limit)| Step::Stage { slot, id, limit }),
        8 => (slot.clone(), piece()).prop_map(|(slot, piece)| Step::Write { slot, piece }),
        3 => slot.clone().prop_map(|slot| Step::Finish { slot }),
        2 => slot.clone().prop_map(|slot| Step::Keep { slot }),
        1 => slot.prop_map(|slot| Step::Drop { slot }),
        4 => (id.clone(), prop_oneof![4 => Just(0), 1 => -2..3i64], vec(piece(), 0..3), limit())
            .prop_map(|(id, behind, pieces, limit)| Step::Append { id, behind, pieces, limit }),
        3 => (vec(id.clone(), 0..4), limit()).prop_map(|(ids, limit)| Step::Compose { ids, limit }),
        2 => id.prop_map(|id| Step::Discard { id }),
        1 => (0..9usize).prop_map(|nth| Step::Delete { nth }),
        2 => (0..9usize, 0..700_000u64, 0..400_000u64).prop_map(|(nth, start, length)| Step::Read { nth, start, length }),
        1 => Just(Step::Reopen),
    ]
}

/// What the store should be.
#[derive(Default)]
struct Model {
    blobs: BTreeMap<Digest, Vec<u8>>,
    staged: BTreeMap<usize, Vec<u8>>,
    /// Ids whose file is a blob as well, by the blob's digest.
    completed: BTreeMap<usize, Digest>,
    running: [Option<Running>; SLOTS],
}

struct Running {
    staged: Staged,
    id: usize,
    limit: u64,
    bytes: Vec<u8>,
    failed: bool,
}

impl Model {
    fn nth(&self, nth: usize) -> Option<Digest> {
        self.blobs.keys().nth(nth).copied()
    }

    fn store(&mut self, bytes: Vec<u8>) -> Digest {
        let digest = Digest::of(&bytes);
        self.blobs.insert(digest, bytes);
        digest
    }
}

fn name(id: usize) -> StageId {
    StageId::new(format!("upload-{id}")).unwrap()
}

async fn take(step: Step, model: &mut Model, blobs: &mut Blobs, place: &Place) {
    match step {
        Step::Stage { slot, id, limit } => {
            let staged = blobs.stage(&name(id), limit).await.unwrap();
            model.running[slot] = Some(Running { staged, id, limit, bytes: Vec::new(), failed: false });
        }
        Step::Write { slot, piece } => {
            let Some(running) = &mut model.running[slot] else { return };
            let result = running.staged.write(Bytes::from(piece.bytes())).await;
            let fits = running.bytes.len() as u64 + piece.length as u64 <= running.limit;
            match result {
                Ok(()) => assert!(fits),
                Err(BlobError::TooLarge) => assert!(!fits && !running.failed),
                Err(BlobError::Unavailable(_)) => assert!(running.failed),
                Err(error) => panic!("{error}"),
            }
            running.failed |= !fits;
            running.bytes.extend(piece.bytes());
        }
        Step::Finish { slot } => {
            let Some(running) = model.running[slot].take() else { return };
            match running.staged.finish().await {
                Ok(finished) => {
                    assert!(!running.failed);
                    assert_eq!(finished.size_bytes, running.bytes.len() as u64);
                    let digest = model.store(running.bytes);
                    assert_eq!(finished.digest, digest);
                    // The blob's file is a new one, so the uploads it had been made of are on their own again.
                    model.completed.retain(|_, other| *other != digest);
                }
                Err(_) => assert!(running.failed),
            }
        }
        Step::Keep { slot } => {
            let Some(running) = model.running[slot].take() else { return };
            match running.staged.keep().await {
                Ok(finished) => {
                    assert!(!running.failed);
                    assert_eq!(finished.digest, Digest::of(&running.bytes));
                    model.completed.remove(&running.id);
                    model.staged.insert(running.id, running.bytes);
                }
                Err(_) => assert!(running.failed),
            }
        }
        Step::Drop { slot } => model.running[slot] = None,
        Step::Append { id, behind, pieces, limit } => {
            let old = model.staged.get(&id);
            let length = old.map_or(0, |bytes| bytes.len() as u64);
            let offset = length.saturating_add_signed(behind);
            let added: Vec<u8> = pieces.iter().flat_map(|piece| piece.bytes()).collect();
            let result = async {
                let mut appending = blobs.append(&name(id), offset, limit).await?;
                for piece in &pieces {
                    appending.write(Bytes::from(piece.bytes())).await?;
                }
                appending.keep().await
            }
            .await;
            match result {
                Ok(new_length) => {
                    assert_eq!((offset, new_length), (length, length + added.len() as u64));
                    assert!(new_length <= limit && (added.is_empty() || !model.completed.contains_key(&id)));
                    model.staged.entry(id).or_default().extend(added);
                }
                Err(BlobError::OutOfStep { len_bytes }) => assert!(len_bytes == length && offset != length),
                Err(BlobError::NotFound) => assert!(old.is_none() && offset > 0),
                Err(BlobError::TooLarge) => {
                    let completed = model.completed.contains_key(&id);
                    assert!(offset + added.len() as u64 > limit || (completed && !added.is_empty()));
                    // An append that was let in at offset 0 has begun the upload.
                    if offset == 0 && length == 0 {
                        model.staged.entry(id).or_default();
                    }
                }
                Err(error) => panic!("{error}"),
            }
        }
        Step::Compose { ids, limit } => {
            let names: Vec<StageId> = ids.iter().copied().map(name).collect();
            let parts: Option<Vec<&[u8]>> = ids.iter().map(|id| model.staged.get(id).map(Vec::as_slice)).collect();
            match (blobs.compose(&names, limit).await, parts.map(|parts| parts.concat())) {
                (Ok(finished), Some(whole)) => {
                    assert!(whole.len() as u64 <= limit);
                    assert_eq!(finished.size_bytes, whole.len() as u64);
                    let digest = model.store(whole);
                    assert_eq!(finished.digest, digest);
                    let same_file = |id: &usize| model.completed.get(id) == Some(&digest);
                    if !matches!(ids[..], [id] if same_file(&id)) {
                        model.completed.retain(|_, other| *other != digest);
                    }
                    if let ([id], false) = (&ids[..], place.is_bucket()) {
                        model.completed.insert(*id, digest);
                    }
                }
                (Err(BlobError::NotFound), None) => {}
                (Err(BlobError::TooLarge), Some(whole)) => assert!(whole.len() as u64 > limit),
                (result, whole) => panic!("{result:?} for {:?} bytes", whole.map(|whole| whole.len())),
            }
        }
        Step::Discard { id } => {
            let was_there = model.staged.remove(&id).is_some();
            assert_eq!(blobs.discard(&name(id)).await.unwrap(), was_there);
            model.completed.remove(&id);
        }
        Step::Delete { nth } => {
            let Some(digest) = model.nth(nth) else {
                assert!(!blobs.delete(&Digest::of(b"never stored")).await.unwrap());
                return;
            };
            assert!(blobs.delete(&digest).await.unwrap());
            model.blobs.remove(&digest);
            model.completed.retain(|_, other| *other != digest);
        }
        Step::Read { nth, start, length } => {
            let Some(digest) = model.nth(nth) else { return };
            let whole = &model.blobs[&digest];
            let cut = |at: u64| (at as usize).min(whole.len());
            let expected = &whole[cut(start)..cut(start + length)];
            assert!(read(blobs, &digest, start..start + length).await.unwrap() == expected);
        }
        Step::Reopen => *blobs = place.open().await,
    }
}

async fn compare(model: &Model, blobs: &Blobs, place: &Place) {
    let listed = blobs.list(None, usize::MAX).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|blob| (blob.digest, blob.size_bytes)).collect();
    let expected: Vec<_> = model.blobs.iter().map(|(digest, bytes)| (*digest, bytes.len() as u64)).collect();
    assert_eq!(listed, expected);
    for (digest, bytes) in &model.blobs {
        assert!(read(blobs, digest, 0..NO_LIMIT).await.unwrap() == *bytes);
    }
    let mut staged = blobs.list_staged().await.unwrap();
    staged.sort_by(|a, b| a.id.cmp(&b.id));
    let staged: Vec<_> = staged.into_iter().map(|upload| (upload.id, upload.size_bytes)).collect();
    let expected: Vec<_> = model.staged.iter().map(|(id, bytes)| (name(*id), bytes.len() as u64)).collect();
    assert_eq!(staged, expected);
    let Place::Folder(home) = place else { return };
    let running = model.running.iter().flatten().filter(|running| !running.failed).count();
    assert_eq!(files(&home.path().join("staging/.partial")).len(), running);
}

fn run(place: &Place, steps: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut blobs = place.open().await;
        let mut model = Model::default();
        for step in steps {
            take(step, &mut model, &mut blobs, place).await;
            compare(&model, &blobs, place).await;
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_folder_equals_its_model_after_every_step(steps in vec(step(), 1..40)) {
        run(&Place::folder(), steps);
    }
}

proptest! {
    // Each step is several requests.
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 50, ..ProptestConfig::default() })]

    #[test]
    fn a_bucket_equals_its_model_after_every_step(steps in vec(step(), 1..30)) {
        run(&Place::bucket(), steps);
    }
}
