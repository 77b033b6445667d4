//! Finds an entry through the sidecar: a few of its pages, and one record of the archive's
//! directory.

use std::fmt;

use bytes::Bytes;

use super::read::{Section, Sidecar, SidecarError};
use crate::directory::{AliasStep, EMPTY_SLOT, first_slot, may_match, record_offset};
use crate::entry::Entry;
use crate::error::{Error, Record, Refusal, Rule, at};
use crate::limits::Limit;
use crate::locate::DirectoryExtent;
use crate::name;
use crate::plan::{Found, Standing};
use crate::record::CentralDirectoryHeader;
use crate::source::{ReadAt, fetch};
use crate::verdict;

/// Bytes of a directory record that are read beyond the name asked for: extra field and comment.
const RECORD_SLACK: u64 = 512;

/// Why a lookup gives no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FindError {
    /// Several entries answer to the name.
    Refused(Refusal),
    /// The sidecar cannot be used; the archive's own directory can.
    Sidecar(SidecarError),
    /// The archive cannot be read.
    Archive(Error),
}

impl fmt::Display for FindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Sidecar(error) => error.fmt(f),
            Self::Archive(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FindError {}

impl From<SidecarError> for FindError {
    fn from(error: SidecarError) -> Self {
        Self::Sidecar(error)
    }
}

/// One record of the archive's directory, as read for a slot.
struct Candidate {
    bytes: Bytes,
    record_offset: u32,
    ordinal: u32,
}

impl Candidate {
    fn header(&self) -> Option<CentralDirectoryHeader<'_>> {
        CentralDirectoryHeader::parse(&self.bytes)
    }
}

impl<S: ReadAt> Sidecar<S> {
    /// Finds the entry that a name in a request means: the same answer as
    /// [`Directory::find`](crate::Directory::find).
    ///
    /// Reads one or two pages of the name table (of the alias table too, where no raw name is
    /// equal), one of the facts and one of the refusals where the entry is bad, and of the
    /// archive the records that the hash points to.
    ///
    /// # Errors
    /// [`FindError`].
    pub fn find<A: ReadAt>(&self, archive: &A, name: &[u8]) -> Result<Option<Found>, FindError> {
        let raw = self.candidates(archive, self.names, name, |header| header.name == name)?;
        if let Some(candidate) = raw.first() {
            return self.describe_candidate(candidate).map(Some);
        }
        let steps = [AliasStep::WithoutDotSlash, AliasStep::Display];
        let aliases = self.candidates(archive, self.aliases, name, |header| {
            steps.iter().any(|step| step.matches(header, name))
        })?;
        for step in steps {
            let mut matching = aliases.iter().filter_map(|candidate| {
                let header = candidate.header().filter(|header| step.matches(header, name))?;
                Some((candidate, header.name))
            });
            let Some((first, raw_name)) = matching.next() else { continue };
            if matching.any(|(_, other)| other != raw_name) {
                return Err(FindError::Refused(Refusal::ambiguous_name()));
            }
            return self.describe_candidate(first).map(Some);
        }
        Ok(None)
    }

