//! Sockets: one accept loop and one single-threaded runtime for each core, sharing a port.
//!
//! A connection stays on the core that accepted it. What waits for a disk or the database runs
//! elsewhere, so that a runtime never waits while it has connections to serve.

mod connection;
mod descriptors;
mod stream;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

pub use self::descriptors::{Shares, raise_limit};
use crate::api::{App, Memo};

/// Connections that the kernel keeps for an accept loop that is busy.
const BACKLOG: i32 = 1_024;

/// How long a failing accept is left alone, so that a lack of descriptors does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bytes that a connection's send queue takes beyond what is on its way to the client.
///
/// Without a bound the kernel takes up to 4 MiB for a client that reads slowly, and says that there
/// is room again when a third of it is free: for longer than a minute, a client of 10 KB a second
/// looks like one that reads nothing. With it there is room again every 32 KiB. Twenty downloads of
/// 40 MB over loopback took 0.5 s with it and 0.7 s without, and as much CPU (medians of 7).
const UNSENT_LEN: u32 = 64 * 1024;

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The bounds on connections and on how slow they may be.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections served at a time; of those that wait, each core has accepted one at most.
    pub connections: usize,
    /// From the first moment of a connection, and of each further request, to the whole head.
    pub head_timeout: Duration,
    /// The time over which a client must have taken [`Bounds::least_rate`] bytes for each second:
    /// time that the server waits for it. An HTTP/2 connection that in this time neither asks for
    /// anything nor takes so much is told to end, and broken off when it goes on for as long.
    pub write_timeout: Duration,
    /// Bytes a second, over the write timeout; below it the connection is closed.
    pub least_rate: u64,
    /// From the wish to stop to the moment when running downloads are broken off.
    pub stop_timeout: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 16_384,
            head_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(60),
            least_rate: 1_024,
            stop_timeout: Duration::from_secs(30),
        }
    }
}

impl Bounds {
    /// The same with times that timers can have: of a millisecond to a year.
    fn clamped(self) -> Self {
        let clamp = |time: Duration| time.clamp(Duration::from_millis(1), YEAR);
        Self {
            head_timeout: clamp(self.head_timeout),
            write_timeout: clamp(self.write_timeout),
            stop_timeout: self.stop_timeout.min(YEAR),
            ..self
        }
    }

    /// Bytes that a client must have taken in each write timeout, at least 1.
    fn least_len(&self) -> u64 {
        let len = u128::from(self.least_rate) * self.write_timeout.as_millis() / 1_000;
        u64::try_from(len).unwrap_or(u64::MAX).max(1)
    }
}

/// A port that is listened on, by one socket for each core.
#[derive(Debug)]
pub struct Listeners {
    sockets: Vec<Socket>,
    address: SocketAddr,
}

impl Listeners {
    /// Binds an address; port 0 takes a free one.
    ///
    /// # Errors
    /// Those of the system; [`io::ErrorKind::AddrInUse`] where somebody listens there already.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        // Sockets that share a port would share it with another server of the same user, too, and
        // split its connections: a socket that does not share finds out whether the port is free.
        let probe = new_socket(&address)?;
        probe.bind(&address.into())?;
        let address = probe.local_addr()?.as_socket().unwrap_or(address);
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let mut sockets = Vec::with_capacity(cores);
        for _ in 0..cores {
            let socket = new_socket(&address)?;
            socket.set_reuse_port(true)?;
            // What is accepted inherits it.
            socket.set_tcp_notsent_lowat(UNSENT_LEN)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            sockets.push(socket);
        }
        // Until now it kept others who take a free port from taking this one.
        drop(probe);
        Ok(Self { sockets, address })
    }

    /// The address really bound.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` says so, then until the last connection is done or the deadline is over.
    ///
    /// Blocks the calling thread.
    ///
    /// # Errors
    /// Where a runtime or a thread cannot be made.
    pub fn serve(
        self,
        app: &Arc<App>,
        bounds: Bounds,
        stop: &watch::Receiver<bool>,
    ) -> io::Result<()> {
        let bounds = bounds.clamped();
        let permits = Arc::new(Semaphore::new(bounds.connections.clamp(1, Semaphore::MAX_PERMITS)));
        let mut threads = Vec::with_capacity(self.sockets.len());
        for (number, socket) in self.sockets.into_iter().enumerate() {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .thread_name(format!("serve-{number}-read"))
                .max_blocking_threads(BLOCKING_THREADS)
                .build()?;
            let listener = {
                let _guard = runtime.enter();
                TcpListener::from_std(socket.into())?
            };
            let (app, permits, stop) = (Arc::clone(app), Arc::clone(&permits), stop.clone());
            let serve = move || {
                runtime.block_on(accept(listener, &app, bounds, permits, stop));
                runtime.shutdown_background();
            };
            threads.push(thread::Builder::new().name(format!("serve-{number}")).spawn(serve)?);
        }
        for thread in threads {
            thread.join().map_err(|_| io::Error::other("a serving thread panicked"))?;
        }
        Ok(())
    }
}

/// Threads on which a runtime waits for disks; more reads than these queue.
const BLOCKING_THREADS: usize = 32;

fn new_socket(address: &SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(*address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The address that is listened on where none is named.
#[must_use]
pub fn default_address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 8_080).into()
}

/// Accepts until the server is to stop, then waits for the connections.
async fn accept(
    listener: TcpListener,
    app: &Arc<App>,
    bounds: Bounds,
    permits: Arc<Semaphore>,
    mut stop: watch::Receiver<bool>,
) {
    let connections = running_connections();
    let memo = Arc::new(Memo::default());
    let mut is_failing = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = async { drop(stop.wait_for(|&stop| stop).await) } => break,
            accepted = accept_one(&listener, &permits) => accepted,
        };
        let (stream, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Said once: whatever lacks may lack for long.
                if !is_failing {
                    tracing::warn!(%error, "cannot accept connections for now");
                }
                is_failing = true;
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        is_failing = false;
        let serve =
            connection::serve(stream, Arc::clone(app), Arc::clone(&memo), bounds, stop.clone());
        let alive = connections.0.clone();
        tokio::spawn(async move {
            serve.await;
            drop((permit, alive));
        });
    }
    drop(listener);
    let (alive, mut all_done) = connections;
    drop(alive);
    // The channel closes when the last connection has dropped its end.
    let wait = async { while all_done.recv().await.is_some() {} };
    if tokio::time::timeout(bounds.stop_timeout, wait).await.is_err() {
        tracing::warn!("broke off the downloads that did not end in time");
    }
}

/// Accepts a connection, then waits for a permit to serve it.
///
/// In this order, so that a core to which nobody connects keeps no permit from the others.
async fn accept_one(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let (stream, _) = listener.accept().await?;
    let permit = Arc::clone(permits).acquire_owned().await.map_err(io::Error::other)?;
    Ok((stream, permit))
}

/// A channel whose senders stand for running connections.
fn running_connections() -> (tokio::sync::mpsc::Sender<()>, tokio::sync::mpsc::Receiver<()>) {
    tokio::sync::mpsc::channel(1)
}
