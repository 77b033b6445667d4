//! What to answer: coding, preconditions and range brought together, without a read of the entry.

use http::header::HeaderMap;
use http::{Method, StatusCode};

use crate::coding::{AcceptEncoding, ContentCoding};
use crate::precondition::{self, Precondition};
use crate::range::{ByteRange, RangeDecision, RangeSet};
use crate::representation::{RangeSupport, RepresentationMetadata};

/// What of a request the answer depends on.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// GET or HEAD; the caller answers others with 405. Anything but GET is planned as HEAD.
    pub method: &'a Method,
    /// The request's header fields.
    pub headers: &'a HeaderMap,
}

/// What a request comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 200 with the whole representation.
    Whole,
    /// 206 with one range of it.
    Part(ByteRange),
    /// 206 multipart/byteranges: 2 to 8 disjoint ranges in the order to send them.
    Parts(Vec<ByteRange>),
    /// 304: the client's copy is current.
    NotModified,
    /// 412: a precondition failed.
    PreconditionFailed,
    /// 406: no coding that the entry has is acceptable.
    NotAcceptable,
    /// 416: no range lies in the representation.
    NotSatisfiable,
}

/// The answer to a request, decided before a byte of the entry is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What the request comes to.
    pub outcome: Outcome,
    /// Coding of the selected representation; identity where nothing is acceptable.
    pub coding: ContentCoding,
    /// Whether the answer ends with its head, because the request was not a GET.
    pub is_head_only: bool,
}

impl Plan {
    /// The status code of the answer.
    pub fn status(&self) -> StatusCode {
        match self.outcome {
            Outcome::Whole => StatusCode::OK,
            Outcome::Part(_) | Outcome::Parts(_) => StatusCode::PARTIAL_CONTENT,
            Outcome::NotModified => StatusCode::NOT_MODIFIED,
            Outcome::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Outcome::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Outcome::NotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
        }
    }

    /// Whether bytes of the representation follow the head, so that the entry is to be read.
    pub fn sends_representation(&self) -> bool {
        match self.outcome {
            Outcome::Whole | Outcome::Part(_) | Outcome::Parts(_) => !self.is_head_only,
            Outcome::NotModified
            | Outcome::PreconditionFailed
            | Outcome::NotAcceptable
            | Outcome::NotSatisfiable => false,
        }
    }

    /// Whether the answer is an error (406, 412, 416), whose body and its fields are the caller's.
    pub fn is_error(&self) -> bool {
        match self.outcome {
            Outcome::Whole | Outcome::Part(_) | Outcome::Parts(_) | Outcome::NotModified => false,
            Outcome::PreconditionFailed | Outcome::NotAcceptable | Outcome::NotSatisfiable => true,
        }
    }
}

