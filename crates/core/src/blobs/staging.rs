use std::fmt;
use std::str::FromStr;

use super::BlobError;

/// The name of an upload until it is a blob: 1 to 100 letters, digits, `-` and `_`, chosen by the caller so that nobody can
/// guess it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StageId(String);

impl StageId {
    /// Checks a name.
    pub fn new(name: impl Into<String>) -> Result<StageId, BlobError> {
        let name = name.into();
        let wanted = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        if (1..=100).contains(&name.len()) && name.bytes().all(wanted) {
            Ok(StageId(name))
        } else {
            Err(BlobError::Malformed("the name of an upload is 1 to 100 letters, digits, - and _".to_owned()))
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for StageId {
    type Err = BlobError;

    fn from_str(name: &str) -> Result<StageId, BlobError> {
        StageId::new(name)
    }
}

/// A staged upload in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedUpload {
    /// Its name.
    pub id: StageId,
    /// Bytes so far.
    pub size_bytes: u64,
    /// When it last grew: milliseconds since 1970 by the clock of the store.
    pub modified_ms: i64,
}
