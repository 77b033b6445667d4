//! One entry of an archive to be, and the headers that tell the truth about it.

use super::Edit;
use crate::record::{
    CentralDirectoryHeader, DATA_DESCRIPTOR, DataDescriptor, FLAG_DATA_DESCRIPTOR, FLAG_UTF8,
    LocalFileHeader,
};
use crate::{extra, fixtures};

/// Unix modes for [`Entry::mode`]: the high half of the external attributes (APPNOTE 4.4.15).
pub mod mode {
    /// A regular file, rw-r--r--.
    pub const REGULAR: u32 = 0o100_644;
    /// A directory, rwxr-xr-x.
    pub const DIRECTORY: u32 = 0o040_755;
    /// A symbolic link; the data is its target.
    pub const SYMLINK: u32 = 0o120_777;
    /// A named pipe.
    pub const FIFO: u32 = 0o010_644;
    /// A character device.
    pub const CHARACTER_DEVICE: u32 = 0o020_644;
    /// A block device.
    pub const BLOCK_DEVICE: u32 = 0o060_644;
    /// A socket.
    pub const SOCKET: u32 = 0o140_755;
}

/// The form of a data descriptor: APPNOTE 4.3.9 allows all four, and all four are met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DescriptorForm {
    /// Whether it begins with its optional signature.
    pub signature: bool,
    /// Whether its sizes take eight bytes each.
    pub wide: bool,
}

impl DescriptorForm {
    /// Signature and 32-bit sizes, 16 bytes.
    pub const SIGNED_32: Self = Self { signature: true, wide: false };
    /// Signature and 64-bit sizes, 24 bytes.
    pub const SIGNED_64: Self = Self { signature: true, wide: true };
    /// No signature, 32-bit sizes, 12 bytes.
    pub const BARE_32: Self = Self { signature: false, wide: false };
    /// No signature, 64-bit sizes, 20 bytes.
    pub const BARE_64: Self = Self { signature: false, wide: true };
    /// Every form there is.
    pub const ALL: [Self; 4] = [Self::SIGNED_32, Self::SIGNED_64, Self::BARE_32, Self::BARE_64];
}

/// Which fields of a header hold the sentinel and stand in a 0x0001 extra field instead.
///
/// The extra field is written with these values alone, in the standard's order (APPNOTE 4.5.3).
/// For one that is longer, shorter or doubled, leave this empty, set the sentinels by an edit and
/// append [`extra::zip64`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the standard's own")]
pub struct Saturated {
    pub uncompressed_size: bool,
    pub compressed_size: bool,
    /// Central directory header only.
    pub local_header_offset: bool,
    /// Central directory header only.
    pub disk_start: bool,
}

impl Saturated {
    /// No field: no extra field either.
    pub const NONE: Self = Self {
        uncompressed_size: false,
        compressed_size: false,
        local_header_offset: false,
        disk_start: false,
    };
    /// Both sizes, as a local header must have them.
    pub const SIZES: Self = Self { uncompressed_size: true, compressed_size: true, ..Self::NONE };
    /// The offset alone: an extra field of 8 bytes.
    pub const OFFSET: Self = Self { local_header_offset: true, ..Self::NONE };
    /// Every field that can be.
    pub const ALL: Self = Self { local_header_offset: true, disk_start: true, ..Self::SIZES };
}

/// Where an entry's local header stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// In file order, its own.
    #[default]
    Own,
    /// Nowhere of its own: the central directory header points at that of the entry with this
    /// index.
    SharedWith(usize),
    /// Nowhere of its own: the central directory header declares this offset, whatever is there.
    At(u32),
}

/// One entry: what it truly holds, how its headers say so, and what a test changes in them.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name, in both headers.
    pub name: Vec<u8>,
    /// The compression method (APPNOTE 4.4.5).
    pub method: u16,
    /// General purpose flags; bit 3 is added where there is a descriptor.
    pub flags: u16,
    /// The entry's bytes as they stand in the file, compressed by `method`.
    pub data: Vec<u8>,
    /// CRC-32 of the content.
    pub crc32: u32,
    /// The content's length in bytes.
    pub uncompressed_len: u64,
    /// DOS date and time of both headers.
    pub modified: (u16, u16),
    /// The Unix mode; `None` is an entry made on MS-DOS.
    pub mode: Option<u32>,
    /// The entry comment, in the central directory header.
    pub comment: Vec<u8>,
    /// The data descriptor, if the entry has one; its local header then has zero CRC-32 and sizes.
    pub descriptor: Option<DescriptorForm>,
    /// Which fields of the local header are sentinels.
    pub local_zip64: Saturated,
    /// Which fields of the central directory header are sentinels.
    pub central_zip64: Saturated,
    /// Further extra fields of the local header, after 0x0001.
    pub local_extra: Vec<u8>,
    /// Further extra fields of the central directory header, after 0x0001.
    pub central_extra: Vec<u8>,
    /// Bytes before the local header.
    pub gap_before: Vec<u8>,
    /// Where the local header stands.
    pub place: Place,
    /// Changes to the local header.
    pub local_edit: Edit<LocalFileHeader>,
    /// Changes to the central directory header.
    pub central_edit: Edit<CentralDirectoryHeader>,
    /// Changes to the data descriptor.
    pub descriptor_edit: Edit<DataDescriptor>,
}

