//! Secrets that are derived from the master key instead of being kept: every copy of the server finds the same ones.

use otaru_model::{Product, Right};

use super::{App, Caller, Error, Secret};

const SERVICE_KEY_ID_DIGITS: usize = 16;
const SECRET_DIGITS: usize = 32;

impl App {
    /// A key pair of the server itself: what a door signs with it for a client to carry, the same door recognises when it
    /// comes back. The id is public and the same for all callers; the secret never leaves the server. Both are hexadecimal
    /// digits, other ones for each `purpose`.
    pub fn service_key(&self, purpose: &str) -> (String, Secret) {
        let secret = hex::encode(self.inner.key.sign(b"service key secret", purpose.as_bytes()));
        (self.service_key_id(purpose), Secret::new(secret))
    }

    /// The id of such a pair alone.
    pub fn service_key_id(&self, purpose: &str) -> String {
        let mut id = hex::encode(self.inner.key.sign(b"service key id", purpose.as_bytes()));
        id.truncate(SERVICE_KEY_ID_DIGITS);
        id
    }

    /// The secret that devices of a product may register with, 32 hexadecimal digits. Who may not publish does not see it.
    pub fn product_secret(&self, caller: &Caller, product: &Product) -> Result<Secret, Error> {
        caller.require(Right::Publish)?;
        let digest = self.inner.key.sign(b"product secret", product.id.as_bytes());
        Ok(Secret::new(&hex::encode(digest)[..SECRET_DIGITS]))
    }
}
