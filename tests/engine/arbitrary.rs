//! Arbitrary and damaged bytes: no parser panics, asks beyond the archive, or goes round without
//! progress.

use bytes::Bytes;
use entryway::{
    Archive, CHUNK_LEN, Directory, DirectoryExtent, EntryPlan, Error, Extent, ExtractStep,
    Extraction, FETCH_LEN, Fetched, Found, Limits, Locator, Lookup, Standing, Step, TAIL_LEN,
    Window,
};
use entryway_testkit::builder::{self, DescriptorForm as Form, Entry};
use entryway_testkit::fixtures::{noise, text};
use entryway_testkit::record::{EndOfCentralDirectory as End, Zip64Locator, Zip64Record};
use proptest::prelude::*;
use proptest::sample::select;

use super::{built, disagreement, open_and_read, random_cases, verified};
use entryway_tests_shared::packed::PACKINGS;

/// Any length of an archive, those at the end of numbers too.
fn any_len() -> impl Strategy<Value = u64> {
    prop_oneof![0..400u64, 70_000..80_000u64, any::<u64>(), (0..400u64).prop_map(|less| !less)]
}

/// A number that an end record may state of an archive of that length.
fn any_number(len: u64) -> impl Strategy<Value = u64> {
    prop_oneof![
        0..200u64,
        (0..400u64).prop_map(move |less| len.wrapping_sub(less)),
        Just(u64::from(u32::MAX)),
        any::<u64>(),
    ]
}

/// The end of an archive of that length: an end record, mostly with the zip64 ones.
fn any_end(len: u64) -> impl Strategy<Value = Vec<u8>> {
    let number = || any_number(len);
    let numbers = (number(), number(), number(), 0..3u64, any::<bool>(), any::<bool>());
    numbers.prop_map(move |(offset, size, locator, count, has_zip64, agrees)| {
        let mut out = Vec::new();
        if has_zip64 {
            Zip64Record {
                entries_on_disk: count,
                entries_total: count,
                directory_size: size,
                directory_offset: offset,
                ..Zip64Record::default()
            }
            .write(&mut out);
            let record_offset = if agrees { len.wrapping_sub(98) } else { locator };
            Zip64Locator { record_offset, ..Zip64Locator::default() }.write(&mut out);
        }
        let short = |value: u64| if has_zip64 { u32::MAX } else { value as u32 };
        End {
            entries_on_disk: count as u16,
            entries_total: count as u16,
            directory_size: short(size),
            directory_offset: short(offset),
            ..End::default()
        }
        .write(&mut out);
        out
    })
}

/// An archive's bytes where nothing but its end is known.
fn laid_at_the_end(extent: &Extent, len: u64, end: &[u8], filler: u8) -> Vec<u8> {
    let mut bytes = vec![filler; (extent.end - extent.start) as usize];
    for (byte, value) in bytes.iter_mut().rev().zip(end.iter().rev()) {
        *byte = if extent.end == len { *value } else { filler };
    }
    bytes
}

proptest! {
    #![proptest_config(random_cases(2_000))]

    #[test]
    fn the_locator_asks_at_most_twice_and_never_beyond_the_archive(
        (len, mut end) in any_len().prop_flat_map(|len| (Just(len), any_end(len))),
        change in proptest::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>())),
        filler in any::<u8>(),
    ) {
        if let Some((at, value)) = change {
            let at = at.index(end.len());
            end[at] = value;
        }
        let limits = Limits::default();
        let mut locator = Locator::new(len, &limits);
        let (mut offset, mut bytes) = (0, Vec::new());
        let mut needs = 0;
        while let Ok(step) = locator.step(Window { offset, bytes: &bytes }) {
            match step {
                Step::Need(extent) => {
                    needs += 1;
                    prop_assert!(needs <= 2, "{} needs", needs);
                    prop_assert!(extent.start <= extent.end && extent.end <= len, "{:?}", extent);
                    prop_assert!(extent.end - extent.start <= TAIL_LEN, "{:?}", extent);
                    (offset, bytes) =
                        (extent.start, laid_at_the_end(&extent, len, &end, filler));
                }
                Step::Done(found) => {
                    prop_assert!(found.extent.start <= found.extent.end, "{:?}", found);
                    prop_assert!(found.extent.end <= found.end_record_offset, "{:?}", found);
                    prop_assert!(found.end_record_offset < len, "{:?}", found);
                    prop_assert!(found.base_offset <= found.extent.start, "{:?}", found);
                    prop_assert!(found.declared_entries <= limits.entries, "{:?}", found);
                    break;
                }
            }
        }
    }
}

