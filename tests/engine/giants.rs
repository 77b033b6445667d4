//! Archives past 4 GiB and past 65,535 entries, none of which takes more than kilobytes here.

use std::io;

use entryway::source::testing::Counting;
use entryway::{Archive, EntryPlan, FETCH_LEN, FIRST_FETCH_LEN, Found, ReadAt, Rule, Standing};
use entryway_testkit::builder::{self, Entry, Zip64End};
use entryway_testkit::fixtures::deflate;
use entryway_testkit::sparse::{Giant, Sparse, many_entries};

use super::{built, content_of, drain, open_and_read, standings};
use entryway_tests_shared::mapped::mapped_file;

const GIB: u64 = 1 << 30;
/// The sizes and offsets round which 32-bit fields end, and far past them.
const EDGES: [u64; 8] =
    [4 * GIB - 2, 4 * GIB - 1, 4 * GIB, 4 * GIB + 1, 5 * GIB, 8 * GIB, 9 * GIB + 7, 20 * GIB];

/// A file of holes as a source.
#[derive(Clone)]
pub(super) struct Holes(pub(super) Sparse);

impl ReadAt for Holes {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.0.read_at(offset, buffer))
    }
}

fn open(giant: &Giant) -> Archive<Counting<Holes>> {
    Archive::open(Counting::new(Holes(giant.archive.clone()))).unwrap()
}

fn find<S: ReadAt>(archive: &Archive<S>, name: &str) -> Found {
    archive.find(name.as_bytes()).unwrap().expect(name)
}

#[test]
fn a_stored_entry_of_any_size_is_found_with_its_numbers() {
    for len in EDGES {
        let giant = Giant::stored_zeros(len);
        let archive = open(&giant);
        assert_eq!(archive.directory().len(), 3);
        for entry in &giant.entries {
            let found = find(&archive, entry.name);
            assert_eq!(found.standing, Standing::Unverified, "{len}, {}", entry.name);
            assert_eq!(found.entry.local_header_offset, entry.local_header_offset);
            assert_eq!(found.entry.declared_compressed_size, entry.data_len);
            assert_eq!(found.entry.declared_uncompressed_size, entry.data_len);
            assert_eq!(found.entry.declared_crc32, entry.crc32);
            assert_eq!(found.boundary, entry.data().end, "{len}, {}", entry.name);
        }
        // What stands before and behind is read whole.
        for (name, content) in
            [("before.txt", "before the zeros\n"), ("after.txt", "after the zeros\n")]
        {
            let found = find(&archive, name);
            assert_eq!(content_of(&archive, &found), Ok(content.into()), "{len}");
        }
    }
}

#[test]
fn a_range_at_the_front_of_a_giant_takes_a_few_reads() {
    let giant = Giant::stored_zeros(5 * GIB);
    let archive = open(&giant);
    let found = find(&archive, "zeros.bin");
    let whole = EntryPlan::whole(&found).unwrap();
    assert_eq!(whole.declared_len(), 5 * GIB);
    assert_eq!(whole.first_fetch().start, giant.entries[1].local_header_offset);
    assert!(whole.first_fetch().end - whole.first_fetch().start <= FIRST_FETCH_LEN);

    let _ = archive.source().take();
    let parts = EntryPlan::parts(&found, vec![0..10, 99_990..100_010, 200_000..200_001]).unwrap();
    assert_eq!(parts.declared_len(), 31);
    assert_eq!(drain(archive.carry_out(parts)), (vec![0; 31], Ok(())));
    let asked = archive.source().take();
    assert!(asked.len() as u64 <= 2 + 200_000 / FETCH_LEN, "{asked:?}");
    assert!(asked.last().unwrap().end < giant.entries[1].data_offset + 300_000);
}

