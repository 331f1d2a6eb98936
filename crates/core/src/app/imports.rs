//! Imports: files of packages that lie in an object store elsewhere are read in, hashed and compared in the background.

use otaru_model::{Integrity, Md5, Sha256};

use super::{App, Error, Noun};
use crate::blobs::remote::{RemoteError, RemoteObject};
use crate::blobs::{Placed, StageId};
use crate::clock::random_text;
use crate::store;
use crate::store::packages::Import;

/// How long a copy of the server has for one package before another one may try.
const CLAIM_MS: i64 = 30 * 60_000;

impl App {
    /// Reads in the files of packages that wait for it; the number of files settled, for better or worse.
    pub async fn run_imports(&self) -> Result<usize, Error> {
        let now_ms = self.now_ms();
        let claimed = self
            .write_own("run_imports", move |tx| {
                Box::pin(
                    async move { Ok::<_, Error>(store::packages::claim_imports(tx, now_ms, now_ms + CLAIM_MS).await?) },
                )
            })
            .await?;
        let mut settled = 0;
        for import in claimed {
            settled += usize::from(self.import(import).await?);
        }
        Ok(settled)
    }

    /// False if the object store could not be asked now: another try comes when the claim is over.
    async fn import(&self, import: Import) -> Result<bool, Error> {
        let Some(region) = self.inner.regions.get(&import.region) else {
            return self.settle(import, Err("its region is no longer configured".to_owned())).await.map(|()| true);
        };
        let seen = RemoteObject { size_bytes: import.size_bytes, etag: import.etag.clone() };
        let stage = StageId::new(format!("import-{}", random_text(24)))?;
        let outcome =
            region.import(&import.bucket, &import.key, &seen, &self.inner.blobs, &stage, import.size_bytes).await;
        let outcome = match outcome {
            Ok(finished) => Ok(finished),
            Err(RemoteError::ChangedWhileRead) => Err("the object changed after the package was made".to_owned()),
            Err(RemoteError::NotFound) => Err("the object is gone".to_owned()),
            Err(error) => {
                tracing::warn!(package = %import.package, bucket = import.bucket, key = import.key, %error, "an import has to wait");
                return Ok(false);
            }
        };
        self.settle(import, outcome).await.map(|()| true)
    }

    async fn settle(&self, import: Import, outcome: Result<Placed, String>) -> Result<(), Error> {
        // The bytes themselves stay in our hands until they are on record.
        let found = outcome.as_ref().map(|placed| **placed).map_err(String::clone);
        let now_ms = self.now_ms();
        self.write_own("settle_import", move |tx| {
            Box::pin(async move {
                store::packages::end_import(tx, &import.package, import.position).await?;
                let Some(mut package) = store::packages::by_id(tx, &import.package).await? else {
                    return Ok::<_, Error>(());
                };
                match found {
                    Ok(bytes) => {
                        let Some(file) = package.files.get_mut(import.position) else { return Ok(()) };
                        file.size_bytes = bytes.size_bytes;
                        file.sha256 = Some(Sha256(bytes.digest.0));
                        file.md5 = Some(Md5(bytes.md5));
                        let sha256 = Sha256(bytes.digest.0);
                        store::packages::add_blob(tx, &package.id, import.position, &sha256).await?;
                        if package.integrity == Integrity::Pending {
                            (package.integrity, package.integrity_note) = Integrity::of(&package.files);
                        }
                    }
                    Err(problem) => {
                        package.integrity = Integrity::Failed;
                        package.integrity_note = Some(problem);
                    }
                }
                package.updated_ms = now_ms;
                store::packages::set_bytes(tx, &package).await?;
                Ok(())
            })
        })
        .await
    }
}

/// Says of an object store's refusal what the caller can do about it.
pub(super) fn explain(error: RemoteError, bucket: &str, key: &str) -> Error {
    match error {
        RemoteError::NotFound => Error::not_found(Noun::Object, format!("{key} in the bucket {bucket}")),
        RemoteError::Denied => Error::not_found(Noun::Bucket, format!("{bucket} that this server may read")),
        RemoteError::BadName(problem) => Error::invalid("object", problem),
        RemoteError::Blob(error) => error.into(),
        RemoteError::ChangedWhileRead | RemoteError::Misconfigured(_) | RemoteError::Unavailable(_) => {
            Error::Unavailable(error.to_string())
        }
    }
}
