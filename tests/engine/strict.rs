//! The profile strict: that plain archives break none of its rules and every stray byte one, which
//! entries it asks about, and what it reads. What each hostile class breaks is in
//! [`super::own_classes`].

use std::collections::BTreeSet;

use bytes::Bytes;
use entryway::source::testing::{Counting, Flaky, Sluggish};
use entryway::{Archive, Duplicates, Error, Policy, Profile, ReadAt, Refusal, Rule};
use entryway_testkit::builder::{self, DescriptorForm as Form, Entry, Saturated, Zip64End};
use entryway_testkit::fixtures::{noise, text};
use proptest::prelude::*;
use proptest::sample::select;

use super::allocations::peak_of;
use super::{built, on_disk, random_cases};

/// Raw name, where it is one entry's, and the broken rule.
type Broken = Vec<(Option<Vec<u8>>, Refusal)>;

fn examined<S: ReadAt>(archive: &Archive<S>) -> Result<Broken, Error> {
    let mut broken = Vec::new();
    archive.examine(|entry, refusal| {
        assert_eq!(refusal.rule.profile(), Profile::Strict, "{refusal}");
        let name = entry.map(|entry| archive.directory().raw_name(entry).to_vec());
        broken.push((name, refusal));
    })?;
    Ok(broken)
}

/// The labels of the broken rules; an archive that is not opened breaks none of them.
fn labels(bytes: Bytes) -> Option<Vec<&'static str>> {
    let archive = Archive::open(bytes).ok()?;
    let broken = examined(&archive).expect("a source that does not fail");
    Some(broken.into_iter().map(|(_, refusal)| refusal.rule.label()).collect())
}

#[test]
fn the_same_is_found_however_the_bytes_come() {
    let archive = built(&everything_wrong());
    let whole = examined(&Archive::open(archive.clone()).unwrap()).unwrap();
    let rules: BTreeSet<_> = whole.iter().map(|(_, refusal)| refusal.rule.label()).collect();
    assert!(rules.len() > 8, "{rules:?}");
    for step in [1, 7, 4_096] {
        let source = Sluggish { inner: archive.clone(), step };
        assert_eq!(examined(&Archive::open(source).unwrap()), Ok(whole.clone()), "{step}");
    }
    let (_file, source) = on_disk(&archive);
    assert_eq!(examined(&Archive::open(source).unwrap()), Ok(whole));
}

/// An archive of many entries that breaks most rules of the profile somewhere.
fn everything_wrong() -> builder::Archive {
    let plain = (0..200).map(|number| {
        let entry = Entry::deflated(format!("plain/{number}"), text(number * 10, 1));
        if number % 3 == 0 { entry.descriptor(Form::ALL[number % 4]) } else { entry }
    });
    builder::Archive::new()
        .entry(Entry::stored("./a\\b:c ", "x").gap_before("front"))
        .entry(Entry::stored("file", noise(300_000, 1)).descriptor(Form::SIGNED_32))
        .entry(Entry::stored("file/child", noise(70_000, 2)).gap_before("gap"))
        .entry(Entry::stored("FILE/CHILD", "x").extra(vec![0; 60_000]))
        .entry(
            Entry::stored("wrong", "hello")
                .descriptor(Form::BARE_32)
                .edit_local(|header| header.crc32 = 7),
        )
        .entries(plain)
        .entry(Entry::stored("a\u{200b}", "").unicode_path("other"))
        .trailing("behind")
}

#[test]
fn of_several_entries_of_one_name_the_one_that_is_served_is_asked_about() {
    let twice = ["first", "second"].map(|content| Entry::stored("a\\b", content));
    let bytes = built(&builder::Archive::new().entries(twice));
    for (duplicates, expected) in
        [(Duplicates::Refuse, vec![]), (Duplicates::First, vec![Rule::NameBackslash])]
    {
        let policy = Policy { duplicates, ..Policy::default() };
        let archive = Archive::open_within(bytes.clone(), policy).unwrap();
        let broken = examined(&archive).unwrap();
        let rules: Vec<_> = broken.iter().map(|(_, refusal)| refusal.rule).collect();
        assert_eq!(rules, expected, "{duplicates:?}");
    }
}

