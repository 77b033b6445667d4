//! Validators (RFC 9110 8.8): entity tags, their lists in requests, and HTTP dates.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

use crate::coding::ContentCoding;
use crate::field;

/// A strong entity tag of ours (RFC 9110 8.8.3), quotes included. Cheap to clone.
///
/// Strong, because what it names is content-addressed: equal tags mean equal bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EntityTag(HeaderValue);

impl EntityTag {
    /// A tag of any text, for embedders with validators of their own.
    ///
    /// `None` unless every byte is visible ASCII other than `"`. The text should not end in
    /// `-gzip` or `-zstd`, which are read as marks of a coding.
    pub fn new(opaque: &str) -> Option<Self> {
        let is_etagc = |byte: u8| matches!(byte, 0x21 | 0x23..=0x7e);
        opaque.bytes().all(is_etagc).then(|| Self::quoted(opaque, ""))
    }

    /// The tag of a whole archive: `"<sha256 in hex>"`.
    pub fn of_archive(sha256: &[u8; 32]) -> Self {
        Self::quoted(&hex(sha256), "")
    }

    /// The tag of an entry's identity representation: the SHA-256, in hex, of the archive's
    /// SHA-256 in hex, a colon and the entry's raw name.
    ///
    /// ```
    /// use entryway_http::EntityTag;
    ///
    /// let one = EntityTag::of_entry(&[7; 32], b"a.txt");
    /// assert_ne!(one, EntityTag::of_entry(&[7; 32], b"b.txt"));
    /// assert_ne!(one, EntityTag::of_entry(&[8; 32], b"a.txt"));
    /// assert_eq!(one.to_header_value().len(), 66);
    /// ```
    pub fn of_entry(archive_sha256: &[u8; 32], raw_name: &[u8]) -> Self {
        let mut digest = Sha256::new();
        digest.update(hex(archive_sha256));
        digest.update(b":");
        digest.update(raw_name);
        Self::quoted(&hex(&digest.finalize()), "")
    }

    /// The tag of a subset of an archive, an archive itself, with the entries of these raw names.
    ///
    /// The SHA-256, in hex, of: the text `subset 1`, where 1 is the number of the layout; the
    /// archive's SHA-256, 32 bytes; then of each name, ascending by bytes, its length in bytes as
    /// 8 bytes, most significant first, and the name. What the patterns were does not count, only
    /// what they select.
    pub fn of_subset<'a>(
        archive_sha256: &[u8; 32],
        raw_names: impl IntoIterator<Item = &'a [u8]>,
    ) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"subset 1");
        digest.update(archive_sha256);
        for name in raw_names {
            digest.update((name.len() as u64).to_be_bytes());
            digest.update(name);
        }
        Self::quoted(&hex(&digest.finalize()), "")
    }

    /// The tag of the same entry in `coding`: `-gzip` or `-zstd` appended inside the quotes.
    #[must_use]
    pub fn for_coding(&self, coding: ContentCoding) -> Self {
        match coding {
            ContentCoding::Identity => self.clone(),
            ContentCoding::Gzip | ContentCoding::Zstd => {
                Self::quoted(&String::from_utf8_lossy(self.opaque()), coding.tag_suffix())
            }
        }
    }

    /// The text between the quotes.
    pub fn opaque(&self) -> &[u8] {
        let quoted = self.0.as_bytes();
        &quoted[1..quoted.len() - 1]
    }

    /// The tag as a field value, for `ETag`. No copy.
    pub fn to_header_value(&self) -> HeaderValue {
        self.0.clone()
    }

    /// Whether `opaque` is the text of this tag's form for `coding`, decided without making it.
    fn names(&self, coding: ContentCoding, opaque: &[u8]) -> bool {
        opaque.strip_suffix(coding.tag_suffix().as_bytes()) == Some(self.opaque())
    }

    fn quoted(opaque: &str, suffix: &str) -> Self {
        let mut text = String::with_capacity(opaque.len() + suffix.len() + 2);
        text.push('"');
        text.push_str(opaque);
        text.push_str(suffix);
        text.push('"');
        Self(field::ascii_value(text))
    }
}

