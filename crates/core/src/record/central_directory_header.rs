//! The central directory header (APPNOTE 4.3.12).

use super::cursor::Cursor;
use super::{SENTINEL_16, SENTINEL_32, Zip64Fields};
use crate::method::{CompressionMethod, GeneralPurposeFlags};

const FIXED_LEN: usize = 46;

/// One record of the central directory, with its variable fields borrowed from the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    pub const SIGNATURE: [u8; 4] = *b"PK\x01\x02";
    /// Bytes before the name.
    pub const FIXED_LEN: usize = FIXED_LEN;

    /// Reads the record at the front of `bytes`.
    #[must_use]
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        // One bounds check for the fixed part: this is the loop that opening an archive is made of.
        let (fixed, variable) = bytes.split_first_chunk::<FIXED_LEN>()?;
        let mut c = Cursor::new(fixed);
        c.signature(Self::SIGNATURE)?;
        let version_made_by = c.u16()?;
        let version_needed = c.u16()?;
        let flags = GeneralPurposeFlags(c.u16()?);
        let method = CompressionMethod(c.u16()?);
        let modified_time = c.u16()?;
        let modified_date = c.u16()?;
        let crc32 = c.u32()?;
        let compressed_size = c.u32()?;
        let uncompressed_size = c.u32()?;
        let name_size = usize::from(c.u16()?);
        let extra_size = usize::from(c.u16()?);
        let comment_size = usize::from(c.u16()?);
        let disk_start = c.u16()?;
        let internal_attributes = c.u16()?;
        let external_attributes = c.u32()?;
        let local_header_offset = c.u32()?;
        let mut v = Cursor::new(variable);
        Some(Self {
            version_made_by,
            version_needed,
            flags,
            method,
            modified_time,
            modified_date,
            crc32,
            compressed_size,
            uncompressed_size,
            disk_start,
            internal_attributes,
            external_attributes,
            local_header_offset,
            name: v.take(name_size)?,
            extra: v.take(extra_size)?,
            comment: v.take(comment_size)?,
        })
    }

    /// Bytes of the whole record, its name, extra field and comment included.
    #[must_use]
    #[inline]
    pub fn record_len(&self) -> usize {
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