#[test]
fn what_a_source_fails_with_is_told() {
    let archive = built(&everything_wrong());
    let mut failures = 0;
    for reads in 0.. {
        let source = Flaky::new(archive.clone(), reads, std::io::ErrorKind::TimedOut);
        let Ok(archive) = Archive::open(source) else { continue };
        match examined(&archive) {
            Ok(_) => break,
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
        failures += 1;
    }
    assert!(failures > 5, "{failures} reads");
}

#[test]
fn many_small_entries_cost_few_reads() {
    let small = |number: usize| {
        let entry = Entry::deflated(format!("folder/{number}.txt"), text(number % 1_000, 1));
        if number.is_multiple_of(2) { entry.descriptor(Form::SIGNED_32) } else { entry }
    };
    let archive = built(&builder::Archive::new().entries((0..30_000).map(small)));
    let source = Counting::new(archive.clone());
    let archive = Archive::open(source.clone()).unwrap();
    let directory = archive.directory().extent().extent.start;
    assert!(directory > 5 << 20, "{directory} bytes of entries");
    let _opening = source.take();
    assert_eq!(examined(&archive), Ok(vec![]));
    let asked = source.take();
    // 4 KiB, twice as much each time up to 256 KiB, and the end record.
    let expected = 7 + directory.div_ceil(256 << 10) + 1;
    assert!(asked.len() as u64 <= expected, "{} reads, {expected} expected", asked.len());
    let bytes: u64 = asked.iter().map(|extent| extent.end - extent.start).sum();
    assert!(bytes < directory + directory / 8, "{bytes} bytes read of {directory}");
    assert!(asked.iter().all(|extent| extent.end - extent.start <= 260 << 10));
}

#[test]
fn the_data_of_large_entries_is_not_read() {
    let large = |number: u64| {
        let entry = Entry::stored(format!("{number}"), noise(1 << 20, number));
        if number.is_multiple_of(2) { entry.descriptor(Form::SIGNED_32) } else { entry }
    };
    let archive = built(&builder::Archive::new().entries((0..16).map(large)));
    let source = Counting::new(archive);
    let archive = Archive::open(source.clone()).unwrap();
    let _opening = source.take();
    assert_eq!(examined(&archive), Ok(vec![]));
    let asked = source.take();
    // A header each; a descriptor brings the next header with it.
    assert!(asked.len() <= 16 + 1 + 1, "{asked:?}");
    assert!(asked.iter().all(|extent| extent.end - extent.start <= 4 << 10), "{asked:?}");
}

#[test]
fn an_examination_keeps_no_more_than_it_says() {
    // Each takes three times its bytes without case and normalization: U+0390 is 2 bytes and 6.
    let long = |number: usize| format!("{}{number}", "\u{390}".repeat(400));
    let table: [(&str, Vec<Entry>); 4] = [
        ("short names", (0..40_000).map(|n| Entry::stored(format!("{n}"), "")).collect()),
        ("capitals", (0..40_000).map(|n| Entry::stored(format!("A{n}"), "")).collect()),
        ("names that grow", (0..2_000).map(|n| Entry::stored(long(n), "")).collect()),
        ("deep", (0..500).map(|n| Entry::stored(format!("{}{n}", "a/".repeat(500)), "")).collect()),
    ];
    for (name, entries) in table {
        let count = entries.len() as u64;
        for reversed in [false, true] {
            let order = reversed.then(|| (0..entries.len()).rev().collect());
            let zip = builder::Archive {
                directory_order: order,
                ..builder::Archive::new().entries(entries.clone())
            };
            let (_file, source) = on_disk(&zip.build());
            let archive = Archive::open(source).unwrap();
            let extent = &archive.directory().extent().extent;
            let (broken, peak) = peak_of(|| examined(&archive).unwrap());
            assert_eq!(broken, vec![], "{name}");
            let names = extent.end - extent.start - 46 * count;
            let most = 2 * (260 << 10) + (32 + 16) * count + 3 * names + (64 << 10);
            assert!(peak <= most, "{name}: {peak} bytes, at most {most}");
        }
    }
}

/// A name that is refused nowhere and collides with no other of these.
fn any_names() -> impl Strategy<Value = Vec<String>> {
    let segment = select(vec!["a", "b.c", "\u{e9}", "x y", ".hidden", "\u{65e5}\u{672c}"]);
    let folders = proptest::collection::vec(segment, 0..3);
    proptest::collection::vec((folders, any::<bool>()), 0..8).prop_map(|names| {
        let named = names.into_iter().enumerate().map(|(number, (folders, is_directory))| {
            let end = if is_directory { "/" } else { "" };
            [&folders[..], &[&format!("{number}{end}")]].concat().join("/")
        });
        named.collect()
    })
}

/// What a writer may write: methods, descriptors, zip64 fields where something is saturated, other
/// extra fields, comments, zip64 end records, the directory in any order.
fn any_plain_archive() -> impl Strategy<Value = builder::Archive> {
    let form = proptest::option::of(select(Form::ALL.to_vec()));
    let saturated =
        select(vec![Saturated::NONE, Saturated::SIZES, Saturated::OFFSET, Saturated::ALL]);
    let entry = (form, saturated, any::<bool>(), any::<bool>(), 0..300usize);
    let ends = select(vec![Zip64End::WhereNeeded, Zip64End::Saturated, Zip64End::Agreeing]);
    let entries = any_names().prop_flat_map(move |names| {
        let count = names.len();
        (Just(names), proptest::collection::vec(entry.clone(), count))
    });
    (entries, ends, any::<bool>(), "[a-z]{0,9}").prop_map(
        |((names, forms), end, reversed, comment)| {
            let order: Vec<usize> = (0..names.len()).rev().collect();
            let entries = names.into_iter().zip(forms);
            let entries = entries.map(|(name, (form, saturated, deflate, has_extra, len))| {
                let len = if name.ends_with('/') { 0 } else { len };
                let entry = if deflate {
                    Entry::deflated(name, text(len, 1))
                } else {
                    Entry::stored(name, noise(len, 1))
                };
                let local =
                    if saturated == Saturated::OFFSET { Saturated::NONE } else { saturated };
                let local = Saturated { local_header_offset: false, disk_start: false, ..local };
                let entry = entry.zip64(local, saturated);
                let entry = match has_extra {
                    true => entry.extra(entryway_testkit::extra::extended_timestamp(7)),
                    false => entry,
                };
                match form {
                    Some(form) => entry.descriptor(form),
                    None => entry,
                }
            });
            builder::Archive {
                directory_order: reversed.then_some(order),
                ..builder::Archive::new().entries(entries).zip64_end(end).comment(comment)
            }
        },
    )
}

/// Puts bytes between two records: in front of all, before one of the entries, before the
/// directory, or behind the end.
fn with_stray_bytes(archive: &builder::Archive, at: usize, bytes: &[u8]) -> builder::Archive {
    let mut archive = archive.clone();
    let count = archive.entries.len();
    match at % (count + 4) {
        0 => archive = archive.prefix(bytes, true),
        1 => archive = archive.prefix(bytes, false),
        2 => archive.before_directory = bytes.to_vec(),
        3 => archive.trailing = bytes.to_vec(),
        entry => archive.entries[entry - 4].gap_before = bytes.to_vec(),
    }
    archive
}

proptest! {
    #![proptest_config(random_cases(1_000))]

    #[test]
    fn a_plain_archive_breaks_no_rule(archive in any_plain_archive()) {
        prop_assert_eq!(labels(built(&archive)), Some(vec![]));
    }

    #[test]
    fn stray_bytes_between_two_records_break_one(
        archive in any_plain_archive(),
        at in any::<usize>(),
        // Of an entry without content zeros can be a longer descriptor: no zero among these.
        bytes in prop_oneof![
            proptest::collection::vec(1u8.., 1..40),
            Just(b"PK\x03\x04ghost".to_vec()),
            Just(b"PK\x06\x08\x01\x01\x01\x01x".to_vec()),
        ],
    ) {
        let stray = with_stray_bytes(&archive, at, &bytes);
        if let Some(broken) = labels(built(&stray)) {
            let of_layout = ["bytes_before", "bytes_between", "unlisted_entry", "trailing_bytes"];
            prop_assert_eq!(broken.len(), 1, "{:?}", broken);
            prop_assert!(of_layout.contains(&broken[0]), "{:?}", broken);
        } else {
            // In every profile: a zip64 record is where its locator says, and a directory without
            // records in front of which something stands could begin at two places.
            let has_zip64 = archive.zip64_end != Zip64End::WhereNeeded;
            prop_assert!(!stray.prefix_counted && (archive.entries.is_empty() || has_zip64));
        }
    }
}

#[test]
fn no_rule_of_the_profile_is_met_on_the_way_to_an_entry() {
    let archive = Archive::open(built(&everything_wrong())).unwrap();
    let served = super::read_all(&archive).into_iter().filter(|(_, content)| content.is_ok());
    assert_eq!(served.count(), archive.directory().len());
}
