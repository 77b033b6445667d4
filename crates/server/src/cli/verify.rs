//! `entryway verify`: every entry decoded, every rule applied.

use std::io::{BufWriter, Write, stdout};
use std::process::ExitCode;

use clap::Args;
use entryway::{Archive, Entry, Error, Profile, ReadAt, Refusal, Standing};
use serde::Serialize;

use super::advice::Advice;
use super::archive::{ArchiveArgument, shown, write_line};
use super::error::{CliError, REFUSED};
use super::profile::ProfileArgument;
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
  entryway verify --profile strict artifacts.zip

Exits with 0 where everything would be served and nothing breaks a rule of the profile, 1 where the
archive or an entry is refused, 4 where the file is no archive.")]
pub(super) struct Arguments {
    #[command(flatten)]
    profile: ProfileArgument,
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
    /// With the profile strict: each of its rules that the archive, and not one entry, breaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    broken: Option<Vec<BrokenRule>>,
    entries: Vec<EntryVerdict>,
}

impl ArchiveVerdict {
    /// The verdict by the rules that the archive breaks.
    fn new(profile: Profile, refusals: &[Refusal], entries: Vec<EntryVerdict>) -> Self {
        let first = refusals.first();
        let broken = || refusals.iter().map(BrokenRule::from).collect();
        Self {
            archive: if first.is_some() { "refused" } else { "accepted" },
            rule: first.map(|refusal| refusal.rule.label()),
            offset: first.map(|refusal| refusal.offset),
            advice: first.map(|refusal| refusal.rule.advice()),
            broken: (profile == Profile::Strict).then(broken),
            entries,
        }
    }
}

#[derive(Serialize)]
struct BrokenRule {
    rule: &'static str,
    offset: u64,
    advice: &'static str,
}

impl From<&Refusal> for BrokenRule {
    fn from(refusal: &Refusal) -> Self {
        Self { rule: refusal.rule.label(), offset: refusal.offset, advice: refusal.rule.advice() }
    }
}

/// What an archive breaks of a profile's rules beyond those that every archive is held to.
#[derive(Default)]
struct Examined {
    archive: Vec<Refusal>,
    /// The first of each entry, with its header's offset, in the order of these.
    entries: Vec<(u32, Refusal)>,
}

impl Examined {
    fn new<S: ReadAt>(archive: &Archive<S>, profile: Profile) -> Result<Self, Error> {
        let mut examined = Self::default();
        match profile {
            Profile::Serve => {}
            Profile::Strict => archive.examine(|entry, refusal| match entry {
                None => examined.archive.push(refusal),
                Some(entry) => examined.entries.push((entry.header_offset, refusal)),
            })?,
        }
        examined.entries.sort_by_key(|(header_offset, _)| *header_offset);
        examined.entries.dedup_by_key(|(header_offset, _)| *header_offset);
        Ok(examined)
    }

    fn of_entry(&self, entry: &Entry) -> Option<&Refusal> {
        let found = self.entries.binary_search_by_key(&entry.header_offset, |(offset, _)| *offset);
        found.ok().map(|at| &self.entries[at].1)
    }
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
    let profile = arguments.profile.profile();
    let archive = match arguments.archive.open() {
        Ok(archive) => archive,
        Err(CliError::Archive { path, error: Error::Archive(refusal) }) => {
            if arguments.json {
                print_json(&ArchiveVerdict::new(profile, &[refusal], Vec::new()))?;
            }
            return Err(CliError::Archive { path, error: Error::Archive(refusal) });
        }
        Err(other) => return Err(other),
    };
    let failed = |error| CliError::archive(arguments.archive.path(), error);
    let examined = Examined::new(&archive, profile).map_err(failed)?;
    let mut verdicts = Vec::with_capacity(archive.directory().len());
    let mut out = BufWriter::new(stdout().lock());
    let mut refused = 0u64;
    let mut advice = Advice::default();
    let mut written = Ok(());
    if !arguments.json {
        for refusal in &examined.archive {
            advice.note(refusal.rule);
            let line = format!("refused  the archive: {} ({refusal})", refusal.rule.label());
            write_line(&mut out, &line)?;
        }
    }
    archive
        .verify(
            |_| {},
            |entry, standing| {
                let name = archive.directory().raw_name(entry);
                let refusal = match &standing {
                    Standing::Bad(refusal) => Some(refusal),
                    Standing::Good { .. } | Standing::Unverified => examined.of_entry(entry),
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
        .map_err(failed)?;
    written?;
    if arguments.json {
        print_json(&ArchiveVerdict::new(profile, &examined.archive, verdicts))?;
    } else {
        let all = archive.directory().len();
        let and_all = if examined.archive.is_empty() { "" } else { ", and the archive" };
        write_line(&mut out, &format!("{all} entries, {refused} refused{and_all}"))?;
        for line in advice.lines() {
            write_line(&mut out, &line)?;
        }
        out.flush().map_err(CliError::Output)?;
    }
    Ok(if refused == 0 && examined.archive.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(REFUSED)
    })
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
