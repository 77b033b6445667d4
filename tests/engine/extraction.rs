//! Reading one entry: whole or in parts, never more than is right, in bounded memory.

use std::io::Read;
use std::ops::Range;
use std::sync::LazyLock;

use bytes::Bytes;
use entryway::{Archive, EntryPlan, Error, FileSource, Found, ReadAt, Rule, Standing, TextProbe};
use entryway_testkit::builder::{self, DescriptorForm, Entry};
use entryway_testkit::extra;
use entryway_testkit::fixtures::{noise, text};
use proptest::prelude::*;

use super::allocations::peak_of;
use super::{built, drain, on_disk, random_cases, verified};
use entryway_tests_shared::packed::{PACKINGS, Packing};

fn archive_of(entry: Entry) -> Archive<Bytes> {
    let archive = builder::Archive::new().entry(entry).entry(Entry::stored("next", "next"));
    Archive::open(built(&archive)).unwrap()
}

fn find<S: ReadAt>(archive: &Archive<S>, name: &str) -> Found {
    archive.find(name.as_bytes()).unwrap().unwrap()
}

#[test]
fn the_last_chunk_is_held_back_until_everything_is_right() {
    let lens = [1, 2, 100, 65_535, 65_536, 65_537, 131_072, 200_000];
    for (len, stored) in lens.into_iter().flat_map(|len| [(len, false), (len, true)]) {
        let content = text(len, 1);
        let entry = || match stored {
            true => Entry::stored("a", &content),
            false => Entry::deflated("a", &content),
        };
        let data = entry().data;
        let cut = data[..data.len() - 1].to_vec();
        let mut flipped = data.clone();
        flipped[data.len() / 2] ^= 0x10;
        let with_descriptor = |form| entry().descriptor(form);
        let mut damaged = vec![
            ("CRC-32", Entry { crc32: 1, ..entry() }),
            ("flipped bit", Entry { data: flipped, ..entry() }),
            (
                "descriptor's CRC-32",
                with_descriptor(DescriptorForm::SIGNED_32).edit_descriptor(|d| d.crc32 ^= 1),
            ),
            (
                "descriptor's size",
                with_descriptor(DescriptorForm::BARE_64)
                    .edit_descriptor(|d| d.uncompressed_size += 1),
            ),
        ];
        if !stored {
            let len = len as u64;
            damaged.extend([
                ("one byte too few declared", Entry { uncompressed_len: len - 1, ..entry() }),
                ("one byte too many declared", Entry { uncompressed_len: len + 1, ..entry() }),
                ("cut by a byte", Entry { data: cut, ..entry() }),
                ("a byte more", Entry { data: [&data[..], b"x"].concat(), ..entry() }),
                ("twice", Entry { data: data.repeat(2), ..entry() }),
            ]);
        }
        for (name, entry) in damaged {
            let archive = archive_of(entry);
            let found = find(&archive, "a");
            let (given, end) = drain(archive.read(&found).unwrap());
            assert!(matches!(end, Err(Error::Entry(_))), "{name}, {len}: {end:?}");
            // Whoever counts notices, and nobody with a short body had a chunk too many.
            let declared = found.entry.declared_uncompressed_size;
            assert!(given.is_empty() || (given.len() as u64) < declared, "{name}, {len}");
            if name != "flipped bit" {
                assert!(content.starts_with(&given), "{name}, {len}");
            }
            // The neighbour is none of its business.
            let next = find(&archive, "next");
            assert_eq!(drain(archive.read(&next).unwrap()), (b"next".to_vec(), Ok(())));
        }
        let whole = archive_of(entry());
        assert_eq!(drain(whole.read(&find(&whole, "a")).unwrap()), (content, Ok(())), "{len}");
    }
}

#[test]
fn sizes_that_lie_by_any_amount_are_noticed() {
    let content = text(5_000, 1);
    let honest = Entry::deflated("a", &content);
    for declared in (0..200).chain([4_000, 4_999, 5_001, 5_002, 70_000, 200_000]) {
        let archive = archive_of(Entry { uncompressed_len: declared, ..honest.clone() });
        let (given, end) = drain(archive.read(&find(&archive, "a")).unwrap());
        let Err(Error::Entry(refusal)) = end else { panic!("{declared}: {end:?}") };
        let (rule, actual) =
            if declared < 5_000 { (Rule::DataLong, 0) } else { (Rule::DataShort, 5_000) };
        assert_eq!((refusal.rule, refusal.declared), (rule, declared));
        assert_eq!((refusal.actual, given.len()), (actual, 0), "{declared}");
    }
}

