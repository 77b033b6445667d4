//! Sources to test with.

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

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

/// A source whose reads never give more than a few bytes, and which always has to wait.
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
