//! Arbitrary request heads against arbitrary metadata, and against entries of a small archive.
//!
//! 1. Every field is read without a panic, alone and in a head.
//! 2. The plan keeps its promises: ranges lie inside the representation, are disjoint and few, and
//!    cover what was asked for and nothing else; only codings that both sides have are chosen. Which
//!    ranges and which precondition it has to be is held by the targets `range` and `preconditions`.
//! 3. The head says exactly how long the body is, whatever the lengths.
//! 4. The body of that plan is the slices of the representation that the plan names.

use std::future::Future;
use std::io::Read;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use entryway::source::testing::Sluggish;
use entryway::{Archive, Found, Source, Standing};
use entryway_http::{
    AcceptEncoding, ByteRange, ContentCoding, EntityTag, EntryBody, EntryHeaders, HttpDate,
    MAX_PARTS, Multipart, Outcome, Plan, RangeDecision, RangeSet, RangeSupport,
    RepresentationMetadata, RequestHead, RequestTag, Segment, attachment, body, bytes_body, plan,
    representation,
};
use entryway_testkit::builder::{Archive as Zip, Entry};
use entryway_testkit::fixtures::{crc32, noise, text};
use http::header::{
    ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE, VARY,
};
use http::{Method, StatusCode};

/// The request fields that an answer depends on, by the letter that begins their line in an input.
pub const FIELDS: [(u8, HeaderName); 7] = [
    (b'r', RANGE),
    (b'i', IF_RANGE),
    (b'a', ACCEPT_ENCODING),
    (b'm', IF_MATCH),
    (b'n', IF_NONE_MATCH),
    (b's', IF_MODIFIED_SINCE),
    (b'u', IF_UNMODIFIED_SINCE),
];

/// The entity tag of everything here: short, so that a fuzzer can write it.
pub const TAG: &str = "t";

/// The date of everything here: Sun, 06 Nov 1994 08:49:37 GMT.
#[must_use]
pub fn last_modified() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(784_111_777)
}

/// An input: what the entry is, and the request's fields.
///
/// Its bytes: one of flags, one that chooses the entry of the archive, 8 of length, 4 of coded
/// length, both little-endian; then a line for each field, its letter and its value.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    /// Whether the method is HEAD instead of GET.
    pub is_head: bool,
    /// Whether the entry has a gzip representation.
    pub has_gzip: bool,
    /// Whether the entry has a zstd representation.
    pub has_zstd: bool,
    /// Which ranges of the identity representation can be sent.
    pub ranges: RangeSupport,
    /// Which entry of the archive is served.
    pub entry: u8,
    /// Length of the identity representation in bytes; at most 2^63 - 1.
    pub complete_len: u64,
    /// Length of the coded representations in bytes.
    pub coded_len: u32,
    /// Letters of [`FIELDS`] and values.
    pub fields: Vec<(u8, &'a [u8])>,
}

/// Bytes before the lines.
const FIXED_LEN: usize = 14;

impl<'a> Input<'a> {
    /// Reads an input; `None` where it is too short.
    pub fn parse(input: &'a [u8]) -> Option<Self> {
        let (fixed, lines) = input.split_first_chunk::<FIXED_LEN>()?;
        let [flags, entry, len @ .., c0, c1, c2, c3] = *fixed;
        let fields = lines.split(|&byte| byte == b'\n').filter_map(|line| {
            let (&letter, value) = line.split_first()?;
            Some((letter, value))
        });
        Some(Self {
            is_head: flags & 1 != 0,
            has_gzip: flags & 2 != 0,
            has_zstd: flags & 4 != 0,
            ranges: match flags >> 3 & 3 {
                0 => RangeSupport::Whole,
                1 => RangeSupport::Forward,
                _ => RangeSupport::Any,
            },
            entry,
            complete_len: u64::from_le_bytes(len) & (u64::MAX >> 1),
            coded_len: u32::from_le_bytes([c0, c1, c2, c3]),
            fields: fields.collect(),
        })
    }

