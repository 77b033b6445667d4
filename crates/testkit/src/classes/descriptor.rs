//! D: data descriptors.

use super::{Class, a, beside_b, class, deflated};
use crate::builder::{DescriptorForm, Entry};
use crate::fixtures::crc32;
use crate::record::{DATA_DESCRIPTOR, FLAG_DATA_DESCRIPTOR};

/// Ten bytes whose CRC-32 is the signature of a data descriptor.
const CONTENT_LIKE_A_SIGNATURE: &[u8; 10] = b"abcdefC3\xf4\x9e";

/// `a.txt`, deflated, with a descriptor of the usual form.
fn described() -> Entry {
    deflated("a.txt", "hello").descriptor(DescriptorForm::SIGNED_32)
}

pub(super) fn classes() -> Vec<Class> {
    assert_eq!(crc32(CONTENT_LIKE_A_SIGNATURE), DATA_DESCRIPTOR);
    let of_form = |form| beside_b(deflated("a.txt", "hello").descriptor(form));
    let undescribed = deflated("a.txt", "hello").flags(FLAG_DATA_DESCRIPTOR).edit_local(|header| {
        (header.crc32, header.compressed_size, header.uncompressed_size) = (0, 0, 0);
    });
    vec![
        class("D01-dd-sig", "a descriptor", of_form(DescriptorForm::SIGNED_32)).serves_both(),
        class(
            "D02-dd-nosig",
            "a descriptor without its signature",
            of_form(DescriptorForm::BARE_32),
        )
        .serves_both(),
        class(
            "D03-dd-crc-bad",
            "another CRC-32 in the descriptor",
            beside_b(described().edit_descriptor(|descriptor| descriptor.crc32 = 1)),
        )
        .refuses_a("descriptor"),
        class(
            "D04-dd-size-bad",
            "another size in the descriptor",
            beside_b(described().edit_descriptor(|descriptor| descriptor.uncompressed_size = 1)),
        )
        .refuses_a("descriptor"),
        class(
            "D05a-ddflag-lfh-only",
            "a descriptor that the local header alone announces",
            beside_b(described().edit_central(|header| header.flags = 0)),
        )
        .refuses_a("local_flags"),
        class(
            "D05b-ddflag-cd-only",
            "a descriptor that the directory alone announces, and that is not there",
            beside_b(a().edit_central(|header| header.flags = FLAG_DATA_DESCRIPTOR)),
        )
        .refuses_a("overlap"),
        class(
            "D06-stored-dd",
            "a descriptor behind stored data",
            beside_b(a().descriptor(DescriptorForm::SIGNED_32)),
        )
        .serves_both(),
        class(
            "D07-dd-missing",
            "a descriptor that both headers announce, and that is not there",
            beside_b(undescribed),
        )
        .refuses_a("overlap"),
        class(
            "D08-dd-64bit-no-zip64",
            "a descriptor of 64 bits without zip64",
            of_form(DescriptorForm::SIGNED_64),
        )
        .serves_both(),
        class(
            "D09-crc-is-dd-sig",
            "a bare descriptor whose CRC-32 looks like the signature",
            beside_b(
                deflated("a.txt", CONTENT_LIKE_A_SIGNATURE).descriptor(DescriptorForm::BARE_32),
            ),
        )
        .serves("a.txt", CONTENT_LIKE_A_SIGNATURE),
        class(
            "D10-dd-lfh-sizes-set-wrong",
            "sizes in the local header before a descriptor, and wrong ones",
            beside_b(described().edit_local(|header| {
                (header.compressed_size, header.uncompressed_size) = (99, 99);
            })),
        )
        .serves_both()
        .strictly(&["local_beside_descriptor"]),
    ]
}
