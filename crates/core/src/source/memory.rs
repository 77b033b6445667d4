//! An archive in memory.

use std::future::{Future, ready};
use std::io;

use bytes::Bytes;

use super::{ReadAt, Source};
use crate::window::Extent;

fn copy(bytes: &[u8], offset: u64, buffer: &mut [u8]) -> usize {
    let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    let len = buffer.len().min(bytes.len() - from);
    buffer[..len].copy_from_slice(&bytes[from..from + len]);
    len
}

impl ReadAt for Bytes {
    fn len(&self) -> u64 {
        self.as_ref().len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(copy(self, offset, buffer))
    }

    fn share(&self, extent: &Extent) -> Option<Bytes> {
        let range = usize::try_from(extent.start).ok()?..usize::try_from(extent.end).ok()?;
        self.get(range.clone()).map(|_| self.slice(range))
    }
}

impl Source for Bytes {
    fn len(&self) -> u64 {
        self.as_ref().len() as u64
    }

    fn try_read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        Ok(Some(copy(self, offset, buffer)))
    }

    fn read(&self, extent: Extent) -> impl Future<Output = io::Result<Bytes>> + Send + 'static {
        let len = self.as_ref().len() as u64;
        let (start, end) = (extent.start.min(len), extent.end.min(len));
        ready(Ok(self.slice(start as usize..end.max(start) as usize)))
    }

    fn is_unchanged(&self) -> io::Result<bool> {
        Ok(true)
    }
}
