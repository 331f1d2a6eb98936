//! Downloads: signed links that expire, and the bytes behind them.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use otaru_model::{Id, Integrity, Package, PackageFile, Right};

use super::{App, Caller, Error, Noun};
use crate::blobs::BlobReader;
use crate::{request, store};

/// What links are signed as, so that no other signature of the master key is one.
const SIGNED_AS: &[u8] = b"download link";

/// Who is sent on to an object store goes there at once, and comes back here for another link if it breaks.
const DIRECT_LINK_LIFETIME: Duration = Duration::from_secs(900);

/// A link to one file of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Scheme, host and path; ends in the file's name.
    pub url: String,
    /// Seconds since 1970.
    pub expires_s: i64,
    /// Letters, digits, `-` and `_`.
    pub signature: String,
}

/// A file that is ready to be read.
pub struct Download {
    /// Whose package it is.
    pub tenant: Id,
    pub file: PackageFile,
    pub created_ms: i64,
    pub bytes: BlobReader,
}

impl App {
    /// A link to the file at `position`, which lives as long as the settings say.
    pub fn link(&self, package: &Package, position: usize) -> Option<Link> {
        let file = package.files.get(position)?;
        let expires_s = (self.now_ms() + self.inner.settings.link_lifetime_ms) / 1000;
        let name = link_name(&file.name);
        let url = format!("{}/ota/{}/{position}/{name}", self.inner.settings.download_url, package.id);
        let signature = self.inner.key.sign(SIGNED_AS, link_text(&package.id, position, expires_s).as_bytes());
        Some(Link { url, expires_s, signature: URL_SAFE_NO_PAD.encode(signature) })
    }

    /// Opens the file behind a link. A wrong or outdated link is [`Error::Expired`]; nothing else tells them apart. Bytes that are
    /// known to be damaged, or not what was declared, are [`Error::WrongBytes`].
    pub async fn open_link(
        &self,
        package: &Id,
        position: usize,
        expires_s: i64,
        signature: &str,
    ) -> Result<Download, Error> {
        let refused = || Error::Expired { noun: Noun::File };
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| refused())?;
        let text = link_text(package, position, expires_s);
        if !self.inner.key.verify(SIGNED_AS, text.as_bytes(), &signature) || expires_s * 1000 <= self.now_ms() {
            return Err(refused());
        }
        let package = self.downloaded_package(package).await?;
        request::is_by(&package.tenant, None)?;
        self.open_bytes(&package, position).await
    }

    /// A package as it is. One that devices fetch piece by piece is not read anew for each piece, unless something was
    /// committed since.
    async fn downloaded_package(&self, id: &Id) -> Result<Arc<Package>, Error> {
        let id = *id;
        let commits = self.inner.store.commits();
        if let Some((then, package)) = self.inner.downloaded.get(&id)
            && Some(then) == commits
        {
            return Ok(package);
        }
        let found =
            self.read("open_link", |tx| Box::pin(async move { Ok(store::packages::by_id(tx, &id).await?) })).await?;
        let package = Arc::new(found.ok_or_else(|| Error::not_found(Noun::Package, id))?);
        if let Some(commits) = commits {
            self.inner.downloaded.insert(id, (commits, Arc::clone(&package)));
        }
        Ok(package)
    }

    /// Where the object store itself gives the bytes out, if the settings want that and it can; otherwise they are ours to send.
    pub async fn direct_link(&self, download: &Download) -> Option<String> {
        if !self.inner.settings.direct_links {
            return None;
        }
        let digest = download.file.sha256?.into();
        match self.inner.blobs.direct_link(&digest, DIRECT_LINK_LIFETIME, &download.file.name).await {
            Ok(link) => link,
            Err(error) => {
                tracing::warn!(%error, "a download goes through this server, because the object store gives no link");
                None
            }
        }
    }

    /// Opens a file for somebody who may read the registry.
    pub async fn open_file(&self, caller: &Caller, package: &Id, position: usize) -> Result<Download, Error> {
        caller.require(Right::Read)?;
        let package = self.show_package(caller, package).await?;
        self.open_bytes(&package, position).await
    }

    async fn open_bytes(&self, package: &Package, position: usize) -> Result<Download, Error> {
        if package.integrity == Integrity::Pending {
            return Err(Error::Unavailable("the package's bytes are still being read in".to_owned()));
        }
        if package.integrity == Integrity::Failed {
            return Err(Error::WrongBytes(
                package.integrity_note.clone().unwrap_or_else(|| "its bytes are damaged".to_owned()),
            ));
        }
        let missing = || Error::not_found(Noun::File, format!("{position} of package {}", package.id));
        let file = package.files.get(position).ok_or_else(missing)?.clone();
        let digest = file.sha256.ok_or_else(missing)?;
        let bytes = self.inner.blobs.open_blob(&digest.into()).await?;
        if bytes.size_bytes() != file.size_bytes {
            let problem = format!(
                "{}: {} bytes are stored, and {} were uploaded",
                file.name,
                bytes.size_bytes(),
                file.size_bytes
            );
            self.record_integrity(package.clone(), Some(problem.clone())).await?;
            return Err(Error::WrongBytes(problem));
        }
        Ok(Download { tenant: package.tenant, file, created_ms: package.created_ms, bytes })
    }
}

fn link_text(package: &Id, position: usize, expires_s: i64) -> String {
    format!("{package}/{position}/{expires_s}")
}

/// The last path segment of a link: devices take the file's name from it, and some have room for a short path only.
fn link_name(name: &str) -> String {
    let safe = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | '~');
    let plain: String = name.chars().map(|letter| if safe(letter) { letter } else { '_' }).collect();
    // The end of a name tells more than its beginning: it has the suffix.
    let start = plain.len().saturating_sub(64);
    if plain.is_empty() { "file".to_owned() } else { plain[start..].to_owned() }
}

#[cfg(test)]
mod tests {
    use super::link_name;

    #[test]
    fn a_links_name_is_short_plain_and_keeps_the_suffix() {
        assert_eq!(link_name("upgrade v2.bin"), "upgrade_v2.bin");
        assert_eq!(link_name("../电池.tar.gz"), "..___.tar.gz");
        assert_eq!(link_name(""), "file");
        let long = format!("{}.bin", "x".repeat(300));
        assert_eq!(link_name(&long).len(), 64);
        assert!(link_name(&long).ends_with(".bin"));
    }
}
