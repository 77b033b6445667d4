//! Sources to test with, and the suite that every source passes.
//!
//! [`conforms_read_at`] and [`conforms_source`] hold a source to each sentence of its trait's
//! contract. [`Counting`], [`Sluggish`], [`Flaky`] and [`Changing`] wrap another source, for a test
//! of what reads from it.

mod conformance;

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

pub use self::conformance::{conforms_read_at, conforms_source};
use super::{ReadAt, Source};
use crate::window::Extent;

/// A source that keeps a list of what was asked of another; clones share the list.
#[derive(Clone, Debug)]
pub struct Counting<S> {
    inner: S,
    asked: Arc<Mutex<Vec<Extent>>>,
}

impl<S> Counting<S> {
    /// Watches over `inner`.
    pub fn new(inner: S) -> Self {
        Self { inner, asked: Arc::default() }
    }

    /// The extents asked for since the last call, in order.
    #[must_use]
    pub fn take(&self) -> Vec<Extent> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, extent: Extent) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(extent);
    }
}

impl<S: ReadAt> ReadAt for Counting<S> {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.note(offset..offset + buffer.len() as u64);
        self.inner.read_at(offset, buffer)
    }
}

impl<S: Source> Source for Counting<S> {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn try_read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        self.note(offset..offset + buffer.len() as u64);
        self.inner.try_read(offset, buffer)
    }

    fn read(&self, extent: Extent) -> impl Future<Output = io::Result<Bytes>> + Send + 'static {
        self.note(extent.clone());
        self.inner.read(extent)
    }

    fn is_unchanged(&self) -> io::Result<bool> {
        self.inner.is_unchanged()
    }
}

/// A source whose reads never give more than a few bytes, one where `step` is 1, and which always
/// has to wait.
#[derive(Clone, Debug)]
pub struct Sluggish<S> {
    /// What it reads from.
    pub inner: S,
    /// The most bytes of one read; at least 1.
    pub step: usize,
}

impl<S: ReadAt> ReadAt for Sluggish<S> {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len().min(self.step);
        self.inner.read_at(offset, &mut buffer[..len])
    }
}

impl<S: Source> Source for Sluggish<S> {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn try_read(&self, _: u64, _: &mut [u8]) -> io::Result<Option<usize>> {
        Ok(None)
    }

    fn read(&self, extent: Extent) -> impl Future<Output = io::Result<Bytes>> + Send + 'static {
        self.inner.read(extent)
    }

    fn is_unchanged(&self) -> io::Result<bool> {
        self.inner.is_unchanged()
    }
}

/// A source of which one read fails; clones count their reads together.
#[derive(Clone, Debug)]
pub struct Flaky<S> {
    inner: S,
    /// Reads that are still to succeed before one fails.
    left: Arc<AtomicU64>,
    kind: io::ErrorKind,
}

impl<S> Flaky<S> {
    /// Lets `reads` reads of `inner` succeed, fails the next one with `kind`, and lets all others
    /// succeed again.
    ///
    /// [`Error::is_retryable`](crate::Error::is_retryable) says which kinds may pass.
    pub fn new(inner: S, reads: u64, kind: io::ErrorKind) -> Self {
        Self { inner, left: Arc::new(AtomicU64::new(reads)), kind }
    }

    fn count(&self) -> io::Result<()> {
        // Down to zero for the one that fails, and round the end of numbers for those after it.
        match self.left.fetch_sub(1, Ordering::Relaxed) {
            0 => Err(self.kind.into()),
            _ => Ok(()),
        }
    }
}

impl<S: ReadAt> ReadAt for Flaky<S> {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.count()?;
        self.inner.read_at(offset, buffer)
    }
}

impl<S: Source> Source for Flaky<S> {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn try_read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        self.count()?;
        self.inner.try_read(offset, buffer)
    }

    fn read(&self, extent: Extent) -> impl Future<Output = io::Result<Bytes>> + Send + 'static {
        let counted = self.count();
        let reading = self.inner.read(extent);
        async move {
            counted?;
            reading.await
        }
    }

    fn is_unchanged(&self) -> io::Result<bool> {
        self.inner.is_unchanged()
    }
}

/// A source that becomes another one under its readers; clones change together.
///
/// Its length stays what it was when it was opened. A `later` that is shorter is an archive that was
/// cut short.
#[derive(Clone, Debug)]
pub struct Changing<S> {
    inner: S,
    later: S,
    /// Reads so far.
    reads: Arc<AtomicU64>,
    /// Reads of `inner` before the change.
    until: u64,
}

impl<S> Changing<S> {
    /// Reads `inner` so many times, and `later` from then on.
    pub fn new(inner: S, reads: u64, later: S) -> Self {
        Self { inner, later, reads: Arc::default(), until: reads }
    }

    fn now(&self) -> &S {
        let read = self.reads.fetch_add(1, Ordering::Relaxed);
        if read < self.until { &self.inner } else { &self.later }
    }
}

impl<S: ReadAt> ReadAt for Changing<S> {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.now().read_at(offset, buffer)
    }
}

impl<S: Source> Source for Changing<S> {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn try_read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        self.now().try_read(offset, buffer)
    }

    fn read(&self, extent: Extent) -> impl Future<Output = io::Result<Bytes>> + Send + 'static {
        self.now().read(extent)
    }

    /// Whether the change is still to come.
    fn is_unchanged(&self) -> io::Result<bool> {
        Ok(self.reads.load(Ordering::Relaxed) <= self.until && self.inner.is_unchanged()?)
    }
}
