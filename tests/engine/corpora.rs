//! Archives made by others, where the machine has them: what the rules' own table, the oracle, Go
//! and Python say of them.
//!
//! None of these files may be in the repository. The folder is named by `ENTRYWAY_CORPORA`, or lies
//! beside the repository.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use entryway::Refusal;
use flate2::read::GzDecoder;
use serde_json::Value;

use super::{Entries, disagreement, open_and_read};
use entryway_tests_shared::machine::skip;

/// The longest archive that the oracle, which keeps everything, is asked about.
const ORACLE_LEN: u64 = 1 << 20;

pub(super) fn corpora(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("ENTRYWAY_CORPORA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpora")),
        PathBuf::from,
    );
    if !folder.join("own-classes/RULES.tsv").is_file() {
        skip(test, "there is no folder of corpora (ENTRYWAY_CORPORA)");
        return None;
    }
    Some(folder)
}

/// What a gzip file of the corpora holds.
pub(super) fn gunzip(path: &Path) -> Vec<u8> {
    let file = std::fs::File::open(path).expect("a file of the corpora");
    let mut content = Vec::new();
    GzDecoder::new(file).read_to_end(&mut content).expect("a gzip file");
    content
}

/// Every file below a folder that begins or ends like a zip archive, by its path there.
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
                found.insert(name.to_string_lossy().into_owned(), path);
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

