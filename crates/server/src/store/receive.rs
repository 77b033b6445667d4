use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, Mode, fallocate, fchmod, fsync};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::lock::{PublishGate, PublishLock};
use super::temp::{Linked, Temp};
use super::{Operation, Sha256Digest, Store, StoreError, make_folder, sync_folder};

/// Bytes copied at a time. Hashing and writing dominate; from 64 KiB up the size of the buffer
/// no longer matters.
const COPY_LEN: usize = 128 * 1024;

/// An archive that is being received. Dropped before [`Incoming::finish`], it leaves nothing.
pub struct Incoming {
    store: Store,
    temp: Temp,
    digest: Sha256,
    declared_size: Option<u64>,
    /// Bytes that room was reserved for: the file's length, until more is written.
    reserved_len: u64,
    received_len: u64,
}

/// An archive that is received and not yet visible: the time to verify it. Dropped, it leaves
/// nothing.
pub struct Staged {
    store: Store,
    temp: Temp,
    sha256: Sha256Digest,
    len: u64,
}

/// An archive that has its name in the store, durably. Keep this value until the catalog has
/// committed a row for it: as long as it lives, no recovery takes the blob for an orphan.
#[derive(Debug)]
pub struct Published {
    /// Digest of the bytes.
    pub sha256: Sha256Digest,
    /// How many bytes.
    pub len: u64,
    /// The file.
    pub path: PathBuf,
    /// The same content was in the store before.
    pub already_there: bool,
    _lock: PublishLock,
}

impl Store {
    /// Begins to receive an archive, with room reserved for the declared size, so that a full
    /// disk is known before the first byte.
    ///
    /// # Errors
    /// [`StoreError::Io`]; [`StoreError::is_no_space`] where there is no room.
    pub fn incoming(&self, declared_size: Option<u64>) -> Result<Incoming, StoreError> {
        self.begin(declared_size, declared_size.unwrap_or(0))
    }

    /// Begins to receive what is not longer than about `room`, with so much reserved; what is left
    /// over is given back when all has been received. `None` reserves nothing.
    ///
    /// # Errors
    /// As [`Store::incoming`].
    pub fn incoming_with_room(&self, room: Option<u64>) -> Result<Incoming, StoreError> {
        self.begin(None, room.unwrap_or(0))
    }

    fn begin(&self, declared_size: Option<u64>, room: u64) -> Result<Incoming, StoreError> {
        let folder = self.temp_dir();
        let temp = Temp::create(&folder)?;
        let mut reserved_len = 0;
        if room > 0 {
            // What the system could not even name is refused as what it has no room for.
            let room = room.min(i64::MAX as u64);
            let allocate = || fallocate(temp.file(), FallocateFlags::empty(), 0, room);
            match rustix::io::retry_on_intr(allocate) {
                Ok(()) => reserved_len = room,
                // A file system that cannot reserve finds out while it writes.
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
                Err(errno) => return Err(StoreError::errno(Operation::Allocate, &folder, errno)),
            }
        }
        let (store, digest) = (self.clone(), Sha256::new());
        Ok(Incoming { store, temp, digest, declared_size, reserved_len, received_len: 0 })
    }

    /// Receives all that a reader gives; `progress` is told the number of bytes so far.
    ///
    /// # Errors
    /// [`StoreError::Source`] where the reader fails, [`StoreError::Length`] where it gives
    /// more or less than declared, [`StoreError::Io`].
    pub fn receive(
        &self,
        source: &mut dyn Read,
        declared_size: Option<u64>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Staged, StoreError> {
        let mut incoming = self.incoming(declared_size)?;
        let mut buffer = vec![0; COPY_LEN];
        loop {
            match source.read(&mut buffer) {
                Ok(0) => return incoming.finish(),
                Ok(read) => incoming.write(&buffer[..read])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let received_len = incoming.received_len;
                    return Err(StoreError::Source { kind: error.kind(), received_len });
                }
            }
            progress(incoming.received_len);
        }
    }
}

