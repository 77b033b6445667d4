//! `entryway push`: hands an archive in.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::complain;
use super::error::CliError;
use super::limits::LimitArguments;
use super::serve::open_catalog;
use super::verify::{EntryVerdict, print_json};
use crate::catalog::{PipelineId, PipelineStatus, ProjectPath, PushTarget, Visibility};
use crate::ingest::{Ingested, Intake, Stage};
use crate::store::Store;

/// Store an archive and make it the latest of a project, a ref and a job
///
/// Works while a server runs on the same folder, which sees it at once. Every entry is decoded
/// once; those that are refused are listed and not served, the others are.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entryway push dist.zip --data /var/lib/entryway --project group/app --ref main --job build
  entryway push dist.zip --data /var/lib/entryway --project group/app --ref main --job build \\
      --visibility public --json

Exits with 0 when the archive was stored, whatever entries are refused, 1 when it is refused, 2 when
the arguments contradict what is stored, 4 when the file is no archive.")]
pub(super) struct Arguments {
    /// The zip archive
    #[arg(value_name = "ARCHIVE.zip")]
    archive: PathBuf,
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The project, such as group/app; made where it does not exist
    #[arg(long, value_name = "PATH")]
    project: ProjectPath,
    /// The branch or tag
    #[arg(long = "ref", value_name = "REF")]
    ref_name: String,
    /// The job's name
    #[arg(long)]
    job: String,
    /// A pipeline to add the job to, made where it does not exist; else each push makes a new one
    #[arg(long, value_name = "ID")]
    pipeline: Option<i64>,
    /// The pipeline's state: running, success, failed, canceled, skipped or manual [default:
    /// success]
    #[arg(long)]
    status: Option<PipelineStatus>,
    /// Of a new project: public, internal or private [default: private]
    #[arg(long)]
    visibility: Option<Visibility>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    limits: LimitArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    project_id: i64,
    pipeline_id: i64,
    job_id: i64,
    sha256: String,
    size: u64,
    entries: usize,
    refused: Vec<EntryVerdict>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CliError> {
    // Looked at before a folder is made for it.
    let exists = std::fs::metadata(&arguments.archive);
    exists.map_err(|error| CliError::Open { path: arguments.archive.clone(), error })?;
    let store = Store::open(&arguments.data)?;
    let (runtime, catalog) = open_catalog(&store)?;
    let target = PushTarget {
        project: &arguments.project,
        visibility: arguments.visibility,
        ref_name: &arguments.ref_name,
        job: &arguments.job,
        pipeline: arguments.pipeline.map(PipelineId),
    };
    let bar = progress_bar();
    let limits = arguments.limits.limits();
    let intake = Intake { store: &store, catalog: &catalog, runtime: runtime.handle(), limits };
    let status = arguments.status;
    let outcome =
        intake.ingest(&arguments.archive, &target, status, &mut |stage| show(&bar, stage));
    bar.finish_and_clear();
    runtime.block_on(catalog.close());
    report(&outcome?, arguments)?;
    Ok(ExitCode::SUCCESS)
}

fn report(ingested: &Ingested, arguments: &Arguments) -> Result<(), CliError> {
    let Ingested { pushed, published, verified } = ingested;
    let mut refused = Vec::new();
    for (name, refusal) in verified.refused() {
        let (shown_name, label) = (String::from_utf8_lossy(name), refusal.rule.label());
        complain(&format_args!("refused {shown_name:?}: {label} ({refusal})"));
        refused.push(EntryVerdict::new(name, Some(refusal)));
    }
    let report = Report {
        project_id: pushed.project_id.0,
        pipeline_id: pushed.pipeline_id.0,
        job_id: pushed.job_id.0,
        sha256: published.sha256.to_string(),
        size: published.len,
        entries: verified.directory().len(),
        refused,
    };
    if arguments.json {
        return print_json(&report);
    }
    let line = format!(
        "stored {} as job {} of pipeline {} in {}: {} entries, {} refused",
        arguments.archive.display(),
        report.job_id,
        report.pipeline_id,
        arguments.project.as_str(),
        report.entries,
        report.refused.len(),
    );
    super::archive::write_line(&mut std::io::stdout().lock(), &line)
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

fn show(bar: &ProgressBar, stage: Stage) {
    let (message, done, all) = match stage {
        Stage::Receiving { received_len, len } => ("storing", received_len, len),
        Stage::Verifying { done, entries } => ("verifying", done.entries, entries),
    };
    if bar.message() != message {
        bar.set_message(message);
    }
    bar.set_length(all);
    bar.set_position(done);
}
