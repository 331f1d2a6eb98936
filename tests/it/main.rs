//! Tests of the whole: a real `otaru serve`, spoken to over sockets, its state made only through its doors.

mod aliyun;
mod cli;
mod first_minute;
mod golden;
mod http;
mod iotda;
mod objects;
mod oceanconnect;
mod server;
mod tidy;
