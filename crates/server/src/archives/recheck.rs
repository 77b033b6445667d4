//! Verifies an archive that has no sidecar, and makes one, in the background: after an upload, and
//! where one was lost.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use entryway::{Archive, FileSource};
use rustix::io::Errno;
use tokio::sync::Semaphore;

use super::Shared;
use crate::store::Sha256Digest;
use crate::verification;

/// The archives that are being rechecked, or were in vain: each is tried once, unless it failed for
/// something that passes.
pub(super) struct Rechecks {
    begun: Mutex<HashSet<Sha256Digest>>,
    /// One at a time of each: requests come first, and what is small does not wait for what is large.
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// Bytes from which on an archive counts as large.
const LARGE_LEN: u64 = 64 << 20;
/// Bytes of declared content from which on it does, however small it is: some methods honestly make
/// a million bytes of one.
const LARGE_CONTENT_SIZE: u64 = 1 << 30;
/// Bytes of declared content up to which an archive is verified in the background: a quarter of an
/// hour's work and more. With more it stays unverified.
const CONTENT_SIZE_MAX: u64 = 1 << 40;

impl Default for Rechecks {
    fn default() -> Self {
        let turn = || Arc::new(Semaphore::new(1));
        Self { begun: Mutex::default(), small: turn(), large: turn() }
    }
}

impl Rechecks {
    /// Whether nobody has begun before.
    fn begin(&self, sha256: Sha256Digest) -> bool {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).insert(sha256)
    }

    pub(super) fn forget(&self, sha256: &Sha256Digest) {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).remove(sha256);
    }
}

/// Why no sidecar was made.
#[derive(Debug, thiserror::Error)]
enum RecheckError {
    #[error("the archive is gone")]
    Lost,
    #[error("it declares {0} bytes of content, more than are decoded in the background")]
    Vast(u64),
    #[error("the file is not the one that was stored: its SHA-256 is {0}")]
    Damaged(Sha256Digest),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    #[error(transparent)]
    Verify(#[from] entryway::Error),
}

impl RecheckError {
    /// Whether it only came at the wrong time.
    fn passes(&self) -> bool {
        let is_descriptors =
            |code| matches!(Errno::from_raw_os_error(code), Errno::MFILE | Errno::NFILE);
        match self {
            Self::Store(error) => error.is_out_of_descriptors(),
            Self::Io(error) => error.raw_os_error().is_some_and(is_descriptors),
            Self::Lost | Self::Vast(_) | Self::Damaged(_) | Self::Verify(_) => false,
        }
    }
}

/// Begins to recheck an archive, unless that has been begun before.
pub(super) fn start(shared: &Arc<Shared>, sha256: &Sha256Digest) {
    let sha256 = *sha256;
    if !shared.rechecks.begin(sha256) {
        return;
    }
    let path = shared.store.blob_path(&sha256);
    let len = path.symlink_metadata().map_or(0, |metadata| metadata.len());
    let shared = Arc::clone(shared);
    let control = shared.control.clone();
    control.spawn(async move {
        let is_large = len >= LARGE_LEN;
        let mut outcome = take_turn(&shared, sha256, is_large).await;
        if let Some(Ok(Turn::TooLarge)) = outcome {
            outcome = take_turn(&shared, sha256, true).await;
        }
        match outcome {
            Some(Ok(_)) => {
                // Opened anew, with the sidecar; what a later loss needs is another recheck.
                if let Some(open) = shared.open.remove(&sha256) {
                    open.retire();
                }
                shared.rechecks.forget(&sha256);
                tracing::info!(%sha256, "verified an archive");
            }
            Some(Err(error)) => {
                tracing::error!(%sha256, %error, "cannot verify an archive");
                if error.passes() {
                    shared.rechecks.forget(&sha256);
                }
            }
            None => {}
        }
    });
}

/// What came of an archive's turn.
enum Turn {
    Verified,
    /// It is for the turns of large ones; nothing was decoded.
    TooLarge,
}

/// Waits for a turn and verifies; `None` where the server stops.
async fn take_turn(
    shared: &Arc<Shared>,
    sha256: Sha256Digest,
    is_large: bool,
) -> Option<Result<Turn, RecheckError>> {
    let Rechecks { small, large, .. } = &shared.rechecks;
    let turns = if is_large { large } else { small };
    let _turn = Arc::clone(turns).acquire_owned().await.ok()?;
    let shared = Arc::clone(shared);
    tokio::task::spawn_blocking(move || recheck(&shared, &sha256, is_large)).await.ok()
}

fn recheck(shared: &Shared, sha256: &Sha256Digest, is_large: bool) -> Result<Turn, RecheckError> {
    let file = shared.store.open_blob(sha256)?.ok_or(RecheckError::Lost)?;
    let source = FileSource::new(file)?;
    // Why an archive cannot be opened is said once it is known whether it is the one that was stored.
    let content_size = Archive::open_within(source.clone(), shared.policy)
        .map_or(0, |archive| declared_content_size(&archive));
    if content_size > CONTENT_SIZE_MAX {
        return Err(RecheckError::Vast(content_size));
    }
    if content_size >= LARGE_CONTENT_SIZE && !is_large {
        return Ok(Turn::TooLarge);
    }
    let actual = verification::digest(&source)?;
    if actual != *sha256 {
        return Err(RecheckError::Damaged(actual));
    }
    let archive = Archive::open_within(source.clone(), shared.policy)?;
    let verified = verification::verify(archive, &mut |_| {})?;
    shared.store.publish_sidecar(sha256, &verified.sidecar(sha256, &source))?;
    // Removed meanwhile, with the sidecar that it had then.
    if shared.store.open_blob(sha256)?.is_none() {
        shared.store.remove_sidecar(sha256)?;
        return Err(RecheckError::Lost);
    }
    Ok(Turn::Verified)
}

/// Bytes of content that a verification decodes at most: what the entries declare, but for those
/// whose headers refuse them.
fn declared_content_size<S>(archive: &Archive<S>) -> u64 {
    let (directory, policy) = (archive.directory(), archive.policy());
    directory
        .entries()
        .filter(|entry| directory.judge(entry, policy).is_ok())
        .fold(0, |sum, entry| sum.saturating_add(entry.declared_uncompressed_size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use entryway_testkit::builder::{self, Entry};

    #[test]
    fn what_is_declared_counts_where_it_will_be_decoded() {
        let zeros = vec![0; 1 << 20];
        let lie = Entry::deflated("lie", "x").edit_central(|header| header.uncompressed_size = !1);
        let zip = builder::Archive::new()
            .entry(Entry::deflated("zeros", &zeros))
            .entry(Entry::stored("hello", "hello"))
            .entry(lie);
        let archive = Archive::open(Bytes::from(zip.build())).unwrap();
        assert_eq!(declared_content_size(&archive), (1 << 20) + 5);
    }
}
