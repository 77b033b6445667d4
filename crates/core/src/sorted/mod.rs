//! The entries of an archive in the order of their raw names' bytes, from whichever index there is.
//!
//! In that order all that lies below a directory stands together, so that a directory is listed or
//! selected by a search and not by a scan. [`SortedDirectory`] sorts a directory in memory;
//! [`SortedSidecar`](crate::sidecar::SortedSidecar) has the order from the sidecar and reads each
//! record where it lies.

mod search;

use std::fmt;

pub(crate) use self::search::{past_prefix, prefix_range, raw_prefixes};
use crate::archive::Archive;
use crate::error::Error;
use crate::plan::Found;
use crate::record::CentralDirectoryHeader;
use crate::sidecar::{FindError, SidecarError};

/// The entries of one archive, sorted by the bytes of their raw names.
///
/// # Contract
/// Entries of one raw name stand together, and nothing changes between two calls. An `index` that
/// is not below `len` is the caller's mistake and may panic.
pub trait SortedEntries {
    /// Number of entries; below 2^28, as directories are.
    fn len(&self) -> u64;

    /// Whether there is no entry.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The directory's header of the entry at `index`.
    ///
    /// # Errors
    /// [`IndexError`] where it cannot be read.
    fn header(&mut self, index: u64) -> Result<CentralDirectoryHeader<'_>, IndexError>;

    /// All that is known of the entry at `index`.
    ///
    /// # Errors
    /// [`IndexError`] where it cannot be read.
    fn found(&mut self, index: u64) -> Result<Found, IndexError>;

    /// Finds the entry that a name in a request means, see
    /// [`Directory::find`](crate::Directory::find).
    ///
    /// # Errors
    /// [`FindError`]: the refusal of a name that several entries answer to, or as above.
    fn find(&mut self, name: &[u8]) -> Result<Option<Found>, FindError>;
}

/// Why the entries of an archive cannot be gone through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexError {
    /// The sidecar cannot be used; the archive's own directory can.
    Sidecar(SidecarError),
    /// The archive cannot be read.
    Archive(Error),
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sidecar(error) => error.fmt(f),
            Self::Archive(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for IndexError {}

impl From<SidecarError> for IndexError {
    fn from(error: SidecarError) -> Self {
        Self::Sidecar(error)
    }
}

impl From<IndexError> for FindError {
    fn from(error: IndexError) -> Self {
        match error {
            IndexError::Sidecar(error) => Self::Sidecar(error),
            IndexError::Archive(error) => Self::Archive(error),
        }
    }
}

/// The entries of an archive whose directory is in memory.
///
/// ```
/// # use entryway_testkit::builder::{Archive as Zip, Entry};
/// # let zip = Zip::new().entry(Entry::stored("b", "")).entry(Entry::stored("a", ""));
/// # let bytes = bytes::Bytes::from(zip.build());
/// use entryway::{Archive, SortedDirectory, SortedEntries};
///
/// let archive = Archive::open(bytes)?;
/// let mut sorted = SortedDirectory::new(&archive);
/// assert_eq!(sorted.header(0)?.name, b"a");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SortedDirectory<'a, S> {
    archive: &'a Archive<S>,
    /// Record offsets in the order of the raw names.
    order: Box<[u32]>,
}

impl<'a, S> SortedDirectory<'a, S> {
    /// Sorts an archive's entries: n log n comparisons, 4 bytes for each entry, no read.
    #[must_use]
    pub fn new(archive: &'a Archive<S>) -> Self {
        let directory = archive.directory();
        let mut named: Vec<_> =
            directory.headers().map(|(header, offset)| (header.name, offset)).collect();
        named.sort_unstable();
        Self { archive, order: named.into_iter().map(|(_, offset)| offset).collect() }
    }

    fn header_in_memory(&self, index: u64) -> (CentralDirectoryHeader<'a>, u32) {
        let offset = self.order[index as usize];
        match self.archive.directory().header_at(offset) {
            Some(header) => (header, offset),
            // `order` holds the offsets at which records were read.
            None => unreachable!("a record that was read before"),
        }
    }
}

impl<S> SortedEntries for SortedDirectory<'_, S> {
    fn len(&self) -> u64 {
        self.order.len() as u64
    }

    fn header(&mut self, index: u64) -> Result<CentralDirectoryHeader<'_>, IndexError> {
        Ok(self.header_in_memory(index).0)
    }

    fn found(&mut self, index: u64) -> Result<Found, IndexError> {
        let (header, offset) = self.header_in_memory(index);
        let entry = self.archive.directory().entry_of(&header, offset);
        Ok(self.archive.describe(&entry))
    }

    fn find(&mut self, name: &[u8]) -> Result<Option<Found>, FindError> {
        self.archive.find(name).map_err(FindError::Refused)
    }
}
