//! Arbitrary bytes as an archive: opened, listed, looked up, verified, through every path that must
//! come to the same answer.
//!
//! 1. The locator over all bytes at once, and asking for what it needs: the same directory.
//! 2. The archive over a slice, and through reads of a few bytes: the same directory, the same
//!    verdicts, the same content or error for every entry.
//! 3. The oracle of the testkit, which shares no code with the engine: it refuses and serves the
//!    same entries with the same content.
//! 4. The sidecar written from the verdicts: every name finds through it what the directory finds.

use bytes::Bytes;
use entryway::sidecar::{self, Binding, FindError, Sidecar};
use entryway::source::testing::Sluggish;
use entryway::{
    Archive, Directory, Duplicates, Entry, Error, Found, Limits, Locator, Lookup, ReadAt, Refusal,
    Rule, Scope, Standing, Step, Window,
};
use entryway_testkit::oracle;

/// Small enough that no input takes long: what an input may decode to is bounded by its length.
///
/// At most 256 entries of 4 KiB, and 1,100 bytes for each byte of compressed data: entries that
/// share bytes are refused before they are decoded.
pub const LIMITS: Limits = Limits {
    directory_size: 64 * 1024,
    entries: 256,
    index_len: 8 * 1024,
    decoder_memory: 1 << 20,
    expansion_ratio: 1_100,
    expansion_free: 4 * 1024,
};

/// Checks one input.
///
/// # Panics
/// Where two paths disagree or a promise is broken: a finding.
pub fn check(input: &[u8]) {
    let bytes = Bytes::copy_from_slice(input);
    let sluggish = Sluggish { inner: bytes.clone(), step: 1 + input.len() % 13 };
    let archive = Archive::open_within(bytes.clone(), LIMITS);
    let slowly = Archive::open_within(sluggish, LIMITS);
    check_locator(input, archive.as_ref().map(Archive::directory));
    let (archive, slowly) = match (archive, slowly) {
        (Ok(archive), Ok(slowly)) => (archive, slowly),
        (Err(error), Err(slow_error)) => {
            assert_eq!(error, slow_error, "reads of a few bytes end in another error");
            let Error::Archive(refusal) = error else { panic!("an archive in memory: {error}") };
            assert_eq!(refusal.rule.scope(), Scope::Archive, "{refusal}");
            if refusal.rule != Rule::ArchiveOverLimit {
                assert!(oracle::read(input).is_err(), "refused, but not by the oracle: {refusal}");
            }
            return;
        }
        (archive, slowly) => panic!("over a slice {archive:?}, slowly {slowly:?}"),
    };
    assert_eq!(archive.directory().extent(), slowly.directory().extent());
    assert!(archive.directory().index_len() <= LIMITS.index_len);

    let standings = verify(&archive);
    assert_eq!(standings, verify(&slowly), "reads of a few bytes end in other verdicts");
    let contents: Vec<_> = archive
        .directory()
        .entries()
        .map(|entry| {
            let found = archive.describe(&entry);
            let content = read(&archive, &found);
            assert_eq!(content, read(&slowly, &found), "reads of a few bytes give another content");
            content
        })
        .collect();
    check_against_oracle(input, &archive, &standings, &contents);
    check_lookups(&bytes, &archive, &standings);
}

/// Over a window that is everything, one step says what a dialogue of needs says.
fn check_locator(input: &[u8], opened: Result<&Directory, &Error>) {
    let located = Locator::new(input.len() as u64, &LIMITS).step(Window::whole(input));
    match (located, opened) {
        (Ok(Step::Need(extent)), _) => panic!("{extent:?} is wanted and in hand"),
        (Ok(Step::Done(extent)), Ok(directory)) => assert_eq!(&extent, directory.extent()),
        // Located, then refused by what stands in the directory.
        (Ok(Step::Done(_)), Err(_)) => {}
        (Err(error), opened) => assert_eq!(Some(&error), opened.err()),
    }
}

