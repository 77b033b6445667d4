//! The decoders of the compression methods behind one push interface. Sans-io.
//!
//! ```text
//!   compressed data, in pieces      room for output
//!              |                          |
//!              +------> Decoder::decode <-+------> consumed, produced, finished
//!                                                  or why the stream is not to be served
//! ```
//!
//! Who sees what: a decoder sees the end of its stream and what breaks its format, checksums of the
//! format included, and reads from the stream's own header how much memory the stream asks for
//! before it takes any. Where the stream must end, how much it must give and which CRC-32 that has,
//! the directory says, and [`extract`](crate::extract) holds every method to it in the same way.
//!
//! # Input
//! What a call leaves unconsumed is handed in again with what follows it. A decoder that has
//! [`LOOKAHEAD`] bytes, or all there are, always gets on; so no decoder keeps bytes that it has not
//! used, headers come in one piece, and what it has consumed is exact at the end of the stream.
//!
//! # Memory
//! A decoder allocates nothing before data comes. The most it then keeps, in bytes, is
//! [`CompressionMethod::decoder_memory_bound`]:
//!
//! | method | bound | known from |
//! |---|---|---|
//! | stored | 0 | |
//! | deflate | 64 KiB | the format |
//! | deflate64 | 80 KiB | the format |
//! | bzip2 | 400,000 for each step of the level 1 to 9, and 128 KiB | the stream's fourth byte |
//! | LZMA | the dictionary or the entry's size, whichever is less, and 96 KiB | properties |
//! | XZ | the dictionary of LZMA2, and 128 KiB | each block's header |
//! | zstd | the window, and 768 KiB | each frame's header |
//! | PPMd | the model of 1 to 256 MiB, and 32 KiB | the two bytes in front of the stream |
//!
//! Dictionary, window, model and block are what [`Limits::decoder_memory`] bounds.
//!
//! [`Limits::decoder_memory`]: crate::Limits::decoder_memory

// A build with few methods leaves parts of the interface unused.
#![cfg_attr(not(feature = "all-methods"), allow(dead_code, unused_variables))]

#[cfg(feature = "bzip2")]
mod bzip2;
mod deflate;
#[cfg(feature = "deflate64")]
mod deflate64;
#[cfg(any(feature = "lzma", feature = "xz"))]
mod liblzma;
#[cfg(feature = "lzma")]
mod lzma;
#[cfg(feature = "ppmd")]
mod ppmd;
#[cfg(test)]
mod tests;
#[cfg(feature = "xz")]
mod xz;
#[cfg(feature = "zstd")]
mod zstd;

use crate::entry::Entry;
use crate::method::CompressionMethod;

/// Input with which every decoder gets on: PPMd's for one symbol is the longest, 54 bytes.
pub(crate) const LOOKAHEAD: usize = 64;

/// Compressed data in hand, from the first unconsumed byte on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) bytes: &'a [u8],
    /// Whether the entry's data ends with these bytes.
    pub(crate) is_last: bool,
}

/// What one call of [`Decoder::decode`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Bytes of the piece that were used.
    pub(crate) consumed: usize,
    /// Bytes written to the front of the output.
    pub(crate) produced: usize,
    /// Whether the stream has ended; nothing is consumed after that.
    pub(crate) finished: bool,
}

/// Why a stream cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecodeError {
    /// It breaks its format, or uses a part of it that no decoder here knows; `produced` bytes of
    /// output into the call.
    Malformed { produced: usize },
    /// Its header asks for `asked` bytes of memory, more than it may have.
    OverLimit { asked: u64 },
    /// The memory it may have is not there.
    OutOfMemory,
}

impl DecodeError {
    /// What is malformed before it gives anything: a header.
    const HEADER: Self = Self::Malformed { produced: 0 };
}

/// What the directory says of the stream before its first byte is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Declared {
    pub(crate) uncompressed_size: u64,
    /// Whether an LZMA stream ends in a marker (APPNOTE 4.4.4, bit 1).
    pub(crate) has_end_marker: bool,
    /// Bytes of dictionary, window or model that the stream may ask for.
    pub(crate) memory_limit: u64,
}

impl Declared {
    pub(crate) fn of(entry: &Entry, memory_limit: u64) -> Self {
        Self {
            uncompressed_size: entry.declared_uncompressed_size,
            has_end_marker: entry.flags.has_lzma_end_marker(),
            memory_limit,
        }
    }

    /// Holds what a header asks for to the limit.
    fn allow(&self, asked: u64) -> Result<(), DecodeError> {
        if asked > self.memory_limit {
            return Err(DecodeError::OverLimit { asked });
        }
        Ok(())
    }
}

