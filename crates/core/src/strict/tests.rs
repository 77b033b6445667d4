//! Each rule of the profile, broken and nearly.

use bytes::Bytes;
use entryway_testkit::builder::{
    Archive as Zip, DescriptorForm as Form, Entry as Zipped, Place, Saturated, Zip64End,
};
use entryway_testkit::record::{FLAG_UTF8, LocalFileHeader, archive_extra_data, digital_signature};
use entryway_testkit::{extra, fixtures};

use crate::error::{Record, Refusal, Rule};
use crate::{Archive, Profile};

/// What an examination says: for each broken rule the entry's name, if it is one entry's.
fn examined(bytes: Vec<u8>) -> Vec<(Option<String>, Refusal)> {
    let archive = Archive::open(Bytes::from(bytes)).unwrap();
    let mut broken = Vec::new();
    let note = |entry: Option<&crate::Entry>, refusal: Refusal| {
        assert_eq!(refusal.rule.profile(), Profile::Strict);
        let scope = if entry.is_some() { crate::Scope::Entry } else { crate::Scope::Archive };
        assert_eq!(refusal.rule.scope(), scope, "{refusal}");
        let name = entry.map(|entry| archive.directory().raw_name(entry));
        broken.push((name.map(|name| String::from_utf8_lossy(name).into_owned()), refusal));
    };
    archive.examine(note).unwrap();
    broken
}

fn a() -> Zipped {
    Zipped::stored("a", "hello")
}

fn b() -> Zipped {
    Zipped::stored("b", "world")
}

fn one(entry: Zipped) -> Zip {
    Zip::new().entry(entry)
}

fn names(names: &[&str]) -> Zip {
    let entry = |name: &&str| match name.strip_suffix('/') {
        Some(_) => Zipped::directory(name),
        None => Zipped::stored(name, "hello"),
    };
    Zip::new().entries(names.iter().map(entry))
}

/// A local file header and data that a directory does not list.
fn ghost(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let header = LocalFileHeader { name: name.into(), ..LocalFileHeader::default() };
    header.write(&mut out);
    out.extend_from_slice(b"ghost");
    out
}

fn with_path(raw: &str, path: &[u8]) -> Zipped {
    let crc32 = fixtures::crc32(raw.as_bytes());
    Zipped::stored(raw, "hello").extra(extra::unicode_path_declaring(1, crc32, path))
}

/// The saturated sizes of a directory header, and nothing else beside them.
fn saturated(fields: Vec<u8>) -> Zipped {
    a().edit_central(move |header| {
        header.uncompressed_size = u32::MAX;
        header.extra = fields.clone();
    })
}

