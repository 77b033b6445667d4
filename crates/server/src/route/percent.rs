//! The one percent-decode that a request target gets (RFC 3986 section 2.1).
//!
//! Strict where the usual decoders are lenient: a `%` without two hexadecimal digits is a defect,
//! not a literal, and so is text that is not UTF-8 after decoding. What a decode yields is never
//! decoded again, so `%252e` ends as the four characters `%2e`.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use thiserror::Error;

/// Why a text of the request target cannot be decoded.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum DecodeDefect {
    /// A `%` that two hexadecimal digits do not follow.
    #[error("malformed percent-encoding")]
    MalformedPercentEncoding,
    /// The decoded bytes are not UTF-8 (overlong forms and surrogates are not).
    #[error("not UTF-8")]
    NotUtf8,
}

/// Decodes one part of a path; a `+` stays a `+`.
pub(super) fn decode_path(text: &str) -> Result<Cow<'_, str>, DecodeDefect> {
    if !is_well_formed(text) {
        return Err(DecodeDefect::MalformedPercentEncoding);
    }
    percent_decode_str(text).decode_utf8().map_err(|_| DecodeDefect::NotUtf8)
}

/// Decodes a name or a value of a query, where a `+` is a space.
pub(super) fn decode_query(text: &str) -> Result<Cow<'_, str>, DecodeDefect> {
    if !text.contains('+') {
        return decode_path(text);
    }
    let spaced = text.replace('+', " ");
    Ok(Cow::Owned(decode_path(&spaced)?.into_owned()))
}

fn is_well_formed(text: &str) -> bool {
    // What stands before the first `%` holds no escape.
    text.split('%').skip(1).all(|after| {
        let digits = after.as_bytes().get(..2);
        digits.is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_once_and_strictly() {
        use DecodeDefect::{MalformedPercentEncoding, NotUtf8};
        let rows = [
            ("plain", "a.txt", Ok("a.txt")),
            ("lower-case digits", "a%2fb", Ok("a/b")),
            ("upper-case digits", "a%2Fb", Ok("a/b")),
            ("UTF-8", "%C3%A9", Ok("\u{e9}")),
            ("raw UTF-8", "\u{e9}", Ok("\u{e9}")),
            ("plus", "a+b", Ok("a+b")),
            ("double encoding", "%252e", Ok("%2e")),
            ("an escaped percent sign and digits", "%2541", Ok("%41")),
            ("lone percent sign", "%", Err(MalformedPercentEncoding)),
            ("one digit", "%2", Err(MalformedPercentEncoding)),
            ("not digits", "%zz", Err(MalformedPercentEncoding)),
            ("a percent sign as digit", "%%41", Err(MalformedPercentEncoding)),
            ("a sign as digit", "%+1", Err(MalformedPercentEncoding)),
            ("%u form", "%u002e", Err(MalformedPercentEncoding)),
            ("a raw character in the digits", "%2\u{e9}", Err(MalformedPercentEncoding)),
            ("overlong dot", "%c0%ae", Err(NotUtf8)),
            ("surrogate", "%ed%a0%80", Err(NotUtf8)),
            ("Latin-1", "%e9", Err(NotUtf8)),
        ];
        for (name, text, want) in rows {
            assert_eq!(decode_path(text).as_deref(), want.as_deref(), "{name}");
        }
    }

    #[test]
    fn plus_is_a_space_in_a_query_only() {
        assert_eq!(decode_query("a+b%2Bc").as_deref(), Ok("a b+c"));
        assert_eq!(decode_query("a+%").as_deref(), Err(&DecodeDefect::MalformedPercentEncoding));
        assert_eq!(decode_path("a+b%2Bc").as_deref(), Ok("a+b+c"));
    }
}
