//! What the hostile classes leave open: where their rules end, and what a refusal says.
//!
//! The classes themselves are in `entryway_testkit::classes`, and read in `own_classes`.

use bytes::Bytes;
use entryway::{Record, Refusal, Rule};
use entryway_testkit::builder::{Archive, DescriptorForm, Entry, Place, Saturated, Zip64End, mode};
use entryway_testkit::extra;
use entryway_testkit::fixtures::{self, text};
use entryway_testkit::record::{self, FLAG_STRONG_ENCRYPTION};

use super::{Entries, assert_agrees, open_and_read};

/// The rule that refuses each entry, `None` where it is served; or the rule that refuses all.
type Verdicts = Result<Vec<Option<Rule>>, Rule>;

fn verdicts(read: Result<Entries, Refusal>) -> Verdicts {
    let rule = |refusal: Refusal| refusal.rule;
    let entries = read.map_err(rule)?;
    Ok(entries.into_iter().map(|(_, content)| content.err().map(rule)).collect())
}

fn a() -> Entry {
    Entry::deflated("a.txt", "hello hello hello")
}

fn two() -> Archive {
    Archive::new().entry(a()).entry(Entry::stored("good", "world"))
}

fn of(entries: impl IntoIterator<Item = Entry>) -> Archive {
    Archive::new().entries(entries)
}

const SERVED: Option<Rule> = None;

/// Archives that readers could read differently, and some that look like it.
fn archives_that_leave_a_choice() -> Vec<(&'static str, Archive, Verdicts)> {
    let zip64 = || two().zip64_end(Zip64End::Saturated);
    let inner = of([Entry::stored("evil", "evil")]).build();
    let nested = |zeros: usize| {
        let comment = [&Archive::new().build()[..], b"zz"].concat();
        two().comment(comment).trailing(vec![0; zeros])
    };
    let both = || Ok(vec![SERVED; 2]);
    let refused = |rule| Err(rule);
    vec![
        (
            "signature in trailing bytes",
            two().trailing("..PK\x05\x06.."),
            refused(Rule::SignatureAfterEnd),
        ),
        ("signature before the end", of([Entry::stored("in", &inner), a()]), Ok(vec![SERVED; 2])),
        // The outer record counts as the end up to 4,096 zeros behind it; the inner one, which has
        // no directory where it says, ends short of them in any case.
        ("nested record, 4,096 zeros", nested(4_096), refused(Rule::SignatureAfterEnd)),
        ("nested record, 4,097 zeros", nested(4_097), refused(Rule::AmbiguousBase)),
        ("4,096 zeros after the end", two().trailing([0; 4_096]), both()),
        ("4,097 zeros after the end", two().trailing([0; 4_097]), both()),
        (
            "end record as far from the end as can be",
            Archive::new().trailing(vec![b'x'; 65_557 + 4_096 - 22]),
            Ok(vec![]),
        ),
        (
            "end record too far from the end",
            two().trailing(vec![b'x'; 65_557 + 4_096 - 21]),
            refused(Rule::NoEndRecord),
        ),
        (
            "zip64 that contradicts the count",
            two().zip64_end(Zip64End::Agreeing).edit_end(|e| e.entries_total = 1),
            refused(Rule::Zip64Disagrees),
        ),
        (
            "zip64 that contradicts the offset",
            two().zip64_end(Zip64End::Agreeing).edit_end(|e| e.directory_offset -= 1),
            refused(Rule::Zip64Disagrees),
        ),
        (
            "zip64 record without its signature",
            zip64().edit_zip64_record(|r| r.signature ^= 1),
            refused(Rule::Zip64Signature),
        ),
        (
            "zip64 record that claims extensible data",
            zip64().edit_zip64_record(|r| r.declared_size = Some(52)),
            refused(Rule::Zip64RecordSize),
        ),
        (
            "locator of another disk",
            zip64().edit_zip64_locator(|l| l.record_disk = 1),
            refused(Rule::SeveralDisks),
        ),
        (
            "zip64 record of another disk",
            zip64().edit_zip64_record(|r| r.directory_disk = 1),
            refused(Rule::SeveralDisks),
        ),
        ("disk 1", two().edit_end(|e| e.disk = 1), refused(Rule::SeveralDisks)),
        (
            "directory on disk 1",
            two().edit_end(|e| e.directory_disk = 1),
            refused(Rule::SeveralDisks),
        ),
        (
            "disk 65,535 without zip64",
            two().edit_end(|e| e.disk = u16::MAX),
            refused(Rule::SeveralDisks),
        ),
        (
            "disk 65,535 with zip64",
            zip64().edit_end(|e| (e.disk, e.directory_disk) = (u16::MAX, u16::MAX)),
            both(),
        ),
        (
            "none counted of two",
            two().edit_end(|e| (e.entries_on_disk, e.entries_total) = (0, 0)),
            refused(Rule::EntryCount),
        ),
        (
            "offset of 2^64 - 1",
            zip64().edit_zip64_record(|r| r.directory_offset = u64::MAX),
            refused(Rule::DirectoryOutside),
        ),
        (
            "size and offset moved by one",
            two().edit_end(|e| {
                e.directory_size -= 1;
                e.directory_offset += 1;
            }),
            refused(Rule::DirectoryRecord),
        ),
        (
            "bytes after the last record",
            Archive { directory_tail: b"PK\x05\x05\x02\0x".to_vec(), ..two() },
            refused(Rule::DirectoryTrailing),
        ),
        (
            "no entries behind a prefix",
            Archive::new().prefix("x", false),
            refused(Rule::AmbiguousBase),
        ),
        // Read as one byte of prefix; no local header is where the offset then says,
        // and the last entry seems to end in the directory.
        (
            "offset one too small",
            two().edit_end(|e| e.directory_offset -= 1),
            Ok(vec![Some(Rule::LocalSignature), Some(Rule::Overlap)]),
        ),
    ]
}

