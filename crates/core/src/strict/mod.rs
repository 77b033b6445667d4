//! The profile strict: every byte of the file belongs to exactly one record, and no name stands for
//! two files on any system.
//!
//! ```text
//! [entry] [entry] ... [entry] [directory] ([zip64 record] [locator]) [end record, comment]
//!    local header, data, (descriptor)
//! ```
//!
//! [`Archive::examine`] goes through the local file headers and data descriptors once, in the order
//! of the file, and asks pure functions: `layout` about what no record claims, `header` and `name`
//! about one entry, `neighbours` about names beside each other. From the directory on the rules for
//! every profile leave no room: the directory ends where the zip64 record or the end record begins,
//! the zip64 record is adjacent to its locator and that to the end record, and the directory's
//! bytes are exactly its records. So what is left is behind the end record.
//!
//! An entry that those rules refuse, by its directory header, local header or descriptor, has its
//! verdict and is not reported again as a gap. It claims what it says it takes, by the directory or
//! by its local header, whichever is more, up to its boundary; what lies behind that is a gap like
//! any other. One that is said to stand where no header of its name does may have left its header
//! behind elsewhere: that claims as much, once.

mod header;
mod layout;
mod name;
mod neighbours;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use bytes::Bytes;

use crate::archive::Archive;
use crate::entry::Entry;
use crate::error::{Error, Record, Refusal, at};
use crate::record::{DataDescriptor, EndOfCentralDirectory, LocalFileHeader, SENTINEL_32};
use crate::source::{Feed, ReadAt};
use crate::verdict;
use crate::window::Extent;

/// Bytes fetched at once, at most, while one small entry follows another.
const READ_AHEAD: u64 = 256 * 1024;

/// Bytes fetched where a header or descriptor is looked for far from the one before: a page, in
/// which a descriptor and the header behind it lie together.
const LOOK_LEN: u64 = 4 * 1024;

impl<S: ReadAt> Archive<S> {
    /// Calls `each` with every rule of [`Profile::Strict`](crate::Profile::Strict) that the archive
    /// breaks, with the entry where it is one entry's; the directory, and so the archive, has kept
    /// those of [`Profile::Serve`](crate::Profile::Serve) when it was opened.
    ///
    /// The rules come in the order of the file: gaps and entries by their local file headers, then
    /// names beside each other, in the order of these, then what is behind the end. An entry
    /// that is refused anyway breaks none of them; whether its *data* is bad is not looked at:
    /// nothing is decoded, see [`Archive::verify`].
    ///
    /// Beside two fetches of up to 260 KiB it keeps 32 bytes for each entry, 16 more where the
    /// directory is not in the order of the file, and those names again that are not in small ASCII
    /// letters, in at most three times their bytes; for an entry with a Unicode path both names.
    ///
    /// ```
    /// # use entryway_testkit::builder::{Archive as Zip, Entry};
    /// # let zip = Zip::new().entry(Entry::stored("a\\b", "hello")).trailing("more").build();
    /// # let bytes = bytes::Bytes::from(zip);
    /// use entryway::Archive;
    ///
    /// let archive = Archive::open(bytes)?;
    /// let mut broken = Vec::new();
    /// archive.examine(|entry, refusal| broken.push((entry.is_some(), refusal.rule.label())))?;
    /// assert_eq!(broken, [(true, "name_backslash"), (false, "trailing_bytes")]);
    /// # Ok::<(), entryway::Error>(())
    /// ```
    ///
    /// # Errors
    /// What reading the source came to; a rule that is broken is none.
    pub fn examine(&self, each: impl FnMut(Option<&Entry>, Refusal)) -> Result<(), Error> {
        let end = self.directory().extent().extent.start;
        let feed = Feed::ahead(self.source(), READ_AHEAD, end);
        let (refused, left_behind) = (Vec::new(), HashSet::new());
        Examination { archive: self, feed, refused, left_behind, each }.run()
    }
}

struct Examination<'a, S, F> {
    archive: &'a Archive<S>,
    feed: Feed<'a, S>,
    /// Header offsets of the entries that the rules for every profile refuse.
    refused: Vec<u32>,
    /// Header offsets of those of which a local header was met where they are not said to stand.
    left_behind: HashSet<u32>,
    each: F,
}

