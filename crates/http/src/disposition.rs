//! Content-Disposition (RFC 6266) with a file name from an archive, which nobody vouches for.

use http::header::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::field;

/// Longest file name handed to a client, in bytes of UTF-8: NAME_MAX of common file systems.
pub const MAX_FILE_NAME_LEN: usize = 255;

/// The name where none is left.
const NAMELESS: &str = "download";

/// Everything but `attr-char` of RFC 8187 3.2.1.
const NOT_ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// `attachment; filename="..."; filename*=UTF-8''...` with the last segment of an entry's name.
///
/// `display` is the name as decoded for people; `raw_name`, the bytes in the archive, stands in
/// where `display` has no last segment. The name is cut to [`MAX_FILE_NAME_LEN`] at a character.
///
/// `filename` is for clients that do not know `filename*`: controls, `"`, `\`, `%` and everything
/// beyond ASCII become `_` there, and marks that turn the direction of text, which can make
/// `gpj.exe` look like `exe.jpg`, are dropped. `filename*` keeps all of it percent-encoded
/// (RFC 8187).
///
/// ```
/// use entryway_http::attachment;
///
/// assert_eq!(
///     attachment(b"docs/100% \xc3\xa9.txt", "docs/100% \u{e9}.txt"),
///     "attachment; filename=\"100_ _.txt\"; filename*=UTF-8''100%25%20%C3%A9.txt",
/// );
/// ```
pub fn attachment(raw_name: &[u8], display: &str) -> HeaderValue {
    let raw_name = String::from_utf8_lossy(raw_name);
    let name = [last_segment(display), last_segment(&raw_name)]
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or(NAMELESS);
    let name = &name[..name.floor_char_boundary(MAX_FILE_NAME_LEN)];
    let fallback: String = name.chars().filter_map(fallback_char).collect();
    let fallback = if fallback.is_empty() { NAMELESS } else { &fallback };
    let encoded = utf8_percent_encode(name, NOT_ATTR_CHAR);
    field::ascii_value(format!("attachment; filename=\"{fallback}\"; filename*=UTF-8''{encoded}"))
}

