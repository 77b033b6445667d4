//! Joins the two halves: what the engine knows of an entry, said in RFC 9110's terms, and the bytes
//! that a plan asks for, said in the engine's.

use std::ops::Range;
use std::time::SystemTime;

use bytes::Bytes;
use entryway::{
    CompressionMethod, EntryPlan, Extent, Extraction, Found, Refusal, Source, Standing,
};

use crate::body::{EntryBody, Piece};
use crate::coding::ContentCoding;
use crate::multipart::{Multipart, Segment};
use crate::plan::{Outcome, Plan};
use crate::representation::{RangeSupport, RepresentationMetadata};
use crate::validator::EntityTag;

/// The fixed ten bytes of a gzip member's head (RFC 1952 2.3): DEFLATE, no time, unknown system.
const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// Bytes of a gzip member's trailer: CRC-32 and size modulo 2^32.
const GZIP_TRAILER_LEN: u64 = 8;

/// The largest body, in bytes, that is read and checked whole before its head goes out.
pub const SMALL_BODY_LEN: u64 = 64 * 1024;

/// What is known of an entry's representations.
///
/// An entry that nobody has verified yet is sent as identity and whole; a good one also in ranges,
/// and a deflated one as the gzip representation that its data is but for 18 bytes.
pub fn representation(
    found: &Found,
    archive_sha256: &[u8; 32],
    stored_at: SystemTime,
) -> RepresentationMetadata {
    let is_good = matches!(found.standing, Standing::Good { .. });
    let is_deflated = found.entry.method == CompressionMethod::DEFLATED;
    let data_size = found.entry.declared_compressed_size;
    RepresentationMetadata {
        complete_len: found.entry.declared_uncompressed_size,
        entity_tag: EntityTag::of_entry(archive_sha256, &found.raw_name),
        last_modified: stored_at,
        gzip_len: (is_good && is_deflated && data_size > 0)
            .then(|| data_size + GZIP_HEAD.len() as u64 + GZIP_TRAILER_LEN),
        zstd_len: None,
        ranges: match (is_good, is_deflated) {
            (false, _) => RangeSupport::Whole,
            (true, true) => RangeSupport::Forward,
            (true, false) => RangeSupport::Any,
        },
    }
}

/// The body that a plan asks for; `multipart` is what writing the plan's head gave.
///
/// # Errors
/// The refusal of an entry that is known to be bad.
pub fn body<S: Source>(
    source: S,
    found: &Found,
    plan: &Plan,
    multipart: Option<Multipart>,
) -> Result<EntryBody<S>, Refusal> {
    if !plan.sends_representation() {
        return Ok(EntryBody::empty());
    }
    let segments = match (&plan.outcome, multipart) {
        (Outcome::Part(range), _) => vec![Segment::Representation(*range)],
        (Outcome::Parts(_), Some(multipart)) => multipart.into_segments(),
        _ => return whole(source, found, plan.coding),
    };
    let is_stored = found.entry.method == CompressionMethod::STORED;
    let mut pieces = Vec::new();
    let mut content_parts: Vec<Range<u64>> = Vec::new();
    for segment in segments {
        let range: Range<u64> = match segment {
            Segment::Literal(bytes) => {
                pieces.push(Piece::Literal(bytes));
                continue;
            }
            Segment::Representation(range) => range.into(),
        };
        match (plan.coding, found.data_extent()) {
            (ContentCoding::Gzip, Some(data)) => push_gzip(&mut pieces, found, data, range),
            (ContentCoding::Identity, Some(data)) if is_stored => {
                pieces.push(Piece::Raw(data.start + range.start..data.start + range.end));
            }
            _ => {
                pieces.push(Piece::Content(range.end - range.start));
                content_parts.push(range);
            }
        }
    }
    let extraction = match content_parts.is_empty() {
        true => None,
        false => Some(Extraction::new(EntryPlan::parts(found, content_parts)?)),
    };
    Ok(EntryBody::new(source, pieces, extraction, true))
}

/// The body that a plan asks for of a whole file: an archive as it lies there.
pub fn file_body<S: Source>(source: S, plan: &Plan, multipart: Option<Multipart>) -> EntryBody<S> {
    let whole = 0..source.len();
    pieces_body(source, plan, multipart, whole, Piece::Raw)
}

