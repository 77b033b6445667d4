//! Entries of one name: all refused, or the first of them judged as if it were alone.

use bytes::Bytes;
use entryway::sidecar::{Binding, Sidecar, SidecarError, SortedSidecar, write};
use entryway::tree::{Page, list};
use entryway::{Archive, Duplicates, Limits, Policy, Rule, SortedDirectory, Standing, SubsetError};
use entryway_testkit::builder::{self, Entry, Place};
use entryway_testkit::oracle;
use proptest::prelude::*;

use super::lookups::{Answer, PATHS, POOL, by_engine, without_hanging};
use super::sidecar::{Indexed, colliding};
use super::subsets::{bytes_of, contents, planned, planned_verified};
use super::{
    CHOICES, assert_agrees, built, choosing, disagreement_with, open_and_read_by, random_cases,
    standings,
};
use entryway_tests_shared::machine::{has_command, skip};

const SERVED: Option<Rule> = None;

/// The policy under which the first of a name is judged.
fn first() -> Policy {
    choosing(Duplicates::First)
}

fn of(entries: impl IntoIterator<Item = Entry>) -> builder::Archive {
    builder::Archive::new().entries(entries)
}

/// Opens an archive in which the first of a name is judged.
fn open(archive: &builder::Archive) -> Archive<Bytes> {
    Archive::open_within(built(archive), first()).unwrap()
}

fn content(text: &str) -> Answer {
    Answer::Content(text.into())
}

#[test]
fn with_first_the_first_of_a_name_is_held_to_every_rule_but_the_one_on_names() {
    let s = |name: &str, content: &str| Entry::stored(name, content);
    let d = Entry::directory;
    let no = Some;
    let table: Vec<(&str, builder::Archive, Vec<Option<Rule>>)> = vec![
        (
            "another between them",
            of([s("a", "1"), s("b", "b"), s("a", "2")]),
            vec![SERVED, SERVED, no(Rule::Duplicate)],
        ),
        (
            "three",
            of([s("a", "1"), s("a", "2"), s("a", "3")]),
            vec![SERVED, no(Rule::Duplicate), no(Rule::Duplicate)],
        ),
        (
            "first in the directory, last in the file",
            builder::Archive {
                directory_order: Some(vec![1, 0]),
                ..of([s("a", "1"), s("a", "2")])
            },
            vec![SERVED, no(Rule::Duplicate)],
        ),
        ("the same content", of([s("a", "1"), s("a", "1")]), vec![SERVED, no(Rule::Duplicate)]),
        (
            "the first is corrupt",
            of([Entry { crc32: 7, ..s("a", "1") }, s("a", "2")]),
            vec![no(Rule::Crc), no(Rule::Duplicate)],
        ),
        (
            "the first is of no known method",
            of([Entry { method: 97, ..s("a", "1") }, s("a", "2")]),
            vec![no(Rule::Method), no(Rule::Duplicate)],
        ),
        (
            "the second is of no known method",
            of([s("a", "1"), Entry { method: 97, ..s("a", "2") }]),
            vec![SERVED, no(Rule::Method)],
        ),
        (
            "one header, listed twice",
            builder::Archive {
                directory_order: Some(vec![0, 1, 0]),
                ..of([s("a", "1"), s("b", "b")])
            },
            vec![no(Rule::SharedLocalHeader), SERVED, no(Rule::Duplicate)],
        ),
        (
            "two headers that name one place",
            of([s("a", "1"), s("a", "1").place(Place::SharedWith(0))]),
            vec![no(Rule::SharedLocalHeader), no(Rule::Duplicate)],
        ),
        (
            "a directory has the name too",
            of([s("a", "1"), s("a", "2"), d("a/")]),
            vec![no(Rule::FileAndDirectory), no(Rule::Duplicate), no(Rule::FileAndDirectory)],
        ),
        ("an empty directory, again and again", of([d("d/"), d("d/"), d("d/")]), vec![SERVED; 3]),
        (
            "an empty directory, then one with content",
            of([d("d/"), s("d/", "x"), d("d/")]),
            vec![SERVED, no(Rule::DirectoryWithData), no(Rule::Duplicate)],
        ),
        (
            "a directory with content, then an empty one",
            of([s("d/", "x"), d("d/")]),
            vec![no(Rule::DirectoryWithData), no(Rule::Duplicate)],
        ),
        (
            "the second lies in the first one's data",
            of([s("a", &"x".repeat(80)), s("a", "1").place(Place::At(40))]),
            vec![no(Rule::Overlap), no(Rule::Duplicate)],
        ),
    ];
    for (name, archive, expected) in table {
        let bytes = built(&archive);
        assert_agrees(name, &bytes);
        let rules = |policy| -> Vec<Option<Rule>> {
            let read = open_and_read_by(bytes.clone(), policy).unwrap();
            read.into_iter().map(|(_, content)| content.err().map(|it| it.rule)).collect()
        };
        assert_eq!(rules(first()), expected, "{name}");
        // What the first of a name may do is all that the choice is about.
        for (refused, chosen) in rules(Policy::default()).into_iter().zip(expected) {
            assert!(refused == chosen || refused == Some(Rule::Duplicate), "{name}");
        }
    }
}