fn last_segment(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// What stands for `c` in `filename`; `None` to leave it out.
fn fallback_char(c: char) -> Option<char> {
    match c {
        // Unicode's Bidi_Control property.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            None
        }
        '"' | '\\' | '%' => Some('_'),
        ' '..='~' => Some(c),
        _ => Some('_'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_last_segment_is_quoted_and_encoded() {
        let rows = [
            ("plain", "a.txt", "a.txt", "a.txt"),
            ("in a folder", "x/y/a.txt", "a.txt", "a.txt"),
            ("leading ./", "./a.txt", "a.txt", "a.txt"),
            ("spaces", "a b.txt", "a b.txt", "a%20b.txt"),
            ("a quote", "a\"b", "a_b", "a%22b"),
            ("a backslash", "a\\b", "a_b", "a%5Cb"),
            ("a percent sign", "a%41b", "a_41b", "a%2541b"),
            ("a semicolon", "a;b", "a;b", "a%3Bb"),
            ("an apostrophe", "a'b", "a'b", "a%27b"),
            ("star and parentheses", "a*(b)", "a*(b)", "a%2A%28b%29"),
            ("a line break", "a\r\nX: y", "a__X: y", "a%0D%0AX%3A%20y"),
            ("NUL and DEL", "a\0b\u{7f}", "a_b_", "a%00b%7F"),
            ("umlauts", "\u{fc}ber.txt", "_ber.txt", "%C3%BCber.txt"),
            ("beyond the BMP", "\u{1f600}.png", "_.png", "%F0%9F%98%80.png"),
            ("a bidi override", "a\u{202e}gpj.exe", "agpj.exe", "a%E2%80%AEgpj.exe"),
            ("bidi controls alone", "\u{200f}\u{2066}", "download", "%E2%80%8F%E2%81%A6"),
            ("a C1 control", "a\u{85}b", "a_b", "a%C2%85b"),
            ("attr-char", "!#$&+-.^_`|~", "!#$&+-.^_`|~", "!#$&+-.^_`|~"),
        ];
        for (name, entry, fallback, encoded) in rows {
            let expected =
                format!("attachment; filename=\"{fallback}\"; filename*=UTF-8''{encoded}");
            assert_eq!(attachment(entry.as_bytes(), entry), expected, "{name}");
        }
    }

    #[test]
    fn a_name_without_last_segment_is_taken_from_the_raw_bytes() {
        let rows: [(&str, &[u8], &str, &str); 3] = [
            ("display ends in a slash", b"x/raw.txt", "x/", "raw.txt"),
            ("raw bytes not UTF-8", b"a\xffb", "", "a\u{fffd}b"),
            ("neither", b"x/", "", "download"),
        ];
        for (name, raw_name, display, expected) in rows {
            let value = attachment(raw_name, display);
            assert_eq!(decoded(&value), expected, "{name}");
        }
    }

    #[test]
    fn long_names_are_cut_at_a_character() {
        let rows = [
            ("255 bytes", "a".repeat(255), 255),
            ("256 bytes", "a".repeat(256), 255),
            ("two-byte characters", "\u{e9}".repeat(200), 254),
            ("three-byte characters", "\u{20ac}".repeat(100), 255),
            ("four-byte characters", "\u{1f600}".repeat(100), 252),
        ];
        for (name, entry, len) in rows {
            let got = decoded(&attachment(entry.as_bytes(), &entry));
            assert_eq!(got.len(), len, "{name}");
            assert!(entry.starts_with(&got), "{name}");
        }
    }

    /// A decoder of `filename*` by RFC 8187 3.2 that knows nothing of the encoder.
    fn decoded(value: &HeaderValue) -> String {
        let text = value.to_str().unwrap();
        let (_, encoded) = text.split_once("; filename*=UTF-8''").unwrap();
        let mut bytes = Vec::new();
        let mut rest = encoded.as_bytes();
        while let [byte, tail @ ..] = rest {
            rest = tail;
            if *byte == b'%' {
                let digits = std::str::from_utf8(&tail[..2]).unwrap();
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
                rest = &tail[2..];
            } else {
                assert!(byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(byte), "{text}");
                bytes.push(*byte);
            }
        }
        String::from_utf8(bytes).unwrap()
    }

    /// The value of `filename`, read as a quoted-string without escapes.
    fn fallback(value: &HeaderValue) -> String {
        let text = value.to_str().unwrap();
        let quoted = text.strip_prefix("attachment; filename=\"").unwrap();
        quoted.split_once('"').unwrap().0.to_owned()
    }

    proptest! {
        #[test]
        fn any_name_survives_and_breaks_nothing(entry in "\\PC{0,40}|[\\x00-\\u{10ffff}]{0,100}") {
            let value = attachment(entry.as_bytes(), &entry);
            let text = value.to_str().unwrap();
            prop_assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            prop_assert_eq!(text.matches('"').count(), 2);
            prop_assert!(!text.contains(['\\', '/']));
            let plain = fallback(&value);
            prop_assert!(!plain.is_empty() && plain.len() <= MAX_FILE_NAME_LEN);
            prop_assert!(!plain.contains('%'));

            let last = entry.rsplit('/').next().unwrap();
            let name = decoded(&value);
            if last.len() <= MAX_FILE_NAME_LEN && !last.is_empty() {
                prop_assert_eq!(name, last);
            } else if last.is_empty() {
                prop_assert_eq!(name, "download");
            } else {
                prop_assert!(last.starts_with(&name) && name.len() > MAX_FILE_NAME_LEN - 4);
            }
        }

        #[test]
        fn any_bytes_are_a_name(
            raw_name in proptest::collection::vec(any::<u8>(), 0..40),
            display in "[/a]{0,3}",
        ) {
            prop_assert!(!decoded(&attachment(&raw_name, &display)).is_empty());
        }
    }
}
