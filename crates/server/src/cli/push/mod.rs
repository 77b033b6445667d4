//! `entryway push`: hands an archive in, to a data folder or to a server.

mod client;
mod local;
mod remote;
#[cfg(test)]
mod tests;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgGroup, Args};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

pub(super) use self::client::RemoteError;
use self::client::ServerUrl;
use super::advice::Advice;
use super::complain;
use super::error::CliError;
use super::output::{print_json, print_line};
use super::policy::PolicyArguments;
use super::profile::ProfileArgument;
use super::verify::EntryVerdict;
use crate::announcement::ingest::PIPELINE_STATUSES;
use crate::catalog::{PipelineStatus, ProjectPath, Visibility};
use crate::shown::{quoted, shown_path};
use crate::store::Sha256Digest;
use crate::upload::{BadPhrase, ExpireIn};
use crate::verification::{Verified, labelled};

/// Store an archive and make it the latest of a project, a ref and a job
///
/// Works while a server runs on the same folder, which sees it at once. Every entry is decoded
/// once; those that are refused are listed and not served, the others are.
#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("destination").args(["data", "server"]).required(true)),
    after_help = "\
Examples:
  entryway push dist.zip --data /var/lib/entryway --project group/app --ref main --job build
  entryway push dist.zip --data /var/lib/entryway --project group/app --ref main --job build \\
      --visibility public --json
  ENTRYWAY_TOKEN=... entryway push dist.zip --server https://artifacts.example.com \\
      --project group/app --ref main --job build --expire-in '30 days'
  entryway push dist.zip --server https://artifacts.example.com --token-file token --job-id 4711

With --server the token is ENTRYWAY_TOKEN, or what --token-file holds, with the scope ingest; it is
never an argument. Redirects are not followed. When a push to a server fails halfway, its job and
its pipeline stay there as failed ones; when it is interrupted, as running ones.

With --server, --max-... and --duplicates decide what is printed here; the server reads by its own.

