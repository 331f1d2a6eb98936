//! The signatures of `wire`, judged by what real clients sent.
//!
//! `tests/vectors` holds signature vectors and raw requests recorded from unmodified vendor SDKs, with made-up keys. Each
//! file's test asserts how many of them it ran, so that none goes missing in silence.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod aliyun;
mod huawei;
mod objects;
mod properties;
mod support;
