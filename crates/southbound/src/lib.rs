//! How one kind of device talks to us. One folder per protocol.

pub mod download;
