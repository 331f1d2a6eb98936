//! Blobs in a bucket of an object store, which several copies of the server share.
//!
//! ```text
//! objects/ab/abcd…/<time>-<random>                   blobs, by the hex digits of their SHA-256
//! staging/<id>/<time>-<random>/whole                 an upload in one go that was kept
//! staging/<id>/<time>-<random>/begun                 a growing upload, and
//! staging/<id>/<time>-<random>/<offset>-<time>-<…>   its pieces
//! ```
//!
//! No two objects ever have the same key. An object store writes a key as a whole or not at all, so there is nothing half
//! under a content key; and because a blob that is stored again gets a key of its own, a collector takes away exactly the
//! object that it found old, and never the one that another copy stored meanwhile. That needs no lock, no conditional request
//! and no exact clock, only a listing that shows what was written before (docs/adr/0010).

mod append;
mod collect;
mod complete;
mod error;
mod read;
mod upload;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::TryStreamExt;
use opendal::{Buffer, Metadata, Operator};
use quick_cache::sync::Cache;

pub use append::Appending;
pub use read::BlobReader;
pub use upload::Staged;

use super::remote::{Credentials, PATIENCE, Region};
use super::{BlobError, Digest, StageId};
use crate::clock::{Clock, random_text};
use error::{listing, malformed, writing};

/// An object store copies gigabytes within itself before it answers.
const COPY_PATIENCE: Duration = Duration::from_secs(600);
/// How long a copy of the server remembers where a blob is. It only saves listings: an object that is gone is looked up again.
const REMEMBER_MS: i64 = 60_000;
/// What can be copied in one request, in every one of the object stores.
const COPY_BYTES: u64 = 5 << 30;

pub(super) struct Bucket {
    operator: Operator,
    /// The same for what takes long.
    patient: Operator,
    clock: Clock,
    known: Cache<Digest, Known>,
    /// Uploads that grow through this copy of the server right now.
    growing: Mutex<HashSet<StageId>>,
}

/// One object that is a blob.
#[derive(Clone, Debug)]
struct Place {
    key: Arc<str>,
    size_bytes: u64,
    /// From its name: when we began to store it.
    named_ms: i64,
}

#[derive(Clone)]
struct Known {
    place: Place,
    since_ms: i64,
}

/// What a new object is made of.
enum Source<'s> {
    Bytes(Buffer),
    /// Objects of this bucket, by key and length.
    Objects(&'s [(String, u64)]),
}

impl Bucket {
    /// Opens `scheme://bucket/prefix?options`; the bucket has to exist and to let us in.
    pub(super) async fn open(url: &str, given: Option<Credentials>) -> Result<Bucket, BlobError> {
        let address = Address::parse(url)?;
        let credentials = address.credentials.or(given);
        let region = Region::parse_with(url, credentials).map_err(malformed)?;
        let operator = |patience| region.operator(&address.bucket, &address.root, patience).map_err(malformed);
        let bucket = Bucket {
            operator: operator(PATIENCE)?,
            patient: operator(COPY_PATIENCE)?,
            clock: Clock::system(),
            known: Cache::new(10_000),
            growing: Mutex::default(),
        };
        bucket.names("staging/").await?;
        Ok(bucket)
    }

    /// A name that was never used: it begins with the time, so that later names sort behind earlier ones.
    fn fresh_name(&self) -> String {
        format!("{:012x}-{}", self.clock.now_ms(), random_text(16))
    }

