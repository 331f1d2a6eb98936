//! Hostile input: mutated bytes for every parser at a door (`fuzz/run`), mutated requests for a whole server (`tests/hostile`).
//!
//! Both draw from one corpus: requests recorded from the vendors' own clients, the golden requests, and ours. There is no
//! compiler support behind it, so it works with every stable toolchain; what replaces coverage is that mutated requests are
//! signed anew, and so get where only a signature's owner gets.

pub mod corpus;
pub mod hostile;

pub mod house;
pub mod mutate;
pub mod random;
pub mod request;
pub mod run;
pub mod sign;
pub mod targets;
