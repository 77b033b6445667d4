//! How many reads of the archive everything takes, and of which bytes.

use bytes::Bytes;
use entryway::source::testing::Counting;
use entryway::{
    Archive, Duplicates, Extent, FETCH_LEN, FIRST_FETCH_LEN, Found, Limits, Standing, TAIL_LEN,
    sidecar,
};
use entryway_testkit::builder::{self, Built, DescriptorForm, Entry};
use entryway_testkit::fixtures::{noise, text};

use super::{content_of, standings, verified};

/// Opens an archive and says which reads that took.
fn open(bytes: &Bytes) -> (Archive<Counting<Bytes>>, Vec<Extent>) {
    let source = Counting::new(bytes.clone());
    let archive = Archive::open(source.clone()).unwrap();
    (archive, source.take())
}

#[test]
fn reads_have_the_documented_lengths() {
    assert_eq!((TAIL_LEN, FETCH_LEN, FIRST_FETCH_LEN), (72 << 10, 64 << 10, 68 << 10));
}

#[test]
fn opening_reads_once_where_the_directory_lies_in_the_tail_and_twice_where_not() {
    // The record: 46 bytes, a name of one, and a comment that pads the directory.
    let archive = |directory_size: usize, tail: usize| {
        let entry = Entry {
            comment: vec![b'c'; directory_size - 47],
            ..Entry::stored("a", noise(200_000, 1))
        };
        builder::Archive::new().entry(entry).comment(vec![b'c'; tail - directory_size - 22])
    };
    let tail = TAIL_LEN as usize;
    let table = [
        ("all of it short", archive(100, 1_000), 1),
        ("the directory starts where the tail does", archive(30_000, tail), 1),
        ("it starts a byte before", archive(30_001, tail + 1), 2),
        ("it is longer than the tail by far", archive(65_000, tail + 50_000), 2),
    ];
    for (name, archive, reads) in table {
        let built = archive.build_placed();
        let len = built.bytes.len() as u64;
        let (_, asked) = open(&Bytes::from(built.bytes));
        let start = built.directory_offset as u64;
        let directory = start..start + built.directory_len as u64;
        assert_eq!(asked, [len - TAIL_LEN..len, directory][..reads], "{name}");
    }
    let small = Bytes::from(builder::Archive::new().entry(Entry::stored("a", "a")).build());
    let len = small.len() as u64;
    let whole: Extent = 0..len;
    assert_eq!(open(&small).1, [whole], "a file shorter than the tail");
}

#[test]
fn opening_reads_four_bytes_more_where_something_precedes_the_archive() {
    let archive = |comment: usize, prefix: usize| {
        builder::Archive::new()
            .entry(Entry::stored("a", noise(200_000, 1)))
            .entry(Entry { comment: vec![b'c'; 30_000], ..Entry::stored("b", "b") })
            .comment(vec![b'c'; comment])
            .prefix(vec![b'#'; prefix], false)
    };
    let table = [
        ("the stated offset lies in the tail", archive(0, 1_000), 1),
        ("only the directory does", archive(0, 100_000), 2),
        ("neither does", archive(60_000, 1_000), 3),
    ];
    for (name, archive, reads) in table {
        let built = archive.build_placed();
        let len = built.bytes.len() as u64;
        let (_, asked) = open(&Bytes::from(built.bytes));
        let start = built.directory_offset as u64;
        let stated = start - archive.prefix.len() as u64;
        let directory = start..start + built.directory_len as u64;
        let all = [len - TAIL_LEN..len, stated..stated + 4, directory];
        assert_eq!(asked, all[..reads], "{name}");
    }
}

/// An archive with a large entry round one that is read, so that nothing else stops a read.
fn around(entry: Entry) -> Built {
    builder::Archive::new()
        .entry(Entry::stored("before", noise(100_000, 1)))
        .entry(entry)
        .entry(Entry::stored("after", noise(100_000, 2)))
        .build_placed()
}