#[test]
fn a_refused_duplicate_says_where_another_of_its_name_is_listed() {
    let archive = of([
        Entry::stored("a", "1"),
        Entry::stored("b", "b"),
        Entry::stored("a", "2"),
        Entry::stored("a", "3"),
        Entry::stored("b/", ""),
        Entry::stored("d/", ""),
        Entry::stored("d/", ""),
        Entry::stored("d/", "x"),
    ]);
    let opened = Archive::open(built(&archive)).unwrap();
    let start = opened.directory().extent().extent.start;
    let header = |index: usize| {
        let entry = opened.directory().entries().nth(index).unwrap();
        start + u64::from(entry.header_offset)
    };
    let other = |index: usize| match opened.directory().entries().nth(index) {
        Some(entry) => opened.directory().judge(&entry, Limits::default()).unwrap_err().actual,
        None => panic!("no entry {index}"),
    };
    assert_eq!(other(0), header(2), "the first: the second");
    assert_eq!(other(2), header(0), "the others: the first");
    assert_eq!(other(3), header(0));
    assert_eq!((other(1), other(4)), (header(4), header(1)), "file and directory");
    assert_eq!((other(5), other(6)), (header(7), header(7)), "the directory with content");
}

#[test]
fn with_first_a_name_means_the_first_that_has_it_in_every_step_of_a_lookup() {
    let entry = |name: &[u8], content: &str| Entry::stored(name, content);
    let opened = open(&of([
        entry(b"a", "first"),
        entry(b"a", "second"),
        entry(b"./dot", "first"),
        entry(b"./dot", "second"),
        entry(b"both", "raw"),
        entry(b"./both", "not this"),
        entry(b"./both", "nor this"),
        entry(b"shown twice", "first").unicode_path("x"),
        entry(b"shown twice", "second").unicode_path("x"),
        entry(b"shown later", "first"),
        entry(b"shown later", "second").unicode_path("y"),
        entry(b"p", "p").unicode_path("z"),
        entry(b"q", "q").unicode_path("z"),
        entry(b"q", "q").unicode_path("z"),
        entry(b"\x82", "first"),
        entry(b"\x82", "second"),
    ]));
    let table: [(&str, &[u8], Answer); 11] = [
        ("raw name", b"a", content("first")),
        ("without ./", b"dot", content("first")),
        ("with ./", b"./dot", content("first")),
        ("the raw name comes before the one without ./", b"both", content("raw")),
        ("its own", b"./both", content("not this")),
        ("two displayed alike, of one raw name", b"x", content("first")),
        ("a later one alone is displayed so, and refused", b"y", Answer::Refused),
        ("the first has another name to be found by", b"shown later", content("first")),
        ("an alias of two names is ambiguous still", b"z", Answer::Refused),
        ("each by its raw name", b"q", content("q")),
        ("code page 437", "\u{e9}".as_bytes(), content("first")),
    ];
    for (name, asked, expected) in table {
        assert_eq!(by_engine(&opened, asked), expected, "{name}");
        super::assert_found_without_index(&opened, asked);
    }
    let Ok(Some(found)) = opened.find(b"y") else { panic!("found by its display name") };
    assert!(matches!(found.standing, Standing::Bad(refusal) if refusal.rule == Rule::Duplicate));
}

#[test]
fn with_first_the_first_of_half_a_million_is_served() {
    without_hanging(|| {
        let entries = (0..500_000).map(|number| match number {
            0 => Entry::stored("a", "first"),
            _ => Entry::stored("a", ""),
        });
        let opened = open(&of(entries).entry(Entry::stored("b", "b")));
        let mut refused = 0;
        let mut each = |standing: Standing, is_first: bool| match standing {
            Standing::Bad(refusal) => {
                assert_eq!(refusal.rule, Rule::Duplicate);
                refused += 1;
            }
            _ => assert!(is_first || refused == 499_999),
        };
        opened.verify(|_| {}, |entry, it| each(it, entry.header_offset == 0)).unwrap();
        assert_eq!(refused, 499_999);
        assert_eq!(by_engine(&opened, b"a"), content("first"));
        assert_eq!(by_engine(&opened, b"b"), content("b"));
    });
}

