//! Names as they can be shown to people: on a terminal, in a log, in an answer.

use std::borrow::Cow;
use std::path::Path;

/// Most characters of an entry's name that stand before a reason.
const MAX_NAME_LEN: usize = 200;

/// Whether a character does something to a text instead of being seen in it: controls, separators
/// of lines, spaces without width, marks that turn text round, tags.
pub(crate) fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}')
        || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(character, '\u{fff9}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}')
        || matches!(character, '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}')
}

/// A name as it can be shown: what could move a cursor or turn text round is escaped.
pub(crate) fn shown(name: &str) -> String {
    name.chars()
        .map(|c| if is_unseen(c) { c.escape_unicode().to_string() } else { c.to_string() })
        .collect()
}

/// A raw name as it can be shown: bytes that are not UTF-8 are escaped too.
pub(crate) fn shown_raw(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        text += &shown(chunk.valid());
        for byte in chunk.invalid() {
            text += &format!("\\x{byte:02x}");
        }
    }
    text
}

/// A raw name between quotes, in which nothing ends it before its end.
pub(crate) fn quoted(name: &[u8]) -> String {
    let mut escaped = Vec::with_capacity(name.len());
    for &byte in name {
        if matches!(byte, b'"' | b'\\') {
            escaped.push(b'\\');
        }
        escaped.push(byte);
    }
    format!("\"{}\"", shown_raw(&escaped))
}

/// A raw name as it stands before the reason for a refusal, which a long one shall not hide.
pub(crate) fn shown_in_reason(name: &[u8]) -> String {
    abridged(&shown_raw(name), MAX_NAME_LEN).into_owned()
}

/// A path as it can be shown.
pub(crate) fn shown_path(path: &Path) -> String {
    shown_raw(path.as_os_str().as_encoded_bytes())
}

/// A text of which no more than `max_chars` characters are shown.
pub(crate) fn abridged(text: &str, max_chars: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => Cow::Owned(format!("{}\u{2026}", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_without_what_a_terminal_obeys() {
        let table = [
            ("plain/\u{e9} x", "plain/\u{e9} x"),
            ("\u{1b}[31m", "\\u{1b}[31m"),
            ("a\u{202e}txt.exe", "a\\u{202e}txt.exe"),
            ("a\u{61c}b", "a\\u{61c}b"),
            ("a\u{ad}b", "a\\u{ad}b"),
            ("a\nb", "a\\u{a}b"),
        ];
        for (name, expected) in table {
            assert_eq!(shown(name), expected);
            // `token list` relies on `Debug` for the same.
            let quoted = format!("{name:?}");
            assert_eq!(shown(&quoted), quoted);
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_shown_as_numbers() {
        let table: [(&[u8], &str); 5] = [
            (b"plain", "plain"),
            (b"\x82.txt", "\\x82.txt"),
            (b"a\xff\xfe", "a\\xff\\xfe"),
            (b"\xe2\x80 \x1b", "\\xe2\\x80 \\u{1b}"),
            ("\u{202e}\u{e9}".as_bytes(), "\\u{202e}\u{e9}"),
        ];
        for (name, expected) in table {
            assert_eq!(shown_raw(name), expected);
        }
    }

    #[test]
    fn no_name_ends_its_quotes() {
        let table: [(&[u8], &str); 4] = [
            (b"plain", r#""plain""#),
            (br#"a": crc (b"#, r#""a\": crc (b""#),
            (br"\x82", r#""\\x82""#),
            (b"\x82\n", r#""\x82\u{a}""#),
        ];
        for (name, expected) in table {
            assert_eq!(quoted(name), expected);
        }
    }

    #[test]
    fn a_text_is_abridged_between_characters_and_says_so() {
        for (text, expected) in
            [("", ""), ("\u{e9}\u{e9}", "\u{e9}\u{e9}"), ("\u{e9}bc", "\u{e9}b\u{2026}")]
        {
            assert_eq!(abridged(text, 2), expected);
        }
    }
}
