//! Archives in a memory map: the one file of the integration tests, beside the counting allocator,
//! with unsafe code.
#![allow(unsafe_code)]

use std::path::Path;

use entryway::MappedSource;

/// Maps an archive that was made for the tests.
pub(crate) fn map(archive: &Path) -> MappedSource {
    // SAFETY: the folders of make_archives and the temporary ones of tests are written before a test
    // maps what lies there, and never while one runs; nothing of them is cut or written in place.
    unsafe { MappedSource::open(archive) }.expect("an archive that can be mapped")
}
