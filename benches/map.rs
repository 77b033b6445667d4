//! Files as memory: the one place of the benchmarks that maps them.
#![allow(unsafe_code)]

use std::io;
use std::path::Path;

use entryway::{MappedSource, ReadAt};

/// A mapped archive of [`archives`](crate::archives).
///
/// # Errors
/// What opening and mapping the file came to.
pub fn source(path: &Path) -> io::Result<MappedSource> {
    // SAFETY: nobody cuts the file short or writes to it: `archives` puts files into its folder
    // whole, by a rename, and never opens one for writing that is there; the folder belongs to this
    // build.
    unsafe { MappedSource::open(path) }
}

/// The bytes of the same map, which stays for the rest of the process.
#[must_use]
pub fn bytes(source: &MappedSource) -> &'static [u8] {
    let shared = source.share(&(0..ReadAt::len(source))).unwrap_or_default();
    Box::leak(Box::new(shared))
}
