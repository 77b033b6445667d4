//! `entryway serve`: the server on a data folder.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::Args;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::error::CliError;
use super::limits::LimitArguments;
use super::log::{self, LogFormat};
use crate::api::App;
use crate::archives::{Archives, CacheBounds};
use crate::catalog::Catalog;
use crate::listen::{Bounds, Listeners, default_address, raise_limit};
use crate::store::{ServeLock, Store, recover};

/// Serve the archives of a data folder
///
/// Stops on SIGTERM and SIGINT: running downloads may end within --stop-timeout.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entryway serve --data /var/lib/entryway
  entryway serve --data /var/lib/entryway --listen 0.0.0.0:80 --access-log")]
pub(super) struct Arguments {
    /// The data folder; made where it does not exist
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value_t = default_address())]
    listen: SocketAddr,
    #[command(flatten)]
    pub(super) tuning: Tuning,
}

/// What `serve` and `quickstart` have in common.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Tuning {
    /// Write a line for each request
    #[arg(long)]
    access_log: bool,
    /// How log lines are written
    #[arg(long, value_enum, default_value_t)]
    log_format: LogFormat,
    /// Connections at a time; more wait
    #[arg(long, value_name = "COUNT", default_value_t = Bounds::default().connections,
          value_parser = parse_count)]
    max_connections: usize,
    /// Seconds for the head of a request
    #[arg(long, value_name = "SECONDS", default_value_t = Bounds::default().head_timeout.as_secs(),
          value_parser = clap::value_parser!(u64).range(1..))]
    head_timeout: u64,
    /// Seconds in which a client must have taken --min-rate bytes each
    #[arg(long, value_name = "SECONDS", default_value_t = Bounds::default().write_timeout.as_secs(),
          value_parser = clap::value_parser!(u64).range(1..))]
    write_timeout: u64,
    /// Bytes a second, over the write timeout, below which a download is broken off
    #[arg(long, value_name = "BYTES", default_value_t = Bounds::default().least_rate)]
    min_rate: u64,
    /// Seconds that running downloads have to end in when the server stops
    #[arg(long, value_name = "SECONDS", default_value_t = Bounds::default().stop_timeout.as_secs())]
    stop_timeout: u64,
    /// Bytes of entries kept in memory
    #[arg(long, value_name = "BYTES", default_value_t = CacheBounds::default().entry_len)]
    entry_cache: u64,
    /// Archives kept open
    #[arg(long, value_name = "COUNT", default_value_t = CacheBounds::default().archives)]
    open_archives: u64,
    #[command(flatten)]
    pub(super) limits: LimitArguments,
}

fn parse_count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("a count is 1 or more".to_owned()),
    }
}

impl Tuning {
    fn bounds(&self, most_connections: usize) -> Bounds {
        Bounds {
            connections: self.max_connections.min(most_connections),
            head_timeout: Duration::from_secs(self.head_timeout),
            write_timeout: Duration::from_secs(self.write_timeout),
            least_rate: self.min_rate,
            stop_timeout: Duration::from_secs(self.stop_timeout),
        }
    }

    fn cache_bounds(&self) -> CacheBounds {
        CacheBounds {
            archives: self.open_archives,
            entry_len: self.entry_cache,
            ..CacheBounds::default()
        }
    }
}

/// A folder that this process serves, before it listens.
pub(super) struct Folder {
    pub(super) store: Store,
    pub(super) catalog: Catalog,
    pub(super) runtime: Runtime,
    _lock: ServeLock,
}

impl Folder {
    /// Opens and locks a data folder, and puts right what a crash left.
    pub(super) fn open(data: &std::path::Path) -> Result<Self, CliError> {
        let store = Store::open(data)?;
        let lock = store.lock_for_serving()?;
        let (runtime, catalog) = open_catalog(&store)?;
        let recovered = runtime.block_on(recover(&store, &lock, &catalog, SystemTime::now()))?;
        if recovered != crate::store::Recovered::default() {
            tracing::warn!(?recovered, "put right what an earlier stop left behind");
        }
        Ok(Self { store, catalog, runtime, _lock: lock })
    }

    /// Serves until a signal says stop.
    pub(super) fn serve(
        self,
        listeners: Listeners,
        tuning: &Tuning,
        most_connections: usize,
    ) -> Result<(), CliError> {
        let Self { store, catalog, runtime, _lock: lock } = self;
        let catalog = Arc::new(catalog);
        let control = runtime.handle();
        let limits = tuning.limits.limits();
        let archives = Archives::new(store, limits, tuning.cache_bounds(), control.clone());
        let app = App::new(Arc::clone(&catalog), archives, control.clone(), tuning.access_log);
        let app = Arc::new(app);

        let watched = Arc::clone(&catalog);
        let watcher = control.spawn(async move { watched.watch().await });
        let (stop_now, stop) = watch::channel(false);
        let retiring = Arc::clone(&app);
        let (mut terminated, mut interrupted) = {
            let _guard = runtime.enter();
            let terminated = signal(SignalKind::terminate()).map_err(CliError::Start)?;
            (terminated, signal(SignalKind::interrupt()).map_err(CliError::Start)?)
        };
        control.spawn(async move {
            tokio::select! {
                _ = terminated.recv() => {}
                _ = interrupted.recv() => {}
            }
            tracing::info!("stopping");
            retiring.retire();
            stop_now.send_replace(true);
            // The second signal does not wait for anybody.
            tokio::select! {
                _ = terminated.recv() => {}
                _ = interrupted.recv() => {}
            }
            std::process::exit(1);
        });
        let bounds = tuning.bounds(most_connections);
        let outcome = listeners.serve(&app, bounds, &stop).map_err(CliError::Start);
        watcher.abort();
        runtime.block_on(catalog.close());
        runtime.shutdown_background();
        drop(lock);
        outcome
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CliError> {
    let most_connections = start(&arguments.tuning);
    let folder = Folder::open(&arguments.data)?;
    let listeners = Listeners::bind(arguments.listen)
        .map_err(|error| CliError::Listen { address: arguments.listen, error })?;
    let line = format!("listening on http://{}", listeners.address());
    super::archive::write_line(&mut std::io::stdout().lock(), &line)?;
    folder.serve(listeners, &arguments.tuning, most_connections)?;
    Ok(ExitCode::SUCCESS)
}

/// What a server does first: logs, and as many descriptors as it may have.
pub(super) fn start(tuning: &Tuning) -> usize {
    log::start(tuning.log_format);
    raise_limit()
}

/// Opens the catalog of a store, with the runtime that its connections live on.
pub(super) fn open_catalog(store: &Store) -> Result<(Runtime, Catalog), CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("control")
        .enable_all()
        .build()
        .map_err(CliError::Start)?;
    ignore_file_size_signal(&runtime)?;
    let catalog = runtime.block_on(Catalog::open(store.root()))?;
    Ok((runtime, catalog))
}

/// Makes a write past the file size limit an error of that write (EFBIG) instead of the end of the
/// process, which is what SIGXFSZ does where nobody listens for it.
fn ignore_file_size_signal(runtime: &Runtime) -> Result<(), CliError> {
    let _guard = runtime.enter();
    let kind = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
    // The handler stays when the listener is dropped.
    signal(kind).map(drop).map_err(CliError::Start)
}