/// Reads an entry from what `bytes` says stands somewhere, and counts the steps.
///
/// # Panics
/// Where the extraction asks for nothing new, for what lies beyond the entry, or does not end.
fn extracted(
    plan: EntryPlan,
    boundary: u64,
    bytes: impl Fn(&Extent) -> Bytes,
) -> Result<Vec<u8>, Error> {
    let entry = *plan.entry();
    let wanted = plan.declared_len();
    // A fetch and what is left over of it, for as much as there can be; every chunk but the last of
    // a fetch or part is full, and parts are at most nine here.
    let fetches = 8 + 2 * (entry.declared_compressed_size / FETCH_LEN);
    let chunks = 20 + 2 * (entry.declared_uncompressed_size / CHUNK_LEN as u64);
    let mut extraction = Extraction::new(plan);
    let mut fetched = Fetched::default();
    let mut content = Vec::new();
    let mut last = entry.local_header_offset;
    for _ in 0..2 * (fetches + chunks) {
        match extraction.step(&fetched)? {
            ExtractStep::Need(extent) => {
                assert!(extent.start < extent.end && extent.end <= boundary, "{extent:?}");
                assert!(!fetched.covers(&extent), "{extent:?} is in hand");
                assert!(last <= extent.start, "back to {extent:?}");
                last = extent.start;
                fetched = Fetched { offset: extent.start, bytes: bytes(&extent) };
            }
            ExtractStep::Chunk(chunk) => {
                assert!(!chunk.is_empty() && chunk.len() <= CHUNK_LEN);
                content.extend_from_slice(&chunk);
                assert!(content.len() as u64 <= wanted, "more than was wanted");
            }
            ExtractStep::Skipped => {}
            ExtractStep::Done => {
                assert_eq!(content.len() as u64, wanted);
                return Ok(content);
            }
        }
    }
    panic!("no end of {entry:?}")
}

/// Bytes that stand wherever an entry is looked for: mostly a local header.
fn any_content() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![4 => Just(0), 1 => 0u8..30, 1 => any::<u8>()];
    (select(vec![&b"PK\x03\x04"[..], b"?"]), proptest::collection::vec(byte, 0..160))
        .prop_map(|(signature, rest)| [signature, &rest].concat())
}

/// Directory records, honest or with a changed byte, and how many they are.
fn any_records() -> impl Strategy<Value = (Vec<u8>, u64)> {
    let entry = (select(vec!["a", "./a", "d/", "b", ""]), any_number(300), any_number(300), 0..4u8);
    let change = (any::<prop::sample::Index>(), any::<u8>());
    (proptest::collection::vec(entry, 0..6), proptest::collection::vec(change, 0..4)).prop_map(
        |(entries, changes)| {
            let count = entries.len() as u64;
            let archive = builder::Archive::new().entries(entries.into_iter().map(
                |(name, size, offset, form)| {
                    let entry = Entry {
                        method: [0, 8, 93, 8][usize::from(form)],
                        ..Entry::stored(name, "")
                    };
                    entry.edit_central(move |header| {
                        let fields = [size, size, offset];
                        let saturated = [u32::MAX; 3];
                        let [uncompressed, compressed, offset] =
                            if form == 3 { saturated } else { fields.map(|field| field as u32) };
                        header.uncompressed_size = uncompressed;
                        header.compressed_size = compressed;
                        header.local_header_offset = offset;
                        header.extra = match form {
                            3 => entryway_testkit::extra::zip64(&fields),
                            _ => Vec::new(),
                        };
                    })
                },
            ));
            let placed = archive.build_placed();
            let mut bytes =
                placed.bytes[placed.directory_offset..][..placed.directory_len].to_vec();
            for (at, value) in changes {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] = value;
                }
            }
            (bytes, count)
        },
    )
}

