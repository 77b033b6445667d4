//! Where the data of an entry lies that nobody has verified.

use crate::error::{Error, Record, Rule, at};
use crate::plan::Found;
use crate::record::DataDescriptor;
use crate::source::{ReadAt, fetch};
use crate::verdict;

/// How much longer than the directory's the local extra field is expected to be, in bytes:
/// Info-ZIP's fields, and padding that aligns data. A longer one is a second read.
const HEADER_SLACK: u64 = 64;

/// The absolute offset of an entry's data, by its local header; its data descriptor, where it has
/// one, agrees with the directory. One read for the header, and one for the descriptor.
///
/// # Errors
/// [`Error::Entry`] with the rule that the entry breaks, else what reading came to.
pub(super) fn locate_data<A: ReadAt>(source: &A, found: &Found) -> Result<u64, Error> {
    let (entry, boundary) = (&found.entry, found.boundary);
    let start = entry.local_header_offset;
    let least = verdict::least_header_len(entry);
    if start.saturating_add(least) > boundary {
        let place = at(Record::LocalFileHeader, start);
        return Err(place.breaks_by(Rule::Overlap, start.saturating_add(least), boundary).into());
    }
    let wanted = least + u64::from(entry.extra_len) + HEADER_SLACK;
    let mut bytes = fetch(source, start..boundary.min(start + wanted))?;
    if let Some(header_len) = verdict::local_header_len(&bytes)
        && header_len > bytes.len() as u64
        && start + header_len <= boundary
    {
        bytes = fetch(source, start..start + header_len)?;
    }
    let data_offset = verdict::of_local_header(entry, &found.raw_name, boundary, &bytes)?;
    if entry.flags.has_data_descriptor() {
        let offset = data_offset + entry.declared_compressed_size;
        let end = boundary.min(offset.saturating_add(DataDescriptor::MAX_LEN as u64));
        verdict::of_descriptor(entry, offset, &fetch(source, offset..end)?)?;
    }
    Ok(data_offset)
}
