//! The engine's integration binary: the engine and its HTTP body, as a library. What they read, what
//! they refuse, what they cost.
//!
//! Archives come from `entryway_testkit`, byte by byte, and so do the answers: its oracle reads the
//! same rules in the plainest way. Corpora of archives made by others are read where the machine
//! has them (`ENTRYWAY_CORPORA`).
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod allocations;
mod arbitrary;
mod bodies;
mod corpora;
mod duplicates;
mod extraction;
mod giants;
mod hostile;
mod limits;
mod lookups;
mod matrix;
mod own_classes;
mod read_plans;
mod reading_rules;
mod sidecar;
mod sources;
mod strict;
mod subsets;
mod windows;

use std::io::Write;

use bytes::Bytes;
use entryway::{
    Archive, Duplicates, Entry, EntryReader, Error, FileSource, Found, Policy, ReadAt, Refusal,
    Standing,
};
use entryway_testkit::builder;
use entryway_testkit::oracle::{self, OracleEntry, OracleRefusal};
use proptest::prelude::ProptestConfig;

/// Raw name and content, or the refusal, of each entry in the directory's order.
type Entries = Vec<(Vec<u8>, Result<Vec<u8>, Refusal>)>;

/// What may become of entries of one name, as the engine and as the oracle is told.
const CHOICES: [(Duplicates, oracle::Duplicates); 2] = [
    (Duplicates::Refuse, oracle::Duplicates::Refuse),
    (Duplicates::First, oracle::Duplicates::First),
];

/// The policy with this choice.
fn choosing(duplicates: Duplicates) -> Policy {
    Policy { duplicates, ..Policy::default() }
}

/// So many random cases, the failed ones of which are in the output alone.
fn random_cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// The archive's bytes.
fn built(archive: &builder::Archive) -> Bytes {
    archive.build().into()
}

/// A file that goes when the test ends, and a source over it.
fn on_disk(bytes: &[u8]) -> (tempfile::NamedTempFile, FileSource) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("a temporary file can be written");
    let source = FileSource::open(file.path()).expect("a file just written");
    (file, source)
}

/// Reads a content to its end; gives what came before an error too.
fn drain<S: ReadAt>(mut reader: EntryReader<'_, S>) -> (Vec<u8>, Result<(), Error>) {
    let mut content = Vec::new();
    loop {
        match reader.next_chunk() {
            Ok(Some(chunk)) => {
                assert!(!chunk.is_empty() && chunk.len() <= entryway::CHUNK_LEN);
                content.extend_from_slice(&chunk);
            }
            Ok(None) => return (content, Ok(())),
            Err(error) => {
                assert_eq!(reader.next_chunk(), Err(error.clone()), "the error stays");
                return (content, Err(error));
            }
        }
    }
}

/// The content of an entry, or why it is refused.
///
/// # Panics
/// Where a source that holds everything fails.
fn content_of<S: ReadAt>(archive: &Archive<S>, found: &Found) -> Result<Vec<u8>, Refusal> {
    let entry_refusal = |error| match error {
        Error::Entry(refusal) => refusal,
        other => panic!("{other:?}"),
    };
    let (content, end) = drain(archive.read(found).map_err(entry_refusal)?);
    if end.is_err() {
        let declared = found.entry.declared_uncompressed_size;
        assert!(declared == 0 || (content.len() as u64) < declared, "the last chunk was given");
    }
    end.map(|()| content).map_err(entry_refusal)
}

/// The most entries of an archive each of which is looked up without an index too.
const FEW: usize = 100;

/// Fails where a pass through the directory finds another answer than its index.
#[track_caller]
fn assert_found_without_index<S: ReadAt>(archive: &Archive<S>, name: &[u8]) {
    let without = entryway::find_one(archive.source(), name, archive.policy());
    assert_eq!(without, archive.find(name).map_err(Error::Entry), "{name:?}");
}

/// Everything in an archive.
fn read_all<S: ReadAt>(archive: &Archive<S>) -> Entries {
    let directory = archive.directory();
    assert_eq!(directory.entries().count(), directory.len());
    if directory.len() <= FEW {
        for entry in directory.entries() {
            let name = directory.raw_name(&entry);
            assert_found_without_index(archive, name);
            assert_found_without_index(archive, name.strip_prefix(b"./").unwrap_or(b"absent"));
        }
    }
    directory
        .entries()
        .map(|entry| {
            let found = archive.describe(&entry);
            (directory.raw_name(&entry).to_vec(), content_of(archive, &found))
        })
        .collect()
}