impl Incoming {
    /// Appends bytes.
    ///
    /// # Errors
    /// [`StoreError::Length`] past the declared size, [`StoreError::Io`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let received_len = self.received_len + bytes.len() as u64;
        if let Some(declared_size) = self.declared_size.filter(|&size| received_len > size) {
            return Err(StoreError::Length { declared_size, received_len });
        }
        self.temp
            .file()
            .write_all(bytes)
            .map_err(|error| StoreError::io(Operation::Write, &self.store.temp_dir(), &error))?;
        self.digest.update(bytes);
        self.received_len = received_len;
        Ok(())
    }

    /// Bytes received so far.
    pub fn received_len(&self) -> u64 {
        self.received_len
    }

    /// Ends the reception.
    ///
    /// # Errors
    /// [`StoreError::Length`] where less than the declared size was received; [`StoreError::Io`].
    pub fn finish(self) -> Result<Staged, StoreError> {
        let Self { store, temp, digest, declared_size, reserved_len, received_len } = self;
        if let Some(declared_size) = declared_size.filter(|&size| size != received_len) {
            return Err(StoreError::Length { declared_size, received_len });
        }
        if reserved_len > received_len {
            temp.file()
                .set_len(received_len)
                .map_err(|error| StoreError::io(Operation::Truncate, &store.temp_dir(), &error))?;
        }
        let sha256 = Sha256Digest(digest.finalize().into());
        Ok(Staged { store, temp, sha256, len: received_len })
    }
}

impl Staged {
    /// The bytes, to be read at any offset.
    pub fn file(&self) -> &File {
        self.temp.file()
    }

    /// Digest of the bytes.
    pub fn sha256(&self) -> &Sha256Digest {
        &self.sha256
    }

    /// How many bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// The file of the same content that the store has already, if it has one.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn existing(&self) -> Result<Option<File>, StoreError> {
        self.store.open_blob(&self.sha256)
    }

    /// No bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What a failure to read the bytes back is to the store.
    pub(crate) fn read_error(&self, error: &io::Error) -> StoreError {
        StoreError::io(Operation::Read, &self.store.temp_dir(), error)
    }

    /// Makes the archive durable and gives it its name. Content that is in the store already is
    /// not stored twice.
    ///
    /// # Errors
    /// [`StoreError::Io`], after which this archive has to be received anew: a failed sync may
    /// have dropped the very pages that a second sync would report as written.
    /// [`StoreError::Damaged`] where a file of another length has the digest's name.
    pub fn publish(self) -> Result<Published, StoreError> {
        let Self { store, temp, sha256, len } = self;
        let path = store.blob_path(&sha256);
        seal(temp.file(), &path)?;

        let gate = PublishGate::pass(&store.publish_gate_path())?;
        let lock = PublishLock::share(&store.publish_lock_path())?;
        drop(gate);
        let folder = store.blob_dir(&sha256);
        make_folder(&folder)?;
        // Synced even where folder or file exist: whoever made them may not have come to it.
        sync_folder(&store.blobs_dir())?;
        let linked = temp.link_to(&path)?;
        if linked == Linked::Exists {
            expect_len(&path, len)?;
        }
        sync_folder(&folder)?;
        let already_there = linked == Linked::Exists;
        Ok(Published { sha256, len, path, already_there, _lock: lock })
    }
}

/// Read-only for owner and group, and on the disk.
pub(super) fn seal(file: &File, path: &Path) -> Result<(), StoreError> {
    fchmod(file, Mode::RUSR | Mode::RGRP)
        .map_err(|errno| StoreError::errno(Operation::Seal, path, errno))?;
    fsync(file).map_err(|errno| StoreError::errno(Operation::SyncFile, path, errno))
}

fn expect_len(path: &Path, expected_len: u64) -> Result<(), StoreError> {
    let found =
        path.symlink_metadata().map_err(|error| StoreError::io(Operation::Stat, path, &error))?;
    let found_len = if found.is_file() { found.len() } else { 0 };
    if found.is_file() && found_len == expected_len {
        return Ok(());
    }
    Err(StoreError::Damaged { path: path.to_owned(), expected_len, found_len })
}
