//! Arbitrary preconditions against an evaluation of RFC 9110 13.2.2, step by step, that knows
//! nothing of the crate's.
//!
//! 1. If-Match before If-Unmodified-Since, then If-None-Match before If-Modified-Since, then
//!    If-Range: the status is that of the first step that decides.
//! 2. Lists of entity tags are read by the list rule; what is malformed matches nothing; If-Match
//!    and If-Range compare strongly, If-None-Match weakly.
//!
//! How a date is written is not what is looked at: both take the crate's parser, of which a date
//! comes back as it was.

use std::time::{Duration, UNIX_EPOCH};

use entryway_http::{
    AcceptEncoding, ContentCoding, EntityTag, HttpDate, RangeSet, RangeSupport,
    RepresentationMetadata, RequestHead, plan,
};
use http::Method;
use http::header::{
    HeaderMap, HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE, RANGE,
};

use crate::answer::{Input, TAG, last_modified};

/// Checks one input: that of the target `answer`.
///
/// # Panics
/// Where the plan is not what the steps come to: a finding.
pub fn check(input: &[u8]) {
    let Some(input) = Input::parse(input) else { return };
    let headers = input.headers();
    let method = if input.is_head { Method::HEAD } else { Method::GET };
    let metadata = RepresentationMetadata {
        complete_len: input.complete_len,
        entity_tag: EntityTag::new(TAG).expect("a letter"),
        // Parts of a second do not count.
        last_modified: last_modified() + Duration::from_millis(u64::from(input.entry) * 3),
        gzip_len: input.has_gzip.then_some(100),
        zstd_len: input.has_zstd.then_some(50),
        ranges: input.ranges,
    };
    let planned = plan(&RequestHead { method: &method, headers: &headers }, &metadata);
    let status = planned.status().as_u16();
    for (_, value) in &input.fields {
        check_date(value);
    }
    if status == 406 {
        return;
    }
    let selected = tag_of(planned.coding);
    let expected = steps(&headers, &metadata, &selected);
    match expected {
        Some(expected) => assert_eq!(status, expected, "{headers:?}"),
        None => {
            let holds = step_5(&headers, &selected);
            let is_ranged = method == Method::GET && metadata.ranges != RangeSupport::Whole;
            let ranges = RangeSet::from_headers(&headers).filter(|_| is_ranged && holds);
            let possible: &[u16] = if ranges.is_some() { &[200, 206, 416] } else { &[200] };
            assert!(possible.contains(&status), "{status}: {headers:?}");
            if let Some(ranges) = ranges {
                let length = metadata.length(planned.coding).expect("a coding that it has");
                let decision = ranges.decide(length, metadata.range_support(planned.coding));
                let is_whole = decision == entryway_http::RangeDecision::Ignore;
                assert_eq!(status == 200, is_whole, "{headers:?}");
            }
        }
    }
}

/// The opaque text of the tag of a coding.
fn tag_of(coding: ContentCoding) -> String {
    match coding {
        ContentCoding::Identity => TAG.to_owned(),
        ContentCoding::Gzip => format!("{TAG}-gzip"),
        ContentCoding::Zstd => format!("{TAG}-zstd"),
    }
}

/// Steps 1 to 4: 412, 304, or none of them.
fn steps(headers: &HeaderMap, metadata: &RepresentationMetadata, selected: &str) -> Option<u16> {
    let accept = AcceptEncoding::from_headers(headers);
    // If-Match guards a state of the entry, of which every representation that could be had tells.
    let had: Vec<String> = [ContentCoding::Identity, ContentCoding::Gzip, ContentCoding::Zstd]
        .into_iter()
        .filter(|&coding| {
            tag_of(coding) == selected || (metadata.has(coding) && accept.accepts(coding))
        })
        .map(tag_of)
        .collect();
    if headers.contains_key(IF_MATCH) {
        let is_one = |tag: &Tag| !tag.is_weak && had.iter().any(|had| had.as_bytes() == tag.opaque);
        if !listed(headers, &IF_MATCH, is_one) {
            return Some(412);
        }
    } else if let Some(date) = date(headers, &IF_UNMODIFIED_SINCE)
        && date < last_modified_seconds()
    {
        return Some(412);
    }
    if headers.contains_key(IF_NONE_MATCH) {
        if listed(headers, &IF_NONE_MATCH, |tag| tag.opaque == selected.as_bytes()) {
            return Some(304);
        }
    } else if let Some(date) = date(headers, &IF_MODIFIED_SINCE)
        && date >= last_modified_seconds()
    {
        return Some(304);
    }
    None
}

