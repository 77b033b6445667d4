//! Arbitrary bytes as an archive: opened, listed and looked up, through every way that must come to
//! the same answer.
//!
//! 1. The locator over all bytes at once, over windows larger than it asked for and over ones that
//!    lack what it asked for: the same directory, after two needs at most, none past the end.
//! 2. The archive in memory, in a file, and through reads of a few bytes: the same directory and
//!    entries, the same verdicts in either profile; and those of the oracle, whichever of several
//!    entries of one name is to count.
//! 3. Every name finds its entry: in the index, in one pass without an index, and through a sidecar
//!    written from the verdicts.
//! 4. The tree of names is the same from the directory and from the sidecar, and its pages are its
//!    parts.

use bytes::Bytes;
use entryway::sidecar::{self, Binding, FindError, Sidecar, SortedSidecar};
use entryway::tree::{self, Listing, Page};
use entryway::{
    Archive, Directory, DirectoryExtent, Duplicates, Entry, Error, FileSource, Locator, Lookup,
    Policy, Profile, ReadAt, Refusal, Rule, Scope, SortedDirectory, SortedEntries, Standing, Step,
    Window, find_one,
};

use entryway_testkit::oracle;

use crate::draw::Draw;
use crate::reading::{LIMITS, Ragged, read, verify};

/// Checks one input.
///
/// # Panics
/// Where two ways disagree or a promise is broken: a finding.
pub fn check(input: &[u8]) {
    let bytes = Bytes::copy_from_slice(input);
    let mut draw = Draw::of(input);
    let duplicates = *draw.pick(&[Duplicates::Refuse, Duplicates::First]);
    let policy = Policy { limits: LIMITS, duplicates };
    let archive = Archive::open_within(bytes.clone(), policy);
    check_locator(input, archive.as_ref().map(Archive::directory), &mut draw);
    let ragged = Archive::open_within(Ragged::new(bytes.clone(), &mut draw), policy);
    let file = Archive::open_within(in_a_file(input), policy);
    let archive = match archive {
        Ok(archive) => archive,
        Err(error) => {
            assert_eq!(ragged.err().as_ref(), Some(&error), "short reads end in another error");
            assert_eq!(file.err().as_ref(), Some(&error), "a file ends in another error");
            let Error::Archive(refusal) = error else { panic!("an archive in memory: {error}") };
            // One pass makes no index, whose length is a limit too.
            let is_refused = find_one(&bytes, b"a.txt", policy).is_err();
            assert!(is_refused || refusal.rule == Rule::ArchiveOverLimit, "but for one: {refusal}");
            assert_eq!(refusal.rule.scope(), Scope::Archive, "{refusal}");
            assert!(!refusal.to_string().is_empty());
            return;
        }
    };
    assert!(archive.directory().index_len() <= LIMITS.index_len);
    let standings = verify(&archive);
    check_against_oracle(input, &standings, duplicates);
    same_directory(&archive, &standings, &ragged.expect("short reads refuse what memory opens"));
    same_directory(&archive, &standings, &file.expect("a file refuses what memory opens"));
    check_lookups(&bytes, &archive, &standings);
}

/// The bytes in a file that has no name.
fn in_a_file(input: &[u8]) -> FileSource {
    let file = rustix::fs::memfd_create("archive", rustix::fs::MemfdFlags::CLOEXEC);
    let file = std::fs::File::from(file.expect("a file in memory"));
    std::os::unix::fs::FileExt::write_all_at(&file, input, 0).expect("a file in memory");
    FileSource::new(file).expect("a regular file")
}

/// The locator says the same whatever windows it is shown.
fn check_locator(input: &[u8], opened: Result<&Directory, &Error>, draw: &mut Draw) {
    let whole = Locator::new(input.len() as u64, &LIMITS).step(Window::whole(input));
    let expected = match (whole, opened) {
        (Ok(Step::Need(extent)), _) => panic!("{extent:?} is wanted and in hand"),
        (Ok(Step::Done(extent)), Ok(directory)) => {
            assert_eq!(&extent, directory.extent());
            Ok(extent)
        }
        // Located, then refused by what stands in the directory.
        (Ok(Step::Done(extent)), Err(_)) => Ok(extent),
        (Err(error), opened) => {
            assert_eq!(Some(&error), opened.err());
            Err(error)
        }
    };
    for _ in 0..4 {
        assert_eq!(locate(input, draw), expected, "other windows, another directory");
    }
    if let Ok(extent) = expected {
        let (start, end) = (extent.extent.start as usize, extent.extent.end as usize);
        let parsed = Directory::parse(extent, Bytes::copy_from_slice(&input[start..end]), &LIMITS);
        assert_eq!(parsed.as_ref().err(), opened.err(), "parsed from its bytes alone");
    }
}

