//! However the bytes come, in whatever windows, the answer is the same.

use bytes::Bytes;
use entryway::source::testing::Sluggish;
use entryway::{
    Archive, DirectoryExtent, EntryPlan, Error, Extent, ExtractStep, Extraction, Fetched, Found,
    Limits, Locator, ReadAt, Standing, Step, Window,
};
use entryway_testkit::builder::{self, DescriptorForm, Entry, Saturated, Zip64End};
use entryway_testkit::fixtures::{noise, text};
use entryway_testkit::samples;
use proptest::prelude::*;

use super::{built, random_cases, standings};

/// Locates with everything in one window.
fn locate_whole(bytes: &[u8]) -> Result<DirectoryExtent, Error> {
    match Locator::new(bytes.len() as u64, &Limits::default()).step(Window::whole(bytes))? {
        Step::Done(extent) => Ok(extent),
        Step::Need(extent) => panic!("{extent:?} of a window that has all"),
    }
}

/// Locates with windows that hold what was asked for and `slack` bytes on either side.
fn locate_by_need(bytes: &[u8], slack: u64) -> Result<DirectoryExtent, Error> {
    let len = bytes.len() as u64;
    let mut locator = Locator::new(len, &Limits::default());
    let mut window = Window::EMPTY;
    let mut needs = 0;
    loop {
        match locator.step(window)? {
            Step::Done(extent) => {
                assert!(extent.extent.start <= extent.extent.end);
                assert!(extent.extent.end <= extent.end_record_offset);
                assert_eq!(extent.archive_len, len);
                return Ok(extent);
            }
            Step::Need(extent) => {
                assert!(extent.start <= extent.end && extent.end <= len, "{extent:?} of {len}");
                needs += 1;
                assert!(needs <= 2, "{needs} needs");
                let start = extent.start.saturating_sub(slack);
                let end = (extent.end + slack).min(len);
                let bytes = &bytes[start as usize..end as usize];
                window = Window { offset: start, bytes };
            }
        }
    }
}

fn assert_located_alike(name: &str, bytes: &Bytes) {
    let whole = locate_whole(bytes);
    for slack in [0, 1, 30, 100_000] {
        assert_eq!(locate_by_need(bytes, slack), whole, "{name}, {slack} more");
    }
    let opened = Archive::open(bytes.clone()).map(|archive| archive.directory().extent().clone());
    if let Ok(extent) = &opened {
        assert_eq!(whole.as_ref(), Ok(extent), "{name}");
    }
    for step in [1, 7, 4_096] {
        let source = Sluggish { inner: bytes.clone(), step };
        let sluggish = Archive::open(source).map(|archive| archive.directory().extent().clone());
        assert_eq!(sluggish, opened, "{name}, {step} bytes at a time");
    }
}

#[test]
fn the_directory_is_found_alike_through_every_window() {
    for sample in samples::good() {
        assert_located_alike(sample.name, &built(&sample.archive));
    }
    let two = || {
        builder::Archive::new()
            .entry(Entry::stored("a", noise(100_000, 1)))
            .entry(Entry::stored("b", "b").extra(entryway_testkit::extra::field(7, &[0; 60_000])))
    };
    let table = [
        ("data beyond the tail", two()),
        ("prefix beyond the tail", two().prefix(noise(100_000, 2), false)),
        ("directory beyond the tail", two().comment(text(65_535, 3))),
        ("both", two().prefix(noise(100_000, 2), false).comment(text(65_535, 3))),
        ("prefix that is counted", two().prefix(noise(100_000, 2), true)),
        (
            "zip64 behind the longest comment",
            two().zip64_end(Zip64End::Saturated).comment([0; 65_535]),
        ),
        ("no entries behind a prefix", builder::Archive::new().prefix(noise(100_000, 2), false)),
        ("cut off", two().edit_end(|end| end.declared_comment_len = Some(1))),
        ("count", two().edit_end(|end| end.entries_total = 3)),
    ];
    for (name, archive) in table {
        assert_located_alike(name, &built(&archive));
    }
    assert_located_alike("nothing", &Bytes::new());
}

