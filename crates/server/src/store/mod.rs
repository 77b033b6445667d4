//! The store: archives as files, named by the SHA-256 of their bytes.
//!
//! ```text
//! DATA/                      0750 or tighter
//!   serve.lock               held by the one server of this folder
//!   blobs/                   locked while a sweep waits for the publications that run
//!   blobs/publish.lock       shared by publications, exclusive for recovery and sweeps
//!   blobs/ab/ab..ef.zip      0440, never modified once it has this name
//!   blobs/ab/ab..ef.sidecar  derived from the archive; may be rebuilt at any time
//!   tmp/                     what is being received; nothing here is ever served
//!   reserve                  room for deletions on a full disk
//!   quarantine/              blobs that no catalog row names, for 24 hours
//! ```
//!
//! One archive is stored in this order, and a crash between two steps leaves nothing that can be
//! reached: a temporary file without a name ([`Store::incoming`]), room for the declared size, the
//! bytes with a running digest, whatever the caller verifies on the [`Staged`] file, `fsync`, the
//! content-addressed name, `fsync` of the folders ([`Staged::publish`]), and only then the
//! catalog's commit, with the [`Published`] value still alive.
//!
//! The store does not know what an archive is, nor who may read it.

mod digest;
mod error;
mod lock;
mod receive;
mod recover;
mod reserve;
mod sidecar;
mod sweep;
mod temp;

use std::fs::{DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;

pub use digest::Sha256Digest;
pub use error::{Operation, StoreError};
pub use lock::ServeLock;
pub use receive::{Incoming, Published, Staged};
pub use recover::{QUARANTINE_TIME, RecoverError, Recovered, recover, withdraw};
pub use sweep::{Swept, sweep};

/// Mode of the folders that the store makes; the umask may tighten it.
const FOLDER_MODE: u32 = 0o750;

/// A folder of content-addressed archives. Clones name the same folder.
#[derive(Clone, Debug)]
pub struct Store {
    root: Arc<Path>,
}

impl Store {
    /// Opens the store in a data folder, making the folder and its parts where they are missing.
    ///
    /// # Errors
    /// [`StoreError::Io`] where a folder cannot be made or synced.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        make_folders(data_dir)?;
        let store = Self { root: Arc::from(data_dir) };
        for folder in [store.blobs_dir(), store.temp_dir(), store.quarantine_dir()] {
            make_folder(&folder)?;
        }
        sync_folder(data_dir)?;
        Ok(store)
    }

    /// The data folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the archive with this digest is, or would be.
    pub fn blob_path(&self, sha256: &Sha256Digest) -> PathBuf {
        self.blob_dir(sha256).join(format!("{sha256}.zip"))
    }

    /// Where the sidecar of the archive with this digest is, or would be.
    pub fn sidecar_path(&self, sha256: &Sha256Digest) -> PathBuf {
        self.blob_dir(sha256).join(format!("{sha256}.sidecar"))
    }

    /// Opens an archive for reading; `None` where the store does not have it.
    ///
    /// # Errors
    /// [`StoreError::Io`]; [`StoreError::is_out_of_descriptors`] tells the case that passes.
    pub fn open_blob(&self, sha256: &Sha256Digest) -> Result<Option<File>, StoreError> {
        open_existing(&self.blob_path(sha256))
    }

    /// Opens a sidecar for reading; `None` where there is none.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn open_sidecar(&self, sha256: &Sha256Digest) -> Result<Option<File>, StoreError> {
        open_existing(&self.sidecar_path(sha256))
    }

    /// Takes the lock that the one server of this folder holds; pushes do not take it.
    ///
    /// # Errors
    /// [`StoreError::Locked`] with the other server's process id where it is known.
    pub fn lock_for_serving(&self) -> Result<ServeLock, StoreError> {
        ServeLock::acquire(self.root.join("serve.lock"))
    }

    fn blobs_dir(&self) -> PathBuf {
        self.root.join("blobs")
    }

    fn blob_dir(&self, sha256: &Sha256Digest) -> PathBuf {
        self.blobs_dir().join(format!("{:02x}", sha256.0[0]))
    }

    fn temp_dir(&self) -> PathBuf {
        self.root.join("tmp")
    }

    fn quarantine_dir(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    fn publish_gate_path(&self) -> PathBuf {
        self.blobs_dir()
    }

    fn publish_lock_path(&self) -> PathBuf {
        self.blobs_dir().join("publish.lock")
    }
}

fn open_existing(path: &Path) -> Result<Option<File>, StoreError> {
    let flags = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
    match File::options().read(true).custom_flags(flags).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::io(Operation::Open, path, &error)),
    }
}

/// Makes the folder and its missing ancestors, each synced into its parent.
fn make_folders(path: &Path) -> Result<(), StoreError> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().unwrap_or(Path::new(""));
    make_folders(parent)?;
    make_folder(path)?;
    sync_folder(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
}

/// Makes one folder; it may exist. The caller syncs the parent.
fn make_folder(path: &Path) -> Result<(), StoreError> {
    match DirBuilder::new().mode(FOLDER_MODE).create(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(StoreError::io(Operation::MakeFolder, path, &error))
        }
        Err(_) if !path.is_dir() => {
            Err(StoreError::errno(Operation::MakeFolder, path, Errno::NOTDIR))
        }
        _ => Ok(()),
    }
}

/// Makes the names in a folder durable.
fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let folder =
        File::open(path).map_err(|error| StoreError::io(Operation::SyncFolder, path, &error))?;
    rustix::fs::fsync(&folder)
        .map_err(|errno| StoreError::errno(Operation::SyncFolder, path, errno))
}

/// Runs work on files where it may wait for a disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends, and the work with it.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests;
