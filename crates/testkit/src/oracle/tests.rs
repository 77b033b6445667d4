//! The oracle against archives whose answer is known from how they were made.

use super::*;
use crate::builder::{Archive, DescriptorForm, Entry, Place, Saturated, Zip64End, mode};
use crate::classes::{self, Verdict};
use crate::record::{
    CentralDirectoryHeader, FLAG_DATA_DESCRIPTOR, FLAG_ENCRYPTED, FLAG_MASKED, FLAG_PATCHED,
    FLAG_STRONG_ENCRYPTION, FLAG_UTF8,
};
use crate::{extra, fixtures, overlap, samples};

/// The rule that refuses the archive, or for each entry the rule that refuses it (0: served).
fn rules(bytes: &[u8]) -> Result<Vec<u8>, u8> {
    let rule = |refusal: OracleRefusal| refusal.rule;
    let entries = read(bytes).map_err(rule)?;
    Ok(entries.into_iter().map(|entry| entry.verdict.err().map_or(0, rule)).collect())
}

fn a() -> Entry {
    Entry::deflated("a.txt", "hello hello hello")
}

/// `entry` and a good one after it.
fn with(entry: Entry) -> Vec<u8> {
    Archive::new().entry(entry).entry(Entry::stored("good", "world")).build()
}

fn two() -> Archive {
    Archive::new().entry(a()).entry(Entry::stored("good", "world"))
}

#[test]
fn a_distance_that_reaches_before_the_first_byte_is_refused() {
    // Two letters, then three bytes from five back (RFC 1951 3.2.6), and what zeros would make.
    let stream = [0x4b, 0x4c, 0x02, 0x12, 0x00];
    let content = b"ab\0\0\0";
    let entry = Entry::raw("far", 8, stream, fixtures::crc32(content), 5);
    assert_eq!(rules(&with(entry)), Ok(vec![7, 0]));
}

#[test]
fn good_archives_are_served_whole() {
    for sample in samples::good() {
        let entries = read(&sample.archive.build()).expect(sample.name);
        let served: Vec<_> = entries
            .into_iter()
            .map(|entry| (entry.raw_name, entry.verdict.expect(sample.name)))
            .collect();
        assert_eq!(served, sample.contents, "{}", sample.name);
    }
}

