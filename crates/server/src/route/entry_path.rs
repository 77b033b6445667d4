//! The artifact path of a request: decoded once, checked before anything is looked up.
//!
//! A path is a key that is compared with entry names and never a path of a file system. It is
//! refused all the same when it could be one that climbs or is absolute: no entry with such a name
//! is ever served, and a client that sends one is attacking or broken. Nothing is normalised, with
//! one exception that clients rely on: raw slashes that follow each other count as one, and one at
//! the end as none. A `%2F` is a character of the path and takes no part in that, so `%2Fetc` is
//! absolute and `dir%2F` names a directory.

use std::fmt;

use thiserror::Error;

use super::percent::{DecodeDefect, decode_path};

/// The longest artifact path, in bytes after decoding.
///
/// Entry names may be longer (65,535 bytes); such an entry cannot be addressed by a URL. Every byte
/// encoded, a path of this length takes 12,288 of the 16 KiB that a request target may have.
pub const MAX_ENTRY_PATH_LEN: usize = 4_096;

/// An artifact path that broke none of the rules: not empty, at most [`MAX_ENTRY_PATH_LEN`] bytes,
/// without control characters and dot segments, not absolute.
///
/// ```
/// use entryway_server::route::{EntryPath, PathRule};
///
/// let path = EntryPath::parse("dist//out%20file.txt")?;
/// assert_eq!(path.as_str(), "dist/out file.txt");
/// assert_eq!(EntryPath::parse("dist/.%2e/x"), Err(PathRule::DotSegment));
/// # Ok::<(), PathRule>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EntryPath(Box<str>);

impl EntryPath {
    /// Reads the undecoded text that follows `/raw/` or `/artifacts/` in a request target.
    ///
    /// # Errors
    /// The first rule, in the order of [`PathRule`], that the path breaks.
    pub fn parse(undecoded: &str) -> Result<Self, PathRule> {
        let segments: Vec<&str> = undecoded.split('/').filter(|s| !s.is_empty()).collect();
        Self::from_segments(&segments)
    }

    /// As [`EntryPath::parse`], from the undecoded segments between raw slashes, none empty.
    pub(super) fn from_segments(segments: &[&str]) -> Result<Self, PathRule> {
        let undecoded = segments.join("/");
        Self::from_decoded(&decode_path(&undecoded)?)
    }

    /// As [`EntryPath::parse`], from text that was decoded already (a parameter's value): every
    /// slash in it is a character.
    pub(super) fn from_decoded(path: &str) -> Result<Self, PathRule> {
        check(path)?;
        Ok(Self(path.into()))
    }

    /// The decoded path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The decoded path as the bytes that entry names are compared with.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The rule that an artifact path breaks, in the order of checking.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq, Hash)]
pub enum PathRule {
    /// Nothing follows the `/raw/`.
    #[error("the artifact path is empty")]
    Empty,
    /// A `%` that two hexadecimal digits do not follow.
    #[error("the artifact path has a malformed percent-encoding")]
    MalformedPercentEncoding,
    /// The decoded bytes are not UTF-8.
    #[error("the artifact path is not UTF-8")]
    NotUtf8,
    /// A character of Unicode's general category Cc: NUL to U+001F, DEL, U+0080 to U+009F.
    #[error("the artifact path has a control character (U+{:04X})", u32::from(*.character))]
    ControlCharacter {
        /// The first one.
        character: char,
    },
    /// A segment `.` or `..`, with either slash as separator.
    #[error("the artifact path has a . or .. segment")]
    DotSegment,
    /// A slash of either kind, or a drive letter with one, at the start.
    #[error("the artifact path is absolute")]
    Absolute,
    /// More than [`MAX_ENTRY_PATH_LEN`] bytes.
    #[error("the artifact path has {decoded_len} bytes, at most {MAX_ENTRY_PATH_LEN} are allowed")]
    TooLong {
        /// Bytes after decoding.
        decoded_len: usize,
    },
}

impl PathRule {
    /// A stable name for metrics and logs.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Empty => "path_empty",
            Self::MalformedPercentEncoding => "path_malformed_percent_encoding",
            Self::NotUtf8 => "path_not_utf8",
            Self::ControlCharacter { .. } => "path_control_character",
            Self::DotSegment => "path_dot_segment",
            Self::Absolute => "path_absolute",
            Self::TooLong { .. } => "path_too_long",
        }
    }
}

