//! Method 98: PPMd, variant I, revision 1 (APPNOTE 5.10), by `ppmd-rust`.
//!
//! That decoder pulls its input byte by byte and cannot stop within a symbol. So a symbol is
//! decoded only while as much input is in hand as the longest one takes, or all there is.
//!
//! The stream must end in its end marker, with a clean range coder. 7-Zip writes the marker, and
//! PPMd itself cannot end a stream otherwise.

use std::io::{self, Read};

use ppmd_rust::{Error, Ppmd8Decoder, RestoreMethod};

use super::{Declared, DecodeError, LOOKAHEAD, Piece, Progress};

/// The parameters, and what the range decoder starts with.
const PARAMETERS_LEN: usize = 2;
const START_LEN: usize = PARAMETERS_LEN + 4;

const ORDER_MIN: u32 = 2;

/// The most input that one symbol takes, in bytes: 54.
///
/// A model of order 16, the highest, has contexts of 17 orders above one another, each of which may
/// answer with an escape before one answers with the symbol: at most 17 escapes and the symbol, and
/// the range is brought back to its least size after each of them, 18 times.
///
/// Each time takes 3 bytes at most. The range is at least 1 then, and grows by a factor of 256 with
/// each byte. A byte goes because the highest bytes of both ends agree, so that the range is below
/// 2^24, or because it is below 2^15. After three bytes of the first kind it is at least 2^24. One
/// of the second kind first sets it to the distance d, 1 <= d < 2^15, to the next multiple of 2^15;
/// as the ends differ in their highest byte, that is a multiple of 2^24, and from then on the upper
/// end is 2^32 itself: no more of the first kind, and two of the second make it at least 2^16. At
/// most one of the first kind comes before them, as two leave at least 2^16.
///
/// A stream that no encoder writes could hold more; it is malformed, wherever its pieces end.
const SYMBOL_INPUT_MAX: usize = (17 + 1) * 3;
const _: () = assert!(SYMBOL_INPUT_MAX <= LOOKAHEAD && START_LEN <= LOOKAHEAD);

/// Input copied at once to where the decoder reads it.
const FED_LEN: usize = 4 * 1024;

/// The decoder.
pub(crate) struct Ppmd {
    declared: Declared,
    model: Option<Box<Ppmd8Decoder<Fed>>>,
    finished: bool,
}

impl Ppmd {
    pub(super) fn new(declared: Declared) -> Self {
        Self { declared, model: None, finished: false }
    }

    pub(super) fn decode(
        &mut self,
        input: Piece<'_>,
        output: &mut [u8],
    ) -> Result<Progress, DecodeError> {
        let Some(model) = &mut self.model else {
            let Some(start) = input.bytes.first_chunk::<START_LEN>() else {
                return Ok(Progress::default());
            };
            self.model = Some(open(start, &self.declared)?);
            return Ok(Progress { consumed: START_LEN, ..Progress::default() });
        };
        let mut done = Progress::default();
        while !self.finished && done.produced < output.len() {
            let fed = model.get_mut();
            if fed.left() < SYMBOL_INPUT_MAX {
                done.consumed += fed.feed(&input.bytes[done.consumed..]);
                let is_all = input.is_last && done.consumed == input.bytes.len();
                if fed.left() < SYMBOL_INPUT_MAX && !is_all {
                    break;
                }
            }
            fed.for_symbol = SYMBOL_INPUT_MAX;
            let room = &mut output[done.produced..][..1];
            match model.read(room) {
                Ok(0) if model.get_ref().has_run_out => break,
                Ok(0) => self.finished = true,
                Ok(_) => done.produced += 1,
                Err(_) => return Err(DecodeError::Malformed { produced: done.produced }),
            }
        }
        // All of it came with this call.
        done.consumed -= model.get_mut().give_back();
        done.finished = self.finished;
        Ok(done)
    }
}

