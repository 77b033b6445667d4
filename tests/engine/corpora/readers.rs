//! What eight other readers made of the archives, as it was recorded once.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

use super::gunzip;

/// A reader whose readings are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reader {
    /// The letter that it has in tables.
    pub(super) letter: char,
    /// Its name, of which the recordings have theirs.
    pub(super) name: &'static str,
}

/// What GitLab reads artifacts with.
pub(super) const GO: Reader = Reader { letter: 'G', name: "go-archive-zip-1.27.3" };
pub(super) const PYTHON: Reader = Reader { letter: 'P', name: "cpython-zipfile-3.13.0" };

/// All of them, the two that this reader is held to in front.
pub(super) const READERS: [Reader; 8] = [
    GO,
    PYTHON,
    Reader { letter: 'J', name: "openjdk-17-zipfile" },
    Reader { letter: 'Z', name: "zip-9.4.1" },
    Reader { letter: 'C', name: "rc-zip-sync" },
    Reader { letter: 'A', name: "astral-async-zip-0.0.22" },
    Reader { letter: 'W', name: "rawzip-0.5.2" },
    Reader { letter: 'Y', name: "yauzl-3.4.0" },
];

/// What a reader made of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Its content, as [`summary`] has it.
    Serves(String),
    Refuses,
    /// Nobody wrote it down: it was too long, or stood behind too many others.
    Unrecorded,
}

/// What a reader made of an archive that it opened.
pub(super) struct Listing {
    /// Entries that the reader counts; no more than 2,000 of them are recorded.
    pub(super) count: usize,
    /// Name, as the reader gives it, and what became of the entry.
    pub(super) entries: Vec<(String, Outcome)>,
}

/// What a reader made of an archive; `None` where it refuses it as a whole.
pub(super) type Reading = Option<Listing>;

impl Reader {
    /// What it made of every archive that it was given, by path.
    pub(super) fn readings(self, folder: &Path) -> HashMap<String, Reading> {
        let mut readings = HashMap::new();
        for set in ["all", "own"] {
            let lines = gunzip(&folder.join(format!("oracles/{set}-{}.jsonl.gz", self.name)));
            let lines = String::from_utf8(lines).expect("lines of JSON");
            for line in lines.lines() {
                let archive: Value = serde_json::from_str(line).expect("a line of JSON");
                readings.insert(text(&archive["p"]), reading(&archive));
            }
        }
        readings
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn reading(archive: &Value) -> Reading {
    if archive["open"] != "ok" {
        return None;
    }
    let entries = archive["e"].as_array().into_iter().flatten();
    let entries = entries.map(|entry| (text(&entry[0]), outcome(&text(&entry[1])))).collect();
    let count = archive["n"].as_u64().unwrap_or_default() as usize;
    Some(Listing { count, entries })
}

fn outcome(recorded: &str) -> Outcome {
    match recorded {
        // A directory that the reader knows for one and has no content to give of, or content that
        // is longer than what the recording took.
        "dir" | "cap" => Outcome::Unrecorded,
        _ if recorded.starts_with("ok:") => Outcome::Serves(recorded.to_owned()),
        _ if recorded.starts_with("err") => Outcome::Refuses,
        _ => panic!("{recorded}"),
    }
}

impl Listing {
    /// What became of the entry that is number `number` of so many, and has this name.
    ///
    /// Some list an entry of each name alone, or in an order of their own.
    pub(super) fn outcome_of(&self, number: usize, count: usize, name: &str) -> &Outcome {
        let is_named = |(other, _): &&(String, Outcome)| other == name;
        let entry = if self.count == count {
            self.entries.get(number)
        } else {
            self.entries.iter().find(is_named)
        };
        entry.map_or(&Outcome::Unrecorded, |(_, outcome)| outcome)
    }
}

/// Length and CRC-32 of a content, as they are recorded.
pub(super) fn summary(content: &[u8]) -> String {
    format!("ok:{}:{:08x}", content.len(), crc32fast::hash(content))
}
