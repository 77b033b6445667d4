//! The records of a zip archive (APPNOTE 4.3) as values that write themselves.
//!
//! Every field is public and is written as it stands, true or not. Lengths of names, extra fields
//! and comments follow from the bytes, unless a `declared_*_len` says otherwise.

/// "PK\x03\x04", APPNOTE 4.3.7.
pub const LOCAL_FILE_HEADER: u32 = 0x0403_4b50;
/// "PK\x07\x08", APPNOTE 4.3.9.3.
pub const DATA_DESCRIPTOR: u32 = 0x0807_4b50;
/// "PK\x06\x08", APPNOTE 4.3.11.
pub const ARCHIVE_EXTRA_DATA: u32 = 0x0806_4b50;
/// "PK\x01\x02", APPNOTE 4.3.12.
pub const CENTRAL_DIRECTORY_HEADER: u32 = 0x0201_4b50;
/// "PK\x05\x05", APPNOTE 4.3.13.
pub const DIGITAL_SIGNATURE: u32 = 0x0505_4b50;
/// "PK\x06\x06", APPNOTE 4.3.14.
pub const ZIP64_RECORD: u32 = 0x0606_4b50;
/// "PK\x06\x07", APPNOTE 4.3.15.
pub const ZIP64_LOCATOR: u32 = 0x0706_4b50;
/// "PK\x05\x06", APPNOTE 4.3.16.
pub const END_OF_CENTRAL_DIRECTORY: u32 = 0x0605_4b50;

/// General purpose bit 0: the data is encrypted.
pub const FLAG_ENCRYPTED: u16 = 1;
/// General purpose bit 3: CRC-32 and sizes follow the data.
pub const FLAG_DATA_DESCRIPTOR: u16 = 1 << 3;
/// General purpose bit 5: the data is a patch.
pub const FLAG_PATCHED: u16 = 1 << 5;
/// General purpose bit 6: strong encryption.
pub const FLAG_STRONG_ENCRYPTION: u16 = 1 << 6;
/// General purpose bit 11: name and comment are UTF-8.
pub const FLAG_UTF8: u16 = 1 << 11;
/// General purpose bit 13: local header values are masked.
pub const FLAG_MASKED: u16 = 1 << 13;

/// A local file header (APPNOTE 4.3.7).
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the standard's own")]
pub struct LocalFileHeader {
    pub signature: u32,
    pub version_needed: u16,
    pub flags: u16,
    pub method: u16,
    pub time: u16,
    pub date: u16,
    pub crc32: u32,
    pub compressed_size: u32,
    pub uncompressed_size: u32,
    pub name: Vec<u8>,
    pub extra: Vec<u8>,
    /// The name length to write instead of the true one.
    pub declared_name_len: Option<u16>,
    /// The extra field length to write instead of the true one.
    pub declared_extra_len: Option<u16>,
}

impl Default for LocalFileHeader {
    fn default() -> Self {
        Self {
            signature: LOCAL_FILE_HEADER,
            version_needed: 20,
            flags: 0,
            method: 0,
            time: 0,
            date: FIRST_OF_JANUARY_1980,
            crc32: 0,
            compressed_size: 0,
            uncompressed_size: 0,
            name: Vec::new(),
            extra: Vec::new(),
            declared_name_len: None,
            declared_extra_len: None,
        }
    }
}

impl LocalFileHeader {
    /// Appends the record to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        u32_le(out, self.signature);
        for field in [self.version_needed, self.flags, self.method, self.time, self.date] {
            u16_le(out, field);
        }
        for field in [self.crc32, self.compressed_size, self.uncompressed_size] {
            u32_le(out, field);
        }
        u16_le(out, self.declared_name_len.unwrap_or(self.name.len() as u16));
        u16_le(out, self.declared_extra_len.unwrap_or(self.extra.len() as u16));
        out.extend_from_slice(&self.name);
        out.extend_from_slice(&self.extra);
    }
}

/// A central directory header (APPNOTE 4.3.12).
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the standard's own")]
pub struct CentralDirectoryHeader {
    pub signature: u32,
    pub version_made_by: u16,
    pub version_needed: u16,
    pub flags: u16,
    pub method: u16,
    pub time: u16,
    pub date: u16,
    pub crc32: u32,
    pub compressed_size: u32,
    pub uncompressed_size: u32,
    pub name: Vec<u8>,
    pub extra: Vec<u8>,
    pub comment: Vec<u8>,
    pub disk_start: u16,
    pub internal_attributes: u16,
    pub external_attributes: u32,
    pub local_header_offset: u32,
    /// The name length to write instead of the true one.
    pub declared_name_len: Option<u16>,
    /// The extra field length to write instead of the true one.
    pub declared_extra_len: Option<u16>,
    /// The comment length to write instead of the true one.
    pub declared_comment_len: Option<u16>,
}

