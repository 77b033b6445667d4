//! How fast a body comes.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use super::UploadBounds;

/// Watches that a body comes fast enough: it is neither idle for too long, nor slower than the
/// least rate over a period.
///
/// Only time in which the server waits for the client counts. What the server itself is slow with
/// is not the client's fault: it may not send while the disk is behind.
#[derive(Debug)]
pub struct Pace {
    idle: Duration,
    period: Duration,
    /// Bytes that each period must bring.
    least_len: u64,
    /// Stands at the end of the idle time or of the period while something is waited for.
    deadline: Pin<Box<Sleep>>,
    waiting_since: Option<Instant>,
    /// What is left of the period, from the moment on when the waiting began.
    left: Duration,
    /// Bytes received in the period.
    received_len: u64,
}

impl Pace {
    /// A pace within bounds. Needs a runtime with a clock.
    #[must_use]
    pub fn new(bounds: &UploadBounds) -> Self {
        // A timer for longer than a year is none.
        const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
        let (idle, period) = (bounds.idle.min(YEAR), bounds.period.min(YEAR));
        let least_len = u128::from(bounds.least_rate) * period.as_millis() / 1_000;
        Self {
            idle,
            period,
            least_len: u64::try_from(least_len).unwrap_or(u64::MAX),
            deadline: Box::pin(sleep(idle)),
            waiting_since: None,
            left: period,
            received_len: 0,
        }
    }

    /// Says that bytes have come. None are no news: the client is still waited for.
    pub fn received(&mut self, len: u64) {
        if len == 0 {
            return;
        }
        self.received_len = self.received_len.saturating_add(len);
        if let Some(since) = self.waiting_since.take() {
            self.left = self.left.saturating_sub(since.elapsed());
        }
    }

    /// Says that nothing is there, and is ready when the client has been too slow.
    pub fn poll_too_slow(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let since = match self.waiting_since {
            Some(since) => since,
            None => {
                let now = Instant::now();
                self.waiting_since = Some(now);
                self.deadline.as_mut().reset(now + self.idle.min(self.left));
                now
            }
        };
        while self.deadline.as_mut().poll(cx).is_ready() {
            if since.elapsed() >= self.idle || self.received_len < self.least_len {
                return Poll::Ready(());
            }
            self.received_len = 0;
            // A period of no length would never pass.
            self.left += self.period.max(Duration::from_millis(1));
            self.deadline.as_mut().reset(since + self.idle.min(self.left));
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Sends `len` bytes each `every` seconds; when it is too slow, if ever in an hour.
    async fn too_slow_after(len: u64, every: u64) -> Option<u64> {
        let bounds = UploadBounds::default();
        let mut pace = Pace::new(&bounds);
        let begun = Instant::now();
        while begun.elapsed() < 3_600 * SECOND {
            let too_slow = std::future::poll_fn(|cx| pace.poll_too_slow(cx));
            if tokio::time::timeout(Duration::from_secs(every), too_slow).await.is_ok() {
                return Some(begun.elapsed().as_secs());
            }
            pace.received(len);
        }
        None
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_is_too_slow_when_it_is_idle_or_below_the_least_rate() {
        let table = [
            ("nothing at all", 0, 10, Some(30)),
            ("idle from the start", 1 << 30, 31, Some(30)),
            ("just not idle", 1 << 20, 29, None),
            ("a byte a second", 1, 1, Some(60)),
            ("just below the rate", 1_000, 1, Some(60)),
            ("above the rate", 1_100, 1, None),
            ("in few large pieces", 31_000, 20, None),
        ];
        for (name, len, every, expected) in table {
            assert_eq!(too_slow_after(len, every).await, expected, "{name}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_nobody_waits_for_the_client_does_not_count() {
        let mut pace = Pace::new(&UploadBounds::default());
        for _ in 0..100 {
            let too_slow = std::future::poll_fn(|cx| pace.poll_too_slow(cx));
            assert!(tokio::time::timeout(SECOND / 1_000, too_slow).await.is_err());
            pace.received(1);
            // The disk is slow.
            tokio::time::sleep(100 * SECOND).await;
        }
    }
}