#[test]
fn archives_that_leave_a_choice_are_refused_by_their_rule() {
    for (name, archive, expected) in archives_that_leave_a_choice() {
        let bytes = archive.build();
        assert_agrees(name, &bytes);
        assert_eq!(verdicts(open_and_read(Bytes::from(bytes))), expected, "{name}");
    }
}

#[test]
fn two_archives_that_share_a_tail_are_refused_as_ambiguous() {
    let once = two().build();
    let twice = [&once[..], &once].concat();
    assert_agrees("twice the same", &twice);
    assert_eq!(verdicts(open_and_read(Bytes::from(twice))), Err(Rule::AmbiguousBase));
    let other = of([Entry::stored("evil", "evil evil evil evil")]).build();
    let behind = [&other[..], &once].concat();
    assert_agrees("behind another", &behind);
    assert_eq!(verdicts(open_and_read(Bytes::from(behind))), Ok(vec![SERVED; 2]));
}

/// Entries, and the rule that each breaks by itself.
fn entries_that_break_a_rule() -> Vec<(&'static str, (Entry, Option<Rule>))> {
    let dd = || a().descriptor(DescriptorForm::SIGNED_32);
    let wide = || a().descriptor(DescriptorForm::BARE_64);
    let zip64 = || a().zip64(Saturated::SIZES, Saturated::SIZES);
    let no = Some;
    vec![
        // The local header.
        (
            "descriptor in the directory alone",
            (dd().edit_local(|h| h.flags = 0), no(Rule::LocalFlags)),
        ),
        ("bits 1 and 2 differ", (a().edit_local(|h| h.flags |= 6), SERVED)),
        (
            "local extra field overruns",
            (
                a().edit_local(|h| h.extra = extra::field_declaring(7, 9, b"x")),
                no(Rule::ExtraOverrun),
            ),
        ),
        // zip64.
        (
            "two zip64 fields that agree",
            (zip64().edit_central(|h| h.extra = h.extra.repeat(2)), SERVED),
        ),
        // Data descriptors.
        ("descriptor, 64 bits without zip64", (wide(), SERVED)),
        (
            "descriptor size",
            (wide().edit_descriptor(|d| d.uncompressed_size += 1), no(Rule::Descriptor)),
        ),
        (
            "descriptor size greater by 2^32",
            (wide().edit_descriptor(|d| d.compressed_size |= 1 << 32), no(Rule::Descriptor)),
        ),
        (
            "descriptor signature",
            (dd().edit_descriptor(|d| d.signature = Some(7)), no(Rule::Descriptor)),
        ),
        // Data.
        ("deflate of no bytes, CRC-32", (Entry::raw("a", 8, "", 5, 0), no(Rule::Crc))),
        ("deflate of no bytes, size", (Entry::raw("a", 8, "", 0, 1), no(Rule::DataTruncated))),
        ("size of zero", (Entry { uncompressed_len: 0, ..a() }, no(Rule::DataLong))),
        ("deflate CRC-32", (Entry { crc32: 1, ..a() }, no(Rule::Crc))),
        // What is not served whatever its bytes.
        ("strong encryption", (a().flags(FLAG_STRONG_ENCRYPTION), no(Rule::Encrypted))),
        ("version 6.4", (a().edit_central(|h| h.version_needed = 64), no(Rule::VersionNeeded))),
        ("version 6.3 and a host", (a().edit_central(|h| h.version_needed = 0x033f), SERVED)),
        ("disk 65,535", (a().edit_central(|h| h.disk_start = u16::MAX), no(Rule::DiskStart))),
        (
            "disk 1 in the zip64 field",
            (
                a().edit_central(|h| {
                    h.disk_start = u16::MAX;
                    h.extra = extra::field(1, &1u32.to_le_bytes());
                }),
                no(Rule::DiskStart),
            ),
        ),
        ("socket", (a().mode(mode::SOCKET), no(Rule::UnixMode))),
        (
            "FIFO of macOS",
            (
                a().mode(mode::FIFO).edit_central(|h| h.version_made_by = 19 << 8 | 20),
                no(Rule::UnixMode),
            ),
        ),
        ("FIFO of MS-DOS", (a().mode(mode::FIFO).edit_central(|h| h.version_made_by = 20), SERVED)),
        (
            "extra field overruns",
            (
                a().edit_central(|h| h.extra = extra::field_declaring(7, 9, b"x")),
                no(Rule::ExtraOverrun),
            ),
        ),
    ]
}

