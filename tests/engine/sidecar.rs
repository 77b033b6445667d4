//! The index and the verdicts kept beside an archive: the same answers, or none.

use std::collections::HashMap;

use bytes::Bytes;
use entryway::sidecar::{Binding, FindError, Sidecar, SidecarError, write};
use entryway::{
    Archive, Duplicates, Found, Limit, Limits, Lookup, Policy, Record, Refusal, Rule, Standing,
};
use entryway_testkit::builder::{self, Entry};
use entryway_testkit::{overlap, samples};
use proptest::prelude::*;

use super::{built, random_cases, standings};

const PAGE: usize = 4_096;
const BINDING: Binding = Binding { sha256: [0xa5; 32], len: 0, modified_nanos: 1_700_000_000_123 };

/// An archive, its verdicts in the directory's order, and its sidecar.
pub(super) struct Indexed {
    archive: Archive<Bytes>,
    binding: Binding,
    standings: Vec<Standing>,
    /// The same by the offset of the entry's header.
    by_header: HashMap<u32, Standing>,
    pages: Vec<u8>,
}

impl Indexed {
    fn new(bytes: Bytes) -> Self {
        Self::by(bytes, Policy::default())
    }

    pub(super) fn by(bytes: Bytes, policy: Policy) -> Self {
        let binding = Binding { len: bytes.len() as u64, ..BINDING };
        let archive = Archive::open_within(bytes, policy).expect("an archive that is not refused");
        let facts = standings(&archive);
        let by_header = facts.iter().map(|(entry, fact)| (entry.header_offset, *fact)).collect();
        let standings: Vec<_> = facts.into_iter().map(|(_, fact)| fact).collect();
        let duplicates = archive.policy().duplicates;
        let pages = write(archive.directory(), &binding, &standings, duplicates);
        assert_eq!(pages.len() % PAGE, 0);
        Self { archive, binding, standings, by_header, pages }
    }

    fn open(&self, pages: impl Into<Bytes>) -> Result<Sidecar<Bytes>, SidecarError> {
        Sidecar::open_within(pages.into(), &self.binding, self.archive.policy())
    }

    /// What a lookup through the directory comes to, with the verdict.
    fn expected(&self, name: &[u8]) -> Result<Option<Found>, Refusal> {
        let directory = self.archive.directory();
        match directory.find(name) {
            Lookup::Absent => Ok(None),
            Lookup::Ambiguous => Err(Refusal::ambiguous_name()),
            Lookup::Found(entry) => {
                let standing = self.by_header[&entry.header_offset];
                Ok(Some(Found { standing, ..self.archive.describe(&entry) }))
            }
        }
    }

    /// Every name under which an entry can be asked for, and some that none has.
    fn names(&self) -> Vec<Vec<u8>> {
        let mut names =
            vec![b"absent".to_vec(), b"./absent".to_vec(), Vec::new(), vec![b'x'; 70_000]];
        for entry in self.archive.directory().entries() {
            let found = self.archive.describe(&entry);
            let raw = &found.raw_name[..];
            names.extend([raw.to_vec(), found.display_name.clone().into_string().into_bytes()]);
            names.extend([[b"./", raw].concat(), raw.strip_prefix(b"./").unwrap_or(raw).to_vec()]);
            names.push(raw[..raw.len().saturating_sub(1)].to_vec());
        }
        names.sort();
        names.dedup();
        names
    }

    /// Looks a name up through a sidecar; `None` where it cannot be used.
    fn find(
        &self,
        sidecar: &Sidecar<Bytes>,
        name: &[u8],
    ) -> Option<Result<Option<Found>, Refusal>> {
        match sidecar.find(self.archive.source(), name) {
            Ok(found) => Some(Ok(found)),
            Err(FindError::Refused(refusal)) => Some(Err(refusal)),
            Err(FindError::Sidecar(_)) => None,
            Err(FindError::Archive(error)) => panic!("{error:?}"),
        }
    }

    /// Fails where an answer of the sidecar is another than the directory's.
    fn assert_same(&self, name: &[u8], found: &Result<Option<Found>, Refusal>) {
        let shown = String::from_utf8_lossy(name);
        let expected = self.expected(name);
        // The bound of a good entry is where its data was seen to end.
        let found = match (found, &expected) {
            (Ok(Some(found)), Ok(Some(expected))) => {
                if let Some(data) = found.data_extent() {
                    assert!(
                        data.end == found.boundary && data.end <= expected.boundary,
                        "{shown:?}"
                    );
                }
                Ok(Some(Found { boundary: expected.boundary, ..found.clone() }))
            }
            _ => found.clone(),
        };
        assert_eq!(found, expected, "{shown:?}");
    }

