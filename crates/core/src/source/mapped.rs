//! An archive in a memory map: nothing is copied, and whoever maps answers for the file.
//!
//! The one file of the crate with unsafe code. The program maps nothing: it reads its own files with
//! pread, since a map turns a file that is cut short into a signal.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::path::Path;

use bytes::Bytes;
use memmap2::MmapOptions;

#[cfg(feature = "tokio")]
use super::Source;
use super::{FileSource, ReadAt};
use crate::window::Extent;

/// A file on a local disk, mapped into memory; clones share the map and the descriptor.
///
/// As a [`ReadAt`] it gives slices of the map. A touch of a page that is not in memory waits for the
/// disk, as a read would.
///
/// As a [`Source`](super::Source), with the feature `tokio`, it does not touch the map: `try_read`
/// asks for what is in the page cache and `read` waits on a blocking thread, as those of
/// [`FileSource`] do, so that a page that is not in memory never keeps a thread of the runtime.
#[derive(Clone, Debug)]
pub struct MappedSource {
    map: Bytes,
    file: FileSource,
}

impl MappedSource {
    /// Opens a file and maps it.
    ///
    /// # Safety
    /// As [`MappedSource::new`].
    ///
    /// # Errors
    /// As [`FileSource::open`], and those of mapping.
    pub unsafe fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        // SAFETY: the caller promises of the file behind the path what `of` asks for.
        unsafe { Self::of(FileSource::open(path)?) }
    }

    /// Maps an open file.
    ///
    /// # Safety
    /// From this call on, and as long as the source, a clone of it, or any [`Bytes`] that came from them exists
    /// ([`ReadAt::share`], the directory of an archive opened from it, chunks of stored content):
    ///
    /// - nobody makes the file shorter: a touch of a page behind its new end is a SIGBUS, which ends
    ///   the process;
    /// - nobody writes to it: the bytes of a shared slice would change while they are read, which
    ///   Rust does not allow (undefined behaviour), and what was checked would not be what is used.
    ///
    /// Removing the file's name, or putting another file under it, is harmless.
    ///
    /// Who can promise that: whoever alone may write to the file and does not, for instance to a
    /// sealed memfd or to files of one's own that are only ever replaced by renaming. Who cannot:
    /// anyone who is handed a path by somebody else, or reads from a network file system.
    /// [`FileSource`] asks for no promise, and is the one to take where there is a doubt.
    ///
    /// # Errors
    /// As [`FileSource::new`], and those of mapping.
    pub unsafe fn new(file: File) -> io::Result<Self> {
        // SAFETY: the caller promises what `of` asks for.
        unsafe { Self::of(FileSource::new(file)?) }
    }

    /// When the file was last modified before it was opened, as [`FileSource::modified_nanos`].
    #[must_use]
    pub fn modified_nanos(&self) -> i64 {
        self.file.modified_nanos()
    }

    /// Maps what a file source reads.
    ///
    /// # Safety
    /// As [`MappedSource::new`].
    unsafe fn of(file: FileSource) -> io::Result<Self> {
        let len = usize::try_from(ReadAt::len(&file))
            .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        let map = if len == 0 {
            Bytes::new()
        } else {
            // SAFETY: the map is read only, and exactly as long as the file was when it was opened.
            // That the file is neither cut short nor written to while the map is there is the
            // caller's promise; the map is there as long as a `Bytes` of it, which owns it.
            Bytes::from_owner(unsafe { MmapOptions::new().len(len).map(file.file())? })
        };
        Ok(Self { map, file })
    }
}

impl ReadAt for MappedSource {
    fn len(&self) -> u64 {
        ReadAt::len(&self.map)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.map.read_at(offset, buffer)
    }

    fn share(&self, extent: &Extent) -> Option<Bytes> {
        self.map.share(extent)
    }
}

// Not by asking mincore which pages of the map are there and then touching those: a page may go
// between the two, and to whoever neither owns the file nor may write to it mincore reports every
// page as resident, so that each touch could wait for the disk.
#[cfg(feature = "tokio")]
impl Source for MappedSource {
    fn len(&self) -> u64 {
        ReadAt::len(&self.map)
    }

    fn try_read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        self.file.try_read(offset, buffer)
    }

    fn read(&self, extent: Extent) -> impl Future<Output = io::Result<Bytes>> + Send + 'static {
        self.file.read(extent)
    }

    fn is_unchanged(&self) -> io::Result<bool> {
        self.file.is_unchanged()
    }
}