    /// The bytes that [`Input::parse`] reads as this.
    pub fn to_bytes(&self) -> Vec<u8> {
        let ranges = match self.ranges {
            RangeSupport::Whole => 0,
            RangeSupport::Forward => 1,
            RangeSupport::Any => 2,
        };
        let flags = u8::from(self.is_head)
            | u8::from(self.has_gzip) << 1
            | u8::from(self.has_zstd) << 2
            | ranges << 3;
        let mut out = vec![flags, self.entry];
        out.extend_from_slice(&self.complete_len.to_le_bytes());
        out.extend_from_slice(&self.coded_len.to_le_bytes());
        for (letter, value) in &self.fields {
            out.push(*letter);
            out.extend_from_slice(value);
            out.push(b'\n');
        }
        out
    }

    /// The fields that can stand in a head.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (letter, value) in &self.fields {
            let field = FIELDS.iter().find(|(known, _)| known == letter);
            if let (Some((_, name)), Ok(value)) = (field, HeaderValue::from_bytes(value)) {
                headers.append(name, value);
            }
        }
        headers
    }
}

/// Checks one input.
///
/// # Panics
/// Where a promise is broken: a finding.
pub fn check(input: &[u8]) {
    let Some(input) = Input::parse(input) else { return };
    for (_, value) in &input.fields {
        check_value(value, input.complete_len);
    }
    let headers = input.headers();
    let method = if input.is_head { Method::HEAD } else { Method::GET };
    let head = RequestHead { method: &method, headers: &headers };
    let coded_len = u64::from(input.coded_len);
    let metadata = RepresentationMetadata {
        complete_len: input.complete_len,
        entity_tag: EntityTag::new(TAG).expect("a letter"),
        last_modified: last_modified(),
        gzip_len: input.has_gzip.then_some(coded_len),
        zstd_len: input.has_zstd.then_some(coded_len / 2),
        ranges: input.ranges,
    };
    let planned = plan(&head, &metadata);
    check_plan(&head, &metadata, &planned);
    check_head(metadata, &planned);
    check_body(&head, input.entry);
}

/// One value, whatever field it stands in.
fn check_value(value: &[u8], complete_len: u64) {
    if let Some(tag) = RequestTag::parse(value) {
        assert!(tag.opaque.len() < value.len());
    }
    let _ = HttpDate::parse(value);
    let disposition = attachment(value, &String::from_utf8_lossy(value));
    assert!(disposition.as_bytes().starts_with(b"attachment"));
    let Some(set) = RangeSet::parse(value) else { return };
    assert!(!set.specs().is_empty());
    let resolved: Vec<ByteRange> =
        set.specs().iter().filter_map(|spec| spec.resolve(complete_len)).collect();
    match set.decide(complete_len, RangeSupport::Any) {
        RangeDecision::Part(part) => check_parts(&[part], &resolved, complete_len),
        RangeDecision::Parts(parts) => {
            assert!(parts.len() > 1);
            check_parts(&parts, &resolved, complete_len);
        }
        RangeDecision::NotSatisfiable => assert!(resolved.is_empty()),
        // Too many parts, or a suffix of nothing.
        RangeDecision::Ignore => assert!(resolved.len() > MAX_PARTS || complete_len == 0),
    }
    assert_eq!(set.decide(complete_len, RangeSupport::Whole), RangeDecision::Ignore);
}

/// The parts are inside, disjoint and few, and are the union of what was asked for.
fn check_parts(parts: &[ByteRange], resolved: &[ByteRange], complete_len: u64) {
    check_disjoint(parts, complete_len);
    for asked in resolved {
        let within = |part: &&ByteRange| part.start() <= asked.start() && asked.end() <= part.end();
        assert_eq!(parts.iter().filter(within).count(), 1, "{asked:?} is in {parts:?} once");
    }
    for part in parts {
        // Coalesced ranges overlap or touch: from the start on, each reaches into the next.
        let mut reached = part.start();
        while let Some(further) = resolved
            .iter()
            .filter(|asked| asked.start() <= reached && asked.end() > reached)
            .map(|asked| asked.end())
            .max()
        {
            reached = further;
        }
        assert_eq!(reached, part.end(), "{part:?} was not asked for");
    }
}

