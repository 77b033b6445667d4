//! What is known about one entry, or one archive, before a byte of it is read: lengths, validators
//! and the codings in which it can be sent.

use std::time::SystemTime;

use crate::coding::ContentCoding;
use crate::validator::EntityTag;

/// Which byte ranges of the identity representation can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RangeSupport {
    /// None: the Range field is as if it were not there, so the answer is 200 with the whole, and
    /// never 416. For entries whose bytes were not verified yet.
    Whole,
    /// One range; several only where each begins after the one before it, since the decoder does
    /// not go back. Others are answered 200 with the whole.
    Forward,
    /// Any ranges in any order.
    Any,
}

/// The selected representation's metadata (RFC 9110 8) for every coding of one entry.
///
/// A content coding makes a representation of its own: its own length, strong entity tag and
/// ranges over its own bytes. `entity_tag` and `complete_len` here are those of identity; the
/// methods give each coding's.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use entryway_http::{ContentCoding, EntityTag, RangeSupport, RepresentationMetadata};
///
/// let metadata = RepresentationMetadata {
///     complete_len: 1_000,
///     entity_tag: EntityTag::of_entry(&[0xab; 32], b"docs/index.html"),
///     last_modified: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
///     gzip_len: Some(318),
///     zstd_len: None,
///     ranges: RangeSupport::Any,
/// };
/// assert_eq!(metadata.length(ContentCoding::Gzip), Some(318));
/// assert_eq!(metadata.length(ContentCoding::Zstd), None);
/// let tag = metadata.entity_tag(ContentCoding::Gzip).to_header_value();
/// assert!(tag.to_str().unwrap().ends_with("-gzip\""));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepresentationMetadata {
    /// Length of the identity representation in bytes; at most 2^63 - 1, as any file's.
    pub complete_len: u64,
    /// Entity tag of the identity representation. Its opaque text must not itself end in `-gzip`
    /// or `-zstd`; the constructors' hex never does.
    pub entity_tag: EntityTag,
    /// When the archive was stored. Counts in whole seconds, parts of one are dropped; not in the
    /// future, which the caller sees to (RFC 9110 8.8.2.1).
    pub last_modified: SystemTime,
    /// Length of the gzip representation in bytes; `None` unless it may be served: an entry that
    /// is not verified, not deflated, or has no compressed bytes has none.
    pub gzip_len: Option<u64>,
    /// Length of the zstd representation in bytes; `None` unless it may be served: an entry that is
    /// not verified, not of zstd, has no compressed bytes, or asks for windows of more than 8 MiB
    /// (RFC 9659) has none.
    pub zstd_len: Option<u64>,
    /// Which ranges of the identity representation can be sent. A coded representation's are
    /// always `Any`, because its bytes lie in the archive as they are, except that `Whole` stands
    /// for every coding.
    pub ranges: RangeSupport,
}

impl RepresentationMetadata {
    /// Length in bytes of the representation in `coding`; `None` when there is none.
    pub fn length(&self, coding: ContentCoding) -> Option<u64> {
        match coding {
            ContentCoding::Identity => Some(self.complete_len),
            ContentCoding::Gzip => self.gzip_len,
            ContentCoding::Zstd => self.zstd_len,
        }
    }

    /// Whether the entry can be sent in `coding`. Identity always can.
    pub fn has(&self, coding: ContentCoding) -> bool {
        self.length(coding).is_some()
    }

    /// The entity tag of the representation in `coding`: identity's, with `-gzip` or `-zstd`
    /// appended inside the quotes.
    pub fn entity_tag(&self, coding: ContentCoding) -> EntityTag {
        self.entity_tag.for_coding(coding)
    }

    /// Which ranges of the representation in `coding` can be sent.
    pub fn range_support(&self, coding: ContentCoding) -> RangeSupport {
        match (self.ranges, coding) {
            (RangeSupport::Whole, _) => RangeSupport::Whole,
            (ranges, ContentCoding::Identity) => ranges,
            (_, ContentCoding::Gzip | ContentCoding::Zstd) => RangeSupport::Any,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coded_representation_takes_any_range_unless_the_entry_takes_none() {
        use ContentCoding::{Gzip, Identity, Zstd};
        use RangeSupport::{Any, Forward, Whole};
        let rows = [
            ("unverified identity", Whole, Identity, Whole),
            ("unverified gzip", Whole, Gzip, Whole),
            ("unverified zstd", Whole, Zstd, Whole),
            ("forward identity", Forward, Identity, Forward),
            ("forward gzip", Forward, Gzip, Any),
            ("forward zstd", Forward, Zstd, Any),
            ("any identity", Any, Identity, Any),
            ("any gzip", Any, Gzip, Any),
            ("any zstd", Any, Zstd, Any),
        ];
        for (name, ranges, coding, expected) in rows {
            let metadata = RepresentationMetadata {
                complete_len: 10,
                entity_tag: EntityTag::of_archive(&[0; 32]),
                last_modified: SystemTime::UNIX_EPOCH,
                gzip_len: Some(20),
                zstd_len: Some(15),
                ranges,
            };
            assert_eq!(metadata.range_support(coding), expected, "{name}");
        }
    }
}
