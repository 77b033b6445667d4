//! The framing of several ranges in one body: multipart/byteranges (RFC 9110 14.6).

use bytes::Bytes;
use http::header::HeaderValue;
use sha2::{Digest, Sha256};

use crate::coding::ContentCoding;
use crate::field;
use crate::range::ByteRange;
use crate::validator::{EntityTag, hex};

/// One piece of a multipart body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Framing: these very bytes.
    Literal(Bytes),
    /// These bytes of the selected representation.
    Representation(ByteRange),
}

/// A multipart/byteranges body: framing and ranges in the order to send them.
///
/// ```text
/// --BOUNDARY CRLF  part head CRLF CRLF  bytes of range 1
/// CRLF --BOUNDARY CRLF  part head CRLF CRLF  bytes of range 2
/// CRLF --BOUNDARY-- CRLF
/// ```
///
/// A part's head is Content-Type, Content-Range and, in a coded representation, Content-Encoding:
/// in the head of the whole answer it would say that the framing is compressed too.
///
/// ```
/// use bytes::Bytes;
/// use entryway_http::{ByteRange, ContentCoding, EntityTag, Multipart, Segment};
/// use http::HeaderValue;
///
/// let ranges = [ByteRange::new(0, 2).unwrap(), ByteRange::new(6, 10).unwrap()];
/// let tag = EntityTag::new("v1").unwrap();
/// let text = HeaderValue::from_static("text/plain");
/// let body = Multipart::new(&tag, ContentCoding::Identity, &ranges, 10, &text);
/// let ranges = body.segments().iter().filter(|it| matches!(it, Segment::Representation(_)));
/// assert_eq!(ranges.count(), 2);
/// assert_eq!(body.segments().len(), 5);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multipart {
    boundary: String,
    segments: Vec<Segment>,
    content_len: u64,
}

impl Multipart {
    /// Frames `ranges` of the representation in `coding`, which is `complete_len` bytes long and
    /// of type `content_type`. `entity_tag` is identity's, as in the metadata.
    ///
    /// The boundary is 128 bits of the SHA-256 of tag, coding and ranges: the same request meets
    /// the same one, no random numbers are needed, and data that contains it would have to know
    /// the hash of itself.
    pub fn new(
        entity_tag: &EntityTag,
        coding: ContentCoding,
        ranges: &[ByteRange],
        complete_len: u64,
        content_type: &HeaderValue,
    ) -> Self {
        let mut digest = Sha256::new();
        digest.update(entity_tag.opaque());
        digest.update(coding.tag_suffix());
        for range in ranges {
            digest.update(range.start().to_be_bytes());
            digest.update(range.end().to_be_bytes());
        }
        let boundary = hex(&digest.finalize()[..16]);

        let mut segments = Vec::with_capacity(2 * ranges.len() + 1);
        for (index, range) in ranges.iter().enumerate() {
            let mut head = Vec::with_capacity(256);
            if index > 0 {
                head.extend_from_slice(b"\r\n");
            }
            for piece in [
                b"--".as_slice(),
                boundary.as_bytes(),
                b"\r\nContent-Type: ",
                content_type.as_bytes(),
                b"\r\nContent-Range: ",
                range.content_range(complete_len).as_bytes(),
            ] {
                head.extend_from_slice(piece);
            }
            if let Some(coding) = coding.to_header_value() {
                head.extend_from_slice(b"\r\nContent-Encoding: ");
                head.extend_from_slice(coding.as_bytes());
            }
            head.extend_from_slice(b"\r\n\r\n");
            segments.push(Segment::Literal(head.into()));
            segments.push(Segment::Representation(*range));
        }
        segments.push(Segment::Literal(format!("\r\n--{boundary}--\r\n").into()));

        let lengths = segments.iter().map(|segment| match segment {
            Segment::Literal(bytes) => bytes.len() as u64,
            Segment::Representation(range) => range.len(),
        });
        // The sum fits: disjoint ranges of at most 2^63 - 1 bytes, and less than a KiB a part.
        let content_len = lengths.fold(0, u64::saturating_add);
        Self { boundary, segments, content_len }
    }

    /// The value of Content-Type for the answer.
    pub fn content_type(&self) -> HeaderValue {
        field::ascii_value(format!("multipart/byteranges; boundary={}", self.boundary))
    }

