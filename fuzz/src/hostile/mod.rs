//! A whole server under fire: mutated requests over sockets, on many connections, next to a tenant that nobody may touch.

pub mod connection;
pub mod control;
pub mod server;
