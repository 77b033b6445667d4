//! Finds the central directory: end record, zip64 records, bytes before the archive.
//!
//! Sans-io: the caller owns the bytes and is told which it lacks. For an archive in memory the
//! window is everything and one call answers; for a file it is a tail read, and for one with bytes
//! in front of it four bytes more.
//!
//! What is refused here is what two readers read differently: more than one end record that could
//! be meant, a zip64 record that is not directly before its locator, a directory that could start
//! at two places.

use crate::error::{Error, Record, Refusal, Rule, at};
use crate::limits::{Limit, Limits};
use crate::record::{
    CentralDirectoryHeader, EndOfCentralDirectory, SENTINEL_16, SENTINEL_32,
    Zip64EndOfCentralDirectoryLocator, Zip64EndOfCentralDirectoryRecord,
};
use crate::window::{Extent, Window};

/// NUL bytes after the end record that still count as the end of the file.
///
/// Media of fixed block size and some download tools pad with zeros.
pub const TRAILING_NULS: u64 = 4_096;

/// Bytes at the end of the file among which an end record is looked for: the record, its longest
/// comment, and the padding.
pub const SEARCH_LEN: u64 = EndOfCentralDirectory::LEN as u64 + u16::MAX as u64 + TRAILING_NULS;

/// Bytes of the first read from the end of a file.
///
/// A multiple of a page that covers [`SEARCH_LEN`] with the zip64 record and locator in front of
/// it; the rest makes it likely that the directory lies inside.
pub const TAIL_LEN: u64 = 72 * 1024;

const ZIP64_LEN: u64 =
    (Zip64EndOfCentralDirectoryRecord::LEN + Zip64EndOfCentralDirectoryLocator::LEN) as u64;
const _: () = assert!(SEARCH_LEN + ZIP64_LEN <= TAIL_LEN);

/// Where the central directory is, and what is known of the archive around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryExtent {
    /// The directory's bytes; its end is at most the end record's offset.
    pub extent: Extent,
    /// Bytes before the archive proper; added to every offset that the archive states.
    pub base_offset: u64,
    /// Records that the directory must hold; at most [`Limits::entries`].
    pub declared_entries: u64,
    /// Absolute offset of the end of central directory record.
    pub end_record_offset: u64,
    /// Length of the whole file.
    pub archive_len: u64,
}

/// What the locator wants or has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next window must cover this extent.
    Need(Extent),
    /// The directory is there.
    Done(DirectoryExtent),
}

/// Finds the central directory of one archive.
///
/// ```
/// use entryway::{Limits, Locator, Step, Window};
///
/// let empty = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
/// let mut locator = Locator::new(empty.len() as u64, &Limits::default());
/// let Step::Done(directory) = locator.step(Window::whole(empty))? else { panic!() };
/// assert_eq!(directory.declared_entries, 0);
/// # Ok::<(), entryway::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Locator {
    archive_len: u64,
    limits: Limits,
    /// The directory, once only the question of its base is open.
    candidate: Option<DirectoryExtent>,
}

impl Locator {
    /// Starts a search in an archive of `archive_len` bytes.
    #[must_use]
    pub fn new(archive_len: u64, limits: &Limits) -> Self {
        Self { archive_len, limits: limits.bounded(), candidate: None }
    }

    /// Looks at the bytes in hand.
    ///
    /// The extent of a [`Step::Need`] lies within the archive, and a window that covers it makes
    /// progress: there are at most two.
    ///
    /// # Errors
    /// [`Error::Archive`] with the rule that is broken; [`Rule::NoEndRecord`] where the bytes are
    /// no archive.
    pub fn step(&mut self, window: Window<'_>) -> Result<Step, Error> {
        let directory = match self.candidate.take() {
            Some(directory) => directory,
            None => {
                let tail = self.archive_len.saturating_sub(TAIL_LEN)..self.archive_len;
                let Some(bytes) = window.slice(&tail) else { return Ok(Step::Need(tail)) };
                self.locate(Window { offset: tail.start, bytes })?
            }
        };
        if directory.base_offset == 0 {
            return Ok(Step::Done(directory));
        }
        // Rule 3: bytes before the archive are believed only where the stated offset, taken as it
        // is, does not lead to a directory record too. Four bytes are there: the end record
        // follows.
        let stated = directory.extent.start - directory.base_offset;
        let probe = stated..stated + CentralDirectoryHeader::SIGNATURE.len() as u64;
        match window.slice(&probe) {
            None => {
                self.candidate = Some(directory);
                Ok(Step::Need(probe))
            }
            Some(bytes) if bytes == CentralDirectoryHeader::SIGNATURE => {
                Err(self.ambiguous_base(&directory))
            }
            // That a record does stand at the computed offset is seen when it is read; an empty
            // directory has none to show.
            Some(_) if directory.declared_entries == 0 => Err(self.ambiguous_base(&directory)),
            Some(_) => Ok(Step::Done(directory)),
        }
    }