#[test]
fn a_prefix_that_repeats_the_directory_is_noticed_beyond_the_tail_too() {
    // The stated offset, taken as it is, leads to a directory record of the first archive.
    let one = builder::Archive::new().entry(Entry::stored("a", noise(100_000, 1))).build();
    let bytes = Bytes::from([&one[..], &one].concat());
    assert!(locate_whole(&bytes).is_err());
    assert_located_alike("twice", &bytes);
}

proptest! {
    #![proptest_config(random_cases(500))]

    #[test]
    fn a_damaged_end_is_located_alike_through_every_window(
        prefix in 0..300usize,
        comment in proptest::collection::vec(any::<u8>(), 0..60),
        zip64 in any::<bool>(),
        damage in proptest::collection::vec((0..200usize, any::<u8>()), 0..4),
        filler in prop_oneof![Just(0usize), Just(80_000)],
    ) {
        let end = if zip64 { Zip64End::Saturated } else { Zip64End::Never };
        let archive = builder::Archive::new()
            .entry(Entry::stored("a", noise(filler, 1)))
            .entry(Entry::stored("b", "b"))
            .prefix(noise(prefix, 2), zip64)
            .zip64_end(end)
            .comment(comment);
        let mut bytes = archive.build();
        let len = bytes.len();
        for (from_end, value) in damage {
            bytes[len - 1 - from_end.min(len - 1)] = value;
        }
        assert_located_alike("damaged", &Bytes::from(bytes));
    }
}

/// How the bytes of an entry come to its extraction.
#[derive(Clone, Copy, Debug)]
pub(super) enum Feeding {
    /// All of the archive at once.
    Whole,
    /// What was asked for, and so many bytes on either side.
    Asked(u64),
    /// One byte more at a time, from the first of what was asked for.
    OneByte,
    /// First the archive up to here, then what was asked for.
    CutAt(u64),
    /// What was asked for, but from below nothing beyond this offset, unless that was not enough.
    EndingAt(u64),
}

/// Feeds an extraction to its end.
pub(super) fn extract(
    bytes: &Bytes,
    plan: EntryPlan,
    boundary: u64,
    feeding: Feeding,
) -> Result<Vec<u8>, Error> {
    let len = bytes.len() as u64;
    let window = |extent: Extent| Fetched {
        offset: extent.start,
        bytes: bytes.slice(extent.start as usize..extent.end as usize),
    };
    let mut extraction = Extraction::new(plan);
    let mut fetched = match feeding {
        Feeding::Whole => window(0..len),
        Feeding::CutAt(cut) => window(0..cut),
        Feeding::Asked(_) | Feeding::OneByte | Feeding::EndingAt(_) => Fetched::default(),
    };
    let mut content = Vec::new();
    // What was asked for last; the first need is not empty.
    let mut asked = 0..0;
    let mut grown = 0;
    loop {
        match extraction.step(&fetched)? {
            ExtractStep::Chunk(chunk) => content.extend_from_slice(&chunk),
            ExtractStep::Skipped => panic!("nothing of a whole entry is skipped"),
            ExtractStep::Done => {
                assert_eq!(extraction.step(&fetched), Ok(ExtractStep::Done), "it stays done");
                return Ok(content);
            }
            ExtractStep::Need(extent) => {
                assert!(extent.start < extent.end && extent.end <= boundary, "{extent:?}");
                assert!(asked != extent || !fetched.covers(&extent), "{extent:?} once more");
                let is_more = !asked.is_empty() && extent.start == asked.start;
                fetched = match feeding {
                    Feeding::Whole => panic!("{extent:?} of a window that has all"),
                    Feeding::CutAt(_) => window(extent.clone()),
                    Feeding::Asked(slack) => {
                        window(extent.start.saturating_sub(slack)..(extent.end + slack).min(len))
                    }
                    Feeding::OneByte => {
                        grown = if is_more { grown + 1 } else { 1 };
                        window(extent.start..extent.end.min(extent.start + grown))
                    }
                    Feeding::EndingAt(cut) if extent.contains(&cut) && extent.start < cut => {
                        window(extent.start..if is_more { extent.end } else { cut })
                    }
                    Feeding::EndingAt(_) => window(extent.clone()),
                };
                asked = extent;
            }
        }
    }
}