impl Entry {
    /// An entry whose data is given as it shall stand in the file.
    pub fn raw(
        name: impl AsRef<[u8]>,
        method: u16,
        data: impl Into<Vec<u8>>,
        crc32: u32,
        uncompressed_len: u64,
    ) -> Self {
        let name = name.as_ref().to_vec();
        let utf8 = !name.is_ascii() && std::str::from_utf8(&name).is_ok();
        Self {
            name,
            method,
            flags: if utf8 { FLAG_UTF8 } else { 0 },
            data: data.into(),
            crc32,
            uncompressed_len,
            // Noon, 1 January 2024.
            modified: ((44 << 9) | (1 << 5) | 1, 12 << 11),
            mode: Some(mode::REGULAR),
            comment: Vec::new(),
            descriptor: None,
            local_zip64: Saturated::NONE,
            central_zip64: Saturated::NONE,
            local_extra: Vec::new(),
            central_extra: Vec::new(),
            gap_before: Vec::new(),
            place: Place::Own,
            local_edit: Edit::default(),
            central_edit: Edit::default(),
            descriptor_edit: Edit::default(),
        }
    }

    /// A stored file (method 0). A name that is UTF-8 and not ASCII sets bit 11.
    pub fn stored(name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref();
        Self::raw(name, 0, content, fixtures::crc32(content), content.len() as u64)
    }

    /// A deflated file (method 8) at level 6.
    pub fn deflated(name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        Self::deflated_at(6, name, content)
    }

    /// A deflated file (method 8) at `level` 0 to 9.
    pub fn deflated_at(level: u32, name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref();
        let data = fixtures::deflate(level, content);
        Self::raw(name, 8, data, fixtures::crc32(content), content.len() as u64)
    }

    /// A directory; `name` should end in a slash.
    pub fn directory(name: impl AsRef<[u8]>) -> Self {
        Self::stored(name, "").mode(mode::DIRECTORY)
    }

    /// A symbolic link to `target`, stored.
    pub fn symlink(name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        Self::stored(name, target).mode(mode::SYMLINK)
    }

    /// Adds general purpose flags.
    #[must_use]
    pub fn flags(mut self, flags: u16) -> Self {
        self.flags |= flags;
        self
    }

    /// Sets the Unix mode.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Lets CRC-32 and sizes follow the data.
    #[must_use]
    pub fn descriptor(mut self, form: DescriptorForm) -> Self {
        self.descriptor = Some(form);
        self
    }

    /// Writes these fields of the local and of the central directory header as zip64.
    #[must_use]
    pub fn zip64(mut self, local: Saturated, central: Saturated) -> Self {
        self.local_zip64 = local;
        self.central_zip64 = central;
        self
    }

    /// Appends extra fields to both headers.
    #[must_use]
    pub fn extra(mut self, fields: impl AsRef<[u8]>) -> Self {
        self.local_extra.extend_from_slice(fields.as_ref());
        self.central_extra.extend_from_slice(fields.as_ref());
        self
    }

    /// Appends an Info-ZIP Unicode path field with a valid CRC-32 to both headers.
    #[must_use]
    pub fn unicode_path(self, utf8: &str) -> Self {
        let field = extra::unicode_path(&self.name, utf8);
        self.extra(field)
    }

    /// Puts `bytes` before the local header.
    #[must_use]
    pub fn gap_before(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.gap_before = bytes.as_ref().to_vec();
        self
    }

