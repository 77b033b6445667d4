//! What is read is what a naive reader of the same rules reads.

use bytes::Bytes;
use entryway::Archive;
use entryway_testkit::builder::{self, DescriptorForm, Entry, Saturated, Zip64End};
use entryway_testkit::samples;
use proptest::prelude::*;

use super::{assert_agrees, built, disagreement, on_disk, open_and_read, random_cases, read_all};

#[test]
fn good_archives_are_read_whole_from_memory_and_from_a_file() {
    for sample in samples::good() {
        let bytes = built(&sample.archive);
        let (_file, source) = on_disk(&bytes);
        let expected: Vec<_> =
            sample.contents.into_iter().map(|(name, content)| (name, Ok(content))).collect();
        let in_memory = read_all(&Archive::open(bytes).expect(sample.name));
        assert_eq!(in_memory, expected, "{}", sample.name);
        let in_file = read_all(&Archive::open(source).expect(sample.name));
        assert_eq!(in_file, expected, "{} in a file", sample.name);
    }
}

/// Small archives that between them have every record and every field that is read.
pub(super) fn small_archives() -> Vec<(&'static str, Vec<u8>)> {
    let a = || Entry::deflated("a", "hello hello hello");
    let b = || Entry::stored("d/b", "world");
    let two = || builder::Archive::new().entry(a()).entry(b());
    [
        ("two files", two()),
        ("prefix", two().prefix("#!/bin/sh\n", false)),
        ("comment and zeros", two().comment("comment").trailing([0; 3])),
        ("zip64 end", two().zip64_end(Zip64End::Saturated)),
        ("zip64 end that repeats", two().zip64_end(Zip64End::Agreeing)),
        (
            "zip64 in every field",
            builder::Archive::new().entry(a().zip64(Saturated::SIZES, Saturated::ALL)).entry(b()),
        ),
        (
            "descriptors",
            builder::Archive::new()
                .entry(a().descriptor(DescriptorForm::SIGNED_32))
                .entry(b().descriptor(DescriptorForm::BARE_64)),
        ),
        (
            "directory, link, extra fields",
            builder::Archive::new()
                .entry(Entry::directory("d/"))
                .entry(Entry::symlink("./l", "a").unicode_path("\u{e9}"))
                .entry(Entry::raw("e", 8, "", 0, 0)),
        ),
    ]
    .into_iter()
    .map(|(name, archive)| (name, archive.build()))
    .collect()
}

#[test]
fn every_byte_may_have_any_value_and_the_oracle_agrees() {
    let changes: [fn(u8) -> u8; 8] = [
        |_| 0,
        |_| 0xff,
        |byte| byte ^ 1,
        |byte| byte ^ 0x80,
        |byte| byte.wrapping_add(1),
        |byte| byte.wrapping_sub(1),
        |byte| byte ^ 8,
        |_| b'P',
    ];
    let (mut refused, mut read) = (0, 0);
    for (name, whole) in small_archives() {
        for offset in 0..whole.len() {
            for (number, change) in changes.iter().enumerate() {
                let mut bytes = whole.clone();
                bytes[offset] = change(bytes[offset]);
                let engine = open_and_read(Bytes::copy_from_slice(&bytes));
                if let Some(difference) = disagreement(&engine, &bytes) {
                    panic!("{name}, byte {offset}, change {number}: {difference}");
                }
                match engine {
                    Ok(_) => read += 1,
                    Err(_) => refused += 1,
                }
            }
        }
    }
    assert!(refused > 1_000 && read > 1_000, "{refused} refused, {read} read");
}

#[test]
fn an_archive_cut_or_shifted_anywhere_is_read_as_the_oracle_reads_it() {
    for (name, whole) in small_archives() {
        for offset in 0..=whole.len() {
            assert_agrees(&format!("{name}, first {offset}"), &whole[..offset]);
            assert_agrees(&format!("{name}, from {offset}"), &whole[offset..]);
            let inserted = [&whole[..offset], b"\0", &whole[offset..]].concat();
            assert_agrees(&format!("{name}, NUL at {offset}"), &inserted);
            let removed = [&whole[..offset], &whole[(offset + 1).min(whole.len())..]].concat();
            assert_agrees(&format!("{name}, without {offset}"), &removed);
        }
    }
}

/// A change of an archive: where, as a fraction of its length, and what is written there.
fn changes() -> impl Strategy<Value = Vec<(f64, Vec<u8>)>> {
    let written = prop_oneof![
        4 => any::<u8>().prop_map(|byte| vec![byte]),
        2 => any::<u16>().prop_map(|number| number.to_le_bytes().to_vec()),
        1 => any::<u32>().prop_map(|number| number.to_le_bytes().to_vec()),
        1 => Just(vec![0xff; 4]),
        1 => Just(vec![0; 8]),
        1 => (1u8..9, 1u8..9).prop_map(|(x, y)| vec![b'P', b'K', x, y]),
    ];
    proptest::collection::vec((0.0..1.0, written), 1..6)
}

proptest! {
    #![proptest_config(random_cases(3_000))]

    #[test]
    fn several_changes_at_once_are_read_as_the_oracle_reads_them(
        which in 0..8usize,
        changes in changes(),
        cut in proptest::option::weighted(0.1, 0.0..1.0),
    ) {
        let (name, mut bytes) = small_archives().swap_remove(which);
        for (place, written) in changes {
            let offset = (place * bytes.len() as f64) as usize;
            for (byte, new) in bytes[offset..].iter_mut().zip(written) {
                *byte = new;
            }
        }
        if let Some(cut) = cut {
            bytes.truncate((cut * bytes.len() as f64) as usize);
        }
        let engine = open_and_read(Bytes::copy_from_slice(&bytes));
        if let Some(difference) = disagreement(&engine, &bytes) {
            return Err(TestCaseError::fail(format!("{name}: {difference}")));
        }
    }

    #[test]
    fn no_bytes_make_the_engine_panic(mut noise in proptest::collection::vec(any::<u8>(), 0..400),
        offset in any::<u16>(), size in any::<u16>(), count in 0u16..9, at in any::<usize>()) {
        // Behind any bytes, an end record that makes a directory of them.
        if !noise.is_empty() {
            let at = at % noise.len();
            let record = Entry::stored("x", "x");
            let archive = builder::Archive::new().entry(record).build();
            noise.splice(at..at, archive[32..archive.len() - 22].iter().copied());
        }
        let (offset, size) = (u32::from(offset) % 500, u32::from(size) % 500);
        let end = builder::Archive::new().edit_end(move |end| {
            (end.directory_offset, end.directory_size) = (offset, size);
            (end.entries_on_disk, end.entries_total) = (count, count);
        });
        let bytes = [noise, end.build()].concat();
        let engine = open_and_read(Bytes::copy_from_slice(&bytes));
        prop_assert_eq!(disagreement(&engine, &bytes), None);
    }
}