impl From<DecodeDefect> for PathRule {
    fn from(defect: DecodeDefect) -> Self {
        match defect {
            DecodeDefect::MalformedPercentEncoding => Self::MalformedPercentEncoding,
            DecodeDefect::NotUtf8 => Self::NotUtf8,
        }
    }
}

/// The rules for a decoded path.
pub(super) fn check(path: &str) -> Result<(), PathRule> {
    if path.is_empty() {
        return Err(PathRule::Empty);
    }
    if let Some(character) = path.chars().find(|c| c.is_control()) {
        return Err(PathRule::ControlCharacter { character });
    }
    if has_dot_segment(path, &['/', '\\']) {
        return Err(PathRule::DotSegment);
    }
    if is_absolute(path) {
        return Err(PathRule::Absolute);
    }
    if path.len() > MAX_ENTRY_PATH_LEN {
        return Err(PathRule::TooLong { decoded_len: path.len() });
    }
    Ok(())
}

/// Whether a segment between `separators` is `.` or `..` and nothing more.
pub(super) fn has_dot_segment(text: &str, separators: &[char]) -> bool {
    text.split(separators).any(|segment| matches!(segment, "." | ".."))
}

/// Absolute for any system that a client may have: `/x`, `\x`, `\\server\x`, `C:/x`, `C:\x`. A
/// colon elsewhere is a character like others (`a:b` is a name that Unix tools write).
fn is_absolute(path: &str) -> bool {
    match path.as_bytes() {
        [b'/' | b'\\', ..] => true,
        [drive, b':', b'/' | b'\\', ..] => drive.is_ascii_alphabetic(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn control(character: char) -> PathRule {
        PathRule::ControlCharacter { character }
    }

    #[test]
    fn refuses_every_rule_in_every_encoding() {
        use PathRule::{Absolute, DotSegment, Empty, MalformedPercentEncoding, NotUtf8};
        let rows = [
            ("nothing", "", Empty),
            ("a raw slash alone", "/", Empty),
            ("raw slashes alone", "///", Empty),
            ("lone percent sign", "a%", MalformedPercentEncoding),
            ("one hexadecimal digit", "a%4", MalformedPercentEncoding),
            ("one hexadecimal digit before a slash", "a%4/b", MalformedPercentEncoding),
            ("not hexadecimal", "a%zzb", MalformedPercentEncoding),
            ("%u escape", "%u002e%u002e/x", MalformedPercentEncoding),
            ("percent sign twice", "%%2e%%2e/x", MalformedPercentEncoding),
            ("malformed before a dot segment", "../%", MalformedPercentEncoding),
            ("overlong dot, lower case", "%c0%ae%c0%ae/x", NotUtf8),
            ("overlong dot, upper case", "%C0%AE%C0%AE/x", NotUtf8),
            ("overlong dot in three bytes", "%e0%80%ae/x", NotUtf8),
            ("overlong slash", "..%c0%afx", NotUtf8),
            ("surrogate", "%ed%a0%80", NotUtf8),
            ("beyond U+10FFFF", "%f4%90%80%80", NotUtf8),
            ("Latin-1 letter", "caf%e9", NotUtf8),
            ("cut sequence", "caf%c3", NotUtf8),
            ("sequence cut by a slash", "caf%c3/%a9", NotUtf8),
            ("encoded NUL", "a.txt%00.html", control('\0')),
            ("encoded NUL alone", "%00", control('\0')),
            ("encoded CR LF", "a%0d%0aSet-Cookie:x", control('\r')),
            ("encoded LF, upper case", "a%0A", control('\n')),
            ("encoded tab", "a%09b", control('\t')),
            ("encoded escape", "%1b%5b31m", control('\u{1b}')),
            ("last of C0", "%1f", control('\u{1f}')),
            ("encoded DEL", "a%7f", control('\u{7f}')),
            ("encoded DEL, upper case", "a%7F", control('\u{7f}')),
            ("raw DEL", "a\u{7f}", control('\u{7f}')),
            ("raw NUL", "a\0", control('\0')),
            ("first of C1, encoded", "%c2%80", control('\u{80}')),
            ("last of C1, raw", "a\u{9f}", control('\u{9f}')),
            ("dot", ".", DotSegment),
            ("dots", "..", DotSegment),
            ("dots first", "../x", DotSegment),
            ("dots within", "a/../b", DotSegment),
            ("dots last", "a/..", DotSegment),
            ("dots last with a slash", "a/../", DotSegment),
            ("dot first", "./x", DotSegment),
            ("dot within", "a/./b", DotSegment),
            ("encoded dot, lower case", "%2e/x", DotSegment),
            ("encoded dot, upper case", "%2E", DotSegment),
            ("encoded dots", "%2e%2e/x", DotSegment),
            ("encoded dots, mixed case", "%2E%2e/x", DotSegment),
            ("half-encoded dots, second", ".%2e/x", DotSegment),
            ("half-encoded dots, first", "%2e./x", DotSegment),
            ("encoded dots and slash", "%2e%2e%2fetc", DotSegment),
            ("encoded slash", "..%2fetc", DotSegment),
            ("encoded slash, upper case", "a%2F..%2Fb", DotSegment),
            ("backslash", "..\\etc", DotSegment),
            ("backslash within", "a\\..\\b", DotSegment),
            ("encoded backslash", "..%5cetc", DotSegment),
            ("encoded backslash, upper case", "a%5C..", DotSegment),
            ("mixed separators", "a%5c../b", DotSegment),
            ("dot behind a backslash", "a\\.", DotSegment),
            ("dots behind an encoded slash", "%2f..%2fetc", DotSegment),
            ("dots behind doubled slashes", "a//..//b", DotSegment),
            ("encoded slash first", "%2Fetc/passwd", Absolute),
            ("encoded slash first, lower case", "%2fetc", Absolute),
            ("encoded slash behind raw ones", "//%2fetc", Absolute),
            ("encoded slash alone", "%2F", Absolute),
            ("two encoded slashes", "%2f%2fhost/x", Absolute),
            ("drive and backslash", "C:\\x", Absolute),
            ("drive and slash", "C:/x", Absolute),
            ("drive, encoded", "%63%3a%5cx", Absolute),
            ("drive and encoded slash", "z:%2fx", Absolute),
            ("drive root", "C:\\", Absolute),
            ("backslash first", "\\x", Absolute),
            ("server share", "\\\\srv\\s\\x", Absolute),
            ("server share, encoded", "%5c%5Csrv%5cs", Absolute),
        ];
        for (name, undecoded, want) in rows {
            assert_eq!(EntryPath::parse(undecoded), Err(want), "{name}");
        }
    }

    #[test]
    fn accepts_what_only_looks_like_a_breach() {
        let rows = [
            ("plain", "a.txt", "a.txt"),
            ("space", "out%20file.txt", "out file.txt"),
            ("plus", "a+b", "a+b"),
            ("encoded plus", "a%2Bb", "a+b"),
            ("doubled raw slashes", "a//b", "a/b"),
            ("raw slash first", "/a", "a"),
            ("raw slashes first", "//etc/passwd", "etc/passwd"),
            ("raw slash last", "dir/", "dir"),
            ("raw slashes last", "dir///", "dir"),
            ("encoded slash last", "dir%2F", "dir/"),
            ("encoded slash before a raw one last", "dir%2F/", "dir/"),
            ("encoded slashes inside", "a%2F%2fb", "a//b"),
            ("encoded slash and raw slash", "a%2F/b", "a//b"),
            ("backslash inside", "a\\b", "a\\b"),
            ("encoded backslash inside", "a%5cb", "a\\b"),
            ("double encoding of dots", "%252e%252e/x", "%2e%2e/x"),
            ("double encoding of a slash", "..%252fx", "..%2fx"),
            ("double encoding of NUL", "%2500", "%00"),
            ("three dots", "a/.../b", "a/.../b"),
            ("hidden file", ".bashrc", ".bashrc"),
            ("name that begins with dots", "..a/b", "..a/b"),
            ("name that ends with dots", "a../b", "a../b"),
            ("dots and semicolon", "..;/x", "..;/x"),
            ("dots and a space", "..%20/x", ".. /x"),
            ("full-width dots", "%ef%bc%8e%ef%bc%8e/x", "\u{ff0e}\u{ff0e}/x"),
            ("colon", "a:b", "a:b"),
            ("one letter and a colon", "C:", "C:"),
            ("relative to a drive", "C:x", "C:x"),
            ("two letters, colon and slash", "ab:/x", "ab:/x"),
            ("digit, colon and slash", "1:/x", "1:/x"),
            ("drive further in", "a/C:/x", "a/C:/x"),
            ("question mark and number sign", "%3F%23", "?#"),
            ("quotes", "%22'%3Cb%3E", "\"'<b>"),
            ("raw UTF-8", "caf\u{e9}", "caf\u{e9}"),
            ("bidi override", "%e2%80%ae", "\u{202e}"),
            ("line separator", "%E2%80%A8", "\u{2028}"),
            ("no-break space, next to C1", "%c2%a0", "\u{a0}"),
            ("tilde, next to DEL", "%7e", "~"),
        ];
        for (name, undecoded, want) in rows {
            let path = EntryPath::parse(undecoded);
            assert_eq!(path.as_ref().map(EntryPath::as_str), Ok(want), "{name}");
            assert_eq!(path.as_ref().map(EntryPath::as_bytes), Ok(want.as_bytes()), "{name}");
        }
    }

    #[test]
    fn length_is_bounded_after_decoding() {
        for unit in ["a", "%61"] {
            for (count, fits) in [(4_095, true), (4_096, true), (4_097, false)] {
                let want = if fits {
                    Ok("a".repeat(count))
                } else {
                    Err(PathRule::TooLong { decoded_len: count })
                };
                let got = EntryPath::parse(&unit.repeat(count)).map(|path| path.to_string());
                assert_eq!(got, want, "{count} times {unit}");
            }
        }
        let collapsed = format!("{}{}", "a".repeat(4_095), "/".repeat(5_000));
        assert!(EntryPath::parse(&collapsed).is_ok(), "dropped slashes do not count");
    }

    #[test]
    fn every_rule_has_its_own_label_and_text() {
        let rules = [
            PathRule::Empty,
            PathRule::MalformedPercentEncoding,
            PathRule::NotUtf8,
            control('\0'),
            PathRule::DotSegment,
            PathRule::Absolute,
            PathRule::TooLong { decoded_len: 4_097 },
        ];
        let labels: std::collections::BTreeSet<_> = rules.iter().map(|r| r.label()).collect();
        let texts: std::collections::BTreeSet<_> = rules.iter().map(ToString::to_string).collect();
        assert_eq!((labels.len(), texts.len()), (rules.len(), rules.len()));
        assert_eq!(
            control('\u{1b}').to_string(),
            "the artifact path has a control character (U+001B)"
        );
    }

    /// Pieces that breaches are made of, in every way of writing them.
    fn hostile_path() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            ".", "%2e", "%2E", "/", "//", "%2f", "%2F", "\\", "%5c", "%5C", "a", "b.txt", "%",
            "%25", "%00", "%0a", "%7f", "%c0%ae", "C:", "%3a", "+", "\u{e9}", "%c3", "%a9",
            "\u{85}",
        ]);
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn never_panics(undecoded in any::<String>()) {
            let _ = EntryPath::parse(&undecoded);
        }

        #[test]
        fn an_accepted_path_breaks_no_rule(undecoded in hostile_path()) {
            if let Ok(path) = EntryPath::parse(&undecoded) {
                let unified = path.as_str().replace('\\', "/");
                let framed = format!("/{unified}/");
                prop_assert!(!framed.contains("/./") && !framed.contains("/../"), "{path}");
                prop_assert!(!unified.is_empty() && !unified.starts_with('/'), "{path}");
                prop_assert!(!path.as_bytes().iter().any(|b| *b < 0x20 || *b == 0x7f), "{path}");
            }
        }

        #[test]
        fn an_accepted_path_survives_encoding(
            path in "[a-z%+\u{e9}. ]{1,9}(/[a-z%+\u{e9} ]{1,9}){0,3}",
        ) {
            use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
            let encoded = utf8_percent_encode(&path, NON_ALPHANUMERIC).to_string();
            let want = check(&path).map(|()| path.clone());
            prop_assert_eq!(EntryPath::parse(&encoded).map(|path| path.to_string()), want);
        }
    }
}
