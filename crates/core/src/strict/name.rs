//! What one name may be, so that it is the same file wherever the archive is unpacked.

use icu_properties::CodePointMapData;
use icu_properties::props::GeneralCategory;

use crate::error::Rule;

/// Calls `breaks` with each rule that a name breaks, and the `actual` of it.
///
/// A name that is UTF-8, flagged as such or not, is shown as that; code page 437, as which others
/// are shown, has no character that is not seen. A reserved name such as `con` breaks no rule: what
/// it means depends on the system alone, and no other entry is meant by it.
pub(super) fn of_name(raw: &[u8], mut breaks: impl FnMut(Rule, u64)) {
    if raw.contains(&b'\\') {
        breaks(Rule::NameBackslash, 0);
    }
    if let Ok(name) = std::str::from_utf8(raw)
        && let Some(character) = name.chars().find(|&character| is_unseen(character))
    {
        breaks(Rule::NameInvisible, u64::from(character));
    }
    let path = raw.strip_suffix(b"/").unwrap_or(raw);
    let segments = || path.split(|&byte| byte == b'/');
    if segments().any(|segment| segment.is_empty() || segment == b".") {
        breaks(Rule::NameSegments, 0);
    }
    if segments().any(|segment| segment.ends_with(b" ") || ends_in_dot(segment)) {
        breaks(Rule::NameEnding, 0);
    }
    if raw.contains(&b':') {
        breaks(Rule::NameColon, 0);
    }
}

/// A segment of dots alone is another rule's business.
fn ends_in_dot(segment: &[u8]) -> bool {
    segment.ends_with(b".") && segment != b"." && segment != b".."
}

/// Whether a character is not seen, or moves others: of Unicode's general categories those of
/// control and format characters and of separators of lines and paragraphs.
fn is_unseen(character: char) -> bool {
    // What most names are made of, without a look at the table.
    if character.is_ascii() {
        return character.is_ascii_control();
    }
    matches!(
        CodePointMapData::<GeneralCategory>::new().get(character),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::display;

    #[test]
    fn names_break_the_rules_that_they_break() {
        use Rule::{NameBackslash, NameColon, NameEnding, NameInvisible, NameSegments};
        let table: [(&str, &[Rule]); 30] = [
            ("a", &[]),
            ("con", &[]),
            ("a b/.c/d..e", &[]),
            ("dir/", &[]),
            ("\u{e9}\u{65e5}", &[]),
            ("a\\b", &[NameBackslash]),
            ("a\u{202e}txt.exe", &[NameInvisible]),
            ("a\u{200b}b", &[NameInvisible]),
            ("a\u{ad}b", &[NameInvisible]),
            ("\u{feff}a", &[NameInvisible]),
            ("a\u{85}b", &[NameInvisible]),
            ("a\u{2028}b", &[NameInvisible]),
            ("a\u{2029}b", &[NameInvisible]),
            ("a\u{e0041}b", &[NameInvisible]),
            // Seen, if only as a width: white space and a mark.
            ("a\u{a0}b\u{3000}c\u{301}", &[]),
            ("./a", &[NameSegments]),
            ("a//b", &[NameSegments]),
            ("a/./b", &[NameSegments]),
            ("a/.", &[NameSegments]),
            ("./", &[NameSegments]),
            ("a//", &[NameSegments]),
            ("a.", &[NameEnding]),
            ("a ", &[NameEnding]),
            ("a./b", &[NameEnding]),
            ("a /", &[NameEnding]),
            ("a...", &[NameEnding]),
            (" a/ b", &[]),
            ("a:b", &[NameColon]),
            ("a/1:", &[NameColon]),
            ("a\\b:c. ", &[NameBackslash, NameEnding, NameColon]),
        ];
        for (name, expected) in table {
            let mut broken = Vec::new();
            of_name(name.as_bytes(), |rule, _| broken.push(rule));
            assert_eq!(broken, expected, "{name:?}");
        }
    }

    #[test]
    fn a_name_that_is_not_utf_8_has_no_unseen_character() {
        let mut broken = Vec::new();
        of_name(b"a\xc2\xad", |rule, actual| broken.push((rule, actual)));
        assert_eq!(broken, [(Rule::NameInvisible, 0xad)], "a soft hyphen");
        of_name(b"a\xc2\xad\xff", |rule, _| panic!("{rule:?}"));
        assert!(!display(&(0x80..=0xff).collect::<Vec<_>>(), &[]).chars().any(is_unseen));
    }
}
