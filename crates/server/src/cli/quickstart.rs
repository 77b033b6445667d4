//! `entryway quickstart`: one command from an archive to a `curl` that works.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use entryway::Standing;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::advice::Advice;
use super::error::CliError;
use super::sample;
use super::serve::{Folder, Signals, Tuning, control_runtime, start};
use crate::catalog::{ProjectPath, PushTarget, Visibility};
use crate::ingest::{Ingested, Intake};
use crate::listen::{Listeners, default_address};
use crate::shown::shown_path;

const PROJECT: &str = "quickstart/demo";
const REF: &str = "main";
const JOB: &str = "build";

/// What a path in a URL, between quotes in a shell, needs no escape for.
const PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Store an archive in a temporary folder, serve it and say how to fetch from it
///
/// Everything is public. The folder is removed at the end unless --data names one.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entryway quickstart some.zip
  entryway quickstart some.zip --listen 127.0.0.1:0 --data ./data")]
pub(super) struct Arguments {
    /// The zip archive; without one, a small sample
    #[arg(value_name = "ARCHIVE.zip")]
    archive: Option<PathBuf>,
    /// The address to listen on [default: 127.0.0.1:8080, or a free port where that is taken]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// A data folder to keep
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    tuning: Tuning,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CliError> {
    let shares = start(&arguments.tuning)?;
    let runtime = control_runtime()?;
    let make_error = |what: &str| {
        let what = what.to_owned();
        move |error| CliError::Make { what, error }
    };
    // Removed when this function returns, however it does.
    let temporary = tempfile::Builder::new()
        .prefix("entryway-quickstart-")
        .tempdir()
        .map_err(make_error("a temporary folder"))?;
    let path = temporary.path().to_owned();
    let signals = Signals::listen(&runtime, move || remove_folder(&path))?;
    let archive = match &arguments.archive {
        Some(archive) => archive.clone(),
        None => {
            let path = temporary.path().join("sample.zip");
            std::fs::write(&path, sample::archive()).map_err(make_error("the sample"))?;
            path
        }
    };
    let data = match &arguments.data {
        Some(data) => data.clone(),
        None => temporary.path().join("data"),
    };
    let folder = Folder::open(&data, runtime)?;
    let ingested = store(&folder, &archive, arguments)?;
    let listeners = bind(arguments.listen)?;
    print(&listeners, &archive, &ingested).map_err(CliError::Output)?;
    drop(ingested);
    folder.serve(listeners, &arguments.tuning, shares, &signals)?;
    temporary.close().map_err(make_error("the temporary folder go away"))?;
    Ok(ExitCode::SUCCESS)
}

/// Removes a folder that may be written to meanwhile: what is made while it is listed is found by
/// the next listing.
fn remove_folder(path: &Path) {
    for _ in 0..3 {
        if std::fs::remove_dir_all(path).is_ok() {
            return;
        }
    }
}

fn store(folder: &Folder, archive: &Path, arguments: &Arguments) -> Result<Ingested, CliError> {
    let project: ProjectPath = match PROJECT.parse() {
        Ok(project) => project,
        Err(error) => return Err(CliError::Usage(format!("{PROJECT}: {error}"))),
    };
    let target = PushTarget {
        project: &project,
        visibility: Some(Visibility::Public),
        ref_name: REF,
        job: JOB,
        pipeline: None,
    };
    let intake = Intake {
        store: &folder.store,
        catalog: &folder.catalog,
        runtime: folder.runtime.handle(),
        policy: arguments.tuning.policy.policy(),
        profile: arguments.tuning.terms.profile.profile(),
    };
    Ok(intake.ingest(archive, &target, None, None, &mut |_| {})?)
}

fn bind(listen: Option<SocketAddr>) -> Result<Listeners, CliError> {
    let address = listen.unwrap_or_else(default_address);
    let outcome = match (listen, Listeners::bind(address)) {
        (None, Err(error)) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Listeners::bind((address.ip(), 0).into())
        }
        (_, outcome) => outcome,
    };
    outcome.map_err(|error| CliError::Listen { address, error })
}

/// Prints lines that work when they are pasted.
fn print(listeners: &Listeners, archive: &Path, ingested: &Ingested) -> std::io::Result<()> {
    let mut address = listeners.address();
    if address.ip().is_unspecified() {
        let loopback: IpAddr = match address.ip() {
            IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        };
        address.set_ip(loopback);
    }
    let project = utf8_percent_encode(PROJECT, NON_ALPHANUMERIC);
    let jobs = format!("http://{address}/api/v4/projects/{project}/jobs");
    let mut advice = Advice::default();
    let mut refused = 0;
    for (_, refusal) in ingested.verified.refused() {
        advice.note(refusal.rule);
        refused += 1;
    }
    let entries = ingested.verified.directory().len();
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on http://{address}")?;
    write!(out, "{}: {entries} entries", shown_path(archive))?;
    writeln!(out, "{}", if refused > 0 { format!(", {refused} refused") } else { String::new() })?;
    for line in advice.lines() {
        writeln!(out, "  {line}")?;
    }
    if refused > 0 {
        writeln!(out, "  `entryway ls` and `entryway verify` say which.")?;
    }
    if let Some(name) = example(ingested) {
        let path = utf8_percent_encode(&name, PATH);
        let url = format!("{jobs}/artifacts/{REF}/raw/{path}?job={JOB}");
        writeln!(out, "\nOne file:\n  curl '{url}'")?;
        writeln!(out, "\nIts first 100 bytes:\n  curl -r 0-99 '{url}'")?;
        writeln!(out, "\nAs it lies in the archive, compressed:\n  curl --compressed '{url}'")?;
    }
    let url = format!("{jobs}/artifacts/{REF}/download?job={JOB}");
    writeln!(out, "\nThe whole archive:\n  curl -o artifacts.zip '{url}'")?;
    writeln!(out, "\nCtrl-C stops.")?;
    out.flush()
}

/// The name of an entry to show: text where there is one, not empty, the first of its kind.
fn example(ingested: &Ingested) -> Option<String> {
    let verified = &ingested.verified;
    let sizes = verified.directory().entries().map(|entry| entry.declared_uncompressed_size);
    let mut any = None;
    for ((name, standing), size) in verified.entries().zip(sizes) {
        let Standing::Good { is_text, .. } = standing else { continue };
        let Ok(name) = std::str::from_utf8(name) else { continue };
        // Slashes that stand together are one in a URL, unless they are encoded.
        if size == 0 || name.ends_with('/') || name.contains("//") {
            continue;
        }
        if *is_text {
            return Some(name.to_owned());
        }
        any.get_or_insert(name);
    }
    any.map(str::to_owned)
}