fn check_disjoint(parts: &[ByteRange], complete_len: u64) {
    assert!(parts.len() <= MAX_PARTS);
    let mut sorted = parts.to_vec();
    sorted.sort_by_key(|part| part.start());
    assert!(sorted.windows(2).all(|pair| pair[0].end() < pair[1].start()), "{parts:?} touch");
    assert!(sorted.last().is_none_or(|last| last.end() <= complete_len), "{parts:?} reach out");
    let sum: u128 = parts.iter().map(|part| u128::from(part.len())).sum();
    assert!(sum <= u128::from(complete_len));
}

/// What a plan says whatever the request.
fn check_plan(head: &RequestHead<'_>, metadata: &RepresentationMetadata, planned: &Plan) {
    let accept = AcceptEncoding::from_headers(head.headers);
    let length = metadata.length(planned.coding).expect("a coding that the entry has");
    let support = metadata.range_support(planned.coding);
    assert_eq!(planned.is_head_only, head.method == Method::HEAD);
    assert_eq!(planned.is_error(), planned.status().is_client_error());
    assert_eq!(&plan(head, metadata), planned, "the same request, another plan");
    if planned.outcome != Outcome::NotAcceptable {
        assert!(accept.accepts(planned.coding), "{:?} was refused", planned.coding);
    }
    let has_ranges = match &planned.outcome {
        Outcome::Part(part) => {
            check_disjoint(&[*part], length);
            true
        }
        Outcome::Parts(parts) => {
            assert!(parts.len() > 1);
            check_disjoint(parts, length);
            assert!(support == RangeSupport::Any || parts.is_sorted_by_key(|part| part.start()));
            true
        }
        Outcome::NotSatisfiable => true,
        Outcome::NotAcceptable => {
            assert!(
                !ContentCoding::BY_COST
                    .iter()
                    .any(|&coding| { metadata.has(coding) && accept.accepts(coding) })
            );
            false
        }
        Outcome::Whole | Outcome::NotModified | Outcome::PreconditionFailed => false,
    };
    if has_ranges {
        assert!(head.method == Method::GET && support != RangeSupport::Whole);
        assert!(RangeSet::from_headers(head.headers).is_some());
    }
}

/// The head that a plan comes to, and the framing it gives.
fn check_head(metadata: RepresentationMetadata, planned: &Plan) {
    let length = metadata.length(planned.coding).expect("a coding that the entry has");
    let tag = metadata.entity_tag(planned.coding).to_header_value();
    let (entry, headers, multipart) = written(metadata, planned);
    assert_eq!(headers[VARY], "Accept-Encoding");
    assert_eq!(entry.metadata().length(planned.coding), Some(length));
    let content_length =
        headers.get(CONTENT_LENGTH).map(|value| value.to_str().unwrap().parse::<u64>().unwrap());
    let (expected, has_tag) = match &planned.outcome {
        Outcome::Whole => (Some(length), true),
        Outcome::Part(part) => {
            assert_eq!(headers[CONTENT_RANGE], part.content_range(length));
            (Some(part.len()), true)
        }
        Outcome::Parts(parts) => {
            let multipart = multipart.as_ref().expect("parts are framed");
            check_framing(multipart, parts);
            (Some(multipart.content_len()), true)
        }
        Outcome::NotModified => (None, true),
        Outcome::NotSatisfiable => {
            assert_eq!(headers[CONTENT_RANGE], format!("bytes */{length}"));
            (None, false)
        }
        Outcome::PreconditionFailed | Outcome::NotAcceptable => (None, false),
    };
    assert_eq!(content_length, expected);
    assert_eq!(headers.get(ETAG), has_tag.then_some(&tag));
    assert_eq!(multipart.is_some(), matches!(planned.outcome, Outcome::Parts(_)));
}

