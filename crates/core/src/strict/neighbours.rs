//! Names beside each other: two that are one file where case or normalization does not count, and a
//! file where others need a directory.
//!
//! Whole paths are compared. `A/x` and `a/y`, or two directories `A/` and `a/`, are one directory
//! on a system that knows no case, and hold there what they hold in the archive: no file takes
//! another one's place, and none is refused. `A/x` and `a/x` are.

use std::borrow::Cow;
use std::cmp::Ordering;

use icu_casemap::CaseMapper;
use icu_normalizer::DecomposingNormalizerBorrowed;

use crate::directory::Directory;
use crate::entry::Entry;
use crate::error::{Record, Refusal, Rule, at};
use crate::name::{display, shown_path};

/// An entry's name as it is compared.
struct Key<'a> {
    /// Without the slash at a directory's end.
    path: Cow<'a, [u8]>,
    header_offset: u32,
    is_directory: bool,
}

/// Calls `breaks` with each entry whose name is another one's too, or has others below it.
///
/// Entries of one raw path, by which a file and a directory are told apart by a slash alone, are
/// not each other's business here: they are refused in every profile, or one directory twice.
pub(super) fn of_names(directory: &Directory, mut breaks: impl FnMut(&Entry, Refusal)) {
    let raw_path = |header_offset: u32| {
        let name = directory.header_at(header_offset).map_or(&[][..], |header| header.name);
        name.strip_suffix(b"/").unwrap_or(name)
    };
    let mut keys: Vec<Key<'_>> = Vec::with_capacity(directory.len());
    for (header, header_offset) in directory.headers() {
        let is_directory = header.name.ends_with(b"/");
        let mut add = |name| {
            let name = caseless(name);
            let path = if is_directory { without_slash(name) } else { name };
            keys.push(Key { path, header_offset, is_directory });
        };
        let (shown, raw) = (display(header.name, header.extra), shown_path(header.name));
        // Readers that know no Unicode path field have the raw name.
        if shown != raw {
            add(raw);
        }
        add(shown);
    }
    // What is the same, by raw paths: where two of them differ the first and the last do.
    keys.sort_unstable_by(|one, other| {
        by_segments(&one.path, &other.path)
            .then_with(|| raw_path(one.header_offset).cmp(raw_path(other.header_offset)))
            .then_with(|| one.header_offset.cmp(&other.header_offset))
    });

    let start = directory.extent().extent.start;
    let mut report = |key: &Key<'_>, rule, other: &Key<'_>| {
        let Some(header) = directory.header_at(key.header_offset) else { return };
        let [place, other] = [key, other].map(|key| start + u64::from(key.header_offset));
        let place = at(Record::CentralDirectoryHeader, place);
        let entry = directory.entry_of(&header, key.header_offset);
        breaks(&entry, place.breaks_by(rule, 0, other));
    };
    let mut rest = &keys[..];
    while let Some(first) = rest.first() {
        let len = rest.iter().take_while(|key| key.path == first.path).count();
        let (same, after) = rest.split_at(len);
        rest = after;
        let mut files = same.iter().filter(|key| !key.is_directory);
        let of_files = [files.next(), files.next_back()];
        let of_all = [same.first(), same.last()];
        let child = after.first().filter(|next| is_below(&next.path, &first.path));
        for key in same {
            let others = if key.is_directory { of_files } else { of_all };
            let own = raw_path(key.header_offset);
            let is_unlike = |other: &&Key<'_>| raw_path(other.header_offset) != own;
            if let Some(other) = others.into_iter().flatten().find(is_unlike) {
                report(key, Rule::NamesCollide, other);
            }
            if let Some(child) = child.filter(|_| !key.is_directory) {
                report(key, Rule::FileWithChildren, child);
            }
        }
    }
}

/// A name as all names are that differ from it in case or normalization alone: the canonical
/// caseless form (Unicode, chapter 3.13, D145), which takes at most three times its bytes.
///
/// D145 decomposes once more in the end; what is folded is decomposed already.
fn caseless(name: Cow<'_, str>) -> Cow<'_, [u8]> {
    if name.is_ascii() {
        return match name {
            Cow::Borrowed(name) if !name.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                Cow::Borrowed(name.as_bytes())
            }
            name => Cow::Owned(name.to_ascii_lowercase().into_bytes()),
        };
    }
    let decomposing = const { DecomposingNormalizerBorrowed::new_nfd() };
    let decomposed = decomposing.normalize(&name);
    let mut folded = CaseMapper::new().fold_string(&decomposed).into_owned().into_bytes();
    folded.shrink_to_fit();
    Cow::Owned(folded)
}

