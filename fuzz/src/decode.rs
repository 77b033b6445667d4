//! Arbitrary bytes as the data of one entry, of any method, under a limit on its decoder's memory.
//!
//! 1. Nothing panics, and no more comes out than was declared, nor a wrong content that is whole.
//! 2. The same content or refusal comes of input in pieces of any length.
//! 3. A decoder that would take more than the limit is refused, with both numbers; whether one took
//!    more without saying so is seen by the fuzzer's own limit on memory.

use bytes::Bytes;
use entryway::{
    Archive, CompressionMethod, EntryPlan, Error, ExtractStep, Extraction, Fetched, Found, Limit,
    Limits, Refusal, Rule, Scope,
};
use entryway_testkit::builder::{self, Entry};

/// Every method that is decoded.
pub const METHODS: [CompressionMethod; 8] = [
    CompressionMethod::STORED,
    CompressionMethod::DEFLATED,
    CompressionMethod::DEFLATE64,
    CompressionMethod::BZIP2,
    CompressionMethod::LZMA,
    CompressionMethod::ZSTD,
    CompressionMethod::XZ,
    CompressionMethod::PPMD,
];

/// The most output that is asked for: an input shall not take long.
const UNCOMPRESSED_SIZE_MAX: u32 = 1 << 18;

/// One entry to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Which of [`METHODS`].
    pub method: u8,
    /// The general purpose bit flag's low byte; bit 1 alone is taken.
    pub flags: u8,
    /// The limit is two to the power of this, between 1 KiB and 4 MiB.
    pub memory_log: u8,
    /// Bytes of the pieces in which the data comes.
    pub piece: u8,
    /// The declared size, below [`UNCOMPRESSED_SIZE_MAX`].
    pub uncompressed_size: u32,
    /// The declared CRC-32.
    pub crc32: u32,
    /// The compressed data.
    pub data: Vec<u8>,
}

impl Input {
    /// The input that bytes of the fuzzer stand for.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (head, data) = bytes.split_first_chunk::<12>()?;
        let [method, flags, memory_log, piece, numbers @ ..] = *head;
        let [s0, s1, s2, s3, crc32 @ ..] = numbers;
        Some(Self {
            method,
            flags,
            memory_log,
            piece,
            uncompressed_size: u32::from_le_bytes([s0, s1, s2, s3]),
            crc32: u32::from_le_bytes(crc32),
            data: data.to_vec(),
        })
    }

    /// The bytes that stand for it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let head = [self.method, self.flags, self.memory_log, self.piece];
        let numbers = [self.uncompressed_size.to_le_bytes(), self.crc32.to_le_bytes()].concat();
        [&head[..], &numbers, &self.data].concat()
    }
}

/// Checks one input.
///
/// # Panics
/// Where a promise is broken: a finding.
pub fn check(input: &[u8]) {
    let Some(input) = Input::parse(input) else { return };
    let method = METHODS[usize::from(input.method) % METHODS.len()];
    let size = input.uncompressed_size % UNCOMPRESSED_SIZE_MAX;
    let entry = Entry::raw("a", method.0, input.data, input.crc32, size.into())
        .flags(u16::from(input.flags & 2));
    let bytes = Bytes::from(builder::Archive::new().entry(entry).build());
    let decoder_memory = 1 << (10 + input.memory_log % 13);
    let limits = Limits { decoder_memory, ..Limits::default() };
    let archive = match Archive::open_within(bytes.clone(), limits) {
        Ok(archive) => archive,
        // The data may hold an end record that could be the archive's.
        Err(Error::Archive(refusal)) if refusal.rule == Rule::SecondEndRecord => return,
        Err(other) => panic!("a good archive: {other}"),
    };
    let found = archive.find(b"a").expect("one entry").expect("of that name");
    let whole = extract(&found, &bytes, bytes.len());
    let in_pieces = extract(&found, &bytes, 1 + usize::from(input.piece));
    match (whole, in_pieces) {
        (Ok(whole), Ok(in_pieces)) => assert!(whole == in_pieces, "pieces give another content"),
        (Err(refusal), Err(other)) => {
            // How far a decoder could run ahead decides where in the output a defect is met, and so
            // whether the output was too long before.
            let is_data = |rule| matches!(rule, Rule::Data | Rule::DataLong);
            if !is_data(refusal.rule) || !is_data(other.rule) {
                assert_eq!(refusal.rule, other.rule, "pieces end in another error");
            }
            assert_eq!(refusal.rule.scope(), Scope::Entry);
            if refusal.rule == Rule::EntryOverLimit && refusal.limit == Some(Limit::DecoderMemory) {
                assert_eq!((refusal, refusal.declared), (other, decoder_memory));
                assert!(refusal.actual > decoder_memory);
            }
        }
        (whole, in_pieces) => panic!(
            "whole {:?}, in pieces {:?}",
            whole.map(|content| content.len()),
            in_pieces.map(|content| content.len())
        ),
    }
}

/// Reads an entry from fetches of at most `piece` bytes, more only where that does not get on.
fn extract(found: &Found, archive: &Bytes, piece: usize) -> Result<Vec<u8>, Refusal> {
    let declared_size = found.entry.declared_uncompressed_size;
    let mut extraction = Extraction::new(EntryPlan::whole(found)?);
    let mut fetched = Fetched::default();
    let mut content = Vec::new();
    let (mut last_start, mut len) = (u64::MAX, piece);
    loop {
        match extraction.step(&fetched) {
            Ok(ExtractStep::Need(extent)) => {
                len = if extent.start == last_start { 2 * len } else { piece };
                last_start = extent.start;
                let end = extent.end.min(extent.start + len as u64);
                let bytes = archive.slice(extent.start as usize..end as usize);
                fetched = Fetched { offset: extent.start, bytes };
            }
            Ok(ExtractStep::Chunk(chunk)) => {
                assert!(!chunk.is_empty() && chunk.len() <= entryway::CHUNK_LEN);
                content.extend_from_slice(&chunk);
                assert!(content.len() as u64 <= declared_size, "more than was declared");
            }
            Ok(ExtractStep::Skipped) => panic!("all of it is wanted"),
            Ok(ExtractStep::Done) => break,
            Err(Error::Entry(refusal)) => return Err(refusal),
            Err(other) => panic!("an entry in memory: {other}"),
        }
    }
    assert_eq!(content.len() as u64, declared_size);
    assert_eq!(crc32fast::hash(&content), found.entry.declared_crc32);
    Ok(content)
}