/// The body of a representation of which any range is one piece: that of the plan, framed where
/// there are several.
pub(crate) fn pieces_body<S: Source>(
    source: S,
    plan: &Plan,
    multipart: Option<Multipart>,
    whole: Range<u64>,
    piece: impl Fn(Range<u64>) -> Piece,
) -> EntryBody<S> {
    if !plan.sends_representation() {
        return EntryBody::empty();
    }
    let pieces = match (&plan.outcome, multipart) {
        (Outcome::Part(range), _) => vec![piece((*range).into())],
        (Outcome::Parts(_), Some(multipart)) => multipart
            .into_segments()
            .into_iter()
            .map(|segment| match segment {
                Segment::Literal(bytes) => Piece::Literal(bytes),
                Segment::Representation(range) => piece(range.into()),
            })
            .collect(),
        _ => vec![piece(whole)],
    };
    EntryBody::new(source, pieces, None, true)
}

/// The body that a plan asks for of bytes in hand: a representation that was read and checked
/// whole.
///
/// The plan's ranges are ranges of `representation`, in the coding that the plan names.
pub fn bytes_body<S: Source>(
    representation: &Bytes,
    plan: &Plan,
    multipart: Option<Multipart>,
) -> EntryBody<S> {
    if !plan.sends_representation() {
        return EntryBody::empty();
    }
    let part = |range: Range<u64>| representation.slice(range.start as usize..range.end as usize);
    match (&plan.outcome, multipart) {
        (Outcome::Part(range), _) => EntryBody::full(part((*range).into())),
        (Outcome::Parts(_), Some(multipart)) => {
            let chunks: Vec<Bytes> = multipart
                .into_segments()
                .into_iter()
                .map(|segment| match segment {
                    Segment::Literal(bytes) => bytes,
                    Segment::Representation(range) => part(range.into()),
                })
                .collect();
            EntryBody::full(chunks.concat().into())
        }
        _ => EntryBody::full(representation.clone()),
    }
}

fn whole<S: Source>(
    source: S,
    found: &Found,
    coding: ContentCoding,
) -> Result<EntryBody<S>, Refusal> {
    if let (ContentCoding::Gzip, Some(data)) = (coding, found.data_extent()) {
        let mut pieces = Vec::with_capacity(3);
        let gzip_len = data.end - data.start + GZIP_HEAD.len() as u64 + GZIP_TRAILER_LEN;
        push_gzip(&mut pieces, found, data, 0..gzip_len);
        return Ok(EntryBody::new(source, pieces, None, true));
    }
    let extraction = Extraction::new(EntryPlan::whole(found)?);
    let pieces = vec![Piece::Content(found.entry.declared_uncompressed_size)];
    // The content's own CRC-32 is checked: it does not rest on the file being unchanged.
    Ok(EntryBody::new(source, pieces, Some(extraction), false))
}

/// The pieces of a range of the gzip representation: head, the data as it lies there, trailer.
fn push_gzip(pieces: &mut Vec<Piece>, found: &Found, data: Extent, range: Range<u64>) {
    let mut trailer = [0; GZIP_TRAILER_LEN as usize];
    trailer[..4].copy_from_slice(&found.entry.declared_crc32.to_le_bytes());
    // RFC 1952 2.3.1: the size modulo 2^32.
    let size = found.entry.declared_uncompressed_size as u32;
    trailer[4..].copy_from_slice(&size.to_le_bytes());
    let head_len = GZIP_HEAD.len() as u64;
    let data_len = data.end - data.start;

    let within = |start: u64, len: u64| {
        let from = range.start.clamp(start, start + len) - start;
        let to = range.end.clamp(start, start + len) - start;
        from..to
    };
    let literal = |bytes: &[u8], part: Range<u64>| {
        Piece::Literal(Bytes::copy_from_slice(&bytes[part.start as usize..part.end as usize]))
    };
    let head_part = within(0, head_len);
    if !head_part.is_empty() {
        pieces.push(literal(&GZIP_HEAD, head_part));
    }
    let data_part = within(head_len, data_len);
    if !data_part.is_empty() {
        pieces.push(Piece::Raw(data.start + data_part.start..data.start + data_part.end));
    }
    let trailer_part = within(head_len + data_len, GZIP_TRAILER_LEN);
    if !trailer_part.is_empty() {
        pieces.push(literal(&trailer, trailer_part));
    }
}