#[test]
fn a_giant_known_to_be_good_says_where_its_last_byte_is() {
    let giant = Giant::stored_zeros(5 * GIB);
    let archive = open(&giant);
    let zeros = &giant.entries[1];
    let standing =
        Standing::Good { data_offset: zeros.data_offset, is_text: false, fits_zstd_coding: false };
    let found = Found { standing, ..find(&archive, "zeros.bin") };
    let data = found.data_extent().unwrap();
    assert_eq!(data, zeros.data());
    assert_eq!(giant.archive.read(data.end..data.end + 4), b"PK\x03\x04");
    let plan = EntryPlan::whole(&found).unwrap();
    assert_eq!(plan.first_fetch(), data.start..data.start + FETCH_LEN);
}

#[test]
fn five_gigabytes_are_verified_entry_by_entry() {
    let giant = Giant::stored_zeros(5 * GIB);
    let archive = Archive::open(Holes(giant.archive.clone())).unwrap();
    let standings = standings(&archive);
    for (entry, (_, standing)) in giant.entries.iter().zip(&standings) {
        let is_text = entry.name.ends_with(".txt");
        assert_eq!(
            *standing,
            Standing::Good { data_offset: entry.data_offset, is_text, fits_zstd_coding: false }
        );
    }
    assert_eq!(standings.len(), 3);

    // One byte in the last of them that is none of zero.
    let last = giant.entries[1].data().end - 1;
    let damaged = Archive::open(Holes(giant.archive.span(last, [1]))).unwrap();
    let rules: Vec<_> = super::standings(&damaged)
        .into_iter()
        .map(|(_, standing)| match standing {
            Standing::Bad(refusal) => Some(refusal.rule),
            _ => None,
        })
        .collect();
    assert_eq!(rules, [None, Some(Rule::Crc), None]);
}

#[test]
fn an_offset_past_four_gigabytes_is_read_from_a_field_of_its_own() {
    for offset in EDGES {
        let giant = Giant::late_local_header(offset);
        let archive = open(&giant);
        let found = find(&archive, "late.txt");
        assert_eq!(found.entry.local_header_offset, offset);
        assert_eq!(content_of(&archive, &found), Ok(b"late\n".to_vec()), "{offset}");
        // The hole before it belongs to nobody.
        let first = find(&archive, "first.txt");
        assert_eq!(first.boundary, offset);
        assert_eq!(content_of(&archive, &first), Ok(b"first\n".to_vec()), "{offset}");
    }
}

/// Holds every number that was found to those that the archive was made of.
fn assert_found(giant: &Giant) -> Archive<Counting<Holes>> {
    assert!(giant.archive.span_len() < 128 << 10, "{} bytes", giant.archive.span_len());
    let archive = open(giant);
    assert_eq!(archive.directory().len(), giant.entries.len());
    assert_eq!(archive.directory().extent().extent.start, giant.directory_offset);
    for entry in &giant.entries {
        let found = find(&archive, entry.name);
        assert_eq!(found.standing, Standing::Unverified, "{}", entry.name);
        assert_eq!(found.entry.local_header_offset, entry.local_header_offset, "{}", entry.name);
        assert_eq!(found.entry.declared_compressed_size, entry.data_len, "{}", entry.name);
        assert_eq!(found.entry.declared_uncompressed_size, entry.content_len, "{}", entry.name);
        assert_eq!(found.entry.declared_crc32, entry.crc32, "{}", entry.name);
        assert!(found.boundary >= entry.data().end, "{}", entry.name);
    }
    archive
}

#[test]
fn twenty_gigabytes_in_two_entries_have_every_number_past_32_bits() {
    let giant = Giant::two_stored_zeros(9 * GIB, 11 * GIB);
    let archive = assert_found(&giant);
    let found = find(&archive, "two.bin");
    let parts = EntryPlan::parts(&found, vec![0..1, 9..100_008]).unwrap();
    assert_eq!(drain(archive.carry_out(parts)), (vec![0; 100_000], Ok(())));
    let after = find(&archive, "after.txt");
    assert!(after.entry.local_header_offset > 20 * GIB);
    assert_eq!(content_of(&archive, &after).as_deref(), Ok(&b"after the zeros\n"[..]));
}