/// Step 5: whether If-Range, if there is one, lets the range count.
fn step_5(headers: &HeaderMap, selected: &str) -> bool {
    if !headers.contains_key(IF_RANGE) || !headers.contains_key(RANGE) {
        return true;
    }
    let mut values = headers.get_all(IF_RANGE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let text = trimmed(value.as_bytes());
    match tag(text) {
        Some((tag, [])) => !tag.is_weak && tag.opaque == selected.as_bytes(),
        _ => date(headers, &IF_RANGE) == Some(last_modified_seconds()),
    }
}

/// A date that comes back as it was.
fn check_date(value: &[u8]) {
    if let Some(date) = HttpDate::parse(value) {
        let written = date.to_header_value();
        assert_eq!(HttpDate::parse(written.as_bytes()), Some(date), "{written:?}");
        assert!(written.as_bytes().ends_with(b" GMT"));
    }
}

/// Seconds since 1970 of the only field of that name, where it is a date.
fn date(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let written = HttpDate::parse(value.as_bytes())?.to_header_value();
    let time = httpdate::parse_http_date(written.to_str().ok()?).ok()?;
    Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

fn last_modified_seconds() -> u64 {
    let since = last_modified().duration_since(UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}

/// An entity tag of a request.
struct Tag<'a> {
    is_weak: bool,
    opaque: &'a [u8],
}

fn trimmed(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// The entity tag (RFC 9110 8.8.3) that a text begins with, and what follows it.
fn tag(text: &[u8]) -> Option<(Tag<'_>, &[u8])> {
    let (is_weak, quoted) = match text {
        [b'W', b'/', quoted @ ..] => (true, quoted),
        quoted => (false, quoted),
    };
    let [b'"', rest @ ..] = quoted else { return None };
    let len = rest.iter().position(|&byte| byte == b'"')?;
    let opaque = &rest[..len];
    let is_etagc = |byte: &u8| *byte == b'!' || (b'#'..=b'~').contains(byte) || *byte >= 0x80;
    opaque.iter().all(is_etagc).then_some((Tag { is_weak, opaque }, &rest[len + 1..]))
}

/// Whether a list of entity tags, over all fields of that name, is `*` or has one that matches.
fn listed(headers: &HeaderMap, name: &HeaderName, matches: impl Fn(&Tag<'_>) -> bool) -> bool {
    let (mut count, mut has_any, mut has_match) = (0, false, false);
    for value in headers.get_all(name) {
        let mut rest = value.as_bytes();
        loop {
            while let [b' ' | b'\t' | b',', after @ ..] = rest {
                rest = after;
            }
            if rest.is_empty() {
                break;
            }
            count += 1;
            let (found, after) = match (tag(rest), rest) {
                (Some((tag, after)), _) => (Some(tag), after),
                (None, [b'*', after @ ..]) => (None, after),
                (None, _) => (None, rest),
            };
            let end = after.iter().position(|&byte| byte == b',').unwrap_or(after.len());
            let is_alone = trimmed(&after[..end]).is_empty();
            match found {
                Some(tag) => has_match |= is_alone && matches(&tag),
                None => has_any |= is_alone && rest.starts_with(b"*"),
            }
            rest = &after[end..];
        }
    }
    has_match || (has_any && count == 1)
}
