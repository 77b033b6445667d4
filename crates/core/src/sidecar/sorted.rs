//! The entries in the order of their names: the order from the sidecar, the names from the archive.

use super::find::FindError;
use super::read::{Pairs, Sidecar, SidecarError};
use crate::plan::Found;
use crate::record::CentralDirectoryHeader;
use crate::sorted::{IndexError, SortedEntries};
use crate::source::{Feed, ReadAt};

/// Bytes of the directory that are read for one record; nearly every record is shorter.
const RECORD_FETCH_LEN: u64 = 1_024;
/// The most bytes of the directory that are read at once, where records are asked for that follow
/// one another in the archive, as those of one folder mostly do.
const READ_AHEAD: u64 = 64 * 1024;
/// The longest record: three variable fields (APPNOTE 4.3.12).
const RECORD_LEN_BOUND: u64 = CentralDirectoryHeader::FIXED_LEN as u64 + 3 * u16::MAX as u64;

/// The entries of an archive with a sidecar, sorted by name.
///
/// Of the sidecar one page is kept, of the archive's directory at most 192 KiB. A header costs a
/// read of each at most; one next to the last in name and place costs none.
pub struct SortedSidecar<'a, S, A> {
    sidecar: &'a Sidecar<S>,
    archive: &'a A,
    order: Pairs<'a, S>,
    records: Feed<'a, A>,
}

impl<'a, S: ReadAt, A: ReadAt> SortedSidecar<'a, S, A> {
    /// The entries of `archive` by its sidecar.
    ///
    /// # Errors
    /// [`SidecarError::Damaged`] where the sidecar does not have the order of all entries.
    pub fn new(sidecar: &'a Sidecar<S>, archive: &'a A) -> Result<Self, SidecarError> {
        if sidecar.sorted.items != sidecar.entries {
            return Err(SidecarError::Damaged { page: 0 });
        }
        Ok(Self {
            sidecar,
            archive,
            order: sidecar.pairs(sidecar.sorted),
            records: Feed::ahead(archive, READ_AHEAD, sidecar.directory.end),
        })
    }

    /// The header at `index`, its offset in the directory and its ordinal.
    fn record(&mut self, index: u64) -> Result<(CentralDirectoryHeader<'_>, u32, u32), IndexError> {
        assert!(index < self.sidecar.entries, "an index below the number of entries");
        let (record_offset, ordinal) = self.order.pair(index)?;
        let directory = &self.sidecar.directory;
        // Below 2^63 + 2^32: the directory lies within the archive.
        let start = directory.start + u64::from(record_offset);
        if start >= directory.end {
            return Err(SidecarError::Foreign.into());
        }
        for len in [RECORD_FETCH_LEN, RECORD_LEN_BOUND] {
            let end = directory.end.min(start + len);
            self.records.fill(start..end).map_err(IndexError::Archive)?;
            if self.records.fetched().parse_at(start).is_some() {
                break;
            }
        }
        match self.records.fetched().parse_at(start) {
            Some(header) => Ok((header, record_offset, ordinal)),
            None => Err(SidecarError::Foreign.into()),
        }
    }
}

impl<S: ReadAt, A: ReadAt> SortedEntries for SortedSidecar<'_, S, A> {
    fn len(&self) -> u64 {
        self.sidecar.entries
    }

    fn header(&mut self, index: u64) -> Result<CentralDirectoryHeader<'_>, IndexError> {
        self.record(index).map(|(header, ..)| header)
    }

    fn found(&mut self, index: u64) -> Result<Found, IndexError> {
        let sidecar = self.sidecar;
        let (header, record_offset, ordinal) = self.record(index)?;
        Ok(sidecar.describe(&header, record_offset, ordinal)?)
    }

    fn find(&mut self, name: &[u8]) -> Result<Option<Found>, FindError> {
        self.sidecar.find(self.archive, name)
    }
}

impl<S, A> std::fmt::Debug for SortedSidecar<'_, S, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SortedSidecar")
            .field("entries", &self.sidecar.entries)
            .finish_non_exhaustive()
    }
}