/// Opens an archive and reads everything in it, or says why it is refused.
///
/// # Panics
/// Where a source that holds everything fails.
fn open_and_read<S: ReadAt>(source: S) -> Result<Entries, Refusal> {
    open_and_read_by(source, Policy::default())
}

/// As [`open_and_read`], under another policy than the default.
fn open_and_read_by<S: ReadAt>(source: S, policy: Policy) -> Result<Entries, Refusal> {
    let without_index = entryway::find_one(&source, b"a", policy);
    let opened = Archive::open_within(source, policy);
    let refused = |error: &Error| matches!(error, Error::Archive(_));
    assert_eq!(without_index.err().filter(refused), opened.as_ref().err().cloned());
    match opened {
        Ok(archive) => Ok(read_all(&archive)),
        Err(Error::Archive(refusal)) => Err(refusal),
        Err(other) => panic!("{other:?}"),
    }
}

/// What every entry of an archive came to, in the directory's order.
fn standings<S: ReadAt>(archive: &Archive<S>) -> Vec<(Entry, Standing)> {
    let mut standings = Vec::new();
    archive
        .verify(|_| {}, |entry, standing| standings.push((*entry, standing)))
        .expect("a source that does not fail");
    standings
}

/// An entry with what a verification made of it.
fn verified<S: ReadAt>(archive: &Archive<S>, name: &[u8]) -> Found {
    let found = archive.find(name).expect("no ambiguity").expect("an entry of that name");
    let standing = standings(archive)
        .into_iter()
        .find(|(entry, _)| *entry == found.entry)
        .map(|(_, standing)| standing);
    Found { standing: standing.expect("every entry is verified"), ..found }
}

/// Says where engine and oracle part, if they do.
fn disagreement(engine: &Result<Entries, Refusal>, bytes: &[u8]) -> Option<String> {
    disagreement_with(engine, oracle::read(bytes))
}

/// As [`disagreement`], with what the oracle came to.
fn disagreement_with(
    engine: &Result<Entries, Refusal>,
    oracle: Result<Vec<OracleEntry>, OracleRefusal>,
) -> Option<String> {
    let (engine, oracle): (&Entries, Vec<OracleEntry>) = match (engine, oracle) {
        (Err(_), Err(_)) => return None,
        (Ok(engine), Ok(oracle)) => (engine, oracle),
        (Ok(_), Err(OracleRefusal { rule, reason })) => {
            return Some(format!("the oracle alone refuses the archive: {rule} ({reason})"));
        }
        (Err(refusal), Ok(_)) => {
            return Some(format!("the engine alone refuses the archive: {refusal}"));
        }
    };
    if engine.len() != oracle.len() {
        return Some(format!("{} entries, oracle {}", engine.len(), oracle.len()));
    }
    for ((name, engine), oracle) in engine.iter().zip(&oracle) {
        let shown = String::from_utf8_lossy(name);
        if *name != oracle.raw_name {
            return Some(format!("{shown}: another name"));
        }
        match (engine, &oracle.verdict) {
            (Err(_), Err(_)) => {}
            (Ok(content), Ok(expected)) if content == expected => {}
            (Ok(_), Ok(_)) => return Some(format!("{shown}: other content")),
            (Ok(_), Err(OracleRefusal { reason: oracle::OTHER_METHOD, .. })) => {}
            (Ok(_), Err(OracleRefusal { rule, reason })) => {
                return Some(format!("{shown}: refused by the oracle alone: {rule} ({reason})"));
            }
            (Err(refusal), Ok(_)) => {
                return Some(format!("{shown}: refused by the engine alone: {refusal}"));
            }
        }
    }
    None
}

/// Fails where engine and oracle do not read the same, whatever becomes of entries of one name.
#[track_caller]
fn assert_agrees(name: &str, bytes: &[u8]) {
    for (duplicates, told) in CHOICES {
        let engine = open_and_read_by(Bytes::copy_from_slice(bytes), choosing(duplicates));
        if let Some(difference) = disagreement_with(&engine, oracle::read_by(bytes, told)) {
            panic!("{name}, {duplicates:?}: {difference}");
        }
    }
}
