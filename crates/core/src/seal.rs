//! Secrets at rest: one master key seals what the database must keep but nobody may read from it, and signs the links we
//! hand out.
//!
//! AES-256-GCM comes from the `aes-gcm` crate: what is sealed here is tens of bytes, so speed decides nothing, and it is
//! constant-time with and without AES instructions, needs no C code and shares its traits with the HMAC next to it.
//!
//! The master key itself never meets a message. Each use has a key of its own, `HMAC-SHA256(master, label)`, so that a
//! weakness in one use says nothing about another.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

/// Bytes of a master key.
pub const KEY_BYTES: usize = 32;

const NONCE_BYTES: usize = 12;
/// The first byte of everything sealed, so that another algorithm can follow without guessing.
const FORMAT: u8 = 1;

const SEAL_LABEL: &[u8] = b"otaru seal 1";
const SIGN_LABEL: &[u8] = b"otaru sign 1\0";
const FINGERPRINT_LABEL: &[u8] = b"otaru fingerprint 1";

/// Why a key could not be had or a secret not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// There is no key file, and none was to be created.
    #[error("there is no master key at {0}")]
    Missing(String),
    /// The text is not a key.
    #[error("a master key is 32 bytes written as 64 hex digits or as base64; this text is neither")]
    NotAKey,
    /// Another key sealed it, it belongs to another context, or it was altered. Which one cannot be told.
    #[error("the secret cannot be opened: another master key sealed it, or it was altered or moved")]
    Unopened,
    /// The operating system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(#[from] getrandom::Error),
    /// The key file could not be read or written.
    #[error("master key file: {0}")]
    File(#[from] io::Error),
}

/// The one key of an installation. It is wiped from memory when dropped and prints nothing but its fingerprint.
#[derive(Clone)]
pub struct MasterKey {
    bytes: Zeroizing<[u8; KEY_BYTES]>,
    cipher: Aes256Gcm,
}

impl MasterKey {
    /// A key from its 32 bytes.
    pub fn from_bytes(mut bytes: [u8; KEY_BYTES]) -> MasterKey {
        let cipher = Aes256Gcm::new(&subkey(&bytes, &[SEAL_LABEL]).into());
        let key = MasterKey { bytes: Zeroizing::new(bytes), cipher };
        bytes.zeroize();
        key
    }