/// Reads the entry in the middle and says which reads that took.
fn reads_of(built: &Built, found: impl FnOnce(&Archive<Counting<Bytes>>) -> Found) -> Vec<Extent> {
    let source = Counting::new(Bytes::from(built.bytes.clone()));
    let archive = Archive::open(source.clone()).unwrap();
    let found = found(&archive);
    let _ = source.take();
    let content = content_of(&archive, &found).unwrap();
    assert_eq!(content.len() as u64, found.entry.declared_uncompressed_size);
    source.take()
}

fn middle(archive: &Archive<Counting<Bytes>>) -> Found {
    archive.find(b"entry").unwrap().unwrap()
}

fn middle_verified(archive: &Archive<Counting<Bytes>>) -> Found {
    verified(archive, b"entry")
}

/// The header's first byte, the data, and the first byte after the entry.
fn parts(built: &Built) -> (u64, Extent, u64) {
    let entry = &built.entries[1];
    let data = entry.data_offset as u64..entry.data().end as u64;
    (entry.local_header_offset as u64, data, built.entries[2].local_header_offset as u64)
}

const FORMS: [Option<DescriptorForm>; 3] =
    [None, Some(DescriptorForm::SIGNED_32), Some(DescriptorForm::BARE_64)];

fn with_descriptor(entry: Entry, form: Option<DescriptorForm>) -> Entry {
    match form {
        None => entry,
        Some(form) => entry.descriptor(form),
    }
}

#[test]
fn an_entry_of_up_to_64_kib_takes_one_read_with_its_header_and_descriptor() {
    for len in [0, 1, 1_000, 65_535, 65_536] {
        let content = noise(len, 3);
        for entry in [Entry::stored("entry", &content), Entry::deflated("entry", text(len, 3))] {
            for form in FORMS {
                let built = around(with_descriptor(entry.clone(), form));
                let (start, data, end) = parts(&built);
                let asked = reads_of(&built, middle);
                let [read] = &asked[..] else { panic!("{len}, {form:?}: {asked:?}") };
                assert!(read.start == start && data.end <= read.end, "{len}, {form:?}");
                // All of it, and not a byte of the next entry.
                assert_eq!(read.end, end, "{len}, {form:?}");
            }
        }
    }
}

#[test]
fn a_local_header_longer_than_expected_takes_one_read_more() {
    let entry = Entry { local_extra: vec![0; 50_000], ..Entry::stored("entry", noise(60_000, 3)) };
    let built = around(entry.clone());
    let (start, data, end) = parts(&built);
    let asked = reads_of(&built, middle);
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(asked[0].start == start && asked[0].end < data.end, "{asked:?}");
    assert_eq!(asked[1], asked[0].end..end);

    // Longer than the first fetch: all of the header, then the data.
    let built = around(Entry { local_extra: vec![0; 65_532], ..Entry::stored("entry", "x") });
    let (start, data, _) = parts(&built);
    let asked = reads_of(&built, middle);
    assert_eq!(asked[0].start, start, "{asked:?}");
    assert!(asked.len() <= 3 && asked.iter().all(|read| read.end <= data.end), "{asked:?}");
}

#[test]
fn a_larger_entry_is_read_in_pieces_and_each_byte_of_it_once() {
    // Round the sizes at which data, header and descriptor begin to need another read.
    let sizes = (65_500..65_600)
        .step_by(7)
        .chain((69_500..69_700).step_by(5))
        .chain([131_000, 131_072, 135_200, 200_000, 500_000]);
    for len in sizes {
        for form in FORMS {
            let built = around(with_descriptor(Entry::stored("entry", noise(len, 3)), form));
            let (start, data, end) = parts(&built);
            let asked = reads_of(&built, middle);
            assert_eq!(asked[0].start, start, "{len}, {form:?}");
            assert!(asked.iter().all(|read| read.end - read.start <= FIRST_FETCH_LEN), "{asked:?}");
            // What ends a read begins the next, up to the data's end.
            let pieces: Vec<&Extent> = asked.iter().filter(|read| read.start < data.end).collect();
            assert!(pieces.windows(2).all(|two| two[0].end == two[1].start), "{asked:?}");
            // The descriptor comes with the last of them, unless the first read has cut it.
            let rest = &asked[pieces.len()..];
            match rest {
                [] => assert_eq!(asked.last().unwrap().end, end, "{len}, {form:?}"),
                [descriptor] => {
                    assert_eq!(*descriptor, data.end..end, "{len}, {form:?}");
                    let first_is_cut = asked.len() == 2 && asked[0].end > data.end;
                    let first_ends_with_the_data = asked[0].end == data.end;
                    assert!(first_is_cut || first_ends_with_the_data, "{asked:?}");
                }
                _ => panic!("{asked:?}"),
            }
            let most = 2 + (len as u64).saturating_sub(FETCH_LEN).div_ceil(FETCH_LEN);
            assert!(asked.len() as u64 <= most, "{asked:?}");
        }
    }
}

