//! What every decoder is put through; the tests of each method call this with streams of theirs.

use bytes::Bytes;
use entryway_testkit::builder;
use entryway_testkit::fixtures::{crc32, deflate};
use proptest::prelude::*;

use super::*;
use crate::archive::Archive;
use crate::error::{Error, Refusal, Rule};
use crate::limits::{Limit, Limits};
use crate::plan::Standing;

/// A stream as the directory would describe it.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) method: CompressionMethod,
    pub(super) has_end_marker: bool,
    pub(super) stream: Vec<u8>,
    pub(super) content: Vec<u8>,
}

impl Sample {
    pub(super) fn new(
        name: &'static str,
        method: CompressionMethod,
        stream: impl Into<Vec<u8>>,
        content: impl Into<Vec<u8>>,
    ) -> Self {
        let (stream, content) = (stream.into(), content.into());
        Self { name, method, has_end_marker: false, stream, content }
    }

    pub(super) fn declared(&self) -> Declared {
        Declared {
            uncompressed_size: self.content.len() as u64,
            has_end_marker: self.has_end_marker,
            memory_limit: 64 << 20,
        }
    }
}

/// How a stream that gave no content ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It wants input, and there is none.
    Truncated,
    /// It gives more than the declared size.
    Long,
    Refused(DecodeError),
}

/// Decodes as an extraction does, over windows that `windows` cuts and with the given room: content
/// and bytes consumed. `windows` says where the input in hand ends that starts at an offset.
fn decode_windows(
    sample: &Sample,
    stream: &[u8],
    room: usize,
    windows: impl Fn(usize) -> usize,
) -> Result<(Vec<u8>, usize), Failure> {
    let declared = sample.declared();
    let mut decoder = Decoder::new(sample.method, declared).expect("the method is built");
    let mut output = vec![0; room];
    let (mut content, mut at) = (Vec::new(), 0);
    let mut end = windows(0).min(stream.len());
    loop {
        let piece = Piece { bytes: &stream[at..end], is_last: end == stream.len() };
        let progress = decoder.decode(piece, &mut output).map_err(Failure::Refused)?;
        assert!(progress.consumed <= piece.bytes.len() && progress.produced <= room);
        content.extend_from_slice(&output[..progress.produced]);
        at += progress.consumed;
        if content.len() as u64 > declared.uncompressed_size {
            return Err(Failure::Long);
        }
        if progress.finished {
            let again = decoder.decode(Piece { bytes: &stream[at..end], ..piece }, &mut output);
            assert_eq!(again, Ok(Progress { finished: true, ..Progress::default() }));
            return Ok((content, at));
        }
        if progress.consumed == 0 && progress.produced == 0 {
            if piece.is_last {
                return Err(Failure::Truncated);
            }
            assert!(end - at < LOOKAHEAD, "{}: {} bytes do not do", sample.name, end - at);
            end = windows(end).max(end + 1).min(stream.len());
        }
    }
}

pub(super) fn decode(
    sample: &Sample,
    stream: &[u8],
    piece: usize,
    room: usize,
) -> Result<(Vec<u8>, usize), Failure> {
    decode_windows(sample, stream, room, |at| at + piece)
}

/// Decodes a stream in such pieces, into so much room, that must turn out to be malformed.
pub(super) fn check_malformed(sample: &Sample, piece: usize, room: usize) {
    let outcome = decode(sample, &sample.stream, piece, room);
    let is_malformed = matches!(outcome, Err(Failure::Refused(DecodeError::Malformed { .. })));
    assert!(is_malformed, "{}: {outcome:?}", sample.name);
}

