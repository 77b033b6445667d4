//! The local file header (APPNOTE 4.3.7).

use super::cursor::Cursor;
use super::{SENTINEL_32, Zip64Fields};
use crate::method::{CompressionMethod, GeneralPurposeFlags};

/// The header in front of an entry's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // Fields as APPNOTE 4.3.7 names them.
pub(crate) struct LocalFileHeader {
    pub(crate) version_needed: u16,
    pub(crate) flags: GeneralPurposeFlags,
    pub(crate) method: CompressionMethod,
    pub(crate) crc32: u32,
    pub(crate) compressed_size: u32,
    pub(crate) uncompressed_size: u32,
    pub(crate) name_size: u16,
    pub(crate) extra_size: u16,
}

impl LocalFileHeader {
    /// `PK\3\4`.
    pub(crate) const SIGNATURE: [u8; 4] = *b"PK\x03\x04";
    /// Bytes before the name.
    pub(crate) const FIXED_LEN: usize = 30;

    /// Reads the fixed part of the header at the front of `bytes`.
    #[must_use]
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        c.signature(Self::SIGNATURE)?;
        let version_needed = c.u16()?;
        let flags = GeneralPurposeFlags(c.u16()?);
        let method = CompressionMethod(c.u16()?);
        c.take(4)?; // modification time and date
        Some(Self {
            version_needed,
            flags,
            method,
            crc32: c.u32()?,
            compressed_size: c.u32()?,
            uncompressed_size: c.u32()?,
            name_size: c.u16()?,
            extra_size: c.u16()?,
        })
    }

    /// Bytes of the whole header, name and extra field included; at most 131,100.
    #[must_use]
    pub(crate) fn header_len(&self) -> u64 {
        Self::FIXED_LEN as u64 + u64::from(self.name_size) + u64::from(self.extra_size)
    }

    /// Which sizes say "see the zip64 extra field".
    #[must_use]
    pub(crate) fn saturated(&self) -> Zip64Fields {
        Zip64Fields {
            uncompressed_size: self.uncompressed_size == SENTINEL_32,
            compressed_size: self.compressed_size == SENTINEL_32,
            ..Zip64Fields::default()
        }
    }
}
