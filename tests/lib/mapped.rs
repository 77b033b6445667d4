//! Files in a memory map: the one file of the integration tests, beside the counting allocator,
//! with unsafe code.
#![expect(unsafe_code, reason = "a map is as good as the promise about its file, made here")]

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use entryway::MappedSource;

/// Maps a file that was made for the tests.
pub fn map(file: &Path) -> MappedSource {
    // SAFETY: the folders of make_archives and the temporary ones of tests are written before a test
    // maps what lies there, and never while one runs; nothing of them is cut or written in place.
    unsafe { MappedSource::open(file) }.expect("a file that can be mapped")
}

/// A map of a file that `write` fills, and that nobody else ever has a name of.
pub fn mapped_file(write: impl FnOnce(&mut File) -> io::Result<()>) -> MappedSource {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    write(file.as_file_mut()).expect("a temporary file can be written");
    map(file.path())
}

/// A map of these bytes.
pub fn mapped(bytes: &[u8]) -> MappedSource {
    mapped_file(|file| file.write_all(bytes))
}
