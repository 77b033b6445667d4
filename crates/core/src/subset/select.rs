//! Which entries a list of patterns means.

use std::ffi::OsStr;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use globset::{Glob, GlobBuilder, GlobSetBuilder};

use super::SubsetError;
use crate::name;
use crate::plan::Standing;
use crate::sorted::{SortedEntries, prefix_range, raw_prefixes};

/// The characters that make a pattern a glob where no entry and no directory has its name.
const GLOB_CHARACTERS: [char; 4] = ['*', '?', '[', '{'];

/// The most that globs may be asked: their bytes, times the entries that they are held against.
///
/// The time to match a name grows with the glob at worst. This is 268 bytes of globs that can match
/// anything in an archive of a million entries, and a second or two where they are no attack.
const GLOB_WORK_BOUND: u64 = 1 << 28;

/// The indexes of the entries that the patterns select, ascending, each once.
///
/// A pattern is, whichever it is first: the name of a file, as a lookup has it, which of entries of
/// one raw name is the first; a directory, with a slash at its end or without, which means all that
/// lies below it and its own entry; a glob over whole raw names, their `./` and its own left out. In
/// a glob `*` and `?` stay within a segment, `**` does not, `[a-z]` and `{a,b}` are as in a shell,
/// and a backslash takes a character as it is. Bytes count, in UTF-8 or not: `?` is one of them.
///
/// Reads what the lookups read, and each header that can match a glob: those that start with its
/// front part, up to the first character that is not itself. Memory: 4 bytes for each entry
/// selected and 32 for each pattern, beside the compiled globs.
pub(super) fn select<E: SortedEntries>(
    entries: &mut E,
    patterns: &[impl AsRef<str>],
) -> Result<Vec<u32>, SubsetError> {
    let mut selected = Vec::new();
    let mut globs = Globs::default();
    for (number, pattern) in patterns.iter().enumerate() {
        let pattern = pattern.as_ref();
        let before = selected.len();
        select_file(entries, pattern.as_bytes(), &mut selected)?;
        if selected.len() == before {
            select_directory(entries, pattern.as_bytes(), &mut selected)?;
        }
        if selected.len() == before {
            if !pattern.contains(GLOB_CHARACTERS) {
                return Err(SubsetError::Nothing { pattern: number });
            }
            globs.push(number, pattern)?;
        }
    }
    globs.select(entries, &mut selected)?;
    selected.sort_unstable();
    selected.dedup();
    Ok(selected)
}

/// Below 2^28: the number of entries.
fn indexes(range: Range<u64>) -> Range<u32> {
    range.start as u32..range.end as u32
}

fn select_file<E: SortedEntries>(
    entries: &mut E,
    pattern: &[u8],
    selected: &mut Vec<u32>,
) -> Result<(), SubsetError> {
    let found = entries.find(pattern).map_err(|error| SubsetError::of_lookup(error, pattern))?;
    if let Some(found) = found.filter(|found| !found.entry.is_directory) {
        // Longer names with this prefix follow the name itself.
        let Some(first) = prefix_range(entries, &found.raw_name)?.next() else { return Ok(()) };
        match found.standing {
            // A later one of its raw name, found by a display name that is its alone.
            Standing::Bad(refusal) if entries.found(first)?.entry != found.entry => {
                return Err(SubsetError::Refused { raw_name: found.raw_name, refusal });
            }
            _ => selected.push(first as u32),
        }
    }
    Ok(())
}

fn select_directory<E: SortedEntries>(
    entries: &mut E,
    pattern: &[u8],
    selected: &mut Vec<u32>,
) -> Result<(), SubsetError> {
    let path = pattern.strip_suffix(b"/").unwrap_or(pattern);
    if path.is_empty() {
        return Ok(());
    }
    for prefixes in raw_prefixes(path).into_iter().flatten() {
        let before = selected.len();
        for prefix in prefixes {
            selected.extend(indexes(prefix_range(entries, &prefix)?));
        }
        if selected.len() > before {
            break;
        }
    }
    Ok(())
}

/// The patterns that are globs.
#[derive(Default)]
struct Globs {
    globs: Vec<Glob>,
    /// The pattern of each glob, as its number.
    patterns: Vec<usize>,
    /// The front part of each.
    prefixes: Vec<Vec<u8>>,
}

