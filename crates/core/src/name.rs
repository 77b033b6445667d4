//! Entry names: what may be served under them, and what people see (APPNOTE 4.4.17, appendix D).
//!
//! A name's identity is its raw bytes in the central directory. Everything here only judges them or
//! adds a second name to show and to find by.

use std::borrow::Cow;

use crate::error::Rule;
use crate::method::GeneralPurposeFlags;
use crate::record::{ExtraFields, UnicodePath};

/// Judges a raw name as something to serve: `Err` with the rule and the offending byte.
///
/// Either slash separates segments, since some clients treat a backslash as one. A name such as
/// `./a`, `a//b` or `ab:c` is a literal name.
///
/// # Errors
/// The first of the name rules that is broken.
pub(crate) fn judge(raw: &[u8], flags: GeneralPurposeFlags) -> Result<(), (Rule, u8)> {
    let is_separator = |b: u8| b == b'/' || b == b'\\';
    let Some(&first) = raw.first() else { return Err((Rule::NameEmpty, 0)) };
    let is_control = |b: u8| b < 0x20 || b == 0x7f;
    // Looked at without an end in the middle, which is many bytes at once: every lookup comes here.
    if raw.iter().fold(false, |found, &b| found | is_control(b)) {
        let control = raw.iter().copied().find(|&b| is_control(b));
        return Err((Rule::NameControl, control.unwrap_or_default()));
    }
    let has_drive = matches!(raw, [letter, b':', ..] if letter.is_ascii_alphabetic());
    if is_separator(first) || has_drive {
        return Err((Rule::NameAbsolute, first));
    }
    let has_dots =
        raw.iter().zip(&raw[1..]).fold(false, |dots, pair| dots | (pair == (&b'.', &b'.')));
    let climbs = || raw.split(|&b| is_separator(b)).any(|segment| segment == b"..");
    if raw == b"." || has_dots && climbs() {
        return Err((Rule::NameDots, b'.'));
    }
    if flags.is_utf8() && std::str::from_utf8(raw).is_err() {
        return Err((Rule::NameUtf8, 0));
    }
    Ok(())
}

/// The name to show: the Unicode path extra field, else UTF-8, else code page 437.
///
/// The extra field counts only in version 1 with the CRC-32 of this raw name, so that a program
/// which renamed the entry without knowing the field wins (APPNOTE 4.6.9).
#[must_use]
pub(crate) fn display<'a>(raw: &'a [u8], extra: &'a [u8]) -> Cow<'a, str> {
    if let Some(name) = unicode_path(raw, extra) {
        return Cow::Borrowed(name);
    }
    match std::str::from_utf8(raw) {
        Ok(name) => Cow::Borrowed(name),
        Err(_) => Cow::Owned(raw.iter().map(|&byte| code_page_437(byte)).collect()),
    }
}

fn unicode_path<'a>(raw: &[u8], extra: &'a [u8]) -> Option<&'a str> {
    ExtraFields::new(extra)
        .flatten()
        .filter(|field| field.id == UnicodePath::ID)
        .filter_map(|field| UnicodePath::parse(field.data))
        .find(|path| path.name_crc32 == crc32fast::hash(raw))
        .map(|path| path.name)
}

/// The raw name without the `./` that bsdtar and others put in front.
#[must_use]
pub(crate) fn without_dot_slash(raw: &[u8]) -> Option<&[u8]> {
    raw.strip_prefix(b"./").filter(|rest| !rest.is_empty())
}

/// Whether a request can address a path: no segment of it is empty, `.` or `..`, it is not absolute
/// and has no drive and no control character.
///
/// For paths in UTF-8 or not, without the slash at a directory's end. Either slash ends a segment.
#[must_use]
pub(crate) fn is_addressable(path: &[u8]) -> bool {
    path.split(|&byte| byte == b'/')
        .enumerate()
        .all(|(number, segment)| is_addressable_segment(segment, number == 0))
}

/// The same for one of the segments between slashes.
pub(crate) fn is_addressable_segment(segment: &[u8], is_first: bool) -> bool {
    let is_absolute = matches!(segment, [b'\\', ..])
        || matches!(segment, [letter, b':', ..] if letter.is_ascii_alphabetic());
    let has_control = segment.iter().any(u8::is_ascii_control)
        || std::str::from_utf8(segment).is_ok_and(|text| text.chars().any(char::is_control));
    let is_dots = |part: &[u8]| part == b"." || part == b"..";
    let climbs = segment.split(|&byte| byte == b'\\').any(is_dots);
    !(segment.is_empty() || has_control || climbs || is_first && is_absolute)
}

/// A raw path as it is shown: as UTF-8, else in code page 437. For what has no header to say more.
pub(crate) fn shown_path(raw: &[u8]) -> Cow<'_, str> {
    display(raw, &[])
}