/// Lowercase hex digits of `bytes`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// An entity tag in a request: of any server, weak or strong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestTag<'a> {
    /// Whether it was marked `W/`.
    pub is_weak: bool,
    /// The bytes between the quotes.
    pub opaque: &'a [u8],
}

impl<'a> RequestTag<'a> {
    /// Parses a value that is one entity tag and nothing else, as in If-Range.
    ///
    /// ```
    /// use entryway_http::RequestTag;
    ///
    /// let tag = RequestTag::parse(b"W/\"a,b\"").unwrap();
    /// assert!(tag.is_weak);
    /// assert_eq!(tag.opaque, b"a,b");
    /// assert_eq!(RequestTag::parse(b"w/\"x\""), None);
    /// ```
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let (tag, rest) = Self::take(field::trim_ows(value))?;
        rest.is_empty().then_some(tag)
    }

    /// Strong comparison (RFC 9110 8.8.3.2) with the tag of an entry in `coding`.
    pub fn strongly_matches(&self, entry: &EntityTag, coding: ContentCoding) -> bool {
        !self.is_weak && entry.names(coding, self.opaque)
    }

    /// Weak comparison (RFC 9110 8.8.3.2) with the tag of an entry in `coding`.
    pub fn weakly_matches(&self, entry: &EntityTag, coding: ContentCoding) -> bool {
        entry.names(coding, self.opaque)
    }

    /// One entity tag at the start of `input`, and what follows it.
    fn take(input: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (is_weak, quoted) = match input.strip_prefix(b"W/") {
            Some(quoted) => (true, quoted),
            None => (false, input),
        };
        let text = quoted.strip_prefix(b"\"")?;
        // etagc is any byte but controls, space, DEL and the quote; a comma is one.
        let end = text.iter().position(|byte| !matches!(byte, 0x21 | 0x23..=0x7e | 0x80..))?;
        let rest = text[end..].strip_prefix(b"\"")?;
        Some((Self { is_weak, opaque: &text[..end] }, rest))
    }
}

/// One element of the list in If-Match or If-None-Match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ListMember<'a> {
    Any,
    Tag(RequestTag<'a>),
    Malformed,
}

/// The elements of one field value; empty ones are skipped (RFC 9110 5.6.1.2).
struct ListMembers<'a>(&'a [u8]);

impl<'a> Iterator for ListMembers<'a> {
    type Item = ListMember<'a>;

    fn next(&mut self) -> Option<ListMember<'a>> {
        let start = self.0.iter().position(|&byte| byte != b',' && !field::is_ows(byte))?;
        let input = &self.0[start..];
        let (member, rest) = match RequestTag::take(input) {
            Some((tag, rest)) => (ListMember::Tag(tag), rest),
            None if input[0] == b'*' => (ListMember::Any, &input[1..]),
            None => (ListMember::Malformed, input),
        };
        let end = rest.iter().position(|&byte| byte == b',').unwrap_or(rest.len());
        self.0 = &rest[end..];
        if field::trim_ows(&rest[..end]).is_empty() {
            Some(member)
        } else {
            Some(ListMember::Malformed)
        }
    }
}

