//! The goldens of Go's archive/zip: archives of gigabytes, as the spans of them that are not zero.

use std::path::Path;

use entryway::{Archive, EntryPlan, Standing};
use entryway_testkit::sparse::{Sparse, crc32_of_zeros};

use super::{corpora, gunzip};
use crate::giants::Holes;
use crate::{content_of, drain};

const GIB: u64 = 1 << 30;

/// Reads a golden: its length, the count of spans, and each span's offset, length and
/// bytes.
pub(super) fn golden(path: &Path) -> Holes {
    let bytes = gunzip(path);
    let number = |at: usize, len: usize| {
        let mut number = [0; 8];
        number[..len].copy_from_slice(&bytes[at..at + len]);
        u64::from_le_bytes(number)
    };
    let mut sparse = Sparse::new(number(0, 8));
    let mut at = 12;
    for _ in 0..number(8, 4) {
        let (offset, len) = (number(at, 8), number(at + 8, 4) as usize);
        at += 12;
        sparse = sparse.span(offset, &bytes[at..at + len]);
        at += len;
    }
    assert_eq!(at, bytes.len());
    Holes(sparse)
}

#[test]
fn giants_of_three_writers_are_read() {
    let Some(folder) = corpora("giants_of_three_writers_are_read") else { return };
    let folder = folder.join("go-archive-zip/zip64");
    let mut seen = 0;
    for item in std::fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Some(kind) = name.strip_suffix(".zsparse") else { continue };
        let archive = Archive::open(golden(&path)).expect(kind);
        let (_, kind) = kind.split_once('-').unwrap();
        let sizes: Vec<u64> =
            archive.directory().entries().map(|entry| entry.declared_uncompressed_size).collect();
        let largest = *sizes.iter().max().unwrap();
        let expected = match kind {
            "store-4g-minus-2" => 4 * GIB - 2,
            "store-4g-minus-1" => 4 * GIB - 1,
            "store-exact-4g" => 4 * GIB,
            "store-5g" | "deflate-zeros-5g" | "offset-past-4g" => 5 * GIB,
            _ => largest,
        };
        assert_eq!(largest, expected, "{name}");
        for entry in archive.directory().entries() {
            let found = archive.describe(&entry);
            assert_eq!(found.standing, Standing::Unverified, "{name}");
            let size = entry.declared_uncompressed_size;
            if size > 1 << 20 {
                // Their content is zeros, and this is as much of it as is looked at here.
                assert_eq!(entry.declared_crc32, crc32_of_zeros(size), "{name}");
                let parts = EntryPlan::parts(&found, vec![0..1, 9..100_008]).unwrap();
                assert_eq!(drain(archive.carry_out(parts)), (vec![0; 100_000], Ok(())), "{name}");
            } else {
                assert!(content_of(&archive, &found).is_ok(), "{name}");
            }
        }
        seen += 1;
    }
    assert_eq!(seen, 24);
}
