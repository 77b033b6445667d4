//! Real archives, fetched by `tests/tools/fetch_real`: every entry equals what Python's zipfile
//! read out of it, and what `unzip -p` prints.

use std::io::{BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{Push, Scratch, Server, has_command, sha256, skip};
use crate::indexed::{Indexed, assert_none};

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

/// `unzip -p` prints all entries one after the other, in the directory's order: cut at their sizes,
/// each piece is one entry.
#[test]
fn every_entry_of_real_archives_is_what_unzip_prints() {
    let test = "every_entry_of_real_archives_is_what_unzip_prints";
    let Some(archives) = archives(test) else {
        return;
    };
    if !has_command("unzip") {
        skip(test, "unzip is not here");
        return;
    }
    for indexed in &archives {
        let mut unzip = Command::new("unzip")
            .arg("-p")
            .arg(&indexed.path)
            .stdout(Stdio::piped())
            .spawn()
            .expect("unzip starts");
        let mut printed = BufReader::new(unzip.stdout.take().expect("a pipe"));
        let source = entryway::FileSource::open(&indexed.path).expect("the archive is there");
        let archive = entryway::Archive::open(source).expect("the archive is read");
        let mut compared = 0;
        for entry in archive.directory().entries().filter(|entry| !entry.is_directory) {
            let found = archive.describe(&entry);
            let name = &*found.display_name;
            let size = usize::try_from(entry.declared_uncompressed_size).expect("it fits");
            let mut piece = vec![0; size];
            printed.read_exact(&mut piece).expect("unzip prints as much as the sizes say");
            let mut served = Vec::with_capacity(size);
            let mut reader = archive.read(&found).expect("the entry is served");
            reader.read_to_end(&mut served).expect("the entry is good");
            assert!(served == piece, "{}: {name}", indexed.name());
            if let Some((digest, _)) = indexed.entries.get(name) {
                assert_eq!(&sha256(&piece), digest, "{}: {name}", indexed.name());
                compared += 1;
            }
        }
        assert_eq!(compared, indexed.entries.len(), "{}", indexed.name());
        assert_eq!(printed.read(&mut [0]).expect("a pipe is read"), 0, "unzip prints no more");
        assert!(unzip.wait().expect("unzip ends").success(), "{}", indexed.name());
    }
}
