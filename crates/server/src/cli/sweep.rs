//! `entryway sweep`: the sweeper's work, by hand.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use clap::Args;
use serde::Serialize;

use super::error::CliError;
use super::output::{print_json, print_line};
use super::serve::open_catalog;
use crate::catalog::UtcMillis;
use crate::store::{Recovered, Store, StoreError, recover, sweep};

/// Remove artifacts that have expired or were deleted
///
/// A server does the same every --sweep-interval. While none runs on the folder, what crashed
/// uploads left is put right as well.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entryway sweep --data /var/lib/entryway
  entryway sweep --data /var/lib/entryway --json")]
pub(super) struct Arguments {
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    expired: u64,
    removed: u64,
    removed_size: u64,
    temporary: u64,
    quarantined: u64,
    /// Something was being published all the time.
    postponed: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CliError> {
    let store = Store::open(&arguments.data)?;
    let (runtime, catalog) = open_catalog(&store)?;
    // A server puts right what crashes left when it starts, and then now and again.
    let lock = match store.lock_for_serving() {
        Ok(lock) => Some(lock),
        Err(StoreError::Locked { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let swept = runtime.block_on(async {
        let recovered = match &lock {
            Some(lock) => recover(&store, lock, &catalog, SystemTime::now()).await?,
            None => Recovered::default(),
        };
        let swept = sweep(&store, &catalog, UtcMillis::now()).await?;
        catalog.close().await;
        Ok::<_, CliError>((recovered, swept))
    });
    let (recovered, swept) = swept?;
    let report = Report {
        expired: swept.expired,
        removed: (swept.removed.len() + recovered.deleted.len()) as u64,
        removed_size: swept.removed_len,
        temporary: swept.temps_removed + recovered.temps_removed,
        quarantined: recovered.quarantined.len() as u64,
        postponed: swept.is_postponed || recovered.blobs_skipped,
    };
    if arguments.json {
        print_json(&report)?;
        return Ok(ExitCode::SUCCESS);
    }
    let line = format!(
        "{} files expired, {} archives and reports removed ({} bytes){}",
        report.expired,
        report.removed,
        report.removed_size,
        if report.postponed { "; something is being stored: run it again" } else { "" },
    );
    print_line(&line)?;
    Ok(ExitCode::SUCCESS)
}
