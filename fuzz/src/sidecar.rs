//! Arbitrary bytes as the sidecar of an archive.
//!
//! 1. Nothing panics, reads for ever or past what is there, whatever the pages say.
//! 2. A sidecar of another archive, or of this one at another time, is never opened.
//! 3. As long as every page whose CRC-32 is right is one that was written for the archive, a lookup
//!    ends in the entry and the verdict that were written, or in an error about the sidecar.
//! 4. What an earlier build has written is read back equal, entry by entry.
//!
//! A page that is changed and sealed again is nobody's accident: of that only 1 is asked.

use std::sync::LazyLock;

use bytes::Bytes;
use entryway::sidecar::{Binding, FindError, Sidecar, SortedSidecar};
use entryway::source::testing::Counting;
use entryway::tree::{self, Page};
use entryway::{Archive, EntryPlan, EntryReader, Found, ReadAt, SortedEntries, Standing};
use entryway_testkit::builder::{Archive as Zip, Entry};
use entryway_testkit::fixtures::text;

use crate::draw::Draw;
use crate::reading::{LIMITS, verify};
use crate::zip_mutator::Bytewise;

/// Bytes of a page, and of what it holds before its CRC-32.
const PAGE_LEN: usize = 4_096;
const CONTENT_LEN: usize = PAGE_LEN - 4;

/// The sidecars that were written for [`ARCHIVES`] by an earlier build, in their order.
const WRITTEN: [&[u8]; 2] =
    [include_bytes!("../seeds/sidecar/two-entries"), include_bytes!("../seeds/sidecar/many-names")];

/// Their names.
pub const NAMES: [&str; 2] = ["two-entries", "many-names"];

/// An archive, and what is known of it.
pub struct Known {
    /// The archive.
    pub archive: Archive<Bytes>,
    /// Its entries' verdicts.
    pub standings: Vec<Standing>,
    /// What a sidecar of it is bound to.
    pub binding: Binding,
}

/// Two archives: one that is good, and one of names and entries of every kind.
pub static ARCHIVES: LazyLock<[Known; 2]> = LazyLock::new(|| {
    let good = Zip::new()
        .entry(Entry::deflated("a.txt", text(900, 1)))
        .entry(Entry::stored("dir/b", "stored"));
    let mut many = Zip::new();
    for number in 0..40 {
        many = many.entry(Entry::stored(format!("dir/{number}/{number}.txt"), [b'x'; 3]));
    }
    let many = many
        .entry(Entry::stored("./a.txt", "with a dot"))
        .entry(Entry::stored("shown", "x").unicode_path("\u{e9}"))
        .entry(Entry::stored("\u{e9}.txt", "x"))
        .entry(Entry::stored(b"\xe9", "x"))
        .entry(Entry::stored("twice", "1"))
        .entry(Entry::stored("twice", "2"))
        .entry(Entry::stored("../up", "x"))
        .entry(Entry::deflated("bad", text(300, 2)).edit_local(|header| header.crc32 ^= 1))
        .entry(Entry { crc32: 1, ..Entry::deflated("worse", text(300, 3)) });
    [good, many].map(|zip| {
        let bytes = Bytes::from(zip.build());
        let binding = Binding { sha256: [7; 32], len: ReadAt::len(&bytes), modified_nanos: 5 };
        let archive = Archive::open_within(bytes, LIMITS).expect("an archive");
        let standings = verify(&archive);
        Known { archive, standings, binding }
    })
});

