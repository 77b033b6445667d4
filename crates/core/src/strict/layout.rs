//! Which bytes of a file belong to which record.

use crate::entry::Entry;
use crate::error::{Record, Refusal, Rule, at};
use crate::record::{EndOfCentralDirectory, LocalFileHeader};
use crate::verdict;
use crate::window::Extent;

/// Bytes of the data descriptor at the front of `bytes`; `None` where no form of it agrees with the
/// directory.
///
/// Where several do, the one that ends where the next record begins counts, which is `room_len`
/// bytes on; else the usual one.
pub(super) fn descriptor_len(entry: &Entry, bytes: &[u8], room_len: u64) -> Option<u64> {
    let lens = || verdict::agreeing_descriptors(entry, bytes).map(|form| form.encoded_len() as u64);
    lens().find(|&len| len == room_len).or_else(|| lens().next())
}

/// The rule that bytes break which belong to no record: what they are by how they begin, and by
/// what stands before them and behind them.
pub(super) fn of_gap(gap: &Extent, opening: &[u8], next: Record) -> Refusal {
    let len = gap.end - gap.start;
    let signature = opening.first_chunk().map_or(0, |&first| u32::from_le_bytes(first).into());
    if gap.start == 0 {
        return at(next, gap.end).breaks_by(Rule::BytesBefore, signature, len);
    }
    if opening.starts_with(&LocalFileHeader::SIGNATURE) {
        return at(Record::LocalFileHeader, gap.start).breaks_by(Rule::UnlistedEntry, 0, len);
    }
    at(next, gap.start).breaks_by(Rule::BytesBetween, signature, len)
}

/// The rule that a file breaks which goes on behind the end record and its comment.
pub(super) fn of_end(
    end_record_offset: u64,
    eocd: &EndOfCentralDirectory,
    archive_len: u64,
) -> Option<Refusal> {
    let end = end_record_offset + EndOfCentralDirectory::LEN as u64 + u64::from(eocd.comment_size);
    let trailing_len = archive_len.saturating_sub(end);
    let place = at(Record::EndOfCentralDirectory, end_record_offset);
    (trailing_len > 0).then(|| place.breaks_by(Rule::TrailingBytes, 0, trailing_len))
}
