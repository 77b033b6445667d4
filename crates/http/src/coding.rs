//! Content codings and their choice (RFC 9110 8.4 and 12.5.3).

use http::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, IF_MATCH, IF_RANGE};

use crate::field;
use crate::representation::RepresentationMetadata;
use crate::validator::{self, RequestTag};

/// A content coding in which an entry can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContentCoding {
    /// The file's own bytes.
    Identity,
    /// The entry's DEFLATE data as it lies in the archive, in a gzip frame (RFC 1952).
    Gzip,
    /// The entry's zstd data as it lies in the archive (RFC 8878).
    Zstd,
}

impl ContentCoding {
    /// All codings, the cheapest to serve first: what lies in the archive compressed goes out as
    /// it is, while identity may have to be decoded. Decides between equal weights.
    pub const BY_COST: [Self; 3] = [Self::Zstd, Self::Gzip, Self::Identity];

    /// The value of Content-Encoding; `None` for identity, which is not written there.
    pub fn to_header_value(self) -> Option<HeaderValue> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some(HeaderValue::from_static("gzip")),
            Self::Zstd => Some(HeaderValue::from_static("zstd")),
        }
    }

    /// What the coding appends to an entity tag, inside the quotes.
    pub fn tag_suffix(self) -> &'static str {
        match self {
            Self::Identity => "",
            Self::Gzip => "-gzip",
            Self::Zstd => "-zstd",
        }
    }

    /// The coding that an entity tag's text names by its suffix.
    fn of_tag(opaque: &[u8]) -> Self {
        [Self::Gzip, Self::Zstd]
            .into_iter()
            .find(|coding| opaque.ends_with(coding.tag_suffix().as_bytes()))
            .unwrap_or(Self::Identity)
    }

    fn index(self) -> usize {
        match self {
            Self::Identity => 0,
            Self::Gzip => 1,
            Self::Zstd => 2,
        }
    }
}

/// How much a client wants a coding. 0: not acceptable. 1: acceptable, but behind everything that
/// was named. Else twice the weight in thousandths, 2 to 2,000.
type Preference = u16;

const REFUSED: Preference = 0;
const LAST_RESORT: Preference = 1;

/// What a request's Accept-Encoding says about each coding, all fields of that name joined.
///
/// ```
/// use entryway_http::{AcceptEncoding, ContentCoding};
/// use http::{HeaderMap, HeaderValue, header::ACCEPT_ENCODING};
///
/// let mut headers = HeaderMap::new();
/// headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip, br, identity;q=0"));
/// let accept = AcceptEncoding::from_headers(&headers);
/// assert!(accept.accepts(ContentCoding::Gzip));
/// assert!(!accept.accepts(ContentCoding::Zstd));
/// assert!(!accept.accepts(ContentCoding::Identity));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptEncoding {
    preferences: [Preference; 3],
}

impl AcceptEncoding {
    /// No field: everything is acceptable, identity preferred (RFC 9110 12.5.3).
    const ABSENT: Self = Self { preferences: [LAST_RESORT + 1, LAST_RESORT, LAST_RESORT] };

