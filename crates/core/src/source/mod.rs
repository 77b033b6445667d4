//! Where archives are read from.
//!
//! The parsing modules do no I/O; a source brings them bytes. [`ReadAt`] is for callers that may
//! wait (a command, a verification), [`Source`] for those that may not (a server's event loop).

mod drive;
mod file;
#[cfg(feature = "mmap")]
mod mapped;
mod memory;
pub mod testing;

use std::future::Future;
use std::io;

use bytes::Bytes;

pub(crate) use self::drive::{Feed, fetch, fetch_directory, open_directory};
pub use self::file::FileSource;
#[cfg(feature = "mmap")]
pub use self::mapped::MappedSource;
use crate::window::Extent;

/// Bytes at offsets, read by a caller that may wait.
///
/// # Contract
/// 1. `len` never changes: it is read once, when the source is opened.
/// 2. `read_at` from below `len` on gives at least one byte, into a buffer that has room, or an
///    error. It gives 0 only at or past the end of what is really there: at `len`, and before it
///    where the source was cut short under its reader, which the engine reports as a short read.
/// 3. What it gives are the bytes from `offset` on, at the front of the buffer, and as many as it
///    says, in whatever order they are asked for.
/// 4. Calls from several threads at once do not disturb each other.
/// 5. `share` agrees with `read_at`, or gives `None`.
///
/// [`testing::conforms_read_at`] checks a source against it.
///
/// ```
/// use std::io;
/// use entryway::{Archive, ReadAt};
/// # use entryway_testkit::builder::{Archive as Zip, Entry};
/// # let zip = Zip::new().entry(Entry::deflated("a.txt", b"hello")).build();
///
/// /// An archive that came in two pieces.
/// struct Halves(Vec<u8>, Vec<u8>);
///
/// impl ReadAt for Halves {
///     fn len(&self) -> u64 {
///         (self.0.len() + self.1.len()) as u64
///     }
///
///     fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
///         let offset = usize::try_from(offset).unwrap_or(usize::MAX);
///         let rest = match self.0.get(offset..) {
///             Some(rest) if !rest.is_empty() => rest,
///             _ => self.1.get(offset.saturating_sub(self.0.len())..).unwrap_or_default(),
///         };
///         let len = rest.len().min(buffer.len());
///         buffer[..len].copy_from_slice(&rest[..len]);
///         Ok(len)
///     }
/// }
///
/// # let (front, back) = zip.split_at(40);
/// let archive = Archive::open(Halves(front.into(), back.into()))?;
/// assert!(archive.find(b"a.txt")?.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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

    /// All bytes of an extent, where the source has them in memory and need not copy them; `None`
    /// where it has not, or the extent is not within it.
    ///
    /// The bytes keep alive what they are a part of.
    fn share(&self, extent: &Extent) -> Option<Bytes> {
        let _ = extent;
        None
    }
}

/// Bytes at offsets, read by a caller that must not be kept waiting.
///
/// # Contract
/// 1. `len` never changes: it is read once, when the source is opened.
/// 2. `try_read` never waits for a medium, and keeps sentences 2 to 4 of [`ReadAt`]; `None` is
///    always allowed.
/// 3. `read` gives all bytes of an extent, fewer only where the source ends before it does.
/// 4. Its future borrows nothing and may be dropped at any time, polled or not, without a harm to
///    other reads; it may be polled by any executor, unless the source says which it needs.
/// 5. `is_unchanged` says `true` of a source that nothing has happened to.
///
/// [`testing::conforms_source`] checks a source against it.
///
/// ```
/// use std::{future, io, sync::Arc};
/// use bytes::Bytes;
/// use entryway::{Extent, Source};
///
/// /// Objects of a store that keeps them in memory, cut into blocks of 4 KiB.
/// #[derive(Clone)]
/// struct Blocks { blocks: Arc<[Bytes]>, len: u64 }
///
/// impl Source for Blocks {
///     fn len(&self) -> u64 {
///         self.len
///     }
///     fn try_read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<Option<usize>> {
///         let block = self.blocks.get((offset / 4096) as usize);
///         let rest = block.and_then(|block| block.get((offset % 4096) as usize..)).unwrap_or(b"");
///         let len = rest.len().min(buffer.len());
///         buffer[..len].copy_from_slice(&rest[..len]);
///         Ok(Some(len))
///     }
///     fn read(&self, extent: Extent) -> impl Future<Output = io::Result<Bytes>> + Send + 'static {
///         let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
///         for at in (extent.start / 4096 * 4096..extent.end).step_by(4096) {
///             let len = self.try_read(at, &mut chunk).ok().flatten().unwrap_or(0);
///             bytes.extend_from_slice(&chunk[..len]);
///         }
///         let start = (extent.start % 4096).min(bytes.len() as u64) as usize;
///         let len = (extent.end - extent.start).min((bytes.len() - start) as u64) as usize;
///         future::ready(Ok(Bytes::from(bytes).slice(start..start + len)))
///     }
///     fn is_unchanged(&self) -> io::Result<bool> {
///         Ok(true)
///     }
/// }
///
/// entryway::source::testing::conforms_source(|bytes| Blocks {
///     len: bytes.len() as u64,
///     blocks: bytes.chunks(4096).map(Bytes::copy_from_slice).collect(),
/// });
/// ```
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
