//! Raw DEFLATE (RFC 1951) as a streaming push decoder.
//!
//! An [`Inflater`] is handed input and room for output in whatever pieces the caller has, and says
//! what it did with them. It does no I/O, keeps no copy of input or output beyond the 32 KiB
//! history that RFC 1951 asks for, and never looks past the final block: what follows it stays
//! unconsumed, so that a caller who knows where the stream must end can hold it to that.
//!
//! It does not read zlib or gzip framing, and it checks no checksum: DEFLATE has none.
//!
//! ```
//! use entryway_inflate::Inflater;
//!
//! // A stored block (RFC 1951 3.2.4) that holds `abc`, then a byte that is not part of the stream.
//! let input = [0x01, 0x03, 0x00, 0xfc, 0xff, b'a', b'b', b'c', 0xaa];
//! let mut output = [0; 16];
//! let progress = Inflater::new().decode(&input, &mut output)?;
//! assert_eq!((progress.consumed, progress.produced, progress.finished), (8, 3, true));
//! # Ok::<(), entryway_inflate::InflateError>(())
//! ```
//!
//! This crate is the only place of the workspace that names a DEFLATE decoder. Today that is
//! zlib-rs: of the pure Rust decoders measured it is the fastest (0.73 to 0.82 of libdeflate's
//! one-shot speed on 60 MB of html, tsv, a shared library and json; `miniz_oxide` 0.35 to 0.51).
#![forbid(unsafe_code)]

use std::fmt;

use zlib_rs::{Inflate, InflateFlush, Status};

/// Window size of the decoder, as a power of two: 32 KiB, the farthest a DEFLATE distance reaches.
const WINDOW_BITS: u8 = 15;

/// Upper bound of what one [`Inflater`] keeps on the heap, in bytes.
///
/// The 32 KiB window with its padding, the code tables (about 7 KiB) and the state itself; zlib-rs
/// asks for them in one allocation. The bound leaves room for a release that rearranges them.
pub const STATE_SIZE_BOUND: usize = 64 * 1024;

/// A decoder of one raw DEFLATE stream.
pub struct Inflater {
    state: Inflate,
    finished: bool,
}

/// What one call of [`Inflater::decode`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the input that were used; the rest has to be handed in again.
    pub consumed: usize,
    /// Bytes written to the front of the output.
    pub produced: usize,
    /// Whether the final block has ended. Once true, it stays true and nothing is consumed.
    pub finished: bool,
}

/// Why a stream cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InflateError {
    /// The input breaks RFC 1951: a reserved block type, a code that is no prefix code, a distance
    /// that reaches before the start of the output, a stored length that contradicts its
    /// complement.
    Malformed {
        /// Offset in the compressed stream, in bytes, up to which the decoder had read.
        consumed: u64,
        /// Bytes of output before the defect.
        produced: u64,
    },
    /// The decoder has no memory for its window.
    OutOfMemory,
}

impl fmt::Display for InflateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { consumed, produced } => write!(
                f,
                "malformed DEFLATE data at byte {consumed} of the compressed stream, after \
                 {produced} bytes of output"
            ),
            Self::OutOfMemory => f.write_str("no memory for the DEFLATE window"),
        }
    }
}

impl std::error::Error for InflateError {}

impl Inflater {
    /// Makes a decoder that stands at the first bit of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self { state: Inflate::new(false, WINDOW_BITS), finished: false }
    }

    /// Decodes from `input` into `output` until one of them is used up or the stream ends.
    ///
    /// A call with an empty input can still produce output that the decoder holds back for want of
    /// room, and the end of the stream may be seen only by a call that produces nothing. A caller
    /// goes on until `finished`, or until a call with a non-empty output neither consumes nor
    /// produces: then the decoder wants input, and where there is none the stream is cut short.
    ///
    /// # Errors
    /// [`InflateError::Malformed`] as soon as the defect is met; the output of that call is not to
    /// be used. Every later call fails in the same way.
    pub fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Result<Progress, InflateError> {
        if self.finished {
            return Ok(Progress { consumed: 0, produced: 0, finished: true });
        }
        let (consumed_before, produced_before) = (self.state.total_in(), self.state.total_out());
        let outcome = self.state.decompress(input, output, InflateFlush::NoFlush);
        match outcome {
            Ok(Status::Ok | Status::BufError) => {}
            Ok(Status::StreamEnd) => self.finished = true,
            Err(zlib_rs::InflateError::MemError) => return Err(InflateError::OutOfMemory),
            // NeedDict cannot come from a raw stream and StreamError only from a broken state; both
            // mean that these bytes are not to be served.
            Err(_) => {
                return Err(InflateError::Malformed {
                    consumed: self.state.total_in(),
                    produced: self.state.total_out(),
                });
            }
        }
        // Both differences are at most the lengths of the slices handed in.
        Ok(Progress {
            consumed: (self.state.total_in() - consumed_before) as usize,
            produced: (self.state.total_out() - produced_before) as usize,
            finished: self.finished,
        })
    }

    /// Returns to the first bit of a new stream, keeping the memory.
    pub fn reset(&mut self) {
        self.state.reset(false);
        self.finished = false;
    }

    /// Bytes of compressed input used so far.
    #[must_use]
    pub fn consumed(&self) -> u64 {
        self.state.total_in()
    }

    /// Bytes of output produced so far.
    #[must_use]
    pub fn produced(&self) -> u64 {
        self.state.total_out()
    }
}