    /// Makes an object the blob of this name, whole or not at all. Of the objects of the same content all but the newest go,
    /// because nobody would look at them any more; that also mends a damaged one. The newest is young, so no collector takes
    /// it, and whoever places another one at the same time leaves the same one.
    async fn place(&self, digest: &Digest, size_bytes: u64, source: Source<'_>) -> Result<(), BlobError> {
        let named_ms = self.clock.now_ms();
        let key = format!("{}{}", folder(digest), self.fresh_name());
        match source {
            Source::Bytes(bytes) => drop(self.operator.write(&key, bytes).await.map_err(writing)?),
            Source::Objects([(from, length)]) if *length <= COPY_BYTES => {
                self.patient.copy(from, &key).await.map_err(writing)?;
            }
            Source::Objects(pieces) => {
                let mut writer = self.patient.writer(&key).await.map_err(writing)?;
                let put_together = async {
                    for (from, length) in pieces {
                        let mut start = 0;
                        while start < *length {
                            let end = (start + COPY_BYTES).min(*length);
                            writer.copy_from(from, start..end).await?;
                            start = end;
                        }
                    }
                    writer.close().await
                };
                if let Err(error) = put_together.await {
                    // What cannot be taken back now ends with the bucket's rule for unfinished uploads.
                    let _ = writer.abort().await;
                    return Err(writing(error));
                }
            }
        }
        let mut places = self.places(digest).await?;
        let newest = places.pop().unwrap_or(Place { key: key.into(), size_bytes, named_ms });
        for older in places {
            if let Err(error) = self.operator.delete(&older.key).await {
                tracing::warn!(key = %older.key, %error, "an outdated copy of a blob stays for now");
            }
        }
        self.remember(digest, newest);
        Ok(())
    }

    fn remember(&self, digest: &Digest, place: Place) {
        self.known.insert(*digest, Known { place, since_ms: self.clock.now_ms() });
    }

    /// Where a blob is, asked of the store only if we have not done so lately.
    async fn find(&self, digest: &Digest) -> Result<Place, BlobError> {
        if let Some(known) = self.known.get(digest)
            && (known.since_ms..known.since_ms + REMEMBER_MS).contains(&self.clock.now_ms())
        {
            return Ok(known.place);
        }
        self.find_anew(digest).await
    }

    async fn find_anew(&self, digest: &Digest) -> Result<Place, BlobError> {
        self.known.remove(digest);
        let place = self.places(digest).await?.pop().ok_or(BlobError::NotFound)?;
        self.remember(digest, place.clone());
        Ok(place)
    }

    /// The objects that are this blob, the newest last. Usually there is one.
    async fn places(&self, digest: &Digest) -> Result<Vec<Place>, BlobError> {
        let found = self.files(&folder(digest)).await?;
        let mut places: Vec<Place> = found
            .into_iter()
            .filter_map(|(key, meta)| place_of(&key, &meta))
            .filter_map(|(of, place)| (of == *digest).then_some(place))
            .collect();
        places.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(places)
    }

    /// All objects below a prefix, by key.
    async fn files(&self, prefix: &str) -> Result<Vec<(String, Metadata)>, BlobError> {
        let lister = self.operator.lister_with(prefix).recursive(true).await.map_err(listing)?;
        let files = lister
            .try_filter_map(async |entry| {
                Ok(entry.metadata().is_file().then(|| (entry.path().to_owned(), entry.metadata().clone())))
            })
            .try_collect()
            .await
            .map_err(listing)?;
        Ok(files)
    }

    /// What is directly below a prefix: folders with a slash at their end, and objects; sorted.
    async fn names(&self, prefix: &str) -> Result<Vec<String>, BlobError> {
        let entries = self.operator.list(prefix).await.map_err(listing)?;
        let below = |path: &str| path.strip_prefix(prefix).filter(|name| !name.is_empty()).map(str::to_owned);
        let mut names: Vec<String> = entries.iter().filter_map(|entry| below(entry.path())).collect();
        names.sort_unstable();
        Ok(names)
    }

    async fn remove_all(&self, keys: Vec<String>) -> Result<(), BlobError> {
        if keys.is_empty() {
            return Ok(());
        }
        self.operator.delete_iter(keys).await.map_err(writing)
    }
}

/// The folder of a blob's objects. Other stores' listings are slow where very many names begin alike; ours branch at once.
fn folder(digest: &Digest) -> String {
    let hex = digest.to_hex();
    format!("objects/{}/{hex}/", &hex[..2])
}

