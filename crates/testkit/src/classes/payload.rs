//! E: data that is not what its headers say, cannot be decoded, or costs much.

use super::{Class, b, beside_b, class, deflated, of, plain, refused, served, sized, stored, two};
use crate::builder::Entry;
use crate::fixtures::{crc32, noise};
use crate::record::{FLAG_ENCRYPTED, FLAG_MASKED, FLAG_PATCHED, FLAG_STRONG_ENCRYPTION};

/// 16 MiB of zeros, which DEFLATE makes a thousandth of.
const ZEROS_LEN: usize = 16 << 20;

pub(super) fn classes() -> Vec<Class> {
    let mut classes = lies();
    classes.extend(broken_streams());
    classes.extend(cost());
    classes.extend(methods());
    classes.extend(flags());
    classes.extend(empty_and_directories());
    classes
}

/// `a.txt`, deflated, as it should be.
fn packed() -> Entry {
    deflated("a.txt", "hello")
}

/// `a.txt` with such data of a method, of which the headers say that it gives "hello".
fn data(method: u16, data: impl Into<Vec<u8>>) -> Entry {
    plain(Entry::raw("a.txt", method, data, crc32(b"hello"), 5))
}

fn lies() -> Vec<Class> {
    let long = noise(1_000, 7).repeat(200);
    vec![
        class(
            "E01-crc-bad",
            "another CRC-32 in both headers",
            beside_b(Entry { crc32: 0x1234_5678, ..super::a() }),
        )
        .refuses_a("crc"),
        class(
            "E01b-crc-bad-deflate",
            "200 kB with another CRC-32, which shows at their end alone",
            beside_b(Entry { crc32: 1, ..deflated("a.txt", long) }),
        )
        .refuses_a("crc"),
        class(
            "E02-usize-short",
            "a size that is too small",
            beside_b(Entry { uncompressed_len: 3, ..packed() }),
        )
        .refuses_a("data_long"),
        class(
            "E02b-usize-short-crc-of-prefix",
            "a size that is too small, with the CRC-32 of so much",
            beside_b(Entry { uncompressed_len: 3, crc32: crc32(b"hel"), ..packed() }),
        )
        .refuses_a("data_long"),
        class(
            "E03-usize-long",
            "a size that is too large",
            beside_b(Entry { uncompressed_len: 9, ..packed() }),
        )
        .refuses_a("data_short"),
        class(
            "E04-stored-size-mismatch",
            "two sizes of stored data",
            beside_b(Entry { uncompressed_len: 4, ..super::a() }),
        )
        .refuses_a("stored_sizes"),
    ]
}

fn broken_streams() -> Vec<Class> {
    vec![
        class(
            "E05-deflate-trailing",
            "bytes after the final block",
            beside_b(data(8, [&packed().data[..], b"SMUGGLED"].concat())),
        )
        .refuses_a("data_trailing"),
        class(
            "E06-deflate-truncated",
            "a compressed size two bytes before the end of the stream",
            beside_b(sized(packed(), packed().data.len() as u32 - 2)),
        )
        .refuses_a("data_truncated"),
        class("E07-deflate-invalid", "a block of type 3", beside_b(data(8, *b"\x07\0\0\0\0")))
            .refuses_a("data"),
        class(
            "E07b-deflate-far-distance",
            "a distance to before the beginning",
            beside_b(data(8, *b"\x4b\x04\x01\xfc\xff")),
        )
        .refuses_a("data"),
    ]
}

fn cost() -> Vec<Class> {
    let zeros = vec![0; ZEROS_LEN];
    let bomb = deflated("zeros", &zeros);
    let empty_blocks = [[0, 0, 0, 0xff, 0xff].repeat(200_000), vec![1, 0, 0, 0xff, 0xff]].concat();
    let short_bomb = Entry { uncompressed_len: 100, ..bomb.clone() };
    let nested = two().build();
    vec![
        class("E08-ratio-bomb", "16 MiB of zeros", of([bomb])).reads([served("zeros", zeros)]),
        class("E08b-ratio-bomb-lying", "16 MiB of zeros that declare 100", of([short_bomb]))
            .reads([refused("zeros", "data_long")]),
        class(
            "E15-empty-blocks",
            "a megabyte of empty blocks",
            of([plain(Entry::raw("e.txt", 8, empty_blocks, 0, 0))]),
        )
        .reads([served("e.txt", "")]),
        class(
            "E16-stored-huge-claim",
            "2 GiB in a file of 204 bytes",
            beside_b(
                sized(super::a(), 0x7fff_ffff)
                    .edit_local(|header| header.uncompressed_size = 0x7fff_ffff)
                    .edit_central(|header| header.uncompressed_size = 0x7fff_ffff),
            ),
        )
        .refuses_a("overlap"),
        class("E18-nested-zip", "an archive in an archive", of([deflated("in.zip", &nested)]))
            .reads([served("in.zip", nested)]),
    ]
}

fn methods() -> Vec<Class> {
    let rows = [
        ("E09-method1", 1, "method"),
        ("E09-method9", 9, "data"),
        ("E09-method12", 12, "data"),
        ("E09-method14", 14, "data_truncated"),
        ("E09-method19", 19, "method"),
        ("E09-method93", 93, "data"),
        ("E09-method95", 95, "data_truncated"),
        ("E09-method97", 97, "method"),
        ("E09-method98", 98, "data_truncated"),
        ("E09-method99", 99, "method"),
    ];
    let class = |(id, method, rule)| {
        let junk = data(method, *b"\x01\x02\x03\x04\x05");
        class(id, "five bytes of a method, of its own or none", beside_b(junk)).refuses_a(rule)
    };
    rows.map(class).into()
}

fn flags() -> Vec<Class> {
    let flagged = |flags| beside_b(super::a().flags(flags));
    vec![
        class(
            "E10-zipcrypto",
            "encrypted, with a header of twelve bytes",
            beside_b(data(0, [0; 17]).flags(FLAG_ENCRYPTED)),
        )
        .refuses_a("encrypted"),
        class(
            "E11-strong-enc",
            "strongly encrypted",
            flagged(FLAG_STRONG_ENCRYPTION | FLAG_ENCRYPTED),
        )
        .refuses_a("encrypted"),
        class("E11b-masked-headers", "with a masked local header", flagged(FLAG_MASKED))
            .refuses_a("encrypted"),
        class("E11c-patched", "a patch", flagged(FLAG_PATCHED)).refuses_a("patch"),
        class(
            "E17-version-needed-99",
            "version 9.9 of the format is needed",
            beside_b(
                super::a()
                    .edit_local(|header| header.version_needed = 99)
                    .edit_central(|header| header.version_needed = 99),
            ),
        )
        .refuses_a("version_needed"),
    ]
}

fn empty_and_directories() -> Vec<Class> {
    let empty = |method, crc32| beside_b(plain(Entry::raw("e.txt", method, [], crc32, 0)));
    vec![
        class("E12-deflate-csize0", "deflated, and no data at all", empty(8, 0))
            .serves("e.txt", ""),
        class("E13-empty-crc-nonzero", "no content, and a CRC-32", empty(0, 5))
            .refuses("e.txt", "crc"),
        class("E14-dir-with-data", "a directory with data", of([stored("d/", "hello"), b()]))
            .refuses("d/", "directory_with_data"),
        class("E14b-dir-compressed-empty", "a deflated directory", of([deflated("d/", ""), b()]))
            .serves("d/", ""),
    ]
}
