//! Which entry a name means: the raw name, else the one without `./`, else the one displayed.

use std::sync::mpsc;

use bytes::Bytes;
use entryway::{Archive, Lookup, ReadAt, Rule, Standing};
use entryway_testkit::builder::{self, Entry};
use entryway_testkit::extra;
use entryway_testkit::oracle::{self, OracleRefusal};
use entryway_testkit::samples;
use proptest::prelude::*;

use super::{CHOICES, built, choosing, content_of, random_cases};
use entryway_tests_shared::machine::HANG;

/// What a lookup and a reading of what it found come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Absent,
    Refused,
    Content(Vec<u8>),
}

pub(super) fn by_engine<S: ReadAt>(archive: &Archive<S>, name: &[u8]) -> Answer {
    match archive.find(name) {
        Ok(None) => Answer::Absent,
        Err(refusal) => {
            assert_eq!(refusal.rule, Rule::AmbiguousName);
            Answer::Refused
        }
        Ok(Some(found)) => content_of(archive, &found).map_or(Answer::Refused, Answer::Content),
    }
}

pub(super) fn by_oracle(bytes: &[u8], name: &[u8]) -> Answer {
    answer_of(oracle::find(bytes, name))
}

fn answer_of(found: Result<oracle::Found, OracleRefusal>) -> Answer {
    match found.expect("an archive that is not refused") {
        oracle::Found::Absent => Answer::Absent,
        oracle::Found::Ambiguous => Answer::Refused,
        oracle::Found::Entry(entry) => entry.verdict.map_or(Answer::Refused, Answer::Content),
    }
}

/// Looks names up both ways, whatever becomes of entries of one name. A directory that is listed
/// several times is found: it has no content that could be another.
#[track_caller]
fn assert_found_alike(name: &str, bytes: &Bytes, asked: &[&[u8]]) {
    for (duplicates, told) in CHOICES {
        let archive = Archive::open_within(bytes.clone(), choosing(duplicates)).expect(name);
        for &asked in asked {
            super::assert_found_without_index(&archive, asked);
            let engine = by_engine(&archive, asked);
            let oracle = answer_of(oracle::find_by(bytes, asked, told));
            let is_directory = matches!(archive.directory().find(asked),
                Lookup::Found(entry) if entry.is_directory);
            let what = format!("{name}, {duplicates:?}, {:?}", String::from_utf8_lossy(asked));
            assert!(engine == oracle || is_directory, "{what}: {engine:?} {oracle:?}");
        }
    }
}

#[test]
fn names_are_found_in_three_steps() {
    let entry = |name: &[u8], content: &str| Entry::stored(name, content);
    // Behind a whole Unicode path field, one that overruns: the entry is refused.
    let overruns = |name: &'static [u8], shown: &'static str| {
        entry(name, "cut").edit_central(move |header| {
            header.extra =
                [extra::unicode_path(name, shown), extra::field_declaring(7, 9, b"x")].concat();
        })
    };
    let archive = builder::Archive::new().entries([
        entry(b"raw", "raw"),
        entry(b"./raw", "not this"),
        entry(b"./dot", "dot"),
        entry(b"././twice", "twice"),
        entry(b"x1", "path").unicode_path("shown"),
        entry(b"./x2", "dot and path").unicode_path("shown too"),
        entry(b"./shadow", "without its dot"),
        entry(b"x3", "not this").unicode_path("shadow"),
        entry(b"x4", "one").unicode_path("ambiguous"),
        entry(b"x5", "other").unicode_path("ambiguous"),
        entry(b"\x82", "code page 437"),
        entry("\u{fc}".as_bytes(), "UTF-8"),
        entry(b"./\x83", "both"),
        entry(b"dup", "1"),
        entry(b"dup", "2"),
        entry(b"./dup dot", "1"),
        entry(b"./dup dot", "2"),
        entry(b"dup path", "1").unicode_path("dup shown"),
        entry(b"dup path", "2").unicode_path("dup shown"),
        entry(b"bad", "bad").edit_local(|header| header.crc32 ^= 1),
        Entry::directory("d/"),
        Entry::directory("./e/"),
        overruns(b"x6", "cut"),
        overruns(b"x7", "cut beside"),
        entry(b"x8", "good").unicode_path("cut beside"),
    ]);
    let bytes = built(&archive);
    let opened = Archive::open(bytes.clone()).unwrap();
    let content = |text: &str| Answer::Content(text.into());
    let table: [(&str, &[u8], Answer); 31] = [
        ("Unicode path before what overruns", b"cut", Answer::Refused),
        ("the same, and another shown alike", b"cut beside", Answer::Refused),
        ("raw name before the one without ./", b"raw", content("raw")),
        ("with ./", b"./raw", content("not this")),
        ("without ./", b"dot", content("dot")),
        ("./ is taken off once", b"twice", Answer::Absent),
        ("one ./ left", b"./twice", content("twice")),
        ("Unicode path", b"shown", content("path")),
        ("its raw name", b"x1", content("path")),
        ("Unicode path of a name with ./", b"shown too", content("dot and path")),
        ("without ./ before display", b"shadow", content("without its dot")),
        ("two displayed alike", b"ambiguous", Answer::Refused),
        ("each by its raw name", b"x5", content("other")),
        ("code page 437", "\u{e9}".as_bytes(), content("code page 437")),
        ("its byte", b"\x82", content("code page 437")),
        ("UTF-8", "\u{fc}".as_bytes(), content("UTF-8")),
        ("code page 437 behind ./, without", b"\x83", content("both")),
        ("code page 437 behind ./, shown", "./\u{e2}".as_bytes(), content("both")),
        ("both at once are two steps", "\u{e2}".as_bytes(), Answer::Absent),
        ("same raw name", b"dup", Answer::Refused),
        ("same name without ./", b"dup dot", Answer::Refused),
        ("same name and same path", b"dup shown", Answer::Refused),
        ("bad entry", b"bad", Answer::Refused),
        ("directory", b"d/", content("")),
        ("directory without its slash", b"d", Answer::Absent),
        ("directory without ./", b"e/", content("")),
        ("absent", b"absent", Answer::Absent),
        ("no prefix is enough", b"ra", Answer::Absent),
        ("case counts", b"RAW", Answer::Absent),
        ("no name is normalised", b"d/../raw", Answer::Absent),
        ("a long name", &[b'x'; 70_000], Answer::Absent),
    ];
    for (name, asked, expected) in table {
        assert_eq!(by_engine(&opened, asked), expected, "{name}");
        assert_found_alike(name, &bytes, &[asked]);
    }
}

