//! What the fuzz targets check, one module a target; each is a plain function over bytes, so that a
//! finding can be replayed without the fuzzer.

#![forbid(unsafe_code)]

pub mod answer;
pub mod decode;
pub mod differential;
pub mod disposition;
pub mod draw;
pub mod entry;
pub mod list;
pub mod preconditions;
pub mod range;
pub mod reading;
pub mod route;
pub mod sidecar;
pub mod webhook;
pub mod zip_model;
pub mod zip_mutator;

/// Every target by name, with what it checks.
pub const TARGETS: [(&str, fn(&[u8])); 11] = [
    ("answer", answer::check),
    ("decode", decode::check),
    ("differential", differential::check),
    ("disposition", disposition::check),
    ("entry", entry::check),
    ("list", list::check),
    ("preconditions", preconditions::check),
    ("range", range::check),
    ("route", route::check),
    ("sidecar", sidecar::check),
    ("webhook", webhook::check),
];