    /// A key from text, as it stands in a file or an environment variable: 64 hex digits, or base64 of either alphabet with
    /// or without padding. White space around it does not count.
    pub fn from_text(text: &str) -> Result<MasterKey, SealError> {
        let text = text.trim();
        let decoded = match text.len() {
            64 => hex::decode(text).ok(),
            44 => STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok(),
            43 => STANDARD_NO_PAD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text)).ok(),
            _ => None,
        };
        let decoded = Zeroizing::new(decoded.ok_or(SealError::NotAKey)?);
        let bytes = <[u8; KEY_BYTES]>::try_from(decoded.as_slice()).map_err(|_| SealError::NotAKey)?;
        Ok(MasterKey::from_bytes(bytes))
    }

    /// A fresh random key.
    pub fn generate() -> Result<MasterKey, SealError> {
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(MasterKey::from_bytes(bytes))
    }

    /// The key in a file, as text (see [`MasterKey::from_text`]). A file that everybody may read is worth a warning only:
    /// mounted secrets often are.
    pub fn load(path: &Path) -> Result<MasterKey, SealError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(SealError::Missing(path.display().to_string()));
            }
            Err(error) => return Err(error.into()),
        };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(path)?.permissions().mode();
            if mode & 0o004 != 0 {
                tracing::warn!(path = %path.display(), mode = format!("{:o}", mode & 0o777), "everybody can read the master key");
            }
        }
        MasterKey::from_text(&text)
    }

    /// The key in a file; without a file a new key is made and written there, readable by its owner only. Two servers that
    /// start at the same moment end up with the same key.
    pub fn load_or_create(path: &Path) -> Result<MasterKey, SealError> {
        match MasterKey::load(path) {
            Err(SealError::Missing(_)) => {}
            other => return other,
        }
        MasterKey::generate()?.write_new(path)?;
        MasterKey::load(path)
    }

    /// Writes the key under a name of its own first and then links it to the wanted one: nobody ever sees half a key, and
    /// whoever comes second keeps the key of the first.
    fn write_new(&self, path: &Path) -> Result<(), SealError> {
        let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut suffix = [0; 8];
        getrandom::fill(&mut suffix)?;
        let mut draft_name = path.file_name().unwrap_or_default().to_os_string();
        draft_name.push(format!(".{}.new", hex::encode(suffix)));
        let draft = directory.join(draft_name);

        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(&draft).and_then(|mut file| {
            let text = Zeroizing::new(format!("{}\n", Zeroizing::new(hex::encode(self.bytes.as_slice())).as_str()));
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            match fs::hard_link(&draft, path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                _ => File::open(directory)?.sync_all(),
            }
        });
        let removed = fs::remove_file(&draft);
        Ok(written.and(removed)?)
    }

    /// Seals a secret for the database. `context` says whose secret it is (table, column, row): it is not stored, and
    /// without the same context the secret does not open, so that a sealed value copied to another row is worthless.
    ///
    /// The result is one format byte, 12 bytes of nonce, the ciphertext and its tag of 16 bytes.
    pub fn seal(&self, plaintext: &[u8], context: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce)?;
        let payload = Payload { msg: plaintext, aad: context };
        // The cipher refuses only messages of more than 64 GiB.
        let ciphertext = self.cipher.encrypt(&Nonce::from(nonce), payload).map_err(|_| SealError::Unopened)?;
        let mut sealed = Vec::with_capacity(1 + NONCE_BYTES + ciphertext.len());
        sealed.push(FORMAT);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&ciphertext);
        Ok(sealed)
    }

    /// Opens what [`MasterKey::seal`] sealed under the same key and context.
    pub fn open(&self, sealed: &[u8], context: &[u8]) -> Result<Vec<u8>, SealError> {
        let (&format, rest) = sealed.split_first().ok_or(SealError::Unopened)?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::Unopened)?;
        if format != FORMAT {
            return Err(SealError::Unopened);
        }
        let payload = Payload { msg: ciphertext, aad: context };
        self.cipher.decrypt(&Nonce::from(*nonce), payload).map_err(|_| SealError::Unopened)
    }

    /// HMAC-SHA256 over `message` with a key of its own for each `context` (a kind of link, for instance).
    pub fn sign(&self, context: &[u8], message: &[u8]) -> [u8; 32] {
        self.signer(context, message).finalize().into_bytes().into()
    }

    /// Whether `signature` is what [`MasterKey::sign`] says, compared in constant time.
    pub fn verify(&self, context: &[u8], message: &[u8], signature: &[u8]) -> bool {
        self.signer(context, message).verify_slice(signature).is_ok()
    }

    fn signer(&self, context: &[u8], message: &[u8]) -> Hmac<Sha256> {
        let key = Zeroizing::new(subkey(&self.bytes, &[SIGN_LABEL, context]));
        keyed(&key).chain_update(message)
    }

    /// 16 hex digits that name this key and tell nothing about it. A store remembers them, so that a server started with
    /// another key says so instead of failing secret by secret.
    pub fn fingerprint(&self) -> String {
        let name = subkey(&self.bytes, &[FINGERPRINT_LABEL]);
        hex::encode(&name[..8])
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.fingerprint())
    }
}

fn keyed(key: &[u8; KEY_BYTES]) -> Hmac<Sha256> {
    // A key shorter than the block of the hash is padded with zeros (RFC 2104): building from the padded block cannot fail.
    let mut block = Zeroizing::new([0; 64]);
    block[..KEY_BYTES].copy_from_slice(key);
    Hmac::new(&(*block).into())
}