    pub(super) fn assert_all_found(&self, name: &str) {
        let sidecar = self.open(self.pages.clone()).expect(name);
        assert_eq!(sidecar.entries(), self.archive.directory().len() as u64, "{name}");
        for asked in self.names() {
            let found = self.find(&sidecar, &asked).expect(name);
            self.assert_same(&asked, &found);
        }
    }
}

#[test]
fn every_name_is_found_as_the_directory_finds_it() {
    for sample in samples::good() {
        Indexed::new(built(&sample.archive)).assert_all_found(sample.name);
    }
    Indexed::new(Bytes::from(overlap::quoted_overlap(20, 1_000))).assert_all_found("bomb");
}

#[test]
fn bad_entries_keep_their_refusal_to_the_last_number() {
    let content = b"content";
    let indexed = Indexed::new(built(&builder::Archive::new().entries([
        Entry::stored("good", content),
        Entry { crc32: 7, ..Entry::stored("crc", content) },
        Entry::stored("method", content).edit_central(|header| header.method = 97),
        Entry::stored("twice", content),
        Entry::stored("twice", content),
        // A limit is kept with the refusal: 2^32 - 2 bytes out of 7.
        Entry::deflated("ratio", content).edit_central(|header| header.uncompressed_size = !1),
        Entry::stored("text", "a line\n"),
        Entry::stored("binary", b"\0\xff"),
    ])));
    indexed.assert_all_found("bad entries");
    let sidecar = indexed.open(indexed.pages.clone()).unwrap();
    let standing = |name: &str| {
        let found = sidecar.find(indexed.archive.source(), name.as_bytes()).unwrap();
        found.expect(name).standing
    };
    let rule = |name: &str| match standing(name) {
        Standing::Bad(refusal) => refusal.rule,
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(rule("crc"), Rule::Crc);
    assert_eq!(rule("method"), Rule::Method);
    assert_eq!(rule("twice"), Rule::Duplicate);
    assert_eq!(rule("ratio"), Rule::EntryOverLimit);
    assert!(matches!(standing("text"), Standing::Good { is_text: true, .. }));
    assert!(matches!(standing("binary"), Standing::Good { is_text: false, .. }));
    let Standing::Good { data_offset, .. } = standing("good") else { panic!("it is good") };
    assert_eq!(data_offset, 30 + 4);
}

/// Many names out of few, so that they are each other's duplicates and aliases.
pub(super) fn colliding(count: usize, seed: u64) -> builder::Archive {
    let random = entryway_testkit::fixtures::noise(count * 4, seed);
    builder::Archive::new().entries(random.chunks_exact(4).map(|four| {
        let number = u16::from_le_bytes([four[0], four[1]]) % 3_000;
        let name = match four[2] % 5 {
            0 => format!("./{number}"),
            1 => format!("{number}/"),
            2 => format!("folder/{number}.txt"),
            _ => format!("{number}"),
        };
        let entry = Entry::stored(name, "");
        match four[3] % 6 {
            0 => entry.unicode_path(&format!("\u{e9}{}", number % 500)),
            1 => entry.unicode_path(&format!("{}", number % 500)),
            2 => entry.edit_local(|header| header.crc32 = 1),
            _ => entry,
        }
    }))
}

#[test]
fn five_thousand_colliding_names_are_found_as_the_directory_finds_them() {
    Indexed::new(built(&colliding(5_000, 1))).assert_all_found("colliding");
}

#[test]
fn thousands_of_one_name_are_found_as_the_directory_finds_them() {
    let same = |_| Entry::stored("./same", "").unicode_path("shown");
    let shown = |number| Entry::stored(format!("{number}"), "").unicode_path("shown");
    let archive = builder::Archive::new()
        .entries((0..2_000).map(same))
        .entries((0..2_000).map(shown))
        .entry(Entry::stored("other", ""));
    let indexed = Indexed::new(built(&archive));
    let sidecar = indexed.open(indexed.pages.clone()).unwrap();
    for asked in ["./same", "same", "shown", "other", "0", "63", "64", "65", "1999", "2000", "./"] {
        let found = indexed.find(&sidecar, asked.as_bytes()).unwrap();
        indexed.assert_same(asked.as_bytes(), &found);
    }
}

#[test]
fn entries_are_listed_in_the_order_of_their_names() {
    for archive in [colliding(3_000, 2), builder::Archive::new()] {
        let indexed = Indexed::new(built(&archive));
        let sidecar = indexed.open(indexed.pages.clone()).unwrap();
        let directory = indexed.archive.directory();
        let entries: Vec<_> = directory.entries().collect();
        let mut listed = Vec::new();
        for index in 0.. {
            let Some((record_offset, ordinal)) = sidecar.sorted(index).unwrap() else { break };
            let entry = &entries[ordinal as usize];
            assert_eq!(entry.header_offset, record_offset);
            listed.push((directory.raw_name(entry), ordinal));
        }
        assert_eq!(listed.len(), directory.len());
        assert!(listed.is_sorted(), "names ascend, and equal ones in the directory's order");
        assert_eq!(sidecar.sorted(u64::MAX), Ok(None));
    }
}

/// Asks a damaged sidecar for everything; gives how many answers were refused.
fn refused_answers(indexed: &Indexed, pages: Vec<u8>, names: &[Vec<u8>]) -> usize {
    let Ok(sidecar) = indexed.open(pages) else { return names.len() };
    let mut refused = 0;
    for name in names {
        match indexed.find(&sidecar, name) {
            Some(found) => indexed.assert_same(name, &found),
            None => refused += 1,
        }
    }
    for index in 0..sidecar.entries() {
        match sidecar.sorted(index) {
            Err(SidecarError::Damaged { .. }) => refused += 1,
            Err(other) => panic!("{other:?}"),
            Ok(item) => {
                assert!(item.is_some_and(|(_, ordinal)| u64::from(ordinal) < sidecar.entries()));
            }
        }
    }
    refused
}

/// Sections of several pages each.
fn indexed_in_pages() -> (Indexed, Vec<Vec<u8>>) {
    let indexed = Indexed::new(built(&colliding(1_500, 3)));
    assert!(indexed.pages.len() / PAGE >= 15, "{} pages", indexed.pages.len() / PAGE);
    let names = indexed.names();
    (indexed, names)
}

#[test]
fn a_changed_byte_in_any_page_is_noticed() {
    let (indexed, names) = indexed_in_pages();
    for page in 0..indexed.pages.len() / PAGE {
        for offset in [0, 8, 12, 100, 2_047, PAGE - 5, PAGE - 4, PAGE - 1] {
            let mut pages = indexed.pages.clone();
            pages[page * PAGE + offset] ^= 0x40;
            assert!(refused_answers(&indexed, pages, &names) > 0, "page {page}, byte {offset}");
        }
    }
}

#[test]
fn pages_in_each_others_place_are_noticed() {
    let (indexed, names) = indexed_in_pages();
    let last = indexed.pages.len() / PAGE - 1;
    for page in 0..last {
        let mut pages = indexed.pages.clone();
        let (front, back) = pages.split_at_mut((page + 1) * PAGE);
        front[page * PAGE..].swap_with_slice(&mut back[..PAGE]);
        assert!(refused_answers(&indexed, pages, &names) > 0, "pages {page} and {}", page + 1);
    }
}

#[test]
fn a_sidecar_cut_at_any_page_is_noticed() {
    let (indexed, names) = indexed_in_pages();
    for page in 0..indexed.pages.len() / PAGE {
        for len in [page * PAGE, page * PAGE + 1, page * PAGE + PAGE - 1] {
            let pages = indexed.pages[..len].to_vec();
            assert!(refused_answers(&indexed, pages, &names) > 0, "{len} bytes");
        }
    }
}

#[test]
fn a_sidecar_is_used_for_its_archive_alone() {
    let indexed = Indexed::new(built(&samples::good()[0].archive));
    let open =
        |binding: &Binding| Sidecar::open(Bytes::from(indexed.pages.clone()), binding).map(|_| ());
    assert_eq!(open(&indexed.binding), Ok(()));
    for byte in 0..32 {
        let mut binding = indexed.binding;
        binding.sha256[byte] ^= 1;
        assert_eq!(open(&binding), Err(SidecarError::Foreign), "byte {byte} of the digest");
    }
    let (len, modified_nanos) = (indexed.binding.len, indexed.binding.modified_nanos);
    for binding in [
        Binding { len: len + 1, ..indexed.binding },
        Binding { len: len - 1, ..indexed.binding },
        Binding { modified_nanos: modified_nanos + 1, ..indexed.binding },
        Binding { modified_nanos: -modified_nanos, ..indexed.binding },
        Binding { modified_nanos: 0, ..indexed.binding },
    ] {
        assert_eq!(open(&binding), Err(SidecarError::Foreign), "{binding:?}");
    }
    let before_1970 = Binding { modified_nanos: -5, ..indexed.binding };
    let directory = indexed.archive.directory();
    let pages = write(directory, &before_1970, &indexed.standings, Duplicates::Refuse);
    assert!(Sidecar::open(Bytes::from(pages), &before_1970).is_ok());
}

/// Gives a page the checksum that its number and content ask for.
fn seal(pages: &mut [u8], number: usize) {
    let page = &mut pages[number * PAGE..(number + 1) * PAGE];
    let mut crc32 = crc32fast::Hasher::new();
    crc32.update(&(number as u64).to_le_bytes());
    crc32.update(&page[..PAGE - 4]);
    page[PAGE - 4..].copy_from_slice(&crc32.finalize().to_le_bytes());
}

/// Where the section table stands in the first page, and how long its items are.
const TABLE: usize = 120;
const SECTION: usize = 24;

#[test]
fn sections_of_later_versions_are_skipped() {
    let indexed = Indexed::new(built(&colliding(300, 4)));
    let mut pages = indexed.pages.clone();
    let sections = pages[12] as usize;
    // A section of one page, in front of all others in the table.
    let table = pages[TABLE..TABLE + sections * SECTION].to_vec();
    let unknown = [
        99u32.to_le_bytes().to_vec(),
        32u32.to_le_bytes().to_vec(),
        ((pages.len() / PAGE) as u64).to_le_bytes().to_vec(),
        3u64.to_le_bytes().to_vec(),
    ]
    .concat();
    pages[TABLE..TABLE + SECTION].copy_from_slice(&unknown);
    pages[TABLE + SECTION..TABLE + (sections + 1) * SECTION].copy_from_slice(&table);
    pages[12] += 1;
    pages.resize(pages.len() + PAGE, 0xee);
    seal(&mut pages, 0);
    assert_eq!(refused_answers(&indexed, pages, &indexed.names()), 0);
}

#[test]
fn a_header_that_contradicts_itself_is_refused() {
    let indexed = Indexed::new(built(&colliding(300, 5)));
    let table: [(&str, usize, u64, SidecarError); 11] = [
        ("magic", 0, 0, SidecarError::Unknown),
        ("an earlier version", 8, 5 << 32 | 1, SidecarError::Unknown),
        ("a later version", 8, 5 << 32 | 4, SidecarError::Unknown),
        ("sections without end", 8, u64::from(u32::MAX) << 32 | 3, damaged()),
        ("directory's start", 72, u64::MAX, damaged()),
        ("directory's end", 80, u64::MAX, damaged()),
        ("directory reversed", 80, 0, damaged()),
        ("count of entries", 104, 301, damaged()),
        ("a choice that is none", 112, 3, SidecarError::Outdated),
        ("items of another size", TABLE, 9 << 32 | 1, damaged()),
        ("count of facts", TABLE + 3 * SECTION + 16, 299, damaged()),
    ];
    for (name, at, number, expected) in table {
        let mut pages = indexed.pages.clone();
        pages[at..at + 8].copy_from_slice(&number.to_le_bytes());
        seal(&mut pages, 0);
        assert_eq!(indexed.open(pages).map(|_| ()), Err(expected), "{name}");
    }
}

fn damaged() -> SidecarError {
    SidecarError::Damaged { page: 0 }
}

proptest! {
    #![proptest_config(random_cases(1_500))]

    #[test]
    fn no_numbers_under_right_checksums_make_a_lookup_panic(
        changes in proptest::collection::vec(
            (any::<prop::sample::Index>(), 0..PAGE - 4,
             prop_oneof![any::<u64>(), Just(u64::MAX), Just(0), 0u64..5_000]), 1..5),
        whole_page in proptest::option::weighted(0.3, any::<prop::sample::Index>()),
        filler in prop_oneof![Just([0xffu8; 8]), Just([0; 8]), any::<[u8; 8]>()],
    ) {
        let indexed = Indexed::new(built(&colliding(40, 6)));
        let mut pages = indexed.pages.clone();
        let count = pages.len() / PAGE;
        if let Some(page) = whole_page {
            // Not the first one: that must name the archive to be looked at.
            let page = 1 + page.index(count - 1);
            for (byte, fill) in pages[page * PAGE..][..PAGE].iter_mut().zip(filler.iter().cycle()) {
                *byte = *fill;
            }
        }
        for (page, at, number) in changes {
            let page = page.index(count);
            let at = if page == 0 { 64 + at % 200 } else { at };
            let at = page * PAGE + at.min(PAGE - 12);
            pages[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        for page in 0..count {
            seal(&mut pages, page);
        }
        let Ok(sidecar) = indexed.open(pages) else { return Ok(()) };
        for name in indexed.names() {
            // Any answer or error, as long as there is one.
            let _ = sidecar.find(indexed.archive.source(), &name);
        }
        for index in [0, 1, 39, 40, u64::MAX] {
            let _ = sidecar.sorted(index);
        }
    }
}

#[test]
fn a_refusal_that_may_not_hold_any_more_is_looked_into_again() {
    let content = b"content";
    let indexed = Indexed::new(built(&builder::Archive::new().entry(Entry::stored("a", content))));
    let refused = |rule, limit| Refusal {
        rule,
        record: Record::FileData,
        offset: 31,
        declared: 64 << 20,
        actual: 96 << 20,
        limit,
    };
    let of_memory = refused(Rule::EntryOverLimit, Some(Limit::DecoderMemory));
    let table = [
        ("a limit that was not raised", of_memory, 64 << 20, false),
        ("a limit that was raised, not enough", of_memory, (96 << 20) - 1, false),
        ("a limit that was raised", of_memory, 96 << 20, true),
        ("a method that is built by now", refused(Rule::Method, None), 64 << 20, true),
        ("content", refused(Rule::Crc, None), !0, false),
    ];
    for (name, refusal, decoder_memory, is_outdated) in table {
        let (directory, binding) = (indexed.archive.directory(), &indexed.binding);
        let standings = [Standing::Bad(refusal)];
        let pages = Bytes::from(write(directory, binding, &standings, Duplicates::Refuse));
        let limits = Limits { decoder_memory, ..Limits::default() };
        let sidecar = Sidecar::open_within(pages, binding, limits).unwrap();
        let found = sidecar.find(indexed.archive.source(), b"a");
        if is_outdated {
            assert_eq!(found, Err(FindError::Sidecar(SidecarError::Outdated)), "{name}");
        } else {
            assert_eq!(found.unwrap().unwrap().standing, Standing::Bad(refusal), "{name}");
        }
    }
}

#[test]
fn an_entry_is_held_to_the_expansion_that_is_allowed_now() {
    let zip = builder::Archive::new().entry(Entry::deflated("zeros", [0; 100_000]));
    let indexed = Indexed::new(built(&zip));
    let limits =
        |expansion_ratio| Limits { expansion_ratio, expansion_free: 0, ..Limits::default() };
    let low = Archive::open_within(indexed.archive.source().clone(), limits(10)).unwrap();
    let Standing::Bad(refusal) = low.find(b"zeros").unwrap().unwrap().standing else { panic!() };
    assert_eq!(refusal.limit, Some(Limit::ExpansionRatio));
    let directory = indexed.archive.directory();
    let pages_of = |standing| {
        let standings = [standing];
        Bytes::from(write(directory, &indexed.binding, &standings, Duplicates::Refuse))
    };
    let find = |pages: &Bytes, expansion_ratio| {
        let limits = limits(expansion_ratio);
        let sidecar = Sidecar::open_within(pages.clone(), &indexed.binding, limits).unwrap();
        sidecar.find(indexed.archive.source(), b"zeros").map(|found| found.unwrap().standing)
    };

    let bad = pages_of(Standing::Bad(refusal));
    assert_eq!(find(&bad, 10), Ok(Standing::Bad(refusal)));
    assert_eq!(find(&bad, 10_000), Err(FindError::Sidecar(SidecarError::Outdated)));

    let mut good = None;
    indexed.archive.verify(|_| {}, |_, standing| good = Some(standing)).unwrap();
    let good = good.unwrap();
    let pages = pages_of(good);
    assert_eq!(find(&pages, 10_000), Ok(good));
    assert_eq!(find(&pages, 10), Ok(Standing::Bad(refusal)));
}
