//! Preconditions (RFC 9110 13), for GET and HEAD.

use http::header::{
    HeaderMap, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
};

use crate::coding::{AcceptEncoding, ContentCoding};
use crate::field;
use crate::representation::RepresentationMetadata;
use crate::validator::{self, HttpDate, RequestTag};

/// What the preconditions of a request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precondition {
    /// All hold, or there are none: answer as if they were not there.
    Holds,
    /// The client's copy is current: 304.
    NotModified,
    /// The client asked for another state than this: 412.
    Failed,
}

/// Evaluates steps 1 to 4 of RFC 9110 13.2.2 for GET and HEAD.
///
/// `selected` is the coding that the request selects; If-None-Match is compared with that
/// representation's tag, as the RFC has it. If-Match also holds for the tag of any other
/// representation that the entry has and the client takes: it guards a state of the entry, and
/// all its representations change together.
///
/// Fields of entity tags that stand several times are one list; a date that stands twice, or is
/// not a date, is ignored.
pub fn evaluate(
    headers: &HeaderMap,
    metadata: &RepresentationMetadata,
    accept: &AcceptEncoding,
    selected: ContentCoding,
) -> Precondition {
    let last_modified = HttpDate::from(metadata.last_modified);

    // Step 1: If-Match, by strong comparison.
    let if_match = validator::any_listed(headers, &IF_MATCH, |tag| {
        ContentCoding::BY_COST.into_iter().any(|coding| {
            (coding == selected || (metadata.has(coding) && accept.accepts(coding)))
                && tag.strongly_matches(&metadata.entity_tag, coding)
        })
    });
    match if_match {
        Some(true) => {}
        Some(false) => return Precondition::Failed,
        // Step 2: without If-Match, If-Unmodified-Since.
        None => {
            if let Some(date) = only_date(headers, &IF_UNMODIFIED_SINCE)
                && last_modified > date
            {
                return Precondition::Failed;
            }
        }
    }

    // Step 3: If-None-Match, by weak comparison.
    let if_none_match = validator::any_listed(headers, &IF_NONE_MATCH, |tag| {
        tag.weakly_matches(&metadata.entity_tag, selected)
    });
    match if_none_match {
        Some(true) => return Precondition::NotModified,
        Some(false) => {}
        // Step 4: without If-None-Match, If-Modified-Since.
        None => {
            if let Some(date) = only_date(headers, &IF_MODIFIED_SINCE)
                && last_modified <= date
            {
                return Precondition::NotModified;
            }
        }
    }

    // Steps 5 and 6 are `if_range_holds` and the method itself.
    Precondition::Holds
}

/// Evaluates step 5 of RFC 9110 13.2.2 for a GET with a Range field: whether the range may be
/// honoured. `true` without an If-Range field.
///
/// Holds for the strong tag of the selected representation, or a date exactly equal to its
/// Last-Modified (RFC 9110 13.1.5); a weak tag, a field that stands twice and anything malformed
/// do not hold.
pub fn if_range_holds(
    headers: &HeaderMap,
    metadata: &RepresentationMetadata,
    selected: ContentCoding,
) -> bool {
    if !headers.contains_key(IF_RANGE) {
        return true;
    }
    let Some(value) = field::only(headers, &IF_RANGE) else { return false };
    match RequestTag::parse(value.as_bytes()) {
        Some(tag) => tag.strongly_matches(&metadata.entity_tag, selected),
        None => HttpDate::parse(value.as_bytes()) == Some(HttpDate::from(metadata.last_modified)),
    }
}