impl Default for Inflater {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater")
            .field("consumed", &self.consumed())
            .field("produced", &self.produced())
            .field("finished", &self.finished)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn deflate(level: u32, content: &[u8]) -> Vec<u8> {
        let mut encoder =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::new(level));
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    /// Text of that many bytes; of a fortieth under Miri, where each byte takes so much longer.
    fn text(len: usize) -> Vec<u8> {
        let len = if cfg!(miri) { len / 40 } else { len };
        (0..)
            .flat_map(|i: u32| {
                format!("line {} of {}\n", i, i.wrapping_mul(2_654_435_761)).into_bytes()
            })
            .take(len)
            .collect()
    }

    /// Decodes with the given sizes of input pieces and output room; `Err(None)` is a cut stream.
    fn decode(
        input: &[u8],
        piece: usize,
        room: usize,
    ) -> Result<(Vec<u8>, u64), Option<InflateError>> {
        let mut inflater = Inflater::new();
        let (mut out, mut buffer, mut at) = (Vec::new(), vec![0; room], 0);
        loop {
            let end = input.len().min(at + piece);
            let progress = inflater.decode(&input[at..end], &mut buffer)?;
            out.extend_from_slice(&buffer[..progress.produced]);
            at += progress.consumed;
            if progress.finished {
                return Ok((out, inflater.consumed()));
            }
            if progress.consumed == 0 && progress.produced == 0 && end == input.len() {
                return Err(None);
            }
        }
    }

    #[test]
    fn inflater_can_move_between_threads() {
        fn is_send<T: Send>() {}
        is_send::<Inflater>();
    }

    #[test]
    fn every_split_of_the_input_gives_the_same_output() {
        let content = text(3_000);
        let input = deflate(6, &content);
        for cut in 0..=input.len() {
            let mut inflater = Inflater::new();
            let mut out = vec![0; content.len() + 1];
            let first = inflater.decode(&input[..cut], &mut out).unwrap();
            assert_eq!(first.consumed, cut, "a decoder with room takes all it is given");
            let second = inflater.decode(&input[cut..], &mut out[first.produced..]).unwrap();
            assert_eq!(first.produced + second.produced, content.len());
            assert!(inflater.decode(&[], &mut []).unwrap().finished);
            assert_eq!(&out[..content.len()], content);
        }
    }

    #[test]
    fn one_byte_in_and_one_byte_out_is_the_same_as_whole() {
        for level in [0, 1, 6, 9] {
            let content = text(70_000);
            let input = deflate(level, &content);
            assert_eq!(decode(&input, 1, 1).unwrap(), (content.clone(), input.len() as u64));
            assert_eq!(
                decode(&input, input.len(), 1 << 20).unwrap(),
                (content, input.len() as u64)
            );
        }
    }

    #[test]
    fn bytes_after_the_final_block_stay_unconsumed_at_every_split() {
        let content = text(5_000);
        let mut input = deflate(6, &content);
        let end = input.len() as u64;
        input.extend_from_slice(&[0x55; 40]);
        for piece in 1..input.len() {
            assert_eq!(decode(&input, piece, 4_096).unwrap(), (content.clone(), end), "{piece}");
        }
    }

    #[test]
    fn a_cut_stream_never_finishes() {
        let input = deflate(6, &text(2_000));
        for cut in 0..input.len() {
            assert_eq!(decode(&input[..cut], 64, 4_096), Err(None), "cut at {cut}");
        }
    }

    #[test]
    fn malformed_streams_are_refused() {
        let table: [(&str, &[u8]); 4] = [
            ("reserved block type", &[0x07, 0, 0, 0, 0]),
            ("stored length contradicts its complement", &[0x01, 0x03, 0x00, 0x00, 0x00, b'a']),
            ("distance before the start", &[0xdb, 0x00, 0x11, 0xd8, 0x00, 0xa8]),
            (
                "code lengths oversubscribed",
                &[0x05, 0xe0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255],
            ),
        ];
        for (name, input) in table {
            let mut out = [0; 256];
            let outcome = Inflater::new().decode(input, &mut out);
            assert!(matches!(outcome, Err(InflateError::Malformed { .. })), "{name}: {outcome:?}");
        }
    }

    #[test]
    fn reset_starts_a_new_stream() {
        let mut inflater = Inflater::new();
        let mut out = [0; 64];
        for content in [b"first".as_slice(), b"second"] {
            let progress = inflater.decode(&deflate(6, content), &mut out).unwrap();
            assert!(progress.finished);
            assert_eq!(&out[..progress.produced], content);
            inflater.reset();
        }
    }

    proptest! {
        #[test]
        fn agrees_with_miniz_oxide_on_any_bytes(
            input in proptest::collection::vec(any::<u8>(), 0..200),
            piece in 1usize..50, room in 1usize..100,
        ) {
            let oracle = miniz_oxide::inflate::decompress_to_vec(&input).ok();
            prop_assert_eq!(decode(&input, piece, room).ok().map(|(out, _)| out), oracle);
        }

        #[test]
        fn decodes_what_an_encoder_wrote(
            content in proptest::collection::vec(0u8..8, 0..4_000),
            level in 0u32..=9, piece in 1usize..500, room in 1usize..500,
        ) {
            let input = deflate(level, &content);
            prop_assert_eq!(decode(&input, piece, room).unwrap(), (content, input.len() as u64));
        }
    }
}
