//! The entries of an open archive gone through, and one of them found by its name.

use std::collections::HashMap;
use std::hint::black_box;
use std::io::Cursor;

use async_zip::base::read1::seek::ZipArchiveReader;
use entryway::{Archive, Lookup};
use entryway_benches::content::Draw;
use entryway_benches::{archives, map};
use rc_zip_sync::ReadZip;

use crate::Failure;
use crate::bare::Bare;
use crate::go::Go;
use crate::harness::{Contender, Rounds, compare, timed};
use crate::open::{grouped, path_text};
use crate::readers;
use crate::table::{Case, Unit};

/// The most entries that async_zip is given.
const ASYNC_ZIP_MOST: usize = 100_000;

/// What a walk takes from an entry, so that none can be left out: added up over all of them.
fn sum(size: u64, name: &[u8], crc32: u32) -> u64 {
    size + name.len() as u64 + u64::from(crc32)
}

/// Goes through all entries of an archive that is open.
pub fn walk(count: usize, rounds: Rounds, go: Option<&mut Go>) -> Result<Case, Failure> {
    let path = archives::many(count)?;
    let source = map::source(&path)?;
    let bytes = map::bytes(&source);
    let bare = Bare::locate(bytes)?;
    let ours = Archive::open(source)?;
    let rawzip = rawzip::ZipArchive::from_slice(bytes)?;
    let zip = zip::ZipArchive::new(Cursor::new(bytes))?;
    let rc_zip = bytes.read_zip()?;
    let async_zip = match count <= ASYNC_ZIP_MOST {
        true => {
            let reader = futures_lite::io::Cursor::new(bytes);
            Some(readers::runtime()?.block_on(ZipArchiveReader::open(reader))?)
        }
        false => None,
    };

    type Walk<'a> = Box<dyn FnMut() -> Result<u64, Failure> + 'a>;
    let mut all: Vec<(&str, Walk<'_>)> = vec![
        (
            "rawzip",
            Box::new(|| {
                let mut total = 0;
                let mut entries = rawzip.entries();
                while let Some(entry) = entries.next_entry()? {
                    let size = entry.uncompressed_size_hint();
                    total += sum(size, entry.file_path().as_ref(), entry.crc32());
                }
                Ok(total)
            }),
        ),
        (
            "entryway, entries",
            Box::new(|| {
                let directory = ours.directory();
                let each = directory.entries().map(|entry| {
                    let size = entry.declared_uncompressed_size;
                    size + u64::from(entry.name_len) + u64::from(entry.declared_crc32)
                });
                Ok(each.sum())
            }),
        ),
        (
            "bare scan",
            Box::new(|| {
                let each = bare
                    .headers()
                    .map(|header| sum(header.uncompressed_size as u64, header.name, header.crc32));
                Ok(each.sum())
            }),
        ),
        (
            "zip, a list",
            Box::new(|| {
                let mut total = 0;
                for index in 0..zip.len() {
                    let entry = zip.by_index_data(index)?;
                    total += sum(entry.size(), entry.name_raw(), entry.crc32());
                }
                Ok(total)
            }),
        ),
        (
            "rc-zip, a list",
            Box::new(|| {
                let each = rc_zip
                    .entries()
                    .map(|entry| sum(entry.uncompressed_size, entry.name.as_bytes(), entry.crc32));
                Ok(each.sum())
            }),
        ),
    ];
    if let Some(async_zip) = &async_zip {
        let walk = || {
            let mut total = 0;
            for cdr in async_zip.cdrs() {
                let name = cdr.insecure_file_name.as_bytes();
                total += sum(cdr.uncompressed_size()?, name, cdr.cdrh.crc);
            }
            Ok(total)
        };
        all.push(("async_zip, a list", Box::new(walk)));
    }
    let expected = all[0].1()?;
    let mut contenders = Vec::new();
    for (system, mut walk) in all {
        if walk()? != expected {
            return Err(format!("{system} has another sum").into());
        }
        contenders.push(Contender::new(system, move || {
            black_box(walk()?);
            Ok(())
        }));
    }
    if let Some(go) = go {
        let path = path_text(&path)?;
        if go.walk(path, 1)?.1 != expected.to_string() {
            return Err("Go has another sum".into());
        }
        contenders.push(Contender::counted("Go, a list", move |times| Ok(go.walk(path, times)?.0)));
    }
    Ok(Case {
        bench: "walk",
        case: count.to_string(),
        title: format!("walk, for each of {} entries", grouped(count)),
        unit: Unit::Nanos,
        scale: "rawzip",
        figures: compare(rounds, count as u64, contenders)?,
    })
}

