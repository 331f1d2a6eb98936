//! What the product does: [`app`] has the verbs, [`store`] the records, [`blobs`] the bytes; [`request`] and [`telemetry`] let one see it work.

pub mod app;
pub mod blobs;
pub mod clock;
pub mod gate;
pub mod request;
pub mod seal;
pub mod store;
pub mod telemetry;
