use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::{Operation, StoreError};

/// The right to serve a data folder: one server a folder. Released when dropped, and by the
/// system when the process dies.
#[derive(Debug)]
pub struct ServeLock {
    _file: File,
}

impl ServeLock {
    pub(super) fn acquire(path: PathBuf) -> Result<Self, StoreError> {
        let mut file = open_lock(&path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut text = String::new();
                let read = file.read_to_string(&mut text);
                let holder = read.ok().and_then(|_| text.trim().parse().ok());
                return Err(StoreError::Locked { path, holder });
            }
            Err(errno) => return Err(StoreError::errno(Operation::Lock, &path, errno)),
        }
        // The process id is for people; the lock alone decides.
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(|error| StoreError::io(Operation::Lock, &path, &error))?;
        Ok(Self { _file: file })
    }
}

/// How long [`PublishLock::exclusive`] waits before it asks again.
const PAUSE: Duration = Duration::from_millis(25);

/// Keeps recovery away from the time between a blob's name and the catalog's row.
#[derive(Debug)]
pub(super) struct PublishLock {
    _file: File,
}

impl PublishLock {
    /// For a publication; waits while a recovery lists the blobs.
    pub(super) fn share(path: &Path) -> Result<Self, StoreError> {
        let file = open_lock(path)?;
        rustix::io::retry_on_intr(|| flock(&file, FlockOperation::LockShared))
            .map_err(|errno| StoreError::errno(Operation::Lock, path, errno))?;
        Ok(Self { _file: file })
    }

    /// For removals: asks so often, with a pause after each, while something is being published.
    pub(super) async fn exclusive(path: &Path, attempts: u32) -> Result<Option<Self>, StoreError> {
        for _ in 0..attempts {
            if let Some(lock) = Self::try_exclusive(path)? {
                return Ok(Some(lock));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(None)
    }

    /// For recovery; `None` while something is being published.
    pub(super) fn try_exclusive(path: &Path) -> Result<Option<Self>, StoreError> {
        let file = open_lock(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(StoreError::errno(Operation::Lock, path, errno)),
        }
    }
}

/// What every publication passes before it begins, and a sweep closes while it waits for those that
/// run: of a lock that is shared all the time, one that must have it alone would never get any.
#[derive(Debug)]
pub(super) struct PublishGate {
    _file: File,
}

impl PublishGate {
    /// Waits until the gate is open, and holds it open.
    pub(super) fn pass(path: &Path) -> Result<Self, StoreError> {
        Self::flock(path, FlockOperation::LockShared)
    }

    /// Closes the gate, until this is dropped.
    pub(super) fn close(path: &Path) -> Result<Self, StoreError> {
        Self::flock(path, FlockOperation::LockExclusive)
    }

    /// The lock is the folder's own.
    fn flock(path: &Path, operation: FlockOperation) -> Result<Self, StoreError> {
        let file =
            File::open(path).map_err(|error| StoreError::io(Operation::Lock, path, &error))?;
        rustix::io::retry_on_intr(|| flock(&file, operation))
            .map_err(|errno| StoreError::errno(Operation::Lock, path, errno))?;
        Ok(Self { _file: file })
    }
}

fn open_lock(path: &Path) -> Result<File, StoreError> {
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| StoreError::io(Operation::Lock, path, &error))
}