/// Everything that holds of a good stream, however it is cut.
pub(super) fn check(sample: &Sample) {
    let Sample { name, stream, content, .. } = sample;
    let whole = Ok((content.clone(), stream.len()));
    let all = content.len() + 1;
    assert!(decode(sample, stream, stream.len(), all) == whole, "{name}: whole");
    assert!(decode(sample, stream, 1, all) == whole, "{name}: byte by byte in");
    assert!(decode(sample, stream, stream.len(), 1) == whole, "{name}: byte by byte out");
    assert!(decode(sample, stream, 1, 1) == whole, "{name}: byte by byte");
    // Each cut takes the whole stream's time: short streams at every offset, others at some.
    let step = 1 + stream.len() * (stream.len() + content.len()) / 4_000_000;
    for cut in (0..=stream.len()).step_by(step) {
        let halves = |at| if at < cut { cut } else { stream.len() };
        assert!(decode_windows(sample, stream, all, halves) == whole, "{name}: in at {cut}");
    }
    for room in (1..=content.len()).step_by(1 + content.len() / 100) {
        assert!(decode(sample, stream, stream.len(), room) == whole, "{name}: out at {room}");
    }
    for cut in (0..stream.len()).step_by(step) {
        for piece in [stream.len(), 7] {
            let outcome = decode(sample, &stream[..cut], piece, all);
            assert!(
                matches!(outcome, Err(Failure::Truncated)),
                "{name}: cut at {cut}, {:?}",
                outcome.map(|(content, at)| (content.len(), at))
            );
        }
    }
    // No first byte of any format's magic.
    for behind in [0, 0xaa, 0xff] {
        let longer = [&stream[..], &[behind; 9]].concat();
        for (len, piece) in [(1, 1_000_000), (1, 1), (9, 1_000_000), (9, 1)] {
            let outcome = decode(sample, &longer[..stream.len() + len], piece, all);
            assert!(outcome == whole, "{name}: {len} bytes of {behind} behind");
        }
    }
}

/// Flips bits: nothing panics, gives more than was declared, or depends on how the input is cut.
pub(super) fn check_flipped(sample: &Sample) {
    let Sample { name, stream, content, .. } = sample;
    let step = 1 + stream.len() / 50;
    for at in (0..stream.len()).step_by(step) {
        for bit in [0, 3, 7] {
            let mut flipped = stream.clone();
            flipped[at] ^= 1 << bit;
            let whole = decode(sample, &flipped, flipped.len(), content.len() + 1);
            let pieces = decode(sample, &flipped, 5, 100);
            match (&whole, &pieces) {
                (Ok(whole), Ok(pieces)) => assert!(whole == pieces, "{name}: byte {at}"),
                (Err(Failure::Refused(DecodeError::OverLimit { asked })), pieces) => {
                    let failure = Failure::Refused(DecodeError::OverLimit { asked: *asked });
                    assert!(*pieces == Err(failure), "{name}: byte {at}");
                }
                (Err(_), Err(_)) => {}
                _ => panic!(
                    "{name}: byte {at} bit {bit}: {:?} whole, {:?} in pieces",
                    whole.map(|(content, at)| (content.len(), at)),
                    pieces.map(|(content, at)| (content.len(), at))
                ),
            }
        }
    }
}

pub(super) fn text(len: usize) -> Vec<u8> {
    (0u32..)
        .flat_map(|i| format!("line {} of {}\n", i, i.wrapping_mul(2_654_435_761)).into_bytes())
        .take(len)
        .collect()
}

pub(super) fn noise(len: usize) -> Vec<u8> {
    let mut state = 1u64;
    std::iter::repeat_with(|| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(len)
    .collect()
}

/// Bytes written as hexadecimal digits.
pub(super) fn bytes(digits: &str) -> Vec<u8> {
    let value = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.as_bytes().chunks(2).map(value).collect()
}

/// What the files of 7-Zip hold whose data stands in the tests of the methods.
///
/// They were made by 7-Zip 26.02, `7z a -tzip -mm=METHOD sample.zip sample.txt`, with the method as
/// each says.
pub(super) fn content_by_7zip() -> Vec<u8> {
    let start = text(400);
    [&start[..], &start, &[b'x'; 300]].concat()
}

/// Contents that are nothing, short, compressible, incompressible and repetitive.
pub(super) fn contents() -> [(&'static str, Vec<u8>); 6] {
    [
        ("nothing", Vec::new()),
        ("one byte", vec![b'x']),
        ("a little text", text(900)),
        ("text", text(70_000)),
        ("noise", noise(3_000)),
        ("zeros", vec![0; 150_000]),
    ]
}

/// Contents of some structure, for properties.
pub(super) fn any_content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..600),
        proptest::collection::vec(0u8..4, 0..4_000),
        (proptest::collection::vec(any::<u8>(), 1..40), 1usize..300)
            .prop_map(|(unit, times)| unit.repeat(times)),
    ]
}

