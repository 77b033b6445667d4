//! The bytes of a range of a subset, piece by piece.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::plan::Subset;
use super::write;
use crate::window::Extent;

/// The most bytes of headers in one segment.
const LITERAL_LEN: u64 = 64 * 1024;

/// A piece of a subset; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubsetSegment {
    /// These very bytes: headers, at most 64 KiB.
    Literal(Bytes),
    /// These bytes of the archive: compressed data of one entry.
    Source(Extent),
}

/// The segments of a range of a subset, in order: together exactly its bytes.
///
/// Made as they are asked for, whatever precedes the range.
#[derive(Clone, Debug)]
pub struct SubsetSegments {
    subset: Arc<Subset>,
    /// What is still to come; within the subset.
    range: Range<u64>,
}

impl Subset {
    /// The segments of a range of the subset's bytes.
    ///
    /// # Panics
    /// Where the range does not lie within the subset: whoever made it from a request has resolved
    /// it.
    #[must_use]
    pub fn segments(self: &Arc<Self>, range: Range<u64>) -> SubsetSegments {
        assert!(range.start <= range.end && range.end <= self.len(), "a range of the subset");
        SubsetSegments { subset: Arc::clone(self), range }
    }
}

impl SubsetSegments {
    /// Bytes that are still to come.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// The segment at the front of the range, as long as it can be.
    fn front(&self) -> Option<SubsetSegment> {
        let Range { start, end } = self.range;
        let subset = &*self.subset;
        // What of a literal at this offset of the subset lies in the range.
        let literal = |offset: u64, bytes: Bytes| {
            let from = start - offset;
            let to = (end - offset).min(bytes.len() as u64).min(from + LITERAL_LEN);
            SubsetSegment::Literal(bytes.slice(from as usize..to as usize))
        };
        let directory_end = subset.directory_offset + subset.directory.len() as u64;
        if start >= directory_end {
            return Some(literal(directory_end, subset.end_records.clone()));
        }
        if start >= subset.directory_offset {
            return Some(literal(subset.directory_offset, subset.directory.clone()));
        }
        // The first entry starts at 0, so that there is one before.
        let next = subset.entries.partition_point(|place| place.local_header_offset <= start);
        let place = subset.entries.get(next.checked_sub(1)?)?;
        let header = write::local_header(&subset.record(place)?);
        let data_start = place.local_header_offset + header.len() as u64;
        if start < data_start {
            return Some(literal(place.local_header_offset, header.into()));
        }
        let data_end = subset
            .entries
            .get(next)
            .map_or(subset.directory_offset, |next| next.local_header_offset);
        let (from, to) = (start - data_start, data_end.min(end) - data_start);
        Some(SubsetSegment::Source(place.data_offset + from..place.data_offset + to))
    }
}

impl Iterator for SubsetSegments {
    type Item = SubsetSegment;

    fn next(&mut self) -> Option<SubsetSegment> {
        if self.range.is_empty() {
            return None;
        }
        let segment = self.front()?;
        self.range.start += match &segment {
            SubsetSegment::Literal(bytes) => bytes.len() as u64,
            SubsetSegment::Source(extent) => extent.end - extent.start,
        };
        Some(segment)
    }
}
