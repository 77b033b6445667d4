//! One entry, as its central directory header describes it.

use crate::error::{Record, Refusal, Rule, at};
use crate::locate::DirectoryExtent;
use crate::method::{CompressionMethod, GeneralPurposeFlags};
use crate::record::{CentralDirectoryHeader, ExtraFields, SENTINEL_32, Zip64Extra, Zip64Fields};

/// What the central directory says of one entry: small, plain, and untrusted.
///
/// Every number is the archive's own claim, resolved through the zip64 extra field (APPNOTE 4.5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Absolute offset of the local file header: the stated one plus the archive's base.
    pub local_header_offset: u64,
    /// Bytes of compressed data.
    pub declared_compressed_size: u64,
    /// Bytes of content.
    pub declared_uncompressed_size: u64,
    /// CRC-32 of the content.
    pub declared_crc32: u32,
    /// Offset of the central directory header within the directory; below 2^28.
    pub header_offset: u32,
    /// How the content is compressed.
    pub method: CompressionMethod,
    /// The general purpose bit flag.
    pub flags: GeneralPurposeFlags,
    /// Bytes of the raw name.
    pub name_len: u16,
    /// Bytes of the extra field in the directory; the local one may differ.
    pub extra_len: u16,
    /// Whether the raw name ends in `/`: a directory, whatever the attributes say.
    pub is_directory: bool,
}

const _: () = assert!(size_of::<Entry>() <= 48);

impl Entry {
    /// Reads the entry out of its header, with the zip64 rule it breaks, if any.
    ///
    /// `header_offset` is relative to the directory. Where a zip64 value is missing the entry keeps
    /// the saturated one, and the refusal says that it is not to be used.
    #[inline]
    pub(crate) fn from_header(
        header: &CentralDirectoryHeader<'_>,
        header_offset: u32,
        directory: &DirectoryExtent,
    ) -> (Self, Option<Refusal>) {
        let (zip64, broken) = zip64_of(header);
        let refusal = broken.map(|(rule, actual)| {
            let offset = directory.extent.start + u64::from(header_offset);
            at(Record::CentralDirectoryHeader, offset).breaks_by(rule, 0, actual)
        });
        let entry = Self {
            local_header_offset: absolute_offset(header, &zip64, directory),
            declared_compressed_size: zip64
                .compressed_size
                .unwrap_or(header.compressed_size.into()),
            declared_uncompressed_size: zip64
                .uncompressed_size
                .unwrap_or(header.uncompressed_size.into()),
            declared_crc32: header.crc32,
            header_offset,
            method: header.method,
            flags: header.flags,
            name_len: header.name.len() as u16,
            extra_len: header.extra.len() as u16,
            is_directory: header.name.last() == Some(&b'/'),
        };
        (entry, refusal)
    }
}

/// Where a header says that the local one stands: the same as the entry's, for who needs no more.
#[inline]
pub(crate) fn local_header_offset(
    header: &CentralDirectoryHeader<'_>,
    directory: &DirectoryExtent,
) -> u64 {
    if header.local_header_offset != SENTINEL_32 {
        return absolute_offset(header, &Zip64Extra::default(), directory);
    }
    absolute_offset(header, &zip64_of(header).0, directory)
}

#[inline]
fn absolute_offset(
    header: &CentralDirectoryHeader<'_>,
    zip64: &Zip64Extra,
    directory: &DirectoryExtent,
) -> u64 {
    let stated = zip64.local_header_offset.unwrap_or(header.local_header_offset.into());
    directory.base_offset.saturating_add(stated)
}

/// The zip64 values of a header, none where it breaks a rule: then with the rule and its `actual`.
#[inline]
fn zip64_of(header: &CentralDirectoryHeader<'_>) -> (Zip64Extra, Option<(Rule, u64)>) {
    // Hardly any header has one.
    if !header.saturated().any() {
        return (Zip64Extra::default(), None);
    }
    match resolve_zip64(header.extra, header.saturated()) {
        Ok(zip64) => (zip64, None),
        Err(broken) => (Zip64Extra::default(), Some(broken)),
    }
}

/// Bytes of content by a header alone; the saturated value where the zip64 one is missing.
pub(crate) fn declared_uncompressed_size(header: &CentralDirectoryHeader<'_>) -> u64 {
    let zip64 = resolve_zip64(header.extra, header.saturated()).unwrap_or_default();
    zip64.uncompressed_size.unwrap_or(header.uncompressed_size.into())
}

/// The values of the zip64 extra field that stand for the saturated ones.
///
/// Rule 2: without such a field a saturated value is the value itself. Two fields that differ are
/// refused, since readers take the first or the last. The error carries the rule and its `actual`.
pub(crate) fn resolve_zip64(
    extra: &[u8],
    saturated: Zip64Fields,
) -> Result<Zip64Extra, (Rule, u64)> {
    let mut fields = ExtraFields::new(extra).flatten().filter(|field| field.id == Zip64Extra::ID);
    let Some(first) = fields.next() else { return Ok(Zip64Extra::default()) };
    if fields.any(|other| other.data != first.data) {
        return Err((Rule::Zip64ExtraTwice, 0));
    }
    Zip64Extra::parse(first.data, saturated).ok_or((Rule::Zip64ExtraShort, first.data.len() as u64))
}

#[cfg(test)]
mod tests {
    use entryway_testkit::{extra, record};

    use super::*;

    #[test]
    fn a_zip64_field_that_breaks_a_rule_does_so_at_the_place_of_its_header() {
        let mut bytes = Vec::new();
        record::CentralDirectoryHeader {
            name: b"a".to_vec(),
            compressed_size: u32::MAX,
            extra: extra::zip64(&[]),
            ..Default::default()
        }
        .write(&mut bytes);
        let header = CentralDirectoryHeader::parse(&bytes).unwrap();
        let directory = DirectoryExtent {
            extent: 100..300,
            base_offset: 0,
            declared_entries: 2,
            end_record_offset: 300,
            archive_len: 322,
        };
        let (entry, refusal) = Entry::from_header(&header, 60, &directory);
        assert_eq!(entry.header_offset, 60);
        let place = at(Record::CentralDirectoryHeader, 160);
        assert_eq!(refusal, Some(place.breaks_by(Rule::Zip64ExtraShort, 0, 0)));
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn an_entry_is_48_bytes() {
        // Three numbers of 8 bytes, 17 bytes of smaller ones, and 7 that round them up to a number's
        // alignment. Listings and verifications hold entries by the hundred thousand, and hand them
        // on by value; a field that makes each longer is to be a decision.
        assert_eq!(size_of::<Entry>(), 48);
    }
}