    fn ambiguous_base(&self, directory: &DirectoryExtent) -> Error {
        let stated = directory.extent.start - directory.base_offset;
        at(Record::EndOfCentralDirectory, directory.end_record_offset)
            .breaks_by(Rule::AmbiguousBase, stated, directory.extent.start)
            .into()
    }

    /// Rules 1 to 3, over the tail of the file.
    fn locate(&self, tail: Window<'_>) -> Result<DirectoryExtent, Error> {
        let (end_record_offset, eocd) = find_end_record(tail)?;
        let end_record = at(Record::EndOfCentralDirectory, end_record_offset);
        let zip64 = find_zip64_record(tail, end_record_offset, &eocd)?;

        let disks = [eocd.disk_number, eocd.directory_disk_number];
        // With a zip64 record the sentinel in a 16-bit disk number stands for its zero.
        let is_other_disk = |&disk: &u16| disk != 0 && !(zip64.is_some() && disk == SENTINEL_16);
        if let Some(&disk) = disks.iter().find(|&disk| is_other_disk(disk)) {
            return Err(end_record.breaks_by(Rule::SeveralDisks, disk.into(), 0).into());
        }

        // Without a zip64 record a saturated field is the value it shows.
        let (record, entries_on_disk, entries, size, offset, directory_end) = match zip64 {
            Some((record_offset, r)) => (
                at(Record::Zip64Record, record_offset),
                r.declared_entries_on_disk,
                r.declared_entries,
                r.directory_size,
                r.directory_offset,
                record_offset,
            ),
            None => (
                end_record,
                eocd.declared_entries_on_disk.into(),
                eocd.declared_entries.into(),
                eocd.directory_size.into(),
                eocd.directory_offset.into(),
                end_record_offset,
            ),
        };
        if entries_on_disk != entries {
            return Err(record.breaks_by(Rule::CountsDisagree, entries_on_disk, entries).into());
        }
        let base_offset = offset
            .checked_add(size)
            .and_then(|end| directory_end.checked_sub(end))
            .ok_or_else(|| {
            let declared = offset.saturating_add(size);
            record.breaks_by(Rule::DirectoryOutside, declared, directory_end)
        })?;
        for (limit, maximum, actual) in [
            (Limit::DirectorySize, self.limits.directory_size, size),
            (Limit::Entries, self.limits.entries, entries),
        ] {
            if actual > maximum {
                return Err(record.exceeds(limit, maximum, actual).into());
            }
        }
        Ok(DirectoryExtent {
            extent: directory_end - size..directory_end,
            base_offset,
            declared_entries: entries,
            end_record_offset,
            archive_len: self.archive_len,
        })
    }
}