proptest! {
    #![proptest_config(random_cases(1_000))]

    /// Names that are each other's aliases, twins and duplicates, listed in any order, some of
    /// which are corrupt or share a place.
    #[test]
    fn names_that_stand_several_times_are_read_as_the_oracle_reads_them(
        entries in proptest::collection::vec((0..POOL.len(), 0..PATHS.len() + 6, 0..8u32), 1..8),
        order in any::<u64>(),
    ) {
        let archive = of(entries.iter().enumerate().map(|(number, &(name, path, form))| {
            let is_empty = POOL[name].ends_with(b"/") && form != 7;
            let entry = Entry::stored(POOL[name], if is_empty { "" } else { "x" }.repeat(number));
            let entry = match PATHS.get(path) {
                Some(path) => entry.unicode_path(path),
                None => entry,
            };
            match form {
                0 => Entry { crc32: 1, ..entry },
                1 => entry.edit_central(|header| header.local_header_offset = 0),
                _ => entry,
            }
        }));
        let mut directory_order: Vec<usize> = (0..entries.len()).collect();
        directory_order.sort_by_key(|&at| order.rotate_left(7 * at as u32).wrapping_mul(0x9e37_79b9));
        let bytes = built(&builder::Archive { directory_order: Some(directory_order), ..archive });
        for (duplicates, told) in CHOICES {
            let read = open_and_read_by(bytes.clone(), choosing(duplicates));
            let oracle = oracle::read_by(&bytes, told);
            prop_assert_eq!(disagreement_with(&read, oracle), None, "{:?}", duplicates);
            if read.is_ok() {
                Indexed::by(bytes.clone(), choosing(duplicates)).assert_all_found("random");
            }
        }
    }
}

#[test]
fn a_sidecar_finds_what_the_directory_finds_under_either_choice() {
    for (duplicates, _) in CHOICES {
        let bytes = built(&colliding(5_000, 3));
        Indexed::by(bytes, choosing(duplicates)).assert_all_found("colliding");
    }
}

/// The pages of a sidecar made under a choice.
fn pages(bytes: &Bytes, duplicates: Duplicates) -> (Bytes, Binding) {
    let archive = Archive::open_within(bytes.clone(), choosing(duplicates)).unwrap();
    let facts: Vec<Standing> = standings(&archive).into_iter().map(|(_, it)| it).collect();
    let binding = Binding { sha256: [9; 32], len: bytes.len() as u64, modified_nanos: 1 };
    (write(archive.directory(), &binding, &facts, duplicates).into(), binding)
}

#[test]
fn a_sidecar_made_under_another_choice_is_outdated_where_a_name_stands_twice() {
    let s = |name: &str| Entry::stored(name, "x");
    let d = Entry::directory;
    let table = [
        ("no name stands twice", of([s("a"), s("b"), d("d/"), s("d/a")]), false),
        ("nothing", of([]), false),
        ("an empty directory listed again", of([d("d/"), s("a"), d("d/"), d("d/")]), false),
        ("a file and a directory", of([s("a"), d("a/")]), false),
        ("a name with ./ and without", of([s("a"), s("./a")]), false),
        ("a name that stands twice", of([s("a"), s("b"), s("a")]), true),
        (
            "one that is refused for another reason",
            of([s("a"), Entry { method: 97, ..s("a") }]),
            true,
        ),
        ("a directory, once with content", of([d("d/"), d("d/"), s("d/")]), true),
        ("the same, the other way round", of([s("d/"), d("d/"), d("d/")]), true),
    ];
    let choices = CHOICES.map(|(duplicates, _)| duplicates);
    for (name, archive, matters) in table {
        let bytes = built(&archive);
        for (made, read) in choices.into_iter().flat_map(|made| choices.map(|read| (made, read))) {
            let (pages, binding) = pages(&bytes, made);
            let opened = Sidecar::open_within(pages.clone(), &binding, choosing(read)).map(|_| ());
            let expected =
                if matters && made != read { Err(SidecarError::Outdated) } else { Ok(()) };
            assert_eq!(opened, expected, "{name}: made under {made:?}, read under {read:?}");
            // Whoever says nothing has said that they are refused.
            if read == Duplicates::default() {
                assert_eq!(Sidecar::open(pages, &binding).map(|_| ()), expected, "{name}");
            }
        }
    }
}