/// The entry with a good neighbour behind it.
fn beside_a_good_one(entry: Entry) -> Archive {
    of([entry, Entry::stored("good", "world")])
}

#[test]
fn an_entry_is_refused_by_the_rule_it_breaks_and_its_neighbour_served() {
    for (label, (entry, rule)) in entries_that_break_a_rule() {
        let bytes = beside_a_good_one(entry).build();
        assert_agrees(label, &bytes);
        let read = open_and_read(Bytes::from(bytes));
        assert_eq!(verdicts(read), Ok(vec![rule, SERVED]), "{label}");
    }
}

/// Archives whose entries stand in each other's way, by name or by place.
fn neighbours() -> Vec<(&'static str, Archive, Vec<Option<Rule>>)> {
    let s = |name: &str| Entry::stored(name, "x");
    let d = Entry::directory;
    let no = Some;
    vec![
        (
            "same directory, once with data",
            of([d("d/"), s("d/")]),
            vec![no(Rule::Duplicate), no(Rule::DirectoryWithData)],
        ),
        ("directories one slash apart", of([d("a/"), d("a//")]), vec![SERVED; 2]),
        (
            "one local header for two",
            of([s("a"), s("b").place(Place::SharedWith(0)), s("c")]),
            vec![no(Rule::SharedLocalHeader), no(Rule::SharedLocalHeader), SERVED],
        ),
        (
            "refused neighbour's offset",
            of([s("a"), s("\0").place(Place::At(31))]),
            vec![no(Rule::Overlap), no(Rule::NameControl)],
        ),
        (
            "listed twice",
            Archive { directory_order: Some(vec![0, 1, 0]), ..two() },
            vec![no(Rule::Duplicate), SERVED, no(Rule::Duplicate)],
        ),
    ]
}

/// Every archive of this module's tables, to be read in other ways too.
pub(super) fn archives() -> Vec<(&'static str, Archive)> {
    let mut archives: Vec<_> = archives_that_leave_a_choice()
        .into_iter()
        .map(|(name, archive, _)| (name, archive))
        .collect();
    archives.extend(
        entries_that_break_a_rule()
            .into_iter()
            .map(|(name, (entry, _))| (name, beside_a_good_one(entry))),
    );
    archives.extend(neighbours().into_iter().map(|(name, archive, _)| (name, archive)));
    archives
}

#[test]
fn entries_are_refused_for_what_their_neighbours_are() {
    for (name, archive, expected) in neighbours() {
        let bytes = archive.build();
        assert_agrees(name, &bytes);
        assert_eq!(verdicts(open_and_read(Bytes::from(bytes))), Ok(expected), "{name}");
    }
}

