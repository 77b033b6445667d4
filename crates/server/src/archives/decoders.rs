//! The memory that the decoders of running answers take together.
//!
//! A stream of LZMA, XZ, zstd or PPMd may have its decoder keep `--max-decoder-memory` bytes for as
//! long as its client takes to read, and there may be as many clients as connections. So whoever
//! decodes with more than the least holds a share of one budget, of the most that its entry may
//! need, from before the first read until its body is gone. Stored and deflated entries, and what
//! goes out as it lies in the archive, never come here.
//!
//! The verification of archives is not counted: it decodes two entries at a time at most.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of one permit. A share is rounded up to it, so that shares of 256 TiB can be counted.
const PERMIT_LEN: u64 = 64 * 1024;

/// How long an answer waits for its share. Longer than most bodies take, shorter than a client's
/// patience with a head.
const PATIENCE: Duration = Duration::from_secs(5);

/// A budget of bytes; clones share it.
#[derive(Clone, Debug)]
pub struct DecoderMemory {
    permits: Arc<Semaphore>,
    all: u32,
}

/// A share of the budget, given back when it is dropped.
#[derive(Debug)]
pub struct DecoderShare {
    _permits: OwnedSemaphorePermit,
}

impl DecoderMemory {
    /// A budget of this many bytes.
    #[must_use]
    pub fn new(len: u64) -> Self {
        let most = Semaphore::MAX_PERMITS.min(u32::MAX as usize) as u64;
        let all = (len / PERMIT_LEN).clamp(1, most);
        Self { permits: Arc::new(Semaphore::new(all as usize)), all: all as u32 }
    }

    /// Waits for a share of so many bytes, as long as is sensible; `None` where the budget is held
    /// by others for longer. Whoever came first is first, whatever they ask for.
    pub async fn share(&self, len: u64) -> Option<DecoderShare> {
        // A decoder has tables beside what the limit counts: at the least one always runs.
        let permits = len.div_ceil(PERMIT_LEN).min(self.all.into()) as u32;
        let waiting = Arc::clone(&self.permits).acquire_many_owned(permits);
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        // The semaphore is never closed.
        Some(DecoderShare { _permits: waited.ok()?.ok()? })
    }

    /// Bytes that are shared out now.
    #[must_use]
    pub fn held(&self) -> u64 {
        (u64::from(self.all) - self.permits.available_permits() as u64) * PERMIT_LEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[tokio::test(start_paused = true)]
    async fn what_is_over_the_budget_waits_and_is_then_refused() {
        let budget = DecoderMemory::new(8 * MIB);
        let first = budget.share(5 * MIB).await.expect("there is room");
        let second = budget.share(3 * MIB).await.expect("there is just room");
        assert_eq!(budget.held(), 8 * MIB);
        assert!(budget.share(1).await.is_none(), "nobody gives anything back");

        drop(second);
        let third = budget.share(3 * MIB).await.expect("there is room again");
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.share(5 * MIB).await.is_some() }
        });
        tokio::task::yield_now().await;
        drop(first);
        assert!(waiting.await.unwrap(), "room that comes while it waits is taken");
        drop(third);
        assert_eq!(budget.held(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_waiting_leaves_nothing_behind() {
        let budget = DecoderMemory::new(MIB);
        let held = budget.share(MIB).await.expect("there is room");
        let given_up = tokio::time::timeout(Duration::from_secs(1), budget.share(MIB)).await;
        assert!(given_up.is_err());
        drop(held);
        assert_eq!(budget.held(), 0);
        assert!(budget.share(MIB).await.is_some());
    }

    #[tokio::test]
    async fn a_share_is_never_more_than_all() {
        let table = [("nothing", 0, 1), ("a byte", 1, 1), ("less than asked", MIB, 2 * MIB)];
        for (name, len, asked) in table {
            let budget = DecoderMemory::new(len);
            let share = budget.share(asked).await;
            assert!(share.is_some(), "{name}");
            drop(share);
            assert_eq!(budget.held(), 0, "{name}");
        }
        let vast = DecoderMemory::new(u64::MAX);
        assert!(vast.share(u64::MAX).await.is_some());
    }
}