impl Default for CentralDirectoryHeader {
    fn default() -> Self {
        Self {
            signature: CENTRAL_DIRECTORY_HEADER,
            version_made_by: 20,
            version_needed: 20,
            flags: 0,
            method: 0,
            time: 0,
            date: FIRST_OF_JANUARY_1980,
            crc32: 0,
            compressed_size: 0,
            uncompressed_size: 0,
            name: Vec::new(),
            extra: Vec::new(),
            comment: Vec::new(),
            disk_start: 0,
            internal_attributes: 0,
            external_attributes: 0,
            local_header_offset: 0,
            declared_name_len: None,
            declared_extra_len: None,
            declared_comment_len: None,
        }
    }
}

impl CentralDirectoryHeader {
    /// Appends the record to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        u32_le(out, self.signature);
        for field in [
            self.version_made_by,
            self.version_needed,
            self.flags,
            self.method,
            self.time,
            self.date,
        ] {
            u16_le(out, field);
        }
        for field in [self.crc32, self.compressed_size, self.uncompressed_size] {
            u32_le(out, field);
        }
        u16_le(out, self.declared_name_len.unwrap_or(self.name.len() as u16));
        u16_le(out, self.declared_extra_len.unwrap_or(self.extra.len() as u16));
        u16_le(out, self.declared_comment_len.unwrap_or(self.comment.len() as u16));
        u16_le(out, self.disk_start);
        u16_le(out, self.internal_attributes);
        u32_le(out, self.external_attributes);
        u32_le(out, self.local_header_offset);
        out.extend_from_slice(&self.name);
        out.extend_from_slice(&self.extra);
        out.extend_from_slice(&self.comment);
    }
}

/// A data descriptor (APPNOTE 4.3.9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the standard's own")]
pub struct DataDescriptor {
    /// The optional signature; `None` leaves it out.
    pub signature: Option<u32>,
    pub crc32: u32,
    pub compressed_size: u64,
    pub uncompressed_size: u64,
    /// Whether the sizes take eight bytes each; else the low four bytes are written.
    pub wide: bool,
}

impl DataDescriptor {
    /// Appends the record to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        if let Some(signature) = self.signature {
            u32_le(out, signature);
        }
        u32_le(out, self.crc32);
        for size in [self.compressed_size, self.uncompressed_size] {
            if self.wide {
                u64_le(out, size);
            } else {
                u32_le(out, size as u32);
            }
        }
    }
}

/// A zip64 end of central directory record (APPNOTE 4.3.14).
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the standard's own")]
pub struct Zip64Record {
    pub signature: u32,
    /// The size of the record to write; `None` is 44 and the extensible data's length.
    pub declared_size: Option<u64>,
    pub version_made_by: u16,
    pub version_needed: u16,
    pub disk: u32,
    pub directory_disk: u32,
    pub entries_on_disk: u64,
    pub entries_total: u64,
    pub directory_size: u64,
    pub directory_offset: u64,
    pub extensible: Vec<u8>,
}

impl Default for Zip64Record {
    fn default() -> Self {
        Self {
            signature: ZIP64_RECORD,
            declared_size: None,
            version_made_by: 45,
            version_needed: 45,
            disk: 0,
            directory_disk: 0,
            entries_on_disk: 0,
            entries_total: 0,
            directory_size: 0,
            directory_offset: 0,
            extensible: Vec::new(),
        }
    }
}

impl Zip64Record {
    /// Appends the record to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        u32_le(out, self.signature);
        u64_le(out, self.declared_size.unwrap_or(44 + self.extensible.len() as u64));
        u16_le(out, self.version_made_by);
        u16_le(out, self.version_needed);
        u32_le(out, self.disk);
        u32_le(out, self.directory_disk);
        for field in
            [self.entries_on_disk, self.entries_total, self.directory_size, self.directory_offset]
        {
            u64_le(out, field);
        }
        out.extend_from_slice(&self.extensible);
    }
}

/// A zip64 end of central directory locator (APPNOTE 4.3.15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the standard's own")]
pub struct Zip64Locator {
    pub signature: u32,
    pub record_disk: u32,
    pub record_offset: u64,
    pub total_disks: u32,
}

impl Default for Zip64Locator {
    fn default() -> Self {
        Self { signature: ZIP64_LOCATOR, record_disk: 0, record_offset: 0, total_disks: 1 }
    }
}

impl Zip64Locator {
    /// Appends the record to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        u32_le(out, self.signature);
        u32_le(out, self.record_disk);
        u64_le(out, self.record_offset);
        u32_le(out, self.total_disks);
    }
}

