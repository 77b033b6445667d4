//! B: the zip64 end records, and the extra field 0x0001.

use super::{Class, a, b, beside_b, class, of, two};
use crate::builder::{Archive, Entry, Saturated, Zip64End};
use crate::extra::zip64;
use crate::record::{CentralDirectoryHeader, Zip64Record};

/// The length of each header in the directory of [`two`].
const HEADER_LEN: u32 = 51;

/// [`two`] with zip64 end records, and an end record that leaves everything to them.
fn saturated() -> Archive {
    two().zip64_end(Zip64End::Saturated)
}

/// The same with an end record that says the same.
fn agreeing() -> Archive {
    two().zip64_end(Zip64End::Agreeing)
}

pub(super) fn classes() -> Vec<Class> {
    let mut classes = end_records();
    classes.extend(extra_fields());
    classes
}

fn end_records() -> Vec<Class> {
    let mut hidden = Vec::new();
    let (entries_on_disk, entries_total, directory_size) = (1, 1, u64::from(HEADER_LEN));
    Zip64Record { entries_on_disk, entries_total, directory_size, ..Zip64Record::default() }
        .write(&mut hidden);
    // APPNOTE 4.3.14.4: an ID, a length of four bytes, the data.
    let extensible = [&b"\x37\x13\x38\0\0\0"[..], &hidden].concat();
    vec![
        class("B00-zip64-good", "zip64 end records as they should be", saturated()).serves_both(),
        class(
            "B01-zip64-nosentinel-differs",
            "the end record has the first header as the directory, the zip64 record the second",
            agreeing()
                .edit_zip64_record(|record| {
                    (record.entries_on_disk, record.entries_total) = (1, 1);
                    record.directory_size = HEADER_LEN.into();
                    record.directory_offset += u64::from(HEADER_LEN);
                })
                .edit_end(|end| {
                    (end.entries_on_disk, end.entries_total) = (1, 1);
                    // The second header and the zip64 records, so that it ends where it says.
                    end.directory_size += 56 + 20;
                }),
        )
        .refused("zip64_disagrees"),
        class(
            "B01b-zip64-agree-nosentinel",
            "zip64 end records, and an end record that says the same",
            agreeing(),
        )
        .serves_both(),
        class(
            "B02-locator-offset-wrong",
            "the locator points eight bytes before the zip64 record",
            saturated().edit_zip64_locator(|locator| locator.record_offset -= 8),
        )
        .refused("zip64_not_adjacent"),
        class(
            "B02b-locator-relative-prefix",
            "a prefix that the offsets leave out, the locator's too",
            saturated().prefix("#!/bin/sh..........\n", false),
        )
        .refused("zip64_not_adjacent"),
        class(
            "B03-zip64-extensible-hides",
            "extensible data of the zip64 record that is another zip64 record",
            saturated().edit_zip64_record(move |record| record.extensible = extensible.clone()),
        )
        .refused("zip64_not_adjacent"),
        class(
            "B04-gap-eocd64-locator",
            "a byte between the zip64 record and its locator",
            Archive { after_zip64_record: b"x".to_vec(), ..saturated() },
        )
        .refused("zip64_not_adjacent"),
        class(
            "B04b-gap-locator-eocd",
            "a byte between the locator and the end record",
            Archive { after_zip64_locator: b"x".to_vec(), ..saturated() },
        )
        .refused("directory_outside"),
        class(
            "B05-sentinel-no-locator",
            "an end record that leaves everything to zip64 records that are not there",
            two().edit_end(|end| {
                (end.entries_on_disk, end.entries_total) = (u16::MAX, u16::MAX);
                (end.directory_size, end.directory_offset) = (u32::MAX, u32::MAX);
            }),
        )
        .refused("directory_outside"),
        class(
            "B11-eocd64-size-small",
            "a zip64 record that declares 43 bytes",
            saturated().edit_zip64_record(|record| record.declared_size = Some(43)),
        )
        .refused("zip64_record_size"),
        class(
            "B12-eocd64-huge-count",
            "a zip64 record that counts 2^63 entries",
            saturated().edit_zip64_record(|record| {
                (record.entries_on_disk, record.entries_total) = (1 << 63, 1 << 63);
            }),
        )
        .refused("archive_over_limit"),
        class(
            "B13-eocd64-huge-cdsize",
            "a directory of 2^64 - 1 bytes",
            saturated().edit_zip64_record(|record| record.directory_size = u64::MAX),
        )
        .refused("directory_outside"),
        class(
            "B14-locator-disks2",
            "the locator counts two disks",
            saturated().edit_zip64_locator(|locator| locator.total_disks = 2),
        )
        .refused("several_disks"),
    ]
}

fn saturate_sizes(header: &mut CentralDirectoryHeader) {
    (header.compressed_size, header.uncompressed_size) = (u32::MAX, u32::MAX);
}

/// `a.txt` whose header in the directory has an extra field in the place of both sizes.
fn sized_by(field: Vec<u8>) -> Entry {
    Entry { central_extra: field, ..a() }.edit_central(saturate_sizes)
}

fn extra_fields() -> Vec<Class> {
    let past_32_bits = zip64(&[5 + (1 << 32), 5 + (1 << 32)]);
    vec![
        class(
            "B06-zip64-extra-missing",
            "sizes that are left to an extra field that is not there",
            beside_b(sized_by(Vec::new())),
        )
        .refuses_a("overlap"),
        class(
            "B06b-zip64-extra-short",
            "an extra field with one of the two sizes that are left to it",
            beside_b(sized_by(zip64(&[5]))),
        )
        .refuses_a("zip64_extra_short"),
        class(
            "B07-zip64-extra-long",
            "an extra field with three values, of which one is asked for",
            beside_b(
                Entry { central_extra: zip64(&[5, 5, 0]), ..a() }
                    .edit_central(|header| header.uncompressed_size = u32::MAX),
            ),
        )
        .serves_both()
        .strictly(&["zip64_extra_surplus"]),
        class(
            "B08-zip64-extra-dup",
            "two extra fields that contradict each other",
            beside_b(sized_by([zip64(&[5, 5]), zip64(&[3, 3])].concat())),
        )
        .refuses_a("zip64_extra_twice"),
        class(
            "B09-zip64-extra-unneeded-differs",
            "an extra field with other sizes, which nothing asks for",
            beside_b(a().extra(zip64(&[1, 1]))),
        )
        .serves_both()
        .strictly(&["zip64_extra_surplus"]),
        class(
            "B10-offset-u64max",
            "a local header at 2^64 - 1",
            beside_b(
                Entry { central_extra: zip64(&[u64::MAX]), ..a() }
                    .edit_central(|header| header.local_header_offset = u32::MAX),
            ),
        )
        .refuses_a("outside_archive"),
        class(
            "B10b-size-u64max",
            "2^64 - 1 bytes of data and of content",
            beside_b(sized_by(zip64(&[u64::MAX, u64::MAX]))),
        )
        .refuses_a("overlap"),
        class(
            "B15-zip64-lfh-only",
            "sizes of 64 bits in the local header alone",
            of([a().zip64(Saturated::SIZES, Saturated::NONE), b()]),
        )
        .serves_both(),
        class(
            "B16-zip64-modulo-4g",
            "sizes in the local header that are greater by 2^32",
            beside_b(a().edit_local(move |header| {
                (header.compressed_size, header.uncompressed_size) = (u32::MAX, u32::MAX);
                header.extra = past_32_bits.clone();
            })),
        )
        .refuses_a("local_size"),
    ]
}
