//! What the parsers of this crate share about field values (RFC 9110 5.5 and 5.6): optional white
//! space, the rule for a field that may stand only once, and values made of ASCII.

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Whether `byte` is optional white space (RFC 9110 5.6.3): a space or a tab.
pub(crate) fn is_ows(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// `value` without the optional white space at both ends.
pub(crate) fn trim_ows(value: &[u8]) -> &[u8] {
    let Some(start) = value.iter().position(|&byte| !is_ows(byte)) else { return &[] };
    let end = value.iter().rposition(|&byte| !is_ows(byte)).map_or(start, |last| last + 1);
    &value[start..end]
}

/// The value of a field that may stand only once; `None` when it is absent or repeated.
///
/// RFC 9110 5.3 lets a recipient treat a repeated singleton as it likes. Two dates or two Range
/// fields say two things, and which one a proxy in front would have taken is not known here.
pub(crate) fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// A field value of spaces and visible ASCII, which is what every caller builds.
pub(crate) fn ascii_value(text: String) -> HeaderValue {
    debug_assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{text:?}");
    // Cannot fail: RFC 9110 5.5 allows SP and VCHAR in a field value, and so does `HeaderValue`;
    // callers put only digits, hex, tokens and escaped names into `text`.
    HeaderValue::try_from(text).expect("visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::RANGE;

    #[test]
    fn optional_white_space_is_spaces_and_tabs_at_the_ends() {
        for (value, expected) in
            [("", ""), (" ", ""), (" \t", ""), ("a", "a"), (" a b\t", "a b"), ("\u{b}a", "\u{b}a")]
        {
            assert_eq!(trim_ows(value.as_bytes()), expected.as_bytes(), "{value:?}");
        }
    }

    #[test]
    fn a_repeated_singleton_is_no_value() {
        let mut headers = HeaderMap::new();
        assert_eq!(only(&headers, &RANGE), None);
        headers.append(RANGE, HeaderValue::from_static("a"));
        assert_eq!(only(&headers, &RANGE), Some(&HeaderValue::from_static("a")));
        headers.append(RANGE, HeaderValue::from_static("a"));
        assert_eq!(only(&headers, &RANGE), None);
    }
}