proptest! {
    #![proptest_config(random_cases(3_000))]

    #[test]
    fn any_bytes_are_a_directory_that_keeps_within_itself_or_are_refused(
        (bytes, count) in any_records(),
        declared in prop_oneof![6 => Just(None), 1 => (0..9u64).prop_map(Some), 1 => any::<u64>().prop_map(Some)],
        start in prop_oneof![0..2_000u64, any::<u64>().prop_map(|start| start & !0xffff)],
        base in 0.0..1.0f64,
        content in any_content(),
    ) {
        let len = bytes.len() as u64;
        let extent = DirectoryExtent {
            extent: start..start + len,
            base_offset: if base < 0.5 { 0 } else { (start as f64 * (base - 0.5)) as u64 },
            declared_entries: declared.unwrap_or(count),
            end_record_offset: start + len,
            archive_len: start + len + 22,
        };
        let limits = Limits::default();
        let bytes = Bytes::from(bytes);
        let Ok(directory) = Directory::parse(extent.clone(), bytes.clone(), &limits) else {
            return Ok(());
        };
        prop_assert_eq!(directory.len() as u64, extent.declared_entries);
        let entries: Vec<_> = directory.entries().take(directory.len() + 1).collect();
        prop_assert_eq!(entries.len(), directory.len());
        prop_assert_eq!(directory.find(b"nobody has this name"), Lookup::Absent);
        let mut end = 0;
        for entry in entries {
            prop_assert!(entry.header_offset as usize >= end, "records follow each other");
            let raw_name = directory.raw_name(&entry);
            prop_assert_eq!(raw_name.len(), usize::from(entry.name_len));
            end = entry.header_offset as usize + 46 + raw_name.len() + usize::from(entry.extra_len);
            prop_assert!(end <= bytes.len());
            prop_assert_ne!(directory.find(raw_name), Lookup::Absent);
            let boundary = directory.boundary(&entry);
            prop_assert!(boundary <= extent.extent.start);
            if directory.judge(&entry, limits).is_err() {
                continue;
            }
            prop_assert!(entry.local_header_offset < boundary);
            let found = Found {
                entry,
                raw_name: Bytes::copy_from_slice(raw_name),
                display_name: Box::default(),
                boundary,
                standing: Standing::Unverified,
                decoder_memory: 1 << 20,
            };
            // No byte of the archive is known but these, which stand everywhere.
            let anything = |extent: &Extent| {
                content.iter().copied().cycle().take((extent.end - extent.start) as usize).collect()
            };
            let _ = extracted(EntryPlan::whole(&found).unwrap(), boundary, anything);
        }
    }
}