fn check_framing(multipart: &Multipart, parts: &[ByteRange]) {
    let framed: Vec<ByteRange> = multipart
        .segments()
        .iter()
        .filter_map(|segment| match segment {
            Segment::Representation(range) => Some(*range),
            Segment::Literal(_) => None,
        })
        .collect();
    assert_eq!(framed, parts);
    let sum: u128 = multipart
        .segments()
        .iter()
        .map(|segment| match segment {
            Segment::Representation(range) => u128::from(range.len()),
            Segment::Literal(bytes) => bytes.len() as u128,
        })
        .sum();
    assert_eq!(u128::from(multipart.content_len()), sum);
}

fn written(
    metadata: RepresentationMetadata,
    planned: &Plan,
) -> (EntryHeaders, HeaderMap, Option<Multipart>) {
    let content_type = HeaderValue::from_static("text/plain; charset=utf-8");
    let entry = EntryHeaders::new(metadata, content_type, HeaderValue::from_static("attachment"));
    let mut headers = HeaderMap::new();
    let cache_control = HeaderValue::from_static("no-cache");
    let multipart = entry.write(planned, &cache_control, &mut headers);
    (entry, headers, multipart)
}

/// A verified entry of the archive, and the representations of it as they are.
struct Served {
    found: Found,
    identity: Bytes,
    gzip: Option<Bytes>,
    zstd: Option<Bytes>,
}

/// A zstd frame of blocks that are not compressed (RFC 8878 3.1.1), with a window of 128 KiB.
fn zstd_frame(content: &[u8]) -> Vec<u8> {
    const BLOCK_LEN: usize = 100_000;
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, (17 - 10) << 3];
    let mut left = content;
    loop {
        let (block, rest) = left.split_at(left.len().min(BLOCK_LEN));
        let header = (block.len() as u32) << 3 | u32::from(rest.is_empty());
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.extend_from_slice(block);
        if rest.is_empty() {
            return frame;
        }
        left = rest;
    }
}

/// The archive that bodies come from, and its entries: stored, deflated and in zstd, within one
/// fetch and over several, and none at all.
static SERVED: LazyLock<(Bytes, Vec<Served>)> = LazyLock::new(|| {
    let long = 3 * entryway::FETCH_LEN as usize;
    let contents = [text(700, 1), text(3_000, 2), text(long, 3), noise(long / 2, 4), Vec::new()];
    let mut zip = Zip::new();
    for (index, content) in contents.iter().enumerate() {
        zip = zip
            .entry(Entry::stored(format!("stored/{index}"), content))
            .entry(Entry::deflated(format!("deflated/{index}"), content))
            .entry(Entry::raw(
                format!("zstd/{index}"),
                entryway::CompressionMethod::ZSTD.0,
                zstd_frame(content),
                crc32(content),
                content.len() as u64,
            ));
    }
    let bytes = Bytes::from(zip.build());
    let archive = Archive::open(bytes.clone()).expect("a good archive");
    let mut entries = Vec::new();
    archive.verify(|_| {}, |entry, standing| entries.push((*entry, standing))).expect("memory");
    let served = entries.into_iter().zip(contents.iter().flat_map(|it| [it, it, it]));
    let served = served.map(|((entry, standing), content)| {
        assert!(matches!(standing, Standing::Good { .. }), "{standing:?}");
        let found = Found { standing, ..archive.describe(&entry) };
        let gzip = coded_representation(&bytes, &found, ContentCoding::Gzip);
        if let Some(gzip) = &gzip {
            assert!(gunzipped(gzip) == *content, "the gzip representation is another file");
        }
        let zstd = coded_representation(&bytes, &found, ContentCoding::Zstd);
        let is_zstd = found.entry.method == entryway::CompressionMethod::ZSTD;
        assert_eq!(zstd.is_some(), is_zstd, "a window of 128 KiB fits the coding");
        assert!(zstd.as_ref().is_none_or(|zstd| *zstd == zstd_frame(content)));
        Served { found, identity: Bytes::from(content.clone()), gzip, zstd }
    });
    let served = served.collect();
    (bytes, served)
});