#[test]
fn every_rule_is_broken_by_what_it_says_and_by_nothing_next_to_it() {
    use Rule::*;
    let table: Vec<(&str, Zip, &[Rule])> = vec![
        // The file.
        ("no entry", Zip::new(), &[]),
        ("two entries", Zip::new().entry(a()).entry(b()), &[]),
        ("a comment", one(a()).comment("a comment"), &[]),
        ("bytes behind the end", one(a()).trailing("junk"), &[TrailingBytes]),
        ("bytes behind a comment", one(a()).comment("c").trailing("j"), &[TrailingBytes]),
        ("NULs behind the end", one(a()).trailing([0; 3]), &[TrailingBytes]),
        ("a prefix that offsets count", one(a()).prefix("#!/bin/sh\n", true), &[BytesBefore]),
        ("a prefix that they do not", one(a()).prefix("#!/bin/sh\n", false), &[BytesBefore]),
        ("a byte before the first header", one(a().gap_before("x")), &[BytesBefore]),
        (
            "another archive in front",
            one(a()).prefix(one(a()).entry(b()).build(), false),
            &[BytesBefore],
        ),
        ("a header in front", one(a()).prefix(ghost("g"), true), &[BytesBefore]),
        ("bytes before no entry", Zip::new().prefix("PREFIX", true), &[BytesBefore]),
        ("a byte between entries", one(a()).entry(b().gap_before("x")), &[BytesBetween]),
        (
            "zeros between entries, as padding",
            one(a()).entry(b().gap_before([0; 64])),
            &[BytesBetween],
        ),
        (
            "a byte behind the last",
            Zip { before_directory: b"x".into(), ..one(a()) },
            &[BytesBetween],
        ),
        (
            "an archive extra data record",
            Zip { before_directory: archive_extra_data(b"x"), ..one(a()) },
            &[BytesBetween],
        ),
        ("a digital signature", Zip { directory_tail: digital_signature(b"x"), ..one(a()) }, &[]),
        ("zip64 end records", one(a()).zip64_end(Zip64End::Saturated), &[]),
        (
            "zip64 end records, and bytes behind",
            one(a()).zip64_end(Zip64End::Agreeing).trailing("x"),
            &[TrailingBytes],
        ),
        (
            "an entry that is not listed",
            one(a()).entry(b().gap_before(ghost("g"))),
            &[UnlistedEntry],
        ),
        (
            "the last entry is not listed",
            Zip { directory_order: Some(vec![0]), ..one(a()).entry(b()) },
            &[UnlistedEntry],
        ),
        (
            "the first is not",
            Zip { directory_order: Some(vec![1]), ..one(a()).entry(b()) },
            &[BytesBefore],
        ),
        (
            "the directory is in another order",
            Zip { directory_order: Some(vec![1, 0]), ..one(a()).entry(b()) },
            &[],
        ),
        (
            "the same with a gap and a ghost",
            Zip {
                directory_order: Some(vec![1, 0]),
                before_directory: ghost("g"),
                ..one(a()).entry(b().gap_before("gap"))
            },
            &[BytesBetween, UnlistedEntry],
        ),
        // What is refused anyway claims what it says it takes.
        ("an encrypted entry", one(a().flags(1)).entry(b()), &[]),
        (
            "a gap behind an encrypted entry",
            one(a().flags(1)).entry(b().gap_before("gap")),
            &[BytesBetween],
        ),
        (
            "an unlisted entry behind an encrypted one, of its name",
            one(a().flags(1)).entry(b().gap_before(ghost("a"))),
            &[UnlistedEntry],
        ),
        (
            "a gap behind an entry with another local name",
            one(a().edit_local(|header| header.name = b"x".into())).entry(b().gap_before("gap")),
            &[BytesBetween],
        ),
        (
            "an entry whose local size is more than the directory's",
            one(a().edit_central(|header| header.compressed_size = 1)).entry(b()),
            &[],
        ),
        (
            "the same and a gap",
            one(a().edit_central(|header| header.compressed_size = 1)).entry(b().gap_before("x")),
            &[BytesBetween],
        ),
        (
            "an entry without a local header",
            one(a().edit_local(|header| header.signature = 0)).entry(b()),
            &[],
        ),
        (
            "the same and a gap",
            one(a().edit_local(|header| header.signature = 0)).entry(b().gap_before("gap")),
            &[BytesBetween],
        ),
        (
            "one name twice and a third local header of it",
            one(a()).entry(a()).entry(b().gap_before(ghost("a"))),
            &[UnlistedEntry],
        ),
        (
            "a gap behind an entry without its descriptor",
            one(a()
                .descriptor(Form::SIGNED_32)
                .edit_descriptor(|descriptor| descriptor.crc32 ^= 1))
            .entry(b().gap_before("gap")),
            &[],
        ),
        (
            "the header left behind by an entry that is said to stand elsewhere",
            Zip {
                directory_order: Some(vec![1, 2]),
                ..one(a()).entry(a().place(Place::At(0x7fff_ffff))).entry(b())
            },
            &[],
        ),
        (
            "the same, behind a listed one",
            Zip {
                directory_order: Some(vec![0, 2]),
                ..one(b()).entry(a()).entry(a().place(Place::At(0x7fff_ffff)))
            },
            &[],
        ),
        (
            "two headers left behind by one entry",
            Zip {
                directory_order: Some(vec![2, 3]),
                ..one(a()).entry(a()).entry(a().place(Place::At(0x7fff_ffff))).entry(b())
            },
            &[UnlistedEntry],
        ),
        (
            "a header left behind, and bytes behind it",
            Zip {
                directory_order: Some(vec![1, 2]),
                ..one(a()).entry(a().place(Place::At(0x7fff_ffff))).entry(b().gap_before("gap"))
            },
            &[BytesBetween],
        ),
        // Descriptors.
        ("a descriptor", one(a().descriptor(Form::SIGNED_32)).entry(b()), &[]),
        ("a bare one", one(a().descriptor(Form::BARE_32)).entry(b()), &[]),
        ("a wide one", one(a().descriptor(Form::SIGNED_64)).entry(b()), &[]),
        ("a wide, bare one", one(a().descriptor(Form::BARE_64)).entry(b()), &[]),
        (
            "a gap behind a descriptor",
            one(a().descriptor(Form::SIGNED_32)).entry(b().gap_before("x")),
            &[BytesBetween],
        ),
        (
            "no content, where zeros make one form another",
            Zip::new().entries(Form::ALL.map(|form| {
                let name = format!("{}{}", form.signature, form.wide);
                Zipped::stored(name, "").descriptor(form)
            })),
            &[],
        ),
        (
            "no content, and a byte behind it",
            one(Zipped::stored("a", "").descriptor(Form::SIGNED_64)).entry(b().gap_before("x")),
            &[BytesBetween],
        ),
        (
            "a local size that is not the directory's",
            one(a().descriptor(Form::SIGNED_32).edit_local(|header| header.compressed_size = 4)),
            &[LocalBesideDescriptor],
        ),
        (
            "a local CRC-32 that is not",
            one(a().descriptor(Form::SIGNED_32).edit_local(|header| header.crc32 = 1)),
            &[LocalBesideDescriptor],
        ),
        (
            "a local size that is the directory's",
            one(a().descriptor(Form::SIGNED_32).edit_local(|header| header.uncompressed_size = 5)),
            &[],
        ),
        (
            "local zip64 sizes of zero",
            one(a().descriptor(Form::SIGNED_64).zip64(Saturated::SIZES, Saturated::NONE)),
            &[],
        ),
        (
            "saturated local sizes that no field resolves",
            one(a().descriptor(Form::SIGNED_32).edit_local(|header| {
                header.compressed_size = u32::MAX;
            })),
            &[LocalBesideDescriptor],
        ),
        // Zip64 extra fields.
        ("a zip64 field as it is asked for", one(saturated(extra::zip64(&[5]))), &[]),
        ("all of it", one(a().zip64(Saturated::SIZES, Saturated::ALL)), &[]),
        ("one in the local header alone", one(a().zip64(Saturated::SIZES, Saturated::NONE)), &[]),
        ("a value more", one(saturated(extra::zip64(&[5, 5]))), &[Zip64ExtraSurplus]),
        (
            "a byte more",
            one(saturated(extra::field(1, &[5, 0, 0, 0, 0, 0, 0, 0, 0]))),
            &[Zip64ExtraSurplus],
        ),
        (
            "the same field twice",
            one(saturated([extra::zip64(&[5]), extra::zip64(&[5])].concat())),
            &[Zip64ExtraSurplus],
        ),
        (
            "one that nothing asks for",
            one(a().edit_central(|header| header.extra = extra::zip64(&[5, 5]))),
            &[Zip64ExtraSurplus],
        ),
        (
            "an empty one that nothing asks for",
            one(a().edit_central(|header| header.extra = extra::zip64(&[]))),
            &[Zip64ExtraSurplus],
        ),
        (
            "other sizes in the local header alone, where nothing asks for them",
            one(a().edit_local(|header| header.extra = extra::zip64(&[1, 1]))),
            &[Zip64ExtraSurplus],
        ),
        (
            "zeros and the same sizes there",
            one(a().edit_local(|header| header.extra = extra::zip64(&[5, 5])))
                .entry(b().edit_local(|header| header.extra = extra::zip64(&[0, 0]))),
            &[],
        ),
        ("another field", one(a().extra(extra::extended_timestamp(7))), &[]),
        // Names; the rest of their table stands beside the rules.
        ("a backslash", names(&["a\\b"]), &[NameBackslash]),
        ("a name that climbs by a backslash is refused anyway", names(&["a\\..\\b"]), &[]),
        (
            "an unseen character",
            one(Zipped::stored("a\u{202e}b", "").flags(FLAG_UTF8)),
            &[NameInvisible],
        ),
        ("one without the flag", names(&["a\u{200b}b"]), &[NameInvisible]),
        ("bytes that are shown as code page 437", one(Zipped::stored(b"\xad\x82", "")), &[]),
        ("a segment that is a dot", names(&["./a"]), &[NameSegments]),
        ("a segment that begins with one", names(&[".a/.b"]), &[]),
        ("a dot at the end", names(&["a."]), &[NameEnding]),
        ("a colon", names(&["ab:c"]), &[NameColon]),
        ("a drive is refused anyway", names(&["a:c"]), &[]),
        // Names beside each other.
        ("another case", names(&["a", "b", "A"]), &[NamesCollide, NamesCollide]),
        ("three cases", names(&["ab", "aB", "Ab"]), &[NamesCollide; 3]),
        ("another normalization", names(&["\u{e9}", "e\u{301}"]), &[NamesCollide, NamesCollide]),
        ("another case in a folder", names(&["d/a", "D/A"]), &[NamesCollide, NamesCollide]),
        ("another case of the folder alone", names(&["D/a", "d/b"]), &[]),
        ("two directories that differ in case", names(&["D/", "d/"]), &[]),
        ("a file and a directory that do", names(&["D/", "d"]), &[NamesCollide, NamesCollide]),
        ("one name twice is refused anyway", names(&["a", "a"]), &[]),
        ("a directory twice", names(&["d/", "d/"]), &[]),
        ("one name twice and another case", names(&["a", "a", "A"]), &[NamesCollide]),
        ("a file and its directory are refused anyway", names(&["a", "a/"]), &[]),
        (
            "bytes of code page 437 that are shown so",
            { one(Zipped::stored(b"\x82", "")).entry(Zipped::stored("\u{c9}", "")) },
            &[NamesCollide, NamesCollide],
        ),
        ("something below a file", names(&["a", "a/b"]), &[FileWithChildren]),
        ("far below a file", names(&["a/b/c/d", "a/b"]), &[FileWithChildren]),
        ("below a file of another case", names(&["A", "a/b"]), &[FileWithChildren]),
        (
            "below a link",
            one(Zipped::symlink("a", "elsewhere")).entry(Zipped::stored("a/b", "")),
            &[FileWithChildren],
        ),
        ("names between a file and what begins as it", names(&["a", "a!", "a-b", "a.b/c"]), &[]),
        ("below a directory", names(&["a/", "a/b", "a/b.c"]), &[]),
        (
            "raw names, whatever their Unicode path",
            one(with_path("A.txt", "\u{e9}.txt".as_bytes())).entry(Zipped::stored("a.txt", "")),
            &[NamesCollide, NamesCollide],
        ),
        (
            "something below a file that has a Unicode path",
            one(with_path("a", "\u{e9}".as_bytes())).entry(Zipped::stored("a/b", "")),
            &[FileWithChildren],
        ),
        // Unicode Path.
        ("a path of this name", one(with_path("_.txt", "\u{e9}.txt".as_bytes())), &[]),
        ("a path that is the name", one(with_path("a.txt", b"a.txt")), &[]),
        (
            "a path of another name",
            { one(Zipped::stored("a", "").extra(extra::unicode_path(b"b", "\u{e9}"))) },
            &[UnicodePath],
        ),
        ("another name in ASCII", one(with_path("a.txt", b"b.txt")), &[UnicodePath]),
        (
            "two paths",
            one(with_path("a", "\u{e9}".as_bytes()).extra(extra::unicode_path(b"a", "\u{e9}"))),
            &[UnicodePath],
        ),
        (
            "another version",
            one(Zipped::stored("a", "").extra(extra::unicode_path_declaring(
                2,
                fixtures::crc32(b"a"),
                "\u{e9}".as_bytes(),
            ))),
            &[UnicodePath],
        ),
        ("no UTF-8", one(with_path("a", b"\xff")), &[UnicodePath]),
        ("a field that ends early", one(a().extra(extra::field(0x7075, &[1, 2]))), &[UnicodePath]),
        ("a path that climbs", one(with_path("a", "../\u{e9}".as_bytes())), &[UnicodePath]),
        ("a path with a NUL", one(with_path("a", "\u{e9}\0".as_bytes())), &[UnicodePath]),
        ("a path with a backslash", one(with_path("a", "\u{e9}\\b".as_bytes())), &[UnicodePath]),
        ("an empty path", one(with_path("a", b"")), &[UnicodePath]),
        ("a directory's path", one(with_path("a", "\u{e9}/".as_bytes())), &[UnicodePath]),
        (
            "in the directory alone",
            { one(with_path("a", "\u{e9}".as_bytes()).edit_local(|header| header.extra.clear())) },
            &[UnicodePath],
        ),
        (
            "in the local header alone",
            {
                one(with_path("a", "\u{e9}".as_bytes()).edit_central(|header| header.extra.clear()))
            },
            &[UnicodePath],
        ),
        (
            "a path that is another one's name",
            { one(with_path("_", "\u{e9}".as_bytes())).entry(Zipped::stored("\u{e9}", "")) },
            &[NamesCollide, NamesCollide],
        ),
        (
            "more than one rule",
            names(&["./a\\b:c "]),
            &[NameBackslash, NameSegments, NameEnding, NameColon],
        ),
    ];
    let mut seen: Vec<Rule> = table.iter().flat_map(|(_, _, rules)| rules.to_vec()).collect();
    for (name, zip, expected) in table {
        let broken = examined(zip.build());
        let rules: Vec<Rule> = broken.iter().map(|(_, refusal)| refusal.rule).collect();
        assert_eq!(rules, expected, "{name}: {broken:?}");
    }
    seen.retain(|rule| rule.profile() == Profile::Strict);
    let all = Rule::ALL.iter().filter(|rule| rule.profile() == Profile::Strict);
    for rule in all {
        assert!(seen.contains(rule), "{} is broken by no row", rule.label());
    }
}