/// Rule 1: the record that ends with the file, else the last one whose comment fits.
fn find_end_record(tail: Window<'_>) -> Result<(u64, EndOfCentralDirectory), Refusal> {
    let search_start = tail.bytes.len().saturating_sub(SEARCH_LEN as usize);
    let (mut at_end, mut second_at_end, mut last_fitting, mut last_signature) =
        (None, None, None, 0);
    for found in
        memchr::memmem::find_iter(&tail.bytes[search_start..], &EndOfCentralDirectory::SIGNATURE)
    {
        let start = search_start + found;
        last_signature = start;
        let Some(eocd) = EndOfCentralDirectory::parse(&tail.bytes[start..]) else { continue };
        let end = start + EndOfCentralDirectory::LEN + usize::from(eocd.comment_size);
        let Some(after) = tail.bytes.get(end..) else { continue };
        last_fitting = Some((start, eocd));
        if after.len() as u64 <= TRAILING_NULS && after.iter().all(|&byte| byte == 0) {
            if at_end.is_none() {
                at_end = Some((start, eocd));
            } else {
                second_at_end = Some(start);
            }
        }
    }
    let Some((start, eocd)) = at_end.or(last_fitting) else {
        return Err(at(Record::EndOfCentralDirectory, tail.offset).breaks(Rule::NoEndRecord));
    };
    let offset = tail.offset + start as u64;
    let record = at(Record::EndOfCentralDirectory, offset);
    if let Some(second) = second_at_end {
        return Err(record.breaks_by(Rule::SecondEndRecord, 0, tail.offset + second as u64));
    }
    if last_signature > start {
        let second = tail.offset + last_signature as u64;
        return Err(record.breaks_by(Rule::SignatureAfterEnd, 0, second));
    }
    Ok((offset, eocd))
}

/// Rule 2: the zip64 record, where a locator stands directly before the end record.
fn find_zip64_record(
    tail: Window<'_>,
    end_record_offset: u64,
    eocd: &EndOfCentralDirectory,
) -> Result<Option<(u64, Zip64EndOfCentralDirectoryRecord)>, Refusal> {
    let Some((locator_offset, locator)) = end_record_offset
        .checked_sub(Zip64EndOfCentralDirectoryLocator::LEN as u64)
        .and_then(|offset| Some((offset, tail.from(offset)?)))
        .and_then(|(offset, bytes)| {
            Some((offset, Zip64EndOfCentralDirectoryLocator::parse(bytes)?))
        })
    else {
        return Ok(None);
    };
    let locator_record = at(Record::Zip64Locator, locator_offset);
    if locator.record_disk_number != 0 || locator.total_disks != 1 {
        let disk =
            if locator.total_disks == 1 { locator.record_disk_number } else { locator.total_disks };
        return Err(locator_record.breaks_by(Rule::SeveralDisks, disk.into(), 0));
    }
    let adjacent = locator_offset.checked_sub(Zip64EndOfCentralDirectoryRecord::LEN as u64);
    let Some(record_offset) = adjacent.filter(|&offset| offset == locator.record_offset) else {
        return Err(locator_record.breaks_by(
            Rule::Zip64NotAdjacent,
            locator.record_offset,
            adjacent.unwrap_or(0),
        ));
    };
    let record = at(Record::Zip64Record, record_offset);
    let Some(zip64) = tail.from(record_offset).and_then(Zip64EndOfCentralDirectoryRecord::parse)
    else {
        return Err(record.breaks(Rule::Zip64Signature));
    };
    if zip64.record_size != Zip64EndOfCentralDirectoryRecord::RECORD_SIZE {
        return Err(record.breaks_by(Rule::Zip64RecordSize, zip64.record_size, 0));
    }
    if zip64.disk_number != 0 || zip64.directory_disk_number != 0 {
        let disk = zip64.disk_number.max(zip64.directory_disk_number);
        return Err(record.breaks_by(Rule::SeveralDisks, disk.into(), 0));
    }
    let short = |value: u16| (value != SENTINEL_16).then_some(u64::from(value));
    let long = |value: u32| (value != SENTINEL_32).then_some(u64::from(value));
    let pairs = [
        (short(eocd.disk_number), zip64.disk_number.into()),
        (short(eocd.directory_disk_number), zip64.directory_disk_number.into()),
        (short(eocd.declared_entries_on_disk), zip64.declared_entries_on_disk),
        (short(eocd.declared_entries), zip64.declared_entries),
        (long(eocd.directory_size), zip64.directory_size),
        (long(eocd.directory_offset), zip64.directory_offset),
    ];
    for (declared, actual) in pairs {
        if let Some(declared) = declared.filter(|&declared| declared != actual) {
            return Err(record.breaks_by(Rule::Zip64Disagrees, declared, actual));
        }
    }
    Ok(Some((record_offset, zip64)))
}