#[test]
fn names_of_good_archives_are_found_as_the_oracle_finds_them() {
    for sample in samples::good() {
        let bytes = built(&sample.archive);
        let displayed = ["\u{e9}.txt", "\u{e9}", "a.txt", "dir/b.bin", "x.txt", "absent"];
        let asked: Vec<&[u8]> = sample
            .contents
            .iter()
            .flat_map(|(name, _)| [&name[..], name.strip_prefix(b"./").unwrap_or(b"?")])
            .chain(displayed.iter().map(|name| name.as_bytes()))
            .filter(|name| !name.is_empty())
            .collect();
        assert_found_alike(sample.name, &bytes, &asked);
    }
}

/// Names that are each other's aliases in every way.
pub(super) const POOL: [&[u8]; 12] = [
    b"a",
    b"./a",
    b"././a",
    b"a/",
    b"./a/",
    b"b",
    b"./b",
    b"\x82",
    b"./\x82",
    "\u{e9}".as_bytes(),
    "./\u{e9}".as_bytes(),
    b"b/",
];
/// The names that some of them are displayed under.
pub(super) const PATHS: [&str; 6] = ["a", "./a", "b", "\u{e9}", "./\u{e9}", "c"];

proptest! {
    #![proptest_config(random_cases(2_000))]

    #[test]
    fn an_entry_is_found_without_an_index_wherever_the_others_stand(
        entries in proptest::collection::vec((0..POOL.len(), 0..PATHS.len() + 4, 0..9u32), 1..9),
        order in any::<u64>(),
    ) {
        let archive = builder::Archive::new().entries(entries.iter().map(|&(name, path, shift)| {
            let entry = Entry::stored(POOL[name], "x".repeat(shift as usize % 3));
            let entry = match PATHS.get(path) {
                Some(path) => entry.unicode_path(path),
                None => entry,
            };
            // Some local headers are said to be where another one is, or nowhere.
            entry.edit_central(move |header| match shift {
                7 => header.local_header_offset = 0,
                8 => header.local_header_offset = u32::MAX - 1,
                _ => {}
            })
        }));
        let mut directory_order: Vec<usize> = (0..entries.len()).collect();
        directory_order.sort_by_key(|&at| order.rotate_left(7 * at as u32).wrapping_mul(0x9e37_79b9));
        let archive = builder::Archive { directory_order: Some(directory_order), ..archive };
        let bytes = built(&archive);
        for (duplicates, _) in CHOICES {
            let opened = Archive::open_within(bytes.clone(), choosing(duplicates));
            let Ok(archive) = opened else { return Ok(()) };
            for name in POOL.into_iter().chain(PATHS.map(str::as_bytes)) {
                super::assert_found_without_index(&archive, name);
            }
        }
    }

    #[test]
    fn names_that_are_each_others_aliases_are_found_as_the_oracle_finds_them(
        entries in proptest::collection::vec(
            (0..POOL.len(), proptest::option::weighted(0.4, 0..PATHS.len())), 0..7),
    ) {
        let archive = builder::Archive::new().entries(entries.iter().enumerate().map(
            |(number, &(name, path))| {
                let name = POOL[name];
                let is_directory = name.ends_with(b"/");
                let entry = Entry::stored(name, if is_directory { "" } else { "x" }.repeat(number));
                match path {
                    Some(path) => entry.unicode_path(PATHS[path]),
                    None => entry,
                }
            },
        ));
        let mut asked: Vec<&[u8]> = POOL.to_vec();
        asked.extend(PATHS.iter().map(|path| path.as_bytes()));
        assert_found_alike("random", &built(&archive), &asked);
    }
}