impl Globs {
    fn push(&mut self, number: usize, pattern: &str) -> Result<(), SubsetError> {
        let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
        let glob = GlobBuilder::new(pattern)
            .literal_separator(true)
            .backslash_escape(true)
            .build()
            .map_err(|error| malformed(number, &error))?;
        self.globs.push(glob);
        self.patterns.push(number);
        let end = pattern.find(['*', '?', '[', '{', '\\']).unwrap_or(pattern.len());
        self.prefixes.push(pattern.as_bytes()[..end].to_vec());
        Ok(())
    }

    /// The entries that can match: ascending, disjoint.
    fn ranges<E: SortedEntries>(&self, entries: &mut E) -> Result<Vec<Range<u64>>, SubsetError> {
        let mut found = Vec::with_capacity(2 * self.prefixes.len());
        for prefix in &self.prefixes {
            found.push(prefix_range(entries, prefix)?);
            found.push(prefix_range(entries, &[b"./", &prefix[..]].concat())?);
        }
        found.sort_unstable_by_key(|range| range.start);
        let mut end = 0;
        for range in &mut found {
            range.start = range.start.max(end);
            range.end = range.end.max(end);
            end = range.end;
        }
        Ok(found)
    }

    /// Adds the indexes that match; each glob must have one.
    fn select<E: SortedEntries>(
        &self,
        entries: &mut E,
        selected: &mut Vec<u32>,
    ) -> Result<(), SubsetError> {
        let Some(&first) = self.patterns.first() else { return Ok(()) };
        let ranges = self.ranges(entries)?;
        let held: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        let globs_len: usize = self.globs.iter().map(|glob| glob.glob().len()).sum();
        if held.saturating_mul(globs_len as u64) > GLOB_WORK_BOUND {
            return Err(SubsetError::TooCostly);
        }
        let mut builder = GlobSetBuilder::new();
        for glob in &self.globs {
            builder.add(glob.clone());
        }
        let set = builder.build().map_err(|error| malformed(first, &error))?;
        let mut has_matched = vec![false; self.patterns.len()];
        let mut matched = Vec::new();
        for range in ranges {
            for index in range {
                let raw = entries.header(index)?.name;
                let listed = name::without_dot_slash(raw).unwrap_or(raw);
                set.matches_into(Path::new(OsStr::from_bytes(listed)), &mut matched);
                for &glob in &matched {
                    has_matched[glob] = true;
                }
                if !matched.is_empty() {
                    selected.push(index as u32);
                }
            }
        }
        match has_matched.iter().position(|&has_matched| !has_matched) {
            Some(glob) => Err(SubsetError::Nothing { pattern: self.patterns[glob] }),
            None => Ok(()),
        }
    }
}

