//! `entryway token`: credentials.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::error::CliError;
use super::serve::open_catalog;
use crate::catalog::{NewToken, ProjectPrefix, UtcMillis};
use crate::credential::{Role, Scope, TokenSecret};
use crate::store::Store;

/// Make credentials
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Create(CreateArguments),
}

/// Make a token and print it, once
///
/// The token stands alone on standard output; only its SHA-256 is kept.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entryway token create --data /var/lib/entryway --name ci --project group/app --role reporter
  entryway token create --data /var/lib/entryway --name all --project group --role maintainer \\
      --scope read_api --expires-in 30")]
pub(super) struct CreateArguments {
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// What its owner calls it; need not be unique
    #[arg(long)]
    name: String,
    /// A project or a group of projects; need not exist yet
    #[arg(long, value_name = "PATH")]
    project: ProjectPrefix,
    /// guest, reporter, developer, maintainer or owner
    #[arg(long)]
    role: Role,
    /// api, read_api or ingest
    #[arg(long, default_value = "api")]
    scope: Scope,
    /// Days until it expires; never where it is left out
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=36_500))]
    expires_in: Option<u64>,
}

pub(super) fn run(command: &Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Create(arguments) => create(arguments),
    }
}

fn create(arguments: &CreateArguments) -> Result<ExitCode, CliError> {
    let store = Store::open(&arguments.data)?;
    let (runtime, catalog) = open_catalog(&store)?;
    let secret = TokenSecret::generate()?;
    let now = UtcMillis::now();
    let expires_at =
        arguments.expires_in.map(|days| now.after(Duration::from_secs(days * 24 * 60 * 60)));
    runtime.block_on(catalog.create_token(&NewToken {
        digest: &secret.digest(),
        name: &arguments.name,
        prefix: &arguments.project,
        role: arguments.role,
        scopes: [arguments.scope].into_iter().collect(),
        expires_at,
        now,
    }))?;
    runtime.block_on(catalog.close());
    super::archive::write_line(&mut std::io::stdout().lock(), secret.expose())?;
    Ok(ExitCode::SUCCESS)
}
