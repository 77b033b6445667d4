//! `entryway serve`: the server on a data folder.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use bytesize::ByteSize;
use clap::Args;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::error::CliError;
use super::log::{self, LogFormat};
use super::policy::PolicyArguments;
use super::sweeper;
use super::terms::TermArguments;
use crate::api::App;
use crate::archives::{Archives, CacheBounds};
use crate::catalog::Catalog;
use crate::listen::{Bounds, Listeners, Shares, default_address, raise_limit};
use crate::store::{ServeLock, Store, recover};

/// The longest time that can be set, in seconds: a day.
pub(super) const LONGEST_TIME: u64 = 24 * 60 * 60;

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
#[derive(Clone, Debug, Args)]
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
          value_parser = clap::value_parser!(u64).range(1..=LONGEST_TIME))]
    head_timeout: u64,
    /// Seconds in which a client must have taken --min-rate bytes each
    #[arg(long, value_name = "SECONDS", default_value_t = Bounds::default().write_timeout.as_secs(),
          value_parser = clap::value_parser!(u64).range(1..=LONGEST_TIME))]
    write_timeout: u64,
    /// Bytes a second, over the write timeout, below which a download is broken off
    #[arg(long, value_name = "BYTES", default_value_t = Bounds::default().least_rate)]
    min_rate: u64,
    /// Seconds that running downloads have to end in when the server stops
    #[arg(long, value_name = "SECONDS", default_value_t = Bounds::default().stop_timeout.as_secs(),
          value_parser = clap::value_parser!(u64).range(..=LONGEST_TIME))]
    stop_timeout: u64,
    /// Bytes of entries kept in memory
    #[arg(long, value_name = "BYTES", default_value_t = CacheBounds::default().entry_len)]
    entry_cache: u64,
    /// Memory that the decoders of running answers share, such as 1GiB; who finds none is told to
    /// come back (503). At least --max-decoder-memory
    #[arg(long, value_name = "SIZE", default_value_t = ByteSize(CacheBounds::default().decoder_len))]
    decoder_memory: ByteSize,
    /// Archives kept open
    #[arg(long, value_name = "COUNT", default_value_t = CacheBounds::default().archives)]
    open_archives: u64,
    /// Where clients reach the server, for the links between the pages of a listing, such as
    /// https://artifacts.example.com; else they are relative
    #[arg(long, value_name = "URL", value_parser = parse_url)]
    external_url: Option<http::Uri>,
    #[command(flatten)]
    pub(super) policy: PolicyArguments,
    #[command(flatten)]
    pub(super) terms: TermArguments,
}

fn parse_url(text: &str) -> Result<http::Uri, String> {
    let is_absolute = |url: &http::Uri| {
        matches!(url.scheme_str(), Some("http" | "https"))
            && url.authority().is_some_and(|authority| !authority.as_str().contains('@'))
            && url.query().is_none()
    };
    let url = text.parse().ok().filter(is_absolute);
    url.ok_or_else(|| "not an absolute http or https URL without user and query".to_owned())
}

fn parse_count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("a count is 1 or more".to_owned()),
    }
}

impl Tuning {
    /// What no single flag can tell.
    fn check(&self) -> Result<(), CliError> {
        let (all, one) = (self.decoder_memory, self.policy.limits.max_decoder_memory);
        if all < one {
            let why = format!(
                "--decoder-memory {all} is less than --max-decoder-memory {one}: no entry that asks \
                 for so much could be decoded"
            );
            return Err(CliError::Usage(why));
        }
        Ok(())
    }

    fn bounds(&self, shares: Shares) -> Bounds {
        Bounds {
            connections: self.max_connections.min(shares.connections),
            head_timeout: Duration::from_secs(self.head_timeout),
            write_timeout: Duration::from_secs(self.write_timeout),
            least_rate: self.min_rate,
            stop_timeout: Duration::from_secs(self.stop_timeout),
        }
    }