/// Does what takes a moment, unless something in it grows with a square: then it takes minutes.
pub(super) fn without_hanging<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, result) = mpsc::channel();
    let worker = std::thread::spawn(move || sender.send(work()));
    let result = result.recv_timeout(HANG);
    if result.is_err() && !worker.is_finished() {
        panic!("no end within {HANG:?}");
    }
    worker.join().expect("the work does not panic").expect("somebody listens");
    result.expect("the work came to an end")
}

#[test]
fn half_a_million_entries_of_one_name_are_opened_and_refused_one_by_one() {
    without_hanging(|| {
        let entries = (0..500_000).map(|_| Entry::stored("a", ""));
        let archive = builder::Archive::new().entries(entries).entry(Entry::stored("b", "b"));
        let opened = Archive::open(built(&archive)).unwrap();
        let mut refused = 0;
        opened
            .verify(
                |_| {},
                |_, standing| match standing {
                    Standing::Bad(refusal) => {
                        assert_eq!(refusal.rule, Rule::Duplicate);
                        refused += 1;
                    }
                    _ => assert_eq!(refused, 500_000, "the last one is good"),
                },
            )
            .unwrap();
        assert_eq!(refused, 500_000);
        assert_eq!(by_engine(&opened, b"a"), Answer::Refused);
        assert_eq!(by_engine(&opened, b"b"), Answer::Content(b"b".to_vec()));
        assert_eq!(by_engine(&opened, b"c"), Answer::Absent);
    });
}

#[test]
fn many_entries_of_one_displayed_name_are_ambiguous() {
    without_hanging(|| {
        let entries = (0..200_000).map(|number: u32| Entry {
            local_extra: Vec::new(),
            ..Entry::stored(number.to_string(), "").unicode_path("shown")
        });
        let opened = Archive::open(built(&builder::Archive::new().entries(entries))).unwrap();
        assert_eq!(by_engine(&opened, b"shown"), Answer::Refused);
        for number in [0, 63, 64, 65, 66, 67, 199_999] {
            let name = number.to_string();
            assert_eq!(by_engine(&opened, name.as_bytes()), Answer::Content(vec![]), "{name}");
        }
    });
}

#[test]
fn both_of_a_pair_are_noticed_wherever_the_index_puts_them() {
    // A hundred names, so often that they run into each other in the index, and behind them pairs.
    let many = (0..6_600).map(|number| format!("many/{}", number % 100));
    let pairs = (0..2_000).map(|number| format!("pair/{}", number % 1_000));
    let archive =
        builder::Archive::new().entries(many.chain(pairs).map(|name| Entry::stored(name, "")));
    let opened = Archive::open(built(&archive)).unwrap();
    for entry in opened.directory().entries() {
        let found = opened.describe(&entry);
        assert!(
            matches!(found.standing, Standing::Bad(refusal) if refusal.rule == Rule::Duplicate)
        );
    }
}

#[test]
fn the_first_and_any_contradiction_are_found_among_many_of_one_name() {
    let many = |entry: fn(usize) -> Entry, last: Entry| {
        let archive = builder::Archive::new().entries((0..400).map(entry)).entry(last);
        Archive::open(built(&archive)).unwrap()
    };
    let rules = |archive: &Archive<Bytes>| -> Vec<Option<Rule>> {
        super::read_all(archive)
            .into_iter()
            .map(|(_, content)| content.err().map(|refusal| refusal.rule))
            .collect()
    };
    // One directory with content among many without is a contradiction of all of them.
    let with_content = many(|_| Entry::directory("d/"), Entry::stored("d/", "x"));
    let mut expected = vec![Some(Rule::Duplicate); 400];
    expected.push(Some(Rule::DirectoryWithData));
    assert_eq!(rules(&with_content), expected);
    let without = many(|_| Entry::directory("d/"), Entry::directory("e/"));
    assert_eq!(rules(&without), vec![None; 401]);

    // Many of one raw name that are shown alike are one answer, and one of another name makes two.
    let alike = many(|_| Entry::stored("a", "").unicode_path("x"), Entry::stored("b", "b"));
    let Ok(Some(found)) = alike.find(b"x") else { panic!("found by its display name") };
    assert!(matches!(found.standing, Standing::Bad(refusal) if refusal.rule == Rule::Duplicate));
    assert_eq!(found.entry.header_offset, 0, "the first of them");
    let apart = many(
        |_| Entry::stored("a", "").unicode_path("x"),
        Entry::stored("b", "").unicode_path("x"),
    );
    assert_eq!(apart.find(b"x").map_err(|refusal| refusal.rule), Err(Rule::AmbiguousName));
    let dotted = many(|_| Entry::stored("./a", ""), Entry::stored("b", "").unicode_path("a"));
    let Ok(Some(found)) = dotted.find(b"a") else { panic!("found without its dot") };
    assert_eq!(found.raw_name, &b"./a"[..]);
}
