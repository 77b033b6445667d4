//! The head of an answer: every field that follows from a [`Plan`], exact in its lengths.
//!
//! Built for the warm path: what depends on the entry alone is made once and kept beside it
//! ([`EntryHeaders`]), what is fixed is static, and a 200 formats nothing.

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH,
    CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    LAST_MODIFIED, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

use crate::coding::ContentCoding;
use crate::multipart::Multipart;
use crate::plan::{Outcome, Plan};
use crate::range;
use crate::representation::RepresentationMetadata;
use crate::validator::HttpDate;

/// The fields that keep a browser from running what it is handed: on every answer with bytes of an
/// archive, and harmless on any other.
pub static SECURITY_HEADERS: [(HeaderName, HeaderValue); SECURITY_FIELDS] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// Writes [`SECURITY_HEADERS`].
pub fn write_security_headers(headers: &mut HeaderMap) {
    for (name, value) in &SECURITY_HEADERS {
        headers.insert(name, value.clone());
    }
}

/// How many of them there are.
const SECURITY_FIELDS: usize = 5;

/// How many fields an answer has at most, so that the map grows once: those for security and Vary,
/// ETag, Last-Modified, Cache-Control, Content-Type, Content-Length, Content-Disposition,
/// Accept-Ranges, Content-Encoding, Content-Range.
const MAX_FIELDS: usize = SECURITY_FIELDS + 10;

/// The metadata of one entry and the header fields that follow from it, made once and cheap to
/// clone.
///
/// ```
/// use std::time::SystemTime;
/// use entryway_http::{
///     EntityTag, EntryHeaders, Purpose, RangeSupport, RepresentationMetadata, RequestHead,
///     attachment, content_type, plan,
/// };
/// use http::{HeaderMap, HeaderValue, Method};
///
/// let metadata = RepresentationMetadata {
///     complete_len: 1_000,
///     entity_tag: EntityTag::of_entry(&[0xab; 32], b"log.txt"),
///     last_modified: SystemTime::UNIX_EPOCH,
///     gzip_len: None,
///     zstd_len: None,
///     ranges: RangeSupport::Any,
/// };
/// let content_type = content_type(b"log.txt", None, Purpose::File);
/// let entry = EntryHeaders::new(metadata, content_type, attachment(b"log.txt", "log.txt"));
///
/// let request = HeaderMap::new();
/// let plan = plan(&RequestHead { method: &Method::HEAD, headers: &request }, entry.metadata());
/// let mut headers = HeaderMap::new();
/// entry.write(&plan, &HeaderValue::from_static("private, no-cache"), &mut headers);
/// assert_eq!(headers["content-length"], "1000");
/// assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
/// ```
#[derive(Clone, Debug)]
pub struct EntryHeaders {
    metadata: RepresentationMetadata,
    last_modified: HeaderValue,
    content_type: HeaderValue,
    content_disposition: HeaderValue,
    identity: CodedHeaders,
    gzip: Option<CodedHeaders>,
    zstd: Option<CodedHeaders>,
}

/// The fields that differ between the codings of one entry.
#[derive(Clone, Debug)]
struct CodedHeaders {
    etag: HeaderValue,
    content_length: HeaderValue,
}

impl EntryHeaders {
    /// Makes the fields of an entry, or of a whole archive.
    pub fn new(
        metadata: RepresentationMetadata,
        content_type: HeaderValue,
        content_disposition: HeaderValue,
    ) -> Self {
        let coded = |coding, length| CodedHeaders {
            etag: metadata.entity_tag(coding).to_header_value(),
            content_length: HeaderValue::from(length),
        };
        Self {
            last_modified: HttpDate::from(metadata.last_modified).to_header_value(),
            content_type,
            content_disposition,
            identity: coded(ContentCoding::Identity, metadata.complete_len),
            gzip: metadata.gzip_len.map(|length| coded(ContentCoding::Gzip, length)),
            zstd: metadata.zstd_len.map(|length| coded(ContentCoding::Zstd, length)),
            metadata,
        }
    }

