//! Compression methods and general purpose flags (APPNOTE 4.4.4, 4.4.5).

use std::fmt;

/// A compression method as an archive states it (APPNOTE 4.4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CompressionMethod(pub u16);

impl CompressionMethod {
    /// The entry's bytes as they are.
    pub const STORED: Self = Self(0);
    /// Raw DEFLATE (RFC 1951).
    pub const DEFLATED: Self = Self(8);
    /// Enhanced deflating: DEFLATE with a window of 64 KiB and longer matches.
    pub const DEFLATE64: Self = Self(9);
    /// One bzip2 stream.
    pub const BZIP2: Self = Self(12);
    /// LZMA with a header of its own (APPNOTE 5.8).
    pub const LZMA: Self = Self(14);
    /// Frames of zstd (RFC 8878).
    pub const ZSTD: Self = Self(93);
    /// One stream in the .xz format.
    pub const XZ: Self = Self(95);
    /// PPMd, version I, revision 1 (APPNOTE 5.10).
    pub const PPMD: Self = Self(98);

    /// The methods that can be decoded, and whether this build does: a feature of the crate each,
    /// but for the first two.
    const DECODED: [(Self, bool); 8] = [
        (Self::STORED, true),
        (Self::DEFLATED, true),
        (Self::DEFLATE64, cfg!(feature = "deflate64")),
        (Self::BZIP2, cfg!(feature = "bzip2")),
        (Self::LZMA, cfg!(feature = "lzma")),
        (Self::ZSTD, cfg!(feature = "zstd")),
        (Self::XZ, cfg!(feature = "xz")),
        (Self::PPMD, cfg!(feature = "ppmd")),
    ];

    /// Whether this build can decode the method.
    #[must_use]
    pub fn is_built(self) -> bool {
        Self::DECODED.contains(&(self, true))
    }

    /// Output bytes for a byte of compressed data that no valid stream exceeds.
    ///
    /// It refuses sizes that no stream has, and no honest entry: writers come close to it with
    /// zeros. Measured on 256 MiB of them, at the writer's highest level:
    ///
    /// | method | bound | measured | by |
    /// |---|---|---|---|
    /// | deflate | 1,100 | 1,029 | zlib |
    /// | deflate64 | 29,200 | 277 | 7-Zip |
    /// | bzip2 | 2,000,000 | 1,248,537 | 7-Zip |
    /// | LZMA | 7,100 | 7,073 | 7-Zip |
    /// | XZ | 7,100 | 6,846 | 7-Zip |
    /// | zstd | 32,768 | 32,681 | zstd -22 |
    /// | PPMd | 2,850 | 2,720 | 7-Zip |
    ///
    /// - deflate: 258 bytes for two codes of one bit each, 1,032:1.
    /// - deflate64: 65,538 bytes for two codes of one bit and sixteen further bits, 29,128:1.
    /// - bzip2: a block of 900,000 bytes holds 180,000 runs of 259 bytes in 5 bytes each. It takes
    ///   193 bits at least: magic 48, CRC-32 32, randomised 1, origin 24, symbols in use 32, tables
    ///   3, selectors 15 and 1, two tables of 8, content 20, end of block 1. 1,932,435:1.
    /// - LZMA, XZ: a probability goes up to 2017/2048, so that a binary decision takes at least
    ///   log2(2048/2017) = 0.0220 bits; a repeated match of 273 bytes takes 14 of them. 7,091:1.
    /// - zstd: a block of 128 KiB that repeats one byte has 4 bytes; a compressed block at least 9.
    /// - PPMd: a symbol that is certain gets up to 16352/16384, and takes log2(16384/16352) =
    ///   0.00282 bits. 2,837:1.
    ///
    /// [`u64::MAX`] for the methods that are not decoded; a stored entry has two equal sizes.
    #[must_use]
    pub fn expansion_bound(self) -> u64 {
        match self {
            Self::STORED => 1,
            Self::DEFLATED => 1_100,
            Self::DEFLATE64 => 29_200,
            Self::BZIP2 => 2_000_000,
            Self::LZMA | Self::XZ => 7_100,
            Self::ZSTD => 32_768,
            Self::PPMD => 2_850,
            _ => u64::MAX,
        }
    }

    /// The method's name in APPNOTE 4.4.5, where it has one.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "stored",
            1 => "shrunk",
            2..=5 => "reduced",
            6 => "imploded",
            8 => "deflated",
            9 => "deflate64",
            10 => "PKWARE DCL imploded",
            12 => "bzip2",
            14 => "LZMA",
            16 => "IBM CMPSC",
            18 => "IBM TERSE",
            19 => "IBM LZ77",
            20 | 93 => "zstd",
            94 => "MP3",
            95 => "XZ",
            96 => "JPEG",
            97 => "WavPack",
            98 => "PPMd",
            99 => "AES-encrypted",
            _ => return None,
        })
    }
}

impl fmt::Display for CompressionMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} ({name})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

/// The general purpose bit flag of a local file header or central directory header (APPNOTE 4.4.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GeneralPurposeFlags(pub u16);

impl GeneralPurposeFlags {
    const fn bit(self, bit: u16) -> bool {
        self.0 & (1 << bit) != 0
    }

    /// Bit 0: the data is encrypted.
    #[must_use]
    pub const fn is_encrypted(self) -> bool {
        self.bit(0)
    }

    /// Bit 1, of an entry in LZMA: the stream ends in a marker.
    #[must_use]
    pub const fn has_lzma_end_marker(self) -> bool {
        self.bit(1)
    }

    /// Bit 3: CRC-32 and sizes follow the data in a data descriptor.
    #[must_use]
    pub const fn has_data_descriptor(self) -> bool {
        self.bit(3)
    }

    /// Bit 5: the data is a patch against another file.
    #[must_use]
    pub const fn is_patch(self) -> bool {
        self.bit(5)
    }

    /// Bit 6: strong encryption.
    #[must_use]
    pub const fn is_strongly_encrypted(self) -> bool {
        self.bit(6)
    }

    /// Bit 11: name and comment are UTF-8.
    #[must_use]
    pub const fn is_utf8(self) -> bool {
        self.bit(11)
    }

    /// Bit 13: header values are masked.
    #[must_use]
    pub const fn is_masked(self) -> bool {
        self.bit(13)
    }
}
