//! What is served is what Go and Python serve, byte by byte; where one of them serves nothing, a
//! line of a table says why this reader does.

use std::collections::HashMap;
use std::path::Path;

use entryway::Archive;

use super::names::{self, Origin};
use super::readers::{GO, Outcome, PYTHON, READERS, Reader, Reading, summary};
use super::table::Table;
use super::{archives, bytes_of, corpora};
use crate::read_all;

/// The readers with what they made of each archive, by path.
type Recorded = Vec<(Reader, HashMap<String, Reading>)>;

fn recorded(folder: &Path) -> Recorded {
    READERS.into_iter().map(|reader| (reader, reader.readings(folder))).collect()
}

/// How a reader stands to what is served here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Agreement {
    Same,
    /// Other content.
    Other,
    /// None: the entry is refused, or the archive.
    Nothing,
    Unrecorded,
}

/// What became of a reader's comparison with this one.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// Archives of which at least one entry was compared.
    archives: u64,
    same: u64,
    other: u64,
    nothing: u64,
}

#[test]
fn what_is_served_is_what_go_and_python_serve() {
    let Some(folder) = corpora("what_is_served_is_what_go_and_python_serve") else { return };
    let recorded = recorded(&folder);
    let mut tallies = [Tally::default(); READERS.len()];
    let mut contradicted = Vec::new();
    let mut deviations = Vec::new();
    for (path, file) in archives(&folder) {
        let Ok(archive) = Archive::open(bytes_of(&file)) else { continue };
        let count = archive.directory().len();
        let before = tallies;
        for (number, (raw_name, content)) in read_all(&archive).into_iter().enumerate() {
            let Ok(content) = content else { continue };
            let (name, content) = (names::in_go(&raw_name), summary(&content));
            let mut agreements = [Agreement::Unrecorded; READERS.len()];
            for (agreement, (_, readings)) in agreements.iter_mut().zip(&recorded) {
                let Some(reading) = readings.get(&path) else { continue };
                let outcome =
                    reading.as_ref().map(|listing| listing.outcome_of(number, count, &name));
                *agreement = match outcome.unwrap_or(&Outcome::Refuses) {
                    Outcome::Serves(theirs) if *theirs == content => Agreement::Same,
                    Outcome::Serves(_) => Agreement::Other,
                    Outcome::Refuses => Agreement::Nothing,
                    Outcome::Unrecorded => Agreement::Unrecorded,
                };
            }
            for (tally, agreement) in tallies.iter_mut().zip(agreements) {
                match agreement {
                    Agreement::Same => tally.same += 1,
                    Agreement::Other => tally.other += 1,
                    Agreement::Nothing => tally.nothing += 1,
                    Agreement::Unrecorded => {}
                }
            }
            let [go, python, ..] = agreements;
            if agreements.contains(&Agreement::Other) {
                contradicted.push(format!("{path}: {name}: {content}: {agreements:?}"));
            }
            let without = agreements.iter().filter(|a| **a == Agreement::Nothing).count();
            if [go, python].contains(&Agreement::Nothing) || 2 * without > READERS.len() {
                let alike: String = READERS
                    .iter()
                    .zip(agreements)
                    .filter(|(_, agreement)| *agreement == Agreement::Same)
                    .map(|(reader, _)| reader.letter)
                    .collect();
                let line = format!("{path}\t{name:?}\t{alike}");
                deviations.push(Table::DEVIATIONS.with_reason(&line));
            }
        }
        for (tally, before) in tallies.iter_mut().zip(before) {
            let compared = |tally: Tally| tally.same + tally.other + tally.nothing;
            tally.archives += u64::from(compared(*tally) > compared(before));
        }
    }
    for (reader, tally) in READERS.iter().zip(&tallies) {
        println!("{}: {tally:?}", reader.name);
    }
    assert!(contradicted.is_empty(), "others serve other content:\n{}", contradicted.join("\n"));
    for (reader, tally) in READERS.iter().zip(&tallies).take(2) {
        assert!(tally.same > 8_000, "{}: {tally:?}", reader.name);
    }
    Table::DEVIATIONS.assert_is(deviations);
}

#[test]
fn what_is_listed_is_what_go_and_python_list() {
    let Some(folder) = corpora("what_is_listed_is_what_go_and_python_list") else { return };
    let (go, python) = (GO.readings(&folder), PYTHON.readings(&folder));
    let mut wrong = Vec::new();
    let (mut in_go, mut in_python) = (0, Vec::new());
    for (path, file) in archives(&folder) {
        let Ok(archive) = Archive::open(bytes_of(&file)) else { continue };
        let directory = archive.directory();
        for (reader, readings) in [(GO, &go), (PYTHON, &python)] {
            let Some(Some(listing)) = readings.get(&path) else { continue };
            if listing.count != directory.len() {
                let (theirs, ours) = (listing.count, directory.len());
                wrong.push(format!("{path}: {ours} entries, {theirs} in {}", reader.name));
                continue;
            }
            for (entry, (name, _)) in directory.entries().zip(&listing.entries) {
                let header = directory.header(&entry);
                let is_explained = match reader {
                    GO => names::in_go(header.name) == *name,
                    _ => {
                        let origin = names::in_python(name, &header);
                        in_python.extend(origin);
                        origin.is_some()
                    }
                };
                in_go += u64::from(reader == GO);
                if !is_explained {
                    let raw = header.name.escape_ascii();
                    wrong.push(format!("{path}: {raw}, in {} {name:?}", reader.name));
                }
            }
        }
    }
    println!("{in_go} names compared with Go's, {} with Python's, of which", in_python.len());
    for kind in
        [Origin::CodePage437, Origin::UnicodePath, Origin::LastUnicodePath, Origin::CutAtNul]
    {
        println!("{} {kind:?}", in_python.iter().filter(|origin| **origin == kind).count());
    }
    assert!(in_go > 8_000 && in_python.len() > 8_000, "{in_go}, {} names", in_python.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
