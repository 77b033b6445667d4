//! A TCP stream that does not wait for ever: for the first bytes, or for a client that does not
//! read.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use super::Bounds;

/// Bytes after which it is known which version of HTTP is spoken: the HTTP/2 preface (RFC 9113
/// 3.4). The timeout on heads takes over from there.
const PREFACE_LEN: usize = 24;

/// A stream with a deadline on its first bytes and a least rate of writing.
pub(super) struct BoundedStream {
    inner: TokioIo<TcpStream>,
    /// Runs until the preface could have been read.
    first_bytes: Option<Pin<Box<Sleep>>>,
    /// Bytes that may have been read so far, up to [`PREFACE_LEN`].
    read_len: usize,
    /// `None` until a write has waited for the client.
    pace: Option<Pace>,
    write_timeout: Duration,
    least_len: u64,
    /// Bytes written so far; whoever holds the other end looks at it now and then.
    written_len: Arc<AtomicU64>,
}

/// What a client takes, over periods of time in which writes wait for it.
///
/// Only waiting counts: what the server itself is slow with is not the client's fault, nor is a
/// pause between two requests. It goes on from one write to the next, so that a client cannot have
/// a whole period for each few bytes.
struct Pace {
    /// Stands at the end of the period while a write waits; else it means nothing.
    deadline: Pin<Box<Sleep>>,
    /// When the write that waits began to.
    waiting_since: Option<Instant>,
    /// What is left of the period.
    left: Duration,
    /// Bytes that the client has taken in the period.
    taken_len: u64,
}

impl BoundedStream {
    pub(super) fn new(stream: TcpStream, bounds: &Bounds, written_len: Arc<AtomicU64>) -> Self {
        Self {
            inner: TokioIo::new(stream),
            first_bytes: Some(Box::pin(sleep(bounds.head_timeout))),
            read_len: 0,
            pace: None,
            write_timeout: bounds.write_timeout,
            least_len: bounds.least_len(),
            written_len,
        }
    }

    /// Accounts for a write's outcome: in each period of waiting, enough must be taken.
    fn watch_write(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match outcome {
            Poll::Ready(Ok(written_len)) => {
                self.written_len.fetch_add(written_len as u64, Ordering::Relaxed);
                if let Some(pace) = &mut self.pace {
                    pace.taken_len = pace.taken_len.saturating_add(written_len as u64);
                    if let Some(since) = pace.waiting_since.take() {
                        pace.left = pace.left.saturating_sub(since.elapsed());
                    }
                }
                outcome
            }
            Poll::Ready(Err(_)) => outcome,
            Poll::Pending => {
                let timeout = self.write_timeout;
                let pace = self.pace.get_or_insert_with(|| Pace {
                    deadline: Box::pin(sleep(timeout)),
                    waiting_since: None,
                    left: timeout,
                    taken_len: 0,
                });
                if pace.waiting_since.is_none() {
                    pace.wait();
                }
                while pace.deadline.as_mut().poll(cx).is_ready() {
                    if pace.taken_len < self.least_len {
                        return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                    }
                    pace.taken_len = 0;
                    pace.left = timeout;
                    pace.wait();
                }
                Poll::Pending
            }
        }
    }
}

impl Pace {
    fn wait(&mut self) {
        let now = Instant::now();
        self.waiting_since = Some(now);
        self.deadline.as_mut().reset(now + self.left);
    }
}

impl Read for BoundedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let Some(deadline) = &mut this.first_bytes else {
            return Pin::new(&mut this.inner).poll_read(cx, buffer);
        };
        // How much a cursor took cannot be asked of it: these few bytes go through a buffer that
        // can be asked, of the size of what is left of the preface.
        let mut bytes = [0; PREFACE_LEN];
        let room = (PREFACE_LEN - this.read_len).min(buffer.remaining());
        let mut preface = hyper::rt::ReadBuf::new(&mut bytes[..room]);
        match Pin::new(&mut this.inner).poll_read(cx, preface.unfilled()) {
            Poll::Ready(Ok(())) => {
                let filled = preface.filled();
                this.read_len += filled.len();
                buffer.put_slice(filled);
                if filled.is_empty() || this.read_len >= PREFACE_LEN {
                    this.first_bytes = None;
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => match deadline.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                Poll::Pending => Poll::Pending,
            },
        }
    }
}

impl Write for BoundedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.watch_write(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.watch_write(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
