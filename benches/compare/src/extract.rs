//! A large deflated entry of an open archive, read into memory.

use std::io::{Cursor, Read};

use entryway::Archive;
use entryway_benches::content::Kind;
use entryway_benches::{archives, map};
use rc_zip_sync::ReadZip;
use zlib_rs::Inflate;

use crate::bare::{self, Bare};
use crate::go::Go;
use crate::harness::{Contender, Rounds, compare};
use crate::open::path_text;
use crate::readers::{self, Read1, entryway_content};
use crate::table::{Case, Unit};
use crate::{Failure, checked, sha256};

/// Reads the one entry of an archive, of `len` bytes of content.
pub fn extract(
    kind: Kind,
    len: usize,
    rounds: Rounds,
    go: Option<&mut Go>,
) -> Result<Case, Failure> {
    let path = archives::one(kind, false, len)?;
    let source = map::source(&path)?;
    let bytes = map::bytes(&source);
    let content = kind.make(len);

    let in_map = Archive::open(source)?;
    let map_found = in_map.find(archives::ENTRY.as_bytes())?.ok_or("no such entry")?;
    let in_file = Archive::open(readers::entryway_file(&path)?)?;
    let file_found = in_file.find(archives::ENTRY.as_bytes())?.ok_or("no such entry")?;
    let bare = Bare::locate(bytes)?;
    let header = bare.find(archives::ENTRY.as_bytes()).ok_or("no such entry")?;
    let data = bare.data(&header);
    let mut inflate = Inflate::new(false, readers::WINDOW_BITS);
    let mut libdeflate = libdeflater::Decompressor::new();
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes))?;
    let rc_zip = bytes.read_zip()?;

    let all: Vec<(&str, Read1<'_>)> = vec![
        ("zlib-rs, at once", Box::new(|content| bare.read(&header, &mut inflate, content))),
        (
            "libdeflate, at once",
            Box::new(|content| {
                content.resize(len, 0);
                libdeflate.deflate_decompress(data, content)?;
                bare::check(content, header.crc32)
            }),
        ),
        ("entryway, map", Box::new(|content| entryway_content(in_map.read(&map_found)?, content))),
        (
            "entryway, file",
            Box::new(|content| entryway_content(in_file.read(&file_found)?, content)),
        ),
        (
            "zip, map",
            Box::new(|content| {
                zip.by_name(archives::ENTRY)?.read_to_end(content)?;
                Ok(())
            }),
        ),
        (
            "rc-zip, map",
            Box::new(|content| {
                let entry = rc_zip.by_name(archives::ENTRY).ok_or("no such entry")?;
                entry.reader().read_to_end(content)?;
                Ok(())
            }),
        ),
    ];
    let mut contenders = Vec::new();
    for (system, mut read) in all {
        checked(system, &mut read, &content)?;
        let mut room = Vec::with_capacity(len + 1);
        contenders.push(Contender::new(system, move || {
            room.clear();
            read(&mut room)
        }));
    }
    if let Some(go) = go {
        let path = path_text(&path)?;
        if go.extract(path, archives::ENTRY, 1)?.1 != sha256(&content) {
            return Err("Go has another content".into());
        }
        contenders.push(Contender::counted("Go, file", move |times| {
            Ok(go.extract(path, archives::ENTRY, times)?.0)
        }));
    }
    let mib = len >> 20;
    Ok(Case {
        bench: "extract",
        case: format!("{} {mib} MiB", kind.name()),
        title: format!("extract {mib} MiB, deflated, {}", kind.name()),
        unit: Unit::MegabytesPerSecond(len as u64),
        scale: "zlib-rs, at once",
        figures: compare(rounds, 1, contenders)?,
    })
}
