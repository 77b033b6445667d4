//! Every archive of the other modules, read in every way there is, and held to the oracle.
//!
//! The ways: bytes in memory, a file mapped into memory, a file, a source whose reads give one
//! byte, a source whose reads end at one offset, and windows that end at one offset; of a short
//! archive, at every offset it has.

use std::io;

use bytes::Bytes;
use entryway::source::testing::Sluggish;
use entryway::{
    Archive, Directory, DirectoryExtent, EntryPlan, Error, Found, Limits, Locator, Lookup, ReadAt,
    Refusal, Standing, Step, Window,
};
use entryway_testkit::builder::{self, DescriptorForm, Entry};
use entryway_testkit::fixtures::{noise, text};
use entryway_testkit::{classes, oracle, samples};

use super::lookups::{Answer, by_engine, by_oracle};
use super::reading_rules::small_archives;
use super::windows::{Feeding, extract, forms};
use super::{Entries, built, disagreement, hostile, on_disk, read_all, standings};
use entryway_tests_shared::mapped::mapped;
use entryway_tests_shared::packed::PACKINGS;

/// Raw name and content of each entry, `None` for one that is refused.
type Contents = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// An archive to be read.
struct Fixture {
    name: String,
    bytes: Bytes,
    /// What is in it where the oracle cannot say, which decodes stored and deflated entries alone.
    contents: Option<Contents>,
}

impl Fixture {
    fn of(name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        Self { name: name.into(), bytes: bytes.into(), contents: None }
    }

