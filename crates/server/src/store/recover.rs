//! What a start after a crash puts right. Nothing is deleted by guess: a temporary file goes only
//! when its lock is free, a blob only when no row names it and after a day in the quarantine.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::lock::PublishLock;
use super::sweep::remove_blob;
use super::{
    Operation, Published, ServeLock, Sha256Digest, Store, StoreError, blocking, make_folder,
    sync_folder, temp,
};
use crate::catalog::{Blob, Catalog, CatalogError};

/// How long a blob without a row is kept out of the way before it is deleted.
pub const QUARANTINE_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// What a recovery found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Temporary files of dead processes that were removed.
    pub temps_removed: u64,
    /// Blobs and rows were not compared, since something was being published.
    pub blobs_skipped: bool,
    /// Blobs without a row that were moved to the quarantine.
    pub quarantined: Vec<Sha256Digest>,
    /// Blobs that had been in the quarantine for [`QUARANTINE_TIME`] and were deleted.
    pub deleted: Vec<Sha256Digest>,
    /// Blobs that came back from the quarantine, since a row names them again.
    pub restored: Vec<Sha256Digest>,
    /// Rows whose blob is missing or has another length, newly marked lost.
    pub lost: Vec<Sha256Digest>,
    /// Rows that were marked lost and whose blob is there again.
    pub found: Vec<Sha256Digest>,
}

/// Why a recovery stopped.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

impl RecoverError {
    /// Whether the disk is full.
    pub fn is_no_space(&self) -> bool {
        match self {
            Self::Store(error) => error.is_no_space(),
            Self::Catalog(error) => error.is_no_space(),
        }
    }
}

/// Compares store and catalog and puts right what a crash left. The lock is the proof that no other
/// server works on the folder. Needs a tokio runtime; what may wait for a disk runs on its blocking
/// threads.
///
/// # Errors
/// [`RecoverError`]; what was done until then stays done.
pub async fn recover(
    store: &Store,
    _serving: &ServeLock,
    catalog: &Catalog,
    now: SystemTime,
) -> Result<Recovered, RecoverError> {
    let folder = store.temp_dir();
    let temps_removed = blocking(move || temp::remove_abandoned(&folder)).await?;
    let mut done = Recovered { temps_removed, ..Default::default() };
    let Some(lock) = PublishLock::try_exclusive(&store.publish_lock_path())? else {
        done.blobs_skipped = true;
        return Ok(done);
    };
    // Rows are read with the lock held: whatever was published before has its row by now.
    let rows = catalog.blobs().await?;
    let comparing = store.clone();
    let (done, _lock) = blocking(move || {
        compare(&comparing, &rows, now, &mut done)?;
        Ok((done, lock))
    })
    .await?;
    if !(done.lost.is_empty() && done.found.is_empty()) {
        catalog.mark_blobs(&done.lost, &done.found).await?;
    }
    Ok(done)
}

/// How often the lock is asked for to take an archive back: for half a second in all.
const WITHDRAW_ATTEMPTS: u32 = 20;

/// Takes back an archive whose row could not be written; says whether it is gone.
///
/// It stays where it was in the store before, and where a row names it after all. Where something
/// is being published all the while, which may be the same content, it is left to the sweeper.
///
/// # Errors
/// [`RecoverError`]; the archive is then left to the next recovery.
pub async fn withdraw(
    store: &Store,
    published: Published,
    catalog: &Catalog,
) -> Result<bool, RecoverError> {
    let Published { sha256, already_there, .. } = published;
    // And with it its share of the lock.
    drop(published);
    if already_there {
        return Ok(false);
    }
    let lock = PublishLock::exclusive(&store.publish_lock_path(), WITHDRAW_ATTEMPTS).await?;
    let Some(lock) = lock else {
        catalog.note_unreferenced(&sha256).await?;
        return Ok(false);
    };
    if catalog.blob(&sha256).await?.is_some() {
        return Ok(false);
    }
    let store = store.clone();
    blocking(move || {
        remove_blob(&store, &sha256)?;
        drop(lock);
        Ok(true)
    })
    .await
    .map_err(RecoverError::from)
}