    fn cache_bounds(&self, shares: Shares) -> CacheBounds {
        CacheBounds {
            archives: shares.archives,
            entry_len: self.entry_cache,
            decoder_len: self.decoder_memory.as_u64(),
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
    pub(super) fn open(data: &std::path::Path, runtime: Runtime) -> Result<Self, CliError> {
        let store = Store::open(data)?;
        let lock = store.lock_for_serving()?;
        let catalog = runtime.block_on(Catalog::open(store.root()))?;
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
        shares: Shares,
        signals: &Signals,
    ) -> Result<(), CliError> {
        let Self { store, catalog, runtime, _lock: lock } = self;
        let catalog = Arc::new(catalog);
        let control = runtime.handle();
        let policy = tuning.policy.policy();
        let archives = Archives::new(store, policy, tuning.cache_bounds(shares), control.clone());
        let lock = Arc::new(lock);
        let terms = tuning.terms.terms(policy);
        let access_log = tuning.access_log;
        let app = App::new(Arc::clone(&catalog), archives, control.clone(), access_log, terms);
        let external_url = tuning.external_url.as_ref().map(ToString::to_string);
        let app = Arc::new(app.reached_at(external_url.as_deref().unwrap_or_default()));

        let watched = Arc::clone(&catalog);
        let watcher = control.spawn(async move { watched.watch().await });
        let interval = tuning.terms.sweep_interval;
        let sweeper = control.spawn(sweeper::run(Arc::clone(&app), Arc::clone(&lock), interval));
        let mut stop = signals.serve();
        let (retiring, listening) = (Arc::clone(&app), stop.clone());
        control.spawn(async move {
            drop(stop.wait_for(|&stop| stop).await);
            retiring.retire();
        });
        let bounds = tuning.bounds(shares);
        let outcome = listeners.serve(&app, bounds, &listening).map_err(CliError::Start);
        watcher.abort();
        sweeper.abort();
        runtime.block_on(catalog.close());
        runtime.shutdown_background();
        drop(lock);
        outcome
    }
}

/// What SIGTERM and SIGINT do: the first stops the server and lets downloads end; the second, or
/// the first while there is no server yet, ends the process at once.
pub(super) struct Signals {
    stop: watch::Receiver<bool>,
    serves: Arc<AtomicBool>,
}

impl Signals {
    /// Listens from now on. `clean_up` is for an end at once: nothing else is dropped then.
    pub(super) fn listen(
        runtime: &Runtime,
        clean_up: impl FnOnce() + Send + 'static,
    ) -> Result<Self, CliError> {
        async fn one_of(first: &mut Signal, second: &mut Signal) {
            tokio::select! {
                _ = first.recv() => {}
                _ = second.recv() => {}
            }
        }
        let _guard = runtime.enter();
        let mut terminated = signal(SignalKind::terminate()).map_err(CliError::Start)?;
        let mut interrupted = signal(SignalKind::interrupt()).map_err(CliError::Start)?;
        let (stop_now, stop) = watch::channel(false);
        let serves = Arc::new(AtomicBool::new(false));
        let has_server = Arc::clone(&serves);
        runtime.spawn(async move {
            one_of(&mut terminated, &mut interrupted).await;
            stop_now.send_replace(true);
            if has_server.load(Ordering::SeqCst) {
                tracing::info!("stopping");
                one_of(&mut terminated, &mut interrupted).await;
            }
            clean_up();
            std::process::exit(1);
        });
        Ok(Self { stop, serves })
    }

    /// Says that there is a server now, and gives what says when it is to stop.
    fn serve(&self) -> watch::Receiver<bool> {
        self.serves.store(true, Ordering::SeqCst);
        self.stop.clone()
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CliError> {
    let shares = start(&arguments.tuning)?;
    let runtime = control_runtime()?;
    let signals = Signals::listen(&runtime, || {})?;
    let folder = Folder::open(&arguments.data, runtime)?;
    let listeners = Listeners::bind(arguments.listen)
        .map_err(|error| CliError::Listen { address: arguments.listen, error })?;
    let line = format!("listening on http://{}", listeners.address());
    super::output::print_line(&line)?;
    folder.serve(listeners, &arguments.tuning, shares, &signals)?;
    Ok(ExitCode::SUCCESS)
}

/// What a server does first: its flags held together, logs, and as many descriptors as it may have.
pub(super) fn start(tuning: &Tuning) -> Result<Shares, CliError> {
    tuning.check()?;
    log::start(tuning.log_format);
    Ok(raise_limit(tuning.open_archives))
}

/// Opens the catalog of a store, with the runtime that its connections live on.
pub(super) fn open_catalog(store: &Store) -> Result<(Runtime, Catalog), CliError> {
    let runtime = control_runtime()?;
    let catalog = runtime.block_on(Catalog::open(store.root()))?;
    Ok((runtime, catalog))
}

/// The runtime for everything but requests.
pub(super) fn control_runtime() -> Result<Runtime, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("control")
        .enable_all()
        .build()
        .map_err(CliError::Start)?;
    ignore_file_size_signal(&runtime)?;
    Ok(runtime)
}

/// Makes a write past the file size limit an error of that write (EFBIG) instead of the end of the
/// process, which is what SIGXFSZ does where nobody listens for it.
fn ignore_file_size_signal(runtime: &Runtime) -> Result<(), CliError> {
    let _guard = runtime.enter();
    let kind = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
    // The handler stays when the listener is dropped.
    signal(kind).map(drop).map_err(CliError::Start)
}
