//! How bytes of a package leave over HTTP: conditions, ranges and headers (RFC 9110).
//!
//! This room knows neither packages nor tenants. A door has already decided that the caller may have the bytes; it describes
//! them as an [`Entity`], hands over a closure that opens a byte range, and gets a finished response back.
//! What devices in the field depend on is kept here once for every door: `Content-Length` is always there and nothing is ever
//! chunked or compressed, a plain file name goes unquoted, and a range that starts at the end of the file answers 416.

mod answer;
mod conditions;
mod disposition;
mod door;
mod multipart;
mod pace;
mod range;

/// Where links lead to.
pub const PREFIX: &str = "/ota";

pub use answer::{Entity, answer};
pub use conditions::{Plan, plan};
pub use disposition::attachment;
pub use door::{Settings, router};
pub use range::{MAX_RANGES, Requested, parse_range};