    /// Reads the field.
    ///
    /// `x-gzip` is gzip. A coding that stands twice counts as first mentioned. A member with a bad
    /// weight, or a parameter other than `q`, is as if it were not there. Identity, when neither
    /// named nor covered by `*`, stays acceptable as the last resort, so an empty field means
    /// identity alone.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let mut named: [Option<Preference>; 3] = [None; 3];
        let mut others = None;
        let mut is_present = false;
        for value in headers.get_all(ACCEPT_ENCODING) {
            is_present = true;
            for member in value.as_bytes().split(|&byte| byte == b',') {
                let Some((name, preference)) = parse_member(member) else { continue };
                let mentioned =
                    if name.eq_ignore_ascii_case(b"gzip") || name.eq_ignore_ascii_case(b"x-gzip") {
                        &mut named[ContentCoding::Gzip.index()]
                    } else if name.eq_ignore_ascii_case(b"zstd") {
                        &mut named[ContentCoding::Zstd.index()]
                    } else if name.eq_ignore_ascii_case(b"identity") {
                        &mut named[ContentCoding::Identity.index()]
                    } else if name == b"*" {
                        &mut others
                    } else {
                        continue;
                    };
                mentioned.get_or_insert(preference);
            }
        }
        if !is_present {
            return Self::ABSENT;
        }
        let mut preferences = named.map(|preference| preference.or(others).unwrap_or(REFUSED));
        let identity = ContentCoding::Identity.index();
        preferences[identity] = named[identity].or(others).unwrap_or(LAST_RESORT);
        Self { preferences }
    }

    /// Whether the client can take `coding` at all.
    pub fn accepts(&self, coding: ContentCoding) -> bool {
        self.preference(coding) != REFUSED
    }

    /// The coding for the whole of an entry: of those it has, the one with the highest weight, and
    /// of equals the first in [`ContentCoding::BY_COST`]; `None` when nothing is acceptable (406).
    pub fn select(&self, metadata: &RepresentationMetadata) -> Option<ContentCoding> {
        let mut best = None;
        let mut best_preference = REFUSED;
        for coding in ContentCoding::BY_COST {
            if metadata.has(coding) && self.preference(coding) > best_preference {
                best = Some(coding);
                best_preference = self.preference(coding);
            }
        }
        best
    }

    /// The coding for a request with a Range field; `None` when nothing is acceptable (406).
    ///
    /// The range counts bytes of a representation that the client holds a part of, so the choice
    /// is not a matter of weights: programs send `Accept-Encoding: gzip` with everything and mean
    /// bytes of the file. In this order, where the entry has the coding and the client takes it:
    /// the coding whose tag stands in If-Range; without a strong tag there, the coding whose tag
    /// stands in If-Match (identity first); identity; the choice for the whole.
    ///
    /// Without the rule on If-Match, a client that holds half of the gzip representation and says
    /// so would be handed the other half of identity.
    pub fn select_for_range(
        &self,
        headers: &HeaderMap,
        metadata: &RepresentationMetadata,
    ) -> Option<ContentCoding> {
        let is_possible = |coding| metadata.has(coding) && self.accepts(coding);
        held_coding(headers, metadata, is_possible)
            .into_iter()
            .chain([ContentCoding::Identity])
            .find(|&coding| is_possible(coding))
            .or_else(|| self.select(metadata))
    }

    fn preference(&self, coding: ContentCoding) -> Preference {
        self.preferences[coding.index()]
    }
}

/// The coding of the representation that the client says it has a part of.
fn held_coding(
    headers: &HeaderMap,
    metadata: &RepresentationMetadata,
    is_possible: impl Fn(ContentCoding) -> bool,
) -> Option<ContentCoding> {
    let if_range = field::only(headers, &IF_RANGE);
    if let Some(tag) = if_range.and_then(|value| RequestTag::parse(value.as_bytes()))
        && !tag.is_weak
    {
        return Some(ContentCoding::of_tag(tag.opaque));
    }
    [ContentCoding::Identity, ContentCoding::Zstd, ContentCoding::Gzip].into_iter().find(
        |&coding| {
            is_possible(coding)
                && validator::any_listed(headers, &IF_MATCH, |tag| {
                    tag.strongly_matches(&metadata.entity_tag, coding)
                }) == Some(true)
        },
    )
}

/// `coding [ OWS ";" OWS "q=" qvalue ]`; `None` where it is malformed or empty.
fn parse_member(member: &[u8]) -> Option<(&[u8], Preference)> {
    let mut parts = member.split(|&byte| byte == b';').map(field::trim_ows);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let preference = match parts.next() {
        None => 2_000,
        Some([b'q' | b'Q', b'=', value @ ..]) => 2 * parse_weight(value)?,
        Some(_) => return None,
    };
    parts.next().is_none().then_some((name, preference))
}