/// Checks one input: a byte that says which archive, then the sidecar.
///
/// # Panics
/// Where a promise is broken: a finding.
pub fn check(input: &[u8]) {
    let Some((&which, sidecar)) = input.split_first() else { return };
    let which = usize::from(which) % 2;
    let known = &ARCHIVES[which];
    for other in [
        Binding { sha256: [8; 32], ..known.binding },
        Binding { len: known.binding.len + 1, ..known.binding },
        Binding { modified_nanos: 6, ..known.binding },
    ] {
        let is_bound = sidecar.len() >= 64
            && sidecar[16..48] == other.sha256
            && sidecar[48..56] == other.len.to_le_bytes()
            && sidecar[56..64] == other.modified_nanos.to_le_bytes();
        let opened = Sidecar::open(Bytes::copy_from_slice(sidecar), &other);
        assert!(opened.is_err() || is_bound, "a sidecar of another archive was opened");
    }
    let source = Counting::new(Bytes::copy_from_slice(sidecar));
    let opened = Sidecar::open_within(source.clone(), &known.binding, LIMITS);
    let Ok(opened) = opened else { return };
    drop(source.take());
    let is_true = is_true(sidecar, &WRITTEN[which][1..]);
    for name in names(known) {
        let found = opened.find(known.archive.source(), &name);
        // A page or two for each page that there is, and what a candidate's record takes.
        let reads = source.take().len();
        assert!(reads <= 8 + 4 * sidecar.len().div_ceil(PAGE_LEN), "{reads} reads for one name");
        if is_true {
            same_as_written(known, &name, &found);
        }
        if let Ok(Some(found)) = found {
            check_reading(known, &found);
        }
    }
    check_sorted(known, &opened, is_true);
}

/// Whether every page that can be believed is one that was written.
fn is_true(sidecar: &[u8], written: &[u8]) -> bool {
    let pages = sidecar.chunks_exact(PAGE_LEN).zip(0u64..);
    pages.filter(|(page, number)| is_sealed(page, *number)).all(|(page, number)| {
        let start = number as usize * PAGE_LEN;
        written.get(start..start + PAGE_LEN) == Some(page)
    })
}

fn seal(content: &[u8], number: u64) -> [u8; 4] {
    crc32fast::hash(&[&number.to_le_bytes(), content].concat()).to_le_bytes()
}

fn is_sealed(page: &[u8], number: u64) -> bool {
    page[CONTENT_LEN..] == seal(&page[..CONTENT_LEN], number)
}

/// Names that there are, in every form, and some that there are not.
fn names(known: &Known) -> Vec<Vec<u8>> {
    let directory = known.archive.directory();
    let mut names: Vec<Vec<u8>> = Vec::new();
    for entry in directory.entries() {
        let found = known.archive.describe(&entry);
        let raw_name = found.raw_name.to_vec();
        names.push(raw_name.strip_prefix(b"./").unwrap_or(&raw_name).to_vec());
        names.push(found.display_name.as_bytes().to_vec());
        names.push(raw_name);
    }
    names.extend([&b""[..], b"absent", b"dir", b"\xff"].map(<[u8]>::to_vec));
    names.sort_unstable();
    names.dedup();
    names
}

/// What was written is found, or nothing is said.
fn same_as_written(known: &Known, name: &[u8], found: &Result<Option<Found>, FindError>) {
    let expected = known.archive.find(name);
    match (expected, found) {
        (_, Err(FindError::Sidecar(_))) => {}
        (Ok(None), Ok(None)) => {}
        (Err(refusal), Err(FindError::Refused(other))) => assert_eq!(refusal, *other),
        (Ok(Some(expected)), Ok(Some(found))) => {
            assert_eq!(expected.entry, found.entry, "{}", name.escape_ascii());
            assert_eq!(expected.raw_name, found.raw_name);
            assert_eq!(expected.display_name, found.display_name);
            let mut entries = known.archive.directory().entries();
            let ordinal = entries.position(|entry| entry == expected.entry);
            let standing = ordinal.and_then(|ordinal| known.standings.get(ordinal));
            assert_eq!(standing, Some(&found.standing), "{}", name.escape_ascii());
        }
        (expected, found) => panic!("{}: {expected:?}, {found:?}", name.escape_ascii()),
    }
}

/// An entry is read by what the sidecar says of it: as far as it goes, within the archive.
fn check_reading(known: &Known, found: &Found) {
    let archive = known.archive.source();
    assert!(found.boundary <= known.binding.len);
    let Ok(plan) = EntryPlan::whole(found) else { return };
    // No content of these archives is longer; one that is not there ends in an error.
    let mut reader = EntryReader::new(archive, plan);
    let mut len = 0;
    while let Ok(Some(chunk)) = reader.next_chunk() {
        len += chunk.len() as u64;
        assert!(len <= found.entry.declared_uncompressed_size);
    }
}

