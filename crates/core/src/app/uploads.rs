//! Uploads: files on their way into a package, in one go or in pieces that survive a broken connection.

use bytes::Bytes;
use otaru_model::{Complete, Md5, Right, Sha256, Upload};

use super::{App, Caller, Error, Noun};
use crate::blobs::{Appending, BlobError, Finished, StageId, Staged};
use crate::store;
use crate::telemetry;

#[derive(Clone, Debug)]
pub struct NewUpload {
    pub door: &'static str,
    /// Where the door finds it again: unique on the server, not guessable.
    pub locator: String,
    pub file_name: String,
    pub declared_bytes: Option<u64>,
    pub max_bytes: u64,
    /// How long bytes are taken.
    pub open_ms: i64,
    /// How long the upload is kept for a package to use it.
    pub lifetime_ms: i64,
}

/// An upload that takes bytes. Dropped before [`Receiving::finish`], what came in one go is gone; what came in pieces stays.
pub struct Receiving {
    app: App,
    upload: Upload,
    writer: Writer,
}

enum Writer {
    Whole(Staged),
    Piece(Appending),
}

impl App {
    /// Makes room for a file.
    pub async fn create_upload(&self, caller: &Caller, new: NewUpload) -> Result<Upload, Error> {
        caller.require(Right::Publish)?;
        if new.declared_bytes.is_some_and(|bytes| bytes > new.max_bytes) {
            return Err(Error::TooLarge { limit_bytes: new.max_bytes });
        }
        let now_ms = self.now_ms();
        let upload = Upload {
            id: self.new_id(),
            tenant: caller.tenant,
            door: new.door.to_owned(),
            locator: new.locator,
            file_name: new.file_name,
            declared_bytes: new.declared_bytes,
            max_bytes: new.max_bytes,
            created_ms: now_ms,
            open_until_ms: now_ms + new.open_ms,
            expires_ms: now_ms + new.lifetime_ms,
            complete: None,
        };
        let record = upload.clone();
        self.write(caller, "create_upload", move |tx| {
            Box::pin(async move { Ok(store::uploads::insert(tx, &record).await?) })
        })
        .await?;
        Ok(upload)
    }

    /// An upload by its locator, for whoever knows it: doors with signed forms have no other caller.
    pub async fn upload_by_locator(&self, locator: &str) -> Result<Upload, Error> {
        let owned = locator.to_owned();
        let found = self
            .read("upload_by_locator", |tx| Box::pin(async move { Ok(store::uploads::by_locator(tx, &owned).await?) }))
            .await?;
        found.filter(|upload| upload.expires_ms > self.now_ms()).ok_or_else(|| Error::not_found(Noun::Upload, locator))
    }

    /// The caller's own upload.
    pub async fn show_upload(&self, caller: &Caller, locator: &str) -> Result<Upload, Error> {
        caller.require(Right::Publish)?;
        let upload = self.upload_by_locator(locator).await?;
        if upload.tenant == caller.tenant { Ok(upload) } else { Err(Error::not_found(Noun::Upload, locator)) }
    }