proptest! {
    #![proptest_config(random_cases(1_500))]

    #[test]
    fn entries_that_change_after_they_were_found_give_no_other_content(
        packing in 0..PACKINGS.len(),
        len in prop_oneof![49 => 0..400usize, 1 => Just(70_000)],
        descriptor in proptest::option::of(select(Form::ALL.to_vec())),
        is_verified in any::<bool>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let content = if len < 400 { text(len, 1) } else { noise(len, 1) };
        let mut entry = PACKINGS[packing].entry("a", &content);
        entry.descriptor = descriptor;
        let archive = builder::Archive::new().entry(entry).entry(Entry::stored("b", "b"));
        let mut bytes = built(&archive).to_vec();
        let archive = Archive::open(Bytes::from(bytes.clone())).unwrap();
        let found = match is_verified {
            true => verified(&archive, b"a"),
            false => archive.find(b"a").unwrap().unwrap(),
        };
        for (at, value) in &changes {
            let at = at.index(found.boundary as usize);
            bytes[at] = *value;
        }
        let bytes = Bytes::from(bytes);
        let there = |extent: &Extent| bytes.slice(extent.start as usize..extent.end as usize);
        match extracted(EntryPlan::whole(&found).unwrap(), found.boundary, there) {
            Ok(given) => prop_assert!(given == content),
            Err(Error::Entry(_)) => prop_assert!(!changes.is_empty()),
            Err(other) => panic!("{other:?}"),
        }
        if len > 3 {
            let plan = EntryPlan::parts(&found, vec![0..1, 1..len as u64 / 2]);
            let parts = plan.map(|plan| extracted(plan, found.boundary, there));
            prop_assert!(changes.is_empty() <= matches!(parts, Ok(Ok(_))));
        }
    }
}

/// How the windows of an extraction are cut: bytes in front of what was asked for, and from its
/// start on.
fn any_windows() -> impl Strategy<Value = Vec<(u64, u64)>> {
    let len = prop_oneof![1..80u64, 80..3_000u64, Just(1 << 20)];
    proptest::collection::vec((0..100u64, len), 1..12)
}

/// Reads an entry through windows of these forms, in turn; one that was not enough is doubled.
fn through_windows(
    bytes: &Bytes,
    plan: EntryPlan,
    windows: &[(u64, u64)],
) -> Result<Vec<u8>, Error> {
    let mut extraction = Extraction::new(plan);
    let mut fetched = Fetched::default();
    let mut content = Vec::new();
    let mut windows = windows.iter().cycle();
    let (mut last, mut least) = (u64::MAX, 0);
    loop {
        match extraction.step(&fetched)? {
            ExtractStep::Need(extent) => {
                least = if extent.start == last { 2 * least.max(1) } else { 0 };
                last = extent.start;
                let &(before, len) = windows.next().expect("there is one");
                let end = (extent.start + len.max(least)).min(bytes.len() as u64);
                let offset = extent.start.saturating_sub(before);
                let bytes = bytes.slice(offset as usize..end as usize);
                fetched = Fetched { offset, bytes };
            }
            ExtractStep::Chunk(chunk) => content.extend_from_slice(&chunk),
            ExtractStep::Skipped => {}
            ExtractStep::Done => return Ok(content),
        }
    }
}

proptest! {
    #![proptest_config(random_cases(500))]

    #[test]
    fn any_archive_through_any_windows_is_what_the_oracle_reads(
        entries in proptest::collection::vec(
            (0..PACKINGS.len(), 0..1_500usize, proptest::option::of(select(Form::ALL.to_vec()))),
            1..4,
        ),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        windows in any_windows(),
    ) {
        let archive = builder::Archive::new().entries(entries.iter().enumerate().map(
            |(index, &(packing, len, descriptor))| Entry {
                descriptor,
                ..PACKINGS[packing].entry(&index.to_string(), &text(len, index as u64))
            },
        ));
        let mut bytes = archive.build();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let bytes = Bytes::from(bytes);
        let read = open_and_read(bytes.clone());
        prop_assert_eq!(disagreement(&read, &bytes), None);
        let Ok(read) = read else { return Ok(()) };
        let archive = Archive::open(bytes.clone()).unwrap();
        for (entry, (_, whole)) in archive.directory().entries().zip(read) {
            let found = archive.describe(&entry);
            let Ok(plan) = EntryPlan::whole(&found) else { continue };
            match (through_windows(&bytes, plan, &windows), whole) {
                (Ok(content), Ok(whole)) => prop_assert!(content == whole, "another content"),
                (Err(Error::Entry(_)), Err(_)) => {}
                (outcome, whole) => panic!("{outcome:?}, in one window {whole:?}"),
            }
        }
    }
}