#[test]
fn deflate_streams_are_decoded_however_they_are_cut() {
    for (name, content) in contents() {
        let stream = deflate(6, &content);
        let sample = Sample::new(name, CompressionMethod::DEFLATED, stream, content);
        check(&sample);
        check_flipped(&sample);
    }
}

#[test]
fn decoders_can_move_between_threads() {
    fn is_send<T: Send + Sync>() {}
    is_send::<Decoder>();
}

/// A stream of each method that is built.
fn samples() -> Vec<Sample> {
    let content = text(3_000);
    let stream = deflate(6, &content);
    let deflated = Sample::new("deflate", CompressionMethod::DEFLATED, stream, content);
    [
        vec![deflated],
        #[cfg(feature = "deflate64")]
        deflate64::tests::samples(),
        #[cfg(feature = "bzip2")]
        bzip2::tests::samples(),
        #[cfg(feature = "lzma")]
        lzma::tests::samples(),
        #[cfg(feature = "xz")]
        xz::tests::samples(),
        #[cfg(feature = "zstd")]
        zstd::tests::samples(),
        #[cfg(feature = "ppmd")]
        ppmd::tests::samples(),
    ]
    .concat()
}

/// The entry that a sample makes in an archive.
fn entry_of(sample: &Sample) -> builder::Entry {
    let Sample { method, stream, content, .. } = sample;
    let len = content.len() as u64;
    builder::Entry::raw("a", method.0, stream.clone(), crc32(content), len)
        .flags(if sample.has_end_marker { 2 } else { 0 })
}

/// The content of the one entry of an archive, or why it is refused.
fn read(entry: builder::Entry, limits: Limits) -> Result<Vec<u8>, Refusal> {
    let bytes = Bytes::from(builder::Archive::new().entry(entry).build());
    let archive = Archive::open_within(bytes, limits).unwrap();
    let found = archive.find(b"a").unwrap().unwrap();
    let refused = |error| match error {
        Error::Entry(refusal) => refusal,
        other => panic!("{other:?}"),
    };
    let mut reader = archive.read(&found).map_err(refused)?;
    let mut content = Vec::new();
    while let Some(chunk) = reader.next_chunk().map_err(refused)? {
        content.extend_from_slice(&chunk);
    }
    Ok(content)
}

#[test]
fn every_method_is_held_to_the_directorys_numbers_in_the_same_way() {
    for sample in samples() {
        let entry = || entry_of(&sample);
        assert_eq!(read(entry(), Limits::default()), Ok(sample.content.clone()), "{}", sample.name);
        let len = sample.content.len() as u64;
        let cut = sample.stream[..sample.stream.len() - 1].to_vec();
        let more = [&sample.stream[..], &[0]].concat();
        // What ends an LZMA stream without a marker is the declared size itself.
        let has_end = sample.method != CompressionMethod::LZMA || sample.has_end_marker;
        let (long, short) = match has_end {
            true => (Rule::DataLong, Rule::DataShort),
            false => (Rule::Data, Rule::DataTruncated),
        };
        let table = [
            ("CRC-32", builder::Entry { crc32: 1, ..entry() }, Rule::Crc),
            ("too few", builder::Entry { uncompressed_len: len - 1, ..entry() }, long),
            ("too many", builder::Entry { uncompressed_len: len + 1, ..entry() }, short),
            ("cut by a byte", builder::Entry { data: cut, ..entry() }, Rule::DataTruncated),
            ("a byte more", builder::Entry { data: more, ..entry() }, Rule::DataTrailing),
        ];
        for (name, entry, rule) in table {
            let refusal = read(entry, Limits::default()).unwrap_err();
            assert_eq!(refusal.rule, rule, "{}, {name}: {refusal}", sample.name);
        }
        let no_data = builder::Entry { crc32: 0, uncompressed_len: 0, data: Vec::new(), ..entry() };
        let may_be_no_data =
            [CompressionMethod::DEFLATED, CompressionMethod::ZSTD].contains(&sample.method);
        let outcome = read(no_data, Limits::default());
        match may_be_no_data {
            true => assert_eq!(outcome, Ok(Vec::new())),
            false => assert_eq!(outcome.unwrap_err().rule, Rule::DataTruncated, "{}", sample.name),
        }
    }
}

