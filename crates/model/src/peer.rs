//! The other end of a connection, as the listener saw it. Doors find it in the request's extensions.

use std::net::SocketAddr;
use std::sync::Arc;

/// Who asks: the other end of the socket, or the client behind it where a trusted proxy names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The address and port of the socket's other end; port 0 with an address that a trusted proxy named.
    pub address: SocketAddr,
    /// Whether the bytes between us are encrypted.
    pub encrypted: bool,
    /// The client certificate, verified against the configured authority. None without mutual TLS.
    pub certificate: Option<Arc<PeerCertificate>>,
}

/// A client certificate that a handshake has verified, with the chain the client sent along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// DER, the client's own certificate first.
    pub chain: Vec<Vec<u8>>,
}

impl PeerCertificate {
    /// The client's own certificate, DER.
    #[must_use]
    pub fn leaf(&self) -> Option<&[u8]> {
        self.chain.first().map(Vec::as_slice)
    }
}