    /// The records of a table that answer to a name.
    fn candidates<A: ReadAt>(
        &self,
        archive: &A,
        table: Section,
        name: &[u8],
        answers: impl Fn(&CentralDirectoryHeader<'_>) -> bool,
    ) -> Result<Vec<Candidate>, FindError> {
        let hash = self.key.hash(name);
        let mut found = Vec::new();
        let mut pairs = self.pairs(table);
        let mut at = first_slot(hash, table.items);
        // A table is never full; the count of probes bounds a damaged one.
        for _ in 0..table.items {
            let (slot, ordinal) = pairs.pair(at)?;
            if slot == EMPTY_SLOT {
                break;
            }
            if may_match(slot, hash) {
                let candidate = self.record(archive, record_offset(slot), ordinal, name.len())?;
                let header = candidate.header();
                if header.is_some_and(|header| answers(&header)) {
                    found.push(candidate);
                }
            }
            at = if at + 1 == table.items { 0 } else { at + 1 };
        }
        Ok(found)
    }

    fn record<A: ReadAt>(
        &self,
        archive: &A,
        record_offset: u32,
        ordinal: u32,
        name_len: usize,
    ) -> Result<Candidate, FindError> {
        // Below 2^63 + 2^32: the directory lies within the archive.
        let start = self.directory.start + u64::from(record_offset);
        if start > self.directory.end {
            return Err(SidecarError::Foreign.into());
        }
        let wanted = CentralDirectoryHeader::FIXED_LEN as u64 + name_len as u64 + RECORD_SLACK;
        let mut end = (start + wanted).min(self.directory.end).max(start);
        loop {
            let bytes = fetch(archive, start..end).map_err(FindError::Archive)?;
            let candidate = Candidate { bytes, record_offset, ordinal };
            if candidate.header().is_some() || end == self.directory.end {
                return Ok(candidate);
            }
            // Longer than expected: all of it then, at most 196,651 bytes.
            let most = CentralDirectoryHeader::FIXED_LEN as u64 + 3 * u64::from(u16::MAX);
            let longer = (start + most).min(self.directory.end);
            if longer == end {
                return Ok(candidate);
            }
            end = longer;
        }
    }

    fn describe_candidate(&self, candidate: &Candidate) -> Result<Found, FindError> {
        // Candidates are kept only where their header was read.
        let Some(header) = candidate.header() else {
            return Err(SidecarError::Damaged { page: 0 }.into());
        };
        Ok(self.describe(&header, candidate.record_offset, candidate.ordinal)?)
    }

    /// All that is known of the entry with this header.
    pub(super) fn describe(
        &self,
        header: &CentralDirectoryHeader<'_>,
        record_offset: u32,
        ordinal: u32,
    ) -> Result<Found, SidecarError> {
        let extent = DirectoryExtent {
            extent: self.directory.clone(),
            base_offset: self.base_offset,
            declared_entries: self.entries,
            end_record_offset: self.end_record_offset,
            archive_len: self.archive_len,
        };
        let (entry, _) = Entry::from_header(header, record_offset, &extent);
        let place =
            at(Record::CentralDirectoryHeader, self.directory.start + u64::from(record_offset));
        let expansion = verdict::expansion(&entry, place, &self.limits);
        let standing = match self.standing(ordinal)? {
            // The limit was lower when it was made, or the build had fewer methods than this one.
            Standing::Bad(Refusal { limit: Some(Limit::DecoderMemory), actual, .. })
                if actual <= self.limits.decoder_memory =>
            {
                return Err(SidecarError::Outdated);
            }
            Standing::Bad(Refusal { limit: Some(Limit::ExpansionRatio), .. })
                if expansion.is_ok() =>
            {
                return Err(SidecarError::Outdated);
            }
            Standing::Bad(Refusal { rule: Rule::Method, .. }) if entry.method.is_built() => {
                return Err(SidecarError::Outdated);
            }
            // It had more methods.
            Standing::Good { .. } if !entry.method.is_built() => {
                Standing::Bad(place.breaks_by(Rule::Method, entry.method.0.into(), 0))
            }
            // The limit was higher. That on the decoder's memory is met where it decodes.
            standing @ Standing::Good { .. } => expansion.map_or_else(Standing::Bad, |()| standing),
            standing => standing,
        };
        let boundary = match standing {
            // The bytes were seen to end there.
            Standing::Good { data_offset, .. } => {
                data_offset.saturating_add(entry.declared_compressed_size)
            }
            Standing::Bad(_) | Standing::Unverified => self.directory.start,
        };
        if boundary > self.directory.start {
            return Err(SidecarError::Foreign);
        }
        Ok(Found {
            entry,
            raw_name: Bytes::copy_from_slice(header.name),
            display_name: name::display(header.name, header.extra).into(),
            boundary,
            standing,
            decoder_memory: self.limits.decoder_memory,
        })
    }
}
