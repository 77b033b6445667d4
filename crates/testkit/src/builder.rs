//! Builds an archive byte by byte: good by default, wrong exactly where a test says so.
//!
//! The builder first fills every record with the truth, then lets the test's edits change it, then
//! writes it as it stands. So a defect is one line, and nothing else moves because of it:
//!
//! ```
//! use entryway_testkit::builder::{Archive, DescriptorForm, Entry};
//!
//! let archive = Archive::new()
//!     .entry(Entry::stored("a.txt", "hello").edit_local(|header| header.crc32 ^= 1))
//!     .entry(Entry::deflated("b.txt", "world").descriptor(DescriptorForm::SIGNED_32));
//! let mut built = archive.build_placed();
//!
//! // One flipped byte, exactly where it is meant.
//! let data = built.entries[1].data();
//! built.bytes[data.start] ^= 1;
//! # assert_eq!(&built.bytes[..4], b"PK\x03\x04");
//! ```
//!
//! Everything is held in memory; archives past 4 GiB come from [`crate::sparse`].

mod entry;
mod layout;

use std::fmt;
use std::sync::Arc;

pub use entry::{DescriptorForm, Entry, Place, Saturated, mode};
pub use layout::{Built, Placed};

use crate::record::{EndOfCentralDirectory, Zip64Locator, Zip64Record};

/// Changes a record after the builder has filled in the truth; several run in their order.
pub struct Edit<T>(Vec<Arc<EditFn<T>>>);

type EditFn<T> = dyn Fn(&mut T) + Send + Sync;

impl<T> Edit<T> {
    /// Adds a change after those already here.
    pub fn push(&mut self, change: impl Fn(&mut T) + Send + Sync + 'static) {
        self.0.push(Arc::new(change));
    }

    /// The record with every change made.
    fn applied(&self, mut record: T) -> T {
        for change in &self.0 {
            change(&mut record);
        }
        record
    }
}

impl<T> Default for Edit<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Clone for Edit<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Edit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Edit({} changes)", self.0.len())
    }
}

/// Whether the zip64 end of central directory record and its locator are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zip64End {
    /// Only where more than 65,535 entries need it.
    #[default]
    WhereNeeded,
    /// Never; what does not fit its field loses its high bits.
    Never,
    /// Always, and every field of the end record that it can replace is a sentinel.
    Saturated,
    /// Always, and the end record says the same numbers itself.
    Agreeing,
}

/// An archive to be: entries in file order, and everything round them.
///
/// The fields are public so that a rare construction can be said without a method for it:
///
/// ```
/// use entryway_testkit::builder::{Archive, Entry};
///
/// let self_extractor = Archive {
///     prefix: b"#!/bin/sh\n".to_vec(),
///     prefix_counted: false,
///     ..Archive::new().entry(Entry::stored("a.txt", "hello"))
/// };
/// assert!(self_extractor.build().starts_with(b"#!/bin/sh\nPK\x03\x04"));
/// ```
#[derive(Clone, Debug)]
pub struct Archive {
    /// Bytes before the archive proper.
    pub prefix: Vec<u8>,
    /// Whether offsets count the prefix (as after `zip -A`) or ignore it (as after `cat`).
    pub prefix_counted: bool,
    /// The entries, in the order their local headers and data stand in the file.
    pub entries: Vec<Entry>,
    /// Which entries the central directory lists, by index and in this order; `None` is all of
    /// them in file order. One left out is a ghost, one named twice is listed twice.
    pub directory_order: Option<Vec<usize>>,
    /// Whether the central directory stands before the local headers (Firefox's `omni.ja`).
    pub directory_first: bool,
    /// Bytes directly before the central directory, such as
    /// [`archive_extra_data`](crate::record::archive_extra_data).
    pub before_directory: Vec<u8>,
    /// Bytes after the last header that count as central directory, such as
    /// [`digital_signature`](crate::record::digital_signature).
    pub directory_tail: Vec<u8>,
    /// Bytes between the central directory and the end records.
    pub after_directory: Vec<u8>,
    /// Whether and how the zip64 end records are written.
    pub zip64_end: Zip64End,
    /// Bytes between the zip64 record and its locator.
    pub after_zip64_record: Vec<u8>,
    /// Bytes between the zip64 locator and the end record.
    pub after_zip64_locator: Vec<u8>,
    /// The archive comment, at most 65,535 bytes.
    pub comment: Vec<u8>,
    /// Bytes after the end record and its comment.
    pub trailing: Vec<u8>,
    /// Changes to the zip64 end of central directory record.
    pub zip64_record_edit: Edit<Zip64Record>,
    /// Changes to the zip64 end of central directory locator.
    pub zip64_locator_edit: Edit<Zip64Locator>,
    /// Changes to the end of central directory record.
    pub end_edit: Edit<EndOfCentralDirectory>,
}