    /// Every name that the directory lists, each without its `./`, and one that nobody has.
    fn names(&self) -> Vec<Vec<u8>> {
        let listed = oracle::read(&self.bytes).unwrap_or_default();
        let mut names = vec![b"absent".to_vec()];
        for entry in listed {
            // The empty name, which would be that of `./`, means nothing to the engine.
            let without_dot = entry.raw_name.strip_prefix(b"./").filter(|name| !name.is_empty());
            names.extend(without_dot.map(<[u8]>::to_vec));
            names.push(entry.raw_name);
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// What a name means, and what is read under it.
    fn expected(&self, name: &[u8]) -> Answer {
        let Some(contents) = &self.contents else { return by_oracle(&self.bytes, name) };
        match contents.iter().find(|(raw_name, _)| raw_name == name) {
            None => Answer::Absent,
            Some((_, None)) => Answer::Refused,
            Some((_, Some(content))) => Answer::Content(content.clone()),
        }
    }

    /// Offsets to end reads and windows at: every one of a short archive, fewer of a longer one,
    /// which takes longer to read.
    fn cuts(&self) -> impl Iterator<Item = u64> + use<> {
        let len = self.bytes.len();
        (0..=len as u64).step_by(1 + len * len / 2_000_000)
    }
}

/// What an archive gives, or why it is refused.
type Outcome = Result<Reading, Refusal>;

#[derive(Debug, PartialEq)]
struct Reading {
    entries: Entries,
    /// What each of [`Fixture::names`] comes to.
    answers: Vec<Answer>,
}

/// Opens an archive, lists it, reads every entry, and every name.
fn through<S: ReadAt>(source: S, names: &[Vec<u8>]) -> Outcome {
    let archive = match Archive::open(source) {
        Ok(archive) => archive,
        Err(Error::Archive(refusal)) => return Err(refusal),
        Err(other) => panic!("{other:?}"),
    };
    let entries = read_all(&archive);
    let answers = names.iter().map(|name| by_engine(&archive, name)).collect();
    Ok(Reading { entries, answers })
}

/// Holds what a verification says to what reading comes to.
fn assert_verified<S: ReadAt>(what: &str, source: S, outcome: &Outcome) {
    let Ok(reading) = outcome else { return };
    let archive = Archive::open(source).expect("it was opened before");
    let standings = standings(&archive);
    assert_eq!(standings.len(), reading.entries.len(), "{what}");
    for ((name, content), (_, standing)) in reading.entries.iter().zip(standings) {
        let agrees = match (content, standing) {
            (Ok(_), Standing::Good { .. }) => true,
            (Err(refusal), Standing::Bad(other)) => *refusal == other,
            _ => false,
        };
        assert!(agrees, "{what}, {}: {standing:?}", String::from_utf8_lossy(name));
    }
}

/// A source none of whose reads goes on beyond an offset.
struct Ending {
    inner: Bytes,
    at: u64,
}

impl ReadAt for Ending {
    fn len(&self) -> u64 {
        self.inner.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let len = match self.at.checked_sub(offset) {
            None | Some(0) => buffer.len(),
            Some(left) => buffer.len().min(left as usize),
        };
        self.inner.read_at(offset, &mut buffer[..len])
    }
}

/// Locates a directory with the archive up to `cut` in hand, then what is asked for.
fn located(bytes: &Bytes, cut: u64) -> Result<DirectoryExtent, Error> {
    let mut locator = Locator::new(bytes.len() as u64, &Limits::default());
    let mut window = Window::whole(&bytes[..cut as usize]);
    for _ in 0..=2 {
        match locator.step(window)? {
            Step::Done(extent) => return Ok(extent),
            Step::Need(extent) => {
                let wanted = &bytes[extent.start as usize..extent.end as usize];
                window = Window { offset: extent.start, bytes: wanted };
            }
        }
    }
    panic!("asked for more than twice, cut at {cut}")
}

/// Reads an archive as [`through`] does, with windows that end at `cut` and no source.
fn through_windows(bytes: &Bytes, cut: u64, names: &[Vec<u8>]) -> Outcome {
    let limits = Limits::default();
    let archive_refusal = |error| match error {
        Error::Archive(refusal) => refusal,
        other => panic!("{other:?}"),
    };
    let extent = located(bytes, cut).map_err(archive_refusal)?;
    let listed = bytes.slice(extent.extent.start as usize..extent.extent.end as usize);
    let directory = Directory::parse(extent, listed, &limits).map_err(archive_refusal)?;
    let content = |entry: &entryway::Entry| {
        let standing = match directory.judge(entry, limits) {
            Ok(()) => Standing::Unverified,
            Err(refusal) => Standing::Bad(refusal),
        };
        let found = Found {
            entry: *entry,
            raw_name: Bytes::copy_from_slice(directory.raw_name(entry)),
            display_name: Box::default(),
            boundary: directory.boundary(entry),
            standing,
            decoder_memory: limits.decoder_memory,
        };
        let plan = EntryPlan::whole(&found)?;
        let [first, then] = [Feeding::CutAt(cut), Feeding::EndingAt(cut)]
            .map(|feeding| extract(bytes, plan.clone(), found.boundary, feeding));
        assert_eq!(first, then, "cut at {cut}");
        first.map_err(|error| match error {
            Error::Entry(refusal) => refusal,
            other => panic!("{other:?}"),
        })
    };
    let entries: Entries = directory
        .entries()
        .map(|entry| (directory.raw_name(&entry).to_vec(), content(&entry)))
        .collect();
    let answer = |name: &Vec<u8>| match directory.find(name) {
        Lookup::Absent => Answer::Absent,
        Lookup::Ambiguous => Answer::Refused,
        // What was read of the entry in the listing above.
        Lookup::Found(found) => match directory.entries().position(|entry| entry == found) {
            Some(index) => entries[index].1.clone().map_or(Answer::Refused, Answer::Content),
            None => panic!("found, and not listed"),
        },
    };
    let answers = names.iter().map(answer).collect();
    Ok(Reading { entries, answers })
}

/// Holds what is read from memory to the oracle, or to what the fixture was made from.
fn assert_right(fixture: &Fixture, names: &[Vec<u8>], outcome: &Outcome) {
    let name = &fixture.name;
    let entries =
        outcome.as_ref().map(|reading| reading.entries.clone()).map_err(|refusal| *refusal);
    if let Some(difference) = disagreement(&entries, &fixture.bytes) {
        panic!("{name}: {difference}");
    }
    let Ok(reading) = outcome else { return };
    if let Some(contents) = &fixture.contents {
        let given: Vec<_> = reading
            .entries
            .iter()
            .map(|(name, content)| (name.clone(), content.as_ref().ok().cloned()))
            .collect();
        assert!(given == *contents, "{name}: another content than was packed");
    }
    for (asked, answer) in names.iter().zip(&reading.answers) {
        let expected = fixture.expected(asked);
        // A directory that is listed twice is ambiguous to the oracle alone, and has no content.
        let is_directory = asked.ends_with(b"/")
            && (answer, &expected) == (&Answer::Content(Vec::new()), &Answer::Refused);
        let shown = String::from_utf8_lossy(asked);
        assert!(*answer == expected || is_directory, "{name}, {shown:?}: {answer:?} {expected:?}");
    }
}

/// Reads archives in every way; gives how many readings that made.
#[track_caller]
fn read_in_every_way(fixtures: impl IntoIterator<Item = Fixture>) -> usize {
    let mut readings = 0;
    for fixture in fixtures {
        let Fixture { name, bytes, .. } = &fixture;
        let names = fixture.names();
        let expected = through(bytes.clone(), &names);
        assert_right(&fixture, &names, &expected);
        assert_verified(name, bytes.clone(), &expected);

        let assert_alike = |way: &str, outcome: Outcome| {
            if outcome != expected {
                panic!("{name}, {way}: {outcome:?}, from memory {expected:?}");
            }
        };
        let map = mapped(bytes);
        assert_alike("mapped", through(map.clone(), &names));
        assert_verified(name, map, &expected);
        let (_file, file) = on_disk(bytes);
        assert_alike("from a file", through(file.clone(), &names));
        assert_verified(name, file, &expected);
        let one_byte = || Sluggish { inner: bytes.clone(), step: 1 };
        assert_alike("byte by byte", through(one_byte(), &names));
        assert_verified(name, one_byte(), &expected);
        readings += 4;
        for at in fixture.cuts() {
            let ending = Ending { inner: bytes.clone(), at };
            assert_alike(&format!("reads to {at}"), through(ending, &names));
            assert_alike(&format!("windows to {at}"), through_windows(bytes, at, &names));
            readings += 2;
        }
    }
    readings
}

#[test]
fn good_archives_are_read_alike_in_every_way() {
    let readings = read_in_every_way(
        samples::good()
            .into_iter()
            .map(|sample| Fixture::of(sample.name, built(&sample.archive)))
            .chain(small_archives().into_iter().map(|(name, bytes)| Fixture::of(name, bytes))),
    );
    assert!(readings > 15_000, "{readings} readings");
}

#[test]
fn hostile_archives_are_refused_alike_in_every_way() {
    // The reading of a longer one, or of what unpacks to more, takes long.
    let short = classes::all().into_iter().filter(|class| class.bytes.len() < 5_000);
    let readings = read_in_every_way(short.map(|class| Fixture::of(class.id, class.bytes)).chain(
        hostile::archives().into_iter().map(|(name, archive)| Fixture::of(name, built(&archive))),
    ));
    assert!(readings > 90_000, "{readings} readings");
}

#[test]
fn entries_of_every_form_are_read_alike_in_every_way() {
    let readings =
        read_in_every_way(forms().into_iter().map(|(name, bytes)| Fixture::of(name, bytes)));
    assert!(readings > 30_000, "{readings} readings");
}

/// Entries that are compressed in every way.
///
/// A DEFLATE stream without its longest length, 258, is one of Deflate64 too: this text has no
/// match of that length.
fn packed(name: &str, content: &[u8]) -> Vec<(&'static str, Entry)> {
    let mut entries = PACKINGS.map(|packing| (packing.name, packing.entry(name, content))).to_vec();
    let matches = Entry { method: 9, ..Entry::deflated(name, content) };
    entries.push(("deflate64 with matches", matches));
    entries
}

/// An entry between two others.
fn around(entry: Entry) -> builder::Archive {
    builder::Archive::new()
        .entry(Entry::stored("before", "x"))
        .entry(entry)
        .entry(Entry::stored("after", "y"))
}

fn packed_fixture(name: String, entry: Entry, content: Option<&[u8]>) -> Fixture {
    let contents = vec![
        (b"before".to_vec(), Some(b"x".to_vec())),
        (b"packed".to_vec(), content.map(<[u8]>::to_vec)),
        (b"after".to_vec(), Some(b"y".to_vec())),
    ];
    Fixture { contents: Some(contents), ..Fixture::of(name, built(&around(entry))) }
}

#[test]
fn entries_of_every_method_are_read_alike_in_every_way() {
    let mut fixtures = Vec::new();
    // Short, so that every offset is tried; and longer than one fetch and one chunk.
    for content in [text(700, 1), noise(70_000, 2)] {
        for (method, entry) in packed("packed", &content) {
            let len = content.len();
            let streamed = entry.clone().descriptor(DescriptorForm::SIGNED_32);
            let forms = [("header", entry), ("descriptor", streamed)];
            for (form, entry) in forms.into_iter().take(if len < 1_000 { 2 } else { 1 }) {
                let name = format!("{method}, {len} bytes, {form}");
                fixtures.push(packed_fixture(name, entry, Some(&content)));
            }
        }
    }
    let readings = read_in_every_way(fixtures);
    assert!(readings > 8_000, "{readings} readings");
}

#[test]
fn damaged_entries_of_every_method_are_refused_alike_in_every_way() {
    let content = text(300, 1);
    let mut fixtures = Vec::new();
    for (method, entry) in packed("packed", &content) {
        let data = &entry.data;
        let mut flipped = data.clone();
        flipped[data.len() / 2] ^= 0x10;
        for (damage, entry) in [
            ("a flipped bit", Entry { data: flipped, ..entry.clone() }),
            ("CRC-32", Entry { crc32: 1, ..entry.clone() }),
            ("cut by a byte", Entry { data: data[..data.len() - 1].to_vec(), ..entry.clone() }),
            ("a byte more", Entry { data: [&data[..], &[0]].concat(), ..entry.clone() }),
            ("a byte too few declared", Entry { uncompressed_len: 299, ..entry.clone() }),
            ("a byte too many declared", Entry { uncompressed_len: 301, ..entry.clone() }),
        ] {
            fixtures.push(packed_fixture(format!("{method}, {damage}"), entry, None));
        }
    }
    let readings = read_in_every_way(fixtures);
    assert!(readings > 20_000, "{readings} readings");
}
