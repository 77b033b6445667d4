//! An archive in a file, read with pread: a file that is cut short under its readers is a short
//! read.

use std::fs::File;
#[cfg(feature = "tokio")]
use std::future::Future;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;

#[cfg(feature = "tokio")]
use bytes::Bytes;

use super::ReadAt;
#[cfg(feature = "tokio")]
use super::Source;
#[cfg(feature = "tokio")]
use crate::window::Extent;

/// A file on a local disk; clones share the descriptor.
#[derive(Clone, Debug)]
pub struct FileSource {
    file: Arc<File>,
    stamp: Stamp,
}

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileSource {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// Those of the file system, and [`io::ErrorKind::IsADirectory`] or
    /// [`io::ErrorKind::InvalidInput`] for what is no regular file.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        // Opening a FIFO would wait for a writer; O_NONBLOCK changes nothing for a regular file.
        let flags = rustix::fs::OFlags::RDONLY
            | rustix::fs::OFlags::CLOEXEC
            | rustix::fs::OFlags::NONBLOCK
            | rustix::fs::OFlags::NOCTTY;
        let descriptor = rustix::fs::open(path.as_ref(), flags, rustix::fs::Mode::empty())?;
        Self::new(File::from(descriptor))
    }

    /// Takes an open file.
    ///
    /// # Errors
    /// As [`FileSource::open`].
    pub fn new(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let stamp = Stamp::of(&metadata);
        Ok(Self { file: Arc::new(file), stamp })
    }

    #[cfg(feature = "mmap")]
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// When the file was last modified before it was opened, in nanoseconds since 1970.
    #[must_use]
    pub fn modified_nanos(&self) -> i64 {
        let (seconds, nanos) = self.stamp.modified;
        seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
    }
}

impl Stamp {
    fn of(metadata: &std::fs::Metadata) -> Self {
        Self {
            len: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            // Unlinking a file changes its ctime and nothing that a reader can see: a file that has
            // no name any more is only held to its size and mtime.
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl ReadAt for FileSource {
    fn len(&self) -> u64 {
        self.stamp.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.file.read_at(buffer, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => return outcome,
            }
        }
    }
}

#[cfg(feature = "tokio")]
impl Source for FileSource {
    fn len(&self) -> u64 {
        self.stamp.len
    }

    fn try_read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        use rustix::io::{Errno, ReadWriteFlags};
        let mut buffers = [io::IoSliceMut::new(buffer)];
        loop {
            match rustix::io::preadv2(&*self.file, &mut buffers, offset, ReadWriteFlags::NOWAIT) {
                Ok(read_len) => return Ok(Some(read_len)),
                Err(Errno::INTR) => {}
                // Not in the page cache, or a file system that cannot say.
                Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn read(&self, extent: Extent) -> impl Future<Output = io::Result<Bytes>> + Send + 'static {
        let source = self.clone();
        async move {
            let outcome = tokio::task::spawn_blocking(move || {
                let mut buffer = vec![0; (extent.end - extent.start) as usize];
                let mut filled = 0;
                while filled < buffer.len() {
                    match source.read_at(extent.start + filled as u64, &mut buffer[filled..])? {
                        0 => break,
                        read_len => filled += read_len,
                    }
                }
                buffer.truncate(filled);
                Ok(Bytes::from(buffer))
            });
            // The task cannot panic and is not aborted; it is lost only when the runtime goes down.
            outcome.await.map_err(io::Error::other)?
        }
    }

    fn is_unchanged(&self) -> io::Result<bool> {
        let metadata = self.file.metadata()?;
        let now = Stamp::of(&metadata);
        Ok(now.len == self.stamp.len
            && now.modified == self.stamp.modified
            && (now.changed == self.stamp.changed || metadata.nlink() == 0))
    }
}