/// Whether the entity tags listed under `name`, all fields of that name joined, satisfy `matches`;
/// `None` when there is no such field.
///
/// `*` matches an entry that exists, which ours does, but only where it is the one element, as the
/// grammar has it. Malformed elements match nothing.
pub(crate) fn any_listed(
    headers: &HeaderMap,
    name: &HeaderName,
    matches: impl Fn(RequestTag<'_>) -> bool,
) -> Option<bool> {
    let (mut elements, mut any, mut matched) = (0_usize, false, false);
    let mut is_present = false;
    for value in headers.get_all(name) {
        is_present = true;
        for member in ListMembers(value.as_bytes()) {
            elements += 1;
            match member {
                ListMember::Any => any = true,
                ListMember::Tag(tag) => matched |= matches(tag),
                ListMember::Malformed => {}
            }
        }
    }
    is_present.then_some(matched || (any && elements == 1))
}

/// An HTTP date (RFC 9110 5.6.7): whole seconds from 1970 to the end of 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HttpDate {
    /// Seconds since 1970; `<= HttpDate::LATEST`.
    unix_seconds: u64,
}

impl HttpDate {
    /// 9999-12-31T23:59:59Z; a year of five digits has no form.
    const LATEST: u64 = 253_402_300_799;

    /// Parses any of the three forms; `None` for anything else.
    ///
    /// ```
    /// use entryway_http::HttpDate;
    ///
    /// let date = HttpDate::parse(b"Sunday, 06-Nov-94 08:49:37 GMT").unwrap();
    /// assert_eq!(date.to_header_value(), "Sun, 06 Nov 1994 08:49:37 GMT");
    /// assert_eq!(HttpDate::parse(b"1994-11-06"), None);
    /// ```
    pub fn parse(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(field::trim_ows(value)).ok()?;
        httpdate::parse_http_date(text).ok().map(Self::from)
    }

    /// The date in its preferred form, as a field value.
    pub fn to_header_value(self) -> HeaderValue {
        let time = UNIX_EPOCH + Duration::from_secs(self.unix_seconds);
        field::ascii_value(httpdate::fmt_http_date(time))
    }
}

