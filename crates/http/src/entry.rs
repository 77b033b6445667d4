//! Joins the two halves: what the engine knows of an entry, said in RFC 9110's terms, and the bytes
//! that a plan asks for, said in the engine's.

use std::ops::Range;
use std::time::SystemTime;

use bytes::Bytes;
use entryway::{
    CompressionMethod, EntryPlan, Error, Extent, Extraction, Found, Refusal, Source, Standing,
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

/// Bytes of state that the decoder of any entry may take. One that may take more, since its data
/// asks for a dictionary, a window or a model, is what a server with many clients counts.
pub const SMALL_DECODER_LEN: u64 = 256 * 1024;

/// What is known of an entry's representations.
///
/// An entry that nobody has verified yet is sent as identity and whole; a good one also in ranges,
/// a deflated one as the gzip representation that its data is but for 18 bytes, and one of zstd as
/// the zstd representation that its data is, where its windows are what a client must have.
pub fn representation(
    found: &Found,
    archive_sha256: &[u8; 32],
    stored_at: SystemTime,
) -> RepresentationMetadata {
    let (is_good, fits_zstd_coding) = match found.standing {
        Standing::Good { fits_zstd_coding, .. } => (true, fits_zstd_coding),
        Standing::Unverified | Standing::Bad(_) => (false, false),
    };
    let method = found.entry.method;
    // No data is no stream: some producers write none for an empty file.
    let data_size = Some(found.entry.declared_compressed_size).filter(|&size| size > 0);
    RepresentationMetadata {
        complete_len: found.entry.declared_uncompressed_size,
        entity_tag: EntityTag::of_entry(archive_sha256, &found.raw_name),
        last_modified: stored_at,
        gzip_len: data_size
            .filter(|_| is_good && method == CompressionMethod::DEFLATED)
            .map(|data_size| data_size + GZIP_HEAD.len() as u64 + GZIP_TRAILER_LEN),
        zstd_len: data_size.filter(|_| fits_zstd_coding && method == CompressionMethod::ZSTD),
        ranges: match (is_good, method) {
            (false, _) => RangeSupport::Whole,
            (true, CompressionMethod::STORED) => RangeSupport::Any,
            (true, _) => RangeSupport::Forward,
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
            (ContentCoding::Zstd, Some(data)) => pieces.push(raw(&data, &range)),
            (ContentCoding::Identity, Some(data)) if is_stored => pieces.push(raw(&data, &range)),
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
    Ok(EntryBody::new(source, pieces, extraction, true).decoding(found.entry.method))
}

/// A range of an entry's data as it lies there.
fn raw(data: &Extent, range: &Range<u64>) -> Piece {
    Piece::Raw(data.start + range.start..data.start + range.end)
}

/// As [`body`], read as far as can be told before the head goes out whether the entry is good.
///
/// The whole content of up to [`SMALL_BODY_LEN`] is read and checked; a longer one is begun where
/// [`begins_before_head`] says so. Nothing is read that the body would not read.
///
/// # Errors
/// The refusal of an entry that is bad, or what reading it came to.
pub async fn begun_body<S: Source>(
    source: S,
    found: &Found,
    plan: &Plan,
    multipart: Option<Multipart>,
) -> Result<EntryBody<S>, Error> {
    let body = body(source, found, plan, multipart)?;
    let is_whole = plan.outcome == Outcome::Whole && plan.coding == ContentCoding::Identity;
    if is_whole && body.remaining() <= SMALL_BODY_LEN {
        return Ok(EntryBody::full(body.into_bytes().await?));
    }
    match begins_before_head(found) {
        true => body.begun().await,
        false => Ok(body),
    }
}

/// Whether content is read as far as its first chunk before the head of an answer goes out: that of
/// an entry that nobody has verified, and that of a large decoder, since an entry that was verified
/// under another limit may ask for more than this one allows.
pub fn begins_before_head(found: &Found) -> bool {
    let is_good = matches!(found.standing, Standing::Good { .. });
    !is_good || found.decoder_memory_bound() > SMALL_DECODER_LEN
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
    match (coding, found.data_extent()) {
        (ContentCoding::Gzip, Some(data)) => {
            let mut pieces = Vec::with_capacity(3);
            let gzip_len = data.end - data.start + GZIP_HEAD.len() as u64 + GZIP_TRAILER_LEN;
            push_gzip(&mut pieces, found, data, 0..gzip_len);
            return Ok(EntryBody::new(source, pieces, None, true));
        }
        (ContentCoding::Zstd, Some(data)) => {
            return Ok(EntryBody::new(source, vec![Piece::Raw(data)], None, true));
        }
        _ => {}
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

#[cfg(test)]
mod tests {
    use entryway::Archive;
    use entryway_testkit::builder::{self, Entry};
    use std::time::UNIX_EPOCH;

    use super::*;

    const LIMIT: u64 = 64 << 20;

    /// An entry of 100,000 bytes that takes `data_len` in the archive; its data is never looked at.
    fn found(method: CompressionMethod, data_len: usize, standing: Standing) -> Found {
        let data = vec![0; data_len];
        let zip = builder::Archive::new().entry(Entry::raw("a", method.0, data, 7, 100_000));
        let archive = Archive::open(Bytes::from(zip.build())).unwrap();
        let entry = archive.directory().entries().next().unwrap();
        Found { standing, decoder_memory: LIMIT, ..archive.describe(&entry) }
    }

    fn good(fits_zstd_coding: bool) -> Standing {
        Standing::Good { data_offset: 31, is_text: false, fits_zstd_coding }
    }

    #[test]
    fn each_method_is_sent_as_it_stands() {
        use CompressionMethod as Method;
        use RangeSupport::{Any, Forward, Whole};
        let unverified = Standing::Unverified;
        let none = (None, None);
        let rows = [
            ("stored, unverified", Method::STORED, 900, unverified, none, Whole),
            ("stored", Method::STORED, 900, good(false), none, Any),
            ("deflated, unverified", Method::DEFLATED, 900, unverified, none, Whole),
            ("deflated", Method::DEFLATED, 900, good(false), (Some(918), None), Forward),
            ("deflated, no data", Method::DEFLATED, 0, good(false), none, Forward),
            ("zstd, unverified", Method::ZSTD, 900, unverified, none, Whole),
            ("zstd", Method::ZSTD, 900, good(true), (None, Some(900)), Forward),
            ("zstd of large windows", Method::ZSTD, 900, good(false), none, Forward),
            ("zstd, no data", Method::ZSTD, 0, good(true), none, Forward),
            ("deflate64", Method::DEFLATE64, 900, good(false), none, Forward),
            ("bzip2, unverified", Method::BZIP2, 900, unverified, none, Whole),
            ("bzip2", Method::BZIP2, 900, good(false), none, Forward),
            ("LZMA", Method::LZMA, 900, good(false), none, Forward),
            ("XZ", Method::XZ, 900, good(false), none, Forward),
            ("PPMd", Method::PPMD, 900, good(false), none, Forward),
        ];
        for (name, method, data_len, standing, (gzip_len, zstd_len), ranges) in rows {
            let found = found(method, data_len, standing);
            let metadata = representation(&found, &[7; 32], UNIX_EPOCH);
            assert_eq!(metadata.complete_len, 100_000, "{name}");
            assert_eq!(metadata.gzip_len, gzip_len, "{name}");
            assert_eq!(metadata.zstd_len, zstd_len, "{name}");
            assert_eq!(metadata.ranges, ranges, "{name}");
        }
    }

    #[test]
    fn what_begins_before_the_head_is_unverified_or_has_a_large_decoder() {
        use CompressionMethod as Method;
        let rows = [
            ("stored, unverified", Method::STORED, Standing::Unverified, true),
            ("deflated, unverified", Method::DEFLATED, Standing::Unverified, true),
            ("stored", Method::STORED, good(false), false),
            ("deflated", Method::DEFLATED, good(false), false),
            ("deflate64", Method::DEFLATE64, good(false), false),
            ("bzip2", Method::BZIP2, good(false), true),
            ("XZ", Method::XZ, good(false), true),
            ("zstd", Method::ZSTD, good(true), true),
        ];
        for (name, method, standing, expected) in rows {
            assert_eq!(begins_before_head(&found(method, 900, standing)), expected, "{name}");
        }
    }
}