/// Locates through windows that are drawn: around what is asked for, or somewhere else.
fn locate(input: &[u8], draw: &mut Draw) -> Result<DirectoryExtent, Error> {
    let len = input.len() as u64;
    let mut locator = Locator::new(len, &LIMITS);
    let mut window = Window::EMPTY;
    let (mut needs, mut asked) = (0, None);
    loop {
        let need = match locator.step(window)? {
            Step::Done(extent) => return Ok(extent),
            Step::Need(extent) => extent,
        };
        assert!(need.start < need.end && need.end <= len, "{need:?} of {len}");
        assert!(window.slice(&need).is_none(), "{need:?} is wanted and in hand");
        if asked.as_ref() != Some(&need) {
            needs += 1;
            assert!(needs <= 2, "{needs} needs");
            asked = Some(need.clone());
            if draw.one_in(3) {
                // Lacks the last byte, or the first one.
                let end = if draw.one_in(2) { need.end - 1 } else { need.start };
                let start = draw.below(end + 1);
                window = Window { offset: start, bytes: &input[start as usize..end as usize] };
                continue;
            }
        }
        let start = need.start - draw.below(need.start.min(100) + 1);
        let end = need.end + draw.below((len - need.end).min(100) + 1);
        window = Window { offset: start, bytes: &input[start as usize..end as usize] };
    }
}

/// What another source of the same bytes gives is the same.
fn same_directory<S: ReadAt>(archive: &Archive<Bytes>, standings: &[Standing], other: &Archive<S>) {
    assert_eq!(archive.directory().extent(), other.directory().extent());
    assert!(archive.directory().entries().eq(other.directory().entries()), "other entries");
    assert_eq!(standings, verify(other), "other verdicts");
    for entry in archive.directory().entries() {
        assert_eq!(archive.describe(&entry), other.describe(&entry));
    }
    assert_eq!(examined(archive), examined(other), "other rules of the profile strict");
}

/// What breaks the profile strict; an entry that is refused anyway does not.
fn examined<S: ReadAt>(archive: &Archive<S>) -> Vec<(Option<Entry>, Refusal)> {
    let mut broken = Vec::new();
    let each = |entry: Option<&Entry>, refusal: Refusal| {
        assert_eq!(refusal.rule.profile(), Profile::Strict, "{refusal}");
        if let Some(entry) = entry {
            assert!(archive.directory().judge(entry, *archive.policy()).is_ok(), "{refusal}");
        }
        broken.push((entry.copied(), refusal));
    };
    archive.examine(each).expect("memory can be read");
    broken
}

/// The oracle serves and refuses the same entries, but for methods and limits that it has not.
fn check_against_oracle(input: &[u8], standings: &[Standing], duplicates: Duplicates) {
    let duplicates = match duplicates {
        Duplicates::Refuse => oracle::Duplicates::Refuse,
        Duplicates::First => oracle::Duplicates::First,
    };
    let expected = oracle::read_by(input, duplicates).expect("accepted, but not by the oracle");
    assert_eq!(expected.len(), standings.len());
    for (standing, expected) in standings.iter().zip(&expected) {
        match (standing, &expected.verdict) {
            (Standing::Good { .. }, Err(refusal)) if refusal.reason != oracle::OTHER_METHOD => {
                panic!("good, refused by the oracle: {refusal:?}")
            }
            (Standing::Bad(refusal), Ok(_)) if refusal.rule != Rule::EntryOverLimit => {
                panic!("good to the oracle, but: {refusal}")
            }
            _ => {}
        }
    }
}

/// Every name finds its entry, and through the sidecar the same one with what is known of it.
fn check_lookups(bytes: &Bytes, archive: &Archive<Bytes>, standings: &[Standing]) {
    let directory = archive.directory();
    let binding = Binding { sha256: [7; 32], len: ReadAt::len(bytes), modified_nanos: 0 };
    let written = sidecar::write(directory, &binding, standings, archive.policy().duplicates);
    let written = Bytes::from(written);
    let sidecar =
        Sidecar::open_within(written, &binding, *archive.policy()).expect("a sidecar just written");
    assert_eq!(sidecar.entries(), directory.len() as u64);

    check_sorted(archive, &sidecar);
    for entry in directory.entries() {
        let found = archive.describe(&entry);
        let raw_name: &[u8] = &found.raw_name;
        match directory.find(raw_name) {
            Lookup::Found(first) => assert_eq!(directory.raw_name(&first), raw_name),
            absent => panic!("{raw_name:?} is {absent:?}"),
        }
        let absent = [raw_name, b"\0absent"].concat();
        let without_dot_slash = raw_name.strip_prefix(b"./").unwrap_or(raw_name);
        for name in [raw_name, found.display_name.as_bytes(), without_dot_slash, &absent] {
            same_lookup(archive, &sidecar, standings, name);
        }
    }
    for name in [&b""[..], b"/", b"./", b"a.txt"] {
        same_lookup(archive, &sidecar, standings, name);
    }
}