/// Decides the answer to a GET or HEAD (RFC 9110 13.2.2 and 14.2).
///
/// A Range field counts only where it may have an effect: on GET, with good syntax, for an entry
/// that takes ranges. Any other is as if it were not there, also where the coding is chosen; one
/// that is dropped later (If-Range, too many parts) still had identity chosen.
///
/// 406 comes before the preconditions: RFC 9110 13.2.1 has them ignored where the answer without
/// them would be neither a 2xx nor 412.
///
/// ```
/// use std::time::SystemTime;
/// use entryway_http::{
///     EntityTag, Outcome, RangeSupport, RepresentationMetadata, RequestHead, plan,
/// };
/// use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
///
/// let metadata = RepresentationMetadata {
///     complete_len: 1_000,
///     entity_tag: EntityTag::of_entry(&[0xab; 32], b"log.txt"),
///     last_modified: SystemTime::UNIX_EPOCH,
///     gzip_len: None,
///     zstd_len: None,
///     ranges: RangeSupport::Any,
/// };
/// let mut headers = HeaderMap::new();
/// headers.insert(header::RANGE, HeaderValue::from_static("bytes=-100"));
/// let plan = plan(&RequestHead { method: &Method::GET, headers: &headers }, &metadata);
/// assert_eq!(plan.status(), StatusCode::PARTIAL_CONTENT);
/// assert!(matches!(plan.outcome, Outcome::Part(range) if range.start() == 900));
/// ```
pub fn plan(head: &RequestHead<'_>, metadata: &RepresentationMetadata) -> Plan {
    let headers = head.headers;
    let is_head_only = head.method != Method::GET;
    let range_set = if is_head_only || metadata.ranges == RangeSupport::Whole {
        None
    } else {
        RangeSet::from_headers(headers)
    };

    let accept = AcceptEncoding::from_headers(headers);
    let selected = match range_set {
        Some(_) => accept.select_for_range(headers, metadata),
        None => accept.select(metadata),
    };
    let Some(coding) = selected else {
        let (outcome, coding) = (Outcome::NotAcceptable, ContentCoding::Identity);
        return Plan { outcome, coding, is_head_only };
    };

    let outcome = match precondition::evaluate(headers, metadata, &accept, coding) {
        // Steps 1 to 4 of RFC 9110 13.2.2.
        Precondition::Failed => Outcome::PreconditionFailed,
        Precondition::NotModified => Outcome::NotModified,
        Precondition::Holds => match (range_set, metadata.length(coding)) {
            // Step 5: with Range and If-Range, the range counts only if If-Range holds.
            (Some(range_set), Some(length))
                if precondition::if_range_holds(headers, metadata, coding) =>
            {
                match range_set.decide(length, metadata.range_support(coding)) {
                    RangeDecision::Ignore => Outcome::Whole,
                    RangeDecision::Part(range) => Outcome::Part(range),
                    RangeDecision::Parts(ranges) => Outcome::Parts(ranges),
                    RangeDecision::NotSatisfiable => Outcome::NotSatisfiable,
                }
            }
            // Step 6: otherwise, the method itself.
            _ => Outcome::Whole,
        },
    };
    Plan { outcome, coding, is_head_only }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validator::EntityTag;
    use ContentCoding::{Gzip, Identity};
    use Outcome::{
        NotAcceptable, NotModified, NotSatisfiable, Part, Parts, PreconditionFailed, Whole,
    };
    use http::header::{
        ACCEPT_ENCODING, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH,
        IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
    };
    use proptest::prelude::*;
    use std::time::{Duration, UNIX_EPOCH};

    const EXACTLY: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const AE: HeaderName = ACCEPT_ENCODING;

    fn metadata() -> RepresentationMetadata {
        RepresentationMetadata {
            complete_len: 100,
            entity_tag: EntityTag::new("t").unwrap(),
            last_modified: UNIX_EPOCH + Duration::from_secs(784_111_777),
            gzip_len: Some(60),
            zstd_len: None,
            ranges: RangeSupport::Forward,
        }
    }

    type Fields = &'static [(HeaderName, &'static str)];

    fn planned(method: &Method, fields: Fields, metadata: &RepresentationMetadata) -> Plan {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        plan(&RequestHead { method, headers: &headers }, metadata)
    }

    fn range(start: u64, end: u64) -> ByteRange {
        ByteRange::new(start, end).unwrap()
    }

    #[test]
    fn a_get_is_planned() {
        let rows: Vec<(&str, Fields, Outcome, ContentCoding)> = vec![
            ("nothing", &[], Whole, Identity),
            ("gzip", &[(AE, "gzip")], Whole, Gzip),
            ("nothing acceptable", &[(AE, "*;q=0")], NotAcceptable, Identity),
            ("range", &[(RANGE, "bytes=0-9")], Part(range(0, 10)), Identity),
            (
                "range, gzip accepted",
                &[(RANGE, "bytes=0-9"), (AE, "gzip")],
                Part(range(0, 10)),
                Identity,
            ),
            (
                "several",
                &[(RANGE, "bytes=0-9,20-29")],
                Parts(vec![range(0, 10), range(20, 30)]),
                Identity,
            ),
            ("several out of order", &[(RANGE, "bytes=20-29,0-9")], Whole, Identity),
            (
                "several out of order, gzip accepted",
                &[(RANGE, "bytes=20-29,0-9"), (AE, "gzip")],
                Whole,
                Identity,
            ),
            (
                "several of gzip out of order",
                &[(RANGE, "bytes=20-29,0-9"), (AE, "gzip, identity;q=0")],
                Parts(vec![range(20, 30), range(0, 10)]),
                Gzip,
            ),
            ("past the end", &[(RANGE, "bytes=100-")], NotSatisfiable, Identity),
            ("suffix of nothing", &[(RANGE, "bytes=-0")], NotSatisfiable, Identity),
            (
                "past the end of gzip, inside identity",
                &[(RANGE, "bytes=60-"), (IF_RANGE, "\"t-gzip\"")],
                NotSatisfiable,
                Gzip,
            ),
            ("bad syntax", &[(RANGE, "bytes=9-0")], Whole, Identity),
            ("bad syntax, gzip accepted", &[(RANGE, "bytes=9-0"), (AE, "gzip")], Whole, Gzip),
            ("unknown unit, gzip accepted", &[(RANGE, "lines=0-9"), (AE, "gzip")], Whole, Gzip),
            ("two fields", &[(RANGE, "bytes=0-9"), (RANGE, "bytes=0-9")], Whole, Identity),
            (
                "range, identity refused",
                &[(RANGE, "bytes=0-"), (AE, "gzip, identity;q=0")],
                Part(range(0, 60)),
                Gzip,
            ),
            (
                "range, nothing acceptable",
                &[(RANGE, "bytes=0-"), (AE, "*;q=0")],
                NotAcceptable,
                Identity,
            ),
            // If-Range.
            (
                "If-Range holds",
                &[(RANGE, "bytes=5-"), (IF_RANGE, "\"t\"")],
                Part(range(5, 100)),
                Identity,
            ),
            ("If-Range fails", &[(RANGE, "bytes=5-"), (IF_RANGE, "\"u\"")], Whole, Identity),
            (
                "If-Range fails past the end",
                &[(RANGE, "bytes=100-"), (IF_RANGE, "\"u\"")],
                Whole,
                Identity,
            ),
            ("If-Range weak", &[(RANGE, "bytes=5-"), (IF_RANGE, "W/\"t\"")], Whole, Identity),
            (
                "If-Range date",
                &[(RANGE, "bytes=5-"), (IF_RANGE, EXACTLY)],
                Part(range(5, 100)),
                Identity,
            ),
            ("If-Range other date", &[(RANGE, "bytes=5-"), (IF_RANGE, BEFORE)], Whole, Identity),
            ("If-Range without Range", &[(IF_RANGE, "\"u\"")], Whole, Identity),
            (
                "If-Range of gzip",
                &[(RANGE, "bytes=5-"), (IF_RANGE, "\"t-gzip\""), (AE, "gzip")],
                Part(range(5, 60)),
                Gzip,
            ),
            (
                "If-Range of another gzip",
                &[(RANGE, "bytes=5-"), (IF_RANGE, "\"u-gzip\""), (AE, "gzip")],
                Whole,
                Gzip,
            ),
            (
                "If-Range of gzip, refused now",
                &[(RANGE, "bytes=5-"), (IF_RANGE, "\"t-gzip\""), (AE, "identity")],
                Whole,
                Identity,
            ),
            (
                "If-Match of gzip",
                &[(RANGE, "bytes=5-"), (IF_MATCH, "\"t-gzip\""), (AE, "gzip")],
                Part(range(5, 60)),
                Gzip,
            ),
            // Preconditions come before the range and behind the coding.
            (
                "304 over 206",
                &[(RANGE, "bytes=5-"), (IF_NONE_MATCH, "\"t\"")],
                NotModified,
                Identity,
            ),
            (
                "304 over 416",
                &[(RANGE, "bytes=100-"), (IF_NONE_MATCH, "\"t\"")],
                NotModified,
                Identity,
            ),
            (
                "412 over 416",
                &[(RANGE, "bytes=100-"), (IF_MATCH, "\"u\"")],
                PreconditionFailed,
                Identity,
            ),
            ("406 over 412", &[(AE, "*;q=0"), (IF_MATCH, "\"u\"")], NotAcceptable, Identity),
            ("406 over 304", &[(AE, "*;q=0"), (IF_NONE_MATCH, "*")], NotAcceptable, Identity),
            ("304 for gzip", &[(AE, "gzip"), (IF_NONE_MATCH, "\"t-gzip\"")], NotModified, Gzip),
            ("gzip for who has identity", &[(AE, "gzip"), (IF_NONE_MATCH, "\"t\"")], Whole, Gzip),
            ("identity for who has gzip", &[(IF_NONE_MATCH, "\"t-gzip\"")], Whole, Identity),
            ("304 by date", &[(IF_MODIFIED_SINCE, EXACTLY)], NotModified, Identity),
            ("412 by date", &[(IF_UNMODIFIED_SINCE, BEFORE)], PreconditionFailed, Identity),
            ("If-Match of gzip, whole", &[(IF_MATCH, "\"t-gzip\"")], Whole, Identity),
        ];
        for (name, fields, outcome, coding) in rows {
            let expected = Plan { outcome, coding, is_head_only: false };
            assert_eq!(planned(&Method::GET, fields, &metadata()), expected, "{name}");
        }
    }

    #[test]
    fn head_ignores_range() {
        let rows: Vec<(&str, Fields, Outcome, ContentCoding)> = vec![
            ("range", &[(RANGE, "bytes=0-9")], Whole, Identity),
            ("past the end", &[(RANGE, "bytes=100-")], Whole, Identity),
            ("range, gzip accepted", &[(RANGE, "bytes=0-9"), (AE, "gzip")], Whole, Gzip),
            ("304", &[(IF_NONE_MATCH, "\"t\"")], NotModified, Identity),
            ("412", &[(IF_MATCH, "\"u\"")], PreconditionFailed, Identity),
            ("406", &[(AE, "*;q=0")], NotAcceptable, Identity),
        ];
        for (name, fields, outcome, coding) in rows {
            let got = planned(&Method::HEAD, fields, &metadata());
            assert!(!got.sends_representation(), "{name}");
            assert_eq!(got, Plan { outcome, coding, is_head_only: true }, "{name}");
        }
    }

    #[test]
    fn an_unverified_entry_is_sent_whole_whatever_the_range() {
        let unverified =
            RepresentationMetadata { gzip_len: None, ranges: RangeSupport::Whole, ..metadata() };
        let rows: &[(&str, Fields)] = &[
            ("range", &[(RANGE, "bytes=0-9")]),
            ("past the end", &[(RANGE, "bytes=100-")]),
            ("If-Range", &[(RANGE, "bytes=0-9"), (IF_RANGE, "\"t\"")]),
            ("If-Range of gzip", &[(RANGE, "bytes=0-9"), (IF_RANGE, "\"t-gzip\""), (AE, "gzip")]),
        ];
        for (name, fields) in rows {
            let expected = Plan { outcome: Whole, coding: Identity, is_head_only: false };
            assert_eq!(planned(&Method::GET, fields, &unverified), expected, "{name}");
        }
    }

    #[test]
    fn a_range_that_is_not_taken_does_not_choose_the_coding() {
        let whole = RepresentationMetadata { ranges: RangeSupport::Whole, ..metadata() };
        let fields: Fields = &[(RANGE, "bytes=0-9"), (AE, "gzip")];
        let expected = Plan { outcome: Whole, coding: Gzip, is_head_only: false };
        assert_eq!(planned(&Method::GET, fields, &whole), expected);
    }

    #[test]
    fn an_empty_entry_has_no_ranges() {
        let empty = RepresentationMetadata { complete_len: 0, gzip_len: None, ..metadata() };
        let rows: &[(&str, Fields, Outcome)] = &[
            ("whole", &[], Whole),
            ("gzip accepted", &[(AE, "gzip")], Whole),
            ("identity refused", &[(AE, "gzip, identity;q=0")], NotAcceptable),
            ("from the start", &[(RANGE, "bytes=0-")], NotSatisfiable),
            ("suffix", &[(RANGE, "bytes=-1")], Whole),
        ];
        for (name, fields, outcome) in rows {
            assert_eq!(planned(&Method::GET, fields, &empty).outcome, *outcome, "{name}");
        }
    }

    #[test]
    fn every_outcome_has_its_status() {
        let rows = [
            (Whole, 200, true, false),
            (Part(range(0, 1)), 206, true, false),
            (Parts(vec![range(0, 1), range(2, 3)]), 206, true, false),
            (NotModified, 304, false, false),
            (NotAcceptable, 406, false, true),
            (PreconditionFailed, 412, false, true),
            (NotSatisfiable, 416, false, true),
        ];
        for (outcome, status, sends_representation, is_error) in rows {
            let plan = Plan { outcome, coding: Identity, is_head_only: false };
            assert_eq!(plan.status(), status, "{plan:?}");
            assert_eq!(plan.sends_representation(), sends_representation, "{plan:?}");
            assert_eq!(plan.is_error(), is_error, "{plan:?}");
        }
    }

    proptest! {
        #[test]
        fn no_range_is_sent_of_a_representation_that_the_client_does_not_hold(
            accept in prop::option::of("(gzip|zstd|identity|\\*)(;q=[01])?(, (gzip|identity))?"),
            if_range in prop::option::of("(W/)?\"[tu](-gzip|-zstd)?\""),
            if_match in prop::option::of("\"[tu](-gzip|-zstd)?\"(, \"t(-gzip)?\")?"),
        ) {
            let mut headers = HeaderMap::new();
            headers.insert(RANGE, HeaderValue::from_static("bytes=1-"));
            let fields = [(AE, &accept), (IF_RANGE, &if_range), (IF_MATCH, &if_match)];
            for (name, value) in fields {
                if let Some(value) = value {
                    headers.insert(name, HeaderValue::try_from(value).unwrap());
                }
            }
            let metadata = metadata();
            let plan = plan(&RequestHead { method: &Method::GET, headers: &headers }, &metadata);
            if let Part(part) = plan.outcome {
                prop_assert_eq!(Some(part.end()), metadata.length(plan.coding));
                let tag = metadata.entity_tag(plan.coding).to_header_value();
                let tag = tag.to_str().unwrap();
                match (&if_range, &if_match) {
                    (Some(if_range), _) => prop_assert_eq!(if_range.as_str(), tag),
                    (None, Some(if_match)) => prop_assert!(if_match.contains(tag)),
                    (None, None) => {}
                }
            }
        }
    }
}
