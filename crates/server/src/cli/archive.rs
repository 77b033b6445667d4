//! A local archive as the commands on files open it.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use entryway::{Archive, FileSource, Policy};

use super::error::CliError;
use super::policy::PolicyArguments;
use crate::reply::is_unseen;

/// The archive that a command reads.
#[derive(Clone, Debug, Args)]
pub(super) struct ArchiveArgument {
    /// The zip archive
    #[arg(value_name = "ARCHIVE")]
    pub(super) path: PathBuf,
    #[command(flatten)]
    policy: PolicyArguments,
}

impl ArchiveArgument {
    pub(super) fn open(&self) -> Result<Archive<FileSource>, CliError> {
        Archive::open_within(self.source()?, self.policy())
            .map_err(|error| CliError::archive(&self.path, error))
    }

    /// The file, of which nothing has been read yet.
    pub(super) fn source(&self) -> Result<FileSource, CliError> {
        FileSource::open(&self.path)
            .map_err(|error| CliError::Open { path: self.path.clone(), error })
    }

    pub(super) fn policy(&self) -> Policy {
        self.policy.policy()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Writes a line.
pub(super) fn write_line(out: &mut impl Write, line: &str) -> Result<(), CliError> {
    writeln!(out, "{line}").map_err(CliError::Output)
}

/// A name as it can be shown: what could move a cursor or turn text round is escaped.
pub(super) fn shown(name: &str) -> String {
    name.chars()
        .map(|c| if is_unseen(c) { c.escape_unicode().to_string() } else { c.to_string() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_without_what_a_terminal_obeys() {
        let table = [
            ("plain/\u{e9} x", "plain/\u{e9} x"),
            ("\u{1b}[31m", "\\u{1b}[31m"),
            ("a\u{202e}txt.exe", "a\\u{202e}txt.exe"),
            ("a\u{61c}b", "a\\u{61c}b"),
            ("a\nb", "a\\u{a}b"),
        ];
        for (name, expected) in table {
            assert_eq!(shown(name), expected);
            // Error texts rely on `Debug` for the same.
            let quoted = format!("{name:?}");
            assert_eq!(shown(&quoted), quoted);
        }
    }
}
