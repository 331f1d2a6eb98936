//! The binary `otaru`.

#![allow(dead_code)]
mod listen;

fn main() {}