/// What a gzip file holds, and nothing behind it.
///
/// # Panics
/// Where it is none.
#[must_use]
pub fn gunzipped(mut gzip: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    flate2::bufread::GzDecoder::new(&mut gzip).read_to_end(&mut decoded).expect("gzip");
    assert!(gzip.is_empty(), "{} bytes behind the first member", gzip.len());
    decoded
}

fn coded_representation(bytes: &Bytes, found: &Found, coding: ContentCoding) -> Option<Bytes> {
    let plan = Plan { outcome: Outcome::Whole, coding, is_head_only: false };
    let coded_len = representation(found, &[0; 32], UNIX_EPOCH).length(coding)?;
    let body = body(bytes.clone(), found, &plan, None).expect("a good entry");
    let coded = collected(body).expect("a good entry");
    assert_eq!(coded.len() as u64, coded_len);
    Some(coded)
}

/// The body for a real entry is what the plan says of its representation.
fn check_body(head: &RequestHead<'_>, entry: u8) {
    let (bytes, served) = &*SERVED;
    let served = &served[usize::from(entry) % served.len()];
    let metadata = RepresentationMetadata {
        entity_tag: EntityTag::new(TAG).expect("a letter"),
        ..representation(&served.found, &[0; 32], last_modified())
    };
    let planned = plan(head, &metadata);
    check_plan(head, &metadata, &planned);
    let (_, headers, multipart) = written(metadata, &planned);

    let whole = match planned.coding {
        ContentCoding::Identity => &served.identity,
        ContentCoding::Gzip => served.gzip.as_ref().expect("planned as gzip"),
        ContentCoding::Zstd => served.zstd.as_ref().expect("planned as zstd"),
    };
    let slice = |range: ByteRange| &whole[range.start() as usize..range.end() as usize];
    let expected: Bytes = match (&planned.outcome, &multipart) {
        _ if !planned.sends_representation() => Bytes::new(),
        (Outcome::Part(range), _) => Bytes::copy_from_slice(slice(*range)),
        (Outcome::Parts(_), Some(multipart)) => multipart
            .segments()
            .iter()
            .flat_map(|segment| match segment {
                Segment::Literal(bytes) => bytes,
                Segment::Representation(range) => slice(*range),
            })
            .copied()
            .collect(),
        _ => whole.clone(),
    };
    if planned.sends_representation() {
        assert_eq!(headers[CONTENT_LENGTH], expected.len().to_string());
        let is_partial = planned.status() == StatusCode::PARTIAL_CONTENT;
        assert!(is_partial || expected.len() == whole.len());
    }
    let good = "a good entry";
    let waiting = Sluggish { inner: bytes.clone(), step: 1 };
    let at_once = body(bytes.clone(), &served.found, &planned, multipart.clone()).expect(good);
    let waited_for = body(waiting, &served.found, &planned, multipart.clone()).expect(good);
    let in_hand: EntryBody<Bytes> = bytes_body(whole, &planned, multipart);
    assert_eq!(at_once.remaining(), expected.len() as u64);
    // Not assert_eq: these are large.
    assert!(collected(at_once).as_ref() == Some(&expected), "read at once, {planned:?}");
    assert!(collected(waited_for).as_ref() == Some(&expected), "waited for, {planned:?}");
    assert!(collected(in_hand).as_ref() == Some(&expected), "in hand, {planned:?}");
}

/// Whether a body that let others have their turn wants its own again.
#[derive(Default)]
struct Turn(AtomicBool);

impl Wake for Turn {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// All bytes of a body that never has to wait for them; `None` where it ends in an error.
///
/// # Panics
/// Where it waits, and nobody wakes it.
pub fn collected<S: Source>(body: EntryBody<S>) -> Option<Bytes> {
    let turn = Arc::new(Turn::default());
    let waker = Waker::from(Arc::clone(&turn));
    let mut collecting = pin!(body.into_bytes());
    loop {
        match collecting.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => return outcome.ok(),
            Poll::Pending => {
                assert!(turn.0.swap(false, Ordering::Relaxed), "memory keeps nobody waiting");
            }
        }
    }
}
