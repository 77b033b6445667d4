//! Method 14: LZMA with the header of APPNOTE 5.8, by liblzma.
//!
//! The header is put into the form of an `.lzma` file, whose decoder takes the size of the content
//! from there. With an end marker (bit 1 of the flags; 7-Zip and Python write it) that size is
//! "unknown" and the marker must come; without one the directory's size ends the stream. Either
//! way liblzma holds the range coder to a clean end. Streams with lc + lp above 4 are malformed to
//! it; no writer makes such.

use liblzma::stream::{Error, Stream};

use super::liblzma::{OVERHEAD, step};
use super::{Declared, DecodeError, Piece, Progress};

/// Version of the SDK (2), length of the properties (2), properties (5).
const HEADER_LEN: usize = 9;
const PROPERTIES_LEN: u8 = 5;

/// The smallest dictionary that a decoder allocates.
const DICTIONARY_MIN: u64 = 4 * 1024;

/// The size in an `.lzma` header that stands for "until the end marker".
const SIZE_UNKNOWN: u64 = u64::MAX;

/// The decoder.
pub(crate) struct Lzma {
    declared: Declared,
    stream: Option<Box<Stream>>,
    finished: bool,
}

impl Lzma {
    pub(super) fn new(declared: Declared) -> Self {
        Self { declared, stream: None, finished: false }
    }

    pub(super) fn decode(
        &mut self,
        input: Piece<'_>,
        output: &mut [u8],
    ) -> Result<Progress, DecodeError> {
        if self.finished {
            return Ok(Progress { finished: true, ..Progress::default() });
        }
        let Some(stream) = &mut self.stream else {
            let Some(header) = input.bytes.first_chunk::<HEADER_LEN>() else {
                return Ok(Progress::default());
            };
            self.stream = Some(Box::new(open(header, &self.declared)?));
            return Ok(Progress { consumed: HEADER_LEN, ..Progress::default() });
        };
        let progress = run(stream, input.bytes, output)?;
        self.finished = progress.finished;
        Ok(progress)
    }
}

/// Makes the decoder that a header asks for.
fn open(header: &[u8; HEADER_LEN], declared: &Declared) -> Result<Stream, DecodeError> {
    let [_, _, PROPERTIES_LEN, 0, model, dictionary @ ..] = *header else {
        return Err(DecodeError::HEADER);
    };
    let dictionary_size = u64::from(u32::from_le_bytes(dictionary));
    declared.allow(dictionary_size)?;
    // No distance reaches farther back than the content is long.
    let needed = dictionary_size.min(declared.uncompressed_size.max(DICTIONARY_MIN));
    let size = if declared.has_end_marker { SIZE_UNKNOWN } else { declared.uncompressed_size };
    let mut alone = [0; 13];
    alone[0] = model;
    alone[1..5].copy_from_slice(&(needed as u32).to_le_bytes());
    alone[5..].copy_from_slice(&size.to_le_bytes());
    let mut stream =
        Stream::new_lzma_decoder(needed + OVERHEAD).map_err(|error| refused(error, 0))?;
    // It does not read without room for output, and has none to give yet.
    let progress = run(&mut stream, &alone, &mut [0])?;
    debug_assert_eq!((progress.consumed, progress.produced), (alone.len(), 0));
    Ok(stream)
}

/// One step, or why the stream is refused.
fn run(stream: &mut Stream, input: &[u8], output: &mut [u8]) -> Result<Progress, DecodeError> {
    let (progress, outcome) = step(stream, input, output);
    outcome.map_err(|error| refused(error, progress.produced))?;
    Ok(progress)
}

fn refused(error: Error, produced: usize) -> DecodeError {
    match error {
        Error::Mem => DecodeError::OutOfMemory,
        _ => DecodeError::Malformed { produced },
    }
}

#[cfg(test)]
pub(super) mod tests {
    use liblzma::stream::{Action, LzmaOptions, Status};
    use proptest::prelude::*;

    use super::super::tests::{
        Failure, Sample, any_content, bytes, check, check_flipped, check_malformed,
        content_by_7zip, contents, decode,
    };
    use super::*;
    use crate::method::CompressionMethod;

    /// `METHOD` LZMA: with an end marker.
    const BY_7ZIP: &str = "\
        1a0205005d0010000000361a4a1f08a026034d07278146e228428f9c58f8121bde15de1b5e97e8dd7c1c\
        5c9616cbdd4ee8594f083f3d392acbb2f311ddb4b46eaf1dc4642fd4ec6ae84ffeef43e197cf4caacf7b\
        3d52df4a11677b154f7796f79edc1d4b6515a321b94ae41c89ca918d9632d0b7baba33cd14351ba63d54\
        c0793565fa5310c441ce6e4728eb932d673102e3c242bec10602c714f7a9a1f314d9a0eea25b2f7ee91a\
        36072843e08fdffb0721f9cfc83a5b17d5049310d523b24ab5177e86e7dd402ef640ada961982fffff30\
        8b2100";
    /// `METHOD` LZMA:eos=off: without one.
    const BY_7ZIP_UNMARKED: &str = "\
        1a0205005d0010000000361a4a1f08a026034d07278146e228428f9c58f8121bde15de1b5e97e8dd7c1c\
        5c9616cbdd4ee8594f083f3d392acbb2f311ddb4b46eaf1dc4642fd4ec6ae84ffeef43e197cf4caacf7b\
        3d52df4a11677b154f7796f79edc1d4b6515a321b94ae41c89ca918d9632d0b7baba33cd14351ba63d54\
        c0793565fa5310c441ce6e4728eb932d673102e3c242bec10602c714f7a9a1f314d9a0eea25b2f7ee91a\
        36072843e08fdffb0721f9cfc83a5b17d5049310d523b24ab5177e86e7dd402ef640ada7c34100";

