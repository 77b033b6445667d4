//! Archives mapped into memory.
#![expect(unsafe_code, reason = "a map is as good as the promise about its file, made here")]

use std::fs::File;
use std::io::{self, Write};

use entryway::MappedSource;

/// A map of a file that `write` fills, and that nobody else ever has a name of.
pub(super) fn mapped_file(write: impl FnOnce(&mut File) -> io::Result<()>) -> MappedSource {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    write(file.as_file_mut()).expect("a temporary file can be written");
    // SAFETY: the file is this function's own, is written no more, and loses its name when this
    // returns: only the map reaches it.
    unsafe { MappedSource::open(file.path()) }.expect("a file just written")
}

/// A map of these bytes.
pub(super) fn mapped(bytes: &[u8]) -> MappedSource {
    mapped_file(|file| file.write_all(bytes))
}
