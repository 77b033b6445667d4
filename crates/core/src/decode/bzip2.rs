//! Method 12: one bzip2 stream, by libbz2 in Rust (`libbz2-rs-sys`).
//!
//! It checks the CRC-32 of each block and of the stream. A second stream behind the first is not
//! read, as 7-Zip and Python's zipfile do not read it either: such an entry breaks
//! [`Rule::DataTrailing`](crate::Rule::DataTrailing).

use bzip2::{Decompress, Status};

use super::{Declared, DecodeError, Piece, Progress};

/// The magic and the level, `1` to `9`: blocks of up to 100,000 bytes for each step.
const HEADER_LEN: usize = 4;

/// Bytes of memory for each byte of a block: one word of the inverse transform.
const BYTES_FOR_EACH: u64 = 4;

/// The decoder.
pub(crate) struct Bzip2 {
    declared: Declared,
    stream: Option<Decompress>,
    finished: bool,
}

impl Bzip2 {
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
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let Some(header) = input.bytes.first_chunk::<HEADER_LEN>() else {
                    return Ok(Progress::default());
                };
                let [b'B', b'Z', b'h', level @ b'1'..=b'9'] = header else {
                    return Err(DecodeError::HEADER);
                };
                let block_len = 100_000 * u64::from(level - b'0');
                self.declared.allow(BYTES_FOR_EACH * block_len)?;
                none.insert(Decompress::new(false))
            }
        };
        let before = (stream.total_in(), stream.total_out());
        match stream.decompress(input.bytes, output) {
            Ok(Status::StreamEnd) => self.finished = true,
            Ok(Status::MemNeeded) => return Err(DecodeError::OutOfMemory),
            Ok(_) => {}
            Err(_) => {
                let produced = (stream.total_out() - before.1) as usize;
                return Err(DecodeError::Malformed { produced });
            }
        }
        // Both differences are at most the lengths of the slices handed in.
        Ok(Progress {
            consumed: (stream.total_in() - before.0) as usize,
            produced: (stream.total_out() - before.1) as usize,
            finished: self.finished,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use bzip2::Compression;
    use proptest::prelude::*;

    use super::super::tests::{
        Sample, any_content, check, check_flipped, check_malformed, contents, decode, text,
    };
    use super::*;
    use crate::method::CompressionMethod;

    fn compressed(level: u32, content: &[u8]) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), Compression::new(level));
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn sample(name: &'static str, level: u32, content: &[u8]) -> Sample {
        Sample::new(name, CompressionMethod::BZIP2, compressed(level, content), content)
    }

    pub(in crate::decode) fn samples() -> Vec<Sample> {
        vec![sample("bzip2", 9, &text(3_000))]
    }

    #[test]
    fn streams_are_decoded_however_they_are_cut() {
        for (name, content) in contents() {
            check(&sample(name, 9, &content));
            check_flipped(&sample(name, 9, &content));
        }
    }

    #[test]
    fn several_blocks_are_one_stream() {
        let content = text(250_000);
        let sample = sample("three blocks", 1, &content);
        let whole = Ok((content, sample.stream.len()));
        assert!(decode(&sample, &sample.stream, 1_000, 60_000) == whole);
    }

    #[test]
    fn the_level_is_the_memory_that_a_stream_asks_for() {
        for level in 1..=9 {
            let stream = compressed(level, b"hello");
            let asked = 400_000 * u64::from(level);
            for (memory_limit, is_refused) in [(asked, false), (asked - 1, true)] {
                let declared =
                    Declared { uncompressed_size: 5, has_end_marker: false, memory_limit };
                let mut decoder = Bzip2::new(declared);
                let mut output = [0; 8];
                let outcome = decoder.decode(Piece { bytes: &stream, is_last: true }, &mut output);
                match is_refused {
                    true => assert_eq!(outcome, Err(DecodeError::OverLimit { asked })),
                    false => assert_eq!(outcome.unwrap().produced, 5),
                }
                assert_eq!(decoder.stream.is_none(), is_refused, "made before it was allowed");
            }
        }
    }

    #[test]
    fn a_second_stream_is_not_read() {
        let mut sample = sample("two streams", 9, b"first");
        let end = sample.stream.len();
        sample.stream.extend(compressed(9, b"second"));
        assert_eq!(decode(&sample, &sample.stream, 1_000, 100), Ok((b"first".to_vec(), end)));
    }

    #[test]
    fn wrong_headers_and_checksums_are_malformed() {
        let good = compressed(9, &text(500));
        let edited = |at: usize, to: u8| {
            let mut stream = good.clone();
            stream[at] = to;
            stream
        };
        let end = good.len() - 2;
        let table: [(&str, Vec<u8>); 5] = [
            ("magic", edited(0, b'b')),
            ("bzip of version 0", edited(2, b'0')),
            ("level 0", edited(3, b'0')),
            ("CRC-32 of the block", edited(10, !good[10])),
            ("CRC-32 of the stream", edited(end, !good[end])),
        ];
        for (name, stream) in table {
            let sample = Sample::new(name, CompressionMethod::BZIP2, stream, text(500));
            check_malformed(&sample, 1_000, 600);
        }
    }

    proptest! {
        #[test]
        fn decodes_what_an_encoder_wrote(
            content in any_content(), level in 1u32..=9, piece in 1usize..500, room in 1usize..500,
        ) {
            let sample = sample("any", level, &content);
            let whole = Ok((content, sample.stream.len()));
            prop_assert_eq!(decode(&sample, &sample.stream, piece, room), whole);
        }
    }
}