    /// Length of the body in bytes, exactly: the value of Content-Length.
    pub fn content_len(&self) -> u64 {
        self.content_len
    }

    /// The body's pieces in order.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The body's pieces in order, to be walked by a body.
    pub fn into_segments(self) -> Vec<Segment> {
        self.segments
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TYPE: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

    fn ranges(pairs: &[(u64, u64)]) -> Vec<ByteRange> {
        pairs.iter().map(|&(start, end)| ByteRange::new(start, end).unwrap()).collect()
    }

    fn written(multipart: &Multipart, representation: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        for segment in multipart.segments() {
            match segment {
                Segment::Literal(bytes) => body.extend_from_slice(bytes),
                Segment::Representation(range) => {
                    let (start, end) = (range.start() as usize, range.end() as usize);
                    body.extend_from_slice(&representation[start..end]);
                }
            }
        }
        body
    }

    #[test]
    fn the_body_is_framed_byte_for_byte() {
        let tag = EntityTag::new("t").unwrap();
        let rows = [(ContentCoding::Identity, ""), (ContentCoding::Gzip, GZIP_FIELD)];
        for (coding, field) in rows {
            let multipart = Multipart::new(&tag, coding, &ranges(&[(6, 10), (0, 2)]), 10, &TYPE);
            let b = &multipart.boundary;
            let expected = format!(
                "--{b}\r\n\
                 Content-Type: text/plain; charset=utf-8\r\n\
                 Content-Range: bytes 6-9/10\r\n\
                 {field}\
                 \r\n\
                 6789\r\n\
                 --{b}\r\n\
                 Content-Type: text/plain; charset=utf-8\r\n\
                 Content-Range: bytes 0-1/10\r\n\
                 {field}\
                 \r\n\
                 01\r\n\
                 --{b}--\r\n"
            );
            let body = written(&multipart, b"0123456789");
            assert_eq!(String::from_utf8(body).unwrap(), expected, "{coding:?}");
            assert_eq!(multipart.content_len(), expected.len() as u64, "{coding:?}");
            let content_type = format!("multipart/byteranges; boundary={b}");
            assert_eq!(multipart.content_type(), content_type, "{coding:?}");
        }
    }

    const GZIP_FIELD: &str = "Content-Encoding: gzip\r\n";

    #[test]
    fn the_boundary_follows_from_what_is_sent() {
        let [one, other] = ["t", "u"].map(|opaque| EntityTag::new(opaque).unwrap());
        let boundary = |tag, coding, pairs: &[(u64, u64)]| {
            Multipart::new(tag, coding, &ranges(pairs), 10, &TYPE).boundary
        };
        let base = boundary(&one, ContentCoding::Identity, &[(0, 1), (5, 6)]);
        assert_eq!(base.len(), 32);
        assert_eq!(base, boundary(&one, ContentCoding::Identity, &[(0, 1), (5, 6)]));
        for (name, boundary) in [
            ("another entry", boundary(&other, ContentCoding::Identity, &[(0, 1), (5, 6)])),
            ("another coding", boundary(&one, ContentCoding::Gzip, &[(0, 1), (5, 6)])),
            ("other ranges", boundary(&one, ContentCoding::Identity, &[(0, 1), (5, 7)])),
            ("another order", boundary(&one, ContentCoding::Identity, &[(5, 6), (0, 1)])),
        ] {
            assert_ne!(boundary, base, "{name}");
        }
    }

    proptest! {
        #[test]
        fn the_length_is_that_of_the_pieces(
            cuts in proptest::collection::btree_set(0_u64..1 << 62, 4..=16),
            complete_len in 1_u64 << 62..1 << 63,
        ) {
            let cuts: Vec<u64> = cuts.into_iter().collect();
            let pairs: Vec<(u64, u64)> =
                cuts.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
            let tag = EntityTag::new("t").unwrap();
            let multipart =
                Multipart::new(&tag, ContentCoding::Zstd, &ranges(&pairs), complete_len, &TYPE);
            let mut sum = 0_u64;
            let mut sent = Vec::new();
            for segment in multipart.segments() {
                match segment {
                    Segment::Literal(bytes) => sum += bytes.len() as u64,
                    Segment::Representation(range) => {
                        sum += range.len();
                        sent.push((range.start(), range.end()));
                    }
                }
            }
            prop_assert_eq!(multipart.content_len(), sum);
            prop_assert_eq!(sent, pairs);
        }
    }
}