/// Makes the model that the parameters ask for.
fn open(
    start: &[u8; START_LEN],
    declared: &Declared,
) -> Result<Box<Ppmd8Decoder<Fed>>, DecodeError> {
    let [low, high, range @ ..] = *start;
    let parameters = u32::from(u16::from_le_bytes([low, high]));
    let order = (parameters & 0xf) + 1;
    let model_size = ((parameters >> 4 & 0xff) + 1) << 20;
    // 2 freezes a model that is full; only the first PPMd could.
    let restore = match parameters >> 12 {
        0 => RestoreMethod::Restart,
        1 => RestoreMethod::CutOff,
        _ => return Err(DecodeError::HEADER),
    };
    if order < ORDER_MIN {
        return Err(DecodeError::HEADER);
    }
    declared.allow(model_size.into())?;
    let mut fed = Fed::new();
    fed.feed(&range);
    fed.for_symbol = range.len();
    match Ppmd8Decoder::new(fed, order, model_size, restore) {
        Ok(model) => Ok(Box::new(model)),
        Err(Error::MemoryAllocation) => Err(DecodeError::OutOfMemory),
        Err(_) => Err(DecodeError::HEADER),
    }
}

/// Input where the model reads it.
struct Fed {
    bytes: Box<[u8; FED_LEN]>,
    at: usize,
    end: usize,
    /// What the symbol being decoded may still take.
    for_symbol: usize,
    /// Whether a byte was wanted when there was none.
    has_run_out: bool,
}

impl Fed {
    fn new() -> Self {
        Self { bytes: Box::new([0; FED_LEN]), at: 0, end: 0, for_symbol: 0, has_run_out: false }
    }

    fn left(&self) -> usize {
        self.end - self.at
    }

    /// Takes input in, as much as there is room for; says how much.
    fn feed(&mut self, input: &[u8]) -> usize {
        self.bytes.copy_within(self.at..self.end, 0);
        (self.at, self.end) = (0, self.left());
        let len = input.len().min(FED_LEN - self.end);
        self.bytes[self.end..self.end + len].copy_from_slice(&input[..len]);
        self.end += len;
        len
    }

    /// Forgets what was not read; says how much.
    fn give_back(&mut self) -> usize {
        let left = self.left();
        (self.at, self.end) = (0, 0);
        left
    }
}

impl Read for Fed {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let Some(byte) = room.first_mut() else { return Ok(0) };
        if self.left() == 0 {
            self.has_run_out = true;
            return Ok(0);
        }
        let Some(for_symbol) = self.for_symbol.checked_sub(1) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        self.for_symbol = for_symbol;
        *byte = self.bytes[self.at];
        self.at += 1;
        Ok(1)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use ppmd_rust::Ppmd8Encoder;
    use proptest::prelude::*;

    use super::super::tests::{
        Sample, any_content, bytes, check, check_flipped, check_malformed, content_by_7zip,
        contents, decode, noise,
    };
    use super::*;
    use crate::method::CompressionMethod;

    /// `METHOD` PPMd:mem=1m.
    const BY_7ZIP: &str = "\
        07006bfb719c4c24927ab55fe6a134efa05941709397bc9e8e4188f0e39fa21dbd3f59d5cb8d60666a21\
        f0a62cf86f9e8c83e404792b82eb3ce8723ad7fbacc430761929a6b10c16705dbb61fa46c7fd0924a33d\
        60ee53cfde00ca0ff90ad5e403c46e19be605c216bf0f87e2ebf53e3ebe5c41494314864a57da6186ca9\
        aab108e10bae4d8096e8a1c62288fc10f26c87a2600761ff57c1a11a10da76aa7980aad2c0dac9a21139\
        9c98fe000000000796d1fb7dfa78d059776d6800";

    fn parameters(order: u16, mebibytes: u16, restore: u16) -> [u8; 2] {
        ((order - 1) | (mebibytes - 1) << 4 | restore << 12).to_le_bytes()
    }

    fn compressed(order: u16, restore: u16, content: &[u8], has_end_marker: bool) -> Vec<u8> {
        let stream = parameters(order, 1, restore).to_vec();
        let mut encoder = Ppmd8Encoder::new(stream, order.into(), 1 << 20, restore.into()).unwrap();
        encoder.write_all(content).unwrap();
        encoder.finish(has_end_marker).unwrap()
    }

    fn sample(name: &'static str, order: u16, restore: u16, content: &[u8]) -> Sample {
        let stream = compressed(order, restore, content, true);
        Sample::new(name, CompressionMethod::PPMD, stream, content)
    }

    fn by_7zip() -> Sample {
        Sample::new("7-Zip", CompressionMethod::PPMD, bytes(BY_7ZIP), content_by_7zip())
    }

    pub(in crate::decode) fn samples() -> Vec<Sample> {
        vec![by_7zip()]
    }