#[cfg(test)]
mod tests {
    use entryway_testkit::builder::{Archive, Built, Entry, Zip64End};
    use entryway_testkit::record::{EndOfCentralDirectory as End, Zip64Locator, Zip64Record};

    use super::*;

    /// A file of 36 bytes, its header of 47 at 36, and the end record at 83; with zip64 the record
    /// at 83, the locator at 139 and the end record at 159.
    fn one() -> Archive {
        Archive::new().entry(Entry::stored("a", "hello"))
    }

    fn zip64() -> Archive {
        one().zip64_end(Zip64End::Saturated)
    }

    fn locate(bytes: &[u8], limits: &Limits) -> Result<DirectoryExtent, Error> {
        match Locator::new(bytes.len() as u64, limits).step(Window::whole(bytes))? {
            Step::Done(directory) => Ok(directory),
            Step::Need(extent) => panic!("all bytes are in hand, and {extent:?} is asked for"),
        }
    }

    fn end_record(end: &End) -> Vec<u8> {
        let mut out = Vec::new();
        end.write(&mut out);
        out
    }

    /// The bytes of `archive` with an end record of no entries as its comment, and `behind` that.
    fn end_in_comment(behind: impl AsRef<[u8]>) -> Vec<u8> {
        one().comment([&end_record(&End::default()), behind.as_ref()].concat()).build()
    }

    #[test]
    fn the_directory_is_where_the_end_records_say() {
        let base = |archive: Archive| {
            let Built { directory_offset, eocd_offset, bytes, .. } = archive.build_placed();
            (bytes, directory_offset as u64, eocd_offset as u64)
        };
        let sentinels = |end: &mut End| (end.disk, end.directory_disk) = (u16::MAX, u16::MAX);
        let table: [(&str, Archive, u64); 9] = [
            ("plain", one(), 0),
            ("comment", one().comment("comment"), 0),
            ("zeros behind", one().trailing([0; TRAILING_NULS as usize]), 0),
            ("more zeros behind", one().trailing([0; TRAILING_NULS as usize + 1]), 0),
            ("other bytes behind", one().trailing("junk"), 0),
            ("counted prefix", one().prefix("prefix", true), 0),
            ("prefix", one().prefix("prefix", false), 6),
            ("zip64", zip64().edit_end(sentinels), 0),
            ("zip64 behind a prefix", zip64().edit_zip64_record(|r| r.directory_offset -= 1), 1),
        ];
        for (name, archive, base_offset) in table {
            let (bytes, start, end_record_offset) = base(archive);
            let expected = DirectoryExtent {
                extent: start..start + 47,
                base_offset,
                declared_entries: 1,
                end_record_offset,
                archive_len: bytes.len() as u64,
            };
            assert_eq!(locate(&bytes, &Limits::default()), Ok(expected), "{name}");
        }
    }

    #[test]
    fn an_end_record_is_looked_for_as_far_back_as_its_longest_comment_and_padding_allow() {
        let full = one().comment([b' '; u16::MAX as usize]);
        let padded = |zeros| full.clone().trailing(vec![0; zeros]).build();
        let farthest = locate(&padded(TRAILING_NULS as usize), &Limits::default());
        assert_eq!(farthest.map(|directory| directory.end_record_offset), Ok(83));
        let refusal = |offset| at(Record::EndOfCentralDirectory, offset).breaks(Rule::NoEndRecord);
        let beyond = padded(TRAILING_NULS as usize + 1);
        assert_eq!(locate(&beyond, &Limits::default()), Err(refusal(0).into()));
        // The offset is that of the first byte that was looked at.
        let beyond = vec![0; TAIL_LEN as usize + 3];
        assert_eq!(locate(&beyond, &Limits::default()), Err(refusal(3).into()));
    }

