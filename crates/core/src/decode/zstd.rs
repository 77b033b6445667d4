//! Method 93: frames of zstd (RFC 8878), by libzstd.
//!
//! Any number of frames, skippable ones among them, up to the end of the entry's data. The header
//! of each is read here (RFC 8878 3.1.1), for what it asks for: libzstd has one limit for all and
//! says neither what was asked nor what the largest window was. libzstd verifies the checksum of
//! each frame. It does not verify the content size of a frame whose last block is empty; that is
//! done here. A dictionary cannot be had, so that a frame which names one is malformed.

use zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer};

use super::{Declared, DecodeError, Piece, Progress};
use crate::plan::ZSTD_CODING_WINDOW;

const MAGIC: u32 = 0xfd2f_b528;
/// The first of sixteen.
const SKIPPABLE_MAGIC: u32 = 0x184d_2a50;

/// The largest window logarithm that libzstd can be allowed: windows are bounded here.
const WINDOW_LOG_MAX: u32 = if cfg!(target_pointer_width = "64") { 31 } else { 30 };

/// The decoder.
pub(crate) struct Zstd {
    declared: Declared,
    context: Option<DCtx<'static>>,
    stage: Stage,
    /// Whether there was a frame of any kind.
    has_begun: bool,
    /// The largest window that a frame asked for; `None` before the first.
    largest_window: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    BetweenFrames,
    /// What the frame's header says its content has, and what has come of it.
    Frame {
        declared_size: Option<u64>,
        produced: u64,
    },
    Skipped {
        left: u64,
    },
}

/// What stands at the start of a frame.
#[derive(Debug, PartialEq, Eq)]
enum Header {
    /// The start of a header, or of what could be one.
    Cut,
    /// A frame whose blocks need a window of so many bytes; the header has `len`.
    Frame { len: usize, window: u64, declared_size: Option<u64> },
    /// A frame to be passed over, with its header.
    Skippable { len: u64 },
    /// No frame.
    Foreign,
}

impl Zstd {
    pub(super) fn new(declared: Declared) -> Self {
        Self {
            declared,
            context: None,
            stage: Stage::BetweenFrames,
            has_begun: false,
            largest_window: None,
        }
    }

    /// Whether every window is within what RFC 9659 asks of a sender, and there is one.
    pub(super) fn fits_zstd_coding(&self) -> bool {
        self.largest_window.is_some_and(|window| window <= ZSTD_CODING_WINDOW)
    }

    pub(super) fn decode(
        &mut self,
        input: Piece<'_>,
        output: &mut [u8],
    ) -> Result<Progress, DecodeError> {
        let mut done = Progress::default();
        // Where in the call's output a defect stands.
        let behind = |before: usize| {
            move |error| match error {
                DecodeError::Malformed { produced } => {
                    DecodeError::Malformed { produced: before + produced }
                }
                other => other,
            }
        };
        loop {
            let rest = &input.bytes[done.consumed..];
            match self.stage {
                Stage::BetweenFrames => {
                    if self.has_begun && input.is_last && rest.is_empty() {
                        done.finished = true;
                        return Ok(done);
                    }
                    self.stage = match parse(rest).map_err(behind(done.produced))? {
                        // What cannot be told from a frame is one that is cut short; behind a
                        // frame, anything else is data that no frame takes.
                        Header::Cut => return Ok(done),
                        Header::Foreign if self.has_begun => {
                            done.finished = true;
                            return Ok(done);
                        }
                        Header::Foreign => return Err(DecodeError::HEADER),
                        Header::Skippable { len } => Stage::Skipped { left: len },
                        Header::Frame { len, window, declared_size } => {
                            self.declared.allow(window)?;
                            self.largest_window = self.largest_window.max(Some(window));
                            // Alone: where libzstd has a whole frame in hand it decodes that in one
                            // go, with fewer checks than it makes otherwise.
                            step(&mut self.context, &rest[..len], &mut [])
                                .map_err(behind(done.produced))?;
                            done.consumed += len;
                            Stage::Frame { declared_size, produced: 0 }
                        }
                    };
                    self.has_begun = true;
                }
                Stage::Skipped { left: 0 } => self.stage = Stage::BetweenFrames,
                Stage::Skipped { left } => {
                    let len = left.min(rest.len() as u64);
                    if len == 0 {
                        return Ok(done);
                    }
                    done.consumed += len as usize;
                    self.stage = Stage::Skipped { left: left - len };
                }
                Stage::Frame { declared_size, produced } => {
                    let room = &mut output[done.produced..];
                    let step =
                        step(&mut self.context, rest, room).map_err(behind(done.produced))?;
                    done.consumed += step.consumed;
                    done.produced += step.produced;
                    let produced = produced + step.produced as u64;
                    self.stage = match declared_size {
                        Some(declared) if step.finished && produced != declared => {
                            return Err(DecodeError::Malformed { produced: done.produced });
                        }
                        _ if step.finished => Stage::BetweenFrames,
                        _ => Stage::Frame { declared_size, produced },
                    };
                    let is_stuck = step.consumed == 0 && step.produced == 0;
                    if !step.finished && (is_stuck || done.produced == output.len()) {
                        return Ok(done);
                    }
                }
            }
        }
    }
}

