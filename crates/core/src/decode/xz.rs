//! Method 95: one stream in the .xz format, of any number of blocks, by liblzma.
//!
//! Its integrity checks (CRC-32, CRC-64, SHA-256) are verified, and one that liblzma does not know
//! is malformed. A second stream and stream padding are not read: the entry's data ends with the
//! stream's footer.

use liblzma::stream::{Error, Stream, TELL_UNSUPPORTED_CHECK};

use super::liblzma::{OVERHEAD, step};
use super::{Declared, DecodeError, Piece, Progress};

/// The decoder.
pub(crate) struct Xz {
    declared: Declared,
    stream: Option<Box<Stream>>,
    finished: bool,
}

impl Xz {
    pub(super) fn new(declared: Declared) -> Self {
        Self { declared, stream: None, finished: false }
    }

    pub(super) fn decode(
        &mut self,
        input: Piece<'_>,
        output: &mut [u8],
    ) -> Result<Progress, DecodeError> {
        if self.finished || (self.stream.is_none() && input.bytes.is_empty()) {
            return Ok(Progress { finished: self.finished, ..Progress::default() });
        }
        // The dictionary of a block is 2^n or 3 * 2^n bytes, so that what lies within the overhead
        // above a limit of such a size is no larger dictionary.
        let limit = self.declared.memory_limit.saturating_add(OVERHEAD);
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let stream = Stream::new_stream_decoder(limit, TELL_UNSUPPORTED_CHECK)
                    .map_err(|_| DecodeError::OutOfMemory)?;
                none.insert(Box::new(stream))
            }
        };
        let (progress, outcome) = step(stream, input.bytes, output);
        match outcome {
            Ok(()) => self.finished = progress.finished,
            // Before anything of that size is allocated.
            Err(Error::MemLimit) => {
                return Err(DecodeError::OverLimit { asked: asked(stream, limit) });
            }
            Err(Error::Mem) => return Err(DecodeError::OutOfMemory),
            Err(_) => return Err(DecodeError::Malformed { produced: progress.produced }),
        }
        Ok(progress)
    }
}

/// What a stream that `limit` has stopped would take: the least limit that it lets itself be given.
fn asked(stream: &mut Stream, limit: u64) -> u64 {
    let (mut too_little, mut enough) = (limit, u64::MAX);
    while enough - too_little > 1 {
        let middle = too_little + (enough - too_little) / 2;
        match stream.set_memlimit(middle) {
            Ok(()) => enough = middle,
            Err(_) => too_little = middle,
        }
    }
    enough
}

#[cfg(test)]
pub(super) mod tests {
    use liblzma::stream::{Action, Check, Filters, LzmaOptions, Status};
    use proptest::prelude::*;

    use super::super::tests::{
        Failure, Sample, any_content, bytes, check, check_flipped, check_malformed,
        content_by_7zip, contents, decode, text,
    };
    use super::*;
    use crate::method::CompressionMethod;

    /// `METHOD` XZ.
    const BY_7ZIP: &str = "\
        fd377a585a0000016922de360200210100000000372797d6e0044b00c55d00361a4a1f08a026034d0727\
        8146e228428f9c58f8121bde15de1b5e97e8dd7c1c5c9616cbdd4ee8594f083f3d392acbb2f311ddb4b4\
        6eaf1dc4642fd4ec6ae84ffeef43e197cf4caacf7b3d52df4a11677b154f7796f79edc1d4b6515a321b9\
        4ae41c89ca918d9632d0b7baba33cd14351ba63d54c0793565fa5310c441ce6e4728eb932d673102e3c2\
        42bec10602c714f7a9a1f314d9a0eea25b2f7ee91a36072843e08fdffb0721f9cfc83a5b17d5049310d5\
        23b24ab5177e86e7dd402ef640ada7c3410000000000760d5d800001dd01cc0800009af21d623e300d8b\
        020000000001595a";

    /// Where the first block's header states the size of the dictionary, and its CRC-32.
    const DICTIONARY_AT: usize = 16;
    const BLOCK_HEADER: std::ops::Range<usize> = 12..20;