/// Which blob an object is, if it is one.
fn place_of(key: &str, meta: &Metadata) -> Option<(Digest, Place)> {
    let (folders, name) = key.rsplit_once('/')?;
    let digest = folders.rsplit_once('/')?.1.parse().ok()?;
    let place = Place { key: key.into(), size_bytes: meta.content_length(), named_ms: time_of(name)? };
    Some((digest, place))
}

/// The time in a name that [`Bucket::fresh_name`] made.
fn time_of(name: &str) -> Option<i64> {
    let (time, random) = name.split_once('-')?;
    let is_ours = time.len() == 12 && !random.is_empty();
    if is_ours { i64::from_str_radix(time, 16).ok() } else { None }
}

/// The parts of an address that say which bucket and where in it.
struct Address {
    bucket: String,
    root: String,
    credentials: Option<Credentials>,
}

impl Address {
    fn parse(url: &str) -> Result<Address, BlobError> {
        let wrong = |text: &str| BlobError::Malformed(text.to_owned());
        let rest = url.split_once("://").map_or("", |(_, rest)| rest);
        let place = rest.split_once('?').map_or(rest, |(place, _)| place);
        let (authority, prefix) = place.split_once('/').unwrap_or((place, ""));
        let (user, bucket) =
            authority.rsplit_once('@').map_or((None, authority), |(user, bucket)| (Some(user), bucket));
        if bucket.is_empty() {
            return Err(wrong("the address of a blob store in a bucket is scheme://BUCKET/PREFIX?endpoint=…"));
        }
        let credentials = match user {
            None => None,
            Some(user) => {
                let decoded = |text: &str| {
                    let text = percent_encoding::percent_decode_str(text).decode_utf8();
                    text.map(String::from).map_err(|_| wrong("the key pair before the @ is not UTF-8"))
                };
                match user.split_once(':') {
                    Some((id, secret)) if !id.is_empty() && !secret.is_empty() => {
                        Some(Credentials::new(decoded(id)?, decoded(secret)?))
                    }
                    _ => return Err(wrong("before the @ stands a key pair, ID:SECRET, percent-encoded")),
                }
            }
        };
        let prefix = prefix.trim_end_matches('/');
        let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
        let is_tidy = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(plain);
        if !prefix.is_empty() && !prefix.split('/').all(is_tidy) {
            return Err(wrong("a prefix is made of letters, digits, - _ . and single slashes"));
        }
        let root = if prefix.is_empty() { "/".to_owned() } else { format!("/{prefix}/") };
        Ok(Address { bucket: bucket.to_owned(), root, credentials })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_bucket_prefix_and_maybe_a_key_pair() {
        let read = |url| Address::parse(url).map(|a| (a.bucket, a.root, a.credentials.is_some())).ok();
        let some = |bucket: &str, root: &str, keys| Some((bucket.to_owned(), root.to_owned(), keys));
        assert_eq!(read("s3://otaru"), some("otaru", "/", false));
        assert_eq!(read("s3://otaru/?region=x"), some("otaru", "/", false));
        assert_eq!(read("obs://otaru/eu/one/?endpoint=h"), some("otaru", "/eu/one/", false));
        assert_eq!(read("oss://AK:S%2fK@otaru/p"), some("otaru", "/p/", true));
        for url in
            ["s3://", "s3:///p", "s3://AK@b", "s3://:x@b", "s3://AK:@b", "s3://b//p", "s3://b/../p", "s3://b/a%20b"]
        {
            assert_eq!(read(url), None, "{url}");
        }
    }

    #[test]
    fn later_names_sort_behind_earlier_ones_and_tell_their_time() {
        let name = |ms: i64| format!("{ms:012x}-random");
        assert!(name(1_772_000_000_000) < name(1_772_000_000_001));
        assert_eq!(time_of(&name(1_772_000_000_000)), Some(1_772_000_000_000));
        for other in ["README", "1-x", "00000000000g-x", "000000000000-", "whole"] {
            assert_eq!(time_of(other), None, "{other}");
        }
    }
}
