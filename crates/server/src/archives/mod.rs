//! Open archives and the entries asked of them: what makes a warm request warm.
//!
//! ```text
//! sha256        -> OpenArchive   file, sidecar or directory     (bounded by bytes and descriptors)
//! archive, path -> ServedEntry   verdict, header fields, small bodies      (bounded by bytes)
//! ```
//!
//! A hit in both touches neither the disk nor another thread. A miss runs once, on a blocking
//! thread: it opens the archive, reads a few pages of its sidecar and one record of its directory.
//! Where the sidecar is lost or does not belong to the file as it is, the directory itself is read,
//! the entries are unverified, and a new sidecar is made in the background.

mod decoders;
mod entry;
mod open;
mod recheck;
mod selection;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use entryway::{Error, Policy, Refusal};
use moka::sync::Cache;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

pub use self::decoders::{DecoderMemory, DecoderShare};
pub use self::entry::ServedEntry;
use self::open::FindFailure;
pub use self::open::OpenArchive;
use self::selection::SubsetKey;
pub use self::selection::{SelectFailure, ServedSubset};
use crate::store::{Sha256Digest, Store, StoreError};

/// Listings and selections that are worked out at a time.
const SELECTIONS: usize = 4;

/// How much is kept in memory or taken while answers run, and how many descriptors are held open.
#[derive(Clone, Copy, Debug)]
pub struct CacheBounds {
    /// Archives kept open; each holds two descriptors at most.
    pub archives: u64,
    /// Bytes of directories read without a sidecar.
    pub directory_len: u64,
    /// Bytes of entries: their header fields, and bodies of up to 64 KiB.
    pub entry_len: u64,
    /// Bytes of subsets: their directories, for whoever comes back for another range.
    pub subset_len: u64,
    /// Bytes that the decoders of running answers may take together.
    pub decoder_len: u64,
}

impl Default for CacheBounds {
    fn default() -> Self {
        Self {
            archives: 256,
            directory_len: 256 << 20,
            entry_len: 128 << 20,
            subset_len: 32 << 20,
            decoder_len: 512 << 20,
        }
    }
}

/// Why an archive or an entry cannot be served.
#[derive(Clone, Debug)]
pub enum ServeError {
    /// The store does not have the archive.
    Lost,
    /// The store failed.
    Store(Arc<StoreError>),
    /// The archive, which was accepted when it was stored, cannot be read.
    Archive(Error),
    /// The entry is refused.
    Entry(Refusal),
    /// The server is going down.
    Stopping,
}

/// The archives of one store, opened on demand.
#[derive(Clone)]
pub struct Archives {
    shared: Arc<Shared>,
}

struct Shared {
    store: Store,
    policy: Policy,
    /// Where background work runs.
    control: Handle,
    open: Cache<Sha256Digest, Arc<OpenArchive>>,
    entries: Cache<EntryKey, Arc<ServedEntry>>,
    subsets: Cache<SubsetKey, Arc<ServedSubset>>,
    /// Listings and selections at a time: each may look at every entry, and hold as many folders as
    /// names imply.
    selection_turns: Arc<Semaphore>,
    decoder_memory: DecoderMemory,
    rechecks: recheck::Rechecks,
    /// How many archives have been opened: their numbers, and a count for tests.
    opened: AtomicU64,
}

/// The number of an open archive and the path asked for. A reopened archive has another number, so
/// that what was known of the old one is not found again.
type EntryKey = Box<[u8]>;