    /// Says where the local header stands.
    #[must_use]
    pub fn place(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// Changes the local header alone.
    #[must_use]
    pub fn edit_local(
        mut self,
        change: impl Fn(&mut LocalFileHeader) + Send + Sync + 'static,
    ) -> Self {
        self.local_edit.push(change);
        self
    }

    /// Changes the central directory header alone.
    #[must_use]
    pub fn edit_central(
        mut self,
        change: impl Fn(&mut CentralDirectoryHeader) + Send + Sync + 'static,
    ) -> Self {
        self.central_edit.push(change);
        self
    }

    /// Changes the data descriptor alone.
    #[must_use]
    pub fn edit_descriptor(
        mut self,
        change: impl Fn(&mut DataDescriptor) + Send + Sync + 'static,
    ) -> Self {
        self.descriptor_edit.push(change);
        self
    }

    /// The local file header, edits made.
    pub(super) fn local_header(&self) -> LocalFileHeader {
        let streamed = self.descriptor.is_some();
        let [crc32, compressed, uncompressed] = if streamed {
            [0; 3]
        } else {
            [u64::from(self.crc32), self.data.len() as u64, self.uncompressed_len]
        };
        let mut zip64 = Vec::new();
        let header = LocalFileHeader {
            version_needed: self.version_needed(self.local_zip64),
            flags: self.written_flags(),
            method: self.method,
            time: self.modified.1,
            date: self.modified.0,
            crc32: crc32 as u32,
            uncompressed_size: field32(
                self.local_zip64.uncompressed_size,
                uncompressed,
                &mut zip64,
            ),
            compressed_size: field32(self.local_zip64.compressed_size, compressed, &mut zip64),
            name: self.name.clone(),
            extra: zip64_and(&zip64, None, &self.local_extra),
            ..LocalFileHeader::default()
        };
        self.local_edit.applied(header)
    }

    /// The data descriptor, edits made, where there is one.
    pub(super) fn data_descriptor(&self) -> Option<DataDescriptor> {
        let form = self.descriptor?;
        Some(self.descriptor_edit.applied(DataDescriptor {
            signature: form.signature.then_some(DATA_DESCRIPTOR),
            crc32: self.crc32,
            compressed_size: self.data.len() as u64,
            uncompressed_size: self.uncompressed_len,
            wide: form.wide,
        }))
    }

    /// The central directory header for a local header at `offset`, edits made.
    pub(super) fn central_header(&self, offset: u64) -> CentralDirectoryHeader {
        let saturated = self.central_zip64;
        let mut zip64 = Vec::new();
        let uncompressed_size =
            field32(saturated.uncompressed_size, self.uncompressed_len, &mut zip64);
        let compressed_size =
            field32(saturated.compressed_size, self.data.len() as u64, &mut zip64);
        let local_header_offset = field32(saturated.local_header_offset, offset, &mut zip64);
        let disk_start = saturated.disk_start.then_some(0);
        let version_needed = self.version_needed(saturated);
        let directory_bit = if self.name.ends_with(b"/") { 0x10 } else { 0 };
        let header = CentralDirectoryHeader {
            version_made_by: version_needed | if self.mode.is_some() { 3 << 8 } else { 0 },
            version_needed,
            flags: self.written_flags(),
            method: self.method,
            time: self.modified.1,
            date: self.modified.0,
            crc32: self.crc32,
            compressed_size,
            uncompressed_size,
            name: self.name.clone(),
            extra: zip64_and(&zip64, disk_start, &self.central_extra),
            comment: self.comment.clone(),
            disk_start: if saturated.disk_start { u16::MAX } else { 0 },
            external_attributes: (self.mode.unwrap_or(0) << 16) | directory_bit,
            local_header_offset,
            ..CentralDirectoryHeader::default()
        };
        self.central_edit.applied(header)
    }

    fn written_flags(&self) -> u16 {
        self.flags | if self.descriptor.is_some() { FLAG_DATA_DESCRIPTOR } else { 0 }
    }

    /// APPNOTE 4.4.3.2: 4.5 for zip64, 2.0 for DEFLATE and directories, else 1.0.
    fn version_needed(&self, saturated: Saturated) -> u16 {
        if saturated != Saturated::NONE {
            45
        } else if self.method == 8 || self.name.ends_with(b"/") {
            20
        } else {
            10
        }
    }
}

/// The 32-bit field for `value`: itself, or the sentinel with the value in `zip64`.
fn field32(saturated: bool, value: u64, zip64: &mut Vec<u64>) -> u32 {
    if saturated {
        zip64.push(value);
        return u32::MAX;
    }
    value as u32
}

/// The 0x0001 field, where it has anything to say, and the fields after it.
fn zip64_and(values: &[u64], disk_start: Option<u32>, rest: &[u8]) -> Vec<u8> {
    let mut data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    data.extend(disk_start.into_iter().flat_map(u32::to_le_bytes));
    let mut out = if data.is_empty() { Vec::new() } else { extra::field(0x0001, &data) };
    out.extend_from_slice(rest);
    out
}