#[test]
fn a_crc_that_looks_like_the_descriptor_signature_is_read() {
    let content = b"abcdefC3\xf4\x9e";
    assert_eq!(fixtures::crc32(content), record::DATA_DESCRIPTOR);
    for form in DescriptorForm::ALL {
        let bytes = of([Entry::stored("a", content).descriptor(form), a()]).build();
        assert_agrees("CRC-32", &bytes);
        assert_eq!(verdicts(open_and_read(Bytes::from(bytes))), Ok(vec![SERVED; 2]), "{form:?}");
    }
}

#[test]
fn a_refusal_says_which_record_where_and_both_numbers() {
    let content = text(17, 1);
    let e = || Entry::deflated("a.txt", &content);
    let size = e().data.len() as u64;
    let built = of([e(), Entry::stored("good", "world")]).build_placed();
    let (central, end) = (built.directory_offset as u64, built.eocd_offset as u64);
    let data = built.entries[0].data_offset as u64;
    let next = built.entries[1].local_header_offset as u64;
    let crc32 = u64::from(fixtures::crc32(&content));
    let header = Record::CentralDirectoryHeader;
    let local = Record::LocalFileHeader;
    // Rule, record, offset, declared, actual.
    type Numbers = (Rule, Record, u64, u64, u64);
    let table: Vec<(&str, Entry, Numbers)> = vec![
        ("method", Entry { method: 19, ..e() }, (Rule::Method, header, central, 19, 0)),
        (
            "version",
            e().edit_central(|h| h.version_needed = 99),
            (Rule::VersionNeeded, header, central, 99, 0),
        ),
        ("mode", e().mode(mode::FIFO), (Rule::UnixMode, header, central, 0o010_644, 0)),
        ("disk", e().edit_central(|h| h.disk_start = 3), (Rule::DiskStart, header, central, 3, 0)),
        (
            "local size",
            e().edit_local(|h| h.uncompressed_size = 18),
            (Rule::LocalSize, local, 0, 17, 18),
        ),
        (
            "local CRC-32",
            e().edit_local(|h| h.crc32 ^= 1),
            (Rule::LocalCrc, local, 0, crc32, crc32 ^ 1),
        ),
        ("local method", e().edit_local(|h| h.method = 0), (Rule::LocalMethod, local, 0, 8, 0)),
        ("local flags", e().edit_local(|h| h.flags = 1), (Rule::LocalFlags, local, 0, 0, 1)),
        (
            "overlap",
            e().edit_local(|h| h.declared_extra_len = Some(5)),
            (Rule::Overlap, local, 0, next + 5, next),
        ),
        (
            "outside",
            e().place(Place::At(100_000)),
            // There is no local header and no data of it then: the rest moves up by so much.
            (Rule::OutsideArchive, header, central - next, 100_000, central - next),
        ),
        ("CRC-32", Entry { crc32: 7, ..e() }, (Rule::Crc, Record::FileData, data, 7, crc32)),
        (
            "short",
            Entry { uncompressed_len: 20, ..e() },
            (Rule::DataShort, Record::FileData, data, 20, 17),
        ),
        (
            "long",
            Entry { uncompressed_len: 16, ..e() },
            (Rule::DataLong, Record::FileData, data, 16, 0),
        ),
    ];
    for (name, entry, expected) in table {
        let bytes = of([entry, Entry::stored("good", "world")]).build();
        let entries = open_and_read(Bytes::from(bytes)).unwrap();
        let Err(Refusal { rule, record, offset, declared, actual, limit }) = entries[0].1 else {
            panic!("{name} is served");
        };
        assert_eq!((rule, record, offset, declared, actual), expected, "{name}");
        assert_eq!(limit, None, "{name}");
    }
    let trailing = Entry { data: [e().data, vec![0; 3]].concat(), ..e() };
    let bytes = of([trailing]).build();
    let refusal = open_and_read(Bytes::from(bytes)).unwrap()[0].1.clone().unwrap_err();
    assert_eq!((refusal.declared, refusal.actual), (size + 3, size), "where the stream ends");

    let count = of([e(), Entry::stored("good", "world")])
        .edit_end(|end| (end.entries_on_disk, end.entries_total) = (1, 2));
    let refusal = open_and_read(Bytes::from(count.build())).unwrap_err();
    assert_eq!((refusal.record, refusal.offset), (Record::EndOfCentralDirectory, end));
    assert_eq!((refusal.declared, refusal.actual), (1, 2));
}