/// One step of libzstd; finished where the frame is.
fn step(
    context: &mut Option<DCtx<'static>>,
    input: &[u8],
    output: &mut [u8],
) -> Result<Progress, DecodeError> {
    let context = match context {
        Some(context) => context,
        none => none.insert(self::context()?),
    };
    let (mut input, mut output) = (InBuffer::around(input), OutBuffer::around(output));
    let hint = context.decompress_stream(&mut output, &mut input);
    let (consumed, produced) = (input.pos(), output.pos());
    let finished = hint.map_err(|code| refused(code, produced))? == 0;
    Ok(Progress { consumed, produced, finished })
}

fn context() -> Result<DCtx<'static>, DecodeError> {
    let mut context = DCtx::try_create().ok_or(DecodeError::OutOfMemory)?;
    context
        .set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))
        .map_err(|code| refused(code, 0))?;
    Ok(context)
}

fn refused(code: zstd_safe::ErrorCode, produced: usize) -> DecodeError {
    // ZSTD_error_memory_allocation; codes are errors counted down from the largest number.
    const MEMORY_ALLOCATION: usize = 64;
    if code == 0usize.wrapping_sub(MEMORY_ALLOCATION) {
        return DecodeError::OutOfMemory;
    }
    DecodeError::Malformed { produced }
}

