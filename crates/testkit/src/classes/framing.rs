//! A: the end record, where the directory is, and bytes that belong to nobody.

use super::{Class, a, b, beside_b, class, of, served, stored, two};
use crate::builder::{Archive, Entry, Zip64End};
use crate::record;

/// Thirty bytes as a self-extractor has them in front.
const PREFIX: &str = "#!/bin/sh\n#!/bin/sh\n#!/bin/sh\n";

fn evil() -> Archive {
    of([stored("evil.txt", "evil")])
}

/// A whole archive whose offsets count the bytes of [`two`] before it.
fn evil_behind_two() -> Vec<u8> {
    let before = two().build();
    evil().prefix(&before, true).build().split_off(before.len())
}

pub(super) fn classes() -> Vec<Class> {
    let mut classes = vec![
        class("A00-good", "two stored files, nothing odd", two()).serves_both(),
        class("A01-truncated", "the last 30 bytes are missing", cut(two().build(), 30))
            .refused("no_end_record"),
        class(
            "A02a-zip-in-comment",
            "the comment is a whole archive, whose end record ends with the file too",
            two().comment(evil_behind_two()),
        )
        .refused("second_end_record"),
        class(
            "A02b-eocd-in-comment-short",
            "the comment is a whole archive and two more bytes",
            two().comment([&evil_behind_two()[..], b"zz"].concat()),
        )
        .refused("signature_after_end"),
        class(
            "A02c-eocd-sig-in-comment",
            "the comment holds the signature of an end record, zeros and text",
            two().comment([&b"note PK\x05\x06"[..], &[0; 18], b" end"].concat()),
        )
        .refused("signature_after_end"),
        class(
            "A03-comment-len-long",
            "a comment of five bytes is declared and none is there",
            two().edit_end(|end| end.declared_comment_len = Some(5)),
        )
        .refused("no_end_record"),
        class("A04-trailing-junk", "four bytes after the end record", two().trailing("junk"))
            .serves_both()
            .strictly(&["trailing_bytes"]),
        class("A05-trailing-nul", "three zeros after the end record", two().trailing([0; 3]))
            .serves_both()
            .strictly(&["trailing_bytes"]),
        class(
            "A06-prefix-adjusted",
            "a script in front, which the offsets count",
            two().prefix(PREFIX, true),
        )
        .serves_both()
        .strictly(&["bytes_before"]),
        class(
            "A07-prefix-unadjusted",
            "a script in front, which the offsets leave out",
            two().prefix(PREFIX, false),
        )
        .serves_both()
        .strictly(&["bytes_before"]),
        class(
            "A08-concatenated",
            "one archive behind another, as they are",
            [two().build(), evil().build()].concat(),
        )
        .reads([served("evil.txt", "evil")])
        .strictly(&["bytes_before"]),
        class(
            "A09a-cdsize-small",
            "the directory's size is one too small",
            two().edit_end(|end| end.directory_size -= 1),
        )
        .refused("ambiguous_base"),
        class(
            "A09b-cdsize-large",
            "the directory's size is four too large",
            two().edit_end(|end| end.directory_size += 4),
        )
        .refused("directory_outside"),
        class(
            "A10-cdoffset-plus1",
            "the directory's offset is one too large",
            two().edit_end(|end| end.directory_offset += 1),
        )
        .refused("directory_outside"),
    ];
    classes.extend(counts_and_disks());
    classes.extend(round_the_directory());
    classes
}

fn cut(mut bytes: Vec<u8>, len: usize) -> Vec<u8> {
    bytes.truncate(bytes.len() - len);
    bytes
}

/// [`two`] with another count of entries.
fn counted(on_disk: u16, total: u16) -> Archive {
    two().edit_end(move |end| (end.entries_on_disk, end.entries_total) = (on_disk, total))
}

fn counts_and_disks() -> Vec<Class> {
    let many = (0..65_537).map(|number| stored(format!("{number:x}"), ""));
    vec![
        class("A11a-count-low", "one entry is counted, of two", counted(1, 1))
            .refused("entry_count"),
        class("A11b-count-high", "three entries are counted, of two", counted(3, 3))
            .refused("entry_count"),
        class("A11c-count-disk-differs", "one entry on this disk, two in total", counted(1, 2))
            .refused("counts_disagree"),
        class(
            "A12-count-mod65536",
            "65,537 entries, counted modulo 65,536, without zip64",
            of(many).zip64_end(Zip64End::Never),
        )
        .refused("entry_count"),
        class(
            "A13-multidisk",
            "the second disk of two, with the directory on it",
            two().edit_end(|end| (end.disk, end.directory_disk) = (1, 1)),
        )
        .refused("several_disks"),
        class(
            "A13b-entry-disk1",
            "an entry that begins on another disk",
            beside_b(a().edit_central(|header| header.disk_start = 1)),
        )
        .refuses_a("disk_start"),
    ]
}

fn round_the_directory() -> Vec<Class> {
    vec![
        class(
            "A14-gap-cd-eocd",
            "seven bytes between the directory and the end record",
            Archive { after_directory: b"garbage".to_vec(), ..two() },
        )
        .refused("ambiguous_base"),
        class(
            "A15-cd-bad-sig",
            "the second header of the directory has another signature",
            of([a(), b().edit_central(|header| header.signature = 0x0301_4b50)]),
        )
        .refused("directory_record"),
        class("A16-empty", "an end record and nothing else", Archive::new()).reads([]),
        class(
            "A16b-zero-count-with-cd",
            "a directory of which the end record says that it is empty",
            counted(0, 0).edit_end(|end| end.directory_size = 0),
        )
        .refused("ambiguous_base"),
        class(
            "A17-cd-comment",
            "an entry with a comment",
            beside_b(Entry { comment: b"hi".to_vec(), ..a() }),
        )
        .serves_both(),
        class(
            "A18-gap-before-lfh",
            "ten bytes before the first local header, which the offsets count",
            two().prefix("xxxxxxxxxx", true),
        )
        .serves_both()
        .strictly(&["bytes_before"]),
        class(
            "A19-cd-before-files",
            "the directory stands before the files",
            Archive { directory_first: true, ..of([a()]) },
        )
        .refused("ambiguous_base"),
        class(
            "A20-digital-signature",
            "a digital signature ends the directory",
            Archive { directory_tail: record::digital_signature(b"sign"), ..two() },
        )
        .serves_both(),
        class(
            "A21-pk78-archive-extra",
            "an archive extra data record before the directory",
            Archive { before_directory: record::archive_extra_data(b"xtra"), ..of([a()]) },
        )
        .reads([served("a.txt", "hello")])
        .strictly(&["bytes_between"]),
    ]
}