/// An end of central directory record (APPNOTE 4.3.16).
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the standard's own")]
pub struct EndOfCentralDirectory {
    pub signature: u32,
    pub disk: u16,
    pub directory_disk: u16,
    pub entries_on_disk: u16,
    pub entries_total: u16,
    pub directory_size: u32,
    pub directory_offset: u32,
    pub comment: Vec<u8>,
    /// The comment length to write instead of the true one.
    pub declared_comment_len: Option<u16>,
}

impl Default for EndOfCentralDirectory {
    fn default() -> Self {
        Self {
            signature: END_OF_CENTRAL_DIRECTORY,
            disk: 0,
            directory_disk: 0,
            entries_on_disk: 0,
            entries_total: 0,
            directory_size: 0,
            directory_offset: 0,
            comment: Vec::new(),
            declared_comment_len: None,
        }
    }
}

impl EndOfCentralDirectory {
    /// Appends the record to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        u32_le(out, self.signature);
        for field in [self.disk, self.directory_disk, self.entries_on_disk, self.entries_total] {
            u16_le(out, field);
        }
        u32_le(out, self.directory_size);
        u32_le(out, self.directory_offset);
        u16_le(out, self.declared_comment_len.unwrap_or(self.comment.len() as u16));
        out.extend_from_slice(&self.comment);
    }
}

/// A digital signature record (APPNOTE 4.3.13), the one thing that may follow the headers inside
/// the central directory.
pub fn digital_signature(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    u32_le(&mut out, DIGITAL_SIGNATURE);
    u16_le(&mut out, data.len() as u16);
    out.extend_from_slice(data);
    out
}

/// An archive extra data record (APPNOTE 4.3.11), which stands before the central directory.
pub fn archive_extra_data(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    u32_le(&mut out, ARCHIVE_EXTRA_DATA);
    u32_le(&mut out, data.len() as u32);
    out.extend_from_slice(data);
    out
}

/// The earliest date a DOS time can say: year 0, month 1, day 1 (APPNOTE 4.4.6).
const FIRST_OF_JANUARY_1980: u16 = (1 << 5) | 1;

fn u16_le(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn u32_le(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn u64_le(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_the_lengths_of_the_standard() {
        let written = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            write(&mut out);
            (out.len(), out[..4].to_vec())
        };
        let descriptor = |signature, wide| DataDescriptor {
            signature,
            wide,
            crc32: 0x0605_4b50,
            ..DataDescriptor::default()
        };
        let sig = Some(DATA_DESCRIPTOR);
        type Row<'a> = (&'a str, &'a dyn Fn(&mut Vec<u8>), usize, &'a [u8; 4]);
        let table: [Row; 9] = [
            ("local", &|out| LocalFileHeader::default().write(out), 30, b"PK\x03\x04"),
            ("central", &|out| CentralDirectoryHeader::default().write(out), 46, b"PK\x01\x02"),
            ("zip64 record", &|out| Zip64Record::default().write(out), 56, b"PK\x06\x06"),
            ("zip64 locator", &|out| Zip64Locator::default().write(out), 20, b"PK\x06\x07"),
            ("end", &|out| EndOfCentralDirectory::default().write(out), 22, b"PK\x05\x06"),
            ("sig 32", &|out| descriptor(sig, false).write(out), 16, b"PK\x07\x08"),
            ("sig 64", &|out| descriptor(sig, true).write(out), 24, b"PK\x07\x08"),
            ("bare 32", &|out| descriptor(None, false).write(out), 12, b"PK\x05\x06"),
            ("bare 64", &|out| descriptor(None, true).write(out), 20, b"PK\x05\x06"),
        ];
        for (name, write, len, start) in table {
            assert_eq!(written(write), (len, start.to_vec()), "{name}");
        }
    }

    #[test]
    fn a_declared_length_replaces_the_true_one_and_no_byte_more() {
        let honest = CentralDirectoryHeader {
            name: b"name".to_vec(),
            extra: vec![1, 2],
            comment: vec![3],
            ..CentralDirectoryHeader::default()
        };
        let lying = CentralDirectoryHeader {
            declared_name_len: Some(0x1111),
            declared_extra_len: Some(0x2222),
            declared_comment_len: Some(0x3333),
            ..honest.clone()
        };
        let (mut a, mut b) = (Vec::new(), Vec::new());
        honest.write(&mut a);
        lying.write(&mut b);
        assert_eq!(a[28..34], [4, 0, 2, 0, 1, 0]);
        assert_eq!(b[28..34], [0x11, 0x11, 0x22, 0x22, 0x33, 0x33]);
        assert_eq!((&a[..28], &a[34..]), (&b[..28], &b[34..]));
    }
}