#[test]
fn a_flipped_bit_never_gives_another_content() {
    for sample in samples() {
        for at in 0..sample.stream.len() {
            let mut entry = entry_of(&sample);
            entry.data[at] ^= 1 << (at % 8);
            if let Ok(content) = read(entry, Limits::default()) {
                assert!(content == sample.content, "{}: byte {at}", sample.name);
            }
        }
    }
}

#[test]
fn what_a_stream_asks_for_is_held_to_the_limit_with_both_numbers() {
    // The dictionary of the sample in XZ is smaller than what liblzma counts beside it.
    for sample in samples().into_iter().filter(|it| it.method != CompressionMethod::XZ) {
        let limits = Limits { decoder_memory: 100, ..Limits::default() };
        let has_fixed_memory =
            [CompressionMethod::DEFLATED, CompressionMethod::DEFLATE64].contains(&sample.method);
        match read(entry_of(&sample), limits) {
            Ok(_) => assert!(has_fixed_memory, "{}", sample.name),
            Err(refusal) => {
                assert_eq!(refusal.rule, Rule::EntryOverLimit, "{}: {refusal}", sample.name);
                assert_eq!(refusal.limit, Some(Limit::DecoderMemory));
                assert_eq!(refusal.declared, 100);
                assert!(refusal.actual > 100 && !has_fixed_memory, "{refusal}");
                assert!(refusal.to_string().contains(Limit::DecoderMemory.flag()));
            }
        }
    }
}

#[test]
fn only_zstd_may_go_out_as_the_content_coding_of_that_name() {
    for sample in samples() {
        let bytes = Bytes::from(builder::Archive::new().entry(entry_of(&sample)).build());
        let archive = Archive::open(bytes).unwrap();
        let mut standing = None;
        archive.verify(|_| {}, |_, it| standing = Some(it)).unwrap();
        let Some(Standing::Good { fits_zstd_coding, .. }) = standing else {
            panic!("{}: {standing:?}", sample.name);
        };
        assert_eq!(fits_zstd_coding, sample.method == CompressionMethod::ZSTD, "{}", sample.name);
    }
}

#[test]
fn a_size_that_no_stream_of_the_method_has_is_refused_unread() {
    let limits = Limits { expansion_free: 0, ..Limits::default() };
    for sample in samples() {
        let most = sample.stream.len() as u64 * sample.method.expansion_bound();
        let with = |uncompressed_len| builder::Entry { uncompressed_len, ..entry_of(&sample) };
        let over = read(with(most + 1), limits).unwrap_err();
        assert_eq!((over.rule, over.limit), (Rule::EntryOverLimit, Some(Limit::ExpansionRatio)));
        assert_eq!((over.declared, over.actual), (most, most + 1), "{}", sample.name);
        let within = read(with(most), limits).unwrap_err();
        assert_ne!(within.rule, Rule::EntryOverLimit, "{}: {within}", sample.name);
        // A ratio of the operator's counts for every method.
        let policy = Limits { expansion_ratio: 1, ..limits };
        assert_eq!(read(entry_of(&sample), policy).unwrap_err().rule, Rule::EntryOverLimit);
    }
}

#[test]
fn the_memory_bound_grows_with_the_limit_only_where_the_method_asks_for_memory() {
    let bound = |method: CompressionMethod, size, limit| method.decoder_memory_bound(size, limit);
    for sample in samples() {
        let method = sample.method;
        let (none, some) = (bound(method, 1 << 40, 0), bound(method, 1 << 40, 1 << 20));
        let has_fixed_memory =
            [CompressionMethod::DEFLATED, CompressionMethod::DEFLATE64].contains(&method);
        assert_eq!(some - none, if has_fixed_memory { 0 } else { 1 << 20 }, "{}", sample.name);
        assert!(none > 0 && bound(method, 1 << 40, u64::MAX) >= some);
    }
    assert_eq!(bound(CompressionMethod::STORED, 1 << 40, u64::MAX), 0);
    assert!(bound(CompressionMethod::BZIP2, 1 << 40, u64::MAX) < 4 << 20);
    assert!(
        bound(CompressionMethod::LZMA, 100, u64::MAX) < 128 << 10,
        "what is longer is not used"
    );
}