#[test]
fn archives_are_refused_by_the_rule_they_break() {
    let zip64 = || two().zip64_end(Zip64End::Saturated);
    let inner = Archive::new().entry(Entry::stored("evil", "evil")).build();
    let nested = |zeros: usize| {
        two()
            .comment([&Archive::new().build(), &b"zz"[..]].concat())
            .trailing(vec![0; zeros])
            .build()
    };
    let end = |trailing: usize| Archive::new().trailing(vec![b'x'; trailing]).build();
    type Row = (&'static str, Vec<u8>, Result<Vec<u8>, u8>);
    let table: [Row; 44] = [
        ("good", two().build(), Ok(vec![0, 0])),
        ("not a zip", b"hello".to_vec(), Err(1)),
        ("empty file", vec![], Err(1)),
        ("cut by one", two().build().split_last().unwrap().1.to_vec(), Err(1)),
        ("whole archive as comment", two().comment(&inner).build(), Err(1)),
        ("signature in the comment", two().comment("..PK\x05\x06..").build(), Err(1)),
        ("signature in trailing bytes", two().trailing("..PK\x05\x06..").build(), Err(1)),
        ("signature before", with(Entry::stored("in.zip", &inner)), Ok(vec![0, 0])),
        ("junk after", two().trailing("junk").build(), Ok(vec![0, 0])),
        ("junk up to the window", end(65_557 + 4_096 - 22), Ok(vec![])),
        ("junk past the window", end(65_557 + 4_096 - 21), Err(1)),
        ("concatenated", [inner.clone(), two().build()].concat(), Ok(vec![0, 0])),
        ("concatenated with itself", [two().build(), two().build()].concat(), Err(3)),
        ("no entries, prefix ignored", Archive::new().prefix("x", false).build(), Err(3)),
        // The outer record ends at the end of the file up to 4,096 zeros, and is then the one.
        ("zeros after an outer record", nested(4_096), Err(1)),
        ("zeros too many", nested(4_097), Err(3)),
        (
            "bytes after the digital signature",
            Archive { directory_tail: b"PK\x05\x05\0\0x".to_vec(), ..two() }.build(),
            Err(3),
        ),
        ("locator early", zip64().edit_zip64_locator(|l| l.record_offset -= 8).build(), Err(2)),
        ("gap before it", Archive { after_zip64_record: vec![0], ..zip64() }.build(), Err(2)),
        ("gap after it", Archive { after_zip64_locator: vec![0], ..zip64() }.build(), Err(3)),
        ("relative zip64", zip64().prefix("prefix", false).build(), Err(2)),
        ("extensible", zip64().edit_zip64_record(|r| r.extensible = vec![0; 8]).build(), Err(2)),
        ("size 43", zip64().edit_zip64_record(|r| r.declared_size = Some(43)).build(), Err(2)),
        ("two disks", zip64().edit_zip64_locator(|l| l.total_disks = 2).build(), Err(2)),
        ("record disk", zip64().edit_zip64_locator(|l| l.record_disk = 1).build(), Err(2)),
        (
            "contradiction",
            two().zip64_end(Zip64End::Agreeing).edit_end(|e| e.entries_total = 1).build(),
            Err(2),
        ),
        ("huge count", zip64().edit_zip64_record(|r| r.entries_total = 1 << 63).build(), Err(3)),
        (
            "huge counts",
            zip64()
                .edit_zip64_record(|r| (r.entries_total, r.entries_on_disk) = (1 << 63, 1 << 63))
                .build(),
            Err(3),
        ),
        ("huge size", zip64().edit_zip64_record(|r| r.directory_size = !0).build(), Err(3)),
        ("huge offset", zip64().edit_zip64_record(|r| r.directory_offset = !0).build(), Err(3)),
        ("zip64 disk", zip64().edit_zip64_record(|r| r.disk = 1).build(), Err(2)),
        (
            "zip64 disk behind a sentinel",
            zip64().edit_zip64_record(|r| r.disk = 1).edit_end(|e| e.disk = u16::MAX).build(),
            Err(3),
        ),
        ("disk", two().edit_end(|e| e.disk = 1).build(), Err(3)),
        ("directory disk", two().edit_end(|e| e.directory_disk = 1).build(), Err(3)),
        ("counts differ", two().edit_end(|e| e.entries_on_disk = 1).build(), Err(3)),
        (
            "one counted of two",
            two().edit_end(|e| (e.entries_on_disk, e.entries_total) = (1, 1)).build(),
            Err(3),
        ),
        ("size + 1", two().edit_end(|e| e.directory_size += 1).build(), Err(3)),
        ("size - 1", two().edit_end(|e| e.directory_size -= 1).build(), Err(3)),
        ("offset + 1", two().edit_end(|e| e.directory_offset += 1).build(), Err(3)),
        // Read as one byte of prefix; no local header is where its offset then says.
        ("offset - 1", two().edit_end(|e| e.directory_offset -= 1).build(), Ok(vec![5, 5])),
        ("gap", Archive { after_directory: b"gap".to_vec(), ..two() }.build(), Err(3)),
        ("directory first", Archive { directory_first: true, ..two() }.build(), Err(3)),
        (
            "tail",
            Archive { directory_tail: b"PK\x05\x05\x02\0x".to_vec(), ..two() }.build(),
            Err(3),
        ),
        (
            "sentinels and no zip64",
            two().edit_end(|e| (e.directory_size, e.directory_offset) = (!0, !0)).build(),
            Err(3),
        ),
    ];
    for (name, bytes, expected) in table {
        assert_eq!(rules(&bytes), expected, "{name}");
    }
}

#[test]
fn entries_are_refused_by_the_rule_they_break_and_the_others_served() {
    let dd = || a().descriptor(DescriptorForm::SIGNED_32);
    let bare = || a().descriptor(DescriptorForm::BARE_64);
    let zip64 = || a().zip64(Saturated::SIZES, Saturated::SIZES);
    let name = |name: &[u8]| Entry::stored(name, "");
    let not_utf8 = || name(b"\xff").flags(FLAG_UTF8);
    let table: Vec<(&str, (Entry, u8))> = vec![
        ("good", (a(), 0)),
        ("local name", (a().edit_local(|h| h.name = b"b.txt".to_vec()), 4)),
        ("local name longer", (a().edit_local(|h| h.name.push(b'x')), 4)),
        ("local method", (a().edit_local(|h| h.method = 0), 5)),
        ("local encrypted", (a().edit_local(|h| h.flags = FLAG_ENCRYPTED), 5)),
        ("local bit 3", (a().edit_local(|h| h.flags = FLAG_DATA_DESCRIPTOR), 5)),
        ("central bit 3", (a().edit_central(|h| h.flags = FLAG_DATA_DESCRIPTOR), 5)),
        ("local bits 1 and 2", (a().edit_local(|h| h.flags |= 6), 0)),
        ("local size", (a().edit_local(|h| h.uncompressed_size ^= 1), 5)),
        ("local compressed size", (a().edit_local(|h| h.compressed_size ^= 1), 5)),
        ("local crc", (a().edit_local(|h| h.crc32 ^= 1), 5)),
        ("local signature", (a().edit_local(|h| h.signature ^= 1), 5)),
        ("local time and version", (a().edit_local(|h| (h.time, h.version_needed) = (1, 99)), 0)),
        ("local extra shifts", (a().edit_local(|h| h.declared_extra_len = Some(2)), 6)),
        ("local extra past all", (a().edit_local(|h| h.declared_extra_len = Some(!0)), 6)),
        ("local zip64 differs", (zip64().edit_local(|h| h.extra[8] = 1), 5)),
        ("zip64 cut", (zip64().edit_central(|h| h.extra = extra::zip64(&[17])), 5)),
        (
            "zip64 twice, different",
            (zip64().edit_central(|h| h.extra.extend(extra::zip64(&[3, 3]))), 5),
        ),
        ("zip64 twice, equal", (zip64().edit_central(|h| h.extra = h.extra.repeat(2)), 0)),
        ("zip64 not needed", (a().extra(extra::zip64(&[1, 1])), 0)),
        ("zip64 missing", (a().edit_central(|h| h.compressed_size = u32::MAX), 6)),
        ("descriptor crc", (dd().edit_descriptor(|d| d.crc32 ^= 1), 5)),
        ("descriptor size", (bare().edit_descriptor(|d| d.uncompressed_size ^= 1), 5)),
        ("descriptor high", (bare().edit_descriptor(|d| d.compressed_size |= 1 << 32), 5)),
        ("descriptor signature", (dd().edit_descriptor(|d| d.signature = Some(7)), 5)),
        ("descriptor missing", (a().flags(FLAG_DATA_DESCRIPTOR), 5)),
        ("descriptor, local sizes", (dd().edit_local(|h| h.compressed_size = 99), 0)),
        ("local header past all", (a().place(Place::At(u32::MAX - 1)), 6)),
        (
            "offset at the end of u64",
            (
                a().edit_central(|h| {
                    h.local_header_offset = u32::MAX;
                    h.extra = extra::zip64(&[u64::MAX]);
                }),
                6,
            ),
        ),
        (
            "into the next",
            (
                Entry { data: b"h".to_vec(), ..a() }
                    .edit_local(|h| h.compressed_size = 2)
                    .edit_central(|h| h.compressed_size = 2),
                6,
            ),
        ),
        ("stored sizes differ", (Entry::raw("a", 0, "hello", 0, 4), 7)),
        ("stored crc", (Entry::raw("a", 0, "hello", 1, 5), 7)),
        ("empty crc", (Entry::raw("a", 0, "", 5, 0), 7)),
        ("deflate of nothing, crc", (Entry::raw("a", 8, "", 5, 0), 7)),
        ("deflate size short", (Entry { uncompressed_len: 16, ..a() }, 7)),
        ("deflate size long", (Entry { uncompressed_len: 18, ..a() }, 7)),
        ("deflate size 0", (Entry { uncompressed_len: 0, ..a() }, 7)),
        ("deflate crc", (Entry { crc32: 1, ..a() }, 7)),
        ("deflate trailing", (Entry { data: [a().data, vec![0]].concat(), ..a() }, 7)),
        ("deflate cut", (Entry { data: a().data.split_last().unwrap().1.to_vec(), ..a() }, 7)),
        ("deflate block type 3", (Entry { data: vec![7; 9], ..a() }, 7)),
        ("encrypted", (a().flags(FLAG_ENCRYPTED), 9)),
        ("patched", (a().flags(FLAG_PATCHED), 9)),
        ("strong encryption", (a().flags(FLAG_STRONG_ENCRYPTION), 9)),
        ("masked", (a().flags(FLAG_MASKED), 9)),
        ("version 6.4", (a().edit_central(|h| h.version_needed = 64), 9)),
        ("version 6.3, OS in the high byte", (a().edit_central(|h| h.version_needed = 0x033f), 0)),
        ("disk start", (a().edit_central(|h| h.disk_start = 1), 9)),
        ("disk start not resolved", (a().edit_central(|h| h.disk_start = !0), 9)),
        ("fifo", (a().mode(mode::FIFO), 9)),
        ("device", (a().mode(mode::CHARACTER_DEVICE), 9)),
        ("socket", (a().mode(mode::SOCKET), 9)),
        ("symlink", (a().mode(mode::SYMLINK), 0)),
        ("no file type", (a().mode(0o644), 0)),
        ("setuid", (a().mode(0o104_755), 0)),
        ("fifo of MS-DOS", (a().mode(mode::FIFO).edit_central(|h| h.version_made_by = 20), 0)),
        ("extra overruns", (a().edit_central(|h| h.extra = extra::field_declaring(7, 9, b"x")), 9)),
        (
            "local extra overruns",
            (a().edit_local(|h| h.extra = extra::field_declaring(7, 9, b"x")), 9),
        ),
        ("extra padding", (a().extra([0; 3]), 0)),
        ("method 9", (Entry { method: 9, ..a() }, 9)),
        ("directory with data", (Entry::stored("d/", "x"), 9)),
        ("name empty", (name(b""), 9)),
        ("name absolute", (name(b"/a"), 9)),
        ("name UNC", (name(b"\\\\srv\\a"), 9)),
        ("name with a drive", (name(b"C:/x"), 9)),
        ("name with a stream", (name(b"ab:x"), 0)),
        ("name with NUL", (name(b"a\0b"), 9)),
        ("name with CR", (name(b"a\rb"), 9)),
        ("name with DEL", (name(b"a\x7fb"), 9)),
        ("name with ..", (name(b"a/../b"), 9)),
        ("name with ..\\", (name(b"..\\b"), 9)),
        ("name with ...", (name(b"a/.../..b"), 0)),
        ("name .", (name(b"."), 9)),
        ("name ./a", (name(b"./a"), 0)),
        ("name with //", (name(b"a//b"), 0)),
        ("name with a backslash", (name(b"a\\b"), 0)),
        ("name not UTF-8 under bit 11", (not_utf8(), 9)),
        ("name not UTF-8", (name(b"\xff"), 0)),
    ];
    for (label, (entry, rule)) in table {
        assert_eq!(rules(&with(entry)), Ok(vec![rule, 0]), "{label}");
    }
}

#[test]
fn entries_are_refused_for_what_their_neighbours_are() {
    let s = |name: &str| Entry::stored(name, "x");
    let archive = |entries: Vec<Entry>| Archive::new().entries(entries).build();
    let inner = Archive::new().entry(s("in")).build();
    let short = |header: &mut CentralDirectoryHeader| {
        header.compressed_size = u32::MAX;
        header.extra = extra::zip64(&[]);
    };
    // Behind a whole zip64 field, one that overruns.
    fn overruns(zip64: &[u64]) -> Vec<u8> {
        [extra::zip64(zip64), extra::field_declaring(7, 9, b"x")].concat()
    }
    let with_data = |header: &mut CentralDirectoryHeader| {
        header.uncompressed_size = u32::MAX;
        header.extra = overruns(&[1]);
    };
    let at_zero = |header: &mut CentralDirectoryHeader| {
        header.local_header_offset = u32::MAX;
        header.extra = overruns(&[0]);
    };
    let table: [(&str, Vec<u8>, &[u8]); 12] = [
        ("same name", archive(vec![s("a"), s("b"), s("a")]), &[8, 0, 8]),
        ("same directory", archive(vec![Entry::directory("d/"), Entry::directory("d/")]), &[0, 0]),
        (
            "same directory, refused for something else",
            archive(vec![Entry::directory("d/").edit_central(short), Entry::directory("d/")]),
            &[5, 0],
        ),
        (
            "same directory, with data by a zip64 field before one that overruns",
            archive(vec![Entry::directory("d/").edit_central(with_data), Entry::directory("d/")]),
            &[9, 8],
        ),
        ("file and directory", archive(vec![s("a"), Entry::directory("a/")]), &[9, 9]),
        ("file and child", archive(vec![s("a"), s("a/b")]), &[0, 0]),
        ("shared", archive(vec![s("a"), s("b").place(Place::SharedWith(0))]), &[6, 6]),
        (
            "shared by a zip64 field before one that overruns",
            archive(vec![s("a"), s("b").edit_central(at_zero)]),
            &[6, 9],
        ),
        (
            "inside",
            archive(vec![Entry::stored("a", &inner), s("in").place(Place::At(31))]),
            &[6, 0],
        ),
        ("bomb", overlap::quoted_overlap(3, 1_000), &[6, 6, 0]),
        (
            "the offset of a refused entry is a boundary",
            archive(vec![s("a"), s("\0").place(Place::At(31))]),
            &[6, 9],
        ),
        (
            "directory listed twice",
            Archive { directory_order: Some(vec![0, 0]), ..two() }.build(),
            &[8, 8],
        ),
    ];
    for (name, bytes, expected) in table {
        assert_eq!(rules(&bytes), Ok(expected.to_vec()), "{name}");
    }
}

#[test]
fn a_crc_that_looks_like_the_descriptor_signature_is_read() {
    // Four bytes after "abcdef" force it.
    let content = b"abcdefC3\xf4\x9e";
    assert_eq!(fixtures::crc32(content), crate::record::DATA_DESCRIPTOR);
    let entry = Entry::stored("a", content).descriptor(DescriptorForm::BARE_32);
    assert_eq!(rules(&with(entry)), Ok(vec![0, 0]));
}

#[test]
fn lookup_takes_the_first_form_in_which_a_name_is_met() {
    let bytes = Archive::new()
        .entry(Entry::stored("a", "raw"))
        .entry(Entry::stored("./a", "dot"))
        .entry(Entry::stored("./b", "dot b"))
        .entry(Entry::stored("x", "path").unicode_path("b"))
        .entry(Entry::stored("y", "path y").unicode_path("z"))
        .entry(Entry::stored(b"\x82", "cp437"))
        .entry(Entry::stored("p", "").unicode_path("same"))
        .entry(Entry::stored("q", "").unicode_path("same"))
        .entry(Entry::stored("bad crc", "").extra(extra::unicode_path_declaring(1, 0, b"no")))
        .entry(Entry::stored("v2", "").extra(extra::unicode_path_declaring(
            2,
            fixtures::crc32(b"v2"),
            b"no",
        )))
        .entry(Entry::stored("twice", "1"))
        .entry(Entry::stored("twice", "2"))
        .entry(Entry::stored("../up", "bad"))
        .build();
    let table: [(&str, &str, Option<&str>); 10] = [
        ("raw before dot", "a", Some("a")),
        ("dot itself", "./a", Some("./a")),
        ("dot before display", "b", Some("./b")),
        ("Unicode path", "z", Some("y")),
        ("raw though it has a Unicode path", "x", Some("x")),
        ("refused is found", "../up", Some("../up")),
        ("two displays", "same", None),
        ("two raw", "twice", None),
        ("wrong CRC-32 or version", "no", Some("absent")),
        ("absent", "nothing", Some("absent")),
    ];
    for (label, name, expected) in table {
        let found = match find(&bytes, name.as_bytes()).unwrap() {
            Found::Entry(entry) => Some(String::from_utf8(entry.raw_name).unwrap()),
            Found::Ambiguous => None,
            Found::Absent => Some("absent".to_owned()),
        };
        assert_eq!(found.as_deref(), expected, "{label}");
    }
    let Found::Entry(entry) = find(&bytes, "\u{e9}".as_bytes()).unwrap() else {
        panic!("CP437 0x82 is e with an acute accent");
    };
    assert_eq!((entry.raw_name, entry.verdict), (vec![0x82], Ok(b"cp437".to_vec())));
    assert_eq!(find(b"", b"a").unwrap_err().rule, 1);
}

#[test]
fn no_input_makes_the_oracle_panic() {
    let archive = Archive::new()
        .entry(a().descriptor(DescriptorForm::SIGNED_32))
        .entry(Entry::stored("b", "world").zip64(Saturated::SIZES, Saturated::ALL))
        .zip64_end(Zip64End::Saturated)
        .comment("comment");
    let bytes = archive.build();
    let whole = read(&bytes).unwrap();
    for len in 0..bytes.len() {
        assert!(read(&bytes[..len]).is_err(), "cut at {len}");
    }
    let mut changed = 0;
    for at in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff, bytes[at] ^ 1, bytes[at].wrapping_add(1)] {
            let mut bytes = bytes.clone();
            bytes[at] = value;
            changed += usize::from(read(&bytes).as_ref() != Ok(&whole));
            let _ = find(&bytes, b"b");
        }
    }
    assert!(changed > bytes.len(), "{changed}");
    for seed in 0..200 {
        let mut noise = fixtures::noise(400, seed);
        let end = Archive::new().edit_end(move |e| {
            e.directory_size = seed as u32;
            e.directory_offset = 400 - seed as u32;
            (e.entries_on_disk, e.entries_total) = (1, 1);
        });
        let at = 400 - seed as usize;
        if let Some(signature) = noise.get_mut(at..at + 4) {
            signature.copy_from_slice(b"PK\x01\x02");
        }
        let _ = read(&[noise, end.build()].concat());
    }
}

#[test]
fn every_hostile_class_gets_its_verdict_and_content() {
    let mut wrong = Vec::new();
    for class in classes::all() {
        let agrees = match (&class.verdict, read(&class.bytes)) {
            (Verdict::Refused(_), read) => read.is_err(),
            (Verdict::Read(_), Err(_)) => false,
            (Verdict::Read(expected), Ok(entries)) => {
                expected.len() == entries.len()
                    && expected.iter().zip(entries).all(|(expected, entry)| {
                        let is_alike = match (&expected.content, &entry.verdict) {
                            (Ok(content), Ok(read)) => content == read,
                            (content, verdict) => content.is_err() && verdict.is_err(),
                        };
                        is_alike && expected.name == entry.raw_name
                    })
            }
        };
        if !agrees {
            wrong.push(format!("{}: {:?}, got {:?}", class.id, class.verdict, rules(&class.bytes)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