#[test]
fn one_size_past_32_bits_is_read_from_a_field_of_its_own() {
    // Data that is shorter than its content by much, and data that is longer by the headers of
    // blocks without compression; a decoder that wants the beginning never comes to what is missing.
    let shrunk = deflate(9, &[0; 1 << 20]);
    let grown = deflate(0, &[0; 200_000]);
    for (name, front, data_len, content_len) in [
        ("content", &shrunk[..shrunk.len() - 20], 6 << 20, 5 * GIB),
        ("data", &grown[..100_000], 4 * GIB + 320_000, 4 * GIB - 2),
    ] {
        let giant = Giant::packed_zeros(8, front, data_len, content_len);
        let archive = assert_found(&giant);
        let found = find(&archive, "packed.bin");
        let parts = EntryPlan::parts(&found, vec![0..10, 20_000..30_000]).unwrap();
        assert_eq!(drain(archive.carry_out(parts)), (vec![0; 10_010], Ok(())), "{name}");
        let after = find(&archive, "after.txt");
        assert_eq!(content_of(&archive, &after).as_deref(), Ok(&b"after the zeros\n"[..]));
    }
}

#[test]
fn a_directory_past_four_gigabytes_is_found_behind_a_hole_and_behind_a_prefix() {
    for offset in EDGES {
        let giant = Giant::late_directory(offset);
        let archive = assert_found(&giant);
        let first = find(&archive, "first.txt");
        assert_eq!(content_of(&archive, &first).as_deref(), Ok(&b"first\n"[..]), "{offset}");

        // An archive of 32-bit numbers, which count from where it begins.
        let small = builder::Archive::new().entry(Entry::deflated("a", "hello hello")).build();
        let shifted = Sparse::new(offset + small.len() as u64).span(offset, small);
        let archive = Archive::open(Holes(shifted)).unwrap();
        assert_eq!(archive.directory().extent().base_offset, offset);
        let found = find(&archive, "a");
        assert_eq!(found.entry.local_header_offset, offset);
        assert_eq!(content_of(&archive, &found).as_deref(), Ok(&b"hello hello"[..]), "{offset}");
    }
}

#[test]
fn counts_round_65_535_are_read_with_and_without_zip64() {
    for (count, zip64_end) in [
        (65_534, Zip64End::Never),
        (65_535, Zip64End::Never),
        (65_535, Zip64End::Saturated),
        (65_535, Zip64End::Agreeing),
        (65_536, Zip64End::WhereNeeded),
        (70_000, Zip64End::WhereNeeded),
    ] {
        let archive = Archive::open(built(&many_entries(count).zip64_end(zip64_end))).unwrap();
        assert_eq!(archive.directory().len(), count, "{zip64_end:?}");
        for number in [0, 1, 65_533, count - 1] {
            let name = number.to_string();
            let found = find(&archive, &name);
            assert_eq!(content_of(&archive, &found), Ok(name.into_bytes()), "{count}");
        }
        assert_eq!(archive.find(count.to_string().as_bytes()), Ok(None));
    }
}

#[test]
fn a_count_that_lost_its_high_bits_is_refused() {
    for count in [65_536, 65_537, 131_072] {
        let bytes = built(&many_entries(count).zip64_end(Zip64End::Never));
        let refusal = open_and_read(bytes).unwrap_err();
        // None of 65,536 counted: the directory is then empty, and no record shows where it starts.
        assert_eq!((refusal.rule, refusal.declared), (Rule::EntryCount, count as u64 % 65_536));
    }
}

#[test]
fn a_giant_on_a_disk_is_read_like_one_in_memory() {
    let giant = Giant::two_stored_zeros(9 * GIB, 11 * GIB);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    giant.archive.write_to(file.as_file_mut()).unwrap();
    assert_read_behind(entryway::FileSource::open(file.path()).unwrap());
    assert_read_behind(mapped_file(|file| giant.archive.write_to(file)));
}

/// Reads what stands behind 20 GiB of zeros.
fn assert_read_behind<S: ReadAt>(source: S) {
    let archive = Archive::open(source).unwrap();
    let found = find(&archive, "after.txt");
    assert!(found.entry.local_header_offset > 20 * GIB);
    assert_eq!(content_of(&archive, &found).as_deref(), Ok(&b"after the zeros\n"[..]));
}