fn check_sorted<S: ReadAt>(known: &Known, sidecar: &Sidecar<S>, is_true: bool) {
    let Ok(mut sorted) = SortedSidecar::new(sidecar, known.archive.source()) else { return };
    if sorted.len() > 1 << 10 {
        // Pages that are sealed anew may say so; each index is read by itself then.
        let _ = sorted.header(sorted.len() - 1).map(drop);
        return;
    }
    let mut in_memory = entryway::SortedDirectory::new(&known.archive);
    for index in 0..sorted.len() {
        let found = sorted.found(index);
        if let (true, Ok(found)) = (is_true, &found) {
            let expected = in_memory.found(index).expect("a directory in memory");
            assert_eq!((&expected.entry, &expected.raw_name), (&found.entry, &found.raw_name));
        }
    }
    let page = Page { number: 1, per_page: 1 << 12 };
    let listed = tree::list(&mut sorted, b"", true, page);
    if let (true, Ok(listed)) = (is_true, listed) {
        assert_eq!(Ok(listed), tree::list(&mut in_memory, b"", true, page));
    }
}

/// Whether a sidecar is that of the archive, whole: what an earlier build has written.
#[must_use]
pub fn reads_back(known: &Known, sidecar: &[u8]) -> bool {
    let Ok(opened) = Sidecar::open(Bytes::copy_from_slice(sidecar), &known.binding) else {
        return false;
    };
    let entries = known.archive.directory().entries().zip(&known.standings);
    opened.entries() == known.standings.len() as u64
        && entries.into_iter().all(|(entry, standing)| {
            let expected = known.archive.describe(&entry);
            match opened.find(known.archive.source(), &expected.raw_name) {
                Ok(Some(found)) if found.entry == entry => found.standing == *standing,
                // The first of several of one name.
                Ok(Some(found)) => found.raw_name == expected.raw_name,
                Ok(None) | Err(_) => false,
            }
        })
}

/// Makes another sidecar out of the first `len` bytes of `data`: pages changed, moved or left out,
/// and sealed again, or not. Gives its length, at most `max`.
pub fn mutate(data: &mut [u8], len: usize, max: usize, seed: u32, bytewise: Bytewise) -> usize {
    let mut draw = Draw::new(seed.into());
    let Some((&mut which, sidecar)) = data[..len].split_first_mut() else {
        return bytewise(data, len, max);
    };
    let mut pages: Vec<Vec<u8>> = sidecar.chunks(PAGE_LEN).map(<[u8]>::to_vec).collect();
    if pages.is_empty() || draw.one_in(8) {
        return bytewise(data, len, max);
    }
    let index = draw.index(pages.len());
    match draw.below(6) {
        0 => {
            let page = pages.remove(index);
            let at = draw.index(pages.len() + 1);
            pages.insert(at, page);
        }
        1 => drop(pages.remove(index)),
        2 => {
            let page = pages[index].clone();
            pages.push(page);
        }
        3 => {
            let page = &mut pages[index];
            let number = [0, 1, u64::from(u32::MAX), u64::MAX, 1 << 40][draw.index(5)];
            let at = draw.index(page.len() / 8) * 8;
            let word = page.iter_mut().skip(at).zip(number.to_le_bytes());
            word.for_each(|(byte, value)| *byte = value);
        }
        _ => {
            let page = &mut pages[index];
            // Where something stands.
            let used = page.iter().rposition(|&byte| byte != 0).map_or(1, |last| last + 1);
            let used = used.min(CONTENT_LEN).min(page.len());
            if used > 0 {
                bytewise(&mut page[..used], used, used);
            }
        }
    }
    if !draw.one_in(3) {
        for (page, number) in pages.iter_mut().zip(0u64..) {
            if page.len() == PAGE_LEN {
                let sealed = seal(&page[..CONTENT_LEN], number);
                page[CONTENT_LEN..].copy_from_slice(&sealed);
            }
        }
    }
    let changed = [&[which][..], &pages.concat()].concat();
    if changed.len() > max {
        return bytewise(data, len, max);
    }
    data[..changed.len()].copy_from_slice(&changed);
    changed.len()
}
