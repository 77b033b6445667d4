//! How much of a hostile archive is looked at before it is refused.

/// Bounds on what an archive may ask for; each is checked before anything of that size is
/// allocated.
///
/// Every bound is inclusive: a value equal to it passes, one more is refused with the rule
/// [`Rule::ArchiveOverLimit`](crate::Rule::ArchiveOverLimit) or
/// [`Rule::EntryOverLimit`](crate::Rule::EntryOverLimit), both numbers and the name of the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the central directory; at most [`Limits::DIRECTORY_SIZE_BOUND`].
    pub directory_size: u64,
    /// Entries of an archive.
    pub entries: u64,
    /// Bytes of the name index, and of the offset array where there must be one, kept beside a
    /// directory.
    pub index_len: u64,
    /// Output bytes of one entry for each compressed byte, beyond the first
    /// [`Limits::expansion_free`] bytes; for each method at most what it can reach at all
    /// ([`CompressionMethod::expansion_bound`](crate::CompressionMethod::expansion_bound)), which
    /// alone counts by default.
    pub expansion_ratio: u64,
    /// Output bytes below which no ratio is asked for.
    pub expansion_free: u64,
    /// Bytes that the stream of one entry may have its decoder keep: the dictionary of LZMA and XZ,
    /// the window of zstd, the model of PPMd, four for each byte of a block of bzip2. Read from the
    /// stream's header before any of it is allocated; what a decoder keeps in all is bounded by
    /// [`CompressionMethod::decoder_memory_bound`](crate::CompressionMethod::decoder_memory_bound). XZ
    /// may ask for 96 KiB more: its decoder counts its own structures too.
    pub decoder_memory: u64,
}

impl Limits {
    /// The largest directory that the index can address, in bytes: record offsets take 28 bits.
    pub const DIRECTORY_SIZE_BOUND: u64 = 1 << 28;

    /// Puts each number within what the index can address.
    #[must_use]
    pub fn bounded(self) -> Self {
        Self { directory_size: self.directory_size.min(Self::DIRECTORY_SIZE_BOUND), ..self }
    }
}

impl Default for Limits {
    /// 256 MiB of directory, 1,000,000 entries, 64 MiB of index, 64 MiB for a decoder, and beyond
    /// the first 64 MiB of an entry whatever its method can reach: 1,100:1 for deflate.
    ///
    /// A ratio below that is a policy: it refuses honest entries of zeros.
    fn default() -> Self {
        Self {
            directory_size: Self::DIRECTORY_SIZE_BOUND,
            entries: 1_000_000,
            index_len: 64 << 20,
            expansion_ratio: u64::MAX,
            expansion_free: 64 << 20,
            decoder_memory: 64 << 20,
        }
    }
}

/// Which of the [`Limits`] an archive or an entry exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Limit {
    /// [`Limits::directory_size`].
    DirectorySize = 1,
    /// [`Limits::entries`].
    Entries = 2,
    /// [`Limits::index_len`].
    IndexLen = 3,
    /// [`Limits::expansion_ratio`].
    ExpansionRatio = 4,
    /// [`Limits::decoder_memory`].
    DecoderMemory = 5,
}

impl Limit {
    /// Every limit, in the order of [`Limits`]' fields.
    pub const ALL: [Self; 5] = [
        Self::DirectorySize,
        Self::Entries,
        Self::IndexLen,
        Self::ExpansionRatio,
        Self::DecoderMemory,
    ];

    /// The program's flag that sets this limit.
    #[must_use]
    pub fn flag(self) -> &'static str {
        match self {
            Self::DirectorySize => "--max-directory-size",
            Self::Entries => "--max-entries",
            Self::IndexLen => "--max-index-size",
            Self::ExpansionRatio => "--max-expansion",
            Self::DecoderMemory => "--max-decoder-memory",
        }
    }

    /// What the limit counts, in words.
    #[must_use]
    pub fn counts(self) -> &'static str {
        match self {
            Self::DirectorySize => "bytes of central directory",
            Self::Entries => "entries",
            Self::IndexLen => "bytes of index",
            Self::ExpansionRatio => "declared bytes of output for its compressed size",
            Self::DecoderMemory => "bytes of memory that its decoder would take",
        }
    }
}
