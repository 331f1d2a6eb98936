//! The doors that back offices knock at: one room per contract, plus what several contracts share.

pub mod aliyun;
pub mod iotda;
pub mod native;
pub mod objects;
pub mod oceanconnect;
pub mod wire;