/// Reads a frame header (RFC 8878 3.1.1.1, 3.1.2).
fn parse(bytes: &[u8]) -> Result<Header, DecodeError> {
    let Some((magic, rest)) = bytes.split_first_chunk() else {
        // With the bytes that are missing put in, it would be one of the two.
        let completed = |magic: u32| {
            let mut all = magic.to_le_bytes();
            all[..bytes.len()].copy_from_slice(bytes);
            u32::from_le_bytes(all)
        };
        let is_cut =
            completed(MAGIC) == MAGIC || completed(SKIPPABLE_MAGIC) & !0xf == SKIPPABLE_MAGIC;
        return Ok(if is_cut { Header::Cut } else { Header::Foreign });
    };
    let magic = u32::from_le_bytes(*magic);
    if magic & !0xf == SKIPPABLE_MAGIC {
        let Some(size) = rest.first_chunk() else { return Ok(Header::Cut) };
        return Ok(Header::Skippable { len: 8 + u64::from(u32::from_le_bytes(*size)) });
    }
    if magic != MAGIC {
        return Ok(Header::Foreign);
    }
    let Some((&descriptor, rest)) = rest.split_first() else { return Ok(Header::Cut) };
    let is_single_segment = descriptor & 1 << 5 != 0;
    let window_len = usize::from(!is_single_segment);
    let dictionary_len = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let content_len = match descriptor >> 6 {
        0 => usize::from(is_single_segment),
        flag => 1 << flag,
    };
    if rest.len() < window_len + dictionary_len + content_len {
        return Ok(Header::Cut);
    }
    let (window, rest) = rest.split_at(window_len);
    let (dictionary, rest) = rest.split_at(dictionary_len);
    let content = &rest[..content_len];
    // A reserved bit that is set; a dictionary that is not zero.
    if descriptor & 1 << 3 != 0 || dictionary.iter().any(|&byte| byte != 0) {
        return Err(DecodeError::HEADER);
    }
    let declared_size = (content_len > 0).then(|| {
        let mut size = [0; 8];
        size[..content_len].copy_from_slice(content);
        u64::from_le_bytes(size) + if content_len == 2 { 256 } else { 0 }
    });
    let window = match window.first() {
        Some(&window) => {
            let base = 1u64 << (10 + (window >> 3));
            base + base / 8 * u64::from(window & 7)
        }
        // A single segment: the window is the content, whose size is then always there.
        None => declared_size.unwrap_or(0),
    };
    let len = 5 + window_len + dictionary_len + content_len;
    Ok(Header::Frame { len, window, declared_size })
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use zstd_safe::{CCtx, CParameter};

    use super::super::tests::{
        Failure, Sample, any_content, check, check_flipped, check_malformed, contents, decode,
        noise, text,
    };
    use super::*;
    use crate::method::CompressionMethod;

    /// A frame with a checksum, with or without the size of its content, as a stream of unknown
    /// length would be written.
    fn frame(content: &[u8], window_log: u32, has_size: bool) -> Vec<u8> {
        let mut context = CCtx::create();
        for parameter in [
            CParameter::CompressionLevel(3),
            CParameter::ChecksumFlag(true),
            CParameter::WindowLog(window_log),
            CParameter::ContentSizeFlag(has_size),
        ] {
            context.set_parameter(parameter).unwrap();
        }
        let mut frame = vec![0; zstd_safe::compress_bound(content.len())];
        let len = context.compress2(&mut frame[..], content).unwrap();
        frame.truncate(len);
        frame
    }

    fn skippable(content: &[u8]) -> Vec<u8> {
        let len = (content.len() as u32).to_le_bytes();
        [&(SKIPPABLE_MAGIC + 7).to_le_bytes()[..], &len, content].concat()
    }

    /// A header of a frame without content size, and one empty raw block, the last.
    fn header_with_window(window: u8) -> Vec<u8> {
        [&MAGIC.to_le_bytes()[..], &[0, window], &[1, 0, 0]].concat()
    }

    fn sample(name: &'static str, stream: impl Into<Vec<u8>>, content: &[u8]) -> Sample {
        Sample::new(name, CompressionMethod::ZSTD, stream, content)
    }

    /// Whether a stream fits the content coding, or why it is not decoded.
    fn fits(stream: &[u8], content_len: usize, memory_limit: u64) -> Result<bool, DecodeError> {
        let declared =
            Declared { uncompressed_size: content_len as u64, has_end_marker: false, memory_limit };
        let mut decoder = Zstd::new(declared);
        let mut output = vec![0; content_len + 1];
        let mut at = 0;
        loop {
            let piece = Piece { bytes: &stream[at..], is_last: true };
            let progress = decoder.decode(piece, &mut output)?;
            at += progress.consumed;
            if progress.finished {
                return Ok(decoder.fits_zstd_coding());
            }
            assert!(progress.consumed + progress.produced > 0, "cut short");
        }
    }

    pub(in crate::decode) fn samples() -> Vec<Sample> {
        let content = text(3_000);
        vec![sample("zstd", frame(&content, 17, true), &content)]
    }

    #[test]
    fn streams_are_decoded_however_they_are_cut() {
        for (name, content) in contents() {
            for has_size in [true, false] {
                let sample = sample(name, frame(&content, 17, has_size), &content);
                check(&sample);
                check_flipped(&sample);
            }
        }
    }

    #[test]
    fn frames_and_skippable_frames_are_read_to_the_end() {
        let (a, b) = (text(500), noise(300));
        let stream = [
            skippable(b"first"),
            frame(&a, 17, true),
            skippable(b""),
            frame(b"", 17, true),
            frame(&b, 17, false),
            skippable(b"last"),
        ];
        let sample = sample("frames", stream.concat(), &[a, b].concat());
        let whole = Ok((sample.content.clone(), sample.stream.len()));
        for piece in 1..sample.stream.len() {
            assert!(decode(&sample, &sample.stream, piece, 900) == whole, "{piece}");
        }
        // Cut within a frame it is cut short; at the end of one it is a shorter content.
        let mut ends = 0;
        for cut in 0..sample.stream.len() {
            match decode(&sample, &sample.stream[..cut], 1_000_000, 900) {
                Ok((_, consumed)) => {
                    assert_eq!(consumed, cut);
                    ends += 1;
                }
                Err(failure) => assert_eq!(failure, Failure::Truncated, "{cut}"),
            }
        }
        assert_eq!(ends, 5);
    }

    #[test]
    fn wrong_frames_are_malformed() {
        let content = text(500);
        let good = frame(&content, 17, true);
        let edited = |at: usize, bits: u8| {
            let mut stream = good.clone();
            stream[at] ^= bits;
            stream
        };
        let end = good.len() - 1;
        let table = [
            ("magic", edited(0, 1)),
            ("the magic of an older version", edited(0, 0x28 ^ 0x27)),
            ("reserved bit", edited(4, 8)),
            ("checksum", edited(end, 1)),
            ("content size", edited(5, 1)),
            ("a size of 1, no content", [&MAGIC.to_le_bytes()[..], &[0x20, 1, 1, 0, 0]].concat()),
            ("a dictionary", [&MAGIC.to_le_bytes()[..], &[1, 0, 9, 1, 0, 0]].concat()),
        ];
        for (name, stream) in table {
            let sample = sample(name, stream, &content);
            check_malformed(&sample, 1_000, 600);
        }
        let zero = [&MAGIC.to_le_bytes()[..], &[1, 0, 0, 1, 0, 0]].concat();
        assert_eq!(fits(&zero, 0, 1 << 10), Ok(true), "dictionary 0 is none");
    }

    #[test]
    fn headers_of_every_form_say_the_window() {
        let magic = MAGIC.to_le_bytes();
        // (name, descriptor and what follows, window)
        let table: [(&str, &[u8], u64); 9] = [
            ("least window", &[0x00, 0x00], 1 << 10),
            ("a mantissa", &[0x00, 0x0b], 2 * 1_024 + 3 * 256),
            ("largest window", &[0x00, 0xff], (1 << 41) + (7 << 38)),
            ("window and dictionary", &[0x03, 0x08, 0, 0, 0, 0], 2 << 10),
            ("window and content size", &[0x80, 0x10, 1, 2, 3, 4], 4 << 10),
            ("size of one byte", &[0x20, 0xff], 255),
            ("size of two bytes", &[0x60, 0x00, 0x01], 256 + 256),
            ("size of four bytes", &[0xa0, 0, 0, 0, 0xc0], 3 << 30),
            ("size of eight bytes", &[0xe0, 1, 0, 0, 0, 0, 0, 0, 0x80], (1 << 63) + 1),
        ];
        for (name, rest, window) in table {
            let header = [&magic[..], rest].concat();
            let Ok(Header::Frame { len, window: found, .. }) = parse(&header) else {
                panic!("{name}: {:?}", parse(&header));
            };
            assert_eq!((len, found), (header.len(), window), "{name}");
            for cut in 0..header.len() {
                assert_eq!(parse(&header[..cut]), Ok(Header::Cut), "{name}, {cut} bytes");
            }
        }
        let skippable = [0x5f, 0x2a, 0x4d, 0x18, 2, 1, 0, 0];
        assert_eq!(parse(&skippable), Ok(Header::Skippable { len: 8 + 258 }));
        for cut in 0..skippable.len() {
            assert_eq!(parse(&skippable[..cut]), Ok(Header::Cut), "{cut} bytes");
        }
        for foreign in [&[0x29u8][..], &[0x28, 0xb5, 0x2e], &[0x5f, 0x2b], &[0; 20]] {
            assert_eq!(parse(foreign), Ok(Header::Foreign), "{foreign:?}");
        }
    }

    #[test]
    fn a_window_over_the_limit_is_refused_before_it_is_made() {
        // 2^(10 + n) for n in the upper five bits.
        let limit = 64 << 20;
        for (window, asked) in [(16 << 3, 64 << 20), (16 << 3 | 1, 72 << 20), (22 << 3, 4 << 30)] {
            let outcome = fits(&header_with_window(window), 0, limit);
            if asked <= limit {
                assert_eq!(outcome, Ok(false));
            } else {
                assert_eq!(outcome, Err(DecodeError::OverLimit { asked }));
            }
        }
        // The content itself is the window of a single segment; and of any frame, not the first.
        let single = [&MAGIC.to_le_bytes()[..], &[0xa0, 0, 0, 0, 0xc0]].concat();
        let over = Err(DecodeError::OverLimit { asked: 3 << 30 });
        assert_eq!(fits(&single, 0, limit), over);
        assert_eq!(fits(&[frame(b"x", 17, true), single].concat(), 1, limit), over);
        let declared =
            Declared { uncompressed_size: 0, has_end_marker: false, memory_limit: limit };
        let mut decoder = Zstd::new(declared);
        let stream = header_with_window(22 << 3);
        assert!(decoder.decode(Piece { bytes: &stream, is_last: true }, &mut [0]).is_err());
        assert!(decoder.context.is_none(), "made before it was allowed");
    }

    #[test]
    fn the_state_keeps_to_its_bound() {
        let content = noise(10 << 20);
        for window_log in [10, 17, 20, 23] {
            let stream = frame(&content, window_log, false);
            let declared = Declared {
                uncompressed_size: content.len() as u64,
                has_end_marker: false,
                memory_limit: 1 << window_log,
            };
            let mut decoder = Zstd::new(declared);
            let mut output = vec![0; content.len()];
            let piece = Piece { bytes: &stream, is_last: true };
            assert!(decoder.decode(piece, &mut output).unwrap().finished && output == content);
            let bound =
                CompressionMethod::ZSTD.decoder_memory_bound(content.len() as u64, 1 << window_log);
            let kept = decoder.context.unwrap().sizeof() as u64;
            assert!(kept <= bound, "{kept} bytes of {bound}");
        }
    }

    #[test]
    fn windows_of_up_to_8_mib_fit_the_content_coding() {
        let small = frame(&text(100), 17, true);
        let table: [(&str, Vec<u8>, usize, bool); 5] = [
            ("small", small.clone(), 100, true),
            ("8 MiB", header_with_window(13 << 3), 0, true),
            ("9 MiB", header_with_window(13 << 3 | 1), 0, false),
            ("small and 9 MiB", [small, header_with_window(13 << 3 | 1)].concat(), 100, false),
            ("no frame but a skippable one", skippable(b"nothing"), 0, false),
        ];
        for (name, stream, content_len, expected) in table {
            assert_eq!(fits(&stream, content_len, 64 << 20), Ok(expected), "{name}");
        }
    }

    proptest! {
        #[test]
        fn decodes_what_an_encoder_wrote(
            contents in proptest::collection::vec(any_content(), 1..4), has_size in any::<bool>(),
            piece in 1usize..500, room in 1usize..500,
        ) {
            let stream = contents.iter().map(|content| frame(content, 17, has_size));
            let sample = sample("any", stream.collect::<Vec<_>>().concat(), &contents.concat());
            let whole = Ok((contents.concat(), sample.stream.len()));
            prop_assert_eq!(decode(&sample, &sample.stream, piece, room), whole);
        }
    }
}
