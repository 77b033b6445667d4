//! Whatever an archive is read from, it is read alike; and every source keeps its contract.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;

use bytes::Bytes;
use entryway::source::testing::{
    Changing, Counting, Flaky, Sluggish, conforms_read_at, conforms_source,
};
use entryway::{
    Archive, Entry, EntryPlan, Error, Extent, ExtractStep, Extraction, Fetched, FileSource, Limits,
    ReadAt, Source,
};
use entryway_testkit::builder::{self, Entry as Member};
use entryway_testkit::fixtures::{noise, text};
use entryway_testkit::{oracle, samples};
use proptest::prelude::*;

use super::allocations::peak_of;
use super::windows::forms;
use super::{Entries, built, disagreement, on_disk, random_cases, read_all};
use entryway_tests_shared::machine::skip;
use entryway_tests_shared::mapped::{map, mapped};

fn file(bytes: &[u8]) -> FileSource {
    on_disk(bytes).1
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
}

#[test]
fn files_and_maps_conform() {
    conforms_read_at(|bytes| file(&bytes));
    conforms_read_at(|bytes| mapped(&bytes));
    let runtime = runtime();
    let _entered = runtime.enter();
    conforms_source(|bytes| file(&bytes));
    conforms_source(|bytes| mapped(&bytes));
    conforms_source(|bytes| Counting::new(mapped(&bytes)));
    conforms_source(|bytes| Sluggish { inner: file(&bytes), step: 1 });
}

/// A source no read of which crosses one offset.
struct Split {
    bytes: Bytes,
    at: u64,
}

impl ReadAt for Split {
    fn len(&self) -> u64 {
        ReadAt::len(&self.bytes)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let most = if offset < self.at { self.at - offset } else { u64::MAX };
        let len = buffer.len().min(usize::try_from(most).unwrap_or(usize::MAX));
        self.bytes.read_at(offset, &mut buffer[..len])
    }
}

/// What an archive comes to: its entries with content or rule, and what each name finds.
type Read = (Entries, Vec<Result<Option<Entry>, entryway::Refusal>>);

/// Opens, lists, finds and extracts everything.
fn read<S: ReadAt>(source: S, names: &[Vec<u8>]) -> Result<Read, Error> {
    let archive = Archive::open(source)?;
    let find = |name: &Vec<u8>| Ok(archive.find(name)?.map(|found| found.entry));
    Ok((read_all(&archive), names.iter().map(find).collect()))
}

/// Every fixture whose archive is small enough to be cut at each of its offsets.
fn fixtures() -> Vec<(String, Bytes)> {
    let overlaps = [
        ("duplicates", vec![Member::stored("a", "1"), Member::stored("a", "2")]),
        ("file and directory", vec![Member::stored("a", "1"), Member::directory("a/")]),
        (
            "not in order",
            vec![Member::stored("b", text(90, 1)), Member::deflated("a", text(90, 2))],
        ),
    ];
    let overlaps = overlaps.into_iter().map(|(name, entries)| {
        let directory_order = (name == "not in order").then(|| vec![1, 0]);
        let archive = builder::Archive { directory_order, ..builder::Archive::new() };
        (name.to_owned(), built(&archive.entries(entries)))
    });
    let refused = [
        ("count", builder::Archive::new().edit_end(|end| end.entries_total = 3)),
        ("two ends", builder::Archive::new().comment(builder::Archive::new().build())),
    ];
    let refused = refused.map(|(name, archive)| (name.to_owned(), built(&archive)));
    let all = forms().into_iter().chain(overlaps).chain(refused);
    all.filter(|(_, bytes)| bytes.len() < 20_000).collect()
}

#[test]
fn an_archive_is_read_alike_from_every_source_and_as_the_oracle_reads_it() {
    let mut cells = 0;
    for (name, bytes) in fixtures() {
        let mut names: Vec<Vec<u8>> = oracle::read(&bytes)
            .unwrap_or_default()
            .into_iter()
            .flat_map(|entry| {
                let dotless = entry.raw_name.strip_prefix(b"./").unwrap_or(b"absent").to_vec();
                [entry.raw_name, dotless]
            })
            .collect();
        names.push("\u{e9}".into());
        let memory = read(bytes.clone(), &names);
        let entries = match &memory {
            Ok((entries, _)) => Ok(entries.clone()),
            Err(Error::Archive(refusal)) => Err(*refusal),
            Err(other) => panic!("{name}: {other}"),
        };
        assert_eq!(disagreement(&entries, &bytes), None, "{name}");
        assert_eq!(read(file(&bytes), &names), memory, "{name}, file");
        assert_eq!(read(mapped(&bytes), &names), memory, "{name}, map");
        let one_byte = Sluggish { inner: bytes.clone(), step: 1 };
        assert_eq!(read(one_byte, &names), memory, "{name}, one byte");
        let len = bytes.len() as u64;
        // At every offset of what is small, and round the ends and through the middle of the rest.
        let step = 1 + bytes.len() / 700;
        for at in (0..=len).step_by(step).chain(len.saturating_sub(200)..=len) {
            let split = Split { bytes: bytes.clone(), at };
            assert_eq!(read(split, &names), memory, "{name}, split at {at}");
            cells += 1;
        }
    }
    assert!(cells > 10_000, "{cells} splits");
}