#[test]
fn a_deflated_entry_is_read_no_further_than_its_data() {
    for form in FORMS {
        let entry = Entry::deflated("entry", text(2_000_000, 3));
        let built = around(with_descriptor(entry, form));
        let (start, data, end) = parts(&built);
        let asked = reads_of(&built, middle);
        assert!(data.end - data.start > 4 * FETCH_LEN && asked.len() > 4);
        assert_eq!((asked[0].start, asked.last().unwrap().end), (start, end));
        assert!(asked.windows(2).all(|two| two[0].end == two[1].start), "{asked:?}");
    }
}

#[test]
fn a_verified_entry_is_read_without_its_header_and_descriptor() {
    for form in FORMS {
        for len in [0u64, 1, 1_000, 65_536, 65_537, 300_000] {
            let entry = Entry::stored("entry", noise(len as usize, 3));
            let built = around(with_descriptor(entry, form));
            let (_, data, _) = parts(&built);
            let asked = reads_of(&built, middle_verified);
            assert_eq!(asked.len() as u64, len.div_ceil(FETCH_LEN), "{asked:?}");
            let (first, last) = (asked.first(), asked.last());
            assert!(first.is_none_or(|read| read.start == data.start), "{asked:?}");
            assert!(last.is_none_or(|read| read.end == data.end), "{asked:?}");
            assert!(asked.windows(2).all(|two| two[0].end == two[1].start), "{asked:?}");
        }
    }
}

#[test]
fn an_entry_that_its_header_refuses_is_not_read_further() {
    type Change = fn(Entry) -> Entry;
    let refused: [(&str, Change, usize); 4] = [
        ("by the directory", |entry| entry.flags(1), 0),
        ("by a name", |entry| entry.edit_local(|header| header.name[0] = b'x'), 1),
        ("by a size", |entry| entry.edit_local(|header| header.compressed_size += 1), 1),
        (
            "by its extra field's length",
            |entry| entry.edit_local(|header| header.declared_extra_len = Some(u16::MAX)),
            1,
        ),
    ];
    for (name, change, reads) in refused {
        let built = around(change(Entry::stored("entry", noise(60_000, 3))));
        let source = Counting::new(Bytes::from(built.bytes.clone()));
        let archive = Archive::open(source.clone()).unwrap();
        let found = archive.find(b"entry").unwrap().unwrap();
        let _ = source.take();
        assert!(content_of(&archive, &found).is_err(), "{name}");
        assert_eq!(source.take().len(), reads, "{name}");
    }
}