    /// What the fields were made from; plans are made from it too.
    pub fn metadata(&self) -> &RepresentationMetadata {
        &self.metadata
    }

    /// The same entry under another media type.
    #[must_use]
    pub fn with_content_type(mut self, content_type: HeaderValue) -> Self {
        self.content_type = content_type;
        self
    }

    /// Writes the fields of the answer that `plan` decided, a plan for this entry's metadata.
    /// Its status is [`Plan::status`].
    ///
    /// The same fields on GET and HEAD. Content-Length is exact wherever a representation is
    /// described; a 304 carries none and no Content-Type (RFC 9110 15.4.5). For an error (406,
    /// 412, 416) the body and the fields that describe it are the caller's, Cache-Control
    /// included: `cache_control` speaks of the entry.
    ///
    /// Returns the framing of the body for [`Outcome::Parts`], else `None`.
    pub fn write(
        &self,
        plan: &Plan,
        cache_control: &HeaderValue,
        headers: &mut HeaderMap,
    ) -> Option<Multipart> {
        headers.reserve(MAX_FIELDS);
        write_security_headers(headers);
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        match &plan.outcome {
            Outcome::NotAcceptable | Outcome::PreconditionFailed => None,
            Outcome::NotSatisfiable => {
                let complete_len = self.complete_len(plan.coding);
                headers.insert(CONTENT_RANGE, range::unsatisfied_content_range(complete_len));
                headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
                None
            }
            Outcome::NotModified => {
                self.write_validators(plan.coding, cache_control, headers);
                None
            }
            Outcome::Whole => {
                self.write_validators(plan.coding, cache_control, headers);
                let content_length = self.coded(plan.coding).content_length.clone();
                self.write_content(self.content_type.clone(), content_length, headers);
                write_content_encoding(plan.coding, headers);
                None
            }
            Outcome::Part(range) => {
                self.write_validators(plan.coding, cache_control, headers);
                let content_length = HeaderValue::from(range.len());
                self.write_content(self.content_type.clone(), content_length, headers);
                write_content_encoding(plan.coding, headers);
                let complete_len = self.complete_len(plan.coding);
                headers.insert(CONTENT_RANGE, range.content_range(complete_len));
                None
            }
            // Each part says its coding and its range; their framing has neither.
            Outcome::Parts(ranges) => {
                let multipart = Multipart::new(
                    &self.metadata.entity_tag,
                    plan.coding,
                    ranges,
                    self.complete_len(plan.coding),
                    &self.content_type,
                );
                self.write_validators(plan.coding, cache_control, headers);
                let content_length = HeaderValue::from(multipart.content_len());
                self.write_content(multipart.content_type(), content_length, headers);
                Some(multipart)
            }
        }
    }

    /// What 200, 206 and 304 have in common.
    fn write_validators(
        &self,
        coding: ContentCoding,
        cache_control: &HeaderValue,
        headers: &mut HeaderMap,
    ) {
        headers.insert(ETAG, self.coded(coding).etag.clone());
        headers.insert(LAST_MODIFIED, self.last_modified.clone());
        headers.insert(CACHE_CONTROL, cache_control.clone());
    }

    /// What 200 and 206 have in common beyond that.
    fn write_content(
        &self,
        content_type: HeaderValue,
        content_length: HeaderValue,
        headers: &mut HeaderMap,
    ) {
        headers.insert(CONTENT_TYPE, content_type);
        headers.insert(CONTENT_LENGTH, content_length);
        headers.insert(CONTENT_DISPOSITION, self.content_disposition.clone());
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }

    fn complete_len(&self, coding: ContentCoding) -> u64 {
        // A plan for this metadata never names a coding that the entry does not have.
        self.metadata.length(coding).unwrap_or(self.metadata.complete_len)
    }