impl Default for Archive {
    fn default() -> Self {
        Self {
            prefix: Vec::new(),
            prefix_counted: true,
            entries: Vec::new(),
            directory_order: None,
            directory_first: false,
            before_directory: Vec::new(),
            directory_tail: Vec::new(),
            after_directory: Vec::new(),
            zip64_end: Zip64End::default(),
            after_zip64_record: Vec::new(),
            after_zip64_locator: Vec::new(),
            comment: Vec::new(),
            trailing: Vec::new(),
            zip64_record_edit: Edit::default(),
            zip64_locator_edit: Edit::default(),
            end_edit: Edit::default(),
        }
    }
}

impl Archive {
    /// An archive of no entries: 22 bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry after those already here.
    #[must_use]
    pub fn entry(mut self, entry: Entry) -> Self {
        self.entries.push(entry);
        self
    }

    /// Adds entries after those already here.
    #[must_use]
    pub fn entries(mut self, entries: impl IntoIterator<Item = Entry>) -> Self {
        self.entries.extend(entries);
        self
    }

    /// Puts `bytes` before the archive; `counted` says whether offsets include them.
    #[must_use]
    pub fn prefix(mut self, bytes: impl AsRef<[u8]>, counted: bool) -> Self {
        self.prefix = bytes.as_ref().to_vec();
        self.prefix_counted = counted;
        self
    }

    /// Sets the archive comment.
    #[must_use]
    pub fn comment(mut self, comment: impl AsRef<[u8]>) -> Self {
        self.comment = comment.as_ref().to_vec();
        self
    }

    /// Puts `bytes` after the end of the archive.
    #[must_use]
    pub fn trailing(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.trailing = bytes.as_ref().to_vec();
        self
    }

    /// Says whether and how the zip64 end records are written.
    #[must_use]
    pub fn zip64_end(mut self, zip64_end: Zip64End) -> Self {
        self.zip64_end = zip64_end;
        self
    }

    /// Changes the end of central directory record.
    #[must_use]
    pub fn edit_end(
        mut self,
        change: impl Fn(&mut EndOfCentralDirectory) + Send + Sync + 'static,
    ) -> Self {
        self.end_edit.push(change);
        self
    }

    /// Changes the zip64 end of central directory record, where one is written.
    #[must_use]
    pub fn edit_zip64_record(
        mut self,
        change: impl Fn(&mut Zip64Record) + Send + Sync + 'static,
    ) -> Self {
        self.zip64_record_edit.push(change);
        self
    }

    /// Changes the zip64 end of central directory locator, where one is written.
    #[must_use]
    pub fn edit_zip64_locator(
        mut self,
        change: impl Fn(&mut Zip64Locator) + Send + Sync + 'static,
    ) -> Self {
        self.zip64_locator_edit.push(change);
        self
    }

    /// The archive's bytes.
    ///
    /// # Panics
    /// Where `directory_order` or [`Place::SharedWith`] names an entry that does not exist.
    pub fn build(&self) -> Vec<u8> {
        self.build_placed().bytes
    }