/// Archives whose entries come in every form of header, data and descriptor, good and bad.
pub(super) fn forms() -> Vec<(String, Bytes)> {
    let a = text(3_000, 1);
    let deflated = || Entry::deflated("a.txt", &a);
    let around = |entry: Entry| {
        builder::Archive::new()
            .entry(Entry::stored("before", "x"))
            .entry(entry)
            .entry(Entry::stored("after", "y"))
    };
    let mut forms: Vec<(String, Bytes)> = samples::good()
        .into_iter()
        .filter(|sample| !sample.name.contains("longest comment"))
        .map(|sample| (sample.name.to_owned(), built(&sample.archive)))
        .collect();
    let stored_blocks = Entry::deflated_at(0, "a.txt", &a);
    for (name, entry) in [
        ("stored blocks", stored_blocks.clone()),
        ("several blocks", Entry::deflated("a.txt", [&a[..], &noise(2_000, 1), &a].concat())),
        ("CRC-32", Entry { crc32: 1, ..deflated() }),
        ("size too small", Entry { uncompressed_len: 2_999, ..deflated() }),
        ("size too large", Entry { uncompressed_len: 3_001, ..deflated() }),
        ("trailing", Entry { data: [deflated().data, vec![0; 5]].concat(), ..deflated() }),
        ("truncated", Entry { data: deflated().data[..500].to_vec(), ..deflated() }),
        (
            "truncated in a stored block",
            Entry { data: stored_blocks.data[..500].to_vec(), ..deflated() },
        ),
        ("malformed", Entry { data: vec![7; 40], ..deflated() }),
        (
            "descriptor",
            deflated().descriptor(DescriptorForm::BARE_64).edit_descriptor(|d| d.crc32 = 1),
        ),
        ("descriptor missing", deflated().flags(8)),
        ("local name", deflated().edit_local(|header| header.name[0] = b'b')),
        ("local zip64", deflated().zip64(Saturated::SIZES, Saturated::NONE)),
        ("local extra", Entry { local_extra: vec![0; 300], ..deflated() }),
        ("stored, CRC-32", Entry { crc32: 1, ..Entry::stored("a.txt", &a) }),
    ] {
        forms.push((name.to_owned(), built(&around(entry))));
    }
    forms
}

#[test]
fn an_entry_is_read_alike_through_every_window() {
    let mut read = 0;
    for (name, bytes) in forms() {
        let archive = Archive::open(bytes.clone()).unwrap();
        for (entry, standing) in standings(&archive) {
            let unverified = archive.describe(&entry);
            let mut states = vec![unverified.clone()];
            // A good one is read once more without its header.
            if matches!(standing, Standing::Good { .. }) {
                states.push(Found { standing, ..unverified });
            }
            for found in states {
                let Ok(plan) = EntryPlan::whole(&found) else { continue };
                let boundary = found.boundary;
                let expected = extract(&bytes, plan.clone(), boundary, Feeding::Whole);
                assert_eq!(expected.is_ok(), matches!(standing, Standing::Good { .. }), "{name}");
                let start = entry.local_header_offset;
                let cuts = (start..=boundary).step_by(1 + (boundary - start) as usize / 1_500);
                for feeding in [0, 1, 5, 100, 1 << 20]
                    .map(Feeding::Asked)
                    .into_iter()
                    .chain([Feeding::OneByte])
                    .chain(cuts.map(Feeding::CutAt))
                {
                    let content = extract(&bytes, plan.clone(), boundary, feeding);
                    assert_eq!(content, expected, "{name}, {feeding:?}");
                    read += 1;
                }
            }
        }
    }
    assert!(read > 20_000, "{read} readings");
}

#[test]
fn a_reader_of_a_sluggish_source_gives_the_same() {
    for (name, bytes) in forms() {
        let archive = Archive::open(bytes.clone()).unwrap();
        let expected = super::read_all(&archive);
        for step in [1, 13, 1_000] {
            let source = Sluggish { inner: bytes.clone(), step };
            let sluggish = Archive::open(source).unwrap();
            assert!(sluggish.source().len() == bytes.len() as u64);
            assert_eq!(super::read_all(&sluggish), expected, "{name}, {step} bytes at a time");
        }
    }
}
