//! Why a signature was not accepted.

/// Why a signature was not accepted, by what the caller can do about it.
///
/// The texts name what was wrong and never hold a secret. `string_to_sign` may hold the caller's own session token: it goes
/// back to the caller where the contract wants it, and into no log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The request carries no signature at all.
    #[error("the request carries no signature")]
    Missing,
    /// The algorithm is not one this scheme accepts; holds its name as sent.
    #[error("the signature algorithm `{0}` is not supported")]
    UnsupportedAlgorithm(String),
    /// The signature's own fields do not parse; holds which one and how.
    #[error("the signature is malformed: {0}")]
    Malformed(&'static str),
    /// A header that the scheme needs, or that the request says it signed, was not sent.
    #[error("the signed header `{0}` is missing from the request")]
    MissingHeader(String),
    /// A header that must be signed was sent unsigned.
    #[error("the header `{0}` must be among the signed headers")]
    UnsignedHeader(&'static str),
    /// The signed time is missing, sent twice, or not in the scheme's format; holds the header or parameter.
    #[error("`{0}` is not a well-formed time")]
    InvalidTime(&'static str),
    /// The date inside the credential is another than that of the signed time.
    #[error("the date in Credential differs from the signed time")]
    ScopeDate,
    /// The digest that the request declares is not that of the body that arrived.
    #[error("the declared digest `{0}` is not that of the body")]
    BodyDigest(&'static str),
    /// The body was declared unsigned where it has to be signed.
    #[error("only a multipart body may be sent with an unsigned payload")]
    UnsignedPayload,
    /// Everything parsed and the signature is another than ours.
    #[error("the signature does not match")]
    Mismatch {
        /// What we signed, so that the caller can compare it with its own.
        string_to_sign: String,
    },
}