/// The verdict on every entry, in the directory's order.
fn verify<S: ReadAt>(archive: &Archive<S>) -> Vec<Standing> {
    let mut standings = Vec::new();
    let mut produced = 0;
    archive
        .verify(
            |progress| {
                assert!(progress.produced >= produced, "progress goes back");
                produced = progress.produced;
            },
            |_, standing| standings.push(standing),
        )
        .expect("memory can be read");
    assert_eq!(standings.len(), archive.directory().len());
    assert!(produced <= output_bound(archive), "{produced} bytes came out");
    for standing in &standings {
        match standing {
            Standing::Good { data_offset, .. } => assert!(*data_offset <= archive.source().len()),
            Standing::Bad(refusal) => assert_eq!(refusal.rule.scope(), Scope::Entry, "{refusal}"),
            Standing::Unverified => panic!("verified, and unverified"),
        }
    }
    standings
}

/// The most bytes that the limits let the entries of an archive decode to.
fn output_bound<S: ReadAt>(archive: &Archive<S>) -> u64 {
    archive.directory().len() as u64 * LIMITS.expansion_free
        + archive.source().len() * LIMITS.expansion_ratio
}

/// The content of an entry, or why it cannot be had.
fn read<S: ReadAt>(archive: &Archive<S>, found: &Found) -> Result<Vec<u8>, Refusal> {
    let refused = |error| match error {
        Error::Entry(refusal) => refusal,
        other => panic!("an entry in memory: {other}"),
    };
    let declared_size = found.entry.declared_uncompressed_size;
    let mut reader = archive.read(found).map_err(refused)?;
    let mut content = Vec::new();
    while let Some(chunk) = reader.next_chunk().map_err(refused)? {
        assert!(!chunk.is_empty() && chunk.len() <= entryway::CHUNK_LEN);
        content.extend_from_slice(&chunk);
        assert!(content.len() as u64 <= declared_size, "more than was declared");
    }
    assert_eq!(content.len() as u64, declared_size);
    assert_eq!(crc32fast::hash(&content), found.entry.declared_crc32);
    Ok(content)
}

/// The engine and the oracle serve the same entries, and verifying says what reading says.
fn check_against_oracle<S: ReadAt>(
    input: &[u8],
    archive: &Archive<S>,
    standings: &[Standing],
    contents: &[Result<Vec<u8>, Refusal>],
) {
    let expected = oracle::read(input).expect("accepted, but not by the oracle");
    assert_eq!(expected.len(), standings.len());
    let entries = archive.directory().entries().zip(standings).zip(contents).zip(&expected);
    for (((entry, standing), content), expected) in entries {
        assert_eq!(archive.directory().raw_name(&entry), expected.raw_name);
        match (standing, content, &expected.verdict) {
            (Standing::Good { .. }, Ok(content), Ok(expected)) => assert_eq!(content, expected),
            (Standing::Good { .. }, Ok(_), Err(refusal))
                if refusal.reason == oracle::OTHER_METHOD => {}
            (Standing::Bad(refusal), Err(on_reading), expected) => {
                assert_eq!(refusal, on_reading);
                let is_over = refusal.rule == Rule::EntryOverLimit;
                assert!(expected.is_err() || is_over, "served by the oracle, but: {refusal}");
            }
            (standing, content, expected) => {
                panic!("verified {standing:?}, read {content:?}, the oracle {expected:?}")
            }
        }
    }
}

/// Every name finds its entry, and through the sidecar the same one with what is known of it.
fn check_lookups(bytes: &Bytes, archive: &Archive<Bytes>, standings: &[Standing]) {
    let directory = archive.directory();
    let binding = Binding { sha256: [7; 32], len: ReadAt::len(bytes), modified_nanos: 0 };
    let written = sidecar::write(directory, &binding, standings, Duplicates::Refuse);
    let written = Bytes::from(written);
    let sidecar = Sidecar::open(written, &binding).expect("a sidecar just written");
    assert_eq!(sidecar.entries(), directory.len() as u64);

    check_sorted(directory, &sidecar);
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

/// The sidecar's sorted section is every entry once, in the order of the raw names' bytes.
fn check_sorted(directory: &Directory, sidecar: &Sidecar<Bytes>) {
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
}

fn same_lookup(
    archive: &Archive<Bytes>,
    sidecar: &Sidecar<Bytes>,
    standings: &[Standing],
    name: &[u8],
) {
    let through_sidecar = sidecar.find(archive.source(), name);
    match (archive.find(name), through_sidecar) {
        (Ok(None), Ok(None)) => {}
        (Err(refusal), Err(FindError::Refused(other))) => assert_eq!(refusal, other),
        (Ok(Some(found)), Ok(Some(other))) => {
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
