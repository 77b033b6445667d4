//! The end of central directory record (APPNOTE 4.3.16).

use super::cursor::Cursor;

/// The record at the end of every archive that says where the central directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // Fields as APPNOTE 4.3.16 names them.
pub(crate) struct EndOfCentralDirectory {
    pub(crate) disk_number: u16,
    pub(crate) directory_disk_number: u16,
    pub(crate) declared_entries_on_disk: u16,
    pub(crate) declared_entries: u16,
    pub(crate) directory_size: u32,
    pub(crate) directory_offset: u32,
    pub(crate) comment_size: u16,
}

impl EndOfCentralDirectory {
    /// `PK\5\6`.
    pub(crate) const SIGNATURE: [u8; 4] = *b"PK\x05\x06";
    /// Bytes before the comment.
    pub(crate) const LEN: usize = 22;

    /// Reads the record at the front of `bytes`; the comment is not looked at.
    #[must_use]
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        c.signature(Self::SIGNATURE)?;
        Some(Self {
            disk_number: c.u16()?,
            directory_disk_number: c.u16()?,
            declared_entries_on_disk: c.u16()?,
            declared_entries: c.u16()?,
            directory_size: c.u32()?,
            directory_offset: c.u32()?,
            comment_size: c.u16()?,
        })
    }
}