/// The bytes that are shown as this text in code page 437, where there are any.
pub(crate) fn to_code_page_437(text: &str) -> Option<Vec<u8>> {
    let byte = |character: char| match u8::try_from(character) {
        Ok(ascii) if ascii.is_ascii() => Some(ascii),
        _ => (128..=255).find(|&byte| code_page_437(byte) == character),
    };
    text.chars().map(byte).collect()
}

/// The character of one byte in IBM code page 437 (APPNOTE appendix D); ASCII is itself.
fn code_page_437(byte: u8) -> char {
    const UPPER: [char; 128] = [
        '\u{c7}', '\u{fc}', '\u{e9}', '\u{e2}', '\u{e4}', '\u{e0}', '\u{e5}', '\u{e7}', '\u{ea}',
        '\u{eb}', '\u{e8}', '\u{ef}', '\u{ee}', '\u{ec}', '\u{c4}', '\u{c5}', '\u{c9}', '\u{e6}',
        '\u{c6}', '\u{f4}', '\u{f6}', '\u{f2}', '\u{fb}', '\u{f9}', '\u{ff}', '\u{d6}', '\u{dc}',
        '\u{a2}', '\u{a3}', '\u{a5}', '\u{20a7}', '\u{192}', '\u{e1}', '\u{ed}', '\u{f3}',
        '\u{fa}', '\u{f1}', '\u{d1}', '\u{aa}', '\u{ba}', '\u{bf}', '\u{2310}', '\u{ac}', '\u{bd}',
        '\u{bc}', '\u{a1}', '\u{ab}', '\u{bb}', '\u{2591}', '\u{2592}', '\u{2593}', '\u{2502}',
        '\u{2524}', '\u{2561}', '\u{2562}', '\u{2556}', '\u{2555}', '\u{2563}', '\u{2551}',
        '\u{2557}', '\u{255d}', '\u{255c}', '\u{255b}', '\u{2510}', '\u{2514}', '\u{2534}',
        '\u{252c}', '\u{251c}', '\u{2500}', '\u{253c}', '\u{255e}', '\u{255f}', '\u{255a}',
        '\u{2554}', '\u{2569}', '\u{2566}', '\u{2560}', '\u{2550}', '\u{256c}', '\u{2567}',
        '\u{2568}', '\u{2564}', '\u{2565}', '\u{2559}', '\u{2558}', '\u{2552}', '\u{2553}',
        '\u{256b}', '\u{256a}', '\u{2518}', '\u{250c}', '\u{2588}', '\u{2584}', '\u{258c}',
        '\u{2590}', '\u{2580}', '\u{3b1}', '\u{df}', '\u{393}', '\u{3c0}', '\u{3a3}', '\u{3c3}',
        '\u{b5}', '\u{3c4}', '\u{3a6}', '\u{398}', '\u{3a9}', '\u{3b4}', '\u{221e}', '\u{3c6}',
        '\u{3b5}', '\u{2229}', '\u{2261}', '\u{b1}', '\u{2265}', '\u{2264}', '\u{2320}',
        '\u{2321}', '\u{f7}', '\u{2248}', '\u{b0}', '\u{2219}', '\u{b7}', '\u{221a}', '\u{207f}',
        '\u{b2}', '\u{25a0}', '\u{a0}',
    ];
    match byte.checked_sub(128) {
        None => char::from(byte),
        Some(upper) => UPPER[usize::from(upper)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UTF8: GeneralPurposeFlags = GeneralPurposeFlags(1 << 11);
    const NONE: GeneralPurposeFlags = GeneralPurposeFlags(0);

    #[test]
    fn names_are_judged_by_their_bytes() {
        let table: [(&[u8], GeneralPurposeFlags, Option<Rule>); 33] = [
            (b"a", NONE, None),
            (b"", NONE, Some(Rule::NameEmpty)),
            (b".", NONE, Some(Rule::NameDots)),
            (b"./a", NONE, None),
            (b"a//b", NONE, None),
            (b"a/./b", NONE, None),
            (b"..", NONE, Some(Rule::NameDots)),
            (b"../x", NONE, Some(Rule::NameDots)),
            (b"a/../b", NONE, Some(Rule::NameDots)),
            (b"a/..", NONE, Some(Rule::NameDots)),
            (b"../..", NONE, Some(Rule::NameDots)),
            (b"..\\evil", NONE, Some(Rule::NameDots)),
            (b"a\\..\\b", NONE, Some(Rule::NameDots)),
            (b"a/..b", NONE, None),
            (b"a..", NONE, None),
            (b"/etc/passwd", NONE, Some(Rule::NameAbsolute)),
            (b"//x", NONE, Some(Rule::NameAbsolute)),
            (b"/", NONE, Some(Rule::NameAbsolute)),
            (b"\\\\srv\\s\\x", NONE, Some(Rule::NameAbsolute)),
            (b"C:/x", NONE, Some(Rule::NameAbsolute)),
            (b"c:\\x", NONE, Some(Rule::NameAbsolute)),
            (b"C:x", NONE, Some(Rule::NameAbsolute)),
            (b"a.txt:evil:$DATA", NONE, None),
            (b"1:/x", NONE, None),
            (b"a\\b", NONE, None),
            (b"a b", NONE, None),
            (b"a.txt\0.html", NONE, Some(Rule::NameControl)),
            (b"a\r\nb", NONE, Some(Rule::NameControl)),
            (b"a\x7f", NONE, Some(Rule::NameControl)),
            (b"\xff\xfe", NONE, None),
            (b"\xff\xfe", UTF8, Some(Rule::NameUtf8)),
            (b"..\xc0\xaf..", UTF8, Some(Rule::NameUtf8)),
            ("\u{e9}\u{202e}".as_bytes(), UTF8, None),
        ];
        for (raw, flags, expected) in table {
            let name = String::from_utf8_lossy(raw);
            assert_eq!(judge(raw, flags).err().map(|(rule, _)| rule), expected, "{name:?}");
        }
    }

    #[test]
    fn a_path_is_addressable_or_not() {
        let table: [(&[u8], bool); 26] = [
            (b"a", true),
            (b"a/b c/d.txt", true),
            (b"a/..b/c.", true),
            (b"ab:c", true),
            (b"a:b", false),
            (b"dir/c:x", true),
            (b"a\\b", true),
            (b"\x82", true),
            ("\u{e9}".as_bytes(), true),
            (b"", false),
            (b"/", false),
            (b"/a", false),
            (b"a/", false),
            (b"a//b", false),
            (b".", false),
            (b"./a", false),
            (b"a/./b", false),
            (b"a/..", false),
            (b"a\\..\\b", false),
            (b".\\a", false),
            (b"\\a", false),
            (b"c:/a", false),
            (b"C:a", false),
            (b"1:/a", true),
            (b"a\x7f", false),
            ("a/\u{85}".as_bytes(), false),
        ];
        for (path, expected) in table {
            assert_eq!(is_addressable(path), expected, "{:?}", String::from_utf8_lossy(path));
        }
    }

    #[test]
    fn what_follows_a_dot_and_a_slash_is_a_name_where_it_is_something() {
        let table: [(&[u8], Option<&[u8]>); 5] = [
            (b"./a", Some(b"a")),
            (b"././a", Some(b"./a")),
            (b"./", None),
            (b"a", None),
            (b".a", None),
        ];
        for (raw, expected) in table {
            assert_eq!(without_dot_slash(raw), expected, "{:?}", String::from_utf8_lossy(raw));
        }
    }

    #[test]
    fn code_page_437_is_read_back() {
        let all: Vec<u8> = (0..=255).collect();
        let shown: String = all.iter().map(|&byte| code_page_437(byte)).collect();
        assert_eq!(to_code_page_437(&shown), Some(all));
        assert_eq!(to_code_page_437("\u{65e5}"), None);
    }

    fn unicode_path_field(version: u8, crc32: u32, name: &[u8]) -> Vec<u8> {
        let mut field = vec![0x75, 0x70];
        field.extend_from_slice(&(name.len() as u16 + 5).to_le_bytes());
        field.push(version);
        field.extend_from_slice(&crc32.to_le_bytes());
        field.extend_from_slice(name);
        field
    }

    #[test]
    fn display_names_prefer_the_unicode_path_then_utf8_then_code_page_437() {
        let crc = crc32fast::hash(b"a.txt");
        let table: [(&str, &[u8], Vec<u8>, &str); 8] = [
            ("ASCII", b"a.txt", vec![], "a.txt"),
            ("UTF-8 without the flag", "\u{e9}".as_bytes(), vec![], "\u{e9}"),
            ("code page 437", b"\x82t\x82", vec![], "\u{e9}t\u{e9}"),
            ("path", b"a.txt", unicode_path_field(1, crc, "\u{fc}".as_bytes()), "\u{fc}"),
            ("path with another CRC", b"a.txt", unicode_path_field(1, 1, b"b"), "a.txt"),
            ("path of version 2", b"a.txt", unicode_path_field(2, crc, b"b"), "a.txt"),
            ("path that is not UTF-8", b"a.txt", unicode_path_field(1, crc, b"\xff"), "a.txt"),
            ("path of no bytes", b"a.txt", unicode_path_field(1, crc, b""), "a.txt"),
        ];
        for (name, raw, extra, expected) in table {
            assert_eq!(display(raw, &extra), expected, "{name}");
        }
    }
}
