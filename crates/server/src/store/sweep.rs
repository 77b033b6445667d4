//! Removes what nobody may ask for any more: expired files, deleted ones, and what crashed uploads
//! left.
//!
//! The row goes first, then the file: who asks in between is told that there is nothing. A download
//! that runs has the file open and comes to its end; the room is free when the last one has.

use super::lock::{PublishGate, PublishLock};
use super::recover::{RecoverError, remove};
use super::{Sha256Digest, Store, StoreError, blocking, sync_folder, temp};
use crate::catalog::{Catalog, UtcMillis};

/// Blobs that are removed while publications wait, at most.
const REMOVED_AT_ONCE: u32 = 64;

/// How often the lock is asked for while something is being published: for ten seconds in all, for
/// the sync of a large archive.
const LOCK_ATTEMPTS: u32 = if cfg!(test) { 4 } else { 400 };

/// What a sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Files that were taken off their jobs, since their time was over.
    pub expired: u64,
    /// Blobs that were removed.
    pub removed: Vec<Sha256Digest>,
    /// Their bytes.
    pub removed_len: u64,
    /// Temporary files of dead processes that were removed.
    pub temps_removed: u64,
    /// Something was being published all the time: some blobs are left to the next sweep.
    pub is_postponed: bool,
}

impl Swept {
    /// Whether there was nothing to do.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Sweeps a data folder once. A server may run on it, and others may push into it.
///
/// # Errors
/// [`RecoverError`]; what was done until then stays done, and the next sweep goes on.
pub async fn sweep(
    store: &Store,
    catalog: &Catalog,
    now: UtcMillis,
) -> Result<Swept, RecoverError> {
    let mut swept = Swept::default();
    loop {
        match catalog.sweep_expired(now).await? {
            0 => break,
            expired => swept.expired += expired,
        }
    }
    let folder = store.temp_dir();
    swept.temps_removed = blocking(move || temp::remove_abandoned(&folder)).await?;
    loop {
        let candidates = catalog.unreferenced(REMOVED_AT_ONCE).await?;
        if candidates.is_empty() {
            return Ok(swept);
        }
        // With the lock held nobody publishes what is being removed.
        let Some(lock) = lock(store).await? else {
            swept.is_postponed = true;
            return Ok(swept);
        };
        let mut released = Vec::with_capacity(candidates.len());
        for sha256 in candidates {
            if catalog.release(&sha256).await? {
                released.push(sha256);
            }
        }
        let store = store.clone();
        let (removed, len) = blocking(move || {
            let mut len = 0;
            for sha256 in &released {
                len += remove_blob(&store, sha256)?;
            }
            Ok((released, len))
        })
        .await?;
        // Under the lock as well: content that comes back and loses its row again is noted anew.
        catalog.settle(&removed).await?;
        drop(lock);
        swept.removed.extend(removed);
        swept.removed_len += len;
    }
}

async fn lock(store: &Store) -> Result<Option<PublishLock>, StoreError> {
    // New publications wait at the gate, so that those that run are the last ones.
    let path = store.publish_gate_path();
    let _gate = blocking(move || PublishGate::close(&path)).await?;
    PublishLock::exclusive(&store.publish_lock_path(), LOCK_ATTEMPTS).await
}

/// Removes an archive and its sidecar; says how many bytes the archive had.
pub(super) fn remove_blob(store: &Store, sha256: &Sha256Digest) -> Result<u64, StoreError> {
    let path = store.blob_path(sha256);
    let len = path.symlink_metadata().map_or(0, |metadata| metadata.len());
    remove(&store.sidecar_path(sha256))?;
    remove(&path)?;
    // One may have been made in between, of a file that was still there.
    remove(&store.sidecar_path(sha256))?;
    match sync_folder(&store.blob_dir(sha256)) {
        Ok(()) => {}
        // A blob that was lost may have been lost with its folder.
        Err(error) if !store.blob_dir(sha256).exists() => drop(error),
        Err(error) => return Err(error),
    }
    Ok(len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{JobId, ProjectId, Push};

    struct Folder {
        _folder: tempfile::TempDir,
        store: Store,
        catalog: Catalog,
    }

    impl Folder {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open(folder.path()).unwrap();
            let catalog = Catalog::open(folder.path()).await.unwrap();
            Self { _folder: folder, store, catalog }
        }

        /// Stores bytes as the archive of a job.
        async fn push(&self, bytes: &[u8], expires_at: Option<i64>) -> (Sha256Digest, JobId) {
            let mut bytes = bytes;
            let staged = self.store.receive(&mut bytes, None, &mut |_| {}).unwrap();
            let published = staged.publish().unwrap();
            let project = "group/app".parse().unwrap();
            let push = Push {
                project: &project,
                visibility: None,
                ref_name: "main",
                job: "build",
                pipeline: None,
                status: None,
                sha256: published.sha256,
                len: published.len,
                entries: 1,
                filename: "a.zip",
                expires_at: expires_at.map(UtcMillis),
                now: UtcMillis(0),
            };
            let pushed = self.catalog.push(&push).await.unwrap();
            (published.sha256, pushed.job_id)
        }

        async fn sweep(&self, now: i64) -> Swept {
            sweep(&self.store, &self.catalog, UtcMillis(now)).await.unwrap()
        }
    }

    #[tokio::test]
    async fn what_expired_goes_and_what_others_have_stays() {
        let folder = Folder::new().await;
        let (old, _) = folder.push(b"old", Some(10)).await;
        let (shared, _) = folder.push(b"shared", Some(10)).await;
        let (again, _) = folder.push(b"shared", None).await;
        assert_eq!(shared, again);
        folder.store.publish_sidecar(&old, b"sidecar").unwrap();
        assert!(folder.sweep(9).await.is_nothing(), "a millisecond too early");

        let swept = folder.sweep(10).await;
        let expected = Swept { expired: 2, removed: vec![old], removed_len: 3, ..Swept::default() };
        assert_eq!(swept, expected);
        assert!(folder.store.open_blob(&old).unwrap().is_none());
        assert!(folder.store.open_sidecar(&old).unwrap().is_none());
        assert!(folder.store.open_blob(&shared).unwrap().is_some());
        assert_eq!(folder.catalog.blob(&old).await.unwrap(), None);
        assert!(folder.sweep(10).await.is_nothing(), "done is done");
    }

    #[tokio::test]
    async fn what_was_deleted_goes_with_the_next_sweep() {
        let folder = Folder::new().await;
        let (sha256, job) = folder.push(b"bytes", None).await;
        let deleted = folder.catalog.delete_artifacts(ProjectId(1), job).await.unwrap();
        assert_eq!(deleted, 1);
        assert!(folder.store.open_blob(&sha256).unwrap().is_some());
        assert_eq!(folder.sweep(0).await.removed, [sha256]);
        assert!(folder.store.open_blob(&sha256).unwrap().is_none());
    }

    #[tokio::test]
    async fn nothing_goes_while_something_is_published() {
        let folder = Folder::new().await;
        let (sha256, job) = folder.push(b"bytes", None).await;
        folder.catalog.delete_artifacts(ProjectId(1), job).await.unwrap();
        let mut other = &b"other"[..];
        let staged = folder.store.receive(&mut other, None, &mut |_| {}).unwrap();
        let published = staged.publish().unwrap();
        let swept = folder.sweep(0).await;
        assert_eq!(swept, Swept { is_postponed: true, ..Swept::default() });
        assert!(folder.store.open_blob(&sha256).unwrap().is_some());
        drop(published);
        assert_eq!(folder.sweep(0).await.removed, [sha256]);
    }

    #[tokio::test]
    async fn the_same_bytes_handed_in_before_the_sweep_stay() {
        let folder = Folder::new().await;
        let (sha256, job) = folder.push(b"bytes", None).await;
        folder.catalog.delete_artifacts(ProjectId(1), job).await.unwrap();
        folder.push(b"bytes", None).await;
        assert!(folder.sweep(0).await.removed.is_empty());
        assert!(folder.store.open_blob(&sha256).unwrap().is_some());
    }
}
