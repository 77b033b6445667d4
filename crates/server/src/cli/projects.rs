//! `entryway projects`: what each project has in the store.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::error::CliError;
use super::output::{Output, print_json};
use super::serve::open_catalog;
use crate::catalog::ProjectStorage;
use crate::store::Store;

/// List projects and how much they store
///
/// Content that several jobs have is stored once, and counted for each of them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entryway projects --data /var/lib/entryway
  entryway projects --data /var/lib/entryway --json")]
pub(super) struct Arguments {
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

/// What `--json` prints of a project; sizes are bytes.
#[derive(Serialize)]
struct Row<'a> {
    id: i64,
    path: &'a str,
    visibility: &'static str,
    public_pipelines: bool,
    archives: u64,
    archives_size: u64,
    reports: u64,
    reports_size: u64,
}

impl<'a> Row<'a> {
    fn new(project: &'a ProjectStorage) -> Self {
        Self {
            id: project.id.0,
            path: &project.path,
            visibility: project.visibility.as_str(),
            public_pipelines: project.public_pipelines,
            archives: project.archives,
            archives_size: project.archives_len,
            reports: project.reports,
            reports_size: project.reports_len,
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CliError> {
    let store = Store::open(&arguments.data)?;
    let (runtime, catalog) = open_catalog(&store)?;
    let projects = runtime.block_on(catalog.storage());
    runtime.block_on(catalog.close());
    let projects = projects?;
    if arguments.json {
        print_json(&projects.iter().map(Row::new).collect::<Vec<_>>())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = Output::new();
    out.line(&format!("{:>8} {:>8} {:>15}  {:<9} PROJECT", "ID", "FILES", "BYTES", "VISIBLE"))?;
    for project in &projects {
        let files = project.archives + project.reports;
        let len = project.archives_len + project.reports_len;
        let (id, visibility, path) = (project.id, project.visibility, &project.path);
        out.line(&format!("{id:>8} {files:>8} {len:>15}  {visibility:<9} {path}"))?;
    }
    out.end()?;
    Ok(ExitCode::SUCCESS)
}
