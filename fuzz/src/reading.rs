//! What the targets over archives share: limits, reading an entry, and a source of short reads.

use std::future::{Future, ready};
use std::io;

use bytes::Bytes;
use entryway::{Archive, Error, Extent, Found, Limits, ReadAt, Refusal, Scope, Source, Standing};

use crate::draw::Draw;

/// Small enough that no input takes long: what an input may decode to is bounded by its length.
///
/// At most 256 entries of 4 KiB, and 1,100 bytes for each byte of compressed data: entries that
/// share bytes are refused before they are decoded.
pub const LIMITS: Limits = Limits {
    directory_size: 64 * 1024,
    entries: 256,
    index_len: 8 * 1024,
    decoder_memory: 1 << 20,
    expansion_ratio: 1_100,
    expansion_free: 4 * 1024,
};

/// A source whose reads give as many bytes as it likes, at least one, and which never has any at
/// hand: as a file on a slow disk, worse.
#[derive(Clone, Debug)]
pub struct Ragged {
    bytes: Bytes,
    seed: u64,
    /// The most bytes of one read.
    most: u64,
}

impl Ragged {
    /// Draws how it reads.
    #[must_use]
    pub fn new(bytes: Bytes, draw: &mut Draw) -> Self {
        let most = *draw.pick(&[1, 2, 13, 64, 1_000, 70_000]);
        Self { bytes, seed: draw.number(), most }
    }

    /// The bytes of an extent, which lies within.
    #[must_use]
    pub fn slice(&self, extent: Extent) -> Bytes {
        self.bytes.slice(extent.start as usize..extent.end as usize)
    }
}

impl ReadAt for Ragged {
    fn len(&self) -> u64 {
        ReadAt::len(&self.bytes)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let most = Draw::new(self.seed ^ offset).within(1, self.most);
        let len = buffer.len().min(most as usize);
        self.bytes.read_at(offset, &mut buffer[..len])
    }
}

impl Source for Ragged {
    fn len(&self) -> u64 {
        ReadAt::len(&self.bytes)
    }

    fn try_read(&self, _: u64, _: &mut [u8]) -> io::Result<Option<usize>> {
        Ok(None)
    }

    fn read(&self, extent: Extent) -> impl Future<Output = io::Result<Bytes>> + Send + 'static {
        let len = self.bytes.len() as u64;
        let (start, end) = (extent.start.min(len), extent.end.min(len));
        ready(Ok(self.bytes.slice(start as usize..end as usize)))
    }

    fn is_unchanged(&self) -> io::Result<bool> {
        Ok(true)
    }
}

/// What is refused about one entry of an archive that can be read.
///
/// # Panics
/// Where it is anything else: the archive lies in memory.
#[must_use]
pub fn refused(error: Error) -> Refusal {
    match error {
        Error::Entry(refusal) => {
            assert_eq!(refusal.rule.scope(), Scope::Entry, "{refusal}");
            refusal
        }
        other => panic!("an entry in memory: {other}"),
    }
}

/// The content of an entry, or why it cannot be had.
///
/// # Errors
/// The entry's refusal.
///
/// # Panics
/// Where it is not what the directory declares: a finding.
pub fn read<S: ReadAt>(archive: &Archive<S>, found: &Found) -> Result<Vec<u8>, Refusal> {
    let declared_size = found.entry.declared_uncompressed_size;
    let mut reader = archive.read(found).map_err(refused)?;
    let mut content = Vec::new();
    while let Some(chunk) = reader.next_chunk().map_err(refused)? {
        assert!(!chunk.is_empty() && chunk.len() <= entryway::CHUNK_LEN);
        content.extend_from_slice(&chunk);
        assert!(content.len() as u64 <= declared_size, "more than was declared");
    }
    assert_eq!(content.len() as u64, declared_size);
    assert_eq!(crc32fast::hash(&content), found.entry.declared_crc32);
    Ok(content)
}

/// The verdict on every entry, in the directory's order.
///
/// # Panics
/// Where a promise of verifying is broken: a finding.
#[must_use]
pub fn verify<S: ReadAt>(archive: &Archive<S>) -> Vec<Standing> {
    let mut standings = Vec::new();
    let mut produced = 0;
    archive
        .verify(
            |progress| {
                assert!(progress.produced >= produced, "progress goes back");
                produced = progress.produced;
            },
            |_, standing| standings.push(standing),
        )
        .expect("memory can be read");
    assert_eq!(standings.len(), archive.directory().len());
    let bound = standings.len() as u64 * LIMITS.expansion_free
        + archive.source().len() * LIMITS.expansion_ratio;
    assert!(produced <= bound, "{produced} bytes came out");
    for standing in &standings {
        match standing {
            Standing::Good { data_offset, .. } => assert!(*data_offset <= archive.source().len()),
            Standing::Bad(refusal) => assert_eq!(refusal.rule.scope(), Scope::Entry, "{refusal}"),
            Standing::Unverified => panic!("verified, and unverified"),
        }
    }
    standings
}
