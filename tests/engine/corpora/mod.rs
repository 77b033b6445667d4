//! Archives made by others: those of the corpora, where the machine has them, and those that the
//! machine has of its own.
//!
//! None of these files may be in the repository. The folder of corpora is named by
//! `ENTRYWAY_CORPORA`, or lies beside the repository. What the tests hold to them, a line for each
//! archive, is in the tables beside these modules.

mod corpus_verdicts;
mod differential;
mod false_refusal;
mod goldens;
mod machine_archives;
mod names;
mod oracle;
mod readers;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use entryway::Refusal;
use flate2::read::GzDecoder;

use super::{Entries, open_and_read};
use entryway_tests_shared::machine::skip;

/// Archives that are made to be read differently, or by chance: no writer's own.
const MADE_TO_MISLEAD: [&str; 3] =
    ["zipdiff-constructions/", "go-fuzz-corpus-zip/", "own-classes/"];

/// The folder of corpora; where there is none, says so for a test.
pub(super) fn corpora(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("ENTRYWAY_CORPORA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpora")),
        PathBuf::from,
    );
    if !folder.join("own-classes/RULES.tsv").is_file() {
        skip(test, "there is no folder of corpora (ENTRYWAY_CORPORA)");
        return None;
    }
    Some(folder)
}

/// What a gzip file of the corpora holds.
fn gunzip(path: &Path) -> Vec<u8> {
    let file = std::fs::File::open(path).expect("a file of the corpora");
    let mut content = Vec::new();
    GzDecoder::new(file).read_to_end(&mut content).expect("a gzip file");
    content
}

/// Every file of the corpora that is no text about them, by its path there.
fn archives(folder: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(inner) = open.pop() {
        for item in std::fs::read_dir(&inner).expect("a folder of the corpora") {
            let path = item.expect("an item of the corpora").path();
            if path.is_dir() {
                open.push(path);
            } else if path.is_file() {
                let name = path.strip_prefix(folder).expect("a path below the folder");
                let name = name.to_str().expect("a path of the corpora is UTF-8");
                found.insert(name.to_owned(), path);
            }
        }
    }
    // What readers made of the archives, and what others wrote about them.
    found.retain(|name, _| {
        let is_about = |end| name.ends_with(end);
        !name.starts_with("oracles/") && ![".tsv", ".md", ".txt", ".py"].into_iter().any(is_about)
    });
    found
}

fn bytes_of(path: &Path) -> Bytes {
    Bytes::from(std::fs::read(path).expect("a file of the corpora"))
}

fn read(path: &Path) -> Result<Entries, Refusal> {
    open_and_read(bytes_of(path))
}

/// The verdict in a word: the archive's rule, or the rules of its refused entries.
fn verdict(read: &Result<Entries, Refusal>) -> String {
    match read {
        Err(refusal) => format!("archive: {}", refusal.rule.label()),
        Ok(entries) => {
            let refused: BTreeSet<_> = entries
                .iter()
                .filter_map(|(_, content)| content.as_ref().err())
                .map(|refusal| refusal.rule.label())
                .collect();
            if refused.is_empty() {
                return "served".to_owned();
            }
            format!("entries: {}", refused.into_iter().collect::<Vec<_>>().join(" "))
        }
    }
}