fn malformed(pattern: usize, error: &globset::Error) -> SubsetError {
    SubsetError::Malformed { pattern, kind: error.kind().clone() }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use entryway_testkit::builder::{self, Entry};
    use proptest::prelude::*;

    use super::*;
    use crate::archive::Archive;
    use crate::error::Rule;
    use crate::sorted::SortedDirectory;

    fn selected(names: &[&[u8]], patterns: &[&str]) -> Result<Vec<Vec<u8>>, SubsetError> {
        let zip = builder::Archive::new().entries(names.iter().map(|name| Entry::stored(name, "")));
        let archive = Archive::open(Bytes::from(zip.build())).unwrap();
        let mut sorted = SortedDirectory::new(&archive);
        let indexes = select(&mut sorted, patterns)?;
        let name = |index: u32| sorted.header(index.into()).unwrap().name.to_vec();
        Ok(indexes.into_iter().map(name).collect())
    }

    const NAMES: [&[u8]; 14] = [
        b"a.txt",
        b"docs/",
        b"docs/a.txt",
        b"docs/b.md",
        b"docs/sub/c.txt",
        b"docs.txt",
        b"./dot/x",
        b"./y.txt",
        b"twice",
        b"twice",
        b"[1].txt",
        b"\x82/\x82.txt",
        b"z*z",
        b"implied/only",
    ];

    #[test]
    fn a_pattern_is_a_file_a_directory_or_a_glob() {
        type Row<'a> = (&'a str, &'a [&'a str], &'a [&'a [u8]]);
        let rows: [Row<'_>; 24] = [
            ("nothing", &[], &[]),
            ("a file", &["a.txt"], &[b"a.txt"]),
            ("a directory", &["docs"], &[b"docs/", b"docs/a.txt", b"docs/b.md", b"docs/sub/c.txt"]),
            (
                "with a slash",
                &["docs/"],
                &[b"docs/", b"docs/a.txt", b"docs/b.md", b"docs/sub/c.txt"],
            ),
            ("an implied directory", &["implied"], &[b"implied/only"]),
            ("a directory below", &["docs/sub/"], &[b"docs/sub/c.txt"]),
            ("a file without its ./", &["y.txt"], &[b"./y.txt"]),
            ("a file with its ./", &["./y.txt"], &[b"./y.txt"]),
            ("a directory without its ./", &["dot"], &[b"./dot/x"]),
            ("a displayed file", &["\u{e9}/\u{e9}.txt"], &[b"\x82/\x82.txt"]),
            ("a displayed directory", &["\u{e9}"], &[b"\x82/\x82.txt"]),
            ("two of one name", &["twice"], &[b"twice"]),
            ("a name with glob characters", &["[1].txt"], &[b"[1].txt"]),
            ("another", &["z*z"], &[b"z*z"]),
            ("in a segment", &["*.txt"], &[b"./y.txt", b"[1].txt", b"a.txt", b"docs.txt"]),
            ("below", &["docs/*"], &[b"docs/", b"docs/a.txt", b"docs/b.md"]),
            (
                "across segments",
                &["docs/**"],
                &[b"docs/", b"docs/a.txt", b"docs/b.md", b"docs/sub/c.txt"],
            ),
            ("anywhere", &["**/c.txt"], &[b"docs/sub/c.txt"]),
            ("bytes that are not UTF-8", &["?/?.txt"], &[b"\x82/\x82.txt"]),
            ("alternatives", &["docs/{a,b}.*"], &[b"docs/a.txt", b"docs/b.md"]),
            ("a class", &["docs/[a-b].txt"], &[b"docs/a.txt"]),
            ("with ./ of its own", &["./*.txt"], &[b"./y.txt", b"[1].txt", b"a.txt", b"docs.txt"]),
            ("an escape", &["\\[*"], &[b"[1].txt"]),
            ("several, overlapping", &["docs/a.txt", "docs/?.*"], &[b"docs/a.txt", b"docs/b.md"]),
        ];
        for (name, patterns, expected) in rows {
            assert_eq!(selected(&NAMES, patterns).unwrap(), expected, "{name}");
        }
    }

    #[test]
    fn a_pattern_that_selects_nothing_is_named() {
        let nothing = |pattern| Err(SubsetError::Nothing { pattern });
        for (patterns, expected) in [
            (["a.txt", "absent"], nothing(1)),
            (["absent", "absent/*"], nothing(0)),
            (["docs", "docs/*.zip"], nothing(1)),
            (["docs/*.zip", "*.zip"], nothing(0)),
            (["", "a.txt"], nothing(0)),
            (["a.txt", "/"], nothing(1)),
            (["a.txt", "docs/../a.txt"], nothing(1)),
            (["a.txt", "a.txt/"], nothing(1)),
        ] {
            assert_eq!(selected(&NAMES, &patterns), expected, "{patterns:?}");
        }
        for malformed in ["[", "docs/[a", "{a,b", "[z-a]"] {
            let outcome = selected(&NAMES, &["a.txt", malformed]);
            let is_named = matches!(outcome, Err(SubsetError::Malformed { pattern: 1, .. }));
            assert!(is_named, "{malformed}: {outcome:?}");
        }
    }

    #[test]
    fn globs_that_ask_too_much_are_refused() {
        let names: Vec<Vec<u8>> = (0..20_000).map(|n| format!("a/{n}").into_bytes()).collect();
        let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        let long = format!("*{}", "a".repeat(14_000));
        assert_eq!(selected(&names, &[&long]), Err(SubsetError::TooCostly));
        // Where few can match, a glob may be as long.
        assert_eq!(
            selected(&names, &[&format!("b/{long}")]),
            Err(SubsetError::Nothing { pattern: 0 })
        );
        assert_eq!(selected(&names, &["*/19999"]).unwrap(), [b"a/19999"]);
    }

    #[test]
    fn a_name_that_several_answer_to_is_refused() {
        let outcome = selected(&[b"\x82", "\u{e9}".as_bytes(), b"x"], &["\u{e9}"]);
        assert_eq!(outcome.unwrap(), ["\u{e9}".as_bytes()], "the raw name comes first");
        // 0x82 and 0x82 with a path of its own would both be displayed so.
        let utf8_path = Entry::stored("p", "").unicode_path("\u{e9}");
        let zip = builder::Archive::new().entry(Entry::stored(b"\x82", "")).entry(utf8_path);
        let archive = Archive::open(Bytes::from(zip.build())).unwrap();
        match select(&mut SortedDirectory::new(&archive), &["\u{e9}"]) {
            Err(SubsetError::Refused { raw_name, refusal }) => {
                assert_eq!(raw_name, "\u{e9}");
                assert_eq!(refusal.rule, Rule::AmbiguousName);
            }
            other => panic!("{other:?}"),
        }
    }

    /// Whether a glob of `*`, `?` and whole segments `**` matches, in the plainest way.
    fn naive_glob(pattern: &[&[u8]], name: &[&[u8]]) -> bool {
        match (pattern, name) {
            ([], []) => true,
            ([b"**"], rest) => !rest.is_empty(),
            ([b"**", below @ ..], _) => {
                (0..=name.len()).any(|skipped| naive_glob(below, &name[skipped..]))
            }
            ([first, below @ ..], [segment, rest @ ..]) => {
                naive_segment(first, segment) && naive_glob(below, rest)
            }
            _ => false,
        }
    }

    fn naive_segment(pattern: &[u8], segment: &[u8]) -> bool {
        match pattern {
            [] => segment.is_empty(),
            [b'*', rest @ ..] => {
                (0..=segment.len()).any(|skipped| naive_segment(rest, &segment[skipped..]))
            }
            [b'?', rest @ ..] => !segment.is_empty() && naive_segment(rest, &segment[1..]),
            [byte, rest @ ..] => {
                segment.first() == Some(byte) && naive_segment(rest, &segment[1..])
            }
        }
    }

    fn naive_matches(pattern: &str, name: &[u8]) -> bool {
        let split =
            |path: &[u8]| path.split(|&b| b == b'/').map(<[u8]>::to_vec).collect::<Vec<_>>();
        let (pattern, name) = (split(pattern.as_bytes()), split(name));
        let pattern: Vec<&[u8]> = pattern.iter().map(Vec::as_slice).collect();
        let name: Vec<&[u8]> = name.iter().map(Vec::as_slice).collect();
        naive_glob(&pattern, &name)
    }

    proptest! {
        #[test]
        fn any_pattern_selects_what_the_naive_reading_does(
            names in proptest::collection::btree_set(
                ("([.]/)?", proptest::collection::vec("a|b|ab|b[.]a", 1..4), "/?")
                    .prop_map(|(front, it, end)| format!("{front}{}{end}", it.join("/"))),
                1..12,
            ),
            pattern in proptest::collection::vec("a|b|ab|[*]|[*][*]|a[*]|[?]b|[*][.][*]", 1..4)
                .prop_map(|segments| segments.join("/")),
        ) {
            let raw: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
            let stripped = |name: &&&[u8]| name.strip_prefix(b"./").unwrap_or(name).to_vec();
            let equal: Vec<_> = raw.iter().filter(|name| **name == pattern.as_bytes()).collect();
            let file = if equal.is_empty() {
                raw.iter().filter(|it| stripped(it) == pattern.as_bytes()).collect()
            } else {
                equal
            };
            let below = format!("{pattern}/").into_bytes();
            let directory: Vec<_> =
                raw.iter().filter(|it| stripped(it).starts_with(&below)).collect();
            let glob: Vec<_> = raw
                .iter()
                .filter(|it| naive_matches(&pattern, &stripped(it)))
                .collect();
            let expected = [file, directory, glob].into_iter().find(|them| !them.is_empty());
            let got = selected(&raw, &[&pattern]);
            match expected {
                None => prop_assert_eq!(got, Err(SubsetError::Nothing { pattern: 0 })),
                Some(expected) => {
                    let got = got.unwrap();
                    prop_assert!(got.iter().eq(expected), "{pattern}: {got:?}");
                }
            }
        }
    }
}