#[test]
fn a_refusal_says_where_and_what() {
    let built = Zip {
        before_directory: archive_extra_data(b"x"),
        ..Zip::new()
            .entry(a().gap_before("PREFIX"))
            .entry(b().gap_before(ghost("g")))
            .entry(Zipped::stored("A", "hello"))
            .trailing("TRAILING")
    }
    .build_placed();
    let header = |index: usize| built.entries[index].central_header_offset.unwrap() as u64;
    let ghost_len = ghost("g").len() as u64;
    let local = |index: usize| built.entries[index].local_header_offset as u64;
    let directory = built.directory_offset as u64;
    let expected = [
        (None, Rule::BytesBefore, Record::LocalFileHeader, 6, 6),
        (None, Rule::UnlistedEntry, Record::LocalFileHeader, local(1) - ghost_len, ghost_len),
        (None, Rule::BytesBetween, Record::CentralDirectory, directory - 9, 9),
        (Some("A"), Rule::NamesCollide, Record::CentralDirectoryHeader, header(2), header(0)),
        (Some("a"), Rule::NamesCollide, Record::CentralDirectoryHeader, header(0), header(2)),
        (None, Rule::TrailingBytes, Record::EndOfCentralDirectory, built.eocd_offset as u64, 8),
    ];
    let broken = examined(built.bytes);
    let found: Vec<_> = broken
        .iter()
        .map(|(name, r)| (name.as_deref(), r.rule, r.record, r.offset, r.actual))
        .collect();
    assert_eq!(found, expected);
    // Of what could be a longer descriptor the usual one counts where none ends as it should.
    let empty = Zipped::stored("a", "").descriptor(Form::SIGNED_32);
    let broken_by_zeros = examined(one(empty).entry(b().gap_before([0; 9])).build());
    assert_eq!(broken_by_zeros.len(), 1);
    assert_eq!(broken_by_zeros[0].1.actual, 9);
    let text = broken[2].1.to_string();
    assert!(text.ends_with("they begin as an archive extra data record does"), "{text}");
}