/// Which names are looked for, one after the other and over again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// One.
    Repeated,
    /// A thousand from all over the directory: all that they need stays in a core's cache.
    Few,
    /// Every name, in an order of no pattern: each look-up waits for memory.
    Random,
}

impl Order {
    pub const ALL: [Self; 3] = [Self::Repeated, Self::Few, Self::Random];

    fn names(self, count: usize) -> usize {
        match self {
            Self::Repeated => 1,
            Self::Few => count.min(1_000),
            Self::Random => count,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Repeated => "repeated",
            Self::Few => "few",
            Self::Random => "random",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Repeated => "one name repeated",
            Self::Few => "a thousand names in turn",
            Self::Random => "every name in an order of no pattern",
        }
    }
}

/// Finds names in an archive that is open.
pub fn find(count: usize, order: Order, rounds: Rounds) -> Result<Case, Failure> {
    let path = archives::many(count)?;
    let source = map::source(&path)?;
    let bytes = map::bytes(&source);
    let ours = Archive::open(source)?;
    let directory = ours.directory();
    let zip = zip::ZipArchive::new(Cursor::new(bytes))?;
    let mut zip_reader = zip.clone();
    let map: HashMap<&[u8], u32> =
        Bare::locate(bytes)?.headers().zip(0..).map(|(header, at)| (header.name, at)).collect();

    // One after the other in memory, so that reading them costs little beside the look-ups.
    let mut indexes = Draw(1).order(count);
    indexes.truncate(order.names(count));
    let names: String = indexes.iter().map(|&index| archives::name_of(index)).collect();
    let name_len = names.len() / indexes.len();
    for (&index, name) in indexes.iter().zip(names.as_bytes().chunks(name_len)) {
        let text = std::str::from_utf8(name)?;
        let Lookup::Found(entry) = directory.find(name) else {
            return Err(format!("{text} is not found").into());
        };
        if directory.raw_name(&entry) != name
            || zip.index_for_name(text) != Some(index)
            || map.get(name) != Some(&(index as u32))
        {
            return Err(format!("{text} is found elsewhere").into());
        }
    }

    let contenders = vec![
        finder("entryway, find", &names, name_len, |name| {
            matches!(directory.find(name.as_bytes()), Lookup::Found(_))
        }),
        finder("entryway, judged", &names, name_len, |name| {
            matches!(ours.find(name.as_bytes()), Ok(Some(_)))
        }),
        finder("zip, index_for_name", &names, name_len, |name| zip.index_for_name(name).is_some()),
        finder("zip, by_name", &names, name_len, |name| zip_reader.by_name(name).is_ok()),
        finder("HashMap of names", &names, name_len, |name| map.contains_key(name.as_bytes())),
    ];
    Ok(Case {
        bench: "find",
        case: format!("{} {count}", order.name()),
        title: format!("find among {} entries, {}", grouped(count), order.title()),
        unit: Unit::Nanos,
        scale: "entryway, find",
        figures: compare(rounds, 1, contenders)?,
    })
}

/// Looks for the names in turn, going on where the last turn ended.
fn finder<'a>(
    system: &'a str,
    names: &'a str,
    name_len: usize,
    mut find: impl FnMut(&str) -> bool + 'a,
) -> Contender<'a> {
    let mut at = 0;
    Contender::counted(system, move |times| {
        timed(|| {
            for _ in 0..times {
                if !find(black_box(&names[at..at + name_len])) {
                    return Err("a name is not found".into());
                }
                at += name_len;
                if at == names.len() {
                    at = 0;
                }
            }
            Ok(())
        })
    })
}
