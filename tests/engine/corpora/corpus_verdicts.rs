//! Every archive of the corpora has one reading, and its line in a table says which; what it takes
//! to find out is bounded by the archive's bytes.

use std::fmt::{self, Write};
use std::io;
use std::path::Path;

use bytes::Bytes;
use entryway::source::testing::Counting;
use entryway::{
    Archive, CHUNK_LEN, EntryPlan, Error, Extent, ExtractStep, Extraction, FETCH_LEN, Fetched,
    Found, Limits, Locator, ReadAt, Refusal, Step, TAIL_LEN, Window,
};

use super::goldens::golden;
use super::table::Table;
use super::{archives, bytes_of, corpora};
use crate::allocations::peak_of;
use crate::giants::Holes;

/// The longest content that is decoded whole; that of the goldens is gigabytes of zeros.
const WHOLE_LEN: u64 = 64 << 20;

/// An archive of the corpora, which shares its bytes with nobody: what is read of it is on the heap.
#[derive(Clone)]
enum Corpus {
    InMemory(Bytes),
    Golden(Holes),
}

impl ReadAt for Corpus {
    fn len(&self) -> u64 {
        match self {
            Self::InMemory(bytes) => ReadAt::len(bytes),
            Self::Golden(holes) => holes.len(),
        }
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::InMemory(bytes) => bytes.read_at(offset, buffer),
            Self::Golden(holes) => holes.read_at(offset, buffer),
        }
    }
}

fn sources(folder: &Path) -> impl Iterator<Item = (String, Corpus)> {
    archives(folder).into_iter().map(|(name, path)| {
        let is_golden = name.ends_with(".zsparse");
        let source = match is_golden {
            true => Corpus::Golden(golden(&path)),
            false => Corpus::InMemory(bytes_of(&path)),
        };
        (name, source)
    })
}

/// Opens an archive, or says by which rule it is refused.
fn open<S: ReadAt>(source: S) -> Result<Archive<S>, Refusal> {
    Archive::open(source).map_err(|error| match error {
        Error::Archive(refusal) => refusal,
        other => panic!("{other:?}"),
    })
}

/// What is to be read of an entry: all, or as much of a giant as shows that it can be read.
fn plan_of(found: &Found) -> Result<EntryPlan, Refusal> {
    if found.entry.declared_uncompressed_size > WHOLE_LEN {
        return EntryPlan::parts(found, vec![0..1, 9..100_008]);
    }
    EntryPlan::whole(found)
}

/// What an extraction took.
#[derive(Clone, Copy, Debug, Default)]
struct Work {
    steps: u64,
    fetched_len: u64,
    produced_len: u64,
}

impl Work {
    /// The most steps that so many bytes need: a fetch or a chunk each; and beside the full ones
    /// the header, once more where it is long, the last fetch, the descriptor, the last chunk and
    /// the end.
    fn most_steps(&self) -> u64 {
        6 + self.fetched_len / FETCH_LEN + 2 * self.produced_len / CHUNK_LEN as u64
    }
}

/// Carries out a plan step by step; `each` gets the content.
///
/// # Panics
/// Where more steps are taken than the bytes account for, so that one without an end ends too.
fn extract(
    source: &impl ReadAt,
    plan: EntryPlan,
    mut each: impl FnMut(&[u8]),
) -> (Result<(), Refusal>, Work) {
    let mut extraction = Extraction::new(plan);
    let mut fetched = Fetched::default();
    let mut work = Work::default();
    loop {
        work.steps += 1;
        assert!(work.steps <= work.most_steps(), "{work:?}");
        match extraction.step(&fetched) {
            Ok(ExtractStep::Need(extent)) => {
                fetched = Fetched { offset: extent.start, bytes: fetch(source, extent).into() };
                work.fetched_len += fetched.bytes.len() as u64;
            }
            Ok(ExtractStep::Chunk(chunk)) => {
                work.produced_len += chunk.len() as u64;
                each(&chunk);
            }
            Ok(ExtractStep::Skipped) => {}
            Ok(ExtractStep::Done) => return (Ok(()), work),
            Err(Error::Entry(refusal)) => return (Err(refusal), work),
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// The bytes of an extent, all of which must be there.
fn fetch(source: &impl ReadAt, extent: Extent) -> Vec<u8> {
    let mut bytes = vec![0; (extent.end - extent.start) as usize];
    let mut read_len = 0;
    while read_len < bytes.len() {
        let offset = extent.start + read_len as u64;
        let more = source.read_at(offset, &mut bytes[read_len..]).expect("no disk to fail");
        assert!(more > 0, "{extent:?} of {} bytes", source.len());
        read_len += more;
    }
    bytes
}

/// What a line of the table says behind the archive's path: the archive's rule, or how many entries
/// are served and which are refused by what rule; and the CRC-32 of all that is served, names,
/// lengths and contents.
fn verdict(source: Corpus) -> String {
    let archive = match open(source) {
        Ok(archive) => archive,
        Err(refusal) => return format!("archive: {}\t-", refusal.rule.label()),
    };
    let mut refused: Vec<(usize, &str)> = Vec::new();
    let mut reading = crc32fast::Hasher::new();
    for (number, entry) in archive.directory().entries().enumerate() {
        let found = archive.describe(&entry);
        let mut content = crc32fast::Hasher::new();
        let outcome = plan_of(&found)
            .and_then(|plan| extract(archive.source(), plan, |chunk| content.update(chunk)).0);
        if let Err(refusal) = outcome {
            refused.push((number, refusal.rule.label()));
            continue;
        }
        reading.update(&(found.raw_name.len() as u64).to_le_bytes());
        reading.update(&found.raw_name);
        reading.update(&entry.declared_uncompressed_size.to_le_bytes());
        reading.update(&content.finalize().to_le_bytes());
    }
    let mut verdict = format!("{} served", archive.directory().len() - refused.len());
    // Entries one behind the other that break the same rule are one item.
    for run in
        refused.chunk_by(|(number, rule), (next, other)| number + 1 == *next && rule == other)
    {
        let ((first, rule), (last, _)) = (run[0], run[run.len() - 1]);
        let numbers = if first == last { first.to_string() } else { format!("{first}-{last}") };
        write!(verdict, "; {numbers} {rule}").expect("memory");
    }
    format!("{verdict}\t{:08x}", reading.finalize())
}

#[test]
fn every_archive_has_the_verdict_of_its_line() {
    let Some(folder) = corpora("every_archive_has_the_verdict_of_its_line") else { return };
    let lines = sources(&folder).map(|(name, source)| format!("{name}\t{}", verdict(source)));
    Table::VERDICTS.assert_is(lines);
}

/// The most of something, and the archive that needed it.
#[derive(Default)]
struct Worst {
    value: f64,
    archive: String,
}

impl Worst {
    fn note(&mut self, value: f64, archive: &str) {
        if value > self.value {
            *self = Self { value, archive: archive.to_owned() };
        }
    }
}

impl fmt::Display for Worst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} ({})", self.value, self.archive)
    }
}

