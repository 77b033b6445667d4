//! Archives by every writer that `tests/tools/make_archives` could run here, and by the crates zip
//! and async_zip: every entry equals its source, through the library, the program and HTTP.

use std::io::{Cursor, Write};
use std::path::Path;

use bytes::Bytes;
use entryway_testkit::fixtures::{noise, text};
use serde_json::{Value, json};

use crate::client::{Client, by_ref};
use crate::harness::{Push, Scratch, Server, run, sha256, skip};
use crate::indexed::{Indexed, assert_none};
use entryway_tests_shared::mapped::map;

/// The folder of make_archives; `None` where nobody made it.
fn archives(test: &str) -> Option<Vec<Indexed>> {
    let folder = std::env::var_os("ENTRYWAY_ARCHIVES");
    if folder.is_none() {
        skip(test, "ENTRYWAY_ARCHIVES names no folder made by tests/tools/make_archives");
    }
    let archives = Indexed::all_in(Path::new(&folder?));
    assert!(!archives.is_empty(), "ENTRYWAY_ARCHIVES has no archive with an index");
    Some(archives)
}

#[tokio::test]
async fn every_entry_of_every_writer_equals_its_source_over_http() {
    let Some(archives) = archives("every_entry_of_every_writer_equals_its_source_over_http") else {
        return;
    };
    let scratch = Scratch::new();
    let server = Server::start(&scratch.data());
    for archive in &archives {
        let pushed = Push { ref_name: archive.name(), ..Push::public() }
            .store_in(&scratch.data(), &archive.path);
        assert!(pushed.entries >= archive.entries.len() as u64, "{}", archive.writer);
        let differences = archive.differences_over_http(server.address).await;
        assert_none(&archive.writer, &differences);
        let mut client = Client::http1(server.address);
        for name in &archive.unsupported {
            let answer = client.get(&by_ref(archive.name(), name.as_bytes())).await;
            assert_eq!(answer.status, 422, "{}: {name}", archive.writer);
        }
    }
}

#[test]
fn every_entry_of_every_writer_equals_its_source_through_the_library() {
    let Some(archives) =
        archives("every_entry_of_every_writer_equals_its_source_through_the_library")
    else {
        return;
    };
    for archive in &archives {
        let names: Vec<&str> = archive.served().map(|(name, ..)| name).collect();
        for (source, bodies) in through_library(&archive.path, &names) {
            let mut differences = Vec::new();
            for ((name, digest, _), body) in archive.served().zip(bodies) {
                match body {
                    Ok(body) if sha256(&body) == digest => {}
                    Ok(body) => differences.push(format!("{name}: {} other bytes", body.len())),
                    Err(error) => differences.push(format!("{name}: {error}")),
                }
            }
            assert_none(&format!("{}, from {source}", archive.writer), &differences);
        }
    }
}

#[test]
fn ls_names_and_cat_prints_the_entries_of_every_writer() {
    let Some(archives) = archives("ls_names_and_cat_prints_the_entries_of_every_writer") else {
        return;
    };
    for archive in &archives {
        // It shows refused entries too, and says by its exit code that there are some.
        let code = i32::from(!archive.unsupported.is_empty());
        let listing = run([Path::new("ls"), &archive.path]).exits(code).text();
        for (name, _, length) in archive.served().step_by(archive.entries.len() / 20 + 1) {
            // The listing may show a name escaped; plain ones stand in it as they are.
            if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte)) {
                let found = listing
                    .lines()
                    .any(|line| line.contains(name) && line.contains(&length.to_string()));
                assert!(found, "{}: {name} of {length} bytes in {listing}", archive.writer);
            }
            let cat =
                run([Path::new("cat"), &archive.path, Path::new("--"), Path::new(name)]).exits(0);
            let digest = &archive.entries[name].0;
            assert_eq!(&sha256(&cat.stdout), digest, "{}: {name}", archive.writer);
        }
    }
}

/// What the two crates are given to write: text, noise, empty, large, deep and non-ASCII.
fn files() -> Vec<(String, Vec<u8>)> {
    let mut files = vec![
        ("plain.txt".to_owned(), text(3_000, 1)),
        ("empty".to_owned(), Vec::new()),
        ("noise.bin".to_owned(), noise(70_000, 1)),
        ("large.log".to_owned(), text(2_500_000, 2)),
        ("\u{65e5}\u{672c}\u{8a9e}.txt".to_owned(), text(300, 3)),
        (format!("{}/deep.txt", ["down"; 50].join("/")), text(10, 4)),
    ];
    files.extend((0..200_u32).map(|n| (format!("logs/{n:03}.log"), text(n as usize * 31, 5))));
    files
}

