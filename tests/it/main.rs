//! Tests of the whole: a real `otaru serve`, spoken to over sockets, its state made only through its doors.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod aliyun;
mod cli;
mod doctor;
mod downloads;
mod first_minute;
mod golden;
mod http;
mod iotda;
mod limits;
mod logs;
mod metrics;
mod native;
mod objects;
mod oceanconnect;
mod server;
mod team;
mod tidy;
mod vectors;