    /// A stream of one block for each part.
    fn compressed(integrity: Check, parts: &[&[u8]]) -> Vec<u8> {
        let mut options = LzmaOptions::new_preset(6).unwrap();
        options.dict_size(1 << 16);
        let mut filters = Filters::new();
        filters.lzma2(&options);
        let mut encoder = Stream::new_stream_encoder(&filters, integrity).unwrap();
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let mut stream = Vec::with_capacity(len + len / 2 + 4096);
        for part in parts {
            let status = encoder.process_vec(part, &mut stream, Action::FullFlush).unwrap();
            assert_eq!(status, Status::StreamEnd);
        }
        assert_eq!(
            encoder.process_vec(&[], &mut stream, Action::Finish).unwrap(),
            Status::StreamEnd
        );
        stream
    }

    fn sample(name: &'static str, integrity: Check, parts: &[&[u8]]) -> Sample {
        let stream = compressed(integrity, parts);
        Sample::new(name, CompressionMethod::XZ, stream, parts.concat())
    }

    fn by_7zip() -> Sample {
        Sample::new("7-Zip", CompressionMethod::XZ, bytes(BY_7ZIP), content_by_7zip())
    }

    pub(in crate::decode) fn samples() -> Vec<Sample> {
        vec![by_7zip()]
    }

    #[test]
    fn streams_are_decoded_however_they_are_cut() {
        for (name, content) in contents() {
            check(&sample(name, Check::Crc64, &[&content]));
            check_flipped(&sample(name, Check::Crc64, &[&content]));
        }
        check(&by_7zip());
        check_flipped(&by_7zip());
    }

    #[test]
    fn blocks_and_integrity_checks_of_every_kind_are_read() {
        let part = text(500);
        for integrity in [Check::None, Check::Crc32, Check::Crc64, Check::Sha256] {
            check(&sample("three blocks", integrity, &[&part, b"x", &part]));
        }
    }

    #[test]
    fn a_wrong_integrity_check_is_malformed() {
        for (name, integrity) in
            [("CRC-32", Check::Crc32), ("CRC-64", Check::Crc64), ("SHA-256", Check::Sha256)]
        {
            let content = text(500);
            let mut sample = sample(name, integrity, &[&content]);
            // Behind the block: index and footer have 20 bytes, the check ends before them.
            let at = sample.stream.len() - 25;
            sample.stream[at] ^= 1;
            check_malformed(&sample, 1_000, 600);
        }
    }

    #[test]
    fn a_dictionary_over_the_limit_is_refused() {
        // (bits of the property, bytes): 2^n for an even one, 3 * 2^(n-1) for an odd one.
        let table: [(u8, u64); 4] =
            [(28, 64 << 20), (29, 96 << 20), (39, 3 << 30), (40, u32::MAX as u64)];
        for (property, dictionary_size) in table {
            let mut stream = compressed(Check::Crc32, &[b"hello"]);
            stream[DICTIONARY_AT] = property;
            let crc = crc32fast::hash(&stream[BLOCK_HEADER]).to_le_bytes();
            stream[BLOCK_HEADER.end..BLOCK_HEADER.end + 4].copy_from_slice(&crc);
            let sample = Sample::new("", CompressionMethod::XZ, stream, b"hello");
            let outcome = decode(&sample, &sample.stream, 1_000, 100);
            if dictionary_size <= 64 << 20 {
                assert_eq!(outcome, Ok((b"hello".to_vec(), sample.stream.len())));
                continue;
            }
            let Err(Failure::Refused(DecodeError::OverLimit { asked })) = outcome else {
                panic!("{dictionary_size}: {outcome:?}");
            };
            let overhead = asked - dictionary_size;
            assert!(overhead < OVERHEAD, "{overhead} bytes beside the dictionary");
        }
    }

    proptest! {
        #[test]
        fn decodes_what_an_encoder_wrote(
            content in any_content(), piece in 1usize..500, room in 1usize..500,
        ) {
            let sample = sample("any", Check::Crc32, &[&content]);
            let whole = Ok((content, sample.stream.len()));
            prop_assert_eq!(decode(&sample, &sample.stream, piece, room), whole);
        }
    }
}
