//! What the product does: [`app`] has the verbs, [`store`] the records, [`blobs`] the bytes.

pub mod app;
pub mod blobs;
pub mod clock;
pub mod seal;
pub mod store;