/// A `qvalue` (RFC 9110 12.4.2) in thousandths: 0 to 1, at most three digits after the point.
fn parse_weight(value: &[u8]) -> Option<u16> {
    let (&whole, fraction) = value.split_first()?;
    let whole = match whole {
        b'0' => 0,
        b'1' => 1_000,
        _ => return None,
    };
    let digits = match fraction.split_first() {
        None => fraction,
        Some((b'.', digits)) if digits.len() <= 3 => digits,
        Some(_) => return None,
    };
    let mut thousandths = whole;
    for (&digit, scale) in digits.iter().zip([100, 10, 1]) {
        if !digit.is_ascii_digit() {
            return None;
        }
        thousandths += u16::from(digit - b'0') * scale;
    }
    (thousandths <= 1_000).then_some(thousandths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::representation::RangeSupport;
    use crate::validator::EntityTag;
    use ContentCoding::{Gzip, Identity, Zstd};
    use http::header::HeaderName;
    use proptest::prelude::*;
    use std::time::SystemTime;

    fn metadata(codings: &[ContentCoding]) -> RepresentationMetadata {
        RepresentationMetadata {
            complete_len: 100,
            entity_tag: EntityTag::new("t").unwrap(),
            last_modified: SystemTime::UNIX_EPOCH,
            gzip_len: codings.contains(&Gzip).then_some(60),
            zstd_len: codings.contains(&Zstd).then_some(50),
            ranges: RangeSupport::Any,
        }
    }

    fn headers(fields: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn the_highest_weight_wins_and_the_cheapest_of_equals() {
        let gzip = &[Gzip][..];
        let both = &[Gzip, Zstd][..];
        type Row = (
            &'static str,
            &'static [&'static str],
            &'static [ContentCoding],
            Option<ContentCoding>,
        );
        let rows: &[Row] = &[
            ("no field", &[], both, Some(Identity)),
            ("empty field", &[""], both, Some(Identity)),
            ("empty elements", &[" , ,"], both, Some(Identity)),
            ("gzip", &["gzip"], gzip, Some(Gzip)),
            ("gzip, none there", &["gzip"], &[], Some(Identity)),
            ("x-gzip", &["x-gzip"], gzip, Some(Gzip)),
            ("case", &["GZip;Q=1"], gzip, Some(Gzip)),
            ("what browsers send", &["gzip, deflate, br, zstd"], gzip, Some(Gzip)),
            ("what browsers send, both there", &["gzip, deflate, br, zstd"], both, Some(Zstd)),
            ("two fields", &["br", "gzip"], gzip, Some(Gzip)),
            ("gzip above zstd", &["zstd;q=0.8, gzip;q=0.9"], both, Some(Gzip)),
            ("gzip equal to identity", &["gzip, identity"], gzip, Some(Gzip)),
            ("identity above gzip", &["identity, gzip;q=0.999"], gzip, Some(Identity)),
            ("identity below gzip", &["identity;q=0.5, gzip;q=0.501"], gzip, Some(Gzip)),
            ("identity not named is below all", &["gzip;q=0.001"], gzip, Some(Gzip)),
            ("gzip refused", &["gzip;q=0"], gzip, Some(Identity)),
            ("gzip refused with digits", &["gzip;q=0.000"], gzip, Some(Identity)),
            ("all", &["*"], gzip, Some(Gzip)),
            ("all, both there", &["*"], both, Some(Zstd)),
            ("all but gzip", &["gzip;q=0, *"], gzip, Some(Identity)),
            ("all but gzip, zstd there", &["*, gzip;q=0"], both, Some(Zstd)),
            ("all low, identity high", &["*;q=0.1, identity"], both, Some(Identity)),
            ("identity refused", &["identity;q=0"], gzip, None),
            ("identity refused, gzip named", &["identity;q=0, gzip"], gzip, Some(Gzip)),
            ("identity refused, gzip not there", &["identity;q=0, gzip"], &[], None),
            ("all refused", &["*;q=0"], both, None),
            ("all refused but gzip", &["gzip;q=0.5, *;q=0"], both, Some(Gzip)),
            ("all refused but identity", &["identity, *;q=0"], both, Some(Identity)),
            ("others only", &["br, compress"], both, Some(Identity)),
            ("first mention counts", &["gzip;q=0, x-gzip"], gzip, Some(Identity)),
            ("weight above 1", &["gzip;q=1.001"], gzip, Some(Identity)),
            ("weight of 2", &["gzip;q=2"], gzip, Some(Identity)),
            ("four digits", &["gzip;q=0.1234"], gzip, Some(Identity)),
            ("no weight behind q", &["gzip;q="], gzip, Some(Identity)),
            ("a minus", &["gzip;q=-1"], gzip, Some(Identity)),
            ("letters", &["gzip;q=0.a"], gzip, Some(Identity)),
            ("no leading digit", &["gzip;q=.5"], gzip, Some(Identity)),
            ("a point alone", &["gzip;q=1."], gzip, Some(Gzip)),
            ("space round the semicolon", &["gzip \t; q=1"], gzip, Some(Gzip)),
            ("space round the equals", &["gzip;q = 1"], gzip, Some(Identity)),
            ("another parameter", &["gzip;level=9"], gzip, Some(Identity)),
            ("two weights", &["gzip;q=1;q=0"], gzip, Some(Identity)),
            ("bad weight leaves the others", &["zstd;q=9, gzip"], both, Some(Gzip)),
            ("bad weight on identity", &["identity;q=x"], gzip, Some(Identity)),
            ("a name that begins alike", &["gzipped"], gzip, Some(Identity)),
        ];
        for (name, values, codings, expected) in rows {
            let fields: Vec<_> = values.iter().map(|value| (ACCEPT_ENCODING, *value)).collect();
            let accept = AcceptEncoding::from_headers(&headers(&fields));
            assert_eq!(accept.select(&metadata(codings)), *expected, "{name}");
        }
    }

    #[test]
    fn a_request_with_a_range_gets_the_coding_it_holds() {
        const ACCEPT: HeaderName = ACCEPT_ENCODING;
        let gzip = &[Gzip][..];
        type Fields = &'static [(HeaderName, &'static str)];
        let rows: &[(&str, Fields, &[ContentCoding], Option<ContentCoding>)] = &[
            ("nothing said", &[], gzip, Some(Identity)),
            ("gzip accepted", &[(ACCEPT, "gzip")], gzip, Some(Identity)),
            ("gzip held", &[(ACCEPT, "gzip"), (IF_RANGE, "\"t-gzip\"")], gzip, Some(Gzip)),
            ("gzip held, no field", &[(IF_RANGE, "\"t-gzip\"")], gzip, Some(Gzip)),
            ("gzip of old", &[(ACCEPT, "gzip"), (IF_RANGE, "\"u-gzip\"")], gzip, Some(Gzip)),
            ("gzip held, refused", &[(ACCEPT, ""), (IF_RANGE, "\"t-gzip\"")], gzip, Some(Identity)),
            (
                "gzip held, not there",
                &[(ACCEPT, "gzip"), (IF_RANGE, "\"t-gzip\"")],
                &[],
                Some(Identity),
            ),
            (
                "gzip held weakly",
                &[(ACCEPT, "gzip"), (IF_RANGE, "W/\"t-gzip\"")],
                gzip,
                Some(Identity),
            ),
            (
                "two If-Range",
                &[(ACCEPT, "gzip"), (IF_RANGE, "\"t-gzip\""), (IF_RANGE, "\"t-gzip\"")],
                gzip,
                Some(Identity),
            ),
            ("identity held", &[(ACCEPT, "gzip"), (IF_RANGE, "\"t\"")], gzip, Some(Identity)),
            ("identity refused", &[(ACCEPT, "gzip, identity;q=0")], gzip, Some(Gzip)),
            ("all but gzip refused", &[(ACCEPT, "gzip, *;q=0")], gzip, Some(Gzip)),
            (
                "identity refused and held",
                &[(ACCEPT, "gzip, identity;q=0"), (IF_RANGE, "\"t\"")],
                gzip,
                Some(Gzip),
            ),
            ("all refused", &[(ACCEPT, "*;q=0")], gzip, None),
            ("gzip in If-Match", &[(ACCEPT, "gzip"), (IF_MATCH, "\"t-gzip\"")], gzip, Some(Gzip)),
            (
                "both in If-Match",
                &[(ACCEPT, "gzip"), (IF_MATCH, "\"t-gzip\", \"t\"")],
                gzip,
                Some(Identity),
            ),
            (
                "gzip of old in If-Match",
                &[(ACCEPT, "gzip"), (IF_MATCH, "\"u-gzip\"")],
                gzip,
                Some(Identity),
            ),
            ("any in If-Match", &[(ACCEPT, "gzip"), (IF_MATCH, "*")], gzip, Some(Identity)),
            (
                "gzip in If-Match, identity in If-Range",
                &[(ACCEPT, "gzip"), (IF_MATCH, "\"t-gzip\""), (IF_RANGE, "\"t\"")],
                gzip,
                Some(Identity),
            ),
            (
                "zstd held",
                &[(ACCEPT, "gzip, zstd"), (IF_RANGE, "\"t-zstd\"")],
                &[Gzip, Zstd],
                Some(Zstd),
            ),
        ];
        for (name, fields, codings, expected) in rows {
            let headers = headers(fields);
            let accept = AcceptEncoding::from_headers(&headers);
            let got = accept.select_for_range(&headers, &metadata(codings));
            assert_eq!(got, *expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_field_selects_only_what_is_there_and_taken(
            value in "[gzipstdenty*;,=.q01 \t-]{0,40}",
            has_gzip: bool,
            has_zstd: bool,
        ) {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::try_from(value).unwrap());
            let mut codings = vec![];
            if has_gzip { codings.push(Gzip) }
            if has_zstd { codings.push(Zstd) }
            let metadata = metadata(&codings);
            let accept = AcceptEncoding::from_headers(&headers);
            for got in [accept.select(&metadata), accept.select_for_range(&headers, &metadata)] {
                match got {
                    Some(coding) => prop_assert!(metadata.has(coding) && accept.accepts(coding)),
                    None => prop_assert!(!accept.accepts(Identity)),
                }
            }
        }

        #[test]
        fn a_weight_is_its_number(thousandths in 0_u16..=1_000) {
            let text = format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000);
            prop_assert_eq!(parse_weight(text.as_bytes()), Some(thousandths));
        }

        #[test]
        fn any_bytes_are_read_without_panic(
            value in proptest::collection::vec(any::<u8>(), 0..48),
        ) {
            let _ = parse_member(&value);
            let _ = parse_weight(&value);
        }
    }
}