With --profile strict an archive that breaks a rule of that profile anywhere is not stored; with
--server it is held to it here, and to the server's own by the server. `entryway verify --profile
strict` lists all such rules.

Exits with 0 when the archive was stored, whatever entries are refused, 1 when it is refused, 2 when
the arguments contradict what is stored, 4 when the file is no archive."
)]
pub(super) struct Arguments {
    /// The zip archive
    #[arg(value_name = "ARCHIVE.zip")]
    archive: PathBuf,
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A server, such as https://artifacts.example.com
    #[arg(long, value_name = "URL")]
    server: Option<ServerUrl>,
    /// A file with the token for the server
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    token_file: Option<PathBuf>,
    /// The project, such as group/app; made where it does not exist
    #[arg(long, value_name = "PATH", required_unless_present = "job_id")]
    project: Option<ProjectPath>,
    /// The branch or tag
    #[arg(long = "ref", value_name = "REF", required_unless_present = "job_id")]
    ref_name: Option<String>,
    /// The job's name
    #[arg(long, required_unless_present = "job_id")]
    job: Option<String>,
    /// A pipeline to add the job to, made where it does not exist; else each push makes a new one
    #[arg(long, value_name = "ID")]
    pipeline: Option<i64>,
    /// A job that the server knows already, of which nothing is changed: project, ref, job and
    /// pipeline need not be named then and are not looked at
    #[arg(long, value_name = "ID", conflicts_with_all = ["data", "visibility", "status"],
          value_parser = clap::value_parser!(i64).range(1..))]
    job_id: Option<i64>,
    /// The pipeline's state: running, success, failed, canceled, skipped or manual [default:
    /// success]
    #[arg(long, value_parser = pipeline_status)]
    status: Option<PipelineStatus>,
    /// Of a new project: public, internal or private [default: private]
    #[arg(long)]
    visibility: Option<Visibility>,
    /// When the artifacts expire, such as '30 days', or never; where it is left out, a server does
    /// what it is set to, and in a data folder they do not
    #[arg(long, value_name = "PHRASE", value_parser = said_expiry)]
    expire_in: Option<SaidExpiry>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    profile: ProfileArgument,
    #[command(flatten)]
    policy: PolicyArguments,
}

/// The states that a pipeline can be announced in, over HTTP and here.
fn pipeline_status(word: &str) -> Result<PipelineStatus, String> {
    let allowed = PIPELINE_STATUSES.iter().find(|status| status.as_str() == word);
    allowed.copied().ok_or_else(|| {
        format!("expected one of {}", PIPELINE_STATUSES.map(PipelineStatus::as_str).join(", "))
    })
}

/// How long artifacts are kept, as it was said.
#[derive(Clone, Debug)]
struct SaidExpiry {
    /// As it is, which a server reads.
    phrase: String,
    meaning: ExpireIn,
}

/// What says nothing is no phrase either.
fn said_expiry(phrase: &str) -> Result<SaidExpiry, BadPhrase> {
    let meaning = ExpireIn::parse(phrase)?.ok_or(BadPhrase)?;
    Ok(SaidExpiry { phrase: phrase.to_owned(), meaning })
}

/// An archive that was handed in. The numbers are those that are known: of a known job, the others
/// are not asked for.
struct Handed {
    project_id: Option<i64>,
    pipeline_id: Option<i64>,
    job_id: i64,
    sha256: Sha256Digest,
    len: u64,
    verified: Verified,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    project_id: Option<i64>,
    pipeline_id: Option<i64>,
    job_id: i64,
    sha256: String,
    size: u64,
    entries: usize,
    refused: Vec<EntryVerdict>,
}

/// Told what is being done, how much of it is done, and how much there is.
type Progress<'a> = dyn FnMut(&'static str, u64, u64) + 'a;

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CliError> {
    // Looked at before a folder is made for it, or a server asked.
    let exists = std::fs::metadata(&arguments.archive);
    exists.map_err(|error| CliError::Open { path: arguments.archive.clone(), error })?;
    let bar = progress_bar();
    let outcome = hand_in(arguments, &mut |message, done, all| show(&bar, message, done, all));
    bar.finish_and_clear();
    report(&outcome?, arguments)?;
    Ok(ExitCode::SUCCESS)
}

fn hand_in(arguments: &Arguments, progress: &mut Progress<'_>) -> Result<Handed, CliError> {
    let place = match (&arguments.project, &arguments.ref_name, &arguments.job) {
        (Some(project), Some(ref_name), Some(job)) => {
            Some((project, ref_name.as_str(), job.as_str()))
        }
        _ => None,
    };
    match (&arguments.data, &arguments.server, arguments.job_id, place) {
        (Some(data), _, None, Some(place)) => local::push(arguments, data, place, progress),
        (None, Some(server), None, Some(place)) => remote::push(arguments, server, place, progress),
        (None, Some(server), Some(job), _) => remote::hand_in_for(arguments, server, job, progress),
        // The parser lets no other combination through.
        _ => Err(CliError::Usage("--data or --server, --project, --ref and --job".into())),
    }
}

fn report(handed: &Handed, arguments: &Arguments) -> Result<(), CliError> {
    let mut refused = Vec::new();
    let mut advice = Advice::default();
    for (name, refusal) in handed.verified.refused() {
        complain(&format_args!("refused {}: {}", quoted(name), labelled(refusal)));
        refused.push(EntryVerdict::new(name, Some(refusal)));
        advice.note(refusal.rule);
    }
    for line in advice.lines() {
        complain(&line);
    }
    let report = Report {
        project_id: handed.project_id,
        pipeline_id: handed.pipeline_id,
        job_id: handed.job_id,
        sha256: handed.sha256.to_string(),
        size: handed.len,
        entries: handed.verified.directory().len(),
        refused,
    };
    if arguments.json {
        return print_json(&report);
    }
    let mut line = format!("stored {} as job {}", shown_path(&arguments.archive), report.job_id);
    if let (Some(pipeline), Some(project)) = (report.pipeline_id, &arguments.project) {
        line += &format!(" of pipeline {pipeline} in {project}");
    }
    line += &format!(": {} entries, {} refused", report.entries, report.refused.len());
    print_line(&line)
}

/// A bar on a terminal, nothing elsewhere.
fn progress_bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{msg:9} {wide_bar} {percent:>3}% {eta:>4}") {
        bar.set_style(style);
    }
    bar
}

fn show(bar: &ProgressBar, message: &'static str, done: u64, all: u64) {
    if bar.message() != message {
        bar.set_message(message);
    }
    bar.set_length(all);
    bar.set_position(done);
}