impl Archives {
    /// Archives of `store`, read under `policy`, with background work on `control`.
    #[must_use]
    pub fn new(
        store: Store,
        policy: impl Into<Policy>,
        bounds: CacheBounds,
        control: Handle,
    ) -> Self {
        // Weighed so that either bound alone can fill the cache.
        let unit = bounds.directory_len.div_ceil(bounds.archives.max(1)).max(1);
        let open = Cache::builder()
            .max_capacity(bounds.archives.max(1).saturating_mul(unit))
            .weigher(move |_, archive: &Arc<OpenArchive>| {
                u32::try_from(archive.heap_len().max(unit)).unwrap_or(u32::MAX)
            })
            .build();
        let entries = Cache::builder()
            .max_capacity(bounds.entry_len)
            .weigher(|key: &EntryKey, entry: &Arc<ServedEntry>| {
                u32::try_from(key.len() as u64 + entry.heap_len()).unwrap_or(u32::MAX)
            })
            .build();
        let subsets = Cache::builder()
            .max_capacity(bounds.subset_len)
            .weigher(|key: &SubsetKey, subset: &Arc<ServedSubset>| {
                u32::try_from(key.len() as u64 + subset.heap_len()).unwrap_or(u32::MAX)
            })
            .build();
        let shared = Shared {
            store,
            policy: policy.into(),
            control,
            open,
            entries,
            subsets,
            selection_turns: Arc::new(Semaphore::new(SELECTIONS)),
            decoder_memory: DecoderMemory::new(bounds.decoder_len),
            rechecks: recheck::Rechecks::default(),
            opened: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The store that they are in.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// What the decoders of running answers share.
    #[must_use]
    pub fn decoder_memory(&self) -> &DecoderMemory {
        &self.shared.decoder_memory
    }

    /// How many archive files have been opened so far.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.shared.opened.load(Ordering::Relaxed)
    }

    /// The open archive with this digest.
    ///
    /// # Errors
    /// [`ServeError`], but never [`ServeError::Entry`].
    pub async fn open(&self, sha256: &Sha256Digest) -> Result<Arc<OpenArchive>, ServeError> {
        if let Some(open) = self.shared.open.get(sha256).filter(|open| !open.is_retired()) {
            return Ok(open);
        }
        let (shared, sha256) = (Arc::clone(&self.shared), *sha256);
        // Requests that miss at the same time wait for one of them to open it.
        let outcome = tokio::task::spawn_blocking(move || {
            if shared.open.get(&sha256).is_some_and(|open| open.is_retired()) {
                shared.open.invalidate(&sha256);
            }
            let opened = shared.open.try_get_with(sha256, || {
                let number = shared.next_number();
                OpenArchive::open(&shared.store, &sha256, &shared.policy, number).map(Arc::new)
            });
            let open = opened.map_err(|error: Arc<ServeError>| (*error).clone())?;
            if !open.is_verified() {
                recheck::start(&shared, &sha256);
            }
            Ok(open)
        });
        outcome.await.map_err(|_| ServeError::Stopping)?
    }

    /// Lets go of an archive that is not to be served any more; downloads that run keep it open.
    pub fn forget(&self, sha256: &Sha256Digest) {
        if let Some(open) = self.shared.open.remove(sha256) {
            open.retire();
        }
        self.shared.rechecks.forget(sha256);
    }

    /// Closes the files of archives that were let go of: the cache itself does so only while it is
    /// asked for others, and an open file takes its room on the disk for as long.
    pub fn close_forgotten(&self) {
        self.shared.open.run_pending_tasks();
    }

    /// Has an archive verified that was stored just now, in the background, unless its verdicts are
    /// there. Looks at the disk, briefly.
    pub fn verify_soon(&self, sha256: &Sha256Digest) {
        if matches!(self.shared.store.open_sidecar(sha256), Ok(Some(_))) {
            return;
        }
        // The same bytes may have been here before, and been given up.
        self.shared.rechecks.forget(sha256);
        recheck::start(&self.shared, sha256);
    }

    /// The entry that a path means; `None` where there is none, or it is a directory.
    ///
    /// # Errors
    /// [`ServeError`]; [`ServeError::Entry`] for an entry that is known to be bad.
    pub async fn entry(
        &self,
        archive: &Arc<OpenArchive>,
        path: &[u8],
    ) -> Result<Option<Arc<ServedEntry>>, ServeError> {
        let key: EntryKey = [&archive.number().to_le_bytes(), path].concat().into();
        if let Some(entry) = self.shared.entries.get(&key) {
            return Ok(Some(entry));
        }
        let (shared, archive) = (Arc::clone(&self.shared), Arc::clone(archive));
        let outcome = tokio::task::spawn_blocking(move || {
            let path = key.get(size_of::<u64>()..).unwrap_or_default();
            let found = match archive.find(path) {
                Ok(found) => found,
                Err(FindFailure::Serve(error)) => return Err(error),
                Err(FindFailure::Sidecar(error)) => {
                    tracing::error!(sha256 = %archive.sha256(), %error, "cannot use a sidecar");
                    return shared.find_without_sidecar(&archive, path);
                }
            };
            let entry = found.map(|found| Arc::new(ServedEntry::new(found, &archive)));
            if let Some(entry) = &entry {
                shared.entries.insert(key, Arc::clone(entry));
            }
            Ok(entry)
        });
        outcome.await.map_err(|_| ServeError::Stopping)?
    }
}

impl Shared {
    /// The number of an opening.
    fn next_number(&self) -> u64 {
        self.opened.fetch_add(1, Ordering::Relaxed)
    }

    /// Puts the archive in the place of one whose sidecar is damaged, without it, and has a new
    /// sidecar made. Until then its entries are unverified.
    fn reopen_without_sidecar(
        self: &Arc<Self>,
        damaged: &OpenArchive,
    ) -> Result<Arc<OpenArchive>, ServeError> {
        let archive = damaged.without_sidecar(&self.policy, self.next_number())?;
        damaged.retire();
        let archive = Arc::new(archive);
        self.open.insert(*archive.sha256(), Arc::clone(&archive));
        recheck::start(self, archive.sha256());
        Ok(archive)
    }

    /// Finds an entry in an archive whose sidecar is damaged.
    fn find_without_sidecar(
        self: &Arc<Self>,
        damaged: &OpenArchive,
        path: &[u8],
    ) -> Result<Option<Arc<ServedEntry>>, ServeError> {
        let archive = self.reopen_without_sidecar(damaged)?;
        match archive.find(path) {
            Ok(found) => Ok(found.map(|found| Arc::new(ServedEntry::new(found, &archive)))),
            Err(FindFailure::Serve(error)) => Err(error),
            // It has none.
            Err(FindFailure::Sidecar(_)) => Err(ServeError::Archive(Error::Changed)),
        }
    }
}

impl std::fmt::Debug for Archives {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archives").field("store", &self.shared.store).finish_non_exhaustive()
    }
}
