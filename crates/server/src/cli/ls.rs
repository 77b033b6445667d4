//! `entryway ls`: the entries of an archive.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;
use entryway::Standing;

use super::advice::Advice;
use super::archive::ArchiveArgument;
use super::complain;
use super::error::{CliError, REFUSED};
use super::output::Output;
use crate::shown::shown;

/// List the entries of an archive
///
/// One line an entry: size, compressed size, method, name; an entry that would not be served has
/// the rule that refuses it behind its name, and what to do about that goes to standard error.
/// Nothing is decoded: `verify` does that.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entryway ls artifacts.zip
  entryway ls artifacts.zip dist/

Exits with 1 where an entry is refused.")]
pub(super) struct Arguments {
    #[command(flatten)]
    archive: ArchiveArgument,
    /// Only entries whose names start with this
    #[arg(value_name = "PREFIX", default_value = "")]
    prefix: OsString,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CliError> {
    let archive = arguments.archive.open()?;
    let mut out = Output::new();
    let prefix = arguments.prefix.as_encoded_bytes();
    let mut code = ExitCode::SUCCESS;
    let mut advice = Advice::default();
    for entry in archive.directory().entries() {
        let found = archive.describe(&entry);
        if !found.raw_name.starts_with(prefix) && !found.display_name.as_bytes().starts_with(prefix)
        {
            continue;
        }
        let refusal = match found.standing {
            Standing::Bad(refusal) => {
                code = ExitCode::from(REFUSED);
                advice.note(refusal.rule);
                format!("  [refused: {}]", refusal.rule.label())
            }
            Standing::Good { .. } | Standing::Unverified => String::new(),
        };
        let line = format!(
            "{:>12} {:>12} {:<9} {}{refusal}",
            entry.declared_uncompressed_size,
            entry.declared_compressed_size,
            entry.method.name().unwrap_or("unknown"),
            shown(&found.display_name),
        );
        out.line(&line)?;
    }
    out.end()?;
    // Beside the list, which is for programs too.
    for line in advice.lines() {
        complain(&line);
    }
    Ok(code)
}