    /// The archive's bytes, and where each part of it stands in them.
    ///
    /// # Panics
    /// As [`Archive::build`].
    pub fn build_placed(&self) -> Built {
        layout::build(self)
    }
}

impl From<Archive> for Vec<u8> {
    fn from(archive: Archive) -> Self {
        archive.build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{
        CENTRAL_DIRECTORY_HEADER, DATA_DESCRIPTOR, END_OF_CENTRAL_DIRECTORY, LOCAL_FILE_HEADER,
        ZIP64_LOCATOR, ZIP64_RECORD,
    };

    fn u32_at(bytes: &[u8], offset: usize) -> u32 {
        u32::from_le_bytes(bytes[offset..offset + 4].try_into().unwrap())
    }

    /// Every option at once, twice: directory last and directory first.
    fn everything(directory_first: bool) -> Archive {
        Archive {
            directory_first,
            before_directory: b"BEFORE".to_vec(),
            directory_tail: b"TAIL".to_vec(),
            after_directory: b"AFTER".to_vec(),
            after_zip64_record: b"RECORD".to_vec(),
            after_zip64_locator: b"LOCATOR".to_vec(),
            directory_order: Some(vec![2, 0, 0]),
            ..Archive::new()
        }
        .entry(Entry::stored("a.txt", "hello").descriptor(DescriptorForm::SIGNED_64))
        .entry(Entry::stored("ghost", "boo").gap_before("gap"))
        .entry(Entry::deflated("c.txt", "world world world"))
        .prefix("PREFIX", false)
        .comment("COMMENT")
        .trailing("TRAILING")
        .zip64_end(Zip64End::Saturated)
    }

    #[test]
    fn every_noted_position_is_where_its_signature_stands() {
        for directory_first in [false, true] {
            let built = everything(directory_first).build_placed();
            let at = |offset| u32_at(&built.bytes, offset);
            for placed in &built.entries {
                assert_eq!(at(placed.local_header_offset), LOCAL_FILE_HEADER);
            }
            let headers: Vec<_> = built.entries.iter().map(|e| e.central_header_offset).collect();
            assert_eq!(headers[1], None, "the ghost");
            assert_eq!(headers[2], Some(built.directory_offset), "listed first");
            for offset in headers.into_iter().flatten() {
                assert_eq!(at(offset), CENTRAL_DIRECTORY_HEADER);
            }
            assert_eq!(at(built.entries[0].descriptor_offset.unwrap()), DATA_DESCRIPTOR);
            assert_eq!(built.bytes[built.entries[0].data()], *b"hello");
            assert_eq!(at(built.zip64_record_offset.unwrap()), ZIP64_RECORD);
            assert_eq!(at(built.zip64_locator_offset.unwrap()), ZIP64_LOCATOR);
            assert_eq!(at(built.eocd_offset), END_OF_CENTRAL_DIRECTORY);
            let end = built.directory_offset + built.directory_len;
            assert_eq!(&built.bytes[end - 4..end], b"TAIL");
        }
    }

    #[test]
    fn offsets_leave_an_uncounted_prefix_out_and_keep_a_counted_one() {
        for (counted, expected) in [(false, 0), (true, 6)] {
            let built = Archive::new()
                .entry(Entry::stored("a", "hello"))
                .prefix("PREFIX", counted)
                .build_placed();
            let header = built.entries[0].central_header_offset.unwrap();
            assert_eq!(u32_at(&built.bytes, header + 42), expected);
            let declared = u32_at(&built.bytes, built.eocd_offset + 16) as usize;
            assert_eq!(declared, built.directory_offset - 6 + expected as usize);
        }
    }

    #[test]
    fn an_edit_changes_its_field_and_nothing_else() {
        let honest = Archive::new().entry(Entry::stored("a.txt", "hello"));
        let before = honest.build_placed();
        let header = before.entries[0].central_header_offset.unwrap();
        let edited = |entry: Entry| Archive::new().entry(entry).build();
        let entry = || Entry::stored("a.txt", "hello");
        let table: [(&str, Vec<u8>, usize); 4] = [
            ("local", edited(entry().edit_local(|h| h.crc32 ^= 0xff)), 14),
            ("central", edited(entry().edit_central(|h| h.flags ^= 0xff)), header + 8),
            (
                "end",
                honest.clone().edit_end(|end| end.disk ^= 0xff).build(),
                before.eocd_offset + 4,
            ),
            (
                "two edits",
                edited(entry().edit_local(|h| h.method = 7).edit_local(|h| h.method ^= 0xf8)),
                8,
            ),
        ];
        for (name, after, offset) in table {
            let mut expected = before.bytes.clone();
            expected[offset] ^= 0xff;
            assert_eq!(after, expected, "{name}");
        }
    }

    #[test]
    fn zip64_extra_fields_hold_the_saturated_values_in_the_standards_order() {
        let all = Archive::new()
            .entry(Entry::stored("first", "hello"))
            .entry(Entry::deflated("a", [b'x'; 100]).zip64(Saturated::SIZES, Saturated::ALL))
            .build_placed();
        let placed = &all.entries[1];
        let sizes = [100_u64.to_le_bytes(), (placed.data_len as u64).to_le_bytes()].concat();
        let local = placed.local_header_offset;
        assert_eq!(all.bytes[local + 18..local + 26], [0xff; 8]);
        assert_eq!(all.bytes[local + 31..local + 35], [1, 0, 16, 0]);
        assert_eq!(all.bytes[local + 35..local + 51], sizes);
        let central = placed.central_header_offset.unwrap();
        assert_eq!(all.bytes[central + 47..central + 51], [1, 0, 28, 0]);
        assert_eq!(all.bytes[central + 51..central + 67], sizes);
        assert_eq!(all.bytes[central + 67..central + 75], (local as u64).to_le_bytes());
        assert_eq!(all.bytes[central + 75..central + 79], [0; 4]);

        let offset = Archive::new()
            .entry(Entry::stored("a", "hello").zip64(Saturated::NONE, Saturated::OFFSET))
            .build_placed();
        let central = offset.entries[0].central_header_offset.unwrap();
        assert_eq!(offset.bytes[central + 47..central + 51], [1, 0, 8, 0]);
        assert_eq!(u32_at(&offset.bytes, central + 42), u32::MAX);
        assert_eq!(u32_at(&offset.bytes, central + 20), 5);
    }

    #[test]
    fn entries_can_share_a_local_header_or_point_anywhere() {
        let built = Archive::new()
            .entry(Entry::stored("a", "hello"))
            .entry(Entry::stored("b", "hello").place(Place::SharedWith(0)))
            .entry(Entry::stored("c", "hello").place(Place::At(0x7fff_ffff)))
            .build_placed();
        assert_eq!(built.directory_offset, 30 + 1 + 5);
        let offsets: Vec<u32> = built
            .entries
            .iter()
            .map(|e| u32_at(&built.bytes, e.central_header_offset.unwrap() + 42))
            .collect();
        assert_eq!(offsets, [0, 0, 0x7fff_ffff]);
        assert_eq!(built.entries[1].data(), built.entries[0].data());
    }

    #[test]
    fn zip64_end_records_appear_where_they_are_wanted() {
        let one = || Archive::new().entry(Entry::stored("a", "hello"));
        for (form, present, size) in [
            (Zip64End::WhereNeeded, false, 47),
            (Zip64End::Never, false, 47),
            (Zip64End::Saturated, true, u32::MAX),
            (Zip64End::Agreeing, true, 47),
        ] {
            let built = one().zip64_end(form).build_placed();
            assert_eq!(built.zip64_record_offset.is_some(), present, "{form:?}");
            assert_eq!(u32_at(&built.bytes, built.eocd_offset + 12), size, "{form:?}");
        }
    }
}
