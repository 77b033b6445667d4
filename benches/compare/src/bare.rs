//! The least that can be done: no index, no allocation, no rule but those that lead to the bytes.
//!
//! It is the scale for the others and no reader to use: it believes every number.

use zlib_rs::{Inflate, InflateFlush, Status};

use crate::Failure;

/// A directory in an archive's bytes.
#[derive(Clone, Copy)]
pub struct Bare<'a> {
    archive: &'a [u8],
    pub directory: &'a [u8],
}

/// What the walk gives of a header.
pub struct Header<'a> {
    pub name: &'a [u8],
    pub crc32: u32,
    pub compressed_size: usize,
    pub uncompressed_size: usize,
    local_header_offset: usize,
    is_deflated: bool,
}

const END_LEN: usize = 22;
const HEADER_LEN: usize = 46;

impl<'a> Bare<'a> {
    /// Finds the directory from the end of the archive on.
    pub fn locate(archive: &'a [u8]) -> Result<Self, Failure> {
        let last = archive.len().checked_sub(END_LEN).ok_or("too short for an archive")?;
        let end = (0..=last)
            .rev()
            .find(|&at| archive[at..].starts_with(b"PK\x05\x06"))
            .ok_or("no end record")?;
        let (mut size, mut offset) = (u32_at(archive, end + 12), u32_at(archive, end + 16));
        let locator = end.saturating_sub(20);
        if archive[locator..].starts_with(b"PK\x06\x07") {
            let record = u64_at(archive, locator + 8);
            (size, offset) = (u64_at(archive, record + 40), u64_at(archive, record + 48));
        }
        let directory = archive.get(offset..offset + size).ok_or("the directory is outside")?;
        Ok(Self { archive, directory })
    }

    /// Every header, in the directory's order.
    pub fn headers(self) -> impl Iterator<Item = Header<'a>> {
        let mut rest = self.directory;
        std::iter::from_fn(move || {
            let fixed: &[u8; HEADER_LEN] = rest.first_chunk()?;
            if !fixed.starts_with(b"PK\x01\x02") {
                return None;
            }
            let name_len = u16_at(fixed, 28);
            let len = HEADER_LEN + name_len + u16_at(fixed, 30) + u16_at(fixed, 32);
            let header = Header {
                name: rest.get(HEADER_LEN..HEADER_LEN + name_len)?,
                crc32: u32_at(fixed, 16) as u32,
                compressed_size: u32_at(fixed, 20),
                uncompressed_size: u32_at(fixed, 24),
                local_header_offset: u32_at(fixed, 42),
                is_deflated: u16_at(fixed, 10) == 8,
            };
            rest = rest.get(len..)?;
            Some(header)
        })
    }

    /// The one of this name, after all have been looked at.
    pub fn find(self, name: &[u8]) -> Option<Header<'a>> {
        let mut found = None;
        for header in self.headers() {
            if header.name == name {
                found = found.or(Some(header));
            }
        }
        found
    }

    /// The compressed data of an entry.
    pub fn data(self, header: &Header<'_>) -> &'a [u8] {
        let local = header.local_header_offset;
        let data = local + 30 + u16_at(self.archive, local + 26) + u16_at(self.archive, local + 28);
        &self.archive[data..data + header.compressed_size]
    }

    /// Reads an entry into `content`, which keeps its room from one time to the next.
    pub fn read(
        self,
        header: &Header<'_>,
        inflate: &mut Inflate,
        content: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let data = self.data(header);
        content.resize(header.uncompressed_size, 0);
        if header.is_deflated {
            inflate_into(inflate, data, content)?;
        } else {
            content.copy_from_slice(data);
        }
        check(content, header.crc32)
    }
}

/// Inflates a whole stream into room of just its length.
pub fn inflate_into(inflate: &mut Inflate, data: &[u8], room: &mut [u8]) -> Result<(), Failure> {
    inflate.reset(false);
    let status = inflate.decompress(data, room, InflateFlush::Finish);
    if !matches!(status, Ok(Status::StreamEnd)) || inflate.total_out() != room.len() as u64 {
        return Err("the stream does not end where it has to".into());
    }
    Ok(())
}

/// Compares the content with the checksum that the directory has.
pub fn check(content: &[u8], crc32: u32) -> Result<(), Failure> {
    if crc32fast::hash(content) == crc32 { Ok(()) } else { Err("another CRC-32".into()) }
}

fn u16_at(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    u16_at(bytes, at) | u16_at(bytes, at + 2) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> usize {
    u32_at(bytes, at) | u32_at(bytes, at + 4) << 32
}