impl From<SystemTime> for HttpDate {
    /// Drops parts of a second and moves times outside 1970 to 9999 to the nearer end.
    fn from(time: SystemTime) -> Self {
        let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { unix_seconds: since_epoch.as_secs().min(Self::LATEST) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::IF_NONE_MATCH;
    use proptest::prelude::*;

    #[test]
    fn tags_are_made_as_documented() {
        let archive = EntityTag::of_archive(&[0x0f; 32]);
        assert_eq!(archive.to_header_value(), format!("\"{}\"", "0f".repeat(32)));
        // SHA-256 of 64 digits '0', ":", "a.txt", by sha256sum.
        let entry = EntityTag::of_entry(&[0; 32], b"a.txt");
        assert_eq!(entry.to_header_value(), ENTRY_TAG);
        let gzip = entry.for_coding(ContentCoding::Gzip).to_header_value();
        assert_eq!(gzip, format!("{}-gzip\"", ENTRY_TAG.trim_end_matches('"')));
        assert_eq!(entry.for_coding(ContentCoding::Identity), entry);
    }

    #[test]
    fn the_tag_of_a_subset_is_of_archive_and_names() {
        // By Python's hashlib.
        let none = "6ab11e9fd71e2f568b8e9fc314f444bc97801bbf6a2726f8628258c34fdfff48";
        let two = "6dde10ddc6cd38d12387a489a8c7f92535f889cf21ad1482772942653be8b8aa";
        let names: [&[u8]; 2] = [b"a.txt", b"dir/\xff"];
        assert_eq!(EntityTag::of_subset(&[0; 32], []).opaque(), none.as_bytes());
        assert_eq!(EntityTag::of_subset(&[0; 32], names).opaque(), two.as_bytes());
        let joined: [&[u8]; 1] = [b"a.txtdir/\xff"];
        assert_ne!(EntityTag::of_subset(&[0; 32], joined).opaque(), two.as_bytes());
        assert_ne!(EntityTag::of_subset(&[1; 32], names).opaque(), two.as_bytes());
    }

    const ENTRY_TAG: &str = "\"b7388ad8dc119d3f7030f66b72076e4f1b824d4dd42adc540f37b161ea96d7e6\"";

    #[test]
    fn a_tag_of_ones_own_takes_visible_ascii_without_quotes() {
        assert_eq!(EntityTag::new("v1,x").unwrap().to_header_value(), "\"v1,x\"");
        assert_eq!(EntityTag::new("").unwrap().opaque(), b"");
        for bad in ["a\"b", "a b", "a\r\nb", "\u{7f}", "\u{e9}"] {
            assert_eq!(EntityTag::new(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn lists_of_tags_are_read_by_the_list_rule() {
        use ListMember::{Any, Malformed};
        let strong = |opaque: &'static [u8]| ListMember::Tag(RequestTag { is_weak: false, opaque });
        let weak = |opaque: &'static [u8]| ListMember::Tag(RequestTag { is_weak: true, opaque });
        let rows: &[(&str, &[u8], Vec<ListMember<'_>>)] = &[
            ("nothing", b"", vec![]),
            ("one", b"\"a\"", vec![strong(b"a")]),
            ("an empty tag", b"\"\"", vec![strong(b"")]),
            ("several", b"\"a\", W/\"b\",\"c\"", vec![strong(b"a"), weak(b"b"), strong(b"c")]),
            ("a comma inside", b"\"a,b\", \"c\"", vec![strong(b"a,b"), strong(b"c")]),
            ("empty elements", b" ,, \"a\" ,\t, \"b\",", vec![strong(b"a"), strong(b"b")]),
            ("a wildcard", b" * ", vec![Any]),
            ("a wildcard with a tag", b"*, \"a\"", vec![Any, strong(b"a")]),
            ("obs-text", b"\"\xff\"", vec![strong(b"\xff")]),
            ("a small w", b"w/\"a\", \"b\"", vec![Malformed, strong(b"b")]),
            ("no quotes", b"abc, \"b\"", vec![Malformed, strong(b"b")]),
            ("a space inside", b"\"a b\", \"c\"", vec![Malformed, strong(b"c")]),
            ("text behind the tag", b"\"a\"x, \"b\"", vec![Malformed, strong(b"b")]),
            ("two tags without comma", b"\"a\" \"b\"", vec![Malformed]),
            ("no closing quote", b"\"a", vec![Malformed]),
            ("a lone mark", b"W/", vec![Malformed]),
            ("text behind the wildcard", b"**", vec![Malformed]),
        ];
        for (name, value, expected) in rows {
            assert_eq!(ListMembers(value).collect::<Vec<_>>(), *expected, "{name}");
        }
    }

    #[test]
    fn fields_of_one_name_are_one_list() {
        let rows: &[(&str, &[&str], Option<bool>)] = &[
            ("absent", &[], None),
            ("empty", &[""], Some(false)),
            ("other", &["\"b\""], Some(false)),
            ("first field", &["\"a\"", "\"b\""], Some(true)),
            ("second field", &["\"b\"", "\"c\", \"a\""], Some(true)),
            ("wildcard", &["*"], Some(true)),
            ("wildcard among empty elements", &[", *,"], Some(true)),
            ("wildcard beside a tag", &["*, \"b\""], Some(false)),
            ("wildcard beside a tag in another field", &["*", "\"b\""], Some(false)),
            ("malformed", &["a"], Some(false)),
        ];
        for (name, values, expected) in rows {
            let mut headers = HeaderMap::new();
            for value in *values {
                headers.append(IF_NONE_MATCH, HeaderValue::from_static(value));
            }
            let got = any_listed(&headers, &IF_NONE_MATCH, |tag| tag.opaque == b"a");
            assert_eq!(got, *expected, "{name}");
        }
    }

    #[test]
    fn comparison_is_strong_or_weak() {
        use ContentCoding::{Gzip, Identity};
        let entry = EntityTag::new("abc").unwrap();
        let rows: &[(&str, &[u8], ContentCoding, bool, bool)] = &[
            ("equal", b"\"abc\"", Identity, true, true),
            ("weak", b"W/\"abc\"", Identity, false, true),
            ("other", b"\"abd\"", Identity, false, false),
            ("case counts", b"\"ABC\"", Identity, false, false),
            ("coded", b"\"abc-gzip\"", Gzip, true, true),
            ("coded weak", b"W/\"abc-gzip\"", Gzip, false, true),
            ("coded against identity", b"\"abc-gzip\"", Identity, false, false),
            ("identity against coded", b"\"abc\"", Gzip, false, false),
            ("suffix alone", b"\"-gzip\"", Gzip, false, false),
            ("zstd against gzip", b"\"abc-zstd\"", Gzip, false, false),
        ];
        for (name, value, coding, strong, weak) in rows {
            let tag = RequestTag::parse(value).unwrap();
            assert_eq!(tag.strongly_matches(&entry, *coding), *strong, "{name}, strong");
            assert_eq!(tag.weakly_matches(&entry, *coding), *weak, "{name}, weak");
        }
    }

    #[test]
    fn dates_of_all_three_forms_are_read() {
        let expected = Some(HttpDate { unix_seconds: 784_111_777 });
        let rows: &[(&str, &[u8], Option<HttpDate>)] = &[
            ("IMF-fixdate", b"Sun, 06 Nov 1994 08:49:37 GMT", expected),
            ("RFC 850", b"Sunday, 06-Nov-94 08:49:37 GMT", expected),
            ("asctime", b"Sun Nov  6 08:49:37 1994", expected),
            ("white space round it", b" Sun, 06 Nov 1994 08:49:37 GMT\t", expected),
            ("another zone", b"Sun, 06 Nov 1994 08:49:37 CET", None),
            ("no such day", b"Thu, 31 Feb 1994 08:49:37 GMT", None),
            ("a number", b"784111777", None),
            ("nothing", b"", None),
            ("obs-text", b"Sun, 06 Nov 1994 08:49:37 GM\xd4", None),
        ];
        for (name, value, expected) in rows {
            assert_eq!(HttpDate::parse(value), *expected, "{name}");
        }
    }

    #[test]
    fn any_time_has_a_date() {
        let rows = [
            ("before 1970", UNIX_EPOCH - Duration::from_secs(5), "Thu, 01 Jan 1970 00:00:00 GMT"),
            (
                "part of a second",
                UNIX_EPOCH + Duration::from_millis(1_999),
                "Thu, 01 Jan 1970 00:00:01 GMT",
            ),
            (
                "after 9999",
                UNIX_EPOCH + Duration::from_secs(HttpDate::LATEST + 7),
                "Fri, 31 Dec 9999 23:59:59 GMT",
            ),
        ];
        for (name, time, expected) in rows {
            assert_eq!(HttpDate::from(time).to_header_value(), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_value_is_read_without_panic(value in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = HttpDate::parse(&value);
            let _ = RequestTag::parse(&value);
            prop_assert!(ListMembers(&value).count() <= value.len());
        }

        #[test]
        fn every_tag_written_into_a_list_is_found(
            opaque in "[!#-~]{0,20}",
            others in proptest::collection::vec("[!#-~]{0,8}", 0..4),
        ) {
            let list: Vec<String> =
                others.iter().chain([&opaque]).map(|tag| format!("\"{tag}\"")).collect();
            let list = list.join(" , ");
            let tag = EntityTag::new(&opaque).unwrap();
            let found = ListMembers(list.as_bytes()).any(|member| match member {
                ListMember::Tag(it) => it.strongly_matches(&tag, ContentCoding::Identity),
                ListMember::Any | ListMember::Malformed => false,
            });
            prop_assert!(found);
        }

        #[test]
        fn dates_survive_the_round_trip(unix_seconds in 0..=HttpDate::LATEST) {
            let date = HttpDate { unix_seconds };
            prop_assert_eq!(HttpDate::parse(date.to_header_value().as_bytes()), Some(date));
        }
    }
}
