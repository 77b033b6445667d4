//! Which bytes of an archive one entry takes, and which of its content a reader wants.

use std::ops::Range;

use bytes::Bytes;

use crate::directory::Neighbours;
use crate::entry::Entry;
use crate::error::Refusal;
use crate::locate::DirectoryExtent;
use crate::name;
use crate::policy::Policy;
use crate::record::{CentralDirectoryHeader, DataDescriptor, LocalFileHeader};
use crate::verdict;
use crate::window::Extent;

/// Bytes of one fetch of data.
pub const FETCH_LEN: u64 = 64 * 1024;

/// Bytes of the first fetch of an entry: a fetch of data and the header in front of it.
///
/// An entry of up to 64 KiB arrives whole with it; a longer header is fetched on demand.
pub const FIRST_FETCH_LEN: u64 = FETCH_LEN + HEADER_SLACK;

/// How much longer than the directory's the local extra field is expected to be, in bytes.
///
/// Info-ZIP's time stamps make it 4 longer, `zipalign` pads up to a page.
pub(crate) const HEADER_SLACK: u64 = 4 * 1024;

/// Bytes of the largest window that every recipient of the content coding zstd has (RFC 9659).
pub(crate) const ZSTD_CODING_WINDOW: u64 = 8 << 20;

/// What is known of an entry from the time its archive was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody has decoded the entry yet; its directory header breaks no rule.
    Unverified,
    /// It was decoded, and its size, CRC-32 and end of stream were right.
    Good {
        /// Absolute offset of the compressed data.
        data_offset: u64,
        /// Whether the content is UTF-8 text without control characters.
        is_text: bool,
        /// Whether the data is zstd frames that each ask for a window of at most 8 MiB, so that it
        /// can go out as the content coding zstd (RFC 9659).
        fits_zstd_coding: bool,
    },
    /// It breaks a rule.
    Bad(Refusal),
}

/// An entry that a lookup found, with all that is needed to read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What the directory says of it.
    pub entry: Entry,
    /// Its raw name: its identity.
    pub raw_name: Bytes,
    /// The name to show.
    pub display_name: Box<str>,
    /// The bound of its bytes: the next local header, or the directory.
    pub boundary: u64,
    /// What is known of its data.
    pub standing: Standing,
    /// The most bytes that its decoder may take: [`Limits::decoder_memory`] of the archive.
    ///
    /// [`Limits::decoder_memory`]: crate::Limits::decoder_memory
    pub decoder_memory: u64,
}

impl Found {
    /// What is known of an entry without reading its data.
    pub(crate) fn unverified(
        entry: &Entry,
        header: &CentralDirectoryHeader<'_>,
        directory: &DirectoryExtent,
        neighbours: &Neighbours,
        policy: &Policy,
    ) -> Self {
        let standing = match verdict::of_entry(entry, header, directory, neighbours, policy) {
            Ok(()) => Standing::Unverified,
            Err(refusal) => Standing::Bad(refusal),
        };
        Self {
            entry: *entry,
            raw_name: Bytes::copy_from_slice(header.name),
            display_name: name::display(header.name, header.extra).into(),
            boundary: neighbours.boundary,
            standing,
            decoder_memory: policy.limits.decoder_memory,
        }
    }

    /// The compressed data's place, where the entry is known to be good.
    ///
    /// The bytes there are one whole compressed stream, or the stored content, and nothing else.
    #[must_use]
    pub fn data_extent(&self) -> Option<Extent> {
        match self.standing {
            Standing::Good { data_offset, .. } => {
                Some(data_offset..data_offset + self.entry.declared_compressed_size)
            }
            Standing::Unverified | Standing::Bad(_) => None,
        }
    }

    /// The most bytes that its decoder takes, as far as is known before its data is read.
    #[must_use]
    pub fn decoder_memory_bound(&self) -> u64 {
        let limit = match self.standing {
            Standing::Good { fits_zstd_coding: true, .. } => {
                self.decoder_memory.min(ZSTD_CODING_WINDOW)
            }
            _ => self.decoder_memory,
        };
        self.entry.method.decoder_memory_bound(self.entry.declared_uncompressed_size, limit)
    }
}

/// What to read of an entry's content, and from where.
#[derive(Clone, Debug)]
pub struct EntryPlan {
    pub(crate) entry: Entry,
    pub(crate) raw_name: Bytes,
    pub(crate) boundary: u64,
    pub(crate) data_offset: Option<u64>,
    pub(crate) decoder_memory: u64,
    /// Ascending, disjoint ranges of the content; `None` for the whole of it.
    pub(crate) parts: Option<Vec<Range<u64>>>,
}