/// The decoder of one entry's data.
pub(crate) enum Decoder {
    Deflate(deflate::Deflate),
    #[cfg(feature = "deflate64")]
    Deflate64(deflate64::Deflate64),
    #[cfg(feature = "bzip2")]
    Bzip2(bzip2::Bzip2),
    #[cfg(feature = "lzma")]
    Lzma(lzma::Lzma),
    #[cfg(feature = "xz")]
    Xz(xz::Xz),
    #[cfg(feature = "zstd")]
    Zstd(zstd::Zstd),
    #[cfg(feature = "ppmd")]
    Ppmd(ppmd::Ppmd),
}

impl Decoder {
    /// A decoder at the start of a stream; `None` for a method that needs none or is not built.
    pub(crate) fn new(method: CompressionMethod, declared: Declared) -> Option<Self> {
        Some(match method {
            CompressionMethod::DEFLATED => Self::Deflate(deflate::Deflate::default()),
            #[cfg(feature = "deflate64")]
            CompressionMethod::DEFLATE64 => Self::Deflate64(deflate64::Deflate64::default()),
            #[cfg(feature = "bzip2")]
            CompressionMethod::BZIP2 => Self::Bzip2(bzip2::Bzip2::new(declared)),
            #[cfg(feature = "lzma")]
            CompressionMethod::LZMA => Self::Lzma(lzma::Lzma::new(declared)),
            #[cfg(feature = "xz")]
            CompressionMethod::XZ => Self::Xz(xz::Xz::new(declared)),
            #[cfg(feature = "zstd")]
            CompressionMethod::ZSTD => Self::Zstd(zstd::Zstd::new(declared)),
            #[cfg(feature = "ppmd")]
            CompressionMethod::PPMD => Self::Ppmd(ppmd::Ppmd::new(declared)),
            _ => return None,
        })
    }

    /// Decodes from `input` into `output`, which is not empty, until one of them is used up or the
    /// stream ends.
    ///
    /// A call that neither consumes nor produces nor finishes wants more input; where the piece is
    /// the last one, the stream is cut short. The end may be seen only by a call that produces
    /// nothing.
    ///
    /// # Errors
    /// As soon as a defect is met; the output of that call is not to be used, and the decoder not
    /// to be called again.
    pub(crate) fn decode(
        &mut self,
        input: Piece<'_>,
        output: &mut [u8],
    ) -> Result<Progress, DecodeError> {
        match self {
            Self::Deflate(deflate) => deflate.decode(input, output),
            #[cfg(feature = "deflate64")]
            Self::Deflate64(deflate64) => deflate64.decode(input, output),
            #[cfg(feature = "bzip2")]
            Self::Bzip2(bzip2) => bzip2.decode(input, output),
            #[cfg(feature = "lzma")]
            Self::Lzma(lzma) => lzma.decode(input, output),
            #[cfg(feature = "xz")]
            Self::Xz(xz) => xz.decode(input, output),
            #[cfg(feature = "zstd")]
            Self::Zstd(zstd) => zstd.decode(input, output),
            #[cfg(feature = "ppmd")]
            Self::Ppmd(ppmd) => ppmd.decode(input, output),
        }
    }

    /// Whether the stream, once it has ended, may go out as the content coding zstd.
    pub(crate) fn fits_zstd_coding(&self) -> bool {
        match self {
            #[cfg(feature = "zstd")]
            Self::Zstd(zstd) => zstd.fits_zstd_coding(),
            _ => false,
        }
    }
}

impl CompressionMethod {
    /// The most bytes that the decoder of an entry keeps at once, before any of its data is read.
    ///
    /// `limit` is [`Limits::decoder_memory`](crate::Limits::decoder_memory). The decoder's state
    /// alone: chunks and fetched bytes come on top, see [`Extraction`](crate::Extraction). 0 for a
    /// method that is not decoded.
    #[must_use]
    pub fn decoder_memory_bound(self, declared_uncompressed_size: u64, limit: u64) -> u64 {
        // What the format itself cannot exceed: nine steps of bzip2's level, 32 bits of dictionary
        // size, 256 MiB of PPMd's.
        const KIB: u64 = 1 << 10;
        let asked = |most: u64, fixed: u64| limit.min(most).saturating_add(fixed);
        match self {
            Self::DEFLATED => entryway_inflate::STATE_SIZE_BOUND as u64,
            Self::DEFLATE64 => 80 * KIB,
            Self::BZIP2 => asked(9 * 400_000, 128 * KIB),
            Self::LZMA => {
                asked(declared_uncompressed_size.clamp(4 * KIB, u32::MAX.into()), 96 * KIB)
            }
            Self::XZ => asked(u32::MAX.into(), 128 * KIB),
            Self::ZSTD => asked(u64::MAX, 768 * KIB),
            Self::PPMD => asked(256 * KIB * KIB, 32 * KIB),
            _ => 0,
        }
    }
}