#[test]
fn verification_reads_no_byte_twice_in_file_order_and_little_more_in_any_other() {
    let count = 5_000;
    let entries = (0..count).map(|number| Entry::stored(number.to_string(), noise(100, number)));
    let in_order = builder::Archive::new().entries(entries);
    let to_and_fro = (0..count as usize).map(|i| if i % 2 == 0 { i } else { count as usize - i });
    let orders: [(&str, Option<Vec<usize>>, u64); 3] = [
        ("in order", None, 1),
        ("reversed", Some((0..count as usize).rev().collect()), 4),
        ("to and fro", Some(to_and_fro.collect()), 4),
    ];
    for (name, directory_order, times) in orders {
        let archive = builder::Archive { directory_order, ..in_order.clone() };
        let built = archive.build_placed();
        let source = Counting::new(Bytes::from(built.bytes.clone()));
        let opened = Archive::open(source.clone()).unwrap();
        let _ = source.take();
        assert!(
            standings(&opened).iter().all(|(_, s)| matches!(s, Standing::Good { .. })),
            "{name}"
        );
        let asked = source.take();
        let read: u64 = asked.iter().map(|read| read.end - read.start).sum();
        let data = built.directory_offset as u64;
        assert!(read <= times * data + data / 50, "{name}: {read} bytes of {data}");
        assert!(times > 1 || asked.len() < 50, "{name}: {} reads", asked.len());
    }
}

#[test]
fn a_cold_lookup_through_the_sidecar_reads_a_few_of_its_pages() {
    for count in [10usize, 1_000, 100_000] {
        let entries = (0..count).map(|number| match number % 10 {
            0 => Entry::stored(format!("./dotted/{number}"), ""),
            1 => Entry::stored(format!("path/{number}"), "")
                .unicode_path(&format!("\u{e9}/{number}")),
            2 => Entry::raw(format!("bad/{number}"), 0, "x", 1, 1),
            _ => Entry::stored(format!("plain/{number}"), ""),
        });
        let bytes = Bytes::from(builder::Archive::new().entries(entries).build());
        let (archive, _) = open(&bytes);
        let facts: Vec<Standing> = standings(&archive).into_iter().map(|(_, fact)| fact).collect();
        let binding =
            sidecar::Binding { sha256: [7; 32], len: bytes.len() as u64, modified_nanos: 1 };
        let pages = sidecar::write(archive.directory(), &binding, &facts, Duplicates::Refuse);
        let source = Counting::new(Bytes::from(pages));
        let directory = archive.directory().extent().extent.clone();
        for number in (0..count).step_by(count.div_ceil(400)) {
            let asked = match number % 10 {
                0 => [format!("./dotted/{number}"), format!("dotted/{number}")],
                1 => [format!("path/{number}"), format!("\u{e9}/{number}")],
                2 => [format!("bad/{number}"), format!("absent/{number}")],
                _ => [format!("plain/{number}"), format!("plain/{number}/")],
            };
            for name in asked {
                let _ = (source.take(), archive.source().take());
                let opened = sidecar::Sidecar::open(source.clone(), &binding).unwrap();
                let found = opened.find(archive.source(), name.as_bytes()).unwrap();
                let absent = name.starts_with("absent") || name.ends_with('/');
                assert_eq!(found.is_none(), absent, "{name}");
                let pages = source.take();
                let is_page = |page: &Extent| {
                    page.start.is_multiple_of(4_096) && page.end - page.start == 4_096
                };
                assert!(pages.iter().all(is_page), "{name}: {pages:?}");
                assert!(pages.len() <= 8, "{name} of {count}: {} pages", pages.len());
                // Of the archive, only records of the directory.
                let records = archive.source().take();
                let is_record = |read: &Extent| {
                    directory.start <= read.start
                        && read.end <= directory.end
                        && read.end - read.start < 1_000
                };
                assert!(records.iter().all(is_record), "{name}: {records:?}");
            }
        }
    }
}

#[test]
fn a_limit_refuses_a_directory_before_it_is_read() {
    let entry = |number: u64| Entry::stored(number.to_string(), "");
    let bytes = Bytes::from(builder::Archive::new().entries((0..5_000).map(entry)).build());
    for limits in [
        Limits { directory_size: 100_000, ..Limits::default() },
        Limits { entries: 4_999, ..Limits::default() },
    ] {
        let source = Counting::new(bytes.clone());
        assert!(Archive::open_within(source.clone(), limits).is_err());
        let len = bytes.len() as u64;
        let tail: Extent = len - TAIL_LEN..len;
        assert_eq!(source.take(), [tail]);
    }
}
