//! Entryway and other readers of zip archives, side by side in one run.
//!
//! Every system's answer is compared with what it must be before anything is timed. Then, in each
//! round, each system has its turn. Printed are medians over the rounds, the least and the most,
//! the CPU time of the process (of Go's own, for Go), and ratios.

mod bare;
mod counting_allocator;
mod directory;
mod extract;
mod go;
mod harness;
mod open;
mod readers;
mod table;

use std::fmt::Write;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, ValueEnum};
use entryway_benches::content::Kind;
use sha2::{Digest, Sha256};

use crate::directory::Order;
use crate::go::Go;
use crate::harness::Rounds;
use crate::readers::Read1;
use crate::table::{Case, TSV_HEAD};

type Failure = Box<dyn std::error::Error>;

/// Compares Entryway with other readers of zip archives.
#[derive(Parser)]
#[command(version = None, max_term_width = 100)]
struct Options {
    /// Numbers of entries
    #[arg(long, value_delimiter = ',', value_name = "N,...")]
    sizes: Option<Vec<usize>>,
    /// Rounds, in each of which every system has its turn [15]
    #[arg(long)]
    rounds: Option<usize>,
    /// What to compare: all of it unless it is said
    #[arg(long, value_delimiter = ',')]
    only: Option<Vec<Topic>>,
    /// A smoke run: small archives, three short rounds, no verdict
    #[arg(long)]
    quick: bool,
    /// Writes the figures to this file
    #[arg(long, value_name = "FILE")]
    tsv: Option<PathBuf>,
    /// Prints the tables as Markdown
    #[arg(long)]
    markdown: bool,
    /// The Go command; without it, or where it is not found, Go is left out
    #[arg(long, value_name = "PROGRAM", default_value = "go")]
    go: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Topic {
    Open,
    Walk,
    Find,
    Heap,
    Extract,
}

fn main() -> Result<(), Failure> {
    let options = Options::parse();
    let quick = options.quick;
    let sizes = options.sizes.clone().unwrap_or_else(|| match quick {
        true => vec![10, 1_000],
        false => vec![10, 1_000, 100_000, 1_000_000],
    });
    let most = sizes.iter().copied().max().ok_or("no sizes")?;
    let rounds = Rounds {
        rounds: options.rounds.unwrap_or(if quick { 3 } else { 15 }).max(1),
        turn: Duration::from_millis(if quick { 1 } else { 20 }),
    };
    // Before anything is timed, so that a run does not fail at its end.
    let tsv = options.tsv.as_deref().map(create).transpose()?;
    let mut go = Go::start(&options.go).inspect_err(|error| eprintln!("no Go: {error}")).ok();
    println!("{}", versions(go.as_ref()));

    let mut cases: Vec<Case> = Vec::new();
    let mut add = |case: Case| {
        print!("{}", case.table(options.markdown));
        cases.push(case);
    };
    let is_wanted = |topic| options.only.as_ref().is_none_or(|only| only.contains(&topic));
    if is_wanted(Topic::Open) {
        for &count in &sizes {
            add(open::open(count, rounds, go.as_mut())?);
        }
    }
    if is_wanted(Topic::Walk) {
        for &count in sizes.iter().filter(|&&count| count >= 1_000) {
            add(directory::walk(count, rounds, go.as_mut())?);
        }
    }
    if is_wanted(Topic::Find) {
        for order in Order::ALL {
            add(directory::find(most, order, rounds)?);
        }
    }
    if is_wanted(Topic::Heap) {
        for &count in sizes.iter().filter(|&&count| count >= 1_000) {
            add(open::heap(count, go.as_mut())?);
        }
    }
    if is_wanted(Topic::Extract) {
        let len = if quick { 1 << 20 } else { 64 << 20 };
        for kind in Kind::ALL {
            add(extract::extract(kind, len, rounds, go.as_mut())?);
        }
    }

    println!();
    for line in verdicts(&cases) {
        println!("{line}");
    }
    if let Some(mut file) = tsv {
        let rows: String = cases.iter().map(Case::tsv).collect();
        file.write_all(format!("{TSV_HEAD}{rows}").as_bytes())?;
    }
    Ok(())
}

/// Makes a file and the folders above it.
fn create(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    File::create(path)
}

/// Runs a reader once and compares what it read.
fn checked(system: &str, read: &mut Read1<'_>, content: &[u8]) -> Result<(), Failure> {
    let mut room = Vec::with_capacity(content.len() + 1);
    read(&mut room).map_err(|error| format!("{system}: {error}"))?;
    if room != content {
        return Err(format!("{system} has another content").into());
    }
    Ok(())
}

/// The digest that the Go program answers with.
fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Which versions are compared, by what this program was built from.
fn versions(go: Option<&Go>) -> String {
    let mut versions = Vec::new();
    let mut name = "";
    for line in include_str!("../Cargo.lock").lines() {
        let value = |key: &str| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"');
        if let Some(found) = value("name") {
            name = found;
        } else if let Some(version) = value("version")
            && ["async_zip", "libdeflater", "rawzip", "rc-zip-sync", "zip", "zlib-rs"]
                .contains(&name)
        {
            versions.push(format!("{name} {version}"));
        }
    }
    versions.push(go.map_or("no Go".to_owned(), |go| go.version.clone()));
    versions.join(", ")
}

/// What a system is to reach in a case: at most so much, or so many times another system's figure.
type Target = (&'static str, f64, Option<&'static str>);

/// Opening is judged without an index and with one; a look-up also for names at random from all
/// over a million, whose part of the index is in no cache.
fn targets(case: &Case) -> Vec<Target> {
    let count: usize = case.case.rsplit(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0);
    match (case.bench, count) {
        ("open", 100_000) => ["entryway, one, map", "entryway, map"]
            .map(|system| (system, 3.0, Some("bare scan")))
            .into(),
        ("walk", 100_000 | 1_000_000) => vec![("entryway, entries", 1.5, Some("rawzip"))],
        ("find", 1_000_000) => vec![("entryway, find", 200.0, None)],
        ("heap", 100_000 | 1_000_000) => vec![("entryway, map", 16.0, None)],
        _ => Vec::new(),
    }
}

/// What was aimed at, and whether it is reached; only what was measured.
fn verdicts(cases: &[Case]) -> Vec<String> {
    let mut lines = Vec::new();
    let judged = cases.iter().flat_map(|case| targets(case).into_iter().map(move |t| (case, t)));
    for (case, (system, bound, against)) in judged {
        let of = |system| case.of(system).map(|figure| figure.median);
        let Some(figure) = of(system) else { continue };
        let scale = match against {
            Some(against) => of(against),
            None => Some(1.0),
        };
        let Some(scale) = scale else { continue };
        let ratio = figure / scale;
        let verdict = if ratio <= bound { "met" } else { "missed" };
        let bound = match (against, case.bench) {
            (Some(against), _) => format!("at most {bound} times {against}"),
            (None, "find") => format!("below {bound} ns"),
            (None, _) => format!("at most {bound} bytes"),
        };
        lines.push(format!("{verdict}: {}: {system}: {ratio:.2}, {bound}", case.title));
    }
    lines
}
