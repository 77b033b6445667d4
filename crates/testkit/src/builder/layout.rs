//! Puts the parts of an archive one after the other, and notes where each one went.

use std::ops::Range;

use super::{Archive, Place, Zip64End};
use crate::record::{EndOfCentralDirectory, Zip64Locator, Zip64Record};

/// A finished archive and where its parts stand; every position counts from `bytes[0]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The whole file.
    pub bytes: Vec<u8>,
    /// One for each of [`Archive::entries`], in that order.
    pub entries: Vec<Placed>,
    /// The first central directory header.
    pub directory_offset: usize,
    /// The central directory's length, `directory_tail` included.
    pub directory_len: usize,
    /// The zip64 end of central directory record, where one was written.
    pub zip64_record_offset: Option<usize>,
    /// The zip64 end of central directory locator, where one was written.
    pub zip64_locator_offset: Option<usize>,
    /// The end of central directory record.
    pub eocd_offset: usize,
}

/// Where the parts of one entry stand.
///
/// An entry that shares a local header has the positions of the entry it shares with; one at
/// [`Place::At`] has that offset and no data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The local file header.
    pub local_header_offset: usize,
    /// The first byte after the local header.
    pub data_offset: usize,
    /// The data's length.
    pub data_len: usize,
    /// The data descriptor, where there is one.
    pub descriptor_offset: Option<usize>,
    /// The first central directory header of this entry; a ghost has none.
    pub central_header_offset: Option<usize>,
}

impl Placed {
    /// The data's bytes in the archive.
    pub fn data(&self) -> Range<usize> {
        self.data_offset..self.data_offset + self.data_len
    }
}

pub(super) fn build(archive: &Archive) -> Built {
    let order: Vec<usize> = match &archive.directory_order {
        Some(order) => order.clone(),
        None => (0..archive.entries.len()).collect(),
    };

    // A header's length does not depend on the offsets in it, so that a directory written for
    // offsets that are not known yet has the length of the final one.
    let mut bytes = archive.prefix.clone();
    let directory_len = {
        let unplaced = vec![Placed::at(0); archive.entries.len()];
        write_directory(archive, &order, &unplaced, 0).0.len()
    };
    let uncounted = if archive.prefix_counted { 0 } else { archive.prefix.len() };

    let directory_offset;
    let mut entries;
    if archive.directory_first {
        bytes.extend_from_slice(&archive.before_directory);
        directory_offset = bytes.len();
        bytes.resize(directory_offset + directory_len, 0);
        entries = write_entries(archive, &mut bytes);
    } else {
        entries = write_entries(archive, &mut bytes);
        bytes.extend_from_slice(&archive.before_directory);
        directory_offset = bytes.len();
        bytes.resize(directory_offset + directory_len, 0);
    }
    let (directory, header_offsets) = write_directory(archive, &order, &entries, uncounted);
    bytes[directory_offset..directory_offset + directory_len].copy_from_slice(&directory);
    for (&index, header_offset) in order.iter().zip(header_offsets) {
        entries[index].central_header_offset.get_or_insert(directory_offset + header_offset);
    }

    bytes.extend_from_slice(&archive.after_directory);
    let end = Ends {
        entries: order.len() as u64,
        directory_size: directory_len as u64,
        directory_offset: (directory_offset - uncounted) as u64,
    };
    let zip64 = match archive.zip64_end {
        Zip64End::WhereNeeded => order.len() > usize::from(u16::MAX),
        Zip64End::Never => false,
        Zip64End::Saturated | Zip64End::Agreeing => true,
    };
    let (mut zip64_record_offset, mut zip64_locator_offset) = (None, None);
    if zip64 {
        zip64_record_offset = Some(bytes.len());
        let record_offset = (bytes.len() - uncounted) as u64;
        archive.zip64_record_edit.applied(end.zip64_record()).write(&mut bytes);
        bytes.extend_from_slice(&archive.after_zip64_record);
        zip64_locator_offset = Some(bytes.len());
        let locator = Zip64Locator { record_offset, ..Zip64Locator::default() };
        archive.zip64_locator_edit.applied(locator).write(&mut bytes);
        bytes.extend_from_slice(&archive.after_zip64_locator);
    }
    let eocd_offset = bytes.len();
    let saturated = zip64 && archive.zip64_end != Zip64End::Agreeing;
    let eocd = EndOfCentralDirectory { comment: archive.comment.clone(), ..end.eocd(saturated) };
    archive.end_edit.applied(eocd).write(&mut bytes);
    bytes.extend_from_slice(&archive.trailing);

    Built {
        bytes,
        entries,
        directory_offset,
        directory_len,
        zip64_record_offset,
        zip64_locator_offset,
        eocd_offset,
    }
}

