//! An archive opened and one of its entries read, by the number of entries; and the heap it takes.

use std::path::Path;

use bytes::Bytes;
use entryway::Archive;
use entryway_benches::{archives, map};
use rc_zip_sync::ReadZip;

use crate::counting_allocator::{self, Heap};
use crate::go::Go;
use crate::harness::{Contender, Rounds, compare};
use crate::readers::{self, Input, Read1};
use crate::table::{Case, Figure, Unit};
use crate::{Failure, checked, sha256};

/// The most entries that async_zip is given, and how often: it takes seconds.
const ASYNC_ZIP_MOST: usize = 100_000;
const ASYNC_ZIP_ROUNDS: usize = 10;

/// Opens the archive and reads the entry in its middle.
pub fn open(count: usize, rounds: Rounds, go: Option<&mut Go>) -> Result<Case, Failure> {
    let path = archives::many(count)?;
    let memory = Bytes::from(std::fs::read(&path)?);
    let name = archives::name_of(archives::wanted(count));
    let content = archives::wanted_content();
    let source = map::source(&path)?;
    let map = map::bytes(&source);
    let input = Input { path: &path, source: &source, map, memory: &memory, name: &name };
    let runtime = readers::runtime()?;

    let mut all: Vec<(&str, Read1<'_>)> = vec![
        ("bare scan", readers::bare(input)),
        ("entryway, one, map", readers::entryway_one(input)),
        ("entryway, map", readers::entryway(|| Ok(input.source.clone()), &name)),
        ("entryway, bytes", readers::entryway(|| Ok(input.memory.clone()), &name)),
        ("entryway, file", readers::entryway(|| readers::entryway_file(input.path), &name)),
        ("rawzip, map", readers::rawzip(input)),
        ("zip, map", readers::zip(input)),
        ("rc-zip, map", readers::rc_zip(input)),
    ];
    if count <= ASYNC_ZIP_MOST {
        all.push(("async_zip, map", readers::async_zip_memory(input, &runtime)));
        all.push(("async_zip, file", readers::async_zip_file(input, &runtime)));
    }
    let mut contenders = Vec::new();
    for (system, mut read) in all {
        checked(system, &mut read, &content)?;
        let mut room = Vec::with_capacity(content.len());
        let contender = Contender::new(system, move || {
            room.clear();
            read(&mut room)
        });
        contenders.push(match system {
            "async_zip, map" | "async_zip, file" => contender.at_most(ASYNC_ZIP_ROUNDS),
            _ => contender,
        });
    }
    if let Some(go) = go {
        let path = path_text(&path)?;
        let expected = sha256(&content);
        if go.open(path, &name, 1)?.1 != expected {
            return Err("Go has another content".into());
        }
        let name = &name;
        contenders
            .push(Contender::counted("Go, file", move |times| Ok(go.open(path, name, times)?.0)));
    }
    Ok(Case {
        bench: "open",
        case: count.to_string(),
        title: format!("open plus one entry, {} entries", grouped(count)),
        unit: Unit::Micros,
        scale: "bare scan",
        figures: compare(rounds, 1, contenders)?,
    })
}

/// The heap of an open archive for each of its entries.
pub fn heap(count: usize, go: Option<&mut Go>) -> Result<Case, Failure> {
    let path = archives::many(count)?;
    let source = map::source(&path)?;
    let bytes = map::bytes(&source);
    let mut figures = Vec::new();
    let mut add = |system: &str, heap: Heap, beside: i64| {
        let each = |bytes: i64| bytes as f64 / count as f64;
        figures.push(Figure {
            system: system.to_owned(),
            median: each(heap.held - beside),
            least: each(heap.held - beside),
            most: each(heap.peak),
            cpu: None,
            rounds: 1,
        });
    };

    let (archive, heap) = counting_allocator::count(|| Archive::open(source.clone()));
    let archive = archive?;
    let directory = &archive.directory().extent().extent;
    let directory_len = (directory.end - directory.start) as i64;
    // The directory is a part of the map.
    add("entryway, map", heap, 0);
    let (archive, heap) = counting_allocator::count(|| {
        Ok::<_, Failure>(Archive::open(readers::entryway_file(&path)?)?)
    });
    drop(archive?);
    add("entryway, file", heap, directory_len);
    let (archive, heap) = counting_allocator::count(|| rawzip::ZipArchive::from_slice(bytes));
    archive?;
    add("rawzip, map", heap, 0);
    let (archive, heap) =
        counting_allocator::count(|| zip::ZipArchive::new(std::io::Cursor::new(bytes)));
    drop(archive?);
    add("zip, map", heap, 0);
    let (archive, heap) = counting_allocator::count(|| bytes.read_zip());
    drop(archive?);
    add("rc-zip, map", heap, 0);
    if count <= ASYNC_ZIP_MOST {
        let runtime = readers::runtime()?;
        let (archive, heap) = counting_allocator::count(|| {
            let reader = futures_lite::io::Cursor::new(bytes);
            runtime.block_on(async_zip::base::read1::seek::ZipArchiveReader::open(reader))
        });
        drop(archive?);
        add("async_zip, map", heap, 0);
    }
    if let Some(go) = go {
        let held = go.heap(path_text(&path)?)? as i64;
        add("Go, file", Heap { held, peak: held }, 0);
    }
    Ok(Case {
        bench: "heap",
        case: count.to_string(),
        title: format!(
            "heap for each of {} entries, the directory's own {} bytes for each left out",
            grouped(count),
            directory_len / count as i64
        ),
        unit: Unit::Bytes,
        scale: "entryway, map",
        figures,
    })
}

/// A path as a command for the Go program has it.
pub fn path_text(path: &Path) -> Result<&str, Failure> {
    path.to_str().ok_or_else(|| "a path that is not UTF-8".into())
}

/// A number as tables have it.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    groups.map(|group| String::from_utf8_lossy(group)).collect::<Vec<_>>().join(",")
}
