use std::io;

/// What went wrong with package bytes, told apart by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// No such blob or staged upload (any more).
    #[error("there are no such bytes")]
    NotFound,
    /// More bytes than the given limit. Nothing of the upload is left.
    #[error("more bytes than the limit allows")]
    TooLarge,
    /// The disk (or a quota) is full, or would be fuller than the reserve allows. Nothing of the upload is left.
    #[error("no space left for package bytes")]
    Full,
    /// The stored bytes are fewer than they were: somebody else changed them.
    #[error("stored bytes were damaged")]
    Corrupt,
    /// An append has to start where the staged bytes end.
    #[error("the next byte of this upload is byte {len_bytes}")]
    OutOfStep {
        /// Bytes that are staged.
        len_bytes: u64,
    },
    /// Another request is writing, completing or discarding this upload right now.
    #[error("this upload is in use")]
    Busy,
    /// The text is not the address of a blob store, not a digest, or not a staging id; the text says what it should be.
    #[error("{0}")]
    Malformed(String),
    /// The disk failed. Trying again may help.
    #[error("package bytes are unavailable: {0}")]
    Unavailable(#[source] io::Error),
}

impl BlobError {
    /// One word for the kind of error, as metrics have it.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            BlobError::NotFound => "not_found",
            BlobError::TooLarge => "too_large",
            BlobError::Full => "full",
            BlobError::Corrupt => "corrupt",
            BlobError::OutOfStep { .. } => "out_of_step",
            BlobError::Busy => "busy",
            BlobError::Malformed(_) => "malformed",
            BlobError::Unavailable(_) => "unavailable",
        }
    }
}

impl From<io::Error> for BlobError {
    fn from(error: io::Error) -> BlobError {
        match error.kind() {
            io::ErrorKind::NotFound => BlobError::NotFound,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => BlobError::Full,
            _ => BlobError::Unavailable(error),
        }
    }
}
