//! What the bytes must be, what the index takes, and what is found through it and without it.

use entryway_testkit::builder::{self, Archive, Built, Place};
use entryway_testkit::record;

use super::index::LONG_PROBE;
use super::*;

/// Where the directories of these tests stand.
const START: u64 = 100;

fn extent(bytes: &[u8], declared_entries: u64) -> DirectoryExtent {
    let end = START + bytes.len() as u64;
    DirectoryExtent {
        extent: START..end,
        base_offset: 0,
        declared_entries,
        end_record_offset: end,
        archive_len: end + 22,
    }
}

/// A directory of headers with these names, whose files would stand at these offsets.
fn headers<N: AsRef<[u8]>>(files: impl IntoIterator<Item = (N, u32)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, local_header_offset) in files {
        let name = name.as_ref().to_vec();
        record::CentralDirectoryHeader { name, local_header_offset, ..Default::default() }
            .write(&mut bytes);
    }
    bytes
}

fn parse(bytes: &[u8], declared_entries: u64, limits: &Limits) -> Result<Directory, Error> {
    Directory::parse(extent(bytes, declared_entries), Bytes::copy_from_slice(bytes), limits)
}

fn of(archive: &Archive) -> (Built, Directory) {
    let built = archive.build_placed();
    let mut extent = extent(&built.bytes[..built.directory_len], archive.entries.len() as u64);
    let (start, end) = (built.directory_offset, built.directory_offset + built.directory_len);
    extent.extent = start as u64..end as u64;
    let bytes = Bytes::copy_from_slice(&built.bytes[start..end]);
    let directory = Directory::parse(extent, bytes, &Limits::default()).unwrap();
    (built, directory)
}

