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
