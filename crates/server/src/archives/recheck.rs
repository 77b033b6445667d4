//! Verifies an archive that has no sidecar, and makes one, in the background: after an upload, and
//! where one was lost.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use entryway::{FileSource, Progress};
use rustix::io::Errno;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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
/// Bytes of content from which on it does, however small it is: some methods honestly make a
/// million bytes of one.
const LARGE_CONTENT_LEN: u64 = 1 << 30;

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

/// A turn at verifying, which an archive that turns out to be large gives up to small ones.
struct Turn {
    permit: Option<OwnedSemaphorePermit>,
    /// Where large archives wait, until this one does.
    large: Option<Arc<Semaphore>>,
    control: Handle,
}

impl Turn {
    /// Goes on, having decoded so many bytes. May wait; for a blocking thread.
    fn goes_on(&mut self, produced: u64) {
        if produced < LARGE_CONTENT_LEN {
            return;
        }
        let Some(large) = self.large.take() else { return };
        // Given up before it waits for the other one; neither semaphore is ever closed.
        self.permit = None;
        self.permit = self.control.block_on(large.acquire_owned()).ok();
    }
}

/// Why no sidecar was made.
#[derive(Debug, thiserror::Error)]
enum RecheckError {
    #[error("the archive is gone")]
    Lost,
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
            Self::Lost | Self::Damaged(_) | Self::Verify(_) => false,
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
        let (small, large) = (&shared.rechecks.small, &shared.rechecks.large);
        let is_small = len < LARGE_LEN;
        let turns = if is_small { small } else { large };
        let Ok(permit) = Arc::clone(turns).acquire_owned().await else { return };
        let control = shared.control.clone();
        let turn =
            Turn { permit: Some(permit), large: is_small.then(|| Arc::clone(large)), control };
        let work = Arc::clone(&shared);
        let outcome = tokio::task::spawn_blocking(move || recheck(&work, &sha256, turn)).await;
        match outcome {
            Ok(Ok(())) => {
                // Opened anew, with the sidecar; what a later loss needs is another recheck.
                if let Some(open) = shared.open.remove(&sha256) {
                    open.retire();
                }
                shared.rechecks.forget(&sha256);
                tracing::info!(%sha256, "verified an archive");
            }
            Ok(Err(error)) => {
                tracing::error!(%sha256, %error, "cannot verify an archive");
                if error.passes() {
                    shared.rechecks.forget(&sha256);
                }
            }
            Err(_) => {}
        }
    });
}

fn recheck(shared: &Shared, sha256: &Sha256Digest, mut turn: Turn) -> Result<(), RecheckError> {
    let file = shared.store.open_blob(sha256)?.ok_or(RecheckError::Lost)?;
    let source = FileSource::new(file)?;
    let actual = verification::digest(&source)?;
    if actual != *sha256 {
        return Err(RecheckError::Damaged(actual));
    }
    let mut progress = |progress: Progress| turn.goes_on(progress.produced);
    let verified = verification::verify(source.clone(), &shared.limits, &mut progress)?;
    shared.store.publish_sidecar(sha256, &verified.sidecar(sha256, &source))?;
    // Removed meanwhile, with the sidecar that it had then.
    if shared.store.open_blob(sha256)?.is_none() {
        shared.store.remove_sidecar(sha256)?;
        return Err(RecheckError::Lost);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_out_large_lets_small_ones_have_their_turn() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (small, large) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(1)));
        let permit = Arc::clone(&small).try_acquire_owned().unwrap();
        let mut turn = Turn {
            permit: Some(permit),
            large: Some(Arc::clone(&large)),
            control: runtime.handle().clone(),
        };
        turn.goes_on(LARGE_CONTENT_LEN - 1);
        assert_eq!((small.available_permits(), large.available_permits()), (0, 1));
        for produced in [LARGE_CONTENT_LEN, LARGE_CONTENT_LEN + 1] {
            turn.goes_on(produced);
            assert_eq!((small.available_permits(), large.available_permits()), (1, 0));
        }
        drop(turn);
        assert_eq!((small.available_permits(), large.available_permits()), (1, 1));
    }
}