fn read(path: &Path) -> Result<Entries, Refusal> {
    open_and_read(Bytes::from(std::fs::read(path).expect("a file of the corpora")))
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

#[test]
fn every_hostile_class_gets_the_verdict_of_its_table() {
    let Some(folder) = corpora("every_hostile_class_gets_the_verdict_of_its_table") else { return };
    let folder = folder.join("own-classes");
    let table = std::fs::read_to_string(folder.join("RULES.tsv")).expect("a table");
    let mut wrong = Vec::new();
    let rows: Vec<Vec<&str>> = table.lines().skip(1).map(|row| row.split('\t').collect()).collect();
    for row in &rows {
        let (id, rule) = (row[0], row[2]);
        let read = read(&folder.join(id).with_extension("zip"));
        let agrees = match rule {
            "R" => read.is_err(),
            "r" => verdict(&read).starts_with("entries: "),
            "S" | "A" => verdict(&read) == "served",
            _ => false,
        };
        // What is wrong with one entry leaves the other alone; in C16b the wrong one is b.txt.
        let b = read.iter().flatten().find(|(name, _)| name == b"b.txt");
        let b_is_served = b.is_none_or(|(_, content)| content.as_deref() == Ok(b"world"));
        if !agrees || !(b_is_served || id == "C16b-lfh-off-in-cd") {
            wrong.push(format!("{id}: {rule}, got {}", verdict(&read)));
        }
    }
    assert!(rows.len() > 180, "{} classes", rows.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_oracle_agrees_on_every_archive_made_by_others() {
    let test = "the_oracle_agrees_on_every_archive_made_by_others";
    let Some(folder) = corpora(test) else { return };
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (name, path) in archives(&folder) {
        if path.metadata().expect("a file of the corpora").len() > ORACLE_LEN {
            continue;
        }
        let bytes = Bytes::from(std::fs::read(&path).expect("a file of the corpora"));
        let engine = open_and_read(bytes.clone());
        if let Some(difference) = disagreement(&engine, &bytes) {
            wrong.push(format!("{name}: {difference}"));
        }
        seen += 1;
    }
    assert!(seen > 6_000, "{seen} archives");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// How many archives of each source got each verdict; any change is to be looked at.
#[test]
fn verdicts_on_archives_made_by_others_are_those_of_the_list() {
    let test = "verdicts_on_archives_made_by_others_are_those_of_the_list";
    let Some(folder) = corpora(test) else { return };
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    for (name, path) in archives(&folder) {
        let source = match name.split_once('/') {
            // One archive a class: by its name.
            Some(("own-classes", file)) => file.to_owned(),
            Some((source, _)) => format!("{source}/"),
            None => name.clone(),
        };
        *counts.entry((source, verdict(&read(&path)))).or_default() += 1;
    }
    let list: String = counts
        .into_iter()
        .map(|((source, verdict), count)| format!("{source}\t{count}\t{verdict}\n"))
        .collect();
    let expected = include_str!("verdicts.tsv");
    if list != expected {
        let kept: BTreeSet<_> = expected.lines().collect();
        let made: BTreeSet<_> = list.lines().collect();
        let lost: Vec<_> = kept.difference(&made).collect();
        let new: Vec<_> = made.difference(&kept).collect();
        let path = std::env::temp_dir().join("verdicts.tsv");
        std::fs::write(&path, &list).expect("a temporary file");
        panic!("no more: {lost:#?}\nnew: {new:#?}\nthe whole list: {}", path.display());
    }
}

/// What another reader made of an archive: for each entry `ok:LENGTH:CRC-32`, or an error.
type Reading = Vec<(String, String)>;

/// What a reader made of every archive that it could open, by path.
fn readings(folder: &Path, reader: &str) -> HashMap<String, Reading> {
    let mut readings = HashMap::new();
    for set in ["all", "own"] {
        let lines = gunzip(&folder.join(format!("oracles/{set}-{reader}.jsonl.gz")));
        let lines = String::from_utf8(lines).expect("lines of JSON");
        for line in lines.lines() {
            let archive: Value = serde_json::from_str(line).expect("a line of JSON");
            if archive["open"] != "ok" {
                continue;
            }
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let entries = archive["e"].as_array().into_iter().flatten();
            let entries = entries.map(|entry| (text(&entry[0]), text(&entry[1]))).collect();
            readings.insert(text(&archive["p"]), entries);
        }
    }
    readings
}

fn summary(content: &[u8]) -> String {
    format!("ok:{}:{:08x}", content.len(), crc32fast::hash(content))
}

#[test]
fn what_is_served_is_what_go_or_python_serves() {
    let Some(folder) = corpora("what_is_served_is_what_go_or_python_serves") else { return };
    let go = readings(&folder, "go-archive-zip-1.27.3");
    let python = readings(&folder, "cpython-zipfile-3.13.0");
    let mut wrong = Vec::new();
    let mut compared = 0;
    for (name, path) in archives(&folder) {
        let Ok(entries) = read(&path) else { continue };
        for (number, (raw_name, content)) in entries.iter().enumerate() {
            let Ok(content) = content else { continue };
            let content = summary(content);
            let others: Vec<&String> = [&go, &python]
                .into_iter()
                .filter_map(|reader| reader.get(&name))
                .filter(|entries_there| entries_there.len() == entries.len())
                .map(|entries_there| &entries_there[number].1)
                .filter(|entry| entry.starts_with("ok:"))
                .collect();
            compared += usize::from(!others.is_empty());
            if !others.is_empty() && !others.contains(&&content) {
                let raw_name = String::from_utf8_lossy(raw_name);
                wrong.push(format!("{name}: {raw_name}: {content}, others {others:?}"));
            }
        }
    }
    assert!(compared > 4_000, "{compared} entries compared");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_go_and_python_read_alike_is_served_but_for_the_list() {
    let test = "what_go_and_python_read_alike_is_served_but_for_the_list";
    let Some(folder) = corpora(test) else { return };
    let go = readings(&folder, "go-archive-zip-1.27.3");
    let python = readings(&folder, "cpython-zipfile-3.13.0");
    let mut refused = Vec::new();
    let mut served = 0;
    for (name, path) in archives(&folder) {
        // Made to be read differently, and made by chance.
        let made_to_mislead = ["zipdiff-constructions/", "go-fuzz-corpus-zip/", "own-classes/"];
        if made_to_mislead.iter().any(|source| name.starts_with(source)) {
            continue;
        }
        let (Some(go), Some(python)) = (go.get(&name), python.get(&name)) else { continue };
        let contents = |reading: &Reading| -> Vec<String> {
            reading.iter().map(|(_, content)| content.clone()).collect()
        };
        let is_clean = go.iter().all(|(_, content)| content.starts_with("ok:"));
        if !is_clean || contents(go) != contents(python) {
            continue;
        }
        let read = read(&path);
        match verdict(&read).as_str() {
            "served" => served += 1,
            verdict => refused.push(format!("{name}\t{verdict}")),
        }
    }
    assert!(served > 300, "{served} archives");
    let expected: Vec<&str> = include_str!("refused_by_name.tsv").lines().collect();
    assert!(refused == expected, "not as in the list:\n{}", refused.join("\n"));
}
