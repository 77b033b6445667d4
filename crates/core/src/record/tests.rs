//! Arbitrary bytes as every record.

use std::fmt::Debug;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Bytes among which short lengths are frequent, behind any signature or none.
fn any_record() -> impl Strategy<Value = Vec<u8>> {
    let signature = select(vec![
        &LocalFileHeader::SIGNATURE[..],
        &CentralDirectoryHeader::SIGNATURE,
        &EndOfCentralDirectory::SIGNATURE,
        &Zip64EndOfCentralDirectoryRecord::SIGNATURE,
        &Zip64EndOfCentralDirectoryLocator::SIGNATURE,
        &DataDescriptor::SIGNATURE,
        b"",
    ]);
    let byte = prop_oneof![4 => Just(0), 1 => 0u8..30, 1 => any::<u8>()];
    (signature, proptest::collection::vec(byte, 0..160))
        .prop_map(|(signature, rest)| [signature, &rest].concat())
}

/// A record as text, and its length.
type Parsed = Option<(String, usize)>;

fn parsed<R: Debug>(record: Option<R>, len: impl Fn(&R) -> usize) -> Parsed {
    record.map(|record| (format!("{record:?}"), len(&record)))
}

/// What each parser makes of these bytes.
fn every_parser(bytes: &[u8]) -> Vec<(&'static str, Parsed)> {
    let mut all = vec![
        ("local header", parsed(LocalFileHeader::parse(bytes), |_| LocalFileHeader::FIXED_LEN)),
        (
            "directory header",
            parsed(CentralDirectoryHeader::parse(bytes), CentralDirectoryHeader::record_len),
        ),
        ("end record", parsed(EndOfCentralDirectory::parse(bytes), |_| EndOfCentralDirectory::LEN)),
        (
            "zip64 record",
            parsed(Zip64EndOfCentralDirectoryRecord::parse(bytes), |_| {
                Zip64EndOfCentralDirectoryRecord::LEN
            }),
        ),
        (
            "zip64 locator",
            parsed(Zip64EndOfCentralDirectoryLocator::parse(bytes), |_| {
                Zip64EndOfCentralDirectoryLocator::LEN
            }),
        ),
    ];
    for form in DescriptorForm::ALL {
        all.push((
            "descriptor",
            parsed(DataDescriptor::parse(bytes, form), |_| form.encoded_len()),
        ));
    }
    all
}

/// Under Miri each case takes some thousand times as long, and there are no files.
fn random_cases() -> ProptestConfig {
    let cases = if cfg!(miri) { 40 } else { 4_000 };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(random_cases())]

    #[test]
    fn a_record_is_read_from_its_own_bytes_and_from_no_others(bytes in any_record()) {
        for (index, (name, parsed)) in every_parser(&bytes).into_iter().enumerate() {
            let Some((record, len)) = parsed else { continue };
            prop_assert!(len <= bytes.len(), "{name}: {len} of {}", bytes.len());
            let alone = every_parser(&bytes[..len]).swap_remove(index).1;
            prop_assert_eq!(alone, Some((record, len)), "{}: others count too", name);
            let short = every_parser(&bytes[..len - 1]).swap_remove(index).1;
            prop_assert_eq!(short, None, "{}: a byte is missing", name);
        }
    }

    #[test]
    fn a_walk_over_extra_fields_ends(bytes in any_record(), saturated in any::<[bool; 4]>()) {
        let [uncompressed_size, compressed_size, local_header_offset, disk_start] = saturated;
        let saturated =
            Zip64Fields { uncompressed_size, compressed_size, local_header_offset, disk_start };
        let mut walk = ExtraFields::new(&bytes);
        let mut walked = 0;
        for field in walk.by_ref().take(bytes.len() + 2) {
            match field {
                Ok(field) => {
                    walked += 4 + field.data.len();
                    let _ = Zip64Extra::parse(field.data, saturated);
                    let _ = UnicodePath::parse(field.data);
                }
                Err(overrun) => {
                    prop_assert!(overrun.available_len < usize::from(overrun.declared_size));
                    walked += 4 + overrun.available_len;
                }
            }
        }
        prop_assert!(walked <= bytes.len() && bytes.len() - walked < 4, "{} of {}", walked, bytes.len());
        prop_assert_eq!(walk.next(), None);
    }
}