#[test]
fn an_empty_deflated_entry_may_have_no_bytes_at_all() {
    for (name, entry, expected) in [
        ("no bytes", Entry::raw("a", 8, "", 0, 0), None),
        ("two bytes", Entry::raw("a", 8, [3, 0], 0, 0), None),
        ("no bytes, CRC-32", Entry::raw("a", 8, "", 1, 0), Some(Rule::Crc)),
        ("no bytes, size", Entry::raw("a", 8, "", 0, 1), Some(Rule::DataTruncated)),
        ("one byte", Entry::raw("a", 8, [3], 0, 0), Some(Rule::DataTruncated)),
        ("three bytes", Entry::raw("a", 8, [3, 0, 0], 0, 0), Some(Rule::DataTrailing)),
        (
            "content where none is declared",
            Entry::raw("a", 8, [0x4b, 4, 0], 0, 0),
            Some(Rule::DataLong),
        ),
        ("stored", Entry::stored("a", ""), None),
    ] {
        let archive = archive_of(entry);
        let (given, end) = drain(archive.read(&find(&archive, "a")).unwrap());
        let rule = end.err().map(|error| match error {
            Error::Entry(refusal) => refusal.rule,
            other => panic!("{other:?}"),
        });
        assert_eq!((given, rule), (vec![], expected), "{name}");
    }
}

#[test]
fn reading_through_the_read_trait_gives_the_content_or_an_error() {
    let content = text(200_000, 1);
    let archive = archive_of(Entry::deflated("a", &content));
    let mut read = Vec::new();
    archive.read(&find(&archive, "a")).unwrap().read_to_end(&mut read).unwrap();
    assert_eq!(read, content);

    let archive = archive_of(Entry { crc32: 1, ..Entry::deflated("a", &content) });
    let mut read = Vec::new();
    let error = archive.read(&find(&archive, "a")).unwrap().read_to_end(&mut read).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    assert!(read.len() < content.len());
}

#[test]
fn a_bad_entry_cannot_be_planned() {
    let archive = archive_of(Entry::stored("a", "x").flags(1));
    let found = find(&archive, "a");
    let Standing::Bad(refusal) = found.standing else { panic!("encrypted") };
    assert_eq!(EntryPlan::whole(&found).map(|_| ()), Err(refusal));
    let first: Range<u64> = 0..1;
    assert_eq!(EntryPlan::parts(&found, vec![first]).map(|_| ()), Err(refusal));
}

#[test]
fn what_verification_says_of_text_is_true() {
    for (content, is_text) in
        [(text(200_000, 1), true), (noise(200_000, 1), false), (vec![], true), (vec![0], false)]
    {
        let archive = archive_of(Entry::deflated("a", &content));
        let Standing::Good { is_text: found, .. } = verified(&archive, b"a").standing else {
            panic!("it is good");
        };
        let mut probe = TextProbe::new();
        probe.update(&content);
        assert_eq!((found, probe.is_text()), (is_text, is_text));
    }
}

#[test]
fn progress_goes_up_to_all_there_is() {
    let archive = builder::Archive::new()
        .entry(Entry::deflated("a", text(300_000, 1)))
        .entry(Entry::stored("b", noise(5_000, 1)))
        .entry(Entry::stored("c", "x").flags(1));
    let archive = Archive::open(built(&archive)).unwrap();
    let mut seen = Vec::new();
    archive.verify(|progress| seen.push((progress.entries, progress.produced)), |_, _| {}).unwrap();
    assert!(seen.is_sorted() && seen.len() >= 8, "{seen:?}");
    assert_eq!(seen.last(), Some(&(3, 305_000)));
}

/// Ascending, disjoint ranges within `len` bytes.
fn ranges(len: u64) -> impl Strategy<Value = Vec<Range<u64>>> {
    proptest::collection::btree_set(0..=len, 0..9).prop_map(|cuts| {
        let cuts: Vec<u64> = cuts.into_iter().collect();
        cuts.chunks_exact(2).map(|pair| pair[0]..pair[1]).collect()
    })
}

/// Contents of which ranges are taken: some are shorter than a chunk, some longer than several.
const LENS: [usize; 4] = [10, 5_000, 65_536, 300_000];

/// An entry and its content for each of [`LENS`].
type OfEachLen = [(Entry, Vec<u8>); LENS.len()];

/// A content of each of [`LENS`] for each of [`PACKINGS`].
static PACKED: LazyLock<Vec<OfEachLen>> = LazyLock::new(|| {
    let of = |packing: Packing| {
        LENS.map(|len| text(len, 1)).map(|content| (packing.entry("a", &content), content))
    };
    PACKINGS.map(of).into()
});

fn joined(content: &[u8], parts: &[Range<u64>]) -> Vec<u8> {
    parts
        .iter()
        .flat_map(|part| &content[part.start as usize..part.end as usize])
        .copied()
        .collect()
}