    /// A stream with an end marker, whose header names a dictionary.
    fn compressed(dictionary_size: u32, content: &[u8]) -> Vec<u8> {
        let mut options = LzmaOptions::new_preset(6).unwrap();
        options.dict_size(dictionary_size.clamp(4096, 1 << 20));
        let mut encoder = Stream::new_lzma_encoder(&options).unwrap();
        let mut alone = Vec::with_capacity(content.len() + content.len() / 2 + 4096);
        let status = encoder.process_vec(content, &mut alone, Action::Finish).unwrap();
        assert_eq!(status, Status::StreamEnd);
        let dictionary = dictionary_size.to_le_bytes();
        [&[9, 4, 5, 0, alone[0]], &dictionary[..], &alone[13..]].concat()
    }

    fn sample(name: &'static str, content: &[u8]) -> Sample {
        let stream = compressed(1 << 16, content);
        let sample = Sample::new(name, CompressionMethod::LZMA, stream, content);
        Sample { has_end_marker: true, ..sample }
    }

    fn by_7zip() -> [Sample; 2] {
        let of = |name, digits| {
            Sample::new(name, CompressionMethod::LZMA, bytes(digits), content_by_7zip())
        };
        let marked = of("7-Zip, with a marker", BY_7ZIP);
        [Sample { has_end_marker: true, ..marked }, of("7-Zip, without", BY_7ZIP_UNMARKED)]
    }

    pub(in crate::decode) fn samples() -> Vec<Sample> {
        by_7zip().to_vec()
    }

    #[test]
    fn streams_are_decoded_however_they_are_cut() {
        for (name, content) in contents() {
            check(&sample(name, &content));
            check_flipped(&sample(name, &content));
        }
        for sample in by_7zip() {
            check(&sample);
            check_flipped(&sample);
        }
    }

    #[test]
    fn the_flag_says_whether_the_end_marker_must_be_there() {
        let [marked, unmarked] = by_7zip();
        let all = 2_000;
        let outcome = |sample: &Sample, has_end_marker| {
            let sample = Sample { has_end_marker, ..sample.clone() };
            decode(&sample, &sample.stream, all, all)
        };
        assert_eq!(outcome(&unmarked, true), Err(Failure::Truncated), "a marker that is missing");
        // Bit 1 of an entry that has a marker all the same: the stream says more than it needs to.
        let whole = Ok((content_by_7zip(), marked.stream.len()));
        assert!(outcome(&marked, false) == whole);
    }

    #[test]
    fn without_a_marker_the_size_ends_the_stream_and_must_be_right() {
        let [_, unmarked] = by_7zip();
        for (len, is_longer) in [(1_099, true), (1_101, false)] {
            let sample = Sample { content: vec![0; len], ..unmarked.clone() };
            if is_longer {
                check_malformed(&sample, 2_000, 2_000);
            } else {
                let outcome = decode(&sample, &sample.stream, 2_000, 2_000);
                assert_eq!(outcome, Err(Failure::Truncated), "{len}");
            }
        }
    }

    #[test]
    fn a_dictionary_over_the_limit_is_refused_before_it_is_made() {
        let limit = 64 << 20;
        for (dictionary_size, is_refused) in
            [(limit, false), (limit + 1, true), (3 << 30, true), (u32::MAX, true)]
        {
            let stream = compressed(dictionary_size, b"hello");
            let declared =
                Declared { uncompressed_size: 5, has_end_marker: true, memory_limit: limit.into() };
            let mut decoder = Lzma::new(declared);
            let mut output = [0; 8];
            let piece = Piece { bytes: &stream, is_last: true };
            let outcome = decoder.decode(piece, &mut output);
            let over = Err(DecodeError::OverLimit { asked: dictionary_size.into() });
            assert_eq!(outcome == over, is_refused, "{dictionary_size}: {outcome:?}");
            assert_eq!(decoder.stream.is_none(), is_refused);
        }
    }

    #[test]
    fn wrong_headers_are_malformed() {
        let good = compressed(1 << 16, b"hello");
        let table: [(&str, usize, u8); 4] = [
            ("properties of 6 bytes", 2, 6),
            ("properties of 261 bytes", 3, 1),
            ("lc, lp and pb out of range", 4, 225),
            ("first byte of the range coder", 9, 1),
        ];
        for (name, at, to) in table {
            let mut stream = good.clone();
            stream[at] = to;
            let sample = Sample::new(name, CompressionMethod::LZMA, stream, b"hello");
            check_malformed(&sample, 1_000, 100);
        }
    }

    proptest! {
        #[test]
        fn decodes_what_an_encoder_wrote(
            content in any_content(), piece in 1usize..500, room in 1usize..500,
        ) {
            let sample = sample("any", &content);
            let whole = Ok((content, sample.stream.len()));
            prop_assert_eq!(decode(&sample, &sample.stream, piece, room), whole);
        }
    }
}