    #[test]
    fn what_two_readers_read_differently_is_refused_with_the_place_and_both_numbers() {
        use Rule::*;
        let end = at(Record::EndOfCentralDirectory, 83);
        let (record, locator) = (at(Record::Zip64Record, 83), at(Record::Zip64Locator, 139));
        let zip64_end = at(Record::EndOfCentralDirectory, 159);
        let agreeing = |edit: fn(&mut End)| one().zip64_end(Zip64End::Agreeing).edit_end(edit);
        let with_record = |edit: fn(&mut Zip64Record)| zip64().edit_zip64_record(edit).build();
        let with_locator = |edit: fn(&mut Zip64Locator)| zip64().edit_zip64_locator(edit).build();
        let with_end = |edit: fn(&mut End)| one().edit_end(edit).build();
        let bare_locator = {
            let mut bytes = Vec::new();
            Zip64Locator { record_offset: 7, ..Zip64Locator::default() }.write(&mut bytes);
            [bytes, end_record(&End::default())].concat()
        };
        let signature_before = {
            let mut prefix = vec![0; 100];
            prefix[36..40].copy_from_slice(b"PK\x01\x02");
            one().prefix(prefix, false).build()
        };
        let max = u64::MAX;
        let table: [(&str, Vec<u8>, Refusal); 36] = [
            ("second end", end_in_comment(""), end.breaks_by(SecondEndRecord, 0, 105)),
            (
                "second end and zeros",
                end_in_comment([0; TRAILING_NULS as usize]),
                end.breaks_by(SecondEndRecord, 0, 105),
            ),
            (
                "second end and too many zeros",
                end_in_comment([0; TRAILING_NULS as usize + 1]),
                end.breaks_by(SignatureAfterEnd, 0, 105),
            ),
            (
                "second end and another byte",
                end_in_comment("x"),
                end.breaks_by(SignatureAfterEnd, 0, 105),
            ),
            (
                "signature in the comment",
                one().comment("12PK\x05\x06").build(),
                end.breaks_by(SignatureAfterEnd, 0, 107),
            ),
            ("disk", with_end(|e| e.disk = 1), end.breaks_by(SeveralDisks, 1, 0)),
            ("directory's", with_end(|e| e.directory_disk = 2), end.breaks_by(SeveralDisks, 2, 0)),
            (
                "saturated without zip64",
                with_end(|e| e.disk = u16::MAX),
                end.breaks_by(SeveralDisks, 65_535, 0),
            ),
            ("counts", with_end(|e| e.entries_on_disk = 2), end.breaks_by(CountsDisagree, 2, 1)),
            ("size", with_end(|e| e.directory_size += 1), end.breaks_by(DirectoryOutside, 84, 83)),
            (
                "offset",
                with_end(|e| e.directory_offset += 3),
                end.breaks_by(DirectoryOutside, 86, 83),
            ),
            (
                "saturated offset without zip64",
                with_end(|e| e.directory_offset = u32::MAX),
                end.breaks_by(DirectoryOutside, 0xffff_ffff + 47, 83),
            ),
            (
                "a header at the stated offset too",
                signature_before,
                at(Record::EndOfCentralDirectory, 183).breaks_by(AmbiguousBase, 36, 136),
            ),
            (
                "an empty directory behind other bytes",
                Archive::new().prefix("prefix", false).build(),
                at(Record::EndOfCentralDirectory, 6).breaks_by(AmbiguousBase, 0, 6),
            ),
            (
                "locator's disk",
                with_locator(|l| l.record_disk = 3),
                locator.breaks_by(SeveralDisks, 3, 0),
            ),
            (
                "locator's total",
                with_locator(|l| l.total_disks = 2),
                locator.breaks_by(SeveralDisks, 2, 0),
            ),
            (
                "locator's total of none",
                with_locator(|l| (l.total_disks, l.record_disk) = (0, 4)),
                locator.breaks_by(SeveralDisks, 0, 0),
            ),
            (
                "another record offset",
                with_locator(|l| l.record_offset += 1),
                locator.breaks_by(Zip64NotAdjacent, 84, 83),
            ),
            (
                "no room for a record",
                bare_locator,
                at(Record::Zip64Locator, 0).breaks_by(Zip64NotAdjacent, 7, 0),
            ),
            ("signature", with_record(|r| r.signature ^= 1), record.breaks(Zip64Signature)),
            (
                "record size",
                with_record(|r| r.declared_size = Some(45)),
                record.breaks_by(Zip64RecordSize, 45, 0),
            ),
            ("record's disk", with_record(|r| r.disk = 5), record.breaks_by(SeveralDisks, 5, 0)),
            (
                "record's directory's",
                with_record(|r| r.directory_disk = 6),
                record.breaks_by(SeveralDisks, 6, 0),
            ),
            (
                "record's counts",
                with_record(|r| r.entries_on_disk = 2),
                record.breaks_by(CountsDisagree, 2, 1),
            ),
            (
                "record's size",
                with_record(|r| r.directory_size += 1),
                record.breaks_by(DirectoryOutside, 84, 83),
            ),
            (
                "record's largest offset",
                with_record(|r| r.directory_offset = u64::MAX),
                record.breaks_by(DirectoryOutside, max, 83),
            ),
            (
                "agreeing disk",
                agreeing(|e| e.disk = 1).build(),
                record.breaks_by(Zip64Disagrees, 1, 0),
            ),
            (
                "agreeing directory's",
                agreeing(|e| e.directory_disk = 2).build(),
                record.breaks_by(Zip64Disagrees, 2, 0),
            ),
            (
                "agreeing count here",
                agreeing(|e| e.entries_on_disk = 2).build(),
                record.breaks_by(Zip64Disagrees, 2, 1),
            ),
            (
                "agreeing count",
                agreeing(|e| e.entries_total = 0).build(),
                record.breaks_by(Zip64Disagrees, 0, 1),
            ),
            (
                "agreeing size",
                agreeing(|e| e.directory_size -= 1).build(),
                record.breaks_by(Zip64Disagrees, 46, 47),
            ),
            (
                "agreeing offset",
                agreeing(|e| e.directory_offset -= 1).build(),
                record.breaks_by(Zip64Disagrees, 35, 36),
            ),
            (
                "a record that agrees, of one more entry here",
                agreeing(|e| e.entries_on_disk = 2)
                    .edit_zip64_record(|r| r.entries_on_disk = 2)
                    .build(),
                record.breaks_by(CountsDisagree, 2, 1),
            ),
            (
                "no locator where one would stand",
                zip64().edit_zip64_locator(|l| l.signature ^= 1).build(),
                zip64_end.breaks_by(DirectoryOutside, 2 * 0xffff_ffff, 159),
            ),
            ("nothing", Vec::new(), at(Record::EndOfCentralDirectory, 0).breaks(NoEndRecord)),
            (
                "an end record cut short",
                end_record(&End::default())[..21].to_vec(),
                at(Record::EndOfCentralDirectory, 0).breaks(NoEndRecord),
            ),
        ];
        for (name, bytes, expected) in table {
            assert_eq!(locate(&bytes, &Limits::default()), Err(expected.into()), "{name}");
        }
    }

