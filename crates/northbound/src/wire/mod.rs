//! What several doors share: signatures, times, escapes.
//!
//! Pure functions on bytes. Nothing here reads a clock, looks up a secret, opens a connection or knows a handler: a door
//! parses what the client sent, finds the secret, asks here whether the signature is right, and compares the signed time
//! with its own clock.
//!
//! | file | scheme |
//! |---|---|
//! | `sdk_hmac` | `SDK-HMAC-SHA256` and `V11-HMAC-SHA256` of the Huawei Cloud SDKs |
//! | `rpc_v1` | Alibaba Cloud RPC signature version 1.0 |
//! | `acs3` | `ACS3-HMAC-SHA256` and `ACS3-HMAC-SM3` of Alibaba Cloud |
//! | `oss_v1` | OSS form uploads (PostObject) and signed URLs, signature version 1 |
//! | `obs` | OBS header and URL signatures |
//! | `key_signature` | how OBS and AWS version 2 send a key id and a signature |
//! | `aws_v4` | AWS signature version 4 of S3, its URLs and the chunks of its bodies |
//! | `aws_v2` | AWS signature version 2, as the S3 service behind the object door verifies it |

pub mod acs3;
pub mod answer;
pub mod around;
pub mod aws_v2;
pub mod aws_v4;
pub mod body;
pub mod canonical;
pub mod digest;
mod error;
pub mod json;
pub mod key_signature;
pub mod limits;
pub mod obs;
pub mod oss_v1;
pub mod percent;
pub mod quota;
pub mod rpc_v1;
pub mod sdk_hmac;
pub mod time;

pub use canonical::{RequestHead, SignedHeaders};
pub use error::SignatureError;
