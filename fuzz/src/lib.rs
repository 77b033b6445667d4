//! What the fuzz targets check, one module a target; each is a plain function over bytes, so that a
//! finding can be replayed without the fuzzer.

#![forbid(unsafe_code)]

pub mod decode;
pub mod list;
pub mod range;