proptest! {
    #![proptest_config(random_cases(400))]

    #[test]
    fn parts_joined_are_what_the_whole_has_there(
        (which, parts) in (0..LENS.len())
            .prop_flat_map(|which| (Just(which), ranges(LENS[which] as u64))),
        packing in 0..PACKINGS.len(),
        is_verified in any::<bool>(),
        descriptor in any::<bool>(),
    ) {
        let (entry, content) = &PACKED[packing][which];
        let entry = entry.clone();
        let archive = archive_of(match descriptor {
            true => entry.descriptor(DescriptorForm::BARE_32),
            false => entry,
        });
        let found = if is_verified { verified(&archive, b"a") } else { find(&archive, "a") };
        let plan = EntryPlan::parts(&found, parts.clone()).unwrap();
        let expected = joined(content, &parts);
        prop_assert_eq!(plan.declared_len(), expected.len() as u64);
        let (given, end) = drain(archive.carry_out(plan));
        prop_assert_eq!(end, Ok(()));
        prop_assert!(given == expected);
    }
}

#[test]
fn every_two_ranges_of_a_short_content_are_what_the_whole_has_there() {
    let content = text(24, 1);
    for packing in PACKINGS {
        let archive = archive_of(packing.entry("a", &content));
        let found = verified(&archive, b"a");
        for a in 0..24 {
            for b in a + 1..=24 {
                let mut sets = vec![vec![a..b]];
                sets.extend((b..24).flat_map(|c| [c + 1, 24].map(|d| vec![a..b, c..d])));
                for parts in sets {
                    let plan = EntryPlan::parts(&found, parts.clone()).unwrap();
                    let given = drain(archive.carry_out(plan));
                    let expected = (joined(&content, &parts), Ok(()));
                    assert_eq!(given, expected, "{} {parts:?}", packing.name);
                }
            }
        }
    }
}

#[test]
fn a_part_that_reaches_the_end_is_checked_and_one_that_does_not_ends_early() {
    for entry in [Entry::stored("a", text(200_000, 1)), Entry::deflated("a", text(200_000, 1))] {
        let archive = archive_of(Entry { crc32: 1, ..entry });
        let found = find(&archive, "a");
        let read = |parts| drain(archive.carry_out(EntryPlan::parts(&found, parts).unwrap()));
        assert_eq!(read(vec![0..10, 199_000..199_999]).1, Ok(()));
        let (given, end) = read(vec![0..10, 199_000..200_000]);
        assert!(given.len() < 1_010 && end.is_err(), "{} {end:?}", given.len());
    }
}

#[test]
fn an_entry_of_64_mib_is_read_within_256_kib_and_the_decoders_state() {
    let bound = (256 << 10) + entryway_inflate::STATE_SIZE_BOUND as u64;
    let content = text(1 << 20, 1);
    let content = content.repeat(64);
    // The longest header there can be is fetched whole, and let go before the data comes.
    let long_header = Entry {
        local_extra: extra::field(7, &[0; 65_531]),
        ..Entry::deflated_at(1, vec![b'a'; 65_535], &content)
    };
    for entry in [Entry::deflated_at(1, "a", &content), Entry::stored("a", &content), long_header] {
        let name = entry.name.clone();
        let bytes = builder::Archive::new().entry(entry).build();
        let (_file, source) = on_disk(&bytes);
        drop(bytes);
        let archive: Archive<FileSource> = Archive::open(source).unwrap();
        let found = archive.find(&name).unwrap().unwrap();
        let (read_len, peak) = peak_of(|| {
            let mut reader = archive.read(&found).unwrap();
            let mut read_len = 0;
            while let Some(chunk) = reader.next_chunk().unwrap() {
                assert!(content[read_len..].starts_with(&chunk));
                read_len += chunk.len();
            }
            read_len
        });
        assert_eq!(read_len, content.len());
        assert!(peak < bound, "{peak} bytes, the bound is {bound}, a name of {}", name.len());

        let (_, peak) = peak_of(|| {
            let parts = vec![5..6, 1_000_000..2_000_000, 60_000_000..content.len() as u64];
            let mut reader = archive.carry_out(EntryPlan::parts(&found, parts).unwrap());
            while reader.next_chunk().unwrap().is_some() {}
        });
        assert!(peak < bound, "{peak} bytes for parts, the bound is {bound}");
    }
}

#[test]
fn a_file_cut_short_under_its_reader_is_a_short_read() {
    for entry in [Entry::stored("a", noise(300_000, 1)), Entry::deflated("a", noise(300_000, 1))] {
        let bytes = builder::Archive::new().entry(entry).build();
        for len in [0, 10, 100_000, 299_000] {
            let (file, source) = on_disk(&bytes);
            let archive = Archive::open(source).unwrap();
            let found = find(&archive, "a");
            file.as_file().set_len(len).unwrap();
            let (given, end) = drain(archive.read(&found).unwrap());
            assert!(matches!(end, Err(Error::ShortRead { .. })), "{len}: {end:?}");
            assert!((given.len() as u64) <= len);
        }
    }
}
