//! `entryway token`: credentials.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::complain;
use super::error::{CliError, REFUSED};
use super::output::{Output, print_json, print_line};
use super::serve::open_catalog;
use crate::catalog::{NewToken, ProjectPrefix, Token, TokenId, UtcMillis};
use crate::credential::{Role, Scope, TokenSecret};
use crate::store::Store;
use crate::timestamp;

/// Make, list and revoke credentials
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Create(CreateArguments),
    List(ListArguments),
    Revoke(RevokeArguments),
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
    /// api, read_api or ingest; several with commas
    #[arg(long, default_value = "api", value_delimiter = ',')]
    scope: Vec<Scope>,
    /// Days until it expires; never where it is left out
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=36_500))]
    expires_in: Option<u64>,
}

/// List tokens: what is known of them, never their texts
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entryway token list --data /var/lib/entryway
  entryway token list --data /var/lib/entryway --json")]
pub(super) struct ListArguments {
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

/// Revoke a token; a server refuses it within a second
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entryway token revoke 3 --data /var/lib/entryway

Exits with 1 when there is no such token, or it was revoked before.")]
pub(super) struct RevokeArguments {
    /// The token's number, as `entryway token list` prints it
    #[arg(value_name = "ID")]
    id: i64,
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

/// What `list --json` prints of a token.
#[derive(Serialize)]
struct Row<'a> {
    id: i64,
    name: &'a str,
    project: &'a str,
    role: &'static str,
    scopes: Vec<&'static str>,
    state: &'static str,
    created_at: String,
    expires_at: Option<String>,
    revoked_at: Option<String>,
}

impl<'a> Row<'a> {
    fn new(token: &'a Token, now: UtcMillis) -> Self {
        let words = Scope::WORDS.iter().filter_map(|word| word.parse().ok());
        Self {
            id: token.id.0,
            name: &token.name,
            project: token.prefix.as_str(),
            role: token.role.as_str(),
            scopes: words
                .filter(|&scope| token.scopes.contains(scope))
                .map(Scope::as_str)
                .collect(),
            state: match (token.revoked_at, token.is_valid_at(now)) {
                (Some(_), _) => "revoked",
                (None, true) => "valid",
                (None, false) => "expired",
            },
            created_at: timestamp::text(token.created_at),
            expires_at: token.expires_at.map(timestamp::text),
            revoked_at: token.revoked_at.map(timestamp::text),
        }
    }
}

pub(super) fn run(command: &Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Create(arguments) => create(arguments),
        Command::List(arguments) => list(arguments),
        Command::Revoke(arguments) => revoke(arguments),
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
        scopes: arguments.scope.iter().copied().collect(),
        expires_at,
        now,
    }))?;
    runtime.block_on(catalog.close());
    print_line(secret.expose())?;
    Ok(ExitCode::SUCCESS)
}

fn list(arguments: &ListArguments) -> Result<ExitCode, CliError> {
    let store = Store::open(&arguments.data)?;
    let (runtime, catalog) = open_catalog(&store)?;
    let tokens = runtime.block_on(catalog.tokens());
    runtime.block_on(catalog.close());
    let (tokens, now) = (tokens?, UtcMillis::now());
    let rows: Vec<Row<'_>> = tokens.iter().map(|token| Row::new(token, now)).collect();
    if arguments.json {
        print_json(&rows)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = Output::new();
    out.line(&format!(
        "{:>6}  {:<8} {:<11} {:<20} NAME, PROJECT",
        "ID", "STATE", "ROLE", "SCOPES"
    ))?;
    for row in &rows {
        let Row { id, name, project, role, state, .. } = row;
        let scopes = row.scopes.join(",");
        // Whoever named a token may have written what a terminal would obey.
        out.line(&format!("{id:>6}  {state:<8} {role:<11} {scopes:<20} {name:?}, {project}"))?;
    }
    out.end()?;
    Ok(ExitCode::SUCCESS)
}

fn revoke(arguments: &RevokeArguments) -> Result<ExitCode, CliError> {
    let store = Store::open(&arguments.data)?;
    let (runtime, catalog) = open_catalog(&store)?;
    let revoked = runtime.block_on(catalog.revoke_token(TokenId(arguments.id), UtcMillis::now()));
    runtime.block_on(catalog.close());
    if revoked? {
        return Ok(ExitCode::SUCCESS);
    }
    complain(&format_args!("no token {} that is not revoked", arguments.id));
    Ok(ExitCode::from(REFUSED))
}