fn without_slash(name: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    match name {
        Cow::Borrowed(name) => Cow::Borrowed(name.strip_suffix(b"/").unwrap_or(name)),
        Cow::Owned(mut name) => {
            name.pop_if(|last| *last == b'/');
            Cow::Owned(name)
        }
    }
}

/// The order of bytes with the slash before all others: behind a path comes what lies below it.
fn by_segments(one: &[u8], other: &[u8]) -> Ordering {
    let rank = |byte: u8| if byte == b'/' { 0 } else { u16::from(byte) + 1 };
    let common = one.iter().zip(other).position(|(one, other)| one != other);
    match common {
        Some(at) => rank(one[at]).cmp(&rank(other[at])),
        None => one.len().cmp(&other.len()),
    }
}

fn is_below(path: &[u8], directory: &[u8]) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use entryway_testkit::builder::{Archive as Zip, Entry as Zipped};

    use super::*;
    use crate::Archive;

    #[test]
    fn names_are_compared_without_case_and_normalization() {
        let table = [
            ("a.txt", "A.TXT", true),
            ("\u{e9}", "e\u{301}", true),
            ("\u{c9}", "e\u{301}", true),
            ("\u{c4}/x", "a\u{308}/X", true),
            // Full folding, as file systems that know no case have it.
            ("stra\u{df}e", "STRASSE", true),
            ("\u{3a3}", "\u{3c2}", true),
            ("\u{212a}", "k", true),
            // Marks in another order, and one that is a letter of its own in capitals.
            ("q\u{323}\u{307}", "q\u{307}\u{323}", true),
            ("\u{1fb3}", "\u{391}\u{399}", true),
            ("\u{3b1}\u{345}\u{301}", "\u{3b1}\u{301}\u{345}", true),
            ("a", "b", false),
            ("a", "a ", false),
            ("e", "\u{e9}", false),
            // Compatible and not the same: a ligature of code points is, a width is not.
            ("\u{fb01}", "fi", true),
            ("\u{ff41}", "a", false),
            ("\u{131}", "i", false),
        ];
        for (one, other, expected) in table {
            let [one_form, other_form] = [one, other].map(|name| caseless(name.into()));
            assert_eq!(one_form == other_form, expected, "{one:?} {other:?}");
        }
    }

    #[test]
    fn the_compared_form_is_decomposed_and_takes_at_most_three_times_the_bytes_of_a_name() {
        let decomposing = DecomposingNormalizerBorrowed::new_nfd();
        for character in '\0'..=char::MAX {
            let name = character.to_string();
            let form = caseless(name.as_str().into());
            assert!(form.len() <= 3 * name.len(), "{character:?}: {}", form.len());
            assert!(decomposing.is_normalized(str::from_utf8(&form).unwrap()), "{character:?}");
        }
    }

    #[test]
    fn names_of_one_raw_path_do_not_collide() {
        let table: [(&[&str], &[&str]); 7] = [
            (&["a", "a"], &[]),
            (&["a", "a/"], &[]),
            (&["d/", "d/"], &[]),
            (&["D/", "d/"], &[]),
            (&["a", "A", "a"], &["A", "a", "a"]),
            (&["a", "a", "A"], &["A", "a", "a"]),
            (&["d/", "D", "d/"], &["D", "d/", "d/"]),
        ];
        for (names, expected) in table {
            let entries = names.iter().map(|name| Zipped::stored(name, ""));
            let zip = Bytes::from(Zip::new().entries(entries).build());
            let archive = Archive::open(zip).unwrap();
            let directory = archive.directory();
            let mut collide = Vec::new();
            of_names(directory, |entry, refusal| {
                assert_eq!(refusal.rule, Rule::NamesCollide);
                assert_ne!(refusal.offset, refusal.actual, "{names:?}");
                collide.push(String::from_utf8_lossy(directory.raw_name(entry)).into_owned());
            });
            assert_eq!(collide, expected, "{names:?}");
        }
    }

    #[test]
    fn what_lies_below_a_path_comes_directly_behind_it() {
        let mut paths = ["a!", "a/b", "b", "a", "a/", "a0/x", "a/!", "", "a/b/c", "a-"];
        paths.sort_unstable_by(|one, other| by_segments(one.as_bytes(), other.as_bytes()));
        assert_eq!(paths, ["", "a", "a/", "a/!", "a/b", "a/b/c", "a!", "a-", "a0/x", "b"]);
        assert!(is_below(b"a/b", b"a") && is_below(b"a/", b"a"));
        assert!(!is_below(b"ab", b"a") && !is_below(b"a", b"a") && !is_below(b"a", b"a/b"));
    }
}