#[test]
fn a_part_holds_the_first_of_a_name_and_nothing_of_the_others() {
    let archive = open(&of([
        Entry::stored("d/a", "first"),
        Entry::stored("d/b", "b"),
        Entry::stored("d/a", "second"),
        Entry { method: 97, ..Entry::stored("d/a", "third") },
        Entry::stored("e", "first"),
        Entry::stored("e", "second").unicode_path("shown"),
        Entry { crc32: 1, ..Entry::stored("bad", "first") },
        Entry::stored("bad", "second"),
    ]));
    for patterns in [&["d/a", "d/b"][..], &["d"], &["d/"], &["d/*"], &["**/a", "d/b", "d"]] {
        let in_memory = planned(&archive, patterns).unwrap();
        let by_sidecar = planned_verified(&archive, patterns).unwrap();
        for subset in [in_memory, by_sidecar] {
            let part = contents(&bytes_of(&subset, archive.source().clone()));
            let expected = [(&b"d/a"[..], &b"first"[..]), (b"d/b", b"b")];
            assert!(
                part.iter().map(|(n, c)| (&n[..], &c[..])).eq(expected),
                "{patterns:?}: {part:?}"
            );
        }
    }
    let refused = |outcome: Result<_, SubsetError>| match outcome {
        Err(SubsetError::Refused { raw_name, refusal }) => (raw_name, refusal.rule),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it is planned"),
    };
    // The name is that of a later one alone.
    let later = (Bytes::from("e"), Rule::Duplicate);
    assert_eq!(refused(planned(&archive, &["shown"])), later);
    assert_eq!(refused(planned_verified(&archive, &["shown"])), later);
    // Not the second instead of a first that is bad.
    let corrupt = (Bytes::from("bad"), Rule::Crc);
    assert_eq!(refused(planned_verified(&archive, &["bad"])), corrupt);
}

#[test]
fn a_listing_shows_the_size_of_what_is_served() {
    let archive = open(&of([
        Entry::stored("d/a", "first"),
        Entry::stored("d/a", "the second, which is longer"),
        Entry::stored("./d/a", "another").unicode_path("d/a"),
    ]));
    let page = Page { number: 1, per_page: 20 };
    let in_memory = list(&mut SortedDirectory::new(&archive), b"d", false, page).unwrap().unwrap();
    let (pages, binding) = pages(archive.source(), Duplicates::First);
    let sidecar = Sidecar::open_within(pages, &binding, first()).unwrap();
    let mut sorted = SortedSidecar::new(&sidecar, archive.source()).unwrap();
    assert_eq!(list(&mut sorted, b"d", false, page).unwrap().unwrap(), in_memory);
    let items: Vec<_> = in_memory.items.iter().map(|item| (&*item.path, item.size)).collect();
    assert_eq!(items, [("d/a", Some(5))]);
    assert_eq!(by_engine(&archive, b"d/a"), content("first"));
}

/// What Python makes of a name: the first that it lists, and the one that it takes.
const PYTHON: &str = "
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z:
    named = [info for info in z.infolist() if info.filename == 'a']
    print(len(named), z.read(named[0]).decode(), z.read('a').decode())
";

#[test]
fn the_first_is_the_first_of_pythons_list_too_which_itself_takes_the_last() {
    let archive = of([
        Entry::deflated("a", "first"),
        Entry::stored("b", "b"),
        Entry::deflated("a", "second"),
        Entry::stored("a", "last"),
    ]);
    assert_eq!(by_engine(&open(&archive), b"a"), content("first"));
    if !has_command("python3") {
        return skip("the_first_is_the_first_of_pythons_list_too", "no python3");
    }
    let (file, _) = super::on_disk(&built(&archive));
    let output =
        std::process::Command::new("python3").args(["-c", PYTHON]).arg(file.path()).output();
    assert_eq!(String::from_utf8_lossy(&output.unwrap().stdout).trim(), "3 first last");
}

#[test]
fn one_entry_is_found_without_an_index_under_either_choice() {
    let bytes = built(&of([Entry::stored("a", "1"), Entry::stored("a", "2")]));
    let standing =
        |policy: Policy| entryway::find_one(&bytes, b"a", policy).unwrap().unwrap().standing;
    assert!(matches!(standing(Policy::default()), Standing::Bad(it) if it.rule == Rule::Duplicate));
    assert_eq!(standing(first()), Standing::Unverified);
}
