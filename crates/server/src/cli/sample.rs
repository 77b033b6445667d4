//! The archive that `quickstart` serves where it is given none.

use crc32fast::hash;

/// The files of the sample.
const FILES: [(&str, &str); 2] = [
    ("hello.txt", "Hello from inside a zip archive.\n"),
    (
        "reports/coverage.json",
        "{\"lines\":{\"covered\":1204,\"total\":1311},\"branches\":{\"covered\":388,\"total\":412}}\n",
    ),
];

/// Writes the sample: stored entries, nothing optional (APPNOTE 4.3.7, 4.3.12, 4.3.16).
pub(super) fn archive() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    for (name, content) in FILES {
        let offset = bytes.len() as u32;
        let (name_len, len) = (name.len() as u16, content.len() as u32);
        // Version 2.0, no flags, stored, 1980-01-01, CRC-32, sizes, name, no extra field.
        let mut common = Vec::new();
        for word in [20u16, 0, 0, 0, 0x21] {
            common.extend_from_slice(&word.to_le_bytes());
        }
        for number in [hash(content.as_bytes()), len, len] {
            common.extend_from_slice(&number.to_le_bytes());
        }
        common.extend_from_slice(&name_len.to_le_bytes());
        common.extend_from_slice(&[0, 0]);

        bytes.extend_from_slice(b"PK\x03\x04");
        bytes.extend_from_slice(&common);
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(content.as_bytes());

        directory.extend_from_slice(b"PK\x01\x02\x14\0");
        directory.extend_from_slice(&common);
        // No comment, disk 0, no attributes.
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&offset.to_le_bytes());
        directory.extend_from_slice(name.as_bytes());
    }
    let count = (FILES.len() as u16).to_le_bytes();
    let directory_offset = (bytes.len() as u32).to_le_bytes();
    bytes.extend_from_slice(&directory);
    bytes.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    bytes.extend_from_slice(&count);
    bytes.extend_from_slice(&count);
    bytes.extend_from_slice(&(directory.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&directory_offset);
    bytes.extend_from_slice(&[0, 0]);
    bytes
}

#[cfg(test)]
mod tests {
    use entryway::{Archive, Standing};

    use super::*;

    #[test]
    fn the_sample_is_a_good_archive() {
        let archive = Archive::open(bytes::Bytes::from(super::archive())).unwrap();
        let mut names = Vec::new();
        let each = |entry: &entryway::Entry, standing| {
            assert!(matches!(standing, Standing::Good { is_text: true, .. }));
            names.push(archive.directory().raw_name(entry).to_vec());
        };
        archive.verify(|_| {}, each).unwrap();
        assert_eq!(names, FILES.map(|(name, _)| name.as_bytes()));
    }
}
