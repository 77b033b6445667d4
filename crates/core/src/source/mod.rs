//! Where archives are read from.
//!
//! The parsing modules do no I/O; a source brings them bytes. [`ReadAt`] is for callers that may
//! wait (a command, a verification), [`Source`] for those that may not (a server's event loop).

mod drive;
mod file;
mod memory;
pub mod testing;

use std::future::Future;
use std::io;

use bytes::Bytes;

pub(crate) use self::drive::{Feed, fetch, open_directory};
pub use self::file::FileSource;
use crate::window::Extent;

/// Bytes at offsets, read by a caller that may wait.
///
/// # Contract
/// `len` is read once, when the source is opened. A `read_at` that starts below `len` gives at
/// least one byte or an error, and 0 only at or past the end of what is really there, which an
/// archive that was cut short under its reader shows: the engine reports it as a short read.
pub trait ReadAt: Send + Sync {
    /// Length of the archive in bytes, as it was opened.
    fn len(&self) -> u64;

    /// Whether there is nothing to read.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads some bytes from `offset` on.
    ///
    /// # Errors
    /// Those of the medium.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

/// Bytes at offsets, read by a caller that must not be kept waiting.
///
/// # Contract
/// As [`ReadAt`]; in addition `try_read` never waits for a medium, and the future of `read` may be
/// dropped at any time.
pub trait Source: Send + Sync + 'static {
    /// Length of the archive in bytes, as it was opened.
    fn len(&self) -> u64;

    /// Whether there is nothing to read.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads some bytes from `offset` on if they are at hand; `None` where that would mean to wait.
    ///
    /// # Errors
    /// Those of the medium.
    fn try_read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<Option<usize>>;

    /// Fetches an extent; fewer bytes come only where the source ends early.
    fn read(&self, extent: Extent) -> impl Future<Output = io::Result<Bytes>> + Send + 'static;

    /// Whether the source is still what it was when it was opened, as far as can be told cheaply.
    ///
    /// # Errors
    /// Those of the medium.
    fn is_unchanged(&self) -> io::Result<bool>;
}
