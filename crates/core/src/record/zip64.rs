//! The zip64 end of central directory record and its locator (APPNOTE 4.3.14, 4.3.15).

use super::cursor::Cursor;

/// The zip64 form of the end record (APPNOTE 4.3.14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // Fields as APPNOTE 4.3.14 names them.
pub(crate) struct Zip64EndOfCentralDirectoryRecord {
    /// Bytes of the record after this field; 44 without extensible data.
    pub(crate) record_size: u64,
    pub(crate) version_made_by: u16,
    pub(crate) version_needed: u16,
    pub(crate) disk_number: u32,
    pub(crate) directory_disk_number: u32,
    pub(crate) declared_entries_on_disk: u64,
    pub(crate) declared_entries: u64,
    pub(crate) directory_size: u64,
    pub(crate) directory_offset: u64,
}

impl Zip64EndOfCentralDirectoryRecord {
    /// `PK\6\6`.
    pub(crate) const SIGNATURE: [u8; 4] = *b"PK\x06\x06";
    /// Bytes of a record without extensible data.
    pub(crate) const LEN: usize = 56;
    /// What `record_size` says of such a record: all but the signature and the size itself.
    pub(crate) const RECORD_SIZE: u64 = Self::LEN as u64 - 12;

    /// Reads the record at the front of `bytes`.
    #[must_use]
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        c.signature(Self::SIGNATURE)?;
        Some(Self {
            record_size: c.u64()?,
            version_made_by: c.u16()?,
            version_needed: c.u16()?,
            disk_number: c.u32()?,
            directory_disk_number: c.u32()?,
            declared_entries_on_disk: c.u64()?,
            declared_entries: c.u64()?,
            directory_size: c.u64()?,
            directory_offset: c.u64()?,
        })
    }
}

/// The locator between the zip64 record and the end record (APPNOTE 4.3.15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // Fields as APPNOTE 4.3.15 names them.
pub(crate) struct Zip64EndOfCentralDirectoryLocator {
    pub(crate) record_disk_number: u32,
    pub(crate) record_offset: u64,
    pub(crate) total_disks: u32,
}

impl Zip64EndOfCentralDirectoryLocator {
    /// `PK\6\7`.
    pub(crate) const SIGNATURE: [u8; 4] = *b"PK\x06\x07";
    /// Bytes of the locator.
    pub(crate) const LEN: usize = 20;

    /// Reads the locator at the front of `bytes`.
    #[must_use]
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        c.signature(Self::SIGNATURE)?;
        Some(Self { record_disk_number: c.u32()?, record_offset: c.u64()?, total_disks: c.u32()? })
    }
}
