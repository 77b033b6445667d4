//! `entryway verify`: every entry decoded, every rule applied.

use std::collections::HashMap;
use std::process::ExitCode;

use clap::Args;
use entryway::{Archive, Entry, Error, Profile, ReadAt, Refusal, Standing};
use serde::Serialize;

use super::advice::Advice;
use super::archive::ArchiveArgument;
use super::error::{CliError, REFUSED};
use super::output::{Output, print_json};
use super::profile::ProfileArgument;
use crate::shown::shown_raw;
use crate::verification::labelled;

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

Exits with 0 where no entry is refused and nothing breaks a rule of the profile, 1 where the archive
or an entry is refused, 4 where the file is no archive.")]
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
    /// Whether a server of the profile takes it in.
    archive: &'static str,
    #[serde(flatten)]
    reason: Reason,
    /// With the profile strict: each of its rules that the archive or an entry of it breaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    broken: Option<Vec<BrokenRule>>,
    entries: Vec<EntryVerdict>,
}

impl ArchiveVerdict {
    /// The verdict by the rules that are broken.
    fn new(profile: Profile, broken: &[Broken], entries: Vec<EntryVerdict>) -> Self {
        let first = broken.first().map(|broken| &broken.refusal);
        Self {
            archive: if first.is_some() { "refused" } else { "accepted" },
            reason: Reason::new(first),
            broken: (profile == Profile::Strict).then(|| broken.iter().map(Broken::told).collect()),
            entries,
        }
    }
}

/// Why something is refused: nothing is said of what is not.
#[derive(Serialize)]
struct Reason {
    rule: Option<&'static str>,
    offset: Option<u64>,
    message: Option<String>,
    advice: Option<&'static str>,
}

impl Reason {
    fn new(refusal: Option<&Refusal>) -> Self {
        Self {
            rule: refusal.map(|refusal| refusal.rule.label()),
            offset: refusal.map(|refusal| refusal.offset),
            message: refusal.map(Refusal::to_string),
            advice: refusal.map(|refusal| refusal.rule.advice()),
        }
    }
}

#[derive(Serialize)]
struct BrokenRule {
    #[serde(flatten)]
    reason: Reason,
    /// The entry that breaks it, by the name that it has among the entries.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    entry: Option<BrokenEntry>,
}

#[derive(Serialize)]
struct BrokenEntry {
    entry: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry_hex: Option<String>,
}

/// A rule that an archive is refused for, and which entry breaks it, if it is one.
struct Broken {
    refusal: Refusal,
    /// The entry with its raw name.
    entry: Option<(Entry, Box<[u8]>)>,
}

impl From<Refusal> for Broken {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, entry: None }
    }
}

impl Broken {
    /// What of a profile's rules an archive breaks beyond those that every archive is held to, in
    /// the order in which a server meets them.
    fn all<S: ReadAt>(archive: &Archive<S>, profile: Profile) -> Result<Vec<Self>, Error> {
        let mut all = Vec::new();
        match profile {
            Profile::Serve => {}
            Profile::Strict => archive.examine(|entry, refusal| {
                let raw_name = |entry| archive.directory().raw_name(entry).into();
                let entry = entry.map(|entry| (*entry, raw_name(entry)));
                all.push(Self { refusal, entry });
            })?,
        }
        Ok(all)
    }

    fn told(&self) -> BrokenRule {
        let entry = self.entry.as_ref().map(|(_, raw_name)| {
            let (entry, entry_hex) = in_json(raw_name);
            BrokenEntry { entry, entry_hex }
        });
        BrokenRule { reason: Reason::new(Some(&self.refusal)), entry }
    }

    /// A line of text.
    fn line(&self) -> String {
        let what = self.entry.as_ref().map_or("the archive".into(), |(_, name)| shown_raw(name));
        line(&what, &self.refusal)
    }
}

fn line(what: &str, refusal: &Refusal) -> String {
    format!("refused  {what}: {}", labelled(refusal))
}

/// The verdict on an entry.
#[derive(Serialize)]
pub(super) struct EntryVerdict {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_hex: Option<String>,
    verdict: &'static str,
    #[serde(flatten)]
    reason: Reason,
}

/// A raw name as text; where it is not UTF-8, its bytes too.
fn in_json(raw_name: &[u8]) -> (String, Option<String>) {
    let is_text = std::str::from_utf8(raw_name).is_ok();
    let hex = || raw_name.iter().map(|byte| format!("{byte:02x}")).collect();
    (String::from_utf8_lossy(raw_name).into_owned(), (!is_text).then(hex))
}

impl EntryVerdict {
    pub(super) fn new(raw_name: &[u8], refusal: Option<&Refusal>) -> Self {
        let (name, name_hex) = in_json(raw_name);
        Self {
            name,
            name_hex,
            verdict: if refusal.is_some() { "refused" } else { "served" },
            reason: Reason::new(refusal),
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CliError> {
    let profile = arguments.profile.profile();
    let archive = match arguments.archive.open() {
        Ok(archive) => archive,
        Err(CliError::Archive { path, error }) => {
            if let (Error::Archive(refusal), true) = (&error.error, arguments.json) {
                print_json(&ArchiveVerdict::new(profile, &[(*refusal).into()], Vec::new()))?;
            }
            return Err(CliError::Archive { path, error });
        }
        Err(other) => return Err(other),
    };
    let failed = |error: Error| CliError::archive(arguments.archive.path(), error);
    let broken = Broken::all(&archive, profile).map_err(failed)?;
    // The first of each entry, by its header.
    let mut of_entries = HashMap::new();
    let mut out = Output::new();
    let mut advice = Advice::default();
    for broken in &broken {
        if let Some((entry, _)) = &broken.entry {
            of_entries.entry(entry.header_offset).or_insert(&broken.refusal);
        }
        if !arguments.json {
            advice.note(broken.refusal.rule);
            out.line(&broken.line())?;
        }
    }
    let mut verdicts = Vec::with_capacity(archive.directory().len());
    let mut refused = 0u64;
    let mut written = Ok(());
    archive
        .verify(
            |_| {},
            |entry, standing| {
                let name = archive.directory().raw_name(entry);
                let bad = match &standing {
                    Standing::Bad(refusal) => Some(refusal),
                    Standing::Good { .. } | Standing::Unverified => None,
                };
                let refusal = bad.or_else(|| of_entries.get(&entry.header_offset).copied());
                refused += u64::from(refusal.is_some());
                if arguments.json {
                    verdicts.push(EntryVerdict::new(name, refusal));
                } else if let (Some(refusal), Ok(())) = (bad, &written) {
                    advice.note(refusal.rule);
                    written = out.line(&line(&shown_raw(name), refusal));
                }
            },
        )
        .map_err(failed)?;
    written?;
    if arguments.json {
        out.json(&ArchiveVerdict::new(profile, &broken, verdicts))?;
    } else {
        let all = archive.directory().len();
        let and_all = if broken.is_empty() { "" } else { ", and the archive" };
        out.line(&format!("{all} entries, {refused} refused{and_all}"))?;
        for line in advice.lines() {
            out.line(&line)?;
        }
    }
    out.end()?;
    Ok(if refused == 0 && broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(REFUSED) })
}