    /// How many bytes of an upload are here, durable.
    pub async fn received_bytes(&self, upload: &Upload) -> Result<u64, Error> {
        if let Some(bytes) = &upload.complete {
            return Ok(bytes.size_bytes);
        }
        match self.inner.blobs.staged_len(&stage_of(upload)?).await {
            Ok(length) => Ok(length),
            Err(BlobError::NotFound) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the whole file in one go. What was uploaded there before is replaced once the new bytes are complete.
    pub async fn receive_whole(&self, upload: Upload) -> Result<Receiving, Error> {
        self.check_open(&upload)?;
        let stage = StageId::new(format!("whole-{}-{}", upload.id, crate::clock::random_text(12)))?;
        let writer = Writer::Whole(self.inner.blobs.stage(&stage, upload.max_bytes).await?);
        Ok(Receiving { app: self.clone(), upload, writer })
    }

    /// Takes a piece of the file, from `offset_bytes` on.
    pub async fn receive_piece(&self, upload: Upload, offset_bytes: u64) -> Result<Receiving, Error> {
        self.check_open(&upload)?;
        if upload.complete.is_some() {
            return Err(Error::OutOfStep { next_byte: self.received_bytes(&upload).await? });
        }
        let limit_bytes = upload.declared_bytes.unwrap_or(upload.max_bytes);
        let appending = match self.inner.blobs.append(&stage_of(&upload)?, offset_bytes, limit_bytes).await {
            Err(BlobError::NotFound) => return Err(Error::OutOfStep { next_byte: 0 }),
            other => other?,
        };
        Ok(Receiving { app: self.clone(), upload, writer: Writer::Piece(appending) })
    }

    /// Says how long an upload will be that began without a length. What was said once stays.
    pub async fn declare_length(&self, upload: Upload, bytes: u64) -> Result<Upload, Error> {
        if bytes > upload.max_bytes {
            return Err(Error::TooLarge { limit_bytes: upload.max_bytes });
        }
        let received_bytes = self.received_bytes(&upload).await?;
        if bytes < received_bytes {
            return Err(Error::invalid("length", format!("at least the {received_bytes} bytes that are here")));
        }
        let id = upload.id;
        let declared = self
            .write_own("declare_length", move |tx| {
                Box::pin(async move { Ok::<_, Error>(store::uploads::declare(tx, &id, bytes).await?) })
            })
            .await?;
        match declared {
            true => Ok(Upload { declared_bytes: Some(bytes), ..upload }),
            false => Err(Error::invalid("length", "what was said before")),
        }
    }

    /// Declares an upload in pieces complete: it is hashed, and can become part of a package.
    pub async fn complete_upload(&self, upload: &Upload) -> Result<Complete, Error> {
        let stage = stage_of(upload)?;
        let finished = match self.inner.blobs.compose(std::slice::from_ref(&stage), upload.max_bytes).await {
            Err(BlobError::NotFound) => return Err(Error::not_found(Noun::Upload, &upload.locator)),
            other => other?,
        };
        let complete = self.record(upload, finished).await?;
        self.inner.blobs.discard(&stage).await?;
        Ok(complete)
    }

    /// Gives an upload up, with its bytes.
    pub async fn delete_upload(&self, caller: &Caller, locator: &str) -> Result<(), Error> {
        let upload = self.show_upload(caller, locator).await?;
        let id = upload.id;
        self.write(caller, "delete_upload", move |tx| {
            Box::pin(async move { Ok(store::uploads::delete(tx, &id).await?) })
        })
        .await?;
        self.inner.blobs.discard(&stage_of(&upload)?).await?;
        Ok(())
    }

    async fn record(&self, upload: &Upload, finished: Finished) -> Result<Complete, Error> {
        let bytes = complete(&finished);
        let id = upload.id;
        let recorded = self
            .write_own("complete_upload", move |tx| {
                Box::pin(async move { Ok::<_, Error>(store::uploads::complete(tx, &id, &bytes).await?) })
            })
            .await?;
        if recorded { Ok(bytes) } else { Err(Error::not_found(Noun::Upload, &upload.locator)) }
    }

    fn check_open(&self, upload: &Upload) -> Result<(), Error> {
        if upload.open_until_ms <= self.now_ms() { Err(Error::Expired { noun: Noun::Upload }) } else { Ok(()) }
    }
}

impl Receiving {
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        let written = match &mut self.writer {
            Writer::Whole(staged) => staged.write(bytes).await,
            Writer::Piece(appending) => appending.write(bytes).await,
        };
        written.map_err(|error| self.explain(error))
    }

    /// Makes what came durable. Of an upload in one go this is the end; one in pieces tells how far it is.
    pub async fn finish(self) -> Result<Upload, Error> {
        let Receiving { app, mut upload, writer } = self;
        match writer {
            Writer::Whole(staged) => {
                let finished = telemetry::blob("finish", staged.finish()).await?;
                if upload.declared_bytes.is_some_and(|declared| declared != finished.size_bytes) {
                    return Err(Error::WrongBytes(format!("{} bytes came, others were declared", finished.size_bytes)));
                }
                upload.complete = Some(app.record(&upload, finished).await?);
            }
            Writer::Piece(appending) => {
                let length = telemetry::blob("keep", appending.keep()).await?;
                if upload.declared_bytes == Some(length) {
                    upload.complete = Some(app.complete_upload(&upload).await?);
                }
            }
        }
        Ok(upload)
    }

    /// Gives up what came: an upload in one go is gone, one in pieces is what it was before this piece.
    pub async fn abandon(self) -> Result<(), Error> {
        match self.writer {
            Writer::Whole(staged) => drop(staged),
            Writer::Piece(appending) => appending.abandon().await?,
        }
        Ok(())
    }

    fn explain(&self, error: BlobError) -> Error {
        match error {
            BlobError::TooLarge => {
                let limit_bytes = self.upload.declared_bytes.unwrap_or(self.upload.max_bytes);
                Error::TooLarge { limit_bytes }
            }
            other => other.into(),
        }
    }
}

pub(super) fn complete(finished: &Finished) -> Complete {
    Complete { size_bytes: finished.size_bytes, sha256: Sha256(finished.digest.0), md5: Md5(finished.md5) }
}

/// Where the pieces of an upload wait in the blob room.
pub(super) fn stage_of(upload: &Upload) -> Result<StageId, Error> {
    Ok(StageId::new(format!("upload-{}", upload.id))?)
}