impl EntryPlan {
    /// Plans to read the whole content and to verify it.
    ///
    /// # Errors
    /// The refusal of an entry that is known to be bad.
    pub fn whole(found: &Found) -> Result<Self, Refusal> {
        let data_offset = match found.standing {
            Standing::Bad(refusal) => return Err(refusal),
            Standing::Unverified => None,
            Standing::Good { data_offset, .. } => Some(data_offset),
        };
        Ok(Self {
            entry: found.entry,
            raw_name: found.raw_name.clone(),
            boundary: found.boundary,
            data_offset,
            decoder_memory: found.decoder_memory,
            parts: None,
        })
    }

    /// Plans to read ranges of the content: ascending, disjoint, not empty, within its size.
    ///
    /// The decoder runs from the start of the data to the end of the last range. Only where that is
    /// the end of the content can the CRC-32 be checked; so this is for entries known to be good.
    ///
    /// # Errors
    /// The refusal of an entry that is known to be bad.
    ///
    /// # Panics
    /// Where the ranges are not as described: whoever made them from a request has resolved them.
    pub fn parts(found: &Found, parts: Vec<Range<u64>>) -> Result<Self, Refusal> {
        let mut end = 0;
        for part in &parts {
            assert!(part.start >= end && part.start < part.end, "parts ascend");
            end = part.end;
        }
        assert!(end <= found.entry.declared_uncompressed_size, "parts lie within the content");
        Ok(Self { parts: Some(parts), ..Self::whole(found)? })
    }

    /// What the plan is about.
    #[must_use]
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Bytes of content that the plan gives when it succeeds.
    #[must_use]
    pub fn declared_len(&self) -> u64 {
        match &self.parts {
            None => self.entry.declared_uncompressed_size,
            Some(parts) => parts.iter().map(|part| part.end - part.start).sum(),
        }
    }

    /// The first bytes to fetch: header, data and descriptor of a small entry, in one read.
    #[must_use]
    pub fn first_fetch(&self) -> Extent {
        match self.data_offset {
            Some(data_offset) => self.fetch_from(data_offset, data_offset),
            None => {
                let start = self.entry.local_header_offset;
                let header_len = LocalFileHeader::FIXED_LEN as u64
                    + u64::from(self.entry.name_len)
                    + u64::from(self.entry.extra_len)
                    + HEADER_SLACK;
                let wanted = header_len
                    .saturating_add(self.entry.declared_compressed_size)
                    .saturating_add(DataDescriptor::MAX_LEN as u64)
                    .min(FIRST_FETCH_LEN.max(header_len));
                start..start.saturating_add(wanted).min(self.boundary)
            }
        }
    }

    /// The next bytes of data to fetch from `at` on, the descriptor with the last of them.
    pub(crate) fn fetch_from(&self, data_offset: u64, at: u64) -> Extent {
        let data_end = data_offset + self.entry.declared_compressed_size;
        let fetch_end = at.saturating_add(FETCH_LEN);
        if fetch_end < data_end {
            return at..fetch_end;
        }
        let has_descriptor = self.data_offset.is_none() && self.entry.flags.has_data_descriptor();
        let end = if has_descriptor {
            data_end.saturating_add(DataDescriptor::MAX_LEN as u64).min(self.boundary)
        } else {
            data_end
        };
        at..end.max(at)
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::method::{CompressionMethod, GeneralPurposeFlags};

    /// A stored entry of ten bytes, known to be good.
    fn found() -> Found {
        let entry = Entry {
            local_header_offset: 0,
            declared_compressed_size: 10,
            declared_uncompressed_size: 10,
            declared_crc32: 0,
            header_offset: 0,
            method: CompressionMethod::STORED,
            flags: GeneralPurposeFlags::default(),
            name_len: 1,
            extra_len: 0,
            is_directory: false,
        };
        let standing = Standing::Good { data_offset: 31, is_text: false, fits_zstd_coding: false };
        Found {
            entry,
            raw_name: Bytes::from_static(b"a"),
            display_name: "a".into(),
            boundary: 41,
            standing,
            decoder_memory: 0,
        }
    }

    #[test]
    fn only_parts_that_ascend_within_the_content_are_planned() {
        type Row = (&'static str, &'static [(u64, u64)], Option<u64>);
        let table: [Row; 8] = [
            ("none", &[], Some(0)),
            ("the whole", &[(0, 10)], Some(10)),
            ("two that touch", &[(0, 4), (4, 10)], Some(10)),
            ("two apart", &[(1, 2), (8, 9)], Some(2)),
            ("two that overlap", &[(0, 5), (4, 6)], None),
            ("backwards", &[(5, 6), (0, 1)], None),
            ("an empty one", &[(3, 3)], None),
            ("past the end", &[(9, 11)], None),
        ];
        for (name, parts, expected) in table {
            let parts = parts.iter().map(|&(start, end)| start..end).collect();
            let plan = catch_unwind(AssertUnwindSafe(|| {
                EntryPlan::parts(&found(), parts).unwrap().declared_len()
            }));
            assert_eq!(plan.ok(), expected, "{name}");
        }
    }
}