/// Writes an archive of [`files`] and its index, as make_archives does.
fn indexed(scratch: &Scratch, name: &str, archive: &[u8]) -> Indexed {
    let path = scratch.file(name, archive);
    let entries: serde_json::Map<String, Value> = files()
        .into_iter()
        .map(|(name, body)| (name, json!([sha256(&body), body.len()])))
        .collect();
    let index = json!({"writer": name, "entries": entries, "unsupported": []});
    scratch.file(&format!("{name}.json"), index.to_string());
    Indexed::open(path)
}

fn by_crate_zip(method: zip::CompressionMethod, large: bool) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(method)
        .large_file(large)
        .unix_permissions(0o644);
    writer.add_directory("logs", options).expect("crate zip writes a directory");
    for (name, body) in files() {
        writer.start_file(name, options).expect("crate zip starts an entry");
        writer.write_all(&body).expect("crate zip writes an entry");
    }
    writer.finish().expect("crate zip ends its archive").into_inner()
}

fn by_crate_zip_to_a_stream() -> Vec<u8> {
    let mut writer = zip::ZipWriter::new_stream(Vec::new());
    let options = zip::write::SimpleFileOptions::default();
    for (name, body) in files() {
        writer.start_file(name, options).expect("crate zip starts an entry");
        writer.write_all(&body).expect("crate zip writes an entry");
    }
    writer.finish().expect("crate zip ends its archive").into_inner()
}

async fn by_crate_async_zip(compression: async_zip::Compression) -> Vec<u8> {
    let mut writer = async_zip::base::write::ZipFileWriter::new(Vec::new());
    for (name, body) in files() {
        let entry = async_zip::ZipEntryBuilder::new(name.into(), compression).build();
        writer.write_entry_whole(entry, &body).await.expect("async_zip writes an entry");
    }
    writer.close().await.expect("async_zip ends its archive")
}

#[tokio::test]
async fn every_entry_of_the_crates_zip_and_async_zip_equals_its_source() {
    let scratch = Scratch::new();
    let server = Server::start(&scratch.data());
    let archives = [
        ("zip-deflated.zip", by_crate_zip(zip::CompressionMethod::Deflated, false)),
        ("zip-stored.zip", by_crate_zip(zip::CompressionMethod::Stored, false)),
        ("zip-zip64.zip", by_crate_zip(zip::CompressionMethod::Deflated, true)),
        ("zip-stream.zip", by_crate_zip_to_a_stream()),
        ("async_zip-deflated.zip", by_crate_async_zip(async_zip::Compression::Deflate).await),
        ("async_zip-stored.zip", by_crate_async_zip(async_zip::Compression::Stored).await),
    ];
    for (name, bytes) in archives {
        let archive = indexed(&scratch, name, &bytes);
        let pushed =
            Push { ref_name: name, ..Push::public() }.store_in(&scratch.data(), &archive.path);
        assert_eq!(pushed.refused, Vec::<Value>::new(), "{name}");
        assert_none(name, &archive.differences_over_http(server.address).await);
        let names: Vec<&str> = archive.served().map(|(name, ..)| name).collect();
        for (source, bodies) in through_library(&archive.path, &names) {
            for (name, body) in names.iter().zip(bodies) {
                let body = body.unwrap_or_else(|error| panic!("{name}, from {source}: {error}"));
                assert_eq!(sha256(&body), archive.entries[*name].0, "{name}, from {source}");
            }
        }
    }
}

/// What came of each entry that was read.
type Bodies = Vec<Result<Vec<u8>, entryway::Error>>;

/// Reads entries of an archive through the crate `entryway`, in the order of `names`: from the file,
/// from memory and from a map.
fn through_library(archive: &Path, names: &[&str]) -> [(&'static str, Bodies); 3] {
    let file = entryway::FileSource::open(archive).expect("an archive of this test");
    let memory = Bytes::from(std::fs::read(archive).expect("an archive of this test"));
    [
        ("the file", through_source(file, names)),
        ("memory", through_source(memory, names)),
        ("a map", through_source(map(archive), names)),
    ]
}

fn through_source<S: entryway::ReadAt>(source: S, names: &[&str]) -> Bodies {
    let archive = entryway::Archive::open(source).expect("an archive that is accepted");
    let read = |name: &&str| {
        let found = archive.find(name.as_bytes()).expect("one entry answers to the name");
        let found = found.unwrap_or_else(|| panic!("no entry {name}"));
        let mut reader = archive.read(&found)?;
        let mut content = Vec::new();
        while let Some(chunk) = reader.next_chunk()? {
            content.extend_from_slice(&chunk);
        }
        Ok(content)
    };
    names.iter().map(read).collect()
}
