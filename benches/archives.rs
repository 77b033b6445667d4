//! The archives, made once and kept.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use entryway_testkit::extra::extended_timestamp;
use entryway_testkit::fixtures::{crc32, deflate};
use entryway_testkit::record::{
    CentralDirectoryHeader, EndOfCentralDirectory, LocalFileHeader, Zip64Locator, Zip64Record,
};

use crate::content::Kind;

/// The archives' form; a change of what this file writes takes another number.
const FORM: u32 = 1;

const STORED: u16 = 0;
const DEFLATED: u16 = 8;
const ZSTD: u16 = 93;
/// DEFLATE's level, the default of most writers.
const LEVEL: u32 = 6;
/// zstd's level, its own default.
const ZSTD_LEVEL: i32 = 3;

/// Bytes of the content of the entry that is looked for in an archive of many.
pub const WANTED_LEN: usize = 1_800;

/// The name of an entry in an archive of many: 50 bytes, sharing most of them with its neighbours.
#[must_use]
pub fn name_of(index: usize) -> String {
    format!("target/reports/{:05}/module-{:03}/case-{index:08}.html", index / 500, index / 25 % 20)
}

/// The index of the entry that is looked for in an archive of `count`: the middle one.
#[must_use]
pub fn wanted(count: usize) -> usize {
    count / 2
}

/// The content of the entry that is looked for.
#[must_use]
pub fn wanted_content() -> Vec<u8> {
    Kind::Html.make(WANTED_LEN)
}

/// An archive of many small entries.
///
/// The one that is [`wanted`] is deflated, the others are stored and hold a line of 14 bytes. Each
/// has a time stamp as its extra field, as Info-ZIP and runners of CI jobs write one. A central
/// directory header takes 105 bytes.
///
/// # Errors
/// What writing the file came to.
pub fn many(count: usize) -> io::Result<PathBuf> {
    many_named(&format!("many-{count}.zip"), count, name_of)
}

/// As [`many`], with `./` in front of each name: found by what follows it.
///
/// # Errors
/// What writing the file came to.
pub fn many_dotted(count: usize) -> io::Result<PathBuf> {
    many_named(&format!("dotted-{count}.zip"), count, |index| format!("./{}", name_of(index)))
}

fn many_named(file: &str, count: usize, name: impl Fn(usize) -> String) -> io::Result<PathBuf> {
    kept(file, |archive| {
        let content = wanted_content();
        let data = deflate(LEVEL, &content);
        for index in 0..count {
            let name = name(index);
            if index == wanted(count) {
                archive.entry(&name, DEFLATED, &content, &data)?;
            } else {
                let line = format!("case {index:08}\n");
                archive.entry(&name, STORED, line.as_bytes(), line.as_bytes())?;
            }
        }
        Ok(())
    })
}

/// An archive of one entry.
///
/// # Errors
/// What writing the file came to.
pub fn one(kind: Kind, is_stored: bool, len: usize) -> io::Result<PathBuf> {
    let method = if is_stored { "stored" } else { "deflated" };
    kept(&format!("{method}-{}-{len}.zip", kind.name()), |archive| {
        let content = kind.make(len);
        if is_stored {
            archive.entry(ENTRY, STORED, &content, &content)
        } else {
            archive.entry(ENTRY, DEFLATED, &content, &deflate(LEVEL, &content))
        }
    })
}

/// As [`one`], by zstd.
///
/// # Errors
/// What compressing and writing the file came to.
pub fn one_zstd(kind: Kind, len: usize) -> io::Result<PathBuf> {
    kept(&format!("zstd-{}-{len}.zip", kind.name()), |archive| {
        let content = kind.make(len);
        let mut data = vec![0; zstd_safe::compress_bound(len)];
        let data_len = zstd_safe::compress(&mut data[..], &content, ZSTD_LEVEL)
            .map_err(|code| io::Error::other(zstd_safe::get_error_name(code)))?;
        archive.entry(ENTRY, ZSTD, &content, &data[..data_len])
    })
}

