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
