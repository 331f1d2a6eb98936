//! The doors that back offices knock at: one room per contract, plus what several contracts share.

pub mod native;
pub mod wire;
