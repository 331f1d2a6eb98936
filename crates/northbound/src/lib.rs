//! The doors that back offices knock at: one room per contract, plus what several contracts share.

pub mod iotda;
pub mod aliyun;
pub mod objects;
pub mod oceanconnect;
pub mod wire;
