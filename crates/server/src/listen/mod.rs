//! Sockets: one accept loop and one single-threaded runtime for each core, sharing a port.
//!
//! A connection stays on the core that accepted it. What waits for a disk or the database runs
//! elsewhere, so that a runtime never waits while it has connections to serve.

mod connection;
mod descriptors;
mod stream;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

pub use self::descriptors::raise_limit;
use crate::api::{App, Memo};

/// Connections that the kernel keeps for an accept loop that is busy.
const BACKLOG: i32 = 1_024;

/// How long a failing accept is left alone, so that a lack of descriptors does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The bounds on connections and on how slow they may be.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections at a time; more wait in the kernel's queue.
    pub connections: usize,
    /// From the first moment of a connection, and of each further request, to the whole head.
    pub head_timeout: Duration,
    /// The time over which a client must have taken [`Bounds::least_rate`] bytes for each second.
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
        drop(probe);
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let mut sockets = Vec::with_capacity(cores);
        for _ in 0..cores {
            let socket = new_socket(&address)?;
            socket.set_reuse_port(true)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            sockets.push(socket);
        }
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
        let permits = Arc::new(Semaphore::new(bounds.connections.min(Semaphore::MAX_PERMITS)));
        let mut threads = Vec::with_capacity(self.sockets.len());
        for (number, socket) in self.sockets.into_iter().enumerate() {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .thread_name(format!("serve-{number}-read"))
                .max_blocking_threads(BLOCKING_THREADS)
                .build()?;
            let (app, permits, stop) = (Arc::clone(app), Arc::clone(&permits), stop.clone());
            let serve = move || -> io::Result<()> {
                let _guard = runtime.enter();
                let listener = TcpListener::from_std(socket.into())?;
                runtime.block_on(accept(listener, &app, bounds, permits, stop));
                runtime.shutdown_background();
                Ok(())
            };
            threads.push(thread::Builder::new().name(format!("serve-{number}")).spawn(serve)?);
        }
        for thread in threads {
            match thread.join() {
                Ok(outcome) => outcome?,
                Err(_) => return Err(io::Error::other("a serving thread panicked")),
            }
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
    loop {
        let accepted = tokio::select! {
            biased;
            () = async { drop(stop.wait_for(|&stop| stop).await) } => break,
            accepted = async {
                // A permit first: whoever is not accepted yet waits in the kernel's queue.
                let permit = Arc::clone(&permits).acquire_owned().await;
                (listener.accept().await, permit)
            } => accepted,
        };
        let (Ok((stream, _)), Ok(permit)) = accepted else {
            if let (Err(error), _) = &accepted {
                tracing::warn!(%error, "cannot accept a connection");
            }
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
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

/// A channel whose senders stand for running connections.
fn running_connections() -> (tokio::sync::mpsc::Sender<()>, tokio::sync::mpsc::Receiver<()>) {
    tokio::sync::mpsc::channel(1)
}
