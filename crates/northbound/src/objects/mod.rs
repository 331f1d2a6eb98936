//! The object door: buckets and objects as S3 and OBS clients know them, on an address of its own.
//!
//! The S3 service behind it (the crate `s3s`) reads and writes the operations; this room checks signatures, times and bodies
//! by the house's own rules, speaks OBS where an OBS client stands outside, and ends in the object verbs of the app. What happens to a request, in order:
//!
//! | file | what it does |
//! |---|---|
//! | `door` | the tower service: one request in, one answer out |
//! | `hosts` | which bucket a host name stands for |
//! | `scope` | refuses what is not offered, so that it is never taken for something else |
//! | `auth` | whose signature it is, and whether it is right and in time |
//! | `bodies`, `chunks` | the body on its way in: out of its frames, small ones whole, objects as streams |
//! | `api` | the operations offered, one line each; `buckets`, `listing`, `reading`, `writing`, `copying`, `parts`, `uploads` have them |
//! | `stored`, `digests`, `whole`, `conditions` | headers that are kept, digests that were declared, preconditions |
//! | `limits` | what names, numbers and counts may be |
//! | `error`, `answers` | how refusals and answers are spelled |

mod answers;
mod api;
mod auth;
mod bodies;
mod buckets;
mod chunks;
mod conditions;
mod copying;
mod digests;
mod door;
mod error;
mod hosts;
mod limits;
mod listing;
mod parts;
mod reading;
mod scope;
mod stored;
#[cfg(test)]
mod tests;
mod uploads;
mod whole;
mod writing;

use std::sync::Arc;

use otaru_core::app::App;

use crate::wire::time::SIGNATURE_WINDOW_MS;

pub use door::Door;

/// The frames of bodies, reachable for the fuzz targets and for nobody else: behind the door they sit after a signature.
#[doc(hidden)]
pub mod fuzzing {
    pub use super::chunks::{ChunkError, Frames};
}

/// What can be set at this door.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Names under which the door is reached, without port: `bucket.name` stands for the bucket. Every other host, and every
    /// IP address, is addressed in path style. `localhost` is always among them.
    pub base_domains: Vec<String>,
    /// The region that buckets are reported to be in, unless they were created in one by name. Signatures may name any.
    pub region: String,
    /// How far the time of a signature may be from ours, to either side.
    pub clock_skew_ms: u64,
    /// The largest object that comes in one request.
    pub max_put_bytes: u64,
    /// The largest part of an object.
    pub max_part_bytes: u64,
    /// From this size on, putting parts together is answered at once and the client is kept waiting with blanks, because
    /// hashing takes longer than clients wait for the first byte.
    pub slow_completion_bytes: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            base_domains: Vec::new(),
            region: "us-east-1".to_owned(),
            clock_skew_ms: SIGNATURE_WINDOW_MS,
            max_put_bytes: 5 << 30,
            max_part_bytes: 5 << 30,
            slow_completion_bytes: 512 << 20,
        }
    }
}

impl Settings {
    /// The defaults for a door that is reached at `objects_url`: if its host is a name, buckets are addressed under it.
    pub fn for_url(objects_url: &str) -> Settings {
        Settings { base_domains: hosts::domain_of_url(objects_url).into_iter().collect(), ..Settings::default() }
    }
}

/// The door as a tower service for any HTTP server; it owns the whole path space.
pub fn service(app: App, settings: Settings) -> Door {
    Door::new(app, Arc::new(settings))
}