#[test]
fn the_bytes_are_exactly_the_declared_records() {
    let whole = at(Record::CentralDirectory, START);
    let a = || headers([("a", 0)]);
    let long = || headers([([b'a'; 100], 0)]);
    let signature = record::digital_signature;
    let behind_a = at(Record::CentralDirectory, START + 47);
    type Row = (&'static str, Vec<u8>, u64, Result<(), Refusal>);
    let table: Vec<Row> = vec![
        ("none", vec![], 0, Ok(())),
        ("two", headers([("a", 0), ("b", 40)]), 2, Ok(())),
        ("a signature behind", [a(), signature(b"data")].concat(), 1, Ok(())),
        ("an empty signature", [a(), signature(b"")].concat(), 1, Ok(())),
        ("a long signature", [a(), signature(&[0; 300])].concat(), 1, Ok(())),
        ("more than fit", a(), 2, Err(whole.breaks_by(Rule::EntryCount, 2, 1))),
        ("more than are there", long(), 2, Err(whole.breaks_by(Rule::EntryCount, 2, 1))),
        ("many more than fit", long(), 4, Err(whole.breaks_by(Rule::EntryCount, 4, 3))),
        (
            "more than are there, and a signature",
            [long(), signature(&[0; 46])].concat(),
            3,
            Err(whole.breaks_by(Rule::EntryCount, 3, 1)),
        ),
        (
            "other bytes instead of a record",
            [long(), vec![0; 46]].concat(),
            2,
            Err(at(Record::CentralDirectoryHeader, START + 146).breaks(Rule::DirectoryRecord)),
        ),
        (
            "a record cut short",
            a()[..46].to_vec(),
            1,
            Err(at(Record::CentralDirectoryHeader, START).breaks(Rule::DirectoryRecord)),
        ),
        (
            "fewer than are there",
            headers([("a", 0), ("b", 40)]),
            1,
            Err(behind_a.breaks_by(Rule::EntryCount, 1, 2)),
        ),
        ("none, though one is there", a(), 0, Err(whole.breaks_by(Rule::EntryCount, 0, 1))),
        (
            "other bytes behind",
            [a(), b"junk".to_vec()].concat(),
            1,
            Err(behind_a.breaks_by(Rule::DirectoryTrailing, 0, 4)),
        ),
        (
            "a signature cut short",
            [a(), signature(b"data")[..9].to_vec()].concat(),
            1,
            Err(behind_a.breaks_by(Rule::DirectoryTrailing, 0, 9)),
        ),
        (
            "a byte behind a signature",
            [a(), signature(b"data"), vec![0]].concat(),
            1,
            Err(behind_a.breaks_by(Rule::DirectoryTrailing, 0, 11)),
        ),
    ];
    for (name, bytes, declared, expected) in table {
        let directory = parse(&bytes, declared, &Limits::default());
        let expected = expected.map_err(Error::from);
        assert_eq!(directory.as_ref().map(drop).map_err(Clone::clone), expected, "{name}");
        let found = find_in(&extent(&bytes, declared), &bytes, b"absent", &Policy::default());
        assert_eq!(found, expected.map(|()| None), "{name}, without an index");
        if let Ok(directory) = directory {
            assert_eq!(directory.len() as u64, declared, "{name}");
            assert_eq!(directory.is_empty(), declared == 0, "{name}");
            assert_eq!(directory.entries().count() as u64, declared, "{name}");
        }
    }
}

#[test]
fn the_index_takes_what_its_limit_allows_and_no_byte_more() {
    let plain = [("a", 0), ("b", 40), ("c", 80)];
    let dotted = [("./a", 0), ("b", 40), ("./c", 80)];
    let not_ascii = [(&b"\x82"[..], 0), (b"./\x82", 40)];
    let backwards = [("a", 80), ("b", 40), ("c", 0)];
    let table = [
        ("nothing", headers::<&str>([]), 0, 0),
        ("8 bytes for each name", headers(plain), 3, 24),
        ("and for each alias", headers(dotted), 3, 40),
        ("which one entry may have two of", headers(not_ascii), 2, 16 + 24),
        ("and for each offset, out of order", headers(backwards), 3, 48),
        ("or the same twice", headers([("a", 40), ("b", 40)]), 2, 32),
    ];
    for (name, bytes, declared, index_len) in table {
        let limits = |index_len| Limits { index_len, ..Limits::default() };
        let directory = parse(&bytes, declared, &limits(index_len));
        assert_eq!(directory.map(|directory| directory.index_len()), Ok(index_len), "{name}");
        // With room for the names alone, what comes beside them is only counted.
        for less in [index_len.saturating_sub(1), Table::heap_len_for(declared)] {
            if less == index_len {
                continue;
            }
            let whole = at(Record::CentralDirectory, START);
            let refusal = whole.exceeds(Limit::IndexLen, less, index_len);
            let refused = parse(&bytes, declared, &limits(less)).map(drop);
            assert_eq!(refused, Err(refusal.into()), "{name}");
        }
    }
}

/// What a lookup comes to through the index, having been the same without it.
fn found(directory: &Directory, name: &[u8]) -> Lookup {
    let lookup = directory.find(name);
    let policy = Policy::default();
    let without = find_in(&directory.extent, &directory.bytes, name, &policy);
    let with = match lookup {
        Lookup::Absent => Ok(None),
        Lookup::Found(entry) => Ok(Some(directory.describe(&entry, &policy))),
        Lookup::Ambiguous => Err(Error::Entry(Refusal::ambiguous_name())),
    };
    assert_eq!(without, with, "{:?}", String::from_utf8_lossy(name));
    lookup
}

#[test]
fn names_are_found_in_three_steps_with_an_index_and_without() {
    let file = |name: &[u8]| builder::Entry::stored(name, "hello");
    let entries = [
        file(b"raw"),
        file(b"./raw"),
        file(b"./dot"),
        file(b"././twice"),
        file(b"x1").unicode_path("shown"),
        file(b"./shadow"),
        file(b"x2").unicode_path("shadow"),
        file(b"x3").unicode_path("ambiguous"),
        file(b"x4").unicode_path("ambiguous"),
        file(b"\x82"),
        file(b"./\x83"),
        file(b"same"),
        file(b"same"),
        file(b"./same dot"),
        file(b"./same dot"),
        builder::Entry::directory("d/"),
        builder::Entry::directory("d/"),
        file(b"twin"),
        builder::Entry::directory("twin/"),
        file(b"e/").edit_central(|h| h.uncompressed_size = 0),
        file(b"e/"),
        builder::Entry::directory("f//"),
        builder::Entry::directory("f/"),
    ];
    // Each name, and in which entries of the two orders it is found.
    let table: [(&[u8], Option<[usize; 2]>); 19] = [
        (b"raw", Some([0, 0])),
        (b"./raw", Some([1, 1])),
        (b"dot", Some([2, 2])),
        (b"./twice", Some([3, 3])),
        (b"twice", None),
        (b"shown", Some([4, 4])),
        (b"x1", Some([4, 4])),
        (b"shadow", Some([5, 5])),
        ("\u{e9}".as_bytes(), Some([9, 9])),
        ("./\u{e2}".as_bytes(), Some([10, 10])),
        ("\u{e2}".as_bytes(), None),
        (b"\x83", Some([10, 10])),
        (b"same", Some([11, 12])),
        (b"same dot", Some([13, 14])),
        (b"d/", Some([15, 16])),
        (b"d", None),
        (b"twin", Some([17, 17])),
        (b"e/", Some([19, 20])),
        (b"f/", Some([22, 22])),
    ];
    let last = entries.len() - 1;
    let forwards = Archive::new().entries(entries);
    let backwards =
        Archive { directory_order: Some((0..=last).rev().collect()), ..forwards.clone() };
    for (column, archive) in [forwards, backwards].iter().enumerate() {
        let (built, directory) = of(archive);
        for (name, expected) in table {
            let got = match found(&directory, name) {
                Lookup::Found(entry) => Some(entry.local_header_offset),
                Lookup::Absent => None,
                Lookup::Ambiguous => panic!("{:?}", String::from_utf8_lossy(name)),
            };
            let expected =
                expected.map(|entries| built.entries[entries[column]].local_header_offset as u64);
            assert_eq!(got, expected, "{:?}, {column}", String::from_utf8_lossy(name));
        }
        assert_eq!(found(&directory, b"ambiguous"), Lookup::Ambiguous);
    }
}

#[test]
fn an_entry_ends_where_the_next_one_in_the_file_starts() {
    let three = || ["a", "b", "c"].map(|name| builder::Entry::stored(name, "hello"));
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]] {
        let directory_order = Some(order.to_vec());
        let (_, directory) = of(&Archive { directory_order, ..Archive::new().entries(three()) });
        for (entry, number) in directory.entries().zip(order) {
            let next = 36 * (number as u64 + 1);
            assert_eq!(directory.boundary(&entry), next, "{number} of {order:?}");
            assert_eq!(directory.judge(&entry, Limits::default()), Ok(()));
            found(&directory, directory.raw_name(&entry));
        }
    }
}