impl<S: ReadAt, F: FnMut(Option<&Entry>, Refusal)> Examination<'_, S, F> {
    fn run(mut self) -> Result<(), Error> {
        let directory = self.archive.directory();
        let end = directory.extent().extent.start;
        let mut claimed = 0;
        for entry in directory.entries_in_file_order() {
            let start = entry.local_header_offset;
            if start >= end {
                // Outside of the archive, and refused for that.
                self.refused.push(entry.header_offset);
                continue;
            }
            self.look_between(claimed..start, Record::LocalFileHeader)?;
            claimed = self.look_at(&entry)?.max(claimed);
        }
        self.look_between(claimed..end, Record::CentralDirectory)?;

        self.refused.sort_unstable();
        let (refused, each) = (&self.refused, &mut self.each);
        neighbours::of_names(directory, |entry, refusal| {
            if refused.binary_search(&entry.header_offset).is_err() {
                each(Some(entry), refusal);
            }
        });
        self.look_behind()
    }

    /// Looks at one entry, and gives where what it claims ends: at most at its boundary.
    fn look_at(&mut self, entry: &Entry) -> Result<u64, Error> {
        let directory = self.archive.directory();
        let boundary = directory.boundary(entry);
        if directory.judge(entry, self.archive.policy()).is_err() {
            return self.refuse(entry, boundary);
        }
        let header = directory.header(entry);
        let start = entry.local_header_offset;
        // The directory's rules leave room for the shortest header.
        let mut bytes = self.bring(start..start + LocalFileHeader::FIXED_LEN as u64)?;
        if let Some(header_len) = verdict::local_header_len(&bytes)
            && start + header_len <= boundary
        {
            bytes = self.bring(start..start + header_len)?;
        }
        let Ok(data_offset) = verdict::of_local_header(entry, header.name, boundary, &bytes) else {
            return self.refuse(entry, boundary);
        };
        let mut claimed = data_offset + entry.declared_compressed_size;
        if entry.flags.has_data_descriptor() {
            let Some(len) = self.descriptor_len(entry, claimed..boundary)? else {
                return self.refuse(entry, boundary);
            };
            claimed += len;
        }

        let header_offset = directory.extent().extent.start + u64::from(entry.header_offset);
        let place = at(Record::CentralDirectoryHeader, header_offset);
        let mut breaks = |refusal| (self.each)(Some(entry), refusal);
        if let Some(local) = header::Local::parse(&bytes) {
            header::of_headers(entry, &header, place, &local, &mut breaks);
        }
        name::of_name(header.name, |rule, actual| {
            breaks(place.breaks_by(rule, 0, actual));
        });
        Ok(claimed)
    }

    /// Notes an entry that is refused anyway, and gives where what it claims ends.
    fn refuse(&mut self, entry: &Entry, boundary: u64) -> Result<u64, Error> {
        self.refused.push(entry.header_offset);
        self.stated_end(entry, entry.local_header_offset..boundary)
    }

    /// Where a refused entry ends that starts with `extent`, by the directory or by the local header
    /// that stands there, whichever is more; within the extent.
    fn stated_end(&mut self, entry: &Entry, extent: Extent) -> Result<u64, Error> {
        let local = LocalFileHeader::parse(&self.opening(&extent)?);
        let header_len = match &local {
            Some(local) => local.header_len(),
            None => LocalFileHeader::FIXED_LEN as u64 + u64::from(entry.name_len),
        };
        // A saturated size is looked up in no zip64 field: the directory has it too.
        let local_size = local.as_ref().map(|local| local.compressed_size);
        let local_size = local_size.filter(|&size| size != SENTINEL_32).unwrap_or(0);
        let data_end = (extent.start + header_len)
            .saturating_add(entry.declared_compressed_size.max(local_size.into()));
        let has_descriptor = entry.flags.has_data_descriptor()
            || local.is_some_and(|local| local.flags.has_data_descriptor());
        if !has_descriptor || data_end >= extent.end {
            return Ok(data_end.min(extent.end));
        }
        let len = self.descriptor_len(entry, data_end..extent.end)?;
        Ok(extent.end.min(data_end + len.unwrap_or(DataDescriptor::MAX_LEN as u64)))
    }

    /// Bytes of the data descriptor that `extent` starts with, where one agrees with the directory.
    fn descriptor_len(&mut self, entry: &Entry, extent: Extent) -> Result<Option<u64>, Error> {
        let most = extent.start.saturating_add(DataDescriptor::MAX_LEN as u64);
        let bytes = self.bring(extent.start..most.min(extent.end))?;
        Ok(layout::descriptor_len(entry, &bytes, extent.end - extent.start))
    }

    /// As many bytes of an extent as the fixed part of a local file header has.
    fn opening(&mut self, extent: &Extent) -> Result<Bytes, Error> {
        self.bring(extent.start..extent.end.min(extent.start + LocalFileHeader::FIXED_LEN as u64))
    }

    /// Looks at what stands between two records, where anything does.
    fn look_between(&mut self, mut gap: Extent, next: Record) -> Result<(), Error> {
        while gap.start < gap.end {
            let opening = self.opening(&gap)?;
            let Some(entry) = self.left_behind(&gap, &opening)? else {
                (self.each)(None, layout::of_gap(&gap, &opening, next));
                break;
            };
            gap.start = self.stated_end(&entry, gap.clone())?;
        }
        Ok(())
    }

    /// The entry of the name in the local file header that a gap opens with, where the directory
    /// refuses it, no header of its name stands where it is said to, and this is the first elsewhere.
    fn left_behind(&mut self, gap: &Extent, opening: &[u8]) -> Result<Option<Entry>, Error> {
        let Some(local) = LocalFileHeader::parse(opening) else { return Ok(None) };
        let (directory, policy) = (self.archive.directory(), self.archive.policy());
        let Some(name) = self.local_name(&local, gap)? else { return Ok(None) };
        // Of entries of one name the first speaks for all of them.
        let Some(entry) = directory.entries_named(&name).next() else { return Ok(None) };
        if directory.judge(&entry, policy).is_ok() || !self.left_behind.insert(entry.header_offset)
        {
            return Ok(None);
        }
        let end = directory.extent().extent.start;
        let start = entry.local_header_offset;
        if start < end {
            let stated = start..end;
            if let Some(local) = LocalFileHeader::parse(&self.opening(&stated)?)
                && self.local_name(&local, &stated)?.is_some_and(|stated| stated == name)
            {
                return Ok(None);
            }
        }
        Ok(Some(entry))
    }

    /// The name in a local file header that `extent` starts with, where it lies within.
    fn local_name(
        &mut self,
        local: &LocalFileHeader,
        extent: &Extent,
    ) -> Result<Option<Bytes>, Error> {
        let start = extent.start + LocalFileHeader::FIXED_LEN as u64;
        let end = start + u64::from(local.name_size);
        if end > extent.end { Ok(None) } else { self.bring(start..end).map(Some) }
    }

    /// Looks at what stands behind the end record and its comment.
    fn look_behind(&mut self) -> Result<(), Error> {
        let extent = self.archive.directory().extent();
        let start = extent.end_record_offset;
        let bytes = self.bring(start..start + EndOfCentralDirectory::LEN as u64)?;
        if let Some(eocd) = EndOfCentralDirectory::parse(&bytes)
            && let Some(refusal) = layout::of_end(start, &eocd, extent.archive_len)
        {
            (self.each)(None, refusal);
        }
        Ok(())
    }

    fn bring(&mut self, extent: Extent) -> Result<Bytes, Error> {
        let fetched = self.feed.fetched();
        if !fetched.covers(&extent) {
            let directory = self.archive.directory().extent().extent.start;
            let end = extent.start.saturating_add(LOOK_LEN).min(directory).max(extent.end);
            // Data that reaches past the bytes in hand by no more than these is read with what
            // follows it: so one fetch follows another, and is twice as long.
            let in_hand = fetched.bytes.len() as u64;
            let past = extent.start.checked_sub(fetched.offset + in_hand);
            let skipped = past.filter(|&past| past <= in_hand).unwrap_or(0);
            self.feed.fill(extent.start - skipped..end)?;
        }
        Ok(self.feed.fetched().shared(extent.start, extent.end))
    }
}
