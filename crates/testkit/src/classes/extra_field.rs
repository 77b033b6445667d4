//! G: extra fields, and the time that one of them or the header gives.

use super::{Class, beside_b, class, stored};
use crate::builder::{Archive, Entry};
use crate::extra::{extended_timestamp, field, field_declaring};

fn with(fields: impl AsRef<[u8]>) -> Archive {
    beside_b(stored("x", "hello").extra(fields))
}

pub(super) fn classes() -> Vec<Class> {
    let undated = Entry { modified: (u16::MAX, u16::MAX), ..stored("x", "hello") };
    let mut classes = vec![
        class(
            "G01-extra-overrun",
            "a field that overruns",
            with(field_declaring(0x5455, 200, b"")),
        )
        .refuses("x", "extra_overrun"),
    ];
    let harmless = [
        ("G02-extra-trailing3", "three bytes that are no field", with([0; 3])),
        ("G02b-extra-zero-pad", "zeros for alignment", with([0; 64])),
        ("G03-extra-dup-ts", "two times", with(extended_timestamp(0).repeat(2))),
        ("G04-extra-65535", "as much as can be", with(field(0xcafe, &[0; 65_531]))),
        ("G05-date-invalid", "a date in month 15", beside_b(undated)),
        ("G06-ntfs-bad", "a field of NTFS that is too short", with(field(0x000a, b"abc"))),
    ];
    classes
        .extend(harmless.map(|(id, description, archive)| {
            class(id, description, archive).serves("x", "hello")
        }));
    classes
}