    fn coded(&self, coding: ContentCoding) -> &CodedHeaders {
        let coded = match coding {
            ContentCoding::Identity => None,
            ContentCoding::Gzip => self.gzip.as_ref(),
            ContentCoding::Zstd => self.zstd.as_ref(),
        };
        debug_assert!(coding == ContentCoding::Identity || coded.is_some(), "a foreign plan");
        coded.unwrap_or(&self.identity)
    }
}

fn write_content_encoding(coding: ContentCoding, headers: &mut HeaderMap) {
    if let Some(coding) = coding.to_header_value() {
        headers.insert(CONTENT_ENCODING, coding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::multipart::Segment;
    use crate::plan::{RequestHead, plan};
    use crate::representation::RangeSupport;
    use crate::validator::EntityTag;
    use http::Method;
    use std::collections::BTreeMap;
    use std::time::{Duration, UNIX_EPOCH};

    const SECURITY: &[&str] = &[
        "content-security-policy: default-src 'none'; sandbox",
        "cross-origin-resource-policy: same-origin",
        "referrer-policy: no-referrer",
        "vary: Accept-Encoding",
        "x-content-type-options: nosniff",
        "x-frame-options: DENY",
    ];
    const VALIDATORS: &[&str] = &[
        "cache-control: private, no-cache",
        "etag: \"t\"",
        "last-modified: Sun, 06 Nov 1994 08:49:37 GMT",
    ];
    const GZIP_VALIDATORS: &[&str] = &[
        "cache-control: private, no-cache",
        "etag: \"t-gzip\"",
        "last-modified: Sun, 06 Nov 1994 08:49:37 GMT",
    ];
    const CONTENT: &[&str] = &[
        "accept-ranges: bytes",
        "content-disposition: attachment",
        "content-type: text/css; charset=utf-8",
    ];

    fn entry() -> EntryHeaders {
        let metadata = RepresentationMetadata {
            complete_len: 100,
            entity_tag: EntityTag::new("t").unwrap(),
            last_modified: UNIX_EPOCH + Duration::from_secs(784_111_777),
            gzip_len: Some(60),
            zstd_len: None,
            ranges: RangeSupport::Any,
        };
        let content_type = HeaderValue::from_static("text/css; charset=utf-8");
        EntryHeaders::new(metadata, content_type, HeaderValue::from_static("attachment"))
    }

    /// Status, fields sorted by name, and the framing, of the answer to a request.
    fn answered(
        method: &Method,
        fields: &[(&'static str, &'static str)],
    ) -> (u16, Vec<String>, Option<Multipart>) {
        let request: HeaderMap = fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let entry = entry();
        let plan = plan(&RequestHead { method, headers: &request }, entry.metadata());
        let mut headers = HeaderMap::new();
        let cache_control = HeaderValue::from_static("private, no-cache");
        let multipart = entry.write(&plan, &cache_control, &mut headers);
        let written: BTreeMap<_, _> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(written.len(), headers.len(), "a field stands twice");
        assert!(headers.len() <= MAX_FIELDS);
        let written = written.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        (plan.status().as_u16(), written, multipart)
    }

    #[test]
    fn every_answer_has_exactly_its_fields() {
        type Row = (
            &'static str,
            &'static [(&'static str, &'static str)],
            u16,
            &'static [&'static [&'static str]],
        );
        let rows: &[Row] = &[
            ("200", &[], 200, &[SECURITY, VALIDATORS, CONTENT, &["content-length: 100"]]),
            (
                "200 of gzip",
                &[("accept-encoding", "gzip")],
                200,
                &[
                    SECURITY,
                    GZIP_VALIDATORS,
                    CONTENT,
                    &["content-length: 60", "content-encoding: gzip"],
                ],
            ),
            (
                "206",
                &[("range", "bytes=90-")],
                206,
                &[
                    SECURITY,
                    VALIDATORS,
                    CONTENT,
                    &["content-length: 10", "content-range: bytes 90-99/100"],
                ],
            ),
            (
                "206 of gzip",
                &[("range", "bytes=50-"), ("if-range", "\"t-gzip\"")],
                206,
                &[
                    SECURITY,
                    GZIP_VALIDATORS,
                    CONTENT,
                    &[
                        "content-length: 10",
                        "content-range: bytes 50-59/60",
                        "content-encoding: gzip",
                    ],
                ],
            ),
            ("304", &[("if-none-match", "*")], 304, &[SECURITY, VALIDATORS]),
            (
                "304 of gzip",
                &[("if-none-match", "*"), ("accept-encoding", "gzip")],
                304,
                &[SECURITY, GZIP_VALIDATORS],
            ),
            ("406", &[("accept-encoding", "*;q=0")], 406, &[SECURITY]),
            ("412", &[("if-match", "\"u\"")], 412, &[SECURITY]),
            (
                "416",
                &[("range", "bytes=100-")],
                416,
                &[SECURITY, &["accept-ranges: bytes", "content-range: bytes */100"]],
            ),
            (
                "416 of gzip",
                &[("range", "bytes=60-"), ("if-range", "\"t-gzip\"")],
                416,
                &[SECURITY, &["accept-ranges: bytes", "content-range: bytes */60"]],
            ),
        ];
        for (name, fields, status, expected) in rows {
            let mut expected = expected.concat();
            expected.sort_unstable();
            let (got_status, got, multipart) = answered(&Method::GET, fields);
            assert_eq!(
                (got_status, got),
                (*status, expected.iter().map(|it| (*it).to_owned()).collect()),
                "{name}"
            );
            assert_eq!(multipart, None, "{name}");
        }
    }

    #[test]
    fn several_parts_are_described_by_their_framing() {
        let fields = [("range", "bytes=0-1,50-59"), ("accept-encoding", "gzip, identity;q=0")];
        let (status, got, multipart) = answered(&Method::GET, &fields);
        let multipart = multipart.unwrap();
        let content_len = format!("content-length: {}", multipart.content_len());
        let content_type = format!("content-type: {}", multipart.content_type().to_str().unwrap());
        let mut expected = [SECURITY, GZIP_VALIDATORS, &CONTENT[..2]].concat();
        expected.extend([content_len.as_str(), content_type.as_str()]);
        expected.sort_unstable();
        assert_eq!((status, got), (206, expected.iter().map(|it| (*it).to_owned()).collect()));
        let Segment::Literal(first) = &multipart.segments()[0] else {
            panic!("framing comes first")
        };
        let first = std::str::from_utf8(first).unwrap();
        assert!(first.contains("Content-Encoding: gzip\r\n"), "{first}");
        assert!(first.contains("Content-Range: bytes 0-1/60\r\n"), "{first}");
        assert!(first.contains("Content-Type: text/css; charset=utf-8\r\n"), "{first}");
    }

    #[test]
    fn head_has_the_fields_of_get() {
        let rows: &[&[(&str, &str)]] = &[
            &[],
            &[("accept-encoding", "gzip")],
            &[("if-none-match", "\"t\"")],
            &[("if-match", "\"u\"")],
            &[("accept-encoding", "identity;q=0")],
        ];
        for fields in rows {
            assert_eq!(
                answered(&Method::HEAD, fields),
                answered(&Method::GET, fields),
                "{fields:?}"
            );
        }
        // Range has no effect on HEAD.
        assert_eq!(answered(&Method::HEAD, &[("range", "bytes=0-1")]), answered(&Method::GET, &[]));
    }

    #[test]
    fn another_type_leaves_the_rest() {
        let entry = entry().with_content_type(HeaderValue::from_static("text/plain"));
        let request = HeaderMap::new();
        let plan = plan(&RequestHead { method: &Method::GET, headers: &request }, entry.metadata());
        let mut headers = HeaderMap::new();
        entry.write(&plan, &HeaderValue::from_static("no-cache"), &mut headers);
        assert_eq!(headers[CONTENT_TYPE], "text/plain");
        assert_eq!(headers[ETAG], "\"t\"");
    }
}
