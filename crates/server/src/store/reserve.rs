//! Room that is kept back on the disk, so that something can be deleted when it is full.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use super::recover::remove;
use super::{Operation, Store, StoreError};

/// Bytes of the reserve. A deletion is a transaction of some ten pages of 4 KiB in the catalog's
/// log, and so is each file that the sweep after it removes.
const RESERVE_LEN: u64 = 1 << 20;

impl Store {
    /// Makes the reserve where there is none and the disk has room for it.
    ///
    /// # Errors
    /// [`StoreError::Io`]; a full disk is no error, nor is a file system that cannot reserve.
    pub fn keep_reserve(&self) -> Result<(), StoreError> {
        let path = self.reserve_path();
        let failed = |error: std::io::Error| StoreError::io(Operation::Allocate, &path, &error);
        if path.symlink_metadata().is_ok_and(|found| found.len() == RESERVE_LEN) {
            return Ok(());
        }
        let file = match File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
        {
            Err(error) if error.raw_os_error() == Some(Errno::NOSPC.raw_os_error()) => {
                return Ok(());
            }
            file => file.map_err(failed)?,
        };
        match fallocate(&file, FallocateFlags::empty(), 0, RESERVE_LEN) {
            Ok(()) => Ok(()),
            Err(Errno::NOSPC | Errno::DQUOT | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INTR) => {
                remove(&path)
            }
            Err(errno) => Err(failed(errno.into())),
        }
    }

    /// Gives up the reserve, for a deletion that has no room without it.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn give_up_reserve(&self) -> Result<(), StoreError> {
        remove(&self.reserve_path())
    }

    fn reserve_path(&self) -> std::path::PathBuf {
        self.root().join("reserve")
    }
}