fn only_date(headers: &HeaderMap, name: &http::HeaderName) -> Option<HttpDate> {
    field::only(headers, name).and_then(|value| HttpDate::parse(value.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::representation::RangeSupport;
    use crate::validator::EntityTag;
    use ContentCoding::{Gzip, Identity};
    use Precondition::{Failed, Holds, NotModified};
    use http::header::{ACCEPT_ENCODING, HeaderName, HeaderValue};
    use std::time::{Duration, UNIX_EPOCH};

    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const EXACTLY: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
    const IM: HeaderName = IF_MATCH;
    const IUS: HeaderName = IF_UNMODIFIED_SINCE;
    const INM: HeaderName = IF_NONE_MATCH;
    const IMS: HeaderName = IF_MODIFIED_SINCE;
    const AE: HeaderName = ACCEPT_ENCODING;

    fn metadata() -> RepresentationMetadata {
        RepresentationMetadata {
            complete_len: 100,
            entity_tag: EntityTag::new("t").unwrap(),
            // The part of a second shows that only whole ones count.
            last_modified: UNIX_EPOCH + Duration::from_millis(784_111_777_900),
            gzip_len: Some(60),
            zstd_len: None,
            ranges: RangeSupport::Any,
        }
    }

    type Fields = &'static [(HeaderName, &'static str)];

    fn headers(fields: Fields) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn steps_1_to_4_are_those_of_the_rfc() {
        let rows: &[(&str, Fields, Precondition)] = &[
            ("nothing", &[], Holds),
            // Step 1.
            ("If-Match equal", &[(IM, "\"t\"")], Holds),
            ("If-Match any", &[(IM, "*")], Holds),
            ("If-Match other", &[(IM, "\"u\"")], Failed),
            ("If-Match weak", &[(IM, "W/\"t\"")], Failed),
            ("If-Match one of several", &[(IM, "\"u\", \"t\"")], Holds),
            ("If-Match in the second field", &[(IM, "\"u\""), (IM, "\"t\"")], Holds),
            ("If-Match none of two fields", &[(IM, "\"u\""), (IM, "\"v\"")], Failed),
            ("If-Match malformed", &[(IM, "t")], Failed),
            ("If-Match empty", &[(IM, "")], Failed),
            ("If-Match another representation", &[(IM, "\"t-gzip\"")], Holds),
            ("If-Match one refused", &[(IM, "\"t-gzip\""), (AE, "identity")], Failed),
            ("If-Match one not there", &[(IM, "\"t-zstd\"")], Failed),
            ("If-Match over a failing date", &[(IM, "\"t\""), (IUS, BEFORE)], Holds),
            ("If-Match failing over a date", &[(IM, "\"u\""), (IUS, AFTER)], Failed),
            // Step 2.
            ("If-Unmodified-Since before", &[(IUS, BEFORE)], Failed),
            ("If-Unmodified-Since exactly", &[(IUS, EXACTLY)], Holds),
            ("If-Unmodified-Since after", &[(IUS, AFTER)], Holds),
            ("If-Unmodified-Since invalid", &[(IUS, "yesterday")], Holds),
            ("If-Unmodified-Since repeated", &[(IUS, BEFORE), (IUS, BEFORE)], Holds),
            // Step 3.
            ("If-None-Match equal", &[(INM, "\"t\"")], NotModified),
            ("If-None-Match weak", &[(INM, "W/\"t\"")], NotModified),
            ("If-None-Match any", &[(INM, "*")], NotModified),
            ("If-None-Match other", &[(INM, "\"u\"")], Holds),
            ("If-None-Match one of several", &[(INM, "\"u\",W/\"t\"")], NotModified),
            ("If-None-Match in the second field", &[(INM, "\"u\""), (INM, "\"t\"")], NotModified),
            ("If-None-Match malformed", &[(INM, "t")], Holds),
            ("If-None-Match another representation", &[(INM, "\"t-gzip\"")], Holds),
            ("If-None-Match over a later date", &[(INM, "\"u\""), (IMS, AFTER)], Holds),
            ("If-None-Match over an earlier date", &[(INM, "\"t\""), (IMS, BEFORE)], NotModified),
            ("If-None-Match malformed over a date", &[(INM, "t"), (IMS, AFTER)], Holds),
            // Step 4.
            ("If-Modified-Since before", &[(IMS, BEFORE)], Holds),
            ("If-Modified-Since exactly", &[(IMS, EXACTLY)], NotModified),
            ("If-Modified-Since after", &[(IMS, AFTER)], NotModified),
            ("If-Modified-Since invalid", &[(IMS, "yesterday")], Holds),
            ("If-Modified-Since repeated", &[(IMS, AFTER), (IMS, AFTER)], Holds),
            // Steps 1 and 2 before 3 and 4.
            ("If-Match holds, If-None-Match", &[(IM, "\"t\""), (INM, "\"t\"")], NotModified),
            ("If-Match fails, If-None-Match", &[(IM, "\"u\""), (INM, "\"t\"")], Failed),
            ("If-Match holds, If-Modified-Since", &[(IM, "\"t\""), (IMS, EXACTLY)], NotModified),
            ("If-Match holds, neither", &[(IM, "\"t\""), (INM, "\"u\"")], Holds),
            ("date holds, If-None-Match", &[(IUS, AFTER), (INM, "\"t\"")], NotModified),
            ("date fails, If-None-Match", &[(IUS, BEFORE), (INM, "\"t\"")], Failed),
            ("both dates exactly", &[(IUS, EXACTLY), (IMS, EXACTLY)], NotModified),
            ("both dates before", &[(IUS, BEFORE), (IMS, BEFORE)], Failed),
        ];
        for (name, fields, expected) in rows {
            let headers = headers(fields);
            let accept = AcceptEncoding::from_headers(&headers);
            assert_eq!(evaluate(&headers, &metadata(), &accept, Identity), *expected, "{name}");
        }
    }

    #[test]
    fn if_none_match_is_compared_with_the_selected_representation() {
        let rows: &[(&str, Fields, Precondition)] = &[
            ("its own tag", &[(INM, "\"t-gzip\"")], NotModified),
            ("its own tag, weak", &[(INM, "W/\"t-gzip\"")], NotModified),
            ("identity's tag", &[(INM, "\"t\"")], Holds),
            ("If-Match identity's tag", &[(IM, "\"t\"")], Holds),
        ];
        for (name, fields, expected) in rows {
            let mut headers = headers(fields);
            headers.insert(AE, HeaderValue::from_static("gzip"));
            let accept = AcceptEncoding::from_headers(&headers);
            assert_eq!(evaluate(&headers, &metadata(), &accept, Gzip), *expected, "{name}");
        }
    }

    #[test]
    fn step_5_takes_the_strong_tag_or_the_exact_date() {
        const IR: HeaderName = IF_RANGE;
        let rows: &[(&str, Fields, ContentCoding, bool)] = &[
            ("absent", &[], Identity, true),
            ("equal", &[(IR, "\"t\"")], Identity, true),
            ("weak", &[(IR, "W/\"t\"")], Identity, false),
            ("other", &[(IR, "\"u\"")], Identity, false),
            ("a list", &[(IR, "\"t\", \"t\"")], Identity, false),
            ("any", &[(IR, "*")], Identity, false),
            ("malformed", &[(IR, "t")], Identity, false),
            ("empty", &[(IR, "")], Identity, false),
            ("repeated", &[(IR, "\"t\""), (IR, "\"t\"")], Identity, false),
            ("coded", &[(IR, "\"t-gzip\"")], Gzip, true),
            ("coded against identity", &[(IR, "\"t-gzip\"")], Identity, false),
            ("identity against coded", &[(IR, "\"t\"")], Gzip, false),
            ("date exactly", &[(IR, EXACTLY)], Identity, true),
            ("date in another form", &[(IR, "Sunday, 06-Nov-94 08:49:37 GMT")], Identity, true),
            ("date before", &[(IR, BEFORE)], Identity, false),
            ("date after", &[(IR, AFTER)], Identity, false),
        ];
        for (name, fields, selected, expected) in rows {
            let got = if_range_holds(&headers(fields), &metadata(), *selected);
            assert_eq!(got, *expected, "{name}");
        }
    }
}
