//! The blocking drivers: loops that fetch what the engine says it needs. They know no signature.

use bytes::Bytes;

use super::ReadAt;
use crate::directory::Directory;
use crate::error::Error;
use crate::extract::Fetched;
use crate::limits::Limits;
use crate::locate::{DirectoryExtent, Locator, Step};
use crate::window::{Extent, Window};

/// All bytes of an extent: shared where the source has them in memory, else read.
pub(crate) fn fetch<S: ReadAt + ?Sized>(source: &S, extent: Extent) -> Result<Bytes, Error> {
    // What is not as long as it must be is left to the read, which says why.
    let whole_len = extent.end - extent.start;
    if let Some(bytes) = source.share(&extent).filter(|bytes| bytes.len() as u64 == whole_len) {
        return Ok(bytes);
    }
    let len = usize::try_from(whole_len).map_err(|_| Error::Read {
        extent: extent.clone(),
        kind: std::io::ErrorKind::OutOfMemory,
        os: None,
    })?;
    let mut buffer = vec![0; len];
    let mut filled = 0;
    while filled < len {
        match source.read_at(extent.start + filled as u64, &mut buffer[filled..]) {
            Ok(0) => return Err(Error::ShortRead { extent, read_len: filled as u64 }),
            Ok(read_len) => filled += read_len,
            Err(error) => return Err(Error::read(extent, &error)),
        }
    }
    Ok(buffer.into())
}

/// Locates and indexes the central directory.
pub(crate) fn open_directory<S: ReadAt + ?Sized>(
    source: &S,
    limits: &Limits,
) -> Result<Directory, Error> {
    let (extent, bytes) = fetch_directory(source, limits)?;
    Directory::parse(extent, bytes, limits)
}

/// Locates the central directory and brings its bytes: one read where it lies in the tail, else two,
/// and one of four bytes where something precedes the archive.
pub(crate) fn fetch_directory<S: ReadAt + ?Sized>(
    source: &S,
    limits: &Limits,
) -> Result<(DirectoryExtent, Bytes), Error> {
    let mut locator = Locator::new(source.len(), limits);
    let mut tail = Fetched::default();
    let mut window = Fetched::default();
    let extent = loop {
        match locator.step(Window { offset: window.offset, bytes: &window.bytes })? {
            Step::Done(extent) => break extent,
            Step::Need(extent) => {
                // The first need is the tail; what comes after it is not worth keeping.
                let bytes = fetch(source, extent.clone())?;
                tail = std::mem::replace(&mut window, Fetched { offset: extent.start, bytes });
            }
        }
    };
    let bytes = [&window, &tail].into_iter().find(|fetched| fetched.covers(&extent.extent)).map(
        |fetched| {
            let start = (extent.extent.start - fetched.offset) as usize;
            let len = (extent.extent.end - extent.extent.start) as usize;
            fetched.bytes.slice(start..start + len)
        },
    );
    let bytes = match bytes {
        Some(bytes) => bytes,
        None => fetch(source, extent.extent.clone())?,
    };
    Ok((extent, bytes))
}

/// Bytes in hand of a source, refilled on demand.
#[derive(Debug)]
pub(crate) struct Feed<'a, S: ?Sized> {
    source: &'a S,
    fetched: Fetched,
    /// The most bytes to fetch at once, for a caller that will want what follows.
    read_ahead: u64,
    /// Where reading ahead ends.
    end: u64,
}

impl<'a, S: ReadAt + ?Sized> Feed<'a, S> {
    /// A feed that fetches just what is asked for.
    pub(crate) fn exact(source: &'a S) -> Self {
        Self { source, fetched: Fetched::default(), read_ahead: 0, end: 0 }
    }

    /// A feed that fetches up to `read_ahead` bytes at once, up to `end`, as long as it is asked
    /// for what follows the bytes in hand.
    pub(crate) fn ahead(source: &'a S, read_ahead: u64, end: u64) -> Self {
        Self { read_ahead, end, ..Self::exact(source) }
    }

    pub(crate) fn fetched(&self) -> &Fetched {
        &self.fetched
    }

    /// Makes sure that the bytes of `extent` are in hand.
    pub(crate) fn fill(&mut self, extent: Extent) -> Result<(), Error> {
        if self.fetched.covers(&extent) {
            return Ok(());
        }
        // Twice as much as before where one fetch follows another. An archive whose directory jumps
        // to and fro costs what its entries do, and not a whole read ahead for each.
        let in_hand = self.fetched.bytes.len() as u64;
        let goes_on = extent
            .start
            .checked_sub(self.fetched.offset)
            .is_some_and(|distance| distance <= in_hand);
        let ahead = if goes_on { self.read_ahead.min(2 * in_hand) } else { 0 };
        let ahead = extent.start.saturating_add(ahead).min(self.end);
        let extent = extent.start..extent.end.max(ahead);
        // Released first: one fetch is held at a time.
        self.fetched = Fetched::default();
        let bytes = fetch(self.source, extent.clone())?;
        self.fetched = Fetched { offset: extent.start, bytes };
        Ok(())
    }
}