/// The sidecar's sorted section is every entry once, in the order of the raw names' bytes; and the
/// tree that follows from it is that of the directory.
fn check_sorted(archive: &Archive<Bytes>, sidecar: &Sidecar<Bytes>) {
    let directory = archive.directory();
    let entries: Vec<Entry> = directory.entries().collect();
    let mut expected: Vec<(&[u8], u32, u32)> = entries
        .iter()
        .zip(0..)
        .map(|(entry, ordinal)| (directory.raw_name(entry), entry.header_offset, ordinal))
        .collect();
    expected.sort_unstable();
    for (index, (_, header_offset, ordinal)) in (0..).zip(expected) {
        assert_eq!(sidecar.sorted(index), Ok(Some((header_offset, ordinal))));
    }
    assert_eq!(sidecar.sorted(entries.len() as u64), Ok(None));

    let mut in_memory = SortedDirectory::new(archive);
    let mut kept = SortedSidecar::new(sidecar, archive.source()).expect("a sidecar just written");
    let folders = entries.iter().filter_map(|entry| {
        let name = directory.raw_name(entry);
        name.iter().position(|&byte| byte == b'/').map(|at| &name[..at])
    });
    for folder in [&b""[..], b"dir/"].into_iter().chain(folders.take(4)) {
        for recursive in [false, true] {
            let all =
                listed(&mut in_memory, folder, recursive, Page { number: 1, per_page: 1 << 16 });
            let page = Page { number: 2, per_page: 3 };
            assert_eq!(
                all,
                listed(&mut kept, folder, recursive, Page { number: 1, per_page: 1 << 16 })
            );
            let part = listed(&mut kept, folder, recursive, page);
            assert_eq!(all.is_some(), part.is_some());
            let (Some(all), Some(part)) = (all, part) else { continue };
            assert_eq!((all.items.len() as u64, part.total), (all.total, all.total));
            let second: Vec<_> = all.items.into_iter().skip(3).take(3).collect();
            assert_eq!(part.items, second, "the second page of three");
        }
    }
}

fn listed<E: SortedEntries>(
    entries: &mut E,
    folder: &[u8],
    recursive: bool,
    page: Page,
) -> Option<Listing> {
    let listing = tree::list(entries, folder, recursive, page).expect("a directory in memory")?;
    for item in &listing.items {
        assert!(!item.name.is_empty() && item.path.ends_with(&*item.name), "{item:?}");
        assert!(!item.path.starts_with('/') && !item.path.ends_with('/'), "{item:?}");
    }
    Some(listing)
}

fn same_lookup(
    archive: &Archive<Bytes>,
    sidecar: &Sidecar<Bytes>,
    standings: &[Standing],
    name: &[u8],
) {
    let without_index = find_one(archive.source(), name, *archive.policy());
    let through_sidecar = sidecar.find(archive.source(), name);
    match (archive.find(name), through_sidecar) {
        (Ok(None), Ok(None)) => assert_eq!(without_index, Ok(None)),
        (Err(refusal), Err(FindError::Refused(other))) => {
            assert_eq!(refusal, other);
            assert_eq!(refusal.rule, Rule::AmbiguousName);
            assert_eq!(without_index, Err(Error::Entry(refusal)));
        }
        (Ok(Some(found)), Ok(Some(other))) => {
            assert_eq!(without_index.as_ref(), Ok(&Some(found.clone())));
            assert_eq!(found.entry, other.entry);
            assert_eq!(found.raw_name, other.raw_name);
            assert_eq!(found.display_name, other.display_name);
            let ordinal = archive.directory().entries().position(|entry| entry == found.entry);
            assert_eq!(Some(&other.standing), ordinal.and_then(|ordinal| standings.get(ordinal)));
            assert_eq!(read(archive, &found), read(archive, &other));
        }
        (found, other) => panic!("{name:?}: {found:?}, through the sidecar {other:?}"),
    }
}
