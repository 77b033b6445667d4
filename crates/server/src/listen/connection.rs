//! One connection: HTTP/1.1 or HTTP/2 with prior knowledge, within bounds.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::Bounds;
use super::stream::BoundedStream;
use crate::api::{App, Memo};

/// Bytes of a request's head.
const HEAD_LEN: usize = 64 * 1024;
/// Streams of one HTTP/2 connection at a time.
const STREAMS: u32 = 100;
/// How often a silent HTTP/2 connection is asked whether it is alive, and how long it may think.
const PING_INTERVAL: Duration = Duration::from_secs(20);
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
        .max_send_buf_size(STREAM_BUFFER_LEN)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_INTERVAL);
    let service = service_fn(move |request: Request<Incoming>| {
        let (head, _body) = request.into_parts();
        app.answer(head, &memo)
    });
    let connection = builder.serve_connection(BoundedStream::new(stream, &bounds), service);
    let mut connection = pin!(connection);
    let outcome = tokio::select! {
        biased;
        outcome = connection.as_mut() => outcome,
        () = async { drop(stop.wait_for(|&stop| stop).await) } => {
            // The request that is being answered is the last one.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        // A client that goes away is no event; a body that broke off has been logged.
        tracing::debug!(error = &*error, "a connection ended early");
    }
}
