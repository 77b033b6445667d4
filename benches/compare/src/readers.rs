//! One entry by each system: the archive opened, the entry found, its content decoded and checked.
//!
//! A reader takes the content into a vector that keeps its room, so that what is compared is not
//! how fast the system gives pages to a process. None keeps anything else from one time to the
//! next. Each is used as its documentation shows, and over the map where it can read one.

use std::io::{Cursor, Read};
use std::path::Path;

use async_zip::base::read1::seek::ZipArchiveReader;
use bytes::Bytes;
use entryway::{
    Archive, EntryPlan, EntryReader, FileSource, Limits, MappedSource, ReadAt, find_one,
};
use futures_lite::{AsyncBufRead, AsyncReadExt, AsyncSeek};
use rc_zip_sync::ReadZip;
use tokio::runtime::Runtime;
use tokio_util::compat::TokioAsyncReadCompatExt;
use zlib_rs::Inflate;

use crate::Failure;
use crate::bare::{self, Bare};

/// Bits of DEFLATE's window.
pub const WINDOW_BITS: u8 = 15;

/// Reads one entry, in the way of one system.
pub type Read1<'a> = Box<dyn FnMut(&mut Vec<u8>) -> Result<(), Failure> + 'a>;

/// An archive, as a file and in memory.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    pub path: &'a Path,
    pub source: &'a MappedSource,
    /// The bytes of the same map.
    pub map: &'static [u8],
    pub memory: &'a Bytes,
    pub name: &'a str,
}

pub fn runtime() -> Result<Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_current_thread().build()?)
}

/// Entryway, over any source.
pub fn entryway<'a, S: ReadAt>(
    source: impl Fn() -> Result<S, Failure> + 'a,
    name: &'a str,
) -> Read1<'a> {
    Box::new(move |content| {
        let archive = Archive::open(source()?)?;
        let found = archive.find(name.as_bytes())?.ok_or("no such entry")?;
        entryway_content(archive.read(&found)?, content)
    })
}

/// Entryway, over the map, without an index: what it offers for one entry.
pub fn entryway_one<'a>(input: Input<'a>) -> Read1<'a> {
    Box::new(move |content| {
        let (source, name) = (input.source, input.name.as_bytes());
        let found = find_one(source, name, Limits::default())?.ok_or("no such entry")?;
        entryway_content(EntryReader::new(source, EntryPlan::whole(&found)?), content)
    })
}

pub fn entryway_content<S: ReadAt>(
    mut reader: EntryReader<'_, S>,
    content: &mut Vec<u8>,
) -> Result<(), Failure> {
    while let Some(chunk) = reader.next_chunk()? {
        content.extend_from_slice(&chunk);
    }
    Ok(())
}

pub fn entryway_file(path: &Path) -> Result<FileSource, Failure> {
    Ok(FileSource::open(path)?)
}

/// A scan over the map that allocates nothing.
pub fn bare<'a>(input: Input<'a>) -> Read1<'a> {
    let mut inflate = Inflate::new(false, WINDOW_BITS);
    Box::new(move |content| {
        let archive = Bare::locate(input.map)?;
        let header = archive.find(input.name.as_bytes()).ok_or("no such entry")?;
        archive.read(&header, &mut inflate, content)
    })
}

pub fn rawzip<'a>(input: Input<'a>) -> Read1<'a> {
    Box::new(move |content| {
        let archive = rawzip::ZipArchive::from_slice(input.map)?;
        let mut entries = archive.entries();
        let mut found = None;
        while let Some(entry) = entries.next_entry()? {
            if entry.file_path().as_ref() == input.name.as_bytes() {
                found = Some((entry.wayfinder(), entry.compressed_size_hint()));
                break;
            }
        }
        let (wayfinder, compressed_size) = found.ok_or("no such entry")?;
        let entry = archive.get_entry(wayfinder)?;
        let verifier = entry.claim_verifier();
        let data = entry.data().get(..compressed_size as usize).ok_or("the data is cut short")?;
        content.resize(verifier.uncompressed_size as usize, 0);
        bare::inflate_into(&mut Inflate::new(false, WINDOW_BITS), data, content)?;
        bare::check(content, verifier.crc)
    })
}

pub fn zip<'a>(input: Input<'a>) -> Read1<'a> {
    Box::new(move |content| {
        let mut archive = zip::ZipArchive::new(Cursor::new(input.map))?;
        archive.by_name(input.name)?.read_to_end(content)?;
        Ok(())
    })
}

pub fn rc_zip<'a>(input: Input<'a>) -> Read1<'a> {
    Box::new(move |content| {
        let archive = input.map.read_zip()?;
        let entry = archive.by_name(input.name).ok_or("no such entry")?;
        entry.reader().read_to_end(content)?;
        Ok(())
    })
}

pub fn async_zip_memory<'a>(input: Input<'a>, runtime: &'a Runtime) -> Read1<'a> {
    Box::new(move |content| {
        let reader = futures_lite::io::Cursor::new(input.map);
        runtime.block_on(async_zip(reader, input.name, content))
    })
}

pub fn async_zip_file<'a>(input: Input<'a>, runtime: &'a Runtime) -> Read1<'a> {
    Box::new(move |content| {
        runtime.block_on(async {
            let file = tokio::fs::File::open(input.path).await?;
            let reader = tokio::io::BufReader::new(file).compat();
            async_zip(reader, input.name, content).await
        })
    })
}

async fn async_zip<R: AsyncBufRead + AsyncSeek + Unpin>(
    reader: R,
    name: &str,
    content: &mut Vec<u8>,
) -> Result<(), Failure> {
    let mut archive = ZipArchiveReader::open(reader).await?;
    let index = archive.find(name.as_bytes())?.next().ok_or("no such entry")?;
    archive.file(index).await?.read_to_end(content).await?;
    Ok(())
}
