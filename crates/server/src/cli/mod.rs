//! The command line: words, exit codes, and one file for each command.

mod advice;
mod archive;
mod cat;
mod error;
mod limits;
mod log;
mod ls;
mod output;
mod policy;
mod profile;
mod projects;
mod push;
mod quickstart;
mod sample;
mod serve;
mod sweep;
mod sweeper;
mod terms;
mod token;
mod verify;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::error::CliError;

/// Serves single files out of zip archives over HTTP, fast, without extracting the rest.
#[derive(Debug, Parser)]
#[command(
    name = "entryway",
    version,
    propagate_version = true,
    after_help = "\
Exit codes: 0 fine, 1 something refused or bad, 2 usage, 3 no such entry, 4 not an archive,
5 cannot serve this entry.

Try it:  entryway quickstart some.zip"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Quickstart(quickstart::Arguments),
    Serve(serve::Arguments),
    Push(push::Arguments),
    Projects(projects::Arguments),
    Sweep(sweep::Arguments),
    #[command(subcommand)]
    Token(token::Command),
    Ls(ls::Arguments),
    Cat(cat::Arguments),
    Verify(verify::Arguments),
}

/// Runs the program: parses its arguments and does what they say.
#[must_use]
pub fn run() -> ExitCode {
    // Usage errors end here, with clap's text and exit code 2.
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Command::Quickstart(arguments) => quickstart::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Push(arguments) => push::run(&arguments),
        Command::Projects(arguments) => projects::run(&arguments),
        Command::Sweep(arguments) => sweep::run(&arguments),
        Command::Token(command) => token::run(&command),
        Command::Ls(arguments) => ls::run(&arguments),
        Command::Cat(arguments) => cat::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
    };
    match outcome {
        Ok(code) => code,
        // Whoever reads our output has seen enough: `entryway cat | head` is no failure.
        Err(CliError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&error);
            if let Some(advice) = error.advice() {
                complain(&advice);
            }
            error.exit_code()
        }
    }
}

/// Writes a line to standard error; where that cannot be written to, the exit code says enough.
fn complain(line: &dyn std::fmt::Display) {
    drop(writeln!(std::io::stderr(), "entryway: {line}"));
}
