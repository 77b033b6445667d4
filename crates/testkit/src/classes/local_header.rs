//! C: the local header against the directory, and entries in each other's way.

use super::{
    Class, Expected, a, b, beside_b, class, deflated, of, refused, served, served_b, sized, stored,
    two,
};
use crate::builder::{Archive, Entry, Place};
use crate::overlap::quoted_overlap;
use crate::record::{FLAG_ENCRYPTED, LocalFileHeader};

pub(super) fn classes() -> Vec<Class> {
    let mut classes = contradictions();
    classes.extend(ranges());
    classes.extend(harmless());
    classes
}

/// `b.txt` beside an `a.txt` whose local header was changed.
fn local(change: impl Fn(&mut LocalFileHeader) + Send + Sync + 'static) -> Archive {
    beside_b(a().edit_local(change))
}

fn contradictions() -> Vec<Class> {
    let renamed = |name: &'static str| {
        beside_b(stored("evil.txt", "hello").edit_local(move |header| header.name = name.into()))
    };
    vec![
        class("C01-name-differs", "another name of the same length", renamed("safe.txt"))
            .refuses("evil.txt", "local_name"),
        class("C01b-name-len-differs", "a longer name", renamed("much-longer.txt"))
            .refuses("evil.txt", "local_name"),
        class(
            "C02-method-differs",
            "deflated, and stored according to the local header",
            beside_b(deflated("a.txt", "hello").edit_local(|header| header.method = 0)),
        )
        .refuses_a("local_method"),
        class(
            "C03-csize-differs",
            "another compressed size in the local header",
            local(|header| header.compressed_size = 3),
        )
        .refuses_a("local_size"),
        class(
            "C04-usize-differs",
            "another size in the local header",
            local(|header| header.uncompressed_size = 3),
        )
        .refuses_a("local_size"),
        class(
            "C04b-lfh-sizes-zero",
            "sizes of zero in the local header, and no descriptor announced",
            local(|header| (header.compressed_size, header.uncompressed_size) = (0, 0)),
        )
        .refuses_a("local_size"),
        class(
            "C05-crc-differs",
            "another CRC-32 in the local header",
            local(|header| header.crc32 = 1),
        )
        .refuses_a("local_crc"),
        class(
            "C06a-enc-lfh",
            "encrypted according to the local header",
            local(|header| header.flags = FLAG_ENCRYPTED),
        )
        .refuses_a("local_flags"),
        class(
            "C06b-enc-cdh",
            "encrypted according to the directory",
            beside_b(a().edit_central(|header| header.flags = FLAG_ENCRYPTED)),
        )
        .refuses_a("encrypted"),
        class(
            "C07-lfh-bad-sig",
            "a local header with another signature",
            local(|header| header.signature = 0x0503_4b50),
        )
        .refuses_a("local_signature"),
        class(
            "C08-lfh-extra-shifts",
            "an extra field is declared, of bytes that are the data's",
            local(|header| header.declared_extra_len = Some(2)),
        )
        .refuses_a("overlap"),
        class(
            "C09-lfh-extra-past-eof",
            "an extra field is declared that ends behind the file",
            local(|header| header.declared_extra_len = Some(u16::MAX)),
        )
        .refuses_a("overlap"),
    ]
}

/// The local header and the data of `b.txt`.
fn b_alone() -> Vec<u8> {
    let built = of([b()]).build_placed();
    built.bytes[..built.directory_offset].to_vec()
}

fn ranges() -> Vec<Class> {
    let host = stored("host.bin", b_alone());
    // Behind the host's header of 30 bytes and its name.
    let inside = Place::At(30 + 8);
    let zeros = [0; 50_000];
    let overlapping = (0..50).map(|number| refused(number.to_string(), "overlap"));
    let mut bomb: Vec<Expected> = overlapping.collect();
    bomb[49] = served("49", [0; 100_000]);
    vec![
        class(
            "C10-ghost-lfh",
            "a file between two others that the directory does not list",
            Archive {
                directory_order: Some(vec![0, 2]),
                ..of([a(), stored("ghost.txt", "ghost"), b()])
            },
        )
        .serves_both()
        .strictly(&["unlisted_entry"]),
        class(
            "C11-cd-into-payload",
            "the second entry is inside the data of the first",
            of([host, b().place(inside)]),
        )
        .refuses("host.bin", "overlap"),
        class(
            "C12-two-cd-one-lfh",
            "two names for one local header",
            of([a(), stored("c.txt", "hello").place(Place::SharedWith(0))]),
        )
        .reads(["a.txt", "c.txt"].map(|name| refused(name, "shared_local_header"))),
        class(
            "C13-fifield-quoted",
            "fifty entries that quote each other and end in one kernel",
            quoted_overlap(50, 100_000),
        )
        .reads(bomb),
        class(
            "C14-full-overlap",
            "two hundred headers of one entry",
            Archive { directory_order: Some(vec![0; 200]), ..of([deflated("a.txt", zeros)]) },
        )
        .reads(vec![refused("a.txt", "duplicate_name"); 200]),
        class(
            "C15-data-into-cd",
            "data that reaches into the directory",
            of([sized(a(), 60)
                .edit_central(|header| header.uncompressed_size = 60)
                .edit_local(|header| header.uncompressed_size = 60)]),
        )
        .reads([refused("a.txt", "overlap")]),
        class(
            "C16a-lfh-off-past-eof",
            "a local header behind the end of the file",
            beside_b(a().edit_central(|header| header.local_header_offset = 0x7fff_ffff)),
        )
        .refuses_a("outside_archive"),
        class(
            "C16b-lfh-off-in-cd",
            "a local header where the directory begins",
            of([a(), b().edit_central(|header| header.local_header_offset = 80)]),
        )
        .reads([served("a.txt", "hello"), refused("b.txt", "outside_archive")]),
        class(
            "C19-2byte-overlap",
            "data that reaches two bytes into the next local header",
            beside_b({
                let whole = deflated("a.txt", "hello");
                let cut = whole.data[..5].to_vec();
                sized(Entry { data: cut, ..whole }, 7)
            }),
        )
        .refuses_a("overlap"),
    ]
}

fn harmless() -> Vec<Class> {
    vec![
        class(
            "C17-time-ver-differs",
            "another time and version in the local header",
            local(|header| (header.version_needed, header.time) = (10, 5)),
        )
        .serves_both(),
        class(
            "C18-cd-order",
            "a directory in another order than the files",
            Archive { directory_order: Some(vec![1, 0]), ..two() },
        )
        .reads([served_b(), served("a.txt", "hello")]),
    ]
}