#[test]
fn what_lies_in_memory_is_not_copied() {
    let entries = (0..20_000).map(|number| Member::stored(format!("{number:0>100}"), "x"));
    let bytes = built(&builder::Archive::new().entries(entries));
    let open = |archive: Archive<_>| archive.directory().index_len();
    let (index_len, peak) = peak_of(|| open(Archive::open(bytes.clone()).unwrap()));
    assert!(peak < index_len + 1_000, "{peak} bytes");
    let map = mapped(&bytes);
    let (_, peak) = peak_of(|| Archive::open(map.clone()).unwrap().directory().len());
    assert!(peak < index_len + 1_000, "{peak} bytes");

    // Stored content is a slice of the map.
    let large =
        mapped(&built(&builder::Archive::new().entry(Member::stored("a", noise(500_000, 1)))));
    let whole = large.share(&(0..ReadAt::len(&large))).unwrap();
    let inside = whole.as_ptr() as usize..whole.as_ptr() as usize + whole.len();
    let archive = Archive::open(large).unwrap();
    let mut reader = archive.read(&archive.find(b"a").unwrap().unwrap()).unwrap();
    while let Some(chunk) = reader.next_chunk().unwrap() {
        assert!(inside.contains(&(chunk.as_ptr() as usize)));
    }
}

#[test]
fn an_entry_takes_48_bytes() {
    // Three 64-bit numbers, two of 32 bits, four of 16 and a truth value, in words of eight bytes:
    // whatever is added beyond the seven bytes that are left makes every list of entries longer.
    assert_eq!(size_of::<Entry>(), 48);
}

/// Waits for a page that is not in memory, and says what the first try gave.
fn read_cold<S: Source>(source: &S, extent: Range<u64>, runtime: &tokio::runtime::Runtime) -> bool {
    let mut buffer = [0; 4_096];
    let is_cold = source.try_read(extent.start, &mut buffer).expect("no error").is_none();
    let len = (extent.end - extent.start) as usize;
    let bytes = runtime.block_on(source.read(extent.clone())).expect("no error");
    assert_eq!(bytes, vec![b'x'; len]);
    let warm = source.try_read(extent.start, &mut buffer).expect("no error");
    assert!(warm.is_some_and(|read_len| buffer[..read_len] == bytes[..read_len]), "{warm:?}");
    is_cold
}

#[test]
fn a_cold_page_is_waited_for_elsewhere() {
    const TEST: &str = "a_cold_page_is_waited_for_elsewhere";
    let len = 8 << 20;
    let mut written = tempfile::NamedTempFile::new().unwrap();
    written.write_all(&vec![b'x'; len]).unwrap();
    written.as_file().sync_all().unwrap();
    let forget = |file: &File| {
        rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed).expect("advice is taken");
    };
    let runtime = runtime();
    let source = FileSource::open(written.path()).unwrap();
    let map = map(written.path());
    let extent = 5 << 20..(5 << 20) + 100_000;
    forget(written.as_file());
    let file_is_cold = read_cold(&source, extent.clone(), &runtime);
    forget(written.as_file());
    let map_is_cold = read_cold(&map, extent, &runtime);
    if !file_is_cold || !map_is_cold {
        skip(TEST, "the file system keeps the pages that it was told to forget");
    }
}

#[test]
fn a_read_that_fails_is_an_error_wherever_it_is_and_the_next_one_is_right() {
    let entries = [Member::deflated("a", text(200_000, 1)), Member::stored("b", noise(90_000, 2))];
    let bytes = built(&builder::Archive::new().entries(entries).prefix("prefix", false));
    let all = |source: Flaky<Sluggish<Bytes>>| -> Result<usize, Error> {
        let archive = Archive::open(source)?;
        let mut len = 0;
        for name in [b"a", b"b"] {
            let found = archive.find(name)?.expect("an entry of that name");
            let mut reader = archive.read(&found)?;
            while let Some(chunk) = reader.next_chunk()? {
                len += chunk.len();
            }
        }
        Ok(len)
    };
    let flaky = |reads, kind| {
        // In pieces, so that the middle of a fetch fails too.
        Flaky::new(Sluggish { inner: bytes.clone(), step: 30_000 }, reads, kind)
    };
    for (kind, is_retryable) in
        [(io::ErrorKind::TimedOut, true), (io::ErrorKind::PermissionDenied, false)]
    {
        let mut reads = 0;
        loop {
            let source = flaky(reads, kind);
            match all(source.clone()) {
                Ok(len) => break assert_eq!(len, 290_000),
                Err(error) => {
                    assert!(matches!(error, Error::Read { kind: actual, .. } if actual == kind));
                    assert_eq!(error.is_retryable(), is_retryable);
                }
            }
            assert_eq!(all(source), Ok(290_000), "after read {reads} failed");
            reads += 1;
        }
        assert!(reads > 8, "{reads} reads");
    }
}

