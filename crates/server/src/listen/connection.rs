//! One connection: HTTP/1.1 or HTTP/2 with prior knowledge, within bounds.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::Bounds;
use super::stream::BoundedStream;
use crate::api::{Answering, App, Memo};
use crate::upload::RequestBody;

/// Bytes of a request's head.
const HEAD_LEN: usize = 64 * 1024;
/// Streams of one HTTP/2 connection at a time.
const STREAMS: u32 = 100;
/// Bytes of one HTTP/2 stream that may wait for the client.
const STREAM_BUFFER_LEN: usize = 128 * 1024;

/// Serves a connection to its end.
pub(super) async fn serve(
    stream: TcpStream,
    app: Arc<App>,
    memo: Arc<Memo>,
    bounds: Bounds,
    mut stop: watch::Receiver<bool>,
) {
    // Small answers are not to wait for more to send.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head_timeout)
        // A bound on fields here would cost an allocation for each request: the application counts.
        .max_buf_size(HEAD_LEN);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD_LEN as u32)
        .max_send_buf_size(STREAM_BUFFER_LEN);
    let activity = Arc::new(Activity::default());
    let asked = Arc::clone(&activity);
    let service = service_fn(move |request: Request<Incoming>| {
        let (head, body) = request.into_parts();
        let body = RequestBody::new(&head.headers, body);
        let attended = Attended::begin(&asked);
        Attending { answering: app.answer(head, body, &memo), _attended: attended }
    });
    let stream = BoundedStream::new(stream, &bounds, Arc::clone(&activity.written_len));
    let mut connection = pin!(builder.serve_connection(stream, service));
    let period = bounds.write_timeout.max(bounds.head_timeout);
    let mut periods = interval_at(Instant::now() + period, period);
    periods.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_last = false;
    let mut was_quiet = false;
    let mut seen = Seen::default();
    let outcome = loop {
        tokio::select! {
            biased;
            outcome = connection.as_mut() => break outcome,
            () = async { drop(stop.wait_for(|&stop| stop).await) }, if !is_last => {
                // The request that is being answered is the last one.
                connection.as_mut().graceful_shutdown();
                is_last = true;
            }
            _ = periods.tick() => {
                let is_quiet = activity.is_quiet_since(&mut seen, bounds.least_len());
                if is_quiet && was_quiet {
                    tracing::debug!("broke off a connection that nothing moved on");
                    return;
                }
                if is_quiet && !is_last {
                    connection.as_mut().graceful_shutdown();
                    is_last = true;
                }
                was_quiet = is_quiet;
            }
        }
    };
    if let Err(error) = outcome {
        // A client that goes away is no event; a body that broke off has been logged.
        tracing::debug!(error = &*error, "a connection ended early");
    }
}

/// What a connection has done since it began.
///
/// What a client of HTTP/2 must do to be kept: ask for something, or take what it has asked for.
/// hyper has pings instead, and they fail both ways. A client that answers them is kept for ever,
/// if it never opens the window for an answer. And an answer to a ping comes after all that was
/// sent before it has been read: `curl --limit-rate 10k` was cut by a timeout of 20 s, in the
/// middle of a download.
#[derive(Debug, Default)]
struct Activity {
    /// Requests that were made.
    requests: AtomicU64,
    /// Requests whose answers are not ready. Then it is the server that is waited for, or the
    /// client sends a body, and whoever reads that has an eye on how fast it comes.
    attended: AtomicU64,
    /// Bytes that were written.
    written_len: Arc<AtomicU64>,
}

/// How far an [`Activity`] had come.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    requests: u64,
    written_len: u64,
}

impl Activity {
    /// Whether there was no request since the last look, none is being answered, and less than
    /// `least_len` was written.
    fn is_quiet_since(&self, seen: &mut Seen, least_len: u64) -> bool {
        let now = Seen {
            requests: self.requests.load(Ordering::Relaxed),
            written_len: self.written_len.load(Ordering::Relaxed),
        };
        let is_quiet = now.requests == seen.requests
            && self.attended.load(Ordering::Relaxed) == 0
            && now.written_len - seen.written_len < least_len;
        *seen = now;
        is_quiet
    }
}

/// A request whose answer is not ready.
struct Attended(Arc<Activity>);

impl Attended {
    fn begin(activity: &Arc<Activity>) -> Self {
        activity.requests.fetch_add(1, Ordering::Relaxed);
        activity.attended.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for Attended {
    fn drop(&mut self) {
        self.0.attended.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An answer on its way, and the connection knows; dropped when it is ready.
struct Attending {
    answering: Answering,
    _attended: Attended,
}

impl Future for Attending {
    type Output = <Answering as Future>::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.answering).poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_with_a_request_that_is_being_answered_is_not_quiet() {
        let activity = Arc::new(Activity::default());
        let mut seen = Seen::default();
        assert!(activity.is_quiet_since(&mut seen, 1), "nothing was ever asked");
        let attended = Attended::begin(&activity);
        for period in 0..3 {
            assert!(!activity.is_quiet_since(&mut seen, 1), "period {period}");
        }
        drop(attended);
        assert!(activity.is_quiet_since(&mut seen, 1), "answered, and nothing is taken");
        activity.written_len.fetch_add(1, Ordering::Relaxed);
        assert!(!activity.is_quiet_since(&mut seen, 1), "the answer is taken");
    }
}