    #[test]
    fn streams_are_decoded_however_they_are_cut() {
        for (name, content) in contents() {
            check(&sample(name, 6, 0, &content));
            check_flipped(&sample(name, 6, 0, &content));
        }
        check(&by_7zip());
        check_flipped(&by_7zip());
    }

    #[test]
    fn no_symbol_takes_more_input_than_is_waited_for() {
        // Noise after a long run is where the most contexts have to be left for one symbol.
        let mut content = vec![b'a'; 5_000];
        for byte in noise(3_000) {
            content.extend([byte, b'a', b'a', b'a', b'a']);
        }
        for (order, restore) in [(2, 0), (16, 0), (16, 1)] {
            let sample = sample("noise in a run", order, restore, &content);
            let whole = Ok((content.clone(), sample.stream.len()));
            for piece in [1, SYMBOL_INPUT_MAX - 1, 1_000_000] {
                assert!(decode(&sample, &sample.stream, piece, 1_000) == whole, "{order}, {piece}");
            }
        }
    }

    #[test]
    fn a_model_that_is_full_starts_anew_or_is_cut_off() {
        let content = noise(400_000);
        for restore in [0, 1] {
            let sample = sample("more than 1 MiB of model", 16, restore, &content);
            let whole = Ok((content.clone(), sample.stream.len()));
            assert!(decode(&sample, &sample.stream, 64 * 1024, 60 * 1024) == whole, "{restore}");
        }
    }

    #[test]
    fn a_stream_without_its_end_marker_does_not_finish() {
        let content = content_by_7zip();
        let stream = compressed(6, 0, &content, false);
        let sample = Sample::new("no marker", CompressionMethod::PPMD, stream, content);
        let outcome = decode(&sample, &sample.stream, 1_000_000, 2_000);
        assert!(outcome.is_err(), "{outcome:?}");
    }

    #[test]
    fn a_model_over_the_limit_is_refused_before_it_is_made() {
        for (mebibytes, is_refused) in [(64, false), (65, true), (256, true)] {
            let mut stream = compressed(6, 0, b"hello", true);
            stream[..2].copy_from_slice(&parameters(6, mebibytes, 0));
            let declared =
                Declared { uncompressed_size: 5, has_end_marker: false, memory_limit: 64 << 20 };
            let mut decoder = Ppmd::new(declared);
            let piece = Piece { bytes: &stream, is_last: true };
            let outcome = decoder.decode(piece, &mut [0; 8]);
            let over = Err(DecodeError::OverLimit { asked: u64::from(mebibytes) << 20 });
            assert_eq!(outcome == over, is_refused, "{mebibytes}: {outcome:?}");
            assert_eq!(decoder.model.is_none(), is_refused);
        }
    }

    #[test]
    fn wrong_parameters_are_malformed() {
        let good = compressed(6, 0, b"hello", true);
        let with = |parameters: [u8; 2]| [&parameters[..], &good[2..]].concat();
        let table = [
            ("order 1", with(parameters(1, 1, 0))),
            ("a model that freezes", with(parameters(6, 1, 2))),
            ("a range without a number in it", [&good[..2], &[0xff; 8]].concat()),
        ];
        for (name, stream) in table {
            let sample = Sample::new(name, CompressionMethod::PPMD, stream, b"hello");
            check_malformed(&sample, 1_000, 100);
        }
    }

    proptest! {
        #[test]
        fn decodes_what_an_encoder_wrote(
            content in any_content(), order in 2u16..=16, restore in 0u16..2,
            piece in 1usize..500, room in 1usize..500,
        ) {
            let sample = sample("any", order, restore, &content);
            let whole = Ok((content, sample.stream.len()));
            prop_assert_eq!(decode(&sample, &sample.stream, piece, room), whole);
        }

        #[test]
        fn any_bytes_come_to_the_same_however_they_are_cut(
            bytes in proptest::collection::vec(any::<u8>(), 0..400), order in 2u16..=16,
            piece in 1usize..80,
        ) {
            let stream = [&parameters(order, 1, 0)[..], &bytes].concat();
            let sample = Sample::new("any", CompressionMethod::PPMD, stream, vec![0; 5_000]);
            let whole = decode(&sample, &sample.stream, 1_000, 6_000);
            let pieces = decode(&sample, &sample.stream, piece, 100);
            prop_assert_eq!(whole.is_ok(), pieces.is_ok());
            if let (Ok(whole), Ok(pieces)) = (whole, pieces) {
                prop_assert_eq!(whole, pieces);
            }
        }
    }
}