/// The directory's bytes, where the end of the archive says which they are.
fn directory_size(source: &impl ReadAt) -> u64 {
    let mut locator = Locator::new(source.len(), &Limits::default());
    let (mut offset, mut bytes) = (0, Vec::new());
    loop {
        match locator.step(Window { offset, bytes: &bytes }) {
            Ok(Step::Need(extent)) => (offset, bytes) = (extent.start, fetch(source, extent)),
            Ok(Step::Done(directory)) => return directory.extent.end - directory.extent.start,
            Err(_) => return 0,
        }
    }
}

#[test]
fn what_is_fetched_is_linear_in_the_archive() {
    let Some(folder) = corpora("what_is_fetched_is_linear_in_the_archive") else { return };
    let mut worst = Worst::default();
    for (name, source) in sources(&folder) {
        let len = source.len();
        let directory_size = directory_size(&source);
        let source = Counting::new(source);
        let opened = open(source.clone());
        let asked = source.take();
        let asked_len: u64 = asked.iter().map(|extent| extent.end - extent.start).sum();
        // The tail, four bytes that decide whether something stands in front, the directory.
        assert!(asked.len() <= 3, "{name}: {asked:?}");
        assert!(asked_len <= len.min(TAIL_LEN) + 4 + directory_size, "{name}: {asked:?}");

        let Ok(archive) = opened else { continue };
        let mut fetched_len = 0;
        for entry in archive.directory().entries() {
            let Ok(plan) = plan_of(&archive.describe(&entry)) else { continue };
            fetched_len += extract(archive.source(), plan, |_| {}).1.fetched_len;
        }
        assert!(fetched_len <= len, "{name}: {fetched_len} bytes fetched of {len}");
        worst.note(fetched_len as f64 / len as f64, &name);
    }
    println!("most bytes fetched for a byte of the archive, all entries: {worst}");
}

#[test]
fn memory_is_bounded_by_the_directory_and_the_decoder() {
    let Some(folder) = corpora("memory_is_bounded_by_the_directory_and_the_decoder") else {
        return;
    };
    let (mut opening, mut reading) = (Worst::default(), Worst::default());
    for (name, source) in sources(&folder) {
        let bound = 4 * directory_size(&source) + (1 << 20);
        let (opened, peak) = peak_of(|| open(source));
        assert!(peak <= bound, "{name}: {peak} bytes to open, the bound is {bound}");
        opening.note(peak as f64 / bound as f64, &name);

        let Ok(archive) = opened else { continue };
        for entry in archive.directory().entries() {
            let found = archive.describe(&entry);
            let Ok(plan) = plan_of(&found) else { continue };
            // What the crate's documentation promises.
            let bound = (256 << 10) + found.decoder_memory_bound();
            let (_, peak) = peak_of(|| {
                let mut reader = archive.carry_out(plan);
                while let Ok(Some(_)) = reader.next_chunk() {}
            });
            assert!(peak <= bound, "{name}: {peak} bytes to read, the bound is {bound}");
            reading.note(peak as f64 / bound as f64, &name);
        }
    }
    println!("most of its bound that opening took: {opening}");
    println!("most of its bound that reading an entry took: {reading}");
}