fn subkey(master: &[u8; KEY_BYTES], label: &[&[u8]]) -> [u8; KEY_BYTES] {
    let mut mac = keyed(master);
    for part in label {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(byte: u8) -> MasterKey {
        MasterKey::from_bytes([byte; KEY_BYTES])
    }

    #[test]
    fn a_sealed_secret_opens_with_its_key_and_its_context_only() {
        let sealed = key(1).seal(b"secret access key", b"credential/42").unwrap();
        assert_eq!(key(1).open(&sealed, b"credential/42").unwrap(), b"secret access key");
        assert!(matches!(key(2).open(&sealed, b"credential/42"), Err(SealError::Unopened)));
        assert!(matches!(key(1).open(&sealed, b"credential/43"), Err(SealError::Unopened)));
    }

    #[test]
    fn the_same_secret_is_never_sealed_twice_alike() {
        assert_ne!(key(1).seal(b"same", b"").unwrap(), key(1).seal(b"same", b"").unwrap());
    }

    #[test]
    fn any_flipped_bit_and_any_cut_is_noticed() {
        let sealed = key(1).seal(b"abc", b"row").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut altered = sealed.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(key(1).open(&altered, b"row").is_err(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(key(1).open(&sealed[..length], b"row").is_err(), "cut to {length}");
        }
    }

    /// Computed with Python's `hmac` and `cryptography`: what an older server sealed or signed must stay readable.
    #[test]
    fn format_and_signatures_are_pinned() {
        let master = MasterKey::from_text("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f").unwrap();
        assert_eq!(master.fingerprint(), "75f6d2aa3ffe62a5");
        assert_eq!(
            hex::encode(master.sign(b"link", b"/ota/1")),
            "aa914e0f58a79e1d146acfd3fb6202badecb687f3caece9d8704e85639bdf29d"
        );
        let sealed = hex::decode("016465666768696a6b6c6d6e6fec855fce9350c82cc4a2bdc133e999453ad99638909e18ee").unwrap();
        assert_eq!(master.open(&sealed, b"credential/1").unwrap(), b"a secret");
    }

    #[test]
    fn a_signature_is_bound_to_context_message_and_key() {
        let signature = key(1).sign(b"download", b"/ota/1?expires=2");
        assert!(key(1).verify(b"download", b"/ota/1?expires=2", &signature));
        assert!(!key(1).verify(b"upload", b"/ota/1?expires=2", &signature));
        assert!(!key(1).verify(b"download", b"/ota/1?expires=3", &signature));
        assert!(!key(2).verify(b"download", b"/ota/1?expires=2", &signature));
        assert!(!key(1).verify(b"download", b"/ota/1?expires=2", &signature[..31]));
        // Moving a byte between context and message is another signature.
        assert_ne!(key(1).sign(b"ab", b"c"), key(1).sign(b"a", b"bc"));
    }

    #[test]
    fn key_text_may_be_hex_or_base64() {
        let bytes = [0xfb; KEY_BYTES];
        for text in [
            hex::encode(bytes),
            hex::encode_upper(bytes),
            STANDARD.encode(bytes),
            STANDARD_NO_PAD.encode(bytes),
            URL_SAFE.encode(bytes),
            URL_SAFE_NO_PAD.encode(bytes),
            format!("  {}\r\n", STANDARD.encode(bytes)),
        ] {
            assert_eq!(MasterKey::from_text(&text).unwrap().fingerprint(), key(0xfb).fingerprint(), "{text}");
        }
        for text in ["", "abc", &hex::encode([1; 31]), &STANDARD.encode([1; 33]), &"g".repeat(64)] {
            assert!(matches!(MasterKey::from_text(text), Err(SealError::NotAKey)), "{text}");
        }
    }

    #[test]
    fn a_key_file_is_created_once_for_its_owner_only_and_then_kept() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("master.key");
        assert!(matches!(MasterKey::load(&path), Err(SealError::Missing(_))));
        assert!(!path.exists());

        let first = MasterKey::load_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(MasterKey::load_or_create(&path).unwrap().fingerprint(), first.fingerprint());
        assert_eq!(MasterKey::load(&path).unwrap().fingerprint(), first.fingerprint());
        let names: Vec<_> = fs::read_dir(home.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["master.key"]);

        let second = MasterKey::generate().unwrap();
        second.write_new(&path).unwrap();
        assert_eq!(MasterKey::load(&path).unwrap().fingerprint(), first.fingerprint(), "a key is never overwritten");
    }

    #[test]
    fn a_damaged_key_file_is_an_error_and_not_a_new_key() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("master.key");
        fs::write(&path, "").unwrap();
        assert!(matches!(MasterKey::load_or_create(&path), Err(SealError::NotAKey)));
        assert_eq!(fs::read(&path).unwrap(), b"");
    }

    #[test]
    fn debug_shows_the_fingerprint_and_no_key() {
        let shown = format!("{:?}", key(0xab));
        assert_eq!(shown, format!("MasterKey({})", key(0xab).fingerprint()));
        assert!(!shown.contains("abab"));
    }

    proptest! {
        #[test]
        fn sealing_is_reversible(plaintext: Vec<u8>, context: Vec<u8>, bytes: [u8; KEY_BYTES]) {
            let key = MasterKey::from_bytes(bytes);
            let sealed = key.seal(&plaintext, &context).unwrap();
            prop_assert_eq!(sealed.len(), plaintext.len() + 29);
            prop_assert_eq!(key.open(&sealed, &context).unwrap(), plaintext);
        }

        #[test]
        fn opening_anything_never_panics(sealed: Vec<u8>, context: Vec<u8>) {
            prop_assert!(key(1).open(&sealed, &context).is_err());
        }
    }
}