#[test]
fn a_source_that_changes_under_its_reader_is_noticed() {
    let archive = |seed| builder::Archive::new().entry(Member::stored("a", noise(300_000, seed)));
    let (before, after) = (built(&archive(1)), built(&archive(2)));
    let cut = before.slice(..100);
    let content = |source: Changing<Sluggish<Bytes>>| -> Result<(), Error> {
        let archive = Archive::open(source)?;
        let found = archive.find(b"a")?.expect("an entry of that name");
        let mut reader = archive.read(&found)?;
        while reader.next_chunk()?.is_some() {}
        Ok(())
    };
    let source = |reads, later: &Bytes| {
        let slow = |inner: &Bytes| Sluggish { inner: inner.clone(), step: usize::MAX };
        Changing::new(slow(&before), reads, slow(later))
    };
    let unchanged = source(100, &after);
    assert_eq!(content(unchanged.clone()), Ok(()));
    assert_eq!(unchanged.is_unchanged().ok(), Some(true));
    // One read opens the archive; the others are the entry's.
    for reads in 1..3 {
        let changing = source(reads, &after);
        let changed = content(changing.clone());
        assert!(matches!(changed, Err(Error::Entry(_) | Error::ShortRead { .. })), "{changed:?}");
        assert_eq!(changing.is_unchanged().ok(), Some(false));
        let cut_short = content(source(reads, &cut));
        assert!(matches!(cut_short, Err(Error::ShortRead { .. })), "after {reads}: {cut_short:?}");
    }
}

/// A source that is asked for nothing outside of it, and not for ever.
struct Guarded {
    bytes: Bytes,
    asked: Counting<Bytes>,
}

impl Guarded {
    fn new(bytes: Bytes) -> Self {
        Self { asked: Counting::new(bytes.clone()), bytes }
    }
}

impl ReadAt for Guarded {
    fn len(&self) -> u64 {
        ReadAt::len(&self.bytes)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let end = offset.checked_add(buffer.len() as u64);
        assert!(end.is_some_and(|end| end <= ReadAt::len(self)), "{offset} and {}", buffer.len());
        self.asked.read_at(offset, buffer)
    }
}

/// Steps to read an entry of a small archive: header, data, descriptor, and a few chunks.
const MOST_STEPS: usize = 200;

proptest! {
    #![proptest_config(random_cases(2_000))]

    #[test]
    fn a_damaged_archive_is_never_asked_for_what_it_has_not_and_every_step_is_progress(
        number in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in proptest::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let fixtures = samples::good();
        let mut bytes = number.get(&fixtures).archive.build();
        // The headers and the end are where the numbers stand.
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let bytes = Bytes::from(bytes);
        let source = Guarded::new(bytes.clone());
        let opened = Archive::open_within(source, Limits { expansion_free: 1 << 20, ..Limits::default() });
        let Ok(archive) = opened else { return Ok(()) };
        prop_assert!(archive.source().asked.take().len() <= 3);
        for entry in archive.directory().entries() {
            let found = archive.describe(&entry);
            let Ok(plan) = EntryPlan::whole(&found) else { continue };
            let mut extraction = Extraction::new(plan);
            let mut fetched = Fetched::default();
            let mut steps = 0;
            let mut asked: Option<Extent> = None;
            loop {
                steps += 1;
                prop_assert!(steps <= MOST_STEPS);
                match extraction.step(&fetched) {
                    Ok(ExtractStep::Need(extent)) => {
                        prop_assert!(extent.start < extent.end && extent.end <= found.boundary);
                        prop_assert!(Some(&extent) != asked.as_ref(), "{extent:?} once more");
                        let bytes = bytes.slice(extent.start as usize..extent.end as usize);
                        fetched = Fetched { offset: extent.start, bytes };
                        asked = Some(extent);
                    }
                    Ok(ExtractStep::Chunk(chunk)) => prop_assert!(!chunk.is_empty()),
                    Ok(ExtractStep::Skipped) => {}
                    Ok(ExtractStep::Done) | Err(_) => break,
                }
            }
        }
    }
}