    #[test]
    fn limits_hold_to_the_number() {
        let end = at(Record::EndOfCentralDirectory, 83);
        let bytes = one().build();
        let limits = |directory_size, entries| {
            let limits = Limits { directory_size, entries, ..Limits::default() };
            locate(&bytes, &limits).map(|directory| directory.declared_entries)
        };
        assert_eq!(limits(47, 1), Ok(1));
        assert_eq!(limits(46, 1), Err(end.exceeds(Limit::DirectorySize, 46, 47).into()));
        assert_eq!(limits(47, 0), Err(end.exceeds(Limit::Entries, 0, 1).into()));
    }

    #[test]
    fn the_tail_is_asked_for_and_then_four_bytes_where_the_archive_may_start_later() {
        let len = 2 * TAIL_LEN as usize;
        let bytes = one().prefix(vec![b' '; len], false).build();
        let whole_len = bytes.len() as u64;
        let window = |extent: &Extent| Window {
            offset: extent.start,
            bytes: &bytes[extent.start as usize..extent.end as usize],
        };
        let mut locator = Locator::new(whole_len, &Limits::default());
        let tail = whole_len - TAIL_LEN..whole_len;
        assert_eq!(locator.step(Window::EMPTY), Ok(Step::Need(tail.clone())));
        assert_eq!(locator.step(window(&tail)), Ok(Step::Need(36..40)));
        // A window that does not cover them asks again.
        assert_eq!(locator.step(window(&(36..39))), Ok(Step::Need(36..40)));
        let Ok(Step::Done(directory)) = locator.step(window(&(36..40))) else { panic!() };
        assert_eq!((directory.base_offset, directory.archive_len), (len as u64, whole_len));
    }
}