#[test]
fn a_local_header_of_two_is_noticed_with_an_index_and_without() {
    let file = |name| builder::Entry::stored(name, "hello");
    let entries = [file("a"), file("b"), file("c"), file("d").place(Place::SharedWith(2))];
    let archive = Archive::new().entries(entries);
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [3, 0, 1, 2]] {
        let (_, directory) =
            of(&Archive { directory_order: Some(order.to_vec()), ..archive.clone() });
        for (name, is_shared) in [("a", false), ("b", false), ("c", true), ("d", true)] {
            let Lookup::Found(entry) = found(&directory, name.as_bytes()) else { panic!("{name}") };
            let rule = directory.judge(&entry, Limits::default()).err().map(|refusal| refusal.rule);
            let expected = is_shared.then_some(Rule::SharedLocalHeader);
            assert_eq!(rule, expected, "{name} in {order:?}");
        }
    }
}

#[test]
fn every_entry_is_found_however_many_there_are() {
    for count in [1, BATCH - 1, BATCH, BATCH + 1, 2 * BATCH, 3 * BATCH + 7] {
        let files = (0..count).map(|number| (format!("{number}"), 40 * number as u32));
        let directory = parse(&headers(files), count as u64, &Limits::default()).unwrap();
        for number in 0..count {
            let name = format!("{number}");
            let lookup = directory.find(name.as_bytes());
            let Lookup::Found(entry) = lookup else { panic!("{number} of {count}: {lookup:?}") };
            assert_eq!(entry.local_header_offset, 40 * number as u64);
        }
        assert_eq!(directory.find(b"absent"), Lookup::Absent);
    }
}

#[test]
fn of_many_entries_of_one_name_few_are_in_the_index() {
    let count = 4 * LONG_PROBE;
    let directory = |names: &dyn Fn(usize) -> String| {
        let files = (0..count).map(|number| (names(number), 40 * number as u32));
        parse(&headers(files), count as u64, &Limits::default()).unwrap()
    };
    let probed = |table: &Table, directory: &Directory, name: &[u8]| {
        table.probe(directory.key.hash(name)).count()
    };
    let same = directory(&|_| "same".to_owned());
    assert_eq!(probed(&same.names, &same, b"same"), LONG_PROBE + 2);
    let Lookup::Found(first) = same.find(b"same") else { panic!() };
    assert_eq!(first.header_offset, 0);
    let dotted = directory(&|_| "./same".to_owned());
    assert_eq!(probed(&dotted.aliases, &dotted, b"same"), LONG_PROBE + 1);
}

#[test]
fn two_records_of_a_name_and_kind_are_enough() {
    let empty = builder::Entry::directory;
    let with_content = builder::Entry::stored("a/", "hello");
    let (_, directory) =
        of(&Archive::new().entries([empty("a/"), with_content, empty("b/"), empty("a/")]));
    let offsets: Vec<u32> = directory.entries().map(|entry| entry.header_offset).collect();
    let mut enough = enough_of_name(offsets[0], |at| directory.header_at(at));
    let answers = [1, 2, 0, 1, 3].map(|other| enough(offsets[other]));
    assert_eq!(answers, [false, false, false, false, true]);
    assert!(!enough(u32::MAX), "no record");
}

#[test]
fn one_record_of_an_alias_and_name_is_enough_or_two_of_other_names() {
    let shown = |name, path| builder::Entry::stored(name, "").unicode_path(path);
    let entries =
        [shown("x", "s"), shown("y", "s"), shown("z", "t"), shown("w", "s"), shown("x", "s")];
    let (_, directory) = of(&Archive::new().entries(entries));
    let offsets: Vec<u32> = directory.entries().map(|entry| entry.header_offset).collect();
    let answers = |others: &[usize]| -> Vec<bool> {
        let mut enough =
            enough_of_alias(offsets[0], AliasStep::Display, |at| directory.header_at(at));
        assert!(!enough(u32::MAX), "no record");
        others.iter().map(|&other| enough(offsets[other])).collect()
    };
    assert_eq!(answers(&[2, 1, 2, 3]), [false, false, false, true], "two of other names");
    assert_eq!(answers(&[2, 4]), [false, true], "one of the same name");
    assert_eq!(answers(&[1, 4]), [false, true], "the same behind another");
}
