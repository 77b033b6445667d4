//! Real archives, fetched by `tests/tools/fetch_real`: every entry equals what Python's zipfile
//! read out of it, and a sample of them what `unzip -p` prints.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::{Push, Scratch, Server, has_command, sha256, skip};
use crate::indexed::{Indexed, assert_none};

/// How many entries of each archive unzip is asked for, spread evenly.
const ASKED_OF_UNZIP: usize = 200;

fn archives(test: &str) -> Option<Vec<Indexed>> {
    let folder = std::env::var_os("ENTRYWAY_REAL");
    if folder.is_none() {
        skip(test, "ENTRYWAY_REAL names no folder made by tests/tools/fetch_real");
    }
    let archives = Indexed::all_in(Path::new(&folder?));
    if archives.is_empty() {
        skip(test, "tests/tools/fetch_real could fetch none");
    }
    Some(archives)
}

#[tokio::test]
async fn every_entry_of_real_archives_is_what_python_reads() {
    let test = "every_entry_of_real_archives_is_what_python_reads";
    let Some(archives) = archives(test) else {
        return;
    };
    let scratch = Scratch::new();
    let server = Server::start(&scratch.data());
    for archive in &archives {
        let pushed = Push { ref_name: archive.name(), ..Push::public() }
            .store_in(&scratch.data(), &archive.path);
        assert_eq!(pushed.refused, Vec::<Value>::new(), "{}", archive.name());
        assert!(pushed.entries >= archive.entries.len() as u64, "{}", archive.name());
        assert_none(archive.name(), &archive.differences_over_http(server.address).await);
    }
}

#[test]
fn python_and_unzip_read_the_same_out_of_real_archives() {
    let test = "python_and_unzip_read_the_same_out_of_real_archives";
    let Some(archives) = archives(test) else {
        return;
    };
    if !has_command("unzip") {
        skip(test, "unzip is not here");
        return;
    }
    for archive in &archives {
        let step = archive.entries.len().div_ceil(ASKED_OF_UNZIP).max(1);
        for (name, digest, _) in archive.served().step_by(step) {
            let unzip = Command::new("unzip")
                .arg("-p")
                .arg(&archive.path)
                .arg(literal(name))
                .output()
                .expect("unzip starts");
            assert!(unzip.status.success(), "{}: {name}: {unzip:?}", archive.name());
            assert_eq!(sha256(&unzip.stdout), digest, "{}: {name}", archive.name());
        }
    }
}

/// A name as a pattern of unzip that matches it alone.
fn literal(name: &str) -> String {
    let mut pattern = String::new();
    for character in name.chars() {
        if "[]*?\\".contains(character) {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}
