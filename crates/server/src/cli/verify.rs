//! `entryway verify`: every entry decoded, every rule applied.

use std::io::{BufWriter, Write, stdout};
use std::process::ExitCode;

use clap::Args;
use entryway::{Error, Refusal, Standing};
use serde::Serialize;

use super::advice::Advice;
use super::archive::{ArchiveArgument, shown, write_line};
use super::error::{CliError, REFUSED};
use crate::reply::json_bytes;

/// Check an archive as it is checked when it is stored
///
/// Every entry is decoded and held to the reading rules. The verdicts are the ones a server would
/// answer with.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entryway verify artifacts.zip
  entryway verify --json artifacts.zip

Exits with 0 where everything would be served, 1 where the archive or an entry is refused, 4 where
the file is no archive.")]
pub(super) struct Arguments {
    #[command(flatten)]
    archive: ArchiveArgument,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The verdict on an archive.
#[derive(Serialize)]
struct ArchiveVerdict {
    archive: &'static str,
    rule: Option<&'static str>,
    offset: Option<u64>,
    advice: Option<&'static str>,
    entries: Vec<EntryVerdict>,
}

/// The verdict on an entry.
#[derive(Serialize)]
pub(super) struct EntryVerdict {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_hex: Option<String>,
    verdict: &'static str,
    rule: Option<&'static str>,
    offset: Option<u64>,
    advice: Option<&'static str>,
}

impl EntryVerdict {
    pub(super) fn new(raw_name: &[u8], refusal: Option<&Refusal>) -> Self {
        let name = String::from_utf8_lossy(raw_name).into_owned();
        // Where the name is not UTF-8 its bytes are given too.
        let name_hex = std::str::from_utf8(raw_name)
            .is_err()
            .then(|| raw_name.iter().map(|byte| format!("{byte:02x}")).collect());
        Self {
            name,
            name_hex,
            verdict: if refusal.is_some() { "refused" } else { "served" },
            rule: refusal.map(|refusal| refusal.rule.label()),
            offset: refusal.map(|refusal| refusal.offset),
            advice: refusal.map(|refusal| refusal.rule.advice()),
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CliError> {
    let archive = match arguments.archive.open() {
        Ok(archive) => archive,
        Err(CliError::Archive { path, error: Error::Archive(refusal) }) => {
            if arguments.json {
                print_json(&ArchiveVerdict {
                    archive: "refused",
                    rule: Some(refusal.rule.label()),
                    offset: Some(refusal.offset),
                    advice: Some(refusal.rule.advice()),
                    entries: Vec::new(),
                })?;
            }
            return Err(CliError::Archive { path, error: Error::Archive(refusal) });
        }
        Err(other) => return Err(other),
    };
    let mut verdicts = Vec::with_capacity(archive.directory().len());
    let mut out = BufWriter::new(stdout().lock());
    let mut refused = 0u64;
    let mut advice = Advice::default();
    let mut written = Ok(());
    archive
        .verify(
            |_| {},
            |entry, standing| {
                let name = archive.directory().raw_name(entry);
                let refusal = match &standing {
                    Standing::Bad(refusal) => Some(refusal),
                    Standing::Good { .. } | Standing::Unverified => None,
                };
                if let Some(refusal) = refusal {
                    refused += 1;
                    advice.note(refusal.rule);
                }
                if arguments.json {
                    verdicts.push(EntryVerdict::new(name, refusal));
                } else if let (Some(refusal), Ok(())) = (refusal, &written) {
                    let name = shown(&archive.describe(entry).display_name);
                    let line = format!("refused  {name}: {} ({refusal})", refusal.rule.label());
                    written = write_line(&mut out, &line);
                }
            },
        )
        .map_err(|error| CliError::archive(arguments.archive.path(), error))?;
    written?;
    if arguments.json {
        print_json(&ArchiveVerdict {
            archive: "accepted",
            rule: None,
            offset: None,
            advice: None,
            entries: verdicts,
        })?;
    } else {
        let all = archive.directory().len();
        write_line(&mut out, &format!("{all} entries, {refused} refused"))?;
        for line in advice.lines() {
            write_line(&mut out, &line)?;
        }
        out.flush().map_err(CliError::Output)?;
    }
    Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(REFUSED) })
}

/// Prints one JSON object and a line end.
pub(super) fn print_json(object: &impl Serialize) -> Result<(), CliError> {
    let bytes = json_bytes(object).map_err(|error| CliError::Output(error.into()))?;
    let mut out = stdout().lock();
    out.write_all(&bytes)
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush())
        .map_err(CliError::Output)
}
