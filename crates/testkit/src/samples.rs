//! Good archives, one for each form that a reader must accept, with the content they hold.

use crate::builder::{Archive, DescriptorForm, Entry, Saturated, Zip64End};
use crate::extra;
use crate::fixtures::{noise, text};
use crate::record;

/// A good archive and what it holds.
#[derive(Clone, Debug)]
pub struct Sample {
    /// What is special about it.
    pub name: &'static str,
    /// The archive.
    pub archive: Archive,
    /// Raw name and content of each entry, in the order of the central directory.
    pub contents: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whether Info-ZIP unzip 6.0 and CPython's zipfile read it without complaint too.
    pub portable: bool,
}

/// Every good archive.
///
/// Each holds at least two entries with content, unless its name says that it holds fewer, so that
/// a test that breaks one entry can see the rest served.
pub fn good() -> Vec<Sample> {
    let (a, b) = (text(3_000, 1), noise(500, 2));
    let two =
        || Archive::new().entry(Entry::deflated("a.txt", &a)).entry(Entry::stored("dir/b.bin", &b));
    let both = [("a.txt", &a[..]), ("dir/b.bin", &b[..])];
    let with_a = |entry: Entry| Archive::new().entry(entry).entry(Entry::stored("dir/b.bin", &b));
    let deflated_a = || Entry::deflated("a.txt", &a);

    let mut samples = vec![
        sample("two files", two(), &both),
        sample("no entries", Archive::new(), &[]).not_portable(),
        sample(
            "directory, symlink and empty file",
            two()
                .entry(Entry::directory("dir/"))
                .entry(Entry::symlink("link", "a.txt"))
                .entry(Entry::stored("empty", "")),
            &[both[0], both[1], ("dir/", b""), ("link", b"a.txt"), ("empty", b"")],
        ),
        sample("made on MS-DOS", with_a(Entry { mode: None, ..deflated_a() }), &both),
        sample("prefix that offsets count", two().prefix("#!/bin/sh\n", true), &both),
        sample("prefix that offsets ignore", two().prefix("#!/bin/sh\n", false), &both)
            .not_portable(),
        sample("comment", two().comment("made for a test"), &both),
        sample("longest comment", two().comment(text(65_535, 3)), &both),
        sample("trailing zeros", two().trailing([0; 3]), &both),
        sample(
            "comment that ends in zeros, zeros after it",
            two().comment("hello\0\0").trailing([0; 4_096]),
            &both,
        ),
        sample("gap before a local header", with_a(deflated_a().gap_before("0123456789")), &both),
        sample(
            "directory order reversed",
            Archive { directory_order: Some(vec![1, 0]), ..two() },
            &[both[1], both[0]],
        ),
        sample(
            "ghost that the directory leaves out",
            Archive {
                directory_order: Some(vec![0, 2]),
                ..with_a(deflated_a()).entry(Entry::stored("c.txt", "third"))
            },
            &[both[0], ("c.txt", b"third")],
        ),
        sample(
            "archive extra data record",
            Archive { before_directory: record::archive_extra_data(b"extra"), ..two() },
            &both,
        ),
        sample(
            "digital signature",
            Archive { directory_tail: record::digital_signature(b"signed"), ..two() },
            &both,
        )
        .not_portable(),
        sample(
            "entry comment and extended timestamp",
            with_a(Entry {
                comment: b"an entry".to_vec(),
                ..deflated_a().extra(extra::extended_timestamp(1_700_000_000))
            }),
            &both,
        ),
        sample("zip64 end records", two().zip64_end(Zip64End::Saturated), &both),
        sample("zip64 end records that repeat", two().zip64_end(Zip64End::Agreeing), &both),
        sample(
            "zip64 end records and a comment",
            two().zip64_end(Zip64End::Saturated).comment("made for a test"),
            &both,
        ),
        sample(
            "zip64 sizes in both headers",
            with_a(deflated_a().zip64(Saturated::SIZES, Saturated::SIZES)),
            &both,
        ),
        sample(
            "zip64 sizes in the local header alone",
            with_a(deflated_a().zip64(Saturated::SIZES, Saturated::NONE)),
            &both,
        ),
        sample(
            "zip64 offset alone",
            with_a(deflated_a().zip64(Saturated::NONE, Saturated::OFFSET)),
            &both,
        ),
        sample(
            "zip64 in every field",
            with_a(deflated_a().zip64(Saturated::SIZES, Saturated::ALL))
                .zip64_end(Zip64End::Saturated),
            &both,
        )
        .not_portable(),
        sample(
            "zip64 extra field longer than needed",
            with_a(deflated_a().edit_central(|header| {
                let size = u64::from(header.uncompressed_size);
                header.uncompressed_size = u32::MAX;
                header.extra = extra::zip64(&[size, 5, 0]);
            })),
            &both,
        )
        .not_portable(),
        sample(
            "names beyond ASCII",
            two()
                .entry(Entry::stored("caf\u{e9}/\u{65e5}\u{672c}.txt", "utf-8"))
                .entry(Entry::stored(b"\x82.txt", "cp437"))
                .entry(Entry::stored("x.txt", "path").unicode_path("\u{e9}.txt")),
            &[both[0], both[1], ("caf\u{e9}/\u{65e5}\u{672c}.txt", b"utf-8")],
        )
        .and(b"\x82.txt", b"cp437")
        .and(b"x.txt", b"path"),
        sample(
            "names as bsdtar writes them",
            Archive::new()
                .entry(Entry::directory("./"))
                .entry(Entry::deflated("./a.txt", &a))
                .entry(Entry::stored("./dir/b.bin", &b)),
            &[("./", b""), ("./a.txt", &a), ("./dir/b.bin", &b)],
        ),
        sample(
            "the same directory twice",
            two().entry(Entry::directory("d/")).entry(Entry::directory("d/")),
            &[both[0], both[1], ("d/", b""), ("d/", b"")],
        ),
        sample(
            "deflated empty file of no bytes",
            two().entry(Entry::raw("empty", 8, [], 0, 0)),
            &[both[0], both[1], ("empty", b"")],
        )
        .not_portable(),
    ];
    for (name, stored, form) in [
        ("descriptor, signed 32", false, DescriptorForm::SIGNED_32),
        ("descriptor, signed 64", false, DescriptorForm::SIGNED_64),
        ("descriptor, bare 32", false, DescriptorForm::BARE_32),
        ("descriptor, bare 64", false, DescriptorForm::BARE_64),
        ("descriptor after stored data, signed 32", true, DescriptorForm::SIGNED_32),
        ("descriptor after stored data, bare 64", true, DescriptorForm::BARE_64),
    ] {
        let entry = if stored { Entry::stored("a.txt", &a) } else { deflated_a() };
        samples.push(sample(name, with_a(entry.descriptor(form)), &both));
    }
    samples
}

fn sample(name: &'static str, archive: Archive, contents: &[(&str, &[u8])]) -> Sample {
    let contents = contents
        .iter()
        .map(|(name, content)| (name.as_bytes().to_vec(), content.to_vec()))
        .collect();
    Sample { name, archive, contents, portable: true }
}

impl Sample {
    fn not_portable(mut self) -> Self {
        self.portable = false;
        self
    }

    fn and(mut self, name: &[u8], content: &[u8]) -> Self {
        self.contents.push((name.to_vec(), content.to_vec()));
        self
    }
}