impl Placed {
    fn at(offset: usize) -> Self {
        Self {
            local_header_offset: offset,
            data_offset: offset,
            data_len: 0,
            descriptor_offset: None,
            central_header_offset: None,
        }
    }
}

/// Appends gaps, local headers, data and descriptors in file order.
fn write_entries(archive: &Archive, bytes: &mut Vec<u8>) -> Vec<Placed> {
    let mut places = Vec::with_capacity(archive.entries.len());
    for entry in &archive.entries {
        if entry.place != Place::Own {
            places.push(Placed::at(0));
            continue;
        }
        bytes.extend_from_slice(&entry.gap_before);
        let local_header_offset = bytes.len();
        entry.local_header().write(bytes);
        let data_offset = bytes.len();
        bytes.extend_from_slice(&entry.data);
        let descriptor_offset = entry.data_descriptor().map(|descriptor| {
            let offset = bytes.len();
            descriptor.write(bytes);
            offset
        });
        places.push(Placed {
            local_header_offset,
            data_offset,
            data_len: entry.data.len(),
            descriptor_offset,
            central_header_offset: None,
        });
    }
    for (index, entry) in archive.entries.iter().enumerate() {
        match entry.place {
            Place::Own => {}
            Place::SharedWith(other) => places[index] = places[other].clone(),
            Place::At(offset) => places[index] = Placed::at(offset as usize),
        }
    }
    places
}

/// The central directory, and where in it each header of `order` begins.
fn write_directory(
    archive: &Archive,
    order: &[usize],
    places: &[Placed],
    uncounted: usize,
) -> (Vec<u8>, Vec<usize>) {
    let mut directory = Vec::new();
    let mut header_offsets = Vec::with_capacity(order.len());
    for &index in order {
        let entry = &archive.entries[index];
        let offset = match entry.place {
            Place::At(offset) => u64::from(offset),
            Place::Own | Place::SharedWith(_) => {
                places[index].local_header_offset.saturating_sub(uncounted) as u64
            }
        };
        header_offsets.push(directory.len());
        entry.central_header(offset).write(&mut directory);
    }
    directory.extend_from_slice(&archive.directory_tail);
    (directory, header_offsets)
}

/// What the end records say when they tell the truth.
struct Ends {
    entries: u64,
    directory_size: u64,
    directory_offset: u64,
}

impl Ends {
    fn zip64_record(&self) -> Zip64Record {
        Zip64Record {
            entries_on_disk: self.entries,
            entries_total: self.entries,
            directory_size: self.directory_size,
            directory_offset: self.directory_offset,
            ..Zip64Record::default()
        }
    }

    fn eocd(&self, saturated: bool) -> EndOfCentralDirectory {
        let entries = if saturated { u16::MAX } else { self.entries as u16 };
        EndOfCentralDirectory {
            entries_on_disk: entries,
            entries_total: entries,
            directory_size: if saturated { u32::MAX } else { self.directory_size as u32 },
            directory_offset: if saturated { u32::MAX } else { self.directory_offset as u32 },
            ..EndOfCentralDirectory::default()
        }
    }
}