/// As [`one`], by a method that 7-Zip writes, named as it names it; `None` where it is not here or
/// does not write that one.
///
/// # Errors
/// What writing the files came to.
pub fn one_by_7z(method: &str, kind: Kind, len: usize) -> io::Result<Option<PathBuf>> {
    let name = format!("{}-{}-{len}.zip", method.to_lowercase(), kind.name());
    let path = folder()?.join(&name);
    if !path.exists() {
        let scratch = folder()?.join(format!("{name}.{}.part", std::process::id()));
        let (file, unfinished) = (scratch.join(ENTRY), scratch.join("out.zip"));
        fs::create_dir_all(file.parent().unwrap_or(&scratch))?;
        fs::write(&file, kind.make(len))?;
        let wrote = Command::new("7z")
            .args(["a", "-tzip", &format!("-mm={method}"), "out.zip", ENTRY])
            .current_dir(&scratch)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if wrote {
            fs::rename(&unfinished, &path)?;
        }
        fs::remove_dir_all(&scratch)?;
    }
    Ok(path.exists().then_some(path))
}

/// The name of the entry of [`one`].
pub const ENTRY: &str = "target/reports/entry.html";

/// The file of this name, made where it is not there yet.
fn kept(name: &str, fill: impl FnOnce(&mut Writer) -> io::Result<()>) -> io::Result<PathBuf> {
    let path = folder()?.join(name);
    if !path.exists() {
        let unfinished = path.with_extension(format!("{}.part", std::process::id()));
        let mut archive = Writer::new(File::create(&unfinished)?);
        fill(&mut archive)?;
        archive.finish()?;
        fs::rename(&unfinished, &path)?;
    }
    Ok(path)
}

fn folder() -> io::Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../target/benches/{FORM}"));
    fs::create_dir_all(&folder)?;
    folder.canonicalize()
}

/// Writes an archive of less than 4 GiB front to back.
struct Writer {
    file: BufWriter<File>,
    offset: u64,
    directory: Vec<u8>,
    entries: u64,
    header: Vec<u8>,
}

impl Writer {
    fn new(file: File) -> Self {
        let file = BufWriter::with_capacity(1 << 20, file);
        Self { file, offset: 0, directory: Vec::new(), entries: 0, header: Vec::new() }
    }

    fn entry(&mut self, name: &str, method: u16, content: &[u8], data: &[u8]) -> io::Result<()> {
        let crc32 = crc32(content);
        let extra = extended_timestamp(1_700_000_000);
        let local_header_offset = fits(self.offset)?;
        let compressed_size = fits(data.len() as u64)?;
        let uncompressed_size = fits(content.len() as u64)?;
        self.header.clear();
        LocalFileHeader {
            method,
            crc32,
            compressed_size,
            uncompressed_size,
            name: name.into(),
            extra: extra.clone(),
            ..LocalFileHeader::default()
        }
        .write(&mut self.header);
        self.file.write_all(&self.header)?;
        self.file.write_all(data)?;
        self.offset += (self.header.len() + data.len()) as u64;
        CentralDirectoryHeader {
            method,
            crc32,
            compressed_size,
            uncompressed_size,
            name: name.into(),
            extra,
            local_header_offset,
            ..CentralDirectoryHeader::default()
        }
        .write(&mut self.directory);
        self.entries += 1;
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        let directory_size = self.directory.len() as u64;
        let end = self.offset + directory_size;
        let mut tail = self.directory;
        let mut entries = self.entries as u16;
        if self.entries >= u64::from(u16::MAX) {
            Zip64Record {
                entries_on_disk: self.entries,
                entries_total: self.entries,
                directory_size,
                directory_offset: self.offset,
                ..Zip64Record::default()
            }
            .write(&mut tail);
            Zip64Locator { record_offset: end, ..Zip64Locator::default() }.write(&mut tail);
            entries = u16::MAX;
        }
        EndOfCentralDirectory {
            entries_on_disk: entries,
            entries_total: entries,
            directory_size: fits(directory_size)?,
            directory_offset: fits(self.offset)?,
            ..EndOfCentralDirectory::default()
        }
        .write(&mut tail);
        self.file.write_all(&tail)?;
        self.file.flush()
    }
}

fn fits(value: u64) -> io::Result<u32> {
    u32::try_from(value).map_err(|_| io::Error::other("an archive of 4 GiB"))
}
