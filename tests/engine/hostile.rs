//! One construction for each class of hostile archive, and the rule that meets it.

use bytes::Bytes;
use entryway::{Record, Refusal, Rule};
use entryway_testkit::builder::{Archive, DescriptorForm, Entry, Place, Saturated, Zip64End, mode};
use entryway_testkit::fixtures::{self, text};
use entryway_testkit::record::{
    self, FLAG_DATA_DESCRIPTOR, FLAG_ENCRYPTED, FLAG_MASKED, FLAG_PATCHED, FLAG_STRONG_ENCRYPTION,
    FLAG_UTF8,
};
use entryway_testkit::{extra, overlap};

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
        ("good", two(), both()),
        ("whole archive as comment", two().comment(&inner), refused(Rule::SecondEndRecord)),
        (
            "whole archive in the comment, bytes after it",
            two().comment([&inner[..], b"zz"].concat()),
            refused(Rule::SignatureAfterEnd),
        ),
        (
            "signature in the comment",
            two().comment("..PK\x05\x06.."),
            refused(Rule::SignatureAfterEnd),
        ),
        (
            "signature in trailing bytes",
            two().trailing("..PK\x05\x06.."),
            refused(Rule::SignatureAfterEnd),
        ),
        ("signature before the end", of([Entry::stored("in", &inner), a()]), Ok(vec![SERVED; 2])),
        (
            "comment longer than the file",
            two().edit_end(|e| e.declared_comment_len = Some(5)),
            refused(Rule::NoEndRecord),
        ),
        ("comment shorter than the rest", two().trailing("junk"), both()),
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
        ("zip64 that agrees", two().zip64_end(Zip64End::Agreeing), both()),
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
            "locator that points elsewhere",
            zip64().edit_zip64_locator(|l| l.record_offset -= 8),
            refused(Rule::Zip64NotAdjacent),
        ),
        (
            "gap before the locator",
            Archive { after_zip64_record: vec![0], ..zip64() },
            refused(Rule::Zip64NotAdjacent),
        ),
        (
            "gap after the locator",
            Archive { after_zip64_locator: vec![0], ..zip64() },
            refused(Rule::DirectoryOutside),
        ),
        (
            "zip64 offsets that ignore a prefix",
            zip64().prefix("prefix", false),
            refused(Rule::Zip64NotAdjacent),
        ),
        (
            "zip64 record without its signature",
            zip64().edit_zip64_record(|r| r.signature ^= 1),
            refused(Rule::Zip64Signature),
        ),
        (
            "zip64 record with extensible data",
            zip64().edit_zip64_record(|r| r.extensible = vec![0; 8]),
            refused(Rule::Zip64NotAdjacent),
        ),
        (
            "zip64 record that claims extensible data",
            zip64().edit_zip64_record(|r| r.declared_size = Some(52)),
            refused(Rule::Zip64RecordSize),
        ),
        (
            "zip64 record too short",
            zip64().edit_zip64_record(|r| r.declared_size = Some(43)),
            refused(Rule::Zip64RecordSize),
        ),
        (
            "locator of two disks",
            zip64().edit_zip64_locator(|l| l.total_disks = 2),
            refused(Rule::SeveralDisks),
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
            "counts that differ",
            two().edit_end(|e| e.entries_on_disk = 1),
            refused(Rule::CountsDisagree),
        ),
        (
            "one counted of two",
            two().edit_end(|e| (e.entries_on_disk, e.entries_total) = (1, 1)),
            refused(Rule::EntryCount),
        ),
        (
            "three counted of two",
            two().edit_end(|e| (e.entries_on_disk, e.entries_total) = (3, 3)),
            refused(Rule::EntryCount),
        ),
        (
            "none counted of two",
            two().edit_end(|e| (e.entries_on_disk, e.entries_total) = (0, 0)),
            refused(Rule::EntryCount),
        ),
        (
            "2^63 counted",
            zip64()
                .edit_zip64_record(|r| (r.entries_total, r.entries_on_disk) = (1 << 63, 1 << 63)),
            refused(Rule::ArchiveOverLimit),
        ),
        (
            "size of 2^64 - 1",
            zip64().edit_zip64_record(|r| r.directory_size = u64::MAX),
            refused(Rule::DirectoryOutside),
        ),
        (
            "offset of 2^64 - 1",
            zip64().edit_zip64_record(|r| r.directory_offset = u64::MAX),
            refused(Rule::DirectoryOutside),
        ),
        (
            "saturated end record without zip64",
            two().edit_end(|e| (e.directory_size, e.directory_offset) = (u32::MAX, u32::MAX)),
            refused(Rule::DirectoryOutside),
        ),
        (
            "size one too large",
            two().edit_end(|e| e.directory_size += 1),
            refused(Rule::DirectoryOutside),
        ),
        (
            "size one too small",
            two().edit_end(|e| e.directory_size -= 1),
            refused(Rule::AmbiguousBase),
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
            "gap after the directory",
            Archive { after_directory: b"gap".to_vec(), ..two() },
            refused(Rule::AmbiguousBase),
        ),
        (
            "directory before the files",
            Archive { directory_first: true, ..two() },
            refused(Rule::AmbiguousBase),
        ),
        (
            "bytes after the last record",
            Archive { directory_tail: b"PK\x05\x05\x02\0x".to_vec(), ..two() },
            refused(Rule::DirectoryTrailing),
        ),
        (
            "digital signature",
            Archive { directory_tail: record::digital_signature(b"signed"), ..two() },
            both(),
        ),
        (
            "record without its signature",
            of([a(), Entry::stored("b", "b").edit_central(|h| h.signature ^= 0x0100_0000)]),
            refused(Rule::DirectoryRecord),
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
    let name = |name: &[u8]| Entry::stored(name, "");
    let no = Some;
    vec![
        ("good", (a(), SERVED)),
        // The local header.
        ("no local header", (a().edit_local(|h| h.signature ^= 1), no(Rule::LocalSignature))),
        ("other local name", (a().edit_local(|h| h.name[0] = b'b'), no(Rule::LocalName))),
        ("longer local name", (a().edit_local(|h| h.name.push(b'x')), no(Rule::LocalName))),
        ("local method", (a().edit_local(|h| h.method = 0), no(Rule::LocalMethod))),
        (
            "encrypted in the local header alone",
            (a().edit_local(|h| h.flags |= FLAG_ENCRYPTED), no(Rule::LocalFlags)),
        ),
        (
            "descriptor in the local header alone",
            (dd().edit_central(|h| h.flags = 0), no(Rule::LocalFlags)),
        ),
        (
            "descriptor in the directory alone",
            (dd().edit_local(|h| h.flags = 0), no(Rule::LocalFlags)),
        ),
        ("bits 1 and 2 differ", (a().edit_local(|h| h.flags |= 6), SERVED)),
        (
            "time and version differ",
            (a().edit_local(|h| (h.time, h.version_needed) = (1, 99)), SERVED),
        ),
        (
            "local compressed size",
            (a().edit_local(|h| h.compressed_size += 1), no(Rule::LocalSize)),
        ),
        ("local size", (a().edit_local(|h| h.uncompressed_size += 1), no(Rule::LocalSize))),
        (
            "local sizes of zero",
            (
                a().edit_local(|h| (h.compressed_size, h.uncompressed_size) = (0, 0)),
                no(Rule::LocalSize),
            ),
        ),
        (
            "local size greater by 2^32",
            (zip64().edit_local(|h| h.extra[8] = 1), no(Rule::LocalSize)),
        ),
        ("local CRC-32", (a().edit_local(|h| h.crc32 ^= 1), no(Rule::LocalCrc))),
        (
            "local extra field that shifts the data",
            (a().edit_local(|h| h.declared_extra_len = Some(5)), no(Rule::Overlap)),
        ),
        (
            "local extra field past everything",
            (a().edit_local(|h| h.declared_extra_len = Some(u16::MAX)), no(Rule::Overlap)),
        ),
        (
            "local extra field overruns",
            (
                a().edit_local(|h| h.extra = extra::field_declaring(7, 9, b"x")),
                no(Rule::ExtraOverrun),
            ),
        ),
        // zip64.
        (
            "zip64 field too short",
            (zip64().edit_central(|h| h.extra = extra::zip64(&[17])), no(Rule::Zip64ExtraShort)),
        ),
        (
            "two zip64 fields that differ",
            (
                zip64().edit_central(|h| h.extra.extend(extra::zip64(&[3, 3]))),
                no(Rule::Zip64ExtraTwice),
            ),
        ),
        (
            "two zip64 fields that agree",
            (zip64().edit_central(|h| h.extra = h.extra.repeat(2)), SERVED),
        ),
        ("zip64 field without need", (a().extra(extra::zip64(&[1, 1])), SERVED)),
        (
            "saturated size without zip64",
            (a().edit_central(|h| h.compressed_size = u32::MAX), no(Rule::Overlap)),
        ),
        (
            "sizes of 2^64 - 1",
            (
                a().edit_central(|h| {
                    (h.compressed_size, h.uncompressed_size) = (u32::MAX, u32::MAX);
                    h.extra = extra::zip64(&[u64::MAX, u64::MAX]);
                }),
                no(Rule::Overlap),
            ),
        ),
        (
            "offset of 2^64 - 1",
            (
                a().edit_central(|h| {
                    h.local_header_offset = u32::MAX;
                    h.extra = extra::zip64(&[u64::MAX]);
                }),
                no(Rule::OutsideArchive),
            ),
        ),
        // Ranges.
        (
            "local header past the file",
            (a().place(Place::At(0x7fff_ffff)), no(Rule::OutsideArchive)),
        ),
        (
            "data into the next entry",
            (
                Entry { data: b"h".to_vec(), ..a() }
                    .edit_local(|h| h.compressed_size = 2)
                    .edit_central(|h| h.compressed_size = 2),
                no(Rule::Overlap),
            ),
        ),
        (
            "2 GiB claimed in a small file",
            (
                Entry::stored("a", "hello")
                    .edit_local(|h| (h.compressed_size, h.uncompressed_size) = (!0 >> 1, !0 >> 1))
                    .edit_central(|h| {
                        (h.compressed_size, h.uncompressed_size) = (!0 >> 1, !0 >> 1);
                    }),
                no(Rule::Overlap),
            ),
        ),
        // Data descriptors.
        ("descriptor, 64 bits without zip64", (wide(), SERVED)),
        ("descriptor and local sizes", (dd().edit_local(|h| h.compressed_size = 99), SERVED)),
        ("descriptor CRC-32", (dd().edit_descriptor(|d| d.crc32 ^= 1), no(Rule::Descriptor))),
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
        ("descriptor missing", (a().flags(FLAG_DATA_DESCRIPTOR), no(Rule::Overlap))),
        // Data.
        ("stored sizes differ", (Entry::raw("a", 0, "hello", 0, 4), no(Rule::StoredSizes))),
        ("stored CRC-32", (Entry::raw("a", 0, "hello", 1, 5), no(Rule::Crc))),
        ("CRC-32 of nothing", (Entry::raw("a", 0, "", 5, 0), no(Rule::Crc))),
        ("deflate of no bytes", (Entry::raw("a", 8, "", 0, 0), SERVED)),
        ("deflate of no bytes, CRC-32", (Entry::raw("a", 8, "", 5, 0), no(Rule::Crc))),
        ("deflate of no bytes, size", (Entry::raw("a", 8, "", 0, 1), no(Rule::DataTruncated))),
        ("size too small", (Entry { uncompressed_len: 16, ..a() }, no(Rule::DataLong))),
        (
            "size too small, CRC-32 of what it covers",
            (
                Entry { uncompressed_len: 3, crc32: fixtures::crc32(b"hel"), ..a() },
                no(Rule::DataLong),
            ),
        ),
        ("size too large", (Entry { uncompressed_len: 18, ..a() }, no(Rule::DataShort))),
        ("size of zero", (Entry { uncompressed_len: 0, ..a() }, no(Rule::DataLong))),
        ("deflate CRC-32", (Entry { crc32: 1, ..a() }, no(Rule::Crc))),
        (
            "bytes after the final block",
            (Entry { data: [a().data, vec![0]].concat(), ..a() }, no(Rule::DataTrailing)),
        ),
        (
            "stream cut short",
            (
                Entry { data: a().data[..a().data.len() - 1].to_vec(), ..a() },
                no(Rule::DataTruncated),
            ),
        ),
        ("block type 3", (Entry { data: vec![7; 9], ..a() }, no(Rule::Data))),
        // What is not served whatever its bytes.
        ("encrypted", (a().flags(FLAG_ENCRYPTED), no(Rule::Encrypted))),
        ("strong encryption", (a().flags(FLAG_STRONG_ENCRYPTION), no(Rule::Encrypted))),
        ("masked headers", (a().flags(FLAG_MASKED), no(Rule::Encrypted))),
        ("patch", (a().flags(FLAG_PATCHED), no(Rule::Patch))),
        ("version 6.4", (a().edit_central(|h| h.version_needed = 64), no(Rule::VersionNeeded))),
        ("version 6.3 and a host", (a().edit_central(|h| h.version_needed = 0x033f), SERVED)),
        ("disk 1", (a().edit_central(|h| h.disk_start = 1), no(Rule::DiskStart))),
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
        ("FIFO", (a().mode(mode::FIFO), no(Rule::UnixMode))),
        ("device", (a().mode(mode::CHARACTER_DEVICE), no(Rule::UnixMode))),
        ("socket", (a().mode(mode::SOCKET), no(Rule::UnixMode))),
        (
            "FIFO of macOS",
            (
                a().mode(mode::FIFO).edit_central(|h| h.version_made_by = 19 << 8 | 20),
                no(Rule::UnixMode),
            ),
        ),
        ("FIFO of MS-DOS", (a().mode(mode::FIFO).edit_central(|h| h.version_made_by = 20), SERVED)),
        ("setuid", (a().mode(0o104_755), SERVED)),
        ("directory mode without a slash", (a().mode(mode::DIRECTORY), SERVED)),
        (
            "extra field overruns",
            (
                a().edit_central(|h| h.extra = extra::field_declaring(7, 9, b"x")),
                no(Rule::ExtraOverrun),
            ),
        ),
        ("stray bytes after the extra fields", (a().extra([0; 3]), SERVED)),
        ("method 1", (Entry { method: 1, ..a() }, no(Rule::Method))),
        ("method 97", (Entry { method: 97, ..a() }, no(Rule::Method))),
        ("directory with data", (Entry::stored("d/", "x"), no(Rule::DirectoryWithData))),
        ("deflated empty directory", (Entry::deflated("d/", ""), SERVED)),
        ("empty name", (name(b""), no(Rule::NameEmpty))),
        ("absolute name", (name(b"/etc/passwd"), no(Rule::NameAbsolute))),
        ("name with a drive", (name(b"C:/x"), no(Rule::NameAbsolute))),
        ("name with ..", (name(b"a/../b"), no(Rule::NameDots))),
        ("name with ..\\", (name(b"..\\b"), no(Rule::NameDots))),
        ("name .", (name(b"."), no(Rule::NameDots))),
        ("name with NUL", (name(b"a.txt\0.html"), no(Rule::NameControl))),
        ("name with CR LF", (name(b"a\r\nb"), no(Rule::NameControl))),
        ("name not UTF-8 under bit 11", (name(b"\xff").flags(FLAG_UTF8), no(Rule::NameUtf8))),
        ("name not UTF-8", (name(b"\xff"), SERVED)),
        ("name with an empty segment", (name(b"a//b"), SERVED)),
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
    let inner = of([s("in")]).build();
    let no = Some;
    vec![
        (
            "same name",
            of([s("a"), s("b"), s("a")]),
            vec![no(Rule::Duplicate), SERVED, no(Rule::Duplicate)],
        ),
        ("same directory", of([d("d/"), d("d/"), d("d/")]), vec![SERVED; 3]),
        (
            "same directory, once with data",
            of([d("d/"), s("d/")]),
            vec![no(Rule::Duplicate), no(Rule::DirectoryWithData)],
        ),
        ("file and directory", of([s("a"), d("a/")]), vec![no(Rule::FileAndDirectory); 2]),
        ("directories one slash apart", of([d("a/"), d("a//")]), vec![SERVED; 2]),
        ("file and child", of([s("a"), s("a/b")]), vec![SERVED; 2]),
        ("names that differ in case", of([s("a"), s("A")]), vec![SERVED; 2]),
        ("three spellings of a path", of([s("a/b"), s("a//b"), s("./a/b")]), vec![SERVED; 3]),
        (
            "one local header for two",
            of([s("a"), s("b").place(Place::SharedWith(0)), s("c")]),
            vec![no(Rule::SharedLocalHeader), no(Rule::SharedLocalHeader), SERVED],
        ),
        (
            "local header inside another's data",
            of([Entry::stored("a", &inner), s("in").place(Place::At(31))]),
            vec![no(Rule::Overlap), SERVED],
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
        (
            "ghost",
            Archive { directory_order: Some(vec![0, 2]), ..of([s("a"), s("ghost"), s("c")]) },
            vec![SERVED; 2],
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
fn the_quoted_overlap_bomb_gives_only_its_kernel() {
    let bytes = overlap::quoted_overlap(50, 100_000);
    assert_agrees("bomb", &bytes);
    let verdicts = verdicts(open_and_read(Bytes::from(bytes))).unwrap();
    assert_eq!(verdicts.iter().filter(|verdict| **verdict == Some(Rule::Overlap)).count(), 49);
    assert_eq!(verdicts.last(), Some(&SERVED));
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
fn a_megabyte_of_empty_blocks_gives_nothing_and_is_read() {
    let data = [[0, 0, 0, 0xff, 0xff].repeat(200_000), vec![1, 0, 0, 0xff, 0xff]].concat();
    let bytes = of([Entry::raw("a", 8, data, 0, 0), a()]).build();
    assert_agrees("empty blocks", &bytes);
    assert_eq!(verdicts(open_and_read(Bytes::from(bytes))), Ok(vec![SERVED; 2]));
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