fn compare(
    store: &Store,
    rows: &[Blob],
    now: SystemTime,
    done: &mut Recovered,
) -> Result<(), StoreError> {
    let mut stored = HashMap::new();
    for folder in list(&store.blobs_dir())? {
        if folder.metadata.is_dir() {
            let blobs = blobs_in(&folder.path)?.into_iter();
            stored.extend(blobs.filter(|(sha256, found)| found.path == store.blob_path(sha256)));
        }
    }
    let mut quarantined = blobs_in(&store.quarantine_dir())?;

    for row in rows {
        let present = match stored.remove(&row.sha256) {
            Some(file) => holds(&file.metadata, row),
            None => match quarantined.remove(&row.sha256) {
                Some(file) if holds(&file.metadata, row) => {
                    restore(store, &file.path, &row.sha256)?;
                    done.restored.push(row.sha256);
                    true
                }
                Some(_) | None => false,
            },
        };
        match (present, row.lost) {
            (false, false) => done.lost.push(row.sha256),
            (true, true) => done.found.push(row.sha256),
            (true, false) | (false, true) => {}
        }
    }
    for (sha256, file) in quarantined {
        let age = file.metadata.modified().ok().and_then(|since| now.duration_since(since).ok());
        if age.is_some_and(|age| age >= QUARANTINE_TIME) {
            remove(&file.path)?;
            done.deleted.push(sha256);
        }
    }
    // What is left of the files has no row.
    for (sha256, file) in stored {
        quarantine(store, &file.path, &sha256, now)?;
        done.quarantined.push(sha256);
    }
    Ok(())
}

struct Found {
    path: PathBuf,
    metadata: Metadata,
}

fn list(folder: &Path) -> Result<Vec<Found>, StoreError> {
    let failed = |error: std::io::Error| StoreError::io(Operation::List, folder, &error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        found.push(Found { path: entry.path(), metadata: entry.metadata().map_err(failed)? });
    }
    Ok(found)
}

/// The blobs of one folder; files with other names are not the store's and stay untouched.
fn blobs_in(folder: &Path) -> Result<HashMap<Sha256Digest, Found>, StoreError> {
    let digest = |found: &Found| -> Option<Sha256Digest> {
        found.path.file_name()?.to_str()?.strip_suffix(".zip")?.parse().ok()
    };
    Ok(list(folder)?.into_iter().filter_map(|found| Some((digest(&found)?, found))).collect())
}

fn holds(metadata: &Metadata, row: &Blob) -> bool {
    metadata.is_file() && metadata.len() == row.len
}

/// The file's time of modification becomes the time of its quarantine.
fn quarantine(
    store: &Store,
    path: &Path,
    sha256: &Sha256Digest,
    now: SystemTime,
) -> Result<(), StoreError> {
    let to = store.quarantine_dir().join(format!("{sha256}.zip"));
    File::open(path)
        .and_then(|file| file.set_modified(now))
        .and_then(|()| std::fs::rename(path, &to))
        .map_err(|error| StoreError::io(Operation::Move, path, &error))?;
    remove(&store.sidecar_path(sha256))?;
    sync_folder(&store.quarantine_dir())?;
    sync_folder(path.parent().unwrap_or(store.root()))
}

fn restore(store: &Store, from: &Path, sha256: &Sha256Digest) -> Result<(), StoreError> {
    let folder = store.blob_dir(sha256);
    make_folder(&folder)?;
    sync_folder(&store.blobs_dir())?;
    std::fs::rename(from, store.blob_path(sha256))
        .map_err(|error| StoreError::io(Operation::Move, from, &error))?;
    sync_folder(&folder)?;
    sync_folder(&store.quarantine_dir())
}

pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::io(Operation::Remove, path, &error))
        }
        _ => Ok(()),
    }
}
