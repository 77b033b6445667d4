//! The central directory header (APPNOTE 4.3.12).

use super::{SENTINEL_16, SENTINEL_32, Zip64Fields};
use crate::method::{CompressionMethod, GeneralPurposeFlags};

const FIXED_LEN: usize = 46;

/// One record of the central directory, with its variable fields borrowed from the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields as APPNOTE 4.3.12 names them.
pub struct CentralDirectoryHeader<'a> {
    pub version_made_by: u16,
    pub version_needed: u16,
    pub flags: GeneralPurposeFlags,
    pub method: CompressionMethod,
    pub modified_time: u16,
    pub modified_date: u16,
    pub crc32: u32,
    pub compressed_size: u32,
    pub uncompressed_size: u32,
    pub disk_start: u16,
    pub internal_attributes: u16,
    pub external_attributes: u32,
    pub local_header_offset: u32,
    pub name: &'a [u8],
    pub extra: &'a [u8],
    pub comment: &'a [u8],
}

impl<'a> CentralDirectoryHeader<'a> {
    /// `PK\1\2`.
    pub(crate) const SIGNATURE: [u8; 4] = *b"PK\x01\x02";
    /// Bytes before the name.
    pub(crate) const FIXED_LEN: usize = FIXED_LEN;

    /// Reads the record at the front of `bytes`.
    #[must_use]
    #[inline]
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        // One bounds check for the fixed part, and numbers at constant places in it: whoever uses
        // few of the fields pays for these alone. A cursor, which checks as it goes on, made this
        // loop, which opening an archive and listing it are made of, four times as long.
        let (fixed, variable) = bytes.split_first_chunk::<FIXED_LEN>()?;
        let u16_at = |at: usize| u16::from_le_bytes([fixed[at], fixed[at + 1]]);
        let u32_at = |at: usize| u32::from(u16_at(at)) | u32::from(u16_at(at + 2)) << 16;
        if fixed[..4] != Self::SIGNATURE {
            return None;
        }
        let (name, variable) = variable.split_at_checked(u16_at(28).into())?;
        let (extra, variable) = variable.split_at_checked(u16_at(30).into())?;
        Some(Self {
            version_made_by: u16_at(4),
            version_needed: u16_at(6),
            flags: GeneralPurposeFlags(u16_at(8)),
            method: CompressionMethod(u16_at(10)),
            modified_time: u16_at(12),
            modified_date: u16_at(14),
            crc32: u32_at(16),
            compressed_size: u32_at(20),
            uncompressed_size: u32_at(24),
            disk_start: u16_at(34),
            internal_attributes: u16_at(36),
            external_attributes: u32_at(38),
            local_header_offset: u32_at(42),
            name,
            extra,
            comment: variable.get(..u16_at(32).into())?,
        })
    }

    /// Bytes of the whole record, its name, extra field and comment included.
    #[must_use]
    #[inline]
    pub(crate) fn record_len(&self) -> usize {
        Self::FIXED_LEN + self.name.len() + self.extra.len() + self.comment.len()
    }

    /// Which fields say "see the zip64 extra field".
    #[must_use]
    #[inline]
    pub fn saturated(&self) -> Zip64Fields {
        Zip64Fields {
            uncompressed_size: self.uncompressed_size == SENTINEL_32,
            compressed_size: self.compressed_size == SENTINEL_32,
            local_header_offset: self.local_header_offset == SENTINEL_32,
            disk_start: self.disk_start == SENTINEL_16,
        }
    }

    /// The Unix mode, where the record was made on Unix or macOS (APPNOTE 4.4.2.2: hosts 3 and 19).
    #[must_use]
    pub fn unix_mode(&self) -> Option<u16> {
        let host = self.version_made_by >> 8;
        // The mode stands in the upper half (Info-ZIP's convention).
        matches!(host, 3 | 19).then_some((self.external_attributes >> 16) as u16)
    }
}
