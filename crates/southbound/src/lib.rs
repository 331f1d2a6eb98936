//! The doors that devices knock at: how each kind of device talks to us.

pub mod download;
